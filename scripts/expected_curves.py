"""Makes wavenetlike/train/expected.json: what the loss of the presets on the bundled clips was, for several seeds.

    python scripts/expected_curves.py [--seeds 3]

Some ten minutes on two cores. The first weights and the order of the clips differ from seed to seed.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import torch

from wavenetlike import build_wavenet, build_wavenet_toy, train
from wavenetlike.data import bundled_clips, hold_out
from wavenetlike.train.history import EXPECTED, NEAR

RUNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "toy": (build_wavenet_toy, {"steps": 1000, "learning_rate": 1e-2}),
    "wavenet": (build_wavenet, {"steps": 120, "learning_rate": 3e-3}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    n_seeds = parser.parse_args().seeds
    trained_on = {5: bundled_clips(5), 60: hold_out(bundled_clips())[0]}
    curves: dict[str, dict[int, dict[str, Any]]] = {}
    for name, (build, recipe) in RUNS.items():
        curves[name] = {}
        for n_clips, clips in trained_on.items():
            means = []
            for seed in range(n_seeds):
                torch.manual_seed(seed)
                bits = train.train(build(), clips, seed=seed, **recipe).bits
                means.append(np.reshape(bits, (-1, NEAR)).mean(axis=1))
            curves[name][n_clips] = {
                "steps": list(range(NEAR, recipe["steps"] + 1, NEAR)),
                "low": np.min(means, axis=0).round(4).tolist(),
                "high": np.max(means, axis=0).round(4).tolist(),
                "recipe": recipe,
            }
    EXPECTED.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
