"""WaveNet-like models, to learn how they work and to build them: a large receptive field Δ and a small γ.

Bottom to top: `layers`, `quantize` → `heads` → `models` → `data`, `ops`, `analysis`, `generate`, `train` → `plots` → `explore`, `exercises`.
"""

from wavenetlike import ops, train
from wavenetlike.data import ar2_process
from wavenetlike.heads import Losses
from wavenetlike.layers import Block
from wavenetlike.models import (
    WaveNet,
    WaveNetConfig,
    build_ar2,
    build_wavenet,
    build_wavenet_toy,
    load,
    pretrained,
    save,
)
from wavenetlike.quantize import MuLaw
from wavenetlike.train import train_stack_ar

__all__ = [
    "Block",
    "Losses",
    "MuLaw",
    "WaveNet",
    "WaveNetConfig",
    "ar2_process",
    "build_ar2",
    "build_wavenet",
    "build_wavenet_toy",
    "load",
    "ops",
    "pretrained",
    "save",
    "train",
    "train_stack_ar",
]
