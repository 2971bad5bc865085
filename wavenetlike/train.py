"""Learning: `train` for models of codes, `train_stack_ar` for linear stacks on a series."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavenetlike.checks import check_int, check_positive, check_series
from wavenetlike.data import Window, Windows, encode_clips
from wavenetlike.data.clips import Items
from wavenetlike.heads import GaussianHead, Losses, MSEHead
from wavenetlike.layers import Block, CausalConv1d
from wavenetlike.models import WaveNet, check_model

WARM_UP = 10
"""Steps over which the learning rate rises."""


@dataclasses.dataclass(frozen=True)
class StackFit:
    """What `train_stack_ar` found: the head (with σ, if Gaussian) and the loss of every iteration."""

    head: MSEHead | GaussianHead
    losses: list[float]

    def __repr__(self) -> str:
        return f"StackFit({type(self.head).__name__}, loss {self.losses[0]:.4g} → {self.losses[-1]:.4g})"


def train_stack_ar(stack: nn.Module, data: Sequence[float] | Tensor, loss_type: Losses = Losses.mse) -> StackFit:
    """Fit a causal stack to a series by minimizing the loss of its one-step predictions, in place.

    A stack of one kernel of length 2 then holds (b, a) of x_t = c + a·x_{t-1} + b·x_{t-2}, and c in its bias.
    All of the series is used at once, with L-BFGS in float64, so that the answer is the minimum and not a
    stop on the way. Taught in notebooks/01_ar2_weight_recovery.ipynb.

    Args:
        stack: `Block` or `build_ar2()`, of one channel.
        data: the series, (time,), finite, of more samples than the stack has parameters and Δ together; of any scale, and
            with an offset up to some 10⁵ times its spread, since the stack holds float32.
        loss_type: `Losses.mse`, or `Losses.gaussian` to learn σ as well.

    Raises:
        TypeError, ValueError: another loss, a stack of several channels, or a series that is too short, constant, not one-dimensional or not finite.
    """
    if not isinstance(loss_type, Losses):
        raise TypeError(f"loss_type={loss_type!r} is no member of Losses; pass Losses.mse or Losses.gaussian.")
    _check_stack(stack)
    delta = int(stack.receptive_field)  # type: ignore[arg-type]
    series = check_series(data, delta + 1 + sum(p.numel() for p in stack.parameters()))
    # Around 0 and as large as 1, so that every scale is as easy; an affine stack takes both back into its biases.
    center, scale = series.mean(), (series - series.mean()).abs().max()
    standard = (series - center) / scale
    learner = copy.deepcopy(stack).double()
    head, losses = _fit(learner, loss_type, standard[None, None, :-1], standard[None, delta:])
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


def _check_stack(stack: object) -> None:
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
    stack: nn.Module, loss_type: Losses, inputs: Tensor, targets: Tensor
) -> tuple[MSEHead | GaussianHead, list[float]]:
    mse = MSEHead()
    losses = _minimize(stack, mse, inputs, targets)
    if loss_type is Losses.mse:
        return mse, losses
    # The Gaussian's mean has the same minimum; what is missing is σ, begun e times too large.
    gaussian = GaussianHead().double()
    gaussian.log_sigma.data.fill_(math.log(losses[-1] + torch.finfo(torch.float64).tiny) / 2 + 1)
    return gaussian, _minimize(stack, gaussian, inputs, targets)


@torch.no_grad()
def _rescale(stack: nn.Module, center: Tensor, scale: Tensor) -> None:
    """Make an affine stack f of x what it is of (x - center) / scale: scale·f((x - center) / scale) + center."""
    convolutions = [module for module in stack.modules() if isinstance(module, CausalConv1d)]
    for conv in convolutions:
        conv.bias.mul_(scale)  # type: ignore[union-attr]
    one = torch.ones(1, 1, int(stack.receptive_field), dtype=torch.float64)  # type: ignore[arg-type]
    gain = stack(one, padded=False) - stack(0 * one, padded=False)
    convolutions[-1].bias.add_(center * (1 - gain.squeeze()))  # type: ignore[union-attr]


def _minimize(stack: nn.Module, head: MSEHead | GaussianHead, inputs: Tensor, targets: Tensor) -> list[float]:
    parameters = [*stack.parameters(), *head.parameters()]
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=20, line_search_fn="strong_wolfe", tolerance_grad=1e-12, tolerance_change=1e-14
    )
    losses: list[float] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = head.loss(stack(inputs, padded=False), targets)
        loss.backward()
        return loss

    while len(losses) < 100 and (len(losses) < 2 or losses[-2] - losses[-1] > 1e-12 * abs(losses[-1])):
        losses.append(optimizer.step(closure).item())
    return losses


@dataclasses.dataclass(frozen=True)
class History:
    """What `train` saw: the loss of every step, in bits per sample, and whether it was stopped early."""

    bits: list[float]
    seconds: float
    stopped: bool

    def __repr__(self) -> str:
        if not self.bits:
            return "History(no steps)"
        end = ", stopped" if self.stopped else ""
        return f"History({len(self.bits)} steps, {self.bits[0]:.2f} → {self.bits[-1]:.2f} bits per sample{end})"


def train(
    model: WaveNet,
    dataset: Items,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    window: int = 4000,
    batch_size: int = 1,
    learning_rate: float = 6e-3,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Train ``model`` on clips, in place, with a progress bar; what was learned stays when it is interrupted.

    Every step predicts up to ``window`` codes of each of ``batch_size`` windows, each code from all of its Δ past codes, and
    takes one step of Adam. In an epoch every such code is predicted once; the order is that of `data.Windows` for ``seed``,
    always the same. Clips that are not longer than Δ are used, too, with silence before them, and a warning says so. Ctrl-C, or the stop button of a notebook, ends training at once, and the model keeps its weights.
    Taught in notebooks/03_toy_wavenet.ipynb and 04_full_wavenet.ipynb.

    Args:
        model: a `WaveNet`; its config says how waveforms are quantized.
        dataset: any of `data`, or items whose first element is a waveform (batch, time) in [-1, 1].
        steps: how many steps, at least 1; None: as many as fit in ``seconds``.
        seconds: wall-clock time to train, above 0; 60 if neither is given; with both, whichever ends first.
        window: codes predicted per window at most, at least 1.
        batch_size: windows a step, at least 1.
        learning_rate: of Adam, above 0; reached over the first 10 steps, then falling to 0 at the end.
        seed: of the windows, at least 0.
        progress: show the bar.

    Raises:
        TypeError, ValueError: an argument out of its range, an empty dataset, a clip that is no waveform or of another
            sample rate, or a gradient that is no longer finite.
    """
    if steps is None and seconds is None:
        seconds = 60.0
    check_model(model)
    _check_training(steps, seconds, window, batch_size, learning_rate, seed)
    windows = Windows(encode_clips(dataset, model.mu_law), model.receptive_field, window, seed)
    if windows.n_short:
        warnings.warn(
            f"{windows.n_short} of {len(windows.codes)} clips are not longer than Δ = {windows.delta}; silence stands in for the past that they lack.",
            stacklevel=2,
        )
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.99))
    model.train()
    bits: list[float] = []
    stopped = False
    start = time.monotonic()
    with _Bar(steps, seconds, progress) as bar:
        try:
            while (done := _done(len(bits), steps, time.monotonic() - start, seconds)) < 1:
                rate = learning_rate * min((len(bits) + 1) / WARM_UP, 1 - done)
                bits.append(_step(model, optimizer, rate, windows.batch(len(bits), batch_size)))
                bar.show(len(bits), time.monotonic() - start, bits[-1])
        except KeyboardInterrupt:
            stopped = True
    if stopped:
        print(f"Stopped after {len(bits)} steps; the model keeps what it learned.")
    return History(bits, time.monotonic() - start, stopped)


def _done(step: int, steps: int | None, elapsed: float, seconds: float | None) -> float:
    """The part of the training that is over, 0 … 1."""
    return max(step / steps if steps else 0.0, elapsed / seconds if seconds else 0.0)


def _step(model: WaveNet, optimizer: torch.optim.Optimizer, rate: float, window: Window) -> float:
    """One step on a batch of windows; the loss in bits per sample."""
    device = next(model.parameters()).device
    codes, is_target = window.codes.to(device), window.targets.to(device)
    optimizer.param_groups[0]["lr"] = rate
    optimizer.zero_grad()
    outputs, targets = model(codes[:, :-1], padded=False), codes[:, model.receptive_field :]
    if not is_target.all():
        outputs, targets = outputs.transpose(1, 2)[is_target].T[None], targets[is_target][None]
    loss = model.head.loss(outputs, targets)
    loss.backward()
    # Without it the toy gained 14% instead of 16% on a bigram model in 250 steps on five real clips.
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    if not norm.isfinite():
        raise ValueError(
            f"Training diverged at learning_rate={rate:.3g}: the gradient is no longer finite, and the weights are those of the step before; build the model anew and try {rate / 10:.1g}."
        )
    optimizer.step()
    return loss.item()


def _check_training(
    steps: int | None, seconds: float | None, window: int, batch_size: int, learning_rate: float, seed: int
) -> None:
    if steps is not None:
        check_int("steps", steps, 1, "400 train the toy, or leave it out and give seconds")
    check_int("window", window, 1, "4000 is a quarter of a second at 16 kHz")
    check_int("batch_size", batch_size, 1, "1 is enough on a laptop")
    check_int("seed", seed, 0, "any such number")
    if seconds is not None:
        check_positive("seconds", seconds, "60")
    check_positive("learning_rate", learning_rate, "0.006")


class _Bar:
    """A progress bar over steps, or over seconds where only those are given."""

    def __init__(self, steps: int | None, seconds: float | None, visible: bool):
        from tqdm.auto import tqdm

        self.by_steps = steps is not None
        self.bar = tqdm(
            total=steps if steps is not None else seconds,
            disable=not visible,
            desc="training",
            unit="step" if self.by_steps else "s",
            bar_format=None if self.by_steps else "{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}",
        )

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def show(self, step: int, elapsed: float, bits: float) -> None:
        now = step if self.by_steps else min(elapsed, self.bar.total)
        self.bar.set_postfix_str(f"step {step}, {bits:.3f} bits per sample", refresh=False)
        self.bar.update(now - self.bar.n)
