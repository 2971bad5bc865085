"""The AR(2) process: the smallest series with a memory, whose parameters a kernel of length 2 recovers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from numbers import Real

import torch
from torch import Tensor

from wavenetlike.checks import check_classes, check_seed


def is_stationary(a: float, b: float) -> bool:
    """Whether (a, b) lies inside the triangle |b| < 1, b + a < 1, b - a < 1."""
    # The corners of the triangle are where floats round: 1.4 - 0.4 must be the border.
    return abs(b) < 1 - 1e-12 and b + a < 1 - 1e-12 and b - a < 1 - 1e-12


def ar2_process(
    a: float, b: float, x0: float, x1: float, sigma: float = 1.0, c: float = 0.0, seed: int | None = None
) -> Iterator[float]:
    """An endless generator of x_t = c + a·x_{t-1} + b·x_{t-2} + σ·ε_t, ε_t ~ N(0, 1), from x0 and x1 on.

    Taught in notebooks/01_ar2_weight_recovery.ipynb.

    Args:
        a, b: weights of the last sample and the one before; stationary inside the triangle |b| < 1, b + a < 1,
            b - a < 1, and allowed outside it with a warning.
        x0, x1: the first two samples, given out as they are.
        sigma: standard deviation σ of the noise, at least 0, in the units of x.
        c: the constant, in the units of x.
        seed: of the noise, 0 … 2³² - 1; None draws from torch's global generator.

    Raises:
        TypeError, ValueError: an argument that is not finite, a negative sigma, a seed out of range.

    >>> [round(x, 2) for x, _ in zip(ar2_process(-0.4, 0.5, 50, 60, sigma=0), range(4))]
    [50.0, 60.0, 1.0, 29.6]
    """
    for name, value in {"a": a, "b": b, "x0": x0, "x1": x1, "sigma": sigma, "c": c}.items():
        if not isinstance(value, Real):
            raise TypeError(
                f"{name}={value!r} is a {type(value).__name__}; an AR(2) process needs numbers: try a=-0.4, b=0.5, x0=0, x1=0."
            )
        if not math.isfinite(value):
            raise ValueError(
                f"{name}={value} is not finite; an AR(2) process needs finite numbers: try a=-0.4, b=0.5, x0=0, x1=0."
            )
    if sigma < 0:
        raise ValueError(f"sigma={sigma} is negative; a standard deviation is at least 0: try {-sigma}.")
    if seed is not None:
        check_seed(seed)
    if not is_stationary(a, b):
        warnings.warn(
            f"(a, b) = ({a}, {b}) lies outside the stationarity triangle |b| < 1, b + a < 1, b - a < 1: {_fate(a, b)}; try (-0.4, 0.5).",
            stacklevel=2,
        )
    return _samples(a, b, float(x0), float(x1), sigma, c, seed)


def switching_ar2(
    weights: Sequence[Sequence[float]], classes: Sequence[int] | Tensor, sigma: float = 1.0, seed: int | None = None
) -> Tensor:
    """A series that is another AR(2) process at every time: x_t = c_k + a_k·x_{t-1} + b_k·x_{t-2} + σ·ε_t with k = ``classes[t]``.

    Taught in notebooks/05_conditioning.ipynb.

    Args:
        weights: of each class (a, b) or (a, b, c).
        classes: (time,), the class of each time, 0 … len(weights) - 1.
        sigma, seed: as in `ar2_process`.

    Returns:
        float64 (time,); before it everything is 0.

    Raises:
        TypeError, ValueError: weights that are no two or three finite numbers, classes out of their range, or as `ar2_process`.

    >>> switching_ar2([(0.0, 0.0, 1.0), (0.0, 0.0, 5.0)], [0, 0, 1, 0], sigma=0).tolist()
    [1.0, 1.0, 5.0, 1.0]
    """
    is_table = isinstance(weights, Sequence) and all(isinstance(row, Sequence) for row in weights)
    rows = [tuple(row) for row in weights] if is_table else []
    if not rows or any(len(row) not in (2, 3) for row in rows):
        raise ValueError(
            f"weights={weights!r} must hold (a, b) or (a, b, c) for each class; pass at least one: try [(-0.4, 0.5), (1.2, -0.8)]."
        )
    for row in rows:
        ar2_process(row[0], row[1], 0.0, 0.0, sigma=sigma, c=row[2] if len(row) == 3 else 0.0, seed=seed)
    n = len(classes) if hasattr(classes, "__len__") else None
    if n == 0:
        raise ValueError("classes is empty; there must be one for each sample: try [0] * 500 + [1] * 500.")
    numbers = check_classes(classes, n or 0, len(rows))
    generator = None if seed is None else torch.Generator().manual_seed(int(seed))
    noise = torch.randn(len(numbers), generator=generator, dtype=torch.float64).tolist()
    x0 = x1 = 0.0
    series = []
    for k, shock in zip(numbers.tolist(), noise, strict=True):
        a, b, c = (*rows[k], 0.0)[:3]
        x0, x1 = x1, c + a * x1 + b * x0 + sigma * shock
        series.append(x1)
    return torch.tensor(series, dtype=torch.float64)


def largest_root(a: float, b: float) -> float:
    """|z| of the larger root of z² - a·z - b: a past shock is multiplied by about this at every step."""
    discriminant = a * a + 4 * b
    if discriminant < 0:
        return math.sqrt(-b)
    return (abs(a) + math.sqrt(discriminant)) / 2


def _fate(a: float, b: float) -> str:
    growth = largest_root(a, b)
    if growth > 1 + 1e-12:
        return f"the series grows without bound, about {growth:.3g} times at every step"
    return "shocks never die out, and the series wanders without a fixed spread"


def _samples(a: float, b: float, x0: float, x1: float, sigma: float, c: float, seed: int | None) -> Iterator[float]:
    generator = None if seed is None else torch.Generator().manual_seed(int(seed))
    yield x0
    yield x1
    while True:
        # Drawn in blocks: one call of torch per sample would be most of the time.
        for noise in torch.randn(256, generator=generator, dtype=torch.float64).tolist():
            x0, x1 = x1, c + a * x1 + b * x0 + sigma * noise
            yield x1
