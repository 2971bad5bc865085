"""What the command line says before it does anything: help, completion, version, usage; and what it loads for that."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import get_args

import pytest

import wavenetlike
from wavenetlike import cli, names
from wavenetlike.cli import training
from wavenetlike.cli.options import parser

COMMANDS = ["lab", "check", "train", "generate", "analyze", "suggest", "export"]
HEAVY = {"torch", "numpy", "scipy", "matplotlib", "numba", "soundfile", "torchaudio", "safetensors", "IPython", "shtab"}
LOOK = """
import contextlib, io, json, sys
from wavenetlike.cli import main
said = io.StringIO()
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(said):
    main(sys.argv[1:])
print(json.dumps([said.getvalue(), sorted({name.split(".")[0] for name in sys.modules})]))
"""


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return found.choices


def options() -> list[tuple[str, argparse.Action]]:
    """Every option and argument, with its command, but --help."""
    return [
        (name, action) for name, command in commands().items() for action in command._actions if action.dest != "help"
    ]


def fresh(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("line", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_loads_nothing_heavy(line):
    said, modules = json.loads(fresh(LOOK, *line))
    assert said.startswith("wavenetlike 0" if line == ["--version"] else "usage: wavenetlike ")
    assert HEAVY.isdisjoint(modules)


def test_the_package_loads_what_is_asked_for():
    code = """
import sys, wavenetlike
loaded = lambda: {name for name in sys.modules if name.startswith("wavenetlike.")}
assert not loaded() and "torch" not in sys.modules
assert "WaveNet" in dir(wavenetlike) and "torch" not in sys.modules
from wavenetlike import check_env
assert "torch" not in sys.modules
from wavenetlike import Block
assert "wavenetlike.models" not in loaded(), loaded()
assert wavenetlike.WaveNet is sys.modules["wavenetlike.models"].WaveNet
assert "wavenetlike.train" not in loaded()
assert wavenetlike.train.train_stack_ar is wavenetlike.train_stack_ar
assert wavenetlike.suggest is sys.modules["wavenetlike.suggest"]
from wavenetlike import *
assert train is wavenetlike.train
"""
    assert fresh(code) == ""


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'wavenet'"):
        wavenetlike.wavenet  # noqa: B018
    with pytest.raises(ImportError):
        from wavenetlike import nothing  # noqa: F401
    assert not hasattr(wavenetlike, "data2")


def test_all_commands_are_there_and_lead_somewhere():
    assert sorted(commands()) == sorted(COMMANDS)
    for name, command in commands().items():
        module, _, function = command.get_default("run").partition(":")
        assert callable(getattr(importlib.import_module(f"wavenetlike.cli.{module}"), function)), name


def test_names_that_may_be_chosen_are_those_that_there_are():
    assert set(training.PRESETS) == set(names.PRESETS)
    assert [wavenetlike.pretrained(name) for name in names.pretrained_names()]
    from wavenetlike.generate import METHODS

    assert {"auto", *METHODS} == set(get_args(names.Method))
    for preset in names.PRESETS:
        assert (
            getattr(wavenetlike, {"toy": "build_wavenet_toy", "wavenet": "build_wavenet"}[preset])().config
            == training.PRESETS[preset]
        )


UNITS = {"SECONDS", "SAMPLES", "HZ", "STEPS", "MINUTES", "N", "RATE", "PART", "T", "PORT"}


def test_every_option_says_what_it_is_in_which_unit_and_its_default(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    for name, action in options():
        where = f"{name} {action.dest}"
        assert action.help, where
        if action.type in (int, float):
            assert action.metavar in UNITS, where
        if action.default not in (None, False, []):
            assert f"{action.help} (default: {action.default})\n" in commands()[name].format_help(), where


def test_what_a_script_would_read_comes_as_json():
    assert {name for name, action in options() if action.dest == "json"} == set(COMMANDS) - {"lab"}


def test_the_program_says_what_its_status_means(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert "Exit status: 0 done; 1 refused or failed" in said
    assert "2 wrong usage; 130 interrupted" in said
    assert all(name in said for name in COMMANDS)


@pytest.mark.parametrize(
    "line",
    ["", "sing", "train --steps many", "train --preset words", "generate --method magic", "--print-completion sh"],
)
def test_wrong_usage_has_status_two(capsys, line):
    with pytest.raises(SystemExit) as ended:
        cli.main(line.split())
    said, complained = capsys.readouterr()
    assert (ended.value.code, said) == (2, "")
    assert complained.startswith("usage: wavenetlike ")


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"wavenetlike {metadata.version('wavenetlike')}\n"


# Completion


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--print-completion", shell])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_completion_knows_every_command(capsys, shell):
    text = script(shell, capsys)
    assert all(name in text for name in [*COMMANDS, "print-completion", "version"])
    if shell != "tcsh":  # where options of commands have no dashes
        assert all(max(action.option_strings, key=len) in text for _, action in options() if action.option_strings)
    program = shutil.which(shell)
    if program:
        subprocess.run([program, "-n"], input=text, text=True, timeout=20, check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("wavenetlike ge", {"generate"}),
        ("wavenetlike generate --tem", {"--temperature"}),
        ("wavenetlike train --schedule ", set(names.SCHEDULES)),
        ("wavenetlike generate --preset ", set(names.pretrained_names())),
        ("wavenetlike generate --model mod", {"model.safetensors", "models"}),
        ("wavenetlike lab mod", {"models"}),
    ],
)
def test_bash_completes(capsys, tmp_path: Path, words, expected):
    (tmp_path / "models").mkdir()
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "completion").write_text(script("bash", capsys))
    every = words.split(" ")
    quoted = " ".join(f"'{word}'" for word in every)
    code = f"""
source ./completion
COMP_WORDS=({quoted}) COMP_CWORD={len(every) - 1} COMP_LINE='{words}'
_shtab_wavenetlike wavenetlike '{every[-1]}' '{every[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert set(done.stdout.split()) == expected
