"""``wavenetlike analyze`` and ``wavenetlike suggest``: what a dataset holds, and models for it, as text, JSON or a page."""

from __future__ import annotations

import argparse
import dataclasses
import html
import json
import shlex
import sys
from pathlib import Path

from torch import Tensor

from wavenetlike.analysis import DatasetReport, analyze_dataset
from wavenetlike.checks import check_int, check_seed
from wavenetlike.cli.options import LEVELS
from wavenetlike.cli.output import as_json, check_target, say
from wavenetlike.cli.sources import Source, source_at
from wavenetlike.data import EncodedClips
from wavenetlike.data.clips import Items
from wavenetlike.files import durably
from wavenetlike.models import WaveNetConfig
from wavenetlike.suggest import Suggestion, suggest
from wavenetlike.suggest.choose import check_wishes

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


def _source(options: argparse.Namespace) -> Source:
    """What the options name."""
    check_seed(options.seed)
    check_int("most_clips", options.most_clips, 1, "200 tell what all do")
    source = source_at(options.path, options.most_clips, options.seed)
    if options.sample_rate is not None and not isinstance(source.items, Tensor):
        raise ValueError(
            f"--sample-rate {options.sample_rate:g} is for a series of numbers, and {source.name!r} says its own; leave it out."
        )
    return source


def _measured(source: Source, options: argparse.Namespace) -> DatasetReport:
    """The report on it, under the name that the options give it."""
    report = analyze_dataset(
        source.items, sample_rate=options.sample_rate, most_clips=options.most_clips, seed=options.seed
    )
    if source.n_files:
        report = dataclasses.replace(report, n_clips=source.n_files, n_samples=None)
    return dataclasses.replace(report, name=source.name, remarks=source.notes)


def analyze_command(options: argparse.Namespace) -> int:
    """``wavenetlike analyze``; the exit status."""
    check_target(options.html, options.path)
    report = _measured(_source(options), options)
    if options.html:
        _write_page(options.html, f"Dataset: {report.name}", _on_data(report))
    say(as_json(report.as_dict()) if options.json else str(report))
    return 0


def suggest_command(options: argparse.Namespace) -> int:
    """``wavenetlike suggest``; the exit status."""
    check_target(options.html, options.path)
    check_target(options.save, options.path, options.html)
    check_wishes(options.budget, options.parameters, LEVELS if options.levels is None else options.levels, options.seed)
    source = _source(options)
    levels = _levels(options.levels, source.items)
    report = _measured(source, options)
    if sys.stderr.isatty():
        print("measuring models on this machine …", file=sys.stderr)
    found = suggest(report, budget=options.budget, parameters=options.parameters, levels=levels, seed=options.seed)
    if options.save:
        durably(Path(options.save).resolve(), found[0].config.to_json().encode())
    line = _train_line(found[0], options)
    if options.html:
        command = f"<pre><code>{html.escape(line)}</code></pre>"
        sections = {"Models": found._repr_html_(), "To train the first": command, **_on_data(report)}
        _write_page(options.html, f"Models for {report.name}", sections)
    told = (
        as_json({**found.as_dict(), "command": line}) if options.json else f"{found!r}\n\nTo train the first:\n{line}"
    )
    say(told)
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
    if options.path:
        words += [f"--data={options.path}"] if options.path.startswith("-") else ["--data", options.path]
    for name, value in best.recipe.items():
        words += ["--" + name.replace("_", "-"), str(value)]
    return shlex.join(words)


# What is written


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
    durably(Path(name).resolve(), page.encode("utf-8", "replace"))
