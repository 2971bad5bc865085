"""A WaveNet as it is usually written, to compare with: the same model, with everything computed where a textbook puts it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetlike import WaveNet, WaveNetConfig


class Textbook(nn.Module):
    """One-hot codes through a 1×1 convolution; filter, gate, residual and skip are convolutions of their own, over the whole length.

    Codes (batch, time) → logits (batch, levels, time), those at t for the code at t + 1, with zeros before the first activation.
    """

    def __init__(self, config: WaveNetConfig):
        super().__init__()
        width, gate, skip = config.residual_channels, config.gate_channels, config.skip_channels
        self.levels = config.levels
        self.input = nn.Conv1d(config.levels, width, 1, bias=False)
        self.first = nn.Conv1d(width, width, config.first_kernel_length) if config.first_kernel_length > 1 else None

        def dilated() -> nn.ModuleList:
            return nn.ModuleList(nn.Conv1d(width, gate, config.kernel_length, dilation=d) for d in config.dilations)

        self.filters, self.gates = dilated(), dilated()
        self.residuals = nn.ModuleList(nn.Conv1d(gate, width, 1) for _ in config.dilations[:-1])
        self.skips = nn.ModuleList(nn.Conv1d(gate, skip, 1) for _ in config.dilations)
        self.hidden, self.out = nn.Conv1d(skip, skip, 1), nn.Conv1d(skip, config.levels, 1)

    def forward(self, codes: Tensor) -> Tensor:
        x = self.input(F.one_hot(codes, self.levels).float().to(self.out.weight.dtype).transpose(1, 2))
        if self.first is not None:
            x = _causal(self.first, x)
        skips = []
        for i, (filter, gate, skip) in enumerate(zip(self.filters, self.gates, self.skips, strict=True)):
            z = torch.tanh(_causal(filter, x)) * torch.sigmoid(_causal(gate, x))
            skips.append(skip(z))
            if i < len(self.residuals):
                x = x + self.residuals[i](z)
        return self.out(F.relu(self.hidden(F.relu(torch.stack(skips).sum(dim=0)))))

    def loss(self, codes: Tensor) -> Tensor:
        """Bits per sample over all but the first code."""
        return F.cross_entropy(self(codes[:, :-1]), codes[:, 1:]) / math.log(2)


def _causal(conv: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(conv, nn.Conv1d)
    return conv(F.pad(x, ((conv.kernel_size[0] - 1) * conv.dilation[0], 0)))


@torch.no_grad()
def textbook_of(model: WaveNet) -> Textbook:
    """The same model, written so: weights copied, the fused ones taken apart."""
    config = model.config
    textbook = Textbook(config).to(model.embedding.weight.dtype)
    textbook.input.weight.copy_(model.embedding.weight.T[..., None])
    if textbook.first is not None and model.first is not None:
        textbook.first.load_state_dict(model.first.state_dict())
    for i, layer in enumerate(model.layers):
        conv = layer.gated.conv  # type: ignore[union-attr]
        for part, own in enumerate((textbook.filters[i], textbook.gates[i])):
            own.weight.copy_(conv.weight.chunk(2)[part])  # type: ignore[union-attr, operator]
            own.bias.copy_(conv.bias.chunk(2)[part])  # type: ignore[union-attr, operator]
        if i < len(textbook.residuals):
            textbook.residuals[i].load_state_dict(layer.residual.state_dict())  # type: ignore[union-attr]
    head = model.skip_head
    for i, weight in enumerate(head.skip.weight.chunk(len(config.dilations), dim=1)):
        skip = textbook.skips[i]
        skip.weight.copy_(weight)  # type: ignore[operator]
        # One bias stands for the sum of all.
        skip.bias.copy_(head.skip.bias if i == 0 else torch.zeros_like(head.skip.bias))  # type: ignore[operator, arg-type]
    textbook.hidden.load_state_dict(head.hidden.state_dict())
    textbook.out.load_state_dict(head.out.state_dict())
    return textbook
