"""The folder of a run: which of its checkpoints are whole and its own, how many of them stay, and the best weights beside them."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wavenetlike.checks import check_int, check_positive
from wavenetlike.models import WaveNet, WaveNetConfig
from wavenetlike.train.checkpoint import State, best_bits, read, write, write_best

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

    def are_due(self, steps: int, seconds: float) -> bool:
        """Whether it is time, ``steps`` and ``seconds`` after the last."""
        by_steps = self.steps is not None and steps >= self.steps
        return by_steps or (self.minutes is not None and seconds >= 60 * self.minutes)


class Folder:
    """The checkpoints of one run on the disk.

    Args:
        asked: where, and how many to keep.
        config: of the model.
        identity: of the run: its recipe and its clips.
    """

    def __init__(self, asked: Checkpoints, config: WaveNetConfig, identity: dict[str, Any]):
        self.asked, self.config, self.identity = asked, config, identity
        self.path = Path(asked.folder)
        self._passed_over: set[Path] = set()
        self._best_bits = math.inf

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """The folder for this run alone, made if it is missing, without what interrupted writing left.

        Raises:
            RuntimeError: another run has it.
            OSError: there can be no such folder.
        """
        from filelock import FileLock, Timeout

        try:
            with self._in_a_sentence():
                self.path.mkdir(parents=True, exist_ok=True)
                held = FileLock(self.path / ".lock", timeout=10).acquire()
        except Timeout:
            raise RuntimeError(
                f"Another run trains in {str(self.path)!r} now; wait for its end, or pass another folder as checkpoints."
            ) from None
        with held:
            for path in self.path.glob("*.safetensors*.partial"):
                path.unlink(missing_ok=True)
            yield

    def newest(self) -> State | None:
        """The newest state that is whole and of this very run, None where nothing was kept yet. Newer files are passed over with a warning.

        Raises:
            ValueError: the folder holds only checkpoints of another run, or none that can be read.
        """
        paths, others = sorted(self.path.glob(PATTERN), reverse=True), []
        for i, path in enumerate(paths):
            try:
                state = read(path)
            except ValueError as error:
                warnings.warn(f"{str(path)!r} is passed over: {error}; the checkpoint before it is used.", stacklevel=5)
                continue
            if not (differences := list(self._differences(state))):
                self._passed_over = set(paths[:i])
                return state
            others.append(differences)
            warnings.warn(f"{str(path)!r} is passed over: it is of another run, {differences[0]}.", stacklevel=5)
        if others:
            raise ValueError(
                f"The checkpoints in {str(self.path)!r} are of another run, {'; '.join(others[0])}: pass what they were made with to go on, or another folder to begin anew."
            )
        if paths:
            raise ValueError(
                f"None of the {len(paths)} checkpoints in {str(self.path)!r} can be read; to begin anew, pass another folder, or delete them."
            )
        return None

    def _differences(self, state: State) -> Iterator[str]:
        theirs = {**dataclasses.asdict(state.config), **state.about["identity"]}
        ours = {**dataclasses.asdict(self.config), **self.identity}
        for name in sorted(theirs.keys() | ours.keys()):
            if theirs.get(name) != ours.get(name):
                yield f"with {name}={theirs.get(name)!r} and not {ours.get(name)!r}"

    def write(self, step: int, state: State) -> None:
        """Keep the state after a step, and no more of those before it than are asked for.

        Raises:
            OSError: the disk is full, or cannot be written.
        """
        path = self.path / f"checkpoint-{step:09}.safetensors"
        with self._in_a_sentence():
            write(path, state)
        self._passed_over.discard(path)
        self._keep_last()

    def write_best(self, model: WaveNet, bits: float) -> None:
        """Keep the weights of ``model`` as the best, of so many bits per sample, unless better ones are there, of steps that an interruption took back."""
        if bits < self._best_bits:
            self._best_bits = bits
            with self._in_a_sentence():
                write_best(self.path / "best.safetensors", model, bits)

    def go_on(self) -> None:
        """After `newest` gave a state: what else there is stays, as far as it is asked for."""
        self._keep_last()
        self._best_bits = best_bits(self.path / "best.safetensors")

    def _keep_last(self) -> None:
        """Those that were passed over do not count, and stay."""
        for path in sorted(set(self.path.glob(PATTERN)) - self._passed_over)[: -self.asked.keep]:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _in_a_sentence(self) -> Iterator[None]:
        """Within it an error of the disk says where, and what to do."""
        try:
            yield
        except OSError as error:
            if error.errno is None:
                raise
            raise type(error)(
                error.errno,
                f"the checkpoints in {str(self.path)!r} cannot be written ({error.strerror}); free some space, or pass another folder to begin anew",
            ) from error
