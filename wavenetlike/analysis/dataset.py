"""Everything about a dataset on one page: what it holds, how it was recorded, and how its samples depend on their past."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from wavenetlike.analysis import recording
from wavenetlike.analysis.dependence import (
    SURE,
    Autocorrelation,
    CorrelationLengths,
    PooledAR,
    correlation_lengths,
    fractional_order,
    is_correlated,
    pooled_ar,
    pooled_autocorrelation,
    with_echo,
)
from wavenetlike.analysis.information import (
    Information,
    information_lags,
    mutual_information,
    own_lags,
    some_clips,
)
from wavenetlike.analysis.periods import Period, period, pitch
from wavenetlike.analysis.sampling import Sample, draw_clips
from wavenetlike.checks import check_int, check_seed
from wavenetlike.data.clips import Items
from wavenetlike.tables import table_html, table_lines

LONGEST_LAG = 4000
"""Lags looked at unless others are asked for: a quarter of a second at 16 kHz."""
MOST_ORDER = 200
"""Of the AR."""
AUDIBLE = 4000
"""Hz: slower series are searched for a season, and those from here on for a pitch, too."""
FEW = 200
"""Samples below which little is certain."""
FEW_CLIPS = 16
"""Up to so many are looked at for a trend."""
TREND = 0.5
"""Of the variance, for a trend to be spoken of."""
FEW_VALUES = 8
"""Different values up to which extremes and uneven steps say nothing."""
LASTING = 0.1
"""Of the longest clip: a correlation that lasts longer than that may be a trend."""
FEWEST_OF_CLIP = 50
"""Samples of a clip whose own correlation length and period are taken."""
COLUMNS = ["measured", "value"]


@dataclasses.dataclass(frozen=True)
class Spread:
    """How clips differ: a quarter of them lie below ``low``, half below ``median``, a quarter above ``high``."""

    low: float
    median: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread | None:
        """The quartiles of the finite values; None where there are fewer than two."""
        finite = [x for x in values if math.isfinite(x)]
        return Spread(*map(float, np.quantile(finite, [0.25, 0.5, 0.75]))) if len(finite) > 1 else None


@dataclasses.dataclass(frozen=True)
class Recording:
    """How the clips were recorded, levels in the units of the samples.

    Args:
        step: of the even grid that the values lie on; None: on none, floating-point numbers or µ-law codes.
        bits: that the grid needs; None as for ``step``.
        n_values: different values met.
        rms, peak: of all samples, the mean included.
        mean: of all samples, the DC offset.
        clipped: part of samples cut off at the extreme.
        silent: part of 20 ms frames 40 dB under the loudest of their clip; None where no sample rate is known.
    """

    step: float | None
    bits: float | None
    n_values: int
    rms: float
    peak: float
    mean: float
    clipped: float
    silent: float | None


@dataclasses.dataclass(frozen=True)
class DatasetReport:
    """What `analyze_dataset` found; prints as a table in a terminal and in a notebook. Lags and lengths are in samples.

    Args:
        name: the dataset's class.
        n_clips, n_measured: clips that it has, and that were read.
        n_used: samples that the numbers are of.
        n_samples: of the whole dataset; None: not known without reading it.
        shortest, longest: samples of the shortest and the longest clip read.
        channels: of a clip, each measured as a clip of its own.
        sample_rate: in Hz, or None.
        recording: how it was recorded.
        correlation: the autocorrelation and its band, lags 0 … max_lag.
        lengths: how long that lasts, by three rules.
        is_linear: whether samples are correlated with their past, beyond what chance shows once in a thousand series.
        ar: the linear AR, partial autocorrelations and what each order spares.
        information: what the past tells by any dependence.
        own: the lags that tell by themselves what no linear AR can use; of sound none is singled out.
        period: season or pitch, or None.
        trend: the part of the variance that a straight line through each clip explains.
        memory: the d of a long memory, ρ_k falling like k^(2d - 1), or None.
        spread: of "length" (samples), "level" (RMS), "correlation length" and "period" over clips; what is not known is left out.
        remarks: sentences of whoever read the clips.
    """

    name: str
    n_clips: int
    n_measured: int
    n_used: int
    n_samples: int | None
    shortest: int
    longest: int
    channels: int
    sample_rate: float | None
    recording: Recording
    correlation: Autocorrelation
    lengths: CorrelationLengths
    is_linear: bool
    ar: PooledAR
    information: Information
    own: tuple[int, ...]
    period: Period | None
    trend: float
    memory: float | None
    spread: dict[str, Spread]
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what matters, the remarks among them."""
        return (*_on_choice(self), *self.remarks, *_on_size(self), *_on_recording(self), *_on_past(self))

    @property
    def max_lag(self) -> int:
        """The longest lag measured."""
        return len(self.correlation.values) - 1

    @property
    def strongest_partial(self) -> str:
        """The partial autocorrelations in words: the strongest, and how many are beyond what 95% of white noise shows."""
        partial = self.ar.partial[1:]
        k = int(np.argmax(np.abs(partial)))
        n_outside = int((np.abs(partial) > self.correlation.band[1 : len(partial) + 1]).sum())
        return f"{partial[k]:.2f} at order {k + 1}, the strongest; {n_outside} of {len(partial)} outside the band of white noise"

    @property
    def is_nonlinear(self) -> bool:
        """Whether the past tells more than a linear AR can use, as certain as `is_linear`."""
        return len(self.information.significant) > 0

    @property
    def is_white(self) -> bool:
        """Whether neither was found: nothing to learn but how the samples are distributed."""
        return not (self.is_linear or self.is_nonlinear)

    @property
    def is_waveform(self) -> bool:
        """Whether it has a sample rate and stays within [-1, 1], so that levels are dB of full scale."""
        return self.sample_rate is not None and self.recording.peak <= 1

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and text, ready for ``json.dumps``; what is infinite is None."""
        names = [field.name for field in dataclasses.fields(self) if field.name != "remarks"]
        return {name: _plain(getattr(self, name)) for name in [*names, "notes"]}

    def __str__(self) -> str:
        return "\n".join([self.name, *table_lines(COLUMNS, _rows(self), left=2), *self.notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return table_html(COLUMNS, _rows(self), self.name) + notes


def analyze_dataset(
    dataset: Items | Sequence[float] | Sequence[Tensor] | Tensor | np.ndarray,
    *,
    sample_rate: float | None = None,
    max_lag: int | None = None,
    most_clips: int = 200,
    seed: int = 0,
) -> DatasetReport:
    """What a dataset holds, how it was recorded, and what there is to learn in it: how far back, by what, and how many bits.

    Of many clips some are drawn, and of long ones stretches, so that it ends within a minute; the report says how many. The
    clips are taken as pieces of one process (see `analysis.dependence`), and how they differ is in ``spread``.

    Args:
        dataset: one series (time,); or what is trained on: items (waveform, sample_rate, label, speaker) by number, or waveforms
            (time,) or (channels, time). Of any scale.
        sample_rate: in Hz, of what does not say it; with it the samples are taken as sound, searched for a pitch, and told in ms.
        max_lag: the longest lag looked at, at least 1; None: a quarter of the longest clip, at most 4,000.
        most_clips: read at most, at least 1.
        seed: of the choice of clips, 0 … 2³² - 1.

    Raises:
        TypeError, ValueError: no such dataset, an empty or constant one, samples that are not finite, several sample rates, or
            an argument out of its range.
    """
    check_seed(seed)
    check_int("most_clips", most_clips, 1, "200 tell what all do")
    sample = draw_clips(dataset, sample_rate, most_clips, seed)
    longest = max(map(len, sample.clips))
    if max_lag is not None:
        check_int("max_lag", max_lag, 1, "a quarter of the longest clip", most=longest - 1)
    return _measured(sample, int(max_lag) if max_lag else min(longest // 4, LONGEST_LAG), seed)


def _measured(sample: Sample, max_lag: int, seed: int) -> DatasetReport:
    clips, rate = sample.clips, sample.sample_rate
    n = sum(map(len, clips))
    found = pooled_autocorrelation(clips, max_lag)
    order = max(1, min(max_lag, MOST_ORDER, n // 10))
    ar = pooled_ar(found.variance * found.values[: order + 1], n)
    is_linear = is_correlated(clips, found, seed)
    is_sound = rate is not None and rate >= AUDIBLE
    if not is_linear:
        ar = dataclasses.replace(ar, order=0, coefficients=ar.coefficients[:0], sigma=math.sqrt(found.variance))
    elif not is_sound:
        ar = with_echo(clips, ar, max_lag)
    repeats = _period(clips, found, rate, seed) if is_linear else None
    # A memory without end is only looked for where an AR has found one.
    is_ended = is_linear and repeats is None and not ar.is_open
    information = mutual_information(clips, ar, information_lags(max_lag), seed)
    return DatasetReport(
        name=sample.name,
        n_clips=sample.n_items,
        n_measured=sample.n_read,
        n_used=n,
        n_samples=sample.n_samples,
        shortest=int(sample.lengths.min()),
        longest=int(sample.lengths.max()),
        channels=sample.channels,
        sample_rate=rate,
        recording=_recording(clips, rate),
        correlation=found,
        lengths=correlation_lengths(found),
        is_linear=is_linear,
        ar=ar,
        information=information,
        own=() if is_sound else own_lags(clips, ar, information, seed),
        period=repeats,
        trend=_trend(clips),
        memory=fractional_order(some_clips(clips, seed), min(20, order)) if is_ended else None,
        spread=_spread(sample, max_lag),
    )


def _trend(clips: list[np.ndarray]) -> float:
    """The part of the variance that a straight line through each clip of some length explains; 0 where there are many clips."""
    explained = whole = 0.0
    for x in clips if len(clips) <= FEW_CLIPS else []:
        d, t = x - x.mean(), np.arange(len(x)) - (len(x) - 1) / 2
        explained += float(d @ t) ** 2 / max(float(t @ t), 1.0)
        whole += float(d @ d)
    return explained / whole if whole else 0.0


def _period(clips: list[np.ndarray], found: Autocorrelation, rate: float | None, seed: int) -> Period | None:
    heard = pitch(clips, rate, seed) if rate and rate >= AUDIBLE else None
    return heard or period(found, max(map(len, clips)))


def _recording(clips: list[np.ndarray], rate: float | None) -> Recording:
    values = recording.different_values(clips)
    step = recording.value_step(values)
    n = sum(map(len, clips))
    peak = max(float(np.abs(x).max()) for x in clips)
    return Recording(
        step=step,
        bits=recording.grid_bits(step, values, rate is not None and peak <= 1) if step else None,
        n_values=len(values),
        rms=math.sqrt(sum(float(x @ x) for x in clips) / n),
        peak=peak,
        mean=sum(float(x.sum()) for x in clips) / n,
        clipped=recording.clipped_part(clips),
        silent=recording.silent_part(clips, rate) if rate else None,
    )


def _spread(sample: Sample, max_lag: int) -> dict[str, Spread]:
    """Quartiles over clips, of those long enough, in what can be told of each alone."""
    varied = [x for x in sample.clips if len(x) >= FEWEST_OF_CLIP and x.min() < x.max()]
    found = [pooled_autocorrelation([x], min(max_lag, len(x) // 4)) for x in varied]
    periods = [
        _period([x], each, sample.sample_rate, 0) for x, each in zip(varied, found, strict=True) if each.p_value < SURE
    ]
    lasting = [correlation_lengths(each).envelope for each in found]
    values: dict[str, list[float]] = {
        "length": sample.lengths.tolist(),
        "level": [math.sqrt(float(x @ x) / len(x)) for x in sample.clips],
        "correlation length": [math.inf if x is None else float(x) for x in lasting],
        "period": [x.samples for x in periods if x],
    }
    return {name: spread for name, each in values.items() if (spread := Spread.of(each))}


# In words


def _rows(report: DatasetReport) -> list[tuple[str, str]]:
    held = report.recording
    clips = f"{report.n_clips:,}"
    if report.n_measured < report.n_clips:
        clips += f", measured on {report.n_measured:,}"
    rows = [
        ("clips", clips),
        ("samples", _whole(report)),
        ("length of a clip", _range(report)),
        ("sample rate", f"{report.sample_rate:,.0f} Hz" if report.sample_rate else "not known"),
        ("values", _grid(held)),
        ("level, RMS", _level(report, held.rms)),
        ("peak", _level(report, held.peak)),
        ("mean", _short(held.mean)),
    ]
    if held.silent is not None:
        rows += [
            ("channels", f"{report.channels}"),
            ("clipped", f"{held.clipped:.2%} of samples"),
            ("silent", f"{held.silent:.0%} of 20 ms frames"),
        ]
    return [*rows, *_past(report), *_between(report)]


def _past(report: DatasetReport) -> list[tuple[str, str]]:
    """The rows on how samples depend on their past."""
    ar, best = report.ar, report.information.strongest
    order = f"order {ar.order}" + (f" or more, {ar.short_order} for 95% of it" if ar.is_open else "")
    order += f" and lag {ar.echo.lag:,}" if ar.echo else ""
    beyond = "none found"
    if best:
        beyond = f"up to {best[1]:.2g} bits, at lag {best[0]:,}; last seen at lag {report.information.significant[-1]:,} of {report.max_lag:,}"
    return [
        *_lasting(report),
        ("linear AR, by BIC", f"{order}, spares {ar.gain:.2f} bits a sample"),
        ("beyond a linear AR", beyond),
        ("period", _repeats(report)),
        ("long memory", f"d = {report.memory:.2g}" if report.memory else "none found"),
    ]


def _lasting(report: DatasetReport) -> list[tuple[str, str]]:
    if not report.is_linear:
        return [("correlation", "none beyond chance")]
    ends = report.lengths
    rules = [
        ("above 1/e", ends.envelope, "for so long samples look alike"),
        ("above chance", ends.band, "so far back a straight line sees anything"),
        ("integrated", ends.integrated, "as many tell no more of the mean than one that stands alone"),
    ]
    none = f"no end within {report.max_lag:,} samples"
    found = [
        (f"correlation {rule}", none if length is None else f"{_samples(report, length)}: {meaning}")
        for rule, length, meaning in rules
    ]
    return [*found, ("partial autocorrelation", report.strongest_partial)]


def _between(report: DatasetReport) -> list[tuple[str, str]]:
    """The rows on how clips differ."""
    shown: dict[str, Callable[[float], str]] = {"level": lambda x: _level(report, x)}
    return [
        (f"{name}, quartiles", " · ".join(map(shown.get(name, _short), (each.low, each.median, each.high))))
        for name, each in report.spread.items()
        if each.low < each.high
    ]


def _whole(report: DatasetReport) -> str:
    n = report.n_samples
    seconds = "" if n is None or not report.sample_rate else f", {n / report.channels / report.sample_rate:,.1f} s"
    total = "not counted" if n is None else f"{n:,}{seconds}"
    return total if report.n_used == n else f"{total}; measured on {report.n_used:,}"


def _range(report: DatasetReport) -> str:
    return (
        f"{report.shortest:,}"
        if report.shortest == report.longest
        else f"{report.shortest:,} … {report.longest:,} samples"
    )


def _grid(held: Recording) -> str:
    if held.n_values < FEW_VALUES:
        return f"{held.n_values} different ones"
    if held.bits is None or held.step is None:
        return f"on no even grid, {held.n_values:,} different ones seen"
    return f"{held.bits:.3g} bits, in steps of {held.step:.4g}"


def _level(report: DatasetReport, level: float) -> str:
    return f"{recording.decibels(level):.1f} dBFS" if report.is_waveform else _short(level)


def _samples(report: DatasetReport, samples: float) -> str:
    time = f" = {_short(1000 * samples / report.sample_rate)} ms" if report.sample_rate else ""
    return f"{_short(samples)} sample{'' if samples == 1 else 's'}{time}"


def _repeats(report: DatasetReport) -> str:
    found = report.period
    if found is None:
        return "none found"
    hertz = f" = {report.sample_rate / found.samples:.4g} Hz" if report.sample_rate else ""
    voiced = f", in {found.voiced:.0%} of loud frames" if found.voiced is not None else ""
    return f"{found.samples:.4g} samples{hertz}{voiced}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _on_choice(report: DatasetReport) -> list[str]:
    if report.n_measured == report.n_clips:
        return []
    return [f"Measured on {report.n_measured:,} of {report.n_clips:,} clips, drawn at random."]


def _on_size(report: DatasetReport) -> list[str]:
    notes = []
    if report.n_used < FEW:
        notes.append(f"Only {report.n_used} samples: what was not found may be there all the same.")
    lengths = report.spread.get("length")
    if lengths and lengths.median <= report.max_lag:
        notes.append(
            f"Half of the clips are not longer than {report.max_lag:,} samples: the longest lags are seen in few."
        )
    level = report.spread.get("level")
    if level and level.low * 4 < level.high:
        notes.append("The clips are not equally loud: the quartiles of their level are more than 12 dB apart.")
    return notes


def _on_recording(report: DatasetReport) -> list[str]:
    held, notes = report.recording, []
    if report.is_waveform and held.clipped > 0.0005 and held.n_values > FEW_VALUES:
        notes.append(
            f"Clipped: {held.clipped:.2%} of the samples are cut off at the highest or lowest value of their clip."
        )
    if held.silent is not None and held.silent > 0.2:
        notes.append(
            f"Silence: {held.silent:.0%} of the time lies 40 dB under the loudest 20 ms; Trimmed cuts off what lies at the edges."
        )
    if report.is_waveform and abs(held.mean) > 0.05 * held.rms:
        notes.append(
            f"A DC offset of {held.mean:.3g}, {abs(held.mean) / held.rms:.0%} of the level, is in the samples: take it off."
        )
    if report.is_waveform and held.bits is not None and held.bits < 8.5:
        notes.append(f"The values lie on a grid of {held.bits:.3g} bits: more levels than 256 have nothing to add.")
    if report.is_waveform and held.bits is None and FEW_VALUES < held.n_values <= 256:
        notes.append(f"Only {held.n_values} different values, unevenly spaced, as µ-law codes are.")
    return notes


def _on_past(report: DatasetReport) -> list[str]:
    """What there is to learn."""
    if report.is_white:
        return ["Looks like white noise: nothing to learn but how the samples are distributed."]
    return [_on_kind(report), *_on_time(report)]


def _on_kind(report: DatasetReport) -> str:
    ar, best = report.ar, report.information.strongest
    echo = f" and lag {ar.echo.lag:,}" if ar.echo else ""
    spared = f"an AR of order {ar.order}{echo} spares {ar.gain:.2f} bits a sample"
    if best is None:
        return f"Linear: {spared}, and nothing beyond it was found."
    if not report.is_linear:
        return f"Nonlinear only: no correlation, and yet lag {best[0]:,} tells {best[1]:.2g} bits; no linear AR learns that, a network can."
    return f"More than linear: {spared}, and of what it leaves lag {best[0]:,} tells {best[1]:.2g} bits."


def _on_time(report: DatasetReport) -> list[str]:
    notes, end = [], report.lengths.envelope
    if report.trend > TREND:
        notes.append(
            f"A trend: {report.trend:.0%} of the variance is a straight line in time, which makes everything else here look longer; take differences, x[1:] - x[:-1], and measure those."
        )
    if report.period:
        kind = "Periodic" if report.period.voiced is None else "Pitched"
        notes.append(f"{kind}: it repeats after {_repeats(report)}.")
    elif report.memory:
        notes.append(
            f"Long memory: the correlation falls like k^{2 * report.memory - 1:.2g}, with no end within what was measured; the longer the receptive field, the better."
        )
    elif report.is_linear and (end is None or end > LASTING * report.longest):
        notes.append(
            "The correlation lasts over a tenth of the longest clip: a trend, or more memory than so few samples show."
        )
    if report.is_linear and report.ar.is_open:
        notes.append(
            f"No linear AR of up to {report.ar.searched} samples is long enough: a still longer one may spare more."
        )
    return notes


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
