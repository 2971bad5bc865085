"""The search: what it may try, that all are judged alike, that it goes on where it was killed, and what it refuses."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib.util
import itertools
import math
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from helpers import built, refused
from hypothesis import given, settings
from hypothesis import strategies as st

from wavenetlike import WaveNet, WaveNetConfig, plots, train
from wavenetlike.data import encode_clips
from wavenetlike.suggest import Search, Span, Suggestion, Trial, search, shape
from wavenetlike.suggest.shapes import WIDTHS
from wavenetlike.suggest.space import KERNELS, MOST_BLOCKS, RATES, Space, point
from wavenetlike.train.judges import Judges

module = sys.modules["wavenetlike.suggest.search"]
needs_optuna = pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="Optuna is not installed")

N, STEPS = 7, 8
"""Trials of the searches below, and steps of each."""


def waves(n: int = 18, length: int = 500) -> list[tuple[torch.Tensor, int, str, str]]:
    """Tones with some noise, each of another voice."""
    times, made = torch.arange(length), torch.Generator().manual_seed(0)
    tones = [0.6 * torch.sin(2 * math.pi * times / (10 + i))[None] for i in range(n)]
    return [(x + 0.05 * torch.randn(x.shape, generator=made), 1000, "", f"voice{i}") for i, x in enumerate(tones)]


def suggestion(delta: int = 6, width: int = 8, levels: int = 6, exact: bool = False) -> Suggestion:
    config = shape(Span(delta, (), exact), width, levels, 10_000)
    return Suggestion(config, 100, 400, 0.006, 0.01, 1000.0, None, ())


TWO = [suggestion(6), suggestion(12, 4)]
CALL = {"suggestions": TWO, "trials": N, "steps": STEPS, "progress": False}


def plain(found: Search) -> list[Trial]:
    """All but how long they took; NaN, which is unlike itself, as None."""
    return [dataclasses.replace(trial, seconds=0.0) for trial in found.trials]


@pytest.fixture(scope="module", autouse=True)
def little_garbage():
    """Training collects garbage at its end, for which all that the other tests imported would be looked through every time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def found() -> Search:
    return search(waves(), **CALL)


# What may be tried


@settings(max_examples=60)
@given(
    delta=st.integers(1, 5000),
    width=st.sampled_from(WIDTHS),
    blocks=st.integers(1, MOST_BLOCKS),
    kernel=st.sampled_from(KERNELS),
    exact=st.booleans(),
    most=st.integers(100, 200_000),
)
def test_no_config_falls_short_of_what_is_allowed(delta, width, blocks, kernel, exact, most):
    start = shape(Span(delta, (), exact), 8, 256, 10**6)
    space = Space((start,), most)
    config = space.config(space.deltas[0], width, blocks, kernel)
    assert config.receptive_field >= start.receptive_field >= delta
    assert config.receptive_field <= space.longest
    assert config.residual_channels == config.gate_channels == config.skip_channels // 4 <= width
    assert config.parameters <= most or config.residual_channels == WIDTHS[0]
    assert (config.levels, config.head) == (start.levels, start.head)
    fewer = dataclasses.replace(config, n_layers=max(1, config.n_layers - 1))
    assert config.n_layers == 1 or fewer.receptive_field < start.receptive_field


@settings(max_examples=60)
@given(delta=st.integers(1, 9000), width=st.sampled_from(WIDTHS), exact=st.booleans())
def test_what_is_suggested_can_be_chosen(delta, width, exact):
    start = shape(Span(delta, (), exact), width, 256, 10**9)
    chosen = point(start, 0.006)
    rate = chosen.pop("learning rate")
    assert Space((start,), 10**9).config(*chosen.values()) == start
    assert RATES[0] <= rate == 0.006 <= RATES[1]


@needs_optuna
def test_the_suggestions_come_first_and_none_is_below_them(found):
    assert [trial.config for trial in found.trials[:2]] == [each.config for each in TWO]
    assert [trial.learning_rate for trial in found.trials[:2]] == [0.006, 0.006]
    least = min(each.delta for each in TWO)
    assert all(trial.config.receptive_field >= least for trial in found.trials)
    assert all(trial.config.residual_channels in WIDTHS for trial in found.trials)
    assert all(RATES[0] <= trial.learning_rate <= RATES[1] for trial in found.trials)
    assert len({trial.config for trial in found.trials}) > 4


@needs_optuna
def test_without_suggestions_the_spans_are_those_of_the_data():
    task = module.Task(waves(), None, None, 10, 3000, 0)
    assert all(config.levels == 256 for config, _ in task.starts)
    assert task.space.most == min(3000, sum(wave.shape[1] for wave, *_ in task.training) // 2)


# How it is judged


@pytest.mark.parametrize("length", [60, 500])
def test_all_are_judged_on_the_same_samples(length):
    held = waves(3, length)
    task = module.Task(waves(), held, [(each.config, 0.01) for each in TWO], 10, None, 0)
    assert task.start == min(task.space.longest, length // 2)
    codes = encode_clips(held, built(TWO[0].config).mu_law)
    for delta in (7, 13, 40):
        config = shape(Span(delta, ()), 4, 6, 10_000)
        judges = Judges(encode_clips(task.judged(config.receptive_field), built(config).mu_law), built(config))
        assert judges.start == config.receptive_field
        scored = [clip[judges.start :] for clip in judges]
        assert all(map(torch.equal, scored, [clip[task.start :] for clip in codes]))


@needs_optuna
def test_the_best_is_the_minimum_and_can_be_trained_again(found):
    done = [trial for trial in found.trials if not trial.pruned]
    assert found.bits == min(trial.bits for trial in done) == found.best.bits
    assert found.config == found.best.config
    assert (found.n_done, found.n_pruned) == (len(done), len(found.trials) - len(done))
    assert found.study.best_value == found.bits
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = WaveNet(found.config)
    task = module.Task(waves(), None, [(each.config, 0.006) for each in TWO], STEPS, None, 0)
    held = task.judged(found.config.receptive_field)
    history = train.train(model, task.training, held_out=held, progress=False, **found.recipe)
    assert history.held_out[-1].bits == found.bits
    assert history.baselines[-1].bits == pytest.approx(found.bigram)


@needs_optuna
def test_what_is_much_worse_ends_early(monkeypatch):
    steps = []
    told, ask = module._Watcher.step, Space.ask

    def counted(self, run):
        steps.append(run.step)
        told(self, run)

    def slow_at_last(self, trial):
        config, rate = ask(self, trial)
        return config, 1e-7 if trial.number >= module.STARTUP else rate

    monkeypatch.setattr(module._Watcher, "step", counted)
    monkeypatch.setattr(Space, "ask", slow_at_last)
    seen = search(waves(), **CALL | {"trials": module.STARTUP + 2})
    assert [trial.pruned for trial in seen.trials] == [False] * module.STARTUP + [True] * 2
    assert all(2 <= trial.steps < STEPS for trial in seen.trials[-2:])
    assert len(steps) == sum(trial.steps for trial in seen.trials)
    assert "2 stopped early" in repr(seen)


@needs_optuna
def test_what_diverges_is_worst_and_ends_nothing(monkeypatch):
    ask, rates = Space.ask, itertools.chain([1e30], itertools.repeat(0.006))
    monkeypatch.setattr(Space, "ask", lambda self, trial: (ask(self, trial)[0], next(rates)))
    seen = search(waves(), **CALL | {"trials": 2, "steps": 60})
    assert [trial.pruned for trial in seen.trials] == [True, False]
    assert seen.best.number == 2


@needs_optuna
def test_the_same_seed_finds_the_same(found):
    before = torch.get_rng_state()
    assert plain(search(waves(), **CALL | {"trials": 2})) == plain(found)[:2]
    assert torch.equal(before, torch.get_rng_state())
    other = search(waves(), **CALL | {"trials": 3, "seed": 1})
    assert other.trials[2].learning_rate != found.trials[2].learning_rate


# How it goes on

KILLED = """
import gc, os, signal, sys
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from test_search import CALL, module, search, waves
gc.freeze()
step, seen = module._Watcher.step, []
def killed(self, run):
    seen.append(run.step)
    step(self, run)
    if len(seen) == {steps}:
        os.kill(os.getpid(), signal.SIGKILL)
module._Watcher.step = killed
search(waves(), storage={path!r}, **CALL)
"""


def counting(monkeypatch) -> list[int]:
    """The trials that are trained from now on."""
    trained, start = [], module._Watcher.start
    monkeypatch.setattr(
        module._Watcher, "start", lambda self, run: (trained.append(self.trial.number), start(self, run))[1]
    )
    return trained


@needs_optuna
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no process is killed so on Windows")
def test_a_killed_search_goes_on_as_if_nothing_had_been(found, tmp_path, monkeypatch):
    path = tmp_path / "searches" / "of ünusual? name%.db"
    code = KILLED.format(tests=str(Path(__file__).parent), path=str(path), steps=STEPS + 4)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    trained = counting(monkeypatch)
    assert plain(search(waves(), storage=path, **CALL)) == plain(found)
    assert len(trained) == N - 1
    trained.clear()
    again = search(waves(), storage=str(path), **CALL)
    assert trained == []
    assert plain(again) == plain(found)
    assert len(search(waves(), storage=path, **CALL | {"trials": N + 1}).trials) == N + 1
    assert len(trained) == 1


@needs_optuna
def test_an_interrupt_keeps_what_was_found(found, tmp_path, monkeypatch, capsys):
    step, seen = module._Watcher.step, []

    def interrupted(self, run):
        seen.append(run.step)
        if len(seen) == 2 * STEPS + 5:
            signal.raise_signal(signal.SIGINT)
        step(self, run)

    monkeypatch.setattr(module._Watcher, "step", interrupted)
    kept = search(waves(), storage=tmp_path / "search.db", **CALL)
    assert plain(kept) == plain(found)[:2]
    assert capsys.readouterr().out == "Stopped after 2 trials; what they found is kept.\n"
    assert kept.best in kept.trials
    again = search(waves(), storage=tmp_path / "search.db", **CALL | {"trials": 3})
    assert plain(again) == plain(found)[:3]


@needs_optuna
def test_time_ends_it_after_one_model_at_least(found, capsys):
    begin = time.monotonic()
    assert plain(search(waves(), seconds=1e-3, **CALL)) == plain(found)[:1]
    assert len(search(waves(), seconds=1.0, **CALL | {"trials": 1000}).trials) < 1000
    assert time.monotonic() - begin < 20
    assert capsys.readouterr().out == ""


@needs_optuna
def test_where_no_further_trial_fits_into_the_time_it_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for _ in range(2):
        search(waves(), seconds=1e-3, storage="~/search.db", **CALL)
    assert (
        capsys.readouterr().out
        == "No further trial ended in time, and there are 1; pass more seconds, or fewer steps.\n"
    )
    assert (tmp_path / "search.db").exists()


@needs_optuna
def test_optuna_is_quiet_and_then_as_it_was(capfd):
    import optuna

    before = optuna.logging.get_verbosity()
    search(waves(), **CALL | {"trials": 1, "steps": 2})
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before
    search(waves(), **CALL | {"trials": 1, "steps": 2, "progress": True})
    assert "1/1" in capfd.readouterr().err


# What is shown


def made(*trials: tuple[float, bool]) -> Search:
    every = [Trial(i, WaveNetConfig(), 0.006, bits, 5, 1.0, pruned) for i, (bits, pruned) in enumerate(trials, 1)]
    return Search(tuple(every), 10, 400, 3.0, None)


@pytest.mark.parametrize("of", [[], [(2.0, False), (3.0, True), (math.nan, True), (1.5, False)], [(4.0, True)]])
def test_it_prints_and_is_drawn(of):
    one = made(*of)
    assert len(repr(one).splitlines()) == len(of) + 2
    assert repr(one).count("✂") == one.n_pruned + 1
    assert one._repr_html_().count("<tr>") == len(of) + 1
    picture = plots.search(**one.curves)
    assert picture.png().startswith(b"\x89PNG")
    assert f"{len(of)} trials" in picture.alt


def test_the_best_comes_first_and_is_named():
    one = made((2.0, False), (1.0, True), (1.5, False))
    assert [row[0] for row in one.rows()] == ["3", "1", "2 ✂"]
    assert "1.500, by trial 3" in plots.search(**one.curves).alt
    refused(lambda: made((1.0, True)).best, ValueError, "None of 1")


# What is refused


@needs_optuna
@pytest.mark.parametrize(
    ("options", "error", "shown"),
    [
        ({"trials": 0}, ValueError, "trials=0"),
        ({"trials": 2.5}, TypeError, "2.5"),
        ({"steps": 0}, ValueError, "steps=0"),
        ({"seconds": -1}, ValueError, "seconds=-1"),
        ({"parameters": 0}, ValueError, "parameters=0"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"seed": 2**32}, ValueError, "seed="),
        ({"progress": 1}, TypeError, "progress"),
        ({"storage": 5}, TypeError, "storage=5"),
        ({"storage": "sqlite:///x.db"}, ValueError, "sqlite:///x.db"),
        ({"storage": "."}, ValueError, "'.'"),
        ({"suggestions": 3}, TypeError, "suggestions=3"),
        ({"suggestions": [TWO[0].config]}, TypeError, "WaveNetConfig"),
        ({"suggestions": []}, ValueError, "no suggestions"),
        ({"suggestions": [suggestion(), suggestion(levels=10)]}, ValueError, "6 and 10 levels"),
        ({"dataset": None}, TypeError, "NoneType"),
        ({"dataset": []}, ValueError, "no clips"),
        ({"dataset": [torch.zeros(1, 200), torch.full((1, 200), 2.0)]}, ValueError, "Clip 1"),
        ({"held_out": []}, ValueError, "no clips"),
        ({"held_out": [torch.zeros(1, 1)]}, ValueError, "one sample each"),
    ],
)
def test_a_mistake_gets_one_sentence(options, error, shown):
    refused(lambda: search(**{"dataset": waves(), **CALL, **options}), error, shown)


def test_without_optuna_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    refused(lambda: search(waves(), **CALL), ModuleNotFoundError, 'pip install "wavenetlike[search]"')


@needs_optuna
def test_a_file_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "search.db"
    path.write_text("my notes\n" * 1000)
    refused(lambda: search(waves(), storage=path, **CALL), ValueError, "search.db")
    assert path.read_text() == "my notes\n" * 1000
    path = tmp_path / "mine.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE grades (name TEXT)")
        connection.commit()
    before = path.read_bytes()
    refused(lambda: search(waves(), storage=path, **CALL), ValueError, "mine.db", "grades")
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.lock"))
    path = tmp_path / "another.db"
    small = {"trials": 1, "steps": 2}
    search(waves(), storage=path, **CALL | small)
    refused(lambda: search(waves(), storage=path, **CALL | small | {"steps": 3}), ValueError, "other steps")
    refused(lambda: search(waves(17), storage=path, **CALL | small), ValueError, "other clips")
    monkey = [suggestion(20)]
    refused(lambda: search(waves(), storage=path, **CALL | small | {"suggestions": monkey}), ValueError, "deltas")


@needs_optuna
def test_two_searches_do_not_share_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with FileLock(tmp_path / "search.db.lock"):
        refused(lambda: search(waves(), storage=tmp_path / "search.db", **CALL), RuntimeError, "Another search")


@needs_optuna
def test_items_may_be_plain_waveforms_or_come_once():
    plain_waves = [wave for wave, *_ in waves()]
    small = CALL | {"trials": 1, "steps": 2}
    a = search(plain_waves, **small)
    b = search(iter(plain_waves), **small)
    assert plain(a) == plain(b)
    assert search(iter(plain_waves), held_out=iter(plain_waves[:2]), **small).n_done == 1
