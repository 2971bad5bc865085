"""Trains a small WaveNet and variants of it that differ in one choice each, measures all, and writes docs/architecture.md's table.

    python scripts/choices.py                                  the table; some 20 minutes of one core
    python scripts/choices.py --steps 2 --seeds 1 --rounds 1 --clips 2 --output FILE    a trial; FILE is a copy of the page

Every variant learns from the same bundled clips, predicts as many samples in training, and is judged on the same samples of a voice that
none has heard. Times are those of the processor, not of the clock, of one thread; variants take turns and the best turn counts, since other
work on the machine only adds.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import functools
import math
import os
import platform
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported

import torch
from torch import Tensor

from wavenetlike import WaveNet, WaveNetConfig
from wavenetlike.analysis import score
from wavenetlike.data import bundled_clips, encode_clips, hold_out
from wavenetlike.generate import stream
from wavenetlike.quantize import MuLaw
from wavenetlike.train import train

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"

SHAPE: dict[str, Any] = {
    "levels": 64, "n_blocks": 2, "n_layers": 7, "residual_channels": 16, "gate_channels": 16, "skip_channels": 32, "n_mixtures": 5,
}  # fmt: skip
WINDOW, RATE = 2000, 6e-3
STEPS, SEEDS, ROUNDS = 256, 2, 30
MORE_SEEDS = 2
"""Trainings of the baseline, to which all are compared, beyond those of the others."""
MADE = 2000
"""Samples that are generated at once to time them: few, so that some turns fall between what else the machine does."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """The baseline but for what is said.

    Args:
        name: of the table.
        shape: fields of its config.
        window, batch_size, learning_rate: as for `train`; the steps are as many as predict the baseline's number of samples.
    """

    name: str
    shape: dict[str, Any] = dataclasses.field(default_factory=dict)
    window: int = WINDOW
    batch_size: int = 1
    learning_rate: float = RATE

    @property
    def config(self) -> WaveNetConfig:
        return WaveNetConfig(**{**SHAPE, **self.shape})

    def steps(self, of_baseline: int) -> int:
        """As many as predict what the baseline does in its own."""
        return max(1, round(of_baseline * WINDOW / (self.window * self.batch_size)))


BASELINE = Variant("baseline")
VARIANTS = [
    BASELINE,
    Variant("kernel length 3", {"kernel_length": 3}),
    Variant("dilation rate 1", {"dilation_rate": 1}),
    Variant("dilation rate 3", {"dilation_rate": 3}),
    Variant("5 layers a block", {"n_layers": 5}),
    Variant("9 layers a block", {"n_layers": 9}),
    Variant("1 block", {"n_blocks": 1}),
    Variant("4 blocks", {"n_blocks": 4}),
    Variant("all channels halved", {"residual_channels": 8, "gate_channels": 8, "skip_channels": 16}),
    Variant("all channels doubled", {"residual_channels": 32, "gate_channels": 32, "skip_channels": 64}),
    Variant("skip channels × 4", {"skip_channels": 128}),
    Variant("16 levels", {"levels": 16}),
    Variant("256 levels", {"levels": 256}),
    Variant("head: logistics", {"head": "logistics"}),
    Variant("head: gaussian", {"head": "gaussian"}),
    Variant("head: mse", {"head": "mse"}),
    Variant("first convolution of 16", {"first_kernel_length": 16}),
    Variant("one-hot input", {"embedding": "one-hot"}),
    Variant("input by value", {"embedding": "value"}),
    Variant("no gates", {"gated": False}),
    Variant("no gates, twice the filters", {"gated": False, "gate_channels": 32}),
    Variant("no residual", {"residual": False}),
    Variant("no skip", {"skip": False}),
    Variant("neither residual nor skip", {"residual": False, "skip": False}),
    Variant("weight norm", {"weight_norm": True}),
    Variant("learning rate ÷ 3", learning_rate=RATE / 3),
    Variant("learning rate × 3", learning_rate=RATE * 3),
    Variant("window ÷ 4, 4 × the steps", window=WINDOW // 4),
    Variant("window × 4, ¼ of the steps", window=WINDOW * 4),
    Variant("batch of 4, window ÷ 4", window=WINDOW // 4, batch_size=4),
    Variant("batch of 4, ¼ of the steps", batch_size=4),
]


@dataclasses.dataclass
class Measured:
    """What a variant did.

    Attributes:
        bits: per sample on the held-out clips, of each seed, at the variant's own levels.
        finer: bits that its codes say less than the baseline's do of the same samples.
        training: seconds for the whole budget.
        generating: seconds a sample.
    """

    bits: list[float] = dataclasses.field(default_factory=list)
    finer: float = 0.0
    training: float = math.inf
    generating: float = math.inf

    @property
    def mean(self) -> float:
        return sum(self.bits) / len(self.bits)

    @property
    def spread(self) -> float:
        """The standard deviation between two trainings; of one alone nothing is known, and it is 0."""
        return statistics.stdev(self.bits) if len(self.bits) > 1 else 0.0


Results = dict[str, Measured]


def log_widths(levels: int, waveforms: Sequence[Tensor]) -> float:
    """The mean of log₂ of the widths, in the waveform, of the bins that samples (batch, time) lie in: what bits of other levels differ by."""
    mu_law = MuLaw(levels)
    mu = mu_law.mu
    borders = ((2 * torch.arange(levels + 1, dtype=torch.float64) - 1) / mu - 1).clamp(-1, 1)
    widths = (borders.sign() * torch.expm1(borders.abs() * math.log1p(mu)) / mu).diff()
    codes = torch.cat([mu_law.encode(waveform).flatten() for waveform in waveforms])
    return widths.log2()[codes].mean().item()


def start_of_judging() -> int:
    """The first position at which every variant knows all of its Δ: so all are judged on the same samples."""
    return max(variant.config.receptive_field for variant in VARIANTS)


def learn(variant: Variant, clips: tuple[Any, Any], steps: int, seed: int) -> float:
    """Bits per sample on the second of the clips after training on the first."""
    torch.manual_seed(seed)
    model = WaveNet(variant.config)
    train(
        model, clips[0], steps=variant.steps(steps), window=variant.window, batch_size=variant.batch_size,
        learning_rate=variant.learning_rate, seed=seed, progress=False,
    )  # fmt: skip
    return score(model, encode_clips(clips[1], model.mu_law), start_of_judging()).bits


def one_step(variant: Variant) -> Callable[[], object]:
    """A step of training, to be called again and again."""
    model = WaveNet(variant.config)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    delta = model.receptive_field
    codes = torch.randint(variant.config.levels, (variant.batch_size, delta + variant.window))

    def step() -> None:
        optimizer.zero_grad()
        model.head.loss(model(codes[:, :-1], padded=False), codes[:, delta:]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def seconds(call: Callable[[], object]) -> float:
    """Of the processor."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def take_times(results: Results, rounds: int, steps: int) -> None:
    """The best of several rounds in which all variants have their turn, each time in another order."""
    steppers = {variant.name: one_step(variant) for variant in VARIANTS}
    sounds = {variant.name: stream(WaveNet(variant.config), block=MADE, method="compiled") for variant in VARIANTS}
    for sound in sounds.values():  # the first block takes the past in, and compiles
        next(sound)
    order = random.Random(0)
    for _ in range(rounds):
        for variant in order.sample(VARIANTS, len(VARIANTS)):
            found, step, sound = results[variant.name], steppers[variant.name], sounds[variant.name]
            # Twice: the first of them finds caches full of another variant.
            found.training = min(found.training, *(seconds(step) * variant.steps(steps) for _ in range(2)))
            made = functools.partial(next, sound)
            found.generating = min(found.generating, *(seconds(made) / MADE for _ in range(2)))
    share(results)
    print("times are taken", flush=True)


def share(results: Results) -> None:
    """Rows of the same model have its best time; those that also take the same steps, the best time of these."""
    for variant in VARIANTS:
        alike = [each for each in VARIANTS if each.config == variant.config]
        results[variant.name].generating = min(results[each.name].generating for each in alike)
        steps = [each for each in alike if (each.window, each.batch_size) == (variant.window, variant.batch_size)]
        results[variant.name].training = min(results[each.name].training for each in steps)


def measure(steps: int, seeds: int, rounds: int, n_clips: int | None) -> Results:
    """All that the table says."""
    both = hold_out(bundled_clips())
    some: tuple[Any, Any] = both if n_clips is None else tuple([part[i] for i in range(n_clips)] for part in both)  # type: ignore[assignment]
    results = {variant.name: Measured() for variant in VARIANTS}
    take_times(results, rounds, steps)
    waveforms = [item[0][:, start_of_judging() :] for item in (some[1][i] for i in range(len(some[1])))]
    known = {levels: log_widths(levels, waveforms) for levels in {variant.config.levels for variant in VARIANTS}}
    for seed in range(seeds + MORE_SEEDS):
        for variant in VARIANTS if seed < seeds else [BASELINE]:
            found = results[variant.name]
            found.finer = known[variant.config.levels] - known[BASELINE.config.levels]
            found.bits.append(learn(variant, some, steps, seed))
            print(f"{variant.name}, seed {seed}: {found.bits[-1]:.4f} bits", flush=True)
    return results


def usual_spread(results: Results) -> float:
    """The standard deviation between two trainings of a usual variant: by the median, since a few variants are far less steady."""
    # Of two numbers the median of what they give is 0.6745 of the true one.
    return statistics.median(found.spread for found in results.values()) / 0.6745


def is_beyond_noise(found: Measured, base: Measured, usual: float) -> bool:
    """Whether the means lie more than three standard deviations of their difference apart; one that is less steady than usual is held to its own."""
    variances = [max(each.spread, usual) ** 2 / len(each.bits) for each in (found, base)]
    return abs(found.mean + found.finer - base.mean) > 3 * math.sqrt(sum(variances))


def counts(variant: Variant) -> list[str]:
    """The cells that need no measurement: Δ, depth, parameters, γ."""
    config = variant.config
    return [f"{n:,}" for n in (config.receptive_field, config.depth, config.parameters, round(config.gamma))]


HEAD = "| choice | Δ | depth | parameters | γ | bits per sample | least … most | against the baseline | time to train | samples a second |"


def rows(results: Results) -> list[str]:
    """The table, of a variant a row."""
    base = results[BASELINE.name]
    lines = [HEAD, "|---|--:|--:|--:|--:|--:|:-:|--:|--:|--:|"]
    for variant in VARIANTS:
        found = results[variant.name]
        more = found.mean + found.finer - base.mean
        shown = f"{more:+.3f}".replace("-", "−")
        is_sure = is_beyond_noise(found, base, usual_spread(results))
        against = "" if variant is BASELINE else f"**{shown}**" if is_sure else shown
        ends = f"{min(found.bits):.3f} … {max(found.bits):.3f}"
        mark = "*" if variant.config.levels != BASELINE.config.levels else ""
        as_fast = variant.config == BASELINE.config
        is_same_step = as_fast and (variant.window, variant.batch_size) == (BASELINE.window, BASELINE.batch_size)
        slower = "the same" if is_same_step else f"× {found.training / base.training:.2f}"
        faster = "the same" if as_fast else f"× {base.generating / found.generating:.2f}"
        cells = [variant.name, *counts(variant), f"{found.mean:.3f}{mark}", ends, against, slower, faster]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def about(results: Results, steps: int, seeds: int, rounds: int) -> list[str]:
    """What was measured, where and when."""
    base, samples = results[BASELINE.name], steps * WINDOW
    bits = ", ".join(f"{bits:.3f}" for bits in base.bits)
    return [
        f"Measured on {datetime.date.today():%d %B %Y} by `python scripts/choices.py`: {processor()}, one thread, torch {version('torch')},"
        f" numba {version('numba')}, Python {platform.python_version()}.",
        f"Each training predicted {samples:,} samples (the baseline in {steps} steps), and each variant was trained {seeds} times,"
        f" the baseline {len(base.bits)} times ({bits} bits).",
        f"Two trainings of a usual variant differ with a standard deviation of {usual_spread(results):.3f} bits.",
        "**Bold** differences are beyond three standard deviations of a difference of means; a variant less steady than usual is held to its own.",
        f"The baseline takes {1000 * base.training / steps:.0f} ms a step, and its budget {base.training:.1f} s;"
        f" compiled, it makes {1 / base.generating:,.0f} samples a second; each the best of {rounds} rounds.",
    ]


def processor() -> str:
    """Its name, as far as the system says it."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def write(page: Path, name: str, lines: list[str]) -> None:
    """Put lines between a place's marks."""
    pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.S)
    text, n = pattern.subn(
        lambda found: found[1] + "\n".join(lines) + "\n" + found[2], page.read_text(encoding="utf-8")
    )
    if n != 1:
        raise ValueError(f"{page.name} has {n} places for {name}; it must have one.")
    page.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS, help="of training, for the baseline")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each variant")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of taking times")
    parser.add_argument("--clips", type=int, help="to learn from, and to be judged on; without it, all")
    parser.add_argument("--output", type=Path, default=PAGE, help="the page to write to, which has marks for the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = measure(options.steps, options.seeds, options.rounds, options.clips)
    write(options.output, "choices", rows(results))
    write(options.output, "measured", about(results, options.steps, options.seeds, options.rounds))
    print("\n".join(rows(results)))


if __name__ == "__main__":
    main()
