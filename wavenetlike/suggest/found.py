"""What `search` answers: the models that were tried, and the best of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from wavenetlike.models import WaveNetConfig
from wavenetlike.tables import table_html, table_lines

COLUMNS = [
    "trial",
    "bits",
    "Δ",
    "γ",
    "parameters",
    "blocks × layers",
    "kernel",
    "channels",
    "learning rate",
    "steps",
    "time",
]


@dataclasses.dataclass(frozen=True)
class Trial:
    """A model that was tried.

    Args:
        number: from 1 on, in the order of the search.
        config: builds it.
        learning_rate: of `train.train`.
        bits: per sample on the held-out clips when it ended; NaN if it diverged before it was judged.
        steps: after which it was judged last.
        seconds: that it took.
        pruned: whether it was stopped early, because it was worse than others at the same step, or diverged.
    """

    number: int
    config: WaveNetConfig
    learning_rate: float
    bits: float
    steps: int
    seconds: float
    pruned: bool


@dataclasses.dataclass(frozen=True)
class Search:
    """What `search` found; prints as a table, the best first, in a terminal and in a notebook.

    Args:
        trials: all that were done or pruned, in their order.
        steps, window: of each training.
        bigram: bits per sample of a bigram model on the same samples: what needs no network.
        study: Optuna's, for its plots: ``optuna.visualization.plot_param_importances(found.study)``.
    """

    trials: tuple[Trial, ...]
    steps: int
    window: int
    bigram: float
    study: Any = dataclasses.field(repr=False, compare=False)

    @property
    def best(self) -> Trial:
        """The trial with the fewest bits of those that were trained to their end, the first of them.

        Raises:
            ValueError: none was.
        """
        done = [trial for trial in self.trials if not trial.pruned]
        if not done:
            raise ValueError(
                f"None of {len(self.trials)} trials was trained to its end, so none is the best; search on, with the same storage where there is one."
            )
        return min(done, key=lambda trial: trial.bits)

    @property
    def config(self) -> WaveNetConfig:
        """Of the best: ``WaveNet(found.config)``."""
        return self.best.config

    @property
    def bits(self) -> float:
        """Per sample, of the best."""
        return self.best.bits

    @property
    def recipe(self) -> dict[str, Any]:
        """Options of `train.train` that the best was trained with; more steps make it better."""
        return {"steps": self.steps, "window": self.window, "learning_rate": self.best.learning_rate}

    @property
    def n_pruned(self) -> int:
        """Trials that were stopped early."""
        return sum(trial.pruned for trial in self.trials)

    @property
    def n_done(self) -> int:
        """Trials that were trained to their end."""
        return len(self.trials) - self.n_pruned

    @property
    def curves(self) -> dict[str, Any]:
        """What `plots.search` draws: ``plots.search(**found.curves)``."""
        return {
            "bits": [trial.bits for trial in self.trials],
            "pruned": [trial.pruned for trial in self.trials],
            "parameters": [trial.config.parameters for trial in self.trials],
            "deltas": [trial.config.receptive_field for trial in self.trials],
            "bigram": self.bigram,
        }

    def rows(self) -> Iterator[list[str]]:
        """The table, a row each, under `COLUMNS`; those that were pruned are last, with a ✂."""
        for trial in sorted(self.trials, key=lambda trial: (trial.pruned, math.isnan(trial.bits), trial.bits)):
            config = trial.config
            yield [
                f"{trial.number}{' ✂' if trial.pruned else ''}",
                "–" if math.isnan(trial.bits) else f"{trial.bits:.3f}",
                f"{config.receptive_field:,}",
                f"{config.gamma:,.0f}",
                f"{config.parameters:,}",
                f"{config.n_blocks} × {config.n_layers}",
                f"{config.kernel_length}",
                f"{config.residual_channels}",
                f"{trial.learning_rate:.2g}",
                f"{trial.steps:,}",
                f"{trial.seconds:.0f} s",
            ]

    @property
    def _caption(self) -> str:
        done = f"{self.n_done} trials of {self.steps:,} steps and {self.n_pruned} stopped early (✂)"
        return f"{done}, the best first; a bigram model has {self.bigram:.3f} bits per sample."

    def __repr__(self) -> str:
        return "\n".join([*table_lines(COLUMNS, self.rows()), self._caption])

    def _repr_html_(self) -> str:
        return table_html(COLUMNS, self.rows(), self._caption)
