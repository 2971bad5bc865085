"""A checkpoint: all of a run in one safetensors file, whole or not at all, read without running anything that is in it.

```
checkpoint-000000400.safetensors     the model's weights under their own names, so that `models.load` reads it, too;
                                     train/…: optimizer, averages, random state, history; in the header the config, the
                                     recipe, what the clips were, and a SHA-256 over all of this
best.safetensors                     the weights that did best on the held-out clips, as `models.save` writes them, and their bits per sample
```
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wavenetlike.files import durably
from wavenetlike.models import TRAIN, WaveNet, WaveNetConfig

CONFIG, ABOUT, DIGEST, BITS = "wavenetlike.config", "wavenetlike.train", "wavenetlike.sha256", "wavenetlike.bits"


@dataclasses.dataclass(frozen=True)
class State:
    """A run between two steps.

    Attributes:
        config: of the model.
        weights: the model's, by name.
        tensors: everything else that is a tensor, by name.
        about: everything else, as JSON knows it; ``about["identity"]`` says which run it is.
    """

    config: WaveNetConfig
    weights: dict[str, Tensor]
    tensors: dict[str, Tensor]
    about: dict[str, Any]


def write(path: Path, state: State) -> None:
    """The state in one file, which appears whole or not at all, whatever interrupts it: also a power cut."""
    from safetensors.torch import save as to_bytes

    tensors = {**state.weights, **{TRAIN + name: tensor for name, tensor in state.tensors.items()}}
    tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    header = {CONFIG: state.config.to_json(), ABOUT: json.dumps(state.about)}
    durably(path, to_bytes(tensors, metadata={**header, DIGEST: _digest(tensors, header)}))


def write_best(path: Path, model: WaveNet, bits: float) -> None:
    """The weights of ``model``, which has ``bits`` per sample on the held-out clips."""
    from safetensors.torch import save as to_bytes

    header = {CONFIG: model.config.to_json(), BITS: repr(bits)}
    tensors = {name: tensor.detach().to("cpu").contiguous() for name, tensor in model.state_dict().items()}
    durably(path, to_bytes(tensors, metadata=header))


def best_bits(path: Path) -> float:
    """What `write_best` was told; infinite where nothing that can be read is there."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return float((file.metadata() or {})[BITS])
    except (SafetensorError, OSError, KeyError, ValueError):
        return math.inf


def read(path: Path) -> State:
    """What `write` wrote.

    Raises:
        ValueError: the file is cut short, changed, or of something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no dict
        expected = header.pop(DIGEST)
        config, about = WaveNetConfig.from_json(header[CONFIG]), json.loads(header[ABOUT])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"it cannot be read ({str(error).splitlines()[0]})") from error
    if not (isinstance(about, dict) and isinstance(about.get("identity"), dict)):
        raise ValueError("it does not say which run it is of")
    if _digest(tensors, header) != expected:
        raise ValueError("its content is not what was written")
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith(TRAIN)}
    rest = {name.removeprefix(TRAIN): tensor for name, tensor in tensors.items() if name.startswith(TRAIN)}
    return State(config, own, rest, about)


def _digest(tensors: dict[str, Tensor], header: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
