"""The cached algorithm compiled for the CPU: weights packed for `kernel`, queues as rings, one thread or two."""

from __future__ import annotations

import dataclasses
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from wavenetlike.generate import cached
from wavenetlike.generate.told import Columns, Slow, Told, hear
from wavenetlike.heads import LEAST_TEMPERATURE, MOST_TEMPERATURE
from wavenetlike.layers import ResidualLayer
from wavenetlike.models import WaveNet

if TYPE_CHECKING:
    from wavenetlike.generate.kernel import Plan

LARGE = 300_000
"""Multiplications a sample from which on two threads divide the work of one sample, and meet three times in it."""


@dataclasses.dataclass
class Memory:
    """All that the compiled method remembers between two samples; `play` and `step` write to it in place.

    Attributes:
        plan: what lies where, see `kernel.Plan`.
        weights: of the model at the start.
        biases: of the layers, with what condition and context add, (frames, lanes or 1, layers · 2 · gate).
        own: the same without the context.
        slow: the context stack, heard between two pieces; None: there is none.
        lanes: (batch, plan.lane) past inputs, and room to compute in.
        dilations: of the layers.
        time: samples since the start.
        team: how many threads work, and how that is found out.
    """

    plan: Plan
    weights: np.ndarray
    biases: np.ndarray
    own: np.ndarray
    slow: Slow | None
    lanes: np.ndarray
    dilations: np.ndarray
    team: Team
    time: int = 0

    @property
    def outputs(self) -> Tensor:
        """(batch, channels) What the head reads of the next code."""
        first = self.plan.outputs
        return torch.from_numpy(self.lanes[:, first : first + self.plan.n_outputs].copy())


@dataclasses.dataclass
class Team:
    """One thread or two: both are tried on a few samples, and the faster goes on, for a while: other work on the machine comes and goes.

    Attributes:
        most: 1 where a second has nothing to do, or no processor.
        plays: how many pieces have been played.
        size: what was faster when last tried.
        seconds: a sample's, by either.
    """

    most: int
    plays: int = 0
    size: int = 1
    seconds: dict[int, float] = dataclasses.field(default_factory=dict)

    TRIED: ClassVar[int] = 64
    """Samples in a trial."""
    AT_ONCE: ClassVar[int] = 400
    """Samples in any other piece: an interrupt is heard after each."""
    ROOM: ClassVar[int] = 1_000_000
    """Numbers of noise in a piece at most."""
    TRUSTED: ClassVar[int] = 40
    """Pieces between two trials."""

    def next(self, batch: int, n_noise: int) -> tuple[int, int]:
        """How many threads are to play the next piece, and how many samples it has, of ``n_noise`` random numbers each."""
        most, turn = max(1, self.ROOM // (batch * n_noise)), self.plays % self.TRUSTED
        if self.most == 1 or turn > 2:
            return self.size, min(self.AT_ONCE, most)
        # Of three trials the first counts for nobody, since what has not been read for a while comes slowly.
        return (1 if turn == 2 else 2), min(self.TRIED, most)

    def took(self, size: int, n: int, seconds: float) -> None:
        """Learn from a piece."""
        self.plays += 1
        self.seconds[size] = seconds / n
        self.size = min(self.seconds, key=self.seconds.__getitem__)


@torch.no_grad()
def start(model: WaveNet, past: Tensor, told: Told | None = None) -> tuple[Memory, Tensor]:
    """Codes (batch, time ≥ Δ) and their condition → the memory, and what the head reads (batch, channels) of the next code, in one forward pass."""
    _load()
    queues, outputs = cached.start(model, past, told)
    own = pack_biases(model, queues.columns)
    lanes = own if queues.slow is None else own.repeat(len(past) // own.shape[1], axis=1)
    plan, weights = pack(model, len(past), lanes.shape, queues.columns)
    has_work = plan.n_parts == 2 or len(past) > 1
    memory = Memory(
        plan,
        weights,
        lanes.copy(),
        lanes,
        queues.slow,
        _lanes(plan, queues, outputs),
        np.array(model.config.dilations),
        Team(2 if has_work and cores() > 1 else 1),
    )
    renew(memory, model)
    return memory, outputs.cpu().float()


@torch.no_grad()
def step(model: WaveNet, memory: Memory, newest: Tensor) -> tuple[Memory, Tensor]:
    """The memory and the newest code (batch,) → the same memory, one sample later, and what the head reads (batch, channels) of the next code."""
    play(memory, newest.cpu().numpy().copy(), given=True)
    if memory.slow is not None:
        hear(model, memory.slow, newest[:, None])
        renew(memory, model)
    return memory, memory.outputs


def renew(memory: Memory, model: WaveNet) -> None:
    """Put what the context stack says now into the biases of the frames until its next column."""
    slow, plan = memory.slow, memory.plan
    if slow is None:
        return
    added = _spread(_array(slow.added[..., 0]), 1, model.config.gate_channels, plan.gate)
    first, last = ((plan.first_time + memory.time + t) // plan.hop for t in (0, model.rate))
    frames = slice(min(max(first, 0), plan.n_frames - 1), min(max(last, 0), plan.n_frames - 1) + 1)
    np.add(memory.own[frames], added, out=memory.biases[frames])


@torch.no_grad()
def draw(
    model: WaveNet,
    memory: Memory,
    n: int | None,
    noise: Callable[[int], Tensor] | None,
    temperature: float,
    top_k: int | None,
) -> Iterator[Tensor]:
    """The next codes in pieces (batch, m), n in all or without end; ``noise(m)`` gives that of the next m samples, without it the likeliest."""
    batch, team, done = memory.plan.batch, memory.team, 0
    while n is None or done < n:
        size, m = team.next(batch, memory.plan.n_noise)
        m = m if n is None else min(m, n - done)
        m = m if memory.slow is None else min(m, memory.slow.n_left)
        codes = np.zeros(m * batch, np.int64)
        drawn = None if noise is None else noise(m).numpy()
        begin = time.perf_counter()
        play(memory, codes, drawn, temperature, top_k, size)
        team.took(size, m, time.perf_counter() - begin)
        made = torch.from_numpy(codes.reshape(m, batch)).T
        if memory.slow is not None:
            hear(model, memory.slow, made)
            renew(memory, model)
        yield made
        done += m


def play(
    memory: Memory,
    codes: np.ndarray,
    noise: np.ndarray | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    n_threads: int = 1,
    given: bool = False,
) -> None:
    """Fill ``codes``, int64 (n · batch,), time by time, or with ``given`` take them; see `kernel.play`."""
    from wavenetlike.generate import kernel

    plan, batch = memory.plan, memory.plan.batch
    drawn = np.zeros(0, np.float32) if noise is None else noise.ravel()
    words, rows = np.zeros(kernel.N_WORDS, np.int64), np.arange(max(plan.width, plan.n_layers * plan.gate))
    best = plan.levels if top_k is None else top_k
    held = min(max(temperature, LEAST_TEMPERATURE), MOST_TEMPERATURE)

    def work(me: int) -> None:
        low, high = (0, batch) if batch == 1 else (batch * me // n_threads, batch * (me + 1) // n_threads)
        which = np.zeros(plan.n_skip, np.int64)
        kernel.play(
            plan, memory.weights, memory.biases.reshape(-1), memory.lanes.reshape(-1), memory.dilations, rows, which, words, memory.time, me, n_threads,
            low, high, codes, given, drawn, np.float32(held), np.float32(1 / held), best,
        )  # fmt: skip

    _together(work, n_threads, words, kernel.STOPPED)
    memory.time += len(codes) // batch


def _together(work: Callable[[int], None], n_threads: int, words: np.ndarray, stopped: int) -> None:
    """``work(0)`` in this thread and ``work(1)`` in another; where one of them ends with an error, the other does not wait for it."""
    failed: list[BaseException] = []

    def help() -> None:
        try:
            work(1)
        except BaseException as error:
            failed.append(error)
            words[stopped] = 1

    other = threading.Thread(target=help, daemon=True)
    try:
        if n_threads == 2:
            other.start()
        work(0)
    except BaseException:
        words[stopped] = 1
        raise
    finally:
        if other.ident is not None:
            other.join()
    if failed:
        raise failed[0]


def _load() -> None:
    """Import `kernel`, which may compile for seconds. An interrupt waits: numba, imported by half, would be broken until Python ends."""
    handler = signal.getsignal(signal.SIGINT)
    is_elsewhere = handler is None or threading.current_thread() is not threading.main_thread()
    if "wavenetlike.generate.kernel" in sys.modules or is_elsewhere:
        importlib.import_module("wavenetlike.generate.kernel")
        return
    waiting: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: waiting.append((number, frame)))
    try:
        importlib.import_module("wavenetlike.generate.kernel")
    finally:
        signal.signal(signal.SIGINT, handler)
    if waiting and callable(handler):
        handler(*waiting[0])


def cores() -> int:
    """Processors that this process and torch may use; `torch.set_num_threads` limits both."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, torch.get_num_threads())


def pack_biases(model: WaveNet, columns: Columns | None) -> np.ndarray:
    """Of filters and gates of all layers, with what the condition adds: float32 (frames, lanes or 1, layers · 2 · gate), filled up as `pack` does."""
    layers = [layer for layer in model.layers if isinstance(layer, ResidualLayer)]
    own = torch.cat([layer.gated.conv.bias for layer in layers])  # type: ignore[misc]
    added = own[None, None] if columns is None else columns.values.permute(2, 0, 1) + own
    gate = model.config.gate_channels
    return np.ascontiguousarray(_spread(_array(added), 2, gate, _up(gate)))


def pack(
    model: WaveNet, batch: int, bias_shape: tuple[int, ...] = (1, 1, 0), columns: Columns | None = None
) -> tuple[Plan, np.ndarray]:
    """The weights of ``model`` as `kernel` reads them, copied, float32, widths filled up with zeros; and what lies where."""
    from wavenetlike.generate.kernel import Plan, place

    config, head = model.config, model.skip_head
    layers = [layer for layer in model.layers if isinstance(layer, ResidualLayer)]
    n_parts = 2 if config.multiplications >= LARGE else 1
    n_layers, n_first = len(layers), config.first_kernel_length
    width, gate = _up(config.residual_channels), _up(config.gate_channels)
    n_sums = (1 + config.gated) * gate
    n_skip, n_out = (_up(n, n_parts) for n in (config.skip_channels, config.outputs))
    convs = [_spread(_array(layer.gated.conv.weight), 0, config.gate_channels, gate) for layer in layers]
    residuals = [_array(layer.residual.weight)[..., 0] for layer in layers if layer.residual is not None]
    biases = [_array(layer.residual.bias) for layer in layers if layer.residual is not None]
    # The last layer has no residual way; with zeros it is like the others.
    nothing, none = np.zeros((width, gate), np.float32), np.zeros(width, np.float32)
    skip = _spread(_array(head.skip.weight)[..., 0], 1, config.gate_channels, gate)
    first = [] if model.first is None else _taps(_array(model.first.weight))
    parts = {
        "embedding": _fill(_array(model.embedding.table), config.levels, width),
        "first": _join(_matrix(tap, width, width) for tap in first),
        "first_bias": none if model.first is None else _fill(_array(model.first.bias), width),
        "old": _join(_matrix(tap, width, n_sums) for conv in convs for tap in _taps(conv)[:-1]),
        "new": _join(_matrix(conv[..., -1], width, n_sums) for conv in convs),
        "residual": _join(_matrix(weight, gate, width) for weight in [*residuals, nothing]),
        "residual_bias": _join(_fill(bias, width) for bias in [*biases, none]),
        "skip": _matrix(skip, config.n_read * gate, n_skip, n_parts),
        "skip_bias": _fill(_array(head.skip.bias), n_skip),
        "hidden": _matrix(_array(head.hidden.weight)[..., 0], n_skip, n_skip, n_parts),
        "hidden_bias": _fill(_array(head.hidden.bias), n_skip),
        "out": _matrix(_array(head.out.weight)[..., 0], n_skip, n_out, n_parts),
        "out_bias": _fill(_array(head.out.bias), n_out),
        "log_sigma": _fill(_array(getattr(model.head, "log_sigma", torch.zeros(()))).reshape(1), _up(1)),
    }
    rooms = {
        "rings": (model.own_receptive_field - 1) * width,
        "sums": n_layers * n_sums,
        "z": n_layers * gate,
        "x": width,
        "newest": width,
    }
    lane = place(**rooms, skips=n_skip, hiddens=n_skip, outputs=n_out, alive=2 * n_skip, best=n_out)
    widths = {"width": width, "gate": gate, "n_skip": n_skip, "n_out": n_out, "n_parts": n_parts}
    shape = {
        "batch": batch,
        "levels": config.levels,
        "n_outputs": config.outputs,
        "n_components": model.head.n_components,
        "n_noise": model.head.n_noise,
        "hop": 1 if columns is None else columns.hop,
        "first_time": 0 if columns is None else columns.first,
        "n_frames": bias_shape[0],
        "lane_biases": 0 if bias_shape[1] == 1 else bias_shape[2],
        "frame_biases": bias_shape[1] * bias_shape[2],
        "n_layers": n_layers,
        "n_read": config.n_read,
        "adds": int(config.residual),
        "n_sums": n_sums,
        "n_taps": config.kernel_length,
        "n_first_taps": n_first,
    }
    places = place(**{name: part.size for name, part in parts.items()})
    size = lane.pop("end")
    del places["end"]
    return Plan(**shape, **widths, **places, lane=size, **lane), _join(part.ravel() for part in parts.values())


def _lanes(plan: Plan, queues: cached.Queues, outputs: Tensor) -> np.ndarray:
    """What `cached` remembers, laid out for `kernel`: every queue a ring that begins with its oldest input."""
    batch = plan.batch
    lanes = np.zeros((batch, plan.lane), np.float32)
    rings = [_fill(q.mT.cpu().float().numpy(), batch, q.shape[2], plan.width).reshape(batch, -1) for q in queues.inputs]
    if rings:
        lanes[:, : plan.sums] = np.concatenate(rings, axis=1)
    lanes[:, plan.outputs : plan.outputs + plan.n_outputs] = outputs.cpu().float().numpy()
    return lanes


def _array(weight: Tensor | None) -> np.ndarray:
    assert weight is not None
    return weight.detach().to("cpu", torch.float32).numpy()


def _up(n: int, n_parts: int = 1) -> int:
    """``n``, rounded up to whole vectors in every part."""
    from wavenetlike.generate.vectors import WIDTH

    return -(-n // (WIDTH * n_parts)) * WIDTH * n_parts


def _fill(x: np.ndarray, *shape: int) -> np.ndarray:
    """``x`` with zeros after the end of every axis."""
    return np.pad(x, [(0, wide - n) for n, wide in zip(x.shape, shape, strict=True)])


def _spread(x: np.ndarray, axis: int, n: int, wide: int) -> np.ndarray:
    """Each group of ``n`` along an axis filled up to ``wide``."""
    groups = x.reshape(*x.shape[:axis], -1, n, *x.shape[axis + 1 :])
    groups = _fill(groups, *groups.shape[: axis + 1], wide, *groups.shape[axis + 2 :])
    return groups.reshape(*x.shape[:axis], -1, *x.shape[axis + 1 :])


def _taps(weight: np.ndarray) -> list[np.ndarray]:
    """(out, in, taps) → each tap (out, in), the oldest first."""
    return list(np.moveaxis(weight, -1, 0))


def _matrix(weight: np.ndarray, n_in: int, n_out: int, n_parts: int = 1) -> np.ndarray:
    """(out, in) → flat: of each part of the outputs its strips, see `kernel`."""
    from wavenetlike.generate.vectors import STRIP

    rows = _fill(weight, n_out, n_in).T
    parts = np.split(rows, n_parts, axis=1)
    return _join(part[:, o : o + STRIP].ravel() for part in parts for o in range(0, part.shape[1], STRIP))


def _join(flat: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.float32), *flat])
