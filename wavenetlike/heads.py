"""What is predicted: each head owns its loss and its sampling, so that the two cannot disagree.

A head reads a network's outputs (batch, channels, time), where time t describes the distribution of x_{t+1}.
"""

from __future__ import annotations

import enum
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

IGNORED = -100
"""Stands among target codes where none is to be predicted; torch's cross-entropy leaves it out of the mean."""


class MSEHead(nn.Module):
    """The prediction is the mean, the loss the mean squared error; least squares by another name.

    Taught in notebooks/01_ar2_weight_recovery.ipynb.
    """

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (batch, 1, time) and targets (batch, time) → mean squared error, in the data's squared units."""
        return F.mse_loss(outputs[:, 0], targets)

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Outputs (batch, 1) → the prediction itself (batch,): this head knows no spread to draw from."""
        return outputs[:, 0]


class GaussianHead(nn.Module):
    """p(x_{t+1} | past) = N(mean, σ²) with one learned σ: a discriminative Gaussian model.

    Minimizing its negative log-likelihood gives the least-squares mean, and for σ the root of the mean squared
    residual. Taught in notebooks/01_ar2_weight_recovery.ipynb.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.zeros(()))

    @property
    def sigma(self) -> float:
        """The learned standard deviation, in the data's units."""
        return math.exp(self.log_sigma.item())

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (batch, 1, time) and targets (batch, time) → mean negative log-likelihood, in nats per sample."""
        z = (targets - outputs[:, 0]) * torch.exp(-self.log_sigma)
        return (z.square() / 2).mean() + self.log_sigma + math.log(2 * math.pi) / 2

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Outputs (batch, 1) → a draw of x_{t+1} (batch,)."""
        mean = outputs[:, 0]
        return mean + self.log_sigma.exp() * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)


class SoftmaxHead(nn.Module):
    """A probability for each µ-law code (WaveNet, section 2.2). Taught in notebooks/03_toy_wavenet.ipynb."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Logits (batch, levels, time) and codes (batch, time) → mean negative log-likelihood, in bits per sample.

        Codes that are `IGNORED` do not count.
        """
        return F.cross_entropy(outputs.mT.flatten(0, 1), targets.flatten(), ignore_index=IGNORED) / math.log(2)

    def noise(self, n: int, batch: int, levels: int, generator: torch.Generator | None = None) -> Tensor:
        """What decides n draws: standard Gumbel numbers, float32 (n, batch, levels), from a CPU generator; None: torch's global one.

        The largest of logits + Gumbel noise is a draw from softmax(logits) (Gumbel, 1954). Noise comes before any logits are known, and
        the same draws follow from it whoever computes them; drawn in one piece or in several it is the same.
        """
        # NumPy's logarithm, since torch's would wake threads that then wait busily, in the way of those that generate.
        x = torch.rand(n, batch, levels, generator=generator, dtype=torch.float32, device="cpu").numpy()
        with np.errstate(divide="ignore"):
            return torch.from_numpy(-np.log(-np.log(x)))

    def sample(
        self, outputs: Tensor, noise: Tensor | None, temperature: float = 1.0, top_k: int | None = None
    ) -> Tensor:
        """Logits (batch, levels) → codes (batch,): drawn from softmax(logits / temperature) with one sample's `noise`, or the likeliest.

        Args:
            outputs: logits.
            noise: (batch, levels); None takes the likeliest code.
            temperature: above 0.
            top_k: draw only from this many likeliest codes, 1 … levels; None: from all.
        """
        if noise is None:
            return outputs.argmax(dim=1)
        # The likeliest at 0 first, or a very low temperature would make all of them infinite; no float32 is below 1e-45.
        scores = (outputs - outputs.amax(dim=1, keepdim=True)) / max(temperature, LEAST_TEMPERATURE) + noise
        if top_k is not None:
            least = outputs.topk(top_k, dim=1).values[:, -1:]
            scores = scores.masked_fill(outputs < least, -math.inf)
        return scores.argmax(dim=1)


LEAST_TEMPERATURE = 1e-30
"""Below it 1 / temperature is no float32 any more, and draws are the likeliest codes anyhow."""


class Losses(enum.Enum):
    """The heads that `train_stack_ar` can put behind a stack: `MSEHead`, `GaussianHead`."""

    mse = "mse"
    gaussian = "gaussian"
