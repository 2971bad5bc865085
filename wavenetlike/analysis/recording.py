"""How clips were recorded: the step between their values, how loud they are, what is cut off, what is silent."""

from __future__ import annotations

import math

import numpy as np

MOST_BITS = 24
"""Finer grids are those of floating-point numbers themselves."""
FEWEST_VALUES = 5
MOST_VALUES = 1_000_000
"""Samples looked at for their step."""
RUN = 3
"""Samples in a row at the extreme, at least, to be called clipped."""
FRAME = 0.02
"""Seconds over which the level is taken."""
SILENT = 40.0
"""dB under a clip's own loudest frame, and softer: silence."""


def value_step(values: np.ndarray) -> float | None:
    """The step of the even grid that all values lie on, in their units; None where there is none, as for floating-point numbers.

    It is the smallest gap between different values, made exact by all others, which must be whole multiples of it.

    Args:
        values: (different values,), rising.
    """
    if len(values) < FEWEST_VALUES:
        return None
    gaps = np.diff(values)
    step = float(gaps.min())
    small = gaps[gaps < 50 * step]
    step = float(small.sum() / np.round(small / step).sum())
    multiples = np.round(gaps / step)
    if np.abs(gaps - multiples * step).max() > 0.05 * step:
        return None
    step = float(gaps.sum() / multiples.sum())
    return step if (values[-1] - values[0]) / step < 2**MOST_BITS - 1 else None


def different_values(clips: list[np.ndarray]) -> np.ndarray:
    """The values in use, rising, of a million samples at most, evenly taken from all clips."""
    whole = np.concatenate(clips)
    return np.unique(whole[:: -(-len(whole) // MOST_VALUES)])


def grid_bits(step: float, values: np.ndarray, full_scale: bool) -> float:
    """The bits of a grid: of as many steps as ±1 holds for waveforms, else of as many as lie between its ends."""
    steps = 2 / step if full_scale else (values[-1] - values[0]) / step + 1
    return math.log2(steps)


def clipped_part(clips: list[np.ndarray]) -> float:
    """The part of samples that lie in runs of three and more at their clip's own highest or lowest value, and pile up there.

    They pile up where more samples lie in such runs than in the 2% of the range next to them; so the top of a slow sine is not
    taken for clipping, and that of a square wave is.
    """
    return sum(_clipped(x) + _clipped(-x) for x in clips) / sum(map(len, clips))


def _clipped(x: np.ndarray) -> int:
    top, width = float(x.max()), float(np.ptp(x))
    if width == 0 or top < 0.5 * np.abs(x).max():
        return 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], x >= top, [0]])))
    runs = edges[1::2] - edges[::2]
    held = int(runs[runs >= RUN].sum())
    return held if held > np.count_nonzero((x < top) & (x > top - 0.02 * width)) else 0


def silent_part(clips: list[np.ndarray], sample_rate: float) -> float:
    """The part of 20 ms frames that lie 40 dB or more under the loudest of their clip; a clip of zeros is all silence."""
    size = max(1, round(FRAME * sample_rate))
    silent, total = 0, 0
    for x in clips:
        frames = np.square(x[: max(1, len(x) // size) * size].reshape(-1, min(size, len(x)))).mean(axis=1)
        silent += int((frames <= frames.max() * 10 ** (-SILENT / 10)).sum())
        total += len(frames)
    return silent / total


def decibels(rms: float) -> float:
    """20·log₁₀, -∞ for 0."""
    return 20 * math.log10(rms) if rms > 0 else -math.inf
