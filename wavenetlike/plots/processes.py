"""Pictures of series and of what they are made by: samples over time, correlations over lags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from wavenetlike.analysis import DatasetReport, ar2_period, ar2_spectrum
from wavenetlike.checks import check_int
from wavenetlike.data import is_stationary, largest_root
from wavenetlike.plots.picture import BLUE, GREY, ORANGE, RED, Picture, drawn

MOST_DOTTED = 120
"""Stems that end in a dot; more would touch."""


def series(x: Sequence[float] | Tensor, alt: str, first: int = 0, xlabel: str = "t", ylabel: str = "x_t") -> Picture:
    """A series (time,) over its index, which begins at ``first``."""
    picture, ax = drawn(alt)
    ax.plot(np.arange(first, first + len(x)), np.asarray(x), color=BLUE, linewidth=1)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return picture


def ar2(a: float, b: float, x: Sequence[float]) -> Picture:
    """An AR(2) process: where (a, b) lies, the series ``x`` (time,), and its spectrum where it has one."""
    state = "inside" if is_stationary(a, b) else "on the border of" if largest_root(a, b) < 1 + 1e-9 else "outside"
    picture, (where, when, tones) = drawn(
        f"Three panels for a = {a:.2f}, b = {b:.2f}: the point {state} the stationarity triangle; {len(x)} samples of the "
        f"series; {'its power spectrum' if state == 'inside' else 'no spectrum, since the series does not settle'}.",
        columns=3,
        width=10.5,
        height=3.0,
        width_ratios=[1, 1.7, 1.1],
    )
    _triangle(where, a, b)
    when.plot(x, color=BLUE if state == "inside" else RED, linewidth=1)
    when.set(title="the series", xlabel="t", ylabel="x_t")
    tones.set(title="its spectrum", xlabel="frequency (cycles per sample)", ylabel="power")
    if state == "inside":
        frequencies = np.linspace(0, 0.5, 400)
        tones.semilogy(frequencies, ar2_spectrum(a, b, frequencies), color=BLUE)
        if period := ar2_period(a, b):
            tones.axvline(1 / period, color=ORANGE, linestyle="--", label=f"period {period:.1f}")
            tones.legend(frameon=False)
    else:
        tones.text(0.5, 0.5, "none: the series\ndoes not settle", ha="center", transform=tones.transAxes)
    return picture


def _triangle(ax: Any, a: float, b: float) -> None:
    ax.fill([-2, 2, 0], [-1, -1, 1], color=BLUE, alpha=0.15)
    curve = np.linspace(-2, 2, 100)
    ax.plot(curve, -(curve**2) / 4, color=GREY, linestyle=":", linewidth=1)
    ax.text(0, -0.85, "oscillates", ha="center", color=GREY, fontsize=8)
    ax.plot(a, b, marker="o" if is_stationary(a, b) else "X", markersize=10, color=BLUE if is_stationary(a, b) else RED)
    ax.set(title="stationary inside", xlabel="a", ylabel="b", xlim=(-2.3, 2.3), ylim=(-1.3, 1.3))


def estimates(
    sizes: Sequence[int], found: Sequence[float], truth: float, errors: Sequence[float], name: str
) -> Picture:
    """Estimates of one parameter from more and more samples, in the band of two standard errors around the truth."""
    picture, ax = drawn(
        f"Estimates of {name} against the number of samples on a logarithmic axis: scattered widely at {min(sizes)} samples, "
        f"tightly around {truth} at {max(sizes)}, most of them within the band of two standard errors."
    )
    ax.fill_between(*_band(sizes, truth, errors), color=BLUE, alpha=0.2, label="truth ± 2 standard errors")
    ax.plot(sizes, found, "o", color=RED, markersize=4, label=f"found {name}")
    ax.axhline(truth, color=GREY, linewidth=1)
    ax.set(xscale="log", xlabel="samples n", ylabel=name)
    ax.legend(frameon=False)
    return picture


def _band(sizes: Sequence[int], truth: float, errors: Sequence[float]) -> tuple[Any, Any, Any]:
    order = np.argsort(sizes)
    n, error = np.asarray(sizes)[order], np.asarray(errors)[order]
    return n, truth - 2 * error, truth + 2 * error


def stems(
    values: Sequence[float] | np.ndarray,
    alt: str,
    band: float,
    first: int = 0,
    xlabel: str = "lag k (samples)",
    ylabel: str = "correlation",
) -> Picture:
    """Stems at ``first``, first + 1 …, in the band of ± ``band`` in which those of white noise stay."""
    picture, ax = drawn(alt)
    _stems(ax, np.arange(first, first + len(values)), np.asarray(values), band)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False)
    return picture


def _stems(ax: Any, lags: np.ndarray, values: np.ndarray, band: float | np.ndarray) -> None:
    """Correlations over lags, 0 to 1 in size, and where those of white noise would stay."""
    _noise(ax, lags, band)
    ax.vlines(lags, 0, values, color=BLUE, linewidth=1)
    if len(values) <= MOST_DOTTED:
        ax.plot(lags, values, "o", color=BLUE, markersize=3)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _noise(ax: Any, lags: np.ndarray, band: float | np.ndarray) -> None:
    """Where correlations of white noise would stay."""
    ax.fill_between(lags, -np.asarray(band), band, color=BLUE, alpha=0.2, linewidth=0, label="95% of white noise")
    ax.axhline(0, color="black", linewidth=0.8)


def lags(
    series: Sequence[float] | Tensor, correlations: Sequence[float], lag: int, band: float, stride: int = 1
) -> Picture:
    """The autocorrelation of a series (time,), and at one ``lag`` the pairs of samples that it is made of.

    Args:
        series: (time,).
        correlations: at the lags 0 … n_lags.
        lag: which of them is marked, and whose pairs are drawn.
        band: white noise stays within ± this.
        stride: pairs are drawn at the times t = n_lags ± i·stride alone, at least 1.

    Raises:
        TypeError, ValueError: ``lag`` is not one of the correlations', or ``stride`` is below 1.
    """
    check_int("lag", lag, 0, "1 is the sample before", most=len(correlations) - 1)
    check_int("stride", stride, 1, "1 draws all pairs")
    x = np.asarray(series, dtype=np.float64)
    times = np.arange(lag + (len(correlations) - 1 - lag) % stride, len(x), stride)
    beyond = sum(abs(rho) > band for rho in correlations[1:])
    picture, (left, right) = drawn(
        f"Left, the autocorrelation at lags 0 to {len(correlations) - 1}, {beyond} of them outside the band of ±{band:.3f}, lag {lag} marked by a diamond at "
        f"{correlations[lag]:.3f}. Right, {len(times):,} pairs of samples {lag} apart, and the line of that slope{_thirds(x[times - lag], x[times])}.",
        columns=2,
        width=10.5,
        height=3.4,
        width_ratios=[1.9, 1],
    )
    _stems(left, np.arange(len(correlations)), np.asarray(correlations), band)
    left.plot(lag, correlations[lag], "D", color=RED, markersize=8, label=f"lag {lag}")
    left.set(title="autocorrelation", xlabel="lag k (samples)", ylabel="correlation", ylim=(-1.1, 1.1))
    left.legend(frameon=False, loc="lower right", ncols=2)
    _pairs(right, x[times - lag], x[times], (x.min(), x.max()))
    right.axline((x.mean(), x.mean()), slope=correlations[lag], color=RED)
    before = f"x at time t − {lag}" if lag else "x at time t"
    right.set(title=f"lag {lag}: slope {correlations[lag]:.3f}", xlabel=before, ylabel="x at time t")
    return picture


def _thirds(past: np.ndarray, now: np.ndarray) -> str:
    """The shape of a cloud in words: how high it is on its left, in its middle, and on its right."""
    if len(past) < 3:
        return ""
    parts = np.array_split(now[np.argsort(past, kind="stable")], 3)
    low, middle, high = (f"{part.mean():.2g}" for part in parts)
    return f"; after the lowest third of samples the mean is {low}, after the middle one {middle}, after the highest {high}"


def _pairs(ax: Any, past: np.ndarray, now: np.ndarray, ends: tuple[float, float]) -> None:
    ax.plot(past, now, "o", color=BLUE, markersize=3, alpha=0.35, markeredgewidth=0)
    margin = 0.04 * (ends[1] - ends[0])
    limits = (ends[0] - margin, ends[1] + margin)
    ax.set(xlim=limits, ylim=limits, box_aspect=1)
    ax.locator_params(nbins=5)


def dataset(report: DatasetReport) -> Picture:
    """How the samples of a dataset depend on their past: autocorrelation and partial autocorrelation, what an AR of each order spares, and information over lags.

    Raises:
        TypeError: no report.
    """
    if not isinstance(report, DatasetReport):
        raise TypeError(
            f"The report is a {type(report).__name__}; it must be what analyze_dataset returns: try plots.dataset(analyze_dataset(x))."
        )
    picture, ((whole, partial), (spared, told)) = drawn(
        f"Four panels. {_in_words(report)}", rows=2, columns=2, width=10.5, height=6.0
    )
    _correlation(whole, report)
    gains, inner = report.ar.gains, report.ar.partial[1:]
    _stems(partial, np.arange(1, len(gains)), inner, report.correlation.band[1 : len(gains)])
    partial.set(title="partial autocorrelation", xlabel="order", ylabel="correlation")
    spared.plot(gains, color=BLUE, marker="." if len(gains) <= MOST_DOTTED else None)
    spared.plot(report.ar.order, report.ar.gain, "D", color=RED, markersize=7, label=f"by BIC: order {report.ar.order}")
    spared.set(title="a linear AR spares", xlabel="order", ylabel="bits per sample", ylim=(0, None))
    spared.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _information(told, report)
    for ax in (whole, partial, spared, told):
        if ax.get_legend_handles_labels()[0]:
            ax.legend(frameon=False, fontsize=8)
    return picture


def _in_words(report: DatasetReport) -> str:
    end, best = report.lengths.envelope, report.information.strongest
    lasting = "stays above 1/e to the last" if end is None else f"stays below 1/e from lag {end:,} on"
    told = f"most at lag {best[0]:,}, {best[1]:.2g} bits" if best else "at no lag more than chance"
    return (
        f"The autocorrelation at lags 0 to {report.max_lag:,}, {'which ' + lasting if report.is_linear else 'none beyond chance'}. "
        f"Partial autocorrelations: {report.strongest_partial}. "
        f"The bits a sample that a linear AR spares, over its order up to {report.ar.searched}: {report.ar.gain:.2f} at order {report.ar.order}, chosen by BIC. "
        f"Mutual information over {len(report.information.lags)} lags on a logarithmic axis: beyond a linear AR {told}."
    )


def _correlation(ax: Any, report: DatasetReport) -> None:
    values, band = report.correlation.values, report.correlation.band
    lags = np.arange(len(values))
    if len(values) <= MOST_DOTTED:
        _stems(ax, lags, values, band)
    else:
        _noise(ax, lags[1:], band[1:])
        ax.semilogx(lags[1:], values[1:], color=BLUE, linewidth=0.7)
    ax.set(title="autocorrelation", xlabel="lag (samples)", ylabel="correlation", ylim=(-1.1, 1.1))


def _information(ax: Any, report: DatasetReport) -> None:
    found = report.information
    ax.set(title="mutual information", xlabel="lag (samples)", ylabel="bits", xscale="log")
    if not len(found.lags):
        ax.text(0.5, 0.5, "too few samples", ha="center", transform=ax.transAxes)
        return
    ax.plot(found.lags, found.bits, ".-", color=GREY, markersize=3, linewidth=0.8, label="of the sample")
    ax.plot(found.lags, found.beyond, ".-", color=BLUE, markersize=3, linewidth=0.8, label="beyond a linear AR")
    ax.plot(found.lags, found.threshold, "--", color=RED, linewidth=1, label="significant above")
