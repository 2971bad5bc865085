"""Checks of notebook 3: codes of sound, a gated unit, a baseline."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from wavenetlike.exercises.answers import Wrong, among, compare, made, number, tensor
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
        "Divided by all codes: the first has none before it, so one fewer were predicted.": hits / n,
        "Those are the hits: divide by how many codes were predicted.": float(hits),
        "That is in percent; a part lies between 0 and 1.": 100 * hits / (n - 1),
        "That is how often it is wrong.": 1 - hits / (n - 1),
        "That is how often the commonest code comes, another baseline.": 4 / 10,
        "Always right: is each code compared with itself?": 1.0,
    }
    among(found, hits / (n - 1), mistakes, f"For the codes {codes.tolist()} it is {hits} of {n - 1}.")


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


check_encode = Check("µ-law codes", 3, _encode, "Fine near silence, coarse where it is loud.")
check_decode = Check("what a code stands for", 3, _decode, "Every code comes back from what it stands for.")
check_gate = Check("a gated unit", 3, _gate, "A filter that may be negative, and a gate between 0 and 1.")
check_repeat = Check("a baseline", 3, _repeat, "Whoever cannot beat that has learned nothing.")
