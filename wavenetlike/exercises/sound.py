"""Checks of notebooks 3, 4 and 7: codes of sound, what a WaveNet is made of, and how it is sampled."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from wavenetlike.exercises.answers import Wrong, compare, made, number, tensor
from wavenetlike.exercises.verdict import Check
from wavenetlike.quantize import MuLaw


def _encode(answer: Any) -> None:
    """A function (x, levels) → µ-law codes, int64 of the shape of x, of floats in [-1, 1]; right exactly, but where x lies on the edge of two codes."""
    x = torch.linspace(-1, 1, 402).reshape(2, 201)
    for levels in (10, 256, 3):
        mu = levels - 1
        right = MuLaw(levels).encode(x)
        found = made(answer, x, levels)
        companded = x.sign() * torch.log1p(mu * x.abs()) / math.log1p(mu)
        place = (companded + 1) / 2 * mu
        edge = ((place - place.floor()) - 0.5).abs() < 1e-4
        if isinstance(found, Tensor) and found.is_floating_point() and found.shape == x.shape:
            raise Wrong("The codes are floats; they are whole numbers, int64: round them, and call .long().")
        codes = torch.where(edge, right.double(), tensor(found, x))
        mistakes = {
            "Every code is rounded down: take the nearest.": place.floor(),
            "That is even quantization, without a logarithm: small samples get no finer codes.": (
                (x + 1) / 2 * mu + 0.5
            ).floor(),
            "The codes run from -µ to µ: bring [-1, 1] to 0 … µ first.": companded.mul(mu).round(),
            "One too many: the codes begin at 0.": right + 1,
            "It is divided by as many levels, and not by µ = levels - 1.": ((companded + 1) / 2 * levels)
            .floor()
            .clamp(max=mu),
            "The sign is lost: loud negative samples are as loud as positive ones, and yet others.": MuLaw(
                levels
            ).encode(x.abs()),
        }
        mistakes = {hint: torch.where(edge, right.double(), wrong.double()) for hint, wrong in mistakes.items()}
        compare(
            codes,
            right,
            mistakes,
            f"With {levels} levels some codes are others than they should be: which code does 0 get, and which -1 and 1?",
            1e-9,
        )


def _decode(answer: Any) -> None:
    """A function (codes, levels) → the waveform in [-1, 1] that µ-law codes stand for; right within 0.00001."""
    for levels in (10, 256, 3):
        mu = levels - 1
        codes = torch.arange(levels)[None]
        right = MuLaw(levels).decode(codes)
        companded = 2 * codes / mu - 1
        mistakes = {
            "That is still companded: undo the logarithm, too.": companded,
            "The sign is lost: half of the codes stand for negative samples.": right.abs(),
            "The sign is turned: code 0 is -1.": -right,
            "It is not divided by µ at the end.": right * mu,
            "It is divided by as many levels, and not by µ = levels - 1.": _expanded(2 * codes / levels - 1, mu),
            "Codes count from 0: nothing has to be taken off.": _expanded(2 * (codes - 1) / mu - 1, mu),
        }
        compare(
            tensor(made(answer, codes, levels), right),
            right,
            mistakes,
            f"With {levels} levels some samples are others than they should be: what do the first, the last and the middle code stand for?",
        )


def _expanded(companded: Tensor, mu: int) -> Tensor:
    return companded.sign() * torch.expm1(companded.abs() * math.log1p(mu)) / mu


def _repeat(answer: Any) -> None:
    """A function (codes) → the part of codes (time,) that are the same as the one before, which has no such code for the first; right within 0.00001."""
    codes = torch.tensor([3, 3, 5, 5, 5, 2, 2, 9, 3, 3])
    hits, n = int((codes[1:] == codes[:-1]).sum()), len(codes)
    found = number(made(answer, codes))
    mistakes = {
        hits / n: "Divided by all codes: the first has none before it, so one fewer were predicted.",
        float(hits): "Those are the hits: divide by how many codes were predicted.",
        100 * hits / (n - 1): "That is in percent; a part lies between 0 and 1.",
        1 - hits / (n - 1): "That is how often it is wrong.",
        4 / 10: "That is how often the commonest code comes, another baseline.",
        1.0: "Always right: is each code compared with itself?",
    }
    _among(found, hits / (n - 1), mistakes, f"For the codes {codes.tolist()} it is {hits} of {n - 1}.")


def _among(found: float, right: float, mistakes: dict[float, str], otherwise: str) -> None:
    if abs(found - right) <= 1e-5:
        return
    raise Wrong(next((hint for value, hint in mistakes.items() if abs(found - value) <= 1e-5), otherwise))


def _gate(answer: Any) -> None:
    """A function (f, g) → what a gated unit makes of its filter f and its gate g, tensors of one shape; right within 0.00001."""
    f, g = torch.randn(2, 2, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    right = f.tanh() * g.sigmoid()
    mistakes = {
        "The two are mixed up: the *gate* is what lies between 0 and 1.": g.tanh() * f.sigmoid(),
        "They are added: a gate multiplies, so that it can shut.": f.tanh() + g.sigmoid(),
        "The filter goes through unbent: it has a tanh of its own.": f * g.sigmoid(),
        "The gate has no sigmoid: it may be negative, or larger than 1.": f.tanh() * g,
        "Both are a sigmoid: the filter may be negative.": f.sigmoid() * g.sigmoid(),
        "Both are a tanh: a gate that is negative turns its filter round.": f.tanh() * g.tanh(),
        "Only the filter is there: what does the gate do?": f.tanh(),
    }
    compare(
        tensor(made(answer, f, g), right),
        right,
        mistakes,
        "It is tanh of one times sigmoid of the other, element by element.",
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


def _step(answer: Any) -> None:
    """A function (queue, x, kernel) → (y, queue): one step of a layer of kernel 2, kernel = [old, new], whose queue (dilation,) holds the past inputs, the oldest first; right within 0.00001."""
    kernel = torch.tensor([0.5, -2.0], dtype=torch.float64)
    inputs = torch.randn(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for dilation in (4, 1, 2):
        queue: Any = torch.zeros(dilation, dtype=torch.float64)
        for t, x in enumerate(inputs):
            past = inputs[t - dilation] if t >= dilation else torch.zeros((), dtype=torch.float64)
            both = made(answer, queue, x, kernel)
            if not isinstance(both, (tuple, list)) or len(both) != 2:
                raise Wrong("Two things were asked for: the output y, and the queue for the next step.")
            y, queue = number(both[0]), tensor(both[1], torch.zeros(dilation)).clone()
            newest = inputs[t - 1] if t else torch.zeros(())
            mistakes = {
                float(
                    kernel[1] * past + kernel[0] * x
                ): "The weights are mixed up: the first belongs to the old sample.",
                float(
                    kernel[0] * newest + kernel[1] * x
                ): "The newest sample of the queue is taken; the one that lies a dilation back is the oldest.",
                float(kernel[1] * x): "The old sample is left out.",
                float(kernel[0] * past): "The new sample is left out.",
            }
            _among(
                y,
                float(kernel[0] * past + kernel[1] * x),
                mistakes,
                f"The output of step {t} is wrong; was the queue moved on in every step before?",
            )
            if float(queue[-1]) != float(x):
                raise Wrong("The queue does not end with the new sample: it has to be there a dilation later.")


def _temperature(answer: Any) -> None:
    """A function (logits, temperature) → probabilities (levels,) of a softmax at a temperature above 0; right within 0.00001."""
    logits = torch.tensor([2.0, 0.0, -1.0, 4.0], dtype=torch.float64)
    for t in (0.5, 2.0, 1.0):
        right = (logits / t).softmax(0)
        mistakes = {
            "It is multiplied by the temperature: a hot model must be *less* sure.": (logits * t).softmax(0),
            "The probabilities are divided, and not the logits: they do not add up to 1.": logits.softmax(0) / t,
            "Those are logarithms of probabilities.": (logits / t).log_softmax(0),
            "They do not add up to 1: divide by their sum.": (logits / t).exp(),
            "The temperature is left out.": logits.softmax(0),
            "Those are logits still: a softmax is missing.": logits / t,
        }
        mistakes = {hint: wrong for hint, wrong in mistakes.items() if t != 1.0}
        compare(
            tensor(made(answer, logits, t), right),
            right,
            mistakes,
            f"At temperature {t} it should give {[round(float(p), 3) for p in right]} for the logits {logits.tolist()}.",
        )


check_encode = Check("µ-law codes", 3, _encode, "Fine near silence, coarse where it is loud.")
check_decode = Check("what a code stands for", 3, _decode, "Every code comes back from what it stands for.")
check_gate = Check("a gated unit", 3, _gate, "A filter that may be negative, and a gate between 0 and 1.")
check_repeat = Check("a baseline", 3, _repeat, "Whoever cannot beat that has learned nothing.")
check_leak = Check("a model that sees its target", 4, _leak, "Nothing of the future is left in it.")
check_step = Check("the cached step", 7, _step, "One sample for two multiplications, however far back it looks.")
check_temperature = Check("a temperature", 7, _temperature, "Below 1 surer, above 1 bolder.")
