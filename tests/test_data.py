"""Data: series that follow their recursion, clips from folders and servers, windows that stay inside a clip."""

from __future__ import annotations

import http.server
import inspect
import io
import itertools
import math
import socket
import tarfile
import threading
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
import torch
from helpers import SEEDS, refused
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import wavenetlike.data as data
from wavenetlike import MuLaw, ar2_process, ops
from wavenetlike.data import (
    FIRST_YEAR,
    Clips,
    bundled_clips,
    encode_clips,
    is_stationary,
    largest_root,
    read_audio,
    speech_commands,
    sunspots,
    window_batch,
)


def first(n: int, *arguments: float, **options: float) -> list[float]:
    return list(itertools.islice(ar2_process(*arguments, **options), n))


# AR(2)

INSIDE = st.tuples(st.floats(-0.95, 0.95), st.floats(-0.95, 0.95)).map(lambda p: (p[0] * (1 - p[1]), p[1]))
"""(a, b) inside the triangle: |a| < 1 - b."""


@settings(max_examples=100)
@given(INSIDE, st.floats(-100, 100), st.floats(-100, 100), st.floats(-10, 10))
def test_process_without_noise_is_the_recursion(point, x0, x1, c):
    a, b = point
    expected = [x0, x1]
    for _ in range(600):
        expected.append(c + a * expected[-1] + b * expected[-2])
    assert first(602, a, b, x0, x1, sigma=0, c=c) == expected


@settings(max_examples=30)
@given(INSIDE, SEEDS, st.floats(0.1, 10), st.floats(-10, 10))
def test_noise_is_the_same_whatever_the_recursion(point, seed, sigma, c):
    a, b = point
    noise = first(600, 0, 0, 0, 0, seed=seed)
    x = first(600, a, b, 3, 4, sigma=sigma, c=c, seed=seed)
    assert x[:2] == [3, 4]
    for t in range(2, 600):
        assert x[t] == pytest.approx(c + a * x[t - 1] + b * x[t - 2] + sigma * noise[t], rel=1e-9, abs=1e-9)


def test_process_is_an_endless_generator():
    process = ar2_process(-0.4, 0.5, 50, 60)
    assert inspect.isgenerator(process)
    assert [process.__next__(), next(process)] == [50.0, 60.0]
    assert all(math.isfinite(next(process)) for _ in range(2000))


def test_seed_repeats_the_noise():
    assert first(1000, 0.5, 0.2, 0, 0, seed=3) == first(1000, 0.5, 0.2, 0, 0, seed=3)
    assert first(1000, 0.5, 0.2, 0, 0, seed=3) != first(1000, 0.5, 0.2, 0, 0, seed=4)
    torch.manual_seed(7)
    unseeded = first(100, 0.5, 0.2, 0, 0)
    assert unseeded != first(100, 0.5, 0.2, 0, 0)
    torch.manual_seed(7)
    assert unseeded == first(100, 0.5, 0.2, 0, 0)
    state = torch.get_rng_state()
    first(100, 0.5, 0.2, 0, 0, seed=3)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (-0.4, 0.5), (0.6, -0.5), (1.2, -0.6), (0.3, 0.4)])
def test_spread_and_correlations_are_those_of_theory(a, b):
    sigma, c = 2.0, 3.0
    x = torch.tensor(first(60000, a, b, 0, 0, sigma=sigma, c=c, seed=0)[1000:], dtype=torch.float64)
    variance = sigma**2 * (1 - b) / ((1 + b) * ((1 - b) ** 2 - a**2))
    one = a / (1 - b)
    assert x.mean().item() == pytest.approx(c / (1 - a - b), abs=5 * sigma / (1 - a - b) / math.sqrt(len(x)))
    assert x.var().item() == pytest.approx(variance, rel=0.05)
    correlations = [float(torch.corrcoef(torch.stack([x[lag:], x[:-lag]]))[0, 1]) for lag in (1, 2)]
    assert correlations == pytest.approx([one, a * one + b], abs=0.02)


@pytest.mark.parametrize(
    ("a", "b"), [(0.7, 0.4), (-0.7, 0.4), (0, -1.1), (0, 1.2), (3, 0), (1.5, -1.01), (-2.5, -0.5), (2.1, -1), (9, 9)]
)
def test_growth_outside_the_triangle_is_announced(a, b):
    assert not is_stationary(a, b)
    with pytest.warns(UserWarning, match="grows without bound") as record:
        process = ar2_process(a, b, 1, 1, sigma=0)
    message = str(record[0].message)
    assert f"({a}, {b})" in message
    assert message.endswith(".")
    assert "\n" not in message
    assert len(record) == 1
    assert record[0].filename == __file__
    assert abs(list(itertools.islice(process, 600))[-1]) > 10


@pytest.mark.parametrize(
    ("a", "b"), [(0.5, 0.5), (-0.5, 0.5), (0.5, -1), (0, -1), (1, 0), (-1, 0), (0, 1), (2, -1), (-2, -1), (0.3, 0.7)]
)
def test_wandering_on_the_border_is_announced(a, b):
    assert not is_stationary(a, b)
    with pytest.warns(UserWarning, match="never die out") as record:
        ar2_process(a, b, 1, 1)
    assert f"({a}, {b})" in str(record[0].message)
    assert "grows" not in str(record[0].message)


@settings(max_examples=100)
@given(INSIDE)
def test_nothing_is_announced_inside_the_triangle(point):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ar2_process(*point, 0, 0)
    assert is_stationary(*point)


@settings(max_examples=200)
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_largest_root_is_that_of_the_polynomial(a, b):
    expected = np.abs(np.roots([1, -a, -b])).max(initial=0)
    # A double root is known to the square root of the rounding error only.
    assert largest_root(a, b) == pytest.approx(expected, abs=1e-6)
    assume(abs(expected - 1) > 1e-6)
    assert is_stationary(a, b) == (expected < 1)


@pytest.mark.parametrize("name", ["a", "b", "x0", "x1", "sigma", "c"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_infinite_numbers_are_refused(name, value):
    arguments = {"a": 0.1, "b": 0.1, "x0": 0, "x1": 0, "sigma": 1, "c": 0, name: value}
    refused(lambda: ar2_process(**arguments), ValueError, f"{name}={value}")


def test_negative_sigma_is_refused():
    refused(lambda: ar2_process(0.1, 0.1, 0, 0, sigma=-2), ValueError, "sigma=-2")


# Sunspots


def test_sunspots_are_309_years():
    series = sunspots()
    assert series.shape == (309,)
    assert series.dtype == torch.float64
    assert series.min() >= 0
    assert FIRST_YEAR == 1700
    assert FIRST_YEAR + int(series.argmax()) == 1957
    series[0] = -1
    assert sunspots()[0] == 5


def test_sunspots_are_those_of_the_file(sunspots_csv):
    rows = np.genfromtxt(sunspots_csv, delimiter=",", names=True)
    year, number = rows.dtype.names[:2]
    assert rows[year].astype(int).tolist() == list(range(FIRST_YEAR, 2009))
    assert rows[number].tolist() == sunspots().tolist()


# Clips


def write_clips(folder, *names, n=100, **options):
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.full(n, (i + 1) / 100), 16000, **options)


def test_bundled_clips_are_words_in_several_voices():
    clips = bundled_clips()
    items = list(clips)
    assert len(items) == len(clips) == len(clips.paths)
    assert len({label for _, _, label, _ in items}) >= 20
    assert len({speaker for _, _, _, speaker in items}) >= 3
    assert sum(path.stat().st_size for path in clips.paths) < 2e6
    for waveform, sample_rate, _, _ in items:
        assert sample_rate == 16000
        assert waveform.shape == (1, 16000)
        assert waveform.dtype == torch.float32
        assert 0.05 < waveform.abs().max() <= 1
    different = torch.cat([waveform for waveform, *_ in items]).unique(dim=0)
    assert len(different) == len(items)


@pytest.mark.parametrize("cutoff", [1, 5, 20])
def test_first_bundled_clips_are_different_words(cutoff):
    clips = bundled_clips(cutoff)
    assert len(clips) == cutoff
    assert len({label for _, _, label, _ in clips}) == cutoff


def test_clips_come_in_turns(tmp_path):
    names = ["go/a_nohash_0.wav", "go/a_nohash_1.wav", "go/b_nohash_0.flac", "bed/c_nohash_0.wav", "up/d_nohash_0.wav"]
    write_clips(tmp_path, *names, "_background_noise_/hum_nohash_0.wav", "go/hum.wav")
    (tmp_path / "go" / "readme_nohash_.txt").write_text("no clip")
    (tmp_path / "LICENSE").write_text("a file among the words")
    clips = Clips(str(tmp_path))
    assert [(label, speaker) for _, _, label, speaker in clips] == [
        ("bed", "c"),
        ("go", "a"),
        ("up", "d"),
        ("go", "a"),
        ("go", "b"),
    ]
    assert [label for _, _, label, _ in Clips(tmp_path, cutoff=2)] == ["bed", "go"]
    assert len(Clips(tmp_path, cutoff=100)) == 5
    waveform, sample_rate, _, _ = clips[0]
    torch.testing.assert_close(waveform, torch.full((1, 100), 0.04), rtol=0, atol=1 / 32768)
    assert sample_rate == 16000


def test_real_clips_are_read(real_clips):
    assert len(real_clips) == 5
    assert len({label for _, _, label, _ in real_clips}) == 5
    for waveform, sample_rate, _, _ in real_clips:
        assert waveform.dim() == 2
        assert waveform.shape[0] == 1
        assert sample_rate == 16000
        assert waveform.abs().max() <= 1


def test_bad_folders_are_refused(tmp_path):
    refused(lambda: Clips(tmp_path / "none"), FileNotFoundError, "none")
    refused(lambda: Clips(tmp_path), ValueError, repr(str(tmp_path)))
    (tmp_path / "go").mkdir()
    refused(lambda: Clips(tmp_path), ValueError, repr(str(tmp_path)))
    path = tmp_path / "file"
    path.write_text("no folder")
    refused(lambda: Clips(path), NotADirectoryError, repr(str(path)))


@pytest.mark.parametrize(("cutoff", "error"), [(0, ValueError), (-1, ValueError), (True, TypeError), (2.5, TypeError)])
def test_bad_cutoff_is_refused(tmp_path, cutoff, error):
    write_clips(tmp_path, "go/a_nohash_0.wav")
    for call in (lambda: Clips(tmp_path, cutoff), lambda: bundled_clips(cutoff), lambda: speech_commands(cutoff)):
        refused(call, error, f"cutoff={cutoff}")
    refused(lambda: ops.download_sample_audio(cutoff), error, f"cutoff={cutoff}")


@pytest.mark.parametrize("format", ["wav", "flac", "ogg"])
def test_channels_are_averaged(tmp_path, format):
    time = np.arange(4000) / 8000
    left, right = 0.5 * np.sin(2000 * time), 0.3 * np.sin(900 * time)
    path = tmp_path / f"stereo.{format}"
    soundfile.write(path, np.stack([left, right], axis=1), 8000)
    waveform, sample_rate = read_audio(str(path))
    assert sample_rate == 8000
    assert waveform.shape == (1, 4000)
    assert waveform.dtype == torch.float32
    expected = torch.from_numpy((left + right) / 2).float()[None]
    # 16-bit samples are exact to one step; ogg is lossy.
    torch.testing.assert_close(waveform, expected, rtol=0, atol=0.05 if format == "ogg" else 1 / 32768)


def test_what_is_no_audio_is_refused(tmp_path):
    path = tmp_path / "text.wav"
    path.write_text("not audio at all")
    refused(lambda: read_audio(path), ValueError, repr(str(path)))
    refused(lambda: read_audio(tmp_path), ValueError, repr(str(tmp_path)))
    refused(lambda: read_audio(tmp_path / "none.wav"), FileNotFoundError, "none.wav")


# Speech Commands from a server on this machine

ENOUGH = 40_000_000
"""Bytes that the server offers; what lies in the buffers of a closed connection is far less."""


def wav(value: float, n: int = 4000) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full(n, value), 16000, format="WAV")
    return buffer.getvalue()


def member(name: str, content: bytes) -> bytes:
    """One file as it stands in a tar archive."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info.tobuf() + content + bytes(-len(content) % 512)


def archive(n_clips: int, endless: bool = False) -> Iterator[bytes]:
    """A .tar.gz, in pieces: background noise, other files, ``n_clips`` clips, and megabytes of random clips if endless."""
    packer = zlib.compressobj(level=0, wbits=31)
    folder = tarfile.TarInfo("./_background_noise_")
    folder.type = tarfile.DIRTYPE
    yield packer.compress(folder.tobuf())
    yield packer.compress(member("./_background_noise_/hum_nohash_0.wav", wav(0.9)))
    yield packer.compress(member("./README.md", b"about") + member("./go/notes.txt", b"no clip"))
    for i in range(n_clips):
        yield packer.compress(member(f"./{('go', 'bed', 'up')[i % 3]}/v{i}_nohash_0.wav", wav((i + 1) / 100)))
    if endless:
        noise = np.random.default_rng(0).bytes(100_000)
        for i in range(ENOUGH // len(noise)):
            yield packer.compress(member(f"./zero/w{i}_nohash_0.wav", noise))
    yield packer.compress(bytes(1024)) + packer.flush()


class Server:
    """Serves ``pieces()`` at every address, and counts the calls and the bytes that went out."""

    def __init__(self, pieces, headers=None):
        self.calls = self.sent = 0
        self.finished = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.calls += 1
                self.send_response(200)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for piece in pieces():
                        self.wfile.write(piece)
                        server.sent += len(piece)
                except OSError:
                    pass
                server.finished.set()

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/speech_commands_v9.tar.gz"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def serve():
    servers = []

    def start(pieces, headers=None):
        servers.append(Server(pieces, headers))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.mark.parametrize("cutoff", [1, 4])
def test_first_clips_are_streamed_and_the_rest_is_not(serve, own_cache, cutoff):
    server = serve(lambda: archive(4, endless=True))
    clips = speech_commands(cutoff, server.url)
    assert server.finished.wait(20)
    assert server.sent < ENOUGH / 2
    assert own_cache in clips.folder.parents
    assert sorted(speaker for *_, speaker in clips) == [f"v{i}" for i in range(cutoff)]
    for waveform, sample_rate, _, speaker in clips:
        assert sample_rate == 16000
        expected = torch.full((1, 4000), (int(speaker[1:]) + 1) / 100)
        torch.testing.assert_close(waveform, expected, rtol=0, atol=1 / 32768)
    assert len(list(own_cache.rglob("*.wav"))) == cutoff
    assert not list(own_cache.rglob("*.partial"))


def test_second_call_needs_no_server(serve):
    server = serve(lambda: archive(4))
    before = speech_commands(3, server.url)
    server.stop()
    after = speech_commands(3, server.url)
    assert server.calls == 1
    assert before.paths == after.paths
    assert len(speech_commands(2, server.url)) == 2


def test_more_clips_are_fetched_when_more_are_asked_for(serve):
    server = serve(lambda: archive(6))
    assert len(speech_commands(2, server.url)) == 2
    assert len(speech_commands(5, server.url)) == 5
    assert server.calls == 2


def test_too_few_clips_are_refused(serve):
    server = serve(lambda: archive(3))
    refused(lambda: speech_commands(4, server.url), OSError, server.url, "3 clips", "4")
    assert len(speech_commands(3, server.url)) == 3
    assert server.calls == 1


def html() -> Iterator[bytes]:
    yield b"<html>Please log in to this network.</html>" * 30


def cut_short() -> Iterator[bytes]:
    yield b"".join(archive(3))[:-9000]


def corrupt() -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    whole = packer.compress(b"".join(member(f"./go/v{i}_nohash_0.wav", bytes(range(256)) * 40) for i in range(9)))
    whole += packer.flush()
    yield whole[:60] + bytes(40) + whole[100:]


def nothing() -> Iterator[bytes]:
    yield b""


@pytest.mark.parametrize("garbage", [html, cut_short, corrupt, nothing])
def test_what_is_no_archive_is_refused(serve, own_cache, garbage):
    server = serve(garbage)
    refused(lambda: speech_commands(9, server.url), ConnectionError, server.url)
    assert not list(own_cache.rglob("*.partial"))


def test_download_cut_short_is_refused(serve):
    server = serve(cut_short, headers={"Content-Length": "1000000"})
    refused(lambda: speech_commands(9, server.url), ConnectionError, server.url)


@pytest.mark.parametrize("answer", [b"what?\r\n\r\n", b"", b"HTTP/1.0 404 Not Found\r\n\r\n"])
def test_server_that_gives_no_archive_is_refused(answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def respond() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=respond, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.tar.gz"
        refused(lambda: speech_commands(2, url), ConnectionError, url)
        thread.join(10)


def test_interrupt_leaves_a_valid_cache(serve, own_cache, monkeypatch):
    server = serve(lambda: archive(6))
    written = []
    write = data.clips.Path.write_bytes

    def interrupted(self, content):
        if self.stem == "order":
            return write(self, content)
        if len(written) == 2:
            write(self, content[:50])
            raise KeyboardInterrupt
        written.append(self)
        return write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(data.clips.Path, "write_bytes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            speech_commands(5, server.url)
    assert len(list(own_cache.rglob("*.wav"))) == 2
    assert [waveform.shape for waveform, *_ in speech_commands(2, server.url)] == [(1, 4000)] * 2
    assert server.calls == 1
    assert [waveform.shape for waveform, *_ in speech_commands(5, server.url)] == [(1, 4000)] * 5
    assert not list(own_cache.rglob("*.partial"))


def test_first_clips_stay_the_first(serve):
    server = serve(lambda: archive(6))
    first = speech_commands(2, server.url).paths
    assert speech_commands(6, server.url).paths[:2] == first
    assert speech_commands(2, server.url).paths == first


def test_interrupt_while_streaming_more_keeps_what_was_there(serve, monkeypatch):
    server = serve(lambda: archive(8))
    before = speech_commands(4, server.url).paths
    extract = tarfile.TarFile.extractfile

    def interrupted(self, member):
        if "v2_" in member.name:
            raise KeyboardInterrupt
        return extract(self, member)

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extractfile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            speech_commands(8, server.url)
    server.stop()
    assert speech_commands(4, server.url).paths == before


def test_an_order_file_cut_short_hides_no_clip_that_it_names(serve, own_cache):
    server = serve(lambda: archive(6))
    before = speech_commands(3, server.url).paths
    order = next(own_cache.rglob("order.txt"))
    order.write_text(order.read_text()[:-4])
    assert speech_commands(2, server.url).paths == before[:2]
    assert len(speech_commands(6, server.url)) == 6


def test_cache_is_where_the_environment_says(serve, monkeypatch, tmp_path):
    server = serve(lambda: archive(2))
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(tmp_path / "mine"))
    assert len(speech_commands(1, server.url)) == 1
    assert len(list((tmp_path / "mine").rglob("*.wav"))) == 1


def test_unreachable_network_is_refused(no_network):
    refused(lambda: speech_commands(1), ConnectionError, "speech_commands_v0.02.tar.gz")


# Sample audio


def test_sample_audio_is_bundled_without_a_network(no_network, capsys):
    clips = ops.download_sample_audio(cutoff=5)
    printed = capsys.readouterr()
    assert clips.paths == bundled_clips(5).paths
    assert len(printed.out.splitlines()) == 1
    assert "Bundled" in printed.out
    assert "5" in printed.out
    assert printed.err == ""


def test_sample_audio_is_speech_commands_where_reachable(serve, capsys, monkeypatch, own_cache):
    server = serve(lambda: archive(6))
    monkeypatch.setattr(speech_commands, "__defaults__", (server.url,))
    clips = ops.download_sample_audio()
    printed = capsys.readouterr()
    assert len(clips) == 5
    assert own_cache in clips.folder.parents
    assert len(printed.out.splitlines()) == 1
    assert "Speech Commands: 5" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize("garbage", [html, cut_short])
def test_sample_audio_is_bundled_when_no_archive_comes(serve, capsys, monkeypatch, garbage):
    monkeypatch.setattr(speech_commands, "__defaults__", (serve(garbage).url,))
    assert ops.download_sample_audio(9).paths == bundled_clips(9).paths
    assert len(capsys.readouterr().out.splitlines()) == 1


# Windows


def constant_clips(*lengths: int) -> list[torch.Tensor]:
    """Clip i holds nothing but the code i."""
    return [torch.full((length,), i) for i, length in enumerate(lengths)]


def counting_clips(*lengths: int) -> list[torch.Tensor]:
    """Every code of every clip is another one."""
    return list(torch.arange(sum(lengths)).split(lengths))


@settings(max_examples=100)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
    st.integers(1, 80),
    st.integers(1, 5),
    st.integers(0, 2**20),
    st.integers(0, 2**20),
)
def test_windows_stay_inside_their_clips(lengths, length, batch_size, seed, step):
    clips = counting_clips(*lengths)
    windows = window_batch(clips, length, batch_size, seed, step)
    assert len(windows) == batch_size
    assert windows.shape[1] in {min(length, n) for n in lengths}
    assert windows.dtype == torch.int64
    for window in windows:
        assert (window.diff() == 1).all()
        clip = next(clip for clip in clips if clip[0] <= window[0] <= clip[-1])
        assert window[-1] <= clip[-1]
    assert all(window.unique().numel() == 1 for window in window_batch(constant_clips(*lengths), length, 5, seed, step))


def test_a_short_clip_does_not_shorten_the_others():
    clips = counting_clips(50, 50, 3)
    widths = [window_batch(clips, 20, 1, seed=0, step=step).shape[1] for step in range(300)]
    assert set(widths) == {20, 3}
    assert widths.count(20) > widths.count(3)


def test_windows_depend_on_seed_and_step_alone():
    clips = counting_clips(500, 700, 900)
    torch.manual_seed(0)
    one = window_batch(clips, 10, 4, seed=5, step=7)
    state = torch.get_rng_state()
    window_batch(clips, 10, 4, seed=6, step=8)
    torch.manual_seed(1)
    assert torch.equal(one, window_batch(clips, 10, 4, seed=5, step=7))
    torch.manual_seed(0)
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(one, window_batch(clips, 10, 4, seed=5, step=8))
    assert not torch.equal(one, window_batch(clips, 10, 4, seed=6, step=7))
    # Neither may stand for the other: step 1 of seed 0 is not step 0 of seed 1.
    assert not torch.equal(window_batch(clips, 10, 4, seed=0, step=1), window_batch(clips, 10, 4, seed=1, step=0))


def test_every_window_comes_up_as_often():
    clips = counting_clips(12, 30, 10, 15)
    length, draws = 10, 8000
    starts = window_batch(clips, length, draws, seed=0, step=0)[:, 0]
    possible = torch.cat([clip[: len(clip) - length + 1] for clip in clips])
    counts = torch.bincount(starts, minlength=67)
    assert set(starts.tolist()) == set(possible.tolist())
    # Multinomial counts of 31 windows: five standard deviations.
    expected = draws / len(possible)
    assert (counts[possible] - expected).abs().max() < 5 * math.sqrt(expected)


def test_clips_are_encoded_in_order(tmp_path):
    mu_law = MuLaw(10)
    waveforms = [torch.rand(1, n) * 2 - 1 for n in (20, 30, 25)]
    items = [(waveform, 16000, "go", "me") for waveform in waveforms]
    expected = [mu_law.encode(waveform)[0] for waveform in waveforms]
    for dataset in (items, waveforms, iter(items)):
        codes = encode_clips(dataset, mu_law, delta=10)
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(codes, expected, strict=True))
    batch = torch.cat([waveforms[0], -waveforms[0]])
    assert len(encode_clips([batch, waveforms[1]], mu_law, delta=10)) == 3


def test_unusable_datasets_are_refused():
    mu_law = MuLaw(10)
    refused(lambda: encode_clips([], mu_law, 10), ValueError, "no clips")
    good = torch.zeros(1, 50)
    assert len(encode_clips([good, torch.zeros(1, 11)], mu_law, 10)) == 2
    refused(lambda: encode_clips([good, torch.zeros(1, 10)], mu_law, 10), ValueError, "Clip 1", "10 samples", "11")
    refused(lambda: encode_clips([good, torch.zeros(50)], mu_law, 10), ValueError, "(50,)")
    refused(lambda: encode_clips([(torch.zeros(1, 0), 1, "", "")], mu_law, 10), ValueError, "(1, 0)")
    refused(lambda: encode_clips([good + 2], mu_law, 10), ValueError, "2")
    refused(lambda: encode_clips([good * math.nan], mu_law, 10), ValueError, "NaN")
    refused(lambda: encode_clips([(good.to(torch.int16), 16000)], mu_law, 10), TypeError, "torch.int16")
    refused(lambda: encode_clips([([0.0] * 50, 16000)], mu_law, 10), TypeError, "list")
