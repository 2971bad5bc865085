"""What an output really depends on, measured on any one-dimensional module: Δ, the lags, causality, and how strongly."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from wavenetlike.analysis.probe import FAR, QUIET, Probe, sum_of_reaches
from wavenetlike.checks import check_between, check_int

UNBOUNDED_SHOWN = 2048
"""Lags that are measured one by one where there is no end of them."""


@dataclasses.dataclass(frozen=True)
class Field:
    """The inputs that one output depends on, as lags: 0 is the input at the output's own time, negative ones lie in its future.

    Args:
        lags: int64 (n,), rising.
        strength: float64 (n,), how strongly each acts: the root mean square, over random inputs, of the gradient of the output by
            that input, at the module's own weights; 0 where these close a way that its structure leaves open.
        stride: inputs per output.
        searched: how far back and ahead a dependence was looked for, in samples.
        n_draws: gradients that were taken; the last `QUIET` of them showed no lag that the others had not.
        ahead: the output at t predicts the sample at t + ahead.
        is_unbounded: it reaches back as far as was looked; then ``lags`` are the first of them only.
        is_unbounded_ahead: it sees its future as far as was looked; likewise.
        is_confirmed: perturbation finds nothing older than gradients do; else a NaN passes further, by weights that are 0.
    """

    lags: Tensor
    strength: Tensor
    stride: int
    searched: int
    n_draws: int
    ahead: int
    is_unbounded: bool
    is_unbounded_ahead: bool
    is_confirmed: bool

    @property
    def delta(self) -> int:
        """Δ: samples from the oldest that matters to the output's own time, both included."""
        return max(0, int(self.lags.max()) + 1) if len(self.lags) else 0

    @property
    def is_causal(self) -> bool:
        """Whether an output depends on nothing after its own time."""
        return not bool((self.lags < 0).any())

    @property
    def sees_target(self) -> bool:
        """Whether the output at t depends on the very sample that it predicts."""
        return bool((self.lags == -self.ahead).any())

    def by_lag(self, n_lags: int) -> Tensor:
        """The strength of lags 0 … n_lags - 1, float64 (n_lags,), 0 for those that do not matter."""
        check_int("n_lags", n_lags, 0, "Δ and a few more show where the dependence ends")
        profile = torch.zeros(n_lags, dtype=torch.float64)
        inside = (self.lags >= 0) & (self.lags < n_lags)
        profile[self.lags[inside]] = self.strength[inside]
        return profile

    def effective_delta(self, part: float = 0.95) -> int:
        """The newest samples that together hold ``part`` (0 … 1) of the squared strength: how far back is really looked."""
        check_between("part", part, 0, 1, "0.95")
        share = self.by_lag(self.delta).square().cumsum(dim=0)
        return int((share < part * share[-1]).sum()) + 1 if len(share) and share[-1] > 0 else 0

    @property
    def gaps(self) -> Tensor:
        """Lags between 0 and Δ that do not matter, int64 (n,)."""
        missing = torch.ones(self.delta, dtype=torch.bool)
        missing[self.lags[self.lags >= 0]] = False
        return missing.nonzero()[:, 0]

    def __str__(self) -> str:
        if self.is_unbounded:
            words = [f"Δ is unbounded: the output still depends on what was {self.searched - 1:,} samples ago"]
        else:
            words = [f"Δ = {self.delta:,}, and nothing matters beyond, within {self.searched:,} samples"]
        if len(self.gaps):
            words.append(
                f"{_counted(len(self.gaps), 'lag')} in between {'does' if len(self.gaps) == 1 else 'do'} not matter"
            )
        if self.is_causal:
            words.append("causal")
        elif self.is_unbounded_ahead:
            words.append("not causal: it sees its future as far as was looked")
        else:
            words.append(f"not causal: it sees {_counted(-int(self.lags.min()), 'sample')} of its future")
        if self.sees_target:
            words.append("it sees its own target")
        if self.stride > 1:
            words.append(f"one output for {self.stride} inputs")
        effort = f"{self.n_draws} gradients, the last {QUIET} without anything new"
        if not self.is_unbounded:
            effort += (
                "; a NaN passes no further"
                if self.is_confirmed
                else "; though a NaN passes further, by weights that are 0"
            )
        return f"{'; '.join(words)} ({effort})"


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


@torch.inference_mode(False)
def measure_receptive_field(
    module: nn.Module,
    *,
    channels: int | None = None,
    levels: int | None = None,
    searched: int | None = None,
    ahead: int = 1,
    seed: int = 0,
) -> Field:
    """Which inputs one output of ``module`` depends on, by experiment alone; nothing is taken from what its layers say.

    Two experiments on a copy in evaluation mode, in float64. **Perturbation**: NaN is put in place of the inputs beyond a lag.
    No saturated gate, closed ReLU or small weight stops a NaN, so an output without one does not depend on them. (A step
    function does stop it, so other finite numbers are tried there, too.) That finds how far to look, by doubling.
    **Gradients**: of a random projection of one output by all inputs, for random inputs at three scales, first at random
    positive weights, where no ReLU is off, no gate saturated and nothing cancels, then at the module's own, until `QUIET` in a
    row show no new lag. (Weights that are 0 among others that are not, as a mask leaves them, stay 0.)

    Taught in notebooks/02_receptive_field_and_gamma.ipynb.

    Args:
        module: takes (batch, channels, time) or integer codes (batch, time), and gives a tensor, or a tuple that begins with
            one, with a time axis as long as the input's or shorter; a shorter one ends where the input ends.
        channels: of the input; None: those of the first layer.
        levels: of integer codes; None: those of the embedding, where there is one.
        searched: how many samples back and ahead to look for a dependence; None: 8,192 more than its convolutions
            reach together, at least 16,384.
        ahead: the output at t predicts the sample at t + ahead.
        seed: of the random inputs.

    Raises:
        TypeError, ValueError: no module, or one that cannot be run on such inputs.
    """
    check_int("ahead", ahead, 0, "1 where the output at t predicts the sample at t + 1")
    if searched is not None:
        check_int("searched", searched, 64, "16384 is a second at 16 kHz")
    probe = Probe(module, channels, levels, seed)
    searched = searched or max(FAR, sum_of_reaches(module) + FAR // 2)
    past, future = probe.reach_back(searched), probe.reach_ahead(searched)
    is_unbounded, is_unbounded_ahead = past > searched, future > searched
    lags, strength, n_draws, is_confirmed = probe.lags(
        min(UNBOUNDED_SHOWN, searched) if is_unbounded else past,
        min(UNBOUNDED_SHOWN, searched) if is_unbounded_ahead else future,
    )
    is_confirmed = is_confirmed or is_unbounded
    is_unbounded_ahead = is_unbounded_ahead and bool((lags < 0).any())
    return Field(lags, strength, probe.stride, searched, n_draws, ahead, is_unbounded, is_unbounded_ahead, is_confirmed)


@torch.inference_mode(False)
def lag_profile(module: nn.Module, n_lags: int, seed: int = 0) -> Tensor:
    """How strongly the newest output depends on the input ``lag`` samples ago: the root mean square of its gradient.

    Over `QUIET` random inputs, in float64, at the module's own weights. Beyond Δ it is exactly 0.
    Taught in notebooks/02_receptive_field_and_gamma.ipynb.

    Args:
        module: as for `measure_receptive_field`; it is left as it is.
        n_lags: lags 0 … n_lags - 1 are measured, at least 1.
        seed: of the inputs.

    Returns:
        float64 of shape (n_lags,), lag 0 first.
    """
    check_int("n_lags", n_lags, 1, "Δ and a few more show where the dependence ends")
    probe = Probe(module, None, None, seed)
    if not probe.has_gradients():
        raise ValueError(
            f"The output of this {type(module).__name__} has no gradient; take torch.no_grad, detach and rounding out of its forward, or measure it without: try analysis.measure_receptive_field(module)."
        )
    draws = [probe.gradient(n_lags, 0) for _ in range(QUIET)]
    return torch.stack(draws).square().mean(dim=0).sqrt().flip(0)
