"""``wavenetlike lab``: a copy of the notebooks of one's own, and JupyterLab in it.

A list of what was copied, with a hash of each file, lies beside the copies: by it a later version of the package knows which files are as they
were copied, and brings those up to date; all others are somebody's work.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from wavenetlike.cli.output import say
from wavenetlike.files import durably
from wavenetlike.names import PACKAGE

MANIFEST = ".wavenetlike.json"
KINDS = {".ipynb", ".json", ".html", ".j2"}
"""What is copied: notebooks, and how those in dashboards/ are shown."""
TEACHERS = {"source", "nbgrader_config.py"}
"""In a repository what is not for students: the solved exercises, and how they are graded."""
MOST_PORT = 65_535


@dataclasses.dataclass
class Copied:
    """What `copy_notebooks` did, by the paths of the files.

    Attributes:
        added: were not there.
        updated: were as an earlier version of the package had them.
        kept: are somebody's work, and were left alone.
        outdated: of those the ones of which the package has a newer version.
    """

    added: list[str] = dataclasses.field(default_factory=list)
    updated: list[str] = dataclasses.field(default_factory=list)
    kept: list[str] = dataclasses.field(default_factory=list)
    outdated: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{verb}: {', '.join(files)}."
            for verb, files in (
                ("added", self.added),
                ("brought up to date", self.updated),
                ("left as you have them", self.kept),
            )
            if files
        ]
        if self.outdated:
            lines.append(f"newer in the package, to be had by renaming yours: {', '.join(self.outdated)}.")
        return "\n".join(lines or ["nothing has changed since the last time."])


def lab_command(options: argparse.Namespace) -> int:
    """``wavenetlike lab``; the exit status."""
    if options.port is not None and not 1 <= options.port <= MOST_PORT:
        raise ValueError(
            f"--port {options.port} is out of range; it must lie in 1 … {MOST_PORT}: leave it out for a free one."
        )
    if not options.copy_only and importlib.util.find_spec("jupyterlab") is None:
        raise ImportError(
            f"JupyterLab is not installed in {sys.prefix!r}; install it by {sys.executable} -m pip install jupyterlab, or only copy the notebooks by --copy-only."
        )
    folder = Path(options.folder).absolute()
    copied = copy_notebooks(folder)
    say(f"{folder}\n{copied}")
    if options.copy_only:
        return 0
    sys.stdout.flush()
    return _start(server(folder, options.port, not options.no_browser))


def copy_notebooks(folder: Path) -> Copied:
    """Bring the copy of the notebooks in ``folder`` up to date, without touching what somebody has changed.

    Raises:
        NotADirectoryError: a file stands there.
        OSError: it cannot be written, or the package has no notebooks.
    """
    source, copied = notebooks(), Copied()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(
            f"{str(folder)!r} is a file; name a folder for the notebooks: try {str(folder) + '-notebooks'!r}."
        )
    if folder.resolve() == source.resolve():
        return copied
    known = _read(folder / MANIFEST)
    now: dict[str, str] = {}
    try:
        for path in shipped(source):
            now[path] = _bring(source / path, folder / path, path, known.get(path), copied)
        if now != known:
            durably(folder / MANIFEST, json.dumps(now, indent=1).encode())
    except OSError as error:
        raise OSError(
            f"{str(folder)!r} cannot be written ({error.strerror or error}); name another folder: try one in {str(Path.home())!r}."
        ) from error
    return copied


def _bring(source: Path, target: Path, name: str, before: str | None, copied: Copied) -> str:
    """One file; the hash of what was copied, now or ``before``."""
    content = source.read_bytes()
    new = _hash(content)
    if not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        durably(target, content)
        copied.added.append(name)
        return new
    there = _hash(target.read_bytes()) if target.is_file() else None
    if there == new:
        return new
    if there is not None and there == before:
        durably(target, content)
        copied.updated.append(name)
        return new
    copied.kept.append(name)
    if before != new:
        copied.outdated.append(name)
    # Of a file that was never copied nothing is known, and it stays so.
    return before or ""


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(manifest: Path) -> Mapping[str, str]:
    """What was copied before; nothing where that is not known: then every file that differs is somebody's work."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in content.items()} if isinstance(content, dict) else {}


def notebooks() -> Path:
    """Where the package has its notebooks: in itself, or where it is installed from its repository, beside it.

    Raises:
        FileNotFoundError: neither.
    """
    for folder in (PACKAGE / "notebooks", PACKAGE.parent / "notebooks"):
        if (folder / "exercises" / "release").is_dir():
            return folder
    raise FileNotFoundError(
        f"There are no notebooks in {str(PACKAGE)!r}; install the package anew by {sys.executable} -m pip install --force-reinstall --no-deps wavenetlike."
    )


def shipped(source: Path) -> list[str]:
    """What is copied of the notebooks, as paths with slashes: no solutions, no checkpoints of JupyterLab."""
    found = [path.relative_to(source) for path in source.rglob("*") if path.suffix in KINDS]
    return sorted(
        path.as_posix()
        for path in found
        if not TEACHERS & set(path.parts) and not any(part.startswith(".") for part in path.parts)
    )


def server(folder: Path, port: int | None, browser: bool) -> list[str]:
    """The command that starts JupyterLab in a folder, for this machine alone, with a token as it makes one, at the first notebook."""
    first = next(iter(sorted(path.name for path in folder.glob("*.ipynb"))), "")
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
    command += [f"--LabApp.default_url=/lab/tree/{first}"] if first else []
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"] if port else []
    command += [] if browser else ["--no-browser"]
    # Only in a container is one root, and there JupyterLab wants to be told.
    return [*command, *(["--allow-root"] if os.name == "posix" and os.geteuid() == 0 else [])]


def _start(command: list[str]) -> int:
    """JupyterLab in the place of this process, so that Ctrl-C is its own; where that is not possible, below it."""
    if os.name == "posix":
        os.execv(command[0], command)
    return subprocess.call(command)
