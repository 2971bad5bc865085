"""Explorers follow their sliders, say in words what they show, and show a picture where no front end answers."""

import itertools
from collections.abc import Callable

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pytest

from wavenetlike.data import is_stationary
from wavenetlike.explore import Explorer, explore_ar2, explore_receptive_field
from wavenetlike.models import WaveNet, WaveNetConfig

EXPLORERS = [explore_ar2, explore_receptive_field]


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_every_control_changes_picture_or_words(explorer: Callable[[], Explorer]) -> None:
    shown = explorer()
    for name, control in shown.controls.items():
        before = shown.image.value, shown.words.value
        control.value = control.options[0] if isinstance(control, widgets.Dropdown) else control.value + control.step
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
