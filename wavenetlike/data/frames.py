"""Frames that go along with a waveform: what it sounds like, some ten or hundred times a second."""

from __future__ import annotations

import torch
from torch import Tensor

from wavenetlike.checks import check_int, check_waveform

WINDOW = 0.032
"""Seconds that a frame looks at."""
DECADES = 5
"""Powers of ten of amplitude below that of a full-scale sine, at which -1 stands."""


def mel_frames(waveform: Tensor, sample_rate: int = 16000, n_mels: int = 20, hop: int = 160) -> Tensor:
    """A mel spectrogram on a logarithmic scale: (batch, time) → float32 (batch, n_mels, ⌈time / hop⌉), about in [-1, 1].

    Frame i is of a window of 32 ms around the middle of samples i·hop … (i + 1)·hop - 1. A sine of amplitude 1 gives about 1 in its band, all that is
    100 dB or more below gives -1. The bands are triangles, evenly spaced in mel up to half the sample rate (Stevens, Volkmann and Newman, 1937).
    Taught in notebooks/05_conditioning.ipynb.

    Args:
        waveform: float in [-1, 1].
        sample_rate: in Hz, at least 1,000.
        n_mels: bands, at least 1.
        hop: samples a frame, at least 1.

    Raises:
        TypeError, ValueError: no waveform, or another argument out of its range.
    """
    from torchaudio.functional import melscale_fbanks

    check_waveform(waveform)
    check_int("sample_rate", sample_rate, 1000, "16000 is that of the bundled clips", 768_000)
    check_int("n_mels", n_mels, 1, "20 tell words apart", 10_000)
    check_int("hop", hop, 1, "160 samples are 10 ms at 16 kHz", 1_000_000)
    size = 1 << max(5, round(WINDOW * sample_rate) - 1).bit_length()
    n_frames = -(-waveform.shape[1] // hop)
    before = size // 2 - hop // 2
    x = torch.nn.functional.pad(waveform.float(), (max(0, before), size + n_frames * hop))
    windows = x[:, max(0, -before) :].unfold(1, size, hop)[:, :n_frames]
    shape = torch.hann_window(size, dtype=torch.float32)
    spectrum = torch.fft.rfft(windows * shape).abs() * (2 / shape.sum())
    bands = melscale_fbanks(size // 2 + 1, 0.0, sample_rate / 2, n_mels, sample_rate).float()
    decades = (spectrum @ bands).clamp(min=10.0**-DECADES).log10()
    return (1 + decades * (2 / DECADES)).mT.contiguous()
