"""Making sound, sample by sample: the naive way and with queues. Both draw the same codes from the same seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

from wavenetlike.checks import check_codes, check_int, check_positive, check_seed
from wavenetlike.models import WaveNet, check_model


@dataclasses.dataclass(frozen=True)
class Generated:
    """What `generate` made.

    Attributes:
        waveform: float32 in [-1, 1], (batch, n).
        codes: int64, (batch, n).
    """

    waveform: Tensor
    codes: Tensor


@dataclasses.dataclass(frozen=True)
class Queues:
    """All that the cached method remembers between two samples.

    Attributes:
        inputs: for each convolution that looks back, from the input on, the past of its input that the next output
            will need, oldest first: (batch, channels, Δ of the convolution - 1).
    """

    inputs: list[Tensor]


def start_naive(model: WaveNet, past: Tensor) -> tuple[Tensor, Tensor]:
    """Codes (batch, time ≥ Δ) → the last Δ of them, and the logits (batch, levels) of the next code."""
    window = past[:, -model.receptive_field :]
    return window, model(window, padded=False)[..., 0]


def step_naive(model: WaveNet, window: Tensor, newest: Tensor) -> tuple[Tensor, Tensor]:
    """The last Δ codes and the newest (batch,) → the same, one sample later: every layer computes all of Δ again."""
    return start_naive(model, torch.cat([window, newest[:, None]], dim=1))


def start_cached(model: WaveNet, past: Tensor) -> tuple[Queues, Tensor]:
    """Codes (batch, time ≥ Δ) → the queues, and the logits (batch, levels) of the next code, in one forward pass."""
    x = model.embedding(past).transpose(1, 2)
    queues, gated = [], []
    if model.first is not None:
        queues.append(_newest(x, model.first.receptive_field - 1))
        x = model.first(x, padded=False)
    for layer in model.layers:
        queues.append(_newest(x, layer.receptive_field - 1))  # type: ignore[operator, arg-type]
        x, z = layer(x, padded=False)
        gated.append(_newest(z, 1))
    return Queues(queues), model.skip_head(gated)[..., 0]


def step_cached(model: WaveNet, queues: Queues, newest: Tensor) -> tuple[Queues, Tensor]:
    """The queues and the newest code (batch,) → the same, one sample later: every layer computes one column.

    A queue and the newest input together are exactly what one output of the layer sees, so that the layer itself,
    called on them, gives one column.
    """
    x = model.embedding(newest[:, None]).transpose(1, 2)
    inputs = iter(queues.inputs)
    windows, gated = [], []
    if model.first is not None:
        windows.append(torch.cat([next(inputs), x], dim=-1))
        x = model.first(windows[-1], padded=False)
    for layer in model.layers:
        windows.append(torch.cat([next(inputs), x], dim=-1))
        x, z = layer(windows[-1], padded=False)
        gated.append(z)
    return Queues([window[..., 1:] for window in windows]), model.skip_head(gated)[..., 0]


def _newest(x: Tensor, n: int) -> Tensor:
    return x[..., x.shape[-1] - n :]


METHODS = {"naive": (start_naive, step_naive), "cached": (start_cached, step_cached)}
"""How to compute the next logits: (start, step) of each method, the memory between two samples passed in and returned."""


@torch.no_grad()
def generate(
    model: WaveNet,
    n: int,
    prefix: Tensor | None = None,
    temperature: float = 1.0,
    greedy: bool = False,
    batch: int = 1,
    method: Literal["naive", "cached"] = "cached",
    seed: int | None = None,
    progress: bool = False,
) -> Generated:
    """``n`` new samples from ``model``, after ``prefix`` or after silence. Taught in notebooks/04_full_wavenet.ipynb.

    Args:
        model: a `WaveNet`.
        n: samples, at least 1.
        prefix: codes (1 or batch, time) that went before, not repeated in the result; None: silence.
        temperature: above 0; the logits are divided by it: below 1 more timid, above 1 wilder.
        greedy: take the likeliest code each time instead of drawing one.
        batch: independent sounds made at once, at least 1.
        method: "cached" keeps each layer's past inputs in a queue and computes one column a sample (Fast WaveNet, Paine
            et al., 2016); "naive" computes all of the receptive field for every sample.
        seed: of the draws, 0 … 2³² - 1; None draws from torch's global generator. The same for both methods.
        progress: show a bar.

    Raises:
        TypeError, ValueError: an argument out of its range, or a prefix that is no codes.
    """
    check_model(model)
    _check_arguments(n, temperature, batch, method, seed)
    device = next(model.parameters()).device
    past = _past(model, prefix, batch).to(device)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    start, step = METHODS[method]
    codes = torch.empty(batch, n, dtype=torch.int64)
    memory, logits = start(model, past)
    for t in _bar(n, progress):
        codes[:, t] = model.head.sample(logits.cpu(), temperature, greedy, generator)
        if t + 1 < n:
            memory, logits = step(model, memory, codes[:, t].to(device))  # type: ignore[operator]
    return Generated(model.mu_law.decode(codes), codes)


def _past(model: WaveNet, prefix: Tensor | None, batch: int) -> Tensor:
    """The last Δ codes before the first new one, (batch, Δ): silence, then the prefix."""
    silence = torch.full((batch, model.receptive_field), model.mu_law.silence)
    if prefix is None:
        return silence
    check_codes(prefix, model.config.levels)
    if len(prefix) not in (1, batch):
        raise ValueError(
            f"The prefix has a batch of {len(prefix)}; it must be 1 or batch={batch}: pass prefix[:1], or batch={len(prefix)}."
        )
    return torch.cat([silence, prefix.expand(batch, -1)], dim=1)[:, -model.receptive_field :]


def _check_arguments(n: int, temperature: float, batch: int, method: str, seed: int | None) -> None:
    check_int("n", n, 1, "16000 samples are one second at 16 kHz")
    check_int("batch", batch, 1, "1 makes one sound")
    if seed is not None:
        check_seed(seed)
    check_positive("temperature", temperature, "1.0, or with greedy=True too, which does not use it")
    if method not in METHODS:
        raise ValueError(f"method={method!r} is unknown; it must be one of {', '.join(METHODS)}: try 'cached'.")


def _bar(n: int, progress: bool) -> Iterable[int]:
    from tqdm.auto import trange

    return trange(n, disable=not progress, desc="generating", unit="sample")
