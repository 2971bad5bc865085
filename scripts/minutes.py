"""Measures how long each section of the notebooks runs and how much memory its kernel takes, estimates how long it takes to read, and writes all to docs/teaching/minutes.md.

    python scripts/minutes.py [--output docs/teaching/minutes.md] [notebooks/01_ar2_weight_recovery.ipynb ...]

The cells run as a student runs them who has no network and has downloaded nothing; the notebooks' files stay as they are.
Measure when nothing else runs.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import nbformat
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
OUTPUT = ROOT / "docs" / "teaching" / "minutes.md"

WORDS_A_MINUTE = 150
"""Of a text that teaches, in a language that may be the reader's second."""
WORDS_OF_A_FORMULA = 75
WORDS_OF_A_LINE = 10
"""Of code, as a reader spends on it."""
FIRST = "before the first section"
NUMBERS = {1: "one core", 2: "two cores", 4: "four cores", 8: "eight cores"}

ABOUT = """# Minutes of each section

For those who plan a lesson. `python scripts/minutes.py` writes this page; a change by hand is lost.

- **Words** are those of the prose and its tables, without code.
- **To read** is an *estimate*: {words} words a minute, where a formula on a line of its own counts as {formula} words and a line of
  code as {line}. Predictions, explorers and exercises take what time you give them, and are not in it.
- **To run** was measured, all in one run: each notebook from top to bottom on a fresh kernel, without a network and with nothing
  downloaded before, on {cores} ({kind}; Python {python}, torch {torch}). The first section has the seconds of the imports.
- **Memory** is the most that the kernel and all processes started by it held at one moment, looked at five times a second
  (`PSS`). A fresh interpreter that has imported this build of torch holds {base:.2f} GB of that.
"""
HELD = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass
class Section:
    """What stands between one heading and the next: words of prose, formulas on a line of their own, lines of code, and seconds."""

    title: str
    words: int = 0
    formulas: int = 0
    lines: int = 0
    seconds: float = 0.0

    @property
    def minutes(self) -> float:
        """To read it: an estimate."""
        return (self.words + WORDS_OF_A_FORMULA * self.formulas + WORDS_OF_A_LINE * self.lines) / WORDS_A_MINUTE

    def read(self, markdown: str) -> None:
        """Count a piece of text without a heading."""
        text, n_formulas = re.subn(r"\$\$.+?\$\$", " ", markdown, flags=re.DOTALL)
        text = re.sub(r"^```.*?^```$|^\|[-| ]+\|$|\]\([^)]*\)", " ", text, flags=re.DOTALL | re.MULTILINE)
        self.formulas += n_formulas
        self.words += len(re.findall(r"\S*\w\S*", text))


def parts(markdown: str) -> Iterator[tuple[str | None, str]]:
    """The texts between headings, each with its heading, None for what stands before the first."""
    first, *rest = re.split(r"^## (.+)$", markdown, flags=re.MULTILINE)
    yield None, first
    yield from zip(rest[::2], rest[1::2], strict=True)


def sections(notebook: NotebookNode, seconds: list[float]) -> list[Section]:
    """The sections of a notebook whose cells ran for so long."""
    found = [Section(FIRST)]
    for cell, spent in zip(notebook.cells, seconds, strict=True):
        if cell.cell_type == "markdown":
            for title, text in parts(cell.source):
                if title is not None:
                    found.append(Section(title))
                found[-1].read(text)
        else:
            found[-1].lines += len(cell.source.strip().splitlines())
        found[-1].seconds += spent
    return found


def held(pid: int) -> int:
    """Bytes of a process and of all that it started; what several share is counted once. Linux."""
    own = 0
    try:
        own = 1024 * sum(map(int, HELD.findall(Path(f"/proc/{pid}/smaps_rollup").read_text())))
        tasks = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return own
    return own + sum(held(int(child)) for task in tasks for child in task.split())


class Peak(threading.Thread):
    """The most that a process and all that it started hold, in bytes, until it is told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._stopped, self.most = pid, threading.Event(), 0

    def run(self) -> None:
        while not self._stopped.wait(0.2):
            self.most = max(self.most, held(self._pid))

    def stop(self) -> int:
        self._stopped.set()
        self.join()
        return self.most


def memory_of_torch() -> int:
    """Bytes that a fresh interpreter holds once it has imported torch."""
    with subprocess.Popen(
        [sys.executable, "-c", "import torch; print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = held(process.pid)
        process.communicate("\n")
    return found


def run(path: Path) -> tuple[NotebookNode, list[float], int]:
    """Run a notebook, time each of its cells, and weigh its kernel."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(path.parent)}})
    seconds = []
    with client.setup_kernel():
        assert client.km is not None
        provisioner = client.km.provisioner
        assert isinstance(provisioner, LocalProvisioner)
        assert provisioner.pid is not None
        peak = Peak(provisioner.pid)
        peak.start()
        for i, cell in enumerate(notebook.cells):
            begin = time.perf_counter()
            client.execute_cell(cell, i)
            seconds.append(time.perf_counter() - begin if cell.cell_type == "code" else 0.0)
        most = peak.stop()
    return notebook, seconds, most


def as_a_student() -> None:
    """Kernels inherit the environment: no network, and as many threads as torch takes by itself."""
    blocked = str(ROOT / "tests" / "offline")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [blocked, os.environ.get("PYTHONPATH")]))
    os.environ.pop("OMP_NUM_THREADS", None)


def rounded(number: float) -> str:
    return f"{number:.0f}" if number >= 1 else "under 1" if number else "–"


def row(section: Section, mark: str = "") -> str:
    cells = [section.title, f"{section.words:,}", rounded(section.minutes), rounded(section.seconds)]
    return "| " + " | ".join(f"{mark}{cell}{mark}" for cell in cells) + " |"


def table(title: str, found: list[Section], most: int) -> str:
    """Markdown of one notebook, its sum and the memory at the end."""
    sums = (sum(getattr(each, name) for each in found) for name in ("words", "formulas", "lines", "seconds"))
    head = ["| section | words | minutes to read | seconds to run |", "|---|--:|--:|--:|"]
    return "\n".join(
        [
            f"## {title}",
            "",
            *head,
            *map(row, found),
            row(Section("all", *sums), "**"),
            "",
            f"Memory: {most / 1e9:.2f} GB.",
        ]
    )


def about() -> str:
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ABOUT.format(
        words=WORDS_A_MINUTE, formula=WORDS_OF_A_FORMULA, line=WORDS_OF_A_LINE, cores=NUMBERS.get(n, f"{n} cores"),
        kind=f"{platform.system()}, {platform.machine()}", python=platform.python_version(), torch=version("torch"),
        base=memory_of_torch() / 1e9,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Minutes to read and seconds to run of each section of the notebooks.")
    parser.add_argument("notebooks", nargs="*", type=Path, default=NOTEBOOKS)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    tables = []
    as_a_student()
    for path in options.notebooks:
        with tempfile.TemporaryDirectory() as cache:
            os.environ["WAVENETLIKE_CACHE"] = cache
            notebook, seconds, most = run(path)
        title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
        tables.append(table(title, sections(notebook, seconds), most))
        print(f"{path.name}: {sum(seconds):.0f} s, {most / 1e9:.2f} GB", flush=True)
    options.output.write_text("\n\n".join([about().strip(), *tables]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
