"""How well the next code is predicted: by what needs no network, and by a model, on the same positions."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from wavenetlike.checks import check_int
from wavenetlike.data import encode_clips
from wavenetlike.data.clips import Items
from wavenetlike.models import WaveNet

AT_ONCE = 16_000
"""Codes of a clip that are scored together, so that a long recording needs no more memory than a second of it."""


@dataclasses.dataclass(frozen=True)
class Score:
    """How well something predicts the next code: the part of hits, and bits per sample (lower is better)."""

    name: str
    accuracy: float
    bits: float


def baselines(clips: Iterable[Tensor], levels: int, start: int) -> list[Score]:
    """What needs no network: the commonest code, the previous code, a bigram model, fitted to the clips they are scored on.

    Args:
        clips: codes, each (time,).
        levels: number of codes.
        start: the first position scored in each clip, at least 1; Δ, to score what a model is scored on.
    """
    check_int("start", start, 1, "the code before is the least that a baseline looks at")
    counts = torch.zeros(levels * levels, dtype=torch.float64)
    for clip in _scored(clips, start):
        counts += torch.bincount(clip[start - 1 : -1] * levels + clip[start:], minlength=levels * levels)
    pairs = counts.view(levels, levels) / counts.sum()
    code, hit = pairs.sum(dim=0), pairs.diagonal().sum().item()
    miss = 1 - hit
    return [
        Score("commonest code", code.max().item(), _entropy(code)),
        Score("previous code", hit, _entropy(torch.tensor([hit, miss])) + miss * math.log2(levels - 1)),
        Score(
            "bigram model", pairs.max(dim=1).values.sum().item(), _entropy(pairs.flatten()) - _entropy(pairs.sum(dim=1))
        ),
    ]


def _entropy(p: Tensor) -> float:
    return float(-torch.xlogy(p, p).sum() / math.log(2))


def _scored(clips: Iterable[Tensor], start: int) -> Iterator[Tensor]:
    """The clips that have something to score from ``start`` on, and a warning if some have not."""
    n_scored, n_short = 0, 0
    for i, clip in enumerate(clips):
        if not isinstance(clip, Tensor):
            raise TypeError(
                f"Clip {i} is a {type(clip).__name__}; what is scored are codes (time,): use scoreboard(model, dataset), or data.encode_clips first."
            )
        if len(clip) > start:
            n_scored += 1
            yield clip
        else:
            n_short += 1
    if not n_scored + n_short:
        raise ValueError("There are no clips; a score needs at least one: pass what data.encode_clips gives.")
    if not n_scored:
        raise ValueError(
            f"None of {n_short} clips is longer than {start} samples; a score needs one that is, some past and a code to predict: use longer clips or fewer layers."
        )
    if n_short:
        warnings.warn(
            f"{n_short} of {n_short + n_scored} clips are not longer than {start} samples, and are not scored.",
            stacklevel=3,
        )


@torch.inference_mode()
def score(model: WaveNet, clips: Iterable[Tensor]) -> Score:
    """The model on the same footing: codes (time,), scored where all of Δ is known; clips not longer than Δ are not."""
    hits = bits = n = 0.0
    delta, device = model.receptive_field, next(model.parameters()).device
    for clip in _scored(clips, delta):
        for begin in range(delta, len(clip), AT_ONCE):
            piece = clip[None, begin - delta : begin + AT_ONCE].to(device)
            targets = piece[:, delta:]
            logits = model(piece[:, :-1], padded=False)
            bits += model.head.loss(logits, targets).item() * targets.numel()
            hits += (logits.argmax(dim=1) == targets).sum().item()
            n += targets.numel()
    return Score("this model", hits / n, bits / n)


def scoreboard(model: WaveNet, dataset: Items) -> list[Score]:
    """`baselines`, then the model, all on the same positions of the same clips. Taught in notebooks/03_toy_wavenet.ipynb.

    The baselines are fitted to these very clips, which is to their advantage.
    """
    clips = encode_clips(dataset, model.mu_law)
    return [*baselines(clips, model.config.levels, start=model.receptive_field), score(model, clips)]
