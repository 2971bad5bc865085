"""Checks of notebook 8: shares of a batch, the speed-up of given machines, a rate for a larger batch, who works for nothing, a cluster."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch

from wavenetlike.analysis import evaluate, step_time
from wavenetlike.data import bundled_clips
from wavenetlike.exercises.answers import Wrong, among, number, numbers, unsealed
from wavenetlike.exercises.verdict import Check
from wavenetlike.models import TOY, WaveNet, WaveNetConfig
from wavenetlike.train import train


def _weights(answer: Any) -> None:
    """Three numbers: with which weights the gradients of ranks 0, 1 and 2, which have three, two and one of six windows, make the gradient of the batch; right within 0.005."""
    weights = numbers(answer, 3)
    if abs(sum(weights) - 1) > 0.01:
        raise Wrong(
            f"They add up to {sum(weights):.3g}, and the weights of a mean add up to 1: divide by the number of all windows."
        )
    if max(weights) - min(weights) < 0.02:
        raise Wrong(
            "That is the mean of means: the one window of rank 2 would count three times as much as each of rank 0."
        )
    if weights[0] < weights[2]:
        raise Wrong("The other way round: who has more windows has more weight.")
    if max(abs(w - m / 6) for w, m in zip(weights, (3, 2, 1), strict=True)) > 0.005:
        raise Wrong("The order is right. The weight of a rank is m_r / m: its windows divided by all windows.")


def _speed_up(answer: Any) -> None:
    """How many times as fast eight machines of 1 TFLOP/s train the toy as one, by 1 Gbit/s and a latency of 100 µs, with 64 windows of 3,232.5 targets a step; right within 0.05."""
    one, eight = (step_time(TOY, n, batch=64, flop_per_second=1e12, bandwidth=1e9 / 8, latency=100e-6) for n in (1, 8))
    found, alone = number(answer), one.total
    share, piece = eight.computing, eight.sending - 14 * 1e-4
    mistakes = {
        "That is the perfect speed-up: add the time of the ring to each step of the eight.": share,
        "Eight bits to a byte: 1 Gbit/s are 0.125e9 bytes per second.": share + 14e-4 + piece / 8,
        "The latency is missing, or is counted once: each of the 14 messages has it.": share + piece,
        "The ring goes round twice, n - 1 rounds to add up and n - 1 to hand on.": share + eight.sending / 2,
        "Sixteen messages are too many: each way round takes n - 1.": share + eight.sending * 16 / 14,
        "A message carries one piece, an eighth of the gradient.": share + 14e-4 + 8 * piece,
    }
    right = alone / eight.total
    speeds = {hint: alone / seconds for hint, seconds in mistakes.items()}
    among(
        found,
        right,
        speeds,
        "Not yet. A step of the eight: the arithmetic of 8 windows, and 14 messages.",
        0.05 / right,
    )


SMALL = WaveNetConfig(levels=10, n_blocks=1, n_layers=6, residual_channels=16, gate_channels=16, skip_channels=32)


@functools.cache
def _bits(rate: float) -> float:
    """Of the small model of notebook 8 after 20 steps of eight windows, on the five clips that it learned from."""
    clips = bundled_clips(5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = WaveNet(SMALL)
        train(
            model,
            clips,
            steps=20,
            window=996,
            batch_size=8,
            learning_rate=rate,
            schedule="constant",
            clip=None,
            progress=False,
        )
    return evaluate(model, clips)[-1].bits


def _rate(answer: Any) -> None:
    """The learning rate that brings the small model of notebook 8 below 0.90 bits per sample in 20 steps of eight windows, as 0.006 does in 160 steps of one."""
    rate, base = number(answer), 0.006
    if rate <= 0:
        raise Wrong(f"{rate:g} leads nowhere, or uphill: a learning rate is above 0.")
    if rate > 10:
        raise Wrong(f"{rate:g} is more than a thousand times the rate of a batch of one; nothing is learned so.")
    if (bits := _bits(rate)) < 0.90:
        return
    if rate == base:
        raise Wrong(
            f"{bits:.3f} bits: with that rate eight times as few steps do not get there. What does the linear rule make of it?"
        )
    if rate < 8 * base:
        raise Wrong(
            f"{bits:.3f} bits: 20 steps of this length do not get there. The linear rule begins from {base}, the rate of a batch of one."
        )
    raise Wrong(
        f"{bits:.3f} bits: these steps are so long that they overshoot. What does the linear rule make of {base}, the rate of a batch of one?"
    )


def _suspects(answer: Any) -> None:
    """Letters in a row: in which of five ways to use two processes they do the same work, or two unrelated works, without any error."""
    if not isinstance(answer, str) or not set(answer.upper()) & set("ABCDE"):
        raise Wrong("Letters from A to E were asked for, in a row and in quotation marks.")
    hints = {
        "A": "A is fine: train.train sees what torchrun tells it, and each process takes four of the eight windows.",
        "B": "Look at B again: who tells the two of each other? Each has a model of its own, and all the windows.",
        "C": "C does not train at all: asked for two processes, it finds one, and that is an error. Nothing silent about it.",
        "D": "Look at D again: the gradients are averaged, but what is the mean of two equal gradients?",
        "E": "E is fine: it starts torchrun itself, and the two share each batch.",
    }
    wrong = sorted((set(answer.upper().replace("AND", "")) & set(hints)) ^ set(unsealed("IkJEIg==")))
    if wrong:
        raise Wrong(hints[wrong[0]])


NETWORKS = {"1 Gbit/s": (1e9 / 8, 50e-6), "10 Gbit/s": (10e9 / 8, 30e-6), "100 Gbit/s": (100e9 / 8, 5e-6)}
"""By name: bytes a second, and seconds until the first arrives."""
STEPS = math.ceil(50 * 4 * 105_829 / 256)
"""Of fifty epochs with 256 windows a step."""


def _minutes(n: int, network: str) -> float:
    bandwidth, latency = NETWORKS[network]
    return STEPS * step_time(WaveNetConfig(), n, bandwidth=bandwidth, latency=latency).total / 60


@functools.cache
def _fewest(network: str) -> int | None:
    return next((n for n in range(1, 1025) if _minutes(n, network) <= 60), None)


def _plan(answer: Any) -> None:
    """For the networks of 1, 10 and 100 Gbit/s the smallest number of GPUs that train the full WaveNet for fifty epochs in an hour, or None where no number does."""
    if not isinstance(answer, (list, tuple)) or len(answer) != 3:
        raise Wrong("Three entries were asked for, one for each network: like [100, 50, None].")
    for n, network in zip(answer, NETWORKS, strict=True):
        right = _fewest(network)
        if n is None:
            if right is not None:
                raise Wrong(
                    f"{network}: some number will do. It has to be 24 times as fast as one; look at the figure."
                )
            continue
        n = number(n)
        if n < 1 or n != int(n) or n > 100_000:
            raise Wrong(f"{network}: {n:g} is no number of GPUs; write a whole number from 1 on, or None.")
        minutes = _minutes(int(n), network)
        if right is None:
            raise Wrong(
                f"{network}: {n:g} take {minutes / 60:.1f} hours, and no number is enough; how high does its curve reach?"
            )
        if minutes > 60:
            raise Wrong(f"{network}: {n:g} take {minutes:.0f} minutes, more than an hour.")
        if n > right:
            raise Wrong(f"{network}: {n:g} make it in time, but fewer would, too. Where does ⌈256 / n⌉ change?")


check_weights = Check("uneven shares", 8, _weights, "Every window counts as much as any other.")
check_speed_up = Check("the speed-up of given machines", 8, _speed_up, "A third of each step is spent on the network.")
check_rate = Check("a rate for a larger batch", 8, _rate, "Fewer than 0.90 bits per sample.")
check_suspects = Check(
    "who does everything twice",
    8,
    _suspects,
    "In both, two processors are busy and the loss falls; only the clock tells.",
)
check_plan = Check(
    "the smallest cluster",
    8,
    _plan,
    "As few as can be. Where ⌈256 / n⌉ stays the same, one GPU more only adds messages.",
)
