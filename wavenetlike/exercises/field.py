"""Checks of notebook 2: how far back a network looks."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from wavenetlike.exercises.answers import Wrong, compare, made, number, tensor
from wavenetlike.exercises.verdict import Check
from wavenetlike.layers import compose, reach
from wavenetlike.models import WaveNetConfig


def _padding(answer: Any) -> None:
    """A function (x, kernel_length, dilation) → x of shape (batch, channels, time) with as many zeros before it as make a convolution causal and as long as x."""
    x = torch.arange(1.0, 13).reshape(1, 2, 6)
    for kernel_length, dilation in ((3, 4), (2, 1), (2, 5), (5, 3), (1, 7)):  # the first tells mistakes apart
        n = (kernel_length - 1) * dilation
        found = made(answer, x, kernel_length, dilation)
        right = _padded(x, n, 0)
        ways = {
            "The zeros stand behind the samples: then an output sees what comes later.": _padded(x, 0, n),
            "There are zeros on both sides: then an output sees half a kernel of what comes later.": _padded(
                x, n // 2, n - n // 2
            ),
            "One zero too many: the newest tap lies on the sample itself.": _padded(x, n + 1, 0),
            "One zero too few: count how far the oldest tap lies back.": _padded(x, n - 1, 0) if n else x,
            "The dilation is left out: taps lie that many samples apart.": _padded(x, kernel_length - 1, 0),
            "That is kernel_length times dilation: of k taps only k - 1 lie in the past.": _padded(
                x, kernel_length * dilation, 0
            ),
            "The zeros are in another dimension than time, the last.": torch.nn.functional.pad(x, (0, 0, n, 0)),
        }
        if isinstance(found, Tensor) and found.shape != right.shape:
            for hint, wrong in ways.items():
                if n and found.shape == wrong.shape and torch.equal(found, wrong.to(found.dtype)):
                    raise Wrong(hint)
        compare(
            tensor(found, right),
            right,
            {hint: wrong for hint, wrong in ways.items() if n},
            "The length is right; the samples themselves must stay as they are, and all that is new is 0.",
        )


def _padded(x: Tensor, before: int, after: int) -> Tensor:
    return torch.nn.functional.pad(x, (before, after))


def _delta(answer: Any) -> None:
    """A function (kernel_length, dilations) → the receptive field Δ in samples of convolutions one after the other."""
    # The first tells mistakes apart.
    cases = [(3, [1, 3, 9]), (2, [1]), (2, [1, 2, 4, 8]), (2, [1, 2, 4, 1, 2, 4]), (1, [5, 5]), (4, [])]
    for kernel_length, dilations in cases:
        right = compose(reach(kernel_length, d) for d in dilations) if dilations else 1
        found = number(made(answer, kernel_length, list(dilations)))
        if found == right:
            continue
        told = f"For a kernel of {kernel_length} and the dilations {dilations} it is {right}, and yours is {found:g}"
        mistakes = {
            right - 1: "the newest sample counts, too",
            right + 1: "one too many: is the newest sample counted twice?",
            1 + kernel_length * sum(dilations): "of k taps only k - 1 lie further back than the newest",
            kernel_length
            * sum(
                dilations
            ): "of k taps only k - 1 lie further back than the newest, and the newest itself counts once",
            1 + sum(dilations): "the kernel's length is left out",
            1 + (kernel_length - 1) * len(dilations): "the dilations are left out",
            math.prod(dilations) * kernel_length: "what layers look back adds up, and is not multiplied",
            1 + (kernel_length - 1) * max(dilations, default=0): "all layers count, and not the widest alone",
        }
        raise Wrong(
            f"{told}: {mistakes.get(int(found) if found == int(found) else -1, 'what each layer looks back adds up')}."
        )


def _memory(answer: Any) -> None:
    """A `WaveNetConfig` that sees at least 100 ms at 16 kHz, with at most 20,000 parameters, γ at most 2,000, and at most 256 levels."""
    if not isinstance(answer, WaveNetConfig):
        raise Wrong(
            f"That is a {type(answer).__name__}; a WaveNetConfig was asked for: WaveNetConfig(n_blocks=…, n_layers=…, …)."
        )
    told = f"Δ = {answer.receptive_field:,}, {answer.parameters:,} parameters, γ = {answer.gamma:,.0f}"
    if answer.receptive_field < 1600:
        raise Wrong(f"{told}: 100 ms are 1,600 samples; which layer adds most to Δ?")
    if answer.parameters > 20_000:
        raise Wrong(f"{told}: at most 20,000 were asked for; which of the widths costs most?")
    if answer.gamma > 2000:
        raise Wrong(f"{told}: γ is too large; more layers, or narrower ones?")


check_padding = Check("causal padding", 2, _padding, "(k - 1)·d zeros, all of them before.")
check_delta = Check("the receptive field", 2, _delta, "Δ = 1 + Σ (k - 1)·d, for every stack.")
check_memory = Check("a memory on a budget", 2, _memory, "Far enough, and cheap enough.")
