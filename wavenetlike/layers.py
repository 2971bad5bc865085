"""The building blocks: dilated causal convolutions, gated units, residual layers, the skip head.

Activations are float tensors of shape (batch, channels, time). Every module here knows its own `receptive_field`
Δ, the number of samples, the newest included, that one output depends on. Each is called in one of two ways::

    padded=True    x:    x0 x1 x2 x3 x4      zeros are put before the first sample, and the output is as long as
                   y:    y0 y1 y2 y3 y4      the input; y_t depends on x_{t-Δ+1} … x_t
    padded=False   x:    x0 x1 x2 x3 x4      nothing is invented: outputs only where all of Δ is known (here Δ = 3),
                   y:          y2 y3 y4      Δ - 1 fewer than inputs

The output at t never depends on anything after t, and is read as a prediction of x_{t+1}.
Taught in notebooks/01_ar2_weight_recovery.ipynb (one convolution) and 02_receptive_field_and_gamma.ipynb (stacks).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetlike.checks import check_int, check_known


def pad_past(x: Tensor, n: int) -> Tensor:
    """(…, time) → (…, n + time): ``n`` zeros before the first sample."""
    return F.pad(x, (n, 0)) if n else x  # pad would copy


def compose(receptive_fields: Iterable[int]) -> int:
    """Δ of layers applied one after the other: each adds what it sees beyond its newest input, 1 + Σ (Δ_i - 1)."""
    return 1 + sum(delta - 1 for delta in receptive_fields)


def reach(kernel_length: int, dilation: int) -> int:
    """Δ of one convolution: taps at lags 0, d, 2d, … (kernel_length - 1)·d."""
    return 1 + (kernel_length - 1) * dilation


def dilations(n_layers: int, dilation_rate: int) -> list[int]:
    """Dilations of one block: 1, r, r², … for ``n_layers`` layers (WaveNet, section 2.1)."""
    return [dilation_rate**i for i in range(n_layers)]


class CausalConv1d(nn.Module):
    """A convolution that looks only back: (batch, in, time) → (batch, out, time).

    y_t = bias + Σ_i weight[:, :, i] · x_{t-(kernel_length-1-i)·dilation}. As everywhere in torch this is a correlation:
    ``weight[:, :, -1]`` multiplies the newest sample x_t and ``weight[:, :, 0]`` the oldest. Weights, their
    initialization and their names are those of ``torch.nn.Conv1d``. Source: WaveNet (van den Oord et al., 2016),
    section 2.1.

    Args:
        in_channels: channels of the input, at least 1.
        out_channels: channels of the output, at least 1.
        kernel_length: taps, at least 1.
        dilation: samples between two taps, at least 1.

    Raises:
        TypeError, ValueError: an argument that is no integer or smaller than 1.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_length: int, dilation: int = 1):
        check_int("in_channels", in_channels, 1, "a waveform has 1")
        check_int("out_channels", out_channels, 1, "a waveform has 1")
        check_int("kernel_length", kernel_length, 1, "WaveNet uses 2")
        check_int("dilation", dilation, 1, "1 takes neighbouring samples")
        super().__init__()
        conv = nn.Conv1d(in_channels, out_channels, kernel_length)
        self.weight, self.bias = conv.weight, conv.bias
        self.kernel_length, self.dilation = kernel_length, dilation

    def extra_repr(self) -> str:
        out_channels, in_channels, kernel_length = self.weight.shape
        return f"{in_channels}, {out_channels}, kernel_length={kernel_length}, dilation={self.dilation}"

    @property
    def depth(self) -> int:
        return 1

    @property
    def receptive_field(self) -> int:
        return reach(self.kernel_length, self.dilation)

    def forward(self, x: Tensor, padded: bool = True) -> Tensor:
        if padded:
            x = pad_past(x, self.receptive_field - 1)
        check_known(x.shape[-1], self.receptive_field)
        if x.device.type != "cpu" or torch.compiler.is_exporting():
            return F.conv1d(x, self.weight, self.bias, dilation=self.dilation)
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        of = Correlation.apply if torch.is_grad_enabled() else correlate
        return of(x.to(kind), self.weight.to(kind), self.bias.to(kind), self.dilation)  # type: ignore[union-attr]


ALIGNED = 16
"""Numbers of a cache line: rows as long as a multiple of it are multiplied half as fast again, on some processors."""
WIDE = 128
"""Input channels from which on products are faster where the channels of one time step lie side by side in memory."""


def correlate(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """The convolution without padding, as one matrix product a tap: (batch, in, time) → (batch, out, time - Δ + 1).

    y_t = b + Σ_i W_i x_{t + i·d}. On a CPU, for as few channels as here, that is faster than ``conv1d``.
    """
    (batch, width, length), (out, _, n_taps) = x.shape, weight.shape
    n = length - (n_taps - 1) * dilation
    if n == 1:  # as when generating: one product of all that is seen
        return F.linear(x[..., ::dilation].flatten(1), weight.flatten(1), bias)[..., None]
    by_time = width >= WIDE or x.stride(1) == 1
    y = x.new_empty(batch, n, out).mT if by_time else x.new_empty(batch, out, n)
    *older, newest = weight.movedim(-1, 0).contiguous().unbind()
    for x_clip, y_clip in zip(x.unbind(), y.unbind(), strict=True):
        torch.addmm(bias[:, None], newest, x_clip[:, length - n :], out=y_clip)
        for i, kernel in enumerate(older):
            y_clip.addmm_(kernel, x_clip.narrow(1, i * dilation, n))
    return y


class Correlation(torch.autograd.Function):
    """`correlate` with its gradients written out.

    Autograd would give each tap's slice of x a gradient as long as all of x, mostly zeros, to be summed::

        ∂x_{t + i·d} += W_iᵀ ∂y_t        ∂W_i = Σ_t ∂y_t x_{t + i·d}ᵀ        ∂b = Σ_t ∂y_t
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return correlate(x, weight, bias, dilation)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        kernels = weight.movedim(-1, 0).contiguous()
        dx, dkernels = torch.empty_like(x), torch.zeros_like(kernels)
        n = dy.shape[2]
        past = x.shape[2] - n
        dx[..., :past] = 0
        *older, newest = kernels.mT.unbind()
        for x_clip, dx_clip, dy_clip in zip(x.unbind(), dx.unbind(), dy.unbind(), strict=True):
            torch.mm(newest, dy_clip, out=dx_clip[:, past:])
            for i, kernel in enumerate(older):
                dx_clip.narrow(1, i * ctx.dilation, n).addmm_(kernel, dy_clip)
            for i, dkernel in enumerate(dkernels.unbind()):
                dkernel.addmm_(dy_clip, x_clip.narrow(1, i * ctx.dilation, n).T)
        return dx, dkernels.movedim(0, -1), dy.sum((0, 2)), None


class Fork(torch.autograd.Function):
    """(batch, channels, time) → the same, and all but its ``n`` oldest columns.

    What slicing would give, but its gradient is added where it belongs, not first put among zeros.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, n: int) -> tuple[Tensor, Tensor]:
        ctx.n = n
        return x, x[..., n:]

    @staticmethod
    def backward(ctx: Any, dx: Tensor, dnewest: Tensor) -> tuple[Tensor, None]:
        both = torch.empty_like(dx)
        both[..., : ctx.n] = dx[..., : ctx.n]
        torch.add(dx[..., ctx.n :], dnewest, out=both[..., ctx.n :])
        return both, None


class CodeEmbedding(nn.Embedding):
    """A vector of its own for each code: (batch, time) → (batch, time, width).

    A one-hot input through a 1×1 convolution only picks a column of its weight: this is that, without the product.

    Args:
        levels: number of codes, at least 2.
        width: channels, at least 1.
    """

    def __init__(self, levels: int, width: int):
        super().__init__(levels, width)

    @property
    def table(self) -> Tensor:
        """The vectors of all codes, (levels, width)."""
        return self.weight


class OneHot(nn.Module):
    """A one-hot input through a 1×1 convolution without bias, product and all: (batch, time) → (batch, time, width).

    The function is that of a `CodeEmbedding`, at ``levels`` multiplications for one; its weights begin as those of a convolution.

    Args:
        levels: number of codes, at least 2.
        width: channels, at least 1.
    """

    def __init__(self, levels: int, width: int):
        super().__init__()
        self.levels = levels
        self.weight = nn.Linear(levels, width, bias=False).weight

    @property
    def table(self) -> Tensor:
        """The vectors of all codes, (levels, width)."""
        return self.weight.T

    def forward(self, codes: Tensor) -> Tensor:
        return F.linear(F.one_hot(codes, self.levels).to(self.weight.dtype), self.weight)


class ValueEmbedding(nn.Module):
    """A code by its value alone, w · (2·code/(levels - 1) - 1) + b: (batch, time) → (batch, time, width).

    What an embedding is for few codes, this is for many, where near codes sound alike and most are never seen.

    Args:
        levels: number of codes, at least 2.
        width: channels, at least 1.
    """

    def __init__(self, levels: int, width: int):
        super().__init__()
        self.levels = levels
        linear = nn.Linear(1, width)
        self.weight, self.bias = nn.Parameter(linear.weight.detach()[:, 0]), linear.bias

    @property
    def table(self) -> Tensor:
        """The vectors of all codes, (levels, width)."""
        return self(torch.arange(self.levels, device=self.weight.device))

    def forward(self, codes: Tensor) -> Tensor:
        values = codes.to(self.weight.dtype) * (2 / (self.levels - 1)) - 1
        return values[..., None] * self.weight + self.bias


class Block(nn.Module):
    """A stack of causal convolutions whose dilation grows: (batch, channels, time) → (batch, channels, time).

    Without nonlinearities, so that the whole stack is one long sparse kernel; with ``n_layers=1, kernel_length=2``
    it is the AR(2) model itself, x_{t+1} = c + a·x_t + b·x_{t-1}, and `train_stack_ar` leaves (b, a) in its kernel.
    Taught in notebooks/01_ar2_weight_recovery.ipynb and 02_receptive_field_and_gamma.ipynb.

    Args:
        n_layers: convolutions, at least 1.
        kernel_length: taps of each, at least 1.
        dilation_rate: dilations are 1, r, r², …; at least 1 (1: an undilated stack).
        channels: channels throughout, at least 1.

    Raises:
        TypeError, ValueError: an argument that is no integer or smaller than 1.

    >>> Block(n_layers=10, kernel_length=2, dilation_rate=2).receptive_field
    1024
    """

    def __init__(self, n_layers: int, kernel_length: int, dilation_rate: int, channels: int = 1):
        super().__init__()
        check_int("n_layers", n_layers, 1, "one layer of kernel length 2 is an AR(2) model")
        check_int("dilation_rate", dilation_rate, 1, "1 means no dilation, WaveNet uses 2")
        self.layers = nn.ModuleList(
            CausalConv1d(channels, channels, kernel_length, dilation) for dilation in dilations(n_layers, dilation_rate)
        )

    @property
    def depth(self) -> int:
        return len(self.layers)

    @property
    def receptive_field(self) -> int:
        return compose(layer.receptive_field for layer in self.layers)  # type: ignore[misc]

    def forward(self, x: Tensor, padded: bool = True) -> Tensor:
        # Padding once, at the input, keeps every layer translation-invariant: the past is silence, not a broken layer.
        if padded:
            x = pad_past(x, self.receptive_field - 1)
        check_known(x.shape[-1], self.receptive_field)
        for layer in self.layers:
            x = layer(x, padded=False)
        return x


class Gate(torch.autograd.Function):
    """z = tanh(filter) ⊙ σ(gate): filter and gate, one after the other (batch, 2·gate, time) → (batch, gate, time).

    What autograd would give, but the gradient of the two is written where it belongs, not first apart and then side by side::

        ∂filter = ∂z (1 - tanh²) σ        ∂gate = ∂z tanh σ (1 - σ)
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        filter, gate = x.chunk(2, dim=1)
        tanh, sigmoid = _tanh(filter), torch.sigmoid(gate)
        z = tanh * sigmoid
        ctx.save_for_backward(tanh, sigmoid, z)
        ctx.like = x.shape, x.stride()
        return z

    @staticmethod
    def backward(ctx: Any, dz: Tensor) -> Tensor:
        tanh, sigmoid, z = ctx.saved_tensors
        dx = torch.empty_strided(*ctx.like, dtype=dz.dtype, device=dz.device)
        dfilter, dgate = dx.chunk(2, dim=1)
        torch.addcmul(sigmoid, z, tanh, value=-1, out=dfilter).mul_(dz)
        torch.addcmul(z, z, sigmoid, value=-1, out=dgate).mul_(dz)
        return dx


def _tanh(x: Tensor) -> Tensor:
    """tanh(x) = 2σ(2x) - 1, which torch computes four times as fast in float32, and exactly enough."""
    if x.dtype is torch.float32:
        sigmoid = (2 * x).sigmoid_()
        # Autograd reads σ again.
        return (2 * sigmoid if torch.is_grad_enabled() else sigmoid.mul_(2)).sub_(1)
    return torch.tanh(x)


class Bias(NamedTuple):
    """What a condition adds to a layer's sums of filter and gate: one column a frame, held for ``hop`` samples.

    ::

        time            0 … hop - 1    hop … 2·hop - 1    …        the first column also before 0, the last one to the end
        frames[..., i]  i = 0          i = 1

    Attributes:
        frames: (batch or 1, channels, n_frames).
        hop: samples a frame.
        ends: int64 (batch or 1,), the time that the newest column of activations predicts, + 1.
    """

    frames: Tensor
    hop: int
    ends: Tensor


def add_bias(y: Tensor, bias: Bias) -> Tensor:
    """(batch, channels, time) → the same with each column's frame added, in the place of ``y`` where it can be."""
    frames, hop, ends = bias
    frames = frames.to(y.dtype)
    if frames.shape[2] == 1:
        return y + frames
    if y.device.type == "cpu" and not torch.compiler.is_compiling():
        if torch.is_grad_enabled() and y._is_view():
            y = y.clone()  # autograd lets nobody change a view that a function of ours returned
        of = AddFrames.apply if torch.is_grad_enabled() else add_frames
        return of(y, frames, hop, ends.tolist())
    times = ends.to(y.device)[:, None] - y.shape[2] + torch.arange(y.shape[2], device=y.device)
    at = (times.div(hop, rounding_mode="floor")).clamp(0, frames.shape[2] - 1)
    batch = y.shape[0]  # not len, which a program would take for a constant
    return y + frames.expand(batch, -1, -1).gather(2, at.expand(batch, -1)[:, None].expand(-1, y.shape[1], -1))


def _spans(n: int, n_frames: int, hop: int, end: int) -> tuple[int, int, int, int]:
    """Of n columns up to time ``end``: the first and the last frame, and how many columns the first has, and those up to the last."""
    start = end - n
    first, last = (min(max(t // hop, 0), n_frames - 1) for t in (start, end - 1))
    if first == last:
        return first, last, n, n
    head = (first + 1) * hop - start
    return first, last, head, head + (last - first - 1) * hop


def add_frames(y: Tensor, frames: Tensor, hop: int, ends: Sequence[int]) -> Tensor:
    """`add_bias` in place, without a copy of the frames as long as ``y``."""
    for i, y_clip in enumerate(y.unbind()):
        own, end = frames[min(i, len(frames) - 1)], ends[min(i, len(ends) - 1)]
        first, last, head, tail = _spans(y.shape[2], frames.shape[2], hop, end)
        y_clip[:, :head] += own[:, first, None]
        if first != last:
            y_clip[:, head:tail].unflatten(1, (-1, hop)).add_(own[:, first + 1 : last, None])
            y_clip[:, tail:] += own[:, last, None]
    return y


class AddFrames(torch.autograd.Function):
    """`add_frames` with its gradient: that of a frame is the sum over the columns which it was added to."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, frames: Tensor, hop: int, ends: Sequence[int]) -> Tensor:
        ctx.mark_dirty(y)
        ctx.shape, ctx.hop, ctx.ends = frames.shape, hop, ends
        return add_frames(y, frames, hop, ends)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        dframes = dy.new_zeros(ctx.shape)
        for i, dy_clip in enumerate(dy.unbind()):
            own, end = dframes[min(i, len(dframes) - 1)], ctx.ends[min(i, len(ctx.ends) - 1)]
            first, last, head, tail = _spans(dy.shape[2], ctx.shape[2], ctx.hop, end)
            own[:, first] += dy_clip[:, :head].sum(dim=1)
            if first != last:
                own[:, first + 1 : last] += dy_clip[:, head:tail].unflatten(1, (-1, ctx.hop)).sum(dim=2)
                own[:, last] += dy_clip[:, tail:].sum(dim=1)
        return dy, dframes, None, None


class GatedUnit(nn.Module):
    """z = tanh(W_f ∗ x) ⊙ σ(W_g ∗ x), WaveNet equation 2: (batch, in, time) → (batch, gate, time).

    Filter and gate are two convolutions; they are computed as one with twice the channels, filter first. What a condition adds within the
    two (WaveNet, section 2.5) comes as ``biases``, of 2 · gate channels.

    Args:
        in_channels, gate_channels, kernel_length, dilation: as in `CausalConv1d`; ``gate_channels`` is the width of z.
        gated: False leaves the gate out, z = tanh(W_f ∗ x); ``biases`` are then of gate channels.
    """

    def __init__(self, in_channels: int, gate_channels: int, kernel_length: int, dilation: int = 1, gated: bool = True):
        super().__init__()
        check_int("gate_channels", gate_channels, 1, "the toy WaveNet has 6")
        self.is_gated = gated
        self.conv = CausalConv1d(in_channels, (1 + gated) * gate_channels, kernel_length, dilation)

    @property
    def receptive_field(self) -> int:
        return self.conv.receptive_field

    def forward(self, x: Tensor, padded: bool = True, biases: Iterable[Bias] = ()) -> Tensor:
        x = self.conv(x, padded)
        for bias in biases:
            x = add_bias(x, bias)
        if not self.is_gated:
            return _tanh(x)
        if torch.is_grad_enabled():
            return Gate.apply(x)
        filter, gate = x.chunk(2, dim=1)
        return _tanh(filter) * torch.sigmoid(gate)


class ResidualLayer(nn.Module):
    """One layer of a WaveNet: (batch, residual, time) → its output, the same shape, and z (batch, gate, time).

    z leaves the gated unit by two ways: a 1×1 convolution brings it back to the residual channels, where the layer's
    own input is added (WaveNet, figure 4); and as it is to the `SkipHead`, which holds the skip convolutions.

    Args:
        residual_channels, gate_channels, kernel_length, dilation: as in `GatedUnit`.
        last: the last layer of a model has no residual way, since nobody would read it.
        gated: as in `GatedUnit`.
        adds: False does not add the layer's own input: what leaves the 1×1 convolution goes on alone.
    """

    def __init__(
        self,
        residual_channels: int,
        gate_channels: int,
        kernel_length: int,
        dilation: int = 1,
        last: bool = False,
        gated: bool = True,
        adds: bool = True,
    ):
        super().__init__()
        self.gated = GatedUnit(residual_channels, gate_channels, kernel_length, dilation, gated)
        self.residual = None if last else CausalConv1d(gate_channels, residual_channels, 1)
        self.adds = adds

    @property
    def receptive_field(self) -> int:
        return self.gated.receptive_field

    def forward(self, x: Tensor, padded: bool = True, biases: Iterable[Bias] = ()) -> tuple[Tensor, Tensor]:
        n = 0 if padded else self.receptive_field - 1
        x, newest = Fork.apply(x, n) if torch.is_grad_enabled() else (x, x[..., n:])
        z = self.gated(x, padded, biases)
        return self.onward(newest, z), z

    def onward(self, newest: Tensor, z: Tensor) -> Tensor:
        """The layer's own input (batch, residual, time) and z at the same times → its output."""
        if self.residual is None:
            return newest
        return newest + self.residual(z) if self.adds else self.residual(z)


class SkipHead(nn.Module):
    """The sum of the skip ways, then ReLU, 1×1, ReLU, 1×1 (WaveNet, figure 4): a list of z → (batch, out, time).

    Summing one 1×1 convolution a layer is one 1×1 convolution of all z side by side; so it is computed, at
    the positions where every layer has an output, a piece of them at a time.

    Args:
        n_layers: how many z are read, the last ones of the list.
        gate_channels: channels of each.
        skip_channels: width of the sum and of the hidden layer.
        out_channels: what the head reads, `levels` for a softmax.
    """

    def __init__(self, n_layers: int, gate_channels: int, skip_channels: int, out_channels: int):
        super().__init__()
        check_int("skip_channels", skip_channels, 1, "the toy WaveNet has 50")
        self.n_layers = n_layers
        self.skip = CausalConv1d(n_layers * gate_channels, skip_channels, 1)
        self.hidden = CausalConv1d(skip_channels, skip_channels, 1)
        self.out = CausalConv1d(skip_channels, out_channels, 1)

    AT_ONCE: ClassVar[int] = 2_000_000
    """Numbers of z that are held side by side: pieces that fit the caches, in memory that the process keeps between two steps."""

    def forward(self, gated: Sequence[Tensor]) -> Tensor:
        gated = gated[-self.n_layers :]
        n = min(z.shape[-1] for z in gated)
        if torch.compiler.is_exporting():  # a program of as many pieces would be one for this length alone
            return self._piece(torch.cat([z[..., z.shape[-1] - n :] for z in gated], dim=1))
        at_once = self.AT_ONCE // (len(gated[0]) * self.skip.weight.shape[1])
        at_once = max(1, at_once - at_once % ALIGNED)
        pieces = zip(*(z[..., z.shape[-1] - n :].split(at_once, dim=-1) for z in gated), strict=True)
        # What is read next is one time step's channels, so they lie side by side.
        return torch.cat([self._piece(torch.cat(piece, dim=1)).mT for piece in pieces], dim=1).mT

    def _piece(self, z: Tensor) -> Tensor:
        return self.out(F.relu(self.hidden(F.relu(self.skip(z)))))
