"""Numbers about models and series: Δ and γ, what an output really depends on, least squares, baselines and scores."""

from __future__ import annotations

import copy
import dataclasses
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wavenetlike.checks import check_int, check_series
from wavenetlike.data import encode_clips
from wavenetlike.data.clips import Item
from wavenetlike.models import WaveNet

AT_ONCE = 16_000
"""Codes of a clip that are scored together, so that a long recording needs no more memory than a second of it."""


def delta(module: nn.Module) -> int:
    """Δ: how many samples, the newest included, one output depends on, from the layers' own structure."""
    return int(module.receptive_field)  # type: ignore[arg-type]


def depth(module: nn.Module) -> int:
    """Layers with a temporal (dilated) convolution, one after the other."""
    return int(module.depth)  # type: ignore[arg-type]


def parameters(module: nn.Module) -> int:
    """How many numbers the module learns."""
    return sum(p.numel() for p in module.parameters())


def gamma(module: nn.Module) -> float:
    """γ: parameters per layer of depth."""
    return parameters(module) / depth(module)


def lag_profile(module: nn.Module, n_lags: int, seed: int = 0) -> Tensor:
    """How strongly the newest output depends on the input ``lag`` samples ago, measured by gradients.

    A random input of ``n_lags`` samples goes in, and the gradient of a random projection of the last output comes
    back, in float64, with the ReLUs of a WaveNet's head held open. Beyond Δ it is exactly 0: the last nonzero lag + 1
    is Δ. Taught in notebooks/02_receptive_field_and_gamma.ipynb.

    Args:
        module: `CausalConv1d`, `Block` or `WaveNet`; it is left as it is.
        n_lags: lags 0 … n_lags - 1 are measured, at least 1.
        seed: of the input and the projection.

    Returns:
        float64 of shape (n_lags,): the gradient's norm over channels, lag 0 first.
    """
    check_int("n_lags", n_lags, 1, "Δ and a few more show where the dependence ends")
    generator = torch.Generator().manual_seed(seed)
    module = copy.deepcopy(module).double()
    if isinstance(module, WaveNet):
        # Codes have no gradient: what they are embedded as has one.
        codes = torch.randint(module.config.levels, (1, n_lags), generator=generator)
        x = module.embedding(codes).transpose(1, 2).detach().requires_grad_()
        module.embedding = _Given(x)  # type: ignore[assignment]
        # A ReLU that is off hides all that is behind it: these biases hold every one of the head open.
        module.skip_head.skip.bias.data.fill_(1e9)  # type: ignore[union-attr]
        module.skip_head.hidden.bias.data.fill_(1e18)  # type: ignore[union-attr]
        output = module(codes)
    else:
        channels = next(module.parameters()).shape[1]
        x = torch.randn(1, channels, n_lags, generator=generator, dtype=torch.float64).requires_grad_()
        output = module(x)
    projection = torch.randn(output.shape[1], generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((output[0, :, -1] * projection).sum(), x)
    return gradient[0].norm(dim=0).flip(0)


class _Given(nn.Module):
    """Stands in for an embedding: gives out activations (1, channels, time), with zeros for the padding before them."""

    def __init__(self, x: Tensor):
        super().__init__()
        self.x = x

    def forward(self, codes: Tensor) -> Tensor:
        return nn.functional.pad(self.x, (codes.shape[1] - self.x.shape[2], 0)).transpose(1, 2)


def measure_receptive_field(module: nn.Module, seed: int = 0) -> int:
    """Δ as gradients see it: the last lag on which the newest output depends, + 1; it is searched well beyond Δ."""
    profile = lag_profile(module, n_lags=2 * delta(module) + 10, seed=seed)
    return int(profile.nonzero().max()) + 1


@dataclasses.dataclass(frozen=True)
class ARFit:
    """x_t = c + Σ_i coefficients[i]·x_{t-1-i} + σ·ε_t, with the standard error of each coefficient."""

    c: float
    coefficients: tuple[float, ...]
    sigma: float
    standard_errors: tuple[float, ...]

    def __repr__(self) -> str:
        terms = ", ".join(f"{x:.4f} ± {e:.4f}" for x, e in zip(self.coefficients, self.standard_errors, strict=True))
        return f"ARFit(c={self.c:.4f}, coefficients=({terms}), sigma={self.sigma:.4f})"


def least_squares_ar(series: Sequence[float] | Tensor, order: int = 2) -> ARFit:
    """Ordinary least squares of x_t on 1, x_{t-1}, …, x_{t-order}. Taught in notebooks/01_ar2_weight_recovery.ipynb.

    Args:
        series: (time,), finite, longer than 2·order + 1.
        order: how many past samples, at least 1; coefficients come newest first, (a, b) for order 2.

    Returns:
        The fit; σ is the root of the mean squared residual, which maximizes the Gaussian likelihood.

    Raises:
        TypeError, ValueError: an argument out of its range.
    """
    check_int("order", order, 1, "2 is Yule's")
    x = check_series(series, 2 * order + 2)
    # Around 0 and as large as 1, so that a large offset or unit costs no digits.
    center = x.mean()
    scale = (x - center).abs().max()
    x = (x - center) / scale
    lags = [x[order - i : len(x) - i] for i in range(1, order + 1)]
    design = torch.stack([torch.ones(len(x) - order, dtype=torch.float64), *lags], dim=1)
    solution = torch.linalg.lstsq(design, x[order:, None]).solution[:, 0]
    residual = x[order:] - design @ solution
    variance = residual.square().sum() / (len(residual) - order - 1)
    errors = (variance * torch.linalg.pinv(design.T @ design).diagonal()).sqrt().tolist()
    c, *coefficients = solution.tolist()
    constant = float(scale) * c + float(center) * (1 - sum(coefficients))
    return ARFit(
        constant, tuple(coefficients), float(scale) * residual.square().mean().sqrt().item(), tuple(errors[1:])
    )


def ar2_standard_error(b: float, n: int) -> float:
    """√((1 - b²) / n): how far a and b, each, are known from n samples of a stationary AR(2), whatever the method.

    Source: Box and Jenkins, Time Series Analysis, section 7.2 (large n). ``b`` in [-1, 1], ``n`` at least 1.
    """
    if not -1 <= b <= 1:
        raise ValueError(f"b={b} is of no stationary AR(2); it must lie in [-1, 1]: try 0.5.")
    check_int("n", n, 1, "how many samples were seen")
    return math.sqrt((1 - b * b) / n)


def ar2_spectrum(a: float, b: float, frequencies: np.ndarray, sigma: float = 1.0) -> np.ndarray:
    """Power of a stationary AR(2) at ``frequencies`` in cycles per sample, 0 … 0.5: σ² / |1 - a·z - b·z²|², z = e^{-2πif}."""
    z = np.exp(-2j * np.pi * frequencies)
    return sigma**2 / np.abs(1 - a * z - b * z * z) ** 2


def ar2_period(a: float, b: float) -> float | None:
    """Samples per cycle of an AR(2) whose roots are complex, 2π / arccos(a / (2√-b)); None where it does not oscillate."""
    if a * a + 4 * b >= 0:
        return None
    return 2 * math.pi / math.acos(a / (2 * math.sqrt(-b)))


@dataclasses.dataclass(frozen=True)
class Score:
    """How well something predicts the next code: the part of hits, and bits per sample (lower is better)."""

    name: str
    accuracy: float
    bits: float


def baselines(clips: Iterable[Tensor], levels: int, start: int) -> list[Score]:
    """What needs no network: the commonest code, the previous code, a bigram model, fitted to the clips they are scored on.

    Args:
        clips: codes, each (time,).
        levels: number of codes.
        start: the first position scored in each clip, at least 1; Δ, to score what a model is scored on.
    """
    check_int("start", start, 1, "the code before is the least that a baseline looks at")
    counts = torch.zeros(levels * levels, dtype=torch.float64)
    for clip in _scored(clips, start):
        counts += torch.bincount(clip[start - 1 : -1] * levels + clip[start:], minlength=levels * levels)
    pairs = counts.view(levels, levels) / counts.sum()
    code, hit = pairs.sum(dim=0), pairs.diagonal().sum().item()
    miss = 1 - hit
    return [
        Score("commonest code", code.max().item(), _entropy(code)),
        Score("previous code", hit, _entropy(torch.tensor([hit, miss])) + miss * math.log2(levels - 1)),
        Score(
            "bigram model", pairs.max(dim=1).values.sum().item(), _entropy(pairs.flatten()) - _entropy(pairs.sum(dim=1))
        ),
    ]


def _entropy(p: Tensor) -> float:
    return float(-torch.xlogy(p, p).sum() / math.log(2))


def _scored(clips: Iterable[Tensor], start: int) -> Iterator[Tensor]:
    """The clips that have something to score from ``start`` on, and a warning if some have not."""
    n_scored, n_short = 0, 0
    for i, clip in enumerate(clips):
        if not isinstance(clip, Tensor):
            raise TypeError(
                f"Clip {i} is a {type(clip).__name__}; what is scored are codes (time,): use scoreboard(model, dataset), or data.encode_clips first."
            )
        if len(clip) > start:
            n_scored += 1
            yield clip
        else:
            n_short += 1
    if not n_scored + n_short:
        raise ValueError("There are no clips; a score needs at least one: pass what data.encode_clips gives.")
    if not n_scored:
        raise ValueError(
            f"None of {n_short} clips is longer than {start} samples; a score needs one that is, some past and a code to predict: use longer clips or fewer layers."
        )
    if n_short:
        warnings.warn(
            f"{n_short} of {n_short + n_scored} clips are not longer than {start} samples, and are not scored.",
            stacklevel=3,
        )


@torch.inference_mode()
def score(model: WaveNet, clips: Iterable[Tensor]) -> Score:
    """The model on the same footing: codes (time,), scored where all of Δ is known; clips not longer than Δ are not."""
    hits = bits = n = 0.0
    delta, device = model.receptive_field, next(model.parameters()).device
    for clip in _scored(clips, delta):
        for begin in range(delta, len(clip), AT_ONCE):
            piece = clip[None, begin - delta : begin + AT_ONCE].to(device)
            targets = piece[:, delta:]
            logits = model(piece[:, :-1], padded=False)
            bits += model.head.loss(logits, targets).item() * targets.numel()
            hits += (logits.argmax(dim=1) == targets).sum().item()
            n += targets.numel()
    return Score("this model", hits / n, bits / n)


def scoreboard(model: WaveNet, dataset: Iterable[Item]) -> list[Score]:
    """`baselines`, then the model, all on the same positions of the same clips. Taught in notebooks/03_toy_wavenet.ipynb.

    The baselines are fitted to these very clips, which is to their advantage.
    """
    clips = encode_clips(dataset, model.mu_law)
    return [*baselines(clips, model.config.levels, start=model.receptive_field), score(model, clips)]
