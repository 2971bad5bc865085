"""From arguments to sound: one loop for all methods."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any, get_args

import torch
from torch import Tensor

from wavenetlike.checks import check_bool, check_choice, check_codes, check_int, check_positive, check_seed
from wavenetlike.condition import Condition, check_frames, resolve
from wavenetlike.generate import cached, compiled, graphed, naive
from wavenetlike.generate.told import Told
from wavenetlike.models import WaveNet, check_model, folded
from wavenetlike.names import Method

METHODS: dict[str, Any] = {"naive": naive, "cached": cached, "compiled": compiled}
"""The methods by name; each module has ``start(model, past, told)`` and ``step(model, memory, newest)``, both → (memory, outputs for the next code):
what is remembered between two samples is passed in and returned. On a GPU "compiled" is `graphed`."""

MOST = 10**9
"""Samples, and sounds, of one call: more is a slip of the keyboard."""
SHORT = 100
"""Samples up to which "auto" takes what need not be compiled first."""


@dataclasses.dataclass(frozen=True, eq=False)
class Generated:
    """What `generate` made.

    Attributes:
        waveform: float32 in [-1, 1], (batch, n).
        codes: int64, (batch, n).
    """

    waveform: Tensor
    codes: Tensor


def generate(
    model: WaveNet,
    n: int,
    prefix: Tensor | None = None,
    temperature: float = 1.0,
    greedy: bool = False,
    batch: int = 1,
    condition: Condition | str | None = None,
    method: Method = "auto",
    seed: int | None = None,
    top_k: int | None = None,
    progress: bool = False,
) -> Generated:
    """``n`` new samples from ``model``, after ``prefix`` or after silence. Taught in notebooks/07_fast_generation.ipynb.

    Interrupted, by Ctrl-C or a notebook's stop, it warns and returns what was made so far.

    Args:
        model: a `WaveNet`; its mode does not matter, since nothing in it behaves otherwise in training, and stays as it is.
        n: samples, at least 1.
        prefix: codes (1 or batch, time) that went before, not repeated in the result; None: silence. The model reads them in one
            forward pass, and of them at most the last Δ.
        temperature: above 0; the logits are divided by it, and the spread of a density is multiplied: below 1 more timid, above 1 wilder.
        greedy: take the likeliest code each time instead of drawing one. Silence is followed most likely by silence, and stays so.
        batch: independent sounds made at once, at least 1.
        condition: for a model that is conditioned: a word (or a speaker, if it knows no words), or a `condition.Condition` for each sound or for all.
            Frames are those of the prefix and of the n new samples, together.
        method: "naive" computes all of the receptive field for every sample; "cached" keeps each layer's past inputs in a queue and
            computes one column a sample (Fast WaveNet, Paine et al., 2016); "compiled" does the same without Python in between, in
            float32 (of a model in another precision the codes may differ): on a CPU compiled once in some seconds and kept on disk, on
            a GPU recorded as a CUDA graph. "auto" is "compiled",
            or "cached" on other devices and for up to 100 samples.
        seed: of the draws, 0 … 2³² - 1; None draws from torch's global generator. The same for every method: the codes are equal as
            long as no two of them are as likely as each other within float32's rounding.
        top_k: draw only from this many likeliest codes, 1 … levels, where the head is a softmax; None: from all.
        progress: show a bar.

    Raises:
        TypeError, ValueError: an argument out of its range, a prefix that is no codes, a condition that the model does not know or lacks,
            weights that are not finite.
        RuntimeError: method "compiled" where NUMBA_DISABLE_JIT is set.
    """
    check_int("n", n, 1, "16000 samples are one second at 16 kHz, for more than fits into memory take stream", MOST)
    check_bool("progress", progress)
    pieces = _pieces(model, n, prefix, temperature, greedy, batch, condition, method, seed, top_k)
    codes, made = torch.empty(batch, n, dtype=torch.int64, device="cpu"), 0
    with _bar(n, progress) as update:
        try:
            for piece in pieces:
                codes[:, made : made + piece.shape[1]] = piece
                made += piece.shape[1]
                update(piece.shape[1])
        except KeyboardInterrupt:
            if made == 0:
                raise
            warnings.warn(f"Interrupted: {made} of {n} samples were made, and are returned.", stacklevel=2)
    codes = codes[:, :made]
    return Generated(model.mu_law.decode(codes), codes)


def stream(
    model: WaveNet,
    n: int | None = None,
    block: int = 1600,
    prefix: Tensor | None = None,
    temperature: float = 1.0,
    greedy: bool = False,
    batch: int = 1,
    condition: Condition | str | None = None,
    method: Method = "auto",
    seed: int | None = None,
    top_k: int | None = None,
) -> Iterator[Generated]:
    """The same sound as from `generate`, block by block as it is made: to play while the rest is computed, or without end.

    Args:
        n: samples in all, at least 1; None: without end.
        block: samples in each block, at least 1; the last may be shorter.

    The others are those of `generate`, and refused at once, not when the first block is asked for.
    """
    if n is not None:
        check_int("n", n, 1, "16000 samples are one second at 16 kHz, None has no end")
    check_int("block", block, 1, "1600 samples are a tenth of a second at 16 kHz")
    pieces = _pieces(model, n, prefix, temperature, greedy, batch, condition, method, seed, top_k)
    return _blocks(model, pieces, block)


def _blocks(model: WaveNet, pieces: Iterator[Tensor], block: int) -> Iterator[Generated]:
    made: list[Tensor] = []
    for piece in itertools.chain(pieces, [None]):
        if piece is not None:
            made.append(piece)
        while made and (piece is None or sum(part.shape[1] for part in made) >= block):
            codes = torch.cat(made, dim=1)
            made = [codes[:, block:]] if codes.shape[1] > block else []
            codes = codes[:, :block].contiguous()
            yield Generated(model.mu_law.decode(codes), codes)


@torch.no_grad()
def teacher_force(
    model: WaveNet,
    codes: Tensor,
    prefix: Tensor | None = None,
    method: Method = "auto",
    condition: Condition | str | None = None,
) -> Tensor:
    """What generation would predict, had it drawn ``codes``: (batch, time) → what the head reads, (batch, channels, time), at t of the code at t.

    So each method can be held against the others, and against the model's own forward pass. Taught in notebooks/07_fast_generation.ipynb.

    Args:
        codes: int64 in [0, levels).
        prefix, method, condition: as in `generate`.

    Raises:
        TypeError, ValueError: as in `generate`.
    """
    check_model(model)
    check_codes(codes, model.config.levels)
    how = _method(model, method, codes.shape[1])
    _check_weights(model)
    model = folded(model)
    past = _past(model, prefix, len(codes), f"the {len(codes)} of the codes").to(model.device)
    known = _condition(model, condition, len(codes), prefix, codes.shape[1])
    memory, outputs = how.start(model, past, _told(known, prefix, past))
    seen = [outputs.cpu()]
    for newest in codes.T[:-1]:
        memory, outputs = how.step(model, memory, newest.to(model.device))
        seen.append(outputs.cpu())
    return torch.stack(seen, dim=2)


def _pieces(
    model: WaveNet,
    n: int | None,
    prefix: Tensor | None,
    temperature: float,
    greedy: bool,
    batch: int,
    condition: Condition | str | None,
    method: str,
    seed: int | None,
    top_k: int | None,
) -> Iterator[Tensor]:
    """Check what all share, and begin: codes (batch, m), in pieces as the method makes them."""
    check_model(model)
    check_int("batch", batch, 1, "1 makes one sound", MOST)
    check_bool("greedy", greedy)
    check_positive("temperature", temperature, "1.0, or greedy=True for the likeliest code each time")
    if seed is not None:
        check_seed(seed)
    if top_k is not None:
        levels = model.config.levels
        check_int("top_k", top_k, 1, f"of {levels} codes 5 are few, None is all", levels)
        if model.config.head != "softmax":
            raise ValueError(
                f"top_k={top_k} was passed for a model with head={model.config.head!r}; only a softmax has likeliest codes: try temperature=0.8."
            )
    how = _method(model, method, n)
    _check_weights(model)
    model = folded(model)
    past = _past(model, prefix, batch, f"batch={batch}").to(model.device)
    told = _told(_condition(model, condition, batch, prefix, n), prefix, past)
    generator = None if seed is None else torch.Generator().manual_seed(int(seed))
    noise = functools.partial(model.head.noise, batch=batch, generator=generator)
    return _draw(model, how, past, told, n, None if greedy else noise, float(temperature), top_k)


@torch.no_grad()
def _draw(
    model: WaveNet,
    how: Any,
    past: Tensor,
    told: Told,
    n: int | None,
    noise: Callable[[int], Tensor] | None,
    temperature: float,
    top_k: int | None,
) -> Iterator[Tensor]:
    memory, outputs = how.start(model, past, told)
    if how is compiled:
        yield from compiled.draw(model, memory, n, noise, temperature, top_k)
    elif how is graphed:
        yield from graphed.draw(model, memory, n, noise, temperature, top_k)
    else:
        newest: Tensor | None = None
        for _ in itertools.count() if n is None else range(n):
            if newest is not None:
                memory, outputs = how.step(model, memory, newest.to(past.device))
            newest = model.head.sample(outputs.cpu(), None if noise is None else noise(1)[0], temperature, top_k)
            yield newest[:, None]


def _method(model: WaveNet, method: str, n: int | None) -> Any:
    """The module of a method, for this model's device."""
    check_choice("method", method, get_args(Method))
    kind = model.device.type
    is_off = kind == "cpu" and os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
    if method == "auto":
        is_short = n is not None and n <= SHORT
        method = "compiled" if kind in ("cpu", "cuda") and not is_short and not is_off else "cached"
    if method == "compiled" and is_off:
        raise RuntimeError(
            "method='compiled' was passed while the environment variable NUMBA_DISABLE_JIT is set; it must be unset for that: unset it and start Python again, or try method='cached'."
        )
    if method == "compiled" and kind not in ("cpu", "cuda"):
        raise ValueError(
            f"method='compiled' was passed for a model on {kind!r}; it must be on a CPU or a CUDA GPU: try model.cpu(), or method='cached'."
        )
    return graphed if method == "compiled" and kind == "cuda" else METHODS[method]


def _check_weights(model: WaveNet) -> None:
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise ValueError(
                f"The model's weights hold NaN or infinite numbers, first in {name!r}; all must be finite: load weights from before its training diverged."
            )


def _past(model: WaveNet, prefix: Tensor | None, batch: int, allowed: str) -> Tensor:
    """The last Δ codes before the first new one, (batch, time ≥ Δ): silence, then the prefix, whose first begins a column of a context stack."""
    delta, rate = model.receptive_field, model.rate
    silence = torch.full((batch, -(-delta // rate) * rate), model.mu_law.silence, device="cpu")
    if prefix is None:
        return silence
    check_codes(prefix, model.config.levels)
    if len(prefix) not in (1, batch):
        raise ValueError(
            f"The prefix has a batch of {len(prefix)}; it must be 1 or {allowed}: pass prefix[:1], or as many sounds as prefixes."
        )
    past = torch.cat([silence, prefix.cpu().expand(batch, -1)], dim=1)
    return past[:, (past.shape[1] - delta) // rate * rate :]


def _condition(
    model: WaveNet, condition: Condition | str | None, batch: int, prefix: Tensor | None, n: int | None
) -> Condition:
    """The condition, checked, on the model's device."""
    config, n_before = model.config.condition, 0 if prefix is None else prefix.shape[1]
    known = resolve(config, condition, batch, whole=True)
    if known.frames is not None and n is None:
        raise ValueError(
            f"n=None has no end, and {known.frames.shape[2]} frames were passed, which have one; n must be a number with frames: try n={known.frames.shape[2]} * {config.hop if config else 1}."
        )
    check_frames(config, known, n_before + (n or 0))
    return known.to(model.device)


def _told(condition: Condition, prefix: Tensor | None, past: Tensor) -> Told:
    """As the methods carry it along: time 0 is the first code of the prefix."""
    return Told(condition, (0 if prefix is None else prefix.shape[1]) - past.shape[1])


@contextlib.contextmanager
def _bar(n: int, progress: bool) -> Iterator[Callable[[int], object]]:
    """What is to be called with how many samples have come."""
    if not progress:
        yield lambda m: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=n, desc="generating", unit="sample") as bar:
        yield bar.update
