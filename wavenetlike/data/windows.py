"""Training examples: windows of Δ + n codes that never cross a clip."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wavenetlike.checks import check_int
from wavenetlike.data.codes import Codes
from wavenetlike.quantize import MuLaw


class Window(NamedTuple):
    """Codes, int64 of shape (…, Δ + n), and which of the last n are targets, bool of shape (…, n); which clip they are of, and when they begin.

    The time is in samples since the clip began, negative where silence stands before it; both are int64 of shape (…).
    """

    codes: Tensor
    targets: Tensor
    clip: Tensor
    time: Tensor


class Windows(Dataset[Window]):
    """Windows of Δ + n codes in which every target of every clip stands exactly once, in an order that depends on the seed.

    ```
    clip      ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁      its first Δ codes are no targets: part of their past is unknown
    window 0  |---- Δ ----|tttttttt|
    window 1           |---- Δ ----|tttttttt|      as many targets in each as can be, at most n
    ```

    A window holds only codes of its own clip. Where a clip is shorter than Δ + n, silence stands before it, and only
    codes that it really holds are targets: those with all of their Δ past codes, or, in a clip that is not longer than Δ and
    has none such, all of its codes, after silence. ``n_short`` counts those clips.

    Args:
        codes: the clips.
        delta: receptive field of the model that is to see them, at least 1.
        n: targets in a window, at least 1.
        seed: of the order, at least 0.
    """

    def __init__(self, codes: Codes, delta: int, n: int, seed: int = 0):
        check_int("delta", delta, 1, "analysis.delta(model) is the model's")
        check_int("n", n, 1, "4000 is a quarter of a second at 16 kHz")
        check_int("seed", seed, 0, "any such number")
        self.codes, self.delta, self.n, self.seed = codes, delta, n, seed
        lengths = codes.lengths
        self._n_targets = np.where(lengths > delta, lengths - delta, lengths)
        self._ends = np.cumsum(-(-self._n_targets // n))
        self.n_short = int((lengths <= delta).sum())
        self._silence = MuLaw(codes.levels).silence
        self._order = functools.lru_cache(maxsize=2)(self._permutation)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Window:
        index = range(len(self))[index]
        clip, first, stop = self._place(index)
        begin = max(0, stop - self.delta - self.n)
        codes = torch.full((self.delta + self.n,), self._silence)
        codes[len(codes) - (stop - begin) :] = self.codes.read(clip, begin, stop)
        targets = torch.zeros(self.n, dtype=torch.bool)
        targets[self.n - (stop - first) :] = True
        return Window(codes, targets, torch.tensor(clip), torch.tensor(stop - len(codes)))

    def _place(self, index: int) -> tuple[int, int, int]:
        """Which clip a window is in, and where its first target is and its last ends."""
        clip = int(np.searchsorted(self._ends, index, side="right"))
        before = int(self._ends[clip - 1]) if clip else 0
        part, parts = index - before, int(self._ends[clip]) - before
        total, length = int(self._n_targets[clip]), int(self.codes.lengths[clip])
        first, stop = (length - total + total * i // parts for i in (part, part + 1))
        return clip, first, stop

    def _permutation(self, epoch: int) -> np.ndarray:
        # Not torch's generator: it keeps only 32 bits of its seed, too few for both numbers.
        mixed = np.random.SeedSequence(self.seed, spawn_key=(epoch,))
        return np.random.default_rng(mixed).permutation(len(self)).astype(np.uint32)

    def batch(self, step: int, batch_size: int, rank: int = 0, n: int = 1, fixed: bool = False) -> Window:
        """The windows of training step ``step``, a function of (seed, step) alone: each window once before any comes again.

        Of ``n`` processes the one of this ``rank`` gets its share, at least one window if ``batch_size`` ≥ ``n``. The batch is as long as the
        longest of its windows needs, or, if ``fixed``, always the same, for what is compiled for one length.
        """
        windows = [self[index] for index in self._chosen(step, batch_size)[rank::n]]
        codes, targets, clip, time = (torch.stack(parts) for parts in zip(*windows, strict=True))
        unused = 0 if fixed else self.n - int(targets.sum(dim=1).max())
        return Window(codes[:, unused:], targets[:, unused:], clip, time + unused)

    def n_targets(self, step: int, batch_size: int) -> int:
        """How many targets there are in the batch of all processes together."""
        places = (self._place(index) for index in self._chosen(step, batch_size))
        return sum(stop - first for _, first, stop in places)

    def _chosen(self, step: int, batch_size: int) -> list[int]:
        positions = range(step * batch_size, (step + 1) * batch_size)
        return [int(self._order(p // len(self))[p % len(self)]) for p in positions]
