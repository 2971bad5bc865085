"""Explorers: sliders over the pictures of `plots`. Each function returns one widget, usable in any notebook.

An explorer computes nothing itself and keeps no state but its sliders. Where no front end answers, the notebook shows
the picture that it had when it was run.
"""

from __future__ import annotations

import functools
import html
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
from torch import Tensor
from torch.utils.data import Dataset

from wavenetlike.checks import check_int
from wavenetlike.data import (
    Waveforms,
    ar2_process,
    bundled_clips,
    is_stationary,
    largest_root,
    signal_to_noise,
    wav_bytes,
)
from wavenetlike.data.audio import SUFFIXES
from wavenetlike.data.clips import Item
from wavenetlike.models import WaveNetConfig
from wavenetlike.plots import Picture, ar2, quantization_error, receptive_field
from wavenetlike.quantize import MuLaw

MOST = 1e100
"""A series that explodes is drawn up to here; floats end soon after."""
MOST_SECONDS = 5
"""Of a recording that is drawn and played: a page is slow to take more at every move of a slider."""
MOST_LEVELS = 256
MOST_CLIPS = 100
"""Clips of a dataset that can be chosen."""
SAMPLE_RATES = [8000, 16000, 22050, 44100, 48000]


class Explorer(widgets.VBox):
    """Controls, one sentence in words, and a picture that follows the controls.

    Args:
        controls: by the name of the argument of ``draw`` that each sets.
        draw: the values of the controls → the picture, and what it says in words.
    """

    def __init__(self, controls: dict[str, widgets.ValueWidget], draw: Callable[..., tuple[Picture, str]]):
        self.controls, self._draw = controls, draw
        self.words = widgets.HTML()
        self.image = widgets.Image(format="png")
        for control in controls.values():
            control.style.description_width = "11em"
            control.layout.width = "32em"
            control.observe(self._update, names="value")
        super().__init__([*controls.values(), self.words, self.image])
        self._update()

    def _update(self, _change: object = None) -> None:
        picture, words = self._draw(**{name: control.value for name, control in self.controls.items()})
        self.picture = picture
        self.words.value = f'<p role="status" style="margin: 0.3em 0; line-height: 1.5">{words}</p>'
        self.image.value = picture.png(compress_level=1)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = repr(self.picture)
            data["text/html"] = self.picture._repr_html_() + self.words.value
        return bundle


def explore_ar2(a: float = -0.4, b: float = 0.5, n_samples: int = 150) -> Explorer:
    """Move (a, b) over the stationarity triangle and beyond, and see the series and its spectrum.

    Taught in notebooks/01_ar2_weight_recovery.ipynb.

    Args:
        a, b: where to begin, -2.2 … 2.2 and -1.2 … 1.2.
        n_samples: of the series that is drawn, always with the same noise.
    """
    check_int("n_samples", n_samples, 2, "150 fill the picture")
    controls = {
        "a": widgets.FloatSlider(a, min=-2.2, max=2.2, step=0.05, description="a (last sample)"),
        "b": widgets.FloatSlider(b, min=-1.2, max=1.2, step=0.05, description="b (the one before)"),
    }

    def draw(a: float, b: float) -> tuple[Picture, str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the words below say it
            x = list(itertools.islice(ar2_process(a, b, 0, 0, seed=1), n_samples))
        x = list(itertools.takewhile(lambda value: abs(value) < MOST, x))
        return ar2(a, b, x), _ar2_words(a, b)

    return Explorer(controls, draw)


def _ar2_words(a: float, b: float) -> str:
    root = largest_root(a, b)
    if is_stationary(a, b):
        return f"<b>Inside the triangle:</b> a shock fades to {root:.3f} of itself at every step, and the series stays put."
    if root > 1 + 1e-9:
        return f"<b>Outside the triangle:</b> every shock grows {root:.3f} times at every step, and the series leaves all bounds."
    return "<b>On the border:</b> shocks never fade, and the series wanders without a fixed spread."


def explore_receptive_field(
    kernel_length: int = 2, n_layers: int = 5, n_blocks: int = 2, dilation_rate: int = 2, channels: int = 32
) -> Explorer:
    """Choose a stack, and see its tree, its Δ in samples and milliseconds, its γ, and its place among all others.

    Taught in notebooks/02_receptive_field_and_gamma.ipynb.

    Args:
        kernel_length, n_layers, n_blocks, dilation_rate, channels: where to begin, 1 … 5, 1 … 12, 1 … 5, 1 … 4 and
            4 … 128.
    """
    controls = {
        "kernel_length": widgets.IntSlider(kernel_length, min=1, max=5, description="kernel length (taps)"),
        "n_layers": widgets.IntSlider(n_layers, min=1, max=12, description="layers per block"),
        "n_blocks": widgets.IntSlider(n_blocks, min=1, max=5, description="blocks"),
        "dilation_rate": widgets.IntSlider(dilation_rate, min=1, max=4, description="dilation rate"),
        "channels": widgets.IntSlider(channels, min=4, max=128, step=4, description="channels"),
        "sample_rate": widgets.Dropdown(options=SAMPLE_RATES, value=16000, description="sample rate (Hz)"),
    }

    def draw(sample_rate: int, **shape: int) -> tuple[Picture, str]:
        config = _config(**shape)
        others = _all_others(shape["channels"])
        return receptive_field(config, others), _receptive_field_words(config, sample_rate)

    return Explorer(controls, draw)


def _config(kernel_length: int, n_layers: int, n_blocks: int, dilation_rate: int, channels: int) -> WaveNetConfig:
    return WaveNetConfig(
        kernel_length=kernel_length,
        n_layers=n_layers,
        n_blocks=n_blocks,
        dilation_rate=dilation_rate,
        residual_channels=channels,
        gate_channels=channels,
        skip_channels=channels,
    )


@functools.lru_cache(maxsize=32)
def _all_others(channels: int) -> list[tuple[int, float]]:
    """(Δ, γ) of everything that the other sliders can choose at this width."""
    shapes = itertools.product(range(1, 6), range(1, 13), range(1, 6), range(1, 5))
    configs = [_config(*shape, channels=channels) for shape in shapes]
    return [(config.receptive_field, config.gamma) for config in configs]


def _receptive_field_words(config: WaveNetConfig, sample_rate: int) -> str:
    delta = config.receptive_field
    return html.escape(
        f"Δ = {delta:,} samples = {1000 * delta / sample_rate:,.1f} ms at {sample_rate:,} Hz; depth {config.depth}; "
        f"{config.parameters:,} parameters; γ = {config.gamma:,.0f} parameters per layer."
    )


class QuantizationExplorer(Explorer):
    """Controls and picture as in `Explorer`, a button to upload recordings, and players for before and after.

    ``clips`` is the dataset that is explored: the one that it was made with, until something is uploaded.
    """

    def __init__(self, clips: Dataset[Item], levels: int):
        self.clips = clips
        self.upload = widgets.FileUpload(
            accept=",".join(sorted(SUFFIXES)), multiple=True, description="upload your own", layout={"width": "14em"}
        )
        self.report = widgets.HTML("<p>wav, flac, ogg or mp3, one file or several</p>")
        self.before, self.after = (widgets.Audio(format="wav", autoplay=False, loop=False) for _ in range(2))
        choice = widgets.Dropdown(options=self._choices(), description="clip")
        slider = widgets.IntSlider(levels, min=2, max=MOST_LEVELS, description="levels (µ + 1)")
        super().__init__({"clip": choice, "levels": slider}, self._show)
        players = [
            widgets.VBox([widgets.HTML(f"<b>{name}</b>"), player])
            for name, player in (("before", self.before), ("after µ-law", self.after))
        ]
        shown = [choice, slider, self.words, self.image]
        self.children = [self.upload, self.report, *shown, widgets.HBox(players)]
        self.upload.observe(self._take, names="value")

    def _choices(self) -> list[tuple[str, int]]:
        n = min(len(self.clips), MOST_CLIPS)  # type: ignore[arg-type]
        return [(f"{i + 1}: {self.clips[i][2] or 'clip'}", i) for i in range(n)]

    def _show(self, clip: int, levels: int) -> tuple[Picture, str]:
        waveform, sample_rate, *_ = self.clips[clip]
        part = _loudest(waveform, MOST_SECONDS * sample_rate)
        mu_law = MuLaw(levels)
        decoded = mu_law.decode(mu_law.encode(part))
        self.before.value, self.after.value = wav_bytes(part, sample_rate), wav_bytes(decoded, sample_rate)
        words = f"<b>{levels} levels:</b> signal-to-noise ratio {signal_to_noise(part, decoded):.1f} dB"
        if part.shape[1] < waveform.shape[1]:
            words += (
                f", over the {MOST_SECONDS} s around the loudest moment of {waveform.shape[1] / sample_rate:,.1f} s"
            )
        return quantization_error(part[0], mu_law, sample_rate), words + "."

    def _take(self, _change: object) -> None:
        """What was uploaded, in place of the clips before, which stay if none of it can be used."""
        if not self.upload.value:
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the report below says it
                uploaded = Waveforms(self.upload, progress=False)
        except ValueError as error:
            self.report.value = f"<p role='alert'>{html.escape(str(error))}</p>"
            return
        self.clips = uploaded
        self.report.value = uploaded.report._repr_html_()
        choice = self.controls["clip"]
        with choice.hold_trait_notifications():
            choice.options, choice.value = self._choices(), 0
        self._update()


def _loudest(waveform: Tensor, n: int) -> Tensor:
    """At most ``n`` samples of a waveform (1, time), its loudest in the middle where that can be."""
    start = min(max(0, int(waveform[0].abs().argmax()) - n // 2), max(0, waveform.shape[1] - n))
    return waveform[:, start : start + n]


def explore_quantization(clips: Dataset[Item] | None = None, levels: int = 10) -> QuantizationExplorer:
    """Choose a clip, or upload your own, and a number of levels: see and hear what µ-law leaves of it, and how much noise it adds.

    Taught in notebooks/03_toy_wavenet.ipynb.

    Args:
        clips: any dataset of `data`; None: the bundled clips. The first hundred can be chosen.
        levels: where to begin, 2 … 256.
    """
    check_int("levels", levels, 2, "10 is the toy's")
    if levels > MOST_LEVELS:
        raise ValueError(f"levels={levels} is too large; it must be at most {MOST_LEVELS}: try 256.")
    return QuantizationExplorer(clips if clips is not None else bundled_clips(20), levels)
