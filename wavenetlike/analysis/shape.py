"""Δ, depth, parameters and γ of any one-dimensional module, from its structure: what its layers say, and what runs through them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from wavenetlike.analysis.probe import Probe, check_module, first_tensor
from wavenetlike.layers import CausalConv1d, reach

POINTWISE = nn.Identity, nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm
CONVOLUTIONS = nn.modules.conv._ConvNd, CausalConv1d, nn.RNNBase


def receptive_field(module: nn.Module) -> int:
    """Δ in samples, from what the layers say of themselves: how many, from the oldest to the newest, one output depends on.

    Known for every module of `layers` and `models`, for whatever else has a ``receptive_field``, for ``torch.nn.Conv1d``, and for a
    ``torch.nn.Sequential`` of these, of activations, dropout and batch norm. Any other is measured: `measure_receptive_field`.

    Raises:
        TypeError: no module.
        ValueError: the module does not say.
    """
    if isinstance(own := getattr(module, "receptive_field", None), Integral):
        return int(own)
    check_module(module)
    if isinstance(module, nn.Conv1d) and module.padding_mode == "zeros":
        return reach(module.kernel_size[0], module.dilation[0])
    if isinstance(module, nn.Sequential):
        total, stride = 1, 1
        for part in module:
            total += (receptive_field(part) - 1) * stride
            stride *= part.stride[0] if isinstance(part, nn.Conv1d) else 1
        return total
    is_measuring = isinstance(module, nn.modules.batchnorm._BatchNorm) and not module.track_running_stats
    is_activation = type(module).__module__ == nn.ReLU.__module__ and not isinstance(module, nn.MultiheadAttention)
    if (isinstance(module, POINTWISE) and not is_measuring) or (is_activation and getattr(module, "dim", 1) in (1, -2)):
        return 1
    raise ValueError(
        f"A {type(module).__name__} does not say how far it looks back; measure it: try analysis.measure_receptive_field(module)."
    )


delta = receptive_field
"""Δ by its symbol."""


def parameters(module: nn.Module) -> int:
    """How many numbers the module learns.

    Raises:
        TypeError: no module.
    """
    check_module(module)
    return sum(p.numel() for p in module.parameters())


def depth(module: nn.Module, *, channels: int | None = None, levels: int | None = None) -> int:
    """Layers with a convolution over time, one after the other; a recurrent layer counts as one.

    A module that knows its own ``depth`` is asked; any other is run once, and the longest way through it counted, so that two
    convolutions side by side are one layer.

    Args:
        module, channels, levels: as for `measure_receptive_field`.

    Raises:
        TypeError, ValueError: no module, or one that cannot be run.
    """
    if isinstance(own := getattr(module, "depth", None), Integral):
        return int(own)
    return max((layer.depth for layer in layers(module, channels=channels, levels=levels)), default=0)


def gamma(module: nn.Module, *, channels: int | None = None, levels: int | None = None) -> float:
    """γ: parameters per layer of depth.

    Args:
        module, channels, levels: as for `measure_receptive_field`.

    Raises:
        TypeError, ValueError: no module, one that cannot be run, or none of its layers looks back.
    """
    n_layers = depth(module, channels=channels, levels=levels)
    if n_layers == 0:
        raise ValueError(
            f"A {type(module).__name__} has no layer that looks back, and so no depth to divide by; pass one with a kernel longer than 1."
        )
    return parameters(module) / n_layers


def frontier(deltas: Sequence[int], gammas: Sequence[float]) -> list[int]:
    """Which of many choices no other beats: none has as large a Δ with a smaller γ, nor a larger Δ with as small a γ.

    Args:
        deltas, gammas: of each choice.

    Returns:
        Places in the lists, by rising Δ. Of two equal choices the first.
    """
    best, smallest = [], np.inf
    for i in np.lexsort((np.arange(len(deltas)), np.asarray(gammas), -np.asarray(deltas))):
        if gammas[i] < smallest:
            best.append(int(i))
            smallest = gammas[i]
    return best[::-1]


@dataclasses.dataclass(frozen=True)
class Layer:
    """One convolution or recurrent layer, where it stands in the module, and what an output has behind it there.

    Args:
        name: in the module; of a convolution that is no module of its own, the name of the module that computes it.
        kernel_length: taps; 0: a recurrent layer, whose past has no end.
        dilation, stride: samples between two taps, and inputs per output.
        parameters: of the layer, those of all its layers with the first of a recurrent one; 0 where it is run for a second time.
        depth, delta: those of the longest ways from the input through this layer; Δ = 0: without end.
    """

    name: str
    kernel_length: int
    dilation: int
    stride: int
    parameters: int
    depth: int = 0
    delta: int = 1


@torch.inference_mode(False)
def layers(module: nn.Module, *, channels: int | None = None, levels: int | None = None) -> list[Layer]:
    """The convolutions and recurrent layers that an output goes through, in the order in which they run.

    Args:
        module, channels, levels: as for `measure_receptive_field`.

    Raises:
        TypeError, ValueError: no module, or one that cannot be run.
    """
    probe = Probe(module, channels, levels, seed=0)
    x = probe.usual_input()
    with _Tracing(probe.module) as trace:
        output = probe.run(x)
    if trace.layers and not trace.has_gradients:
        raise ValueError(
            f"The layers of this {type(module).__name__} run without gradients, which alone tell their order; take torch.no_grad out of its forward."
        )
    return _with_what_is_behind(output, trace.layers)


class _Mark(torch.autograd.Function):
    """Leaves the number of a layer in the graph of what is computed, and changes nothing."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, number: int) -> Tensor:
        ctx.number = number
        return x.clone()  # a view could not be changed in place

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Tracing(TorchFunctionMode):
    """Notes every convolution and recurrent layer that runs, those without a module of their own included."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.layers: list[Layer] = []
        self._names = {part: name for name, part in module.named_modules()}
        self._inside: list[nn.Module] = []
        self._counted: set[nn.Parameter] = set()
        self._cells: set[nn.Module] = set()
        self.has_gradients = False

    def __enter__(self) -> _Tracing:
        self._hooks = [part.register_forward_pre_hook(self._enter_part) for part in self._names]
        self._hooks += [part.register_forward_hook(self._leave_part) for part in self._names]
        for part in self._names:
            for p in part.parameters(recurse=False):
                p.requires_grad_(p.is_floating_point() or p.is_complex())
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self._hooks:
            hook.remove()

    def _enter_part(self, part: nn.Module, _inputs: Any) -> None:
        self._inside.append(part)

    def _leave_part(self, part: nn.Module, _inputs: Any, output: Any) -> Any:
        self._inside.pop()
        if isinstance(part, CausalConv1d):
            return self._noted(part, output, part.kernel_length, part.dilation)
        if isinstance(part, nn.RNNCellBase) and part not in self._cells:
            self._cells.add(part)
            first = self._noted(part, first_tensor(output), 0)
            return (first, *output[1:]) if isinstance(output, tuple) else first
        if isinstance(part, nn.RNNBase):
            for _ in range(part.num_layers):
                output = self._noted(part, output[0], 0), *output[1:]
        return output

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in (torch.conv1d, torch.conv2d):
            given = dict(zip(["input", "weight", "bias", "stride", "padding", "dilation"], args, strict=False))
            given |= kwargs or {}
            dilation, stride = (_last(given.get(name, 1)) for name in ("dilation", "stride"))
            part = self._inside[-1]
            own = part.parameters() if isinstance(part, CONVOLUTIONS) else (given["weight"], given.get("bias"))
            return self._noted(part, output, given["weight"].shape[-1], dilation, stride, own)
        return output

    def _noted(
        self,
        part: nn.Module,
        output: Tensor,
        kernel_length: int,
        dilation: int = 1,
        stride: int = 1,
        own: Iterable[Tensor | None] | None = None,
    ) -> Tensor:
        self.has_gradients |= output.requires_grad
        own = {p for p in (part.parameters() if own is None else own) if isinstance(p, nn.Parameter)} - self._counted
        self._counted |= own
        name = self._names[part] or type(part).__name__
        self.layers.append(Layer(name, kernel_length, dilation, stride, sum(p.numel() for p in own)))
        return _Mark.apply(output, len(self.layers) - 1)


def _last(along: Any) -> int:
    return int(along[-1] if isinstance(along, (tuple, list)) else along)


def _with_what_is_behind(output: Tensor, found: list[Layer]) -> list[Layer]:
    """The layers that the output goes back to, with depth and Δ of the longest ways from the input through each."""
    behind: dict[Any, tuple[int, int, int]] = {}  # depth, Δ, stride behind each node of the graph
    complete: dict[int, Layer] = {}
    waiting = [output.grad_fn] if output.grad_fn else []
    while waiting:
        node = waiting[-1]
        before = [parent for parent, _ in node.next_functions if parent is not None]
        missing = [parent for parent in before if parent not in behind]
        if missing and node not in behind:
            waiting += missing
            continue
        waiting.pop()
        if node not in behind:
            ways = [behind[parent] for parent in before]
            if (hop := getattr(node, "hop", None)) is not None:  # columns that are held: they look as much further back
                ways[1:] = [(n, delta and delta + hop, 1) for n, delta, _ in ways[1:] if n]
            n_layers, delta, stride = map(max, zip((0, 1, 1), *ways, strict=True))
            if any(behind[parent][1] == 0 for parent in before):
                delta = 0
            number = getattr(node, "number", None)
            if number is not None:
                layer = found[number]
                n_layers += layer.kernel_length != 1
                delta = (
                    0
                    if 0 in (delta, layer.kernel_length)
                    else delta + (reach(layer.kernel_length, layer.dilation) - 1) * stride
                )
                stride *= layer.stride
                complete[number] = dataclasses.replace(layer, depth=n_layers, delta=delta)
            behind[node] = n_layers, delta, stride
    return [complete[number] for number in sorted(complete)]
