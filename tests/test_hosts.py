"""Two hosts, made of network namespaces: one is lost in the middle and comes back, and no step is missing.

Needs Linux, root and the command ip; some two minutes.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

EVERY = 10
STEPS = 400
JOB = f"""
import os, sys, time
import torch
from wavenetlike import WaveNet, WaveNetConfig, train
from wavenetlike.data import bundled_clips
from wavenetlike.train import Checkpoints

class Lines:
    def start(self, run): pass
    def step(self, run):
        with open(sys.argv[1] + "/lines", "a") as file:
            file.write(f"{{os.environ['WORLD_SIZE']}} {{run.step}} {{run.history.bits[-1].hex()}}\\n")
        time.sleep(0.05)
    def end(self, run): pass

torch.manual_seed(int(os.environ["RANK"]))
model = WaveNet(WaveNetConfig(10, n_blocks=1, n_layers=5, residual_channels=8, gate_channels=6, skip_channels=8))
train.train(model, bundled_clips(8), steps={STEPS}, window=500, batch_size=4, watch=Lines(), progress=False,
            checkpoints=Checkpoints(sys.argv[1] + "/run", steps={EVERY}, minutes=None))
"""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Hosts:
    """Two namespaces joined by a virtual cable, and a torchrun in each."""

    def __init__(self, folder: Path):
        self.folder, self.names = folder, [f"wnl{os.getpid()}a", f"wnl{os.getpid()}b"]
        self.agents: list[subprocess.Popen | None] = [None, None]
        (folder / "job.py").write_text(JOB)

    def connect(self) -> None:
        for name in self.names:
            ip("netns", "add", name)
        ip("link", "add", "v0", "netns", self.names[0], "type", "veth", "peer", "name", "v1", "netns", self.names[1])
        for i, name in enumerate(self.names):
            ip("-n", name, "addr", "add", f"10.9.0.{i + 1}/24", "dev", f"v{i}")
            for device in (f"v{i}", "lo"):
                ip("-n", name, "link", "set", device, "up")

    def start(self, i: int) -> None:
        own = {"GLOO_SOCKET_IFNAME": f"v{i}", "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
        command = ["ip", "netns", "exec", self.names[i], sys.executable, "-m", "torch.distributed.run"]
        command += ["--nnodes=1:2", "--nproc-per-node=1", "--max-restarts=5", "--rdzv-backend=c10d", "--rdzv-id=job"]
        command += ["--rdzv-endpoint=10.9.0.1:29500", f"--local-addr=10.9.0.{i + 1}"]
        command += [f"--rdzv-conf=is_host={int(i == 0)},last_call_timeout=5,keep_alive_interval=2"]
        with (self.folder / f"log{i}").open("a") as log:
            self.agents[i] = subprocess.Popen(
                [*command, str(self.folder / "job.py"), str(self.folder)], env=os.environ | own, stdout=log, stderr=log
            )

    def processes(self, i: int) -> list[int]:
        found = subprocess.run(["ip", "netns", "pids", self.names[i]], capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def kill(self, i: int) -> None:
        for pid in self.processes(i):
            os.kill(pid, signal.SIGKILL)

    def lines(self) -> list[tuple[str, int, float]]:
        path = self.folder / "lines"
        split = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(world, int(step), float.fromhex(bits)) for world, step, bits in split]

    def wait(self, is_so: Callable[[list[tuple[str, int, float]]], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not is_so(self.lines()):
            assert time.monotonic() < end, [(self.folder / f"log{i}").read_text()[-2000:] for i in (0, 1)]
            time.sleep(0.2)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    if not sys.platform.startswith("linux") or shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("needs the command ip, and root, to make network namespaces")
    hosts = Hosts(tmp_path)
    try:
        try:
            hosts.connect()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        yield hosts
    finally:
        for i, name in enumerate(hosts.names):
            hosts.kill(i)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def test_a_host_is_lost_and_comes_back(hosts: Hosts) -> None:
    hosts.start(0)
    hosts.start(1)
    hosts.wait(lambda lines: len(lines) > 3 * EVERY)
    hosts.kill(1)
    hosts.wait(lambda lines: bool(lines) and lines[-1][0] == "1")
    hosts.start(1)
    hosts.wait(lambda lines: bool(lines) and lines[-1][1] == STEPS)
    seen: dict[int, list[float]] = defaultdict(list)
    for _, step, bits in hosts.lines():
        seen[step].append(bits)
    assert sorted(seen) == list(range(1, STEPS + 1)), "no step is missing"
    worlds = [world for world, *_ in hosts.lines()]
    changes = [b for a, b in itertools.pairwise(worlds) if a != b]
    assert worlds[0] == "2"
    assert changes == ["1", "2"]
    assert sum(len(bits) - 1 for bits in seen.values()) <= 2 * EVERY, (
        "no more is done twice than since the last checkpoint"
    )
    for bits in seen.values():
        assert bits == pytest.approx([bits[0]] * len(bits), abs=1e-5)
