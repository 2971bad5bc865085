"""From any dataset to some of its clips: what `analyze_dataset` measures on, drawn without reading the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from wavenetlike.checks import check_positive
from wavenetlike.data.codes import EncodedClips, parts

MOST_READ = 60_000_000
"""Samples after which no further clip is read: an hour at 16 kHz."""
MOST_SAMPLES = 8_000_000
"""Samples that are kept of all clips."""
STRETCH = 40_000
"""Samples of a clip that are kept at least, in one piece."""
MOST_STRETCHES = 16
LEAST = 10
"""Samples without which nothing can be said."""
LARGEST = 1e70
"""What fourth powers can still be taken of, and of its inverse."""
SOURCES = "a list or tensor of numbers, waveforms, or items that begin with one: try bundled_clips() or sunspots()"


@dataclasses.dataclass(frozen=True)
class Sample:
    """Clips drawn from a dataset.

    Args:
        name: the dataset's class.
        clips: float64, each (time,); several stretches of a long one.
        lengths: samples of every clip read, whole, (clips,).
        n_items, n_read: how many items the dataset has, and how many were read.
        n_samples: of the whole dataset, where it can be told without reading it.
        channels: rows of an item's waveform, as its most have.
        sample_rate: in Hz; None: not known.
    """

    name: str
    clips: list[np.ndarray]
    lengths: np.ndarray
    n_items: int
    n_read: int
    n_samples: int | None
    channels: int
    sample_rate: float | None


def draw_clips(dataset: object, sample_rate: float | None, most_clips: int, seed: int) -> Sample:
    """At most ``most_clips`` items of ``dataset``, drawn by ``seed`` and read by their index, each once.

    Raises:
        TypeError, ValueError: no dataset, an empty one, a clip that is none, or several sample rates.
    """
    if sample_rate is not None:
        check_positive("sample_rate", sample_rate, "16000")
    items, name = _items(dataset)
    rng = np.random.default_rng(seed)
    n_items = len(items)
    chosen = rng.permutation(n_items)[:most_clips] if n_items > most_clips else np.arange(n_items)
    share = max(STRETCH, MOST_SAMPLES // len(chosen))
    clips: list[np.ndarray] = []
    lengths: list[int] = []
    rows: list[int] = []
    rate = _Rate(sample_rate)
    for i in map(int, chosen):
        waveform, found = _clip(items[i], i)
        rate.add(found, i)
        rows.append(len(waveform))
        lengths += [waveform.shape[1]] * len(waveform)
        clips += [part.astype(np.float64) for row in waveform for part in _stretches(row, share, rng)]
        if sum(lengths) > MOST_READ:
            break
    _check_enough(clips, lengths)
    total = _total(dataset, lengths, len(rows) == n_items)
    return Sample(name, clips, np.array(lengths), n_items, len(rows), total, max(rows), rate.value)


class _Rate:
    """The one sample rate of all clips."""

    def __init__(self, value: float | None):
        self.value, self.told = value, "sample_rate" if value else ""

    def add(self, rate: int, number: int) -> None:
        if rate < 0:
            raise ValueError(
                f"Clip {number} has {rate} samples a second; a sample rate is above 0, or 0 where it is not known: check how it was read."
            )
        if rate and self.value and rate != self.value:
            raise ValueError(
                f"Clip {number} has {rate} samples a second, and {self.told} says {self.value:g}; lags in samples need one rate: read the clips by Waveforms(…, sample_rate={self.value:g})."
            )
        if rate and not self.value:
            self.value, self.told = float(rate), f"clip {number}"


def _items(dataset: Any) -> tuple[Sequence[object], str]:
    """The dataset as something with a length and items by number, and its name."""
    name = type(dataset).__name__
    if isinstance(dataset, (str, bytes, Path)):
        raise TypeError(f"The dataset is {dataset!r}, a name; pass what is in it: try Waveforms({dataset!r}).")
    if isinstance(dataset, (dict, set, frozenset)):
        raise TypeError(f"The dataset is a {name}, in which nothing has a number; pass {SOURCES}.")
    if hasattr(dataset, "__array__") and not isinstance(dataset, Tensor):
        dataset = np.asarray(dataset)
    if _is_series(dataset):
        return [dataset], "series"
    if isinstance(dataset, (Tensor, np.ndarray)) and dataset.ndim == 0:
        raise ValueError(f"The dataset is the one number {dataset.item()}; pass {SOURCES}.")
    if not hasattr(dataset, "__getitem__"):
        more = ", from a generator list(itertools.islice(it, 1000))" if isinstance(dataset, Iterator) else ""
        raise TypeError(f"The dataset is a {name} whose clips have no numbers; pass {SOURCES}{more}.")
    try:
        n = len(dataset)
    except TypeError:
        raise TypeError(
            f"The dataset is a {name} that does not say how many clips it has; give it a __len__, or pass {SOURCES}."
        ) from None
    if n == 0:
        raise ValueError(f"The dataset is a {name} without clips; pass {SOURCES}.")
    return dataset, name


def _is_series(dataset: Any) -> bool:
    """Whether it is one series of numbers, (time,)."""
    if isinstance(dataset, (list, tuple, range)):
        return len(dataset) > 0 and isinstance(dataset[0], Real)
    return isinstance(dataset, (Tensor, np.ndarray)) and dataset.ndim == 1


def _clip(item: object, number: int) -> tuple[np.ndarray, int]:
    """An item's waveform (rows, time) and its sample rate, 0 where it has none."""
    rate = 0
    if isinstance(item, (list, tuple)) and item and not isinstance(item[0], Real):
        try:
            item, rate, *_ = parts(item)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(
                f"Clip {number} comes with {item[1]!r}, which is no sample rate; an item is (waveform, sample_rate, label, speaker): pass the waveforms alone."
            ) from None
    array = _array(item, number)
    if array.ndim == 2 and array.shape[1] == 1 and len(array) >= LEAST:
        raise ValueError(
            f"Clip {number} has shape {array.shape}, as many channels of one sample each; it must be (time,) or (channels, time): try x[:, 0], or x.T."
        )
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(
            f"Clip {number} has shape {array.shape}; it must be (time,) or (channels, time), with at least one sample: check how it was read."
        )
    if not np.isfinite(array).all():
        raise ValueError(
            f"Clip {number} holds NaN or infinite samples; all must be finite: leave them out, or check how it was made."
        )
    if np.abs(array).max() > LARGEST:
        raise ValueError(
            f"Clip {number} reaches {np.abs(array).max():.3g}, whose powers are no numbers any more; it must stay below {LARGEST:g}: try another unit."
        )
    return np.atleast_2d(array), rate


def _array(item: object, number: int) -> np.ndarray:
    try:
        if isinstance(item, Tensor):
            item = item.detach().cpu().to_dense()
            # NumPy knows no bfloat16.
            item = item.double() if item.is_floating_point() else item
        array = np.asarray(item)
        is_number = array.dtype.kind in "iuf"
    except (TypeError, ValueError, RuntimeError):
        is_number = False
    if isinstance(item, str) or not is_number:
        raise TypeError(
            f"Clip {number} is a {type(item).__name__} that holds no real numbers; a clip is a waveform (time,) or (channels, time), or an item that begins with one: pass {SOURCES}."
        )
    return array


def _stretches(row: np.ndarray, share: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The row, or where it is longer than ``share`` as much of it in pieces, one from each of as many parts."""
    if len(row) <= share:
        yield row
        return
    n = min(MOST_STRETCHES, max(1, share // STRETCH))
    for part in np.array_split(row, n):
        start = int(rng.integers(len(part) - share // n + 1))
        yield part[start : start + share // n]


def _check_enough(clips: list[np.ndarray], lengths: list[int]) -> None:
    if max(lengths) < LEAST:
        raise ValueError(
            f"The longest clip has {max(lengths)} samples; at least one must have {LEAST}, or nothing can be told: pass longer clips."
        )
    if all(x.max() - x.min() < 1 / LARGEST for x in clips):
        raise ValueError(
            f"The clips do not vary, the first is {clips[0][0]:.4g} throughout; at least one must, or there is nothing to learn: check how they were made."
        )


def _total(dataset: object, lengths: list[int], is_whole: bool) -> int | None:
    if isinstance(dataset, EncodedClips):
        return int(dataset.codes.lengths.sum())
    return sum(lengths) if is_whole else None
