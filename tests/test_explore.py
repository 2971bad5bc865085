"""Explorers follow their sliders, say in words what they show, and show a picture where no front end answers."""

import datetime
import io
import itertools
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
import torch
from helpers import refused

from wavenetlike import MuLaw
from wavenetlike.data import bundled_clips, is_stationary, read_audio, signal_to_noise, wav_bytes
from wavenetlike.explore import Explorer, explore_ar2, explore_quantization, explore_receptive_field
from wavenetlike.models import WaveNet, WaveNetConfig

EXPLORERS = [explore_ar2, explore_receptive_field, explore_quantization]


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_every_control_changes_picture_or_words(explorer: Callable[[], Explorer]) -> None:
    shown = explorer()
    for name, control in shown.controls.items():
        before = shown.image.value, shown.words.value
        if isinstance(control, widgets.Dropdown):
            control.index = (control.index + 1) % len(control.options)
        else:
            control.value += control.step
        assert (shown.image.value, shown.words.value) != before, name
    assert plt.get_fignums() == []


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_every_end_of_every_slider_is_drawn(explorer: Callable[[], Explorer]) -> None:
    shown = explorer()
    sliders = [control for control in shown.controls.values() if not isinstance(control, widgets.Dropdown)]
    for corner in itertools.product([True, False], repeat=len(sliders)):
        for slider, lowest in zip(sliders, corner, strict=True):
            slider.value = slider.min if lowest else slider.max
        assert bytes(shown.image.value).startswith(b"\x89PNG")


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_controls_are_labelled_and_a_picture_is_there_without_a_front_end(explorer: Callable[[], Explorer]) -> None:
    shown = explorer()
    assert all(control.description for control in shown.controls.values())
    bundle = shown._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/html"].startswith("<img ")
    assert shown.picture.alt in data["text/html"]


@pytest.mark.parametrize(("a", "b"), [(-0.4, 0.5), (1.4, -0.7), (1.2, 0.3), (0.5, 0.5), (0.0, -1.0), (2.2, 1.2)])
def test_ar2_words_tell_inside_from_outside(a: float, b: float) -> None:
    words = explore_ar2(a, b).words.value
    assert ("Inside" in words) == is_stationary(a, b)


def test_receptive_field_words_are_the_models_own_numbers() -> None:
    shown = explore_receptive_field(kernel_length=3, n_layers=4, n_blocks=2, dilation_rate=3, channels=8)
    config = WaveNetConfig(
        kernel_length=3, n_layers=4, n_blocks=2, dilation_rate=3, residual_channels=8, gate_channels=8, skip_channels=8
    )
    model = WaveNet(config)
    n = sum(p.numel() for p in model.parameters())
    for number in (
        f"Δ = {model.receptive_field:,} samples",
        f"depth {model.depth};",
        f"{n:,} parameters;",
        f"γ = {n / model.depth:,.0f}",
    ):
        assert number in shown.words.value
    assert f"{1000 * model.receptive_field / 16000:,.1f} ms at 16,000 Hz" in shown.words.value
    shown.controls["sample_rate"].value = 8000
    assert f"{1000 * model.receptive_field / 8000:,.1f} ms at 8,000 Hz" in shown.words.value


@pytest.mark.parametrize("levels", [2, 3, 10, 11, 64, 256])
def test_quantization_shows_and_plays_the_same(tmp_path: Path, levels: int) -> None:
    clips = bundled_clips(3)
    shown = explore_quantization(clips)
    for i, (waveform, sample_rate, *_) in enumerate(clips):
        shown.controls["clip"].value, shown.controls["levels"].value = i, levels
        decoded = MuLaw(levels).decode(MuLaw(levels).encode(waveform))
        assert (
            f"{levels} levels:</b> signal-to-noise ratio {signal_to_noise(waveform, decoded):.1f} dB"
            in shown.words.value
        )
        for player, expected in ((shown.before, waveform), (shown.after, decoded)):
            (tmp_path / "heard.wav").write_bytes(player.value)
            heard, rate = read_audio(tmp_path / "heard.wav")
            assert rate == sample_rate
            torch.testing.assert_close(heard, expected, rtol=0, atol=1 / 32000)
            assert not player.autoplay


def uploaded(**files: bytes) -> tuple[dict[str, object], ...]:
    """What a FileUpload holds after these files were chosen."""
    now = datetime.datetime.now(datetime.UTC)
    kinds = {"type": "audio/wav", "last_modified": now}
    return tuple(
        {"name": f"{name}.wav", "size": len(content), "content": memoryview(content), **kinds}
        for name, content in files.items()
    )


def test_an_upload_takes_the_place_of_the_clips() -> None:
    shown = explore_quantization(levels=16)
    before = shown.clips
    tone = torch.sin(torch.arange(48000) / 20)[None]
    shown.upload.value = uploaded(bad=b"<b>no audio</b>")
    assert shown.clips is before
    assert "bad.wav" in shown.report.value
    assert "alert" in shown.report.value
    shown.upload.value = uploaded(bad=b"no audio", one=wav_bytes(tone, 48000), two=wav_bytes(tone[:, :9000] / 2, 8000))
    assert [label for _, _, label, _ in shown.clips] == ["one", "two"]
    assert [label for label, _ in shown.controls["clip"].options] == ["1: one", "2: two"]
    assert "bad.wav" in shown.report.value
    assert "48,000 Hz → 16,000 Hz" in shown.report.value
    assert "16 levels" in shown.words.value
    picture = shown.image.value
    shown.controls["clip"].value = 1
    assert shown.image.value != picture
    shown.upload.value = ()
    assert [label for _, _, label, _ in shown.clips] == ["one", "two"]


def test_a_long_recording_is_explored_at_its_loudest() -> None:
    waveform = torch.zeros(1, 20 * 8000)
    waveform[0, 15 * 8000] = 0.9
    shown = explore_quantization([(waveform, 8000, "click", "")])
    assert "5 s around the loudest moment of 20.0 s" in shown.words.value
    samples, rate = soundfile.read(io.BytesIO(shown.before.value))
    assert (len(samples), rate) == (5 * 8000, 8000)
    assert np.abs(samples).max() == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("levels", [1, 0, -3, 257])
def test_levels_beyond_the_slider_are_refused(levels: int) -> None:
    refused(lambda: explore_quantization(levels=levels), ValueError, f"levels={levels}")
