"""How long one training step takes, beside a textbook's and beside what its products alone would take.

    python benchmarks/train.py [--rounds 9] [--bfloat16] [--compiled]

One clip of a second at 16 kHz, one process: forward, loss, backward, clipping, Adam. The floor is the floating-point operations that the
loss needs (forward and twice as many backward, every layer no longer than it has to be) at the rate of this machine in a product of two
float32 matrices of 2048 × 2048. All are measured in turns, and the best of each is compared: other work on the machine only adds time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from textbook import textbook_of
from torch import Tensor, nn

from wavenetlike import WaveNet, WaveNetConfig, build_wavenet, build_wavenet_toy

N_CODES = 16_000
SIZE = 2048


def operations(config: WaveNetConfig, n_codes: int) -> int:
    """Of one step on ``n_codes`` codes: two for each multiplication of the loss, three times for forward and backward."""
    width, gate, skip = config.residual_channels, config.gate_channels, config.skip_channels
    length, total = n_codes - 1, 0
    for dilation in config.dilations:
        length -= (config.kernel_length - 1) * dilation
        total += length * (width * config.kernel_length * 2 * gate + gate * width)
    total -= length * gate * width  # the last layer has no residual way
    total += length * (len(config.dilations) * gate * skip + skip * skip + skip * config.levels)
    return 3 * 2 * total


def step_of(model: nn.Module, loss: Callable[[], Tensor], bfloat16: bool = False) -> Callable[[], None]:
    """One step of training, as a function."""
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            bits = loss()
        bits.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimizer.step()

    return step


def bits_of(model: WaveNet, codes: Tensor, forward: Callable[..., Tensor] | None = None) -> Callable[[], Tensor]:
    """The loss of ours, where all of Δ is known."""
    run = model if forward is None else forward
    return lambda: model.head.loss(run(codes[:, :-1], padded=False).float(), codes[:, model.receptive_field :])


def best(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The shortest time of each in seconds, all of them in turns, and the second of two in each turn: steps follow each other."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            work()
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: min(seconds) for name, seconds in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--compiled", action="store_true", help="measure torch.compile, too, which compiles for minutes"
    )
    parser.add_argument(
        "--bfloat16", action="store_true", help="measure bfloat16, too, which is slow where a CPU has no products of it"
    )
    options = parser.parse_args()
    rounds = options.rounds
    square = torch.rand(SIZE, SIZE)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; seconds a step, the best of {rounds}")
    for name, build in (("full", build_wavenet), ("toy", build_wavenet_toy)):
        torch.manual_seed(0)
        model = build()
        codes = torch.randint(model.config.levels, (1, N_CODES))
        textbook = textbook_of(model)
        works: dict[str, Callable[[], object]] = {
            "ours": step_of(model, bits_of(model, codes)),
            "textbook": step_of(textbook, lambda textbook=textbook, codes=codes: textbook.loss(codes)),  # type: ignore[misc]
            "product": lambda: square @ square,
        }
        if options.bfloat16:
            works["bfloat16"] = step_of(model, bits_of(model, codes), bfloat16=True)
        if options.compiled:
            works["compiled"] = step_of(model, bits_of(model, codes, torch.compile(model)))
        seconds = best(works, rounds)
        rate = 2 * SIZE**3 / seconds["product"]
        floor = operations(model.config, N_CODES) / rate
        print(
            f"{name}: {operations(model.config, N_CODES) / 1e9:.1f} GFLOP a step, {floor:.3f} s at {rate / 1e9:.0f} GFLOP/s"
        )
        for kind in [kind for kind in works if kind != "product"]:
            ratios = f"{seconds['textbook'] / seconds[kind]:5.2f} × textbook, {floor / seconds[kind]:.2f} of the floor's rate"
            print(f"  {kind:9} {seconds[kind]:.3f} s, {ratios}")


if __name__ == "__main__":
    main()
