"""Pictures of receptive fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from wavenetlike.layers import compose, reach
from wavenetlike.models import WaveNetConfig
from wavenetlike.plots.picture import BLUE, GREY, ORANGE, RED, Picture, drawn

MOST_LAGS = 200
"""A tree that is wider is drawn with this many of its branches, spread over all of it."""


def dilated_tree(config: WaveNetConfig) -> Picture:
    """Which inputs one output depends on, layer by layer, the past to the left."""
    delta = config.receptive_field
    picture, ax = drawn(
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
    picture, ax = drawn(
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
    picture, (tree, plane) = drawn(
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
    picture, ax = drawn(
        f"The measured dependence of one output on each of {len(profile)} past inputs, on a logarithmic axis: {last}, "
        f"beside a line at Δ = {delta}."
    )
    values = np.where(profile > 0, profile, np.nan)
    ax.semilogy(values, ".", color=BLUE, markersize=3)
    ax.axvline(delta - 0.5, color=RED, linestyle="--", label=f"Δ = {delta}")
    ax.set(xlabel="lag (samples ago)", ylabel="|∂ output / ∂ input|", xlim=(-0.02 * len(profile), len(profile)))
    ax.legend(frameon=False)
    return picture
