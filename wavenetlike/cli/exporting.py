"""``wavenetlike export``: a trained model for programs that do not know this package."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wavenetlike.cli.output import as_json, check_new, check_target, say
from wavenetlike.cli.sources import trained_model
from wavenetlike.condition import Condition, ConditionConfig
from wavenetlike.files import durably
from wavenetlike.models import WaveNet, folded

CLOSE = 1e-4
"""How far a program's outputs may be from the model's, as a part of the largest of them: more than rounding is a fault."""
TRACED = 2, 50
"""Sounds and samples that a program is recorded with; it is compared with the model at other numbers of both."""
COMPARED = (1, 20), (3, 400)
WEIGHTS, CONFIG = "model.safetensors", "config.json"


def export_command(options: argparse.Namespace) -> int:
    """``wavenetlike export``; the exit status."""
    name = options.preset or "toy" if options.model is None else Path(options.model).stem
    path = Path(options.output or (name + ".pt2" if options.to == "program" else name))
    _check_targets(options, path)
    model = folded(trained_model(options).eval())
    written = _write_weights(model, path) if options.to == "weights" else _write_program(model, path)
    told = {
        "to": options.to,
        **written,
        "config": {"receptive_field": model.receptive_field, "levels": model.config.levels},
    }
    say(as_json(told) if options.json else _sentence(written))
    return 0


def _check_targets(options: argparse.Namespace, path: Path) -> None:
    """Refuse what could not be written, before anything is read."""
    if options.to == "weights" and path.exists() and not path.is_dir():
        raise NotADirectoryError(
            f"{str(path)!r} is a file; name a folder for the weights: try {str(path) + '-weights'!r}."
        )
    is_folder = options.to == "weights" and path.is_dir()
    for target in [path / WEIGHTS, path / CONFIG] if is_folder else [path]:
        check_target(str(target), options.model)
        check_new(target, options.force)


def _sentence(written: dict[str, Any]) -> str:
    files = " and ".join(written["files"])
    if "inputs" not in written:
        return f"{files}: weights by name, and what shape they have."
    return f"{files}: from {', '.join(written['inputs'])} to {written['output']}; at most {written['difference']:.1e} from the model."


# Weights


def _write_weights(model: WaveNet, folder: Path) -> dict[str, Any]:
    """A folder of two files, each whole or not at all."""
    from safetensors.torch import save

    folder.mkdir(exist_ok=True)
    weights = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    durably(folder.resolve() / WEIGHTS, save(weights))
    durably(folder.resolve() / CONFIG, (model.config.to_json() + "\n").encode())
    return {"files": [str(folder / WEIGHTS), str(folder / CONFIG)]}


# Programs


class Program(nn.Module):
    """A model as a function of tensors alone: codes, and what it is conditioned on, in the order of its config's parts."""

    def __init__(self, model: WaveNet):
        super().__init__()
        self.model = model
        config = model.config.condition
        self.parts = config.parts if config else ()

    def forward(self, codes: Tensor, *told: Tensor) -> Tensor:
        """Codes, int64 (batch, time), and numbers (batch,) or vectors or frames → what the head reads, (batch, channels, time)."""
        condition = Condition(**dict(zip(self.parts, told, strict=True))) if self.parts else None
        return self.model(codes, condition=condition)


def _write_program(model: WaveNet, path: Path) -> dict[str, Any]:
    """One file, written after what is in it has given what the model gives."""
    if sys.stderr.isatty():
        print("recording the model …", file=sys.stderr)
    content = _recorded(model)
    difference = _difference(model, content)
    if not difference <= CLOSE:
        raise RuntimeError(
            f"The program's outputs differ from the model's by {difference:.1e} of the largest; nothing was written: try --to weights."
        )
    durably(path.resolve(), content)
    shapes = {"word": "int64 (batch,)", "speaker": "int64 (batch,)", "embedding": "float32 (batch, width)"}
    shapes["frames"] = "float32 (batch, channels, at least 2)"
    inputs = ["codes int64 (batch, time)", *(f"{part} {shapes[part]}" for part in Program(model).parts)]
    output = f"float32 (batch, {model.head.channels}, time)"
    return {"files": [str(path)], "inputs": inputs, "output": output, "difference": difference}


@torch.no_grad()
def _recorded(model: WaveNet) -> bytes:
    """What torch.export makes of it, for any batch and any time, with the config in it."""
    batch, time, n_frames = (
        torch.export.Dim(name, min=least) for name, least in (("batch", 1), ("time", 1), ("n_frames", 2))
    )
    program = Program(model)
    told = tuple({0: batch, 2: n_frames} if part == "frames" else {0: batch} for part in program.parts)
    shapes = ({0: batch, 1: time}, *([told] if told else []))
    try:
        exported = torch.export.export(program, _inputs(model, *TRACED), dynamic_shapes=shapes)
    except Exception as error:
        raise RuntimeError(
            f"torch.export cannot record this model ({type(error).__name__}: {str(error).strip().splitlines()[0]}); write it for others by --to weights."
        ) from error
    buffer = io.BytesIO()
    torch.export.save(exported, buffer, extra_files={CONFIG: model.config.to_json()})
    return buffer.getvalue()


def _inputs(model: WaveNet, batch: int, n: int) -> tuple[Tensor, ...]:
    """Random codes, and random conditions that go along with them, the same each time."""
    generator = torch.Generator().manual_seed(n)
    codes = torch.randint(model.config.levels, (batch, n), generator=generator)
    config = model.config.condition
    if config is None:
        return (codes,)
    return codes, *(_told(config, part, batch, n, generator) for part in config.parts)


def _told(config: ConditionConfig, part: str, batch: int, n: int, generator: torch.Generator) -> Tensor:
    if part == "frames":
        return torch.rand(batch, config.frame_channels, max(2, config.n_frames(n)), generator=generator)
    if part == "embedding":
        return torch.rand(batch, config.embedding, generator=generator)
    return torch.randint(len(config.names(part)), (batch,), generator=generator)


@torch.no_grad()
def _difference(model: WaveNet, content: bytes) -> float:
    """The largest between the outputs of the program, as it is read back, and the model's, as a part of the largest output."""
    program = torch.export.load(io.BytesIO(content)).module()
    worst = 0.0
    for batch, n in COMPARED:
        codes, *told = _inputs(model, batch, n)
        time = torch.zeros(1, dtype=torch.int64)
        expected = model(codes, condition=Condition(**dict(zip(Program(model).parts, told, strict=True))), time=time)
        worst = max(worst, float((program(codes, *told) - expected).abs().max() / expected.abs().max()))
    return worst
