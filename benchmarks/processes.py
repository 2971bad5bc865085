"""How much faster two processes train than one, at one thread each, and how far their losses differ.

    python benchmarks/processes.py [--steps 20] [--rounds 2]

Batches of four windows of 4,000 + Δ samples, shared between the processes; of each round the median step, without the first five. Rounds of
one and of two processes take turns, and the best of each are compared: other work on the machine only adds time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from wavenetlike import build_wavenet, build_wavenet_toy, train
from wavenetlike.data import bundled_clips

BUILDS = {"full": build_wavenet, "toy": build_wavenet_toy}
LEFT_OUT = 5


class Clock:
    """Notes when each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def start(self, run: train.Run) -> None: ...

    def step(self, run: train.Run) -> None:
        self.ends.append(time.perf_counter())

    def end(self, run: train.Run) -> None: ...


def learn(name: str, steps: int, path: Path) -> None:
    """Train one model in this process, or this one's share of it, and write what was seen to ``path``."""
    torch.manual_seed(0)
    clock = Clock()
    model = BUILDS[name]()
    history = train.train(
        model, bundled_clips(), steps=steps, batch_size=4, learning_rate=2e-3, watch=clock, progress=False
    )
    if os.environ["RANK"] == "0":
        ends = clock.ends[LEFT_OUT:]
        seconds = statistics.median(end - start for start, end in itertools.pairwise(ends))
        path.write_text(json.dumps({"bits": history.bits, "seconds": seconds}))


def launched(n: int, name: str, steps: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seen.json"
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n}"]
        command = [*torchrun, __file__, "--steps", str(steps), "--name", name, "--to", str(path)]
        subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
        seen: dict[str, Any] = json.loads(path.read_text())
        return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--name", choices=BUILDS, help=argparse.SUPPRESS)
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.name:
        learn(options.name, options.steps, options.to)
        return
    for name in BUILDS:
        seen = [[launched(n, name, options.steps) for n in (1, 2)] for _ in range(options.rounds)]
        one, two = (min(round["seconds"] for round in rounds) for rounds in zip(*seen, strict=True))
        differences = [abs(a - b) for a, b in zip(*(run["bits"] for run in seen[0]), strict=True)]
        print(
            f"{name}: one process {one:.3f} s a step, two {two:.3f} s, {one / two:.2f} × as fast; losses differ by "
            f"{max(differences[:5]):.0e} at most in the first 5 steps, {max(differences):.0e} in {options.steps}"
        )


if __name__ == "__main__":
    main()
