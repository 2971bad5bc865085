"""Makes wavenetlike/pretrained/toy.safetensors: the toy WaveNet after training on the bundled clips, in half precision.

    python scripts/train_toy.py [--steps 2000]

The clips are those of scripts/synthesize_clips.py, so that nothing but this repository is in the weights; they have its license.
"""

from __future__ import annotations

import argparse

import torch

from wavenetlike import build_wavenet_toy, save, train
from wavenetlike.analysis import evaluate
from wavenetlike.data import bundled_clips
from wavenetlike.names import PRETRAINED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    steps = parser.parse_args().steps
    clips = bundled_clips()
    torch.manual_seed(0)
    model = build_wavenet_toy()
    train.train(model, clips, steps=steps)
    for score in evaluate(model, clips):
        print(f"{score.name:15} accuracy {100 * score.accuracy:.1f}%, {score.bits:.3f} bits per sample")
    PRETRAINED.mkdir(exist_ok=True)
    save(model.half(), PRETRAINED / "toy.safetensors")


if __name__ == "__main__":
    main()
