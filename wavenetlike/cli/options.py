"""What each command takes."""

from __future__ import annotations

import argparse
from typing import Any

from wavenetlike.cli.reports import LEVELS, analyze_command, suggest_command
from wavenetlike.cli.sources import HOLDS
from wavenetlike.cli.training import CONDITIONS, PRESETS, train_command
from wavenetlike.heads import HEADS
from wavenetlike.train.recipe import PRECISIONS, SCHEDULES


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that there are."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        is_value = isinstance(action.default, (int, float, str)) and not isinstance(action.default, bool)
        return super()._get_help_string(action) if is_value else action.help


def parser() -> argparse.ArgumentParser:
    """All commands with their options; ``run`` of what it reads is the command's function."""
    parser = argparse.ArgumentParser(prog="wavenetlike", description="WaveNet-like models, from the shell.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    _add_data_command(
        commands,
        "analyze",
        "what a dataset holds, and what there is to learn in it",
        "What a dataset holds, how it was recorded, and how its samples depend on their past.",
    ).set_defaults(run=analyze_command)
    _add_suggest(commands)
    return parser


def _add_data_command(commands: Any, name: str, brief: str, description: str) -> argparse.ArgumentParser:
    """A command that measures a dataset, with the options that all such have."""
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=brief, description=description, formatter_class=_Help
    )
    add = command.add_argument
    add("path", metavar="PATH", nargs="?", help=f"{HOLDS}; else the bundled clips")
    add("--json", action="store_true", help="print one JSON object instead of the table")
    add("--html", metavar="FILE", help="write a page, too, that needs no other file")
    add("--sample-rate", type=float, metavar="HZ", help="of a series: it is then taken as sound")
    add("--most-clips", type=int, default=200, metavar="N", help="clips read at most, drawn at random")
    add("--seed", type=int, default=0, help="of what is drawn")
    return command


def _add_suggest(commands: Any) -> None:
    command = _add_data_command(
        commands,
        "suggest",
        "models for a dataset, with reasons",
        "Models for a dataset, the best first, measured on this machine; the last line trains the first of them.",
    )
    add = command.add_argument
    add("--budget", type=float, default=300.0, metavar="SECONDS", help="of training on this machine")
    add("--parameters", type=int, metavar="N", help="at most so many; else as the budget and the data say")
    add("--levels", type=int, metavar="N", help=f"µ-law codes; else {LEVELS}, or those of encoded clips")
    add("--save", metavar="FILE", help="write the config of the first model there, for train --config")
    command.set_defaults(run=suggest_command)


def _add_train(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        help="train a model on a folder of recordings",
        description="Train a model; the same command goes on where an interrupted one was. docs/scaling.md shows it on many machines.",
        formatter_class=_Help,
    )
    command.set_defaults(run=train_command)
    model = command.add_mutually_exclusive_group()
    model.add_argument("--preset", choices=PRESETS, help="the model; else toy")
    model.add_argument(
        "--config",
        metavar="FILE|JSON",
        help="another model: the fields of its config, as suggest --save writes them, the others as in the full WaveNet",
    )
    add = command.add_argument
    add("--data", metavar="PATH", help=f"{HOLDS}, which is brought to [-1, 1]; else the bundled clips")
    add("--head", choices=HEADS, help="what is predicted of a code; else softmax, or that of --config")
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
