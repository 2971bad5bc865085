"""Everything about a module on one page: its layers, Δ, depth, parameters, γ, and what is measured."""

from __future__ import annotations

import dataclasses
import html
from numbers import Integral

from torch import nn

from wavenetlike.analysis.field import Field, measure_receptive_field
from wavenetlike.analysis.shape import Layer, layers, parameters
from wavenetlike.checks import check_positive
from wavenetlike.tables import table_html, table_lines

COLUMNS = ["layer", "kernel", "dilation", "parameters", "depth", "Δ so far"]


@dataclasses.dataclass(frozen=True)
class ModelReport:
    """What `analyze_model` found; prints as a table in a terminal and in a notebook.

    Args:
        name: the module's class.
        layers: its convolutions and recurrent layers, in the order in which they run.
        depth, parameters: as `depth` and `parameters` count them.
        field: the receptive field as measured.
        sample_rate: in Hz.
    """

    name: str
    layers: tuple[Layer, ...]
    depth: int
    parameters: int
    field: Field
    sample_rate: float

    @property
    def gamma(self) -> float | None:
        """γ: parameters per layer of depth; None where no layer looks back."""
        return self.parameters / self.depth if self.depth else None

    @property
    def milliseconds(self) -> float | None:
        """Δ as measured, in time; None where it has no end."""
        return None if self.field.is_unbounded else 1000 * self.field.delta / self.sample_rate

    def _rows(self) -> list[list[str]]:
        rows = [
            [
                layer.name,
                f"{layer.kernel_length}" if layer.kernel_length else "∞",
                f"{layer.dilation:,}",
                f"{layer.parameters:,}",
                f"{layer.depth}",
                f"{layer.delta:,}" if layer.delta else "∞",
            ]
            for layer in self.layers
        ]
        if rest := self.parameters - sum(layer.parameters for layer in self.layers):
            rows.append(["all else", "", "", f"{rest:,}", "", ""])
        return rows

    def _words(self) -> list[str]:
        price = (
            "γ is not defined: no layer looks back"
            if self.gamma is None
            else f"γ = {self.gamma:,.0f} parameters per layer"
        )
        ms = self.milliseconds
        time = "" if ms is None else f" = {ms:,.{2 if ms < 1 else 1}f} ms at {self.sample_rate:,.0f} Hz"
        size = f"Δ {'= ' + format(self.field.delta, ',') + ' samples' + time if time else 'has no end'}; depth {self.depth}; {self.parameters:,} parameters; {price}."
        return [size, f"Measured: {self.field}.", *self._differences()]

    def _differences(self) -> list[str]:
        """Where the layers' kernels and the measurement do not agree, and what that means."""
        field, by_layers = self.field, max((layer.delta for layer in self.layers), default=1)
        if any(layer.delta == 0 for layer in self.layers):
            return []
        if field.is_unbounded:
            return ["No layer of the table looks back without end: something between them does."]
        newest, oldest = (int(field.lags.min()), int(field.lags.max())) if len(field.lags) else (0, -1)
        if max(oldest, 0) - min(newest, 0) >= by_layers:
            return [
                f"The layers of the table reach over {by_layers:,} samples only: something between them looks further."
            ]
        if oldest - newest + 1 < by_layers:
            return [
                f"The layers of the table reach over {by_layers:,} samples: padding, masks or weights that are 0 hide some of them."
            ]
        return []

    def __str__(self) -> str:
        return "\n".join([self.name, *table_lines(COLUMNS, self._rows()), *self._words()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        words = "".join(f"<p>{html.escape(text)}</p>" for text in self._words())
        return table_html(COLUMNS, self._rows(), self.name) + words


def analyze_model(
    module: nn.Module,
    *,
    channels: int | None = None,
    levels: int | None = None,
    sample_rate: float = 16000,
    searched: int | None = None,
    ahead: int = 1,
    seed: int = 0,
) -> ModelReport:
    """Layer by layer what a module looks like, what it costs, and how far it really looks back.

    Taught in notebooks/02_receptive_field_and_gamma.ipynb.

    Args:
        module, channels, levels, searched, ahead, seed: as for `measure_receptive_field`.
        sample_rate: in Hz, to say Δ in milliseconds.

    Raises:
        TypeError, ValueError: no module, one that cannot be run, or no sample rate above 0.
    """
    check_positive("sample_rate", sample_rate, "16000")
    field = measure_receptive_field(module, channels=channels, levels=levels, searched=searched, ahead=ahead, seed=seed)
    found = tuple(layers(module, channels=channels, levels=levels))
    own = getattr(module, "depth", None)
    n_layers = int(own) if isinstance(own, Integral) else max((layer.depth for layer in found), default=0)
    return ModelReport(type(module).__name__, found, n_layers, parameters(module), field, float(sample_rate))
