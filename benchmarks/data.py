"""How fast training examples come, and in how much memory: WAV files decoded each time beside codes encoded once.

    python benchmarks/data.py [--clips 105829] [--folder DIR]

A tenth of the clips first, then all: the memory should be the same. The clips are synthetic, one second each; reading does
not depend on what is in them. Needs 16 kB of disk a clip, and 32 kB for each of the 2,000 that are written as WAV, too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import torch
from tqdm.auto import tqdm

from wavenetlike import MuLaw
from wavenetlike.data import Clips, EncodedClips, Windows
from wavenetlike.data.clips import Item

N_WAV = 2000
N_READ = 20_000
DELTA, TARGETS = 3070, 4000


class Synthetic(torch.utils.data.Dataset[Item]):
    """Noise of one second, as many clips as one likes, each another one."""

    def __init__(self, n: int):
        self.n = n
        self.noise = torch.rand(1, 32000) * 2 - 1

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Item:
        start = index % 16000
        return self.noise[:, start : start + 16000], 16000, f"word{index % 35}", f"speaker{index % 2600}"

    def __iter__(self) -> Iterator[Item]:
        return (self[i] for i in range(self.n))


def rate(read: Callable[[int], object], n: int, of: int) -> float:
    """Clips per second over ``n`` reads at random places among ``of``."""
    places = np.random.default_rng(0).integers(of, size=n).tolist()
    start = time.perf_counter()
    for place in places:
        read(place)
    return n / (time.perf_counter() - start)


def peak() -> int:
    """Most memory that this process held so far, in MB."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) // 1024


def encode(folder: Path, n: int) -> None:
    """In a process of its own: what it needs above torch, and how fast it is."""
    before = peak()
    start = time.perf_counter()
    EncodedClips.write(Synthetic(n), folder, progress=False)
    seconds = time.perf_counter() - start
    size = (folder / "codes.bin").stat().st_size
    print(f"  encoding: {n / seconds:,.0f} clips/s, {size / 1e9:.2f} GB, {peak() - before} MB above torch")


def read(folder: Path) -> None:
    """In a process of its own: reading whole clips, and the windows of training steps."""
    before = peak()
    encoded = EncodedClips(folder)
    clips = rate(encoded.codes.__getitem__, N_READ, len(encoded))
    windows = Windows(encoded.codes, DELTA, TARGETS)
    steps = rate(lambda step: windows.batch(step, 1), N_READ, len(windows))
    print(f"  reading: {clips:,.0f} clips/s, {steps:,.0f} windows/s, {peak() - before} MB above torch")


def wav(folder: Path) -> None:
    """Decoding and quantizing WAV files each time they are asked for."""
    (folder / "word").mkdir(parents=True)
    for i, (waveform, *_) in enumerate(tqdm(Synthetic(N_WAV), desc="writing WAV", leave=False)):
        soundfile.write(folder / "word" / f"v{i}_nohash_0.wav", waveform[0].numpy(), 16000)
    clips, mu_law = Clips(folder), MuLaw(256)
    decoded = rate(clips.__getitem__, N_READ, N_WAV)
    coded = rate(lambda i: mu_law.encode(clips[i][0]), N_READ, N_WAV)
    print(f"WAV each time: {decoded:,.0f} clips/s decoded, {coded:,.0f} clips/s decoded and quantized")


def main() -> None:
    """The steps in order, those whose memory is measured in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=105_829)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--part", choices=["encode", "read"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.part:
        return encode(options.folder, options.clips) if options.part == "encode" else read(options.folder)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        wav(Path(folder, "wav"))
        for n in (options.clips // 10, options.clips):
            print(f"{n:,} clips", flush=True)
            for part in ("encode", "read"):
                command = [sys.executable, __file__, "--part", part, "--clips", str(n), "--folder", f"{folder}/{n}"]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
