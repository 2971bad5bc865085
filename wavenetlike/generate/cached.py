"""The cached way (Fast WaveNet, Paine et al., 2016): each layer keeps its past inputs in a queue, and computes one column a sample.

A queue is a ring, so that nothing has to move: the newest input takes the place of the oldest::

    dilation 4, before x4      x0 x1 x2 x3      sees x0 and x4
                after x4       x4 x1 x2 x3      next time x1 and x5
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from wavenetlike.layers import CausalConv1d
from wavenetlike.models import WaveNet


@dataclasses.dataclass
class Queues:
    """All that the cached method remembers between two samples; `step` writes to it in place.

    Attributes:
        inputs: for each convolution that looks back, from the input on, its past inputs: (batch, channels, n) with n = Δ of the
            convolution - 1, and the input of time t in place t mod n.
        time: of the next sample; 0 at the start.
    """

    inputs: list[Tensor]
    time: int = 0


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
    """The queues and the newest code (batch,) → the same queues, one sample later, and the logits (batch, levels) of the next code."""

    def look_back(i: int, conv: CausalConv1d, x: Tensor) -> Tensor:
        ring = queues.inputs[i]
        n = ring.shape[2]
        seen = [ring[..., (queues.time + tap * conv.dilation) % n, None] for tap in range(conv.kernel_length - 1)]
        window = torch.cat([*seen, x], dim=2)
        if n:
            ring[..., queues.time % n] = x[..., 0]
        return window

    logits = column(model, newest, look_back)
    queues.time += 1
    return queues, logits


def column(model: WaveNet, newest: Tensor, look_back: Callable[[int, CausalConv1d, Tensor], Tensor]) -> Tensor:
    """One column of every layer: the newest code (batch,) → the logits (batch, levels) of the next.

    ``look_back(i, conv, x)`` gives what convolution i of those that look back sees, (batch, channels, taps), its newest input x last,
    and remembers x. That is a convolution without dilation.
    """
    x = model.embedding(newest)[..., None]
    if model.first is not None:
        x = F.conv1d(look_back(0, model.first, x), model.first.weight, model.first.bias)
    gated = []
    for i, layer in enumerate(model.layers, start=model.first is not None):
        conv: CausalConv1d = layer.gated.conv  # type: ignore[union-attr, assignment]
        filter, gate = F.conv1d(look_back(i, conv, x), conv.weight, conv.bias).chunk(2, dim=1)
        gated.append(torch.tanh(filter) * torch.sigmoid(gate))
        if layer.residual is not None:
            x = x + layer.residual(gated[-1])  # type: ignore[operator]
    return model.skip_head(gated)[..., 0]


def _newest(x: Tensor, n: int) -> Tensor:
    return x[..., x.shape[-1] - n :].clone()
