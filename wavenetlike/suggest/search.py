"""`search`: trains many models that a dataset allows, briefly, and keeps the one that needs the fewest bits on clips held out."""

from __future__ import annotations

import contextlib
import math
import sqlite3
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from wavenetlike.analysis import analyze_dataset, baselines
from wavenetlike.checks import check_bool, check_int, check_positive, check_seed
from wavenetlike.data import encode_clips, hold_out
from wavenetlike.data.clips import Item, Items
from wavenetlike.data.codes import parts
from wavenetlike.models import WaveNetConfig
from wavenetlike.quantize import MuLaw
from wavenetlike.suggest.choose import LEARNING_RATE, PER_PARAMETER, WINDOW
from wavenetlike.suggest.found import Search, Trial
from wavenetlike.suggest.probe import built
from wavenetlike.suggest.report import Suggestion
from wavenetlike.suggest.shapes import shape
from wavenetlike.suggest.space import Space, point
from wavenetlike.suggest.spans import spans
from wavenetlike.train import Diverged, Run, train

STEPS = 400
FIRST_WIDTH = 16
"""Channels of the first models where there are no suggestions, and no budget that would say more."""
LEVELS = 256
JUDGEMENTS = 5
"""Times that a model is judged while it learns."""
STARTUP = 6
"""Trials after which Optuna begins to prefer what was good, and to stop what is worse than the median."""
HELD_OUT = 20
"""Clips at most to judge by where none are given: each model is judged several times on all of them."""
PATIENCE = 5.0
"""Seconds to wait for a file that another search has."""
NAME = "wavenetlike"


def search(
    dataset: Items,
    suggestions: Sequence[Suggestion] | None = None,
    *,
    trials: int = 20,
    seconds: float | None = None,
    steps: int = STEPS,
    parameters: int | None = None,
    storage: str | Path | None = None,
    held_out: Items | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Search:
    """Train models that the dataset allows, each briefly, and say which needs the fewest bits per sample on clips held out.

    Needs Optuna: ``pip install "wavenetlike[search]"``. The suggestions are tried first. What follows has the Δ of one of them at least,
    and other blocks, kernels, widths and learning rates, which Optuna's tree-structured Parzen estimator chooses (Bergstra et al., Algorithms
    for Hyper-Parameter Optimization, 2011). A model that is worse than the median of those before it at the same step is stopped early. All are
    judged on the same samples, whatever their Δ. With the same seed the same is found, on the same machine with as many threads, unless time
    ends it. Ctrl-C, or a notebook's stop, ends it and keeps what was found; the trial that ran then is lost, and is made again by the next call.

    Args:
        dataset: as for `train.train`.
        suggestions: of `suggest`; None: the Δ that it would suggest, at 256 levels, without measuring times.
        trials: how many in all, at least 1, those that ``storage`` holds and those that were stopped early included.
        seconds: after which the search ends, above 0, though not before one model is trained to its end; None: only after all trials.
        steps: of each training, at least 1. What is best after few need not be best after many.
        parameters: at most so many, and never more than one for every second sample, as `suggest` has it. A model that would have more is narrowed,
            at most to the narrowest that `suggest` knows.
        storage: a file of its own where the search is kept; the same call goes on from there, and with more ``trials`` beyond. None: it is not kept.
        held_out: clips to judge by; None: those of `data.hold_out`, at most 20 of them, which are not trained on.
        seed: of the choices, the weights and the windows, 0 … 2³² - 1.
        progress: show a bar.

    Raises:
        ModuleNotFoundError: Optuna is not installed.
        TypeError, ValueError: an argument out of its range, clips that `train.train` refuses, or the file of another search.
        RuntimeError: another search has the file now.
    """
    optuna = _optuna()
    check_int("trials", trials, 1, "20 are enough for a first look")
    check_int("steps", steps, 1, "400 take a minute or so with a small model", 10**9)
    check_seed(seed)
    check_bool("progress", progress)
    if seconds is not None:
        check_positive("seconds", seconds, "300, or leave it out")
    if parameters is not None:
        check_int("parameters", parameters, 1, "50000 are a small model")
    path = _checked_path(storage)
    starts = None if suggestions is None else _checked_suggestions(suggestions)
    task = Task(dataset, held_out, starts, int(steps), parameters and int(parameters), int(seed))
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    with _quiet(optuna), _alone(path):
        study = _study(optuna, path, task)
        _go_on(optuna, study, task, int(trials), deadline, progress)
        return Search(tuple(_tried(optuna, study)), task.steps, task.window, task.bigram, study)


# What each is tried on

Starts = list[tuple[WaveNetConfig, float]]
"""Configs and learning rates to begin with."""


class Task:
    """Clips to learn from and to judge by, and what may be tried on them.

    Args:
        dataset, held_out: of `search`.
        starts: None: what `spans` says.
        steps: of each training.
        most: parameters at most; None: by the samples.
        seed: of everything.
    """

    def __init__(
        self, dataset: Items, held_out: Items | None, starts: Starts | None, steps: int, most: int | None, seed: int
    ):
        self.steps, self.seed = steps, seed
        levels = starts[0][0].levels if starts else LEVELS
        self.training, held = _divided(dataset, held_out)
        codes = encode_clips(self.training, MuLaw(levels))
        n = int(codes.lengths.sum())
        self.starts = starts or _proposed(self.training, n, seed)
        self.space = Space(tuple(config for config, _ in self.starts), min(n // PER_PARAMETER, most or n))
        self.window = min(WINDOW, int(codes.lengths.max()))
        judged = encode_clips(held, MuLaw(levels))
        # Where each is judged from: all of Δ is known there, unless that left less than half of a usual clip.
        self.start = max(1, min(self.space.longest, int(np.median(judged.lengths)) // 2))
        if judged.lengths.max() <= self.start:
            raise ValueError(
                "The held-out clips have one sample each; they need at least two, some past and a code to predict: pass longer ones."
            )
        self.held = [item for item in held if item[0].shape[1] > self.start]
        self.bigram = baselines((clip for clip in judged if len(clip) > self.start), levels, self.start)[-1].bits
        clips = {"clips": codes.fingerprint(), "held-out clips": judged.fingerprint()}
        self.identity = {**clips, **self.space.identity(), "steps": steps, "window": self.window, "seed": seed}

    def judged(self, delta: int) -> list[Item]:
        """The held-out clips, of which a model of that Δ is judged on the very samples that all others are; silence stands in for what is unknown of their past."""
        pad = delta - self.start
        return [(torch.nn.functional.pad(waveform, (pad, 0)), *rest) for waveform, *rest in self.held]  # type: ignore[misc]

    def bits(self, trial: Any, pruned: type[Exception], deadline: float) -> float:
        """Those of a trial's model after all steps.

        Raises:
            pruned: it was stopped, since it was worse than others.
            Stopped: by the user, or by time.
        """
        config, rate = self.space.ask(trial)
        trial.set_user_attr("config", config.to_json())
        model, watcher = built(config, self.seed), _Watcher(trial, pruned, deadline)
        every, judged = max(1, self.steps // JUDGEMENTS), self.judged(config.receptive_field)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*silence stands in")  # for each model anew
            try:
                history = train(model, self.training, steps=self.steps, window=self.window, learning_rate=rate, held_out=judged,
                                evaluate_every=every, seed=self.seed, watch=watcher, progress=False)  # fmt: skip
            except Diverged:
                raise pruned from None
        if history.stopped:
            raise Stopped
        if not math.isfinite(bits := history.held_out[-1].bits):
            raise pruned
        return bits


class Stopped(Exception):
    """The search ends within a trial."""


class _Watcher:
    """Tells Optuna of every judgement, and ends the training if that says so."""

    def __init__(self, trial: Any, pruned: type[Exception], deadline: float):
        self.trial, self.pruned, self.deadline, self.told = trial, pruned, deadline, 0

    def start(self, run: Run) -> None:
        """Nothing is judged before the first step."""

    def step(self, run: Run) -> None:
        if run.is_stopping or (run.done < 1 and time.monotonic() > self.deadline):
            raise Stopped
        for judged in run.history.held_out[self.told :]:
            self.told += 1
            self.trial.report(judged.bits, judged.step)
            if run.done < 1 and self.trial.should_prune():
                raise self.pruned

    def end(self, run: Run) -> None:
        """Nor after the last."""


def _divided(dataset: Items, held_out: Items | None) -> tuple[Items, list[Item]]:
    """To learn from, and to judge by."""
    if held_out is not None:
        return (dataset if hasattr(dataset, "__getitem__") else _whole(dataset)), _whole(held_out)
    first, second = hold_out(_indexed(dataset))
    n = len(second)  # type: ignore[arg-type]
    return first, [second[int(i)] for i in np.linspace(0, n - 1, min(n, HELD_OUT)).round()]


def _whole(dataset: Items) -> list[Item]:
    """All items, each in its four parts."""
    if not isinstance(dataset, Iterable) and not hasattr(dataset, "__getitem__"):
        encode_clips(dataset, MuLaw(LEVELS))  # which refuses it
    items = [parts(item) for item in dataset]  # type: ignore[union-attr]
    encode_clips(items, MuLaw(LEVELS))
    return items


def _indexed(dataset: Items) -> Any:
    """As `hold_out` takes it."""
    if isinstance(dataset, Dataset) and len(dataset) and len(dataset[0]) == 4:  # type: ignore[arg-type]
        return dataset
    return _whole(dataset)


def _proposed(dataset: Items, n: int, seed: int) -> Starts:
    """What `suggest` would begin with, of one width."""
    every = [shape(span, FIRST_WIDTH, LEVELS, n) for span in spans(analyze_dataset(dataset, seed=seed))]
    return [(config, LEARNING_RATE) for config in every]


def _checked_suggestions(suggestions: object) -> Starts:
    """Their configs and learning rates, or a refusal."""
    every: list[Any] = list(suggestions) if isinstance(suggestions, Sequence) else [suggestions]
    if wrong := [each for each in every if not isinstance(each, Suggestion)]:
        raise TypeError(
            f"suggestions={wrong[0]!r:.40} is a {type(wrong[0]).__name__}; they must be what suggest returned: try suggestions=suggest(dataset)."
        )
    if not every:
        raise ValueError("There are no suggestions; there must be at least one: try suggestions=suggest(dataset).")
    if len(levels := sorted({each.config.levels for each in every})) > 1:
        raise ValueError(
            f"The suggestions have {' and '.join(map(str, levels))} levels, whose bits cannot be compared; all must have as many: search for each of them."
        )
    return [(each.config, each.learning_rate) for each in every]


# Optuna's part


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ModuleNotFoundError(
            'Optuna is not installed; it comes with an extra: pip install "wavenetlike[search]".'
        ) from error
    return optuna


@contextlib.contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Within it Optuna logs warnings and errors alone."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _checked_path(storage: object) -> Path | None:
    if storage is None:
        return None
    if not isinstance(storage, (str, Path)):
        raise TypeError(
            f"storage={storage!r:.40} is a {type(storage).__name__}; it must be the path of a file: try storage='search.db'."
        )
    if "://" in str(storage) or not str(storage) or Path(storage).is_dir():
        raise ValueError(f"storage={str(storage)!r} is no file; pass the path of one: try storage='search.db'.")
    path = Path(storage).expanduser().absolute()
    if path.exists() and path.stat().st_size and "studies" not in (names := _tables(path)):
        raise ValueError(
            f"The file {str(path)!r} holds {', '.join(names[:3]) or 'something else'}, and no search; nothing is written into it: pass another one as storage."
        )
    return path


def _tables(path: Path) -> list[str]:
    """The names of a SQLite file's tables; none of another file."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    except sqlite3.DatabaseError:
        return []


@contextlib.contextmanager
def _alone(path: Path | None) -> Iterator[None]:
    """Within it the file is this search's alone."""
    from filelock import FileLock, Timeout

    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(f"{path}.lock", timeout=PATIENCE).acquire()
    except Timeout:
        raise RuntimeError(
            f"Another search is kept in {str(path)!r} now; wait for its end, or pass another file as storage."
        ) from None
    with held:
        yield


def _study(optuna: Any, path: Path | None, task: Task) -> Any:
    """The study in the file, or a new one; what an interruption left unfinished in it is marked so.

    Raises:
        ValueError: the file holds something else, or another search.
    """
    pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=task.steps // 4)
    try:
        storage = None if path is None else optuna.storages.RDBStorage(_address(path))
        study = optuna.create_study(storage=storage, study_name=NAME, load_if_exists=True, pruner=pruner)
    except Exception as error:
        raise ValueError(
            f"The file {str(path)!r} cannot be read as a search ({type(error).__name__}); pass another one as storage."
        ) from error
    theirs = study.user_attrs.get("identity", task.identity)
    if others := [name for name, value in task.identity.items() if theirs.get(name) != value]:
        raise ValueError(
            f"The search in {str(path)!r} was made with other {', '.join(others)}; pass what it was made with to go on, or another file to begin anew."
        )
    study.set_user_attr("identity", task.identity)
    for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def _address(path: Path) -> str:
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(path)).render_as_string()


def _finished(optuna: Any, study: Any) -> list[Any]:
    states = optuna.trial.TrialState
    return study.get_trials(deepcopy=False, states=[states.COMPLETE, states.PRUNED])


def _tried(optuna: Any, study: Any) -> Iterator[Trial]:
    """What is known of all that were done or pruned."""
    for number, each in enumerate(_finished(optuna, study), 1):
        step = each.last_step or 0
        bits = each.intermediate_values.get(step, math.nan)
        config = WaveNetConfig.from_json(each.user_attrs["config"])
        pruned = each.state == optuna.trial.TrialState.PRUNED
        yield Trial(number, config, each.params["learning rate"], bits, step, each.duration.total_seconds(), pruned)


def _go_on(optuna: Any, study: Any, task: Task, trials: int, deadline: float, progress: bool) -> None:
    """Try until there are so many, or time or the user ends it."""
    from tqdm.auto import tqdm

    begun = len(_finished(optuna, study))
    with tqdm(total=max(trials, begun), initial=begun, desc="search", unit="trial", disable=not progress) as bar:
        try:
            while _is_next(optuna, study, task, trials, deadline, bar):
                bar.update()
        except (KeyboardInterrupt, Stopped):
            if time.monotonic() < deadline:
                print(f"Stopped after {len(_finished(optuna, study))} trials; what they found is kept.")
                return
    if (n := len(_finished(optuna, study))) == begun < trials:
        print(f"No further trial ended in time, and there are {n}; pass more seconds, or fewer steps.")


def _is_next(optuna: Any, study: Any, task: Task, trials: int, deadline: float, bar: Any) -> bool:
    """Whether there was one more to try, which is done then."""
    found = _finished(optuna, study)
    values = [each.value for each in found if each.state == optuna.trial.TrialState.COMPLETE]
    if values:
        bar.set_postfix_str(f"best {min(values):.3f} bits per sample")
    if len(found) >= trials or (values and time.monotonic() >= deadline):
        return False
    _try_one(optuna, study, task, len(found), deadline if values else math.inf)
    return True


def _try_one(optuna: Any, study: Any, task: Task, number: int, deadline: float) -> None:
    """The trial that follows ``number`` others: the same, whether these were made in one go or not."""
    states = optuna.trial.TrialState
    seed = int(np.random.SeedSequence([task.seed, number]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=seed)
    if number < len(task.starts) and not study.get_trials(deepcopy=False, states=[states.WAITING]):
        study.enqueue_trial(point(*task.starts[number]))
    trial = study.ask()
    try:
        bits = task.bits(trial, optuna.TrialPruned, deadline)
    except optuna.TrialPruned:
        study.tell(trial, state=states.PRUNED)
    except BaseException:
        study.tell(trial, state=states.FAIL)
        raise
    else:
        study.tell(trial, bits)
