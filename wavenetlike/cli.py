"""The command ``wavenetlike``: what a shell script on one machine or many calls."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from wavenetlike.analysis import Score, evaluate
from wavenetlike.checks import check_int
from wavenetlike.condition import CLASSES, ConditionConfig
from wavenetlike.data import Clips, EncodedClips, Waveforms, bundled_clips, encode_clips, vocabulary
from wavenetlike.data.clips import SPEAKER_ENDS, Items
from wavenetlike.heads import HEADS
from wavenetlike.models import TOY, WaveNet, WaveNetConfig, save
from wavenetlike.train import Bar, Checkpoints, Log, TensorBoard, Watcher, train
from wavenetlike.train.recipe import PRECISIONS, SCHEDULES

PRESETS = {"toy": TOY, "wavenet": WaveNetConfig()}
EMBEDDING, N_MELS = 16, 20
"""Numbers that a word or a speaker becomes, and bands of the mel spectrogram."""
CONDITIONS = (*CLASSES, "mel")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status, 0 if it did what was asked.

    Args:
        arguments: of the shell; None: those of this process.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        return _launch(options, arguments) if _is_launcher(options) else _train(options)
    except (ValueError, TypeError, RuntimeError, OSError, ImportError) as error:
        print(f"wavenetlike: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("wavenetlike: interrupted.", file=sys.stderr)
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wavenetlike", description="WaveNet-like models, from the shell.")
    command = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "train",
        help="train a model on a folder of recordings",
        description="Train a model; the same command goes on where an interrupted one was. docs/scaling.md shows it on many machines.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = command.add_argument
    add("--preset", choices=PRESETS, default="toy", help="the model")
    add(
        "--data",
        metavar="DIR",
        help="word/speaker_nohash_n.wav, any other audio, or what EncodedClips.write made; else the bundled clips",
    )
    add("--head", choices=HEADS, default="softmax", help="what is predicted of a code")
    add(
        "--condition",
        nargs="+",
        choices=CONDITIONS,
        default=[],
        help="what the model is told beside the past: the word and the speaker, known by the recordings' names, a mel spectrogram",
    )
    add("--held-out", metavar="DIR", help="recordings to judge by, not trained on")
    add(
        "--output",
        metavar="DIR",
        default="run",
        help="checkpoints, best.safetensors, model.safetensors; shared by all machines",
    )
    add("--steps", type=int, help="how many; with neither steps nor seconds, 60 seconds")
    add("--seconds", type=float, help="how long")
    add("--window", type=int, default=4000, help="codes predicted per window")
    add("--batch-size", type=int, default=1, help="windows a step, over all devices")
    add("--learning-rate", type=float, default=6e-3, help="of Adam")
    add("--schedule", choices=SCHEDULES, default="linear", help="how the learning rate goes on")
    add("--ema", type=float, help="average the weights, keeping this part of the average a step")
    add("--precision", choices=PRECISIONS, default="float32", help="of the products")
    add("--compile", action="store_true", help="by torch.compile")
    add("--evaluate-every", type=int, default=100, help="steps between two judgements")
    add("--patience", type=int, help="judgements without a better one after which to end")
    add("--seed", type=int, default=0, help="of the first weights and of the order of the clips")
    add("--checkpoint-steps", type=int, help="steps between two checkpoints")
    add("--checkpoint-minutes", type=float, default=5.0, help="minutes between two checkpoints")
    add("--tensorboard", metavar="DIR", help="write scalars there; needs the extra")
    add("--devices", type=int, default=1, help="processes on each machine")
    add("--nodes", default="1", help="machines: 2, or 1:2 to go on with one when another fails")
    add("--rendezvous", metavar="HOST:PORT", help="with several machines: of the first, as all can reach it")
    add(
        "--restarts", type=int, default=3, help="how often to begin again from the last checkpoint when a process fails"
    )
    return parser


def _is_launcher(options: argparse.Namespace) -> bool:
    """Whether processes have to be started first; torchrun tells those that it started."""
    return "WORLD_SIZE" not in os.environ and (options.devices, options.nodes) != (1, "1")


def _launch(options: argparse.Namespace, arguments: list[str]) -> int:
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


def _train(options: argparse.Namespace) -> int:
    check_int("seed", options.seed, 0, "any such number", 2**64 - 1)
    torch.manual_seed(options.seed)
    clips = bundled_clips() if options.data is None else _clips(options.data)
    model = WaveNet(_config(options, clips))
    is_first = os.environ.get("RANK", "0") == "0"
    watch: list[Watcher] = [Log(), *([TensorBoard(options.tensorboard)] if options.tensorboard and is_first else [])]
    if sys.stderr.isatty():
        watch.append(Bar())
    held_out = None if options.held_out is None else _clips(options.held_out)
    history = train(
        model, clips,
        steps=options.steps, seconds=options.seconds, window=options.window, batch_size=options.batch_size,
        learning_rate=options.learning_rate, schedule=options.schedule, ema=options.ema, precision=options.precision,
        compiled=options.compile, held_out=held_out, evaluate_every=options.evaluate_every, patience=options.patience, seed=options.seed,
        checkpoints=Checkpoints(options.output, options.checkpoint_steps, options.checkpoint_minutes),
        devices=_processes(options), watch=watch, progress=False,
    )  # fmt: skip
    if is_first:
        save(model, Path(options.output) / "model.safetensors")
        print(f"{history!r}; the model is {str(Path(options.output) / 'model.safetensors')!r}.")
        for score in [] if held_out is None else _scores(model, held_out):
            print(f"held-out: {score.name:15} accuracy {100 * score.accuracy:.1f}%, {score.bits:.3f} bits per sample")
    return 0


def _config(options: argparse.Namespace, clips: Items) -> WaveNetConfig:
    """The preset, with the head and the condition that were asked for; the vocabulary is that of the clips."""
    preset = dataclasses.replace(PRESETS[options.preset], head=options.head)
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


def _clips(folder: str) -> Items:
    """What is in a folder: encoded clips, words in folders, or any audio."""
    path = Path(folder)
    if (path / "clips.json").exists():
        return EncodedClips(path)
    if any(path.glob(f"*/*{SPEAKER_ENDS}*")):
        return Clips(path)
    return Waveforms(path)


if __name__ == "__main__":
    sys.exit(main())
