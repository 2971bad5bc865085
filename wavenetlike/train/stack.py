"""`train_stack_ar`: a linear stack on a series, to the minimum of its loss."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from wavenetlike.checks import check_classes, check_series
from wavenetlike.condition import SwitchedConv1d
from wavenetlike.heads import GaussianHead, Losses, MSEHead
from wavenetlike.layers import Block, CausalConv1d


@dataclasses.dataclass(frozen=True)
class StackFit:
    """What `train_stack_ar` found: the head (with σ, if Gaussian) and the loss of every iteration."""

    head: MSEHead | GaussianHead
    losses: list[float]

    def __repr__(self) -> str:
        return f"StackFit({type(self.head).__name__}, loss {self.losses[0]:.4g} → {self.losses[-1]:.4g})"


def train_stack_ar(
    stack: nn.Module,
    data: Sequence[float] | Tensor,
    loss_type: Losses = Losses.mse,
    classes: Sequence[int] | Tensor | None = None,
) -> StackFit:
    """Fit a causal stack to a series by minimizing the loss of its one-step predictions, in place.

    A stack of one kernel of length 2 then holds (b, a) of x_t = c + a·x_{t-1} + b·x_{t-2}, and c in its bias.
    All of the series is used at once, with L-BFGS in float64, so that the answer is the minimum and not a
    stop on the way. Taught in notebooks/01_ar2_weight_recovery.ipynb.

    Args:
        stack: `Block` or `build_ar2()`, of one channel, or `condition.SwitchedConv1d`.
        data: the series, (time,), finite, of more samples than the stack has parameters and Δ together; of any scale, and
            with an offset up to some 10⁵ times its spread, since the stack holds float32.
        loss_type: `Losses.mse`, or `Losses.gaussian` to learn σ as well.
        classes: for a `SwitchedConv1d`, and for it alone: the class of each sample, (time,).

    Raises:
        TypeError, ValueError: another loss, a stack of several channels, a class that is hardly there, or a series that is too short, constant, not one-dimensional or not finite.
    """
    if not isinstance(loss_type, Losses):
        raise TypeError(f"loss_type={loss_type!r} is no member of Losses; pass Losses.mse or Losses.gaussian.")
    _check_stack(stack)
    delta = int(stack.receptive_field)  # type: ignore[arg-type]
    series = check_series(data, delta + 1 + sum(p.numel() for p in stack.parameters()))
    predict = _predicting(stack, len(series), classes)
    # Around 0 and as large as 1, so that every scale is as easy; an affine stack takes both back into its biases.
    center, scale = series.mean(), (series - series.mean()).abs().max()
    standard = (series - center) / scale
    learner = copy.deepcopy(stack).double()
    head, losses = _fit(learner, predict(learner), loss_type, standard[None, None, :-1], standard[None, delta:])
    _rescale(learner, center, scale)
    if isinstance(head, GaussianHead):
        head.log_sigma.data += scale.log()
        losses = [loss + scale.log().item() for loss in losses]
    else:
        losses = [loss * scale.square().item() for loss in losses]
    fitted = [p.to(next(stack.parameters()).dtype) for p in learner.parameters()]
    if not math.isfinite(losses[-1]) or not all(p.isfinite().all() for p in fitted):
        raise ValueError(
            "The fit is no longer finite: the series grows beyond what floats hold, or is predicted without error, so that "
            "a Gaussian's σ would be 0; use Losses.mse, or fewer samples, the stack is as it was."
        )
    stack.load_state_dict(learner.state_dict())
    return StackFit(head, losses)


def _predicting(
    stack: nn.Module, n: int, classes: Sequence[int] | Tensor | None
) -> Callable[[nn.Module], Callable[[Tensor], Tensor]]:
    """How a stack is asked for its predictions of all of the series."""
    if not isinstance(stack, SwitchedConv1d):
        if classes is not None:
            raise ValueError(
                f"classes were passed for a {type(stack).__name__}, which knows none; they must be None: leave them out, or pass SwitchedConv1d(n_classes)."
            )
        return lambda learner: functools.partial(learner, padded=False)
    if classes is None:
        raise ValueError(
            f"A SwitchedConv1d needs the class of each sample; pass classes: try torch.zeros({n}, dtype=torch.int64)."
        )
    known = check_classes(classes, n, stack.n_classes)
    delta = stack.receptive_field
    seen = torch.bincount(known[delta:], minlength=stack.n_classes)
    few = int(seen.argmin())
    if int(seen[few]) <= delta + 1:
        raise ValueError(
            f"Of class {few} there are {int(seen[few])} samples to predict; it needs at least {delta + 2}, more than the numbers to be learned from them: use a longer series."
        )
    return lambda learner: functools.partial(learner, classes=known[None, delta:], padded=False)


def _check_stack(stack: object) -> None:
    if isinstance(stack, SwitchedConv1d):
        return
    if not isinstance(stack, (Block, CausalConv1d)):
        raise TypeError(
            f"The stack is a {type(stack).__name__}; it must be a Block or build_ar2(): a WaveNet learns by train.train."
        )
    shape = tuple(next(stack.parameters()).shape[:2])
    if shape != (1, 1):
        raise ValueError(
            f"The stack has (out, in) = {shape} channels; a series has one: try Block(1, 2, 1), with channels=1."
        )


def _fit(
    stack: nn.Module, predict: Callable[[Tensor], Tensor], loss_type: Losses, inputs: Tensor, targets: Tensor
) -> tuple[MSEHead | GaussianHead, list[float]]:
    mse = MSEHead()
    losses = _minimize(stack, predict, mse, inputs, targets)
    if loss_type is Losses.mse:
        return mse, losses
    # The Gaussian's mean has the same minimum; what is missing is σ, begun e times too large.
    gaussian = GaussianHead().double()
    gaussian.log_sigma.data.fill_(math.log(losses[-1] + torch.finfo(torch.float64).tiny) / 2 + 1)
    return gaussian, _minimize(stack, predict, gaussian, inputs, targets)


@torch.no_grad()
def _rescale(stack: nn.Module, center: Tensor, scale: Tensor) -> None:
    """Make an affine stack f of x what it is of (x - center) / scale: scale·f((x - center) / scale) + center."""
    stack = stack.conv if isinstance(stack, SwitchedConv1d) else stack  # of which every channel is a stack by itself
    convolutions = [module for module in stack.modules() if isinstance(module, CausalConv1d)]
    for conv in convolutions:
        conv.bias.mul_(scale)  # type: ignore[union-attr]
    one = torch.ones(1, 1, int(stack.receptive_field), dtype=torch.float64)  # type: ignore[arg-type]
    gain = stack(one, padded=False) - stack(0 * one, padded=False)
    convolutions[-1].bias.add_(center * (1 - gain.squeeze()))  # type: ignore[union-attr]


def _minimize(
    stack: nn.Module, predict: Callable[[Tensor], Tensor], head: MSEHead | GaussianHead, inputs: Tensor, targets: Tensor
) -> list[float]:
    parameters = [*stack.parameters(), *head.parameters()]
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=20, line_search_fn="strong_wolfe", tolerance_grad=1e-12, tolerance_change=1e-14
    )
    losses: list[float] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = head.loss(predict(inputs), targets)
        loss.backward()
        return loss

    while len(losses) < 100 and (len(losses) < 2 or losses[-2] - losses[-1] > 1e-12 * abs(losses[-1])):
        losses.append(optimizer.step(closure).item())
    return losses
