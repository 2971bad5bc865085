"""How fast one sound is made, beside another WaveNet library for torch: wavenet_vocoder 0.1.1, from PyPI (R. Yamamoto, MIT license).

    python benchmarks/others.py [--seconds 2] [--rounds 3]

Both models are the full WaveNet: 3 blocks of 10 layers, kernel 2, 32 residual, 32 gate and 512 skip channels, 256 levels, untrained.
The other makes it by `incremental_forward`, which also keeps queues, after `make_generation_fast_`, as its own synthesis does.
They run in turns, and the best round of each is compared: other work on the machine only adds time.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable

import torch
from torch.nn.functional import one_hot
from wavenet_vocoder import WaveNet as Other

from wavenetlike import build_wavenet
from wavenetlike.generate import generate

RATE = 16_000


def other_model() -> Other:
    """Its gate channels are counted before they are halved."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = Other(
            out_channels=256, layers=30, stacks=3, residual_channels=32, gate_channels=64, skip_out_channels=512,
            kernel_size=2, dropout=0.0, cin_channels=-1, gin_channels=-1,
        )  # fmt: skip
    model.eval()
    model.make_generation_fast_()
    return model


@torch.no_grad()
def made_by_other(model: Other, n: int) -> None:
    silence = one_hot(torch.tensor([[128]]), 256).transpose(1, 2).float()
    model.incremental_forward(silence, T=n, softmax=True, quantize=True)


def rate(make: Callable[[int], object], n: int) -> float:
    """Samples per second."""
    start = time.perf_counter()
    make(n)
    return n / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description="Generation beside wavenet_vocoder.")
    parser.add_argument("--seconds", type=float, default=2.0, help="of sound by the compiled method")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ours, other = build_wavenet(), other_model()
    assert ours.receptive_field == other.receptive_field
    print(f"{torch.get_num_threads()} threads, {os.cpu_count()} cores, torch {torch.__version__}")
    n, few = round(options.seconds * RATE), 500
    generate(ours, n=100, method="compiled")  # compiles
    ways: dict[str, tuple[Callable[[int], object], int]] = {
        "wavenet_vocoder 0.1.1": (lambda n: made_by_other(other, n), few),
        "cached": (lambda n: generate(ours, n=n, method="cached"), few),
        "compiled": (lambda n: generate(ours, n=n, method="compiled"), n),
    }
    best = dict.fromkeys(ways, 0.0)
    for _ in range(options.rounds):
        for name, (make, length) in ways.items():
            best[name] = max(best[name], rate(make, length))
    for name, found in best.items():
        print(f"{name:22} {found:9,.0f} samples/s  {found / best['wavenet_vocoder 0.1.1']:7.2f} x wavenet_vocoder")


if __name__ == "__main__":
    main()
