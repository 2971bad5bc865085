"""Makes wavenetlike/pretrained/words.safetensors: a WaveNet that speaks a word again from its frames, in half precision.

    python scripts/train_words.py FOLDER [--steps 10000] [--run run-words]

FOLDER holds clips of Speech Commands (Pete Warden, Google, 2017, CC BY 4.0) as word/speaker_nohash_n.wav, with the dataset's own
testing_list.txt and validation_list.txt; what these name is not trained on. Afterwards a small classifier (tell_words.py) says how many of the words
can be told apart, of the recordings and of what the model makes of their frames; it never hears, while it is trained, a clip that it is asked about.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tell_words import Ear
from torch import Tensor

from wavenetlike import WaveNet, WaveNetConfig, save, train
from wavenetlike.analysis import evaluate
from wavenetlike.condition import Condition, ConditionConfig
from wavenetlike.data import AudioFiles, Clips, Trimmed, mel_frames, vocabulary
from wavenetlike.generate import generate
from wavenetlike.models import load
from wavenetlike.names import PRETRAINED

LISTS = ["testing_list.txt", "validation_list.txt"]


def split(folder: Path) -> tuple[Trimmed, Trimmed]:
    """Clips to train on, and those that the dataset's lists keep aside: of other speakers."""
    listed = {line for name in LISTS for line in (folder / name).read_text().splitlines()}
    paths = Clips(folder).paths
    is_listed = [f"{path.parent.name}/{path.name}" in listed for path in paths]
    kept, held = (
        [path for path, is_held in zip(paths, is_listed, strict=True) if is_held is part] for part in (False, True)
    )
    return Trimmed(AudioFiles(kept)), Trimmed(AudioFiles(held))


def build(words: tuple[str, ...]) -> WaveNet:
    """The model, untrained."""
    condition = ConditionConfig(words=words, embedding=16, frame_channels=16, hop=160)
    return WaveNet(
        WaveNetConfig(
            n_blocks=2, n_layers=8, residual_channels=32, gate_channels=32, skip_channels=96, condition=condition
        )
    )


def spoken_again(model: WaveNet, clips: Trimmed) -> list[Tensor]:
    """What the model makes of the word and the frames of each clip."""
    sounds = []
    for i in range(len(clips)):
        waveform, rate, word, _ = clips[i]
        condition = Condition(word=word, frames=mel_frames(waveform, rate, 16, 160))
        sounds.append(generate(model, waveform.shape[1], condition=condition, seed=i).waveform)
    return sounds


def judge(model: WaveNet, clips: Trimmed, held_out: Trimmed) -> None:
    """Print what the conditions are worth, and how many words are understood."""
    for options in (
        {},
        {"removed": ["word"]},
        {"shuffled": ["word"]},
        {"removed": ["frames"]},
        {"shuffled": ["frames"]},
    ):
        print(options or "told all", f"{evaluate(model, held_out, **options)[-1].bits:.3f} bits per sample, held-out")  # type: ignore[arg-type]
    real = {name: [of[i][0] for i in range(len(of))] for name, of in (("trained on", clips), ("held out", held_out))}
    labels = {name: [of[i][2] for i in range(len(of))] for name, of in (("trained on", clips), ("held out", held_out))}
    again = {"trained on": spoken_again(model, clips), "held out": spoken_again(model, held_out)}
    for learned, asked in (("trained on", "held out"), ("held out", "trained on")):
        ear = Ear(real[learned], labels[learned])
        known, made = (ear.accuracy(clips[asked], labels[asked]) for clips in (real, again))
        print(
            f"ear trained on the clips {learned}: of those {asked} it names {100 * known:.0f}%, spoken again {100 * made:.0f}%"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--run", default="run-words", help="folder of the checkpoints")
    options = parser.parse_args()
    clips, held_out = split(options.folder)
    torch.manual_seed(0)
    model = build(vocabulary(clips))
    history = train.train(
        model, clips, steps=options.steps, batch_size=4, learning_rate=8e-3, schedule="cosine", ema=0.999,
        held_out=held_out, evaluate_every=500, patience=4, checkpoints=train.Checkpoints(options.run, minutes=3), watch=train.Log(60),
    )  # fmt: skip
    print(history, history.best)
    save(model.half(), PRETRAINED / "words.safetensors")
    judge(load(PRETRAINED / "words.safetensors"), clips, held_out)


if __name__ == "__main__":
    main()
