"""Make the bundled clips: 20 words in 4 voices, spoken by espeak-ng, 16 kHz mono FLAC of one second.

Needs espeak-ng (``apt-get install espeak-ng``) and overwrites ``wavenetlike/data/bundled``. A faint noise is mixed in,
as a microphone would add, so that the pauses are not all the same code. The clips are ours and licensed as the rest of
the repository: the synthesizer's license does not extend to what it says.

    python scripts/synthesize_clips.py
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import soundfile
import torch
import torchaudio
from torch import Tensor

FOLDER = Path(__file__).parents[1] / "wavenetlike" / "data" / "bundled"
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WORDS = [*DIGITS, "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]
VOICES = {"m1": "en-us+m3", "f1": "en-us+f2", "m2": "en-gb-x-rp+m7", "f2": "en-gb-scotland+f4"}
SAMPLE_RATE = 16000
NOISE = 1.5e-3
"""Standard deviation of the noise, an AR(1) process: at 10 levels the pauses flicker between two codes as recorded ones do."""
MEMORY = 0.95
"""How much of each noise sample stays in the next."""


def speak(word: str, voice: str) -> Tensor:
    """The word as a waveform of shape (time,) at `SAMPLE_RATE`, of peak 1."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "word.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", path, word], check=True)
        samples, rate = soundfile.read(path, dtype="float32")
    waveform = torchaudio.functional.resample(torch.from_numpy(samples), rate, SAMPLE_RATE)
    heard = (waveform.abs() > 0.01 * waveform.abs().max()).nonzero()
    waveform = waveform[heard[0] : heard[-1] + 1][:SAMPLE_RATE]
    return waveform / waveform.abs().max()


def noise(n: int, generator: torch.Generator) -> Tensor:
    """``n`` samples of faint noise of shape (time,), more rumble than hiss."""
    shocks = NOISE * (1 - MEMORY**2) ** 0.5 * torch.randn(n, generator=generator)
    return torchaudio.functional.lfilter(shocks, torch.tensor([1.0, -MEMORY]), torch.tensor([1.0, 0.0]), clamp=False)


def clip(word: str, voice: str, generator: torch.Generator) -> Tensor:
    """One second with the word somewhere in its middle, at a random level, in a faint noise."""
    spoken = speak(word, voice)
    room = SAMPLE_RATE - len(spoken)
    start = int(room * (0.3 + 0.4 * torch.rand((), generator=generator)))
    level = 0.3 + 0.5 * torch.rand((), generator=generator)
    whole = noise(SAMPLE_RATE, generator)
    whole[start : start + len(spoken)] += level * spoken
    return whole.clamp(-1, 1)


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    shutil.rmtree(FOLDER, ignore_errors=True)
    for word in WORDS:
        (FOLDER / word).mkdir(parents=True)
        for speaker, voice in VOICES.items():
            waveform = clip(word, voice, generator)
            path = FOLDER / word / f"{speaker}_nohash_0.flac"
            soundfile.write(path, waveform.numpy(), SAMPLE_RATE, subtype="PCM_16")
    print(f"{len(WORDS) * len(VOICES)} clips, {sum(p.stat().st_size for p in FOLDER.rglob('*.flac')) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
