"""Training examples: windows of Δ + n codes that never cross a clip."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from wavenetlike.checks import check_longer
from wavenetlike.data.clips import Item
from wavenetlike.quantize import MuLaw


def encode_clips(dataset: Iterable[Item], mu_law: MuLaw, delta: int) -> list[Tensor]:
    """The clips of ``dataset`` as codes, each int64 of shape (time,) and longer than ``delta``.

    Args:
        dataset: items whose first element is a waveform (batch, time), as `Clips` gives them, or plain waveforms.
        mu_law: the quantizer.
        delta: receptive field of the model that is to see them.

    Raises:
        TypeError, ValueError: no clips, or one that is no waveform or not longer than Δ.
    """
    codes = []
    for i, item in enumerate(dataset):
        waveform = item if isinstance(item, Tensor) else item[0]
        for row in mu_law.encode(waveform):
            check_longer(f"Clip {i}", len(row), delta)
            codes.append(row)
    if not codes:
        raise ValueError(
            "The dataset holds no clips; it must hold at least one: try ops.download_sample_audio(cutoff=5)."
        )
    return codes


def window_batch(clips: list[Tensor], length: int, batch_size: int, seed: int, step: int) -> Tensor:
    """The windows of training step ``step``: codes (batch, min(length, shortest clip)), a function of (seed, step) alone.

    Every window of every clip can come up, clips by their number of windows.
    """
    # Not torch's generator: it keeps only 32 bits of its seed, too few for both numbers.
    rng = np.random.default_rng([seed, step])
    length = min(length, *(len(clip) for clip in clips))
    starts = np.array([len(clip) - length + 1 for clip in clips])
    picks = rng.choice(len(clips), size=batch_size, p=starts / starts.sum())
    offsets = rng.integers(starts[picks])
    return torch.stack([clips[pick][offset : offset + length] for pick, offset in zip(picks, offsets, strict=True)])
