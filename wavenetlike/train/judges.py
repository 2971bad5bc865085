"""Judging a model while it learns, on clips that it does not learn from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from torch import Tensor

from wavenetlike.analysis import Score, baselines, tally
from wavenetlike.data import Codes, Conditions
from wavenetlike.models import WaveNet
from wavenetlike.train.devices import Devices
from wavenetlike.train.history import Judged


class Judges:
    """Codes of clips, each process with its share of them.

    Clips longer than Δ are judged where all of Δ is known; if there are none, all codes but the first of each clip are.

    Args:
        codes: the clips.
        model: to be judged.
        most: clips at most, the first ones; None: all.
        conditions: what the clips are conditioned on.
    """

    def __init__(self, codes: Codes, model: WaveNet, most: int | None = None, conditions: Conditions | None = None):
        delta = model.receptive_field
        self.codes, self.levels, self.conditions = codes, model.config.levels, conditions
        self.start = delta if codes.lengths.max() > delta else 1
        self.clips = np.flatnonzero(codes.lengths > self.start)[:most].tolist()

    def __iter__(self) -> Iterator[Tensor]:
        return (self.codes[i] for i in self.clips)

    def baselines(self) -> list[Score]:
        """What needs no network, on these clips; none, if they have one sample each."""
        return baselines(self, self.levels, self.start) if self.clips else []

    def judge(self, model: WaveNet, step: int, here: Devices) -> Judged:
        """All of them, by all processes."""
        hits, bits, n = 0, 0.0, 0
        for i in self.clips[here.rank :: here.n]:
            more_hits, more_bits, more = tally(model, self.codes[i], self.start, self.conditions, i)
            hits, bits, n = hits + more_hits, bits + more_bits, n + more
        total_hits, total_bits, total = here.total(hits, bits, n)
        return Judged(step, total_bits / total, total_hits / total)


def held_out_judges(codes: Codes, model: WaveNet, conditions: Conditions | None = None) -> Judges:
    """Judges of all clips that were kept aside.

    Raises:
        ValueError: clips of one sample each.
    """
    judges = Judges(codes, model, conditions=conditions)
    if not judges.clips:
        raise ValueError(
            "The held-out clips have one sample each; they need at least two, some past and a code to predict: pass longer ones."
        )
    if n_short := len(codes) - len(judges.clips):
        warnings.warn(
            f"{n_short} of {len(codes)} held-out clips are not longer than {judges.start} samples, and do not count.",
            stacklevel=3,
        )
    return judges
