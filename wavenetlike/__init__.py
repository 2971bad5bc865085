"""WaveNet-like models, to learn how they work and to build them: a large receptive field Δ and a small γ.

Bottom to top: `layers`, `quantize` → `heads` → `models` → `data`, `ops`, `analysis`, `generate`, `train` → `plots` → `explore`, `exercises`.

Nothing is loaded before it is asked for, so that what needs no torch does not wait for it: a shell's help, or a check of why torch does not load.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavenetlike import ops, train
    from wavenetlike.data import ar2_process
    from wavenetlike.environment import check_env
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
    "check_env",
    "load",
    "ops",
    "pretrained",
    "save",
    "train",
    "train_stack_ar",
]

_UPWARDS = ("environment", "layers", "quantize", "heads", "models", "data", "train")
"""Where the names come from, the lowest first: the way up to a name loads no more than that name needs."""


def __getattr__(name: str) -> object:
    """A name of `__all__`, or a module of this package, loaded when it is first asked for."""
    found: object
    if _is_module(name):
        found = importlib.import_module(f"{__name__}.{name}")
    elif name in __all__:
        modules = (importlib.import_module(f"{__name__}.{module}") for module in _UPWARDS)
        found = next(getattr(module, name) for module in modules if hasattr(module, name))
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def _is_module(name: str) -> bool:
    """Whether there is code of that name; a folder of data alone, as of the trained models, is none."""
    from importlib.util import find_spec

    spec = None if name.startswith("_") else find_spec(f"{__name__}.{name}")
    return spec is not None and spec.origin is not None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
