"""`wavenetlike export`: what other programs read gives what the model gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import built, condition_of, random_codes
from safetensors.torch import load_file

from wavenetlike import WaveNet, WaveNetConfig, cli, load, pretrained, save
from wavenetlike.cli import exporting
from wavenetlike.condition import Condition, ConditionConfig
from wavenetlike.context import ContextConfig
from wavenetlike.data import bundled_clips

SMALL: dict[str, Any] = {
    "levels": 8,
    "n_blocks": 1,
    "n_layers": 3,
    "residual_channels": 4,
    "gate_channels": 4,
    "skip_channels": 4,
}
TOLD = ConditionConfig(words=("no", "yes"), speakers=("ann", "bob"), embedding=3, frame_channels=4, hop=10)
EVERYTHING = WaveNetConfig(
    **SMALL,
    first_kernel_length=3,
    head="logistics",
    n_mixtures=2,
    condition=TOLD,
    context=ContextConfig(rate=4, n_layers=2),
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.main(["export", *arguments, "--json"]) == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


READ = """
import sys, torch
program = torch.export.load("small.pt2", extra_files=(files := {"config.json": ""})).module()
torch.save([program(codes) for codes in torch.load("codes")], "outputs")
assert "wavenetlike" not in sys.modules, "the package was needed"
print(files["config.json"])
"""


def test_a_program_gives_what_the_model_gives_where_the_package_is_not_known(capsys, tmp_path):
    model = built(WaveNetConfig(**SMALL))
    save(model, "small.safetensors")
    found = told(capsys, "--model", "small.safetensors")
    assert (found["files"], found["inputs"]) == (["small.pt2"], ["codes int64 (batch, time)"])
    assert found["output"] == "float32 (batch, 8, time)"
    assert found["config"] == {"receptive_field": 8, "levels": 8}
    assert 0 <= found["difference"] <= exporting.CLOSE
    codes = [random_codes(8, batch, n, seed=n) for batch, n in ((1, 1), (1, 7), (2, 50), (5, 333))]
    torch.save(codes, "codes")
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, timeout=100, check=True)
    assert WaveNetConfig.from_json(done.stdout) == model.config
    for given, outputs in zip(codes, torch.load("outputs"), strict=True):
        torch.testing.assert_close(outputs, model(given), rtol=0, atol=1e-5)


def test_a_program_takes_conditions_in_their_order(capsys):
    model = built(EVERYTHING)
    save(model, "told.safetensors")
    assert cli.main(["export", "--model", "told.safetensors", "--output", "all.pt2"]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(
        "all.pt2: from codes int64 (batch, time), word int64 (batch,), speaker int64 (batch,), frames float32 (batch, channels, at least 2) to float32 (batch, 6, time); at most "
    )
    program = torch.export.load("all.pt2").module()
    for batch, n in ((1, 20), (3, 95)):
        condition, codes = condition_of(TOLD, batch, n, seed=n), random_codes(8, batch, n, seed=n)
        assert condition is not None
        word, speaker = (torch.tensor(each) for each in (condition.word, condition.speaker))
        expected = model(codes, condition=condition)
        torch.testing.assert_close(program(codes, word, speaker, condition.frames), expected, rtol=0, atol=1e-5)
        other = model(codes, condition=Condition(word=1 - word, speaker=speaker, frames=condition.frames))
        assert not torch.allclose(program(codes, word, speaker, condition.frames), other), "the word is not heard"


def test_weights_are_plain_tensors_beside_a_config(capsys):
    model = built(EVERYTHING)
    save(model, "told.safetensors")
    found = told(capsys, "--model", "told.safetensors", "--to", "weights")
    assert found["files"] == [os.path.join("told", "model.safetensors"), os.path.join("told", "config.json")]  # noqa: PTH118
    config = WaveNetConfig.from_json(Path("told/config.json").read_text())
    assert config == model.config
    weights = load_file("told/model.safetensors")
    again = WaveNet(config)
    again.load_state_dict(weights)
    condition, codes = condition_of(TOLD, 2, 40), random_codes(8, 2, 40)
    assert torch.equal(again(codes, condition=condition), model(codes, condition=condition))


def test_weight_norm_is_folded_into_plain_weights(capsys):
    config = WaveNetConfig(**SMALL, weight_norm=True)
    model = built(config)
    save(model, "normed.safetensors")
    told(capsys, "--model", "normed.safetensors", "--to", "weights")
    assert WaveNetConfig.from_json(Path("normed/config.json").read_text()) == WaveNetConfig(**SMALL)
    plain = WaveNet(WaveNetConfig(**SMALL))
    plain.load_state_dict(load_file("normed/model.safetensors"))
    codes = random_codes(8, 2, 40)
    torch.testing.assert_close(plain(codes), model(codes), rtol=0, atol=1e-5)


def test_a_trained_model_of_the_package_is_named(capsys):
    found = told(capsys, "--preset", "words", "--to", "weights", "--output", "mine")
    assert found["config"]["receptive_field"] == pretrained("words").receptive_field
    assert load_file("mine/model.safetensors").keys() == pretrained("words").state_dict().keys()
    told(capsys, "--to", "weights")
    assert Path("toy/model.safetensors").exists()


def test_a_program_that_gives_something_else_is_not_written(capsys, monkeypatch):
    save(built(WaveNetConfig(**SMALL)), "small.safetensors")
    real = exporting._recorded
    other = built(WaveNetConfig(**SMALL), seed=1)
    monkeypatch.setattr(exporting, "_recorded", lambda model: real(other.eval()))
    assert cli.main(["export", "--model", "small.safetensors"]) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert not Path("small.pt2").exists()


def test_a_model_that_cannot_be_recorded_is_one_sentence(capsys, monkeypatch):
    save(built(WaveNetConfig(**SMALL)), "small.safetensors")

    def fail(*_: object, **__: object) -> None:
        raise NotImplementedError("no such operation\nand more")

    monkeypatch.setattr(torch.export, "export", fail)
    refused(capsys, "--model small.safetensors", "NotImplementedError: no such operation")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--model nowhere", "'nowhere'"),
        ("--model other", "'other' holds no WaveNet"),
        ("--output no/a.pt2", "no folder 'no'"),
        ("--output other", "'other' is there already"),
        ("--output folder", "'folder' is no file"),
        ("--model other --output other --force", "would be lost"),
        ("--to weights --output other", "'other' is a file"),
        ("--to weights --output folder", "is there already"),
        ("--to weights --output no/folder", "no folder 'no'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_status(capsys, line, shown):
    Path("other").write_text("text")
    Path("folder").mkdir()
    Path("folder/config.json").write_text("mine")
    refused(capsys, line, shown)


def refused(capsys: pytest.CaptureFixture[str], line: str, shown: str) -> None:
    before = sorted(Path().rglob("*"))
    assert cli.main(["export", *line.split()]) == 1
    said, complained = capsys.readouterr()
    assert said == ""
    (sentence,) = complained.splitlines()
    assert sentence.startswith("wavenetlike: ")
    assert sentence.endswith(".")
    assert shown in sentence
    assert sorted(Path().rglob("*")) == before


def test_by_force_weights_are_written_over(capsys):
    Path("toy").mkdir()
    Path("toy/config.json").write_text("old")
    told(capsys, "--to", "weights", "--force")
    assert WaveNetConfig.from_json(Path("toy/config.json").read_text()) == pretrained("toy").config


# What train says to a program


def test_training_says_as_json_what_came_of_it(capsys):
    fields = json.dumps(SMALL)
    line = ["train", "--config", fields, "--steps", "3", "--window", "200", "--held-out", "held"]
    Path("held/yes").mkdir(parents=True)
    for i, path in enumerate(bundled_clips(2).paths):
        (Path("held/yes") / f"ann_nohash_{i}.flac").write_bytes(path.read_bytes())
    assert cli.main([*line, "--json"]) == 0
    said, _ = capsys.readouterr()
    assert said.count("\n") == 1
    found = json.loads(said)
    assert (found["model"], found["steps"], found["end"]) == (os.path.join("run", "model.safetensors"), 3, "done")  # noqa: PTH118
    assert found["bits"] > 0
    assert found["seconds"] > 0
    assert 0 <= found["accuracy"] <= 1
    assert len(found["held_out"]) == 4
    assert all(score.keys() == {"name", "accuracy", "bits"} for score in found["held_out"])
    assert load(found["model"]).config.levels == 8
