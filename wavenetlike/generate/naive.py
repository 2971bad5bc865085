"""The naive way: for every sample the model computes its whole receptive field again."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from wavenetlike.generate.told import Told
from wavenetlike.models import WaveNet


@dataclasses.dataclass(frozen=True, eq=False)
class Window:
    """All that the naive method remembers between two samples.

    Attributes:
        codes: the last Δ and up to rate - 1 more, so that the first begins a column of the context stack, (batch, time).
        told: the condition, and when the first of them is.
    """

    codes: Tensor
    told: Told


def start(model: WaveNet, past: Tensor, told: Told | None = None) -> tuple[Window, Tensor]:
    """Codes (batch, time ≥ Δ) and their condition → those that are still needed, and what the head reads (batch, channels) of the next code."""
    told, n = told or Told(), (past.shape[1] - model.receptive_field) // model.rate * model.rate
    window = Window(past[:, n:], dataclasses.replace(told, time=told.time + n))
    time = torch.tensor([window.told.time])
    return window, model(window.codes, padded=False, condition=told.condition, time=time)[..., -1]


def step(model: WaveNet, window: Window, newest: Tensor) -> tuple[Window, Tensor]:
    """The last Δ codes and the newest (batch,) → the same, one sample later: every layer computes all of Δ again."""
    return start(model, torch.cat([window.codes, newest[:, None]], dim=1), window.told)
