"""Your own waveforms: files, folders, arrays, or what was dropped into a notebook, each brought to one form, or refused in words."""

from __future__ import annotations

import collections
import functools
import html
import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from wavenetlike.checks import check_exists
from wavenetlike.data.audio import SUFFIXES, averaged, check_rate, conform, decode, from_array
from wavenetlike.data.clips import Item, check_index, speaker_of

SHOWN = 20
"""Rows of a report that are shown, those first in which something was refused or changed."""


@dataclass(frozen=True)
class Entry:
    """What became of one source: its length in seconds and what was changed, or why it was refused."""

    name: str
    seconds: float = 0.0
    changes: tuple[str, ...] = ()
    refused: str = ""

    @property
    def said(self) -> str:
        """The entry's last column, in words."""
        return f"refused: it {self.refused}" if self.refused else ", ".join(self.changes) or "as it is"


@dataclass(frozen=True)
class Report:
    """What became of every source of `Waveforms`; prints as a table in a terminal and in a notebook.

    ``ignored`` counts, by ending, the files of a folder that are no audio by their names.
    """

    entries: Sequence[Entry]
    ignored: Mapping[str, int]

    @property
    def refused(self) -> list[Entry]:
        """The sources that cannot be used."""
        return [entry for entry in self.entries if entry.refused]

    @property
    def changed(self) -> list[Entry]:
        """The sources that are used in a changed form."""
        return [entry for entry in self.entries if entry.changes]

    def __str__(self) -> str:
        good = [entry for entry in self.entries if not entry.refused]
        clips = "1 clip" if len(good) == 1 else f"{len(good):,} clips"
        words = f"{clips}, {sum(entry.seconds for entry in good):,.1f} s; {len(self.changed):,} changed, {len(self.refused):,} refused"
        if self.ignored:
            kinds = ", ".join(f"{n:,} {ending or 'without ending'}" for ending, n in sorted(self.ignored.items()))
            words += f"; left alone as no audio: {kinds}"
        return words

    def __repr__(self) -> str:
        rows = [f"  {entry.name}  {entry.seconds:,.2f} s  {entry.said}" for entry in self._shown()]
        return "\n".join([str(self), *rows, *self._more()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(entry.name)}</td><td>{entry.seconds:,.2f} s</td><td>{html.escape(entry.said)}</td></tr>"
            for entry in self._shown()
        )
        more = "".join(f"<p>{line.strip()}</p>" for line in self._more())
        head = "<tr><th>source</th><th>length</th><th>what was changed</th></tr>"
        return f"<p>{html.escape(str(self))}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>{more}"

    def _shown(self) -> list[Entry]:
        first = sorted(self.entries, key=lambda entry: (not entry.refused, not entry.changes))
        return first[:SHOWN]

    def _more(self) -> list[str]:
        return [f"  and {len(self.entries) - SHOWN:,} more"] if len(self.entries) > SHOWN else []


@dataclass(frozen=True)
class _Source:
    """One recording: how to get it as (waveform (1, time), sample rate, what was changed already)."""

    name: str
    label: str
    speaker: str
    read: Callable[[], tuple[Tensor, int, list[str]]]


class Waveforms(Dataset[Item]):
    """Recordings of any kind as one-channel float32 waveforms in [-1, 1] at one sample rate.

    Channels are averaged; what has another sample rate is resampled; what reaches beyond [-1, 1] is scaled down to it. Each
    source is read once when this is made: what cannot be used is refused, with a warning, and `report` says of every
    source what became of it. Files are read again when asked for, so that memory holds one at a time.

    An item is (waveform, sample_rate, label, speaker), see `data.AudioFiles`: the label is the name of the folder that the
    file lies in, or of the file where it was uploaded; the speaker is known for names as in Speech Commands.
    Taught in notebooks/03_toy_wavenet.ipynb.

    Args:
        source: a file; a folder, with all wav, flac, ogg and mp3 files in it and in the folders in it; a NumPy array or a
            tensor, (time,) or (channels, time), of floats or of integers, which are divided by their range; an ipywidgets
            FileUpload or its value; or a list of such.
        sample_rate: of all items in Hz, 1,000 to 768,000.
        array_rate: of arrays and tensors, in Hz; None: they have ``sample_rate``.
        progress: show a bar while more than a hundred sources are read.

    Raises:
        FileNotFoundError: no such file or folder.
        TypeError, ValueError: another kind of source, none at all, or none that can be used.

    >>> waveform, sample_rate, label, speaker = Waveforms(torch.zeros(2, 44100), array_rate=44100)[0]
    >>> waveform.shape, sample_rate
    (torch.Size([1, 16000]), 16000)
    """

    def __init__(
        self, source: object, sample_rate: int = 16000, *, array_rate: int | None = None, progress: bool = True
    ):
        check_rate("sample_rate", sample_rate)
        if array_rate is not None:
            check_rate("array_rate", array_rate)
        self.sample_rate = sample_rate
        ignored: collections.Counter[str] = collections.Counter()
        sources = list(_sources(source, array_rate or sample_rate, ignored))
        entries = [self._entry(each) for each in _watched(sources, progress)]
        self.report = Report(entries, ignored)
        self._sources = [each for each, entry in zip(sources, entries, strict=True) if not entry.refused]
        refused = self.report.refused
        if not self._sources:
            raise ValueError(_nothing(source, refused, ignored))
        if refused:
            warnings.warn(
                f"Of {len(entries)} sources {len(refused)} cannot be used, the first, '{refused[0].name}', because it {refused[0].refused}; `report` names all.",
                stacklevel=2,
            )

    def __len__(self) -> int:
        return len(self._sources)

    def __getitem__(self, index: int) -> Item:
        source = self._sources[check_index(index)]
        try:
            waveform, _ = self._waveform(source)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{source.name!r} has changed since it was read first: now it {error}; read the sources again by Waveforms."
            ) from error
        return waveform, self.sample_rate, source.label, source.speaker

    def __repr__(self) -> str:
        return f"Waveforms({self.report})"

    def _waveform(self, source: _Source) -> tuple[Tensor, list[str]]:
        waveform, rate, before = source.read()
        waveform, changes = conform(waveform, rate, self.sample_rate)
        return waveform, [*before, *changes]

    def _entry(self, source: _Source) -> Entry:
        try:
            waveform, changes = self._waveform(source)
        except (TypeError, ValueError) as error:
            return Entry(source.name, refused=str(error))
        return Entry(source.name, waveform.shape[1] / self.sample_rate, tuple(changes))


def audio_files(folder: str | Path) -> Iterator[Path]:
    """Every wav, flac, ogg and mp3 file in ``folder`` and the folders in it, by name; links to folders are not followed.

    Raises:
        FileNotFoundError, NotADirectoryError: no such folder.
        OSError: one of the folders cannot be opened.
    """
    folder = check_exists(folder)
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{str(folder)!r} is a file; pass the folder that it lies in: try {str(folder.parent)!r}."
        )
    return (path for path in _walk(folder, _raise) if path.suffix.lower() in SUFFIXES)


def _raise(error: OSError) -> None:
    raise error


def _walk(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=on_error):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names))


def _sources(source: Any, array_rate: int, ignored: collections.Counter[str]) -> Iterator[_Source]:
    source = getattr(source, "value", source)
    if isinstance(source, (str, Path)):
        yield from _in_files(check_exists(source), ignored)
    elif isinstance(source, (np.ndarray, Tensor)):
        yield _Source(f"array {tuple(source.shape)}", "", "", functools.partial(_read_array, source, array_rate))
    elif isinstance(source, Mapping) and "content" in source:
        name = Path(str(source.get("name", "upload")))
        yield _Source(
            _printable(str(name)), name.stem, speaker_of(name), functools.partial(_read_bytes, bytes(source["content"]))
        )
    elif isinstance(source, (list, tuple)) and not any(isinstance(part, (int, float)) for part in source):
        for part in source:
            yield from _sources(part, array_rate, ignored)
    else:
        raise TypeError(
            f"The source is a {type(source).__name__}; it must be a file, a folder, an array (time,), an upload, or a list of these: for numbers try torch.tensor(source)."
        )


def _in_files(path: Path, ignored: collections.Counter[str]) -> Iterator[_Source]:
    if not path.is_dir():
        yield _of_file(path, path.name)
        return
    closed: list[OSError] = []
    for file in _walk(path, closed.append):
        if file.suffix.lower() in SUFFIXES:
            yield _of_file(file, str(file.relative_to(path)))
        else:
            ignored[_printable(file.suffix.lower())] += 1
    for error in closed:
        yield _Source(
            _printable(str(error.filename)), "", "", functools.partial(_refuse, f"cannot be opened ({error.strerror})")
        )


def _of_file(path: Path, name: str) -> _Source:
    label, speaker = _text(path.absolute().parent.name), _text(speaker_of(path))
    return _Source(_printable(name), label, speaker, functools.partial(decode, path))


def _printable(name: str) -> str:
    """A file's name without what no terminal prints: bytes that are no text, line ends, control signs."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in _text(name))


def _text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")


def _refuse(why: str) -> tuple[Tensor, int, list[str]]:
    raise ValueError(why)


def _read_bytes(content: bytes) -> tuple[Tensor, int, list[str]]:
    return decode(io.BytesIO(content))


def _read_array(array: np.ndarray | Tensor, rate: int) -> tuple[Tensor, int, list[str]]:
    waveform, channels, changed = from_array(array)
    return waveform, rate, [*([changed] if changed else []), *averaged(channels)]


def _watched(sources: list[_Source], progress: bool) -> Sequence[_Source]:
    if not progress or len(sources) <= 100:
        return sources
    from tqdm.auto import tqdm

    return tqdm(sources, desc="reading", unit="clip")


def _nothing(source: object, refused: Sequence[Entry], ignored: Mapping[str, int]) -> str:
    if refused:
        which = f"'{refused[0].name}' cannot be used"
        if len(refused) > 1:
            which = f"None of {len(refused)} sources can be used, the first, '{refused[0].name}', not"
        return (
            f"{which} because it {refused[0].refused}; "
            "pass at least one wav, flac, ogg or mp3 file, or use bundled_clips()."
        )
    what = repr(str(source)) if isinstance(source, (str, Path)) else f"The {type(source).__name__} that was passed"
    found = f" but {sum(ignored.values())} other files" if ignored else ""
    return f"{what} holds no audio{found}; pass at least one wav, flac, ogg or mp3 file, or use bundled_clips()."
