"""Checks of notebook 1: the weights of a process, its likelihood, and how well they can be known."""

from __future__ import annotations

import math
from typing import Any

import torch

from wavenetlike.exercises.answers import compare, counted, made, number, tensor, unsealed
from wavenetlike.exercises.verdict import Check


def _kernel(answer: Any) -> None:
    """Predict the kernel: two numbers in the order in which they stand in ``conv.weight``, for x_t = -0.4·x_{t-1} + 0.5·x_{t-2} + noise; right within 0.05."""
    right = torch.tensor(unsealed("WzAuNSwgLTAuNF0="), dtype=torch.float64)
    mistakes = {
        "The right numbers in the wrong order: which tap of a kernel stands first, the oldest or the newest?": right.flip(
            0
        ),
        "The signs are turned: the noise is x_t *minus* what the past says, and the kernel is what the past says.": -right,
        "A sign is lost: one of the weights is negative.": right.abs(),
        "Those are the samples' places. The weights are asked for, which the series was made with.": torch.tensor(
            [2.0, 1.0]
        ),
    }
    compare(
        tensor(answer, right),
        right,
        mistakes,
        "Least squares finds the weights that the series was made with; look at its equation once more.",
        0.05,
    )


def _likelihood(answer: Any) -> None:
    """A function (x, mean, sigma) → the mean negative log-likelihood of samples x (n,) under Gaussians, in nats; right within 0.00001."""
    generator = torch.Generator().manual_seed(0)
    for sigma in (0.5, 2.0):
        x, mean = torch.randn(2, 50, generator=generator, dtype=torch.float64)
        right = -torch.distributions.Normal(mean, sigma).log_prob(x).mean()
        square = (x - mean).square().mean() / sigma**2 / 2
        found = torch.tensor(number(made(answer, x, mean, sigma)))
        mistakes = {
            "That is the sum over all samples: divide by their number.": right * len(x),
            "The sign is turned: the *negative* log-likelihood falls when the model gets better.": -right,
            "That is in bits: use the natural logarithm, which gives nats.": right / math.log(2),
            "The constant ½·ln 2π is missing: without it the density does not integrate to 1.": right
            - math.log(2 * math.pi) / 2,
            "ln σ is missing: without it a wide Gaussian would cost nothing.": right - math.log(sigma),
            "The square is not divided by 2: look at the exponent of the density.": right + square,
            "The difference is divided by σ, and then squared: σ² stands under it.": right - square + square * sigma,
            "The difference is not squared.": right - square + (x - mean).mean() / sigma**2 / 2,
        }
        compare(
            found,
            right,
            mistakes,
            f"For σ = {sigma} it should be {float(right):.4f}, and yours is {float(found):.4f}: take the logarithm of the density, term by term.",
        )


def _enough(answer: Any) -> None:
    """How many samples make the standard error of b in x_t = -0.4·x_{t-1} + 0.5·x_{t-2} + noise one hundredth; right within 1%."""
    right = unsealed("NzUwMA==")
    mistakes = {
        "That is for a standard error of a tenth: it falls like the *root* of n.": right / 100,
        "Almost: 1/n is for b = 0; the variance has a factor 1 - b².": 1e4,
        "That is 1 - a²: the factor of this process has b in it.": 8400.0,
        "The factor is 1 - b², and not 1 - b.": 5000.0,
        "That is 1 - b²; now n, for which √((1 - b²) / n) is 0.01.": right / 1e4,
    }
    counted(answer, right, mistakes, ": solve √((1 - b²) / n) = 0.01 for n.", 0.01)


check_kernel = Check("the kernel that is learned", 1, _kernel, "The oldest tap stands first: [b, a].")
check_likelihood = Check(
    "the Gaussian loss", 1, _likelihood, "So many nats a sample costs; divided by ln 2, so many bits."
)
check_enough = Check("enough samples", 1, _enough, "Ten times as sure takes a hundred times as many.")
