"""What a class at once needs of one machine: memory and seconds of many kernels on one Jupyter server. Linux only.

    python benchmarks/classroom.py [--kernels 30] [--notebook notebooks/02_receptive_field_and_gamma.ipynb]
                                   [--until "Measure it" | --whole] [--threads 1] [--limit 1800] [--reserve 1.0]

Starts a JupyterLab server in a temporary folder, and asks it for all kernels at the same moment, over the same addresses as a
browser does. Then every kernel imports the package, and runs the notebook's code cells up to the end of a section; each step
begins for all at once, when the slowest is through the one before. After each step it reads of every process:

- PSS: pages that several processes have mapped, such as torch's libraries, are shared out among them; PSS may be added up;
- USS: pages of this process alone, what one student more adds;
- RSS: all pages that it has mapped; adding it up counts the shared ones many times;
- peak: the most that RSS has ever been.

On a hub each student has a server, too, which is the line "the server". If the machine has less than ``--reserve`` GB left,
the run stops and says so. Kernels and server are shut down at the end, whatever happens.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import websocket

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "02_receptive_field_and_gamma.ipynb"
TOKEN = uuid.uuid4().hex
FOLDERS = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "WAVENETLIKE_CACHE"]
THREADS = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"]
MEASURES = ["PSS", "USS", "RSS", "peak"]


def code_cells(notebook: Path, until: str | None) -> list[str]:
    """The code cells of a notebook; with ``until``, up to the end of the section with this heading."""
    found, inside = [], False
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        headings = [line for line in source.splitlines() if line.startswith("## ")]
        if cell["cell_type"] == "code":
            found.append(source)
        elif headings and until is not None:
            if inside:
                return found
            inside = headings[-1] == f"## {until}"
    if until is not None and not inside:
        sys.exit(f"{notebook} has no section {until!r}.")
    return found


def table(path: str) -> dict[str, int]:
    """What one of the files in /proc says in kB, in bytes."""
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return {words[0].rstrip(":"): 1024 * int(words[1]) for words in lines if words[-1] == "kB"}


def memory(pid: int) -> dict[str, int]:
    """What a process holds, in bytes."""
    rolled = table(f"/proc/{pid}/smaps_rollup")
    own = rolled["Private_Clean"] + rolled["Private_Dirty"]
    return {"PSS": rolled["Pss"], "USS": own, "RSS": rolled["Rss"], "peak": table(f"/proc/{pid}/status")["VmHWM"]}


def available() -> int:
    """Bytes that the machine can still give."""
    return table("/proc/meminfo")["MemAvailable"]


def children(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, tasks.read_text().split()):
            found += [child, *children(child)]
    return found


@contextlib.contextmanager
def server(home: Path, threads: int) -> Iterator[tuple[str, int]]:
    """A JupyterLab server of its own; gives address and process, and leaves no kernel behind."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}", str(home)]
    command += ["--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}", "--LabApp.news_url=None"]
    environment = os.environ | {name: str(home / name) for name in FOLDERS} | dict.fromkeys(THREADS, str(threads))
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        until_it_answers(address, process, home / "log")
        yield address, process.pid
    finally:
        started = children(process.pid) if process.poll() is None else []
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pid in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def until_it_answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(120):
        if process.poll() is not None:
            sys.exit(f"The server did not start:\n{log.read_text()}")
        with contextlib.suppress(OSError):
            ask(f"{address}/api")
            return
        time.sleep(0.5)
    raise TimeoutError(f"no server answers at {address}")


def ask(url: str, method: str = "GET", limit: float = 5) -> Any:
    """What the server answers to a request."""
    body = b"{}" if method == "POST" else None
    request = urllib.request.Request(url, body, {"Authorization": f"token {TOKEN}"}, method=method)
    with urllib.request.urlopen(request, timeout=limit) as answer:
        return json.loads(answer.read() or b"null")


@dataclass
class Student:
    """One kernel, and what is measured of it."""

    address: str
    limit: float
    channels: Any = None
    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    pid: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, step: str, act: Callable[[], None]) -> None:
        start = time.perf_counter()
        act()
        self.seconds[step] = time.perf_counter() - start

    def start(self) -> None:
        """Ask for a kernel, and wait until it answers."""
        kernel = ask(f"{self.address}/api/kernels", "POST", self.limit)["id"]
        url = f"{self.address.replace('http', 'ws')}/api/kernels/{kernel}/channels?session_id={self.session}"
        header = {"Authorization": f"token {TOKEN}"}
        self.channels = websocket.create_connection(url, timeout=self.limit, header=header)
        self.request("kernel_info_request", {})

    def request(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Send a message, and wait for its reply."""
        number = uuid.uuid4().hex
        header = {"msg_id": number, "msg_type": kind, "session": self.session, "username": "student", "version": "5.3"}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
        self.channels.send(json.dumps(message | {"channel": "shell"}))
        while True:
            frame = self.channels.recv()
            if isinstance(frame, bytes):  # with the buffers of a widget, never a reply
                continue
            reply = json.loads(frame)
            if reply["channel"] == "shell" and reply["parent_header"].get("msg_id") == number:
                return reply["content"]

    def run(self, cells: Sequence[str]) -> None:
        """Run cells; an error is an error."""
        for cell in cells:
            content = {"code": cell, "silent": False, "store_history": True, "allow_stdin": False}
            reply = self.request(
                "execute_request", content | {"user_expressions": {"pid": "__import__('os').getpid()"}}
            )
            if reply["status"] != "ok":
                raise RuntimeError(f"{reply.get('ename')}: {reply.get('evalue')}\nin\n{cell}")
            self.pid = int(reply["user_expressions"]["pid"]["data"]["text/plain"])


@dataclass
class Class:
    """All students, who do each step at the same time."""

    students: list[Student]
    reserve: float
    least: int = field(default_factory=available)
    memories: dict[str, list[dict[str, int]]] = field(default_factory=dict)

    def do(self, step: str, act: Callable[[Student], None]) -> None:
        pool = ThreadPoolExecutor(len(self.students))
        try:
            jobs = {pool.submit(student.timed, step, partial(act, student)) for student in self.students}
            while jobs:
                done, jobs = wait(jobs, timeout=0.5)
                for job in done:
                    job.result()
                self.least = min(self.least, available())
                if self.least < 1e9 * self.reserve:
                    sys.exit(f"Only {self.least / 1e9:.1f} GB of memory are left: stopped, at {step!r}.")
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def weigh(self, step: str) -> None:
        self.memories[step] = [memory(student.pid) for student in self.students]


def median_and_most(values: Sequence[float], digits: int = 0) -> str:
    return f"{statistics.median(values):,.{digits}f} ({max(values):,.{digits}f})"


def report(group: Class, of_server: dict[str, int]) -> None:
    print(f"\n{'MB, median (most)':34}" + "".join(f"{name:>18}" for name in MEASURES))
    for step, found in group.memories.items():
        print(f"{step:34}" + "".join(f"{median_and_most([m[name] / 1e6 for m in found]):>18}" for name in MEASURES))
    print(f"{'the server':34}" + "".join(f"{of_server[name] / 1e6:18,.0f}" for name in MEASURES))
    found = [*group.memories["after the cells"], of_server]
    print(f"{'kernels and server, sum':34}" + "".join(f"{sum(m[n] for m in found) / 1e6:18,.0f}" for n in MEASURES[:3]))
    print(f"\n{'seconds, median (slowest)':34}")
    for step in group.students[0].seconds:
        print(f"{step:34}{median_and_most([student.seconds[step] for student in group.students], 1):>18}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=int, default=30)
    parser.add_argument("--notebook", type=Path, default=NOTEBOOK)
    parser.add_argument("--until", default="Measure it", help="the section that is run last")
    parser.add_argument("--whole", action="store_true", help="run all of the notebook")
    parser.add_argument("--threads", type=int, default=1, help="OMP_NUM_THREADS and its like, for every kernel")
    parser.add_argument("--limit", type=float, default=1800, help="seconds that one message may take")
    parser.add_argument("--reserve", type=float, default=1.0, help="GB of memory below which the run stops")
    chosen = parser.parse_args()
    if not Path("/proc/self/smaps_rollup").exists():
        sys.exit("This reads /proc/PID/smaps_rollup, which only Linux has.")
    cells = code_cells(chosen.notebook, None if chosen.whole else chosen.until)
    total = table("/proc/meminfo")["MemTotal"]
    print(
        f"torch {version('torch')}, Python {sys.version.split()[0]}, {os.cpu_count()} cores, {total / 1e9:.1f} GB of memory;"
        f" {chosen.kernels} kernels at once, OMP_NUM_THREADS={chosen.threads}"
    )
    section = "all of it" if chosen.whole else f"to the end of {chosen.until!r}"
    print(f"cells: {len(cells)} code cells of {chosen.notebook.name}, {section}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("It was told to end."))
    before = available()
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), chosen.threads) as (address, pid):
        group = Class([Student(address, chosen.limit) for _ in range(chosen.kernels)], chosen.reserve)
        group.do("from request to a ready kernel", Student.start)
        group.do("1 + 1", lambda student: student.run(["1 + 1"]))
        group.weigh("a kernel alone")
        group.do("import wavenetlike", lambda student: student.run(["import wavenetlike"]))
        group.weigh("after import wavenetlike")
        group.do("the cells", lambda student: student.run(cells))
        group.weigh("after the cells")
        report(group, memory(pid))
    print(f"\navailable to the machine before {before / 1e9:.1f} GB, at the least {group.least / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
