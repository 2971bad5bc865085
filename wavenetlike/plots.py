"""Data in, picture out: every figure of the notebooks, with a text that says what it shows. Knows no widget."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from torch import Tensor

from wavenetlike.analysis import DatasetReport, Score, ar2_period, ar2_spectrum
from wavenetlike.data import is_stationary, largest_root
from wavenetlike.layers import compose, reach
from wavenetlike.models import WaveNetConfig
from wavenetlike.quantize import MuLaw
from wavenetlike.train import Expected, History

# Okabe and Ito's colours, told apart by the colour-blind too.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#767676"
MOST_LAGS = 200
"""A tree that is wider is drawn with this many of its branches, spread over all of it."""
MOST_DOTTED = 120
"""Stems of an autocorrelation that end in a dot; more would touch."""


class Picture(Figure):
    """A matplotlib figure with an alternative text, kept out of pyplot's global list so that none leaks.

    Notebooks show it as an image with that text; it can be saved and changed like any figure.
    """

    alt: str = ""

    def png(self, compress_level: int = 6) -> bytes:
        """The picture as a PNG file."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", pil_kwargs={"compress_level": compress_level})
        return buffer.getvalue()

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png()).decode()
        return f'<img src="data:image/png;base64,{data}" alt="{html.escape(self.alt)}" style="max-width: 100%">'


def _picture(
    alt: str, columns: int = 1, height: float = 2.6, width: float = 8.0, **options: Any
) -> tuple[Picture, Any]:
    picture = Picture(figsize=(width, height), dpi=90, layout="constrained")
    picture.alt = alt
    axes = picture.subplots(1, columns, **options)
    for ax in np.ravel(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return picture, axes


def series(x: Sequence[float] | Tensor, alt: str, first: int = 0, xlabel: str = "t", ylabel: str = "x_t") -> Picture:
    """A series (time,) over its index, which begins at ``first``."""
    picture, ax = _picture(alt)
    ax.plot(np.arange(first, first + len(x)), np.asarray(x), color=BLUE, linewidth=1)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return picture


def ar2(a: float, b: float, x: Sequence[float]) -> Picture:
    """An AR(2) process: where (a, b) lies, the series ``x`` (time,), and its spectrum where it has one."""
    state = "inside" if is_stationary(a, b) else "on the border of" if largest_root(a, b) < 1 + 1e-9 else "outside"
    picture, (where, when, tones) = _picture(
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
    picture, ax = _picture(
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


def dilated_tree(config: WaveNetConfig) -> Picture:
    """Which inputs one output depends on, layer by layer, the past to the left."""
    delta = config.receptive_field
    picture, ax = _picture(
        f"A tree from one output at the top down through {len(config.dilations)} layers to the {delta} inputs that it depends on.",
        height=3.0,
    )
    _draw_tree(ax, config)
    return picture


def _draw_tree(ax: Any, config: WaveNetConfig) -> None:
    """`dilated_tree` into one panel."""
    segments, nodes, complete = _branches(config)
    ax.add_collection(LineCollection(list(segments), colors=BLUE, linewidths=0.6, alpha=0.7))
    ax.plot(-nodes, np.zeros_like(nodes), "|", color=ORANGE, markersize=7)
    ax.plot(0, len(config.dilations), "o", color=RED)
    title = "the inputs that one output sees" + ("" if complete else " (some of them)")
    ax.set(title=title, xlabel="input, samples ago", ylabel="layer", ylim=(-0.7, len(config.dilations) + 0.5))
    span = max(config.receptive_field - 1, 1)
    ax.set_xlim(-1.03 * span, 0.03 * span)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(lambda x, _: f"{abs(x):,.0f}")


def _branches(config: WaveNetConfig) -> tuple[np.ndarray, np.ndarray, bool]:
    """The tree's lines (n, 2 ends, 2 coordinates), the input lags reached, and whether none was left out."""
    lags, layers, complete = np.zeros(1, dtype=np.int64), [], True
    taps = np.arange(config.kernel_length)
    for layer, dilation in zip(range(len(config.dilations), 0, -1), reversed(config.dilations), strict=True):
        below = lags[:, None] + taps * dilation
        above = np.broadcast_to(lags[:, None], below.shape)
        ends = [
            np.stack([-above, np.full_like(below, layer)], -1),
            np.stack([-below, np.full_like(below, layer - 1)], -1),
        ]
        layers.append(np.stack(ends, axis=2).reshape(-1, 2, 2))
        lags = np.unique(below)
        if len(lags) > MOST_LAGS:
            lags, complete = lags[np.linspace(0, len(lags) - 1, MOST_LAGS).astype(int)], False
    return np.concatenate(layers), lags, complete


def delta_against_depth(kernel_length: int = 2, deepest: int = 12) -> Picture:
    """Δ of undilated and of doubling stacks, depth 1 … ``deepest``."""
    depths = np.arange(1, deepest + 1)
    plain = [compose([reach(kernel_length, 1)] * n) for n in depths]
    doubling = [compose(reach(kernel_length, 2**i) for i in range(n)) for n in depths]
    picture, ax = _picture(
        f"Δ against depth on a logarithmic axis: the undilated stack creeps to {plain[-1]} at depth {deepest}, the one whose "
        f"dilation doubles rises as a straight line to {doubling[-1]}."
    )
    ax.semilogy(depths, doubling, "o-", color=BLUE, label="dilations 1, 2, 4, …")
    ax.semilogy(depths, plain, "s--", color=ORANGE, label="no dilation")
    ax.set(xlabel="depth (layers)", ylabel="Δ (samples)", xticks=depths)
    ax.legend(frameon=False)
    return picture


def receptive_field(config: WaveNetConfig, others: Sequence[tuple[int, float]]) -> Picture:
    """The tree of ``config``, and its place among ``others``, given as (Δ, γ), in the Δ-γ plane."""
    picture, (tree, plane) = _picture(
        f"Left, the tree of one output over {config.receptive_field} inputs; right, this choice among {len(others)} others in "
        f"the plane of Δ and γ, at Δ = {config.receptive_field}, γ = {config.gamma:.0f}.",
        columns=2,
        width=10.5,
        height=3.6,
        width_ratios=[1.8, 1],
    )
    _draw_tree(tree, config)
    plane.loglog(*zip(*others, strict=True), ".", color=GREY, markersize=3, alpha=0.5)
    plane.loglog(config.receptive_field, config.gamma, "*", color=RED, markersize=16)
    plane.set(title="★ this choice, · all others", xlabel="Δ (samples)", ylabel="γ (parameters / depth)")
    return picture


def lag_profile(profile: Tensor, delta: int) -> Picture:
    """How strongly an output depends on each lag (n_lags,), as measured, with Δ by formula as a line."""
    last = f"the last at lag {int(profile.nonzero().max())}" if profile.any() else "none at all"
    picture, ax = _picture(
        f"The measured dependence of one output on each of {len(profile)} past inputs, on a logarithmic axis: {last}, "
        f"beside a line at Δ = {delta}."
    )
    values = np.where(profile > 0, profile, np.nan)
    ax.semilogy(values, ".", color=BLUE, markersize=3)
    ax.axvline(delta - 0.5, color=RED, linestyle="--", label=f"Δ = {delta}")
    ax.set(xlabel="lag (samples ago)", ylabel="|∂ output / ∂ input|", xlim=(-0.02 * len(profile), len(profile)))
    ax.legend(frameon=False)
    return picture


def lags(
    series: Sequence[float] | Tensor, correlations: Sequence[float], lag: int, band: float, stride: int = 1
) -> Picture:
    """The autocorrelation of a series (time,), and at one ``lag`` the pairs of samples that it is made of.

    Args:
        series: (time,).
        correlations: at the lags 0 … n_lags.
        lag: which of them is marked, and whose pairs are drawn.
        band: white noise stays within ± this.
        stride: pairs are drawn at the times t = n_lags ± i·stride alone.
    """
    x = np.asarray(series, dtype=np.float64)
    times = np.arange(lag + (len(correlations) - 1 - lag) % stride, len(x), stride)
    beyond = sum(abs(rho) > band for rho in correlations[1:])
    picture, (left, right) = _picture(
        f"Left, the autocorrelation at lags 0 to {len(correlations) - 1}, {beyond} of them outside the band of ±{band:.3f}, lag {lag} marked by a diamond at "
        f"{correlations[lag]:.3f}. Right, {len(times):,} pairs of samples {lag} apart, and the line of that slope.",
        columns=2,
        width=10.5,
        height=3.4,
        width_ratios=[1.9, 1],
    )
    _correlogram(left, correlations, lag, band)
    _pairs(right, x[times - lag], x[times], (x.min(), x.max()))
    right.axline((x.mean(), x.mean()), slope=correlations[lag], color=RED)
    before = f"x at time t − {lag}" if lag else "x at time t"
    right.set(title=f"lag {lag}: slope {correlations[lag]:.3f}", xlabel=before, ylabel="x at time t")
    return picture


def _correlogram(ax: Any, correlations: Sequence[float], lag: int, band: float) -> None:
    ax.axhspan(-band, band, color=BLUE, alpha=0.15, linewidth=0, label="band of white noise")
    ax.axhline(0, color="black", linewidth=0.8)
    ax.vlines(range(len(correlations)), 0, correlations, color=BLUE, linewidth=1)
    if len(correlations) <= MOST_DOTTED:
        ax.plot(correlations, "o", color=BLUE, markersize=3)
    ax.plot(lag, correlations[lag], "D", color=RED, markersize=8, label=f"lag {lag}")
    ax.set(title="autocorrelation", xlabel="lag k (samples)", ylabel="correlation", ylim=(-1.1, 1.1))
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.legend(frameon=False, loc="lower right", ncols=2)


def _pairs(ax: Any, past: np.ndarray, now: np.ndarray, ends: tuple[float, float]) -> None:
    ax.plot(past, now, "o", color=BLUE, markersize=3, alpha=0.35, markeredgewidth=0)
    margin = 0.04 * (ends[1] - ends[0])
    limits = (ends[0] - margin, ends[1] + margin)
    ax.set(xlim=limits, ylim=limits, box_aspect=1)
    ax.locator_params(nbins=5)


def dataset(report: DatasetReport) -> Picture:
    """How the samples of a dataset depend on their past: autocorrelation in its band, what an AR of each order spares, and information over lags."""
    picture, (left, middle, right) = _picture(
        f"Three panels. {_in_words(report)}", columns=3, width=12.0, height=3.4, width_ratios=[1.4, 1, 1.4]
    )
    _correlation(left, report)
    gains = report.ar.gains
    middle.plot(gains, color=BLUE, marker="." if len(gains) <= MOST_DOTTED else None)
    middle.plot(report.ar.order, report.ar.gain, "D", color=RED, markersize=7, label=f"by BIC: order {report.ar.order}")
    middle.set(title="a linear AR spares", xlabel="order", ylabel="bits per sample", ylim=(0, None))
    middle.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _information(right, report)
    for ax in (left, middle, right):
        if ax.get_legend_handles_labels()[0]:
            ax.legend(frameon=False, fontsize=8)
    return picture


def _in_words(report: DatasetReport) -> str:
    end, best = report.lengths.envelope, report.information.strongest
    lasting = "stays above 1/e to the last" if end is None else f"stays below 1/e from lag {end:,} on"
    told = f"most at lag {best[0]:,}, {best[1]:.2g} bits" if best else "at no lag more than chance"
    return (
        f"The autocorrelation at lags 0 to {report.max_lag:,}, {'which ' + lasting if report.is_linear else 'none beyond chance'}. "
        f"The bits a sample that a linear AR spares, over its order up to {report.ar.searched}: {report.ar.gain:.2f} at order {report.ar.order}, chosen by BIC. "
        f"Mutual information over {len(report.information.lags)} lags on a logarithmic axis: beyond a linear AR {told}."
    )


def _correlation(ax: Any, report: DatasetReport) -> None:
    values, band = report.correlation.values, report.correlation.band
    lags = np.arange(len(values))
    ax.fill_between(lags[1:], -band[1:], band[1:], color=ORANGE, alpha=0.4, linewidth=0, label="95% of white noise")
    ax.axhline(0, color="black", linewidth=0.8)
    if len(values) <= MOST_DOTTED:
        ax.vlines(lags, 0, values, color=BLUE, linewidth=1)
        ax.plot(values, "o", color=BLUE, markersize=3)
    else:
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


def quantization(waveform: Tensor, mu_law: MuLaw, sample_rate: int) -> Picture:
    """µ-law's curve, and a waveform (time,) before and after it."""
    picture, (curve, wave) = _picture(
        f"Left, µ-law's staircase with {mu_law.levels} levels: fine steps near zero, coarse ones far from it. Right, "
        f"{len(waveform)} samples of a waveform and the steps that are left of it.",
        columns=2,
        width=10.5,
        height=3.0,
        width_ratios=[1, 2],
    )
    x = np.linspace(-1, 1, 2001, dtype=np.float32)
    curve.plot(x, mu_law.decode(mu_law.encode(torch.from_numpy(x)[None]))[0], color=RED)
    curve.plot([-1, 1], [-1, 1], color=GREY, linestyle=":")
    curve.set(title=f"{mu_law.levels} levels", xlabel="in", ylabel="out")
    time = np.arange(len(waveform)) / sample_rate * 1000
    wave.plot(time, waveform, color=GREY, label="waveform")
    wave.step(time, mu_law.decode(mu_law.encode(waveform[None]))[0], where="mid", color=RED, label="decoded codes")
    wave.set(title="a waveform and its codes", xlabel="ms", ylabel="amplitude")
    wave.margins(y=0.3)
    wave.legend(frameon=False, loc="upper right", ncols=2)
    return picture


def quantization_error(waveform: Tensor, mu_law: MuLaw, sample_rate: int) -> Picture:
    """A waveform (time,) and what quantization does to it: all of it with its error, and its loudest 10 ms with its steps."""
    decoded = mu_law.decode(mu_law.encode(waveform[None]))[0]
    picture, (whole, near) = _picture(
        f"Left, {len(waveform) / sample_rate:.2f} s of a waveform and, over it, the error that {mu_law.levels} levels make, largest where it "
        "is loud. Right, its loudest 10 ms and the steps that are left of them.",
        columns=2,
        width=10.5,
        height=3.0,
        width_ratios=[1.6, 1],
    )
    seconds = np.arange(len(waveform)) / sample_rate
    whole.plot(seconds, waveform, color=GREY, linewidth=0.6, label="waveform")
    whole.plot(seconds, decoded - waveform, color=RED, linewidth=0.6, label="quantization error")
    whole.set(title=f"{mu_law.levels} levels", xlabel="seconds", ylabel="amplitude")
    half = max(1, sample_rate // 200)
    middle = int(waveform.abs().argmax())
    part = slice(max(0, middle - half), middle + half)
    near.plot(1000 * seconds[part], waveform[part], color=GREY, label="waveform")
    near.step(1000 * seconds[part], decoded[part], where="mid", color=BLUE, label="decoded codes")
    near.set(title="the loudest 10 ms", xlabel="ms")
    for ax in (whole, near):
        ax.margins(y=0.3)
        ax.legend(frameon=False, loc="upper right", ncols=2)
    return picture


def training(
    losses: Sequence[float],
    alt: str,
    references: dict[str, float] | None = None,
    smooth: int = 10,
    unit: str = "bits per sample",
    usual: Expected | None = None,
) -> Picture:
    """Loss over the steps, with its running mean over ``smooth`` steps, and what to compare it with.

    Args:
        losses: of every step.
        alt: what the picture shows.
        references: levels by name, drawn as lines.
        smooth: steps of the running mean.
        unit: of the losses.
        usual: where such a loss usually is, drawn as a band.
    """
    picture, ax = _picture(alt)
    steps = np.arange(1, len(losses) + 1)
    ax.plot(steps, losses, ".", color=GREY, markersize=3, alpha=0.6, label="each step")
    if 1 < smooth <= len(losses):
        mean = np.convolve(losses, np.ones(smooth) / smooth, mode="valid")
        ax.plot(steps[smooth - 1 :], mean, color=BLUE, label=f"mean of {smooth} steps")
    if usual is not None:
        ax.fill_between(usual.steps, usual.low, usual.high, color=GREEN, alpha=0.3, label="usual")
    for (name, level), style in zip((references or {}).items(), ["--", "-.", ":"], strict=False):
        ax.axhline(level, color=ORANGE, linestyle=style, label=name)
    ax.set(xlabel="step", ylabel=unit, ylim=(0, None))
    ax.legend(frameon=False)
    return picture


def learning(history: History, smooth: int = 20) -> Picture:
    """What a training saw: bits per sample and accuracy over the steps, held-out clips beside training, and the baselines."""
    last = history.held_out[-1:]
    picture, axes = _picture(
        f"Two panels over {len(history.bits)} steps: bits per sample{_ends(history.bits, [j.bits for j in last])}, and accuracy"
        f"{_ends(history.accuracy, [j.accuracy for j in last])}, beside {len(history.baselines)} baselines.",
        columns=2,
        width=10.0,
        height=2.9,
    )
    values = (("bits per sample", history.bits, "bits"), ("accuracy", history.accuracy, "accuracy"))
    for ax, (label, of_steps, name) in zip(axes, values, strict=True):
        steps = np.arange(1, len(of_steps) + 1)
        ax.plot(steps, of_steps, ".", color=GREY, markersize=2, alpha=0.5)
        width = min(smooth, len(of_steps))
        if width:
            mean = np.convolve(of_steps, np.ones(width) / width, mode="valid")
            ax.plot(steps[width - 1 :], mean, color=BLUE, label=f"training, mean of {smooth} steps")
        if history.held_out:
            judged = [(j.step, getattr(j, name)) for j in history.held_out]
            ax.plot(*zip(*judged, strict=True), "o-", color=RED, markersize=4, label="held-out clips")
        for score, style in zip(history.baselines, ["--", "-.", ":"], strict=False):
            ax.axhline(getattr(score, name), color=ORANGE, linestyle=style, label=score.name)
        ax.set(xlabel="step", ylabel=label, xlim=(0, None), ylim=(0, None if name == "bits" else 1))
    if axes[1].get_legend_handles_labels()[0]:
        axes[1].legend(frameon=False, loc="lower right", fontsize=8)
    return picture


def _ends(of_steps: Sequence[float], held_out: Sequence[float]) -> str:
    """How the values of every step begin and end, in words."""
    if not of_steps:
        return ""
    apart = f", {held_out[0]:.2f} on held-out clips" if held_out else ""
    return f" from {of_steps[0]:.2f} to {of_steps[-1]:.2f}{apart}"


def scaling(processes: Sequence[int], computing: Sequence[float], sending: Sequence[float], n: int) -> Picture:
    """Training on more and more processes: the speed-up, and the seconds that a step computes and sends; a line at ``n``."""
    totals = np.add(computing, sending)
    speed_up = totals[0] / totals
    at = list(processes).index(n)
    picture, (left, right) = _picture(
        f"Speed-up and time of a step against 1 to {max(processes):,} processes, all axes logarithmic: with {n:,} processes {speed_up[at]:.3g} times as "
        f"fast as one, {1000 * computing[at]:.3g} ms computing and {1000 * sending[at]:.3g} ms sending; at most {speed_up.max():.3g} times.",
        columns=2,
        width=10.0,
        height=3.0,
    )
    left.loglog(processes, processes, ":", color=GREY, base=2, label="perfect")
    left.loglog(processes, speed_up, "o-", color=BLUE, base=2, label="these machines")
    left.set(ylabel="times as fast as one")
    right.loglog(processes, np.multiply(1000, computing), "o-", color=BLUE, base=2, label="computing")
    right.loglog(processes[1:], np.multiply(1000, sending[1:]), "s--", color=RED, base=2, label="sending")
    right.set(ylabel="ms a step", yscale="log")
    for ax in (left, right):
        ax.axvline(n, color=ORANGE, linewidth=1)
        ax.set(xlabel="processes", xticks=processes[::2], xticklabels=processes[::2])
        ax.legend(frameon=False)
    return picture


def growth(sizes: Sequence[float], named: Mapping[str, Sequence[float]], alt: str, xlabel: str, ylabel: str) -> Picture:
    """How several quantities grow with a size, on logarithmic axes: a power of it is a straight line, and its slope the power."""
    picture, ax = _picture(alt, height=3.4)
    for (name, values), color, marker in zip(named.items(), (BLUE, ORANGE, GREEN, RED), "osd^", strict=False):
        ax.loglog(sizes, values, color=color, marker=marker, markersize=5, linewidth=1.2, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False)
    return picture


def scores(board: Sequence[Score], alt: str) -> Picture:
    """Scores as bars: accuracy, and bits per sample."""
    picture, (left, right) = _picture(alt, columns=2, height=2.2, width=9.5, sharey=True)
    names = [score.name for score in board][::-1]
    colors = [RED if name == "this model" else GREY for name in names]
    for ax, values, label, form in (
        (left, [100 * score.accuracy for score in board], "accuracy in % (higher is better)", "%.1f"),
        (right, [score.bits for score in board], "bits per sample (lower is better)", "%.3f"),
    ):
        bars = ax.barh(names, values[::-1], color=colors)
        ax.bar_label(bars, fmt=form, padding=3)
        ax.margins(x=0.18)
        ax.set(xlabel=label)
    return picture


def search(
    bits: Sequence[float], pruned: Sequence[bool], parameters: Sequence[int], deltas: Sequence[int], bigram: float
) -> Picture:
    """What a search found: bits per sample of its trials in their order, with the best up to each, and against their parameters and Δ.

    Args:
        bits: of each trial; NaN where there are none.
        pruned: whether it was stopped early, which crosses say.
        parameters, deltas: of each.
        bigram: bits per sample of what needs no network.
    """
    values, ended = np.asarray(bits, dtype=float), ~np.asarray(pruned, dtype=bool)
    done = np.where(ended, values, np.inf)
    found = f"the best {done.min():.3f}, by trial {done.argmin() + 1}" if ended.any() else "none done"
    picture, axes = _picture(
        f"Bits per sample of {len(values)} trials in their order, against parameters and against Δ: {found}; crosses are the {(~ended).sum()} that were stopped "
        f"early; a bigram model has {bigram:.3f}.",
        columns=3,
        width=10.5,
        height=3.0,
        sharey=True,
    )
    order = np.arange(1, len(values) + 1)
    best = np.minimum.accumulate(done)
    axes[0].step(order, np.where(np.isfinite(best), best, np.nan), where="post", color=BLUE, label="best so far")
    for ax, x, label in zip(axes, (order, parameters, deltas), ("trial", "parameters", "Δ"), strict=True):
        x = np.asarray(x)
        ax.plot(x[ended], values[ended], "o", color=BLUE, markersize=5, label="trained to its end")
        ax.plot(x[~ended], values[~ended], "x", color=RED, markersize=6, label="stopped early")
        ax.axhline(bigram, color=ORANGE, linestyle=":", label="bigram model")
        ax.set(xlabel=label)
        if len(x) and label != "trial":
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter("{x:,.0f}")
            ax.xaxis.set_minor_formatter("")
    axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set(ylabel="bits per sample")
    axes[2].legend(*axes[0].get_legend_handles_labels(), frameon=False, fontsize=8)
    return picture


def _rows(alt: str, n: int, height: float, **options: Any) -> tuple[Picture, Any]:
    """Panels under one another, over one axis of seconds."""
    picture, _ = _picture(alt, height=0.3 + height * n)
    picture.clear()
    axes = picture.subplots(n, 1, sharex=True, squeeze=False, **options)[:, 0]
    axes[-1].set(xlabel="seconds")
    return picture, axes


def waveforms(named: dict[str, Tensor], sample_rate: int, alt: str) -> Picture:
    """Waveforms (time,) under one another, on the same scale."""
    picture, axes = _rows(alt, len(named), 1.3, sharey=True)
    for ax, (name, waveform) in zip(axes, named.items(), strict=True):
        ax.plot(np.arange(len(waveform)) / sample_rate, waveform, color=BLUE, linewidth=0.6)
        ax.set_title(name, loc="left", fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    return picture


def frames(named: Mapping[str, Tensor], hop: int, sample_rate: int, alt: str) -> Picture:
    """Mel frames (bands, n_frames) under one another, the lowest band at the bottom, all on one scale of greys."""
    picture, axes = _rows(alt, len(named), 1.5)
    least, most = (float(of([f(x) for x in named.values()])) for of, f in ((min, torch.min), (max, torch.max)))
    for ax, (name, values) in zip(axes, named.items(), strict=True):
        n_channels, n = values.shape
        seconds = n * hop / sample_rate
        image = ax.imshow(
            np.asarray(values),
            aspect="auto",
            origin="lower",
            cmap="Greys",
            vmin=least,
            vmax=most,
            extent=(0, seconds, -0.5, n_channels - 0.5),
        )
        ax.set_title(name, loc="left", fontsize=9)
        ax.set(ylabel="mel band")
    picture.colorbar(image, ax=list(axes), label="log strength", aspect=12 * len(named))
    return picture


def distributions(named: Mapping[str, Tensor], came: int, alt: str) -> Picture:
    """Probabilities of the codes, (levels,), as several heads give them at one moment, and the code that ``came`` then."""
    picture, axes = _picture(alt, columns=len(named), height=2.4, width=10.0, sharey=True)
    for ax, (name, p) in zip(np.ravel(axes), named.items(), strict=True):
        ax.fill_between(np.arange(len(p)), p, step="mid", color=BLUE, alpha=0.6, linewidth=0)
        ax.plot(came, 0, marker="^", color=RED, markersize=8, clip_on=False)
        ax.set_title(name, loc="left", fontsize=9)
        ax.set(xlabel="code")
    np.ravel(axes)[0].set(ylabel="probability")
    return picture
