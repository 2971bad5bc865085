"""Short recordings in files, one item a file: a folder laid out as Speech Commands is, and the clips in this package."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from wavenetlike.checks import check_exists, check_int
from wavenetlike.data.audio import read_audio
from wavenetlike.names import BUNDLED

SPEAKER_ENDS = "_nohash_"
"""What stands in a file's name between the speaker and the number of the recording."""

Item = tuple[Tensor, int, str, str]
"""(waveform, sample_rate, label, speaker): float32 of shape (1, time) in [-1, 1]; samples a second; and who said what."""
Items = Iterable[Item] | Dataset[Item]
"""What is trained on and scored: items one after the other."""


class AudioFiles(Dataset[Item]):
    """Audio files as they are, each read when it is asked for: label is the folder's name, speaker the beginning of the file's.

    An item is (waveform, sample_rate, label, speaker): float32 of shape (1, time), channels averaged; samples a second;
    the word; the speaker. (A file of floats may hold more than [-1, 1]; what takes the waveform refuses it then.)

    Args:
        paths: of the files, in the order of the items.
    """

    def __init__(self, paths: Iterable[Path]):
        self.paths: Sequence[Path] = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Item:
        path = self.paths[check_index(index)]
        waveform, sample_rate = read_audio(path)
        return waveform, sample_rate, path.parent.name, speaker_of(path)


class Clips(AudioFiles):
    """The clips of a folder laid out as ``word/speaker_nohash_n.wav`` (or .flac), see `AudioFiles`.

    The clips come in turns, the first of every word, then the second of every word, so that the first few are of
    different words. Folders that begin with ``_`` (background noise) hold no words.

    Args:
        folder: holds one folder a word.
        cutoff: how many clips to take, at least 1; None takes all.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no clips in it.
    """

    def __init__(self, folder: str | Path, cutoff: int | None = None):
        if cutoff is not None:
            check_int("cutoff", cutoff, 1, "5 clips are enough for a first model")
        self.folder = check_exists(folder)
        if not self.folder.is_dir():
            raise NotADirectoryError(
                f"{str(self.folder)!r} is a file; pass the folder that holds word/speaker_nohash_n.wav: try {str(self.folder.parent)!r}."
            )
        super().__init__(in_turns(self.folder)[:cutoff])
        if not self.paths:
            raise ValueError(
                f"{str(self.folder)!r} holds no clips as word/speaker_nohash_n.wav or .flac; put them there so, or read any folder of audio by Waveforms."
            )


def in_turns(folder: Path) -> list[Path]:
    """The clips in ``folder``, the first of every word, then the second of every word, and so on."""
    words = sorted(word for word in folder.iterdir() if word.is_dir() and not word.name.startswith("_"))
    by_word = [sorted(path for path in word.iterdir() if _is_clip(path.name)) for word in words]
    return [path for turn in itertools.zip_longest(*by_word) for path in turn if path is not None]


def _is_clip(name: str) -> bool:
    return SPEAKER_ENDS in name and name.lower().endswith((".wav", ".flac"))


def speaker_of(path: Path) -> str:
    """The part of the file's name that says the speaker; empty where none does."""
    speaker, ends, _ = path.stem.partition(SPEAKER_ENDS)
    return speaker if ends else ""


def check_index(index: object) -> int:
    """Refuse anything but one number: a slice of a dataset would have to be a dataset.

    Raises:
        TypeError: no integer.
    """
    if not isinstance(index, Integral):
        raise TypeError(f"A clip is asked for by {index!r}; pass one number, for several [clips[i] for i in range(5)].")
    return int(index)


def bundled_clips(cutoff: int | None = None) -> Clips:
    """The clips that come with the package: 20 words in 4 voices, 16 kHz, spoken by the synthesizer espeak-ng.

    They sound like a machine, because one spoke them, and work where there is no network. ``scripts/synthesize_clips.py``
    makes them.
    """
    return Clips(BUNDLED, cutoff)
