"""Data: series that follow their recursion, and clips from folders."""

from __future__ import annotations

import inspect
import itertools
import math
import warnings

import numpy as np
import pytest
import soundfile
import torch
from helpers import SEEDS, refused
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wavenetlike import ar2_process, ops
from wavenetlike.data import (
    FIRST_YEAR,
    AudioFiles,
    Clips,
    bundled_clips,
    is_stationary,
    largest_root,
    read_audio,
    sunspots,
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


def test_audio_files_are_read_in_the_order_given(tmp_path):
    names = ["up/hum.wav", "go/a_b_nohash_12.flac", "go/_nohash_0.wav", "up/c_nohash_1_nohash_2.wav"]
    write_clips(tmp_path, *names)
    files = AudioFiles(tmp_path / name for name in names)
    assert [(label, speaker) for _, _, label, speaker in files] == [("up", ""), ("go", "a_b"), ("go", ""), ("up", "c")]
    assert len(files) == len(list(files)) == 4
    torch.testing.assert_close(files[-1][0], torch.full((1, 100), 0.04), rtol=0, atol=1 / 32768)
    (tmp_path / names[1]).write_bytes(b"no audio")
    refused(lambda: files[1], ValueError, "a_b_nohash_12.flac")
    refused(lambda: files[:2], TypeError, "slice")
    assert len(AudioFiles([])) == 0


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
    for call in (
        lambda: Clips(tmp_path, cutoff),
        lambda: bundled_clips(cutoff),
        lambda: ops.download_sample_audio(cutoff),
    ):
        refused(call, error, f"cutoff={cutoff}")


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
