"""The ladder of models: one causal convolution, the toy WaveNet, the full WaveNet; a config travels with each."""

from __future__ import annotations

import dataclasses
import json
from operator import attrgetter
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from wavenetlike.checks import check_bool, check_choice, check_codes, check_exists, check_int, check_known
from wavenetlike.condition import Condition, ConditionConfig, Conditioning, check_frames, check_time, per_layer, resolve
from wavenetlike.context import ContextConfig, ContextStack
from wavenetlike.heads import HEADS, MOST_LEVELS, code_head
from wavenetlike.layers import (
    Bias,
    CausalConv1d,
    CodeEmbedding,
    OneHot,
    ResidualLayer,
    SkipHead,
    ValueEmbedding,
    compose,
    dilations,
    reach,
)
from wavenetlike.names import PRETRAINED, pretrained_names
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
        head: what is predicted, see `heads`: "softmax" a probability for each code; "logistics" a mixture of ``n_mixtures`` logistic
            distributions; "gaussian" a mean and a σ; "mse" a mean. All but the first see codes by their values, so that levels may be many.
        n_mixtures: components of "logistics", at least 1.
        condition: what it is told beside the past, see `condition`; None: nothing.
        context: a second stack that looks further back at a lower rate, see `context`; None: there is none.
        embedding: how codes come in: "table", a vector of its own for each; "one-hot", the same function by a 1×1 convolution; "value", by its
            value alone; "auto" is "table" for a softmax, and "value" for the other heads.
        gated: whether tanh of the filters is multiplied by a gate; False: it is not, and a layer has half as many sums.
        residual: whether each layer adds its own input to what it passes on.
        skip: whether the head reads all layers; False: it reads the last one alone.
        weight_norm: whether each convolution learns the length and the direction of an output's kernel apart (Salimans & Kingma, 2016);
            `folded` makes plain weights of them.

    Raises:
        TypeError, ValueError: a field out of its range.

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
    head: str = "softmax"
    n_mixtures: int = 10
    condition: ConditionConfig | None = None
    context: ContextConfig | None = None
    embedding: str = "auto"
    gated: bool = True
    residual: bool = True
    skip: bool = True
    weight_norm: bool = False

    def __post_init__(self) -> None:
        check_choice("head", self.head, HEADS)
        check_choice("embedding", self.embedding, ("auto", *EMBEDDINGS))
        for name, kind in PARTS.items():
            part = getattr(self, name)
            if part is not None and not isinstance(part, kind):
                raise TypeError(
                    f"{name}={part!r} is a {type(part).__name__}; it must be a {kind.__name__} or None: see help({kind.__name__})."
                )
        for field in dataclasses.fields(self):
            if isinstance(field.default, bool):
                check_bool(field.name, getattr(self, field.name))
            elif isinstance(field.default, int):
                least, most = (2, MOST_LEVELS) if field.name == "levels" else (1, None)
                check_int(field.name, getattr(self, field.name), least, f"the full WaveNet has {field.default}", most)
                object.__setattr__(self, field.name, int(getattr(self, field.name)))  # a NumPy integer has no JSON

    def to_json(self) -> str:
        """All fields, as `from_json` reads them."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WaveNetConfig:
        """What `to_json` wrote; fields that it did not know then have their defaults."""
        fields = {**json.loads(text)}
        parts = {name: kind(**fields[name]) for name, kind in PARTS.items() if fields.get(name) is not None}
        return cls(**{**fields, **parts})

    @property
    def dilations(self) -> list[int]:
        """The dilation of every layer, from the input on."""
        return dilations(self.n_layers, self.dilation_rate) * self.n_blocks

    @property
    def depth(self) -> int:
        """Layers with a temporal convolution, one after the other, on the longest way: through a context stack's, if that is longer."""
        by_codes = len(self.dilations) + (self.first_kernel_length > 1)
        if self.context is None:
            return by_codes
        # What it gives is added after the first layer's convolution.
        return max(by_codes, self.context.depth + len(self.dilations) - 1)

    @property
    def receptive_field(self) -> int:
        """Δ in samples; with a context stack the most that an output sees, of the first code of a column it sees rate - 1 fewer."""
        layers = [reach(self.kernel_length, dilation) for dilation in self.dilations]
        context = None if self.context is None else (self.context.receptive_field, self.context.rate)
        return paired([reach(self.first_kernel_length, 1)], layers, context)

    @property
    def multiplications(self) -> int:
        """For one sample, when nothing is computed twice: every weight of every convolution once (the embedding is looked up).

        Without those of frames and context stacks, which are computed once for many samples.
        """
        width, gate, skip, n_layers = self._widths
        first = width * width * self.first_kernel_length if self.first_kernel_length > 1 else 0
        gated_units = n_layers * width * self.kernel_length * (1 + self.gated) * gate
        residuals = (n_layers - 1) * gate * width
        head = self.n_read * gate * skip + skip * skip + skip * self.outputs
        return first + gated_units + residuals + head

    @property
    def n_read(self) -> int:
        """Layers that the head reads."""
        return len(self.dilations) if self.skip else 1

    @property
    def entry(self) -> str:
        """How codes come in, by name: a key of `EMBEDDINGS`."""
        if self.embedding != "auto":
            return self.embedding
        return "table" if self.head == "softmax" else "value"

    @property
    def outputs(self) -> int:
        """Channels that the head reads."""
        return code_head(self.head, self.levels, self.n_mixtures).channels

    @property
    def parameters(self) -> int:
        """How many numbers a `WaveNet` of this shape learns, counted without building it."""
        width, gate, skip, n_layers = self._widths
        first = width if self.first_kernel_length > 1 else 0
        biases = first + n_layers * (1 + self.gated) * gate + (n_layers - 1) * width + 2 * skip + self.outputs
        lengths = biases if self.weight_norm else 0  # of kernels: one an output, as of biases
        embedding = (2 if self.entry == "value" else self.levels) * width
        condition = self.condition.parameters(n_layers, gate, self.gated) if self.condition else 0
        context = self.context.parameters(width, n_layers, gate, self.gated) if self.context else 0
        own = 1 if self.head == "mse" else 0  # σ
        return embedding + self.multiplications + biases + lengths + condition + context + own

    @property
    def _widths(self) -> tuple[int, int, int, int]:
        return self.residual_channels, self.gate_channels, self.skip_channels, len(self.dilations)

    @property
    def gamma(self) -> float:
        """γ: parameters per layer of depth."""
        return self.parameters / self.depth


PARTS = {"condition": ConditionConfig, "context": ContextConfig}
"""Fields of a `WaveNetConfig` that are configs themselves."""

EMBEDDINGS: dict[str, type[CodeEmbedding | OneHot | ValueEmbedding]] = {
    "table": CodeEmbedding,
    "one-hot": OneHot,
    "value": ValueEmbedding,
}
"""How codes come in, by the names that a config knows beside "auto"."""


def paired(before: list[int], layers: list[int], context: tuple[int, int] | None) -> int:
    """Δ of a model by the Δ of what comes before its layers and of these, and of its context stack (Δ in columns, rate).

    An output reaches the context through all layers but the first, whose convolution is not heard by it; there the newest column
    ended up to ``rate`` codes before.
    """
    by_codes = compose([*before, *layers])
    if context is None:
        return by_codes
    columns, rate = context
    return max(by_codes, (columns + 1) * rate + compose(layers[1:]) - 1)


class WaveNet(nn.Module):
    """p(x_{t+1} | x_{t-Δ+1} … x_t) over µ-law codes: (batch, time) → what the head reads, (batch, channels, time), logits for a softmax.

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
        self.head = code_head(config.head, config.levels, config.n_mixtures)
        width = config.residual_channels
        self.embedding = EMBEDDINGS[config.entry](config.levels, width)
        self.first = CausalConv1d(width, width, config.first_kernel_length) if config.first_kernel_length > 1 else None
        self.layers = nn.ModuleList(
            ResidualLayer(
                width, config.gate_channels, config.kernel_length, dilation,
                last=i == len(config.dilations) - 1, gated=config.gated, adds=config.residual,
            )
            for i, dilation in enumerate(config.dilations)
        )  # fmt: skip
        self.skip_head = SkipHead(config.n_read, config.gate_channels, config.skip_channels, self.head.channels)
        self.head.begin(self.skip_head.out.bias)  # type: ignore[arg-type]
        shape = len(config.dilations), config.gate_channels, config.gated
        self.conditioning = Conditioning(config.condition, *shape) if config.condition else None
        self.context = ContextStack(config.context, width, *shape) if config.context else None
        if config.weight_norm:
            for conv in self.convolutions:
                weight_norm(conv)

    @property
    def receptive_field(self) -> int:
        """Δ in samples, composed from the layers' own."""
        context = None if self.context is None else (self.context.receptive_field, self.context.config.rate)
        return paired(*self._receptive_fields, context)

    @property
    def convolutions(self) -> list[CausalConv1d]:
        """All from the embedded codes to what the head reads, without those of a context stack."""
        parts = [self.first, self.layers, self.skip_head]
        return [conv for part in parts if part for conv in part.modules() if isinstance(conv, CausalConv1d)]

    @property
    def own_receptive_field(self) -> int:
        """Δ without the context stack."""
        return paired(*self._receptive_fields, None)

    @property
    def _receptive_fields(self) -> tuple[list[int], list[int]]:
        before = [] if self.first is None else [self.first.receptive_field]
        return before, [int(layer.receptive_field) for layer in self.layers]  # type: ignore[arg-type]

    @property
    def rate(self) -> int:
        """Codes a column of the context stack; 1 without one. The first code of an input begins a column."""
        return 1 if self.context is None else self.context.config.rate

    @property
    def phase(self) -> int:
        """Codes, modulo `rate`, of an input whose last output sees all of Δ; the others see fewer, the fewer the newer their newest column is."""
        return (compose(self._receptive_fields[1][1:]) - 1) % self.rate

    @property
    def depth(self) -> int:
        return self.config.depth

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    def embed(self, codes: Tensor) -> Tensor:
        """Codes (batch, time) → activations (batch, residual, time)."""
        return self.embedding(codes).transpose(1, 2).contiguous()

    def biases(self, condition: Condition, ends: Tensor, embedded: Tensor) -> list[list[Bias]]:
        """What ``condition``, as `condition.resolve` gives it, and the context stack add to each layer; see `layers.Bias` for ``ends``."""
        n, sources = len(self.layers), []
        if self.conditioning is not None and (added := self.conditioning(condition)) is not None:
            sources.append(per_layer(added, n, self.conditioning.config.hop, ends))
        if self.context is not None:
            end = torch.tensor([embedded.shape[2] - self.context.receptive_field * self.rate])
            sources.append(per_layer(self.context(embedded), n, self.rate, end))
        return [[source[i] for source in sources] for i in range(n)]

    def forward(
        self,
        codes: Tensor,
        padded: bool = True,
        condition: Condition | str | None = None,
        time: Tensor | None = None,
    ) -> Tensor:
        """Codes (batch, time) → what the head reads; that at t describes the code at t + 1.

        Args:
            codes: int64 in [0, levels).
            padded: put Δ - 1 codes of silence before the first, and return (batch, channels, time); else return
                (batch, channels, time - Δ + 1), only where all of Δ is known. Losses are taken there.
            condition: what the sound is conditioned on; None, and every part of it that is None, is left out. The prediction of the code at
                t + 1 knows the frame of t + 1.
            time: int64 (1 or batch,), when the first code is, in samples since the frames begin; None: then, and the frames are those of
                ``codes``, as many as these need.

        Raises:
            TypeError, ValueError: not codes; with ``padded=False``, fewer than Δ of them; a condition that the model does not know.
        """
        if not torch.compiler.is_compiling():  # which cannot look at the codes
            check_codes(codes, self.config.levels)
            condition = resolve(self.config.condition, condition, len(codes))
            if time is None:
                check_frames(self.config.condition, condition, codes.shape[1])
            else:
                check_time(time, len(codes))
        ends = codes.shape[1] + 1 + (torch.zeros(1, dtype=torch.int64) if time is None else time)
        delta = self.receptive_field
        n = codes.shape[1]
        if padded:
            # As much silence as is needed, in whole columns.
            codes = nn.functional.pad(codes, (-(-(delta - 1) // self.rate) * self.rate, 0), value=self.mu_law.silence)
        else:
            check_known(n, delta)
            n -= delta - 1
        x = self.embed(codes)
        biases, gated = self.biases(condition or Condition(), ends, x), []  # type: ignore[arg-type]
        x = x[..., x.shape[2] - (n + self.own_receptive_field - 1) :]
        if self.first is not None:
            x = self.first(x, padded=False)
        for layer, added in zip(self.layers, biases, strict=True):
            x, z = layer(x, False, added)
            gated.append(z)
        return self.skip_head(gated)


def folded(model: WaveNet) -> WaveNet:
    """The same function with plain weights, as generation wants them: of weight norm, length times direction; a model without it is given back itself.

    What is folded is a copy; to go on training, keep the model.
    """
    if not model.config.weight_norm:
        return model
    with torch.random.fork_rng(devices=[]):
        plain = WaveNet(dataclasses.replace(model.config, weight_norm=False))
    weights = {name: attrgetter(name)(model).detach().clone() for name in plain.state_dict()}
    plain.load_state_dict(weights, assign=True)
    return plain.train(model.training)


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
    config = model.config.to_json()
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
            config = WaveNetConfig.from_json((file.metadata() or {})["wavenetlike.config"])
            model = WaveNet(config)
            own = [name for name in file.keys() if not name.startswith(TRAIN)]  # noqa: SIM118, no dict
            model.load_state_dict({name: file.get_tensor(name) for name in own})
    except (SafetensorError, KeyError, TypeError, RuntimeError, OSError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} holds no WaveNet that this package saved; pass a file written by wavenetlike.models.save ({str(error).splitlines()[0]})."
        ) from error
    return model


def pretrained(name: str = "toy") -> WaveNet:
    """A trained model that comes with the package, in float32 on the CPU.

    Args:
        name: "toy", `build_wavenet_toy` after training on the bundled clips; scripts/train_toy.py made it. "words", conditioned on a word
            and on frames of `data.mel_frames`, after training on spoken words; scripts/train_words.py made it.

    Raises:
        ValueError: another name.
    """
    check_choice("name", name, pretrained_names())
    return load(PRETRAINED / f"{name}.safetensors")
