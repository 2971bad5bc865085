"""The naive way: for every sample the model computes its whole receptive field again."""

from __future__ import annotations

import torch
from torch import Tensor

from wavenetlike.models import WaveNet


def start(model: WaveNet, past: Tensor) -> tuple[Tensor, Tensor]:
    """Codes (batch, time ≥ Δ) → the last Δ of them, and the logits (batch, levels) of the next code."""
    window = past[:, -model.receptive_field :]
    return window, model(window, padded=False)[..., 0]


def step(model: WaveNet, window: Tensor, newest: Tensor) -> tuple[Tensor, Tensor]:
    """The last Δ codes and the newest (batch,) → the same, one sample later: every layer computes all of Δ again."""
    return start(model, torch.cat([window, newest[:, None]], dim=1))
