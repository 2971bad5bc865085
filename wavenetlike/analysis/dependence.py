"""How clips depend on their own past as far as straight lines see it: correlation, its length, and the AR that uses it.

Every function takes clips, a list of series (time,) that need not be equally long, and treats them as pieces of one process:
products are summed over all clips and divided by the number of all samples, and no product reaches from one clip into another.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from wavenetlike.checks import check_int

Series = Sequence[np.ndarray | Tensor]
"""Clips, each (time,) of finite numbers."""
BAND = 1.96
"""Standard errors: 95% of uncorrelated samples stay within."""
FLOOR = 1e-9
"""White noise added before an AR is fitted, as part of the variance: 90 dB down, it keeps the equations solvable."""
STAY = 5
"""Lags that must lie inside the band, one after the other."""
ORDERS = [round(0.05 * i, 2) for i in range(10)]
"""Of fractional differences that are tried."""
CLEARLY = 10.0
"""By how much of BIC a long memory must be better than none."""
WINDOW = 10
"""Sokal's factor: how many of its own times a sum of correlations must reach over."""
FIRST = 20
"""Lags tested together for correlation."""
SURE = 0.001
"""The part of series without dependence in which some is found."""
ALIKE = 0.8
"""Of the strongest echo: the nearest as strong as that is the one, those behind it are its own."""
SHUFFLES, SHUFFLED = 999, 30_000_000
"""Orders of the samples that a correlation of few and unlike ones must be above, and how many samples are put in order at most."""
HEAVY, ENOUGH = 5.0, 1000
"""Kurtosis from which on shuffling is asked, unless the samples over it are as many."""


@dataclasses.dataclass(frozen=True)
class Autocorrelation:
    """How samples k apart go together, for k = 0 … n_lags.

    Args:
        values: ρ_k = γ_k / γ_0, float64 (n_lags + 1,).
        band: ±band[k] is where 95% of uncorrelated samples would stay, which may change in loudness; float64 (n_lags + 1,).
        pairs: how many pairs of samples are k apart, (n_lags + 1,).
        variance: γ_0, in squared units of the series.
    """

    values: np.ndarray
    band: np.ndarray
    pairs: np.ndarray
    variance: float

    @property
    def level(self) -> np.ndarray:
        """ρ_k as if no lag had fewer pairs than the others: divided by the part of pairs that there are."""
        return self.values * self.pairs[0] / np.maximum(self.pairs, 1)

    @property
    def p_value(self) -> float:
        """How likely uncorrelated samples would show as much: the largest of all ρ_k, or the first 20 of them together."""
        from scipy.special import chdtrc, erfc

        z = np.abs(self.values[1:]) * BAND / self.band[1:]
        one = len(z) * float(erfc(z.max() / math.sqrt(2)))
        many = float(chdtrc(len(z[:FIRST]), np.square(z[:FIRST]).sum()))
        return min(1.0, 2 * min(one, many))


def is_correlated(clips: Series, found: Autocorrelation, seed: int = 0) -> bool:
    """Whether ρ is beyond what chance shows once in a thousand series.

    By `Autocorrelation.p_value`, which supposes many samples that are much alike. Where a few large ones make up most of the variance, the samples
    of each clip are shuffled, too, and none of 999 orders may show a larger ρ (Fisher's permutation
    test; of more than 30,000 samples fewer orders, so that it ends).
    """
    if found.p_value >= SURE:
        return False
    arrays = pooled(clips, 1)
    n, center = sum(map(len, arrays)), np.concatenate(arrays).mean()
    kurtosis = sum(float(((x - center) ** 4).sum()) for x in arrays) / (n * found.variance**2)
    if kurtosis < HEAVY or n / kurtosis > ENOUGH:
        return True
    rng = np.random.default_rng(seed)
    n_lags = len(found.values) - 1
    largest = together = True
    for _ in range(min(SHUFFLES, SHUFFLED // n + 1)):
        shuffled = autocovariance([rng.permutation(x) for x in arrays], n_lags, center)[1:] / found.variance
        largest &= bool(np.abs(shuffled).max() < np.abs(found.values[1:]).max())
        together &= bool(np.square(shuffled[:FIRST]).sum() < np.square(found.values[1:][:FIRST]).sum())
        if not (largest or together):
            return False
    return True


def autocovariance(clips: Series, n_lags: int, mean: float | None = None) -> np.ndarray:
    """γ_k = Σ_clips Σ_t d_t·d_{t-k} / N by FFT, d the difference from the mean of all, N all samples; float64 (n_lags + 1,).

    Args:
        clips: each (time,), one of them longer than ``n_lags``.
        n_lags: at least 0.
        mean: to be taken off; None: that of all samples.

    Raises:
        TypeError, ValueError: ``n_lags`` is negative, or no clip is longer.
    """
    arrays = pooled(clips, n_lags)
    center = np.concatenate(arrays).mean() if mean is None else mean
    return _added([_products(x - center, n_lags) for x in arrays]) / sum(map(len, arrays))


def pooled_autocorrelation(clips: Series, n_lags: int) -> Autocorrelation:
    """ρ_k of all clips, with the band in which uncorrelated samples would stay.

    The band is 1.96·√(Σ d_t²·d_{t-k}²) / Σ d_t²: where the loudness does not change it is 1.96 / √N, and loud and soft clips
    beside one another, or pauses, make it as wide as they must. Source: Taylor, Modelling financial time series, 1986.

    Args:
        clips, n_lags: as for `autocovariance`; ``n_lags`` at least 1.

    Raises:
        TypeError, ValueError: as `autocovariance`, or all samples are the same.
    """
    check_int("n_lags", n_lags, 1, "30 show a few periods")
    arrays = pooled(clips, n_lags)
    center = np.concatenate(arrays).mean()
    n = sum(map(len, arrays))
    covariance = autocovariance(arrays, n_lags, center)
    if covariance[0] <= 0:
        raise ValueError("All samples of the clips are the same; they must vary: check how they were read.")
    squares = _added([_products(np.square(x - center), n_lags) for x in arrays]) / (n * covariance[0] ** 2)
    lags = np.arange(n_lags + 1)
    pairs = _added([np.maximum(len(x) - lags, 0) for x in arrays])
    band = BAND * np.sqrt(np.maximum(squares, 1 / n) / n)
    band[0] = 0
    return Autocorrelation(covariance / covariance[0], band, pairs, float(covariance[0]))


def pooled(clips: Series, n_lags: int) -> list[np.ndarray]:
    """The clips as float64 (time,), or a refusal where none of them reaches over ``n_lags``.

    Raises:
        TypeError, ValueError: ``n_lags`` is negative, or no clip is longer.
    """
    check_int("n_lags", n_lags, 0, "30 show a few periods")
    arrays = [np.asarray(clip, dtype=np.float64) for clip in clips]
    longest = max(map(len, arrays), default=0)
    if longest <= n_lags:
        raise ValueError(
            f"n_lags={n_lags} is too large; it must be below the {longest} samples of the longest clip: use longer clips, or try {max(0, longest // 4)}."
        )
    return arrays


def _products(d: np.ndarray, n_lags: int) -> np.ndarray:
    """Σ_t d_t·d_{t-k}, k = 0 … n_lags."""
    size = 1 << (len(d) + n_lags).bit_length()
    found: np.ndarray = np.fft.irfft(np.square(np.abs(np.fft.rfft(d, size))), size)[: n_lags + 1]
    found[len(d) :] = 0
    return found


def _added(parts: list[np.ndarray]) -> np.ndarray:
    return np.asarray(np.sum(parts, axis=0))


# What an AR makes of it


@dataclasses.dataclass(frozen=True)
class Echo:
    """A sample further back than the order of an AR, of which what the AR leaves still knows by a straight line.

    Args:
        lag: how far back.
        correlation: of what the AR leaves now and left then.
    """

    lag: int
    correlation: float


@dataclasses.dataclass(frozen=True)
class PooledAR:
    """The linear autoregression of clips, its order chosen by BIC, and an echo from further back where there is one.

    Args:
        order: how many past samples pay for their parameter.
        coefficients: newest first, (order,), for differences from the mean.
        sigma: root of the mean squared error, in the units of the series.
        gains: bits per sample that an AR of each order spares beside order 0, float64 (searched + 1,).
        partial: partial autocorrelations, partial[0] = 1, float64 (searched + 1,).
        echo: a single lag beyond the order, whose weight pays, but not all those up to it.
    """

    order: int
    coefficients: np.ndarray
    sigma: float
    gains: np.ndarray
    partial: np.ndarray
    echo: Echo | None = None

    @property
    def gain(self) -> float:
        """Bits per sample that the AR spares, with its echo: ½·log₂ of the variance over that of the error."""
        return float(self.gains[self.order]) + (
            0.0 if self.echo is None else -math.log2(1 - self.echo.correlation**2) / 2
        )

    @property
    def reach(self) -> int:
        """How many samples back it looks, the echo included."""
        return self.order + (self.echo.lag if self.echo else 0)

    @property
    def searched(self) -> int:
        """The largest order tried."""
        return len(self.gains) - 1

    @property
    def is_open(self) -> bool:
        """Whether the order is so near to the largest tried that no end was found."""
        return self.order > 0.9 * self.searched

    @property
    def short_order(self) -> int:
        """The smallest order that spares 95% of the bits."""
        return int(np.argmax(self.gains >= 0.95 * self.gains[self.order]))

    def rests(self, clips: Series) -> list[np.ndarray]:
        """What it leaves of each clip (time,) from sample ``reach`` on; nothing of a clip that is not longer. They must be around 0."""
        filters = np.concatenate([[1.0], -self.coefficients])
        left = [np.convolve(x, filters)[self.order : len(x)] for x in clips if len(x)]
        if self.echo is None:
            return left
        lag, weight = self.echo.lag, self.echo.correlation
        return [x[lag:] - weight * x[: max(0, len(x) - lag)] for x in left]


def pooled_ar(covariance: np.ndarray, n: int) -> PooledAR:
    """The AR by the recursion of Levinson and Durbin, of the order 0 … len(covariance) - 1 at which BIC is least.

    Args:
        covariance: γ_0 … γ_p as `autocovariance` gives them, p at least 1.
        n: samples that they are of.

    BIC is n·ln σ² + order·ln n. Source: Durbin, The fitting of time-series models, 1960; Schwarz, 1978.
    """
    from statsmodels.tsa.stattools import levinson_durbin

    start = float(covariance[0])
    raised = np.concatenate([[1 + FLOOR], covariance[1:] / start])
    _, _, partial, errors, phi = levinson_durbin(raised, len(covariance) - 1, isacov=True)
    errors = np.concatenate([[1.0], errors[1:]])
    order = int(np.argmin(n * np.log(errors) + np.arange(len(errors)) * math.log(n)))
    return PooledAR(
        order,
        phi[1 : order + 1, order].copy(),
        math.sqrt(start * errors[order]),
        np.abs(np.log2(errors) / 2),
        partial,
    )


def with_echo(clips: Series, ar: PooledAR, max_lag: int) -> PooledAR:
    """The AR with its echo, if in fewer than one of a thousand series without one some lag up to ``max_lag`` had such a correlation.

    BIC asks that every weight up to the last pays; of a season, whose only weight lies far back, that is too much.
    """
    from scipy.special import erfc

    arrays = pooled(clips, 1)
    center = np.concatenate(arrays).mean()
    rests = ar.rests([x - center for x in arrays])
    n_lags = min(max_lag, max(map(len, rests)) - 1)
    if n_lags <= ar.order:
        return ar
    found = pooled_autocorrelation(rests, n_lags)
    z = np.abs(found.values) * BAND / np.maximum(found.band, 1e-300)
    is_sure = n_lags * erfc(z / math.sqrt(2)) < SURE
    is_sure[: ar.order + 1] = False
    if not is_sure.any():
        return ar
    size = np.where(is_sure, np.abs(found.values), 0)
    lag = int(np.argmax(size >= ALIKE * size.max()))
    return dataclasses.replace(ar, echo=Echo(lag, float(found.values[lag])))


# How long it lasts


@dataclasses.dataclass(frozen=True)
class CorrelationLengths:
    """Three answers to how many samples a correlation lasts; None where it does not end within the lags measured.

    Args:
        envelope: the first lag from which on |ρ| stays below 1/e: for how long samples look alike.
        integrated: 1 + 2·Σ ρ_k: so many samples tell as much of the mean as one independent one; below 1 where neighbours
            make up for one another, and all but 0 for sound, which swings around 0.
        band: the first of five lags inside the 95% band behind which no lag stands out: how far back anything linear can be
            seen from so much data.
    """

    envelope: int | None
    integrated: float | None
    band: int | None


def correlation_lengths(found: Autocorrelation) -> CorrelationLengths:
    """The three lengths; the last tenth of the lags must be below, or the correlation has no end.

    The sum ends where Sokal's window closes, after 10 of the times 1 + 2·Σ ρ_k²: of squares, because in a plain sum an
    oscillation cancels itself, and closes the window upon its first swing. It is not closed before the last lag outside the
    band, so that a season's echoes count. The band is that of uncorrelated samples, widened to that of a process whose
    correlation ends before the lag (Bartlett's formula).
    Source: Sokal, Monte Carlo methods in statistical mechanics, 1989, section 3; Box and Jenkins, section 2.1.6.
    """
    size = np.abs(found.values)
    last = len(size) - max(1, len(size) // 10)
    below = np.flatnonzero(np.maximum.accumulate(size[::-1])[::-1][: last + 1] < 1 / math.e)
    times, squares = (2 * np.cumsum(x) - 1 for x in (found.values, np.square(size)))
    end = _end(size, found.band * np.sqrt(np.concatenate([[1.0], squares[:-1]])), last) if len(below) else None
    closed = np.flatnonzero(np.arange(len(size)) >= np.maximum(WINDOW * squares, end or 0))
    return CorrelationLengths(
        int(below[0]) if len(below) else None,
        max(0.0, float(times[closed[0]])) if len(closed) else None,
        end,
    )


def _end(size: np.ndarray, band: np.ndarray, last: int) -> int | None:
    """The first of five lags in the band, behind all lags that are so far outside that one of a hundred series has any."""
    from scipy.special import ndtri

    far = np.flatnonzero(size > band * float(ndtri(1 - 0.005 / len(size))) / BAND)
    for k in range(int(far[-1]) + 1 if len(far) else 1, last + 1):
        if (size[k : k + STAY] <= band[k : k + STAY]).all():
            return k
    return None


def fractional_order(clips: Series, max_order: int = 20) -> float | None:
    """The d of long memory, ρ_k falling like the power k^(2d - 1), which has no end; None where an AR says as much.

    The clips are differenced d times, for d = 0, 0.05 … 0.45, and an AR is fitted to each; d = 0 is an AR alone. The best of all
    by BIC is taken, d counting as a parameter. In a log-log plot of ρ_k itself the mean that was taken off bends the line.
    Source: Hosking, Fractional differencing, 1981; Beran, Statistics for Long-Memory Processes, 1994, section 6.

    Args:
        clips: each (time,).
        max_order: of the AR, at least 1.
    """
    arrays = pooled(clips, max_order)
    n = sum(map(len, arrays))
    size = 1 << (max(map(len, arrays)) * 2 - 1).bit_length()
    mean = np.concatenate(arrays).mean()
    power = _added([np.square(np.abs(np.fft.rfft(x - mean, size))) for x in arrays]) / n
    steps = 2 * np.sin(np.pi * np.arange(size // 2 + 1) / size)
    powers = [power * steps ** (2 * d) for d in ORDERS]
    fits = [pooled_ar(np.fft.irfft(each, size)[: max_order + 1], n) for each in powers]
    costs = [
        n * 2 * math.log(fit.sigma) + (fit.order + (d > 0)) * math.log(n) for d, fit in zip(ORDERS, fits, strict=True)
    ]
    best = int(np.argmin(costs))
    return ORDERS[best] if costs[best] < costs[0] - CLEARLY else None
