"""The cached algorithm on a GPU: every sample is the same some hundred small kernels, recorded once as a CUDA graph and played again.

Nothing here is allocated or decided between two samples: all that changes stands in tensors that stay where they are, positions included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from wavenetlike.generate import cached
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
        logits: (batch, levels) of the next code.
    """

    rings: list[Tensor]
    time: Tensor
    newest: Tensor
    logits: Tensor


@torch.no_grad()
def start(model: WaveNet, past: Tensor) -> tuple[Memory, Tensor]:
    """Codes (batch, time ≥ Δ) → the memory, and the logits (batch, levels) of the next code, in one forward pass."""
    queues, logits = cached.start(model, past)
    time = torch.zeros(1, dtype=torch.int64, device=past.device)
    return Memory(queues.inputs, time, past[:, -1].clone(), logits.clone()), logits


@torch.no_grad()
def step(model: WaveNet, memory: Memory, newest: Tensor) -> tuple[Memory, Tensor]:
    """The memory and the newest code (batch,) → the same memory, one sample later, and the logits (batch, levels) of the next code."""
    memory.newest.copy_(newest)
    advance(model, memory)
    return memory, memory.logits.clone()


def advance(model: WaveNet, memory: Memory) -> None:
    """Put ``memory.newest`` in: one column of every layer, into ``memory.logits``."""

    def look_back(i: int, conv: CausalConv1d, x: Tensor) -> Tensor:
        ring = memory.rings[i]
        n = ring.shape[2]
        if n == 0:
            return x
        taps = torch.arange(conv.kernel_length - 1, device=x.device) * conv.dilation
        window = torch.cat([ring.index_select(2, (memory.time + taps) % n), x], dim=2)
        ring.index_copy_(2, memory.time % n, x)
        return window

    memory.logits.copy_(cached.column(model, memory.newest, look_back))
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
    batch, levels = memory.logits.shape
    device = memory.logits.device
    drawn = None if noise is None else torch.zeros(AT_ONCE, batch, levels, device=device)
    codes = torch.zeros(AT_ONCE, batch, dtype=torch.int64, device=device)
    t = torch.zeros(1, dtype=torch.int64, device=device)

    def one() -> None:
        own = None if drawn is None else drawn.index_select(0, t)[0]
        memory.newest.copy_(model.head.sample(memory.logits, own, temperature, top_k))
        codes.index_copy_(0, t, memory.newest[None])
        t.add_(1)
        advance(model, memory)

    state = [*memory.rings, memory.time, memory.newest, memory.logits, t]
    play = _recorded(one, state) if device.type == "cuda" else one
    done = 0
    while n is None or done < n:
        m = AT_ONCE if n is None else min(AT_ONCE, n - done)
        if drawn is not None and noise is not None:
            drawn[:m].copy_(noise(m))
        t.zero_()
        for _ in range(m):
            play()
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
