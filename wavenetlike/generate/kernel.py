"""The cached algorithm, compiled for the CPU: all that happens between two samples, without Python.

Everything lies in two flat arrays, and every width is rounded up to a multiple of 8 (`vectors`); `Plan` says what lies where. A matrix is
kept in strips of 64 outputs or fewer, the weights of one input side by side::

    strip 0                                         strip 1
    input 0: w→0 … w→63   input 1: w→0 … w→63   …   input 0: w→64 …

so that a product reads memory from one end to the other, and passes over the row of an input that is zero. Compiled when this module is
first imported, which is when something is first generated; numba keeps the result on disk for the next process, where it may.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types

from wavenetlike.generate import vectors
from wavenetlike.generate.vectors import add, copy, gate, give_way, multiply, squash, tell, told
from wavenetlike.heads import bins
from wavenetlike.heads.bins import LEAST_LOG_SCALE, MOST_LOG_SCALE, MOST_MEAN

HEARD = 5
"""Layers whose z are waited for at once, when a thread adds them up while another still computes the next."""

PATIENCE = 3000
"""Looks, some microseconds in all, after which a waiting thread lets others have its core: the one that it waits for may need it."""

OLD_DONE, Z_DONE, STOPPED, MET = 0, 8, 16, 24
"""Where it stands how far the two threads are, each word in a cache line of its own: `MET` and 8 after it, one a thread."""
N_WORDS = 40


class Plan(NamedTuple):
    """Widths, rounded up, and where things begin: in the weights, and in the memory of a lane, which is one independent sound."""

    batch: int
    """Lanes."""
    levels: int
    n_outputs: int
    """What the head reads."""
    n_components: int
    """Of a density, see `heads.bins`; 0: the outputs are logits of the codes."""
    n_noise: int
    """Random numbers that decide one draw."""
    n_layers: int
    n_read: int
    """How many of them the head reads, the last ones."""
    adds: int
    """1: each layer adds its own input to what it passes on; 0: it does not."""
    n_sums: int
    """Of a layer: 2·gate, or without gates as many as filters."""
    n_taps: int
    n_first_taps: int
    width: int
    gate: int
    n_skip: int
    n_out: int
    hop: int
    """Samples a frame of the condition; the first new code is put in at time ``first_time`` of the frames, see `told.Columns`."""
    n_frames: int
    first_time: int
    lane_biases: int
    """Numbers from the biases of a lane to those of the next, 0 if all lanes have the same; ``frame_biases``, from a frame to the next."""
    frame_biases: int
    n_parts: int
    """1, or 2: halves of the head's outputs, one for each of two threads, each half a matrix of its own."""

    embedding: int
    """(levels, width)"""
    first: int
    """Of each tap of the first convolution, oldest first, (width → width)."""
    first_bias: int
    old: int
    """Of each layer, of each tap but the newest, oldest first, (width → n_sums), filter first."""
    new: int
    """Of each layer the newest tap."""
    residual: int
    """Of each layer (gate → width); of the last, zeros."""
    residual_bias: int
    skip: int
    """Of each part (layers that are read · gate → its share of the skip channels); `hidden` and `out` likewise."""
    skip_bias: int
    hidden: int
    hidden_bias: int
    out: int
    out_bias: int
    log_sigma: int
    """Of a density whose outputs do not say it."""

    lane: int
    """Numbers of a lane; what follows are places within them."""
    rings: int
    """For each convolution that looks back, from the input on, its past inputs: x_t in place t mod n, n = Δ - 1 of the convolution."""
    sums: int
    """Of filters and gates."""
    z: int
    x: int
    newest: int
    skips: int
    hiddens: int
    outputs: int
    """Of the next code, as the head reads them."""
    alive: int
    """Twice, for two threads: what ReLU leaves, without the zeros between."""
    best: int
    """The largest logits."""


def place(**sizes: int) -> dict[str, int]:
    """Where each of several things begins that lie one after the other, and as ``end`` where all of them end."""
    ends = np.cumsum([0, *sizes.values()]).tolist()
    return dict(zip([*sizes, "end"], ends, strict=True))


PLAN = numba.typeof(Plan(*range(len(Plan._fields))))
FLOATS, INTS, INT, FLOAT = types.float32[::1], types.int64[::1], types.int64, types.float32
Array = np.ndarray
VERSION = zlib.crc32(b"".join(Path(str(module.__file__)).read_bytes() for module in (vectors, bins)))


def compiled(*arguments: Any) -> Callable[[Callable], Any]:
    """Compile a function for these types, or take it from disk; where nothing can be kept, every process compiles."""
    signature = types.void(*arguments)
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}

    def compile(function: Callable) -> Any:
        # numba looks only at a function's own file for whether what it kept is still right.
        function.__qualname__ += f"_{VERSION:08x}"
        for _ in range(2):
            try:
                kept = numba.njit(cache=True, **options)(function)
                kept.compile(signature)
                return kept
            except (RuntimeError, OSError):  # no folder to keep it in, or no room
                break
            except Exception:  # What was kept has been damaged; without it, it is kept anew.
                with contextlib.suppress(Exception):
                    kept._cache.flush()
        return numba.njit(signature, **options)(function)

    return compile


inlined = numba.njit(inline="always")
"""Written into the function that calls it, and compiled there."""


@inlined
def wait(words: Array, at: int, word: int) -> None:
    """Until the other thread has come as far as ``word``, or does not come any more."""
    spins = 0
    while told(words, at) < word and told(words, STOPPED) == 0:
        spins += 1
        if spins > PATIENCE:
            give_way()


@inlined
def meet(words: Array, me: int, word: int) -> None:
    """Until both threads have come as far as ``word``."""
    tell(words, MET + 8 * me, word)
    wait(words, MET + 8 * (1 - me), word)


@inlined
def add_old(
    plan: Plan,
    w: Array,
    biases: Array,
    memory: Array,
    dilations: Array,
    rows: Array,
    words: Array,
    time: int,
    lane: int,
    n_lanes: int,
    heard: int,
) -> None:
    """Filters and gates of every layer, as far as the past and the condition determine them: known before the newest sample is."""
    width, n_sums, n_old = plan.width, plan.n_sums, plan.n_taps - 1
    ring = lane * plan.lane + plan.rings + (plan.n_first_taps - 1) * width
    frame = min(max((plan.first_time + time) // plan.hop, 0), plan.n_frames - 1)
    for i in range(plan.n_layers):
        y = lane * plan.lane + plan.sums + i * n_sums
        for other in range(n_lanes):
            of = frame * plan.frame_biases + (lane + other) * plan.lane_biases + i * n_sums
            copy(memory, y + other * plan.lane, biases, of, n_sums)
        length = n_old * dilations[i]
        for tap in range(n_old):
            matrix = plan.old + (i * n_old + tap) * width * n_sums
            x = ring + (time + tap * dilations[i]) % length * width
            multiply(memory, y, x, plan.lane, n_lanes, w, -1, matrix, width, n_sums, rows, 0, width, plan.batch == 1)
        ring += length * width
        if heard >= 0:
            tell(words, OLD_DONE, heard + i + 1)


@inlined
def add_first(plan: Plan, w: Array, memory: Array, rows: Array, time: int, lane: int, n_lanes: int) -> None:
    """The causal convolution that follows the embedding, x → x, and the embedding into its ring."""
    width, length, own = plan.width, plan.n_first_taps - 1, lane * plan.lane
    for other in range(n_lanes):
        copy(memory, own + other * plan.lane + plan.newest, memory, own + other * plan.lane + plan.x, width)
    base = plan.first_bias
    for tap in range(length + 1):
        x = own + (plan.newest if tap == length else plan.rings + (time + tap) % length * width)
        matrix = plan.first + tap * width * width
        multiply(
            memory, own + plan.x, x, plan.lane, n_lanes, w, base, matrix, width, width, rows, 0, width, plan.batch == 1
        )
        base = -1
    for other in range(n_lanes):
        place = own + other * plan.lane
        copy(memory, place + plan.rings + time % length * width, memory, place + plan.newest, width)


@inlined
def add_new(
    plan: Plan,
    w: Array,
    memory: Array,
    dilations: Array,
    rows: Array,
    words: Array,
    time: int,
    lane: int,
    n_lanes: int,
    heard: int,
) -> None:
    """The newest column, from x, the embedding, up through every layer: z of each, and x into the rings."""
    width, n_sums, own = plan.width, plan.n_sums, lane * plan.lane
    if plan.n_first_taps > 1:
        add_first(plan, w, memory, rows, time, lane, n_lanes)
    ring = plan.rings + (plan.n_first_taps - 1) * width
    for i in range(plan.n_layers):
        y, z, length = own + plan.sums + i * n_sums, own + plan.z + i * plan.gate, (plan.n_taps - 1) * dilations[i]
        if heard >= 0:
            wait(words, OLD_DONE, heard + i + 1)
        matrix = plan.new + i * width * n_sums
        multiply(
            memory, y, own + plan.x, plan.lane, n_lanes, w, -1, matrix, width, n_sums, rows, 0, width, plan.batch == 1
        )
        for other in range(n_lanes):
            place = other * plan.lane
            if length:
                copy(memory, own + place + ring + time % length * width, memory, own + place + plan.x, width)
            if n_sums > plan.gate:
                gate(memory, z + place, y + place, plan.gate)
            else:
                squash(memory, z + place, y + place, plan.gate)
            if plan.adds:
                add(memory, own + place + plan.x, w, plan.residual_bias + i * width, width)
            else:
                copy(memory, own + place + plan.x, w, plan.residual_bias + i * width, width)
        matrix = plan.residual + i * plan.gate * width
        multiply(
            memory, own + plan.x, z, plan.lane, n_lanes, w, -1, matrix, plan.gate, width, rows, 0, plan.gate,
            plan.batch == 1,
        )  # fmt: skip
        ring += length * width
        if heard >= 0:
            tell(words, Z_DONE, heard + i + 1)


@inlined
def add_skips(
    plan: Plan,
    w: Array,
    memory: Array,
    rows: Array,
    words: Array,
    part: int,
    lane: int,
    n_lanes: int,
    heard: int,
) -> None:
    """One part of the sum of the skip ways; as soon as z are there."""
    share, n_rows, own = plan.n_skip // plan.n_parts, plan.n_read * plan.gate, lane * plan.lane
    matrix, base = plan.skip + part * share * n_rows, plan.skip_bias + part * share
    unread = plan.n_layers - plan.n_read
    for i in range(unread, plan.n_layers, HEARD):
        n = min(HEARD, plan.n_layers - i)
        if heard >= 0:
            wait(words, Z_DONE, heard + i + n)
        y, z = own + plan.skips + part * share, own + plan.z + i * plan.gate
        multiply(
            memory, y, z, plan.lane, n_lanes, w, base, matrix, n_rows, share, rows, (i - unread) * plan.gate, n * plan.gate,
            plan.batch == 1,
        )  # fmt: skip
        base = -1


@inlined
def relu(plan: Plan, memory: Array, of: int, to: int, which: Array, n_lanes: int) -> int:
    """How many of the inputs at ``of`` ReLU leaves; their numbers go to ``which``, their values to ``to``."""
    if plan.batch > 1:  # Among several lanes hardly any input is zero in all.
        for place in range(0, n_lanes * plan.lane, plan.lane):
            for i in range(plan.n_skip):
                memory[place + to + i] = max(memory[place + of + i], np.float32(0))
        for i in range(plan.n_skip):
            which[i] = i
        n = plan.n_skip
    else:
        n = 0
        for i in range(plan.n_skip):
            memory[to + n] = memory[of + i]
            which[n] = i
            n += int(memory[of + i] > 0)
    return n


@inlined
def add_alive(
    plan: Plan,
    w: Array,
    memory: Array,
    which: Array,
    of: int,
    to: int,
    n_out: int,
    matrix: int,
    base: int,
    part: int,
    me: int,
    lane: int,
    n_lanes: int,
) -> None:
    """One part of bias + weights · ReLU(what stands at ``of``), to ``to``."""
    share, own = n_out // plan.n_parts, lane * plan.lane
    alive = own + plan.alive + me * plan.n_skip
    n = relu(plan, memory, own + of, alive, which, n_lanes)
    first, rows = base + part * share, matrix + part * share * plan.n_skip
    multiply(
        memory, own + to + part * share, alive, plan.lane, n_lanes, w, first, rows, plan.n_skip, share, which, 0,
        n, plan.batch == 1,
    )  # fmt: skip


@inlined
def threshold(memory: Array, first: int, levels: int, best: int, n_best: int) -> float:
    """The smallest of the ``n_best`` largest logits; those seen so far stand in order at ``best``, and a new one is put among them."""
    for i in range(n_best):
        memory[best + i] = -np.inf
    for k in range(levels):
        logit, i = memory[first + k], n_best - 1
        if logit > memory[best + i]:
            while i > 0 and memory[best + i - 1] < logit:
                memory[best + i] = memory[best + i - 1]
                i -= 1
            memory[best + i] = logit
    return memory[best + n_best - 1]


@inlined
def choose(plan: Plan, memory: Array, own: int, noise: Array, noise0: int, over_temperature: float, n_best: int) -> int:
    """The code with the largest logit / temperature + noise among the ``n_best`` largest logits; noise0 < 0: no noise. See `SoftmaxHead`."""
    logits = own + plan.outputs
    least: float = -np.inf
    if n_best < plan.levels:
        least = threshold(memory, logits, plan.levels, own + plan.best, n_best)
    most = memory[logits]
    for k in range(1, plan.levels):
        most = max(most, memory[logits + k])
    code, best = 0, -np.inf
    for k in range(plan.levels):
        score = (memory[logits + k] - most) * over_temperature
        if noise0 >= 0:
            score += noise[noise0 + k]
        if score > best and memory[logits + k] >= least:
            code, best = k, score
    return code


@inlined
def choose_value(plan: Plan, w: Array, memory: Array, own: int, noise: Array, noise0: int, temperature: float) -> int:
    """The code of a value drawn from a density, or, with noise0 < 0, of the mean of its heaviest component. See `heads.bins`."""
    outputs, n, best = own + plan.outputs, plan.n_components, 0
    half = 1 / (plan.levels - 1)
    if plan.n_outputs == 3 * n:
        most = memory[outputs]
        for k in range(1, n):
            most = max(most, memory[outputs + k])
        largest = np.float32(-np.inf)
        for k in range(n):
            score = memory[outputs + k] - most
            if noise0 >= 0:
                score = score / temperature + noise[noise0 + k]
            if score > largest:
                best, largest = k, score
        mean, log_scale = memory[outputs + n + best], memory[outputs + 2 * n + best]
    elif plan.n_outputs == 2:
        mean, log_scale = memory[outputs], memory[outputs + 1]
    else:
        mean, log_scale = memory[outputs], w[plan.log_sigma]
    value = min(max(mean, np.float32(-MOST_MEAN)), np.float32(MOST_MEAN))
    if noise0 >= 0:
        least = np.float32(math.log(half) + LEAST_LOG_SCALE)
        scale = np.exp(min(max(log_scale, least), np.float32(MOST_LOG_SCALE)))
        value += scale * temperature * noise[noise0 + plan.n_noise - 1]
    at = (value + np.float32(1)) * np.float32(0.5 * (plan.levels - 1)) + np.float32(0.5)
    return int(min(max(at, np.float32(0)), np.float32(plan.levels - 1)))


@compiled(
    PLAN,
    FLOATS,
    FLOATS,
    FLOATS,
    INTS,
    INTS,
    INTS,
    INTS,
    INT,
    INT,
    INT,
    INT,
    INT,
    INTS,
    types.boolean,
    FLOATS,
    FLOAT,
    FLOAT,
    INT,
)
def play(
    plan: Plan,
    w: Array,
    biases: Array,
    memory: Array,
    dilations: Array,
    rows: Array,
    which: Array,
    words: Array,
    time: int,
    me: int,
    n_threads: int,
    low: int,
    high: int,
    codes: Array,
    is_given: bool,
    noise: Array,
    temperature: float,
    over_temperature: float,
    n_best: int,
) -> None:
    """The next codes (time, batch), flat, each chosen from the outputs that stand in ``memory``, or given, and then put in.

    Two threads call this at once, with ``me`` 0 and 1: for one lane and a large head, they divide the work of each sample::

        0   choose ▸ newest taps, layer by layer ▸ skips, part 0 ▸│▸ hidden, part 0 ▸│▸ out, part 0 ▸│▸ choose …
        1   older taps, layer by layer           ▸ skips, part 1 ▸│▸ hidden, part 1 ▸│▸ out, part 1 ▸│▸ older taps …

    for several lanes each has its own, low … high - 1; of a large head each still computes a part, for all lanes, since that reads half the
    weights. ``which`` is a thread's own room.
    """
    is_shared = n_threads == 2 and plan.n_parts == 2
    is_divided = is_shared and plan.batch == 1
    first, last = (0, plan.batch) if is_shared else (low, high)
    heard, met = -1, 0
    for t in range(len(codes) // plan.batch):
        if is_divided:
            heard = t * plan.n_layers
        if me == 1 or not is_divided:
            add_old(plan, w, biases, memory, dilations, rows, words, time + t, low, high - low, heard)
        if me == 0 or not is_divided:
            for lane in range(low, high):
                own, now = lane * plan.lane, t * plan.batch + lane
                noise0 = now * plan.n_noise if len(noise) else -1
                if not is_given:
                    if plan.n_components:
                        codes[now] = choose_value(plan, w, memory, own, noise, noise0, temperature)
                    else:
                        codes[now] = choose(plan, memory, own, noise, noise0, over_temperature, n_best)
                copy(memory, own + plan.x, w, plan.embedding + codes[now] * plan.width, plan.width)
            add_new(plan, w, memory, dilations, rows, words, time + t, low, high - low, heard)
        if is_shared and not is_divided:
            met += 1
            meet(words, me, met)
        for step in range(3):
            if step == 1:
                of, to, n_out, matrix, base = plan.skips, plan.hiddens, plan.n_skip, plan.hidden, plan.hidden_bias
            else:
                of, to, n_out, matrix, base = plan.hiddens, plan.outputs, plan.n_out, plan.out, plan.out_bias
            for part in range(plan.n_parts):
                if is_shared and part != me:
                    continue
                if step == 0:
                    add_skips(plan, w, memory, rows, words, part, first, last - first, heard)
                else:
                    add_alive(
                        plan, w, memory, which, of, to, n_out, matrix, base, part, me, first, last - first,
                    )  # fmt: skip
            if is_shared:
                met += 1
                meet(words, me, met)
