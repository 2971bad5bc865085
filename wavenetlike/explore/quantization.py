"""What µ-law leaves of a waveform, seen and heard, at any number of levels, for any clip and for your own."""

from __future__ import annotations

import html
import warnings
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
import traitlets
from torch import Tensor
from torch.utils.data import Dataset

from wavenetlike.checks import check_int, check_positive, check_waveform
from wavenetlike.data import Waveforms, bundled_clips, signal_to_noise, wav_bytes
from wavenetlike.data.audio import SUFFIXES
from wavenetlike.data.clips import Item
from wavenetlike.explore.drawn import Drawn, Kept, source
from wavenetlike.plots import Picture, quantization_error
from wavenetlike.quantize import MuLaw

MOST_SECONDS = 5
"""Of a recording that is drawn and played: a page is slow to take more at every move of a slider."""
MOST_LEVELS = 256
MOST_CLIPS = 100
"""Clips of a dataset that can be chosen."""
COLUMNS = 470
"""Pieces of a waveform that are drawn, each from its lowest to its highest sample."""
NEAR = 0.01
"""Seconds around the loudest sample that are drawn one by one."""


class Waves(Drawn):
    """The drawing and the players of a `QuantizationExplorer`."""

    _esm = source("common.js", "quantization.js")
    needs_kernel = True
    clip = traitlets.Int(0).tag(sync=True)
    clips: traitlets.List[Any] = traitlets.List().tag(sync=True)
    levels = traitlets.Int(min=2, max=MOST_LEVELS).tag(sync=True)
    most_levels = traitlets.Int(MOST_LEVELS).tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    before = traitlets.Bytes().tag(sync=True)
    after = traitlets.Bytes().tag(sync=True)

    @traitlets.validate("clip")
    def _is_place(self, proposal: Any) -> int:
        check_int("clip", proposal.value, 0, "the place of a clip", len(self.clips) - 1)
        return int(proposal.value)


class QuantizationExplorer(Kept, widgets.VBox):
    """A button to upload recordings, and under it the waveform, its error, and players for before and after.

    ``clips`` is the dataset that is explored: the one that it was made with, until something is uploaded. ``clip`` and
    ``levels`` are what is chosen.
    """

    clip = traitlets.Int(0)
    levels = traitlets.Int()

    def __init__(self, clips: Dataset[Item], levels: int):
        self.clips = clips
        self.upload = widgets.FileUpload(
            accept=",".join(sorted(SUFFIXES)), multiple=True, description="upload your own", layout={"width": "14em"}
        )
        self.report = widgets.HTML("<p>wav, flac, ogg or mp3, one file or several</p>")
        self.waves = Waves(clips=self._choices(), levels=levels)
        super().__init__(children=[self.upload, self.report, self.waves], levels=levels)
        for name in ("clip", "levels"):
            traitlets.link((self.waves, name), (self, name))
        self.waves.on_msg(lambda *_: self.keep())
        self._update()
        self.waves.observe(self._update, names=["clip", "levels"])
        self.upload.observe(self._take, names="value")

    def _choices(self) -> list[str]:
        n = min(len(self.clips), MOST_CLIPS)  # type: ignore[arg-type]
        return [f"{i + 1}: {_item(self.clips, i)[2]}" for i in range(n)]

    def _part(self) -> tuple[Tensor, Tensor, int]:
        """Of the clip that is chosen: all of it, what is shown, and samples per second."""
        waveform, sample_rate, _ = _item(self.clips, self.waves.clip)
        return waveform, _loudest(waveform, MOST_SECONDS * sample_rate), sample_rate

    def _update(self, _change: object = None) -> None:
        whole, part, sample_rate = self._part()
        levels = self.waves.levels
        decoded = MuLaw(levels).decode(MuLaw(levels).encode(part))
        noise = f"signal-to-noise ratio {signal_to_noise(part, decoded):.1f} dB" if part.any() else "the clip is silent"
        words = f"{levels} levels: {noise}"
        if part.shape[1] < whole.shape[1]:
            words += f", over the {MOST_SECONDS} s around the loudest moment of {whole.shape[1] / sample_rate:,.1f} s"
        with self.waves.hold_sync():
            self.waves.shown = _drawn(part[0].numpy(), decoded[0].numpy(), sample_rate) | {
                "clip": self.waves.clip,
                "words": f"{words}.",
                "alt": f"A waveform, and over it the error that {levels} levels make; beside it its loudest 10 ms and the steps that are left of them.",
            }
            self.waves.before, self.waves.after = wav_bytes(part, sample_rate), wav_bytes(decoded, sample_rate)

    def picture(self) -> Picture:
        """What is shown now, as a figure."""
        _, part, sample_rate = self._part()
        return quantization_error(part[0], MuLaw(self.waves.levels), sample_rate)

    def words(self) -> str:
        return str(self.waves.shown["words"])

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
        self.waves.clips = self._choices()
        if self.waves.clip:
            self.waves.clip = 0
        else:
            self._update()


def _item(clips: Dataset[Item], i: int) -> tuple[Tensor, int, str]:
    """A clip as waveform (1, time), samples a second, and label.

    Raises:
        TypeError, ValueError: the item is something else.
    """
    try:
        waveform, sample_rate, *label = clips[i]
        waveform = torch.as_tensor(waveform).detach()
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise TypeError(
            f"Item {i} of the clips is no (waveform, sample_rate, label, speaker); pass a dataset of such items: try data.Waveforms(paths)."
        ) from error
    check_waveform(waveform)
    check_positive("sample_rate", sample_rate, "16000")
    return waveform.mean(dim=0, keepdim=True), int(sample_rate), str(label[0] if label and label[0] else "clip")


def _loudest(waveform: Tensor, n: int) -> Tensor:
    """At most ``n`` samples of a waveform (1, time), its loudest in the middle where that can be."""
    start = min(max(0, int(waveform[0].abs().argmax()) - n // 2), max(0, waveform.shape[1] - n))
    return waveform[:, start : start + n]


def _drawn(waveform: np.ndarray, decoded: np.ndarray, sample_rate: int) -> dict[str, Any]:
    """What the page draws of a waveform and of what quantization left of it, each (time,)."""
    half, middle = max(1, round(NEAR / 2 * sample_rate)), int(np.abs(waveform).argmax())
    near = slice(max(0, middle - half), middle + half)
    return {
        "seconds": len(waveform) / sample_rate,
        "largest": float(max(np.abs(waveform).max(), np.abs(decoded).max())),
        "waveform": _band(waveform),
        "error": _band(decoded - waveform),
        "near": waveform[near].tolist(),
        "decoded": decoded[near].tolist(),
        "from_ms": 1000 * near.start / sample_rate,
        "to_ms": 1000 * (near.start + len(waveform[near])) / sample_rate,
    }


def _band(x: np.ndarray) -> dict[str, list[float]]:
    """The lowest and the highest of each piece of a waveform (time,)."""
    starts = np.unique(np.linspace(0, len(x), min(COLUMNS, len(x)), endpoint=False).astype(int))
    return {
        "low": np.minimum.reduceat(x, starts).tolist(),
        "high": np.maximum.reduceat(x, starts).tolist(),
    }


def explore_quantization(clips: Dataset[Item] | None = None, levels: int = 10) -> QuantizationExplorer:
    """Choose a clip, or upload your own, and a number of levels: see and hear what µ-law leaves of it, and how much noise it adds.

    Taught in notebooks/03_toy_wavenet.ipynb.

    Args:
        clips: any dataset of `data`; None: the bundled clips. The first hundred can be chosen.
        levels: where to begin, 2 … 256.

    Raises:
        TypeError, ValueError: levels out of range, no dataset of waveforms, or an empty one.
    """
    check_int("levels", levels, 2, "10 is the toy's", MOST_LEVELS)
    if clips is None:
        clips = bundled_clips(20)
    if not (hasattr(clips, "__getitem__") and hasattr(clips, "__len__")):
        raise TypeError(
            f"The clips are a {type(clips).__name__}; they must be a dataset of items (waveform, sample_rate, label, speaker): try data.Waveforms(paths)."
        )
    if not len(clips):
        raise ValueError("There are no clips; pass a dataset of at least one, or nothing for the bundled clips.")
    return QuantizationExplorer(clips, levels)
