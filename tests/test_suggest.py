"""Suggestions: Δ is that of the process where it is known, the width keeps to budget and data, and what is said was measured."""

from __future__ import annotations

import dataclasses
import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from helpers import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from wavenetlike import WaveNet, train
from wavenetlike.analysis import analyze_dataset
from wavenetlike.data import (
    ar_process,
    bundled_clips,
    long_memory,
    seasonal_ar,
    sines,
    sunspots,
    threshold_ar,
)
from wavenetlike.suggest import Span, choose, probe, shape, spans, suggest
from wavenetlike.suggest.shapes import WIDTHS, stack
from wavenetlike.suggest.spans import LONGEST_KERNEL

SEEDS = [1, 2, 3]
AR10 = [0.3, -0.2, 0.1, 0.1, -0.3, 0.2, 0, 0.1, -0.2, 0.3]


@pytest.fixture
def unhurried(monkeypatch):
    """Times by arithmetic instead of measured: a microsecond a parameter."""
    monkeypatch.setattr(choose, "step_seconds", lambda config, window, seed: config.parameters * 1e-6)
    monkeypatch.setattr(choose, "samples_per_second", lambda config, seed: 1e9 / config.parameters)


# How far back


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("make", "delta"),
    [
        (lambda seed: ar_process([], 2000, seed=seed), 1),
        (lambda seed: ar_process([0.8], 2000, seed=seed), 1),
        (lambda seed: ar_process([-0.4, 0.5], 2000, seed=seed), 2),
        (lambda seed: 1e6 + 1e-3 * ar_process([1.2, -0.8], 2000, seed=seed), 2),
        (lambda seed: ar_process(AR10, 4000, seed=seed), 10),
        (lambda seed: seasonal_ar(24, 0.8, 3000, seed=seed), 24),
        (lambda seed: seasonal_ar(24, 0.8, 3000, ar=0.5, seed=seed), 25),
        (lambda seed: threshold_ar(2000, seed=seed), 1),
        (lambda seed: threshold_ar(4000, lag=3, seed=seed), 3),
    ],
)
def test_delta_is_that_of_the_process(make, delta, seed):
    first, *others = spans(analyze_dataset(make(seed)))
    assert (first.delta, first.exact) == (delta, True)
    assert all(other.delta > delta for other in others)


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_has_nothing_to_learn(seed):
    (only,) = spans(analyze_dataset(ar_process([], 2000, seed=seed)))
    assert "nothing to learn" in only.reasons[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_seasons_are_covered_and_memories_without_end_are_called_so(seed):
    for period in (12, 31, 47.5):
        assert spans(analyze_dataset(sines([period], 2000, seed=seed)))[0].delta > period
    report = analyze_dataset(long_memory(0.4, 4000, seed=seed))
    first, longest = spans(report)
    assert first.delta < longest.delta == report.max_lag
    assert all("too short to say" in each.reasons[-1] for each in (first, longest))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_no_correlation_sees_is_said(seed):
    reasons = spans(analyze_dataset(threshold_ar(2000, lag=2, seed=seed)))[0].reasons
    assert "Lag 2 tells what no straight line sees" in reasons[0]


def test_sound_gets_its_detail_and_its_phones():
    report = analyze_dataset(bundled_clips())
    detail, phones = (span.delta / report.sample_rate for span in spans(report))
    assert 0.010 <= detail <= 0.020
    assert 0.200 <= phones <= 0.300


def test_every_reason_is_a_sentence():
    for series in (sunspots(), sines([12], 900, seed=0), long_memory(0.4, 4000, seed=0), threshold_ar(900, seed=0)):
        for span in spans(analyze_dataset(series)):
            assert span.reasons
            assert all(not reason[0].islower() and reason.endswith(".") for reason in span.reasons)


# Shapes


@settings(max_examples=60)
@given(st.integers(1, 20_000), st.booleans(), st.sampled_from(WIDTHS), st.sampled_from([2, 10, 256, 1024]))
def test_a_shape_reaches_its_delta(delta, exact, width, levels):
    config = shape(Span(delta, ("Why.",), exact), width, levels, 10_000)
    assert config.receptive_field >= delta
    assert config.levels == levels
    if exact and delta <= LONGEST_KERNEL:
        assert config.receptive_field == delta
        assert config.depth == 1
    else:
        blocks, layers = stack(delta)
        assert blocks == 1 or layers == 10 or 1 + blocks * (2 ** (layers - 1) - 1) < delta, "a layer too many"


def test_few_samples_get_a_density_and_many_a_probability_for_each_code():
    span = Span(4, ("Why.",))
    assert shape(span, 8, 256, 10_000).head == "logistics"
    assert shape(span, 8, 256, 1_000_000).head == "softmax"


@pytest.mark.parametrize(
    ("season", "phi", "n"), [(24, 0.25, 2000), (240, 0.7, 5000), (300, -0.8, 20_000), (365, 0.8, 8000)]
)
def test_delta_covers_a_season_however_far_back(season, phi, n):
    for seed in range(4):
        first = spans(analyze_dataset(seasonal_ar(season, phi, n, seed=seed)))[0]
        assert season <= first.delta <= season + 5
        assert f"{season}" in first.reasons[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_faint_swings_that_last_are_a_season(seed):
    assert 365 < spans(analyze_dataset(sines([365], 8000, noise=1.0, seed=seed)))[0].delta <= 3 * 365


def test_of_a_trend_differences_are_asked_for():
    first = spans(analyze_dataset(range(1000)))[0]
    assert first.delta < 10
    assert any("take differences" in reason for reason in first.reasons)


@pytest.mark.parametrize("n", [30, 300, 3000, 4500])
def test_no_delta_of_sound_is_beyond_the_longest_clip(n):
    clips = [(ar_process([1.6, -0.9], n, seed=seed)[None] / 20, 16000) for seed in range(8)]
    for span in spans(analyze_dataset(clips)):
        assert span.delta < n


# Suggestions


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("budget", [5.0, 60.0, 600.0])
def test_the_budget_is_kept_and_more_of_it_never_narrows(budget):
    report = analyze_dataset(bundled_clips(20))
    less, more = suggest(report, budget=budget), suggest(report, budget=4 * budget)
    for small, large in zip(less, more, strict=True):
        assert small.training_seconds <= budget
        assert small.gamma <= large.gamma
        assert small.parameters <= large.parameters
    assert any(small.gamma < large.gamma for small, large in zip(suggest(report, budget=5), more, strict=True))


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("most", [3_000, 20_000, 10**9])
def test_parameters_are_at_most_what_was_asked_for(most):
    report = analyze_dataset(bundled_clips(20))
    found = suggest(report, parameters=most, levels=64)
    assert all(each.parameters <= most or each.config.residual_channels == WIDTHS[0] for each in found)
    assert all(each.parameters <= 160_000 for each in found), "twenty clips of a second fill no more"
    assert all(each.config.levels == 64 for each in found)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("budget", [0.01, 1.0, 6.0, 10.0, 10_000.0])
@pytest.mark.parametrize("most", [None, 100, 3000, 20_000])
@pytest.mark.parametrize("n", [60, 3000, 200_000])
def test_the_reason_for_the_width_is_the_one_that_decided(n, most, budget):
    report = analyze_dataset(ar_process([-0.4, 0.5], n, seed=0))
    for each in suggest(report, parameters=most, budget=budget):
        *_, size, length = each.reasons
        assert size.count(decisive(each, n, most)) == 1, (size, decisive(each, n, most))
        assert ("take longer than" in length) == (each.training_seconds > budget)
        assert f"{each.steps:,} steps" in length


def decisive(each, n, most):
    """Why it is no wider, in words, as its wider neighbour tells."""
    i = WIDTHS.index(each.config.residual_channels)
    if most is not None and each.parameters > most:
        return f"its {each.parameters:,} parameters are more than {most:,} allowed"
    if each.parameters > n // 2:
        return f"{n:,} samples are few for its {each.parameters:,} parameters"
    if i == len(WIDTHS) - 1:
        return "the widest that is proposed"
    width = WIDTHS[i + 1]
    wider = dataclasses.replace(each.config, residual_channels=width, gate_channels=width, skip_channels=4 * width)
    if wider.parameters > n // 2:
        return f"as wide as {n:,} samples can fill"
    if most is not None and wider.parameters > most:
        return f"as wide as {most:,} parameters allow"
    return "steps fit into" if each.steps >= 300 else "the narrowest that is proposed"


@pytest.mark.usefixtures("unhurried")
def test_what_keeps_to_all_limits_comes_first():
    report = analyze_dataset(bundled_clips(20))
    for limits in ({"parameters": 4000}, {"budget": 2.0}, {"parameters": 3500, "budget": 1.0}):
        found = suggest(report, **limits)
        kept = [
            each.parameters <= limits.get("parameters", math.inf) and each.training_seconds <= limits.get("budget", 300)
            for each in found
        ]
        assert kept == sorted(kept, reverse=True), limits


@pytest.mark.usefixtures("unhurried")
def test_what_is_suggested_adds_up_and_prints():
    found = suggest(bundled_clips(8), budget=100)
    text, page = repr(found), found._repr_html_()
    for each in found:
        assert each.training_seconds == pytest.approx(each.steps * each.step_seconds)
        assert each.real_time_factor == pytest.approx(each.samples_per_second / 16000)
        assert each.gamma == pytest.approx(each.parameters / each.depth)
        assert f"{each.parameters:,}" in text
        assert f"<td>{each.parameters:,}</td>" in page
        assert all(reason in text for reason in each.reasons)
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["suggestions"][0]["config"]["levels"] == 256
    HTMLParser().feed(page)
    assert len(found) == len(list(found)) == len(found[:])


def test_times_are_measured_and_chance_is_left_alone():
    series = ar_process([-0.4, 0.5], 1500, seed=0)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    found = suggest(series, budget=60, levels=16)
    assert torch.equal(before, torch.get_rng_state())
    for each in found:
        assert 0 < each.step_seconds < 5
        assert 0 < each.samples_per_second < math.inf
        assert each.real_time_factor is None
    wide, narrow = shape(Span(256, ("Why.",)), 64, 256, 10**6), shape(Span(256, ("Why.",)), 4, 256, 10**6)
    assert probe.step_seconds(wide, 4000) > probe.step_seconds(narrow, 4000)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_measures_where_nothing_else_is_trained(mode):
    with mode():
        assert suggest(ar_process([0.5], 500, seed=0), levels=4, seed=np.int64(3))[0].delta == 1


def test_an_interrupt_ends_the_measuring(monkeypatch):
    monkeypatch.setattr(probe, "train", lambda *given, watch, **options: watch.step(None))
    with pytest.raises(KeyboardInterrupt):
        suggest(ar_process([0.5], 500, seed=0), levels=4)


def test_a_suggestion_can_be_trained_as_it_is():
    clips = bundled_clips(3)
    first = suggest(clips, budget=2, parameters=5000, levels=10)[0]
    history = train.train(WaveNet(first.config), clips, **{**first.recipe, "steps": 3}, progress=False)
    assert len(history.bits) == 3
    assert first.recipe["steps"] == first.steps


@pytest.mark.parametrize(
    ("options", "error", "shown"),
    [
        ({"budget": 0}, ValueError, "budget=0"),
        ({"budget": "1"}, TypeError, "budget='1'"),
        ({"budget": 1e308}, ValueError, "budget=1e+308"),
        ({"parameters": 0}, ValueError, "parameters=0"),
        ({"parameters": 1.5}, TypeError, "parameters=1.5"),
        ({"levels": 1}, ValueError, "levels=1"),
        ({"levels": 65_537}, ValueError, "levels=65537"),
        ({"seed": -1}, ValueError, "seed=-1"),
    ],
)
def test_bad_options_are_refused(options, error, shown):
    refused(lambda: suggest([0.0, 1.0] * 50, **options), error, shown)


def test_what_is_no_dataset_is_refused():
    refused(lambda: suggest([]), ValueError)
    refused(lambda: suggest(iter([1.0])), TypeError)
