"""Explorers of stacks: their tree, and their place among all others in the plane of Δ and γ."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import traitlets

from wavenetlike.analysis import frontier
from wavenetlike.checks import check_between, check_choice
from wavenetlike.explore.drawn import SAMPLE_RATES, Drawn, source
from wavenetlike.layers import compose, dilations, reach
from wavenetlike.models import WaveNetConfig
from wavenetlike.plots import Picture, receptive_field

KERNEL_LENGTHS, N_LAYERS, N_BLOCKS, DILATION_RATES = (list(range(1, most + 1)) for most in (5, 12, 5, 4))
CHANNELS = [4, 8, 16, 32, 64, 128]
MOST_WANTED = 10**12
SHARED = ["common.js", "tree.js", "stacks.js"]


class Stack(Drawn):
    """A WaveNet whose shape is chosen in the page, or by setting the traits of the same names."""

    kernel_length = traitlets.Enum(KERNEL_LENGTHS).tag(sync=True)
    n_layers = traitlets.Enum(N_LAYERS).tag(sync=True)
    n_blocks = traitlets.Enum(N_BLOCKS).tag(sync=True)
    dilation_rate = traitlets.Enum(DILATION_RATES).tag(sync=True)
    channels = traitlets.Enum(CHANNELS).tag(sync=True)
    sample_rate = traitlets.Enum(SAMPLE_RATES).tag(sync=True)
    table = traitlets.Dict().tag(sync=True)

    def __init__(self, **chosen: Any):
        for name, value in chosen.items():
            if isinstance(trait := getattr(type(self), name), traitlets.Enum):
                check_choice(name, value, trait.values or [])
        super().__init__(table=_table(), **chosen)

    @traitlets.validate("kernel_length", "n_layers", "n_blocks", "dilation_rate", "channels", "sample_rate")
    def _as_int(self, proposal: Any) -> int:
        return int(proposal.value)  # NumPy's integers cannot be sent to the page

    @property
    def config(self) -> WaveNetConfig:
        """What is chosen now."""
        return _config(self.kernel_length, self.n_layers, self.n_blocks, self.dilation_rate, self.channels)

    def picture(self) -> Picture:
        return receptive_field(self.config, [(config.receptive_field, config.gamma) for config in _all(self.channels)])


class DilationsExplorer(Stack):
    """`explore_dilations`."""

    _esm = source(*SHARED, "dilations.js")


class PlaneExplorer(Stack):
    """`explore_plane`; what is wanted is None where it does not matter."""

    _esm = source(*SHARED, "plane.js")
    least_ms = traitlets.Any(None).tag(sync=True)
    most_gamma = traitlets.Any(None).tag(sync=True)
    most_parameters = traitlets.Any(None).tag(sync=True)

    @traitlets.validate("least_ms", "most_gamma", "most_parameters")
    def _check_wanted(self, proposal: Any) -> float | None:
        if proposal.value is None:
            return None
        check_between(proposal.trait.name, proposal.value, 0, MOST_WANTED, "None where it does not matter")
        return float(proposal.value)


def explore_dilations(
    kernel_length: int = 2,
    n_layers: int = 5,
    n_blocks: int = 2,
    dilation_rate: int = 2,
    channels: int = 32,
    sample_rate: int = 16000,
) -> DilationsExplorer:
    """Choose a stack, and see its tree, its Δ in samples and milliseconds, its γ, and what a second of audio costs.

    Taught in notebooks/02_receptive_field_and_gamma.ipynb.

    Args:
        kernel_length, n_layers, n_blocks, dilation_rate: where to begin, 1 … 5, 1 … 12, 1 … 5 and 1 … 4.
        channels: residual, gate and skip channels, a power of two in 4 … 128.
        sample_rate: in Hz, 8000, 16000, 22050, 44100 or 48000.

    Raises:
        ValueError: what cannot be chosen.
    """
    return DilationsExplorer(
        kernel_length=kernel_length,
        n_layers=n_layers,
        n_blocks=n_blocks,
        dilation_rate=dilation_rate,
        channels=channels,
        sample_rate=sample_rate,
    )


def explore_plane(
    kernel_length: int = 2,
    n_layers: int = 5,
    n_blocks: int = 2,
    dilation_rate: int = 2,
    channels: int = 32,
    sample_rate: int = 16000,
    *,
    least_ms: float | None = None,
    most_gamma: float | None = None,
    most_parameters: float | None = None,
) -> PlaneExplorer:
    """See all 1,200 stacks in the plane of Δ and γ, choose one by pointer or arrow keys, and say what you want.

    Taught in notebooks/02_receptive_field_and_gamma.ipynb.

    Args:
        kernel_length, n_layers, n_blocks, dilation_rate, channels, sample_rate: as for `explore_dilations`.
        least_ms: wanted is a Δ of at least so many milliseconds, 0 or more.
        most_gamma, most_parameters: wanted are at most so many parameters per layer, or in all, 0 or more.

    Raises:
        TypeError, ValueError: what cannot be chosen or wanted.
    """
    return PlaneExplorer(
        kernel_length=kernel_length,
        n_layers=n_layers,
        n_blocks=n_blocks,
        dilation_rate=dilation_rate,
        channels=channels,
        sample_rate=sample_rate,
        least_ms=least_ms,
        most_gamma=most_gamma,
        most_parameters=most_parameters,
    )


def _config(kernel_length: int, n_layers: int, n_blocks: int, dilation_rate: int, channels: int) -> WaveNetConfig:
    return WaveNetConfig(
        kernel_length=kernel_length,
        n_layers=n_layers,
        n_blocks=n_blocks,
        dilation_rate=dilation_rate,
        residual_channels=channels,
        gate_channels=channels,
        skip_channels=channels,
    )


@functools.cache
def _all(channels: int) -> list[WaveNetConfig]:
    """Every stack of so many channels, in the order of nested loops over kernel lengths, layers, blocks and dilation rates."""
    shapes = itertools.product(KERNEL_LENGTHS, N_LAYERS, N_BLOCKS, DILATION_RATES)
    return [_config(*shape, channels=channels) for shape in shapes]


@functools.cache
def _table() -> dict[str, Any]:
    """All that the page shows of any choice, looked up there: stacks stand in the order of `_all`.

    ``behind`` holds Δ up to each layer, for as many blocks as there can be, by kernel length, layers and dilation rate.
    """
    by_width = [_all(channels) for channels in CHANNELS]
    gamma = [[round(config.gamma, 1) for config in configs] for configs in by_width]
    deltas = [config.receptive_field for config in by_width[0]]
    behind = {
        f"{kernel_length} {n_layers} {rate}": _behind(kernel_length, dilations(n_layers, rate) * N_BLOCKS[-1])
        for kernel_length, n_layers, rate in itertools.product(KERNEL_LENGTHS, N_LAYERS, DILATION_RATES)
    }
    return {
        "kernel_length": KERNEL_LENGTHS,
        "n_layers": N_LAYERS,
        "n_blocks": N_BLOCKS,
        "dilation_rate": DILATION_RATES,
        "channels": CHANNELS,
        "sample_rates": SAMPLE_RATES,
        "behind": behind,
        "depth": [config.depth for config in by_width[0]],
        "parameters": [[config.parameters for config in configs] for configs in by_width],
        "multiplications": [[config.multiplications for config in configs] for configs in by_width],
        "gamma": gamma,
        "frontier": [frontier(deltas, of_width) for of_width in gamma],
    }


def _behind(kernel_length: int, of_layers: list[int]) -> list[int]:
    return list(itertools.accumulate((reach(kernel_length, d) for d in of_layers), lambda *both: compose(both)))
