"""How a series hangs together with its own past: the autocorrelation, lag by lag, and the pairs that it is made of."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets
from torch import Tensor

from wavenetlike.analysis import autocorrelation
from wavenetlike.analysis.dependence import BAND
from wavenetlike.checks import check_int, check_positive, check_series
from wavenetlike.data import ar2_process, sunspots
from wavenetlike.explore.drawn import Drawn, source
from wavenetlike.plots import Picture, lags

Series = Sequence[float] | Tensor | np.ndarray

MOST_LAGS = 500
MOST_SERIES = 12
MOST_POINTS = 1500
"""Pairs that are drawn: more are a blot, and slow."""
MOST_SENT = 100_000
"""Samples that the page gets, of all series together: the notebook keeps them, too."""
FINEST = 999
"""A sample is sent as one of 0 … 999 from the lowest to the highest: finer than the pixels, and short as a text."""


class LagsExplorer(Drawn):
    """`explore_lags`; ``shown`` is a place among the series, ``lag`` what is chosen."""

    _esm = source("common.js", "lags.js")
    series: traitlets.List[Any] = traitlets.List().tag(sync=True)
    n_lags = traitlets.Int().tag(sync=True)
    shown = traitlets.Int(0).tag(sync=True)
    lag = traitlets.Int(1).tag(sync=True)

    def __init__(self, named: Mapping[str, Tensor], lag: int, n_lags: int, sample_rate: float | None):
        self._samples = list(named.values())
        sent = [_sent(name, x, n_lags, sample_rate, MOST_SENT // len(named)) for name, x in named.items()]
        super().__init__(series=sent, n_lags=n_lags, lag=lag)

    @traitlets.validate("lag")
    def _is_lag(self, proposal: Any) -> int:
        check_int("lag", proposal.value, 0, "1 is the sample before", self.n_lags)
        return int(proposal.value)

    @traitlets.validate("shown")
    def _is_place(self, proposal: Any) -> int:
        check_int("shown", proposal.value, 0, "the place of a series, from 0 on", len(self.series) - 1)
        return int(proposal.value)

    def picture(self) -> Picture:
        sent = self.series[self.shown]
        return lags(self._samples[self.shown], sent["correlations"], self.lag, sent["band"], sent["stride"])

    def words(self) -> str:
        sent = self.series[self.shown]
        return f"{sent['said'][self.lag]} {sent['about']}"


def explore_lags(
    series: Series | Mapping[str, Series] | None = None,
    lag: int = 1,
    n_lags: int = 40,
    sample_rate: float | None = None,
) -> LagsExplorer:
    """Choose a lag k, and see the autocorrelation there, and each x_t against the x_{t-k} that it is made of.

    Taught in notebooks/06_choosing_a_model.ipynb.

    Args:
        series: (time,), of any unit, longer than ``n_lags``; or up to 12 of them by name, to choose from; None: the sunspots
            and an AR(2) process.
        lag: where to begin, 0 … ``n_lags``, in samples.
        n_lags: the largest lag, 1 … 500.
        sample_rate: in Hz, if lags are to be told in milliseconds, too.

    Raises:
        TypeError, ValueError: no series that varies and is longer than ``n_lags``, or a number out of range.
    """
    check_int("n_lags", n_lags, 1, "40 show a few periods", MOST_LAGS)
    check_int("lag", lag, 0, "1 is the sample before", int(n_lags))
    if sample_rate is not None:
        check_positive("sample_rate", sample_rate, "16000, or leave it out")
    named = {name: _checked(name, x, int(n_lags)) for name, x in _named(series).items()}
    return LagsExplorer(named, int(lag), int(n_lags), None if sample_rate is None else float(sample_rate))


def _named(series: Series | Mapping[str, Series] | None) -> Mapping[str, Series]:
    """Series by name, at least one and not too many."""
    if series is None:
        process = itertools.islice(ar2_process(-0.4, 0.5, 0, 0, seed=1), 1000)
        return {"sunspots, one number a year": sunspots(), "AR(2), a = -0.4, b = 0.5": list(process)}
    if not isinstance(series, Mapping):
        return {"the series": series}
    if not series:
        raise ValueError("There are no series; pass at least one by its name, as in {'mine': series}.")
    if len(series) > MOST_SERIES:
        raise ValueError(
            f"There are {len(series)} series; at most {MOST_SERIES} can be explored at once: pass fewer of them."
        )
    return {str(name): x for name, x in series.items()}


def _checked(name: str, series: Series, n_lags: int) -> Tensor:
    """The series as float64 (time,), or a refusal that names it."""
    try:
        x = check_series(series, 3).detach().cpu()
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name!r} cannot be explored: {error}") from None
    if len(x) <= n_lags:
        raise ValueError(
            f"{name!r} has {len(x)} samples; with lags up to {n_lags} it needs at least {n_lags + 1}: use a longer one, or n_lags={len(x) - 1}."
        )
    return x


def _sent(name: str, x: Tensor, n_lags: int, sample_rate: float | None, most: int) -> dict[str, Any]:
    """All that the page gets of a series (time,), in at most about ``most`` samples."""
    # As large as 1, so that no unit overflows when it is squared.
    correlations = autocorrelation(x / x.abs().max(), n_lags)
    band = BAND / math.sqrt(len(x))
    n_points = MOST_POINTS if len(x) <= most else min(MOST_POINTS, most // (n_lags + 1))
    stride = math.ceil(len(x) / n_points)
    pieces, step = _pieces(x.numpy(), n_lags, stride)
    low, high = x.min().item(), x.max().item()
    return {
        "name": name,
        "correlations": [round(rho, 6) for rho in correlations.tolist()],
        "band": band,
        "low": low,
        "high": high,
        "mean": x.mean().item(),
        "places": np.rint(FINEST * ((pieces - low) / (high - low))).astype(int).tolist(),
        "finest": FINEST,
        "step": step,
        "stride": stride,
        "said": [_said(k, rho, band, sample_rate) for k, rho in enumerate(correlations.tolist())],
        "about": _about(name, len(x), band, stride),
    }


def _pieces(x: np.ndarray, n_lags: int, stride: int) -> tuple[np.ndarray, int]:
    """What is needed of a series (time,) to draw its pairs at the times n_lags + i·stride, and how far apart those stand in it.

    Where they are farther apart than the past that is drawn, only that past of each is kept::

        x      . . . . . . . . . . . . . .      n_lags = 2, stride = 5
        kept   0 1 2 . . 5 6 7 . . 10 11 12     then 3 apart
    """
    if stride <= n_lags + 1:
        return x, stride
    times = np.arange(n_lags, len(x), stride)
    return x[times[:, None] + np.arange(-n_lags, 1)].ravel(), n_lags + 1


def _said(lag: int, correlation: float, band: float, sample_rate: float | None) -> str:
    if lag == 0:
        return "Lag 0: every sample beside itself, correlation 1."
    ms = "" if sample_rate is None else f" = {1000 * lag / sample_rate:,.4g} ms"
    place = "inside" if abs(correlation) <= band else "outside"
    return f"Lag {lag} {_plural(lag, 'sample')}{ms}: correlation {correlation:.3f}, {place} the band."


def _about(name: str, n: int, band: float, stride: int) -> str:
    drawn = "All pairs are drawn." if stride == 1 else f"Of every {stride:,} pairs one is drawn."
    return f"The band, ±{band:.3f}, holds 95% of the correlations of white noise as long as {name} ({n:,} samples). {drawn}"


def _plural(n: int, word: str) -> str:
    return word if n == 1 else f"{word}s"
