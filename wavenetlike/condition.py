"""What a model is told beside the past: globally, a word or a speaker; locally, frames that go along with the sound.

WaveNet, section 2.5. Both become numbers that every layer adds to its filter and its gate::

    z = tanh(W_f ∗ x + V_f h + U_f y) ⊙ σ(W_g ∗ x + V_g h + U_g y)

h is one vector for the whole sound, y has one column a frame, held for ``hop`` samples until the next (of the paper's two ways to the sample
rate the one that learns nothing). Taught in notebooks/05_conditioning.ipynb.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor, nn

from wavenetlike.checks import check_classes, check_int, check_there
from wavenetlike.layers import Bias, CausalConv1d
from wavenetlike.names import CLASSES

MOST_WIDE = 1_000_000
"""Numbers of a vector or a frame, and samples of a frame, at most: more is a slip of the keyboard."""
MOST = 65_504.0
"""The largest number of half precision: a vector or a frame beyond it is of some other scale than a network can use."""
PARTS = (*CLASSES, "embedding", "frames")
NOUNS = {"word": "a word", "speaker": "a speaker", "embedding": "an embedding", "frames": "frames"}


@dataclasses.dataclass(frozen=True)
class ConditionConfig:
    """What a model is conditioned on, checked when it is made; travels in its config, with its vocabulary.

    Args:
        words, speakers: lists of the known ones, in the order of their numbers; empty: not conditioned on that.
        embedding: width of the vector h, the sum of those of word and speaker, or given as it is; 0: no such vector.
        frame_channels: numbers a frame; 0: no frames.
        hop: samples a frame, at least 1; 160 are 10 ms at 16 kHz.

    Raises:
        TypeError, ValueError: a field out of its range, a name twice, words or speakers without a vector, or nothing at all.

    >>> ConditionConfig(words=("no", "yes"), embedding=16).parts
    ('word',)
    """

    words: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    embedding: int = 0
    frame_channels: int = 0
    hop: int = 160

    def __post_init__(self) -> None:
        for name in ("words", "speakers"):
            names = getattr(self, name)
            if not isinstance(names, (list, tuple)):
                raise TypeError(
                    f"{name}={names!r} is a {type(names).__name__}; it must be a list or a tuple, which keep an order: try {name}=('no', 'yes')."
                )
            if wrong := [each for each in names if not isinstance(each, str) or not each]:
                raise TypeError(
                    f"{name} holds {wrong[0]!r}, which is no name; it must hold strings that are not empty: try {name}=('no', 'yes')."
                )
            if len(set(names)) < len(names):
                raise ValueError(
                    f"{name} holds {next(each for each in names if list(names).count(each) > 1)!r} twice; each must be there once: try sorted(set({name}))."
                )
            object.__setattr__(self, name, tuple(names))
        for name, least, hint in [
            ("embedding", 0, "16 is enough for some words"),
            ("frame_channels", 0, "a mel spectrogram has 20, a pitch track 1"),
            ("hop", 1, "160 samples are 10 ms at 16 kHz"),
        ]:
            check_int(name, getattr(self, name), least, hint, MOST_WIDE)
            object.__setattr__(self, name, int(getattr(self, name)))
        if (self.words or self.speakers) and not self.embedding:
            raise ValueError(
                "embedding=0 leaves no numbers to words and speakers; it must be at least 1 with them: try embedding=16."
            )
        if not self.parts:
            raise ValueError(
                "The condition has neither words nor speakers, embedding or frame_channels; it must have one of them: for none pass condition=None."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """Of "word", "speaker", "embedding" (if nothing else gives that) and "frames" those that a sound has to be told."""
        given = {
            "word": self.words,
            "speaker": self.speakers,
            "embedding": self.embedding and not (self.words or self.speakers),
            "frames": self.frame_channels,
        }
        return tuple(part for part, is_there in given.items() if is_there)

    def names(self, part: str) -> tuple[str, ...]:
        """The vocabulary of "word" or of "speaker"."""
        return self.words if part == "word" else self.speakers

    def parameters(self, n_layers: int, gate: int, gated: bool = True) -> int:
        """How many numbers a `Conditioning` learns."""
        per_column = (1 + gated) * gate * n_layers
        return (len(self.words) + len(self.speakers) + per_column) * self.embedding + per_column * self.frame_channels

    def n_frames(self, n_samples: int) -> int:
        """Frames of so many samples; the last may have fewer than ``hop``."""
        return -(-n_samples // self.hop)


class SwitchedConv1d(nn.Module):
    """A causal convolution of one channel with a kernel and a bias for each class: (batch, 1, time) → (batch, 1, time).

    All kernels run over the series, one output channel each, and the class of each time picks its channel::

        y_t = bias[k_t] + Σ_i weight[k_t, 0, i] · x_{t-(kernel_length-1-i)}

    With kernel length 2 it is an AR(2) whose parameters switch with the class. Taught in notebooks/05_conditioning.ipynb.

    Args:
        n_classes: kernels, at least 1.
        kernel_length: taps of each, at least 1.

    Raises:
        TypeError, ValueError: an argument that is no integer or smaller than 1.
    """

    def __init__(self, n_classes: int, kernel_length: int = 2):
        check_int("n_classes", n_classes, 1, "2 switch between two processes")
        super().__init__()
        self.conv = CausalConv1d(1, n_classes, kernel_length)

    @property
    def n_classes(self) -> int:
        return self.conv.weight.shape[0]

    @property
    def depth(self) -> int:
        return self.conv.depth

    @property
    def receptive_field(self) -> int:
        return self.conv.receptive_field

    def forward(self, x: Tensor, classes: Tensor, padded: bool = True) -> Tensor:
        """Args: classes: int64 (batch or 1, time), of each output the class of what it predicts, the newest last; more are left out."""
        y = self.conv(x, padded)
        if (
            not isinstance(classes, Tensor)
            or classes.dim() != 2
            or len(classes) not in (1, len(y))
            or classes.shape[1] < y.shape[2]
        ):
            shape = tuple(classes.shape) if isinstance(classes, Tensor) else type(classes).__name__
            raise ValueError(
                f"The classes are {shape} for outputs of {tuple(y.shape)}; they must be int64 (batch or 1, time), one for each output: try classes[None]."
            )
        for row in classes:
            check_classes(row, classes.shape[1], self.n_classes)
        at = classes[:, classes.shape[1] - y.shape[2] :].expand(len(y), -1)
        return y.gather(1, at[:, None])


Class = str | int | Sequence[str] | Sequence[int] | Tensor
"""A name or its number, or one for each of a batch; a tensor int64 (batch,) of numbers, or float (batch, n) of weights, one-hot as a rule."""


@dataclasses.dataclass(frozen=True, eq=False)
class Condition:
    """What one sound, or each of a batch, is conditioned on; what is None is left out, as if it were unknown.

    Args:
        word, speaker: a name of the vocabulary or its number, a list of them, or a float tensor (batch, n) of weights: one-hot, or a mixture.
        embedding: float (batch, width) in place of what word and speaker would give.
        frames: float (batch, frame_channels, n_frames), or without the batch; frame i goes with samples i·hop … (i + 1)·hop - 1.

    >>> Condition(word="yes")
    Condition(word='yes')
    """

    word: Class | None = None
    speaker: Class | None = None
    embedding: Tensor | None = None
    frames: Tensor | None = None

    def __repr__(self) -> str:
        parts = {name: getattr(self, name) for name in PARTS}
        shown = [
            f"{name}={tuple(part.shape) if isinstance(part, Tensor) else repr(part)}"
            for name, part in parts.items()
            if part is not None
        ]
        return f"Condition({', '.join(shown)})"

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of those that are given."""
        return tuple(name for name in PARTS if getattr(self, name) is not None)

    def to(self, device: torch.device) -> Condition:
        """The same, its tensors on ``device``."""
        moved = {name: part.to(device) for name in PARTS if isinstance(part := getattr(self, name), Tensor)}
        return dataclasses.replace(self, **moved)


def resolve(
    config: ConditionConfig | None, condition: Condition | str | None, batch: int, *, whole: bool = False
) -> Condition:
    """``condition`` in tensors, or a refusal: numbers int64 (1 or batch,), weights and vectors (1 or batch, n), frames (1 or batch, channels, n).

    Args:
        config: what the model knows; None: nothing.
        condition: a string is a word, or a speaker where there are no words.
        batch: sounds.
        whole: refuse one that lacks a part of ``config``.

    Raises:
        TypeError, ValueError: a part that the model does not know or that it lacks, a name that is not in the vocabulary, another shape.
    """
    if isinstance(condition, str):
        is_speaker = config is not None and config.speakers and not config.words
        condition = Condition(speaker=condition) if is_speaker else Condition(word=condition)
    if condition is not None and not isinstance(condition, Condition):
        raise TypeError(
            f"condition={condition!r} is a {type(condition).__name__}; it must be a Condition, or a word: try Condition(word='yes')."
        )
    given = condition or Condition()
    if config is None:
        if given.parts:
            raise ValueError(
                f"condition={condition!r} was passed; this WaveNet is not conditioned on anything, so it must be None: leave it out."
            )
        return given
    known = (*config.parts, *(["embedding"] if config.embedding else []))
    if unknown := [part for part in given.parts if part not in known]:
        raise ValueError(
            f"The condition has {NOUNS[unknown[0]]}, which this model does not know; it is conditioned on {' and '.join(config.parts)}: leave it out."
        )
    covered = {*given.parts, *(CLASSES if given.embedding is not None else ())}
    if whole and (missing := [part for part in config.parts if part not in covered]):
        raise ValueError(
            f"The condition has no {missing[0]}; this model is conditioned on {_described(config)}: try {_example(config)}."
        )
    if given.embedding is not None and (given.word is not None or given.speaker is not None):
        raise ValueError(
            "The condition has an embedding beside a word or a speaker, whose place it takes; give one of them: leave the embedding out."
        )
    return Condition(
        **{part: _numbers(part, getattr(given, part), config.names(part), batch) for part in CLASSES},
        embedding=_floats("embedding", given.embedding, (config.embedding,), batch),
        frames=_floats("frames", given.frames, (config.frame_channels, -1), batch),
    )


def check_time(time: object, batch: int) -> None:
    """Refuse a time, in samples since the frames begin, that is not one for all of a batch, or one for each.

    Raises:
        TypeError, ValueError: no int64 tensor, or of another length.
    """
    if not isinstance(time, Tensor) or time.dtype != torch.int64:
        kind = time.dtype if isinstance(time, Tensor) else type(time).__name__
        raise TypeError(f"time is of type {kind}; it must be int64 (1 or batch,): try torch.tensor([0]).")
    check_there("times", time)
    if time.dim() != 1 or len(time) not in (1, batch):
        raise ValueError(
            f"time has shape {tuple(time.shape)}; it must have {_one_or(batch)} for a batch of {batch}: try torch.tensor([0])."
        )


def check_frames(config: ConditionConfig | None, condition: Condition, n_samples: int) -> None:
    """Refuse frames that do not go along with ``n_samples`` samples.

    Raises:
        ValueError: another number of frames.
    """
    if config is None or condition.frames is None:
        return
    found, expected = condition.frames.shape[2], config.n_frames(n_samples)
    if found != expected:
        raise ValueError(
            f"There are {found} frames for {n_samples} samples; at {config.hop} samples a frame there must be {expected}: cut or lengthen one of them, {found} frames are {found * config.hop} samples."
        )


def _described(config: ConditionConfig) -> str:
    known = {
        "word": f"a word, one of {', '.join(config.words)}",
        "speaker": f"a speaker, one of {', '.join(config.speakers)}" if config.speakers else "",
        "embedding": f"an embedding (batch, {config.embedding})",
        "frames": f"frames (batch, {config.frame_channels}, n), see data.mel_frames",
    }
    return " and on ".join(known[part] for part in config.parts)


def _example(config: ConditionConfig) -> str:
    """All that a model wants to be told, as it is written."""
    if config.parts in (("word",), ("speaker",)):
        return f"condition={config.names(config.parts[0])[0]!r}"
    names = [f"{part}={config.names(part)[0]!r}" for part in config.parts if part in CLASSES]
    rest = [f"{part}={part}" for part in config.parts if part not in CLASSES]
    return f"condition=Condition({', '.join([*names, *rest])})"


def _numbers(part: str, value: Class | None, names: tuple[str, ...], batch: int) -> Tensor | None:
    """Names as numbers in the vocabulary, numbers and weights as they are."""
    if value is None:
        return None
    if isinstance(value, Tensor) and value.is_floating_point():
        return _floats(part, value, (len(names),), batch)
    if isinstance(value, (bytes, bytearray)) or not isinstance(value, (str, Integral, Sequence, Tensor)):
        raise TypeError(
            f"The condition's {part} is a {type(value).__name__}; it must be a name, a number or a list of these, or a float tensor of weights: try {part}={names[0]!r}."
        )
    if isinstance(value, Tensor):
        check_there(f"condition's {part}s", value)
        if value.dim() != 1:
            raise ValueError(
                f"The condition's {part} has shape {tuple(value.shape)}; a tensor of numbers must be (batch,): try {part}.reshape(-1)."
            )
    every = [value] if isinstance(value, (str, Integral)) else list(value)
    numbers = [_number(part, each.item() if isinstance(each, Tensor) else each, names) for each in every]
    if len(numbers) not in (1, batch):
        raise ValueError(
            f"The condition has {len(numbers)} {part}s for a batch of {batch}; it must have {_one_or(batch)}: give one for each sound."
        )
    return torch.tensor(numbers)


def _number(part: str, value: object, names: tuple[str, ...]) -> int:
    if isinstance(value, str):
        if value not in names:
            raise ValueError(f"{part}={value!r} is not known to this model; it knows {', '.join(names)}.")
        return names.index(value)
    check_int(part, value, 0, f"the vocabulary has {len(names)}", len(names) - 1)
    return int(value)  # type: ignore[call-overload]


def _floats(part: str, value: object, shape: tuple[int, ...], batch: int) -> Tensor | None:
    if value is None:
        return None
    words = ", ".join(["batch", *("n" if size < 0 else str(size) for size in shape)])
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind, way = type(value).__name__, f"torch.as_tensor({part}, dtype=torch.float32)"
        if isinstance(value, Tensor):
            kind, way = str(value.dtype), f"{part}.float()"
        raise TypeError(f"The condition's {part} is of type {kind}; it must be a float tensor ({words}): try {way}.")
    check_there(f"condition's {part}", value)
    x = value if value.dim() > len(shape) else value[None]
    is_right = x.dim() == len(shape) + 1 and all(
        a in (b, b if b >= 0 else a) for a, b in zip(x.shape[1:], shape, strict=True)
    )
    if not is_right or len(x) not in (1, batch) or x.numel() == 0:
        raise ValueError(
            f"The condition's {part} has shape {tuple(value.shape)}; it must be ({words}), with a batch of {_one_or(batch)}: look at {part}.shape."
        )
    if not x.isfinite().all():
        raise ValueError(
            f"The condition's {part} holds NaN or infinite numbers; all must be finite: try torch.nan_to_num({part})."
        )
    if (largest := float(x.abs().max())) > MOST:
        raise ValueError(
            f"The condition's {part} reaches {largest:.3g}; it must stay within ±{MOST:,.0f}, and is best within about ±1: try {part} / {part}.abs().max()."
        )
    return x


def _one_or(batch: int) -> str:
    return "1" if batch == 1 else f"1 or {batch}"


class Conditioning(nn.Module):
    """A condition → what each layer adds: V h and U y of all layers side by side.

    Args:
        config: what there is.
        n_layers: of the model.
        gate_channels: of each layer.
        gated: whether it has gates beside its filters.
    """

    def __init__(self, config: ConditionConfig, n_layers: int, gate_channels: int, gated: bool = True):
        super().__init__()
        self.config, self.n_layers = config, n_layers
        n_outputs = n_layers * (1 + gated) * gate_channels
        self.word = nn.Embedding(len(config.words), config.embedding) if config.words else None
        self.speaker = nn.Embedding(len(config.speakers), config.embedding) if config.speakers else None
        self.vector = nn.Linear(config.embedding, n_outputs, bias=False) if config.embedding else None
        self.frames = nn.Conv1d(config.frame_channels, n_outputs, 1, bias=False) if config.frame_channels else None

    def forward(self, condition: Condition) -> Tensor | None:
        """A condition from `resolve` → (batch or 1, layers · 2 · gate, n_frames or 1), or None where nothing is given."""
        added = []
        vectors = [condition.embedding, *(self._look_up(part, getattr(condition, part)) for part in CLASSES)]
        if self.vector is not None and (given := [vector for vector in vectors if vector is not None]):
            weight = self.vector.weight
            added.append(self.vector(torch.stack(torch.broadcast_tensors(*given)).sum(dim=0).to(weight))[..., None])
        if self.frames is not None and condition.frames is not None:
            added.append(self.frames(condition.frames.to(self.frames.weight)))
        return sum(added[1:], added[0]) if added else None

    def _look_up(self, part: str, value: Tensor | None) -> Tensor | None:
        table: nn.Embedding | None = getattr(self, part)
        if value is None or table is None:
            return None
        if value.is_floating_point():
            return value.to(table.weight) @ table.weight
        return table(value.to(table.weight.device))


def per_layer(added: Tensor, n_layers: int, hop: int, ends: Tensor) -> list[Bias]:
    """What `Conditioning` gives, layer by layer."""
    return [Bias(frames, hop, ends) for frames in added.chunk(n_layers, dim=1)]
