"""How fast sound is made, beside the cached algorithm as a textbook writes it.

    python benchmarks/generate.py [--seconds 2] [--rounds 3]

One sound at 16 kHz from untrained weights, from silence on, drawn at temperature 1; all that `generate` does is counted, the first pass over
the receptive field too, but not the compilation, which is timed by itself in a new process with nothing on disk. The methods run in turns,
and the best round of each is compared: other work on the machine only adds time.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetlike import WaveNet, build_wavenet, build_wavenet_toy
from wavenetlike.generate import generate
from wavenetlike.layers import ResidualLayer

RATE = 16_000

COMPILING = """
import time, torch, wavenetlike.generate
start = time.perf_counter()
import wavenetlike.generate.kernel
print(time.perf_counter() - start)
"""


@torch.no_grad()
def textbook(model: WaveNet, n: int) -> Tensor:
    """``n`` codes (n,) by queues, as they are usually written: a queue of past inputs and one conv1d call for filter and gate of each layer."""
    layers, head = [layer for layer in model.layers if isinstance(layer, ResidualLayer)], model.skip_head
    queues: list[deque[Tensor]] = []
    x = model.embedding(torch.full((1, model.receptive_field), model.mu_law.silence)).transpose(1, 2)
    for layer in layers:
        dilation = layer.gated.conv.dilation
        queues.append(deque(x[..., -dilation - 1 : -1].unbind(-1), maxlen=dilation))
        x, _ = layer(x, padded=False)
    assert head.skip.bias is not None
    bias = head.skip.bias.reshape(1, -1, 1)
    skips = [w[..., 0] for w in head.skip.weight.split(model.config.gate_channels, dim=1)]
    code, codes = torch.tensor([model.mu_law.silence]), []
    for _ in range(n):
        x, total = model.embedding(code)[..., None], bias
        for layer, queue, skip in zip(layers, queues, skips, strict=True):
            conv = layer.gated.conv
            window = torch.cat([queue[0][..., None], x], dim=2)
            queue.append(x[..., 0])
            filter, gate = F.conv1d(window, conv.weight, conv.bias).chunk(2, dim=1)
            z = torch.tanh(filter) * torch.sigmoid(gate)
            total = total + skip @ z
            if layer.residual is not None:
                x = x + F.conv1d(z, layer.residual.weight, layer.residual.bias)
        hidden = F.relu(F.conv1d(F.relu(total), head.hidden.weight, head.hidden.bias))
        logits = F.conv1d(hidden, head.out.weight, head.out.bias)[..., 0]
        code = torch.multinomial(logits.softmax(dim=1), 1)[0]
        codes.append(code)
    return torch.cat(codes)


def rate(work: Callable[[], object], n: int) -> float:
    """Samples a second."""
    begin = time.perf_counter()
    work()
    return n / (time.perf_counter() - begin)


def compilation() -> float:
    """Seconds until the compiled method is ready in a process that finds nothing on disk."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        done = subprocess.run(
            [sys.executable, "-c", COMPILING], env=environment, capture_output=True, text=True, check=True
        )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of sound for the compiled method; others make less")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    n = int(options.seconds * RATE)
    print(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}; best of {options.rounds}"
    )
    seconds = [compilation() for _ in range(2)]
    print(f"compilation, nothing on disk: {min(seconds):.1f} s; from disk: {compiled_from_disk():.1f} s")
    for name, build in (("full", build_wavenet), ("toy", build_wavenet_toy)):
        torch.manual_seed(0)
        model = build()
        works: dict[str, tuple[Callable[[], object], int]] = {
            "naive": (lambda model=model: generate(model, 20, method="naive", seed=0), 20),  # type: ignore[misc]
            "textbook": (lambda model=model: textbook(model, 400), 400),  # type: ignore[misc]
            "cached": (lambda model=model: generate(model, 400, method="cached", seed=0), 400),  # type: ignore[misc]
            "compiled": (lambda model=model: generate(model, n, method="compiled", seed=0), n),  # type: ignore[misc]
            "batch of 8": (lambda model=model: generate(model, n, method="compiled", seed=0, batch=8), 8 * n),  # type: ignore[misc]
        }
        if torch.cuda.is_available():
            on_gpu = build().cuda()
            for batch in (1, 8, 64):
                works[f"GPU, {batch}"] = (
                    lambda model=on_gpu, batch=batch: generate(model, n, method="compiled", batch=batch),  # type: ignore[misc]
                    batch * n,
                )
        for work, _ in works.values():
            work()  # nothing is compiled, loaded or first touched in what is measured
        best = dict.fromkeys(works, 0.0)
        for _ in range(options.rounds):
            for kind, (work, count) in works.items():
                best[kind] = max(best[kind], rate(work, count))
        print(f"{name}: {model.config.multiplications:,} multiplications a sample")
        for kind, value in best.items():
            print(
                f"  {kind:10} {value:10,.0f} samples/s, {value / RATE:7.3f} × real time,"
                f" {value / best['textbook']:8.2f} × textbook, {value / best['compiled']:7.4f} × compiled"
            )


def compiled_from_disk() -> float:
    """The same once it is kept."""
    done = subprocess.run([sys.executable, "-c", COMPILING], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
