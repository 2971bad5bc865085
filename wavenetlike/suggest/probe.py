"""How long a model takes on this machine: a few steps of training, and a few samples made."""

from __future__ import annotations

import statistics
import time

import torch

from wavenetlike.generate import generate
from wavenetlike.models import WaveNet, WaveNetConfig
from wavenetlike.train import train

STEPS = 4
"""Steps that are timed, after one that is not."""
MADE = 400
"""Samples that are timed."""


@torch.inference_mode(False)
@torch.enable_grad()
def step_seconds(config: WaveNetConfig, window: int, seed: int = 0) -> float:
    """Seconds of a training step of one window, the median of four, on noise: what is learned makes it neither slower nor faster."""
    generator = torch.Generator().manual_seed(int(seed))
    noise = 0.3 * torch.randn(1, config.receptive_field + window, generator=generator)
    clips, clock = [(noise.clamp(-1, 1), 16000, "", "")], _Clock()
    train(built(config, seed), clips, steps=STEPS + 1, window=window, watch=clock, progress=False)
    if len(clock.times) <= STEPS:
        raise KeyboardInterrupt  # which training takes for the wish to end it, and nothing else
    return statistics.median(b - a for a, b in zip(clock.times[:-1], clock.times[1:], strict=True))


def samples_per_second(config: WaveNetConfig, seed: int = 0) -> float:
    """Samples a second that `generate` makes, one sound at a time, once it has begun."""
    model = built(config, seed)
    generate(model, MADE // 2, seed=0)  # compiles
    begin = time.perf_counter()
    generate(model, MADE, seed=0)
    return MADE / (time.perf_counter() - begin)


def built(config: WaveNetConfig, seed: int) -> WaveNet:
    """A model with weights of its own chance, which leaves that of others alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed))
        return WaveNet(config)


class _Clock:
    """Looks at the time after every step."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def start(self, run: object) -> None:
        """Nothing is measured before the first step."""

    def step(self, run: object) -> None:
        self.times.append(time.perf_counter())

    def end(self, run: object) -> None:
        """Nor after the last."""
