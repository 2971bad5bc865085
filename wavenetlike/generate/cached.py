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

from wavenetlike.generate.told import Columns, Slow, Told, hear, listen
from wavenetlike.layers import CausalConv1d
from wavenetlike.models import WaveNet


@dataclasses.dataclass
class Queues:
    """All that the cached method remembers between two samples; `step` writes to it in place.

    Attributes:
        inputs: for each convolution that looks back, from the input on, its past inputs: (batch, channels, n) with n = Δ of the
            convolution - 1, and the input of time t in place t mod n.
        columns: what the condition adds to the layers; None: nothing.
        slow: the context stack; None: there is none.
        time: of the next sample; 0 at the start.
    """

    inputs: list[Tensor]
    columns: Columns | None = None
    slow: Slow | None = None
    time: int = 0

    @property
    def added(self) -> Tensor | None:
        """What condition and context add to all layers of the next column, (batch or 1, layers · 2 · gate, 1); None: nothing."""
        added = [] if self.columns is None else [self.columns.at(self.time)]
        added += [] if self.slow is None else [self.slow.added]
        return sum(added[1:], added[0]) if added else None


def start(model: WaveNet, past: Tensor, told: Told | None = None) -> tuple[Queues, Tensor]:
    """Codes (batch, time ≥ Δ) and their condition → the queues, and what the head reads (batch, channels) of the next code, in one forward pass."""
    told, n = told or Told(), past.shape[1]
    x = model.embed(past)
    biases = model.biases(told.condition, torch.tensor([told.time + n + 1]), x)
    x = x[..., n - model.own_receptive_field :]
    queues, gated = [], []
    if model.first is not None:
        queues.append(_newest(x, model.first.receptive_field - 1))
        x = model.first(x, padded=False)
    for layer, added in zip(model.layers, biases, strict=True):
        queues.append(_newest(x, layer.receptive_field - 1))  # type: ignore[operator, arg-type]
        x, z = layer(x, False, added)
        gated.append(_newest(z, 1))
    return Queues(queues, told.columns(model, n), listen(model, past)), model.skip_head(gated)[..., 0]


def step(model: WaveNet, queues: Queues, newest: Tensor) -> tuple[Queues, Tensor]:
    """The queues and the newest code (batch,) → the same queues, one sample later, and what the head reads (batch, channels) of the next code."""

    def look_back(i: int, conv: CausalConv1d, x: Tensor) -> Tensor:
        ring = queues.inputs[i]
        n = ring.shape[2]
        seen = [ring[..., (queues.time + tap * conv.dilation) % n, None] for tap in range(conv.kernel_length - 1)]
        window = torch.cat([*seen, x], dim=2)
        if n:
            ring[..., queues.time % n] = x[..., 0]
        return window

    outputs = column(model, newest, look_back, queues.added)
    if queues.slow is not None:
        hear(model, queues.slow, newest[:, None])
    queues.time += 1
    return queues, outputs


def column(
    model: WaveNet,
    newest: Tensor,
    look_back: Callable[[int, CausalConv1d, Tensor], Tensor],
    added: Tensor | None = None,
) -> Tensor:
    """One column of every layer: the newest code (batch,) → what the head reads (batch, channels) of the next.

    ``look_back(i, conv, x)`` gives what convolution i of those that look back sees, (batch, channels, taps), its newest input x last,
    and remembers x. That is a convolution without dilation. ``added`` (batch or 1, layers · 2 · gate, 1) is what the condition adds.
    """
    biases = [None] * len(model.layers) if added is None else added.chunk(len(model.layers), dim=1)
    x = model.embedding(newest)[..., None]
    if model.first is not None:
        x = F.conv1d(look_back(0, model.first, x), model.first.weight, model.first.bias)
    gated = []
    for i, (layer, bias) in enumerate(zip(model.layers, biases, strict=True), start=model.first is not None):
        conv: CausalConv1d = layer.gated.conv  # type: ignore[union-attr, assignment]
        sums = F.conv1d(look_back(i, conv, x), conv.weight, conv.bias)
        filter, *gates = (sums if bias is None else sums + bias).split(model.config.gate_channels, dim=1)
        gated.append(torch.tanh(filter) * torch.sigmoid(gates[0]) if gates else torch.tanh(filter))
        x = layer.onward(x, gated[-1])  # type: ignore[operator]
    return model.skip_head(gated)[..., 0]


def _newest(x: Tensor, n: int) -> Tensor:
    return x[..., x.shape[-1] - n :].clone()
