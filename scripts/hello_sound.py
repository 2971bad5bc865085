"""Makes what the documentation opens with: docs/_static/hello.flac, four words that the model "words" speaks, and how it does, in docs/hello_*.png.

    python scripts/hello_sound.py

The model is told each word, and how strong 16 bands of frequencies are in a clip of the package, every 10 ms; it draws every sample itself, and no draw
was picked out of many.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import soundfile
import torch
from torch import Tensor

from wavenetlike import WaveNet
from wavenetlike.condition import Condition
from wavenetlike.data import bundled_clips, loud_part, mel_frames
from wavenetlike.generate import generate
from wavenetlike.layers import dilations
from wavenetlike.models import pretrained
from wavenetlike.plots import BLUE, GREY, RED

matplotlib.use("agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

DOCS = Path(__file__).parents[1] / "docs"
SOUND = DOCS / "_static" / "hello.flac"
WORDS = ("three", "two", "one", "go")
VOICE, RATE, TEMPERATURE, LAYERS = "m2", 16_000, 0.6, 4
PAUSE = torch.zeros(1, RATE // 8)


def spoken(model: WaveNet, word: str, waveform: Tensor) -> Tensor:
    """The word, (1, time), by the model."""
    start, end = loud_part(waveform, RATE, below=25)
    frames = mel_frames(waveform[:, start:end], RATE, n_mels=16)
    condition = Condition(word=word, frames=frames)
    return generate(model, end - start, condition=condition, temperature=TEMPERATURE, seed=0).waveform


def draw_tree(axes: Axes, past: Tensor, following: float) -> None:
    """The samples that one output of a small block depends on, the layers between them, and the sample that is drawn from it."""
    now, reach = len(past), {len(past) - 1}
    for height in range(LAYERS, 0, -1):
        dilation = dilations(LAYERS, 2)[height - 1]
        for t in reach:
            for lag in (0, dilation):
                axes.plot([t, t - lag], [height, height - 1], color=BLUE, linewidth=1.2)
        axes.scatter(sorted(reach), [height] * len(reach), color=BLUE, s=24, zorder=3)
        reach = {t - lag for t in reach for lag in (0, dilation)}
    axes.scatter(range(now), [0] * now, color=BLUE, s=24, zorder=3)
    middle, scale = -1.6, 0.9 / float(past.abs().max())
    axes.axhline(middle, color=GREY, linewidth=0.5, xmax=0.86)
    axes.vlines(range(now), middle, middle + scale * past, color=BLUE, linewidth=6)
    axes.vlines([now], middle, [middle + scale * following], color=RED, linewidth=6)
    way = {"arrowstyle": "->", "color": RED, "linewidth": 2, "connectionstyle": "arc3,rad=-0.35"}
    axes.annotate("", (now + 0.05, middle + max(0.0, scale * following) + 0.15), (now - 0.8, LAYERS), arrowprops=way)
    axes.text(now + 1.5, 1.4, "draws\nthe next\nsample", color=RED, va="center", fontsize=12)
    axes.set(xlim=(-0.7, now + 3.6), ylim=(-2.7, LAYERS + 0.4))
    axes.axis("off")
    axes.set_title(f"{LAYERS} layers look back {2**LAYERS} samples", loc="left", fontsize=13)


def draw_sound(axes: Axes, pieces: list[Tensor]) -> None:
    sound, start = torch.cat(pieces, dim=1)[0], 0.0
    axes.plot(torch.arange(len(sound)) / RATE, sound, color=BLUE, linewidth=0.5)
    for word, piece in zip(WORDS, pieces, strict=True):
        end = start + (piece.shape[1] - PAUSE.shape[1]) / RATE
        axes.text((start + end) / 2, 1.04, word, ha="center", va="bottom", fontsize=13)
        start = end + PAUSE.shape[1] / RATE
    axes.set(xlim=(0, len(sound) / RATE), ylim=(-1, 1), yticks=[], xlabel="seconds")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.axhline(0, color=GREY, linewidth=0.5)


def main() -> None:
    model = pretrained("words")
    clips = bundled_clips()
    of_voice = {clips[i][2]: clips[i][0] for i in range(len(clips)) if clips[i][3] == VOICE}
    pieces = [torch.cat([spoken(model, word, of_voice[word]), PAUSE], dim=1) for word in WORDS]
    loudness = 0.9 / max(float(piece.abs().max()) for piece in pieces)
    pieces = [loudness * piece for piece in pieces]
    sound = torch.cat(pieces, dim=1)
    loudest = int(sound.abs().argmax())
    *past, following = sound[0, loudest - 2**LAYERS // 2 :][: 2**LAYERS + 1]
    soundfile.write(SOUND, sound[0].numpy(), RATE, subtype="PCM_16")
    tree, axes = pyplot.subplots(figsize=(5.6, 3.4), layout="constrained")
    draw_tree(axes, torch.stack(past), float(following))
    tree.savefig(DOCS / "hello_tree.png", dpi=120)
    words, axes = pyplot.subplots(figsize=(5.6, 3.4), layout="constrained")
    draw_sound(axes, pieces)
    words.savefig(DOCS / "hello_words.png", dpi=120)
    print(f"{sound.shape[1] / RATE:.1f} s, {SOUND.stat().st_size / 1000:.0f} kB; Δ = {model.receptive_field}")


if __name__ == "__main__":
    main()
