"""`train`: the same loop for a minute on two cores and for a week on many machines."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import signal
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from wavenetlike.analysis import Score
from wavenetlike.data import Codes, Conditions, Frames, Windows, conditions, encode_clips
from wavenetlike.data.clips import Items
from wavenetlike.models import WaveNet, check_model
from wavenetlike.names import Precision, Schedule
from wavenetlike.train.checkpoint import State
from wavenetlike.train.devices import Devices
from wavenetlike.train.folder import Checkpoints, Folder
from wavenetlike.train.history import History, Judged
from wavenetlike.train.judges import Judges, held_out_judges
from wavenetlike.train.learner import Learner, select
from wavenetlike.train.recipe import Recipe
from wavenetlike.train.watch import Bar, Run, Watcher

SAMPLED = 100
"""Clips at most that the baselines are fitted to where none are held out: enough to say what is easy, whatever there is to train on."""
SERIES = ("bits", "accuracy")
"""What a history holds one number a step of."""
LOST = 50
"""Steps over which a loss that is worse than twice a blind guess means that nothing will come of it."""


class Diverged(ValueError):
    """The loss is no longer finite, or far beyond a blind guess; ``history`` is what was seen before."""

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history


def train(
    model: WaveNet,
    dataset: Items,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    window: int = 4000,
    batch_size: int = 1,
    learning_rate: float = 6e-3,
    schedule: Schedule = "linear",
    clip: float | None = 1.0,
    ema: float | None = None,
    precision: Precision = "float32",
    compiled: bool = False,
    held_out: Items | None = None,
    frames: Frames | None = None,
    evaluate_every: int = 100,
    patience: int | None = None,
    seed: int = 0,
    checkpoints: str | Path | Checkpoints | None = None,
    devices: int | None = None,
    watch: Watcher | Iterable[Watcher] = (),
    progress: bool = True,
) -> History:
    """Train ``model`` on clips, in place, with a progress bar; what was learned stays when it is interrupted.

    Every step predicts up to ``window`` codes of each of ``batch_size`` windows, each code from all of its Δ past codes, and
    takes one step of Adam. In an epoch every such code is predicted once; the order is that of `data.Windows` for ``seed``,
    always the same. Clips that are not longer than Δ are used, too, with silence before them, and a warning says so. Ctrl-C, or
    the stop button of a notebook, ends training after the step that runs, and the model keeps its weights.
    Taught in notebooks/03_toy_wavenet.ipynb and 04_full_wavenet.ipynb; on several devices in 08_training_at_scale.ipynb.

    Args:
        model: a `WaveNet`; its config says how waveforms are quantized. It learns on the GPU or TPU that is there, and is where
            it was afterwards.
        dataset: any of `data`, or items whose first element is a waveform (batch, time) in [-1, 1].
        steps: how many steps, at least 1; None: as many as fit in ``seconds``.
        seconds: wall-clock time to train, above 0; 60 if neither is given; with both, whichever ends first.
        window: codes predicted per window at most, at least 1.
        batch_size: windows a step, at least 1, over all devices together.
        learning_rate: of Adam, above 0; reached over the first 10 steps.
        schedule: how it goes on: "linear" falls to 0 at the end, "cosine" falls to 0 in half a wave, "constant" stays.
        clip: the norm that the gradient is scaled down to where it is larger; None: never.
        ema: the model ends with an exponential moving average of its weights, which keeps this part, 0 … 1, of what it was at
            every step, and is what is judged on the held-out clips; None: with the last weights.
        precision: "bfloat16" computes products with 8 bits of mantissa, which pays on GPUs and on CPUs made for it; weights stay float32.
        compiled: by torch.compile, which takes a minute at first and needs a C++ compiler.
        held_out: clips that are not trained on, to be judged on.
        frames: for a model with frames: a function (waveform (1, time), sample rate in Hz) → (channels, n_frames); or, without ``held_out``, a list of
            them, one a clip; None: `data.mel_frames` of as many bands as the model has channels, at its hop.
        evaluate_every: steps between two judgements on ``held_out``; another one follows the last step.
        patience: judgements without one better than all before after which training ends, and the model has the weights of the best one;
            None: it goes on. Needs ``held_out``.
        seed: of the windows, at least 0.
        checkpoints: a folder, or `Checkpoints`, where the run is kept. The same call goes on from there, bit for bit as if it had
            not been interrupted (with ``steps``; on the same machine with as many threads). ``best.safetensors`` is in it, too.
        devices: how many processes there must be; None: as many as torchrun started, or this one alone.
        watch: who is told about every step beside the progress bar: `Log`, `TensorBoard`, `explore.watch_training()`.
        progress: show the bar.

    Raises:
        TypeError, ValueError: an argument out of its range, an empty dataset, a clip that is no waveform or of another
            sample rate, or checkpoints of another run.
        Diverged: the gradient is no longer finite, or the loss stays beyond twice that of a blind guess.
        RuntimeError: other processes than were asked for.
    """
    if steps is None and seconds is None:
        seconds = 60.0
    check_model(model)
    if len(frozen(model)) == len(list(model.parameters())):
        raise ValueError(
            "The model has no parameter that may learn; at least one must have requires_grad: try model.requires_grad_()."
        )
    recipe = Recipe(
        steps=steps, seconds=seconds, window=window, batch_size=batch_size, learning_rate=learning_rate, schedule=schedule,
        clip=clip, ema=ema, precision=precision, compiled=compiled, evaluate_every=evaluate_every, patience=patience, seed=seed,
    )  # fmt: skip
    if patience is not None and held_out is None:
        raise ValueError(
            f"patience={patience} needs clips to judge by; pass held_out: try the second part of data.hold_out(dataset)."
        )
    keeping = checkpoints if checkpoints is None or isinstance(checkpoints, Checkpoints) else Checkpoints(checkpoints)
    codes = encode_clips(dataset, model.mu_law)
    told = conditions(model.config.condition, dataset, codes, frames)
    judges = None
    if held_out is not None:
        if isinstance(frames, Sequence):
            raise ValueError(
                "A list of frames was passed, which are those of the dataset, and there are held-out clips, too; frames must be a function then: try frames=lambda waveform, sample_rate: data.mel_frames(waveform, sample_rate)."
            )
        held_codes = encode_clips(held_out, model.mu_law)
        judges = held_out_judges(held_codes, model, conditions(model.config.condition, held_out, held_codes, frames))
    here = Devices(precision, devices)
    if batch_size < here.n:
        raise ValueError(
            f"batch_size={batch_size} leaves nothing to some of {here.n} processes; it must be at least {here.n}."
        )
    watchers = [*([Bar()] if progress else []), *_watchers(watch)]
    home = model.device
    try:
        return Training(model, recipe, codes, told, judges, here, keeping).run(watchers if here.is_first else [])
    finally:
        model.to(home)


def frozen(model: WaveNet) -> list[str]:
    """Names of the parameters that do not learn."""
    return [name for name, parameter in model.named_parameters() if not parameter.requires_grad]


def _watchers(watch: Watcher | Iterable[Watcher]) -> list[Watcher]:
    watchers = list(watch) if isinstance(watch, Iterable) else [watch]
    for each in watchers:
        if isinstance(each, type) or not all(callable(getattr(each, hook, None)) for hook in ("start", "step", "end")):
            raise TypeError(
                f"watch={each!r} cannot watch; it must have the methods start, step and end: try watch=Log()."
            )
    return watchers


class Training:
    """One run of `train`, from its first step, or from where its newest checkpoint stands."""

    def __init__(
        self,
        model: WaveNet,
        recipe: Recipe,
        codes: Codes,
        conditions: Conditions | None,
        judges: Judges | None,
        here: Devices,
        keeping: Checkpoints | None,
    ):
        self.recipe, self.judges, self.here = recipe, judges, here
        self.windows = Windows(codes, model.receptive_field, recipe.window, recipe.seed)
        if self.windows.n_short:
            warnings.warn(
                f"{self.windows.n_short} of {len(codes)} clips are not longer than Δ = {self.windows.delta}; silence stands in for the past that they lack.",
                stacklevel=3,
            )
        self.learner = Learner(model, recipe, here, conditions)
        held_out = judges.codes.fingerprint() if judges else None
        own = {"dtype": str(next(model.parameters()).dtype), "frozen": frozen(model)}
        told = {"conditions": conditions.fingerprint()} if conditions else {}
        identity = {**dataclasses.asdict(recipe), **own, "clips": codes.fingerprint(), "held_out": held_out, **told}
        self.folder = None if keeping is None else Folder(keeping, model.config, identity)
        self.history = History(baselines=(judges or Judges(codes, model, SAMPLED)).baselines())
        self.best: dict[str, Tensor] = {}
        self.kept = (-1, 0.0)

    def run(self, watchers: list[Watcher]) -> History:
        """All steps that are left, and what was seen in all of them."""
        with contextlib.ExitStack() as stack:
            if self.folder is not None:
                if self.here.is_first:
                    stack.enter_context(self.folder.locked())
                self._resume(self.folder)
            self.learner.prepare()
            stack.callback(lambda: self.learner.finish(self.best if self.recipe.patience else {}))
            run = Run(self.learner.model, self.recipe, self.history)
            # A second interrupt, within a step or while a watcher ends, leaves what is done now, and nothing else.
            stack.enter_context(contextlib.suppress(KeyboardInterrupt))
            stack.enter_context(_stopping_at_interrupt(run))
            try:
                for watcher in watchers:
                    watcher.start(run)
                    stack.callback(watcher.end, run)
                self._loop(run, watchers)
            except KeyboardInterrupt:
                self.history.end = "stopped"
        if self.history.stopped and self.here.is_first:
            print(f"Stopped after {run.step} steps; the model keeps what it learned.")
        return self.history

    def _loop(self, run: Run, watchers: list[Watcher]) -> None:
        self._keep(run)
        if self.judges and self._is_judgement_due(run):  # the run was stopped before it
            self._judge(run, self.judges)
        while not self.history.end and self.recipe.done(run.step, self.history.seconds) < 1:
            stop = self._step(run)
            if self.judges and not stop and self._is_judgement_due(run):
                self._judge(run, self.judges)
            if stop:
                self.history.end = "stopped"
            for watcher in watchers:
                watcher.step(run)
            if self._is_keeping_due(run):
                self._keep(run)
        self._keep(run)

    def _is_judgement_due(self, run: Run) -> bool:
        """Whether the step just made is one to judge after, and that was not done."""
        judged = self.history.held_out[-1].step if self.history.held_out else 0
        is_last = self.recipe.done(run.step, self.history.seconds) >= 1
        return judged < run.step and (is_last or run.step % self.recipe.evaluate_every == 0)

    def _is_keeping_due(self, run: Run) -> bool:
        """Whether it is time for a checkpoint."""
        steps, seconds = run.step - self.kept[0], self.history.seconds - self.kept[1]
        return self.folder is not None and self.folder.asked.are_due(steps, seconds)

    def _step(self, run: Run) -> bool:
        """One step of all processes; whether one of them was told to stop."""
        size, done = self.recipe.batch_size, self.recipe.done(run.step, self.history.seconds)
        fixed = self.recipe.compiled or self.here.device.type == "xla"
        batch = self.windows.batch(run.step, size, self.here.rank, self.here.n, fixed)
        n_targets, rate = self.windows.n_targets(run.step, size), self.recipe.rate(run.step, done)
        try:
            bits, hits = self.learner.step(batch, n_targets, rate)
        except FloatingPointError:
            raise self._diverged(f"at learning_rate={rate:.3g}: the gradient is no longer finite", rate) from None
        elapsed = run.elapsed if self.here.is_first else 0.0
        bits, total_hits, stop, self.history.seconds = self.here.total(bits, hits, run.is_stopping, elapsed)
        self.history.bits.append(bits)
        self.history.accuracy.append(total_hits / n_targets)
        run.count(n_targets)
        self._check_lost(rate)
        return bool(stop)

    def _check_lost(self, rate: float) -> None:
        bits, blind = self.history.bits, math.log2(self.windows.codes.levels)
        mean = sum(bits[-LOST:]) / LOST
        if len(bits) >= LOST and mean > 2 * blind and mean >= bits[0]:
            raise self._diverged(f"to {mean:.1f} bits per sample, where a blind guess has {blind:.1f}", rate)

    def _diverged(self, what: str, rate: float) -> Diverged:
        return Diverged(
            f"Training diverged {what}, and the weights are those of the step before; build the model anew and try learning_rate={rate / 10:.1g}.",
            self.history,
        )

    def _judge(self, run: Run, judges: Judges) -> None:
        """On the held-out clips; the best weights up to now are kept, and training ends if it has not become better for long."""
        before, judged = self.history.best, judges.judge(self.learner.judged, run.step, self.here)
        self.history.held_out.append(judged)
        if before is None or judged.bits < before.bits:
            self.best = {name: x.detach().clone() for name, x in self.learner.judged.state_dict().items()}
            if self.folder and self.here.is_first:
                self.folder.write_best(self.learner.judged, judged.bits)
        n_since = sum(later.step > self.history.best.step for later in self.history.held_out)  # type: ignore[union-attr]
        if self.recipe.patience and n_since >= self.recipe.patience:
            self.history.end = "patience"

    def _keep(self, run: Run) -> None:
        """A checkpoint of what there is, unless it is there."""
        if self.folder is None or self.kept[0] == run.step:
            return
        self.kept = run.step, self.history.seconds
        if not self.here.is_first:
            return
        history = dataclasses.asdict(self.history)
        tensors, groups = self.learner.state()
        tensors |= {f"history/{name}": torch.tensor(history.pop(name), dtype=torch.float64) for name in SERIES}
        tensors |= {f"best/{name}": x for name, x in self.best.items()}
        about = {"identity": self.folder.identity, "optimizer": groups, "history": history}
        model = self.learner.model
        self.folder.write(run.step, State(model.config, model.state_dict(), tensors, about))

    def _restore(self, state: State) -> None:
        """Everything as it was when ``state`` was kept."""
        self.learner.restore(state.weights, state.tensors, state.about["optimizer"])
        history = state.about["history"]
        series = {name: state.tensors[f"history/{name}"].tolist() for name in SERIES}
        self.history = History(
            **series,
            held_out=[Judged(*judged) for judged in history["held_out"]],
            baselines=[Score(**score) for score in history["baselines"]],
            seconds=history["seconds"],
            end="" if history["end"] == "stopped" else history["end"],
        )
        self.best = {name: x.to(self.here.device) for name, x in select(state.tensors, "best/").items()}
        self.kept = len(self.history.bits), self.history.seconds

    def _resume(self, folder: Folder) -> None:
        """Go on from the newest checkpoint, if there is one."""
        state = folder.newest()
        if state is not None:
            try:
                self._restore(state)
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                raise ValueError(
                    f"The newest checkpoint in {str(folder.path)!r} is whole but lacks what this version needs ({type(error).__name__}); go on with the version that wrote it, or pass another folder to begin anew."
                ) from error
            if self.here.is_first:
                folder.go_on()
                self._keep_best_again(folder)
        step = len(self.history.bits)
        if self.here.total(step)[0] != step * self.here.n:
            raise RuntimeError(
                f"The processes see different checkpoints in {str(folder.path)!r}; it must be a folder that all machines share: check where it is mounted."
            )

    def _keep_best_again(self, folder: Folder) -> None:
        """The best weights that the checkpoint knows, if their file is gone."""
        if self.history.best and self.best:
            best = copy.deepcopy(self.learner.judged)
            best.load_state_dict(self.best)
            folder.write_best(best, self.history.best.bits)


@contextlib.contextmanager
def _stopping_at_interrupt(run: Run) -> Iterator[None]:
    """Within it Ctrl-C, or a notebook's stop, ends the run after the step that runs now; a second one at once."""

    def stop(number: int, frame: object) -> None:
        if run.is_stopping:
            raise KeyboardInterrupt
        run.stop()

    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        yield
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
