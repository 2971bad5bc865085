"""What is predicted: each head owns its loss and its sampling, so that the two cannot disagree.

A head reads a network's outputs (batch, channels, time), where time t describes the distribution of x_{t+1}. `series` has those for
numbers, as AR(2) gives them; all others predict codes: `codes` says what they have in common, `softmax` knows a probability for each code,
`bins` a density whose bins the codes are. `code_head` builds the one that a config names.
"""

from __future__ import annotations

from wavenetlike.heads.bins import BinnedGaussianHead, BinnedMSEHead, LogisticsHead
from wavenetlike.heads.codes import IGNORED, LEAST_TEMPERATURE, MOST_LEVELS, MOST_TEMPERATURE, CodeHead
from wavenetlike.heads.series import GaussianHead, Losses, MSEHead
from wavenetlike.heads.softmax import SoftmaxHead
from wavenetlike.names import HEADS

__all__ = [
    "HEADS",
    "IGNORED",
    "LEAST_TEMPERATURE",
    "MOST_LEVELS",
    "MOST_TEMPERATURE",
    "BinnedGaussianHead",
    "BinnedMSEHead",
    "CodeHead",
    "GaussianHead",
    "LogisticsHead",
    "Losses",
    "MSEHead",
    "SoftmaxHead",
    "code_head",
]


def code_head(name: str, levels: int, n_mixtures: int = 10) -> CodeHead:
    """The head of that name, one of `HEADS`, for codes 0 … levels - 1; ``n_mixtures`` matters to "logistics" alone."""
    if name == "logistics":
        return LogisticsHead(levels, n_mixtures)
    return {"softmax": SoftmaxHead, "gaussian": BinnedGaussianHead, "mse": BinnedMSEHead}[name](levels)
