"""What each clip of a dataset is conditioned on: its word, its speaker, its frames."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor

from wavenetlike.checks import check_choice
from wavenetlike.condition import Condition, ConditionConfig, check_frames, resolve
from wavenetlike.data.clips import AudioFiles, Item, Items, speaker_of
from wavenetlike.data.codes import Codes, EncodedClips, parts
from wavenetlike.data.frames import mel_frames
from wavenetlike.names import CLASSES

Frames = Callable[[Tensor, int], Tensor] | Sequence[Tensor]
"""Of each clip (channels, n_frames), or how they follow from its waveform (1, time) and its sample rate in Hz."""


def vocabulary(dataset: Items, part: str = "word") -> tuple[str, ...]:
    """The words or the speakers of a dataset, each once, by name: what a `ConditionConfig` is to know.

    Args:
        dataset: of items (waveform, sample_rate, label, speaker).
        part: "word" or "speaker".

    Raises:
        ValueError: another part, or a clip without a name.
    """
    check_choice("part", part, CLASSES)
    check_again(dataset)
    names = set(_names(dataset, part))
    if not names:
        raise ValueError("The dataset has no clips; a vocabulary needs at least one: try vocabulary(bundled_clips()).")
    if "" in names:
        raise ValueError(
            f"The dataset has clips whose {part} is not known; put files as word/speaker_nohash_n.wav, or leave {part} out of the condition."
        )
    return tuple(sorted(names))


def check_again(dataset: object) -> None:
    """Refuse what cannot be gone through several times.

    Raises:
        TypeError: no clips, or a generator, which is gone once it was read.
    """
    if isinstance(dataset, Iterator) or not (isinstance(dataset, Iterable) or hasattr(dataset, "__getitem__")):
        raise TypeError(
            f"The dataset is a {type(dataset).__name__}; it must give its clips as often as they are asked for: try list(dataset), or bundled_clips()."
        )


def _names(dataset: Items, part: str) -> Iterable[str]:
    """The part of each clip, without reading audio where that is to be had."""
    if isinstance(dataset, EncodedClips):
        return dataset.codes.labels if part == "word" else dataset.codes.speakers
    if isinstance(dataset, AudioFiles):
        return (path.parent.name if part == "word" else speaker_of(path) for path in dataset.paths)
    at = 2 + CLASSES.index(part)
    return (str(parts(item)[at]) for item in cast(Iterable[Item], dataset))


class Conditions:
    """Of every clip what it is conditioned on, cut to the windows that a model sees.

    Args:
        config: of the model.
        classes: by part, "word" or "speaker", int64 (clips,), the number of each clip's in the vocabulary.
        frames: float (channels, n_frames) of each clip; none, if the model has no frames.
    """

    def __init__(self, config: ConditionConfig, classes: dict[str, Tensor], frames: Sequence[Tensor]):
        self.config, self.classes, self.frames = config, classes, frames

    def of(self, clips: Tensor, times: Tensor, n: int) -> tuple[Condition, Tensor]:
        """For windows of n codes that begin at ``times`` of ``clips``, both int64 (batch,): the condition, and the time for `WaveNet`."""
        chosen: dict[str, Tensor] = {part: numbers[clips] for part, numbers in self.classes.items()}
        if not self.frames:
            return Condition(**chosen), times
        hop, rows = self.config.hop, []
        n_frames = self.config.n_frames(n + 1) + 1
        firsts = times.div(hop, rounding_mode="floor").clamp(min=0)
        for clip, first in zip(clips.tolist(), firsts.tolist(), strict=True):
            whole = self.frames[clip]
            rows.append(whole[:, torch.arange(first, first + n_frames).clamp(max=whole.shape[1] - 1)])
        return Condition(**chosen, frames=torch.stack(rows)), times - firsts * hop

    def without(self, removed: Collection[str]) -> Conditions:
        """The same, as if some parts were unknown."""
        classes = {part: numbers for part, numbers in self.classes.items() if part not in removed}
        return Conditions(self.config, classes, [] if "frames" in removed else self.frames)

    def shuffled(self, parts: Collection[str], seed: int = 0) -> Conditions:
        """The same, some parts taken from other clips: each has those of the clip that follows it in an order of chance.

        Raises:
            ValueError: all clips have the same, so that there is no other.
        """
        classes, frames = dict(self.classes), self.frames
        for part in parts:
            n = len(frames) if part == "frames" else len(classes[part])
            if n == 1 or (part != "frames" and len(classes[part].unique()) == 1):
                raise ValueError(
                    f"shuffled has {part!r}, of which the clips that were passed ({n}) have but one; there must be others to take them from: pass more clips, or leave it out."
                )
            order = torch.randperm(n, generator=torch.Generator().manual_seed(int(seed)))
            other = torch.empty_like(order)
            other[order] = order.roll(1)
            if part == "frames":
                frames = [self.frames[i] for i in other.tolist()]
            else:
                classes[part] = classes[part][other]
        return Conditions(self.config, classes, frames)

    def fingerprint(self) -> str:
        """The same for the same conditions."""
        digest = hashlib.sha256()
        for part in [*self.classes.values(), *self.frames]:
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def conditions(
    config: ConditionConfig | None, dataset: Items, codes: Codes, frames: Frames | None = None
) -> Conditions | None:
    """What the clips of ``dataset`` are conditioned on; None for a model that is conditioned on nothing.

    Args:
        config: of the model.
        dataset: as for `encode_clips`.
        codes: what that gave.
        frames: None: `mel_frames`, if the model has frames.

    Raises:
        TypeError, ValueError: a clip of a word or a speaker that the model does not know; frames of another shape, or for a model without.
    """
    if frames is not None and not (config and config.frame_channels):
        raise ValueError(
            "frames were passed for a model that is not conditioned on any; they must be None: leave them out."
        )
    if config is None:
        return None
    if "embedding" in config.parts:
        raise ValueError(
            "The model is conditioned on an embedding, which clips do not have; train it by its own loss: model.head.loss(model(codes, condition=…), targets)."
        )
    if frames is not None and not callable(frames) and not isinstance(frames, (list, tuple)):
        raise TypeError(
            f"frames is a {type(frames).__name__}; it must be a list of float tensors ({config.frame_channels}, n), one for each clip, or a function (waveform, sample_rate) that gives one: try list(frames)."
        )
    if config.frame_channels and not isinstance(frames, Sequence):
        check_again(dataset)
    names = {"word": codes.labels, "speaker": codes.speakers}
    classes = {part: _numbers(config, part, names[part]) for part in config.parts if part in CLASSES}
    rows = list(_rows(config, dataset, codes, frames)) if config.frame_channels else []
    return Conditions(config, classes, rows)


def _numbers(config: ConditionConfig, part: str, names: Sequence[str]) -> Tensor:
    known = {name: i for i, name in enumerate(config.names(part))}
    if unknown := [i for i, name in enumerate(names) if name not in known]:
        raise ValueError(
            f"Clip {unknown[0]} has the {part} {names[unknown[0]]!r}, which this model does not know; it knows {', '.join(known)}: leave the clip out, or build a model that knows it, see data.vocabulary."
        )
    return torch.tensor([known[name] for name in names])


def _rows(config: ConditionConfig, dataset: Items, codes: Codes, frames: Frames | None) -> Iterable[Tensor]:
    """The frames of each clip, checked."""
    if isinstance(frames, Sequence):
        if len(frames) != len(codes):
            raise ValueError(
                f"There are frames of {len(frames)} clips, and {len(codes)} clips; there must be as many: pass frames in the order of the dataset."
            )
        found: Iterable[Tensor] = frames
    else:
        found = _computed(config, dataset, frames)
    for i, (row, length) in enumerate(zip(found, codes.lengths.tolist(), strict=True)):
        try:
            if not isinstance(row, Tensor):
                raise TypeError(
                    f"its frames are a {type(row).__name__}; they must be a float tensor: try torch.as_tensor(frames)."
                )
            condition = resolve(config, Condition(frames=row.detach().float() if row.is_floating_point() else row), 1)
            check_frames(config, condition, length)
        except (TypeError, ValueError) as error:
            raise type(error)(f"Clip {i} is refused: {error}") from None
        yield condition.frames[0]  # type: ignore[index]


def _computed(
    config: ConditionConfig, dataset: Items, frames: Callable[[Tensor, int], Tensor] | None
) -> Iterable[Tensor]:
    for item in cast(Iterable[Item], dataset):
        waveform, rate, _, _ = parts(item)
        if frames is None:
            yield from mel_frames(waveform, rate or 16000, config.frame_channels, config.hop)
        else:
            yield from (frames(row[None], rate) for row in waveform)
