"""Checkpoints: wherever a run is interrupted, it ends bit for bit as if it had not been, and nothing broken or foreign is taken up."""

from __future__ import annotations

import dataclasses
import errno
import gc
import itertools
import json
import math
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
import torch
from helpers import built, copied, is_changed, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from test_train import set_clock

from wavenetlike import WaveNet, WaveNetConfig, load, train
from wavenetlike.condition import ConditionConfig
from wavenetlike.context import ContextConfig
from wavenetlike.train import Checkpoints, History, Run, checkpoint

CONFIG = WaveNetConfig(levels=5, n_blocks=2, n_layers=3, residual_channels=4, gate_channels=4, skip_channels=8)


def waves(*periods: int) -> list[torch.Tensor]:
    return [0.8 * torch.sin(2 * math.pi * torch.arange(400) / period)[None] for period in periods]


CLIPS, HELD_OUT = waves(40, 50, 63), waves(45, 57)
NOISE = torch.rand(1, 400, generator=torch.Generator().manual_seed(0)) * 2 - 1


class Watch:
    """Calls a function after every step, and counts them."""

    def __init__(self, function: Callable[[Run], object] = lambda run: None):
        self.function, self.n_steps = function, 0

    def start(self, run: Run) -> None: ...

    def step(self, run: Run) -> None:
        self.n_steps += 1
        self.function(run)

    def end(self, run: Run) -> None: ...


class Stop(Watch):
    """Stops in the step that follows ``after`` steps of this process."""

    def __init__(self, after: int):
        super().__init__(lambda run: self.n_steps == after and run.stop())
        self.after = after

    def start(self, run: Run) -> None:
        if not self.after:
            run.stop()


def every(steps: int, folder: Path, keep: int = 3) -> Checkpoints:
    return Checkpoints(folder, steps, minutes=None, keep=keep)


def go(keeping: Checkpoints | None = None, *, start: int = 0, **options: Any) -> tuple[History, WaveNet]:
    """Nine steps, judged after every second, or what else is asked for; ``start`` is the seed of the model's first weights."""
    model = options.pop("model", None) or built(CONFIG, start)
    recipe = {"steps": 9, "window": 60, "held_out": HELD_OUT, "evaluate_every": 2, "progress": False, **options}
    return train.train(model, recipe.pop("dataset", CLIPS), checkpoints=keeping, **recipe), model


def assert_same(one: tuple[History, WaveNet], other: tuple[History, WaveNet]) -> None:
    """Two runs saw the same and ended with the same weights, bit for bit."""
    seen, also_seen = (dataclasses.replace(history, seconds=0.0) for history, _ in (one, other))
    assert seen == also_seen
    assert not is_changed(one[1].state_dict(), other[1].state_dict())


def kept(folder: Path) -> list[int]:
    """The steps that checkpoints are kept of."""
    return sorted(int(path.stem.split("-")[1]) for path in folder.glob("checkpoint-*.safetensors"))


@pytest.fixture(autouse=True, scope="module")
def few_objects() -> Iterator[None]:
    """Every training ends with a collection of garbage, which looks at the objects of all tests before."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


# Processes that end at any moment

POSIX = pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL here")
N_STEPS = 150


class Lines(Watch):
    """Writes the loss of every step to a file, at once."""

    def __init__(self, path: Path):
        super().__init__(lambda run: self.write(f"{run.step} {run.history.bits[-1].hex()}\n"))
        self.path = path

    def write(self, line: str) -> None:
        with self.path.open("a") as file:
            file.write(line)


def long_run(folder: Path, fatal: int | None = None) -> None:
    """What is interrupted in ``folder``: 150 steps, killed at the ``fatal``-th change of a file, if that is given."""
    torch.set_num_threads(1)
    if fatal is not None:
        die_at(fatal)
    keeping, lines = every(3, folder / "kept", keep=2), Lines(folder / "lines")
    go(
        keeping,
        start=os.getpid() if kept(folder / "kept") else 0,
        steps=N_STEPS,
        evaluate_every=5,
        ema=0.9,
        watch=lines,
    )


def die_at(fatal: int) -> None:
    """Kill this process before the ``fatal``-th write to the disk, renaming or removal of a file; what is to be written is there by half."""
    changes = itertools.count()

    def mortal(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **options: Any) -> Any:
            if next(changes) == fatal:
                if change is fsync and stat.S_ISREG(os.fstat(arguments[0]).st_mode):
                    os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*arguments, **options)

        return changed

    fsync = os.fsync
    os.fsync = mortal(fsync)
    Path.replace, Path.unlink = mortal(Path.replace), mortal(Path.unlink)  # type: ignore[method-assign]


def started(folder: Path, fatal: int | None = None) -> BaseProcess:
    """`long_run` in a process of its own, forked from one that has imported all it needs and done nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["wavenetlike.train", "accelerate", "torch._dynamo", "filelock", "hypothesis"])
    process = context.Process(target=long_run, args=(folder, fatal))
    process.start()
    return process


def written(folder: Path) -> list[str]:
    path = folder / "lines"
    return path.read_text().splitlines() if path.exists() else []


def wait_for_lines(folder: Path, n: int, process: BaseProcess) -> None:
    end = time.monotonic() + 60
    while len(written(folder)) < n and process.is_alive():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    long_run(folder)
    return folder


def assert_ends_the_same(folder: Path, uninterrupted: Path) -> None:
    """Let the run in ``folder`` go on to its end: every loss that was ever written, and all of the end, is that of the other."""
    process = started(folder)
    process.join(120)
    assert process.exitcode == 0
    assert list(dict.fromkeys(sorted(written(folder), key=lambda line: int(line.split()[0])))) == written(uninterrupted)
    ends = [checkpoint.read(path / "kept" / f"checkpoint-{N_STEPS:09}.safetensors") for path in (folder, uninterrupted)]
    for end in ends:
        del end.about["history"]["seconds"]
    assert ends[0].about == ends[1].about
    assert not is_changed(ends[0].weights, ends[1].weights)
    assert not is_changed(ends[0].tensors, ends[1].tensors)
    assert kept(folder / "kept")[1:] == [N_STEPS]
    assert len(list((folder / "kept").iterdir())) == 4


@POSIX
def test_killed_at_twenty_moments_it_ends_as_if_it_had_not_been(tmp_path, uninterrupted):
    chance, n_killed = random.Random(0), 0
    for _ in range(20):
        process = started(tmp_path)
        wait_for_lines(tmp_path, len(written(tmp_path)) + chance.randint(1, 8), process)
        time.sleep(chance.uniform(0, 0.01))
        process.kill()
        process.join()
        n_killed += process.exitcode == -signal.SIGKILL
    assert n_killed == 20
    assert_ends_the_same(tmp_path, uninterrupted)


@POSIX
def test_killed_at_every_change_of_a_file_it_ends_as_if_it_had_not_been(tmp_path, uninterrupted):
    for fatal in range(20):
        process = started(tmp_path, fatal)
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
    assert_ends_the_same(tmp_path, uninterrupted)


@POSIX
def test_ctrl_c_keeps_the_step_that_it_ended_after(tmp_path, uninterrupted):
    chance = random.Random(1)
    for _ in range(5):
        process = started(tmp_path)
        wait_for_lines(tmp_path, len(written(tmp_path)) + chance.randint(1, 15), process)
        time.sleep(chance.uniform(0, 0.02))
        os.kill(process.pid, signal.SIGINT)
        process.join(60)
        assert process.exitcode == 0
        assert kept(tmp_path / "kept")[-1] == int(written(tmp_path)[-1].split()[0]) < N_STEPS
    assert len(written(tmp_path)) == kept(tmp_path / "kept")[-1]
    assert_ends_the_same(tmp_path, uninterrupted)


# Stopped between two steps

PLAIN = {"held_out": None}
RECIPES: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "average": {**PLAIN, "ema": 0.8},
    "batches": {**PLAIN, "batch_size": 4, "schedule": "cosine"},
    "unclipped": {**PLAIN, "clip": None, "schedule": "constant", "seed": 2**40},
    "short epochs": {**PLAIN, "window": 400, "batch_size": 2, "clip": 0.01},
    "bfloat16": {**PLAIN, "precision": "bfloat16", "ema": 0.5},
    "judged": {},
    "judged average": {"ema": 0.8, "evaluate_every": 1},
    "patient": {"patience": 3, "evaluate_every": 1, "steps": 30, "learning_rate": 0.1, "held_out": [NOISE]},
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_stopped_after_every_step_it_goes_on_bit_for_bit(tmp_path, recipe):
    whole = go(**recipe)
    for step in range(1, len(whole[0].bits) + 1):
        stopped, _ = go(every(100, tmp_path), start=step - 1, watch=Stop(after=0), **recipe)
        assert stopped.bits == whole[0].bits[:step]
    assert_same(go(every(100, tmp_path), start=99, **recipe), whole)
    assert kept(tmp_path)[-1] == len(whole[0].bits)


@pytest.mark.parametrize("name", ["average", "judged", "patient"])
def test_stopped_after_any_step_it_goes_on_bit_for_bit(tmp_path, name):
    recipe = RECIPES[name]
    whole = go(**recipe)
    for step in range(1, len(whole[0].bits)):
        keeping = every(3, tmp_path / str(step))
        stopped, _ = go(keeping, watch=Stop(after=step), **recipe)
        assert stopped.stopped
        # The next one had begun.
        assert len(stopped.bits) == step + 1
        assert_same(go(keeping, start=99, **recipe), whole)


def test_checkpoints_change_nothing(tmp_path):
    assert_same(go(every(1, tmp_path)), go())


def test_a_finished_run_is_not_run_again(tmp_path):
    for name in ("plain", "judged average", "patient"):
        folder = tmp_path / name
        first = go(every(3, folder), **RECIPES[name])
        files = {path: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
        watch = Watch()
        again = go(every(3, folder), start=99, watch=watch, **RECIPES[name])
        assert_same(again, first)
        assert again[0].seconds == first[0].seconds
        assert again[0].end == ("patience" if name == "patient" else "")
        assert watch.n_steps == 0
        assert {path: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")} == files


def test_a_run_that_fails_can_go_on(tmp_path):
    def fail(run: Run) -> None:
        if run.step == 5:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        go(every(3, tmp_path), watch=Watch(fail))
    assert kept(tmp_path) == [0, 3]
    assert_same(go(every(3, tmp_path), start=99), go())


def test_a_full_disk_loses_no_checkpoint(tmp_path, monkeypatch):
    writes, fsync = itertools.count(), os.fsync

    def full(file: int) -> None:
        if (
            next(writes) == 10
        ):  # the file and its folder: checkpoint 0, best at 2, 3, best at 4 and 6; then the file of 6
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot be written \(No space .*free some space"):
        go(every(3, tmp_path))
    assert kept(tmp_path) == [0, 3]
    assert not list(tmp_path.glob("*.partial"))
    monkeypatch.undo()
    assert_same(go(every(3, tmp_path), start=99), go())
    assert not list(tmp_path.glob("*.partial"))


# When, and how many


@pytest.mark.parametrize("keep", [1, 2, 3, 20])
@pytest.mark.parametrize("steps", [1, 2, 4, 9, 50])
def test_the_last_few_are_kept(tmp_path, steps, keep):
    go(every(steps, tmp_path, keep), held_out=None)
    assert kept(tmp_path) == sorted({*range(0, 10, steps), 9})[-keep:]


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint8, np.uint64])
def test_numpy_integers_are_integers(tmp_path, kind):
    recipe = {"steps": kind(9), "window": kind(60), "batch_size": kind(2), "evaluate_every": kind(2), "seed": kind(3)}
    first = go(
        Checkpoints(tmp_path, kind(4), keep=kind(2)), patience=kind(50), learning_rate=np.float32(0.01), **recipe
    )
    assert kept(tmp_path) == [8, 9]
    plain = {name: int(value) for name, value in recipe.items()}
    again = go(every(4, tmp_path, 2), start=99, patience=50, learning_rate=float(np.float32(0.01)), **plain)
    assert_same(again, first)


def test_checkpoints_by_minutes(tmp_path, monkeypatch):
    # Two looks at this clock a step, which takes a second.
    set_clock(monkeypatch, 0.5)
    go(Checkpoints(tmp_path, minutes=0.1, keep=99), steps=20, held_out=None)
    assert kept(tmp_path)[0] == 0
    assert kept(tmp_path)[-1] == 20
    between = np.diff(kept(tmp_path)[:-1])
    assert len(between) >= 2
    assert set(between[1:]) == {6}
    both = Checkpoints(tmp_path / "both", steps=4, minutes=0.1, keep=99)
    go(both, steps=20, held_out=None)
    assert kept(tmp_path / "both") == [0, 4, 8, 12, 16, 20]


def test_seconds_count_over_all_parts(tmp_path, monkeypatch):
    set_clock(monkeypatch, 0.5)
    parts: list[History] = []
    while not parts or parts[-1].stopped:
        parts.append(go(tmp_path, steps=None, seconds=12.0, held_out=None, watch=Stop(after=3))[0])
        assert len(parts) < 20
    assert len(parts) >= 3
    assert [part.seconds for part in parts] == sorted({part.seconds for part in parts})
    assert 12 <= parts[-1].seconds <= 14
    assert len(parts[-1].bits) <= 15


@pytest.mark.parametrize(
    ("options", "error", "shown"),
    [
        ({"folder": 5}, TypeError, "checkpoints=5"),
        ({"steps": 0}, ValueError, "steps=0"),
        ({"steps": 1.5}, TypeError, "steps=1.5"),
        ({"minutes": 0}, ValueError, "minutes=0"),
        ({"minutes": math.nan}, ValueError, "minutes=nan"),
        ({"minutes": "5"}, TypeError, "minutes='5'"),
        ({"minutes": True}, TypeError, "minutes=True"),
        ({"minutes": None}, ValueError, "minutes=None"),
        ({"keep": 0}, ValueError, "keep=0"),
        ({"keep": True}, TypeError, "keep=True"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_bad_checkpoints_are_refused(tmp_path, options, error, shown):
    refused(lambda: Checkpoints(**{"folder": tmp_path, **options}), error, shown)


# What is in the folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[History, WaveNet]]:
    """The checkpoints of steps 3, 6 and 9, and what was seen; to be copied."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, go(every(3, folder))


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    """A copy of those checkpoints."""
    return Path(shutil.copytree(whole[0], tmp_path / "copy"))


def path_of(folder: Path, step: int) -> Path:
    return folder / f"checkpoint-{step:09}.safetensors"


def test_a_folder_holds_weights_and_no_programs(folder):
    go(every(2, folder / "another"), steps=3)
    names = sorted(path.name for path in folder.iterdir())
    assert names == [".lock", "another", "best.safetensors", *(path_of(folder, step).name for step in (3, 6, 9))]
    assert not (folder / ".lock").read_bytes()
    for path in folder.glob("**/*.safetensors"):
        with safe_open(path, framework="pt") as file:
            assert all(isinstance(file.get_tensor(name), torch.Tensor) for name in file.keys())  # noqa: SIM118
            header = file.metadata()
        kinds = {name: str if "sha256" in name else float if "bits" in name else dict for name in header}
        assert all(kind is str or isinstance(json.loads(header[name]), kind) for name, kind in kinds.items())


def test_checkpoints_are_models_too(tmp_path):
    weights = {}
    history, model = go(
        every(1, tmp_path, 20), watch=Watch(lambda run: weights.update({run.step: copied(run.model.state_dict())}))
    )
    for step in range(1, 10):
        assert load(path_of(tmp_path, step)).config == CONFIG
        assert not is_changed(load(path_of(tmp_path, step)).state_dict(), weights[step])
    assert not is_changed(load(path_of(tmp_path, 9)).state_dict(), model.state_dict())
    assert not is_changed(load(tmp_path / "best.safetensors").state_dict(), weights[history.best.step])


def test_what_interrupted_writing_left_is_swept(folder, whole):
    stale = [f"{path_of(folder, 12).name}.77.partial", "best.safetensors.partial", "best.safetensors.77.partial"]
    mine = ["notes.txt", "model.safetensors", "partial"]
    for name in [*stale, *mine]:
        (folder / name).write_bytes(b"a")
    assert_same(go(every(3, folder), start=99), whole[1])
    assert not [name for name in stale if (folder / name).exists()]
    assert all((folder / name).read_bytes() == b"a" for name in mine)


def test_one_run_a_folder(tmp_path, monkeypatch):
    lock = filelock.FileLock
    monkeypatch.setattr(filelock, "FileLock", lambda path, timeout: lock(path, timeout=0.05))

    def second(run: Run) -> None:
        if run.step == 4:
            refused(lambda: go(every(3, tmp_path)), RuntimeError, repr(str(tmp_path)))

    first = go(every(3, tmp_path), watch=Watch(second))
    assert_same(first, go())
    assert_same(go(every(3, tmp_path)), first)


DAMAGE = st.tuples(st.booleans(), st.floats(0, 1, exclude_max=True), st.integers(1, 255))


@settings(max_examples=400)
@given(DAMAGE)
def test_a_flipped_byte_is_seen(whole, tmp_path_factory, damage):
    """Or it is blank space after the header, and changes nothing."""
    in_header, where, flip = damage
    path, broken = path_of(whole[0], 9), tmp_path_factory.getbasetemp() / "flipped.safetensors"
    content = bytearray(path.read_bytes())
    n_header = 8 + int.from_bytes(content[:8], "little")
    place = int(where * n_header) if in_header else n_header + int(where * (len(content) - n_header))
    content[place] ^= flip
    broken.write_bytes(content)
    try:
        state = checkpoint.read(broken)
    except ValueError:
        return
    assert in_header
    good = checkpoint.read(path)
    assert (state.config, state.about) == (good.config, good.about)
    assert not is_changed(state.weights, good.weights)
    assert not is_changed(state.tensors, good.tensors)


@settings(max_examples=100)
@given(st.floats(0, 1, exclude_max=True), st.sampled_from([0, 1, 7, 8, 9, -1, -2, -8, None]))
def test_a_file_that_is_too_short_is_seen(whole, tmp_path_factory, part, length):
    content, broken = path_of(whole[0], 9).read_bytes(), tmp_path_factory.getbasetemp() / "short.safetensors"
    broken.write_bytes(content[: int(part * len(content)) if length is None else length])
    with pytest.raises(ValueError, match="cannot be read"):
        checkpoint.read(broken)


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def bomb(folder: Path) -> bytes:
    return pickle.dumps(Bomb(folder / "exploded"))


def saved_bomb(folder: Path) -> bytes:
    torch.save(Bomb(folder / "exploded"), folder / "bomb.pt")
    return (folder / "bomb.pt").read_bytes()


BROKEN: dict[str, Callable[[Path], bytes]] = {
    "empty": lambda folder: b"",
    "half": lambda folder: path_of(folder, 9).read_bytes()[:20_000],
    "header alone": lambda folder: path_of(folder, 9).read_bytes()[:3000],
    "one byte more": lambda folder: path_of(folder, 9).read_bytes() + b"\0",
    "zeros": lambda folder: bytes(len(path_of(folder, 9).read_bytes())),
    "text": lambda folder: b"snow and ice\n" * 99,
    "picture": lambda folder: b"\x89PNG\r\n\x1a\n" + bytes(500),
    "huge header": lambda folder: (2**62).to_bytes(8, "little") + b"{}",
    "no header": lambda folder: (2).to_bytes(8, "little") + b"{}",
    "list": lambda folder: (2).to_bytes(8, "little") + b"[]",
    "best": lambda folder: (folder / "best.safetensors").read_bytes(),
    "pickle": bomb,
    "torch's": saved_bomb,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_checkpoint_is_passed_over(folder, whole, content):
    path_of(folder, 9).write_bytes(content(folder))
    watch = Watch()
    with pytest.warns(
        UserWarning, match=r"checkpoint-000000009.safetensors' is passed over: .*the one before|before it is used"
    ):
        assert_same(go(every(3, folder), start=99, watch=watch), whole[1])
    assert watch.n_steps == 3
    assert not (folder / "exploded").exists()
    # It was written anew.
    assert_same(go(every(3, folder), start=98), whole[1])


def test_several_broken_checkpoints_are_passed_over(folder, whole):
    for step in (9, 6):
        path_of(folder, step).write_bytes(b"broken")
    watch = Watch()
    with pytest.warns(UserWarning, match="passed over") as warned:
        assert_same(go(every(3, folder), start=99, watch=watch), whole[1])
    assert watch.n_steps == 6
    assert len([w for w in warned if "passed over" in str(w.message)]) == 2


def test_warnings_point_at_the_call(folder):
    path_of(folder, 9).write_bytes(b"broken")
    with pytest.warns(UserWarning, match="passed over") as warned:
        go(every(3, folder))
    assert [Path(w.filename).name for w in warned] == [Path(__file__).name]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused_and_kept(folder: Path, call: Callable[[WaveNet], object], *shown: str) -> None:
    """The call is refused, and changes neither a file nor the model."""
    model, files = built(CONFIG, seed=99), contents(folder)
    before = copied(model.state_dict())
    with pytest.warns(UserWarning, match="passed over"):
        refused(lambda: call(model), ValueError, repr(str(folder)), *shown)
    assert contents(folder) == files
    assert not is_changed(model.state_dict(), before)


def test_broken_checkpoints_alone_are_refused(folder):
    for step in (3, 6, 9):
        path_of(folder, step).write_bytes(path_of(folder, step).read_bytes()[:-1])
    refused_and_kept(folder, lambda model: go(every(3, folder), model=model), "3 checkpoints")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"steps": 10}, "steps=9 and not 10"),
        ({"steps": None, "seconds": 60}, "seconds=None and not 60"),
        ({"window": 61}, "window=60 and not 61"),
        ({"batch_size": 2}, "batch_size=1 and not 2"),
        ({"learning_rate": 0.0061}, "learning_rate=0.006 and not 0.0061"),
        ({"schedule": "cosine"}, "schedule='linear' and not 'cosine'"),
        ({"clip": None}, "clip=1.0 and not None"),
        ({"ema": 0.9}, "ema=None and not 0.9"),
        ({"precision": "bfloat16"}, "precision='float32' and not 'bfloat16'"),
        ({"compiled": True}, "compiled=False and not True"),
        ({"evaluate_every": 3}, "evaluate_every=2 and not 3"),
        ({"patience": 2}, "patience=None and not 2"),
        ({"seed": 1}, "seed=0 and not 1"),
        ({"dataset": CLIPS[:2]}, "clips='3 clips, "),
        ({"dataset": CLIPS[::-1]}, "clips='3 clips, "),
        ({"dataset": [*CLIPS[:2], CLIPS[2].roll(1)]}, "clips='3 clips, "),
        ({"held_out": CLIPS}, "held_out='2 clips, "),
        ({"held_out": None}, "and not None"),
    ],
    ids=lambda value: "".join(value) if isinstance(value, dict) else "",
)
def test_checkpoints_of_another_run_are_refused(folder, options, shown):
    refused_and_kept(folder, lambda model: go(every(3, folder), model=model, **options), shown)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(WaveNetConfig)])
def test_checkpoints_of_another_model_are_refused(folder, field):
    others: dict[str, Any] = {
        "head": "logistics",
        "condition": ConditionConfig(frame_channels=2, hop=50),
        "context": ContextConfig(rate=2, n_layers=1),
        "embedding": "one-hot",
    }
    ours = getattr(CONFIG, field)
    theirs = others[field] if field in others else not ours if isinstance(ours, bool) else ours + 1
    other = built(dataclasses.replace(CONFIG, **{field: theirs}))
    refused_and_kept(folder, lambda _: go(every(3, folder), model=other), f"{field}={ours!r} and not ")


def test_newer_checkpoints_of_another_run_are_passed_over(folder, whole, tmp_path):
    go(every(100, tmp_path / "other"), steps=12)
    shutil.copy(path_of(tmp_path / "other", 12), folder)
    with pytest.warns(UserWarning, match="of another run, with steps=12 and not 9"):
        assert_same(go(every(3, folder), start=99), whole[1])


def test_fewer_to_keep_are_no_fewer_to_fall_back_on(folder, whole):
    path_of(folder, 9).write_bytes(b"broken")
    with pytest.warns(UserWarning, match="passed over"):
        assert_same(go(every(3, folder, keep=1), start=99), whole[1])
    assert kept(folder) == [9]


def killed_after(step: int) -> Watch:
    """Ends the run by an error after a step."""

    def end(run: Run) -> None:
        if run.step == step:
            raise ZeroDivisionError

    return Watch(end)


@pytest.mark.filterwarnings("ignore:.*is passed over")
@pytest.mark.parametrize("keep", [1, 2, 3])
def test_broken_checkpoints_never_push_whole_ones_out(folder, whole, keep):
    for step in (6, 9):
        path_of(folder, step).write_bytes(b"broken")
    with pytest.raises(ZeroDivisionError):
        go(every(1, folder, keep), watch=killed_after(5), start=99)
    whole_ones = [step for step in kept(folder) if path_of(folder, step).read_bytes() != b"broken"]
    assert whole_ones == [3, 4][-keep:]
    assert_same(go(every(1, folder, keep), start=98), whole[1])


@pytest.mark.filterwarnings("ignore:.*is passed over")
def test_checkpoints_of_another_run_never_push_own_ones_out(folder, whole, tmp_path):
    go(every(4, tmp_path / "other"), steps=20)
    for step in (12, 16, 20):
        shutil.copy(path_of(tmp_path / "other", step), folder)
    path_of(folder, 9).unlink()
    with pytest.raises(ZeroDivisionError):
        go(every(1, folder, keep=2), watch=killed_after(8), start=99)
    assert kept(folder) == [6, 7, 12, 16, 20]
    assert_same(go(every(1, folder), start=98), whole[1])


def test_files_of_other_names_are_neither_read_nor_removed(folder, whole):
    copies = [folder / f"checkpoint-{name}.safetensors" for name in ("before", "1", "0000000091", "00000000x")]
    for copy in copies:
        shutil.copy(path_of(folder, 3), copy)
    watch = Watch()
    assert_same(go(every(3, folder, keep=1), start=99, watch=watch), whole[1])
    assert watch.n_steps == 0
    assert all(copy.exists() for copy in copies)


def test_fewer_to_keep_are_fewer_at_once(folder, monkeypatch):
    path_of(folder, 9).unlink()
    monkeypatch.setattr(os, "fsync", lambda file: raise_(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="free some space"):
        go(every(1, folder, keep=1), start=99)
    assert kept(folder) == [6]


def raise_(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("best", [4, 6, 8, 9])
def test_better_weights_that_were_found_later_are_not_overwritten(tmp_path, best):
    """The run is interrupted after its best step, goes on from before that, and is interrupted again."""
    held_out = {"evaluate_every": 1}
    with pytest.raises(ZeroDivisionError):
        go(every(100, tmp_path), watch=killed_after(best), **held_out)
    history, _ = go(**held_out)
    content = (tmp_path / "best.safetensors").read_bytes()
    bits = checkpoint.best_bits(tmp_path / "best.safetensors")
    with pytest.raises(ZeroDivisionError):
        go(every(100, tmp_path), start=99, watch=killed_after(2), **held_out)
    assert checkpoint.best_bits(tmp_path / "best.safetensors") == bits
    assert bits == min(judged.bits for judged in history.held_out if judged.step <= best)
    assert (tmp_path / "best.safetensors").read_bytes() == content
    history, _ = go(every(100, tmp_path), start=98, **held_out)
    assert checkpoint.best_bits(tmp_path / "best.safetensors") == history.best.bits


def test_best_weights_that_are_gone_are_written_again(folder, whole):
    before = load(folder / "best.safetensors").state_dict()
    (folder / "best.safetensors").unlink()
    assert_same(go(every(3, folder), start=99), whole[1])
    assert not is_changed(load(folder / "best.safetensors").state_dict(), before)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda model: model.double(), "dtype='torch.float32' and not 'torch.float64'"),
        (lambda model: model.embedding.requires_grad_(False), "frozen=[] and not ['embedding.weight']"),
    ],
)
def test_checkpoints_of_other_numbers_or_other_frozen_parameters_are_refused(folder, change, shown):
    model = built(CONFIG)
    change(model)
    with pytest.warns(UserWarning, match="passed over"):
        refused(lambda: go(every(3, folder), model=model), ValueError, shown)


@pytest.mark.parametrize("kind", ["a file", "under a file"])
def test_what_cannot_be_a_folder_is_refused(tmp_path, kind):
    (tmp_path / "file").write_text("mine")
    path = tmp_path / "file" if kind == "a file" else tmp_path / "file" / "run"
    with pytest.raises(OSError, match="cannot be written") as info:
        go(every(3, path))
    assert repr(str(path)) in str(info.value)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_lock_of_the_watcher_is_its_own(tmp_path):
    error = filelock.Timeout("mine")
    with pytest.raises(filelock.Timeout) as info:
        go(every(3, tmp_path), watch=Watch(lambda run: raise_(error)))
    assert info.value is error


def test_fractions_are_numbers(tmp_path):
    half = go(every(3, tmp_path), learning_rate=Fraction(1, 200), ema=Fraction(1, 2))
    assert_same(half, go(learning_rate=1 / 200, ema=0.5))


FOREIGN: dict[str, Callable[[checkpoint.State], dict[str, Any]]] = {
    "no random state": lambda state: {"tensors": {n: x for n, x in state.tensors.items() if n != "random"}},
    "another random state": lambda state: {"tensors": {**state.tensors, "random": torch.zeros(3)}},
    "no losses": lambda state: {"tensors": {n: x for n, x in state.tensors.items() if n != "history/bits"}},
    "no weights": lambda state: {"weights": {}},
    "other weights": lambda state: {"weights": {name: x[:1] for name, x in state.weights.items()}},
    "no words": lambda state: {"about": []},
    "no identity": lambda state: {"about": {**state.about, "identity": None}},
    "no settings": lambda state: {"about": {**state.about, "optimizer": []}},
    "no history": lambda state: {"about": {**state.about, "history": {}}},
}


@pytest.mark.filterwarnings("ignore:.*is passed over")
@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_a_whole_file_that_lacks_something_is_refused_or_passed_over(folder, whole, change):
    state = checkpoint.read(path_of(folder, 9))
    checkpoint.write(path_of(folder, 9), dataclasses.replace(state, **change(state)))
    try:
        end = go(every(3, folder), start=99)
    except ValueError as error:
        message = str(error)
        refused(lambda: go(every(3, folder)), ValueError, message, repr(str(folder))[1:-1])
    else:
        assert_same(end, whole[1])
