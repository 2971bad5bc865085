"""What several test files share: random shapes, and the rules that every refusal keeps."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from wavenetlike import WaveNet, WaveNetConfig
from wavenetlike.condition import Condition, ConditionConfig
from wavenetlike.context import ContextConfig
from wavenetlike.heads import HEADS
from wavenetlike.models import EMBEDDINGS

CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "embedding": st.sampled_from(["auto", *EMBEDDINGS]),
    "gated": st.booleans(),
    "residual": st.booleans(),
    "skip": st.booleans(),
    "weight_norm": st.booleans(),
}
"""Fields of a config that say how a model is built, whatever its shape."""


def wavenet_configs(skip_channels: int | None = None) -> st.SearchStrategy[WaveNetConfig]:
    """Small WaveNets of every shape, Δ from 1 to 82."""
    return st.builds(
        WaveNetConfig,
        levels=st.integers(2, 6),
        n_blocks=st.integers(1, 2),
        n_layers=st.integers(1, 3),
        kernel_length=st.integers(1, 4),
        dilation_rate=st.integers(1, 3),
        residual_channels=st.integers(1, 4),
        gate_channels=st.integers(1, 4),
        skip_channels=st.integers(1, 5) if skip_channels is None else st.just(skip_channels),
        first_kernel_length=st.integers(1, 4),
        **CHOICES,
    )


def told_configs() -> st.SearchStrategy[WaveNetConfig]:
    """Small WaveNets with every head, and with every kind of condition and of context, or without."""
    conditions = st.one_of(
        st.none(),
        st.builds(
            ConditionConfig,
            words=st.just(("no", "so", "yes")),
            speakers=st.sampled_from([(), ("ann", "bob")]),
            embedding=st.integers(1, 4),
            frame_channels=st.integers(0, 3),
            hop=st.integers(1, 9),
        ),
        st.builds(ConditionConfig, frame_channels=st.integers(1, 3), hop=st.integers(1, 40)),
        st.builds(
            ConditionConfig, embedding=st.integers(1, 3), frame_channels=st.integers(0, 2), hop=st.integers(3, 4)
        ),
    )
    contexts = st.builds(
        ContextConfig,
        rate=st.integers(1, 9),
        n_blocks=st.integers(1, 2),
        n_layers=st.integers(1, 2),
        kernel_length=st.integers(1, 3),
        dilation_rate=st.integers(1, 3),
        channels=st.integers(1, 4),
    )
    return st.builds(
        dataclasses.replace,
        wavenet_configs(),
        head=st.sampled_from(HEADS),
        n_mixtures=st.integers(1, 3),
        condition=conditions,
        context=st.one_of(st.none(), contexts),
    )


def condition_of(config: ConditionConfig | None, batch: int, n_samples: int, seed: int = 0) -> Condition | None:
    """A random condition that a model of this config takes, another one for each of a batch."""
    if config is None:
        return None
    generator = torch.Generator().manual_seed(seed)

    def chosen(n: int) -> list[int] | None:
        return torch.randint(n, (batch,), generator=generator).tolist() if n else None

    own = "embedding" in config.parts
    return Condition(
        word=chosen(len(config.words)),
        speaker=chosen(len(config.speakers)),
        embedding=torch.randn(batch, config.embedding, generator=generator) if own else None,
        frames=torch.randn(batch, config.frame_channels, config.n_frames(n_samples), generator=generator)
        if config.frame_channels
        else None,
    )


SEEDS = st.integers(0, 2**31 - 1)


def built(config: WaveNetConfig, seed: int = 0) -> WaveNet:
    """A WaveNet whose weights depend on the seed alone."""
    torch.manual_seed(seed)
    return WaveNet(config)


def random_codes(levels: int, *shape: int, seed: int = 0) -> Tensor:
    """Codes in 0 … levels - 1, int64."""
    return torch.randint(levels, shape, generator=torch.Generator().manual_seed(seed))


def stack_config(kernel_length: int, n_layers: int, n_blocks: int, dilation_rate: int, channels: int) -> WaveNetConfig:
    """A WaveNet as wide everywhere, as the explorers choose it."""
    widths = dict.fromkeys(["residual_channels", "gate_channels", "skip_channels"], channels)
    return WaveNetConfig(
        kernel_length=kernel_length, n_layers=n_layers, n_blocks=n_blocks, dilation_rate=dilation_rate, **widths
    )


class Frozen(nn.Module):
    """Computes without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 9)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Fn(nn.Module):
    """A module by a function of itself and its input."""

    def __init__(self, function: Callable[[Any, Tensor], object], **parts: object):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> object:
        return self.function(self, x)


def refused(call: Callable[[], object], error: type[Exception], *shown: str) -> None:
    """``call`` raises exactly ``error``, in one sentence on one line that ends in a full stop and shows what was passed."""
    with pytest.raises(error) as info:
        call()
    message = str(info.value)
    assert type(info.value) is error, f"{type(info.value)}: {message}"
    assert "\n" not in message
    assert message.endswith(".")
    assert not re.search(r"[.!?] +[A-Z]", message), f"more than one sentence: {message}"
    for text in shown:
        assert text in message, f"{text!r} is not in: {message}"


def chi_square(counts: Tensor, probabilities: Tensor) -> float:
    """Pearson's statistic of ``counts`` against ``probabilities``, both (k,); its mean is k - 1 where they agree."""
    expected = probabilities.double() * counts.sum()
    return float(((counts - expected) ** 2 / expected).sum())


def is_changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    """Whether two state_dicts differ in a name or in one bit of a value."""
    return before.keys() != after.keys() or any(not torch.equal(before[name], after[name]) for name in before)


def copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in state.items()}
