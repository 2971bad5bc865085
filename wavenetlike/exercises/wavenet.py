"""Checks of notebook 4: what generation keeps, and a model that sees its target."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from wavenetlike.exercises.answers import Wrong, compare, counted, made, tensor, unsealed
from wavenetlike.exercises.verdict import Check


def _queues(answer: Any) -> None:
    """How many numbers all thirty queues of `build_wavenet()` hold together while one sound is generated; a whole number."""
    right = unsealed("OTgyMDg=")
    channels = 32
    mistakes = {
        "Those are the columns that are kept: each has a number for every residual channel.": right / channels,
        "Δ counts the newest sample, too, which stands in no queue.": right + channels,
        "That is for one block of ten layers; there are three.": right / 3,
        "That is the longest queue alone: each layer has one of its own, as long as its dilation.": 512.0 * channels,
        "What is kept is a layer's input, of 32 residual channels; the skip sum of 512 is made anew for each sample.": right
        * 16,
        "That is one number for each layer and channel: a queue is as long as the layer's dilation.": 30.0 * channels,
        "Filter and gate share one queue: both look at the same inputs.": right * 2,
    }
    counted(answer, right, mistakes, ": a queue of each layer, as long as its dilation, of all its channels.")


def _residual(answer: Any) -> None:
    """A function (h, z, to_residual, to_skip) → (h of the next layer, skip): activations h (channels, time), z (gate, time), weights (channels, gate) and (skip, gate) of the two 1×1 convolutions; right within 0.00001."""
    draw = torch.Generator().manual_seed(0)
    h, z = (torch.randn(n, 7, generator=draw, dtype=torch.float64) for n in (4, 3))
    to_residual, to_skip = (torch.randn(n, 3, generator=draw, dtype=torch.float64) for n in (4, 5))
    both = made(answer, h, z, to_residual, to_skip)
    if not isinstance(both, (tuple, list)) or len(both) != 2:
        raise Wrong("Two things were asked for: the next layer's h, and what goes to the skip sum.")
    into, skip = to_residual @ z, to_skip @ z
    if all(isinstance(each, Tensor) for each in both) and both[0].shape == skip.shape and both[1].shape == h.shape:
        raise Wrong("The two are in each other's place: first the next layer's h, then the skip.")
    mistakes = {
        "The layer's input is missing: a residual way *adds* to h.": into,
        "h goes on as it came: z is missing.": h,
        "z is taken away, and not added.": h - into,
        "h is multiplied: a residual way adds.": h * into,
        "The sum is right, and half of it is returned: nothing has to be averaged.": (h + into) / 2,
    }
    compare(
        tensor(both[0], h),
        h + into,
        mistakes,
        "The next layer's h is h, and to it added z through its 1×1 convolution.",
    )
    mistakes = {
        "The next layer's h is right. The ReLU comes later, on the sum of all layers.": skip.relu(),
        "The next layer's h is right. The skip is no residual way: nothing is added to it.": skip + h.mean(0),
    }
    compare(
        tensor(both[1], skip),
        skip,
        mistakes,
        "The next layer's h is right. The skip is z through its own 1×1 convolution, with nothing added.",
    )


def _leak(answer: Any) -> None:
    """A function (x, kernel, dilation) → y (time,), y_t = Σ_i kernel[i]·x_{t-(k-1-i)·dilation} with 0 for what is before the first sample; right within 0.00001."""
    x = torch.randn(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for kernel, dilation in (
        (torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64), 3),
        (torch.tensor([1.0, 3.0], dtype=torch.float64), 1),
    ):
        far = (len(kernel) - 1) * dilation
        right = _convolved(pad(x, (far, 0)), kernel, dilation)
        mistakes = {
            "It still sees its target: the zeros are on both sides, so an output looks ahead.": _convolved(
                pad(x, (far // 2, far - far // 2)), kernel, dilation
            ),
            "It sees all of its future: the zeros stand behind the samples.": _convolved(
                pad(x, (0, far)), kernel, dilation
            ),
            "It still sees its target: shifted by one, y_t has x_{t+1} in it.": _convolved(
                pad(x, (far - 1, 1)), kernel, dilation
            ),
            "It is causal, and one sample late: the newest tap lies on x_t itself.": _convolved(
                pad(x, (far + 1, -1)), kernel, dilation
            ),
            "The kernel is turned round: its last weight belongs to the newest sample.": _convolved(
                pad(x, (far, 0)), kernel.flip(0), dilation
            ),
            "The dilation is left out.": _convolved(pad(x, (len(kernel) - 1, 0)), kernel, 1),
        }
        compare(
            tensor(made(answer, x, kernel, dilation), right),
            right,
            mistakes,
            "Some outputs are others than they should be: try a single 1 among zeros, and look where it goes.",
        )


def _convolved(x: Tensor, kernel: Tensor, dilation: int) -> Tensor:
    return torch.nn.functional.conv1d(x[None, None], kernel[None, None], dilation=dilation)[0, 0]


check_leak = Check("a model that sees its target", 4, _leak, "Nothing of the future is left in it.")
check_queues = Check(
    "numbers in the queues", 4, _queues, "As many columns as Δ has past samples, each of all channels."
)
check_residual = Check("two ways out of a layer", 4, _residual, "One to the next layer, one straight to the output.")
