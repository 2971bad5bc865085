"""The ladder of models: one causal convolution, the toy WaveNet, the full WaveNet; a config travels with each."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from wavenetlike.checks import check_choice, check_codes, check_exists, check_int, check_known
from wavenetlike.heads import SoftmaxHead
from wavenetlike.layers import CausalConv1d, ResidualLayer, SkipHead, compose, dilations, reach
from wavenetlike.quantize import MuLaw


@dataclasses.dataclass(frozen=True)
class WaveNetConfig:
    """The shape of a `WaveNet`, checked when it is made.

    Args:
        levels: µ-law codes, at least 2.
        n_blocks: repetitions of the block, at least 1.
        n_layers: layers per block, at least 1.
        kernel_length: taps of each filter and gate, at least 1.
        dilation_rate: dilations in a block are 1, r, r², …; at least 1.
        residual_channels, gate_channels, skip_channels: widths, at least 1.
        first_kernel_length: taps of the causal convolution that follows the embedding; 1 leaves it out.

    Raises:
        TypeError, ValueError: a field that is no integer or too small.

    >>> WaveNetConfig().receptive_field
    3070
    """

    levels: int = 256
    n_blocks: int = 3
    n_layers: int = 10
    kernel_length: int = 2
    dilation_rate: int = 2
    residual_channels: int = 32
    gate_channels: int = 32
    skip_channels: int = 512
    first_kernel_length: int = 1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            least = 2 if field.name == "levels" else 1
            check_int(field.name, getattr(self, field.name), least, f"the full WaveNet has {field.default}")
            object.__setattr__(self, field.name, int(getattr(self, field.name)))  # a NumPy integer has no JSON

    @property
    def dilations(self) -> list[int]:
        """The dilation of every layer, from the input on."""
        return dilations(self.n_layers, self.dilation_rate) * self.n_blocks

    @property
    def depth(self) -> int:
        """Layers with a temporal convolution, one after the other."""
        return len(self.dilations) + (self.first_kernel_length > 1)

    @property
    def receptive_field(self) -> int:
        """Δ in samples."""
        layers = [reach(self.kernel_length, dilation) for dilation in self.dilations]
        return compose([reach(self.first_kernel_length, 1), *layers])

    @property
    def multiplications(self) -> int:
        """For one sample, when nothing is computed twice: every weight of every convolution once (the embedding is looked up)."""
        width, gate, skip, n_layers = self._widths
        first = width * width * self.first_kernel_length if self.first_kernel_length > 1 else 0
        gated_units = n_layers * width * self.kernel_length * 2 * gate
        residuals = (n_layers - 1) * gate * width
        head = n_layers * gate * skip + skip * skip + skip * self.levels
        return first + gated_units + residuals + head

    @property
    def parameters(self) -> int:
        """How many numbers a `WaveNet` of this shape learns, counted without building it."""
        width, gate, skip, n_layers = self._widths
        first = width if self.first_kernel_length > 1 else 0
        biases = first + n_layers * 2 * gate + (n_layers - 1) * width + 2 * skip + self.levels
        return self.levels * width + self.multiplications + biases

    @property
    def _widths(self) -> tuple[int, int, int, int]:
        return self.residual_channels, self.gate_channels, self.skip_channels, len(self.dilations)

    @property
    def gamma(self) -> float:
        """γ: parameters per layer of depth."""
        return self.parameters / self.depth


class WaveNet(nn.Module):
    """p(x_{t+1} | x_{t-Δ+1} … x_t) over µ-law codes: (batch, time) → logits (batch, levels, time).

    van den Oord et al., WaveNet: A Generative Model for Raw Audio, 2016, figure 4. Taught in
    notebooks/03_toy_wavenet.ipynb and 04_full_wavenet.ipynb.

    >>> model = build_wavenet_toy()
    >>> model(torch.zeros(1, 100, dtype=torch.int64)).shape
    torch.Size([1, 10, 100])
    """

    def __init__(self, config: WaveNetConfig):
        super().__init__()
        self.config = config
        self.mu_law = MuLaw(config.levels)
        self.head = SoftmaxHead()
        width = config.residual_channels
        # A one-hot input through a 1×1 convolution only picks a column of its weight: an embedding, without the product.
        self.embedding = nn.Embedding(config.levels, width)
        self.first = CausalConv1d(width, width, config.first_kernel_length) if config.first_kernel_length > 1 else None
        self.layers = nn.ModuleList(
            ResidualLayer(
                width, config.gate_channels, config.kernel_length, dilation, last=i == len(config.dilations) - 1
            )
            for i, dilation in enumerate(config.dilations)
        )
        self.skip_head = SkipHead(len(config.dilations), config.gate_channels, config.skip_channels, config.levels)

    @property
    def receptive_field(self) -> int:
        """Δ in samples, composed from the layers' own."""
        temporal = self.layers if self.first is None else [self.first, *self.layers]
        return compose(int(layer.receptive_field) for layer in temporal)  # type: ignore[arg-type]

    @property
    def depth(self) -> int:
        return self.config.depth

    def embed(self, codes: Tensor) -> Tensor:
        """Codes (batch, time) → the first layer's activations (batch, residual, time - first_kernel_length + 1)."""
        x = self.embedding(codes).transpose(1, 2).contiguous()
        return x if self.first is None else self.first(x, padded=False)

    def forward(self, codes: Tensor, padded: bool = True) -> Tensor:
        """Codes (batch, time) → logits; those at t describe the code at t + 1.

        Args:
            codes: int64 in [0, levels).
            padded: put Δ - 1 codes of silence before the first, and return (batch, levels, time); else return
                (batch, levels, time - Δ + 1), only where all of Δ is known. Losses are taken there.

        Raises:
            TypeError, ValueError: not codes; with ``padded=False``, fewer than Δ of them.
        """
        if not torch.compiler.is_compiling():  # which cannot look at the codes
            check_codes(codes, self.config.levels)
        delta = self.receptive_field
        if padded:
            codes = nn.functional.pad(codes, (delta - 1, 0), value=self.mu_law.silence)
        else:
            check_known(codes.shape[-1], delta)
        x = self.embed(codes)
        gated = []
        for layer in self.layers:
            x, z = layer(x, padded=False)
            gated.append(z)
        return self.skip_head(gated)


TOY = WaveNetConfig(levels=10, residual_channels=50, gate_channels=6, skip_channels=50)
"""Of `build_wavenet_toy`; that of `build_wavenet` is ``WaveNetConfig()``."""


def build_ar2() -> CausalConv1d:
    """The smallest model of the family: one causal convolution of kernel length 2 on a waveform (batch, 1, time).

    `train_stack_ar` leaves x_{t+1} = c + a·x_t + b·x_{t-1} in its bias c and its kernel (b, a).
    """
    return CausalConv1d(1, 1, kernel_length=2)


def build_wavenet_toy() -> WaveNet:
    """A WaveNet that learns in a minute on a laptop: 10 levels, 3 × 10 layers of kernel 2, Δ = 3070, untrained."""
    return WaveNet(TOY)


def build_wavenet() -> WaveNet:
    """The full WaveNet: 256 levels, 3 × 10 layers of kernel 2, Δ = 3070, 1.05 million parameters, untrained."""
    return WaveNet(WaveNetConfig())


def save(model: WaveNet, path: str | Path) -> None:
    """Write the weights and the config of ``model`` to one safetensors file, whole or not at all.

    Raises:
        TypeError: no `WaveNet`.
        OSError: no such folder, a folder in the place of the file, or no room.
    """
    from safetensors.torch import save as to_bytes

    path = Path(path).absolute()
    check_model(model)
    check_exists(path.parent)
    if path.is_dir():
        raise IsADirectoryError(
            f"{str(path)!r} is a folder; pass the file to write: try {str(path / 'wavenet.safetensors')!r}."
        )
    config = json.dumps(dataclasses.asdict(model.config))
    weights = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    content = to_bytes(weights, metadata={"wavenetlike.config": config})
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_model(model: object) -> None:
    """Refuse what is no `WaveNet`.

    Raises:
        TypeError: something else.
    """
    if not isinstance(model, WaveNet):
        raise TypeError(
            f"The model is a {type(model).__name__}; it must be a WaveNet: try build_wavenet_toy(), or train_stack_ar for a Block."
        )


TRAIN = "train/"
"""How the names of what only training needs begin in a checkpoint."""


def load(path: str | Path) -> WaveNet:
    """The model that `save` wrote to ``path``, or the one in a checkpoint of `train.train`, in float32 on the CPU.

    Raises:
        FileNotFoundError: nothing at ``path``.
        ValueError: the file holds no WaveNet of this package.
    """
    from safetensors import SafetensorError, safe_open

    path = check_exists(path)
    try:
        with safe_open(path, framework="pt") as file:
            config = WaveNetConfig(**json.loads((file.metadata() or {})["wavenetlike.config"]))
            model = WaveNet(config)
            own = [name for name in file.keys() if not name.startswith(TRAIN)]  # noqa: SIM118, no dict
            model.load_state_dict({name: file.get_tensor(name) for name in own})
    except (SafetensorError, KeyError, TypeError, RuntimeError, OSError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} holds no WaveNet that this package saved; pass a file written by wavenetlike.models.save ({str(error).splitlines()[0]})."
        ) from error
    return model


PRETRAINED = Path(__file__).parent / "pretrained"


def pretrained(name: str = "toy") -> WaveNet:
    """A trained model that comes with the package, in float32 on the CPU.

    Args:
        name: "toy", `build_wavenet_toy` after training on the bundled clips; scripts/train_toy.py made it.

    Raises:
        ValueError: another name.
    """
    known = sorted(path.stem for path in PRETRAINED.glob("*.safetensors"))
    check_choice("name", name, known)
    return load(PRETRAINED / f"{name}.safetensors")
