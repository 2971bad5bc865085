"""The cached algorithm on a GPU: every sample is the same some hundred small kernels, recorded once as a CUDA graph and played again.

Nothing here is allocated or decided between two samples: all that changes stands in tensors that stay where they are, positions included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from wavenetlike.generate import cached
from wavenetlike.generate.told import Columns, Slow, Told, hear
from wavenetlike.layers import CausalConv1d
from wavenetlike.models import WaveNet

AT_ONCE = 200
"""Samples for which noise lies ready, and between two looks at Python, where an interrupt is heard."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """All that is remembered between two samples, on the model's device; written to in place.

    Attributes:
        rings: for each convolution that looks back, from the input on, its past inputs (batch, channels, n): x_t in place t mod n.
        time: int64 (1,), samples since the start.
        newest: int64 (batch,), the code to put in.
        outputs: (batch, channels) what the head reads of the next code.
        columns: what the condition adds to the layers; None: nothing.
        slow: the context stack, heard between two recordings; None: there is none.
    """

    rings: list[Tensor]
    time: Tensor
    newest: Tensor
    outputs: Tensor
    columns: Columns | None
    slow: Slow | None


@torch.no_grad()
def start(model: WaveNet, past: Tensor, told: Told | None = None) -> tuple[Memory, Tensor]:
    """Codes (batch, time ≥ Δ) and their condition → the memory, and what the head reads (batch, channels) of the next code, in one forward pass."""
    queues, outputs = cached.start(model, past, told)
    time = torch.zeros(1, dtype=torch.int64, device=past.device)
    return Memory(queues.inputs, time, past[:, -1].clone(), outputs.clone(), queues.columns, queues.slow), outputs


@torch.no_grad()
def step(model: WaveNet, memory: Memory, newest: Tensor) -> tuple[Memory, Tensor]:
    """The memory and the newest code (batch,) → the same memory, one sample later, and what the head reads (batch, channels) of the next code."""
    memory.newest.copy_(newest)
    advance(model, memory)
    if memory.slow is not None:
        hear(model, memory.slow, newest[:, None])
    return memory, memory.outputs.clone()


def advance(model: WaveNet, memory: Memory) -> None:
    """Put ``memory.newest`` in: one column of every layer, into ``memory.outputs``."""

    def look_back(i: int, conv: CausalConv1d, x: Tensor) -> Tensor:
        ring = memory.rings[i]
        n = ring.shape[2]
        if n == 0:
            return x
        taps = torch.arange(conv.kernel_length - 1, device=x.device) * conv.dilation
        window = torch.cat([ring.index_select(2, (memory.time + taps) % n), x], dim=2)
        ring.index_copy_(2, memory.time % n, x)
        return window

    added = None
    if memory.columns is not None:
        values, hop, first = memory.columns.values, memory.columns.hop, memory.columns.first
        i = (memory.time + first).div(hop, rounding_mode="floor").clamp(0, values.shape[2] - 1)
        added = values.index_select(2, i)
    if memory.slow is not None:
        added = memory.slow.added if added is None else added + memory.slow.added
    memory.outputs.copy_(cached.column(model, memory.newest, look_back, added))
    memory.time.add_(1)


def draw(
    model: WaveNet,
    memory: Memory,
    n: int | None,
    noise: Callable[[int], Tensor] | None,
    temperature: float,
    top_k: int | None,
) -> Iterator[Tensor]:
    """The next codes in pieces (batch, m), n in all or without end; ``noise(m)`` gives that of the next m samples, without it the likeliest."""
    batch, device = len(memory.outputs), memory.outputs.device
    drawn = None if noise is None else torch.zeros(AT_ONCE, batch, model.head.n_noise, device=device)
    codes = torch.zeros(AT_ONCE, batch, dtype=torch.int64, device=device)
    t = torch.zeros(1, dtype=torch.int64, device=device)

    def one() -> None:
        own = None if drawn is None else drawn.index_select(0, t)[0]
        memory.newest.copy_(model.head.sample(memory.outputs, own, temperature, top_k))
        codes.index_copy_(0, t, memory.newest[None])
        t.add_(1)
        advance(model, memory)

    state = [*memory.rings, memory.time, memory.newest, memory.outputs, t]
    play = _recorded(one, state) if device.type == "cuda" else one
    done = 0
    while n is None or done < n:
        m = AT_ONCE if n is None else min(AT_ONCE, n - done)
        m = m if memory.slow is None else min(m, memory.slow.n_left)
        if drawn is not None and noise is not None:
            drawn[:m].copy_(noise(m))
        t.zero_()
        for _ in range(m):
            play()
        if memory.slow is not None:
            hear(model, memory.slow, codes[:m].T)
        yield codes[:m].T.clone().cpu()
        done += m


def _recorded(work: Callable[[], None], state: list[Tensor]) -> Callable[[], None]:
    """``work`` as a CUDA graph; what it writes to ``state`` while it is tried out and recorded is taken back."""
    before = [tensor.clone() for tensor in state]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # libraries choose and allocate on first use, which cannot be recorded
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    for tensor, old in zip(state, before, strict=True):
        tensor.copy_(old)
    return graph.replay
