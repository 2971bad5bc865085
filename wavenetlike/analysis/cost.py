"""What a generated sample costs, by arithmetic: columns computed, and numbers remembered."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from wavenetlike.layers import compose, reach
from wavenetlike.models import WaveNetConfig


class SampleCost(NamedTuple):
    """Of one sample: columns that the naive and the cached method compute, and numbers that the second keeps in its queues."""

    naive: int
    cached: int
    queued: int


def sample_cost(config: WaveNetConfig) -> SampleCost:
    """Fast WaveNet's count (Paine et al., 2016, section 2), derived in docs/mathematics.md: Σ_i (Δ - Σ_{j≤i} (Δ_j - 1)) against one column a layer.

    A column is what one convolution that looks back computes at one instant: filter and gate of a layer, or the first convolution if
    there is one. A context stack is left out, as its columns serve many samples. Taught in notebooks/07_fast_generation.ipynb.

    Args:
        config: of the model.

    >>> sample_cost(WaveNetConfig())
    SampleCost(naive=55302, cached=30, queued=98208)
    """
    first = [reach(config.first_kernel_length, 1)] if config.first_kernel_length > 1 else []
    reaches = [*first, *(reach(config.kernel_length, dilation) for dilation in config.dilations)]
    looked_back = list(itertools.accumulate(delta - 1 for delta in reaches))
    return SampleCost(
        sum(compose(reaches) - lags for lags in looked_back), len(reaches), config.residual_channels * looked_back[-1]
    )
