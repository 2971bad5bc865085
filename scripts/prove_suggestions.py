"""Holds what `suggest` says against processes whose truth is known, and against a grid of models trained on speech; writes docs/choosing.md's tables.

python scripts/prove_suggestions.py                 the processes: 20 seeds each, some seconds
python scripts/prove_suggestions.py --clips FOLDER  speech, too: word/speaker_nohash_n.wav, about an hour
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from wavenetlike import WaveNet, WaveNetConfig, train
from wavenetlike.analysis import DatasetReport, analyze_dataset, evaluate
from wavenetlike.data import Clips, ar_process, hold_out, long_memory, seasonal_ar, sines, threshold_ar
from wavenetlike.suggest import Span, spans, suggest

DOCS = Path(__file__).parents[1] / "docs" / "choosing.md"
SEEDS = 20
AR10 = [0.3, -0.2, 0.1, 0.1, -0.3, 0.2, 0.0, 0.1, -0.2, 0.3]
GRID = [(1, 8), (1, 10), (2, 10), (3, 10)]
"""(blocks, layers a block) beside those of the suggestion."""


@dataclasses.dataclass(frozen=True)
class Process:
    """One of which the truth is known.

    Args:
        name: of the table.
        make: by seed.
        truth: in words.
        is_right: whether the first suggested span is, given the report.
    """

    name: str
    make: Callable[[int], Tensor]
    truth: str
    is_right: Callable[[list[Span], DatasetReport], bool]


def delta_is(delta: int) -> Callable[[list[Span], DatasetReport], bool]:
    """Right is this Δ alone, and that nothing beyond it was seen."""
    return lambda found, report: found[0].delta == delta and found[0].exact


def is_nothing(found: list[Span], report: DatasetReport) -> bool:
    return report.is_white and found[0].delta == 1 and "nothing to learn" in found[0].reasons[0]


def covers(season: int) -> Callable[[list[Span], DatasetReport], bool]:
    return lambda found, report: season < found[0].delta <= 3 * season


def is_called_endless(found: list[Span], report: DatasetReport) -> bool:
    return report.memory is not None and found[-1].delta == report.max_lag and "No end" in found[0].reasons[-1]


def is_nonlinear(delta: int) -> Callable[[list[Span], DatasetReport], bool]:
    return lambda found, report: delta_is(delta)(found, report) and report.is_nonlinear and not report.is_linear


PROCESSES = [
    Process("white noise", lambda s: ar_process([], 2000, seed=s), "nothing to learn, Δ = 1", is_nothing),
    Process("AR(1), 0.8", lambda s: ar_process([0.8], 2000, seed=s), "Δ = 1", delta_is(1)),
    Process("AR(2), -0.4, 0.5", lambda s: ar_process([-0.4, 0.5], 2000, seed=s), "Δ = 2", delta_is(2)),
    Process("AR(10)", lambda s: ar_process(AR10, 4000, seed=s), "Δ = 10", delta_is(10)),
    Process("sines of 12 and 31 samples, noise 0.1", lambda s: sines([12, 31], 4000, seed=s), "longer than 31, at most 93", covers(31)),
    Process("seasonal AR, 24 samples, 0.8", lambda s: seasonal_ar(24, 0.8, 3000, seed=s), "Δ = 24", delta_is(24)),
    Process("the same times an AR(1), 0.5", lambda s: seasonal_ar(24, 0.8, 3000, ar=0.5, seed=s), "Δ = 25", delta_is(25)),
    Process("seasonal AR, 300 samples, 0.3", lambda s: seasonal_ar(300, 0.3, 10_000, seed=s), "Δ = 300", delta_is(300)),
    Process("long memory, d = 0.4", lambda s: long_memory(0.4, 4000, seed=s), "says that it sees no end", is_called_endless),
    Process("threshold AR, lag 1", lambda s: threshold_ar(2000, seed=s), "Δ = 1, and no correlation", is_nonlinear(1)),
    Process("threshold AR, lag 3", lambda s: threshold_ar(4000, lag=3, seed=s), "Δ = 3, and no correlation", is_nonlinear(3)),
]  # fmt: skip


def of_processes() -> Iterator[str]:
    """The rows of the first table."""
    yield "| process | samples | what is right | right | Δ suggested |"
    yield "|---|---|---|---|---|"
    for process in PROCESSES:
        reports = [analyze_dataset(process.make(seed)) for seed in range(SEEDS)]
        found = [spans(report) for report in reports]
        right = sum(process.is_right(each, report) for each, report in zip(found, reports, strict=True))
        deltas = sorted({each[0].delta for each in found})
        shown = f"{deltas[0]}" if len(deltas) == 1 else f"{deltas[0]} … {deltas[-1]}"
        yield f"| {process.name} | {reports[0].n_used:,} | {process.truth} | {right} of {SEEDS} | {shown} |"


def of_speech(folder: str, parameters: int, steps: int, seeds: int) -> Iterator[str]:
    """The rows of the second: models of as many parameters, trained for as many steps, on people that they have not heard."""
    training, unseen = hold_out(Clips(folder))
    (first, *_) = suggest(training, parameters=parameters, budget=3600)
    own = (first.config.n_blocks, first.config.n_layers)
    configs = {"suggested": first.config, "Δ cut to a tenth": sized(*a_tenth(first.delta), first.parameters)}
    configs |= {f"{b} × {n}": sized(b, n, first.parameters) for b, n in GRID if (b, n) != own}
    bits = {
        name: [trained(config, training, unseen, steps, seed) for seed in range(seeds)]
        for name, config in configs.items()
    }
    means = {name: sum(found) / seeds for name, found in bits.items()}
    best = min(means.values())
    yield f"| model | Δ | channels | parameters | bits per sample, mean of {seeds} | least … most | more than the best |"
    yield "|---|---|---|---|---|---|---|"
    for name, config in configs.items():
        more = 100 * (means[name] / best - 1)
        ends = f"{min(bits[name]):.3f} … {max(bits[name]):.3f}"
        yield f"| {name} | {config.receptive_field:,} | {config.residual_channels} | {config.parameters:,} | {means[name]:.3f} | {ends} | {more:.1f}% |"


def a_tenth(delta: int) -> tuple[int, int]:
    """The stack of the fewest layers whose Δ is at most a tenth, and hardly less."""
    shapes = [(b, n) for b in range(1, 9) for n in range(1, 11) if delta / 12 <= 1 + b * (2**n - 1) <= delta / 10]
    return min(shapes, key=lambda shape: shape[0] * shape[1])


def sized(blocks: int, layers: int, parameters: int) -> WaveNetConfig:
    """The stack of that shape whose width brings it nearest to so many parameters."""
    widths = [
        WaveNetConfig(n_blocks=blocks, n_layers=layers, residual_channels=w, gate_channels=w, skip_channels=4 * w)
        for w in range(2, 100)
    ]
    return min(widths, key=lambda config: abs(config.parameters - parameters))


def trained(config: WaveNetConfig, training: object, unseen: object, steps: int, seed: int) -> float:
    """Bits per sample over all positions, so that every Δ is judged on the same."""
    torch.manual_seed(seed)
    model = WaveNet(config)
    train.train(model, training, steps=steps, seed=seed)  # type: ignore[arg-type]
    bits = evaluate(model, unseen, "all")[-1].bits  # type: ignore[arg-type]
    print(f"Δ {config.receptive_field:,}, {config.parameters:,} parameters, seed {seed}: {bits:.4f} bits", flush=True)
    return bits


def write(name: str, rows: Iterator[str]) -> None:
    """Put a table between its marks."""
    lines = list(rows)
    print("\n".join(lines))
    pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.S)
    text, n = pattern.subn(
        lambda found: found[1] + "\n".join(lines) + "\n" + found[2], DOCS.read_text(encoding="utf-8")
    )
    if n != 1:
        raise ValueError(f"{DOCS.name} has {n} places for the table of {name}; it must have one.")
    DOCS.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", metavar="FOLDER", help="real speech, as word/speaker_nohash_n.wav")
    parser.add_argument("--parameters", type=int, default=60_000, help="of all models")
    parser.add_argument("--steps", type=int, default=3000, help="of training, for each")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each model")
    options = parser.parse_args()
    write("processes", of_processes())
    if options.clips:
        write("speech", of_speech(options.clips, options.parameters, options.steps, options.seeds))


if __name__ == "__main__":
    main()
