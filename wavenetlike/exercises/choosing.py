"""What notebook 6 asks: four series to find out about, independent samples, an order, information, a better model."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from wavenetlike.analysis import evaluate
from wavenetlike.data import ar_process, seasonal_ar, threshold_ar
from wavenetlike.exercises.answers import Wrong, counted, made, number, unsealed
from wavenetlike.exercises.verdict import Check
from wavenetlike.models import WaveNet, WaveNetConfig
from wavenetlike.train import train


def strangers() -> dict[str, Tensor]:
    """Four series that a student knows nothing about, float32 (24000,) each within ±0.98. Used in notebooks/06_choosing_a_model.ipynb."""
    rules = {
        "A": seasonal_ar(12, 0.75, 24_000, seed=1),
        "B": threshold_ar(24_000, lag=3, seed=0),
        "C": ar_process([1.6, -0.9], 24_000, seed=0),
        "D": ar_process([], 24_000, seed=0),
    }
    return {name: (0.98 * x / x.abs().max()).float() for name, x in rules.items()}


def _count(answer: Any) -> None:
    """To how many independent samples 1,900 of x_t = 0.9·x_{t-1} + ε_t amount, if the mean is asked for; right within 1%."""
    right = unsealed("MTAw")
    mistakes = {
        "That is the integrated length: 19 samples say as much as one independent one. And 1,900 of them?": 19.0,
        "You divided by 1 + 9. Each sample has neighbours on both sides: the sum counts twice.": 190.0,
        "The sample itself, ρ_0 = 1, counts too: 1 + 2·Σ.": 1900 / 18,
        "The sample itself, ρ_0 = 1, counts too, and the sum counts twice: 1 + 2·Σ.": 1900 / 9,
        "They are multiplied: correlated samples say less than independent ones, and not more.": 1900 * 19.0,
        "All of them? Neighbours say much the same: each is 0.9 of the one before.": 1900.0,
    }
    counted(answer, right, mistakes, ". Divide 1,900 by the integrated length, 1 + 2·Σ ρ_k.", 0.01)


ORDERS = {
    "3,000 samples of white noise": ([], 3000, 6, 0),
    "3,000 samples of an AR(2)": ([0.5, 0.3], 3000, 6, 2),
    "3,000 samples of an AR(4) with two weights of 0": ([0.3, 0.0, 0.0, 0.4], 3000, 6, 4),
    "3,000 samples of an AR(1) of 0.07": ([0.07], 3000, 6, 1),
    "60 samples of an AR(1) of 0.3": ([0.3], 60, 4, 1),
    "60,000 samples of an AR(1) of 0.01, too little to pay": ([0.01], 60_000, 5, 0),
}
"""By kind: the weights, how many samples, the seed, and the order that BIC takes."""


def _order(answer: Any) -> None:
    """A function (series) → the order 0 … 10 of the AR with the smallest n·ln σ² + k·ln n, of a series (time,)."""
    for kind, (weights, n, seed, right) in ORDERS.items():
        found = number(made(answer, ar_process(weights, n, seed=seed)))
        if found == right:
            continue
        told = f"For {kind} yours is {found:g}"
        if found != int(found) or not 0 <= found <= 10:
            raise Wrong(f"{told}; an order is a whole number from 0 to 10.")
        if found == 10:
            raise Wrong(
                f"{told}, the largest: each further weight lowers σ a little, so it must cost something, k·ln n."
            )
        if found == 1 and not weights:
            raise Wrong("For white noise it must be 0: did you try k = 0, with series.std() as σ?")
        if found < right:
            raise Wrong(
                f"{told}, too short: is the price ln n for every length, and the rest 2·n·ln σ? And take the best of all eleven, not the first that is better than the next."
            )
        raise Wrong(
            f"{told}, too long: does each weight cost ln n, the logarithm of *this* series' length, and is the rest n·ln σ², which is 2·n·ln σ?"
        )


def _information(answer: Any) -> None:
    """A function (u, v) → the mutual information in bits of two tensors of whole numbers (n,), by counting; right within 0.0001."""
    u, coin = torch.tensor([-1, 0, 1] * 100), torch.tensor([0, 0, 1, 1] * 100)
    cases = {
        "a coin and itself": (coin, coin, 1.0),
        "two coins that have nothing to do with one another": (coin, torch.tensor([0, 1, 0, 1] * 100), 0.0),
        "u and |u|": (u, u.abs(), math.log2(3) - 2 / 3),
        "u and |u| + 5": (u, u.abs() + 5, math.log2(3) - 2 / 3),
    }
    for name, (one, other, right) in cases.items():
        found = made(answer, one, other)
        if isinstance(found, (float, Tensor)) and math.isnan(float(found)):
            raise Wrong(
                "That is nan: a pair that never comes has p = 0, and 0·log 0 counts as 0; leave it out of the sum."
            )
        found = number(found)
        if abs(found - right) < 1e-4:
            continue
        told = f"For {name}: {found:.3f}"
        if abs(found + right) < 1e-4:
            raise Wrong(f"{told}; the sign is wrong: it is p(u, v) that stands above the line.")
        if abs(found - right * math.log(2)) < 1e-3:
            raise Wrong(f"{told}, which is in nats; a logarithm to base 2 makes bits.")
        if abs(found) > 10:
            raise Wrong(f"{told}; are these counts? Probabilities are counts divided by n.")
        raise Wrong(f"{told}. Is each logarithm weighted by p(u, v), and are p(u), p(v) those of its own pair?")


SUGGESTED = WaveNetConfig(
    levels=32, n_blocks=1, n_layers=1, kernel_length=12, residual_channels=8, gate_channels=8, skip_channels=32
)
"""What `suggest` says first of series A."""


@functools.cache
def _bits(config: WaveNetConfig) -> float:
    """On samples 16,000 to 19,999 of series A, after 120 short steps on those before."""
    series = strangers()["A"][None]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = WaveNet(config)
        train(model, [(series[:, :16_000], 1, "", "")], steps=120, window=2000, learning_rate=1e-2, progress=False)
    return evaluate(model, [(series[:, 16_000:20_000], 1, "", "")])[-1].bits


def _better(answer: Any) -> None:
    """A `WaveNetConfig` for series A with 32 levels and at most 5,000 parameters that needs at least 0.02 bits per sample fewer than the suggested one, by the same short training."""
    if not isinstance(answer, WaveNetConfig):
        raise Wrong(
            f"That is a {type(answer).__name__}; a WaveNetConfig was asked for: dataclasses.replace(suggested, …)."
        )
    if answer.levels != 32:
        raise Wrong("Keep 32 levels: bits of other codes do not compare.")
    if answer.condition is not None:
        raise Wrong("Leave the condition out: there is nothing to tell of this series.")
    if answer.parameters > 5000:
        raise Wrong(f"It has {answer.parameters:,} parameters; at most 5,000 were asked for.")
    if answer.receptive_field < 12:
        raise Wrong(f"Δ = {answer.receptive_field}: does it reach the sample a season ago?")
    bits, before = _bits(answer), _bits(SUGGESTED)
    if bits > before - 0.02:
        raise Wrong(
            f"{bits:.3f} bits with Δ = {answer.receptive_field} and {answer.parameters:,} parameters, where the suggestion needs {before:.3f}. Does it see lags that tell nothing? Would a head with fewer numbers to learn be quicker?"
        )


check_count = Check("independent samples", 6, _count, "1 + 2·Σ ρ_k of them say as much as one.")
check_order = Check(
    "an order by BIC", 6, _order, "For every length. A weight of 0 in between costs as much as another one."
)
check_information = Check(
    "information by counting", 6, _information, "Whatever the values are: it only counts which come together."
)
check_better = Check(
    "better than the suggestion",
    6,
    _better,
    "Fewer bits. How many are left on samples that you have not tried configs on?",
)
