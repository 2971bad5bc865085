"""Experiments on a copy of a module: which inputs one output depends on, by perturbation and by gradients."""

from __future__ import annotations

import bisect
import contextlib
import copy
import functools
import re
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wavenetlike.analysis.entries import Entries, Put
from wavenetlike.checks import check_int, check_seed
from wavenetlike.layers import CausalConv1d, OneHot, ValueEmbedding, reach

SCALES = [1.0, 0.1, 1.0, 10.0]
"""Of the random inputs: what is saturated at one is open at another."""
QUIET = 4
"""Gradients in a row that show no new lag before their set is believed."""
MOST_DRAWS = 40
ROUNDING = 1e-12
FEW, MANY = 2, 40
"""Other inputs that are tried in place of some before these are said not to matter: many where a step may hide it, and for one by one."""
FAR = 16_384
"""Samples that are searched at least."""
MARGIN = 64
"""Samples that are looked at beyond the end."""
IN_MEMORY = 1 << 29
"""Bytes of activations that wait in memory until the gradient needs them; the others wait on disk."""


class Probe:
    """A copy of a module that can be asked which inputs one output depends on.

    The output that is looked at has ``future`` inputs after its own time; it is the last one where ``future`` is 0.
    """

    def __init__(self, module: nn.Module, channels: int | None, levels: int | None, seed: int):
        check_module(module)
        check_seed(seed)
        self.generator = torch.Generator().manual_seed(int(seed))
        self.module = _copied(module)
        self.opened = _opened(self.module, self.generator)
        self.channels, self.levels = _inputs(module, channels, levels)
        self.has_steps = False
        self.axis = self._time_axis()
        self._known_outputs: dict[int, int] = {}
        self.stride, self.newest, self.lost = self._steps()
        self.chance = 0

    def _input(self, n: int, scale: float = 1.0) -> Tensor:
        if self.levels is not None:
            return torch.randint(self.levels, (1, n), generator=self.generator)
        return scale * torch.randn(1, self.channels or 1, n, generator=self.generator, dtype=torch.float64)

    def _time_axis(self) -> int:
        """Along which axis, counted from the last, the output grows with the input."""
        error: Exception = ValueError("its output does not grow with its input")
        self._runs = 64
        while self._runs <= 4 * max(FAR, sum_of_reaches(self.module)):
            try:
                one, two = (self._shape(length) for length in (self._runs, 2 * self._runs))
            except ValueError as refused:
                error = refused
            else:
                if axes := [i for i, (before, after) in enumerate(zip(one, two, strict=False)) if before != after]:
                    return axes[-1] - len(one)
            self._runs *= 4
        kind = f"(batch, {self.channels}, time)" if self.levels is None else f"codes (batch, time) below {self.levels}"
        raise ValueError(
            f"The module cannot be measured on {kind} ({_in_brief(error.__cause__ or error)}); say what it takes: try channels=1, or levels=256 for codes."
        )

    def _steps(self) -> tuple[int, int, int]:
        """Inputs per output, an input that belongs to an output, and inputs without an output of their own."""
        first = self._next_output(2 * self._runs)
        second = self._next_output(first)
        n_outputs = self._n_outputs(first)
        if (more := self._n_outputs(second) - n_outputs) > 1:
            raise ValueError(
                f"The module gives {more} outputs for one input; no more than one can be measured: pass what comes before it."
            )
        return second - first, first, max(0, first - (second - first) * n_outputs)

    def _n_outputs(self, n: int) -> int:
        if n not in self._known_outputs:
            self._known_outputs[n] = self._shape(n)[self.axis]
        return self._known_outputs[n]

    def _next_output(self, n: int) -> int:
        """How many inputs are needed for more outputs than ``n`` inputs give."""
        n_outputs, step = self._n_outputs(n), 1
        while self._n_outputs(n + step) == n_outputs:
            step *= 2
        few, enough = n + step // 2, n + step
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (middle, enough) if self._n_outputs(middle) == n_outputs else (few, middle)
        return enough

    @torch.no_grad()
    def _shape(self, n: int) -> torch.Size:
        """Of the output for ``n`` inputs."""
        return self.run(self._input(n)).shape

    def aligned(self, n: int) -> int:
        """At least ``n`` inputs, of which the newest belongs to the last output, where there is one for several inputs.

        Where some outputs see more than others, as with a context stack, the last is one that sees most.
        """
        rate, phase = getattr(self.module, "rate", 1), getattr(self.module, "phase", 0)
        return n + ((phase - n) % rate if self.stride == 1 else (self.newest - n) % self.stride)

    def usual_input(self) -> Tensor:
        """Some inputs that the module runs on, and that give more than one output."""
        return self._input(self.aligned(max(2 * self._runs, self.lost + 2 * self.stride)))

    def run(self, x: Tensor) -> Tensor:
        """The output of the copy."""
        with Entries(x, lambda numbers, axis: numbers) as entries:
            output = _call(self.module, x)
        self.has_steps |= entries.has_steps
        return output

    def _outputs(self, module: nn.Module, x: Tensor, future: int, put: Put | None = None) -> tuple[Tensor, int]:
        """The channels of the output that is looked at, (batch, n), and at how many places codes became numbers."""
        with Entries(x, put or (lambda numbers, axis: numbers)) as entries:
            y = _call(module, x, self.chance).movedim(self.axis, -1).double()
        return y.reshape(len(x), -1, y.shape[-1])[:, :, -1 - future // self.stride], entries.found

    @torch.no_grad()
    def _depends(self, n: int, future: int, spoiled: slice) -> bool:
        """Whether the output turns into NaN when these inputs do."""
        x = self._input(n)
        if self.levels is None:
            x[:, :, spoiled] = torch.nan
            return bool(self._outputs(self.module, x, future)[0].isnan().any())

        def spoil(entered: Tensor, axis: int) -> Tensor:
            entered = entered.clone()
            entered.movedim(axis, -1)[..., entered.shape[axis] - n :][..., spoiled] = torch.nan
            return entered

        output, found = self._outputs(self.module, x, future, spoil)
        return bool(output.isnan().any()) if found else self._moves(n, future, spoiled, MANY)

    @torch.no_grad()
    def _moves(self, n: int, future: int, changed: slice, tries: int | None = None) -> bool:
        """Whether the output moves when these inputs do: codes that become numbers in a way of their own, steps that stop a NaN."""
        x = self._input(n)
        before, _ = self._outputs(self.module, x, future)
        tries = tries or (MANY if self.has_steps else FEW)
        for i in range(tries if self.levels is None else min(tries, self.levels - 1)):
            other = x.clone()
            if self.levels is None:
                other[:, :, changed] = self._input(n, SCALES[i % len(SCALES)])[:, :, changed]
            else:
                other[:, changed] = (other[:, changed] + 1 + i) % self.levels
            if _distance(self._outputs(self.module, other, future)[0], before).any():
                return True
        return False

    def reach_back(self, searched: int) -> int:
        """Samples beyond which nothing matters, not the fewest; more than ``searched`` where something does."""

        def beyond(n: int, near: int) -> tuple[int, int, slice]:
            n = self.aligned(max(n, self._runs, self.lost + self.stride))
            return n, 0, slice(0, n - near)

        return self._reach(searched, beyond)

    def reach_ahead(self, searched: int) -> int:
        """The same for what comes after the output; 0 where nothing does."""

        def beyond(n: int, near: int) -> tuple[int, int, slice]:
            future = n // self.stride * self.stride
            total = self.aligned(max(self._runs, self.lost + self.stride) + future)
            return total, future, slice(total - future + near, total)

        anything = beyond(searched, 0)
        return self._reach(searched, beyond) if self._depends(*anything) or self._moves(*anything) else 0

    def _reach(self, searched: int, beyond: Callable[[int, int], tuple[int, int, slice]]) -> int:
        near, known = MARGIN, sum_of_reaches(self.module)
        # First where little has to be computed; then, once or twice, as far as one looks.
        while 2 * near <= searched:
            little = beyond(near + min(near, FAR), near)
            if not (self._depends(*little) or self._moves(*little)):
                break
            near = _further(near, known, searched)
        while near <= searched:
            far = beyond(searched + MARGIN, near)
            if not (self._depends(*far) or self._moves(*far)):
                break
            near = _further(near, known, searched)
        return near

    def gradient(self, n: int, future: int, scale: float = 1.0, opened: bool = False) -> Tensor:
        """How strongly each of ``n`` inputs, the oldest first, acts on the output, for one random input and projection, (n,)."""
        module = self.opened if opened else self.module
        self.chance += 1
        x = self._input(n, scale)
        if self.levels is None:
            x = (x.abs() if opened else x).requires_grad_()
            return self._back(self._outputs(module, x, future)[0], [x])[0].norm(dim=(0, 1))
        leaves: list[tuple[Tensor, int]] = []

        def leaf(entered: Tensor, axis: int) -> Tensor:
            leaves.append((entered.detach().requires_grad_(), axis))
            return leaves[-1][0]

        output, _ = self._outputs(module, x, future, leaf)
        if not leaves:
            return self._changes(x, future)
        gradients = self._back(output, [tensor for tensor, _ in leaves])
        squares = [
            gradient.movedim(axis, -1).flatten(0, -2).square().sum(dim=0)[-n:]
            for gradient, (_, axis) in zip(gradients, leaves, strict=True)
        ]
        return torch.stack(squares).sum(dim=0).sqrt()

    def has_gradients(self) -> bool:
        """Whether anything that the module computes has a gradient."""
        x = self.usual_input()
        return self.levels is not None or self.run(x.requires_grad_()).requires_grad

    def _back(self, output: Tensor, inputs: list[Tensor]) -> list[Tensor]:
        projection = torch.randn(output.shape, generator=self.generator, dtype=torch.float64)
        if not output.requires_grad:
            return [torch.zeros_like(x) for x in inputs]
        found = torch.autograd.grad((output * projection).sum(), inputs, allow_unused=True)
        return [torch.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]

    @torch.no_grad()
    def _changes(self, x: Tensor, future: int) -> Tensor:
        """How far the output moves when one code is another, code by code, (n,)."""
        levels, n = self.levels or 2, x.shape[1]
        before, _ = self._outputs(self.module, x, future)
        moved = []
        for first in range(0, n, 64):
            others = x.repeat(min(64, n - first), 1)
            rows = torch.arange(len(others))
            shift = torch.randint(1, levels, (len(others),), generator=self.generator)
            others[rows, first + rows] = (others[rows, first + rows] + shift) % levels
            moved.append(_distance(self._outputs(self.module, others, future)[0], before))
        return torch.cat(moved)

    def lags(self, past: int, future: int) -> tuple[Tensor, Tensor, int, bool]:
        """The lags that matter, how strongly each acts, how many gradients that took, and whether perturbation agrees."""
        future = -(-future // self.stride) * self.stride
        n = self.aligned(max(past, self._runs, self.lost + self.stride) + future)
        seen = torch.zeros(n, dtype=torch.bool)
        squares, n_own, n_draws = torch.zeros(n, dtype=torch.float64), 0, 0
        # Positive weights leave nothing to chance: what shows nothing new once has shown all.
        for opened, enough, most in ((True, 1, MOST_DRAWS // 2), (False, QUIET, MOST_DRAWS)):
            quiet = 0
            while quiet < enough and n_draws < most:
                scale = 1.0 if opened or self.levels is not None else SCALES[n_draws % len(SCALES)]
                with _on_disk():
                    strength = self.gradient(n, future, scale, opened)
                quiet = 0 if ((strength > 0) & ~seen).any() else quiet + 1
                seen |= strength > 0
                n_draws += 1
                if not opened and scale == 1:
                    squares += strength.square()
                    n_own += 1
        self._complete(seen, n, future)
        older = int(seen.nonzero()[0]) if seen.any() else n
        is_older = older > 0 and self._depends(n, future, slice(0, older))
        places = seen.nonzero()[:, 0].flip(0)
        return n - 1 - future - places, (squares / max(1, n_own)).sqrt()[places], n_draws, not is_older

    def _complete(self, seen: Tensor, n: int, future: int) -> None:
        """Marks, before and after what gradients show, what they do not: they fade in a deep stack, and a step function has none."""
        depends = self._moves if self._is_masked() else self._depends

        def matters(first: int, last: int, tries: int | None = None) -> bool:
            part = slice(min(first, last), max(first, last) + 1)
            return depends(n, future, part) or self._moves(n, future, part, tries)

        places = seen.nonzero()[:, 0].tolist() or [n]
        older, newer = range(places[0]), range(n - 1, places[-1], -1)
        # A mask over the future stops no NaN: there only what moves the output counts.
        is_older = bool(older) and matters(older[0], older[-1])
        is_newer = bool(newer) and self._moves(n, future, slice(newer[-1], n))
        # From the outermost on: first where it begins, then one by one.
        for outside in [older] * is_older + [newer] * is_newer:
            first = outside[0]
            begin = bisect.bisect_left(outside, True, key=functools.partial(matters, first))
            for place in outside[begin:]:
                seen[place] = matters(place, place, MANY)

    def _is_masked(self) -> bool:
        """Whether some weights, but not all of a layer, are 0: ways that a NaN passes and nothing else does."""
        held = (value for part in self.module.modules() for value in vars(part).values() if isinstance(value, Tensor))
        return any(
            bool((p == 0).any() and not (p == 0).all())
            for p in (*self.module.parameters(), *self.module.buffers(), *held)
            if p.dim() > 1
        )


def _further(near: int, known: int, searched: int) -> int:
    """Where to look next: twice as far, but neither past what the convolutions reach nor past the end without a look there."""
    stops = [stop for stop in (known, searched) if near < stop < 2 * near]
    return min(stops, default=2 * near if near < searched else searched + 1)


def _call(module: nn.Module, x: Tensor, chance: int = 0) -> Tensor:
    """The module's output, or the first tensor of several, all of it computed in float64; what it draws at random depends on ``chance``."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(chance)
            return first_tensor(module(x))
    except Exception as error:
        raise ValueError(
            f"The module does not run on an input of shape {tuple(x.shape)} ({_in_brief(error)}); it must run on inputs of any length: try one on it, and a smaller searched where that is too long."
        ) from error
    finally:
        torch.set_default_dtype(before)


def _distance(outputs: Tensor, before: Tensor) -> Tensor:
    """How far outputs (batch, n) lie from others, (batch,); 0 for what is rounded otherwise in a batch of another size."""
    far = (outputs - before).norm(dim=1)
    return far.masked_fill(far <= ROUNDING * before.norm(), 0)


def _in_brief(error: BaseException) -> str:
    """What an error says, fit to stand inside a sentence."""
    words = " ".join(str(error).split())[:150] or type(error).__name__
    return re.sub(r"[.!?]+(?= |$)", ",", words).rstrip(",")


def first_tensor(output: Any) -> Tensor:
    """The output itself, or the first tensor in a tuple, list or dictionary of outputs."""
    if isinstance(output, Tensor):
        return output
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, (tuple, list)) else ()
    for part in parts:
        with contextlib.suppress(TypeError):
            return first_tensor(part)
    raise TypeError(f"it gives a {type(output).__name__} without a tensor")


def _copied(module: nn.Module) -> nn.Module:
    """A copy in evaluation mode and float64, tensors that are neither parameters nor buffers included."""
    if any(nn.parameter.is_lazy(p) for p in module.parameters()):
        raise ValueError(
            "The module has layers that do not know their size yet; run it once on an input of yours first."
        )
    held = []
    for part in module.modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor):
                held.append((part, name, value))
                part.__dict__[name] = value.detach()  # what a hook computed cannot be copied
    try:
        copied = copy.deepcopy(module)
    except Exception as error:
        raise ValueError(
            f"The module cannot be copied ({_in_brief(error)}), and so not be measured; keep in it no tensors that were computed with gradients, no open files and no locks."
        ) from error
    finally:
        for part, name, value in held:
            part.__dict__[name] = value
    for part in copied.modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor) and value.is_floating_point():
                part.__dict__[name] = value.double()
    return copied.cpu().double().eval()


@torch.no_grad()
def _opened(module: nn.Module, generator: torch.Generator) -> nn.Module:
    """A copy with random positive weights: no ReLU is off, no gate saturated, no two ways cancel. Masked weights stay 0."""
    module = copy.deepcopy(module)
    for name, p in module.named_parameters():
        spread = 0.5 + torch.rand(p.shape, generator=generator, dtype=torch.float64)
        if p.dim() > 1:
            spread /= max(1, p[0].numel())
        elif p.dim() == 1 and "bias" in name:
            spread /= 100
        masked = (p == 0) & ~(p == 0).all() if p.dim() > 1 else torch.zeros_like(p, dtype=torch.bool)
        p.copy_(spread.masked_fill(masked, 0))
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.zero_()
        elif name.endswith("running_var"):
            buffer.fill_(1)
    return module


def _inputs(module: nn.Module, channels: int | None, levels: int | None) -> tuple[int | None, int | None]:
    """Channels, or levels of codes, that a module takes: as said, or as its first layer tells."""
    if channels is not None and levels is not None:
        raise ValueError(
            f"channels={channels} and levels={levels} were both passed; a module takes numbers or codes: leave one of them out."
        )
    if channels is not None:
        check_int("channels", channels, 1, "a waveform has 1")
        return channels, None
    if levels is not None:
        check_int("levels", levels, 2, "256 is WaveNet's")
        return None, levels
    for part in module.modules():
        if isinstance(part, nn.Embedding):
            return None, part.num_embeddings
        if isinstance(part, (OneHot, ValueEmbedding)):
            return None, part.levels
        if isinstance(part, (nn.Conv1d, nn.Conv2d)):
            return part.in_channels, None
        if isinstance(part, CausalConv1d):
            return part.weight.shape[1], None
        if isinstance(part, nn.Linear):
            return part.in_features, None
        if isinstance(part, nn.RNNBase):
            return part.input_size, None
    return 1, None


def sum_of_reaches(module: nn.Module) -> int:
    """What all convolutions of a module reach together, were they one after the other, in samples."""
    total, stride = 1, 1
    for part in module.modules():
        if isinstance(part, CausalConv1d):
            total += (part.receptive_field - 1) * stride
        elif isinstance(part, nn.Conv1d):
            total += (reach(part.kernel_size[0], part.dilation[0]) - 1) * stride
            stride *= part.stride[0]
    return total


def check_module(module: object) -> None:
    """Refuse what is no module.

    Raises:
        TypeError: something else.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"The module is a {type(module).__name__}; it must be a torch.nn.Module: pass a model or a layer."
        )


def _on_disk() -> Any:
    """What a gradient needs of activations waits on disk, but for the first of them, so that memory need not hold every layer."""
    held = 0

    def pack(tensor: Tensor) -> Any:
        nonlocal held
        held += tensor.numel() * tensor.element_size()
        if held < IN_MEMORY or (tensor.requires_grad and tensor.is_leaf):
            return tensor
        file = tempfile.TemporaryFile()  # noqa: SIM115, it is read when the gradient comes by
        tensor.detach().contiguous().numpy().tofile(file)
        return file, tensor.dtype, tensor.shape

    def unpack(packed: Any) -> Tensor:
        if isinstance(packed, Tensor):
            return packed
        file, dtype, shape = packed
        file.seek(0)
        numbers = np.fromfile(file, dtype=torch.empty(0, dtype=dtype).numpy().dtype)
        return torch.from_numpy(numbers).view(shape)

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)
