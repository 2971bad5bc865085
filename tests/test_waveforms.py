"""Audio of every kind: brought to one form or refused in words, and nothing is dropped in silence."""

from __future__ import annotations

import builtins
import datetime
import io
import math
import os
import pickle
import shutil
import struct
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from helpers import SEEDS, refused
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wavenetlike.data import Clips, Waveforms, audio, audio_files, bundled_clips, read_audio, resample
from wavenetlike.data.audio import signal_to_noise

RATES = [8000, 11025, 11127, 22050, 44100, 48000, 96000]
FORMATS = ["wav", "flac", "ogg", pytest.param("mp3", marks=pytest.mark.skipif(
    "MP3" not in soundfile.available_formats(), reason="this libsndfile writes no mp3"))]  # fmt: skip
STEP = 1 / 32768
"""Of 16 bits."""


def sine(n: int, rate: int = 16000, hertz: float = 440, peak: float = 0.5) -> np.ndarray:
    return peak * np.sin(2 * math.pi * hertz / rate * np.arange(n))


def encoded(samples: np.ndarray, rate: int = 16000, format: str = "WAV", subtype: str | None = None) -> bytes:
    """What a file of these samples, (time,) or (time, channels), holds."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=format, subtype=subtype)
    return buffer.getvalue()


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def calmly(source: object, **options: int | None) -> Waveforms:
    """Waveforms of sources of which some may be refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Waveforms(source, progress=False, **options)


def strictly(source: object, **options: int | None) -> Waveforms:
    """Waveforms of sources of which none gives rise to a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Waveforms(source, progress=False, **options)


def check_form(waveforms: Waveforms) -> None:
    """All that holds of any Waveforms, whatever it was made of."""
    report = waveforms.report
    good = [entry for entry in report.entries if not entry.refused]
    assert len(waveforms) == len(good) == len(report.entries) - len(report.refused)
    for i, (entry, (waveform, sample_rate, label, speaker)) in enumerate(zip(good, waveforms, strict=True)):
        assert waveform.dtype == torch.float32
        assert waveform.dim() == 2
        assert waveform.shape[0] == 1
        assert waveform.shape[1] >= 1
        assert waveform.is_contiguous()
        assert not waveform.requires_grad
        assert waveform.isfinite().all()
        assert waveform.abs().max() <= 1
        assert sample_rate == waveforms.sample_rate
        assert entry.seconds == waveform.shape[1] / sample_rate
        assert torch.equal(waveforms[i][0], waveform)
        (label + speaker).encode()
    for text in (str(report), repr(report), report._repr_html_(), repr(waveforms)):
        text.encode()
    assert all("\n" not in entry.said for entry in report.entries)
    assert f"{len(report.refused):,} refused" in str(report)


# Files and folders


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read(tmp_path, format, channels, rate):
    samples = np.stack([sine(rate, rate, 300 * (i + 1)) for i in range(channels)], axis=1)
    path = put(tmp_path / "go" / f"ann_nohash_0.{format}", encoded(samples, rate, format.upper()))
    expected = np.mean([sine(16000, 16000, 300 * (i + 1)) for i in range(channels)], axis=0)
    upload = {"name": path.name, "content": memoryview(path.read_bytes())}
    for source in (path, str(path), path.parent, str(tmp_path), [path], upload):
        waveforms = strictly(source)
        check_form(waveforms)
        (item,) = waveforms
        waveform, sample_rate, label, speaker = item
        assert (sample_rate, speaker) == (16000, "ann")
        assert label == ("go" if source is not upload else "ann_nohash_0")
        assert waveform.shape == (1, 16000)
        # Where a codec loses something, it loses less than a twentieth.
        loss = 26 if format in ("ogg", "mp3") else 50
        assert signal_to_noise(torch.from_numpy(expected)[200:-200], waveform[0, 200:-200]) > loss
        (entry,) = waveforms.report.entries
        assert [f"{channels} channels" in entry.said, f"{rate:,} Hz" in entry.said] == [channels > 1, rate != 16000]
        assert ("as it is" in entry.said) == (channels == 1 and rate == 16000)


def test_a_folder_is_read_to_its_depths(tmp_path):
    names = ["b.wav", "a/z.FLAC", "a/b/c/ann_nohash_1.Wav", "a/x.wav/in.ogg", ".hidden/y.wav", "a/b/ben_nohash_0.wav"]
    for i, name in enumerate(names):
        put(tmp_path / name, encoded(np.full(9, (i + 1) / 10), 16000, Path(name).suffix[1:].upper()))
    for name in ("readme.txt", "a/notes.TXT", "a/b/LICENSE", "x.wav.json", "a/wav"):
        put(tmp_path / name, b"no audio")
    waveforms = strictly(tmp_path)
    check_form(waveforms)
    assert list(audio_files(tmp_path)) == list(audio_files(str(tmp_path)))
    assert sorted(path.relative_to(tmp_path).as_posix() for path in audio_files(tmp_path)) == sorted(names)
    assert sorted(Path(entry.name).as_posix() for entry in waveforms.report.entries) == sorted(names)
    assert dict(waveforms.report.ignored) == {".txt": 2, "": 2, ".json": 1}
    for text in ("2 .txt", "1 .json", "2 without ending"):
        assert text in str(waveforms.report)
    told = sorted((label, speaker) for _, _, label, speaker in waveforms)
    assert told == [(".hidden", ""), ("a", ""), ("b", "ben"), ("c", "ann"), (tmp_path.name, ""), ("x.wav", "")]


def test_the_label_of_a_file_beside_the_user_is_that_of_the_folder(tmp_path, monkeypatch):
    put(tmp_path / "word" / "x.wav", encoded(sine(9)))
    monkeypatch.chdir(tmp_path / "word")
    for source in ("x.wav", Path("x.wav"), ".", Path()):
        assert [label for _, _, label, _ in strictly(source)] == ["word"]


@pytest.mark.parametrize("word", ["go", "two words", "größe", "语音", "می\u200cخواهم", "क्\u200dष", "👩\u200d🎤"])
def test_a_label_is_the_name_of_the_folder_in_any_script(tmp_path, word):
    path = put(tmp_path / word / f"{word}_nohash_0.wav", encoded(sine(9)))
    for source in (path, tmp_path):
        assert [item[2:] for item in strictly(source)] == [(word, word)]
    assert [item[2:] for item in strictly({"name": path.name, "content": path.read_bytes()})] == [(path.stem, word)]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_to_files_are_followed_and_those_to_folders_are_not(tmp_path):
    other = put(tmp_path / "other" / "real.wav", encoded(sine(9)))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.wav").symlink_to(other)
    (folder / "again").symlink_to(folder)
    (folder / "aside.wav").symlink_to(tmp_path / "other")
    (folder / "gone.wav").symlink_to(tmp_path / "none")
    (folder / "loop.wav").symlink_to(folder / "loop.wav")
    (folder / "there.wav").symlink_to(folder / "back.wav")
    (folder / "back.wav").symlink_to(folder / "there.wav")
    waveforms = calmly(folder)
    check_form(waveforms)
    assert [entry.name for entry in waveforms.report.entries if not entry.refused] == ["link.wav"]
    assert {entry.name for entry in waveforms.report.refused} == {"gone.wav", "loop.wav", "there.wav", "back.wav"}
    assert len(list(audio_files(folder))) == 5
    refused(lambda: Waveforms(folder / "loop.wav"), FileNotFoundError, "loop.wav")


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    put(tmp_path / "open" / "x.wav", encoded(sine(9)))
    put(tmp_path / "closed" / "y.wav", encoded(sine(9)))
    scandir = os.scandir

    def guarded(path):
        if "closed" in os.fspath(path):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.warns(UserWarning, match="closed"):
        waveforms = Waveforms(tmp_path)
    assert len(waveforms) == 1
    assert "closed" in repr(waveforms.report)
    assert "Permission denied" in repr(waveforms.report)


NAMES = ["a b.wav", "it's.wav", 'say "go".wav', "new\nline.wav", "tab\t.wav", "😀.wav", "naïve ñ 語.wav", "<b>&amp;.wav",
         "%s{0}$HOME.wav", "a.b.c.wav", "-.wav", "\x1b[31mred.wav", "e\u0301.wav"]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="not all are names there")
def test_any_name_is_a_name(tmp_path):
    for name in NAMES:
        put(tmp_path / name, encoded(sine(9)))
        put(tmp_path / f"folder {name}" / f"bad {name}", b"no audio")
        (item,) = strictly(tmp_path / name)
        assert item[2] == tmp_path.name
        waveform, _ = read_audio(tmp_path / name)
        assert waveform.shape == (1, 9)
    waveforms = calmly(tmp_path)
    check_form(waveforms)
    assert len(waveforms) == len(waveforms.report.refused) == len(NAMES)
    # One line for the numbers, one for each that is shown, and one for the others.
    lines = repr(waveforms.report).splitlines()
    assert len(lines) == 22
    assert all(sign.isprintable() for line in lines for sign in line)
    html = calmly([tmp_path / name for name in NAMES]).report._repr_html_()
    assert "&lt;b&gt;&amp;amp;.wav" in html
    assert "<b>" not in html
    for name in ("new\nline.wav", "<b>&amp;.wav"):
        refused(lambda name=name: Waveforms(tmp_path / f"folder {name}"), ValueError, ascii(name)[1:-1])


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_names_that_are_no_text_are_read_and_can_be_printed(tmp_path):
    folder = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(folder)  # noqa: PTH102
    for name in (b"ann\xff_nohash_0.wav", b"\xe4\xf6\xfc.wav", b"no.\xff\xfe", b"bad\xff.wav"):
        with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(b"no audio" if name.startswith((b"no", b"bad")) else encoded(sine(9)))
    waveforms = calmly(tmp_path)
    check_form(waveforms)
    assert len(waveforms) == 2
    assert [entry.name[-8:] for entry in waveforms.report.refused] == ["bad\ufffd.wav"]
    for path in audio_files(tmp_path):
        if b"bad" not in os.fsencode(path):
            assert read_audio(path)[0].shape == (1, 9)
            check_form(strictly(path))


# Arrays


@pytest.fixture
def every_warning() -> Iterator[None]:
    """Torch warns each time, instead of once in a process."""
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(False)


KINDS = ["float16", "float32", "float64", "int8", "int16", "int32", "uint8", "uint16"]


@settings(max_examples=150)
@given(st.sampled_from(KINDS), st.integers(1, 5), st.integers(6, 40), st.booleans(), st.booleans(), SEEDS)
def test_an_array_is_the_mean_of_its_channels(kind, channels, n, upright, as_tensor, seed):
    dtype = np.dtype(kind)
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        samples = rng.uniform(-1, 1, (channels, n)).astype(dtype)
        expected = samples.astype(float)
    else:
        info = np.iinfo(dtype)
        samples = rng.integers(info.min, info.max, (channels, n), dtype=dtype, endpoint=True)
        samples.flat[:2] = info.min, info.max
        half = 2.0 ** (info.bits - 1)
        expected = samples / half - (1 if dtype.kind == "u" else 0)
    array = samples.T if upright else samples
    if channels == 1 and seed % 2:
        array = samples[0]
    source = torch.from_numpy(array) if as_tensor else array
    before = array.copy()
    waveforms = strictly(source)
    check_form(waveforms)
    np.testing.assert_allclose(waveforms[0][0][0].double().numpy(), expected.mean(axis=0), rtol=0, atol=1e-6)
    assert waveforms[0][2:] == ("", "")
    said = waveforms.report.entries[0].said
    assert (f"{channels} channels" in said) == (channels > 1)
    assert (kind in said) == (dtype.kind != "f")
    assert np.array_equal(array, before)


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x[::-1][::-1],
        lambda x: np.repeat(x, 2)[::2],
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.astype(">f4"),
        lambda x: x.astype(">f8"),
        lambda x: x.astype("<f4"),
        lambda x: x.astype(np.longdouble),
        lambda x: np.frombuffer(x.tobytes(), np.float32),
        lambda x: np.broadcast_to(x, (3, 100)),
        lambda x: np.asfortranarray(np.stack([x, x])),
        lambda x: torch.from_numpy(x).requires_grad_(),
        lambda x: torch.from_numpy(x).double().requires_grad_() * 1,
        lambda x: torch.nn.Parameter(torch.from_numpy(x)),
        lambda x: torch.from_numpy(x).repeat_interleave(2)[::2],
    ],
)
def test_an_array_is_taken_however_it_lies_in_memory(form, every_warning):
    x = sine(100).astype(np.float32)
    with torch.inference_mode():
        ahead = strictly(form(x))[0][0]
    waveforms = strictly(form(x))
    check_form(waveforms)
    np.testing.assert_allclose(waveforms[0][0][0].numpy(), x, rtol=0, atol=1e-7)
    assert torch.equal(ahead, waveforms[0][0])


BAD_ARRAYS = {
    "empty": np.zeros(0),
    "no channels": np.zeros((0, 5)),
    "no time": np.zeros((5, 0)),
    "neither": np.zeros((0, 0)),
    "NaN": np.array([0, math.nan]),
    "infinite": np.array([[0, -math.inf], [0, 0]]),
    "cube": np.zeros((2, 3, 4)),
    "no dimension": np.zeros(()),
    "bool": np.ones(5, bool),
    "complex": np.ones(5, complex),
    "objects": np.array([None, 1.0]),
    "text": np.array(["a", "b"]),
    "dates": np.zeros(5, "datetime64[s]"),
    "records": np.zeros(5, [("left", float), ("right", float)]),
    "sparse": torch.zeros(5).to_sparse(),
    "nowhere": torch.zeros(5, device="meta"),
    "complex tensor": torch.zeros(5, dtype=torch.complex64),
    "tensor of bool": torch.zeros(5, dtype=torch.bool),
    "tensor without dimension": torch.tensor(1.0),
    "empty tensor": torch.zeros(1, 0),
}
SAID = {
    "empty": "no samples",
    "no channels": "no samples",
    "no time": "no samples",
    "NaN": "NaN",
    "infinite": "infinite",
}


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_a_bad_array_is_refused_beside_good_ones(kind):
    bad = BAD_ARRAYS[kind]
    refused(lambda: Waveforms(bad), ValueError, f"{tuple(bad.shape)}", SAID.get(kind, ""))
    good = sine(30)
    with pytest.warns(UserWarning, match="array"):
        waveforms = Waveforms([good, bad, good])
    check_form(waveforms)
    assert [bool(entry.refused) for entry in waveforms.report.entries] == [False, True, False]


@settings(max_examples=150)
@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=60),
    st.sampled_from([16000, 8000, 44100, 11127]),
    st.integers(1, 2),
    st.integers(1, 50),
)
def test_what_reaches_too_far_is_scaled_down(numbers, rate, channels, repeats):
    array = np.tile(np.array(numbers, np.float32), (channels, repeats))
    peak = float(np.abs(array).max())
    waveforms = strictly(array[:, : 10 * len(numbers)], array_rate=rate)
    check_form(waveforms)
    if rate == 16000 and channels == 1:
        expected = array[0].astype(float) / max(1, peak)
        np.testing.assert_allclose(waveforms[0][0][0].numpy(), expected[: 10 * len(numbers)], rtol=1e-5, atol=1e-7)
        assert ("peak" in waveforms.report.entries[0].said) == (peak > 1)


@pytest.mark.parametrize("peak", [1.01, 1.5, 3, 1e30, 1e300])
def test_only_what_reaches_beyond_1_is_scaled(peak):
    x = sine(100) / np.abs(sine(100)).max()
    waveforms = strictly([peak * x, x, x / peak])
    check_form(waveforms)
    highest = [waveform.abs().max().item() for waveform, *_ in waveforms]
    assert highest == pytest.approx([1, 1, 1 / peak], abs=1e-6)
    assert [f"peak {peak:.4g} " in entry.said for entry in waveforms.report.entries] == [True, False, False]


@pytest.mark.parametrize("rate", RATES)
def test_a_square_that_overshoots_when_resampled_is_scaled_down(rate):
    square = np.sign(sine(rate, rate, 441.3, 1) + 1e-9)
    waveforms = strictly(square, array_rate=rate)
    check_form(waveforms)
    assert waveforms[0][0].abs().max() == 1
    assert "Hz" in waveforms.report.entries[0].said
    assert "peak 1." in waveforms.report.entries[0].said


@pytest.mark.parametrize("rate", RATES)
def test_the_largest_floats_do_not_become_nan(rate):
    square = np.tile(np.repeat(np.array([3e38, -3e38], np.float32), 40), (2, 20))
    waveforms = strictly(square, array_rate=rate)
    check_form(waveforms)
    assert waveforms[0][0].abs().mean() > 0.5


# Lists, and what a notebook's upload holds


def test_lists_are_read_in_their_order(tmp_path):
    path = put(tmp_path / "word" / "ann_nohash_0.wav", encoded(np.full(5, 0.5)))
    upload = {"name": "ben_nohash_0.wav", "content": encoded(np.full(6, 0.25))}
    source = [torch.full((7,), 0.1), (path, [upload, []]), [[np.full((2, 8), 0.2)]], path.parent, str(path)]
    waveforms = strictly(source)
    check_form(waveforms)
    assert [waveform.shape[1] for waveform, *_ in waveforms] == [7, 5, 6, 8, 5, 5]
    told = [(label, speaker) for _, _, label, speaker in waveforms]
    word = ("word", "ann")
    assert told == [("", ""), word, ("ben_nohash_0", "ben"), ("", ""), word, word]


def uploaded(*files: tuple[str, bytes]) -> ipywidgets.FileUpload:
    widget = ipywidgets.FileUpload(multiple=True)
    now = datetime.datetime.now(datetime.UTC)
    widget.value = tuple(
        {"name": name, "type": "audio/wav", "size": len(content), "content": memoryview(content), "last_modified": now}
        for name, content in files
    )
    return widget


def test_an_upload_is_read_from_the_widget_and_from_its_value():
    clip = encoded(np.stack([sine(4410, 44100)] * 2, axis=1), 44100, "FLAC")
    widget = uploaded(("ann_nohash_3.flac", clip), ("my <words>.wav", encoded(sine(70))), ("notes.txt", b"no audio"))
    for source in (widget, widget.value, list(widget.value), [widget]):
        waveforms = calmly(source)
        check_form(waveforms)
        assert [item[2:] for item in waveforms] == [("ann_nohash_3", "ann"), ("my <words>", "")]
        assert [waveform.shape[1] for waveform, *_ in waveforms] == [1600, 70]
        assert [entry.name for entry in waveforms.report.refused] == ["notes.txt"]
        assert "my &lt;words&gt;.wav" in waveforms.report._repr_html_()
    assert len(strictly(widget.value[0])) == 1
    refused(lambda: Waveforms(uploaded(("notes.txt", b"no audio"))), ValueError, "notes.txt")
    refused(lambda: Waveforms(uploaded(("x.wav", b""))), ValueError, "x.wav")


@pytest.mark.parametrize("widget", [ipywidgets.FileUpload(), ipywidgets.FileUpload(multiple=True)])
def test_an_upload_of_nothing_is_refused(widget):
    for source in (widget, widget.value, [widget]):
        refused(lambda source=source: Waveforms(source), ValueError, "no audio")


# What is no source


@pytest.mark.parametrize(
    "source",
    [
        *(None, 5, 0.5, True, b"x.wav", {"x"}, {"name": "x.wav"}, {}, range(3), lambda: 0, object(), np.float32(0.5)),
        *([0.1, 0.2], [1, 2], [[0.1]], [True], [None], [np.zeros(9), None], (i for i in ()), io.BytesIO(b"RIFF")),
    ],
    ids=lambda source: type(source).__name__,
)
def test_what_is_no_source_is_refused(source):
    refused(lambda: Waveforms(source), TypeError, "The source is a")


def test_nothing_to_read_is_refused(tmp_path):
    refused(lambda: Waveforms(tmp_path / "none.wav"), FileNotFoundError, "none.wav")
    refused(lambda: Waveforms([np.zeros(9), str(tmp_path / "none.wav")]), FileNotFoundError, "none.wav")
    refused(lambda: audio_files(tmp_path / "none"), FileNotFoundError, "none")
    refused(lambda: read_audio(tmp_path / "none.wav"), FileNotFoundError, "none.wav")
    refused(lambda: Waveforms(tmp_path), ValueError, repr(str(tmp_path)))
    refused(lambda: Waveforms([]), ValueError, "list")
    refused(lambda: Waveforms([[], ()]), ValueError, "list")
    assert list(audio_files(tmp_path)) == []
    put(tmp_path / "a.txt", b"text")
    put(tmp_path / "b" / "c.pdf", b"pdf")
    refused(lambda: Waveforms(tmp_path), ValueError, repr(str(tmp_path)), "2 other")
    refused(lambda: audio_files(tmp_path / "a.txt"), NotADirectoryError, "a.txt")


@pytest.mark.parametrize("name", ["sample_rate", "array_rate"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        *((rate, ValueError) for rate in (999, 0, -16000, 768_001, 10**9)),
        *((rate, TypeError) for rate in (16000.0, "16000", True)),
    ],
)
def test_a_rate_outside_all_belief_is_refused(name, value, error):
    refused(lambda: Waveforms(np.zeros(9), **{name: value}), error, str(value))


@pytest.mark.parametrize("rate", [1000, 768_000, np.int64(22050)])
def test_the_first_and_last_rate_are_taken(rate):
    for options in ({"sample_rate": rate}, {"array_rate": rate}, {"sample_rate": rate, "array_rate": rate}):
        waveforms = strictly(sine(100), **options)
        check_form(waveforms)
        old, new = options.get("array_rate", rate), options.get("sample_rate", 16000)
        assert waveforms[0][0].shape[1] == math.ceil(100 * int(new) / int(old))


# Audio that breaks loaders


def with_rate(rate: int) -> bytes:
    content = encoded(sine(4000))
    return content[:24] + struct.pack("<I", rate) + content[28:]


def with_total(total: int) -> bytes:
    """A FLAC of 4,000 samples whose header says that there are ``total``; by the format 0 is for unknown."""
    content = encoded(sine(4000), format="FLAC")
    packed = int.from_bytes(content[18:26], "big")
    assert packed % 2**36 == 4000
    return content[:18] + (packed - 4000 + total).to_bytes(8, "big") + content[26:]


def holding(value: float) -> np.ndarray:
    samples = sine(4000)
    samples[7] = value
    return samples


WHOLE: dict[str, Callable[[], bytes]] = {
    "one sample.wav": lambda: encoded(sine(1)),
    "8 bits.wav": lambda: encoded(sine(4000), subtype="PCM_U8"),
    "24 bits.wav": lambda: encoded(sine(4000), subtype="PCM_24"),
    "32 bits.wav": lambda: encoded(sine(4000), subtype="PCM_32"),
    "a law.wav": lambda: encoded(sine(4000), subtype="ALAW"),
    "adpcm.wav": lambda: encoded(sine(4000), subtype="IMA_ADPCM"),
    "floats.wav": lambda: encoded(sine(4000), subtype="FLOAT"),
    "loud.wav": lambda: encoded(sine(4000, peak=5), subtype="FLOAT"),
    "doubles.wav": lambda: encoded(sine(4000, peak=5e30), subtype="DOUBLE"),
    "huge.wav": lambda: encoded(np.stack([sine(4000, peak=3e38)] * 2, axis=1), subtype="FLOAT"),
    "silent.wav": lambda: encoded(np.zeros(4000)),
    "stereo.wav": lambda: encoded(np.stack([sine(4000, 44100)] * 2, axis=1), 44100),
    "six.flac": lambda: encoded(np.stack([sine(4000)] * 6, axis=1), format="FLAC"),
    "sixty.wav": lambda: encoded(np.stack([sine(4000)] * 60, axis=1)),
    "flac.wav": lambda: encoded(sine(4000), format="FLAC"),
    "ogg.mp3": lambda: encoded(sine(4000), format="OGG"),
    "wav.ogg": lambda: encoded(sine(4000)),
    "wav.mp3": lambda: encoded(sine(4000)),
    "aiff.flac": lambda: encoded(sine(4000), format="AIFF"),
    "opus.ogg": lambda: encoded(sine(4000), format="OGG", subtype="OPUS"),
    "unknown total.flac": lambda: with_total(0),
    "one too many.flac": lambda: with_total(4001),
    "far too many.flac": lambda: with_total(2**36 - 1),
    "slow.wav": lambda: with_rate(1000),
    "fast.wav": lambda: with_rate(768_000),
}
BROKEN: dict[str, Callable[[], bytes]] = {
    "no samples.wav": lambda: encoded(np.zeros(0)),
    "no samples.flac": lambda: encoded(np.zeros(0), format="FLAC"),
    "nan.wav": lambda: encoded(holding(math.nan), subtype="FLOAT"),
    "inf.wav": lambda: encoded(holding(-math.inf), subtype="FLOAT"),
    "too large.wav": lambda: encoded(holding(1e300), subtype="DOUBLE"),
    "no byte.wav": lambda: b"",
    "no byte.mp3": lambda: b"",
    "one byte.flac": lambda: b"f",
    "text.wav": lambda: b"not audio at all\n" * 100,
    "text.mp3": lambda: b"not audio at all\n" * 100,
    "zeros.ogg": lambda: bytes(5000),
    "page.wav": lambda: b"<!DOCTYPE html><html><body>404</body></html>",
    **{f"header of {n}.wav": lambda n=n: encoded(sine(4000))[:n] for n in (4, 12, 20, 30, 36, 40, 44)},
    **{f"header of {n}.flac": lambda n=n: encoded(sine(4000), format="FLAC")[:n] for n in (4, 20, 42)},
    **{f"header of {n}.ogg": lambda n=n: encoded(sine(4000), format="OGG")[:n] for n in (4, 40)},
    "half.flac": lambda: encoded(sine(4000), format="FLAC")[:1500],
    "0 Hz.wav": lambda: with_rate(0),
    "1 Hz.wav": lambda: with_rate(1),
    "999 Hz.wav": lambda: with_rate(999),
    "768001 Hz.wav": lambda: with_rate(768_001),
    "2 GHz.wav": lambda: with_rate(2_000_000_000),
    "4 GHz.wav": lambda: with_rate(2**32 - 1),
}
PARTLY: dict[str, Callable[[], bytes]] = {
    "half.wav": lambda: encoded(sine(4000))[:4044],
    "odd half.wav": lambda: encoded(sine(4000))[:4045],
    "too few.flac": lambda: with_total(100),
    "long half.flac": lambda: encoded(sine(40_000), format="FLAC")[:15_000],
    "long half.ogg": lambda: encoded(sine(90_000), format="OGG")[:5000],
}
"""What may be read as far as it goes, or refused."""


@pytest.mark.parametrize("name", WHOLE)
def test_odd_audio_is_read_whole(tmp_path, name):
    path = put(tmp_path / name, WHOLE[name]())
    waveforms = strictly(path)
    check_form(waveforms)
    waveform, entry = waveforms[0][0], waveforms.report.entries[0]
    expected = {"one sample": 1, "stereo": 1452, "slow": 64_000, "fast": 84}.get(path.stem, 4000)
    assert waveform.shape == (1, expected) or "adpcm" in name
    if expected == 4000 and name != "silent.wav":
        scale = 1 if name in ("loud.wav", "doubles.wav", "huge.wav") else 0.5
        assert signal_to_noise(torch.from_numpy(sine(4000, peak=scale)), waveform[0, :4000]) > 20
    assert ("peak 5 " in entry.said) == (name == "loud.wav")
    assert ("peak 5e+30 " in entry.said) == (name == "doubles.wav")
    assert ("channels averaged" in entry.said) == (path.stem in ("stereo", "six", "sixty", "huge"))


@pytest.mark.parametrize("name", BROKEN)
def test_broken_audio_is_refused_in_one_sentence(tmp_path, name):
    path = put(tmp_path / name, BROKEN[name]())
    refused(lambda: Waveforms(path), ValueError, repr(name))
    refused(lambda: Waveforms(uploaded((name, path.read_bytes()))), ValueError, repr(name))
    decoded = ("no samples.", "nan.", "inf.", "too large.", "1 Hz", "999 Hz", "768001 Hz", "2 GHz", "header of 44.wav")
    if not name.startswith((*decoded, "header of 42")):
        refused(lambda: read_audio(path), ValueError, repr(str(path)))


@pytest.mark.parametrize("name", PARTLY)
def test_audio_cut_short_is_read_as_far_as_it_goes_or_refused(tmp_path, name):
    put(tmp_path / name, PARTLY[name]())
    waveforms = calmly([tmp_path, sine(9)])
    check_form(waveforms)
    assert len(waveforms) + len(waveforms.report.refused) == 2
    if len(waveforms) == 2:
        whole = torch.from_numpy(sine(waveforms[0][0].shape[1])).float()
        assert signal_to_noise(whole, waveforms[0][0][0]) > 15


def test_bad_files_among_a_hundred_are_neither_fatal_nor_silent(tmp_path):
    contents = {**WHOLE, **BROKEN, **PARTLY}
    for i, (name, content) in enumerate(contents.items()):
        put(tmp_path / str(i % 7) / name, content())
    for i in range(100):
        put(tmp_path / "good" / f"{i}.wav", encoded(sine(50 + i)))
    (tmp_path / "folder.wav").mkdir()
    with pytest.warns(UserWarning, match="report") as record:
        waveforms = Waveforms(tmp_path, progress=False)
    assert len(record) == 1
    assert record[0].filename == __file__
    message = str(record[0].message)
    assert message.endswith(".")
    assert "\n" not in message
    check_form(waveforms)
    assert len(waveforms) + len(waveforms.report.refused) == len(list(audio_files(tmp_path))) == 100 + len(contents)
    bad = {Path(entry.name).name for entry in waveforms.report.refused}
    assert set(BROKEN) <= bad <= set(BROKEN) | set(PARTLY)
    assert str(len(bad)) in message
    assert any(name in message for name in bad)


@settings(max_examples=120)
@given(
    st.sampled_from([("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", None)]),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4),
    st.integers(0, 4000),
    st.booleans(),
)
def test_any_byte_may_be_wrong(tmp_path_factory, kind, wrong, end, is_cut):
    format, subtype = kind
    assume(format in soundfile.available_formats())
    content = bytearray(encoded(sine(1500), format=format, subtype=subtype))
    for at, byte in wrong:
        content[at] = byte
    path = put(tmp_path_factory.mktemp("any") / f"x.{format.lower()}", bytes(content[:end] if is_cut else content))
    waveforms = calmly([path, torch.zeros(9)])
    check_form(waveforms)
    assert len(waveforms) + len(waveforms.report.refused) == 2
    shutil.rmtree(path.parent)


# The report


def test_the_report_shows_the_worst_first_and_counts_the_rest(tmp_path):
    for i in range(30):
        put(tmp_path / f"good{i:02}.wav", encoded(sine(1600)))
    put(tmp_path / "zbad.wav", b"")
    put(tmp_path / "zchanged.wav", encoded(sine(3200, 8000), 8000))
    report = calmly(tmp_path).report
    assert len(report.entries) == 32
    assert [entry.name for entry in report.refused] == ["zbad.wav"]
    assert [entry.name for entry in report.changed] == ["zchanged.wav"]
    for text in ("31 clips", "3.4 s", "1 changed", "1 refused"):
        assert text in str(report)
    lines = repr(report).splitlines()
    assert lines[0] == str(report)
    assert "zbad.wav" in lines[1]
    assert "refused" in lines[1]
    assert "zchanged.wav" in lines[2]
    assert "8,000 Hz" in lines[2]
    assert "0.40 s" in lines[2]
    assert "12 more" in lines[-1]
    assert len(lines) == 22
    html = report._repr_html_()
    assert html.count("<tr>") == 21
    assert "12 more" in html
    assert html.index("zbad.wav") < html.index("zchanged.wav") < html.index("good00.wav")
    few = strictly(tmp_path / "good00.wav")
    assert "more" not in repr(few.report) + few.report._repr_html_()
    assert str(few.report) in repr(few)


@pytest.mark.parametrize(("n", "progress", "shown"), [(101, True, True), (101, False, False), (100, True, False)])
def test_a_bar_is_shown_for_many_files(capsys, n, progress, shown):
    Waveforms([torch.zeros(9)] * n, progress=progress)
    out, err = capsys.readouterr()
    assert (str(n) in err) == shown
    assert out == ""


# Items


def test_files_are_read_again_when_asked_for(tmp_path):
    path = put(tmp_path / "x.wav", encoded(np.full(9, 0.5)))
    waveforms = strictly([path, np.zeros(9)])
    put(path, encoded(np.full(9, 0.25)))
    assert waveforms[0][0][0, 0] == 0.25
    for spoil in (lambda: put(path, b""), path.unlink):
        spoil()
        refused(lambda: waveforms[0], ValueError, "x.wav")
    assert waveforms[1][0].shape == waveforms[-1][0].shape == (1, 9)


def test_items_are_asked_for_by_one_number():
    waveforms = strictly([torch.full((9,), i / 10) for i in range(3)])
    assert [round(waveforms[np.int64(i)][0][0, 0].item(), 1) for i in (-3, -2, -1)] == [0, 0.1, 0.2]
    for index in (3, -4):
        with pytest.raises(IndexError):
            waveforms[index]
    for index in (slice(2), "0", None, 1.0):
        refused(lambda index=index: waveforms[index], TypeError, repr(index))


def test_waveforms_go_to_other_processes(tmp_path):
    put(tmp_path / "a" / "x.wav", encoded(sine(90)))
    waveforms = strictly([tmp_path, sine(80), torch.zeros(2, 60), uploaded(("y.wav", encoded(sine(70))))])
    copy = pickle.loads(pickle.dumps(waveforms))
    assert repr(copy.report) == repr(waveforms.report)
    assert all(torch.equal(one[0], other[0]) for one, other in zip(copy, waveforms, strict=True))
    check_form(copy)


# Many files


@pytest.fixture(scope="module")
def hundred_thousand(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("many")
    (folder / "word").mkdir()
    for i in range(100_000):
        os.close(os.open(f"{folder}/word/v{i % 999}_nohash_{i:05}.wav", os.O_CREAT | os.O_WRONLY))
    yield folder
    shutil.rmtree(folder)


def test_listing_opens_no_file(hundred_thousand, monkeypatch):
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a file is opened")

    for holder, name in ((soundfile.SoundFile, "__init__"), (builtins, "open"), (io, "open"), (os, "open")):
        monkeypatch.setattr(holder, name, opened)
    listed = list(audio_files(hundred_thousand))
    clips = Clips(hundred_thousand)
    assert len(Clips(hundred_thousand, cutoff=7)) == 7
    with pytest.raises(AssertionError, match="opened"):
        clips[0]
    monkeypatch.undo()
    assert listed == clips.paths
    assert len(set(listed)) == 100_000
    assert listed == sorted(listed)


# read_audio


@settings(max_examples=40)
@given(st.integers(1, 50), st.integers(1, 4), st.sampled_from(["WAV", "FLAC"]), st.integers(1, 60), SEEDS)
def test_reading_in_blocks_changes_nothing(tmp_path_factory, n, channels, format, block, seed):
    samples = np.random.default_rng(seed).integers(-(2**15), 2**15, (n, channels)).astype(np.int16)
    path = put(tmp_path_factory.getbasetemp() / f"blocks.{format}", encoded(samples, 22050, format))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audio, "BLOCK", block)
        waveform, rate = read_audio(path)
    assert rate == 22050
    assert waveform.shape == (1, n)
    assert waveform.dtype == torch.float32
    np.testing.assert_allclose(waveform[0].numpy(), samples.mean(axis=1) / 32768, rtol=0, atol=1e-6)


def test_a_file_of_floats_is_read_as_it_is(tmp_path):
    samples = sine(1000, peak=7).astype(np.float32)
    waveform, _ = read_audio(put(tmp_path / "x.wav", encoded(samples, subtype="FLOAT")))
    assert np.array_equal(waveform[0].numpy(), samples)


# resample

PAIRS = [pair for rate in RATES for pair in ((rate, 16000), (16000, rate))]


@pytest.mark.parametrize(("old", "new"), PAIRS)
@pytest.mark.parametrize("hertz", [50, 440, 2000])
def test_a_sine_stays_a_sine(old, new, hertz):
    x = torch.from_numpy(sine(old, old, hertz)).float()[None]
    y = resample(x, old, new)
    assert y.shape == (1, new) or (11127 in (old, new) and abs(y.shape[1] - new) <= 1)
    expected = torch.from_numpy(sine(y.shape[1], new, hertz)).float()[None]
    inner = slice(new // 10, -new // 10)
    torch.testing.assert_close(y[:, inner], expected[:, inner], rtol=0, atol=5e-3)


@settings(max_examples=60)
@given(st.sampled_from(PAIRS), st.integers(1, 1500), st.integers(1, 3))
def test_lengths_follow_the_rates(pair, n, batch):
    old, new = pair
    y = resample(torch.zeros(batch, n), old, new)
    exact = -(-n * new // old)
    assert y.shape == (batch, exact) or (11127 in pair and abs(y.shape[1] - exact) <= 1)


@settings(max_examples=40)
@given(st.sampled_from(PAIRS), SEEDS, st.floats(-3, 3))
def test_resampling_is_linear_and_keeps_rows_apart(pair, seed, factor):
    x = torch.randn(2, 300, generator=torch.Generator().manual_seed(seed))
    y = resample(x, *pair)
    torch.testing.assert_close(resample(x[:1] + factor * x[1:], *pair), y[:1] + factor * y[1:], rtol=0, atol=1e-4)
    torch.testing.assert_close(resample(x[1:], *pair), y[1:], rtol=0, atol=1e-5)


def test_a_tone_beyond_the_new_rate_is_left_out():
    """9 kHz cannot be at 16 kHz: a short filter would leave it as a whistle at 7 kHz."""
    x = torch.from_numpy(sine(44100, 44100, 9000)).float()[None]
    y = resample(x, 44100, 16000)[:, 1600:-1600]
    assert 20 * math.log10(y.abs().max() / x.abs().max()) < -60


@pytest.mark.parametrize("name", ["half.wav", "odd half.wav"])
def test_audio_that_was_cut_short_is_said_to_be(tmp_path, name):
    report = calmly(put(tmp_path / name, PARTLY[name]())).report
    assert "cut short" in report.entries[0].said
    assert "cut short" not in calmly(put(tmp_path / "whole.wav", encoded(sine(4000)))).report.entries[0].said


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_integers_of_no_recorder_are_refused(kind):
    refused(lambda: Waveforms(np.arange(9).astype(kind)), ValueError, np.dtype(kind).name, "int16")
    refused(lambda: Waveforms(torch.tensor([1, 2, 3])), ValueError, "int64")


@pytest.mark.parametrize(("old", "new"), [(rate, 16000) for rate in RATES if rate > 16000] + [(16000, 8000)])
def test_what_the_new_rate_cannot_hold_is_left_out(old, new):
    x = torch.from_numpy(sine(old, old, 0.7 * new)).float()[None]
    y = resample(x, old, new)[:, new // 10 : -new // 10]
    assert y.abs().max() < 0.01


@pytest.mark.parametrize("rate", RATES)
def test_there_and_back_is_the_same_sound(rate):
    x = torch.from_numpy(sine(16000, 16000, 500) + 0.3 * sine(16000, 16000, 1700)).float()[None]
    back = resample(resample(x, 16000, rate), rate, 16000)
    inner = slice(1600, 14400)
    assert signal_to_noise(x[:, inner], back[:, inner]) > 35


@settings(max_examples=20)
@given(st.integers(1000, 768_000), st.integers(1, 100))
def test_the_same_rate_changes_nothing(rate, n):
    x = torch.rand(1, n)
    assert torch.equal(resample(x, rate, rate), x)


@settings(max_examples=200)
@given(
    st.one_of(
        st.tuples(st.integers(1000, 768_000), st.integers(1000, 768_000)),
        st.tuples(st.integers(15_900, 16_100), st.just(16000)),
        st.sampled_from([(44101, 44099), (1000, 768_000), (768_000, 1000), (767_999, 1009), (1009, 767_999)]),
    )
)
def test_no_pair_of_rates_takes_much_memory(pair):
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torchaudio.functional, "resample", lambda x, old, new, **_: seen.append((old, new)) or x)
        resample(torch.zeros(1, 1), *pair)
    old, new = seen[0] if seen else (1, 1)
    assert old * new <= 1_000_000
    # A hundredth of a semitone.
    assert abs(math.log2(old / new * pair[1] / pair[0])) < 0.01 / 12


@pytest.mark.parametrize(
    "pair", [(10**9, 3), (3, 10**9), (2**62, 1), (1, 2**62), (2_000_000_000, 16000), (16000, 10**9)]
)
def test_rates_outside_all_belief_take_no_memory_either(pair, monkeypatch):
    seen = []
    monkeypatch.setattr(torchaudio.functional, "resample", lambda x, old, new, **_: seen.append((old, new)) or x)
    try:
        resample(torch.zeros(1, 1), *pair)
    except ValueError:
        return
    assert all(old * new <= 1_000_000 for old, new in seen)


@pytest.mark.parametrize("name", ["old_rate", "sample_rate"])
@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), (8000.0, TypeError), ("8000", TypeError), (True, TypeError)]
)
def test_what_is_no_rate_is_refused(name, value, error):
    rates = {"old_rate": 16000, "sample_rate": 16000, name: value}
    refused(lambda: resample(torch.zeros(1, 9), **rates), error, f"{name}={value!r}")


# signal_to_noise


@settings(max_examples=100)
@given(SEEDS, st.integers(2, 50), st.floats(0.01, 100), st.floats(0.01, 100))
def test_decibels_are_those_of_the_definition(seed, n, louder, noisier):
    generator = torch.Generator().manual_seed(seed)
    signal = torch.randn(1, n, generator=generator, dtype=torch.float64)
    noise = torch.randn(1, n, generator=generator, dtype=torch.float64)
    at = signal_to_noise(signal, signal + noise)
    ratio = sum(float(x) ** 2 for x in signal[0]) / sum(float(x) ** 2 for x in noise[0])
    assert at == pytest.approx(10 * math.log10(ratio), abs=1e-6)
    assert signal_to_noise(louder * signal, louder * (signal + noise)) == pytest.approx(at, abs=1e-6)
    by = signal_to_noise(signal, signal + noisier * noise) - at
    assert by == pytest.approx(-20 * math.log10(noisier), abs=1e-6)


def test_decibels_at_the_ends():
    wave, silence = bundled_clips()[0][0], torch.zeros(1, 16000)
    assert signal_to_noise(wave, wave.clone()) == math.inf
    assert signal_to_noise(silence, silence) == math.inf
    assert signal_to_noise(silence, wave) == -math.inf
    assert signal_to_noise(wave, silence) == pytest.approx(0)
    assert signal_to_noise(wave, 1.1 * wave) == pytest.approx(20, abs=1e-3)
    # 16 bits of a full sine: six decibels a bit.
    sine16 = torch.from_numpy(sine(16000, peak=1))
    assert signal_to_noise(sine16, (sine16 / STEP).round() * STEP) == pytest.approx(98.1, abs=1)
