"""The command ``wavenetlike``: training on one machine or many, and what there is to learn from a dataset."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import html
import json
import logging
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from wavenetlike.analysis import DatasetReport, Score, analyze_dataset, evaluate
from wavenetlike.checks import check_exists, check_int, check_seed
from wavenetlike.condition import CLASSES, ConditionConfig
from wavenetlike.data import (
    Clips,
    EncodedClips,
    Waveforms,
    audio_files,
    bundled_clips,
    encode_clips,
    read_audio,
    vocabulary,
)
from wavenetlike.data.archive import write_whole
from wavenetlike.data.clips import SPEAKER_ENDS, Items
from wavenetlike.heads import HEADS
from wavenetlike.models import TOY, WaveNet, WaveNetConfig, save
from wavenetlike.suggest import Suggestion, suggest
from wavenetlike.train import Bar, Checkpoints, Log, TensorBoard, Watcher, train
from wavenetlike.train.recipe import PRECISIONS, SCHEDULES

PRESETS = {"toy": TOY, "wavenet": WaveNetConfig()}
EMBEDDING, N_MELS = 16, 20
"""Numbers that a word or a speaker becomes, and bands of the mel spectrogram."""
CONDITIONS = (*CLASSES, "mel")
RATE = 16000
"""Hz: of all recordings of any kind, as `Waveforms` reads them for training."""
LEVELS = 256
SERIES = (".csv", ".txt", ".npy")
"""Files of one series of numbers."""
HOLDS = (
    "word/speaker_nohash_n.wav, any other audio, what EncodedClips.write made, or a file of one series (csv, txt, npy)"
)
STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 64rem; padding: 1rem; }
h1 { overflow-wrap: anywhere; }
caption { font-weight: bold; padding: 0.3rem 0; text-align: left; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid GrayText; padding: 0.25rem 0.75rem 0.25rem 0; text-align: left; vertical-align: top; }
.wide, pre { overflow-x: auto; }
pre { border: 1px solid GrayText; padding: 0.75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
img { background: white; border-radius: 0.25rem; height: auto; min-width: 40rem; }
"""
"""Of a page: the system's own colours, light or dark."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status, 0 if it did what was asked.

    Args:
        arguments: of the shell; None: those of this process.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        return _launch(options, arguments) if _is_launcher(options) else int(options.run(options))
    except (ValueError, TypeError, RuntimeError, OSError, ImportError) as error:
        print(f"wavenetlike: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("wavenetlike: interrupted.", file=sys.stderr)
        return 128 + signal.SIGINT


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that there are."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        is_value = isinstance(action.default, (int, float, str)) and not isinstance(action.default, bool)
        return super()._get_help_string(action) if is_value else action.help


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wavenetlike", description="WaveNet-like models, from the shell.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    _add_data_command(
        commands,
        "analyze",
        "what a dataset holds, and what there is to learn in it",
        "What a dataset holds, how it was recorded, and how its samples depend on their past.",
    ).set_defaults(run=_analyze)
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
    command.set_defaults(run=_suggest)


def _add_train(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        help="train a model on a folder of recordings",
        description="Train a model; the same command goes on where an interrupted one was. docs/scaling.md shows it on many machines.",
        formatter_class=_Help,
    )
    command.set_defaults(run=_train)
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


def _is_launcher(options: argparse.Namespace) -> bool:
    """Whether processes have to be started first; torchrun tells those that it started."""
    return options.run is _train and "WORLD_SIZE" not in os.environ and (options.devices, options.nodes) != (1, "1")


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
    held_out = None if options.held_out is None else _held_out(options.held_out)
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


def _clips(path: str) -> Items:
    """What is at a path: encoded clips, words in folders, any audio, or a series."""
    where = Path(path)
    if _is_series(where):
        return [(_within_one(_series(where)), 0, "", "")]
    if (where / "clips.json").exists():
        return EncodedClips(where)
    return Clips(where) if _has_words(where) else Waveforms(where)


def _held_out(path: str) -> Items:
    if _is_series(Path(path)):
        raise ValueError(
            f"--held-out {path!r} is a series, which would be brought to [-1, 1] by a factor of its own; leave it out, or write both as audio."
        )
    return _clips(path)


def _has_words(folder: Path) -> bool:
    return any(folder.glob(f"*/*{SPEAKER_ENDS}*"))


# A series in a file


def _is_series(path: Path) -> bool:
    return path.suffix.lower() in SERIES and path.is_file()


def _series(path: Path) -> Tensor:
    """The numbers (time,) in a file, float64: an array of NumPy, or the last column of a table."""
    numbers = _array(path) if path.suffix.lower() == ".npy" else _last_column(path)
    if not len(numbers):
        raise ValueError(f"{str(path)!r} holds no numbers; a series is one number a line, at least ten of them.")
    return torch.from_numpy(numbers)


def _within_one(series: Tensor) -> Tensor:
    """Around 0 and as large as 1, float32 (1, time): what µ-law takes."""
    x = series - series.mean()
    return (x / x.abs().max().clamp(min=1e-300)).float()[None]


def _array(path: Path) -> np.ndarray:
    wanted = "write a series (time,) of real numbers by numpy.save(file, series)"
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{str(path)!r} is no array that NumPy reads without running code; {wanted}.") from error
    array = array[:, 0] if getattr(array, "ndim", 0) == 2 and array.shape[1] == 1 else array
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iuf":
        what = f"of shape {array.shape} and type {array.dtype}" if isinstance(array, np.ndarray) else "an archive"
        raise ValueError(f"{str(path)!r} is {what}; {wanted}.")
    return array.astype(np.float64)


def _last_column(path: Path) -> np.ndarray:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(path)!r} is no text in UTF-8; write a series as one number a line.") from error
    lines = [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip() and line.lstrip()[0] != "#"]
    rows = list(zip([i for i, _ in lines], _cells([line for _, line in lines]), strict=True))
    if rows and _number(rows[0][1][-1]) is None:  # its header
        del rows[0]
    for i, row in rows:
        if _number(row[-1]) is None or len(row) != len(rows[0][1]):
            raise ValueError(
                f"Line {i} of {str(path)!r} has {len(row)} columns and ends in {row[-1]!r}; a series is one number a line, or the last of as many columns in every line, below a header or none."
            )
    return np.array([_number(row[-1]) for _, row in rows], dtype=np.float64)


def _cells(lines: list[str]) -> list[list[str]]:
    """The cells of each line, between what stands between them in the first."""
    sign = next((sign for sign in ";\t," if lines and sign in lines[0]), None)
    if sign is None:
        return [line.split() for line in lines]
    return [next(csv.reader([line], delimiter=sign)) for line in lines]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# What a dataset holds, and which models suit it


class _Source(NamedTuple):
    """What is measured: of more than ``n_files`` files some were drawn; None: the items are all."""

    name: str
    items: Items | Tensor
    n_files: int | None = None
    notes: tuple[str, ...] = ()


def _source(path: str | None, most: int, seed: int) -> _Source:
    """What is at ``path``, read as for training, of many files ``most`` that are drawn."""
    if path is None:
        return _Source("the bundled clips", bundled_clips())
    where, name = check_exists(path), os.fsencode(path).decode("utf-8", "replace")
    if _is_series(where):
        return _Source(name, _series(where))
    if (where / "clips.json").exists():
        return _Source(name, EncodedClips(where))
    if not where.is_dir():
        return _recordings(name, where, RATE, None)
    if _has_words(where):
        paths = list(Clips(where).paths)
        drawn = _drawn(paths, most, seed)
        return _recordings(name, drawn, _rate(drawn), len(paths))
    paths = list(audio_files(where))
    return _recordings(name, _drawn(paths, most, seed) if len(paths) > most else where, RATE, len(paths))


def _drawn(paths: list[Path], most: int, seed: int) -> list[Path]:
    if len(paths) <= most:
        return paths
    return [paths[i] for i in sorted(np.random.default_rng(seed).permutation(len(paths))[:most])]


def _rate(paths: list[Path]) -> int:
    """The sample rate of the first that can be read: words are read at their own."""
    for path in paths:
        try:
            return read_audio(path)[1]
        except ValueError:  # which `Waveforms` will say
            continue
    return RATE


def _recordings(name: str, source: Path | list[Path], rate: int, n_files: int | None) -> _Source:
    """Audio that can be read, and what to know of the rest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said below, in the report as well
        clips = Waveforms(source, rate, progress=sys.stderr.isatty())
    entries, refused, changed = clips.report.entries, clips.report.refused, clips.report.changed
    notes = []
    if refused:
        notes.append(
            f"{len(refused):,} of {len(entries):,} files are left out, the first, {refused[0].name!r}, because it {refused[0].refused}."
        )
        print(f"wavenetlike: {notes[0]}", file=sys.stderr)
    if changed:
        notes.append(
            f"{len(changed):,} of {len(entries):,} files are changed as they are read, the first, {changed[0].name!r}: {changed[0].said}."
        )
    return _Source(name, clips, n_files if n_files and n_files > len(entries) else None, tuple(notes))


def _measured(options: argparse.Namespace) -> tuple[DatasetReport, _Source]:
    """The report on what the options name, under the name that they give it."""
    check_seed(options.seed)
    check_int("most_clips", options.most_clips, 1, "200 tell what all do")
    source = _source(options.path, options.most_clips, options.seed)
    if options.sample_rate is not None and not isinstance(source.items, Tensor):
        raise ValueError(
            f"--sample-rate {options.sample_rate:g} is for a series of numbers, and {source.name!r} says its own; leave it out."
        )
    report = analyze_dataset(
        source.items, sample_rate=options.sample_rate, most_clips=options.most_clips, seed=options.seed
    )
    notes = (*source.notes, *report.notes)
    if source.n_files:
        drawn = f"Measured on {report.n_measured:,} of {source.n_files:,} clips, drawn at random."
        report = dataclasses.replace(report, n_clips=source.n_files, n_samples=None)
        notes = (drawn, *notes)
    return dataclasses.replace(report, name=source.name, notes=notes), source


def _analyze(options: argparse.Namespace) -> int:
    _check_target(options.html)
    report, _ = _measured(options)
    if options.html:
        _write_page(options.html, f"Dataset: {report.name}", _on_data(report))
    _say(_json(report.as_dict()) if options.json else str(report))
    return 0


def _suggest(options: argparse.Namespace) -> int:
    _check_target(options.html)
    _check_target(options.save)
    report, source = _measured(options)
    levels = _levels(options.levels, source.items)
    if sys.stderr.isatty():
        print("measuring models on this machine …", file=sys.stderr)
    found = suggest(report, budget=options.budget, parameters=options.parameters, levels=levels, seed=options.seed)
    if options.save:
        write_whole(Path(options.save).resolve(), found[0].config.to_json().encode())
    line = _train_line(found[0], options)
    if options.html:
        command = f"<pre><code>{html.escape(line)}</code></pre>"
        sections = {"Models": found._repr_html_(), "To train the first": command, **_on_data(report)}
        _write_page(options.html, f"Models for {report.name}", sections)
    told = _json({**found.as_dict(), "command": line}) if options.json else f"{found!r}\n\nTo train the first:\n{line}"
    _say(told)
    return 0


def _levels(asked: int | None, items: Items | Tensor) -> int:
    """Those asked for; of encoded clips those that they have, since they cannot be trained on with others."""
    if not isinstance(items, EncodedClips):
        return LEVELS if asked is None else asked
    if asked not in (None, items.codes.levels):
        raise ValueError(
            f"--levels {asked} was asked for, and the clips are encoded at {items.codes.levels}; leave it out, or encode them anew."
        )
    return items.codes.levels


def _train_line(best: Suggestion, options: argparse.Namespace) -> str:
    """The command that trains a suggestion; where its config was not saved, its fields stand in the line."""
    fields = json.loads(best.config.to_json())
    usual = json.loads(WaveNetConfig().to_json())
    own = {name: value for name, value in fields.items() if value != usual[name]}
    words = ["wavenetlike", "train", "--config", options.save or json.dumps(own)]
    words += ["--data", options.path] if options.path else []
    for name, value in best.recipe.items():
        words += ["--" + name.replace("_", "-"), str(value)]
    return shlex.join(words)


# What is written


def _say(text: str) -> None:
    """Print, with a question mark for what the terminal cannot."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, allow_nan=False)


def _check_target(name: str | None) -> None:
    """Refuse a file that could not be written, before anything is measured."""
    if name is None:
        return
    path = Path(name)
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r} to write {path.name!r} into; make it first.")
    if path.exists() and not path.is_file():
        raise ValueError(f"{name!r} is no file that can be written anew; name another: try {name + '/report'!r}.")


def _on_data(report: DatasetReport) -> dict[str, str]:
    """Sections of a page."""
    from wavenetlike import plots

    return {"The data": report._repr_html_(), "Its past": plots.dataset(report)._repr_html_()}


def _write_page(name: str, title: str, sections: dict[str, str]) -> None:
    """One HTML file that needs no other, written whole or not at all."""
    # What is wider than a small screen moves in a frame of its own, by keys, too.
    frame = '<div class="wide" role="region" tabindex="0" aria-label="{}">{}</div>'
    body = "".join(
        f"<section><h2>{head}</h2>{frame.format(head, inner)}</section>\n" for head, inner in sections.items()
    )
    title = html.escape(title)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body><main>
<h1>{title}</h1>
{body}</main></body>
</html>
"""
    write_whole(Path(name).resolve(), page.encode("utf-8", "replace"))


if __name__ == "__main__":
    sys.exit(main())
