"""A dataset measured: what is known of a process is what the report says of it, at any scale, on any number of clips."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import torch
from helpers import SEEDS, refused
from hypothesis import given, settings
from hypothesis import strategies as st

from wavenetlike.analysis import ar2_autocorrelation, autocorrelation
from wavenetlike.analysis.dataset import analyze_dataset
from wavenetlike.analysis.dependence import (
    PooledAR,
    autocovariance,
    correlation_lengths,
    fractional_order,
    pooled_ar,
    pooled_autocorrelation,
    with_echo,
)
from wavenetlike.analysis.information import information_lags, mutual_information
from wavenetlike.analysis.periods import pitch
from wavenetlike.analysis.recording import clipped_part, value_step
from wavenetlike.data import EncodedClips, Waveforms, ar2_process, bundled_clips, sunspots
from wavenetlike.data.processes import ar_process, long_memory, seasonal_ar, sines, threshold_ar


def white(n: int, seed: int) -> torch.Tensor:
    return ar_process([], n, seed=seed)


def voice(hertz: float, seconds: float, rate: int = 16000) -> torch.Tensor:
    """Pulses through two resonances, as a vowel has them."""
    n = round(seconds * rate)
    pulses = torch.zeros(n, dtype=torch.float64)
    pulses[(torch.arange(0, seconds * hertz) * rate / hertz).long().clamp(max=n - 1)] = 1
    sound = pulses
    for formant in (600, 1200):
        turn = 2 * math.pi * formant / rate
        kernel = torch.exp(-torch.arange(400.0) * 0.02) * torch.sin(turn * torch.arange(1.0, 401.0))
        sound = torch.nn.functional.conv1d(sound[None, None], kernel.double().flip(0)[None, None], padding=399)[
            0, 0, :n
        ]
    return sound / sound.abs().max() * 0.5


# Correlation


@settings(max_examples=40)
@given(SEEDS, st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 30))
def test_pooled_products_are_slow_counting(seed, lengths, n_lags):
    rng = np.random.default_rng(seed)
    clips = [rng.normal(size=n) + 3 for n in lengths]
    if max(lengths) <= n_lags:
        refused(lambda: autocovariance(clips, n_lags), ValueError, f"n_lags={n_lags}", str(max(lengths)))
        return
    mean = np.concatenate(clips).mean()
    slow = [
        sum((x[t] - mean) * (x[t - k] - mean) for x in clips for t in range(k, len(x))) / sum(lengths)
        for k in range(n_lags + 1)
    ]
    assert autocovariance(clips, n_lags) == pytest.approx(slow, abs=1e-9)
    found = pooled_autocorrelation(clips, n_lags)
    assert found.pairs.tolist() == [sum(max(0, n - k) for n in lengths) for k in range(n_lags + 1)]
    assert np.all(np.abs(found.values) <= 1 + 1e-12)


def test_one_clip_is_what_the_series_shows():
    assert pooled_autocorrelation([sunspots()], 40).values == pytest.approx(autocorrelation(sunspots(), 40), abs=1e-12)


def test_the_band_holds_95_percent_of_what_is_uncorrelated_loud_or_soft():
    soft = [white(500, seed) * (0.01 if seed % 2 else 1) for seed in range(60)]
    for clips in ([white(4000, 1)], [threshold_ar(4000, seed=1)], soft):
        found = pooled_autocorrelation(clips, 400)
        assert 0.9 < np.mean(np.abs(found.values[1:]) < found.band[1:]) < 0.99
        assert found.p_value > 0.001


def test_lengths_are_those_of_theory():
    for phi in (0.5, 0.9, 0.97):
        found = correlation_lengths(pooled_autocorrelation([ar_process([phi], 200_000, seed=3)], 2000))
        assert found.envelope == pytest.approx(math.ceil(-1 / math.log(phi)), rel=0.15)
        assert found.integrated == pytest.approx((1 + phi) / (1 - phi), rel=0.2)
        assert found.envelope < found.band < 12 * (1 + found.envelope)
    # Neighbours that make up for one another: σ²/(1 - a - b)² over the variance.
    x = ar_process([-0.4, 0.5], 400_000, seed=3)
    assert correlation_lengths(pooled_autocorrelation([x], 2000)).integrated == pytest.approx(1 / 3, abs=0.1)
    assert correlation_lengths(pooled_autocorrelation([sines([50], 2000, seed=0)], 500)).envelope is None


@pytest.mark.parametrize(("season", "strength"), [(12, 0.75), (24, 0.8), (50, 0.6)])
def test_a_seasons_echoes_count_in_the_integrated_length(season, strength):
    # ρ is strength^i at the lag i·season and 0 elsewhere, so that the sum is a geometric one.
    truth = 1 + 2 * strength / (1 - strength)
    found = [
        correlation_lengths(pooled_autocorrelation([seasonal_ar(season, strength, 40_000, seed=seed)], 1000)).integrated
        for seed in range(8)
    ]
    assert np.mean(found) == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize(
    "coefficients",
    [[], [0.8], [-0.4, 0.5], [0.5, -0.3, 0.4], [0.3, 0, 0, 0.5], [0.2, -0.2, 0.2, -0.2, 0.4]],
    ids=lambda coefficients: f"AR({len(coefficients)})",
)
def test_the_order_is_found_by_bic(coefficients):
    orders = []
    for seed in range(20):
        x = ar_process(coefficients, 2000, seed=seed)
        found = pooled_ar(autocovariance([x], 30), 2000)
        orders.append(found.order)
        if found.order == len(coefficients):
            assert found.coefficients == pytest.approx(coefficients, abs=0.1)
            assert found.sigma == pytest.approx(1, abs=0.08)
            assert found.gain == pytest.approx(math.log2(x.var().item()) / 2, abs=0.06)
    assert orders.count(len(coefficients)) >= 17


def test_the_gain_is_that_of_theory_and_grows_with_the_order():
    r = ar2_autocorrelation(-0.4, 0.5, 10)
    found = pooled_ar(r, 1000)
    assert found.order == 2
    assert found.gain == pytest.approx(-math.log2((1 - 0.64) * (1 - 0.25)) / 2, abs=1e-6)
    assert found.partial[:4] == pytest.approx([1, -0.8, 0.5, 0], abs=1e-6)
    assert np.all(np.diff(found.gains) >= 0)
    assert found.short_order == 2
    assert not found.is_open


def test_an_ar_of_what_has_no_noise_is_finite():
    x = sines([12, 31], 2000, noise=0, seed=0)
    found = pooled_ar(autocovariance([x], 60), 2000)
    assert np.isfinite(found.gains).all()
    assert 3 < found.gain < 16


@pytest.mark.parametrize("d", [0.2, 0.3, 0.45])
def test_long_memory_is_told_from_a_short_one(d):
    for seed in range(3):
        assert fractional_order([long_memory(d, 10_000, seed=seed)]) == pytest.approx(d, abs=0.051)
    for phi in (0.0, 0.5, 0.95, -0.8):
        assert fractional_order([ar_process([phi], 5000, seed=1)]) is None


# Periods


@pytest.mark.parametrize(
    ("periods", "truth"), [([12], 12), ([37.5], 37.5), ([60, 30, 20], 60), ([12, 30], 60), ([5], 5)]
)
@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
def test_sines_have_their_period(periods, truth, noise):
    for seed in range(3):
        found = analyze_dataset(sines(periods, 1500, noise=noise, seed=seed)).period
        assert found is not None
        assert found.samples == pytest.approx(truth, rel=0.03)


def test_seasons_are_found_also_on_a_trend():
    for seed in range(5):
        x = seasonal_ar(12, 0.9, 400, seed=seed)
        for y in (x, x + 0.05 * torch.arange(400.0)):
            assert analyze_dataset(y).period.samples == pytest.approx(12, abs=0.3)
    assert 10 < analyze_dataset(sunspots()).period.samples < 11.2


@pytest.mark.parametrize("phi", [0.5, 0.9, 0.99, -0.9])
def test_no_period_is_seen_in_an_ar1(phi):
    assert all(analyze_dataset(ar_process([phi], 1000, seed=seed)).period is None for seed in range(15))


@pytest.mark.parametrize("hertz", [90, 120, 210, 300])
def test_a_voice_has_its_pitch_and_noise_has_none(hertz):
    found = pitch([voice(hertz, 1)], 16000)
    assert 16000 / found.samples == pytest.approx(hertz, rel=0.02)
    assert found.voiced > 0.9
    report = analyze_dataset([(voice(hertz, 0.5)[None], 16000, "a", "")] * 2)
    assert 16000 / report.period.samples == pytest.approx(hertz, rel=0.02)
    assert any(note.startswith("Pitched") for note in report.notes)
    assert pitch([0.1 * white(16000, 0)], 16000) is None


# Information


def test_white_noise_says_nothing_to_learn():
    found = [analyze_dataset(white(500 + 30 * seed, seed)) for seed in range(60)]
    quiet = [report for report in found if report.is_white]
    assert len(quiet) >= 59, "two tests, each at a level that one of a thousand series passes"
    for report in quiet:
        assert report.period is None
        assert report.memory is None
        assert "nothing to learn" in report.notes[-1]


@pytest.mark.parametrize("lag", [1, 4, 23, 97])
def test_a_threshold_is_found_by_information_alone(lag):
    for seed in range(4):
        report = analyze_dataset(threshold_ar(3000, lag=lag, seed=seed))
        assert not report.is_linear
        assert report.ar.order == 0
        assert report.information.strongest[0] == lag
        assert report.information.strongest[1] > 1
        assert all(k % lag == 0 for k in report.information.significant)
        assert any("Nonlinear only" in note for note in report.notes)


@pytest.mark.parametrize("coefficients", [[0.9], [-0.4, 0.5], [1.4, -0.7]])
def test_a_linear_process_leaves_nothing_beyond_its_ar(coefficients):
    found = [analyze_dataset(ar_process(coefficients, 2000, seed=seed)) for seed in range(10)]
    assert not any(report.is_nonlinear for report in found)
    assert all(report.is_linear for report in found)
    assert found[0].information.bits[0] > 0.3


def test_information_of_gaussians_is_that_of_theory():
    x = ar_process([0.8], 200_000, seed=0)
    ar = pooled_ar(autocovariance([x], 5), len(x))
    found = mutual_information([x], ar, [1, 2, 5])
    # -½·log₂(1 - ρ²), of which bins lose a little.
    theory = [-math.log2(1 - 0.8 ** (2 * k)) / 2 for k in (1, 2, 5)]
    assert found.bits == pytest.approx(theory, rel=0.08)
    assert np.abs(found.beyond).max() < 0.001
    assert found.pairs.tolist() == [199_999, 199_998, 199_995]


def test_loud_and_soft_clips_are_no_dependence():
    clips = [10.0 ** (seed % 4) * white(600, seed) for seed in range(40)]
    assert analyze_dataset(clips).is_white
    clips = [10.0 ** (seed % 4) * ar_process([0.7], 600, seed=seed) for seed in range(40)]
    report = analyze_dataset(clips)
    assert report.ar.order == 1
    assert not report.is_nonlinear
    assert any("equally loud" in note for note in report.notes)
    assert analyze_dataset([white(20, seed) for seed in range(3000)]).is_white


@settings(max_examples=50)
@given(st.integers(1, 100_000))
def test_lags_are_dense_and_then_ever_fewer(max_lag):
    lags = information_lags(max_lag)
    assert lags[0] == 1
    assert lags[-1] == max_lag
    assert len(lags) <= 131
    assert lags[: min(max_lag, 100)].tolist() == list(range(1, min(max_lag, 100) + 1))
    assert np.all(np.diff(lags) > 0)


@pytest.mark.parametrize(
    ("season", "phi", "n"), [(24, 0.25, 2000), (185, 0.25, 20_000), (300, -0.25, 20_000), (365, 0.7, 8000)]
)
def test_a_season_too_far_back_for_an_order_is_an_echo(season, phi, n):
    for seed in range(4):
        report = analyze_dataset(seasonal_ar(season, phi, n, seed=seed))
        assert report.ar.echo.lag == season
        assert report.ar.echo.correlation == pytest.approx(phi, abs=0.1)
        assert report.ar.gain == pytest.approx(-math.log2(1 - phi**2) / 2, abs=0.1)
        assert not report.is_nonlinear
        assert report.own == ()


def test_what_an_ar_and_its_echo_leave_is_the_noise_they_were_made_of():
    x = seasonal_ar(30, 0.5, 50_000, ar=0.6, seed=2).numpy()
    ar = with_echo([x], PooledAR(1, np.array([0.6]), 1.0, np.zeros(3), np.zeros(3)), 100)
    (rest,) = ar.rests([x])
    assert ar.reach == 31
    assert len(rest) == len(x) - 31
    assert rest.var() == pytest.approx(1, rel=0.03)
    assert [len(part) for part in ar.rests([x[:10], x[:31], x[:40]])] == [0, 0, 9]


@pytest.mark.parametrize("coefficients", [[], [0.8], [-0.4, 0.5], [1.4, -0.7]])
def test_where_there_is_no_echo_none_is_found(coefficients):
    assert not any(analyze_dataset(ar_process(coefficients, 3000, seed=seed)).ar.echo for seed in range(20))


def sparse(seed, p):
    return (np.random.default_rng(seed).random(2000) < p).astype(float)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: sparse(seed, 0.01),
        lambda seed: sparse(seed, 0.05),
        lambda seed: np.random.default_rng(seed).poisson(0.1, 2000).astype(float),
        lambda seed: np.exp(1.5 * np.random.default_rng(seed).standard_normal(2000)),
        lambda seed: [np.random.default_rng([seed, i]).standard_t(2, 250) for i in range(40)],
    ],
    ids=["1 in 100", "1 in 20", "counts", "bursts", "clips with heavy tails"],
)
def test_rare_and_large_samples_are_no_dependence(make):
    assert all(analyze_dataset(make(seed)).is_white for seed in range(12))


def test_of_rare_samples_that_do_depend_the_dependence_is_found():
    for seed in range(4):
        first = sparse(seed, 0.02)
        report = analyze_dataset(np.maximum(first, np.roll(first, 3)))
        assert report.is_linear
        assert report.ar.reach >= 3


@pytest.mark.parametrize("scale", [1e-60, 1e-20, 1e20, 1e60])
def test_the_scale_of_a_series_does_not_matter(scale):
    x = ar_process([0.8], 2000, seed=0)
    report = analyze_dataset(scale * x)
    assert report.ar.order == 1
    assert report.is_linear
    assert report.ar.gain == pytest.approx(analyze_dataset(x).ar.gain)


def test_a_report_of_white_noise_knows_no_weights():
    for seed in range(30):
        report = analyze_dataset([math.exp(white(1, seed + i)[0]) * white(300, 100 * seed + i) for i in range(40)])
        assert report.is_linear or (report.ar.order == 0 and report.ar.gain == 0)


def test_a_trend_is_named():
    report = analyze_dataset(range(1000))
    assert report.trend > 0.99
    assert any("take differences" in note for note in report.notes)
    for quiet in (ar_process([0.9], 2000, seed=0), sines([20], 2000, seed=0), bundled_clips(30)):
        assert analyze_dataset(quiet).trend < 0.1


def test_two_channels_of_a_second_are_a_second():
    report = analyze_dataset([(torch.rand(2, 16000) * 2 - 1, 16000)])
    assert "32,000, 1.0 s" in str(report)


@pytest.mark.parametrize("max_lag", [1, 2, 3, np.int64(5)])
def test_any_longest_lag_may_be_asked_for(max_lag):
    assert analyze_dataset(ar_process([0.8], 2000, seed=0), max_lag=max_lag).max_lag == max_lag


# The recording


@settings(max_examples=60)
@given(SEEDS, st.integers(3, 16), st.floats(1e-6, 1e6), st.floats(-5, 5))
def test_the_step_of_a_grid_is_found_at_any_scale(seed, bits, scale, offset):
    numbers = np.unique(np.random.default_rng(seed).integers(0, 2**bits, 300))
    numbers = np.union1d(numbers, [5, 6])
    step = value_step(np.unique(scale * (numbers + offset)))
    assert step == pytest.approx(scale, rel=1e-4)
    assert value_step(np.unique(np.random.default_rng(seed).normal(size=300))) is None


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_the_bits_of_a_waveform_are_found(bits):
    x = (white(20_000, 0) * 0.2).clamp(-1, 1)
    grid = (x * 2 ** (bits - 1)).round() / 2 ** (bits - 1)
    report = analyze_dataset([(grid.float()[None], 16000, "", "")])
    assert report.recording.bits == pytest.approx(bits)
    assert any("grid" in note for note in report.notes) == (bits == 8)


def test_what_is_clipped_is_counted():
    x = 0.3 * white(20_000, 0).numpy()
    slow = np.round(30_000 * np.sin(np.arange(20_000) / 400)) / 32_768
    assert clipped_part([x]) == 0
    assert clipped_part([slow]) == 0
    smooth = 0.5 * ar_process([0.98], 20_000, seed=0).numpy()
    cut = np.clip(smooth, -1, 1)
    assert clipped_part([cut]) == pytest.approx(np.mean(np.abs(cut) == 1), rel=0.1)
    report = analyze_dataset([(torch.from_numpy(cut)[None], 16000, "", "")])
    assert any(note.startswith("Clipped") for note in report.notes)


def test_offset_and_silence_are_said():
    x = torch.cat([0.2 * white(8000, 0).clamp(-4, 4), torch.zeros(8000)])
    report = analyze_dataset([(x[None] + 0.05, 16000, "", "")])
    assert report.recording.mean == pytest.approx(0.05, abs=0.01)
    assert any("DC offset" in note for note in report.notes)
    report = analyze_dataset([(x[None], 16000, "", "")])
    assert report.recording.silent == pytest.approx(0.5, abs=0.01)
    assert any(note.startswith("Silence") for note in report.notes)
    loud = analyze_dataset([(torch.sin(torch.arange(16000.0) / 5)[None], 16000, "", "")])
    assert loud.recording.rms == pytest.approx(math.sqrt(0.5), rel=0.01)
    assert "-3.0 dBFS" in str(loud)


# The report


@settings(max_examples=20)
@given(st.sampled_from([1e-6, 0.1, 37.0, 1e6]), st.floats(-100, 100), st.sampled_from([0, 1, 2]))
def test_neither_scale_nor_offset_changes_what_is_learned(scale, offset, which):
    x = [ar_process([1.2, -0.6], 600, seed=1), threshold_ar(600, seed=1), sines([25], 600, seed=1)][which]
    one, two = analyze_dataset(x), analyze_dataset(scale * (x + offset))
    assert two.correlation.values == pytest.approx(one.correlation.values, abs=1e-7)
    assert two.lengths.envelope == one.lengths.envelope
    assert two.ar.order == one.ar.order
    assert two.ar.gain == pytest.approx(one.ar.gain, abs=1e-6)
    assert two.information.significant.tolist() == one.information.significant.tolist()
    assert (two.period is None) == (one.period is None)
    assert two.notes == one.notes


def test_what_lasts_too_long_is_called_so():
    for x in (white(2000, 0).cumsum(0), torch.arange(2000.0), white(2000, 1) + 0.01 * torch.arange(2000)):
        assert any("a trend" in note for note in analyze_dataset(x).notes)
    assert any("k^-0.2" in note for note in analyze_dataset(long_memory(0.4, 10_000, seed=0)).notes)
    (note,) = analyze_dataset(ar_process([-0.4, 0.5], 1000, seed=0)).notes
    assert note == "Linear: an AR of order 2 spares 1.19 bits a sample, and nothing beyond it was found."


class Lazy:
    """A hundred thousand clips that are made when they are asked for, and must never be read in a row."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __len__(self) -> int:
        return 100_000

    def __iter__(self):
        raise AssertionError("all clips are read")

    def __getitem__(self, index: int):
        assert 0 <= index < len(self)
        self.read.append(index)
        return ar_process([0.7], 1000, seed=index)[None] / 20, 16000, "word", "speaker"


def test_of_many_clips_some_are_read_each_once():
    lazy = Lazy()
    report = analyze_dataset(lazy, most_clips=30)
    assert len(lazy.read) == len(set(lazy.read)) == 30
    assert max(lazy.read) > 50_000
    assert (report.n_clips, report.n_measured, report.n_used, report.n_samples) == (100_000, 30, 30_000, None)
    assert "30 of 100,000 clips" in report.notes[0]
    assert report.ar.order == 1
    again = Lazy()
    assert analyze_dataset(again, most_clips=30).as_dict() == report.as_dict()
    assert again.read == lazy.read
    other = Lazy()
    analyze_dataset(other, most_clips=30, seed=1)
    assert other.read != lazy.read


def test_of_a_long_recording_stretches_are_measured(monkeypatch):
    monkeypatch.setattr("wavenetlike.analysis.sampling.MOST_SAMPLES", 100_000)
    report = analyze_dataset([ar_process([0.9], 400_000, seed=0)])
    assert report.n_samples == report.longest == 400_000
    assert 80_000 <= report.n_used <= 100_000
    assert "measured on" in str(report)
    assert report.ar.order == 1


def test_no_more_is_read_than_a_minute_allows(monkeypatch):
    monkeypatch.setattr("wavenetlike.analysis.sampling.MOST_READ", 9_500)
    lazy = Lazy()
    assert analyze_dataset(lazy).n_measured == len(lazy.read) == 10


def test_clips_that_differ_are_seen_in_the_spread():
    clips = [
        (0.01 * (1 + i) * ar_process([0.95 if i % 2 else 0.2], 1000 + 100 * i, seed=i)).tolist() for i in range(12)
    ]
    report = analyze_dataset(clips)
    assert report.spread["length"].median == 1550
    assert report.spread["correlation length"].low < 3
    assert report.spread["correlation length"].high > 8
    assert report.spread["level"].low < report.spread["level"].high
    assert "period" not in report.spread
    alike = analyze_dataset([ar_process([0.9], 1000, seed=i) for i in range(3)])
    assert alike.spread["length"].low == alike.spread["length"].high
    assert "\nlength, quartiles" not in str(alike)


def test_everything_that_the_package_trains_on_is_measured(tmp_path):
    clips = bundled_clips(4)
    report = analyze_dataset(clips)
    assert (report.name, report.n_clips, report.sample_rate, report.channels) == ("Clips", 4, 16000, 1)
    assert report.recording.bits == pytest.approx(16)
    assert 80 < 16000 / report.period.samples < 300
    assert report.is_waveform
    encoded = analyze_dataset(EncodedClips.write(clips, tmp_path, levels=64, progress=False))
    assert encoded.n_samples == report.n_samples
    assert any("64 different values" in note or "different values" in note for note in encoded.notes)
    stereo = analyze_dataset([(torch.stack([white(500, 0), white(500, 1)]) / 10, 8000, "", "")])
    assert (stereo.channels, stereo.n_used) == (2, 1000)
    assert analyze_dataset(Waveforms(torch.rand(2000) - 0.5, progress=False)).sample_rate == 16000


def test_a_series_may_come_as_a_list_a_tensor_or_an_array():
    x = list(itertools.islice(ar2_process(-0.4, 0.5, 0, 0, seed=0), 300))
    tensor = torch.tensor(x, dtype=torch.float64)
    reports = [analyze_dataset(y) for y in (x, tuple(x), tensor, tensor.numpy(), tensor[None], [tensor])]
    assert all(report.ar.gain == reports[0].ar.gain for report in reports)
    assert all(report.n_used == 300 for report in reports)
    assert analyze_dataset([round(y) for y in x]).recording.step == 1
    assert analyze_dataset(tensor.bfloat16()).n_used == 300
    assert analyze_dataset(x, sample_rate=8000).sample_rate == 8000


def test_the_report_prints_and_is_json():
    report = analyze_dataset(bundled_clips(3))
    text, page = repr(report), report._repr_html_()
    for word in ("sample rate", "16,000 Hz", "period", "or more", "dBFS"):
        assert word in text
    table = text.splitlines()[1 : 1 + page.count("<tr>")]
    width = len("correlation length, quartiles") + 2
    assert all(line[width - 1] == " " and line[width] != " " for line in table)
    assert page.startswith("<table><caption>Clips</caption>")
    assert '<th scope="row">clips</th>' in page
    loaded = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert len(loaded["correlation"]["values"]) == report.max_lag + 1
    assert loaded["ar"]["order"] == report.ar.order


@pytest.mark.parametrize("n", [10, 11, 20, 60, 199])
def test_few_samples_are_measured_and_said_to_be_few(n):
    report = analyze_dataset(white(n, 3))
    assert f"Only {n} samples" in report.notes[0]
    assert repr(report)


def test_what_is_no_dataset_is_refused():
    refused(lambda: analyze_dataset("clips"), TypeError, "'clips'", "Waveforms")  # type: ignore[arg-type]
    refused(lambda: analyze_dataset(x for x in range(5)), TypeError, "generator", "islice")  # type: ignore[arg-type]
    refused(lambda: analyze_dataset({1: 2}), TypeError, "dict")  # type: ignore[arg-type]
    refused(lambda: analyze_dataset(None), TypeError, "NoneType")  # type: ignore[arg-type]
    refused(lambda: analyze_dataset(5), TypeError, "int")  # type: ignore[arg-type]
    refused(lambda: analyze_dataset(torch.tensor(5.0)), ValueError, "5.0")
    refused(lambda: analyze_dataset([]), ValueError, "without clips")
    refused(lambda: analyze_dataset(torch.zeros(0)), ValueError, "(0,)")
    refused(lambda: analyze_dataset(["a", "b"]), TypeError, "str")  # type: ignore[list-item]
    refused(lambda: analyze_dataset([1.0, None, 2.0]), TypeError, "list")  # type: ignore[list-item]
    refused(lambda: analyze_dataset([torch.zeros(2, 3, 4)]), ValueError, "(2, 3, 4)")
    refused(lambda: analyze_dataset(torch.zeros(50, dtype=torch.complex64)), TypeError, "Tensor")


def test_what_cannot_be_measured_is_refused():
    x = white(100, 0)
    refused(lambda: analyze_dataset([1.0] * 50), ValueError, "1 throughout")
    refused(lambda: analyze_dataset(torch.zeros(3, 50)), ValueError, "0 throughout")
    refused(lambda: analyze_dataset([*x.tolist(), math.nan]), ValueError, "NaN")
    refused(lambda: analyze_dataset([x, torch.full((20,), math.inf)]), ValueError, "Clip 1")
    refused(lambda: analyze_dataset([1.0, 2.0, 3.0]), ValueError, "3 samples", "10")
    refused(lambda: analyze_dataset([(x[None], 16000, "", ""), (x[None], 8000, "", "")]), ValueError, "8000", "16000")
    refused(lambda: analyze_dataset([(x[None], 16000, "", "")], sample_rate=8000), ValueError, "8000", "16000")
    refused(lambda: analyze_dataset([(x[None], "yes")]), TypeError, "'yes'")  # type: ignore[list-item]
    refused(lambda: analyze_dataset(1e200 * x), ValueError, "Clip 0", "1e+70")
    refused(lambda: analyze_dataset(1e-200 * x), ValueError, "do not vary")
    refused(lambda: analyze_dataset(x, max_lag=100), ValueError, "max_lag=100", "99")
    refused(lambda: analyze_dataset(x, max_lag=0), ValueError, "max_lag=0")
    refused(lambda: analyze_dataset(x, most_clips=0), ValueError, "most_clips=0")
    refused(lambda: analyze_dataset(x, seed=-1), ValueError, "seed=-1")
    refused(lambda: analyze_dataset(x, sample_rate=0), ValueError, "sample_rate=0")
    refused(lambda: pooled_autocorrelation([[2.0] * 20], 5), ValueError, "the same")
