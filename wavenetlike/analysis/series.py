"""Series: least squares, and what theory says of an AR(2) process."""

from __future__ import annotations

import cmath
import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wavenetlike.checks import check_int, check_series
from wavenetlike.data import is_stationary


@dataclasses.dataclass(frozen=True)
class ARFit:
    """x_t = c + Σ_i coefficients[i]·x_{t-1-i} + σ·ε_t, with the standard error of each coefficient."""

    c: float
    coefficients: tuple[float, ...]
    sigma: float
    standard_errors: tuple[float, ...]

    def __repr__(self) -> str:
        terms = ", ".join(f"{x:.4f} ± {e:.4f}" for x, e in zip(self.coefficients, self.standard_errors, strict=True))
        return f"ARFit(c={self.c:.4f}, coefficients=({terms}), sigma={self.sigma:.4f})"


def least_squares_ar(series: Sequence[float] | Tensor, order: int = 2) -> ARFit:
    """Ordinary least squares of x_t on 1, x_{t-1}, …, x_{t-order}. Taught in notebooks/01_ar2_weight_recovery.ipynb.

    Args:
        series: (time,), finite, longer than 2·order + 1.
        order: how many past samples, at least 1; coefficients come newest first, (a, b) for order 2.

    Returns:
        The fit; σ is the root of the mean squared residual, which maximizes the Gaussian likelihood.

    Raises:
        TypeError, ValueError: an argument out of its range.
    """
    check_int("order", order, 1, "2 is Yule's")
    x = check_series(series, 2 * order + 2)
    # Around 0 and as large as 1, so that a large offset or unit costs no digits.
    center = x.mean()
    scale = (x - center).abs().max()
    x = (x - center) / scale
    lags = [x[order - i : len(x) - i] for i in range(1, order + 1)]
    design = torch.stack([torch.ones(len(x) - order, dtype=torch.float64), *lags], dim=1)
    solution = torch.linalg.lstsq(design, x[order:, None]).solution[:, 0]
    residual = x[order:] - design @ solution
    variance = residual.square().sum() / (len(residual) - order - 1)
    errors = (variance * torch.linalg.pinv(design.T @ design).diagonal()).sqrt().tolist()
    c, *coefficients = solution.tolist()
    constant = float(scale) * c + float(center) * (1 - sum(coefficients))
    return ARFit(
        constant, tuple(coefficients), float(scale) * residual.square().mean().sqrt().item(), tuple(errors[1:])
    )


def ar2_standard_error(b: float, n: int) -> float:
    """√((1 - b²) / n): how far a and b, each, are known from n samples of a stationary AR(2), whatever the method.

    Source: Box and Jenkins, Time Series Analysis, section 7.2 (large n). ``b`` in [-1, 1], ``n`` at least 1.
    """
    if not -1 <= b <= 1:
        raise ValueError(f"b={b} is of no stationary AR(2); it must lie in [-1, 1]: try 0.5.")
    check_int("n", n, 1, "how many samples were seen")
    return math.sqrt((1 - b * b) / n)


def ar2_spectrum(a: float, b: float, frequencies: np.ndarray, sigma: float = 1.0) -> np.ndarray:
    """Power of a stationary AR(2) at ``frequencies`` in cycles per sample, 0 … 0.5: σ² / |1 - a·z - b·z²|², z = e^{-2πif}.

    Raises:
        ValueError: (a, b) is not stationary.
    """
    _check_stationary(a, b)
    z = np.exp(-2j * np.pi * frequencies)
    return sigma**2 / np.abs(1 - a * z - b * z * z) ** 2


def ar2_period(a: float, b: float) -> float | None:
    """Samples per cycle of an AR(2) whose roots are complex, 2π / arccos(a / (2√-b)); None where it does not oscillate."""
    if a * a + 4 * b >= 0:
        return None
    return 2 * math.pi / math.acos(a / (2 * math.sqrt(-b)))


def ar2_roots(a: float, b: float) -> tuple[complex, complex]:
    """The roots of z² - a·z - b; the process is stationary where both lie inside the unit circle."""
    root = cmath.sqrt(a * a + 4 * b)
    return (a + root) / 2, (a - root) / 2


def ar2_autocorrelation(a: float, b: float, n_lags: int) -> np.ndarray:
    """What theory says of a stationary AR(2), lags 0 … n_lags: r_0 = 1, r_1 = a / (1 - b), r_k = a·r_{k-1} + b·r_{k-2}.

    Source: Yule and Walker's equations; Box and Jenkins, Time Series Analysis, section 3.2. float64, (n_lags + 1,).

    Raises:
        TypeError, ValueError: (a, b) is not stationary, or ``n_lags`` is negative.
    """
    _check_stationary(a, b)
    check_int("n_lags", n_lags, 0, "30 show a few periods")
    r = [1.0, a / (1 - b)]
    for _ in range(n_lags - 1):
        r.append(a * r[-1] + b * r[-2])
    return np.array(r[: n_lags + 1])


def autocorrelation(series: Sequence[float] | Tensor, n_lags: int) -> np.ndarray:
    """What a series shows: Σ_t d_t·d_{t-k} / Σ_t d_t², d the difference from its mean, for k = 0 … n_lags; float64, (n_lags + 1,).

    Raises:
        TypeError, ValueError: ``n_lags`` is negative, or the series is constant or not longer than it.
    """
    check_int("n_lags", n_lags, 0, "30 show a few periods")
    x = check_series(series, n_lags + 1).numpy()
    d = x - x.mean()
    return np.array([d[k:] @ d[: len(d) - k] for k in range(n_lags + 1)]) / (d @ d)


def _check_stationary(a: float, b: float) -> None:
    if not is_stationary(a, b):
        raise ValueError(
            f"a={a}, b={b} is of no stationary AR(2), and so has neither spectrum nor autocorrelation; it must lie in the triangle |b| < 1, b + a < 1, b - a < 1: try -0.4, 0.5."
        )
