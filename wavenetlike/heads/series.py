"""What is predicted of a series of numbers: the heads that `train_stack_ar` puts behind a linear stack."""

from __future__ import annotations

import enum
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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


class Losses(enum.Enum):
    """The heads that `train_stack_ar` can put behind a stack: `MSEHead`, `GaussianHead`."""

    mse = "mse"
    gaussian = "gaussian"
