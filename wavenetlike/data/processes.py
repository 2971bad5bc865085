"""Series whose truth is known, to see what an analysis finds: linear, seasonal, periodic, without end, and nonlinear only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from wavenetlike.checks import as_float, check_between, check_int, check_positive, check_seed

LONGEST_BURN_IN = 1 << 20
"""Samples left out at most: what begins at 0 has forgotten it long before, unless a root all but touches the unit circle."""


def ar_process(coefficients: Sequence[float], n: int, sigma: float = 1.0, seed: int | None = None) -> Tensor:
    """A stationary x_t = Σ_i coefficients[i]·x_{t-1-i} + σ·ε_t, ε_t ~ N(0, 1), after its beginning is forgotten.

    Args:
        coefficients: newest first, any number of them; (a, b) is an AR(2), and none is white noise.
        n: samples, at least 1.
        sigma: standard deviation of the noise, above 0, in the units of x.
        seed: of the noise, 0 … 2³² - 1; None draws from torch's global generator.

    Returns:
        float64 (n,).

    Raises:
        TypeError, ValueError: an argument out of its range, or coefficients of no stationary process.

    >>> ar_process([0.9], 3, seed=0).shape
    torch.Size([3])
    """
    weights = _numbers("coefficients", coefficients, "[-0.4, 0.5]")
    check_int("n", n, 1, "1000 samples show most of it")
    check_positive("sigma", sigma, "1")
    if not _is_stationary(weights):
        raise ValueError(
            f"coefficients={list(coefficients)} are of no stationary process; all roots of z^p - Σ coefficients[i]·z^(p-1-i) must lie inside the unit circle: try [-0.4, 0.5]."
        )
    burn_in = _burn_in(weights)
    return _filtered(weights, sigma * _noise(burn_in + n, seed))[burn_in:].clone()


def seasonal_ar(
    season: int, phi: float, n: int, ar: float = 0.0, sigma: float = 1.0, seed: int | None = None
) -> Tensor:
    """x_t = φ·x_{t-season} + u_t with u_t = ar·u_{t-1} + σ·ε_t: a season that remembers the last one, float64 (n,).

    Its theory is that of the AR(season + 1) with (1 - ar·L)(1 - φ·L^season) x_t = σ·ε_t, L being one step back.

    Args:
        season: samples, at least 2.
        phi, ar: above -1 and below 1.
        n, sigma, seed: as in `ar_process`.

    Raises:
        TypeError, ValueError: an argument out of its range.
    """
    check_int("season", season, 2, "12 months are a year")
    _check_inside("phi", phi)
    _check_inside("ar", ar)
    check_int("n", n, 1, "1000 samples show most of it")
    check_positive("sigma", sigma, "1")
    years, first = _burn_in([phi]) + -(-n // season), _burn_in([ar])
    shocks = _filtered([ar], sigma * _noise(first + years * season, seed))[first:]
    # Each place within the season is an AR(1) of its own, from one season to the next.
    places = _filtered([phi], shocks.view(years, season).T.contiguous())
    return places.T.reshape(-1)[-n:].clone()


def sines(periods: Sequence[float], n: int, noise: float = 0.1, seed: int | None = None) -> Tensor:
    """A sum of sines of amplitude 1 with random phases, and white noise of standard deviation ``noise``, float64 (n,).

    Args:
        periods: in samples, at least one, each at least 2.
        n, seed: as in `ar_process`.
        noise: at least 0.

    Raises:
        TypeError, ValueError: an argument out of its range.
    """
    lengths = _numbers("periods", periods, "[12]")
    if not lengths or min(lengths) < 2:
        raise ValueError(
            f"periods={list(periods)} cannot be heard in samples; there must be at least one, each of at least 2 samples: try [12]."
        )
    check_int("n", n, 1, "1000 samples show most of it")
    check_between("noise", noise, 0, 1e300, "0.1 is a tenth of a sine's amplitude")
    generator = _generator(seed)
    phases = torch.rand(len(lengths), 1, generator=generator, dtype=torch.float64)
    cycles = torch.arange(n, dtype=torch.float64) / torch.tensor(lengths, dtype=torch.float64)[:, None]
    white = torch.randn(n, generator=generator, dtype=torch.float64)
    return torch.sin(2 * math.pi * (cycles + phases)).sum(dim=0) + noise * white


def long_memory(d: float, n: int, sigma: float = 1.0, seed: int | None = None) -> Tensor:
    """(1 - L)^d x_t = σ·ε_t: noise whose autocorrelation falls like the power k^(2d - 1), and has no end; float64 (n,).

    It is drawn exactly, from a circle of 2n samples whose covariances are those of the process.
    Source: Hosking, Fractional differencing, 1981; Davies and Harte, Tests for Hurst effect, 1987.

    Args:
        d: above 0 and below 0.5.
        n, sigma, seed: as in `ar_process`.

    Raises:
        TypeError, ValueError: an argument out of its range.
    """
    check_positive("d", d, "0.4")
    if d >= 0.5:
        raise ValueError(f"d={d} is of no stationary process; it must lie above 0 and below 0.5: try 0.4.")
    check_int("n", n, 1, "10000 samples show most of it")
    check_positive("sigma", sigma, "1")
    k = torch.arange(1, n + 1, dtype=torch.float64)
    start = math.exp(math.lgamma(1 - 2 * d) - 2 * math.lgamma(1 - d))
    covariance = start * torch.cat([torch.ones(1, dtype=torch.float64), ((k - 1 + d) / (k - d)).cumprod(0)])
    circle = torch.cat([covariance, covariance[1:-1].flip(0)])
    # Not below 0 in theory; rounding may say otherwise.
    powers = torch.fft.fft(circle).real.clamp(min=0)
    parts = _noise(2 * len(circle), seed).view(2, -1)
    waves = torch.fft.fft(torch.complex(parts[0], parts[1]) * (powers / len(circle)).sqrt())
    return sigma * waves.real[:n].clone()


def threshold_ar(n: int, lag: int = 1, noise: float = 0.1, seed: int | None = None) -> Tensor:
    """x_t = 1 - 2·|x_{t-lag}| + noise·ε_t, thrown back where it leaves [-1, 1]: a memory that no correlation sees; float64 (n,).

    One line rises below the threshold 0 and another falls above it, each an AR(1). Both the tent and the walls map the uniform
    distribution on [-1, 1] to itself, so that it is the distribution of x; and what follows depends on |x_{t-lag}| alone. So
    E[x_t·x_{t-k}] is that of an odd function under a symmetric density, and 0 at every k but 0.
    Source: the tent map; Tong, Non-linear Time Series, 1990, for thresholds.

    Args:
        n, seed: as in `ar_process`.
        lag: how far back it looks, at least 1.
        noise: standard deviation, above 0 (in floats a tent without noise ends in a cycle after some fifty steps).

    Raises:
        TypeError, ValueError: an argument out of its range.
    """
    check_int("n", n, 1, "1000 samples show most of it")
    check_int("lag", lag, 1, "1 is the sample before")
    check_positive("noise", noise, "0.1")
    generator = _generator(seed)
    series = (2 * torch.rand(lag, generator=generator, dtype=torch.float64) - 1).tolist()
    for shock in torch.randn(n, generator=generator, dtype=torch.float64).tolist():
        place = (2 - 2 * abs(series[-lag]) + noise * shock) % 4
        series.append((4 - place if place > 2 else place) - 1)
    return torch.tensor(series[lag:], dtype=torch.float64)


def _numbers(name: str, values: Sequence[float], example: str) -> list[float]:
    numbers = values.tolist() if isinstance(values, (Tensor, np.ndarray)) else values
    if not isinstance(numbers, Sequence) or not all(isinstance(x, Real) for x in numbers):
        raise TypeError(f"{name}={values!r} is no list of numbers; pass one: try {example}.")
    if not all(math.isfinite(as_float(x)) for x in numbers):
        raise ValueError(f"{name}={list(numbers)} are not all finite; pass finite numbers: try {example}.")
    return [float(x) for x in numbers]


def _check_inside(name: str, value: object) -> None:
    check_between(name, value, -1, 1, "0.7 forgets half of it every two steps")
    if abs(as_float(value)) == 1:
        raise ValueError(f"{name}={value} is of no stationary process; it must lie above -1 and below 1: try 0.7.")


def _generator(seed: int | None) -> torch.Generator | None:
    if seed is None:
        return None
    check_seed(seed)
    return torch.Generator().manual_seed(int(seed))


def _noise(n: int, seed: int | None) -> Tensor:
    return torch.randn(n, generator=_generator(seed), dtype=torch.float64)


def _is_stationary(weights: Sequence[float]) -> bool:
    """Whether all partial autocorrelations lie inside (-1, 1): Levinson's recursion, run backwards."""
    left = torch.tensor(weights, dtype=torch.float64)
    while len(left):
        last = float(left[-1])
        if not abs(last) < 1 - 1e-12:
            return False
        left = (left[:-1] + last * left[:-1].flip(0)) / (1 - last * last)
    return True


def _burn_in(weights: Sequence[float]) -> int:
    """Samples until a shock has shrunk to a millionth, or a little more."""
    n = 64
    while n < LONGEST_BURN_IN:
        n *= 2
        shock = torch.zeros(n, dtype=torch.float64)
        shock[0] = 1
        if _filtered(weights, shock)[-max(len(weights), 1) - n // 4 :].abs().max() < 1e-6:
            break
    return n


def _filtered(weights: Sequence[float], noise: Tensor) -> Tensor:
    from torchaudio.functional import lfilter

    if not weights:
        return noise
    back = torch.tensor([1.0, *(-x for x in weights)], dtype=torch.float64)
    ahead = torch.zeros(len(back), dtype=torch.float64)
    ahead[0] = 1
    return lfilter(noise, back, ahead, clamp=False)
