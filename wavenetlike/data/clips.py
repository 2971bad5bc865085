"""Short recordings of single words: any folder in the layout of Speech Commands, and the clips in this package."""

from __future__ import annotations

import itertools
from numbers import Integral
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from wavenetlike.checks import check_exists, check_int

BUNDLED = Path(__file__).parent / "bundled"

Item = tuple[Tensor, int, str, str]


class Clips(Dataset[Item]):
    """The clips of a folder laid out as ``word/speaker_nohash_n.wav`` (or .flac), one item a clip.

    An item is (waveform, sample_rate, label, speaker): float32 of shape (1, time), in [-1, 1], channels averaged;
    samples a second; the word; the speaker. (A file of floats may hold more than [-1, 1]; what takes the waveform refuses
    it then.) The clips come in turns, the first of every word, then the second of
    every word, so that the first few are of different words. Folders that begin with ``_`` (background noise) hold no
    words.

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
        self.paths = _in_turns(self.folder)[:cutoff]
        if not self.paths:
            raise ValueError(
                f"{str(self.folder)!r} holds no clips; they must lie there as word/speaker_nohash_n.wav or .flac: try bundled_clips()."
            )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Item:
        if not isinstance(index, Integral):
            raise TypeError(
                f"A clip is asked for by {index!r}; pass one number, for several [clips[i] for i in range(5)]."
            )
        path = self.paths[index]
        waveform, sample_rate = read_audio(path)
        return waveform, sample_rate, path.parent.name, path.stem.split("_nohash_")[0]


def _in_turns(folder: Path) -> list[Path]:
    words = sorted(word for word in folder.iterdir() if word.is_dir() and not word.name.startswith("_"))
    by_word = [
        sorted(p for p in word.iterdir() if p.suffix.lower() in {".wav", ".flac"} and "_nohash_" in p.stem)
        for word in words
    ]
    return [path for turn in itertools.zip_longest(*by_word) for path in turn if path is not None]


def bundled_clips(cutoff: int | None = None) -> Clips:
    """The clips that come with the package: 20 words in 4 voices, 16 kHz, spoken by the synthesizer espeak-ng.

    They sound like a machine, because one spoke them, and work where there is no network. ``scripts/synthesize_clips.py``
    makes them.
    """
    return Clips(BUNDLED, cutoff)


def read_audio(path: str | Path) -> tuple[Tensor, int]:
    """An audio file that libsndfile reads (wav, flac, ogg, mp3) → waveform float32 (1, time) and its sample rate in Hz.

    Channels are averaged.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not audio.
    """
    import soundfile

    path = check_exists(path)
    try:
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as audio ({error}); pass a wav, flac, ogg or mp3 file."
        ) from error
    return torch.from_numpy(samples).mean(dim=1, keepdim=True).T.contiguous(), sample_rate
