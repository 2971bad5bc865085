"""Audio in: a file or an array of samples → one channel of float32."""

from __future__ import annotations

import io
import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wavenetlike.checks import check_exists, check_int

SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}
BLOCK = 1 << 18
"""Frames decoded at a time: the channels are averaged before the next, so that a long recording needs little memory."""
RATES = 1000, 768_000
"""The lowest and the highest sample rate in Hz that is believed."""
FILTER_WIDTH = 64
"""Zero crossings of the resampling filter on either side: a tone at 9 kHz is 87 dB down at 16 kHz, with torchaudio's 6 only 17."""
MOST_TAPS = 1_000_000
"""Of a resampling filter: it has as many as the product of both terms of the ratio of the sample rates."""


def read_audio(path: str | Path) -> tuple[Tensor, int]:
    """An audio file that libsndfile reads (wav, flac, ogg, mp3) → waveform float32 (1, time) and its sample rate in Hz.

    Channels are averaged; nothing else is changed, so that a file of floats may hold more than [-1, 1].

    Raises:
        FileNotFoundError: no such file.
        ValueError: not audio.
    """
    path = check_exists(path)
    try:
        waveform, sample_rate, _ = decode(path)
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as audio: it {error}; pass a wav, flac, ogg or mp3 file."
        ) from error
    return waveform, sample_rate


def decode(file: Path | io.BytesIO) -> tuple[Tensor, int, list[str]]:
    """The mean of the channels (1, time), the sample rate in Hz, and what about the file should be known.

    Raises:
        ValueError: what is wrong with the file, worded to stand behind its name.
    """
    import soundfile

    class Forwards(soundfile.SoundFile):
        """Read from beginning to end only: a FLAC stream need not say how long it is, and then cannot be sought in."""

        def seekable(self) -> bool:
            return False

    try:
        if isinstance(file, Path) and not _is_text(str(file)):
            file = io.BytesIO(file.read_bytes())  # libsndfile takes no name that is no valid text
        with Forwards(file) as source:
            parts = []
            while len(block := source.read(BLOCK, dtype="float32", always_2d=True)):
                parts.append(block.mean(axis=1, dtype=np.float64).astype(np.float32))
            rate, channels = source.samplerate, source.channels
            is_cut = "should be" in source.extra_info  # libsndfile found less than the header promises
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise ValueError(f"is not audio that can be read ({_reason(error)})") from error
    samples = np.concatenate([np.zeros(0, dtype=np.float32), *parts])
    remarks = ["cut short"] if is_cut else []
    return torch.from_numpy(samples)[None], rate, remarks + averaged(channels)


def averaged(channels: int) -> list[str]:
    """What to say of several channels."""
    return [f"{channels} channels averaged"] if channels > 1 else []


def _is_text(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in name)


def _reason(error: Exception) -> str:
    """What libsndfile or the system says, without the file's name, as part of one sentence."""
    words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return re.sub(r"[.!?]\s+", ", ", words.strip().rstrip("."))


def from_array(array: np.ndarray | Tensor) -> tuple[Tensor, int, str | None]:
    """Samples, (time,) or two-dimensional with time along the longer side → the mean of the channels (1, time) in float64,
    their number, and what was changed in the type.

    Integers are taken as a recording's: their whole range becomes [-1, 1).

    Raises:
        TypeError, ValueError: what is wrong with the array, worded to stand behind its name.
    """
    samples = _numbers(array)
    if samples.ndim not in (1, 2):
        raise ValueError(f"has shape {samples.shape}, which is neither (time,) nor (channels, time)")
    if samples.size == 0:
        raise ValueError("holds no samples")
    if samples.ndim == 1:
        samples = samples[None]
    elif samples.shape[0] > samples.shape[1]:
        samples = samples.T
    changed = None
    wide = samples.astype(np.float64)
    if samples.dtype.kind in "iu":
        info = np.iinfo(samples.dtype)
        middle = (int(info.max) + int(info.min) + 1) // 2
        wide = (wide - middle) / (int(info.max) - middle + 1)
        changed = f"{samples.dtype.name} divided by its range"
    return torch.from_numpy(wide).mean(dim=0, keepdim=True), len(samples), changed


def _numbers(array: np.ndarray | Tensor) -> np.ndarray:
    if isinstance(array, Tensor):
        if array.layout != torch.strided or array.is_meta:
            raise TypeError("is a tensor that holds no samples one after the other")
        array = array.detach().cpu()
        if array.dtype == torch.bfloat16:
            array = array.float()
        array = array.resolve_neg().resolve_conj().numpy()
    if array.dtype.kind not in "iuf":
        raise TypeError(f"is of type {array.dtype.name}, which is no waveform")
    if array.dtype.kind in "iu" and array.dtype.itemsize > 4:
        raise TypeError(
            f"is of type {array.dtype.name}, which no recorder writes: say its range, as in array.astype('int16')"
        )
    return array


def conform(waveform: Tensor, old_rate: int, sample_rate: int) -> tuple[Tensor, list[str]]:
    """A waveform (1, time) at ``sample_rate`` Hz and in [-1, 1], float32, and in words what was changed for that.

    Raises:
        ValueError: what is wrong with the waveform, worded to stand behind its name.
    """
    if waveform.numel() == 0:
        raise ValueError("holds no samples")
    if not waveform.isfinite().all():
        raise ValueError("holds NaN or infinite samples")
    if not RATES[0] <= old_rate <= RATES[1]:
        raise ValueError(f"says {old_rate:,} samples a second, outside {RATES[0]:,} to {RATES[1]:,} Hz")
    waveform, changes = _within_one(waveform)
    if old_rate != sample_rate:
        changes.append(f"{old_rate:,} Hz → {sample_rate:,} Hz")
        # A band-limited waveform may swing beyond its samples.
        waveform, more = _within_one(resample(waveform, old_rate, sample_rate))
        changes += more
    return waveform, changes


def _within_one(waveform: Tensor) -> tuple[Tensor, list[str]]:
    peak = waveform.abs().max().item()
    if peak <= 1:
        return waveform.float(), []
    return (waveform / peak).float().clamp(-1, 1), [f"peak {peak:.4g} → 1"]


def check_rate(name: str, rate: object) -> None:
    """Refuse a sample rate that no recording has.

    Raises:
        TypeError, ValueError: no integer in 1,000 … 768,000.
    """
    check_int(name, rate, RATES[0], "16000 is that of Speech Commands, 44100 that of a CD")
    if int(rate) > RATES[1]:  # type: ignore[call-overload]
        raise ValueError(f"{name}={rate} is too large; it must be at most {RATES[1]}, in Hz: try 16000.")


def resample(waveform: Tensor, old_rate: int, sample_rate: int) -> Tensor:
    """A waveform (batch, time) of ``old_rate`` samples a second at ``sample_rate``, band-limited, by torchaudio.

    Between rates that share no large divisor (11,127 and 16,000 Hz) the filter would take gigabytes; there the nearest
    ratio of two smaller numbers stands in, less than 0.06% off, a hundredth of a semitone.

    Args:
        waveform: float, (batch, time), at least one sample.
        old_rate, sample_rate: in Hz, 1,000 to 768,000.

    Raises:
        TypeError, ValueError: a rate that is no integer in that range.
    """
    check_rate("old_rate", old_rate)
    check_rate("sample_rate", sample_rate)
    ratio = _near(Fraction(int(old_rate), int(sample_rate)))
    if ratio == 1:
        return waveform
    import torchaudio

    return torchaudio.functional.resample(
        waveform, ratio.numerator, ratio.denominator, lowpass_filter_width=FILTER_WIDTH
    )


def _near(ratio: Fraction) -> Fraction:
    """``ratio`` itself where its terms multiply to at most `MOST_TAPS`, else one close to it."""
    if ratio.numerator * ratio.denominator <= MOST_TAPS:
        return ratio
    if ratio < 1:
        return 1 / _near(1 / ratio)
    return ratio.limit_denominator(max(1, math.isqrt(int(MOST_TAPS / ratio))))


def signal_to_noise(signal: Tensor, copy: Tensor) -> float:
    """10·log₁₀ of the power of ``signal`` over that of ``copy`` - ``signal``, in dB; ∞ for an exact copy.

    Both of one shape. Taught in notebooks/03_toy_wavenet.ipynb.
    """
    noise = (copy - signal).double().square().sum().item()
    power = signal.double().square().sum().item()
    return math.inf if noise == 0 else 10 * math.log10(power / noise) if power else -math.inf


def wav_bytes(waveform: Tensor, sample_rate: int) -> bytes:
    """A waveform (1, time) in [-1, 1] as a 16-bit WAV file, as loud as it is: what a player in a page takes."""
    return audio_bytes(waveform, sample_rate, "WAV")


def audio_bytes(waveform: Tensor, sample_rate: int, kind: str) -> bytes:
    """The same as a file of another kind that libsndfile writes, as it calls it: "WAV" or "FLAC"."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, waveform[0].numpy(), sample_rate, format=kind, subtype="PCM_16")
    return buffer.getvalue()
