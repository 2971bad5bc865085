"""Parts of a dataset: clips without their silent edges, and some kept apart to judge a model by."""

from __future__ import annotations

import collections

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from wavenetlike.checks import check_int, check_positive
from wavenetlike.data.clips import AudioFiles, Item, check_index, speaker_of

FRAME = 0.01
"""Seconds over which the level is taken."""
MARGIN = 0.05
"""Seconds kept on either side of what is loud enough."""


def loud_part(waveform: Tensor, sample_rate: int, below: float = 40.0) -> tuple[int, int]:
    """Where a clip is no longer silent, and where it is again: samples from the first included to the last excluded.

    Silent is what lies more than ``below`` dB under the clip's own loudest 10 ms; 50 ms beside the rest are kept, so that no
    soft beginning is cut. A clip of digital silence is kept whole.

    Args:
        waveform: float (1, time), at least one sample.
        sample_rate: in Hz.
        below: in dB, above 0.

    Raises:
        TypeError, ValueError: ``below`` out of its range, or a waveform that is empty or not finite.
    """
    check_positive("below", below, "40")
    if waveform.numel() == 0 or not waveform.isfinite().all():
        raise ValueError(
            f"A clip of shape {tuple(waveform.shape)} is empty, or holds NaN or infinite samples, and has no level: read it by Waveforms, which refuses such."
        )
    size = max(1, round(FRAME * sample_rate))
    samples = torch.nn.functional.pad(waveform[0], (0, -waveform.shape[1] % size))
    level = samples.view(-1, size).square().mean(dim=1)
    loud = (level >= level.max() * 10 ** (-below / 10)).nonzero()
    margin = round(MARGIN * sample_rate)
    return max(0, int(loud[0]) * size - margin), min(waveform.shape[1], (int(loud[-1]) + 1) * size + margin)


class Trimmed(Dataset[Item]):
    """``dataset`` without the silent edges of its clips, see `loud_part`; it says how much that removes when printed.

    Every clip is read once when this is made. Nothing here trims by itself: silence is part of a recording, too.

    Args:
        dataset: of items (waveform, sample_rate, label, speaker).
        below: in dB under the loudest 10 ms of each clip, above 0.
    """

    def __init__(self, dataset: Dataset[Item], below: float = 40.0):
        check_positive("below", below, "40")
        self.dataset, self.below = dataset, below
        self.seconds = 0.0
        self._parts: list[tuple[int, int]] = []
        kept = 0.0
        for i in range(len(dataset)):  # type: ignore[arg-type]
            waveform, sample_rate, *_ = dataset[i]
            start, stop = loud_part(waveform, sample_rate, below)
            self._parts.append((start, stop))
            self.seconds += waveform.shape[1] / sample_rate
            kept += (stop - start) / sample_rate
        if not self._parts:
            raise ValueError("The dataset holds no clips; it must hold at least one: try bundled_clips().")
        self.removed = 1 - kept / self.seconds

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> Item:
        start, stop = self._parts[check_index(index)]
        waveform, *rest = self.dataset[index]
        return waveform[:, start:stop], *rest  # type: ignore[return-value]

    def __repr__(self) -> str:
        return (
            f"Trimmed({len(self):,} clips of {self.seconds:,.1f} s: {100 * self.removed:.0f}% removed, the edges more than "
            f"{self.below:g} dB below the loudest 10 ms)"
        )


def hold_out(dataset: Dataset[Item], part: float = 0.2, seed: int = 0) -> tuple[Dataset[Item], Dataset[Item]]:
    """Two datasets that share nothing: one to train on, and about ``part`` of the clips to judge the model by.

    No speaker is in both, as in the official lists of Speech Commands; where there is one speaker, no clip is; and a single
    recording is cut in two, its end held out.

    Args:
        dataset: of items (waveform, sample_rate, label, speaker).
        part: to hold out, above 0 and below 1; at least one clip is, and one is not.
        seed: of the choice.

    Raises:
        TypeError, ValueError: an argument out of its range, or nothing to divide.
    """
    check_positive("part", part, "0.2")
    if part >= 1:
        raise ValueError(f"part={part} leaves nothing to train on; it must be below 1: try 0.2.")
    check_int("seed", seed, 0, "any such number")
    n = len(dataset)  # type: ignore[arg-type]
    if n == 1:
        return _cut(dataset[0], part)
    if isinstance(dataset, AudioFiles):
        speakers = [speaker_of(path) for path in dataset.paths]
    else:
        speakers = [dataset[i][3] for i in range(n)]
    one = len(set(speakers)) == 1
    groups = [f"clip {i}" if one or not speaker else f"speaker {speaker}" for i, speaker in enumerate(speakers)]
    names = sorted(set(groups))
    if len(names) < 2:
        raise ValueError(f"The dataset holds {n} clips, which cannot be divided; it must hold at least one.")
    sizes = collections.Counter(groups)
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    wanted = min(max(1, round(part * n)), n - 1)
    held: set[str] = set()
    n_held = 0
    for name in order:
        if n_held + sizes[name] <= wanted:
            held.add(name)
            n_held += sizes[name]
    held = held or {min(order, key=sizes.__getitem__)}
    indices = range(n)
    return (
        Subset(dataset, [i for i in indices if groups[i] not in held]),
        Subset(dataset, [i for i in indices if groups[i] in held]),
    )


class _Pieces(Dataset[Item]):
    """Clips that are in memory already."""

    def __init__(self, items: list[Item]):
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Item:
        return self.items[index]


def _cut(item: Item, part: float) -> tuple[Dataset[Item], Dataset[Item]]:
    waveform, *rest = item
    if waveform.shape[1] < 2:
        raise ValueError("The dataset holds one clip of one sample, which cannot be divided; pass more of it.")
    at = min(max(1, round((1 - part) * waveform.shape[1])), waveform.shape[1] - 1)
    return tuple(_Pieces([(piece, *rest)]) for piece in (waveform[:, :at], waveform[:, at:]))  # type: ignore[return-value, list-item]
