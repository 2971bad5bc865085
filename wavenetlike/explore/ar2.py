"""AR(2) under the finger: (a, b) in the stationarity triangle, and all that follows from it."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import torch
import traitlets

from wavenetlike.analysis import ar2_autocorrelation, ar2_period, ar2_roots, ar2_spectrum, autocorrelation
from wavenetlike.checks import check_between, check_int
from wavenetlike.data import ar2_process, is_stationary, largest_root
from wavenetlike.explore.drawn import Drawn, source
from wavenetlike.models import build_ar2
from wavenetlike.plots import Picture, ar2
from wavenetlike.train import train_stack_ar

MOST = 1e100
"""A series that explodes is drawn up to here; floats end soon after."""
MOST_LEARNT = 1e3
"""A convolution learns from what comes before: beyond, the noise that tells a from b is lost in the growth."""
LEAST_SAMPLES, MOST_SAMPLES = 10, 10_000
RANGE = {"a": 2.2, "b": 1.2}
N_LAGS = 30
FREQUENCIES = np.linspace(0, 0.5, 200)


class AR2Explorer(Drawn):
    """`explore_ar2`; ``shown`` is what follows from a and b."""

    _esm = source("common.js", "ar2.js")
    needs_kernel = True
    a = traitlets.Float(min=-RANGE["a"], max=RANGE["a"]).tag(sync=True)
    b = traitlets.Float(min=-RANGE["b"], max=RANGE["b"]).tag(sync=True)
    n_samples = traitlets.Int(min=LEAST_SAMPLES, max=MOST_SAMPLES).tag(sync=True)
    range = traitlets.Dict(RANGE).tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)

    def __init__(self, a: float, b: float, n_samples: int):
        super().__init__(a=a, b=b, n_samples=n_samples, shown=_follows(a, b, n_samples))
        self.observe(self._update, names=["a", "b", "n_samples"])

    def _update(self, _change: object) -> None:
        self.shown = _follows(self.a, self.b, self.n_samples)

    def picture(self) -> Picture:
        return ar2(self.a, self.b, self.shown["x"])

    def words(self) -> str:
        return str(self.shown["words"])


def explore_ar2(a: float = -0.4, b: float = 0.5, n_samples: int = 150) -> AR2Explorer:
    """Drag (a, b) over the stationarity triangle and beyond: the series, what it is made of, and the weights that a convolution finds.

    Taught in notebooks/01_ar2_weight_recovery.ipynb.

    Args:
        a, b: where to begin, -2.2 … 2.2 and -1.2 … 1.2.
        n_samples: of the series that is drawn, always with the same noise; 10 … 10,000.

    Raises:
        TypeError, ValueError: out of range.
    """
    for name, value in (("a", a), ("b", b)):
        check_between(name, value, -RANGE[name], RANGE[name], "try 0.5")
    check_int("n_samples", n_samples, LEAST_SAMPLES, "150 fill the picture", MOST_SAMPLES)
    return AR2Explorer(float(a), float(b), int(n_samples))


def _follows(a: float, b: float, n_samples: int) -> dict[str, Any]:
    """All that is drawn for (a, b)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the words say it
        x = list(itertools.islice(ar2_process(a, b, 0, 0, seed=1), n_samples))
    x = list(itertools.takewhile(lambda value: abs(value) < MOST, x))
    settles = is_stationary(a, b)
    return {
        "a": a,
        "b": b,
        "x": x,
        "correlations": ar2_autocorrelation(a, b, N_LAGS).tolist() if settles else None,
        "observed": autocorrelation(x, min(N_LAGS, len(x) - 1)).tolist() if settles else [],
        "frequencies": FREQUENCIES.tolist(),
        "powers": ar2_spectrum(a, b, FREQUENCIES).tolist() if settles else None,
        "period": ar2_period(a, b),
        "roots": [[root.real, root.imag] for root in ar2_roots(a, b)],
        "words": f"{_fate(a, b)} {_learnt(x)}",
    }


def _fate(a: float, b: float) -> str:
    root = largest_root(a, b)
    if is_stationary(a, b):
        return f"Inside the triangle: a shock fades to {root:.3f} of itself at every step, and the series stays put."
    if root > 1 + 1e-9:
        return (
            f"Outside the triangle: every shock grows {root:.3f} times at every step, and the series leaves all bounds."
        )
    return "On the border: shocks never fade, and the series wanders without a fixed spread."


def _learnt(x: list[float]) -> str:
    learnable = list(itertools.takewhile(lambda value: abs(value) < MOST_LEARNT, x))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        conv = build_ar2()
    try:
        train_stack_ar(conv, learnable)
    except ValueError:
        return "The series is over too soon for a convolution to learn from it."
    b, a = conv.weight.detach().flatten().tolist()
    return f"A convolution that is trained on these {len(learnable)} samples finds a = {a:.2f}, b = {b:.2f}."
