"""A training while it runs: a progress bar, its curves, a button that stops it and one that lets the model be heard."""

from __future__ import annotations

import base64
import html
import time

import ipywidgets as widgets
import torch
from IPython.display import display
from torch import Tensor

from wavenetlike.checks import check_codes, check_int
from wavenetlike.data import wav_bytes
from wavenetlike.explore.drawn import Kept
from wavenetlike.generate import generate
from wavenetlike.plots import Picture, learning
from wavenetlike.train import History, Run

SHARE = 20
"""The curves are drawn again after this many times as long as drawing them took: 5% of the time at most."""
LEAST = 0.3
"""Seconds between two words about how it goes."""


class TrainingWatch(Kept, widgets.VBox):
    """Shows itself when the training starts, and leaves a picture of how it went.

    The buttons work where the front end and the kernel talk while a cell runs (JupyterLab from 4.4 on, with ipykernel 7); the
    kernel's own stop button works everywhere, and does the same as ``stop``.
    """

    def __init__(self, prefix: Tensor | None, n: int, sample_rate: int):
        self._prefix, self._n, self._sample_rate = prefix, n, sample_rate
        self._run: Run | None = None
        self._wants_sound = False
        self.history = History()
        self.bar = widgets.FloatProgress(max=1.0, description="training", layout={"width": "60%"})
        self.stop = widgets.Button(description="stop", tooltip="end after this step; what was learned stays")
        self.hear = widgets.Button(description="hear it", tooltip="let the model as it is now make a sound")
        self.status, self.curves, self.sound = widgets.HTML(), widgets.HTML(), widgets.HTML()
        super().__init__(
            children=[widgets.HBox([self.bar, self.stop, self.hear]), self.status, self.curves, self.sound]
        )
        self.stop.on_click(self._stop)
        self.hear.on_click(self._ask)

    def picture(self) -> Picture:
        """The curves as they are now."""
        return learning(self.history)

    def words(self) -> str:
        return repr(self.history)

    def start(self, run: Run) -> None:
        """Before the first step.

        Raises:
            TypeError, ValueError: the prefix is no codes of this model.
        """
        if self._prefix is not None:
            check_codes(self._prefix, run.model.config.levels)
            if self._prefix.shape[0] != 1 or not self._prefix.shape[1]:
                raise ValueError(
                    f"The prefix has shape {tuple(self._prefix.shape)}; it must be codes (1, time) of at least one sample: try prefix[:1]."
                )
        self._run, self.history = run, run.history
        self.stop.disabled = self.hear.disabled = False
        self._draw()  # for the first time, which is slow, and does not count
        self._said = self._drawn = float("-inf")
        display(self)
        self._free_buttons()

    def step(self, run: Run) -> None:
        """After a step: words at most three times a second, curves as often as they cost little, a sound if one was asked for."""
        now = time.monotonic()
        if now - self._said >= LEAST:
            self._said = now
            self._say(run)
        if now - self._drawn >= SHARE * self._drawing:
            self._draw()
        if self._wants_sound:
            self._wants_sound = False
            self._play(run)

    def end(self, run: Run) -> None:
        """After the last step."""
        self.stop.disabled = self.hear.disabled = True
        self._say(run)
        self._draw()
        self.keep()

    def _free_buttons(self) -> None:
        """ipykernel 7.4 gives a message from the page to the shell that last wrote to its widget: to the one that trains, and is busy."""
        for button in (self.stop, self.hear):
            if hasattr(button.comm, "_reply_subshell_id"):
                del button.comm._reply_subshell_id

    def _stop(self, _button: object) -> None:
        if self._run is not None:
            self._run.stop()

    def _ask(self, _button: object) -> None:
        self._wants_sound = True

    def _say(self, run: Run) -> None:
        history, self.bar.value = run.history, run.done
        words = [f"step {run.step:,}"]
        if history.bits:
            words += [f"{history.bits[-1]:.3f} bits per sample", f"accuracy {100 * history.accuracy[-1]:.1f}%"]
        if history.held_out:
            words.append(f"held-out {history.held_out[-1].bits:.3f} bits, {100 * history.held_out[-1].accuracy:.1f}%")
        words.append(f"{run.samples_per_second:,.0f} samples a second")
        left = run.seconds_left
        words.append(f"{left:.0f} s left" if left < 100 else f"{left / 60:.0f} min left" if left < 1e9 else "")
        self.status.value = f"<p data-live>{', '.join(word for word in words if word)}</p>"

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        self.curves.value = self.picture()._repr_html_()
        self._drawing = time.monotonic() - self._drawn

    def _play(self, run: Run) -> None:
        self.sound.value = "<p>The model makes a sound; training waits for it.</p>"
        made = generate(run.model, self._n, prefix=self._prefix, seed=run.step)
        before = torch.zeros(1, 0)
        if self._prefix is not None:
            before = run.model.mu_law.decode(self._prefix[:1, -self._sample_rate // 5 :])
        data = base64.b64encode(wav_bytes(torch.cat([before, made.waveform], dim=1), self._sample_rate)).decode()
        words = html.escape(f"after {run.step:,} steps, {self._sample_rate:,} Hz")
        self.sound.value = (
            f'<p>{words} <audio controls aria-label="{words}" src="data:audio/wav;base64,{data}"></audio></p>'
        )


def watch_training(prefix: Tensor | None = None, n: int = 1600, sample_rate: int = 16000) -> TrainingWatch:
    """Watch a training in a notebook: ``train.train(model, clips, watch=watch_training(), progress=False)``.

    Shows a progress bar, bits per sample and accuracy beside three baselines, held-out clips beside training, samples a second and
    the time left; a button stops the training, and another lets the model go on from ``prefix`` as it is now.
    Taught in notebooks/03_toy_wavenet.ipynb.

    Args:
        prefix: codes (1, time) from which a sound goes on, of which its last fifth of a second is heard, too; None: silence.
        n: samples that the model makes then, at least 1.
        sample_rate: in Hz, 1 … 768,000.

    Raises:
        TypeError, ValueError: a number out of its range.
    """
    check_int("n", n, 1, "1600 are a tenth of a second at 16 kHz")
    check_int("sample_rate", sample_rate, 1, "16000 is that of the bundled clips", 768_000)
    return TrainingWatch(prefix, n, sample_rate)
