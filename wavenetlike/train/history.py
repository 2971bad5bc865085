"""What a training saw, and whether that is what one should expect."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import NamedTuple

from wavenetlike.analysis import Score
from wavenetlike.checks import check_choice


class Judged(NamedTuple):
    """How well the model did on the held-out clips after ``step`` steps: bits per sample, and the part of hits."""

    step: int
    bits: float
    accuracy: float


@dataclasses.dataclass
class History:
    """What `train` saw.

    Attributes:
        bits: the loss of every step, in bits per sample.
        accuracy: of every step: the part of its targets that were the likeliest code.
        held_out: every judgement on the held-out clips.
        baselines: what needs no network, on the held-out clips, or without any on (at most 100 of) those that are trained on.
        seconds: that the training took, over all of its parts if it was resumed.
        end: why it is over: "" (all of it was done), "stopped" (by the user) or "patience" (no better on held-out clips).
    """

    bits: list[float] = dataclasses.field(default_factory=list)
    accuracy: list[float] = dataclasses.field(default_factory=list)
    held_out: list[Judged] = dataclasses.field(default_factory=list)
    baselines: list[Score] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    end: str = ""

    @property
    def stopped(self) -> bool:
        """Whether the user ended it before it was done."""
        return self.end == "stopped"

    @property
    def best(self) -> Judged | None:
        """The judgement with the fewest bits, the first of them."""
        return min(self.held_out, key=lambda judged: judged.bits, default=None)

    def __repr__(self) -> str:
        if not self.bits:
            return "History(no steps)"
        held_out = f", {self.held_out[-1].bits:.2f} on held-out clips" if self.held_out else ""
        end = {"": "", "stopped": ", stopped", "patience": ", ended early"}[self.end]
        return (
            f"History({len(self.bits)} steps, {self.bits[0]:.2f} → {self.bits[-1]:.2f} bits per sample{held_out}{end})"
        )


EXPECTED = Path(__file__).parent / "expected.json"
NEAR = 20
"""Steps before and up to one over which a loss is averaged: single windows differ more than runs do."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """What the loss of a preset on the bundled clips was, for three seeds; scripts/expected_curves.py trained them.

    Attributes:
        steps: rising, every 20th.
        low, high: least and most bits per sample over the seeds, each the mean over the last 20 steps.
        recipe: what the runs were trained with, as `train` is called.
    """

    steps: list[int]
    low: list[float]
    high: list[float]
    recipe: dict[str, float]

    def judge(self, history: History) -> str:
        """One sentence: is the loss of ``history``, of a run with this recipe on these clips, normal?

        Half as far again as the seeds lie apart counts as normal.

        Raises:
            TypeError: no `History`.
        """
        if not isinstance(history, History):
            raise TypeError(f"The history is a {type(history).__name__}; it must be what train.train returned.")
        known = [i for i, step in enumerate(self.steps) if step <= len(history.bits)]
        if not known:
            return f"After {len(history.bits)} steps it is too early to say; from {self.steps[0]} on there is something to compare with."
        step, low, high = self.steps[known[-1]], self.low[known[-1]], self.high[known[-1]]
        bits = sum(history.bits[step - NEAR : step]) / NEAR
        margin = (high - low) / 2
        if not math.isfinite(bits):
            verdict = "that is no finite number, so begin anew with a learning rate a tenth of this one"
        elif bits > high + margin:
            verdict = "that is more, so look for another learning rate, other clips, or too few samples in a step"
        elif bits < low - margin:
            verdict = "that is less, so look for easier clips, or weights that were trained before"
        else:
            verdict = "that is normal"
        return f"After {step} steps {bits:.2f} bits per sample, where {low:.2f} to {high:.2f} is usual: {verdict}."


def expected(name: str = "toy", clips: int = 60) -> Expected:
    """The curve that a preset usually follows on the bundled clips. Taught in notebooks/04_full_wavenet.ipynb.

    Args:
        name: "toy" (`build_wavenet_toy`, 1000 steps) or "wavenet" (`build_wavenet`, 120 steps).
        clips: 5 for the first five, or 60 for those that `data.hold_out` leaves to train on.

    Raises:
        ValueError: another name or number.
    """
    curves = json.loads(EXPECTED.read_text(encoding="utf-8"))
    check_choice("name", name, list(curves))
    check_choice("clips", clips, [int(n) for n in curves[name]])
    return Expected(**curves[name][str(clips)])
