"""The cached way (Fast WaveNet, Paine et al., 2016): each layer keeps its past inputs in a queue, and computes one column a sample."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from wavenetlike.models import WaveNet


@dataclasses.dataclass(frozen=True)
class Queues:
    """All that the cached method remembers between two samples.

    Attributes:
        inputs: for each convolution that looks back, from the input on, the past of its input that the next output
            will need, oldest first: (batch, channels, Δ of the convolution - 1).
    """

    inputs: list[Tensor]


def start(model: WaveNet, past: Tensor) -> tuple[Queues, Tensor]:
    """Codes (batch, time ≥ Δ) → the queues, and the logits (batch, levels) of the next code, in one forward pass."""
    x = model.embedding(past).transpose(1, 2)
    queues, gated = [], []
    if model.first is not None:
        queues.append(_newest(x, model.first.receptive_field - 1))
        x = model.first(x, padded=False)
    for layer in model.layers:
        queues.append(_newest(x, layer.receptive_field - 1))  # type: ignore[operator, arg-type]
        x, z = layer(x, padded=False)
        gated.append(_newest(z, 1))
    return Queues(queues), model.skip_head(gated)[..., 0]


def step(model: WaveNet, queues: Queues, newest: Tensor) -> tuple[Queues, Tensor]:
    """The queues and the newest code (batch,) → the same, one sample later: every layer computes one column.

    A queue and the newest input together are exactly what one output of the layer sees, so that the layer itself,
    called on them, gives one column.
    """
    x = model.embedding(newest[:, None]).transpose(1, 2)
    inputs = iter(queues.inputs)
    windows, gated = [], []
    if model.first is not None:
        windows.append(torch.cat([next(inputs), x], dim=-1))
        x = model.first(windows[-1], padded=False)
    for layer in model.layers:
        windows.append(torch.cat([next(inputs), x], dim=-1))
        x, z = layer(windows[-1], padded=False)
        gated.append(z)
    return Queues([window[..., 1:] for window in windows]), model.skip_head(gated)[..., 0]


def _newest(x: Tensor, n: int) -> Tensor:
    return x[..., x.shape[-1] - n :]
