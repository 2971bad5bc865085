"""``wavenetlike train``: one process, or several that torchrun starts with the same line."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from wavenetlike.analysis import Score, evaluate
from wavenetlike.checks import check_exists, check_int
from wavenetlike.cli.output import as_json, say
from wavenetlike.cli.sources import clips_at, held_out_clips
from wavenetlike.condition import ConditionConfig
from wavenetlike.data import bundled_clips, encode_clips, vocabulary
from wavenetlike.data.clips import Items
from wavenetlike.models import TOY, WaveNet, WaveNetConfig, save
from wavenetlike.names import CLASSES, Preset
from wavenetlike.train import Bar, Checkpoints, History, Log, TensorBoard, Watcher, train

PRESETS: dict[Preset, WaveNetConfig] = {"toy": TOY, "wavenet": WaveNetConfig()}
EMBEDDING, N_MELS = 16, 20
"""Numbers that a word or a speaker becomes, and bands of the mel spectrogram."""


def is_launcher(options: argparse.Namespace) -> bool:
    """Whether processes have to be started first; torchrun tells those that it started."""
    return "WORLD_SIZE" not in os.environ and (options.devices, options.nodes) != (1, "1")


def launch(options: argparse.Namespace, arguments: list[str]) -> int:
    """The same command in every process, by torchrun."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    check_int("devices", options.devices, 1, "1 is this process alone")
    check_int("restarts", options.restarts, 0, "3 survive three failures")
    rendezvous = ["--standalone"]
    if options.nodes != "1":
        if options.rendezvous is None:
            raise ValueError(
                f"--nodes {options.nodes} needs --rendezvous HOST:PORT, the same on all machines: the first one's name and a free port, say 29500."
            )
        rendezvous = ["--rdzv-backend=c10d", f"--rdzv-endpoint={options.rendezvous}", "--rdzv-id=wavenetlike"]
    # torch 2.14 keeps its store over restarts, and gloo then reads addresses of processes that are gone.
    os.environ.setdefault("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    shape = [f"--nnodes={options.nodes}", f"--nproc-per-node={options.devices}", f"--max-restarts={options.restarts}"]
    try:
        torchrun([*rendezvous, *shape, "-m", "wavenetlike.cli", *arguments])
    except SignalException as error:
        return 0 if error.sigval == signal.SIGINT else 128 + error.sigval
    except ChildFailedError:  # which has said why
        return 1
    return 0


def train_command(options: argparse.Namespace) -> int:
    """``wavenetlike train``, of one process or of the one that starts the others; the exit status."""
    if is_launcher(options):
        return launch(options, options.arguments)
    check_int("seed", options.seed, 0, "any such number", 2**64 - 1)
    torch.manual_seed(options.seed)
    clips = bundled_clips() if options.data is None else clips_at(options.data)
    model = WaveNet(_config(options, clips))
    is_first = os.environ.get("RANK", "0") == "0"
    watch: list[Watcher] = [Log(), *([TensorBoard(options.tensorboard)] if options.tensorboard and is_first else [])]
    if sys.stderr.isatty():
        watch.append(Bar())
    held_out = None if options.held_out is None else held_out_clips(options.held_out)
    history = train(
        model, clips,
        steps=options.steps, seconds=options.seconds, window=options.window, batch_size=options.batch_size,
        learning_rate=options.learning_rate, schedule=options.schedule, ema=options.ema, precision=options.precision,
        compiled=options.compile, held_out=held_out, evaluate_every=options.evaluate_every, patience=options.patience, seed=options.seed,
        checkpoints=Checkpoints(options.output, options.checkpoint_steps, options.checkpoint_minutes),
        devices=_processes(options), watch=watch, progress=False,
    )  # fmt: skip
    if is_first:
        path = Path(options.output) / "model.safetensors"
        save(model, path)
        scores = [] if held_out is None else _scores(model, held_out)
        say(as_json(_summary(history, path, scores)) if options.json else _sentences(history, path, scores))
    return 0


def _sentences(history: History, path: Path, scores: list[Score]) -> str:
    lines = [
        f"held-out: {score.name:15} accuracy {100 * score.accuracy:.1f}%, {score.bits:.3f} bits per sample"
        for score in scores
    ]
    return "\n".join([f"{history!r}; the model is {str(path)!r}.", *lines])


def _summary(history: History, path: Path, scores: list[Score]) -> dict[str, Any]:
    """The same for a program: of the last step bits per sample and accuracy, of the held-out clips the scores beside the baselines'."""
    return {
        "model": str(path),
        "steps": len(history.bits),
        "seconds": history.seconds,
        "bits": history.bits[-1],
        "accuracy": history.accuracy[-1],
        "end": history.end or "done",
        "held_out": [{"name": score.name, "accuracy": score.accuracy, "bits": score.bits} for score in scores],
    }


def _config(options: argparse.Namespace, clips: Items) -> WaveNetConfig:
    """The preset or the config, with the head and the condition that were asked for; the vocabulary is that of the clips."""
    chosen = PRESETS[options.preset or "toy"] if options.config is None else _read_config(options.config)
    preset = dataclasses.replace(chosen, head=options.head or chosen.head)
    names = {part: vocabulary(clips, part) for part in CLASSES if part in options.condition}
    for part, known in names.items():
        if len(known) == 1:
            raise ValueError(
                f"--condition {part} was asked for, and all clips have the {part} {known[0]!r}; there must be two to tell apart: put files as word/speaker_nohash_n.wav, or leave {part} out."
            )
    if not options.condition:
        return preset
    condition = ConditionConfig(
        words=names.get("word", ()),
        speakers=names.get("speaker", ()),
        embedding=EMBEDDING if names else 0,
        frame_channels=N_MELS if "mel" in options.condition else 0,
    )
    return dataclasses.replace(preset, condition=condition)


def _processes(options: argparse.Namespace) -> int | None:
    """How many there have to be; None where hosts may come and go, as with ``--nodes 1:2``."""
    return options.devices * int(options.nodes) if options.nodes.isdecimal() else None


def _scores(model: WaveNet, held_out: Items) -> list[Score]:
    """Over positions that have their whole past, or over all where no clip has one."""
    has_full = max(encode_clips(held_out, model.mu_law).lengths) > model.receptive_field
    return evaluate(model, held_out, "full" if has_full else "all")


def _read_config(source: str) -> WaveNetConfig:
    """From a file, or where ``source`` begins with a brace from itself."""
    text = source
    if not source.lstrip().startswith("{"):
        if not check_exists(source).is_file():
            raise ValueError(f"--config {source!r} is a folder; pass a file as suggest --save writes it.")
        text = Path(source).read_text(encoding="utf-8")
    try:
        return WaveNetConfig.from_json(text)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"--config {source!r} is no config of a WaveNet ({str(error).rstrip('.')}); write one by suggest --save FILE."
        ) from error
