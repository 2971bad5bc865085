"""How strongly an output depends on each of its past inputs, measured, of one model beside another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import traitlets
from torch import nn

from wavenetlike.analysis import Field, measure_receptive_field
from wavenetlike.checks import check_int
from wavenetlike.explore.drawn import SAMPLE_RATES, Drawn, source
from wavenetlike.layers import Block
from wavenetlike.models import build_wavenet_toy, pretrained
from wavenetlike.plots import Picture, lag_profile

FURTHER = 1.1
"""Lags beyond Δ, too, are shown: that nothing is there is the point."""
DIGITS = 4


class ProfileExplorer(Drawn):
    """`explore_profile`; ``shown`` and ``beside`` are places among the models, ``beside`` = -1 is none."""

    _esm = source("common.js", "profile.js")
    profiles: traitlets.List[Any] = traitlets.List().tag(sync=True)
    sample_rates = traitlets.List(SAMPLE_RATES).tag(sync=True)
    shown = traitlets.Int(0).tag(sync=True)
    beside = traitlets.Int(-1).tag(sync=True)
    axis = traitlets.Enum(["linear", "log"], "linear").tag(sync=True)
    sample_rate = traitlets.Enum(SAMPLE_RATES, 16000).tag(sync=True)

    @traitlets.validate("shown", "beside")
    def _is_place(self, proposal: Any) -> int:
        name = proposal.trait.name
        least = 0 if name == "shown" else -1
        check_int(name, proposal.value, least, "the place of a model, from 0 on", len(self.profiles) - 1)
        return int(proposal.value)

    def picture(self) -> Picture:
        profile = self.profiles[self.shown]
        return lag_profile(torch.tensor(profile["strength"]), profile["delta"])

    def words(self) -> str:
        return str(self.profiles[self.shown]["words"])


def explore_profile(models: Mapping[str, nn.Module] | None = None) -> ProfileExplorer:
    """Measure models, and compare how strongly each depends on its past, lag by lag.

    Taught in notebooks/02_receptive_field_and_gamma.ipynb.

    Args:
        models: by name, whatever `measure_receptive_field` takes; None: a plain stack, a dilated one, and the toy WaveNet before
            and after training.

    Raises:
        TypeError, ValueError: no models, or one that cannot be measured.
    """
    if models is None:
        models = _usual()
    if not isinstance(models, Mapping):
        raise TypeError(
            f"The models are a {type(models).__name__}; they must be a dictionary of modules by name: try {{'mine': model}}."
        )
    if not models:
        raise ValueError("There are no models; pass at least one by its name, as in {'mine': model}.")
    return ProfileExplorer(
        profiles=[_profile(name, module) for name, module in models.items()], beside=min(1, len(models) - 1) or -1
    )


def _usual() -> dict[str, nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {
            "toy WaveNet, trained": pretrained("toy"),
            "toy WaveNet, untrained": build_wavenet_toy(),
            "dilated stack, 10 layers": Block(n_layers=10, kernel_length=2, dilation_rate=2),
            "plain stack, 10 layers": Block(n_layers=10, kernel_length=2, dilation_rate=1),
        }


def _profile(name: str, module: nn.Module) -> dict[str, object]:
    try:
        field = measure_receptive_field(module)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name!r} cannot be measured: {error}") from None
    strength = field.by_lag(max(field.delta + 3, int(FURTHER * field.delta)))
    return {
        "name": name,
        "delta": field.delta,
        "effective": field.effective_delta(0.95),
        "words": _in_words(field),
        "strength": [float(f"{value:.{DIGITS}g}") for value in strength.tolist()],
    }


def _in_words(field: Field) -> str:
    """What a profile over the past does not show."""
    words = []
    if field.is_unbounded:
        words.append(f"Its Δ has no end: shown are the newest {field.delta:,} samples.")
    if not field.is_causal:
        words.append("It is not causal: it sees samples after its own time, too.")
    if not field.strength.any():
        words.append("At its own weights nothing acts on the output.")
    return " ".join(words)
