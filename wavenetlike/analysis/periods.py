"""Whether clips repeat themselves, and after how long: a season, or the pitch of a voice."""

from __future__ import annotations

import dataclasses

import numpy as np

from wavenetlike.analysis.dependence import Autocorrelation, Series, pooled

CERTAIN = 4.0
"""Standard errors that a peak must reach."""
TWICE = 1.25
"""As many times as certain must a peak be that is found only on the second try."""
LEAST = 0.3
"""Of a correlation, to be called a repetition."""
VOICED = 0.5
"""Of a correlation within a frame, to be called voiced."""
ALIKE = 0.9
"""Of the highest peak: the first peak as high as that is the period, those after it are its multiples."""
FRAME = 0.06
"""Seconds of a frame: three periods of the deepest voice, 50 Hz."""
MOST_FRAMES = 2000
"""Frames listened to."""
SILENT = 40.0
"""dB under the loudest frame, and softer: not listened to."""
AGREED = 0.2
"""Of frames that must be voiced, for a pitch of all."""


@dataclasses.dataclass(frozen=True)
class Period:
    """After how long a series repeats itself.

    Args:
        samples: of one period; for a voice the median over its voiced frames.
        strength: how well one period agrees with the next, a correlation up to 1.
        voiced: part of the frames that are loud enough which have a pitch; None where the clips were taken as a whole.
    """

    samples: float
    strength: float
    voiced: float | None = None


def period(found: Autocorrelation, longest: int) -> Period | None:
    """The period of clips taken as a whole, or None: where their autocorrelation, once it has changed its sign, peaks again.

    A peak counts from 0.3 on, and from 4 standard errors, which are those of a process that is correlated as the lags before
    the first change of sign are, and no further (Bartlett's formula). So slow wandering is not taken for a period, and of a sine
    some six periods must be seen. What changes sign from sample to sample has none. Where nothing is found, the differences
    x_t - x_{t-1} are tried, since a season may ride on a trend.

    Args:
        found: as `pooled_autocorrelation` gives it.
        longest: samples of the longest clip; a third of it is the longest period believed.
    """
    most = min(len(found.values) - 2, longest // 3)
    if most < 2:
        return None
    if plain := _repeats(found.level, found.pairs, most, LEAST):
        return plain
    level = found.level
    change = 2 * level[1:-1] - level[:-2] - level[2:]
    start = 2 - 2 * level[1]
    if start < 1e-6:
        return None
    return _repeats(np.concatenate([[1.0], change / start]), found.pairs[:-1] / TWICE**2, most - 1, LEAST)


def pitch(clips: Series, sample_rate: float, seed: int = 0) -> Period | None:
    """The median period over voiced frames of 60 ms, or None where fewer than a fifth of the loud ones are voiced.

    A frame is voiced where its autocorrelation, freed of the frame's own shape, peaks as in `period`, from 0.5 on.
    Source: Boersma, Accurate short-term analysis of the fundamental frequency, 1993.

    Args:
        clips: each (time,).
        sample_rate: in Hz.
        seed: of the frames listened to, where there are more than 2,000.
    """
    frames = _frames(pooled(clips, 0), max(1, round(FRAME * sample_rate)))
    if len(frames) > MOST_FRAMES:
        frames = frames[np.random.default_rng(seed).choice(len(frames), MOST_FRAMES, replace=False)]
    d = frames - frames.mean(axis=1, keepdims=True)
    power = np.square(d).mean(axis=1)
    loud = d[power > power.max(initial=0) * 10 ** (-SILENT / 10)]
    heard = [found for row in _levels(loud) if (found := _voice(row))]
    if not len(loud) or len(heard) < max(3, AGREED * len(loud)):
        return None
    samples, strength = (float(np.median([getattr(x, name) for x in heard])) for name in ("samples", "strength"))
    return Period(samples, strength, len(heard) / len(loud))


def _frames(arrays: list[np.ndarray], size: int) -> np.ndarray:
    """Clips cut into frames (frames, size); what is left over at their ends is dropped."""
    return np.concatenate([x[: len(x) // size * size].reshape(-1, size) for x in arrays])


def _levels(d: np.ndarray) -> np.ndarray:
    """Autocorrelations of frames (frames, size), up to a third of their size, each as if no lag had fewer pairs."""
    size = d.shape[1]
    powers = np.square(np.abs(np.fft.rfft(d, 2 * size, axis=1)))
    products = np.fft.irfft(powers, 2 * size, axis=1)[:, : size // 3 + 2]
    return products / products[:, :1] * size / (size - np.arange(products.shape[1]))


def _voice(level: np.ndarray) -> Period | None:
    most = len(level) - 2
    return _repeats(level, 3 * most - np.arange(len(level)), most, VOICED)


def _repeats(level: np.ndarray, pairs: np.ndarray, most: int, least: float) -> Period | None:
    """The first of the high peaks of ``level`` at lags up to ``most``, behind its first change of sign."""
    changes = np.flatnonzero(level[1:] * level[1] <= 0)
    if most < 3 or not len(changes):
        return None
    first = int(changes[0]) + 1
    spread = 1 + 2 * np.square(level[1:first]).sum()
    inner = level[1 : most + 1]
    is_peak = (inner >= level[:most]) & (inner > level[2 : most + 2])
    is_high = inner > np.maximum(least, CERTAIN * np.sqrt(spread / np.maximum(pairs[1 : most + 1], 1)))
    lags = np.flatnonzero(is_peak & is_high) + 1
    lags = lags[lags >= first]
    if not len(lags):
        return None
    lag = int(lags[level[lags] >= ALIKE * level[lags].max()][0])
    # A series that changes its sign from sample to sample is alike after two, and has no period.
    return Period(_top(level, lag), min(1.0, float(level[lag]))) if lag > 2 else None


def _top(level: np.ndarray, lag: int) -> float:
    """Where the parabola through the surroundings of a peak, an eighth of its lag to either side, is highest."""
    reach = max(1, lag // 8)
    near = np.arange(max(1, lag - reach), min(len(level), lag + reach + 1))
    bend, slope, _ = np.polyfit(near - lag, level[near], 2)
    return lag - float(np.clip(slope / (2 * bend), -reach, reach)) if bend < 0 else float(lag)
