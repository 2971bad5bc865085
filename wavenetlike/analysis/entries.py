"""Where codes become numbers inside a module: there others can be put in their place, and gradients begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

CONVERSIONS = [Tensor.float, Tensor.double, Tensor.half, Tensor.bfloat16, Tensor.to, Tensor.type, Tensor.type_as]
_STEPS = (
    "gt ge lt le eq ne where masked_fill sign round floor ceil trunc heaviside nan_to_num argmax argmin"
    " bucketize searchsorted int long bool amax amin max min"
)
STEPS = frozenset(_STEPS.split())
"""Functions that stop a NaN, or that most inputs move only by chance."""
Put = Callable[[Tensor, int], Tensor]
"""Numbers that codes became, and their time axis → other numbers in their place."""


class Entries(TorchFunctionMode):
    """Where codes become numbers (an embedding, one-hot vectors, floats), puts others in their place.

    ``put`` takes those numbers and their time axis; ``found`` counts the places. Numbers stay in float64 meanwhile.
    """

    def __init__(self, codes: Tensor, put: Put):
        super().__init__()
        self.codes, self.put, self.found, self.has_steps = codes, put, 0, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "").strip("_") in STEPS:
            self.has_steps |= any(
                isinstance(arg, Tensor) and arg.is_floating_point() and arg.numel() > 1 for arg in args
            )
        if func is nn.functional.embedding or func is nn.functional.one_hot:
            output = func(*args, **kwargs).double()
            return self._enter(output, -2) if self._are_codes(args[0]) else output
        output = func(*args, **kwargs)
        if func in CONVERSIONS and isinstance(output, Tensor) and output.is_floating_point():
            output = args[0].double()
            return self._enter(output, -1) if self._are_codes(args[0]) else output
        return output

    def _enter(self, numbers: Tensor, axis: int) -> Tensor:
        self.found += 1
        return self.put(numbers, axis)

    def _are_codes(self, tensor: Any) -> bool:
        n = self.codes.shape[1]
        return (
            not self.codes.is_floating_point()
            and isinstance(tensor, Tensor)
            and not tensor.is_floating_point()
            and tensor.shape[-1] >= n
            and tensor.numel() == tensor.shape[-1]
            and torch.equal(tensor.flatten()[-n:], self.codes[0])
        )
