"""Context stacks: a second, small stack that reads the past at a lower rate, and conditions the first (WaveNet, section 2.6).

A strided convolution makes one column of every ``rate`` codes; on these the same residual layers reach ``rate`` times as far as they would on
codes, and cost ``rate`` times less. A column is known once its last code is, and is added to the layers of the codes that follow::

    codes     0 … rate - 1 | rate … 2·rate - 1 | 2·rate … 3·rate - 1
    column        0        |         1         |          2            made of these codes
    heard by      –        |         0         |          1            their layers
"""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from wavenetlike.checks import check_int
from wavenetlike.layers import ResidualLayer, compose, dilations, reach


@dataclasses.dataclass(frozen=True)
class ContextConfig:
    """The shape of a `ContextStack`, checked when it is made; travels in the config of its model.

    Args:
        rate: codes a column, at least 1; 64 are 4 ms at 16 kHz.
        n_blocks, n_layers, kernel_length, dilation_rate: as in `models.WaveNetConfig`, of the stack's own layers.
        channels: its width everywhere, at least 1.

    Raises:
        TypeError, ValueError: a field that is no integer or too small.

    >>> ContextConfig(rate=64, n_layers=8).receptive_field
    256
    """

    rate: int = 64
    n_blocks: int = 1
    n_layers: int = 8
    kernel_length: int = 2
    dilation_rate: int = 2
    channels: int = 16

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_int(field.name, getattr(self, field.name), 1, f"{field.default} is usual")
            object.__setattr__(self, field.name, int(getattr(self, field.name)))

    @property
    def dilations(self) -> list[int]:
        """The dilation of every layer, in columns."""
        return dilations(self.n_layers, self.dilation_rate) * self.n_blocks

    @property
    def depth(self) -> int:
        """Layers that look back, the strided one among them."""
        return len(self.dilations) + 1

    @property
    def receptive_field(self) -> int:
        """Δ in columns."""
        return compose(reach(self.kernel_length, dilation) for dilation in self.dilations)

    def parameters(self, width: int, n_layers: int, gate: int, gated: bool = True) -> int:
        """How many numbers a `ContextStack` learns."""
        own, pool = self.channels, width * self.channels * self.rate + self.channels
        layer = own * self.kernel_length * 2 * own + 2 * own + own * own + own
        return pool + len(self.dilations) * layer + own * n_layers * (1 + gated) * gate


class ContextStack(nn.Module):
    """Embedded codes (batch, width, time) → what each layer of the model adds, (batch, layers · 2 · gate, ⌊time / rate⌋ - Δ + 1), Δ in columns.

    The first code begins a column. Nothing is invented: the first output is of Δ columns.

    Args:
        config: its shape.
        width: of the embedding.
        n_layers, gate_channels, gated: of the model; the stack's own layers have gates anyhow.
    """

    def __init__(self, config: ContextConfig, width: int, n_layers: int, gate_channels: int, gated: bool = True):
        super().__init__()
        self.config = config
        self.pool = nn.Conv1d(width, config.channels, config.rate, stride=config.rate)
        self.layers = nn.ModuleList(
            ResidualLayer(config.channels, config.channels, config.kernel_length, dilation)
            for dilation in config.dilations
        )
        self.out = nn.Conv1d(config.channels, n_layers * (1 + gated) * gate_channels, 1, bias=False)

    @property
    def receptive_field(self) -> int:
        """Δ in columns, composed from the layers' own."""
        return compose(int(layer.receptive_field) for layer in self.layers)  # type: ignore[arg-type]

    def forward(self, embedded: Tensor) -> Tensor:
        x = self.pool(embedded)
        for layer in self.layers:
            x, _ = layer(x, padded=False)
        return self.out(x)
