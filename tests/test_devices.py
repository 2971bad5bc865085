"""Several processes learn what one learns; what one of them leaves, others go on with; and the command `wavenetlike train` does it all.

Run as a script this file is what torchrun starts: ``torchrun --nproc-per-node=2 tests/test_devices.py FOLDER``.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from helpers import built, is_changed, refused

from wavenetlike import WaveNet, WaveNetConfig, build_wavenet_toy, cli, load, train
from wavenetlike.analysis import evaluate
from wavenetlike.cli import training
from wavenetlike.data import Clips, EncodedClips, bundled_clips
from wavenetlike.data.clips import BUNDLED
from wavenetlike.heads import SoftmaxHead
from wavenetlike.train import Checkpoints, Diverged, History, Run, checkpoint

CONFIG = WaveNetConfig(levels=5, n_blocks=2, n_layers=3, residual_channels=4, gate_channels=4, skip_channels=8)


def waves(*periods: int) -> list[torch.Tensor]:
    return [0.8 * torch.sin(2 * math.pi * torch.arange(400) / period)[None] for period in periods]


# The last clip is short: a share of a batch may have few targets.
CLIPS, HELD_OUT = [*waves(40, 50, 63), waves(30)[0][:, :20]], waves(45, 57, 35)
STEPS = 30
RECIPES: dict[str, dict[str, Any]] = {
    "even": {"batch_size": 4},
    "uneven": {"batch_size": 3, "window": 25},
    "judged average": {"batch_size": 2, "ema": 0.8, "held_out": HELD_OUT, "evaluate_every": 7},
    "one judge": {"batch_size": 5, "held_out": HELD_OUT[:1], "schedule": "cosine", "clip": 0.1},
}
# Processes add up in another order than one does.
CLOSE = 1e-5


def go(start: int = 0, **options: Any) -> tuple[History, WaveNet]:
    """Thirty steps; ``start`` is the seed of the model's first weights."""
    model = options.pop("model", None) or built(CONFIG, start)
    recipe = {"steps": STEPS, "window": 60, "progress": False, **options}
    return train.train(model, CLIPS, **recipe), model


def every(steps: int, folder: Path) -> Checkpoints:
    return Checkpoints(folder, steps, minutes=None)


class Watch:
    """Writes the loss of every step to a file, if one is given; waits; and stops after step ``last``."""

    def __init__(self, path: Path | None = None, pause: float = 0.0, last: int | None = None):
        self.path, self.pause, self.last = path, pause, last

    def start(self, run: Run) -> None: ...

    def step(self, run: Run) -> None:
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(f"{run.step} {run.history.bits[-1].hex()}\n")
        time.sleep(self.pause)
        if run.step == self.last:
            run.stop()

    def end(self, run: Run) -> None: ...


# What processes do


def learn(folder: Path, rank: int) -> None:
    """In every process, each with other first weights: the recipes, one run of the other kind to go on with, one to leave, refusals."""
    found = {}
    for name, recipe in RECIPES.items():
        history, model = go(start=rank, **recipe)
        found[name] = dataclasses.asdict(history)
        torch.save(model.state_dict(), folder / f"{name} {rank}.pt")
    stopped, _ = go(start=rank, batch_size=2, checkpoints=every(100, folder / "by two"), watch=Watch(last=11))
    found["stopped"] = len(stopped.bits)
    found["resumed"] = go(start=rank + 7, batch_size=2, checkpoints=every(100, folder / "by one"))[0].bits
    for name, options in {"devices 1": {"devices": 1}, "devices 3": {"devices": 3}, "batch": {"batch_size": 1}}.items():
        found[name] = words_of(lambda options=options: go(**{"batch_size": 3, **options}))
    found["diverged"] = words_of(lambda: go(batch_size=2, learning_rate=1e30))
    if rank == 1:
        loss = SoftmaxHead.loss
        SoftmaxHead.loss = lambda *arguments: loss(*arguments) * math.nan  # type: ignore[method-assign]
    found["spoiled"] = words_of(lambda: go(batch_size=2))
    (folder / f"{rank}.json").write_text(json.dumps(found))


def words_of(call: Callable[[], object]) -> list[str]:
    try:
        call()
    except (ValueError, RuntimeError) as error:
        return [type(error).__name__, str(error)]
    return []


def be_killed(folder: Path, rank: int) -> None:
    """Steps that take a while, in a process that says who it is."""
    (folder / f"pid {rank}").write_text(str(os.getpid()))
    watch = Watch(folder / "lines", pause=0.05)
    go(start=rank, batch_size=2, checkpoints=every(4, folder / "kept"), watch=watch)


def use_xla(folder: Path, rank: int) -> None:
    """The same on XLA's own CPU, interrupted once."""
    for last in (11, None):
        history, model = go(
            start=9 if last is None else 0, checkpoints=every(100, folder / "kept"), watch=Watch(last=last)
        )
    (folder / "bits.json").write_text(json.dumps(history.bits))
    assert next(model.parameters()).device.type == "cpu"


def environment(**more: str) -> dict[str, str]:
    # Torch 2.14 keeps its store over restarts, and gloo then reads addresses of processes that are gone.
    return {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", **more}


def start_two(job: Callable[[Path, int], None], folder: Path, *options: str) -> subprocess.Popen[str]:
    """``job`` in two processes."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *options]
    command = [*torchrun, str(Path(__file__).absolute()), job.__name__, str(folder)]
    return subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
    )


def said_at_end(process: subprocess.Popen[str]) -> str:
    """All that it printed."""
    try:
        return process.communicate(timeout=180)[0]
    finally:
        process.kill()


# Two processes


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """The folder, and what each of two processes found."""
    folder = tmp_path_factory.mktemp("two")
    go(batch_size=2, checkpoints=every(100, folder / "by one"), watch=Watch(last=12))
    process = start_two(learn, folder)
    said = said_at_end(process)
    assert process.returncode == 0, said
    return folder, *(json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1))


@pytest.mark.parametrize("name", RECIPES)
def test_two_learn_what_one_learns(two, name):
    folder, first, second = two
    alone, model = go(**RECIPES[name])
    for found in (first[name], second[name]):
        assert found["bits"] == pytest.approx(alone.bits, abs=CLOSE)
        assert found["accuracy"] == pytest.approx(alone.accuracy, abs=0.02)
        assert np.array(found["held_out"]) == pytest.approx(np.array([*map(list, alone.held_out)]), abs=1e-3)
        assert found["baselines"] == [dataclasses.asdict(score) for score in alone.baselines]
        assert found["seconds"] == first[name]["seconds"]
    weights = [torch.load(folder / f"{name} {rank}.pt") for rank in (0, 1)]
    assert not is_changed(*weights)
    for key, weight in model.state_dict().items():
        torch.testing.assert_close(weights[0][key], weight, atol=1e-4, rtol=1e-3)


def test_two_go_on_where_one_stopped_and_one_where_two_did(two):
    folder, first, second = two
    alone = go(batch_size=2)[0].bits
    assert first["stopped"] == second["stopped"] == 12
    assert checkpoint.read(folder / "by one" / "checkpoint-000000013.safetensors")
    assert first["resumed"] == second["resumed"] == pytest.approx(alone, abs=CLOSE)
    assert go(start=9, batch_size=2, checkpoints=every(100, folder / "by two"))[0].bits == pytest.approx(
        alone, abs=CLOSE
    )


def test_other_numbers_of_processes_are_refused_by_all(two):
    for found in two[1:]:
        for name, error, shown in (
            ("devices 1", RuntimeError, "asked for 1 processes and has 2"),
            ("devices 3", RuntimeError, "asked for 3 processes and has 2"),
            ("batch", ValueError, "batch_size=1 leaves nothing to some of 2 processes"),
        ):
            kind, message = found[name]
            assert kind == error.__name__
            refused(lambda error=error, message=message: raise_(error(message)), error, shown)
    refused(lambda: go(devices=2), RuntimeError, "asked for 2 processes and has 1", "--devices 2")


def raise_(error: Exception) -> None:
    raise error


def test_what_one_cannot_go_on_with_ends_both(two):
    for found in two[1:]:
        assert [found[name][0] for name in ("diverged", "spoiled")] == [Diverged.__name__] * 2
        assert "no longer finite" in found["spoiled"][1]


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL here")
def test_a_worker_that_is_killed_costs_no_step(tmp_path):
    lines = tmp_path / "lines"
    process = start_two(be_killed, tmp_path, "--max-restarts=3")
    try:
        for victim, n in ((1, 10), (0, 25)):
            wait(lambda n=n: lines.exists() and len(lines.read_text().splitlines()) >= n, process)
            os.kill(int((tmp_path / f"pid {victim}").read_text()), signal.SIGKILL)
    finally:
        said = said_at_end(process)
    assert process.returncode == 0, said
    seen: dict[int, set[str]] = {}
    for line in lines.read_text().splitlines():
        step, bits = line.split()
        seen.setdefault(int(step), set()).add(bits)
    assert list(seen) == list(range(1, STEPS + 1))
    assert all(len(bits) == 1 for bits in seen.values())
    # Some steps were done again.
    assert len(lines.read_text().splitlines()) > STEPS
    assert [float.fromhex(*bits) for bits in seen.values()] == pytest.approx(go(batch_size=2)[0].bits, abs=CLOSE)


def wait(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while not ready():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(importlib.util.find_spec("torch_xla") is None, reason="torch_xla is not installed: make test-tpu")
def test_xla_learns_the_same(tmp_path):
    command = [sys.executable, str(Path(__file__).absolute()), use_xla.__name__, str(tmp_path)]
    subprocess.run(command, env=environment(PJRT_DEVICE="CPU"), check=True, timeout=300)
    assert json.loads((tmp_path / "bits.json").read_text()) == pytest.approx(go()[0].bits, abs=CLOSE)


# The command

SHORT = ["--steps", "3", "--window", "200"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments: object) -> int:
    return cli.main(["train", *map(str, arguments)])


def bits_of(folder: Path | str) -> list[float]:
    newest = sorted(Path(folder).glob("checkpoint-*.safetensors"))[-1]
    return checkpoint.read(newest).tensors["history/bits"].tolist()


def some_clips(folder: Path, n: int = 3) -> list[Path]:
    """The first few of the bundled clips in a folder laid out as they are."""
    copies = []
    for path in bundled_clips(n).paths:
        copies.append(folder / path.relative_to(BUNDLED))
        copies[-1].parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copies[-1])
    return copies


def test_the_command_trains_on_the_bundled_clips(here, capsys):
    assert command(*SHORT) == 0
    torch.manual_seed(0)
    model = build_wavenet_toy()
    history = train.train(model, bundled_clips(), steps=3, window=200, progress=False)
    assert bits_of("run") == history.bits
    assert not is_changed(load("run/model.safetensors").state_dict(), model.state_dict())
    said = capsys.readouterr().out
    assert said == f"{history!r}; the model is {str(Path('run/model.safetensors'))!r}.\n"
    # The same line again does nothing, and says the same.
    assert command(*SHORT) == 0
    assert capsys.readouterr().out == said


def test_the_command_trains_on_any_kind_of_folder(here, capsys):
    paths = some_clips(here / "words")
    EncodedClips.write(Clips(here / "words"), here / "codes", levels=10, progress=False)
    for i, path in enumerate(sorted(paths)):
        waveform, rate = soundfile.read(path)
        (here / "any" / "thing").mkdir(parents=True, exist_ok=True)
        soundfile.write(here / "any" / "thing" / f"take {i}.wav", waveform, rate)
    for kind in ("words", "codes", "any"):
        assert command(*SHORT, "--data", kind, "--output", f"{kind} run", "--batch-size", 2) == 0
    assert bits_of("words run") == bits_of("codes run") == bits_of("any run")
    weights = [load(f"{kind} run/model.safetensors").state_dict() for kind in ("words", "codes", "any")]
    assert not is_changed(weights[0], weights[1])
    assert not is_changed(weights[0], weights[2])


def test_the_command_judges(here, capsys):
    some_clips(here / "words")
    some_clips(here / "others", n=5)
    options = ["--data", "words", "--held-out", "others", "--evaluate-every", 2, "--ema", 0.5, "--tensorboard", "board"]
    assert command(*SHORT, *options) == 0
    _, *said = capsys.readouterr().out.splitlines()
    scores = evaluate(load("run/model.safetensors"), Clips("others"))
    assert len(said) == len(scores) == 4
    for line, score in zip(said, scores, strict=True):
        assert line.split()[0] == "held-out:"
        assert score.name in line
        assert f"{100 * score.accuracy:.1f}%, {score.bits:.3f} bits" in line
    assert [
        step for step, *_ in checkpoint.read(Path("run/checkpoint-000000003.safetensors")).about["history"]["held_out"]
    ] == [2, 3]
    assert Path("run/best.safetensors").exists()
    assert list(Path("board").glob("events*"))


def test_the_command_judges_by_short_clips_too(here, capsys):
    soundfile.write(here / "short.wav", np.sin(np.arange(2000) / 9), 16000)
    assert command(*SHORT, "--held-out", "short.wav") == 0
    assert "held-out: this model" in capsys.readouterr().out


def test_every_option_reaches_the_training(here, monkeypatch):
    passed: dict[str, Any] = {}

    def spy(model: WaveNet, dataset: object, **options: Any) -> History:
        passed.update(options, levels=model.config.levels, n=len(dataset))
        return History()

    monkeypatch.setattr(training, "train", spy)
    some_clips(here / "words")
    options = {
        "steps": 7, "seconds": 2.5, "window": 77, "batch_size": 3, "learning_rate": 0.5, "schedule": "cosine", "ema": 0.25,
        "precision": "bfloat16", "evaluate_every": 9, "patience": 4, "seed": 5, "checkpoint_steps": 6, "checkpoint_minutes": 1.5,
        "output": "there", "preset": "wavenet", "data": "words", "devices": 1,
    }  # fmt: skip
    Path("there").mkdir()
    assert (
        command(
            "--compile", *(text for name, value in options.items() for text in ("--" + name.replace("_", "-"), value))
        )
        == 0
    )
    assert (passed.pop("levels"), passed.pop("n"), passed.pop("compiled")) == (256, 3, True)
    assert passed.pop("checkpoints") == Checkpoints("there", steps=6, minutes=1.5)
    same = [name for name in options if name in passed]
    assert len(same) == 12
    assert {name: passed[name] for name in same} == {name: options[name] for name in same}


@pytest.mark.parametrize(
    ("options", "n"), [([], 1), (["--devices", 3], 3), (["--nodes", 2, "--devices", 4], 8), (["--nodes", "1:2"], None)]
)
def test_every_process_knows_how_many_there_have_to_be(here, monkeypatch, options, n):
    passed: dict[str, Any] = {}
    monkeypatch.setattr(training, "train", lambda *_, **given: passed.update(given) or History())
    monkeypatch.setenv("WORLD_SIZE", "1")  # as torchrun tells a process
    Path("run").mkdir()
    assert command(*options) == 0
    assert passed["devices"] == n


def test_a_host_that_is_alone_is_refused(here, capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert command(*SHORT, "--nodes", 2, "--rendezvous", "localhost:0") == 1
    assert "asked for 2 processes and has 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--data", "nowhere"], "'nowhere'"),
        (["--data", "empty"], "'empty'"),
        (["--data", "broken"], "a.wav"),
        (["--held-out", "nowhere"], "'nowhere'"),
        (["--data", "codes"], "256 levels"),
        (["--output", "file"], "file"),
        (["--steps", "0"], "steps=0"),
        (["--batch-size", "0"], "batch_size=0"),
        (["--window", "-1"], "window=-1"),
        (["--learning-rate", "nan"], "learning_rate=nan"),
        (["--ema", "2"], "ema=2.0"),
        (["--patience", "2"], "patience=2"),
        (["--seed", "-1"], "seed=-1"),
        (["--checkpoint-steps", "0"], "steps=0"),
        (["--learning-rate", "1e30", "--steps", "9"], "diverged"),
        (["--devices", "0"], "devices=0"),
        (["--devices", "-1"], "devices=-1"),
        (["--devices", "2", "--restarts", "-1"], "restarts=-1"),
        (["--seed", str(2**64)], "seed=18446744073709551616"),
        (["--data", "half"], "cannot be read"),
        (["--nodes", "2"], "--rendezvous"),
        (["--nodes", "two", "--rendezvous", "localhost:0"], "two"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_a_status(here, capsys, arguments, shown):
    (here / "empty").mkdir()
    (here / "broken").mkdir()
    (here / "broken" / "a.wav").write_bytes(b"RIFF")
    (here / "file").touch()
    if "half" in arguments:
        EncodedClips.write(bundled_clips(1), here / "half", levels=10, progress=False)
        (here / "half" / "clips.json").write_text('{"levels": 10}')
    if "codes" in arguments:
        EncodedClips.write(bundled_clips(1), here / "codes", progress=False)
    assert command("--steps", 1, "--window", 100, *arguments) == 1
    said, complained = capsys.readouterr()
    assert said == ""
    (line,) = complained.splitlines()
    assert line.startswith("wavenetlike: ")
    assert shown in line


def test_ctrl_c_before_the_first_step_is_one_line_and_a_status(here, capsys, monkeypatch):
    monkeypatch.setattr(training, "bundled_clips", lambda: signal.raise_signal(signal.SIGINT))
    assert command(*SHORT) == 130
    assert capsys.readouterr().err == "wavenetlike: interrupted.\n"


def test_tensorboard_that_is_missing_is_one_line_and_a_status(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert command(*SHORT, "--tensorboard", "board") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("wavenetlike: TensorBoard is not installed")


def test_a_run_of_other_options_is_refused(here, capsys):
    assert command(*SHORT) == 0
    with pytest.warns(UserWarning, match="passed over"):
        assert command(*SHORT, "--learning-rate", 0.01) == 1
    assert "with learning_rate=0.006 and not 0.01" in capsys.readouterr().err


def shell(*arguments: object) -> subprocess.Popen[str]:
    """The command in a process of its own, and a group of its own, as in a terminal."""
    line = [sys.executable, "-m", "wavenetlike.cli", "train", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(line, env=environment(), text=True, start_new_session=True, **pipes)


LONG = ["--steps", "24", "--window", "400", "--batch-size", "2"]


@pytest.fixture(scope="module")
def long_bits(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of those steps, in one go by one process."""
    folder = tmp_path_factory.mktemp("at once")
    assert command(*LONG, "--output", folder) == 0
    return bits_of(folder)


@pytest.mark.skipif(os.name != "posix", reason="there is no Ctrl-C for a group of processes here")
@pytest.mark.parametrize("devices", [1, 2])
def test_ctrl_c_ends_the_command_and_the_same_line_goes_on(here, long_bits, devices):
    process = shell(*LONG, "--devices", devices)
    for line in process.stderr:
        if "step 1," in line:
            break
    os.killpg(process.pid, signal.SIGINT)
    said, complained = process.communicate(timeout=120)
    n = len(bits_of("run"))
    assert 0 < n < 24
    assert f"Stopped after {n} steps" in said
    assert "Traceback" not in complained
    assert process.returncode == 0
    before = bits_of("run")
    assert command(*LONG) == 0
    assert bits_of("run")[:n] == before
    assert bits_of("run") == pytest.approx(long_bits, abs=0 if devices == 1 else CLOSE)


def test_two_devices_learn_what_one_learns(here, long_bits):
    some_clips(here / "others")
    process = shell(*LONG, "--held-out", "others", "--devices", 2)
    said, complained = process.communicate(timeout=180)
    assert process.returncode == 0, complained
    assert said.startswith("History(24 steps, ")
    # Once, by the first of them.
    assert said.count("held-out:") == 4
    assert bits_of("run") == pytest.approx(long_bits, abs=CLOSE)


def test_a_mistake_of_two_devices_is_no_traceback(here):
    process = shell(*LONG, "--batch-size", 1, "--devices", 2, "--restarts", 0)
    said, complained = process.communicate(timeout=180)
    assert process.returncode == 1
    assert said == ""
    assert "wavenetlike: batch_size=1 leaves nothing to some of 2 processes" in complained
    assert "Traceback (most recent" not in complained


if __name__ == "__main__":
    torch.set_num_threads(1)
    jobs = {job.__name__: job for job in (learn, be_killed, use_xla)}
    jobs[sys.argv[1]](Path(sys.argv[2]), int(os.environ.get("RANK", "0")))
