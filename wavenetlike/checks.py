"""Refusals at the door: one sentence that says what was passed, what is allowed and what to try."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def check_int(name: str, value: object, least: int, hint: str, most: int | None = None) -> None:
    """Refuse ``value`` unless it is an integer of at least ``least`` and, where that is given, at most ``most``.

    Raises:
        TypeError: not an integer (True and False are not integers here).
        ValueError: smaller than ``least``, or larger than ``most``.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"{name}={value!r} is a {type(value).__name__}; it must be an integer of at least {least}: {hint}."
        )
    if value < least:
        raise ValueError(f"{name}={value} is too small; it must be at least {least}: {hint}.")
    if most is not None and int(value) > most:
        raise ValueError(f"{name}={value} is too large; it must be at most {most}: {hint}.")


def as_float(value: Any) -> float:
    """The nearest float; infinity for an integer beyond them all."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def check_bool(name: str, value: object) -> None:
    """Refuse ``value`` unless it is True or False.

    Raises:
        TypeError: something else, which Python would silently take for one of them.
    """
    if not isinstance(value, bool):
        kind = type(value).__name__
        raise TypeError(f"{name} is a {kind}; it must be True or False: try {name}=True, or leave it out.")


def check_choice(name: str, value: object, allowed: Sequence[object]) -> None:
    """Refuse ``value`` unless it is one of ``allowed``.

    Raises:
        ValueError: another one.
    """
    if isinstance(value, bool) or not isinstance(value, (Integral, str)) or value not in allowed:
        raise ValueError(f"{name}={value!r} cannot be chosen; it must be one of {', '.join(map(str, allowed))}.")


def check_between(name: str, value: object, least: float, most: float, hint: str) -> None:
    """Refuse ``value`` unless it is a number in ``least`` … ``most``.

    Raises:
        TypeError: no number (True and False are none here).
        ValueError: outside, or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(
            f"{name}={value!r} is a {type(value).__name__}; it must be a number in {least} … {most}: {hint}."
        )
    if not least <= as_float(value) <= most:
        raise ValueError(f"{name}={value} is out of range; it must lie in {least} … {most}: {hint}.")


def check_positive(name: str, value: object, example: str) -> None:
    """Refuse ``value`` unless it is a finite number above 0.

    Raises:
        TypeError: no number.
        ValueError: not finite, or not above 0.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(
            f"{name}={value!r} is a {type(value).__name__}; it must be a finite number above 0: try {example}."
        )
    if not 0 < as_float(value) < math.inf:
        raise ValueError(f"{name}={value} is not a finite number above 0: try {example}.")


def check_series(series: object, least: int) -> Tensor:
    """The series as float64 (time,), or a refusal.

    Raises:
        TypeError: no sequence of numbers.
        ValueError: fewer than ``least`` numbers, constant, not finite, or not one-dimensional.
    """
    try:
        x = torch.as_tensor(series, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"The series is a {type(series).__name__} that is no sequence of numbers; pass a list or a tensor (time,), from a generator list(itertools.islice(it, 1000))."
        ) from error
    if x.dim() != 1:
        raise ValueError(
            f"The series has shape {tuple(x.shape)}; it must be (time,): pass one series, for example data[0]."
        )
    if not torch.isfinite(x).all():
        raise ValueError(
            "The series holds NaN or infinite numbers; all must be finite: leave them out, or check how it was made."
        )
    if len(x) < least:
        raise ValueError(
            f"The series has {len(x)} samples; it needs at least {least}, more than the numbers to be learned from it: use a longer one."
        )
    if x.min() == x.max():
        raise ValueError(
            f"The series is {x[0].item():.4g} throughout; it must vary, or there is nothing to learn: check how it was made."
        )
    return x


def check_classes(classes: object, n: int, n_classes: int) -> Tensor:
    """The class of each of n times as int64 (n,), or a refusal.

    Raises:
        TypeError: no sequence of integers.
        ValueError: another number of them, or one outside 0 … n_classes - 1.
    """
    try:
        numbers = torch.as_tensor(classes)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"The classes are a {type(classes).__name__} that is no sequence of integers; pass one for each sample: try torch.zeros({n}, dtype=torch.int64)."
        ) from error
    if numbers.is_floating_point() or numbers.is_complex() or numbers.dtype == torch.bool:
        raise TypeError(f"The classes are of type {numbers.dtype}; they must be integers: try classes.long().")
    check_there("classes", numbers)
    numbers = numbers.to(torch.int64)  # the smallest and the largest of some kinds of integer are not to be had
    if numbers.shape != (n,):
        raise ValueError(
            f"The classes have shape {tuple(numbers.shape)} for {n} samples; there must be one for each, ({n},): cut or lengthen them."
        )
    if n and not 0 <= int(numbers.min()) <= int(numbers.max()) < n_classes:
        raise ValueError(
            f"The classes run from {int(numbers.min())} to {int(numbers.max())}; with {n_classes} of them they must lie in 0 … {n_classes - 1}: count from 0."
        )
    return numbers


def check_seed(seed: object) -> None:
    """Refuse a seed that torch would cut short: it keeps 32 bits, so that 2³² would be 0 again.

    Raises:
        TypeError, ValueError: no integer in 0 … 2³² - 1.
    """
    check_int("seed", seed, 0, "any number below 2³²")
    if isinstance(seed, Integral) and int(seed) >= 2**32:
        raise ValueError(f"seed={seed} is too large; it must be below {2**32}: try {int(seed) % 2**32}.")


def check_waveform(waveform: Tensor) -> None:
    """Refuse anything but a float waveform in [-1, 1] of shape (batch, time).

    Raises:
        TypeError: not a tensor, or a tensor of integers.
        ValueError: empty, of another shape, not finite, or outside [-1, 1].
    """
    if not isinstance(waveform, Tensor):
        raise TypeError(
            f"The waveform is a {type(waveform).__name__}; pass a float tensor of shape (batch, time), for example torch.as_tensor(x)[None]."
        )
    if not waveform.is_floating_point():
        raise TypeError(
            f"The waveform is of type {waveform.dtype}; pass floats in [-1, 1], for 16-bit integers waveform / 32768."
        )
    if waveform.dim() != 2:
        raise ValueError(
            f"The waveform has shape {tuple(waveform.shape)}; it must be (batch, time): add a batch with waveform[None], or average the channels."
        )
    if waveform.numel() == 0:
        raise ValueError(
            f"The waveform of shape {tuple(waveform.shape)} is empty; it must hold at least one sample: check how it was read or cut."
        )
    if not torch.isfinite(waveform).all():
        raise ValueError(
            "The waveform holds NaN or infinite samples; all must be finite: try torch.nan_to_num(waveform)."
        )
    peak = waveform.abs().max().item()
    if peak > 1:
        raise ValueError(
            f"The waveform reaches {peak!r} in absolute value; it must stay within [-1, 1]: try waveform / waveform.abs().max()."
        )


def check_there(name: str, x: Tensor) -> None:
    """Refuse a tensor without numbers in memory, one after the other: on the device meta, or sparse.

    Raises:
        TypeError: such a tensor.
    """
    if x.is_meta or x.layout != torch.strided:
        raise TypeError(
            f"The {name} are a tensor on {x.device} laid out as {x.layout}; they must be there, one after the other: try .to_dense(), or make them anew, say by torch.zeros."
        )


def check_codes(codes: Tensor, levels: int) -> None:
    """Refuse anything but int64 codes in [0, levels) of shape (batch, time).

    Raises:
        TypeError: not an int64 tensor.
        ValueError: empty, of another shape, or outside the range.
    """
    if not isinstance(codes, Tensor) or codes.dtype != torch.int64:
        kind = codes.dtype if isinstance(codes, Tensor) else type(codes).__name__
        raise TypeError(
            f"The codes are of type {kind}; they must be an int64 tensor: encode a waveform with MuLaw({levels}).encode(waveform)."
        )
    check_there("codes", codes)
    if codes.dim() != 2 or codes.numel() == 0:
        raise ValueError(
            f"The codes have shape {tuple(codes.shape)}; it must be (batch, time) with at least one code: add a batch with codes[None]."
        )
    least, most = int(codes.min()), int(codes.max())
    if least < 0 or most >= levels:
        raise ValueError(
            f"The codes run from {least} to {most}; with {levels} levels they must lie in 0 … {levels - 1}: encode with MuLaw({levels})."
        )


def check_known(n_samples: int, delta: int) -> None:
    """Refuse an input, not padded, in which no output knows all of Δ.

    Raises:
        ValueError: ``n_samples`` < ``delta``.
    """
    if n_samples < delta:
        raise ValueError(
            f"The input has {n_samples} samples; with a receptive field of {delta} it needs at least {delta}: use padded=True, or more samples."
        )


def check_exists(path: str | Path) -> Path:
    """Return ``path`` as a Path, or refuse one that does not exist.

    Raises:
        FileNotFoundError: nothing there.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"There is nothing at {str(path)!r}; pass an existing file or folder: {str(path.absolute())!r} was looked for."
        )
    return path
