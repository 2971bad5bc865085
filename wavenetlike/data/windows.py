"""Training examples: windows of Δ + n codes that never cross a clip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    if not isinstance(dataset, Iterable) and not hasattr(dataset, "__getitem__"):
        raise TypeError(
            f"The dataset is a {type(dataset).__name__}; it must give waveforms, or items that begin with one: try ops.download_sample_audio(cutoff=5)."
        )
    codes = []
    for i, item in enumerate(dataset):
        waveform = item[0] if isinstance(item, Sequence) and not isinstance(item, str) and item else item
        try:
            rows = mu_law.encode(waveform)
        except (TypeError, ValueError) as error:
            raise type(error)(f"Clip {i} of the dataset is refused: {error}") from None
        for row in rows:
            check_longer(f"Clip {i}", len(row), delta)
            codes.append(row)
    if not codes:
        raise ValueError(
            "The dataset holds no clips; it must hold at least one: try ops.download_sample_audio(cutoff=5)."
        )
    return codes


def window_batch(clips: list[Tensor], length: int, batch_size: int, seed: int, step: int) -> Tensor:
    """The windows of training step ``step``: codes (batch, length), a function of (seed, step) alone.

    Every window of every clip can come up, clips by their number of windows; where a clip of the batch is shorter than
    ``length``, all of the batch is as short.
    """
    # Not torch's generator: it keeps only 32 bits of its seed, too few for both numbers.
    rng = np.random.default_rng([seed, step])
    weights = np.array([max(len(clip) - length + 1, 1) for clip in clips])
    picked = [clips[i] for i in rng.choice(len(clips), size=batch_size, p=weights / weights.sum())]
    length = min(length, *(len(clip) for clip in picked))
    offsets = rng.integers([len(clip) - length + 1 for clip in picked])
    return torch.stack([clip[offset : offset + length] for clip, offset in zip(picked, offsets, strict=True)])
