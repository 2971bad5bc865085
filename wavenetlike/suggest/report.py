"""What `suggest` answers: models, the best first, each with its figures and its reasons."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Iterator, Sequence
from typing import Any, overload

from wavenetlike.analysis import DatasetReport
from wavenetlike.models import WaveNetConfig
from wavenetlike.tables import table_html, table_lines

COLUMNS = ["rank", "Δ", "γ", "depth", "parameters", "steps", "training", "samples a second", "real time"]


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A model to try.

    Args:
        config: builds it: ``WaveNet(suggestion.config)``.
        steps, window, learning_rate: of `train.train`; see ``recipe``.
        step_seconds: of one training step of one window on this machine, measured.
        samples_per_second: that `generate` makes on this machine, measured.
        sample_rate: in Hz, or None.
        reasons: sentences.
    """

    config: WaveNetConfig
    steps: int
    window: int
    learning_rate: float
    step_seconds: float
    samples_per_second: float
    sample_rate: float | None
    reasons: tuple[str, ...]

    @property
    def delta(self) -> int:
        """Δ in samples."""
        return self.config.receptive_field

    @property
    def gamma(self) -> float:
        """γ: parameters per layer of depth."""
        return self.config.gamma

    @property
    def depth(self) -> int:
        return self.config.depth

    @property
    def parameters(self) -> int:
        return self.config.parameters

    @property
    def training_seconds(self) -> float:
        """All steps, at the pace that was measured."""
        return self.steps * self.step_seconds

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of sound made a second, above 1 faster than it is heard; None where no sample rate is known."""
        return self.samples_per_second / self.sample_rate if self.sample_rate else None

    @property
    def recipe(self) -> dict[str, Any]:
        """Options of `train.train`: ``train.train(WaveNet(suggestion.config), dataset, **suggestion.recipe)``."""
        return {"steps": self.steps, "window": self.window, "learning_rate": self.learning_rate}

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers and text, ready for ``json.dumps``."""
        shown = ("delta", "gamma", "depth", "parameters", "training_seconds", "real_time_factor")
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        config = json.loads(self.config.to_json())
        return own | {"config": config, "reasons": list(self.reasons)} | {name: getattr(self, name) for name in shown}


class Suggestions(Sequence[Suggestion]):
    """Ranked, the best first; prints as a table with reasons in a terminal and in a notebook.

    Args:
        every: the suggestions.
        data: the report that they follow from.
        budget: seconds of training that were asked for.
    """

    def __init__(self, every: Sequence[Suggestion], data: DatasetReport, budget: float):
        self._every, self.data, self.budget = tuple(every), data, budget

    @overload
    def __getitem__(self, index: int) -> Suggestion: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Suggestion]: ...
    def __getitem__(self, index: int | slice) -> Suggestion | Sequence[Suggestion]:
        return self._every[index]

    def __len__(self) -> int:
        return len(self._every)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and text, ready for ``json.dumps``."""
        return {
            "budget": self.budget,
            "suggestions": [each.as_dict() for each in self],
            "data": self.data.as_dict(),
        }

    def rows(self) -> Iterator[list[str]]:
        """The table, a row each, under `COLUMNS`."""
        for i, each in enumerate(self, 1):
            ms = f" = {1000 * each.delta / each.sample_rate:,.3g} ms" if each.sample_rate else ""
            factor = each.real_time_factor
            yield [
                f"{i}",
                f"{each.delta:,}{ms}",
                f"{each.gamma:,.0f}",
                f"{each.depth}",
                f"{each.parameters:,}",
                f"{each.steps:,}",
                _time(each.training_seconds),
                f"{each.samples_per_second:,.0f}",
                f"{factor:.2g} ×" if factor else "–",
            ]

    def __repr__(self) -> str:
        reasons = [f"{i}. {' '.join(each.reasons)}" for i, each in enumerate(self, 1)]
        return "\n".join([*table_lines(COLUMNS, self.rows()), *reasons])

    def _repr_html_(self) -> str:
        reasons = "".join(f"<li>{html.escape(' '.join(each.reasons))}</li>" for each in self)
        return (
            table_html(COLUMNS, self.rows(), "Models to try, the best first, measured on this machine")
            + f"<ol>{reasons}</ol>"
        )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
