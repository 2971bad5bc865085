"""`check_env`: whatever is wrong is an entry that says so, and what to do; nothing crashes."""

from __future__ import annotations

import ctypes
import importlib
import json
import math
import subprocess
import sys
import tomllib
import types
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from wavenetlike import check_env, cli, environment
from wavenetlike.environment import LOOKS, Entry, Environment, available_memory, needed, satisfies

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def entry(name: str) -> Entry:
    (found,) = [entry for entry in check_env().entries if entry.name == name]
    return found


def wrong(name: str, *shown: str) -> Entry:
    """The entry of that name says what is wrong and what to do, in few words."""
    found = entry(name)
    assert not found.ok
    assert found.found
    assert "\n" not in found.found + found.fix
    assert found.fix, "no fix"
    for text in shown:
        assert text in found.found + " | " + found.fix
    return found


def broken(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    """Importing that module fails."""
    real = importlib.import_module

    def fail(asked: str, package: str | None = None) -> types.ModuleType:
        if asked.split(".")[0] == name:
            raise error
        return real(asked, package)

    monkeypatch.setattr(importlib, "import_module", fail)


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    """As if those versions were installed; None: not at all."""
    real = metadata.version

    def version(name: str) -> str:
        found = versions[name] if name in versions else real(name)
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(metadata, "version", version)


def test_in_this_environment_all_is_well(monkeypatch):
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    found = check_env()
    assert [entry.name for entry in found.entries] == list(LOOKS)
    assert [entry for entry in found.entries if not entry.ok] == []
    assert found.ok
    assert all(entry.found and not entry.fix for entry in found.entries)
    assert entry("packages").found == f"{len(PROJECT['dependencies'])} of {len(PROJECT['dependencies'])}"
    assert "80 bundled clips" in entry("sound").found


def test_what_is_needed_is_what_the_project_says():
    assert sorted(name + wanted for name, wanted in needed().items()) == sorted(PROJECT["dependencies"])
    for wanted in needed().values():
        satisfies("1.0", wanted)  # is read without a refusal


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("2.14.1+cu130", ">=2.11,<2.15", True),
        ("2.15.0", ">=2.11,<2.15", False),
        ("2.10.9", "<2.15,>=2.11", False),
        ("2.9", ">=2.11", False),
        ("8.1", ">=8.1", True),
        ("8.1.0", ">=8.1", True),
        ("8.1.0rc1", "<8.2", True),
        ("0.9", "", True),
        ("nightly", ">=0.9", False),
    ],
)
def test_versions_are_compared_by_their_numbers(version, wanted, expected):
    assert satisfies(version, wanted) is expected


def test_another_kind_of_bound_is_refused():
    with pytest.raises(ValueError, match=r"'~=2\.11' bounds no version"):
        satisfies("2.11", "~=2.11")


# What is wrong


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 2, "final", 0))
    wrong("Python", "3.10.2", ">=3.11")


def test_packages_that_are_missing_or_old(monkeypatch):
    installed(monkeypatch, scipy=None, ipywidgets="7.6.0")
    wrong(
        "packages",
        "scipy is missing",
        "ipywidgets 7.6.0 is not >=8.1",
        '"ipywidgets>=8.1"',
        "-m pip install",
        '"scipy"',
    )


def test_an_installation_that_is_no_more(monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: (_ for _ in ()).throw(metadata.PackageNotFoundError(name)))
    wrong("packages", "PackageNotFoundError", '-m pip install --upgrade "wavenetlike"')


def test_torch_that_does_not_load(monkeypatch):
    broken(monkeypatch, "torch", OSError("libtorch_cpu.so: cannot open shared object file\nmore"))
    wrong("torch", "libtorch_cpu.so: cannot open", '"torch>=2.11,<2.15"')


def test_torch_that_computes_wrong(monkeypatch):
    fake: Any = types.ModuleType("torch")
    fake.ones, fake.__version__ = (lambda n: types.SimpleNamespace(sum=lambda: 3)), "2.14"
    monkeypatch.setitem(sys.modules, "torch", fake)
    wrong("torch", "torch 2.14", "same index")


@pytest.mark.parametrize(
    "error",
    [
        OSError("libtorchaudio.so: undefined symbol: _ZNK5torch8autograd4Node4nameEv"),
        RuntimeError("Detected that PyTorch and TorchAudio were compiled with different CUDA versions."),
        ImportError("No module named 'torchaudio'"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_wrong_pair_of_torch_and_torchaudio_is_named_with_its_fix(monkeypatch, error):
    installed(monkeypatch, torch="2.15.0", torchaudio="2.11.0")
    broken(monkeypatch, "torchaudio", error)
    wrong(
        "torchaudio", "torch 2.15.0 with torchaudio 2.11.0 does not load", str(error)[:20],
        '"torch>=2.11,<2.15" "torchaudio>=2.11,<2.12", both from the same index',
    )  # fmt: skip


def test_no_sound_library(monkeypatch):
    broken(monkeypatch, "soundfile", OSError("sndfile library not found"))
    wrong("sound", "sndfile library not found", '"soundfile"', "libsndfile")


def test_sound_that_comes_back_changed(monkeypatch):
    import soundfile

    monkeypatch.setattr(soundfile, "read", lambda *_: ([0.0, 0.1, 0.2], 16000))
    wrong("sound", '"soundfile"')


def test_no_bundled_clips(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "BUNDLED", tmp_path)
    wrong("sound", "0 bundled clips", "--force-reinstall")


def test_no_widgets(monkeypatch):
    broken(monkeypatch, "anywidget", ModuleNotFoundError("No module named 'anywidget'"))
    installed(monkeypatch, anywidget=None)
    wrong("widgets", "anywidget None", "No module named 'anywidget'", '"anywidget>=0.9"')


def test_no_jupyterlab_to_draw_widgets(monkeypatch):
    broken(monkeypatch, "jupyter_core", ModuleNotFoundError("No module named 'jupyter_core'"))
    wrong("widgets", "JupyterLab is not there", '"jupyterlab"')


def test_an_extension_of_jupyterlab_that_is_missing(monkeypatch, tmp_path):
    from jupyter_core import paths

    there = tmp_path / "@jupyter-widgets" / "jupyterlab-manager"
    there.mkdir(parents=True)
    (there / "package.json").write_text("{}")
    monkeypatch.setattr(paths, "jupyter_path", lambda *_: [str(tmp_path)])
    wrong("widgets", "extension anywidget is missing", '"anywidget>=0.9"')


def test_no_compiler(monkeypatch):
    broken(monkeypatch, "numba", ImportError("Numba needs NumPy 2.4 or less"))
    wrong("compiler", "Numba needs NumPy", '"numba>=0.65"')


def test_a_compiler_that_may_keep_nothing(monkeypatch):
    import numba

    def no_place(**_: object) -> Callable[..., None]:
        raise RuntimeError("cannot cache function '_nothing': no locator available for file 'environment.py'")

    monkeypatch.setattr(numba, "njit", no_place)
    wrong("compiler", "keeps nothing", "no locator", "NUMBA_CACHE_DIR")


def test_a_compiler_that_is_turned_off(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    wrong("compiler", "turned off", "unset NUMBA_DISABLE_JIT")


@pytest.mark.parametrize(
    ("program", "ok"),
    [("python", True), ("python3.11", True), (sys.executable, True), ("/opt/other/bin/python", False)],
)
def test_the_kernel_of_another_python(monkeypatch, program, ok):
    from jupyter_client import kernelspec

    spec = types.SimpleNamespace(argv=[program, "-m", "ipykernel_launcher"], resource_dir="/home/me/kernels/python3")
    monkeypatch.setattr(kernelspec.KernelSpecManager, "get_kernel_spec", lambda self, name: spec)
    if ok:
        assert entry("kernel").ok
    else:
        wrong("kernel", "/opt/other/bin/python", sys.executable, "/home/me/kernels/python3")


def test_no_kernel(monkeypatch):
    broken(monkeypatch, "jupyter_client", ModuleNotFoundError("No module named 'jupyter_client'"))
    wrong("kernel", "jupyter_client", '"ipykernel"')


def test_too_little_memory(monkeypatch):
    monkeypatch.setattr(environment, "available_memory", lambda: 0.5e9)
    wrong("memory", "0.5 GB free", "1.3 GB")
    monkeypatch.setattr(environment, "available_memory", lambda: math.nan)
    assert entry("memory") == Entry("memory", True, "not known on this system")


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(tmp_path / "some" / "cache"))
    assert entry("cache folder").ok
    assert str(tmp_path) not in entry("cache folder").found
    assert list(tmp_path.iterdir()) == [], "the folder was made"
    (tmp_path / "some").write_text("a file")
    wrong("cache folder", str(tmp_path / "some" / "cache"), "WAVENETLIKE_CACHE")


def test_a_full_disk(monkeypatch):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=5e6))
    wrong("cache folder", "0.0 GB free", "free some disk", "WAVENETLIKE_CACHE")


def test_a_look_that_itself_fails_is_an_entry(monkeypatch):
    monkeypatch.setitem(LOOKS, "memory", lambda: 1 / 0)
    wrong("memory", "ZeroDivisionError")


def test_where_nothing_is_installed_all_that_is_missing_is_said(tmp_path):
    code = f"""
import json, sys
sys.path.insert(0, {str(Path(environment.__file__).parents[1])!r})
from wavenetlike import check_env
print(json.dumps(check_env().as_dict()))
"""
    # Without the folder of installed packages.
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True)
    assert done.stderr == ""
    found = json.loads(done.stdout)["entries"]
    assert [entry["name"] for entry in found] == list(LOOKS)
    missing = [entry for entry in found if not entry["ok"]]
    assert {entry["name"] for entry in missing} >= set(LOOKS) - {"memory", "cache folder"}
    assert all("PackageNotFoundError" in entry["found"] or "ModuleNotFoundError" in entry["found"] for entry in missing)
    assert all("pip install" in entry["fix"] for entry in missing)


# Memory


def linux(tmp_path: Path, free: int | None, **files: str) -> float:
    """What is available where /proc says ``free`` kB and the control groups hold those files."""
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    proc.mkdir()
    groups.mkdir()
    if free is not None:
        (proc / "meminfo").write_text(f"MemTotal:       99 kB\nMemFree:        1 kB\nMemAvailable:   {free} kB\n")
    for name, content in files.items():
        path = groups / name.replace("__", "/").replace("_in", "_in", 1)
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return available_memory("linux", proc, groups)


def test_memory_is_what_linux_says(tmp_path):
    assert linux(tmp_path, 2_000_000) == 2_048_000_000


def test_memory_is_what_a_container_leaves(tmp_path):
    files = {
        "memory.max": "1000000000\n",
        "memory.current": "700000000\n",
        "memory.stat": "anon 1\ninactive_file 200000000\n",
    }
    assert linux(tmp_path, 2_000_000, **files) == 500_000_000


def test_memory_is_what_an_older_container_leaves(tmp_path):
    files = {
        "memory__memory.limit_in_bytes": "1000000000\n",
        "memory__memory.usage_in_bytes": "700000000\n",
        "memory__memory.stat": "total_inactive_file 100000000\n",
    }
    assert linux(tmp_path, 2_000_000, **files) == 400_000_000


def test_memory_without_a_limit_is_that_of_the_machine(tmp_path):
    assert linux(tmp_path, 1000, **{"memory.max": "max\n", "memory.current": "7\n", "memory.stat": ""}) == 1_024_000


def test_memory_that_nothing_is_known_of(tmp_path):
    assert math.isnan(linux(tmp_path, None))


def test_memory_of_a_container_alone(tmp_path):
    assert linux(tmp_path, None, **{"memory.max": "100", "memory.current": "7", "memory.stat": ""}) == 93


@pytest.mark.parametrize("failed", [False, True])
def test_memory_on_windows(monkeypatch, failed):
    def status(pointer: Any) -> int:
        found = pointer._obj
        assert found.length == ctypes.sizeof(found) == 64
        found.available = 3_000_000_000
        return 0 if failed else 1

    library = types.SimpleNamespace(kernel32=types.SimpleNamespace(GlobalMemoryStatusEx=status))
    monkeypatch.setattr(ctypes, "windll", library, raising=False)
    found = available_memory("win32")
    assert math.isnan(found) if failed else found == 3e9


@pytest.mark.parametrize("failed", [False, True])
def test_memory_on_macos(monkeypatch, failed):
    def sysctlbyname(name: bytes, value: Any, length: Any, new: None, size: int) -> int:
        assert (name, length._obj.value, new, size) == (b"hw.memsize", 8, None, 0)
        value._obj.value = 8_000_000_000
        return -1 if failed else 0

    monkeypatch.setattr(ctypes, "CDLL", lambda name: types.SimpleNamespace(sysctlbyname=sysctlbyname))
    found = available_memory("darwin")
    assert math.isnan(found) if failed else found == 8e9


def test_memory_of_this_machine_is_some():
    assert 0 < available_memory() < 1e15


# How it is shown


FOUND = Environment((Entry("torch", True, "torch 2"), Entry("memory", False, "0.1 <GB>", "buy & close")))


def test_the_report_is_a_table():
    lines = repr(FOUND).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["✓", "torch", "torch", "2"],
        ["✗", "memory", "0.1", "<GB>", "buy", "&", "close"],
    ]
    assert lines[-1] == "1 of 2 are not as they should be; the last column says what to do."
    assert all(line == line.rstrip() for line in lines)
    assert repr(Environment(FOUND.entries[:1])).endswith("All is as it should be.")
    assert not FOUND.ok


def test_the_report_is_a_table_in_a_notebook():
    page = HTMLParser()
    seen: list[str] = []
    page.handle_data = seen.append  # type: ignore[method-assign]
    page.feed(FOUND._repr_html_())
    assert {"torch", "0.1 <GB>", "buy & close"} <= {"".join(seen[i : i + 1]) for i in range(len(seen))} | set(seen)
    assert FOUND._repr_html_().count("<tr>") == 3


@pytest.mark.parametrize("ok", [True, False])
def test_the_command_says_the_same_and_has_a_status(capsys, monkeypatch, ok):
    found = Environment(FOUND.entries[: 1 if ok else 2])
    monkeypatch.setattr("wavenetlike.cli.check.check_env", lambda: found)
    assert cli.main(["check"]) == (0 if ok else 1)
    assert capsys.readouterr() == (f"{found!r}\n", "")
    assert cli.main(["check", "--json"]) == (0 if ok else 1)
    said = json.loads(capsys.readouterr().out)
    assert said == {"ok": ok, "entries": [entry._asdict() for entry in found.entries]}
