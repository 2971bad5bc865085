"""Clips as µ-law codes, end to end in one array: in memory, or in a file that stays where it is and is mapped to be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from wavenetlike.checks import check_exists
from wavenetlike.data.archive import write_whole
from wavenetlike.data.clips import Item, Items, check_index
from wavenetlike.quantize import MuLaw


class Codes(Sequence[Tensor]):
    """Clips as codes, each int64 of shape (time,).

    Args:
        array: the codes of all clips, one after the other, (time,); or a file of them.
        ends: where each clip ends in it, (clips,), rising.
        levels: number of codes.
        labels, speakers: of each clip, empty where it is not known; None: of none.

    ``lengths`` holds the samples of each clip, int64 of shape (clips,).
    """

    def __init__(
        self,
        array: np.ndarray | Path,
        ends: np.ndarray,
        levels: int,
        labels: Sequence[str] | None = None,
        speakers: Sequence[str] | None = None,
    ):
        self.array, self.ends, self.levels = array, ends, levels
        self.labels, self.speakers = labels or [""] * len(ends), speakers or [""] * len(ends)
        self.lengths = np.diff(ends, prepend=0)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]
        index = range(len(self))[check_index(index)]
        return self.read(index, 0, int(self.lengths[index]))

    def __repr__(self) -> str:
        n = int(self.ends[-1])
        return f"Codes({len(self):,} clips, {n:,} samples, {self.levels} levels)"

    def fingerprint(self) -> str:
        """The same for the same clips: a digest of their lengths and of their codes, in a file of the first and last million."""
        digest = hashlib.sha256(np.asarray(self.ends, dtype=np.int64).tobytes())
        whole = np.memmap(self.array, dtype_of(self.levels), mode="r") if isinstance(self.array, Path) else self.array
        parts = [whole[:1_000_000], whole[-1_000_000:]] if isinstance(self.array, Path) else [whole]
        for part in parts:
            digest.update(np.ascontiguousarray(part).tobytes())
        return f"{len(self)} clips, {digest.hexdigest()[:16]}"

    def read(self, index: int, start: int, stop: int) -> Tensor:
        """Codes ``start`` … ``stop`` - 1 of one clip, int64 of shape (stop - start,), within the clip."""
        begin = int(self.ends[index - 1]) if index else 0
        if isinstance(self.array, Path):
            # Mapped anew for every read: pages that were read stay with the process for as long as the map does.
            kind = dtype_of(self.levels)
            offset = (begin + start) * kind.itemsize
            part: np.ndarray = np.memmap(self.array, kind, mode="r", offset=offset, shape=(stop - start,))
        else:
            part = self.array[begin + start : begin + stop]
        return torch.from_numpy(part.astype(np.int64))


def dtype_of(levels: int) -> np.dtype:
    """The smallest unsigned integer that holds ``levels`` codes: one byte up to 256."""
    return np.min_scalar_type(levels - 1)


def encode_clips(dataset: Items, mu_law: MuLaw) -> Codes:
    """The clips of ``dataset`` as codes; those of `EncodedClips` stay in their file.

    Args:
        dataset: items whose first element is a waveform (batch, time) and whose second the sample rate in Hz, as every
            dataset here gives them, or plain waveforms.
        mu_law: the quantizer.

    Raises:
        TypeError, ValueError: no clips, one that is no waveform, two of different sample rates, or `EncodedClips` of other levels.
    """
    if isinstance(dataset, EncodedClips):
        if dataset.codes.levels != mu_law.levels:
            raise ValueError(
                f"The clips in {str(dataset.folder)!r} are encoded at {dataset.codes.levels} levels, and the model has {mu_law.levels}; encode them anew: try EncodedClips.write(dataset, folder, levels={mu_law.levels})."
            )
        return dataset.codes
    rows, labels, speakers = [], [], []
    for codes, _, label, speaker in encoded_items(dataset, mu_law):
        rows += list(codes)
        labels += [label] * len(codes)
        speakers += [speaker] * len(codes)
    return Codes(np.concatenate(rows), np.cumsum([len(row) for row in rows]), mu_law.levels, labels, speakers)


def encoded_items(dataset: Items, mu_law: MuLaw) -> Iterator[tuple[np.ndarray, int, str, str]]:
    """Item by item (codes (batch, time), sample_rate, label, speaker), the sample rate 0 where the item has none.

    Raises:
        TypeError, ValueError: as `encode_clips`.
    """
    if not isinstance(dataset, Iterable) and not hasattr(dataset, "__getitem__"):
        raise TypeError(
            f"The dataset is a {type(dataset).__name__}; it must give waveforms, or items that begin with one: try ops.download_sample_audio(cutoff=5)."
        )
    kind, first_rate, i = dtype_of(mu_law.levels), 0, -1
    for i, item in enumerate(cast(Iterable[Item], dataset)):
        waveform, rate, label, speaker = parts(item)
        try:
            codes = mu_law.encode(waveform)
        except (TypeError, ValueError) as error:
            raise type(error)(f"Clip {i} of the dataset is refused: {error}") from None
        first_rate = first_rate or rate
        if rate not in (0, first_rate):
            raise ValueError(
                f"Clip {i} of the dataset has {rate} samples a second, and those before it {first_rate}; all must have as many: read them by Waveforms(…, sample_rate={first_rate})."
            )
        yield codes.numpy().astype(kind), rate, label, speaker
    if i < 0:
        raise ValueError(
            "The dataset holds no clips; it must hold at least one: try ops.download_sample_audio(cutoff=5)."
        )


def parts(item: object) -> tuple[Tensor, int, str, str]:
    """An item in its four parts; what is missing is 0 or empty."""
    if not (isinstance(item, Sequence) and not isinstance(item, str) and item):
        return item, 0, "", ""  # type: ignore[return-value]
    waveform, rate, label, speaker = [*item, *[0, "", ""][len(item) - 1 :]][:4]
    return waveform, int(rate or 0), *("" if name is None else str(name) for name in (label, speaker))


class EncodedClips(Dataset[Item]):
    """Clips that were encoded once by `write`, in a folder: training reads them without decoding audio again.

    An item is (waveform, sample_rate, label, speaker), the waveform being what the codes decode to. ``codes`` holds the
    codes themselves, and the memory that they take does not grow with their number: each read maps its own piece.

    Args:
        folder: where `write` put them.

    Raises:
        FileNotFoundError: no such folder, or none that `write` has finished.
        ValueError: the codes were cut short.
    """

    def __init__(self, folder: str | Path):
        self.folder = check_exists(folder)
        if not (self.folder / "clips.json").exists():
            raise FileNotFoundError(
                f"{str(self.folder)!r} holds no encoded clips; make them first: EncodedClips.write(dataset, {str(folder)!r})."
            )
        try:
            about = json.loads((self.folder / "clips.json").read_text(encoding="utf-8"))
            # Numbers into the lists of labels and speakers, and the end of the clip: (clips, 3).
            self._index = np.load(self.folder / "index.npy")
            self.sample_rate, levels = int(about["sample_rate"]), int(about["levels"])
            self._labels, self._speakers = about["labels"], about["speakers"]
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"The index of the clips in {str(self.folder)!r} cannot be read; encode the clips anew: EncodedClips.write(dataset, {str(folder)!r})."
            ) from error
        labels, speakers = (
            [names[i] for i in self._index[:, column]] for column, names in enumerate([self._labels, self._speakers])
        )
        self.codes = Codes(self.folder / "codes.bin", self._index[:, 2], levels, labels, speakers)
        self._mu_law = MuLaw(levels)
        expected = int(self._index[-1, 2]) * dtype_of(levels).itemsize
        if (found := (self.folder / "codes.bin").stat().st_size) != expected:
            raise ValueError(
                f"The codes in {str(self.folder)!r} have {found:,} bytes and should have {expected:,}; encode the clips anew: EncodedClips.write(dataset, {str(folder)!r})."
            )

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> Item:
        waveform = self._mu_law.decode(self.codes[index][None])
        label, speaker = self._index[index, :2]
        return waveform, self.sample_rate, self._labels[label], self._speakers[speaker]

    def __repr__(self) -> str:
        return f"EncodedClips({len(self):,} clips at {self.codes.levels} levels in {str(self.folder)!r})"

    @staticmethod
    def write(dataset: Items, folder: str | Path, levels: int = 256, *, progress: bool = True) -> EncodedClips:
        """Encode every clip of ``dataset`` once into ``folder``, one byte a sample up to 256 levels, and open it.

        One clip at a time is in memory. What was interrupted is not taken for whole, and is overwritten by the next try.

        Args:
            dataset: as for `encode_clips`.
            folder: made if missing; encoded clips that are in it are replaced, once the new ones are whole.
            levels: number of codes, at least 2; 256 is the full WaveNet's, 10 the toy's.
            progress: show a bar.

        Raises:
            TypeError, ValueError: as for `encode_clips`.
        """
        from tqdm.auto import tqdm

        mu_law, folder = MuLaw(levels), Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "codes.partial"
        labels: dict[str, int] = {}
        speakers: dict[str, int] = {}
        index, end, rate = [], 0, 0
        bar = tqdm(
            encoded_items(dataset, mu_law), total=_length(dataset), desc="encoding", unit="clip", disable=not progress
        )
        try:
            with partial.open("wb") as file:
                for codes, clip_rate, label, speaker in bar:
                    rate = rate or clip_rate
                    for row in codes:
                        file.write(row.tobytes())
                        end += len(row)
                        index.append(
                            (labels.setdefault(label, len(labels)), speakers.setdefault(speaker, len(speakers)), end)
                        )
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        about = {"levels": levels, "sample_rate": rate, "labels": [*labels], "speakers": [*speakers]}
        # Without clips.json the folder counts as empty: it goes first and comes last.
        (folder / "clips.json").unlink(missing_ok=True)
        partial.replace(folder / "codes.bin")
        np.save(folder / "index.npy", np.array(index, dtype=np.int64))
        write_whole(folder / "clips.json", json.dumps(about, ensure_ascii=False).encode())
        return EncodedClips(folder)


def _length(dataset: object) -> int | None:
    return len(dataset) if hasattr(dataset, "__len__") else None
