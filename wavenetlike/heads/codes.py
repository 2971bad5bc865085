"""What all heads for codes have in common: the loss in bits per sample, so that they compare, and how a draw is begun."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from wavenetlike.checks import check_int

IGNORED = -100
"""Stands among target codes where none is to be predicted, and counts for nothing in the mean."""
LEAST_TEMPERATURE = 1e-30
"""Below it 1 / temperature is no float32 any more, and draws are the likeliest codes anyhow."""
MOST_TEMPERATURE = 1e30
"""Above it a float32 times its temperature may be none any more."""
MOST_LEVELS = 65_536
"""16 bits: what audio files hold."""


class CodeHead(nn.Module):
    """The distribution of the next code, of 0 … levels - 1, from ``channels`` outputs.

    Args:
        levels: number of codes, 2 … 65,536.

    Raises:
        TypeError, ValueError: ``levels`` out of its range.
    """

    channels: int
    """Outputs of the network that it reads."""
    n_components: int
    """Of its density; 0: it has none, but a probability for each code."""
    n_noise: int
    """Random numbers that decide one draw."""

    def __init__(self, levels: int):
        check_int("levels", levels, 2, "10 are coarse, 256 are WaveNet's, 65536 are 16 bits", MOST_LEVELS)
        super().__init__()
        self.levels = levels

    def begin(self, bias: Tensor) -> None:
        """Set the bias (channels,) of the layer that gives the outputs to what they had better be before anything is learned."""

    def log_prob(self, outputs: Tensor, codes: Tensor) -> Tensor:
        """Outputs (batch, channels, time) and codes (batch, time) → ln P(code), (batch, time)."""
        raise NotImplementedError

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (batch, channels, time) and codes (batch, time) → mean negative log-likelihood, in bits per sample.

        Codes that are `IGNORED` do not count.
        """
        is_target = targets != IGNORED
        log_prob = self.log_prob(outputs, targets.clamp(min=0)).masked_fill(~is_target, 0)
        return -log_prob.sum() / is_target.sum() / math.log(2)

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """Outputs (batch, channels, time) → ln P of every code, (batch, levels, time); of all codes together P is 1."""
        batch, _, time = outputs.shape
        every = torch.arange(self.levels, device=outputs.device).repeat_interleave(time).expand(batch, -1)
        return self.log_prob(outputs.repeat(1, 1, self.levels), every).unflatten(1, (self.levels, time))

    def noise(self, n: int, batch: int, generator: torch.Generator | None = None) -> Tensor:
        """What decides n draws, float32 (n, batch, n_noise), from a CPU generator; None: torch's global one.

        It comes before any outputs are known, and the same draws follow from it whoever computes them; drawn in one piece or in several
        it is the same.
        """
        raise NotImplementedError

    def sample(
        self, outputs: Tensor, noise: Tensor | None, temperature: float = 1.0, top_k: int | None = None
    ) -> Tensor:
        """Outputs (batch, channels) → codes (batch,): drawn with one sample's ``noise`` (batch, n_noise), or, for None, the likeliest.

        Args:
            outputs: of the network; for the likeliest also (batch, channels, time), which gives (batch, time).
            noise: from `noise`.
            temperature: above 0; the spread is multiplied by it, and the logits are divided by it.
            top_k: draw only from this many likeliest codes, 1 … levels; None: from all. `SoftmaxHead` alone knows it.
        """
        raise NotImplementedError


def uniform(n: int, batch: int, width: int, generator: torch.Generator | None) -> np.ndarray:
    """Uniform in [0, 1), float32 (n, batch, width)."""
    # NumPy for what follows, since torch's logarithm would wake threads that then wait busily, in the way of those that generate.
    return torch.rand(n, batch, width, generator=generator, dtype=torch.float32, device="cpu").numpy()


def gumbel(x: np.ndarray) -> np.ndarray:
    """Uniform → standard Gumbel numbers: the largest of logits + these is a draw from softmax(logits) (Gumbel, 1954)."""
    with np.errstate(divide="ignore"):
        return -np.log(-np.log(x))
