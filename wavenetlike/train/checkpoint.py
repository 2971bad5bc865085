"""Checkpoints: all of a run in one safetensors file, whole or not at all, read without running anything that is in it.

```
checkpoint-000000400.safetensors     the model's weights under their own names, so that `models.load` reads it, too;
                                     train/…: optimizer, averages, random state, history; in the header the config, the
                                     recipe, what the clips were, and a SHA-256 over all of this
best.safetensors                     the weights that did best on the held-out clips, as `models.save` writes them, and their bits per sample
```
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wavenetlike.checks import check_int, check_positive
from wavenetlike.models import TRAIN, WaveNet, WaveNetConfig

CONFIG, ABOUT, DIGEST, BITS = "wavenetlike.config", "wavenetlike.train", "wavenetlike.sha256", "wavenetlike.bits"
PATTERN = f"checkpoint-{'[0-9]' * 9}.safetensors"
"""Nothing else in the folder is read, or removed: a copy under another name is the user's."""


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """Where a run is kept, and how often.

    Args:
        folder: made if missing; one run a folder.
        steps: steps between two checkpoints, at least 1; None: only by time.
        minutes: minutes between two, above 0; None: only by steps.
        keep: how many of the last to keep, at least 1.

    Raises:
        TypeError, ValueError: an argument out of its range, or neither steps nor minutes.
    """

    folder: str | Path
    steps: int | None = None
    minutes: float | None = 5.0
    keep: int = 3

    def __post_init__(self) -> None:
        if not isinstance(self.folder, (str, Path)):
            raise TypeError(f"checkpoints={self.folder!r} is no folder; pass its path: try 'checkpoints'.")
        if self.steps is not None:
            check_int("steps", self.steps, 1, "100 keeps every hundredth step")
        if self.minutes is not None:
            check_positive("minutes", self.minutes, "5")
        if self.steps is None and self.minutes is None:
            raise ValueError(
                "steps=None and minutes=None would keep nothing; give at least one of them: try minutes=5."
            )
        check_int("keep", self.keep, 1, "3 survive a broken file or two")
        object.__setattr__(self, "keep", int(self.keep))

    def path(self, step: int) -> Path:
        return Path(self.folder) / f"checkpoint-{step:09}.safetensors"

    @property
    def best(self) -> Path:
        return Path(self.folder) / "best.safetensors"

    def are_due(self, steps: int, seconds: float) -> bool:
        """Whether it is time, ``steps`` and ``seconds`` after the last."""
        by_steps = self.steps is not None and steps >= self.steps
        return by_steps or (self.minutes is not None and seconds >= 60 * self.minutes)


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
    header = {CONFIG: json.dumps(dataclasses.asdict(state.config)), ABOUT: json.dumps(state.about)}
    durably(path, to_bytes(tensors, metadata={**header, DIGEST: _digest(tensors, header)}))


def durably(path: Path, content: bytes) -> None:
    """Write a file so that after any interruption there is the old one or the new one, on the disk itself."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_best(path: Path, model: WaveNet, bits: float) -> None:
    """The weights of ``model``, which has ``bits`` per sample on the held-out clips."""
    from safetensors.torch import save as to_bytes

    header = {CONFIG: json.dumps(dataclasses.asdict(model.config)), BITS: repr(bits)}
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


@contextlib.contextmanager
def refusing_folders(folder: str | Path) -> Iterator[None]:
    """Within it an error of the disk is said in a sentence.

    Raises:
        OSError: it is full, or cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(
            error.errno,
            f"the checkpoints in {str(folder)!r} cannot be written ({error.strerror}); free some space, or pass another folder to begin anew",
        ) from error


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
        config, about = WaveNetConfig(**json.loads(header[CONFIG])), json.loads(header[ABOUT])
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


def newest(checkpoints: Checkpoints, config: WaveNetConfig, identity: dict[str, Any]) -> tuple[State | None, set[Path]]:
    """The newest state that is whole and of this very run, None where nothing was kept yet; and the newer files, which are passed over with a warning.

    Args:
        config: of the model that goes on.
        identity: of the run: its recipe and its clips.

    Raises:
        ValueError: the folder holds only checkpoints of another run, or none that can be read.
    """
    paths = sorted(Path(checkpoints.folder).glob(PATTERN), reverse=True)
    others = []
    for i, path in enumerate(paths):
        try:
            state = read(path)
        except ValueError as error:
            warnings.warn(f"{str(path)!r} is passed over: {error}; the checkpoint before it is used.", stacklevel=5)
            continue
        if not (differences := list(_differences(state, config, identity))):
            return state, set(paths[:i])
        others.append(differences)
        warnings.warn(f"{str(path)!r} is passed over: it is of another run, {differences[0]}.", stacklevel=5)
    if others:
        raise ValueError(
            f"The checkpoints in {str(checkpoints.folder)!r} are of another run, {'; '.join(others[0])}: pass what they were made with to go on, or another folder to begin anew."
        )
    if paths:
        raise ValueError(
            f"None of the {len(paths)} checkpoints in {str(checkpoints.folder)!r} can be read; to begin anew, pass another folder, or delete them."
        )
    return None, set()


def _differences(state: State, config: WaveNetConfig, identity: dict[str, Any]) -> Iterator[str]:
    theirs = {**dataclasses.asdict(state.config), **state.about["identity"]}
    ours = {**dataclasses.asdict(config), **identity}
    for name in sorted(theirs.keys() | ours.keys()):
        if theirs.get(name) != ours.get(name):
            yield f"with {name}={theirs.get(name)!r} and not {ours.get(name)!r}"


def sweep(checkpoints: Checkpoints) -> None:
    """Remove what interrupted writing left."""
    for path in Path(checkpoints.folder).glob("*.safetensors*.partial"):
        path.unlink(missing_ok=True)


def keep_last(checkpoints: Checkpoints, passed_over: set[Path]) -> None:
    """Remove all but the last ``keep`` checkpoints; those that were passed over do not count, and stay."""
    own = sorted(set(Path(checkpoints.folder).glob(PATTERN)) - passed_over)
    for path in own[: -checkpoints.keep]:
        path.unlink(missing_ok=True)
