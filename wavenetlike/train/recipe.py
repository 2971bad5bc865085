"""How a model is trained, checked when it is made; travels in every checkpoint."""

from __future__ import annotations

import dataclasses
import math
from numbers import Real

import numpy as np

from wavenetlike.checks import check_between, check_choice, check_int, check_positive
from wavenetlike.names import PRECISIONS, SCHEDULES, Precision, Schedule

WARM_UP = 10
"""Steps over which the learning rate rises."""
LARGEST_RATE = 1e30
"""A step of Adam changes a weight by about the learning rate, and float32 ends at 3e38."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that decides what is learned, beside the model and the clips; `train` says what each means.

    Raises:
        TypeError, ValueError: a field out of its range.
    """

    steps: int | None
    seconds: float | None
    window: int
    batch_size: int
    learning_rate: float
    schedule: Schedule
    clip: float | None
    ema: float | None
    precision: Precision
    compiled: bool
    evaluate_every: int
    patience: int | None
    seed: int

    def __post_init__(self) -> None:
        if self.steps is not None:
            check_int("steps", self.steps, 1, "400 train the toy, or leave it out and give seconds", 10**12)
        check_int("window", self.window, 1, "4000 is a quarter of a second at 16 kHz", 10**9)
        check_int("batch_size", self.batch_size, 1, "1 is enough on a laptop", 10**6)
        check_int("evaluate_every", self.evaluate_every, 1, "100 costs little with a few clips")
        check_int("seed", self.seed, 0, "any such number")
        if self.seconds is not None:
            check_positive("seconds", self.seconds, "60")
        check_positive("learning_rate", self.learning_rate, "0.006")
        if float(self.learning_rate) > LARGEST_RATE:
            raise ValueError(
                f"learning_rate={self.learning_rate} takes weights beyond what floats hold in a few steps; it must be at most {LARGEST_RATE:g}: try 0.006."
            )
        if self.clip is not None:
            check_positive("clip", self.clip, "1, or None not to clip")
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("precision", self.precision, PRECISIONS)
        if not isinstance(self.compiled, (bool, np.bool_)):
            raise TypeError(
                f"compiled={self.compiled!r} is a {type(self.compiled).__name__}; it must be True or False."
            )
        if self.ema is not None:
            check_between("ema", self.ema, 0, 1, "0.999 averages over some 1000 steps")
        if self.patience is not None:
            check_int("patience", self.patience, 1, "5 waits for five judgements that are no better")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.generic):  # which has no JSON
                object.__setattr__(self, field.name, value.item())
            elif isinstance(value, Real) and not isinstance(value, (int, float)):  # a fraction
                object.__setattr__(self, field.name, float(value))

    def done(self, step: int, elapsed: float) -> float:
        """The part of the training that is over after ``step`` steps and ``elapsed`` seconds: 0 at first, 1 or more at the end."""
        return max(step / self.steps if self.steps else 0.0, elapsed / self.seconds if self.seconds else 0.0)

    def rate(self, step: int, done: float) -> float:
        """The learning rate of step ``step``, counted from 0."""
        fall = {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}[self.schedule]
        return self.learning_rate * min((step + 1) / WARM_UP, fall)
