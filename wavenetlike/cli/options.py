"""What each command takes. Nothing here loads torch: help and completion have to be there at once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from wavenetlike.names import CLASSES, HEADS, PRECISIONS, PRESETS, SCHEDULES, Method, pretrained_names

LEVELS = 256
"""µ-law codes of a model for a dataset that says nothing else."""
RATE = 16000
"""Hz: of all recordings of any kind, as they are read for training."""
HOLDS = (
    "word/speaker_nohash_n.wav, any other audio, what EncodedClips.write made, or a file of one series (csv, txt, npy)"
)
CONDITIONS = (*CLASSES, "mel")
EXPORTS = ("program", "weights")
FOLDER = "wavenetlike-notebooks"
"""Where a copy of the notebooks goes."""
EPILOG = """\
Exit status: 0 done; 1 refused or failed, as one sentence on stderr says; 2 wrong usage; 130 interrupted
(train, which then keeps a checkpoint to go on from, ends with 0; generate writes what was made).
Results go to stdout, progress to stderr. Completion: source <(wavenetlike --print-completion bash).
"""


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that there are."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        is_value = isinstance(action.default, (int, float, str)) and not isinstance(action.default, bool)
        return super()._get_help_string(action) if is_value and action.default != argparse.SUPPRESS else action.help


class _Program(_Help, argparse.RawDescriptionHelpFormatter):
    """Also leaves the lines of the epilog as they are."""


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib import metadata

        print(f"wavenetlike {metadata.version('wavenetlike')}")
        parser.exit()


class _Completion(argparse.Action):
    """Prints what a shell needs to complete commands, options and files."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        import shtab

        if values not in shtab.SUPPORTED_SHELLS:
            parser.error(f"argument {option_string}: {values!r} is none of {', '.join(shtab.SUPPORTED_SHELLS)}")
        for action in _every_action(parser):
            kinds = set((action.metavar if isinstance(action.metavar, str) else "").split("|"))
            if kinds & {"FILE", "PATH"}:
                vars(action)["complete"] = shtab.FILE
            elif "DIR" in kinds:
                vars(action)["complete"] = shtab.DIRECTORY
        print(shtab.complete(parser, str(values)))
        parser.exit()


def _every_action(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Of a parser and of the parsers of its commands."""
    own = list(parser._actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            own += [each for command in action.choices.values() for each in command._actions]
    return own


def parser() -> argparse.ArgumentParser:
    """All commands with their options; ``run`` of what it reads names the module in this folder and the function that are the command."""
    parser = argparse.ArgumentParser(
        prog="wavenetlike",
        description="WaveNet-like models, from the shell.",
        epilog=EPILOG,
        formatter_class=_Program,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    parser.add_argument(
        "--print-completion",
        action=_Completion,
        metavar="SHELL",
        help="print what makes a shell complete this command: bash, zsh, fish, tcsh or powershell",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_lab, _add_check, _add_train, _add_generate, _add_analyze, _add_suggest, _add_export):
        add(commands)
    return parser


def _command(commands: Any, run: str, brief: str, description: str) -> argparse.ArgumentParser:
    """A command without options yet, its name that of the function, ``module:name_command``."""
    name = run.partition(":")[2].removesuffix("_command")
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=brief, description=description, formatter_class=_Help
    )
    command.set_defaults(run=run)
    return command


def _add_json(command: argparse.ArgumentParser, instead: str) -> None:
    command.add_argument("--json", action="store_true", help=f"print one JSON object instead of {instead}")


# Notebooks


def _add_lab(commands: Any) -> None:
    add = _command(
        commands,
        "lab:lab_command",
        "open your own copy of the notebooks",
        "Copy the notebooks and the exercises that come with the package into a folder, and open JupyterLab there, for this machine alone. "
        "A file that you have changed is never overwritten; to get it anew, rename yours.",
    ).add_argument
    add("folder", metavar="DIR", nargs="?", type=Path, default=FOLDER, help="where your copy is, or is to be")
    add(
        "--port",
        type=int,
        metavar="PORT",
        help="TCP port of JupyterLab, 1 to 65535; else the first free one from 8888 on",
    )
    add("--no-browser", action="store_true", help="print the address instead of opening it")
    add("--copy-only", action="store_true", help="copy, and open nothing")


def _add_check(commands: Any) -> None:
    command = _command(
        commands,
        "check:check_command",
        "what is wrong with this environment, and the fix",
        "Look at Python, packages, sound, widgets, memory and folders; the exit status is 1 where something is wrong.",
    )
    _add_json(command, "the table")


# Data


def _data_command(commands: Any, run: str, brief: str, description: str) -> argparse.ArgumentParser:
    """A command that measures a dataset, with the options that all such have."""
    command = _command(commands, run, brief, description)
    add = command.add_argument
    add("path", metavar="PATH", nargs="?", help=f"{HOLDS}; else the bundled clips")
    _add_json(command, "the table")
    add("--html", metavar="FILE", help="write a page, too, that needs no other file")
    add("--sample-rate", type=float, metavar="HZ", help="samples a second of a series: it is then taken as sound")
    add("--most-clips", type=int, default=200, metavar="N", help="clips read at most, drawn at random")
    add("--seed", type=int, default=0, metavar="N", help="of what is drawn, 0 to 2³² - 1")
    return command


def _add_analyze(commands: Any) -> None:
    _data_command(
        commands,
        "reports:analyze_command",
        "what a dataset holds, and what there is to learn in it",
        "What a dataset holds, how it was recorded, and how its samples depend on their past.",
    )


def _add_suggest(commands: Any) -> None:
    add = _data_command(
        commands,
        "reports:suggest_command",
        "models for a dataset, with reasons",
        "Models for a dataset, the best first, measured on this machine; the last line trains the first of them.",
    ).add_argument
    add("--budget", type=float, default=300.0, metavar="SECONDS", help="of training on this machine")
    add("--parameters", type=int, metavar="N", help="at most so many; else as the budget and the data say")
    add("--levels", type=int, metavar="N", help=f"µ-law codes; else {LEVELS}, or those of encoded clips")
    add("--save", metavar="FILE", help="write the config of the first model there, for train --config")


# Training


def _add_train(commands: Any) -> None:
    command = _command(
        commands,
        "training:train_command",
        "train a model on a folder of recordings",
        "Train a model; the same command goes on where an interrupted one was. docs/scaling.md shows it on many machines.",
    )
    _add_model_to_train(command)
    _add_recipe(command)
    _add_machines(command)
    _add_json(command, "sentences, when all is done")


def _add_model_to_train(command: argparse.ArgumentParser) -> None:
    """What is trained, on what, and where it is kept."""
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


def _add_recipe(command: argparse.ArgumentParser) -> None:
    """How it is trained."""
    add = command.add_argument
    add("--steps", type=int, metavar="N", help="steps of the optimizer; with neither steps nor seconds, 60 seconds")
    add("--seconds", type=float, metavar="SECONDS", help="of training")
    add("--window", type=int, default=4000, metavar="SAMPLES", help="codes predicted per window")
    add("--batch-size", type=int, default=1, metavar="N", help="windows a step, over all devices")
    add("--learning-rate", type=float, default=6e-3, metavar="RATE", help="of Adam, at its highest")
    add("--schedule", choices=SCHEDULES, default="linear", help="how the learning rate goes on")
    add(
        "--ema", type=float, metavar="PART", help="average the weights, keeping this part of the average a step, 0 to 1"
    )
    add("--precision", choices=PRECISIONS, default="float32", help="of the products")
    add("--compile", action="store_true", help="by torch.compile")
    add("--evaluate-every", type=int, default=100, metavar="STEPS", help="between two judgements")
    add("--patience", type=int, metavar="N", help="judgements without a better one after which to end")
    add("--seed", type=int, default=0, metavar="N", help="of the first weights and of the order of the clips")
    add("--checkpoint-steps", type=int, metavar="STEPS", help="between two checkpoints")
    add("--checkpoint-minutes", type=float, default=5.0, metavar="MINUTES", help="between two checkpoints")
    add("--tensorboard", metavar="DIR", help="write scalars there; needs the extra")


def _add_machines(command: argparse.ArgumentParser) -> None:
    """Where it is trained."""
    add = command.add_argument
    add("--devices", type=int, default=1, metavar="N", help="processes on each machine")
    add("--nodes", default="1", metavar="N", help="machines: 2, or 1:2 to go on with one when another fails")
    add("--rendezvous", metavar="HOST:PORT", help="with several machines: of the first, as all can reach it")
    add(
        "--restarts",
        type=int,
        default=3,
        metavar="N",
        help="how often to begin again from the last checkpoint when a process fails",
    )


# Trained models


def _add_trained_model(command: argparse.ArgumentParser) -> None:
    model = command.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="FILE", help="what train wrote: model.safetensors, or any checkpoint")
    model.add_argument("--preset", choices=pretrained_names(), help="a trained model of this package; else toy")


def _add_generate(commands: Any) -> None:
    command = _command(
        commands,
        "making:generate_command",
        "make sound with a trained model",
        "Make sound with a trained model, and write it to a file; Ctrl-C keeps what was made.",
    )
    _add_trained_model(command)
    add = command.add_argument
    length = command.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, metavar="SECONDS", help="of sound; else one, or as long as the --like")
    length.add_argument("--samples", type=int, metavar="SAMPLES", help="the same in samples")
    add("--output", metavar="FILE", default="generated.wav", help="wav or flac, 16 bits; of a batch generated-1.wav, …")
    add("--force", action="store_true", help="write over files that are there")
    add("--sample-rate", type=int, default=RATE, metavar="HZ", help="samples a second, as the model learned them")
    _add_drawing(command)
    add("--prefix", metavar="FILE", help="a recording to go on from; it is not repeated")
    add("--word", nargs="+", metavar="WORD", help="for a model that knows words: one, or one for each sound")
    add("--speaker", nargs="+", metavar="NAME", help="the same for a model that knows speakers")
    add(
        "--like",
        nargs="+",
        metavar="FILE",
        help="for a model that is told frames: recordings whose mel spectrogram it follows; else a bundled clip of the word",
    )
    _add_json(command, "a sentence")


def _add_drawing(command: argparse.ArgumentParser) -> None:
    """How codes are drawn."""
    add = command.add_argument
    add("--batch", type=int, metavar="N", help="sounds made at once; else as many as words, speakers or recordings")
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the draws, 0 to 2³² - 1: the same seed makes the same sound",
    )
    add("--temperature", type=float, default=1.0, metavar="T", help="above 0; below 1 more timid, above 1 wilder")
    add("--top-k", type=int, metavar="N", help="draw from this many likeliest codes only; else from all")
    add("--greedy", action="store_true", help="take the likeliest code each time: silence, soon")
    add("--method", choices=get_args(Method), default="auto", help="all make the same sound, at different speeds")


def _add_export(commands: Any) -> None:
    command = _command(
        commands,
        "exporting:export_command",
        "write a trained model for programs that do not know this package",
        "Write a trained model as a program of torch.export, from codes to what its head reads, which is compared with the model first; "
        "or as a folder of plain weights and config.json.",
    )
    _add_trained_model(command)
    add = command.add_argument
    add("--to", choices=EXPORTS, default="program", help="a file for torch.export.load, or a folder of weights")
    add("--output", metavar="PATH", help="the file, or the folder; else it has the model's name, here")
    add("--force", action="store_true", help="write over files that are there")
    _add_json(command, "a sentence")
