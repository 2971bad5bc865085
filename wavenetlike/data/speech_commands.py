"""Speech Commands (Warden, 2018): the first few clips of its archive, streamed once and kept; or all of it, verified."""

from __future__ import annotations

import itertools
import re
import tarfile
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import IO

from wavenetlike.checks import check_int, check_positive
from wavenetlike.data import archive
from wavenetlike.data.clips import AudioFiles, in_turns
from wavenetlike.names import cache_folder

URL = "http://download.tensorflow.org/data/speech_commands_{version}.tar.gz"
VERSIONS = ["v0.01", "v0.02"]
SUBSETS = ["training", "validation", "testing"]
LISTS = ["validation_list.txt", "testing_list.txt"]
"""The official lists. They are written last: where they stand, all clips do."""
CLIP = re.compile(r"(?:^|/)([^\W_][\w-]*)/([\w-]+_nohash_\w+\.wav)$")
"""Word and file, at the end of a path in the archive; folders that begin with ``_`` hold background noise."""
TIMEOUT = 10.0
LONGEST = 86_400.0


class SpeechCommands(AudioFiles):
    """One-second clips of single words by many speakers, 16 kHz, CC BY 4.0: from the cache, else from the network.

    With ``cutoff`` the archive (2.3 GB) is read as a stream that is closed after enough clips, some 20 kB each: they are
    the first in the archive's own order, in which the clips of a word lie together. Without it, all of the archive is
    fetched, verified by its checksum and unpacked (another 3.4 GB), and the clips come by word. In both cases what was
    fetched stays, also when it is interrupted, and a later call needs no network.

    Args:
        cutoff: how many clips, at least 1; None: all, 105,829 in v0.02.
        words: only clips of these words; with ``cutoff``, the stream runs until so many of them have come.
        subset: "training", "validation" or "testing", by the official lists, which keep a speaker on one side; only
            for the complete set. None: all three.
        version: "v0.02" or "v0.01".
        root: the folder to keep it in; None: that of the environment variable WAVENETLIKE_CACHE, else the platform's cache
            folder. The layout is torchaudio's, so a complete set that it unpacked there is found.
        url: of a mirror of the archive; None: the official address.
        sha256: of the archive, for the complete set; None: the official one.
        timeout: seconds to wait for a server that says nothing, above 0.
        progress: show a bar.

    Raises:
        ConnectionError: too few clips are cached, and the network cannot be reached or what comes is no such archive.
        OSError: the archive holds too few clips, or the cache cannot be written.
        TypeError, ValueError: an argument out of its range.
    """

    def __init__(
        self,
        cutoff: int | None = None,
        *,
        words: Collection[str] | None = None,
        subset: str | None = None,
        version: str = "v0.02",
        root: str | Path | None = None,
        url: str | None = None,
        sha256: str | None = None,
        timeout: float = TIMEOUT,
        progress: bool = True,
    ):
        _check(cutoff, words, subset, version, url, sha256, timeout)
        root = Path(root) if root is not None else cache_folder()
        self.folder = root / "SpeechCommands" / f"speech_commands_{version}"
        self._url = url or URL.format(version=version)
        self._timeout, self._progress = timeout, progress
        wanted = frozenset(words) if words is not None else None
        with archive.told(self._url, root):
            if cutoff is None:
                super().__init__(self._all(root, version, sha256, subset, wanted))
            else:
                super().__init__(self._first(cutoff, wanted))

    def __repr__(self) -> str:
        return f"SpeechCommands({len(self):,} clips in {str(self.folder)!r})"

    def _first(self, cutoff: int, words: frozenset[str] | None) -> list[Path]:
        if len(kept := _kept(self.folder, cutoff, words)) == cutoff:
            return kept
        with _locked(self.folder):
            # Another process may have fetched them while this one waited.
            if len(_kept(self.folder, cutoff, words)) < cutoff:
                self._stream(cutoff, words)
        return _kept(self.folder, cutoff, words)

    def _stream(self, cutoff: int, words: frozenset[str] | None) -> None:
        """Read the archive from its beginning until ``cutoff`` clips are kept."""
        from tqdm.auto import tqdm

        seen: set[Path] = set()
        with (
            _Order(self.folder, words) as order,
            archive.Stream(self._url, self._timeout) as files,
            tqdm(total=cutoff, desc="Speech Commands", unit="clip", disable=not self._progress) as bar,
        ):
            for name, content in files:
                bar.set_postfix_str(f"{files.n_bytes / 1e6:.1f} MB", refresh=False)
                path = _clip(self.folder, name, content, words)
                if path is None or path in seen:
                    continue
                order.keep(path, content)
                seen.add(path)
                bar.update()
                if len(seen) == cutoff:
                    return
        of_words = f" of {', '.join(sorted(words))}" if words else ""
        raise OSError(
            f"{self._url} holds only {len(seen)} clips{of_words}, {cutoff} were asked for; ask for fewer, or use bundled_clips()."
        )

    def _all(
        self, root: Path, version: str, sha256: str | None, subset: str | None, words: frozenset[str] | None
    ) -> list[Path]:
        if not _is_complete(self.folder):
            with _locked(self.folder):
                if not _is_complete(self.folder):
                    self._fetch((sha256 or _official_sha256(version)).lower())
        from torchaudio.datasets import SPEECHCOMMANDS

        official = SPEECHCOMMANDS(root, url=self.folder.name, subset=subset)
        paths = [root / "SpeechCommands" / official.get_metadata(i)[0] for i in range(len(official))]
        if not (paths := [path for path in paths if words is None or path.parent.name in words]):
            raise ValueError(
                f"words={sorted(words or ())} are in no clip of {str(self.folder)!r}; pass some of its folders' names: try ['yes', 'no']."
            )
        return paths

    def _fetch(self, sha256: str) -> None:
        """Download, verify, unpack; the lists last, so that they stand only beside all that they name."""
        from tqdm.auto import tqdm

        packed = self.folder.with_name(self.folder.name + ".tar.gz")
        if not packed.exists():
            archive.download(self._url, packed, sha256, self._timeout, self._progress)
        lists: dict[str, bytes] = {}
        files = tqdm(archive.unpack(packed), desc="unpacking", unit="file", disable=not self._progress)
        try:
            with _Order(self.folder, None) as order:
                for name, content in files:
                    if name.name in LISTS:
                        lists[name.name] = content
                    elif path := _clip(self.folder, name, content, None):
                        order.keep(path, content)
            _check_lists(lists, self.folder)
        except archive.UNREADABLE:
            packed.unlink()
            raise
        for file, content in lists.items():
            archive.write_whole(self.folder / file, content)
        packed.unlink()


class _Order:
    """Writes clips as they come from the beginning of an archive, and their order beside them, so that a part is a beginning."""

    def __init__(self, folder: Path, words: frozenset[str] | None):
        self.path = _order(folder, words)
        self.known = dict.fromkeys(_listed(self.path, None))
        self.file: IO[str] | None = None

    def __enter__(self) -> _Order:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file:
            self.file.close()

    def keep(self, path: Path, content: bytes) -> None:
        """Write one clip, unless it is there."""
        if path not in self.known:
            if self.file is None:
                # Not before the first clip has come: an order file hides what was put there by hand. What is damaged or
                # missing ends the order: it is taken up again from there.
                archive.write_whole(self.path, "".join(f"\n{_name(path)}" for path in self.known).encode())
                self.file = self.path.open("a", encoding="utf-8")
            archive.write_whole(path, content)
            self.file.write(f"\n{_name(path)}")
            self.file.flush()
            self.known[path] = None


def _name(path: Path) -> str:
    """A clip as the official lists name it."""
    return f"{path.parent.name}/{path.name}"


def _check(
    cutoff: object, words: object, subset: str | None, version: str, url: str | None, sha256: str | None, timeout: float
) -> None:
    if cutoff is not None:
        check_int("cutoff", cutoff, 1, "5 clips are enough for a first model")
    if version not in VERSIONS:
        raise ValueError(f"version={version!r} is not known; it must be 'v0.01' or 'v0.02': try 'v0.02'.")
    if subset is not None and subset not in SUBSETS:
        raise ValueError(f"subset={subset!r} is not known; it must be one of {', '.join(SUBSETS)}, or None for all.")
    if subset is not None and cutoff is not None:
        raise ValueError(
            f"subset={subset!r} and cutoff={cutoff} do not go together, since the official lists come with the complete set only: leave one of them out."
        )
    check_positive("timeout", timeout, "10")
    if timeout > LONGEST:
        raise ValueError(f"timeout={timeout} is more than a day; it must be at most {LONGEST:.0f} seconds: try 10.")
    if url is not None and not re.match(r"(https?|file)://", url):
        raise ValueError(
            f"url={url!r} is no address; it must begin with https://, http:// or file://: leave it out for the official one."
        )
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ValueError(
            f"sha256={sha256!r} is no SHA-256; it has 64 hexadecimal digits: leave it out for the official one."
        )
    if isinstance(words, str) or (words is not None and not (isinstance(words, Collection) and words)):
        raise TypeError(f"words={words!r} is no list of words; pass at least one, as in words=['yes', 'no'].")
    if bad := [word for word in words or () if not (isinstance(word, str) and word.isalnum())]:
        raise ValueError(f"words holds {bad[0]!r}, which is no word of letters: try ['yes', 'no'].")


def _clip(folder: Path, name: PurePosixPath, content: bytes, words: frozenset[str] | None) -> Path | None:
    """Where in ``folder`` a file of the archive belongs; None for background noise, and for what is no clip of ``words``."""
    if not (found := CLIP.search(str(name))) or content[:4] != b"RIFF":
        return None
    word, file = found.groups()
    return folder / word / file if words is None or word in words else None


def _order(folder: Path, words: frozenset[str] | None) -> Path:
    """The file that names clips in the order of the archive, from its beginning: all, or those of ``words``."""
    return folder / ("-".join(["order", *sorted(words or ())]) + ".txt")


def _kept(folder: Path, cutoff: int, words: frozenset[str] | None) -> list[Path]:
    """The first clips in the cache in the order of the archive, or, where they were put there by hand, in that of `Clips`."""
    if not folder.is_dir():
        return []
    if not any(folder.glob("order*.txt")):
        return [path for path in in_turns(folder) if words is None or path.parent.name in words][:cutoff]
    orders = {_order(folder, words), _order(folder, None)}
    return max(([*itertools.islice(_listed(order, words), cutoff)] for order in orders), key=len)


def _listed(order: Path, words: frozenset[str] | None) -> Iterator[Path]:
    """The clips of ``words`` that an order file names, each once, up to the first that is not there."""
    lines = order.read_text(encoding="utf-8", errors="replace").split() if order.exists() else []
    for line in dict.fromkeys(filter(CLIP.fullmatch, lines)):
        path = order.parent / line
        if not path.is_file():
            return
        if words is None or path.parent.name in words:
            yield path


def _check_lists(lists: dict[str, bytes], folder: Path) -> None:
    if missing := [name for name in LISTS if name not in lists]:
        raise tarfile.ReadError(f"it holds no {missing[0]}")
    named = {line for content in lists.values() for line in content.decode("utf-8", "replace").split()}
    if absent := sorted(named - _there(folder)):
        raise tarfile.ReadError(f"its lists name {absent[0]!r}, which it does not hold")


def _there(folder: Path) -> set[str]:
    """The clips in a folder, as the official lists name them."""
    words = [word for word in folder.iterdir() if word.is_dir()]
    return {f"{word.name}/{clip.name}" for word in words for clip in word.iterdir()}


def _is_complete(folder: Path) -> bool:
    """Whether both lists are there, and all the clips that they and the order name."""
    files = [folder / name for name in LISTS]
    if not all(file.exists() for file in files):
        return False
    if (order := _order(folder, None)).exists():
        files.append(order)
    named = {line for file in files for line in file.read_text(encoding="utf-8", errors="replace").split()}
    return named <= _there(folder)


def _locked(folder: Path) -> AbstractContextManager[object]:
    """Held while one process fills the cache; others wait for it, and find it filled."""
    import filelock

    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder.with_name(folder.name + ".lock"))


def _official_sha256(version: str) -> str:
    from torchaudio.datasets import speechcommands

    return str(speechcommands._CHECKSUMS[URL.format(version=version)])
