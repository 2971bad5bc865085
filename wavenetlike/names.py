"""Names that may be chosen, and where what is installed lies: all that can be said of them without loading torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

Head = Literal["softmax", "logistics", "gaussian", "mse"]
HEADS: tuple[Head, ...] = get_args(Head)
"""The heads for codes, by the names that a config knows."""
Schedule = Literal["linear", "cosine", "constant"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
"""How a learning rate goes on."""
Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
"""Of products in training."""
Method = Literal["auto", "naive", "cached", "compiled"]
"""How sound is generated."""
Preset = Literal["toy", "wavenet"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
"""Shapes of models that a command can train."""
CLASSES = ("word", "speaker")
"""What a whole sound may be conditioned on, by name."""

PACKAGE = Path(__file__).parent
BUNDLED = PACKAGE / "data" / "bundled"
"""The clips that come with the package."""
PRETRAINED = PACKAGE / "pretrained"


def pretrained_names() -> list[str]:
    """The trained models that come with the package."""
    return sorted(path.stem for path in PRETRAINED.glob("*.safetensors"))


def cache_folder() -> Path:
    """Where downloads are kept: the environment variable WAVENETLIKE_CACHE, else the platform's cache folder."""
    if folder := os.environ.get("WAVENETLIKE_CACHE"):
        return Path(folder)
    import platformdirs

    return Path(platformdirs.user_cache_dir("wavenetlike"))
