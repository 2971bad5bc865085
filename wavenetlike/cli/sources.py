"""What a path of the command line may hold: words in folders, any audio, encoded clips, or a series of numbers; or a trained model."""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from wavenetlike.checks import check_exists
from wavenetlike.cli.options import RATE
from wavenetlike.data import Clips, EncodedClips, Waveforms, audio_files, bundled_clips, read_audio
from wavenetlike.data.clips import SPEAKER_ENDS, Items
from wavenetlike.models import WaveNet, load, pretrained

SERIES = (".csv", ".txt", ".npy")
"""Files of one series of numbers."""


def clips_at(path: str) -> Items:
    """What is at a path: encoded clips, words in folders, any audio, or a series."""
    where = Path(path)
    if _is_series(where):
        return [(_within_one(_series(where)), 0, "", "")]
    if (where / "clips.json").exists():
        return EncodedClips(where)
    return Clips(where) if _has_words(where) else Waveforms(where)


def held_out_clips(path: str) -> Items:
    """As `clips_at`, for clips to judge by.

    Raises:
        ValueError: a series.
    """
    if _is_series(Path(path)):
        raise ValueError(
            f"--held-out {path!r} is a series, which would be brought to [-1, 1] by a factor of its own; leave it out, or write both as audio."
        )
    return clips_at(path)


def _has_words(folder: Path) -> bool:
    return any(folder.glob(f"*/*{SPEAKER_ENDS}*"))


# A series in a file


def _is_series(path: Path) -> bool:
    return path.suffix.lower() in SERIES and path.is_file()


def _series(path: Path) -> Tensor:
    """The numbers (time,) in a file, float64: an array of NumPy, or the last column of a table."""
    numbers = _array(path) if path.suffix.lower() == ".npy" else _last_column(path)
    if not len(numbers):
        raise ValueError(f"{str(path)!r} holds no numbers; a series is one number a line, at least ten of them.")
    return torch.from_numpy(numbers)


def _within_one(series: Tensor) -> Tensor:
    """Around 0 and as large as 1, float32 (1, time): what µ-law takes."""
    x = series - series.mean()
    return (x / x.abs().max().clamp(min=1e-300)).float()[None]


def _array(path: Path) -> np.ndarray:
    wanted = "write a series (time,) of real numbers by numpy.save(file, series)"
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{str(path)!r} is no array that NumPy reads without running code; {wanted}.") from error
    array = array[:, 0] if getattr(array, "ndim", 0) == 2 and array.shape[1] == 1 else array
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iuf":
        what = f"of shape {array.shape} and type {array.dtype}" if isinstance(array, np.ndarray) else "an archive"
        raise ValueError(f"{str(path)!r} is {what}; {wanted}.")
    return array.astype(np.float64)


def _last_column(path: Path) -> np.ndarray:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(path)!r} is no text in UTF-8; write a series as one number a line.") from error
    kept = [(i, line) for i, line in enumerate(text.rstrip().split("\n"), 1) if line.lstrip()[:1] != "#"]
    lines = [(i, line) for i, line in kept if line.strip()]
    for i, line in kept:
        if lines and i > lines[0][0] and not line.strip():
            raise ValueError(
                f"Line {i} of {str(path)!r} is empty; a series has a number in every line: write what is missing, or take the line out."
            )
    rows = list(zip([i for i, _ in lines], _cells([line for _, line in lines]), strict=True))
    if rows and _number(rows[0][1][-1]) is None:  # its header
        del rows[0]
    for i, row in rows:
        if _number(row[-1]) is None or len(row) != len(rows[0][1]):
            raise ValueError(
                f"Line {i} of {str(path)!r} has {len(row)} columns and ends in {row[-1]!r}; a series is one number a line, or the last of as many columns in every line, below a header or none."
            )
        if not math.isfinite(_number(row[-1]) or 0):
            raise ValueError(
                f"Line {i} of {str(path)!r} ends in {row[-1]!r}; all numbers must be finite: write what is missing, or take the line out."
            )
    return np.array([_number(row[-1]) for _, row in rows], dtype=np.float64)


def _cells(lines: list[str]) -> list[list[str]]:
    """The cells of each line, between what stands between them in the first."""
    sign = next((sign for sign in ";\t," if lines and sign in lines[0]), None)
    if sign is None:
        return [line.split() for line in lines]
    return [next(csv.reader([line], delimiter=sign)) for line in lines]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# A trained model


def trained_model(options: argparse.Namespace) -> WaveNet:
    """The one in a file, or the one of the package that is named, else the toy."""
    return pretrained(options.preset or "toy") if options.model is None else load(options.model)


# What a dataset holds, and which models suit it


class Source(NamedTuple):
    """What is measured: of more than ``n_files`` files some were drawn; None: the items are all."""

    name: str
    items: Items | Tensor
    n_files: int | None = None
    notes: tuple[str, ...] = ()


def source_at(path: str | None, most: int, seed: int) -> Source:
    """What is at ``path``, read as for training, of many files ``most`` that are drawn."""
    if path is None:
        return Source("the bundled clips", bundled_clips())
    where, name = check_exists(path), os.fsencode(path).decode("utf-8", "replace")
    if _is_series(where):
        return Source(name, _series(where))
    if (where / "clips.json").exists():
        return Source(name, EncodedClips(where))
    if not where.is_dir():
        return _recordings(name, where, RATE, None)
    if _has_words(where):
        paths = list(Clips(where).paths)
        drawn = _drawn(paths, most, seed)
        return _recordings(name, drawn, _rate(drawn), len(paths))
    paths = list(audio_files(where))
    return _recordings(name, _drawn(paths, most, seed) if len(paths) > most else where, RATE, len(paths))


def _drawn(paths: list[Path], most: int, seed: int) -> list[Path]:
    if len(paths) <= most:
        return paths
    return [paths[i] for i in sorted(np.random.default_rng(seed).permutation(len(paths))[:most])]


def _rate(paths: list[Path]) -> int:
    """The sample rate of the first that can be read: words are read at their own."""
    for path in paths:
        try:
            return read_audio(path)[1]
        except ValueError:  # which `Waveforms` will say
            continue
    return RATE


def _recordings(name: str, source: Path | list[Path], rate: int, n_files: int | None) -> Source:
    """Audio that can be read, and what to know of the rest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said below, in the report as well
        clips = Waveforms(source, rate, progress=sys.stderr.isatty())
    entries, refused, changed = clips.report.entries, clips.report.refused, clips.report.changed
    notes = []
    if refused:
        notes.append(
            f"{len(refused):,} of {len(entries):,} files are left out, the first, {refused[0].name!r}, because it {refused[0].refused}."
        )
        print(f"wavenetlike: {notes[0]}", file=sys.stderr)
    if changed:
        notes.append(
            f"{len(changed):,} of {len(entries):,} files are changed as they are read, the first, {changed[0].name!r}: {changed[0].said}."
        )
    return Source(name, clips, n_files if n_files and n_files > len(entries) else None, tuple(notes))
