"""Categorical: a probability for each code."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetlike.heads.codes import IGNORED, LEAST_TEMPERATURE, CodeHead, gumbel, uniform


class SoftmaxHead(CodeHead):
    """P(code) = softmax(outputs), one logit a code (WaveNet, section 2.2). Taught in notebooks/03_toy_wavenet.ipynb.

    Args:
        levels: as in `CodeHead`.
    """

    def __init__(self, levels: int):
        super().__init__(levels)
        self.channels = self.n_noise = levels
        self.n_components = 0

    def log_prob(self, outputs: Tensor, codes: Tensor) -> Tensor:
        """Logits (batch, levels, time) and codes (batch, time) → ln P(code), (batch, time)."""
        return outputs.log_softmax(dim=1).gather(1, codes[:, None])[:, 0]

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """As `CodeHead.loss`, in one pass over the logits."""
        return F.cross_entropy(outputs.mT.flatten(0, 1), targets.flatten(), ignore_index=IGNORED) / math.log(2)

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """Logits (batch, levels, time) → ln P of every code, the same shape."""
        return outputs.log_softmax(dim=1)

    def noise(self, n: int, batch: int, generator: torch.Generator | None = None) -> Tensor:
        """Standard Gumbel numbers, one a code: float32 (n, batch, levels)."""
        return torch.from_numpy(gumbel(uniform(n, batch, self.levels, generator)))

    def sample(
        self, outputs: Tensor, noise: Tensor | None, temperature: float = 1.0, top_k: int | None = None
    ) -> Tensor:
        """Logits → codes, drawn from softmax(logits / temperature), or the likeliest; see `CodeHead.sample`."""
        if noise is None:
            return outputs.argmax(dim=1)
        # The likeliest at 0 first, or a very low temperature would make all of them infinite; no float32 is below 1e-45.
        scores = (outputs - outputs.amax(dim=1, keepdim=True)) / max(temperature, LEAST_TEMPERATURE) + noise
        if top_k is not None:
            least = outputs.topk(top_k, dim=1).values[:, -1:]
            scores = scores.masked_fill(outputs < least, -math.inf)
        return scores.argmax(dim=1)
