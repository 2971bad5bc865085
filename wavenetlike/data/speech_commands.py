"""Speech Commands (Warden, 2018): the first few clips of its archive, streamed once and kept."""

from __future__ import annotations

import http.client
import os
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from wavenetlike.checks import check_int
from wavenetlike.data.clips import Clips

URL = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
TIMEOUT = 10
ORDER = "order.txt"
"""Names the clips beside it in the order of the archive."""
UNREADABLE = (
    tarfile.TarError,
    EOFError,
    http.client.HTTPException,
    urllib.error.URLError,
    ConnectionError,
    TimeoutError,
)


def cache_folder() -> Path:
    """Where downloads are kept: the environment variable WAVENETLIKE_CACHE, else the platform's cache folder."""
    return Path(os.environ.get("WAVENETLIKE_CACHE") or platformdirs.user_cache_dir("wavenetlike"))


def speech_commands(cutoff: int, url: str = URL) -> Clips:
    """``cutoff`` clips of Speech Commands v0.02, real voices, 16 kHz, CC BY 4.0; from the cache, else from the network.

    The archive (2.3 GB) is read as a stream that is closed after enough clips, some 20 kB each.

    Args:
        cutoff: how many clips, at least 1.
        url: of a .tar.gz in the layout of the official archive.

    Raises:
        ConnectionError: too few clips are cached, and the network cannot be reached or what comes is no such archive.
        OSError: the archive holds too few clips, or the cache cannot be written.
    """
    check_int("cutoff", cutoff, 1, "5 clips are enough for a first model")
    folder = cache_folder() / "SpeechCommands" / Path(url).name.removesuffix(".tar.gz")
    if len(_kept(folder)) < cutoff:
        _stream(url, folder, cutoff)
    clips = Clips(folder)
    clips.paths = _kept(folder)[:cutoff]
    return clips


def _kept(folder: Path) -> list[Path]:
    """The clips in the cache in the order of the archive, or, where they were put there by hand, in that of `Clips`."""
    if (folder / ORDER).exists():
        return _listed(folder)
    return Clips(folder).paths if any(folder.glob("[!_]*/*_nohash_*.wav")) else []


def _listed(folder: Path) -> list[Path]:
    """The clips that the order file names and that are there."""
    order = folder / ORDER
    lines = order.read_text().split() if order.exists() else []
    return [path for line in lines if (path := folder / line).is_file()]


def _stream(url: str, folder: Path, cutoff: int) -> None:
    """Read the archive from its beginning until ``cutoff`` clips are kept."""
    try:
        with (
            urllib.request.urlopen(url, timeout=TIMEOUT) as response,
            tarfile.open(fileobj=response, mode="r|gz") as archive,
        ):
            known = {path.relative_to(folder).as_posix() for path in _listed(folder)}
            count = 0
            for count, (name, content) in enumerate(_words(archive), start=1):
                if name not in known:
                    _write(folder / name, content)
                    with (folder / ORDER).open("a") as order:
                        order.write(f"\n{name}")
                if count == cutoff:
                    return
    except UNREADABLE as error:
        raise ConnectionError(
            f"{url} sent no Speech Commands archive ({' '.join(str(error).split())}); check the network and the address, or use bundled_clips()."
        ) from error
    raise OSError(f"{url} holds only {count} clips, {cutoff} were asked for; ask for fewer, or use bundled_clips().")


def _words(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """The clips of words in an archive, as word/file.wav and what is in it; no background noise, and no way out."""
    for member in archive:
        parts = Path(member.name).parts[-2:]
        content = archive.extractfile(member) if member.isfile() else None
        if content is None or len(parts) < 2 or parts[0].startswith(("_", ".")):
            continue
        if "_nohash_" in parts[1] and parts[1].endswith(".wav"):
            yield "/".join(parts), content.read()


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, so that an interrupt leaves a valid cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
