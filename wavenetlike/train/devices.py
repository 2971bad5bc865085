"""The machines that a model learns on: the only importer of accelerate, which knows DDP, bfloat16 and XLA.

One process, or as many as torchrun started, each with its share of every batch; the gradients are averaged over them.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from wavenetlike.checks import check_int
from wavenetlike.names import Precision

PATIENCE = timedelta(seconds=60)
"""How long a process waits for the others before it gives up, so that torchrun can start them again."""


class Devices:
    """This process and the others of the run.

    Args:
        precision: of the products; the weights are float32 either way.
        asked_for: how many processes there have to be; None: as many as there are.

    Raises:
        TypeError, ValueError: ``asked_for`` is no integer of at least 1.
        RuntimeError: there are not as many processes as were asked for, or started.
    """

    def __init__(self, precision: Precision = "float32", asked_for: int | None = None):
        if asked_for is not None:
            check_int("devices", asked_for, 1, "1 is this process alone")
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
        from accelerate.utils import InitProcessGroupKwargs

        # What an earlier training of this process set would be kept: accelerate knows one setting a process.
        AcceleratorState._reset_state()
        # Without `cpu` several processes on a machine without a GPU would each believe that they are alone.
        self._accelerator = Accelerator(
            cpu=not (torch.cuda.is_available() or _has_xla()),
            mixed_precision="bf16" if precision == "bfloat16" else "no",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        self.device: torch.device = self._accelerator.device
        self.n: int = self._accelerator.num_processes
        self.rank: int = self._accelerator.process_index
        started = int(os.environ.get("WORLD_SIZE", 1))
        if self.n != (expected := asked_for or started) or self.n != started:
            raise RuntimeError(
                f"The run was asked for {expected} processes and has {self.n}: start it by torchrun --nproc-per-node={expected}, or wavenetlike train --devices {expected}."
            )

    @property
    def is_first(self) -> bool:
        """Whether this process writes and shows what all have learned."""
        return self.rank == 0

    def prepare(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The same two, so that a backward pass and a step mean all processes."""
        return self._accelerator.prepare(model, optimizer)

    def release(self, model: nn.Module) -> None:
        """Take back what `prepare` did to ``model``."""
        self._accelerator.unwrap_model(model, keep_fp32_wrapper=False)
        self._accelerator.free_memory()

    def backward(self, loss: Tensor) -> None:
        self._accelerator.backward(loss)

    def clip(self, parameters: Sequence[nn.Parameter], most: float) -> Tensor:
        """Scale the gradients so that their norm is at most ``most``; what it was."""
        if self.device.type == "xla":  # where averaging them over the processes is part of it
            return self._accelerator.clip_grad_norm_(parameters, most)
        return nn.utils.clip_grad_norm_(parameters, most, foreach=True)

    def end_step(self) -> None:
        """After each step: XLA runs what it has only noted down until now, or it would compile a longer program every time."""
        if self.device.type == "xla":
            import torch_xla

            torch_xla.sync()

    def total(self, *values: float) -> list[float]:
        """Each value summed over the processes."""
        if self.n == 1:
            return list(values)
        total: Any = self._accelerator.reduce(torch.tensor(values, dtype=torch.float64, device=self.device), "sum")
        return total.tolist()


def _has_xla() -> bool:
    return "PJRT_DEVICE" in os.environ and importlib.util.find_spec("torch_xla") is not None
