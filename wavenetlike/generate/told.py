"""What a sound is conditioned on, as all methods of generation carry it along."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from wavenetlike.condition import Condition
from wavenetlike.models import WaveNet


@dataclasses.dataclass(frozen=True, eq=False)
class Told:
    """A condition, and when the first code of the past is: in samples since its frames begin, negative before them.

    Attributes:
        condition: as `condition.resolve` gives it, on the model's device.
        time: of the first code of the past.
    """

    condition: Condition = dataclasses.field(default_factory=Condition)
    time: int = 0

    def columns(self, model: WaveNet, n_past: int) -> Columns | None:
        """What it adds to the layers from the first code on that follows a past of ``n_past``; None: nothing."""
        added = None if model.conditioning is None else model.conditioning(self.condition)
        if model.conditioning is None or added is None:
            return None
        # What is put in predicts the next, and so knows the next one's frame.
        return Columns(added, model.conditioning.config.hop, self.time + n_past + 1)


@dataclasses.dataclass(eq=False)
class Slow:
    """A context stack between two of its columns; `hear` writes to it in place.

    Attributes:
        inputs: for each of its layers the columns that it still looks back to, (batch, channels, n), the oldest first.
        embedded: the codes of the column that is not whole yet, (batch, width, rate).
        n: how many they are.
        added: by the newest whole column to the model's layers, (batch, layers · 2 · gate, 1).
    """

    inputs: list[Tensor]
    embedded: Tensor
    n: int
    added: Tensor

    @property
    def n_left(self) -> int:
        """Codes until the next column is whole."""
        return self.embedded.shape[2] - self.n


def listen(model: WaveNet, past: Tensor) -> Slow | None:
    """The state of the context stack after a past (batch, time ≥ Δ), whose first code began a column; None: there is none."""
    stack = model.context
    if stack is None:
        return None
    embedded, n = model.embed(past), past.shape[1] % model.rate
    x, inputs = stack.pool(embedded), []
    for layer in stack.layers:
        inputs.append(x[..., x.shape[2] - layer.receptive_field + 1 :].clone())
        x, _ = layer(x, padded=False)
    rest = embedded.new_zeros(*embedded.shape[:2], model.rate)
    rest[..., :n] = embedded[..., embedded.shape[2] - n :]
    return Slow(inputs, rest, n, stack.out(x[..., -1:]))


def hear(model: WaveNet, slow: Slow, codes: Tensor) -> None:
    """The next codes (batch, m), no more than are left of the column."""
    slow.embedded[..., slow.n : slow.n + codes.shape[1]] = model.embed(codes)
    slow.n += codes.shape[1]
    stack = model.context
    if slow.n_left or stack is None:
        return
    x = stack.pool(slow.embedded)
    for i, layer in enumerate(stack.layers):
        window = torch.cat([slow.inputs[i], x], dim=2)
        slow.inputs[i].copy_(window[..., 1:])
        x, _ = layer(window, padded=False)
    slow.added.copy_(stack.out(x))
    slow.n = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
    """What is added to filter and gate of every layer, frame by frame.

    Attributes:
        values: (batch or 1, layers · 2 · gate, n_frames).
        hop: samples a frame.
        first: when the code comes that is predicted once the first new one is put in.
    """

    values: Tensor
    hop: int
    first: int

    def at(self, time: int) -> Tensor:
        """Those of the code that is put in ``time`` samples after the first new one, (batch or 1, layers · 2 · gate, 1)."""
        i = min(max((self.first + time) // self.hop, 0), self.values.shape[2] - 1)
        return self.values[..., i, None]
