"""`suggest`: a report, a budget and this machine → models to try, the best first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from wavenetlike.analysis import DatasetReport, analyze_dataset
from wavenetlike.checks import check_int, check_positive, check_seed
from wavenetlike.data.clips import Items
from wavenetlike.heads import MOST_LEVELS
from wavenetlike.models import WaveNetConfig
from wavenetlike.suggest.probe import samples_per_second, step_seconds
from wavenetlike.suggest.report import Suggestion, Suggestions
from wavenetlike.suggest.shapes import WIDTHS, shape
from wavenetlike.suggest.spans import Span, spans

WINDOW = 4000
"""Codes predicted in a step, or as many as the longest clip has."""
PASSES = 20
"""How often every sample is predicted, unless that are too few steps or too many."""
LEAST_STEPS, MOST_STEPS = 300, 20_000
ENOUGH = 800
"""Steps that a width must leave time for, if there are as many to make."""
FEWEST_STEPS = 50
"""Steps without which nothing is learned, whatever the budget."""
PER_PARAMETER = 2
"""Samples to learn from for each parameter, at least."""
LONGEST = 366 * 24 * 3600
"""Seconds of a budget."""
LEARNING_RATE = 6e-3


def suggest(
    data: DatasetReport | Items | Sequence[float] | Sequence[Tensor] | Tensor | np.ndarray,
    *,
    budget: float = 300.0,
    parameters: int | None = None,
    levels: int = 256,
    seed: int = 0,
) -> Suggestions:
    """Models for a dataset, the best first, each with Δ, γ, what it costs on this machine, and the reasons in sentences.

    Δ follows from what the data show (`spans`); the width, and with it γ, is the largest that can be trained within the budget and that the data
    can fill, the smallest if none can. Every time is measured, by some steps of training and some samples made; so a second call may differ a little.
    Taught in notebooks/06_choosing_a_model.ipynb.

    Args:
        data: what `analyze_dataset` takes, or its report.
        budget: seconds of training on this machine, above 0, at most a year.
        parameters: at most so many; None: as the budget and the data say.
        levels: µ-law codes, 2 … 65,536.
        seed: of the analysis and of the probe's weights, 0 … 2³² - 1.

    Raises:
        TypeError, ValueError: as `analyze_dataset`, or an argument out of its range.
    """
    check_wishes(budget, parameters, levels, seed)
    seed = int(seed)
    report = data if isinstance(data, DatasetReport) else analyze_dataset(data, seed=seed)
    found = [_sized(span, report, float(budget), parameters, levels, seed) for span in spans(report)]
    most = parameters or math.inf
    fitting = [each for each in found if each.training_seconds <= budget and each.parameters <= most]
    return Suggestions(fitting + [each for each in found if each not in fitting], report, float(budget))


def check_wishes(budget: float, parameters: int | None, levels: int, seed: int) -> None:
    """Refuse what `suggest` does not take, which can be asked before anything is analyzed.

    Raises:
        TypeError, ValueError: one of them is out of its range.
    """
    check_positive("budget", budget, "300 seconds")
    if budget > LONGEST:
        raise ValueError(f"budget={budget} seconds are more than a year; it must be at most {LONGEST:,}: try 3600.")
    check_int("levels", levels, 2, "256 are WaveNet's", MOST_LEVELS)
    check_seed(seed)
    if parameters is not None:
        check_int("parameters", parameters, 1, "50000 are a small model")


def _sized(span: Span, report: DatasetReport, budget: float, most: int | None, levels: int, seed: int) -> Suggestion:
    """The widest model of that Δ that keeps to the limits, or the narrowest."""
    n = report.n_samples or report.n_used * report.n_clips // report.n_measured
    window = min(WINDOW, report.longest)
    wished = int(np.clip(PASSES * n // window, LEAST_STEPS, MOST_STEPS))
    configs = [shape(span, width, levels, n) for width in WIDTHS]
    filled = _at_most(n // PER_PARAMETER, configs)
    allowed = filled if most is None else _at_most(most, filled)
    needed = min(wished, ENOUGH)
    config, pace = _within(allowed, window, needed, budget, seed)
    steps = max(min(wished, int(budget / pace)), FEWEST_STEPS)
    if config != allowed[-1]:
        size = f"the widest of which {needed:,} steps fit into {budget:,.3g} s"
        size = size if needed <= steps else "the narrowest that is proposed"
    else:
        size = _size(config, filled[-1], n, most)
    why = f"{config.residual_channels} channels, γ = {config.gamma:,.0f}: {size}."
    return Suggestion(
        config,
        steps,
        window,
        LEARNING_RATE,
        pace,
        samples_per_second(config, seed),
        report.sample_rate,
        (*span.reasons, why, _length(steps, wished, wished * window / n, steps * pace > budget, budget)),
    )


def _at_most(most: int, configs: list[WaveNetConfig]) -> list[WaveNetConfig]:
    """Those of no more parameters, or the first alone."""
    return [config for config in configs if config.parameters <= most] or configs[:1]


def _within(
    configs: list[WaveNetConfig], window: int, steps: int, budget: float, seed: int
) -> tuple[WaveNetConfig, float]:
    """The widest whose steps fit into the budget, and the seconds of its step; wider is slower, so that half are left after each probe."""
    paces: dict[int, float] = {}
    low, high = 0, len(configs) - 1
    while low < high or low not in paces:
        i = (low + high + 1) // 2
        paces[i] = step_seconds(configs[i], window, seed)
        if low < high and steps * paces[i] <= budget:
            low = i
        else:
            high = max(low, i - 1)
    return configs[low], paces[low]


def _size(config: WaveNetConfig, filled: WaveNetConfig, n: int, most: int | None) -> str:
    """What decided on the width, where time did not."""
    if most is not None and config.parameters > most:
        return f"the narrowest that is proposed, though its {config.parameters:,} parameters are more than {most:,} allowed"
    if config != filled:
        return f"as wide as {most:,} parameters allow"
    if config.parameters > n // PER_PARAMETER:
        return f"the narrowest that is proposed, and {n:,} samples are few for its {config.parameters:,} parameters, so stop when held-out samples get worse"
    if config.residual_channels == WIDTHS[-1]:
        return "the widest that is proposed"
    return f"as wide as {n:,} samples can fill"


def _length(steps: int, wished: int, passes: float, is_late: bool, budget: float) -> str:
    """What decided on the steps."""
    if is_late:
        return f"Its {steps:,} steps take longer than {budget:,.3g} s; fewer teach nothing."
    if steps < wished:
        return f"{steps:,} steps fit into {budget:,.3g} s, of {wished:,} that would be {passes:,.3g} passes over the samples."
    return f"{steps:,} steps, {passes:,.3g} passes over the samples."
