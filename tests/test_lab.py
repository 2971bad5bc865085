"""`wavenetlike lab`: a copy of the notebooks that is somebody's own, and JupyterLab in it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wavenetlike import cli
from wavenetlike.cli import lab
from wavenetlike.cli.lab import MANIFEST, copy_notebooks, notebooks, server, shipped

FIRST, EXERCISE = "01_first.ipynb", "exercises/release/01_first/exercises.ipynb"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with two notebooks, an exercise, and what is not for students."""
    folder = tmp_path / "package" / "notebooks"
    for name in (FIRST, "02_second.ipynb", EXERCISE, "exercises/source/01_first/exercises.ipynb", "exercises/nbgrader_config.py",
                 ".ipynb_checkpoints/01_first-checkpoint.ipynb", "run/model.safetensors"):  # fmt: skip
        write(folder / name, f"{name}, version 1")
    monkeypatch.setattr(lab, "PACKAGE", tmp_path / "package")
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


ALL = [FIRST, "02_second.ipynb", EXERCISE]


def test_a_copy_has_what_is_for_students(source, tmp_path):
    copied = copy_notebooks(tmp_path / "mine" / "deep")
    assert content(tmp_path / "mine" / "deep") == {name: f"{name}, version 1" for name in ALL}
    assert (copied.added, copied.updated, copied.kept, copied.outdated) == (ALL, [], [], [])


def test_a_second_time_changes_nothing(source, tmp_path):
    copy_notebooks(tmp_path / "mine")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "mine").rglob("*")}
    again = copy_notebooks(tmp_path / "mine")
    assert (again.added, again.updated, again.kept) == ([], [], [])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "mine").rglob("*")} == before


def test_work_is_never_overwritten_whatever_the_package_brings(source, tmp_path):
    mine = tmp_path / "mine"
    copy_notebooks(mine)
    write(mine / FIRST, "my work")
    write(mine / "notes.txt", "mine, too")
    assert copy_notebooks(mine).kept == [FIRST]
    for version in (2, 3):
        for name in ALL:
            write(source / name, f"{name}, version {version}")
        copied = copy_notebooks(mine)
        assert (copied.kept, copied.outdated, copied.updated) == ([FIRST], [FIRST], ["02_second.ipynb", EXERCISE])
        assert content(mine) == {
            FIRST: "my work", "notes.txt": "mine, too",
            "02_second.ipynb": f"02_second.ipynb, version {version}", EXERCISE: f"{EXERCISE}, version {version}",
        }  # fmt: skip


def test_what_is_renamed_or_new_is_added(source, tmp_path):
    mine = tmp_path / "mine"
    copy_notebooks(mine)
    write(mine / FIRST, "my work")
    (mine / FIRST).rename(mine / "my first.ipynb")
    write(source / "00_start.ipynb", "new")
    assert copy_notebooks(mine).added == ["00_start.ipynb", FIRST]
    assert content(mine)["my first.ipynb"] == "my work"
    assert content(mine)[FIRST] == f"{FIRST}, version 1"


def test_files_that_were_there_before_the_first_copy_are_left_alone(source, tmp_path):
    mine = tmp_path / "mine"
    write(mine / FIRST, "another notebook of this name")
    for _ in range(2):
        copied = copy_notebooks(mine)
        assert copied.kept == [FIRST]
    assert content(mine)[FIRST] == "another notebook of this name"


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"01_first.ipynb": 3}', None])
def test_without_the_list_of_copies_whatever_differs_is_left_alone(source, tmp_path, damage):
    mine = tmp_path / "mine"
    copy_notebooks(mine)
    (mine / MANIFEST).unlink() if damage is None else (mine / MANIFEST).write_text(damage)
    write(source / FIRST, "version 2")
    assert copy_notebooks(mine).kept == [FIRST]
    assert content(mine)[FIRST] == f"{FIRST}, version 1"
    assert set(json.loads((mine / MANIFEST).read_text())) == set(ALL)


def test_a_folder_or_a_dead_link_in_the_place_of_a_notebook_is_left_alone(source, tmp_path):
    mine = tmp_path / "mine"
    (mine / FIRST).mkdir(parents=True)
    (mine / "02_second.ipynb").symlink_to(tmp_path / "nowhere")
    assert copy_notebooks(mine).kept == [FIRST, "02_second.ipynb"]
    assert (mine / FIRST).is_dir()
    assert (mine / "02_second.ipynb").is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_an_interrupted_copy_is_completed(source, tmp_path, monkeypatch):
    mine, real, calls = tmp_path / "mine", lab.durably, []

    def interrupted(path: Path, what: bytes) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(path, what)

    monkeypatch.setattr(lab, "durably", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copy_notebooks(mine)
    monkeypatch.setattr(lab, "durably", real)
    write(mine / FIRST, "my work")
    copied = copy_notebooks(mine)
    assert (copied.added, copied.kept) == (ALL[1:], [FIRST])


def test_the_package_s_own_folder_is_left_as_it_is(source):
    before = content(source)
    copied = copy_notebooks(source)
    assert (copied.added, copied.updated, copied.kept) == ([], [], [])
    assert content(source) == before
    assert not (source / MANIFEST).exists()


def test_an_installed_package_has_its_own_notebooks_a_repository_those_beside_it(tmp_path, monkeypatch):
    root = Path(cli.__file__).parents[2]
    assert notebooks() == root / "notebooks"
    names = shipped(notebooks())
    assert {name for name in names if re.fullmatch(r"\d\d_\w+\.ipynb", name)} == {
        path.name for path in (root / "notebooks").glob("*.ipynb")
    }
    assert len([name for name in names if name.startswith("exercises/release/")]) == 8
    assert not any("source" in name or name.endswith(".py") for name in names)
    (tmp_path / "wavenetlike/notebooks/exercises/release").mkdir(parents=True)
    monkeypatch.setattr(lab, "PACKAGE", tmp_path / "wavenetlike")
    assert notebooks() == tmp_path / "wavenetlike/notebooks"


# The command


def test_the_command_says_what_it_did(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lab", "--copy-only"]) == 0
    assert content(tmp_path / "wavenetlike-notebooks") == {name: f"{name}, version 1" for name in ALL}
    said = capsys.readouterr().out
    assert said == f"{tmp_path / 'wavenetlike-notebooks'}\nadded: {', '.join(ALL)}.\n"
    write(tmp_path / "wavenetlike-notebooks" / FIRST, "my work")
    write(source / FIRST, "version 2")
    write(source / EXERCISE, "version 2")
    assert cli.main(["lab", "--copy-only"]) == 0
    said = capsys.readouterr().out
    assert f"brought up to date: {EXERCISE}.\nleft as you have them: {FIRST}.\n" in said
    assert f"newer in the package, to be had by renaming yours: {FIRST}." in said
    write(source / FIRST, "my work")
    assert cli.main(["lab", "--copy-only"]) == 0
    assert "nothing has changed" in capsys.readouterr().out


def one_sentence(capsys: pytest.CaptureFixture[str], *shown: str) -> None:
    said, complained = capsys.readouterr()
    assert said == ""
    (line,) = complained.splitlines()
    assert line.startswith("wavenetlike: ")
    assert line.endswith(".")
    assert not re.search(r"[.!?] +[A-Z]", line)
    assert all(text in line for text in shown), line


def test_a_file_in_the_place_of_the_folder_is_refused(source, tmp_path, capsys):
    write(tmp_path / "file", "text")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        assert cli.main(["lab", str(folder), "--copy-only"]) == 1
        one_sentence(capsys, str(folder))
    assert (tmp_path / "file").read_text() == "text"


def test_a_folder_that_cannot_be_written_is_refused(source, tmp_path, capsys, monkeypatch):
    def denied(path: Path, what: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(lab, "durably", denied)
    assert cli.main(["lab", str(tmp_path / "mine"), "--copy-only"]) == 1
    one_sentence(capsys, str(tmp_path / "mine"), "Permission denied")


def test_a_package_without_notebooks_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lab, "PACKAGE", tmp_path / "package")
    assert cli.main(["lab", str(tmp_path / "mine"), "--copy-only"]) == 1
    one_sentence(capsys, "no notebooks", "pip install")


def test_without_jupyterlab_nothing_is_copied(source, tmp_path, capsys, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jupyterlab" else real(name))
    assert cli.main(["lab", str(tmp_path / "mine")]) == 1
    one_sentence(capsys, "JupyterLab is not installed", "pip install jupyterlab", "--copy-only")
    assert not (tmp_path / "mine").exists()
    assert cli.main(["lab", str(tmp_path / "mine"), "--copy-only"]) == 0


@pytest.mark.parametrize("port", ["0", "-1", "65536"])
def test_a_port_that_is_none_is_refused(source, tmp_path, capsys, port):
    assert cli.main(["lab", str(tmp_path / "mine"), "--port", port]) == 1
    one_sentence(capsys, f"--port {port}", "1 … 65535")


def test_jupyterlab_takes_the_place_of_the_command(source, tmp_path, monkeypatch):
    if os.name != "posix":
        pytest.skip("there it runs below")
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, command: started.append(command) or sys.exit(0))
    with pytest.raises(SystemExit):
        cli.main(["lab", str(tmp_path / "mine"), "--port", "9001", "--no-browser"])
    (command,) = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={tmp_path / 'mine'}" in command
    assert "--LabApp.default_url=/lab/tree/01_first.ipynb" in command
    assert {"--ServerApp.ip=127.0.0.1", "--ServerApp.port=9001", "--no-browser"} <= set(command)
    assert not any("token" in word or "password" in word for word in command), "its own token is used"
    assert "--no-browser" not in server(tmp_path / "mine", None, browser=True)


def patiently(call: Callable[[], Any]) -> Any:
    """A server says where it is before it listens there."""
    end = time.monotonic() + 60
    while True:
        try:
            return call()
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError) or time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.mark.skipif(os.name != "posix", reason="there is no Ctrl-C for another process here")
def test_jupyterlab_opens_for_this_machine_with_a_token(source, tmp_path):
    code = f"""
import pathlib, sys
from wavenetlike import cli
from wavenetlike.cli import lab
lab.PACKAGE = pathlib.Path({str(lab.PACKAGE)!r})
sys.exit(cli.main(["lab", {str(tmp_path / "mine")!r}, "--no-browser"]))
"""
    own = {"JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = next(
            found[0]
            for line in process.stdout
            if (found := re.search(r"http://127\.0\.0\.1:\d+/\S+\?token=\w{20,}", line))
        )
        assert "/lab/tree/01_first.ipynb" in address
        base, token = address.partition("/lab")[0], address.partition("token=")[2]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        listed = json.load(patiently(lambda: opener.open(f"{base}/api/contents?token={token}", timeout=30)))
        assert {item["name"] for item in listed["content"]} == {FIRST, "02_second.ipynb", "exercises"}
        with pytest.raises(urllib.error.HTTPError, match="403"):
            opener.open(f"{base}/api/contents", timeout=30)
    finally:
        process.terminate()  # it is JupyterLab itself
        process.wait(60)
