"""Who watches a training: a progress bar, a log, TensorBoard. The live figure of a notebook is `explore.watch_training`."""

from __future__ import annotations

import logging
import time
from collections import deque
from pathlib import Path
from typing import Any, Protocol

from wavenetlike.models import WaveNet
from wavenetlike.train.history import History
from wavenetlike.train.recipe import Recipe

logger = logging.getLogger("wavenetlike.train")


class Run:
    """A training while it runs, as those who watch it see it.

    Attributes:
        model: what learns; between two steps it may be listened to.
        recipe: how it is trained.
        history: what was seen up to now.
        samples: targets that were predicted in the steps of this process group, since it began.
    """

    def __init__(self, model: WaveNet, recipe: Recipe, history: History):
        self.model, self.recipe, self.history = model, recipe, history
        self._before, self._start = history.seconds, time.monotonic()
        self._recent: deque[tuple[float, int]] = deque([(self._start, 0)], maxlen=30)
        self.samples = 0
        self.is_stopping = False

    @property
    def step(self) -> int:
        """Steps that are done."""
        return len(self.history.bits)

    @property
    def done(self) -> float:
        """The part that is over, 0 … 1."""
        return min(1.0, self.recipe.done(self.step, self.history.seconds))

    @property
    def seconds_left(self) -> float:
        """How long the rest will take if it goes on as it did; infinite before the first step."""
        return self.history.seconds * (1 / self.done - 1) if self.done and self.step else float("inf")

    @property
    def samples_per_second(self) -> float:
        """Targets predicted a second over the last 30 steps, by all processes together."""
        (then, before), (now, after) = self._recent[0], self._recent[-1]
        return (after - before) / (now - then) if now > then else 0.0

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before it was resumed included."""
        return self._before + time.monotonic() - self._start

    def count(self, samples: int) -> None:
        """One more step, of so many targets."""
        self.samples += samples
        self._recent.append((time.monotonic(), self.samples))

    def stop(self) -> None:
        """End after the step that runs now; what was learned stays. May be called from any thread."""
        self.is_stopping = True


class Watcher(Protocol):
    """Told about a run in the first process, between the steps; what it takes long for, the training waits for."""

    def start(self, run: Run) -> None:
        """Before the first step."""

    def step(self, run: Run) -> None:
        """After every step, and after a judgement on held-out clips that followed it."""

    def end(self, run: Run) -> None:
        """After the last step, also when an error ends it."""


class Bar:
    """A progress bar over steps, or over seconds where only those are given."""

    def start(self, run: Run) -> None:
        from tqdm.auto import tqdm

        by_steps = run.recipe.steps is not None
        self._bar = tqdm(
            total=run.recipe.steps if by_steps else run.recipe.seconds,
            initial=run.step if by_steps else run.history.seconds,
            desc="training",
            unit="step" if by_steps else "s",
            bar_format=None if by_steps else "{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}",
        )

    def step(self, run: Run) -> None:
        history = run.history
        held_out = f", held-out {history.held_out[-1].bits:.3f}" if history.held_out else ""
        text = f"step {run.step}, {history.bits[-1]:.3f} bits per sample{held_out}"
        self._bar.set_postfix_str(text, refresh=False)
        now = run.step if run.recipe.steps is not None else min(history.seconds, self._bar.total)
        self._bar.update(now - self._bar.n)

    def end(self, run: Run) -> None:
        self._bar.close()


class Log:
    """A line in the log "wavenetlike.train" every so many seconds, and for every judgement on held-out clips.

    Args:
        seconds: between two lines.
    """

    def __init__(self, seconds: float = 10.0):
        self.seconds = seconds

    def start(self, run: Run) -> None:
        self._last, self._judged = float("-inf"), len(run.history.held_out)
        logger.info("step %d, %s", run.step, run.recipe)
        for score in run.history.baselines:
            logger.info("%s: accuracy %.3f, %.3f bits per sample", score.name, score.accuracy, score.bits)

    def step(self, run: Run) -> None:
        history = run.history
        if len(history.held_out) > self._judged:
            self._judged = len(history.held_out)
            logger.info("step %d, held-out: %.4f bits, accuracy %.4f", *history.held_out[-1])
        if history.seconds - self._last >= self.seconds:
            self._last = history.seconds
            rate, left = run.samples_per_second, run.seconds_left
            logger.info("step %d, %.4f bits, %.0f samples/s, %.0f s left", run.step, history.bits[-1], rate, left)

    def end(self, run: Run) -> None:
        logger.info("%r after %.1f s", run.history, run.history.seconds)


class TensorBoard:
    """Scalars for TensorBoard: ``pip install "wavenetlike[tensorboard]"``, then ``tensorboard --logdir FOLDER``.

    Args:
        folder: where its files go; made if missing.

    Raises:
        ModuleNotFoundError: it is not installed.
    """

    def __init__(self, folder: str | Path):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ModuleNotFoundError(
                'TensorBoard is not installed; it comes with an extra: pip install "wavenetlike[tensorboard]".'
            ) from error
        self._writer: Any = SummaryWriter(str(folder))

    def start(self, run: Run) -> None:
        self._judged = len(run.history.held_out)

    def step(self, run: Run) -> None:
        history = run.history
        self._writer.add_scalar("training/bits per sample", history.bits[-1], run.step)
        self._writer.add_scalar("training/accuracy", history.accuracy[-1], run.step)
        self._writer.add_scalar("samples per second", run.samples_per_second, run.step)
        for step, bits, accuracy in history.held_out[self._judged :]:
            self._writer.add_scalar("held-out/bits per sample", bits, step)
            self._writer.add_scalar("held-out/accuracy", accuracy, step)
        self._judged = len(history.held_out)

    def end(self, run: Run) -> None:
        self._writer.flush()
