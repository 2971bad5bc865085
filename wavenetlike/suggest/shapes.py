"""From Δ and a size to a `WaveNetConfig`."""

from __future__ import annotations

from wavenetlike.models import WaveNetConfig
from wavenetlike.suggest.spans import LONGEST_KERNEL, Span

WIDTHS = (4, 8, 12, 16, 24, 32, 48, 64)
"""Channels of a layer to choose from; the part that all layers share has four times as many."""
DEEPEST = 10
"""Layers of a block at most, as in the paper: dilations up to 512."""
PER_CODE = 200
"""Samples for every level from which on a probability for each code can be learned."""


def shape(span: Span, width: int, levels: int, n_samples: int) -> WaveNetConfig:
    """The model of that Δ, or of the next larger one that dilations give: one kernel where that is all, else a dilated stack of kernel 2.

    Args:
        span: how far back.
        width: channels of each layer.
        levels: µ-law codes.
        n_samples: that there are to learn from; of few, a density learns more than a probability for each code.
    """
    head = "softmax" if n_samples >= PER_CODE * levels else "logistics"
    n_blocks, n_layers, kernel = (
        (1, 1, span.delta) if span.exact and span.delta <= LONGEST_KERNEL else (*stack(span.delta, span.n_blocks), 2)
    )
    return WaveNetConfig(
        levels=levels, n_blocks=n_blocks, n_layers=n_layers, kernel_length=kernel,
        residual_channels=width, gate_channels=width, skip_channels=4 * width, head=head, n_mixtures=5,
    )  # fmt: skip


def stack(delta: int, least: int = 1) -> tuple[int, int]:
    """(blocks, layers a block) of kernel 2 and dilations 1, 2, 4 … whose Δ is the least that reaches ``delta``, of at most ten layers a block and ``least`` blocks."""
    reached = {
        (1 + blocks * (2**layers - 1), blocks * layers, blocks, layers)
        for layers in range(1, DEEPEST + 1)
        for blocks in range(least, 9)
        if 1 + blocks * (2**layers - 1) >= delta
    }
    if not reached:  # more than eight blocks of ten
        return -(-(delta - 1) // (2**DEEPEST - 1)), DEEPEST
    # Few layers first: γ is for a given Δ the smaller the fewer blocks share it, and each layer costs time.
    _, _, blocks, layers = min(reached, key=lambda each: (each[1], each[0]))
    return blocks, layers
