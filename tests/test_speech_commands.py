"""Speech Commands from a server on this machine: streamed, complete, and everything that can go wrong on the way."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tarfile
import time
import tracemalloc
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from server import ARCHIVE, CLIPS, LISTS, NAMES, Reply, Server, clip, entries, member, packed, pax

import wavenetlike.data.speech_commands
from wavenetlike import ops
from wavenetlike.data import AudioFiles, SpeechCommands, archive, bundled_clips

NOWHERE = "http://127.0.0.1:9/archive.tar.gz"
GOOD = Reply(ranges=True)
WAYS = ["streamed", "complete"]
ENOUGH = 40_000_000
"""Bytes that an endless server offers; what lies in the buffers of a closed connection is far less."""


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """A test that hangs fails."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("this hangs"))
    signal.setitimer(signal.ITIMER_REAL, 25)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch, own_cache) -> Iterator[Path]:
    """The cache of a test, with nothing beside it, before the test nor after."""
    root = tmp_path / "outer" / "cache"
    root.mkdir(parents=True)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(root))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    yield root
    beside = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if root not in path.parents}
    assert beside <= {"work", "outer", "outer/cache"}
    assert not list(own_cache.iterdir())


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers = []

    def start(reply: Reply = GOOD, **options) -> Server:
        servers.append(Server(reply, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def ask(way: str, url: str, content: bytes = ARCHIVE, **options) -> SpeechCommands:
    """The first twelve clips, which are all, or the complete set."""
    options = {"url": url, "progress": False, **options}
    if way == "streamed":
        return SpeechCommands(len(NAMES), **options)
    return SpeechCommands(sha256=hashlib.sha256(content).hexdigest(), **options)


def first(n: int, url: str = NOWHERE, **options) -> SpeechCommands:
    return SpeechCommands(n, url=url, progress=False, **options)


def names(clips: AudioFiles) -> list[str]:
    """The clips, each of which holds what was sent."""
    shown = [f"{path.parent.name}/{path.name}" for path in clips.paths]
    assert all(path.read_bytes() == CLIPS[name] for path, name in zip(clips.paths, shown, strict=True))
    assert len(clips) == len(shown)
    return shown


def expected(way: str) -> list[str]:
    return NAMES if way == "streamed" else sorted(NAMES)


def of(words: list[str] | None) -> list[str]:
    return [name for name in NAMES if words is None or name.split("/")[0] in words]


def kept(root: Path, *litter: str, **options) -> int:
    """How many clips the cache serves without a server: the first of the archive. Nothing in it is cut short."""
    assert {path.name for path in root.rglob("*.partial")} <= set(litter)
    for path in root.rglob("[!_]*/*.wav"):
        assert path.read_bytes() == CLIPS[f"{path.parent.name}/{path.name}"]
    for n in range(1, len(NAMES) + 1):
        try:
            clips = first(n, root=root, **options)
        except OSError:
            return n - 1
        assert names(clips) == NAMES[:n]
    return len(NAMES)


RESUMABLE = "speech_commands_v0.02.tar.gz.partial"


# The first clips, streamed


def endless() -> Iterator[bytes]:
    packer = zlib.compressobj(level=0, wbits=31)
    yield packer.compress(b"".join([*entries(), *map(clip, range(12))]))
    noise = np.random.default_rng(0).bytes(100_000)
    for i in range(ENOUGH // len(noise)):
        yield packer.compress(member(f"./zero/w{i}_nohash_0.wav", noise))
    yield packer.compress(bytes(1024)) + packer.flush()


@pytest.mark.parametrize("cutoff", [1, 4])
def test_first_clips_are_streamed_and_the_rest_is_not(serve, root, cutoff):
    server = serve(Reply(endless))
    clips = first(cutoff, server.url)
    assert server.finished.wait(20)
    assert server.sent < ENOUGH / 2
    assert root in clips.folder.parents
    assert names(clips) == NAMES[:cutoff]
    assert len(list(root.rglob("*.wav"))) == kept(root) == cutoff


def check_items(clips: AudioFiles) -> None:
    for (waveform, sample_rate, label, speaker), name in zip(clips, names(clips), strict=True):
        i = NAMES.index(name)
        assert (sample_rate, label, speaker) == (16000, name.split("/")[0], f"v{i}")
        assert waveform.dtype == torch.float32
        torch.testing.assert_close(waveform, torch.full((1, 4000), (i + 1) / 100), rtol=0, atol=1 / 32768)


@pytest.mark.parametrize("way", WAYS)
def test_items_are_waveform_rate_label_speaker(serve, way):
    clips = ask(way, serve().url)
    check_items(clips)
    assert len(clips) == len(NAMES)
    assert "12 clips" in repr(clips)


def test_second_call_needs_no_server(serve):
    server = serve()
    before = first(3, server.url).paths
    server.stop()
    assert first(3, server.url).paths == before
    assert first(2).paths == before[:2]
    assert len(server.asked) == 1
    refused(lambda: first(4, server.url), ConnectionError, server.url)


def test_too_few_clips_are_refused(serve, root):
    server = serve()
    refused(lambda: first(13, server.url), OSError, server.url, "12 clips", "13")
    assert kept(root) == 12
    refused(lambda: first(5, server.url, words=["go"]), OSError, server.url, "4 clips of go", "5")
    assert names(first(4, words=["go"])) == of(["go"])


FRESH = itertools.count()
WORDS = st.none() | st.lists(st.sampled_from(["go", "bed", "up"]), min_size=1, max_size=3)
QUERIES = st.lists(st.tuples(st.integers(1, 4) | st.none(), WORDS), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def good() -> Iterator[Server]:
    server = Server(GOOD)
    yield server
    server.stop()


@settings(max_examples=80)
@given(queries=QUERIES)
def test_any_queries_in_any_order_get_the_first_clips_and_once(good, root, queries):
    """Words before plain, plain before words, all at the end, all before: the first clips are always the same."""
    fresh = root / str(next(FRESH))
    checksum = hashlib.sha256(ARCHIVE).hexdigest()

    def check(url: str) -> None:
        for cutoff, words in queries:
            clips = SpeechCommands(cutoff, words=words, root=fresh, url=url, sha256=checksum, progress=False)
            assert names(clips) == (of(words)[:cutoff] if cutoff else sorted(of(words)))

    check(good.url)
    check(NOWHERE)
    if (None, None) not in queries:
        return
    assert [names(first(n, root=fresh)) for n in (2, 12)] == [NAMES[:2], NAMES]


def test_a_clip_that_comes_twice_counts_once(serve, root):
    content = packed(*entries(), clip(0), clip(0), *map(clip, range(12)))
    assert names(first(5, serve(Reply(content)).url)) == NAMES[:5]
    assert kept(root) == 5


@pytest.mark.parametrize("way", WAYS)
def test_an_archive_on_this_disk_is_read_too(root, way):
    at = root / "mine" / "archive"
    at.parent.mkdir()
    at.write_bytes(ARCHIVE)
    assert names(ask(way, at.as_uri())) == expected(way)
    refused(lambda: first(13, (root / "nothing").as_uri()), ConnectionError, "nothing")


def test_words_are_counted_and_not_clips(serve, root):
    server = serve()
    assert names(first(2, server.url, words=["up"])) == of(["up"])[:2]
    assert len(list(root.rglob("*.wav"))) == 2
    assert names(first(2, words=("up",))) == of(["up"])[:2]
    assert names(first(5, server.url, words={"up", "go"})) == of(["up", "go"])[:5]
    assert len(server.asked) == 2


def test_versions_are_kept_apart(serve, root):
    server = serve()
    clips = {version: first(2, server.url, version=version) for version in ("v0.01", "v0.02")}
    assert len(server.asked) == 2
    assert clips["v0.01"].folder != clips["v0.02"].folder
    assert kept(root, version="v0.01") == kept(root, version="v0.02") == 2
    shutil.rmtree(clips["v0.01"].folder)
    assert (kept(root, version="v0.01"), kept(root, version="v0.02")) == (0, 2)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [str, Path])
def test_root_goes_before_the_environment(serve, root, way, kind):
    mine = root / "mine"
    clips = ask(way, serve().url, root=kind(mine))
    assert mine in clips.folder.parents
    assert [path.name for path in root.iterdir()] == ["mine"]
    assert kept(mine) == 12
    assert kept(root) == 0


def test_the_platform_says_where_when_the_environment_does_not(serve, root, monkeypatch):
    monkeypatch.delenv("WAVENETLIKE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(root))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(root / name))
    assert (root / "wavenetlike") in first(1, serve().url).folder.parents


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_is_shown_or_not(serve, capsys, way, progress):
    ask(way, serve().url, progress=progress)
    shown = capsys.readouterr()
    assert shown.out == ""
    for bar in ["Speech Commands"] if way == "streamed" else ["downloading", "unpacking"]:
        assert (bar in shown.err) is progress
    if not progress:
        assert shown.err == ""


# The complete set


def test_complete_set_has_all_clips_and_the_official_subsets(serve, root):
    server = serve()
    assert names(ask("complete", server.url)) == sorted(NAMES)
    server.stop()
    found = {subset: names(ask("complete", NOWHERE, subset=subset)) for subset in ("training", *LISTS)}
    assert {subset: found[subset] for subset in LISTS} == LISTS
    assert sorted(itertools.chain(*found.values())) == sorted(NAMES)
    assert names(ask("complete", NOWHERE, words=["go", "up"])) == sorted(of(["go", "up"]))
    assert names(ask("complete", NOWHERE, words=["go"], subset="testing")) == [NAMES[3]]
    assert names(first(3, words=["bed"])) == of(["bed"])[:3]
    assert kept(root) == 12
    assert len(server.asked) == 1
    assert not list(root.rglob("*.tar.gz"))
    refused(lambda: ask("complete", NOWHERE, words=["zebra"]), ValueError, "zebra")


def unpack_as_torchaudio(root: Path) -> Path:
    """All files of the archive, and no more."""
    folder = root / "SpeechCommands" / "speech_commands_v0.02"
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE)) as files:
        files.extractall(folder, filter="data")
    return folder


def test_a_set_unpacked_by_torchaudio_is_found(root):
    unpack_as_torchaudio(root)
    assert names(ask("complete", NOWHERE)) == sorted(NAMES)
    assert {subset: names(ask("complete", NOWHERE, subset=subset)) for subset in LISTS} == LISTS
    assert len(set(names(first(5)))) == 5
    assert names(first(2, words=["up"])) == sorted(of(["up"]))[:2]


@pytest.mark.parametrize("gone", [NAMES[1], NAMES[8], "testing_list.txt", "validation_list.txt"])
@pytest.mark.parametrize("by", ["torchaudio", "this package"])
def test_a_half_unpacked_folder_is_not_complete(serve, root, by, gone):
    server = serve()
    folder = unpack_as_torchaudio(root) if by == "torchaudio" else ask("complete", server.url).folder
    (folder / gone).unlink()
    refused(lambda: ask("complete", NOWHERE), ConnectionError, NOWHERE)
    assert names(ask("complete", server.url)) == sorted(NAMES)
    assert kept(root) == 12


def test_a_clip_that_is_in_no_list_is_missed_too(serve, root):
    server = serve()
    (ask("complete", server.url).folder / NAMES[0]).unlink()
    refused(lambda: ask("complete", NOWHERE), ConnectionError, NOWHERE)
    assert names(ask("complete", server.url)) == sorted(NAMES)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("then", ["close", "reset", "stall"])
def test_an_interrupted_download_goes_on_where_it_stopped(serve, root, ranges, then):
    content = packed(*entries(), *map(clip, range(12)), member("./notes.txt", bytes(900_000)))
    server = serve(Reply(content, stop_after=800_000, then=then))
    refused(lambda: ask("complete", server.url, content, timeout=0.3), ConnectionError, server.url)
    had = (root / "SpeechCommands" / RESUMABLE).stat().st_size
    assert 400_000 < had <= 800_000
    assert kept(root, RESUMABLE) == 0
    server.reply, server.sent = Reply(content, ranges=ranges), 0
    assert names(ask("complete", server.url, content)) == sorted(NAMES)
    assert server.asked == [None, f"bytes={had}-"]
    assert server.sent == len(content) - (had if ranges else 0)
    assert kept(root) == 12


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_only_lacks_its_name_is_taken(serve, root, ranges):
    partial = root / "SpeechCommands" / RESUMABLE
    partial.parent.mkdir()
    partial.write_bytes(ARCHIVE)
    assert names(ask("complete", serve(Reply(ranges=ranges)).url)) == sorted(NAMES)
    assert kept(root) == 12


@pytest.mark.parametrize("wrong", [b"x" * 1000, ARCHIVE + b"more"])
def test_a_download_that_goes_on_from_something_else_is_refused_once(serve, root, wrong):
    server = serve()
    partial = root / "SpeechCommands" / RESUMABLE
    partial.parent.mkdir()
    partial.write_bytes(wrong)
    refused(lambda: ask("complete", server.url), ConnectionError, "SHA-256")
    assert kept(root) == 0
    assert names(ask("complete", server.url)) == sorted(NAMES)


def test_a_length_that_is_no_number_does_no_harm(serve):
    server = serve(Reply(headers={"Content-Length": "many"}))
    assert names(ask("complete", server.url)) == sorted(NAMES)


def test_an_interrupted_unpacking_downloads_nothing_again(serve, root, monkeypatch):
    server = serve()
    with monkeypatch.context() as patch:
        write_at_most(patch, len(ARCHIVE) + 40_000, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            ask("complete", server.url)
    server.stop()
    assert kept(root) == 4
    assert names(ask("complete", server.url)) == sorted(NAMES)
    assert kept(root) == 12


OFFICIAL = {
    "v0.01": "743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",
    "v0.02": "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
}


@pytest.mark.parametrize("version", OFFICIAL)
def test_without_a_checksum_only_the_official_archive_is_taken(serve, root, version):
    server = serve()
    found = hashlib.sha256(ARCHIVE).hexdigest()
    call = partial(SpeechCommands, url=server.url, version=version, progress=False)
    refused(call, ConnectionError, server.url, OFFICIAL[version], found)
    assert kept(root, version=version) == 0
    assert not list(root.rglob("*.tar.gz"))
    assert names(ask("complete", server.url, version=version)) == sorted(NAMES)


def test_a_checksum_may_be_in_capitals(serve):
    checksum = hashlib.sha256(ARCHIVE).hexdigest().upper()
    assert len(SpeechCommands(url=serve().url, sha256=checksum, progress=False)) == len(NAMES)


@pytest.mark.parametrize("content", [b"", b"<html>", ARCHIVE[:-1], ARCHIVE[:-1] + b"x"])
def test_a_wrong_checksum_is_refused(serve, root, content):
    server = serve(Reply(content, ranges=True))
    refused(lambda: ask("complete", server.url), ConnectionError, server.url, "SHA-256")
    assert kept(root) == 0
    server.reply = GOOD
    assert names(ask("complete", server.url)) == sorted(NAMES)


@pytest.mark.parametrize(
    "lists",
    [{}, {"validation": []}, {"testing": LISTS["testing"]}, {**LISTS, "testing": ["go/v99_nohash_0.wav"]}],
    ids=["none", "no testing", "no validation", "a clip that is not there"],
)
def test_an_archive_without_its_lists_is_refused(serve, root, lists):
    content = packed(*entries(lists), *map(clip, range(12)))
    server = serve(Reply(content))
    refused(lambda: ask("complete", server.url, content), ConnectionError, server.url)
    assert kept(root) in (0, 12)
    refused(lambda: ask("complete", NOWHERE), ConnectionError, NOWHERE)
    server.reply = GOOD
    assert names(ask("complete", server.url)) == sorted(NAMES)


# What comes is no such archive


def amid(*bad: bytes) -> bytes:
    """An archive with something bad between its fifth clip and its sixth."""
    return packed(*entries(), *map(clip, range(5)), *bad, *map(clip, range(5, 12)))


def corrupt() -> bytes:
    packer = zlib.compressobj(wbits=31)
    whole = packer.compress(b"".join([*entries(), *map(clip, range(6))])) + packer.flush(zlib.Z_FULL_FLUSH)
    return whole + b"\xff" * 40 + packer.compress(b"".join(map(clip, range(6, 12)))) + packer.flush()


def senseless(key: str, value: str) -> bytes:
    info = tarfile.TarInfo(f"./{NAMES[5]}")
    info.pax_headers = {key: value}
    return info.tobuf(tarfile.PAX_FORMAT)


def cut_and_packed() -> bytes:
    """A tar that ends within a clip, in a gzip that is whole."""
    whole = b"".join([*entries(), *map(clip, range(12))])
    packer = zlib.compressobj(wbits=31)
    return packer.compress(whole[: whole.rindex(b"RIFF") + 500]) + packer.flush()


def damaged() -> bytes:
    """A clip whose header has another checksum than it says."""
    return clip(5).replace(b"0000644", b"0000755", 1)


SIZE = len(CLIPS[NAMES[5]])
EVIL = {
    "parent": member("../go/v5_nohash_1.wav", CLIPS[NAMES[5]]),
    "far parent": member("./go/../../../../../v5_nohash_1.wav", CLIPS[NAMES[5]]),
    "parent of a folder": member("./../..", kind=tarfile.DIRTYPE),
    "absolute": member("/planted/go/v5_nohash_1.wav", CLIPS[NAMES[5]]),
    "backslashes": member("..\\..\\go\\v5_nohash_1.wav", CLIPS[NAMES[5]]),
    "a share": member("\\\\host\\share\\go/v5_nohash_1.wav", CLIPS[NAMES[5]]),
    "a drive": member("C:\\go/v5_nohash_1.wav", CLIPS[NAMES[5]]),
    "a drive's folder": member("D:go/v5_nohash_1.wav", CLIPS[NAMES[5]]),
    "symlink": member(f"./{NAMES[5]}", kind=tarfile.SYMTYPE, linkname="/etc/hostname"),
    "symlinked folder": member("./bed", kind=tarfile.SYMTYPE, linkname="../../../.."),
    "hard link": member(f"./{NAMES[5]}", kind=tarfile.LNKTYPE, linkname="/etc/hostname"),
    "device": member(f"./{NAMES[5]}", kind=tarfile.CHRTYPE),
    "pipe": member(f"./{NAMES[5]}", kind=tarfile.FIFOTYPE),
    "10 GB": member(f"./{NAMES[5]}", b"RIFF", size=10**10),
    "10 GB of notes": member("./notes.txt", b"RIFF", size=10**10),
    "10 GB of header": member("./header", b"", kind=tarfile.XHDTYPE, size=10**10),
    "a small size and a large one": pax(f"13 size={SIZE}\n".encode(), tarfile.XGLTYPE)
    + member(f"./{NAMES[5]}", CLIPS[NAMES[5]], size=10**15),
    "damaged header": damaged(),
    "many headers": pax(b"9 path=x\n") * 3000,
    "senseless size": senseless("GNU.sparse.size", "many"),
    "senseless map": senseless("GNU.sparse.map", "here"),
}
GARBAGE = {
    "nothing": b"",
    "one byte": b"\x1f",
    "html": b"<html>Please log in to this network.</html>" * 30,
    "truncated gzip": ARCHIVE[:-20_000],
    "truncated tar": cut_and_packed(),
    "corrupt gzip": corrupt(),
    "no tar": packed(b"plain text " * 200),
    "many headers first": packed(EVIL["many headers"]),
    "senseless header first": packed(EVIL["senseless size"]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("content", "valid"),
    [pytest.param(content, 0, id=name) for name, content in GARBAGE.items()]
    + [pytest.param(amid(bad), 5, id=name) for name, bad in EVIL.items()],
)
def test_what_is_no_archive_is_refused(serve, root, way, content, valid):
    """Before anything of it lands anywhere; the clips before it stay, and the next try gets the rest."""
    server = serve(Reply(content))
    refused(lambda: ask(way, server.url, content), ConnectionError, server.url)
    assert kept(root) >= valid
    assert not list(root.rglob("*.tar.gz"))
    assert not Path("/planted").exists()
    server.reply = GOOD
    assert names(ask(way, server.url)) == expected(way)
    assert kept(root) == 12


def bomb(kind: bytes) -> bytes:
    """400 MB of zeros in a header or a file, in 0.4 MB."""
    packer, zeros = zlib.compressobj(wbits=31), zlib.compressobj(wbits=-15)
    header = tarfile.TarInfo("./header")
    header.type, header.size = kind, 400 << 20
    begin = packer.compress(b"".join([*entries(), *map(clip, range(5)), header.tobuf()]))
    begin += packer.flush(zlib.Z_FULL_FLUSH)
    return begin + (zeros.compress(bytes(1 << 20)) + zeros.flush(zlib.Z_FULL_FLUSH)) * 400


def peak(call: Callable[[], object]) -> int:
    """The most bytes of memory that ``call`` held at one time."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("way", "kind", "most"),
    [
        ("streamed", tarfile.REGTYPE, 20e6),
        ("streamed", tarfile.XHDTYPE, 200e6),
        ("streamed", tarfile.GNUTYPE_LONGNAME, 200e6),
        ("complete", tarfile.XGLTYPE, 200e6),
    ],
    ids=["file", "pax", "long name", "global pax"],
)
def test_what_unpacks_to_more_and_more_is_refused(serve, root, way, kind, most):
    content = bomb(kind)
    server = serve(Reply(content))
    assert peak(lambda: refused(lambda: ask(way, server.url, content), ConnectionError, server.url)) < most
    assert kept(root) == 5
    server.reply = GOOD
    assert names(ask(way, server.url)) == expected(way)


def test_what_was_read_is_not_held(serve):
    """Large headers, each within bounds, do not add up; nor do the entries of an archive of a hundred thousand."""
    comment = b"4000000 comment=" + b"x" * 3_999_983 + b"\n"
    packer = zlib.compressobj(1, wbits=31)
    content = b"".join(packer.compress(pax(comment)) + packer.compress(clip(i)) for i in range(12))
    server = serve(Reply(content + packer.compress(bytes(1024)) + packer.flush()))
    assert peak(lambda: ask("streamed", server.url)) < 30e6


# The server, and the way to it


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        pytest.param(Reply(b"<html>", status=404), "Not Found", id="404"),
        pytest.param(Reply(b"", status=503), "Service Unavailable", id="503"),
        pytest.param(Reply(b"", status=302, headers={"Location": "/again"}), "loop", id="redirected in circles"),
        pytest.param(
            Reply(b"", status=302, headers={"Location": "file:///etc/hostname"}), "", id="redirected to a file"
        ),
        pytest.param(Reply(raw=b"what?\r\n\r\n"), "what?", id="no HTTP"),
        pytest.param(Reply(raw=b""), "", id="closes at once"),
        pytest.param(Reply(stop_after=60_000), "", id="closes in the middle"),
        pytest.param(Reply(stop_after=60_000, then="reset"), "", id="resets in the middle"),
        pytest.param(Reply(stop_after=0, then="stall"), "timed out", id="stalls at once"),
        pytest.param(Reply(stop_after=60_000, then="stall"), "timed out", id="stalls in the middle"),
    ],
)
def test_a_server_that_fails_is_refused(serve, root, way, reply, shown):
    server = serve(reply)
    begun = time.monotonic()
    refused(lambda: ask(way, server.url, timeout=0.3), ConnectionError, server.url, shown)
    assert time.monotonic() - begun < 5
    n = kept(root, *([RESUMABLE] if way == "complete" else []))
    if way == "streamed" and reply.stop_after and reply.then != "reset":
        assert 3 <= n < 12
    server.reply = GOOD
    assert names(ask(way, server.url)) == expected(way)
    assert kept(root) == 12


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_refused_is_refused(serve, root, way):
    refused(lambda: ask(way, NOWHERE), ConnectionError, NOWHERE, "refused")
    assert kept(root) == 0
    assert names(ask(way, serve().url)) == expected(way)


@pytest.mark.parametrize("cutoff", [1, None])
@pytest.mark.parametrize("version", OFFICIAL)
def test_unreachable_network_is_refused(no_network, cutoff, version):
    address = f"http://download.tensorflow.org/data/speech_commands_{version}.tar.gz"
    refused(lambda: SpeechCommands(cutoff, version=version), ConnectionError, address)


@pytest.mark.parametrize("way", WAYS)
def test_a_network_that_goes_away_is_not_taken_for_the_disk(serve, root, monkeypatch, way):
    import http.client

    server = serve()
    read, left = http.client.HTTPResponse.read, 3

    def gone(self, n=None):
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
        return read(self, min(n, 20_000))

    with monkeypatch.context() as patch:
        patch.setattr(http.client.HTTPResponse, "read", gone)
        refused(lambda: ask(way, server.url), ConnectionError, server.url, os.strerror(errno.EHOSTUNREACH))
    kept(root, RESUMABLE)
    assert names(ask(way, server.url)) == expected(way)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[str, str]:
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    options += " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run(["openssl", *options.split()], cwd=folder, check=True, capture_output=True)
    return str(folder / "cert.pem"), str(folder / "key.pem")


@pytest.mark.parametrize("way", WAYS)
def test_a_redirect_to_https_is_followed_where_its_certificate_is_trusted(serve, root, monkeypatch, certificate, way):
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    https = serve(certificate=certificate)
    server = serve(Reply(b"", status=302, headers={"Location": https.url}))
    monkeypatch.setattr(urllib.request, "_opener", None)
    refused(lambda: ask(way, server.url), ConnectionError, server.url, "certificate")
    assert kept(root) == 0
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    monkeypatch.setattr(urllib.request, "_opener", None)
    assert names(ask(way, server.url)) == expected(way)
    assert len(https.asked) == 1
    assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED


# The disk


def write_at_most(patch: pytest.MonkeyPatch, n: int, error: BaseException) -> None:
    """Raise ``error`` as soon as files were to hold more than ``n`` bytes together, what fits written."""
    opened, left = Path.open, n

    def limited(self, mode="r", *args, **kwargs):
        file = opened(self, mode, *args, **kwargs)
        if "r" in mode:
            return file
        write = file.write

        def some(content):
            nonlocal left
            written = write(content[: max(left, 0)])
            left -= len(content)
            if left < 0:
                raise error
            return written

        file.write = some
        return file

    patch.setattr(Path, "open", limited)


@pytest.mark.parametrize("error", ["full", "Ctrl-C"])
@pytest.mark.parametrize(("way", "before"), [("streamed", 0), ("complete", len(ARCHIVE))])
def test_a_write_that_fails_anywhere_leaves_a_valid_cache(good, root, monkeypatch, way, before, error):
    raised = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if error == "full" else KeyboardInterrupt()
    most = before + sum(map(len, CLIPS.values()))
    for n in (*range(0, most, 7001), most):
        fresh = root / str(n)
        with monkeypatch.context() as patch:
            write_at_most(patch, n, raised)
            call = partial(ask, way, good.url, root=fresh)
            if error == "full":
                refused(call, OSError, str(fresh), os.strerror(errno.ENOSPC), "free some space")
            else:
                with pytest.raises(KeyboardInterrupt):
                    call()
        written = max(n - before, 0) // len(CLIPS[NAMES[0]])
        litter = [RESUMABLE] if n < before and error == "Ctrl-C" else []
        assert written - 1 <= kept(fresh, *litter) <= written
        assert names(ask(way, good.url, root=fresh)) == expected(way)
        assert kept(fresh) == 12


def mount(root: Path, options: str) -> bool:
    call = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(root)]
    return bool(shutil.which("mount")) and subprocess.run(call, capture_output=True).returncode == 0


@pytest.fixture
def disk(root) -> Iterator[Callable[[str], None]]:
    """Makes the cache folder a disk of its own, with the options of mount."""
    mounted = False

    def change(options: str) -> None:
        nonlocal mounted
        if not mount(root, f"remount,{options}" if mounted else options):
            pytest.skip("only root can mount a small disk")
        mounted = True

    yield change
    if mounted:
        subprocess.run(["umount", "--lazy", str(root)], check=True)


@pytest.mark.parametrize(
    ("way", "size", "least"),
    [("streamed", "60k", 5), ("complete", "60k", 0), ("complete", "180k", 3)],
    ids=["streamed", "downloading", "unpacking"],
)
def test_a_full_disk_is_refused(serve, root, disk, way, size, least):
    server = serve()
    disk(f"size={size}")
    refused(lambda: ask(way, server.url), OSError, str(root), "free some space")
    assert least <= kept(root) < 12
    disk("size=9m")
    assert names(ask(way, server.url)) == expected(way)
    assert kept(root) == 12


def test_a_disk_that_can_only_be_read_serves_what_it_holds(serve, root, disk):
    server = serve()
    disk("size=9m")
    first(3, server.url)
    disk("ro")
    assert kept(root) == 3
    refused(lambda: first(4, server.url), OSError, str(root), os.strerror(errno.EROFS))
    refused(lambda: ask("complete", server.url), OSError, str(root), os.strerror(errno.EROFS))
    disk("rw")
    assert names(ask("complete", server.url)) == sorted(NAMES)


SET = "SpeechCommands/speech_commands_v0.02"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", [".", "SpeechCommands", SET, f"{SET}/go", f"{SET}/go/v3_nohash_1.wav/x"])
def test_a_file_where_a_folder_should_be_is_refused(serve, root, way, place):
    """And a folder where a file should be."""
    server = serve()
    mine = root / "mine"
    at = mine / place
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_bytes(b"mine")
    refused(lambda: ask(way, server.url, root=mine), OSError, str(mine))
    assert at.read_bytes() == b"mine"
    at.unlink()
    if place.endswith("x"):
        at.parent.rmdir()
    assert names(ask(way, server.url, root=mine)) == expected(way)
    assert kept(mine) == 12


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", [f"{SET}.lock", f"{SET}/order.txt", f"{SET}.tar.gz.partial"])
def test_a_folder_where_a_file_should_be_is_refused(serve, root, way, place):
    server = serve()
    (root / place).mkdir(parents=True)
    if (way, place) == ("streamed", f"{SET}.tar.gz.partial"):
        assert names(ask(way, server.url)) == NAMES
        return
    refused(lambda: ask(way, server.url), OSError, str(root))
    (root / place).rmdir()
    assert names(ask(way, server.url)) == expected(way)


def test_a_folder_that_may_not_be_written_is_refused(serve, root):
    root.chmod(0o500)
    if os.access(root, os.W_OK):
        pytest.skip("root may write everywhere")
    refused(lambda: first(1, serve().url), OSError, str(root), "Permission denied")
    root.chmod(0o700)
    assert names(first(1, serve().url)) == NAMES[:1]


# Interrupts, and caches that others left

FILES = {archive.__file__, wavenetlike.data.speech_commands.__file__}


@contextlib.contextmanager
def interrupted_at(n: int) -> Iterator[list[int]]:
    """Ctrl-C before the n-th line that the two modules run; yields how many lines are left to it."""
    left, before = [n], sys.gettrace()

    def trace(frame, event, _):
        if frame.f_code.co_filename not in FILES:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        yield left
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)


FEW = packed(*entries({"validation": [NAMES[1]], "testing": [NAMES[2]]}), *map(clip, range(4)))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("had", [0, 2])
@pytest.mark.parametrize("way", [*WAYS, "words"])
def test_an_interrupt_anywhere_leaves_a_valid_cache(serve, root, way, had):
    """What was there before stays, and the next try gets the rest."""
    server = serve(Reply(FEW, ranges=True))
    get, got = {
        "streamed": (partial(first, 4, server.url), NAMES[:4]),
        "complete": (partial(ask, way, server.url, FEW), sorted(NAMES[:4])),
        "words": (partial(first, 1, server.url, words=["up"]), [NAMES[2]]),
    }[way]
    for n in itertools.count(1, 6):
        fresh = root / str(n)
        if had:
            first(had, server.url, root=fresh)
        with interrupted_at(n) as left:
            get(root=fresh)
        assert kept(fresh, *([RESUMABLE] if way == "complete" else [])) >= had
        assert names(get(root=fresh)) == got
        assert kept(fresh) == (had if way == "words" else 4)
        if left[0] > 0:
            break
    assert n > 50


def missing(*numbers: int) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for i in numbers:
            (folder / NAMES[i]).unlink()

    return spoil


def leftover(folder: Path) -> None:
    (folder / NAMES[6]).with_suffix(".partial").write_bytes(b"RIFF")


def garbled(folder: Path) -> None:
    with (folder / "order.txt").open("ab") as order:
        order.write(b"\n\xff\xfe\0\n../../x\n/etc/hostname\nREADME.md\n")
    (folder / "README.md").write_bytes(b"about")


@pytest.mark.parametrize(
    ("spoil", "n"),
    [
        pytest.param(missing(0), 0, id="first missing"),
        pytest.param(missing(2), 2, id="third missing"),
        pytest.param(missing(0, 1, 2, 3, 4), 0, id="all missing"),
        pytest.param(lambda folder: (folder / "order.txt").write_bytes(b""), 0, id="empty order"),
        pytest.param(leftover, 5, id="leftover"),
        pytest.param(garbled, 5, id="garbled order"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_an_old_partial_cache_is_mended(good, root, spoil, n, way):
    spoil(first(5, good.url).folder)
    assert kept(root, "v6_nohash_0.partial") == n
    assert names(ask(way, good.url)) == expected(way)
    assert kept(root) == 12


def test_an_order_file_cut_anywhere_hides_no_clip_that_it_names(good, root):
    order = first(5, good.url).folder / "order.txt"
    text = order.read_text()
    for cut in range(0, len(text), 5):
        order.write_text(text[:cut])
        assert kept(root) == sum(name in text[:cut] for name in NAMES)
        assert names(first(7, good.url)) == NAMES[:7]
        assert kept(root) == 7


def test_clips_put_there_by_hand_are_served_in_turns(root):
    for name in NAMES[:7]:
        path = root / SET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CLIPS[name])
    assert [path.parent.name for path in first(4).paths] == ["bed", "go", "up", "bed"]
    assert len(names(first(7))) == 7
    refused(lambda: first(8), ConnectionError, NOWHERE)
    refused(lambda: first(5, words=["go"]), ConnectionError, NOWHERE)
    assert len(names(first(7))) == 7


# Several processes

SCRIPT = """
import json, sys
from wavenetlike.data import SpeechCommands
print("ready", flush=True)
for line in sys.stdin:
    try:
        paths = SpeechCommands(progress=False, **json.loads(line)).paths
        print(*[f"{path.parent.name}/{path.name}" for path in paths], flush=True)
    except BaseException as error:
        print(type(error).__name__, error, flush=True)
"""


class Worker:
    """Another process that answers queries."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=pipe, stdout=pipe, text=True)

    def ask(self, **query) -> None:
        self.process.stdin.write(json.dumps(query) + "\n")
        self.process.stdin.flush()

    def answer(self) -> list[str]:
        return self.process.stdout.readline().split()


@pytest.fixture(scope="module")
def workers() -> Iterator[list[Worker]]:
    workers = [Worker() for _ in range(2)]
    assert [worker.answer() for worker in workers] == [["ready"]] * 2
    yield workers
    for worker in workers:
        worker.process.kill()
        worker.process.communicate()


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_fill_the_cache_once(serve, root, workers, way):
    server = serve(Reply(ranges=True, delay=0.01))
    query = {"cutoff": 12} if way == "streamed" else {"sha256": hashlib.sha256(ARCHIVE).hexdigest()}
    for worker in workers:
        worker.ask(root=str(root), url=server.url, **query)
    for worker in workers:
        assert worker.answer() == expected(way)
    assert len(server.asked) == 1
    assert kept(root) == 12


@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
@pytest.mark.parametrize("way", WAYS)
def test_a_process_that_is_stopped_leaves_a_valid_cache(serve, root, workers, way, how):
    if not hasattr(signal, how):
        pytest.skip(f"this platform has no {how}")
    if workers[0].process.poll() is not None:
        workers[0] = Worker()
        assert workers[0].answer() == ["ready"]
    server = serve(Reply(stop_after=60_000, then="stall"))
    query = {"cutoff": 12} if way == "streamed" else {"sha256": hashlib.sha256(ARCHIVE).hexdigest()}
    workers[0].ask(root=str(root), url=server.url, **query)
    while server.sent < 60_000 or not list(root.rglob("*.lock")):
        time.sleep(0.01)
    workers[0].process.send_signal(getattr(signal, how))
    if how == "SIGINT":
        assert workers[0].answer() == ["KeyboardInterrupt"]
    else:
        workers[0].process.wait(10)
    kept(root, RESUMABLE)
    server.reply = GOOD
    assert names(ask(way, server.url)) == expected(way)
    assert kept(root) == 12


# Arguments


@pytest.mark.parametrize(
    ("arguments", "error", "shown"),
    [
        ({"cutoff": 0}, ValueError, "cutoff=0"),
        ({"cutoff": -1}, ValueError, "cutoff=-1"),
        ({"cutoff": True}, TypeError, "True"),
        ({"cutoff": 2.5}, TypeError, "2.5"),
        ({"cutoff": "5"}, TypeError, "'5'"),
        ({"words": "yes"}, TypeError, "'yes'"),
        ({"words": []}, TypeError, "[]"),
        ({"words": 5}, TypeError, "5"),
        ({"words": iter(["yes"])}, TypeError, "words"),
        ({"words": ["a/b"]}, ValueError, "'a/b'"),
        ({"words": [".."]}, ValueError, "'..'"),
        ({"words": ["yes", ""]}, ValueError, "''"),
        ({"words": ["yes", 5]}, ValueError, "5"),
        ({"version": "v3"}, ValueError, "'v3'"),
        ({"version": None}, ValueError, "None"),
        ({"subset": "train"}, ValueError, "'train'"),
        ({"subset": "testing", "cutoff": 5}, ValueError, "'testing'"),
        ({"timeout": 0}, ValueError, "timeout=0"),
        ({"timeout": -1}, ValueError, "timeout=-1"),
        ({"timeout": float("nan")}, ValueError, "nan"),
        ({"timeout": 1e12}, ValueError, "timeout"),
        ({"timeout": "10"}, TypeError, "'10'"),
        ({"timeout": None}, TypeError, "None"),
        ({"url": "nowhere"}, ValueError, "'nowhere'"),
        ({"sha256": "abc"}, ValueError, "'abc'"),
    ],
    ids=lambda value: str(value).split(" at 0x")[0],
)
def test_bad_arguments_are_refused_before_anything_is_done(root, no_network, arguments, error, shown):
    refused(lambda: SpeechCommands(**{"cutoff": None if "subset" in arguments else 3, **arguments}), error, shown)
    assert not list(root.iterdir())


# Sample audio


def test_sample_audio_is_bundled_without_a_network(no_network, capsys):
    clips = ops.download_sample_audio(cutoff=5)
    printed = capsys.readouterr()
    assert clips.paths == bundled_clips(5).paths
    assert len(printed.out.splitlines()) == 1
    assert "Bundled" in printed.out
    assert "5" in printed.out
    assert printed.err == ""


@pytest.fixture
def official(serve, monkeypatch) -> Server:
    """The server at the official address."""
    server = serve()
    monkeypatch.setattr(wavenetlike.data.speech_commands, "URL", server.url + "?{version}")
    return server


def test_sample_audio_is_speech_commands_where_reachable(official, capsys, root):
    clips = ops.download_sample_audio()
    printed = capsys.readouterr()
    assert names(clips) == NAMES[:5]
    assert root in clips.folder.parents
    assert len(printed.out.splitlines()) == 1
    assert "Speech Commands: 5" in printed.out
    official.stop()
    assert ops.download_sample_audio().paths == clips.paths


@pytest.mark.parametrize("content", [GARBAGE["html"], GARBAGE["truncated gzip"], GARBAGE["nothing"], packed()])
def test_sample_audio_is_bundled_when_no_archive_comes(official, capsys, content):
    official.reply = Reply(content)
    assert ops.download_sample_audio(12).paths == bundled_clips(12).paths
    assert len(capsys.readouterr().out.splitlines()) == 1
