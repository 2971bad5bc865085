"""From a report to how far back a model should look: Δ in samples, each with its reasons in sentences."""

from __future__ import annotations

import dataclasses
import math

from wavenetlike.analysis.dataset import AUDIBLE, DatasetReport

DETAIL = (0.010, 0.020)
"""Seconds of a waveform's own detail: a period of a voice, and how its throat rings after each of them."""
PHONES = (0.200, 0.300)
"""Seconds in which a speaker passes from one sound into the next."""
LEAST_SWINGING = 2
"""Order from which on an AR swings by itself."""
FEWEST_SWINGS, LASTING = 4, 0.7
"""Periods within the lags, and the part of the first peak that the last of them keeps, for swings to last."""
STRAIGHT = 0.9
"""Of the variance: a trend that hides everything else."""
LONGEST_KERNEL = 32
"""Taps up to which one layer that sees all of Δ at once costs no more than a stack."""


@dataclasses.dataclass(frozen=True)
class Span:
    """How far back to look, and why.

    Args:
        delta: Δ in samples that a model must have, at least 1.
        reasons: sentences.
        exact: whether more has been found to be of no use, so that one kernel of this length is the model.
        n_blocks: of a stack, at least: each block has a kernel at every distance, and sound wants several at the near ones.
    """

    delta: int
    reasons: tuple[str, ...]
    exact: bool = False
    n_blocks: int = 1


def spans(report: DatasetReport) -> list[Span]:
    """Every Δ worth a try, the best first, of what ``report`` has seen. Taught in notebooks/06_choosing_a_model.ipynb."""
    if report.is_white:
        return [
            Span(
                1,
                (
                    "There is nothing to learn: no sample tells anything of a later one, by correlation or otherwise, so one sample of past is enough for how they are distributed.",
                    f"What {report.n_used:,} samples cannot show may be there all the same.",
                ),
                exact=True,
            )
        ]
    if report.sample_rate and report.sample_rate >= AUDIBLE:
        return _of_sound(report, report.sample_rate)
    # Swings that do not die out are no AR's own; those that do are in its roots, and need no more than its order.
    if report.period and (_is_lasting(report, report.period.samples) or report.ar.reach < LEAST_SWINGING):
        return _of_seasons(report, report.period.samples)
    if report.memory or report.ar.is_open:
        return _without_end(report)
    return _of_order(report)


def _is_lasting(report: DatasetReport, period: float) -> bool:
    """Whether the swings do not die out within the lags looked at: there is no end, or the last peak is about as high as the first."""
    if report.ar.is_open or report.lengths.envelope is None:
        return True
    n = int(0.9 * report.max_lag / period)
    width = max(1, round(period / 8))
    level = report.correlation.level
    first, last = (level[round(i * period) - width : round(i * period) + width + 1].max() for i in (1, max(n, 1)))
    return n >= FEWEST_SWINGS and bool(last > LASTING * first)


def _of_order(report: DatasetReport) -> list[Span]:
    """Of a series whose memory ends within the lags looked at."""
    ar, straight, bent = report.ar, report.ar.reach, report.own
    reasons = []
    if ar.echo:
        left = f" of what a linear AR of order {ar.order} leaves" if ar.order else ""
        reasons.append(
            f"Lag {ar.echo.lag:,} tells something by itself, a correlation of {ar.echo.correlation:.2f}{left}, as of a season; with it a linear model spares {ar.gain:.2f} bits a sample."
        )
    elif straight:
        reasons.append(
            f"A linear AR of order {straight} is the best by BIC and spares {ar.gain:.2f} bits a sample: as many past samples pay for their weight."
        )
    if report.trend > STRAIGHT:
        reasons.append(
            f"A straight line in time makes up {report.trend:.0%} of the variance, and hides what else there is: take differences, x[1:] - x[:-1], and ask again."
        )
        bent = ()
    if bent:
        reasons.append(
            f"{f'Lag {bent[0]} tells' if len(bent) == 1 else 'Lags ' + ', '.join(map(str, bent)) + ' tell'} what no straight line sees; a network with a nonlinearity learns it, a linear AR does not."
        )
    delta = max([straight, *bent, 1])
    if report.period:
        by = (
            "an AR with complex roots swings by itself" if delta < report.period.samples else "they reach over a period"
        )
        reasons.append(
            f"It repeats after about {report.period.samples:.4g} samples, which these {delta:,} know of: {by}."
        )
    exact = Span(delta, (*reasons, f"So Δ = {delta}, and nothing further back was seen to help."), exact=True)
    twice = Span(
        2 * delta,
        (f"Twice as far, Δ = {2 * delta}, to check that nothing is missed: if it is no better, {delta} was enough.",),
    )
    return [exact, twice]


def _of_seasons(report: DatasetReport, period: float) -> list[Span]:
    """Of a series that repeats itself without end."""
    season, linear = math.ceil(period), report.ar.short_order
    delta = max(season + 1, linear, report.ar.reach if report.ar.echo else 0)
    reasons = (
        f"It repeats after {period:.4g} samples, as far as was looked, so Δ must cover a season: the sample of a season ago tells of the next one.",
        f"Of {report.ar.gain:.2f} bits that a linear AR spares, the last {delta if report.ar.echo else linear:,} samples give 95%.",
    )
    two = Span(
        max(2 * season + 1, delta + 1),
        (
            f"Two seasons, Δ = {2 * season + 1}: their mean is surer than one of them, where the season itself changes slowly.",
        ),
    )
    return [Span(delta, reasons), two]


def _without_end(report: DatasetReport) -> list[Span]:
    """Of a series whose memory was seen to its last lag."""
    near, far = max(report.ar.short_order, 1), report.max_lag
    end = f"No end of the memory was found within the {far:,} samples looked at: what lies beyond, this series is too short to say."
    law = (
        (f"Its correlation falls like a power (d = {report.memory:.2g}), which has no scale of its own.",)
        if report.memory
        else ()
    )
    return [
        Span(
            min(max(8 * near, 64), far),
            (
                *law,
                f"{near} samples give 95% of what a linear AR spares ({report.ar.gain:.2f} bits); many times as many catch most of the rest.",
                end,
            ),
        ),
        Span(far, (*law, f"All {far:,} samples looked at, since each more of them gains a little.", end)),
    ]


def _of_sound(report: DatasetReport, rate: float) -> list[Span]:
    """Of sound: its detail, then its phones."""
    pitch = report.period.samples if report.period else 0.0
    ms = 1000 / rate
    longest = report.longest - 1
    detail = min(max(DETAIL[0] * rate, 2 * pitch), DETAIL[1] * rate)
    if detail > longest:
        near = max(1, report.ar.short_order)
        return [
            Span(
                min(near, longest),
                (
                    f"The longest clip has {report.longest:,} samples, fewer than the 10 to 20 ms that a waveform's detail takes.",
                    f"{near} samples give 95% of what a linear AR spares; longer clips would say more.",
                ),
            )
        ]
    heard = f", and a period of the voice lasts {pitch * ms:.1f} ms" if pitch else ""
    short = Span(
        round(detail),
        (
            f"The waveform's detail takes 10 to 20 ms{heard}: to compare one period with the next a model must see as much.",
            f"{report.ar.short_order} samples give 95% of what a linear AR spares; what is further back, the period and what no straight line sees, is learned later, so a short training gains little by it.",
        ),
        n_blocks=2,
    )
    long = Span(
        round(PHONES[0] * rate),
        (
            f"One sound of speech passes into the next within 200 to 300 ms, as is known of speech{_seen(report, ms)}: a dilated stack that covers it keeps a voice on its way.",
            "It has more layers, so it takes longer to train, and pays only where there is time and data for that.",
        ),
        n_blocks=3,
    )
    return [short, long] if long.delta <= longest else [short]


def _seen(report: DatasetReport, ms: float) -> str:
    """How far back these data themselves told anything."""
    lags = report.information.significant
    if not len(lags):
        return ", though nothing was seen so far back here"
    if lags[-1] == report.max_lag:
        return f", and of these clips the past tells something as far as was looked, {lags[-1] * ms:.0f} ms back"
    return f", and of these clips the past tells something up to {lags[-1] * ms:.0f} ms back"
