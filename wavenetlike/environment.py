"""What is wrong with this environment, and the fix: Python, packages, torch, sound, widgets, memory, folders, the notebooks' kernel.

Nothing is imported before it is looked at, so that what does not load is an entry of the report.
"""

from __future__ import annotations

import ctypes
import dataclasses
import importlib
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from wavenetlike.names import BUNDLED, cache_folder
from wavenetlike.tables import table_html, table_lines

COLUMNS = ["", "what", "found", "to do"]
NEEDED_MEMORY = 1.3e9
"""Bytes: notebook 3 takes 1.28 GB at its peak, see docs/measured.md."""
NEEDED_DISK = 0.1e9
"""Bytes for compiled code and a few clips; Speech Commands, for those who want it whole, takes 5.7 GB."""
EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "anywidget")
"""What JupyterLab draws widgets with."""


class Entry(NamedTuple):
    """One thing that was looked at: whether it is all right, what was found, and where it is not, what to do."""

    name: str
    ok: bool
    found: str
    fix: str = ""


@dataclasses.dataclass(frozen=True)
class Environment:
    """What `check_env` found; prints as a table in a terminal and in a notebook.

    Args:
        entries: what was looked at, in its order.
    """

    entries: tuple[Entry, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(entry.ok for entry in self.entries)

    def as_dict(self) -> dict[str, Any]:
        """As JSON knows it: ``{"ok": …, "entries": [{"name": …, "ok": …, "found": …, "fix": …}, …]}``."""
        return {"ok": self.ok, "entries": [entry._asdict() for entry in self.entries]}

    def rows(self) -> list[list[str]]:
        """The table, a row each, under `COLUMNS`."""
        return [["✓" if entry.ok else "✗", entry.name, entry.found, entry.fix] for entry in self.entries]

    @property
    def _caption(self) -> str:
        wrong = sum(not entry.ok for entry in self.entries)
        if not wrong:
            return "All is as it should be."
        return f"{wrong} of {len(self.entries)} are not as they should be; the last column says what to do."

    def __repr__(self) -> str:
        lines = [*table_lines(COLUMNS, self.rows(), left=len(COLUMNS)), self._caption]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        return table_html(COLUMNS, self.rows(), self._caption)


def check_env() -> Environment:
    """Look at all that the notebooks need; ``wavenetlike check`` in a shell. Takes some seconds, downloads nothing.

    Returns:
        `Environment`: prints as a table; ``.ok`` says whether all is right, ``.entries`` what is wrong and the fix.
    """
    return Environment(tuple(_looked(name, look) for name, look in LOOKS.items()))


def _looked(name: str, look: Callable[[], Entry]) -> Entry:
    """What a look found; one that itself fails is an entry, too."""
    try:
        return look()
    except Exception as error:
        return Entry(name, False, _reason(error), _install("wavenetlike"))


def _reason(error: BaseException) -> str:
    """The kind of an error and the first line of what it says."""
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__


def _install(*requirements: str) -> str:
    """The line that installs something into this very Python."""
    python = sys.executable if " " not in sys.executable else f'"{sys.executable}"'
    return " ".join([python, "-m pip install --upgrade", *(f'"{each}"' for each in requirements)])


# Versions


def needed() -> dict[str, str]:
    """What this package needs, by name: which versions, as it was installed with, for example ``>=2.11,<2.15``."""
    lines = [line for line in metadata.requires("wavenetlike") or [] if "extra ==" not in line]
    found = [re.match(r"([\w.-]+)\s*([^;]*)", line) for line in lines]
    # The lower bound first.
    return {match[1]: ",".join(sorted(match[2].strip().split(","), reverse=True)) for match in found if match}


def satisfies(version: str, wanted: str) -> bool:
    """Whether a version lies within what ``>=2.11,<2.15`` says; what follows its numbers, as in ``2.11rc1+cpu``, does not matter.

    >>> satisfies("2.14.1+cu130", ">=2.11,<2.15")
    True
    """
    return all(_compare(version, part) for part in wanted.split(",") if part)


def _compare(version: str, bound: str) -> bool:
    match = re.fullmatch(r"\s*(>=|<)\s*([\d.]+)\s*", bound)
    if match is None:
        raise ValueError(f"{bound!r} bounds no version here; it must be >= or < with numbers: try '>=2.11'.")
    here, there = _numbers(version), _numbers(match[2])
    return here >= there if match[1] == ">=" else here < there


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in match[0].split(".")] if match else [0]
    return tuple(numbers + [0] * (4 - len(numbers)))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _python() -> Entry:
    wanted, found = metadata.metadata("wavenetlike")["Requires-Python"] or "", ".".join(map(str, sys.version_info[:3]))
    fix = f"make an environment with Python {wanted}, and install wavenetlike there"
    return _judged("Python", satisfies(found, wanted), found, fix)


def _judged(name: str, ok: bool, found: str, fix: str) -> Entry:
    return Entry(name, ok, found, "" if ok else fix)


def _packages() -> Entry:
    wanted = needed()
    versions = {name: _version(name) for name in wanted}
    wrong = {
        name: version for name, version in versions.items() if version is None or not satisfies(version, wanted[name])
    }
    told = ", ".join(
        f"{name} is missing" if version is None else f"{name} {version} is not {wanted[name]}"
        for name, version in wrong.items()
    )
    fix = _install(*(name + wanted[name] for name in wrong))
    return _judged("packages", not wrong, told or f"{len(wanted)} of {len(wanted)}", fix)


# What has to load


def _pair() -> str:
    """The line that installs torch and torchaudio of one index."""
    wanted = needed()
    return _install(*(name + wanted[name] for name in ("torch", "torchaudio"))) + ", both from the same index"


def _torch() -> Entry:
    try:
        torch = importlib.import_module("torch")
        ok = float(torch.ones(2).sum()) == 2
    except Exception as error:
        return Entry("torch", False, f"torch {_version('torch')}: {_reason(error)}", _pair())
    return _judged("torch", ok, f"torch {torch.__version__}", _pair())


def _torchaudio() -> Entry:
    name, found = "torchaudio", f"torch {_version('torch')} with torchaudio {_version('torchaudio')}"
    try:
        importlib.import_module("torchaudio.functional")
    except Exception as error:
        return Entry(name, False, f"{found} does not load ({_reason(error)})", _pair())
    return Entry(name, True, found)


def _sound() -> Entry:
    """Encodes and decodes, and the clips that come with the package can be read."""
    name, clips = "sound", sorted(BUNDLED.glob("*/*.flac"))
    try:
        soundfile = importlib.import_module("soundfile")
        buffer = io.BytesIO()
        soundfile.write(buffer, [0.0, 0.5, -0.5], 16000, format="WAV", subtype="PCM_16")
        buffer.seek(0)
        samples, rate = soundfile.read(buffer)
        ok = (rate, [round(float(x), 3) for x in samples]) == (16000, [0, 0.5, -0.5])
    except Exception as error:
        fix = f"{_install('soundfile')}; where that is not enough, install the system's libsndfile"
        return Entry(name, False, f"soundfile {_version('soundfile')}: {_reason(error)}", fix)
    found = f"soundfile {soundfile.__version__}, {soundfile.__libsndfile_version__}, {len(clips)} bundled clips"
    if not clips:
        return Entry(name, False, found, f"{_install('wavenetlike')} --force-reinstall --no-deps")
    return _judged(name, ok and len(soundfile.read(clips[0])[0]) > 0, found, _install("soundfile"))


def _widgets() -> Entry:
    wanted, names = needed(), ("ipywidgets", "anywidget")
    fix = _install(*(each + wanted[each] for each in names)) + ", then start JupyterLab again"
    found = ", ".join(f"{each} {_version(each)}" for each in names)
    try:
        for each in names:
            importlib.import_module(each)
    except Exception as error:
        return Entry("widgets", False, f"{found}: {_reason(error)}", fix)
    try:
        paths = importlib.import_module("jupyter_core.paths").jupyter_path("labextensions")
    except Exception as error:
        return Entry("widgets", False, f"JupyterLab is not there ({_reason(error)})", _install("jupyterlab"))
    missing = [each for each in EXTENSIONS if not any(Path(path, each, "package.json").exists() for path in paths)]
    if missing:
        return Entry("widgets", False, f"{found}; JupyterLab's extension {missing[0]} is missing", fix)
    return Entry("widgets", True, found)


def _compiler() -> Entry:
    """Whether numba loads, and may keep what it compiled: it looks for a place when it is told to."""
    name, found = "compiler", f"numba {_version('numba')}"
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        fix = "unset NUMBA_DISABLE_JIT and start Python again, else sound is generated several times as slowly"
        return Entry(name, False, f"{found}, turned off by NUMBA_DISABLE_JIT", fix)
    try:
        numba = importlib.import_module("numba")
    except Exception as error:
        return Entry(name, False, f"{found}: {_reason(error)}", _install("numba" + needed().get("numba", "")))
    try:
        numba.njit(cache=True)(_nothing)
    except Exception as error:
        fix = "set the environment variable NUMBA_CACHE_DIR to a folder that you may write into"
        return Entry(name, False, f"{found} keeps nothing ({_reason(error)})", fix)
    return Entry(name, True, found)


def _nothing() -> None:
    """What the compiler is asked to keep."""


def _kernel() -> Entry:
    """Whether notebooks run in this Python: their kernel is called python3, and a person's own of that name comes first."""
    try:
        spec = importlib.import_module("jupyter_client.kernelspec").KernelSpecManager().get_kernel_spec("python3")
    except Exception as error:
        return Entry("kernel", False, _reason(error), _install("ipykernel"))
    program = spec.argv[0]
    # Jupyter takes such a bare name for the Python that it runs in.
    ok = re.fullmatch(r"python(\d(\.\d+)?)?", program) is not None or _is_this_python(program)
    fix = f"{sys.executable} -m ipykernel install --sys-prefix, or take {spec.resource_dir} away"
    return _judged("kernel", ok, "python3 is this Python" if ok else f"python3 is {program}, not {sys.executable}", fix)


def _is_this_python(program: str) -> bool:
    """Compared by folder: a virtual environment's programs are links, often to the same one."""
    return Path(program).absolute().parent == Path(sys.executable).absolute().parent


# Memory and folders


def available_memory(
    system: str = sys.platform, about: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")
) -> float:
    """Bytes that a program may still take; on macOS those of the whole machine. NaN where nothing says so.

    Args:
        system: as `sys.platform` names it.
        about: where Linux says what there is.
        groups: where Linux says what a container may take.
    """
    if system == "win32":
        return _windows_memory()
    if system == "darwin":
        return _mac_memory()
    try:
        line = re.search(r"^MemAvailable:\s+(\d+) kB", (about / "meminfo").read_text(), re.MULTILINE)
    except OSError:
        line = None
    free = 1024.0 * int(line[1]) if line else float("nan")
    limited = _group_memory(groups)
    return limited if limited is not None and not free < limited else free


def _group_memory(groups: Path) -> float | None:
    """What a container's limit leaves: second or first version of control groups; None: there is no limit."""
    for folder, limit, usage, cached in (
        (groups, "memory.max", "memory.current", "inactive_file"),
        (groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most, used = (folder / limit).read_text().strip(), int((folder / usage).read_text())
            stat = (folder / "memory.stat").read_text()
        except (OSError, ValueError):
            continue
        if most == "max":
            return None
        # Files that were read are kept there as long as nothing else needs the room.
        kept = re.search(rf"^{cached} (\d+)$", stat, re.MULTILINE)
        return float(int(most) - used + (int(kept[1]) if kept else 0))
    return None


class _WindowsMemory(ctypes.Structure):
    """`MEMORYSTATUSEX` of kernel32."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *(
            (name, ctypes.c_ulonglong)
            for name in ("total", "available", "pages", "free_pages", "own", "free_own", "more")
        ),
    )


def _windows_memory() -> float:
    status = _WindowsMemory(length=ctypes.sizeof(_WindowsMemory))
    library = getattr(ctypes, "windll").kernel32  # noqa: B009, which other systems do not have
    return float(status.available) if library.GlobalMemoryStatusEx(ctypes.byref(status)) else float("nan")


def _mac_memory() -> float:
    size, length = ctypes.c_uint64(), ctypes.c_size_t(8)
    library = ctypes.CDLL(None)
    failed = library.sysctlbyname(b"hw.memsize", ctypes.byref(size), ctypes.byref(length), None, 0)
    return float("nan") if failed else float(size.value)


def _memory() -> Entry:
    free = available_memory()
    if free != free:
        return Entry("memory", True, "not known on this system")
    fix = f"close programs and other notebooks' kernels, or take a machine with more: a notebook takes up to {NEEDED_MEMORY / 1e9:.1f} GB"
    return _judged("memory", free >= NEEDED_MEMORY, f"{free / 1e9:.1f} GB free", fix)


def _cache() -> Entry:
    """Whether downloads and answers can be kept; an unmade folder is not made, its place is tried."""
    folder = cache_folder().absolute()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    fix = "set the environment variable WAVENETLIKE_CACHE to a folder that you may write into"
    try:
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        return Entry("cache folder", False, f"{folder} cannot be written ({_reason(error)})", fix)
    fix = f"free some disk: {NEEDED_DISK / 1e9:.1f} GB are needed; or {fix} with more room"
    # Where nothing is wrong its name stays unsaid: the table is kept in notebooks, and handed on with them.
    found = f"{free / 1e9:.1f} GB free"
    ok = free >= NEEDED_DISK
    return _judged("cache folder", ok, found if ok else f"{folder}, {found}", fix)


LOOKS: dict[str, Callable[[], Entry]] = {
    "Python": _python,
    "packages": _packages,
    "torch": _torch,
    "torchaudio": _torchaudio,
    "sound": _sound,
    "widgets": _widgets,
    "compiler": _compiler,
    "kernel": _kernel,
    "memory": _memory,
    "cache folder": _cache,
}
"""All that is looked at."""
