"""``wavenetlike generate``: sound from a trained model, in files."""

from __future__ import annotations

import argparse
import signal
import sys
import time
import warnings
from pathlib import Path

import torch
from torch import Tensor

from wavenetlike.checks import check_exists, check_positive
from wavenetlike.cli.output import as_json, check_new, check_target, say
from wavenetlike.cli.sources import trained_model
from wavenetlike.condition import Condition, ConditionConfig
from wavenetlike.data import Waveforms, audio_bytes, bundled_clips, mel_frames
from wavenetlike.data.audio import check_rate
from wavenetlike.files import durably
from wavenetlike.generate import generate
from wavenetlike.models import WaveNet

KINDS = {".wav": "WAV", ".flac": "FLAC"}
"""Endings of files that are written, and what libsndfile calls them."""


def generate_command(options: argparse.Namespace) -> int:
    """``wavenetlike generate``; the exit status, that of an interrupt where it kept what was made so far."""
    check_rate("sample_rate", options.sample_rate)
    if options.seconds is not None:
        check_positive("seconds", options.seconds, "2.5")
    batch = options.batch
    if batch is None:
        batch = max(len(given or [""]) for given in (options.word, options.speaker, options.like))
    targets = _targets(options, batch)
    model = trained_model(options)
    heard = _heard(options, model.config.condition)
    n = _length(options, heard)
    before = None if options.prefix is None else _recording(options.prefix, options.sample_rate)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Interrupted:")  # said below
        made = generate(
            model, n,
            prefix=None if before is None else model.mu_law.encode(before),
            temperature=options.temperature, greedy=options.greedy, batch=batch,
            condition=_condition(options, model, heard, before, n), method=options.method, seed=options.seed,
            top_k=options.top_k, progress=sys.stderr.isatty(),
        )  # fmt: skip
    took = time.perf_counter() - start
    for path, waveform in zip(targets, made.waveform, strict=True):
        durably(path.resolve(), audio_bytes(waveform[None], options.sample_rate, KINDS[path.suffix.lower()]))
    _report(options, targets, made.waveform.shape[1], took)
    if made.waveform.shape[1] == n:
        return 0
    print(
        f"wavenetlike: interrupted after {made.waveform.shape[1]:,} of {n:,} samples, which are kept.", file=sys.stderr
    )
    return 128 + signal.SIGINT


def _report(options: argparse.Namespace, targets: list[Path], n: int, took: float) -> None:
    rate, speed = options.sample_rate, n * len(targets) / took
    if options.json:
        content = {"files": [str(path) for path in targets], "samples": n, "sample_rate": rate, "seconds": n / rate}
        say(as_json({**content, "took": took, "samples_per_second": speed}))
        return
    files = ", ".join(str(path) for path in targets)
    say(
        f"{files}: {n / rate:.2f} s, {n:,} samples at {rate:,} Hz, made in {took:.1f} s, {speed:,.0f} samples a second."
    )


def _targets(options: argparse.Namespace, batch: int) -> list[Path]:
    """The files to write, checked before anything is made."""
    output = Path(options.output)
    if output.suffix.lower() not in KINDS:
        raise ValueError(
            f"--output {options.output!r} names no kind of file that is written; it must end in .wav or .flac: try {output.stem + '.wav'!r}."
        )
    targets = [output] if batch == 1 else [output.with_stem(f"{output.stem}-{i + 1}") for i in range(batch)]
    for path in targets:
        check_target(str(path), options.model, options.prefix, *(options.like or []))
        check_new(path, options.force)
    return targets


def _recording(name: str, rate: int) -> Tensor:
    """A file as a waveform (1, time) at ``rate``, in [-1, 1]."""
    if check_exists(name).is_dir():
        raise ValueError(f"{name!r} is a folder; pass one recording of it.")
    return Waveforms(name, rate, progress=False)[0][0]


def _heard(options: argparse.Namespace, config: ConditionConfig | None) -> list[Tensor]:
    """Waveforms whose frames the model is told: the recordings that were named, or bundled clips of the words; none for a model without frames."""
    if config is None or not config.frame_channels:
        if options.like:
            raise ValueError(f"--like {options.like[0]!r} was passed, and this model is not told frames; leave it out.")
        return []
    if options.like:
        return [_recording(name, options.sample_rate) for name in options.like]
    clips, spoken = bundled_clips(), dict[str, Tensor]()
    for i in range(len(clips)):
        waveform, _, word, _ = clips[i]
        spoken.setdefault(word, waveform)
    if not options.word or not set(options.word) <= set(spoken):
        raise ValueError(
            "This model is told frames, and there is no recording to take them from; pass one by --like FILE."
        )
    return [spoken[word] for word in options.word]


def _length(options: argparse.Namespace, heard: list[Tensor]) -> int:
    """Samples to make."""
    if options.samples is not None:
        return int(options.samples)
    if options.seconds is not None:
        return max(1, round(options.seconds * options.sample_rate))
    return max((waveform.shape[1] for waveform in heard), default=options.sample_rate)


def _condition(
    options: argparse.Namespace, model: WaveNet, heard: list[Tensor], before: Tensor | None, n: int
) -> Condition | None:
    """What the model is told of each sound; the frames are those of the prefix, and of as much of a recording as is made."""
    config, frames = model.config.condition, None
    if heard and config is not None and n > 0:
        past = torch.zeros(1, 0) if before is None else before
        whole = [torch.nn.functional.pad(waveform[:, :n], (0, max(0, n - waveform.shape[1]))) for waveform in heard]
        waveforms = torch.cat([torch.cat([past, waveform], dim=1) for waveform in whole])
        frames = mel_frames(waveforms, options.sample_rate, config.frame_channels, config.hop)
    if options.word is None and options.speaker is None and frames is None:
        return None
    return Condition(word=options.word, speaker=options.speaker, frames=frames)
