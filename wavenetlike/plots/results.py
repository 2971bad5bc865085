"""Pictures of what trainings, searches and measurements gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from wavenetlike.analysis import Score
from wavenetlike.plots.picture import BLUE, GREEN, GREY, ORANGE, RED, Picture, drawn
from wavenetlike.train import Expected, History

MOST_NUMBERED = 30
"""Trials of a search whose numbers stand beside their dots; of more they would hide one another."""
WIDE = 4
"""Times the least that the largest value must be for a logarithmic axis."""


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
    picture, ax = drawn(alt)
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
    picture, axes = drawn(
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
    picture, (left, right) = drawn(
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
    picture, ax = drawn(alt, height=3.4)
    for (name, values), color, marker in zip(named.items(), (BLUE, ORANGE, GREEN, RED), "osd^", strict=False):
        ax.loglog(sizes, values, color=color, marker=marker, markersize=5, linewidth=1.2, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False)
    return picture


def scores(board: Sequence[Score], alt: str) -> Picture:
    """Scores as bars: accuracy, and bits per sample."""
    picture, (left, right) = drawn(alt, columns=2, height=2.2, width=9.5, sharey=True)
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

    Raises:
        ValueError: they are not equally many.
    """
    if len({len(bits), len(pruned), len(parameters), len(deltas)}) > 1:
        raise ValueError(
            f"There are {len(bits)} bits, {len(pruned)} pruned, {len(parameters)} parameters and {len(deltas)} deltas; each trial has one of each: pass **found.curves."
        )
    values, ended = np.asarray(bits, dtype=float), ~np.asarray(pruned, dtype=bool)
    done = np.where(ended, values, np.inf)
    found = f"the best {done.min():.3f}, by trial {done.argmin() + 1}" if ended.any() else "none done"
    picture, axes = drawn(
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
        if not ended.all():
            ax.plot(x[~ended], values[~ended], "x", color=RED, markersize=6, label="stopped early")
        ax.axhline(bigram, color=ORANGE, linestyle=":", label="bigram model")
        ax.set(xlabel=label)
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        if label != "trial":
            _number(ax, x, values)
            if np.isfinite(values).any() and x.max() > WIDE * x.min():
                ax.set_xscale("log")
                ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=5))
                ax.xaxis.set_minor_formatter("")
            ax.xaxis.set_major_formatter("{x:,.0f}")
    axes[0].set(ylabel="bits per sample")
    axes[2].legend(*axes[0].get_legend_handles_labels(), frameon=False, fontsize=8)
    return picture


def _number(ax: Any, x: np.ndarray, values: np.ndarray) -> None:
    """The number of each trial beside its dot."""
    for i, (across, up) in enumerate(zip(x, values, strict=True), 1):
        if len(x) <= MOST_NUMBERED and np.isfinite(up):
            ax.annotate(f"{i}", (across, up), xytext=(4, 3), textcoords="offset points", fontsize=7, color=GREY)
