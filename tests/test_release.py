"""What is released: an sdist and a wheel that have all that is needed, and work where this repository is not."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path

import pytest

from wavenetlike.cli.lab import MANIFEST, notebooks, shipped

ROOT = Path(__file__).parents[1]
LARGEST = 6_000_000  # bytes of a wheel

if importlib.util.find_spec("build") is None or importlib.util.find_spec("hatchling") is None:
    pytest.skip("needs build and hatchling, of the extra test", allow_module_level=True)


@pytest.fixture(scope="module")
def built_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of this tree, and a wheel of the sdist, without a network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built_files: Path) -> zipfile.ZipFile:
    (path,) = built_files.glob("*.whl")
    return zipfile.ZipFile(path)


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def elsewhere(built_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs Python in an empty folder, with the wheel installed in another; packages that it needs are those of this Python."""
    target, here = tmp_path_factory.mktemp("installed"), tmp_path_factory.mktemp("elsewhere")
    (path,) = built_files.glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(path),
    ]
    subprocess.run(install, cwd=here, capture_output=True, text=True, timeout=300, check=True)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(target)}
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=here, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    told = run("-c", "import wavenetlike, sys; print(wavenetlike.__file__, sys.path[0] == '')").stdout.split()
    assert Path(told[0]).is_relative_to(target)
    return run


def test_the_wheel_is_small_enough(built_files):
    (path,) = built_files.glob("*.whl")
    assert path.stat().st_size < LARGEST


def test_the_wheel_has_all_of_the_package(wheel):
    there = {name for name in wheel.namelist() if not name.startswith("wavenetlike/notebooks/")}
    tracked = subprocess.run(["git", "ls-files", "wavenetlike"], cwd=ROOT, capture_output=True, text=True, check=False)
    own = set(tracked.stdout.split())
    if not own:
        pytest.skip("not in a git repository")
    assert {
        "wavenetlike/py.typed",
        "wavenetlike/pretrained/toy.safetensors",
        "wavenetlike/explore/page/page.css",
    } <= own
    assert own - there == set()
    assert not any("__pycache__" in name or name.startswith("tests") for name in there)


def test_the_wheel_has_the_notebooks_as_they_are_and_no_solutions(wheel):
    prefix = "wavenetlike/notebooks/"
    inside = {name.removeprefix(prefix) for name in wheel.namelist() if name.startswith(prefix)}
    assert inside == set(shipped(notebooks()))
    for name in inside:
        content = wheel.read(prefix + name)
        assert content == (ROOT / "notebooks" / name).read_bytes()
        assert b"BEGIN SOLUTION" not in content
    solved = [path.read_bytes() for path in (ROOT / "notebooks/exercises/source").rglob("*.ipynb")]
    assert solved
    assert all(b"BEGIN SOLUTION" in each for each in solved), "so the test above would have seen one"


def test_the_wheel_says_what_it_is(wheel):
    (place,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    about = message_from_bytes(wheel.read(f"{place}/METADATA"))
    assert (about["Name"], about["License-Expression"]) == ("wavenetlike", "MIT")
    assert wheel.read(f"{place}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert "wavenetlike = wavenetlike.cli:main" in wheel.read(f"{place}/entry_points.txt").decode()


def test_the_sdist_can_be_built_and_tested(built_files):
    (path,) = built_files.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "Makefile", "conftest.py", "tests/test_release.py"} <= names
    assert any(name.startswith("notebooks/exercises/source/") for name in names), "teachers need them"
    assert not any(part in (".git", ".venv", "shared") for name in names for part in name.split("/"))


def test_an_editable_installation_leads_to_this_tree(tmp_path):
    code = f"from hatchling.build import build_editable; print(build_editable({str(tmp_path)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100, check=True
    )
    with zipfile.ZipFile(tmp_path / done.stdout.split()[-1]) as archive:
        (pointer,) = [name for name in archive.namelist() if name.endswith(".pth")]
        assert archive.read(pointer).decode().strip() == str(ROOT)
        assert not any(name.startswith("wavenetlike/") for name in archive.namelist())


# Where the repository is not


def test_the_installed_command_helps(elsewhere):
    assert elsewhere("-m", "wavenetlike.cli", "--help").stdout.startswith("usage: wavenetlike ")


def test_the_installed_lab_copies_its_notebooks_and_keeps_what_is_changed(elsewhere, tmp_path):
    mine = tmp_path / "mine"
    elsewhere("-m", "wavenetlike.cli", "lab", str(mine), "--copy-only")
    names = shipped(notebooks())
    assert {path.relative_to(mine).as_posix() for path in mine.rglob("*") if path.is_file()} == {*names, MANIFEST}
    assert all((mine / name).read_bytes() == (notebooks() / name).read_bytes() for name in names)
    (mine / names[0]).write_text("my work")
    said = elsewhere("-m", "wavenetlike.cli", "lab", str(mine), "--copy-only").stdout
    assert f"left as you have them: {names[0]}." in said
    assert (mine / names[0]).read_text() == "my work"


def test_the_installed_package_has_its_data(elsewhere, tmp_path):
    output = tmp_path / "sound.wav"
    line = ["generate", "--samples", "3", "--method", "cached", "--output", str(output), "--json"]
    assert json.loads(elsewhere("-m", "wavenetlike.cli", *line).stdout)["files"] == [str(output)]
    code = "from wavenetlike.data import bundled_clips, sunspots; print(len(bundled_clips()), len(sunspots()))"
    assert elsewhere("-c", code).stdout.split()[0] == "80"
