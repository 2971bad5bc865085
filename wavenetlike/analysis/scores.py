"""How well the next code is predicted: by what needs no network, and by a model, on the same positions."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Collection, Iterable, Iterator
from typing import Literal

import torch
from torch import Tensor

from wavenetlike.checks import check_choice, check_int
from wavenetlike.data import Conditions, Frames, conditions, encode_clips
from wavenetlike.data.clips import Items
from wavenetlike.models import WaveNet, check_model

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
    # Only pairs that occur, since of all there may be billions.
    keys, counts = torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.float64)
    for _, clip in _scored(clips, start):
        found, n = (clip[start - 1 : -1] * levels + clip[start:]).unique(return_counts=True)
        keys, places = torch.cat([keys, found]).unique(return_inverse=True)
        counts = torch.zeros(len(keys), dtype=torch.float64).index_add_(0, places, torch.cat([counts, n.double()]))
    p, before, code = counts / counts.sum(), keys // levels, keys % levels
    of_before, of_code = (_sums(codes, p, levels) for codes in (before, code))
    hit = p[before == code].sum().item()
    miss = 1 - hit
    guess = torch.zeros(levels, dtype=torch.float64).scatter_reduce(0, before, p, "amax")
    return [
        Score("commonest code", of_code.max().item(), _entropy(of_code)),
        Score("previous code", hit, _entropy(torch.tensor([hit, miss])) + miss * math.log2(levels - 1)),
        Score("bigram model", guess.sum().item(), _entropy(p) - _entropy(of_before)),
    ]


def _sums(keys: Tensor, p: Tensor, n: int) -> Tensor:
    return torch.zeros(n, dtype=torch.float64).index_add_(0, keys, p)


def _entropy(p: Tensor) -> float:
    return float(-torch.xlogy(p, p).sum() / math.log(2))


def _scored(clips: Iterable[Tensor], start: int) -> Iterator[tuple[int, Tensor]]:
    """The clips, with their numbers, that have something to score from ``start`` on, and a warning if some have not."""
    n_scored, n_short = 0, 0
    for i, clip in enumerate(clips):
        if not isinstance(clip, Tensor):
            raise TypeError(
                f"Clip {i} is a {type(clip).__name__}; what is scored are codes (time,): use evaluate(model, dataset), or data.encode_clips first."
            )
        if len(clip) > start:
            n_scored += 1
            yield i, clip
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


def score(
    model: WaveNet, clips: Iterable[Tensor], start: int | None = None, conditions: Conditions | None = None
) -> Score:
    """The model on the same footing: codes (time,), scored from ``start`` on, by default where all of Δ is known."""
    start = model.receptive_field if start is None else start
    tallies = [tally(model, clip, start, conditions, i) for i, clip in _scored(clips, start)]
    hits, bits, n = (sum(part) for part in zip(*tallies, strict=True))
    return Score("this model", hits / n, bits / n)


@torch.inference_mode()
def tally(
    model: WaveNet, clip: Tensor, start: int, conditions: Conditions | None = None, number: int = 0
) -> tuple[int, float, int]:
    """Hits, bits and positions of codes (time,) from ``start`` on; silence stands in for what is unknown of their past.

    The clip is the one of that ``number`` in ``conditions``; without these nothing is known of it.
    """
    hits, bits = 0, 0.0
    delta, device = model.receptive_field, model.device
    unknown = max(0, delta - start)
    clip = torch.nn.functional.pad(clip, (unknown, 0), value=model.mu_law.silence)
    first = max(delta, start)
    for begin in range(first, len(clip), AT_ONCE):
        piece = clip[None, begin - delta : begin + AT_ONCE].to(device)
        targets, condition, time = piece[:, delta:], None, torch.tensor([begin - delta - unknown])
        if conditions is not None:
            condition, time = conditions.of(torch.tensor([number]), time, piece.shape[1])
            condition = condition.to(device)
        outputs = model(piece[:, :-1], padded=False, condition=condition, time=time)
        bits += model.head.loss(outputs, targets).item() * targets.numel()
        hits += int((model.head.sample(outputs, None) == targets).sum())
    return hits, bits, len(clip) - first


def evaluate(
    model: WaveNet,
    dataset: Items,
    positions: Literal["full", "all"] = "full",
    *,
    frames: Frames | None = None,
    removed: Collection[str] = (),
    shuffled: Collection[str] = (),
) -> list[Score]:
    """`baselines`, then the model, all on the same positions of the same clips. Taught in notebooks/03_toy_wavenet.ipynb.

    The baselines are fitted to these very clips, which is to their advantage. How good a model is only clips tell that it has
    not seen, of speakers that it has not seen: `SpeechCommands(subset="testing")`, or the second part of `hold_out(dataset)`.

    Args:
        model: a `WaveNet`.
        dataset: as for `train.train`.
        positions: "full": the codes with a full receptive field, all of Δ known; clips that are not longer are left out, with a
            warning. "all": every code but the first of its clip, with silence in place of what is unknown.
        frames: as for `train.train`.
        removed, shuffled: parts of the condition, of "word", "speaker" and "frames", that the model is not told, or is told of another clip.
            How much worse it is then says what the condition is worth.

    Raises:
        TypeError, ValueError: no clips, or none with such a position; other positions; a part that the model is not conditioned on, that
            is named twice, or that all clips have in common and that is to be shuffled.
    """
    check_model(model)
    check_choice("positions", positions, ("full", "all"))
    known = model.config.condition.parts if model.config.condition else ()
    for name, parts in (("removed", removed), ("shuffled", shuffled)):
        if isinstance(parts, str) or not isinstance(parts, Collection):
            raise TypeError(f"{name}={parts!r} is no list of parts; it must hold names of them: try {name}=['word'].")
    if twice := [part for part in {*removed, *shuffled} if [*removed, *shuffled].count(part) > 1]:
        raise ValueError(
            f"{twice[0]!r} is listed twice; a part can be removed or shuffled, and once: leave one of them out."
        )
    for part in (*removed, *shuffled):
        if part not in known:
            raise ValueError(
                f"{part!r} cannot be removed or shuffled; it must be a part of this model's condition, which has {' and '.join(known) or 'none'}: leave it out."
            )
    clips = encode_clips(dataset, model.mu_law)
    told = conditions(model.config.condition, dataset, clips, frames)
    if told is not None:
        told = told.without(removed).shuffled(shuffled)
    start = model.receptive_field if positions == "full" else 1
    return [*baselines(clips, model.config.levels, start), score(model, clips, start, told)]
