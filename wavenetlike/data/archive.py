"""The archive of Speech Commands over the network: streamed until enough of it is there, or fetched whole and verified.

A file lands in the cache whole or not at all, and the first failure ends with one sentence: nothing is served that was
cut short, and the next try goes on where this one stopped.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import http.client
import re
import ssl
import struct
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

LARGEST = 64_000_000
"""Bytes of one file in an archive: no clip has more than 33 kB, no background noise more than 4 MB."""
PIECE = 1 << 18
"""Bytes read from the network at a time."""
FULL = {errno.ENOSPC, errno.EDQUOT}
UNREADABLE = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    ssl.SSLError,
    EOFError,
    http.client.HTTPException,
    urllib.error.URLError,
    ConnectionError,
    TimeoutError,
)


@contextlib.contextmanager
def told(url: str, folder: Path) -> Iterator[None]:
    """Turn what can go wrong between a server and a disk into one sentence.

    Raises:
        ConnectionError: the network, the server or what it sent.
        OSError: the disk.
    """
    try:
        yield
    except UNREADABLE as error:
        said = " ".join(str(getattr(error, "reason", error)).split()).rstrip(".")
        why = re.sub(r"[.!?] (?=[A-Z])", ", ", said) or type(error).__name__
        raise ConnectionError(
            f"{url} sent no Speech Commands archive ({why}); check the network and the address, or use bundled_clips()."
        ) from error
    except OSError as error:
        if error.errno is None:
            raise
        full = "; free some space" if error.errno in FULL else ""
        raise OSError(
            f"{str(folder)!r} cannot be written ({error.strerror}){full}, or pass another folder as root or in WAVENETLIKE_CACHE."
        ) from error


class Stream:
    """The files of the archive at ``url`` as they arrive, each as (path, content); closing it closes the connection."""

    def __init__(self, url: str, timeout: float):
        self.response = urllib.request.urlopen(url, timeout=timeout)
        self.n_bytes = 0

    def read(self, n: int) -> bytes:
        """Up to ``n`` bytes more from the network, counted."""
        piece = _read(self.response, n)
        self.n_bytes += len(piece)
        return piece

    def __iter__(self) -> Iterator[tuple[PurePosixPath, bytes]]:
        return _files(self)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()


def _read(response: Any, n: int) -> bytes:
    """Up to ``n`` bytes from the network; that it fails is then never taken for a failing disk.

    Raises:
        ConnectionError, http.client.HTTPException: it failed.
    """
    try:
        return bytes(response.read(n))
    except OSError as error:
        raise ConnectionError(str(error)) from error


def unpack(archive: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The files of an archive on this disk, each as (path, content)."""
    with archive.open("rb") as file:
        yield from _files(file)


def _files(packed: Any) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Every file of a .tar.gz, its path within the archive and what is in it.

    Raises:
        tarfile.TarError: a member that no Speech Commands archive has, before anything of it is written.
    """
    unpacked = _Bounded(gzip.GzipFile(fileobj=packed))
    try:
        with tarfile.open(fileobj=unpacked, mode="r|", tarinfo=_Member) as archive:  # type: ignore[call-overload]
            while (member := archive.next()) is not None:
                # The size that a header says, and that which tarfile goes by, may be two.
                _check_member(member, max(member.size, archive.offset - member.offset_data))
                if member.isfile() and (content := archive.extractfile(member)) is not None:
                    yield PurePosixPath(member.name), content.read()
                archive.members.clear()
                unpacked.left = 2 * LARGEST
    except (ValueError, ArithmeticError, LookupError, RecursionError, struct.error) as error:
        raise tarfile.ReadError("one of its headers makes no sense") from error


class _Member(tarfile.TarInfo):
    """Refuses a damaged header, where tarfile would take it for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        try:
            return super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError("one of its headers is damaged") from error


class _Bounded:
    """Hands on what it reads, up to a bound: a header may claim, and a few compressed bytes may become, any size."""

    def __init__(self, file: gzip.GzipFile):
        self.file, self.left = file, 2 * LARGEST

    def read(self, n: int) -> bytes:
        piece = self.file.read(n)
        self.left -= len(piece)
        if self.left < 0:
            raise tarfile.ReadError(f"one of its headers has more than {LARGEST / 1e6:.0f} MB")
        return piece


def _check_member(member: tarfile.TarInfo, size: int) -> None:
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in member.name:
        raise tarfile.ReadError(f"it holds {member.name!r}, which leads out of its folder")
    if not (member.isfile() or member.isdir()):
        raise tarfile.ReadError(f"it holds {member.name!r}, which is a link or a device")
    if size > LARGEST + tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"it holds {member.name!r} of {size / 1e9:,.1f} GB")


def download(url: str, path: Path, sha256: str, timeout: float, progress: bool) -> None:
    """Fetch ``url`` to ``path``, going on where an earlier try stopped, and verify it.

    Raises:
        ConnectionError: what came has another SHA-256; it is removed.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        _fetch(url, partial, timeout, progress)
    except OSError as error:
        if error.errno in FULL:
            partial.unlink(missing_ok=True)
        raise
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        partial.unlink()
        raise ConnectionError(f"its SHA-256 is {found} and should be {sha256}")
    partial.replace(path)


def _fetch(url: str, partial: Path, timeout: float, progress: bool) -> None:
    had = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={had}-"} if had else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is there: what it is worth, its checksum says
        raise
    with response:
        goes_on = response.status == http.client.PARTIAL_CONTENT
        with partial.open("ab" if goes_on else "wb") as file:
            _copy(response, file, had if goes_on else 0, progress)


def _copy(response: Any, file: IO[bytes], had: int, progress: bool) -> None:
    from tqdm.auto import tqdm

    said = response.headers.get("Content-Length") or ""
    length = int(said) if said.isdecimal() else 0
    total = had + length if length else None
    with tqdm(total=total, initial=had, unit="B", unit_scale=True, desc="downloading", disable=not progress) as bar:
        while piece := _read(response, PIECE):
            file.write(piece)
            bar.update(len(piece))
    if total and file.tell() != total:
        raise http.client.IncompleteRead(b"", total - file.tell())


def write_whole(path: Path, content: bytes) -> None:
    """Whole or not at all, whatever interrupts it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
