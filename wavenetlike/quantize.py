"""µ-law: a waveform in [-1, 1] as one of a few codes, fine near silence and coarse where it is loud."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wavenetlike.checks import check_codes, check_int, check_waveform


class MuLaw:
    """µ-law companding and quantization to ``levels`` codes, µ = levels - 1 (WaveNet, section 2.2; ITU-T G.711).

    f(x) = sign(x)·ln(1 + µ|x|) / ln(1 + µ) maps [-1, 1] to itself; the codes 0 … µ divide it evenly.
    Every code survives decode → encode. Taught in notebooks/03_toy_wavenet.ipynb.

    Args:
        levels: number of codes, at least 2: 10 in the toy WaveNet, 256 in the full one.

    Raises:
        TypeError, ValueError: ``levels`` is no integer or below 2.

    >>> MuLaw(256).decode(MuLaw(256).encode(torch.tensor([[0.5]]))).round(decimals=2)
    tensor([[0.5000]])
    """

    def __init__(self, levels: int):
        check_int("levels", levels, 2, "10 is coarse and quick to learn, 256 is WaveNet's")
        self.levels = levels
        self.mu = levels - 1

    def __repr__(self) -> str:
        return f"MuLaw(levels={self.levels})"

    def encode(self, waveform: Tensor) -> Tensor:
        """Waveform, float in [-1, 1], (batch, time) → codes, int64 in [0, levels), (batch, time).

        Raises:
            TypeError, ValueError: not a waveform (see `checks.check_waveform`).
        """
        check_waveform(waveform)
        x = waveform.to(torch.promote_types(waveform.dtype, torch.float32))
        companded = x.sign() * torch.log1p(self.mu * x.abs()) / math.log1p(self.mu)
        return ((companded + 1) / 2 * self.mu + 0.5).floor().to(torch.int64)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes, int64 in [0, levels), (batch, time) → waveform, float32 in [-1, 1], (batch, time).

        Raises:
            TypeError, ValueError: not codes (see `checks.check_codes`).
        """
        check_codes(codes, self.levels)
        companded = 2 * codes.to(torch.float32) / self.mu - 1
        waveform = companded.sign() * torch.expm1(companded.abs() * math.log1p(self.mu)) / self.mu
        return waveform.clamp(-1, 1)

    def noise(self, waveform: Tensor) -> float:
        """Power that rounding to codes is expected to add to a waveform (batch, time), ln²(1 + µ)·mean((1 + µ|x|)²) / (3µ⁴).

        For many levels, and samples that lie anywhere between two borders; docs/mathematics.md derives it, and
        `data.signal_to_noise` measures what was added.

        Raises:
            TypeError, ValueError: not a waveform (see `checks.check_waveform`).
        """
        check_waveform(waveform)
        steps = (1 + self.mu * waveform.double().abs()) * (2 * math.log1p(self.mu) / self.mu**2)
        return steps.square().mean().item() / 12

    @property
    def silence(self) -> int:
        """The code of 0.0, which stands for the past before the first sample: ⌊µ/2 + ½⌋, without a tensor, so that a model can be exported."""
        return self.levels // 2
