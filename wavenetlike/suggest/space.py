"""What `search` may try: every stack that reaches a suggested Δ, in every width that the data can fill."""

from __future__ import annotations

import dataclasses
import itertools
from functools import cached_property
from typing import Any

from wavenetlike.models import WaveNetConfig
from wavenetlike.suggest.shapes import DEEPEST, WIDTHS

KERNELS = (2, 3, 4)
"""Taps to choose from, beside those of the suggestions."""
MOST_BLOCKS = 4
"""Blocks at most, where these reach Δ."""
RATES = (1e-3, 3e-2)
"""Learning rates, least and most."""


@dataclasses.dataclass(frozen=True)
class Space:
    """All configs that may be tried.

    Args:
        starts: those to begin with; no Δ is smaller than all of theirs.
        most: parameters at most; the narrowest is allowed in any case.
    """

    starts: tuple[WaveNetConfig, ...]
    most: int

    @cached_property
    def deltas(self) -> list[int]:
        """Δ that must be reached."""
        return sorted({config.receptive_field for config in self.starts})

    @cached_property
    def widths(self) -> list[int]:
        return sorted({*WIDTHS, *(config.residual_channels for config in self.starts)})

    @cached_property
    def kernels(self) -> list[int]:
        return sorted({*KERNELS, *(config.kernel_length for config in self.starts)})

    @cached_property
    def longest(self) -> int:
        """The largest Δ of all."""
        every = itertools.product(self.deltas, self.kernels, range(1, MOST_BLOCKS + 1))
        return max(
            self.config(delta, self.widths[0], blocks, kernel).receptive_field for delta, kernel, blocks in every
        )

    def config(self, delta: int, width: int, blocks: int, kernel: int) -> WaveNetConfig:
        """The least layers of that kernel that reach ``delta``, in so many blocks, or more where these do not suffice; as wide as is allowed, up to ``width``."""
        kernel = max(kernel, 2) if delta > 1 else kernel
        start = next(config for config in self.starts if config.receptive_field == delta)
        deep = next(
            config
            for n in itertools.count(blocks)
            for layers in range(1, DEEPEST + 1)
            if (config := _stacked(start, n, layers, kernel)).receptive_field >= delta
        )
        found = [_wide(deep, each) for each in self.widths if each <= width]
        return ([config for config in found if config.parameters <= self.most] or found[:1])[-1]

    def ask(self, trial: Any) -> tuple[WaveNetConfig, float]:
        """A config and a learning rate, as Optuna's trial chooses them."""
        config = self.config(
            trial.suggest_categorical("Δ", self.deltas),
            trial.suggest_categorical("width", self.widths),
            trial.suggest_int("blocks", 1, MOST_BLOCKS),
            trial.suggest_categorical("kernel", self.kernels),
        )
        return config, trial.suggest_float("learning rate", *RATES, log=True)

    def identity(self) -> dict[str, Any]:
        """What the choices of an earlier search must agree in; where it began does not matter."""
        kinds = sorted({_wide(_stacked(config, 1, 1, 1), 1).to_json() for config in self.starts})
        return {"deltas": self.deltas, "widths": self.widths, "kernels": self.kernels, "parameters": self.most, "kinds": kinds}  # fmt: skip


def _stacked(config: WaveNetConfig, blocks: int, layers: int, kernel: int) -> WaveNetConfig:
    return dataclasses.replace(config, n_blocks=blocks, n_layers=layers, kernel_length=kernel, dilation_rate=2)


def _wide(config: WaveNetConfig, width: int) -> WaveNetConfig:
    return dataclasses.replace(config, residual_channels=width, gate_channels=width, skip_channels=4 * width)


def point(config: WaveNetConfig, rate: float) -> dict[str, Any]:
    """What Optuna would have to choose for `Space.config` to give this one."""
    return {
        "Δ": config.receptive_field,
        "width": config.residual_channels,
        "blocks": min(config.n_blocks, MOST_BLOCKS),
        "kernel": config.kernel_length,
        "learning rate": min(max(rate, RATES[0]), RATES[1]),
    }
