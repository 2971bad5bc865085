"""Processes: what is drawn has the correlations that theory says, and repeats itself by its seed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers import SEEDS, refused
from hypothesis import given, settings
from hypothesis import strategies as st

from wavenetlike.analysis import ar2_autocorrelation, autocorrelation, least_squares_ar
from wavenetlike.data import is_stationary
from wavenetlike.data.processes import ar_process, long_memory, seasonal_ar, sines, threshold_ar

MAKERS = {
    "ar": lambda n, seed: ar_process([0.5, -0.3, 0.4], n, seed=seed),
    "white": lambda n, seed: ar_process([], n, seed=seed),
    "seasonal": lambda n, seed: seasonal_ar(12, 0.8, n, ar=0.3, seed=seed),
    "sines": lambda n, seed: sines([12, 31.5], n, seed=seed),
    "long": lambda n, seed: long_memory(0.4, n, seed=seed),
    "threshold": lambda n, seed: threshold_ar(n, lag=3, seed=seed),
}


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=20)
@given(SEEDS, st.integers(1, 60))
def test_every_process_is_drawn_by_its_seed(name, seed, n):
    x = MAKERS[name](n, seed)
    assert x.dtype == torch.float64
    assert x.shape == (n,)
    assert x.isfinite().all()
    assert torch.equal(x, MAKERS[name](n, seed))
    if n > 1:
        assert not torch.equal(x, MAKERS[name](n, seed + 1))


@pytest.mark.parametrize("name", MAKERS)
def test_without_a_seed_the_global_one_is_drawn_from(name):
    torch.manual_seed(5)
    one, two = MAKERS[name](20, None), MAKERS[name](20, None)
    torch.manual_seed(5)
    assert torch.equal(one, MAKERS[name](20, None))
    assert not torch.equal(one, two)


@settings(max_examples=200)
@given(st.floats(-2.5, 2.5), st.floats(-1.5, 1.5))
def test_what_is_stationary_is_what_lies_in_the_triangle(a, b):
    if is_stationary(a, b):
        assert ar_process([a, b], 3, seed=0).isfinite().all()
    else:
        refused(lambda: ar_process([a, b], 3, seed=0), ValueError, f"{a}", "unit circle")


@pytest.mark.parametrize(("a", "b"), [(-0.4, 0.5), (1.4, -0.7), (0.9, 0.0)])
def test_second_order_is_the_ar2(a, b):
    x = ar_process([a, b], 200_000, sigma=2.0, seed=1)
    assert autocorrelation(x, 20) == pytest.approx(ar2_autocorrelation(a, b, 20), abs=0.03)
    assert x.var().item() == pytest.approx(4 * (1 - b) / ((1 + b) * ((1 - b) ** 2 - a**2)), rel=0.03)


def test_nothing_of_the_beginning_is_left():
    firsts = torch.stack([ar_process([0.99], 2, seed=seed) for seed in range(400)])
    assert firsts[:, 0].var().item() == pytest.approx(1 / (1 - 0.99**2), rel=0.2)


def test_higher_orders_are_found_again():
    coefficients = [0.5, -0.3, 0.0, 0.0, 0.4]
    assert least_squares_ar(ar_process(coefficients, 100_000, seed=0), 5).coefficients == pytest.approx(
        coefficients, abs=0.015
    )


@pytest.mark.parametrize(("season", "phi", "ar"), [(12, 0.8, 0.0), (7, -0.6, 0.5), (2, 0.5, -0.4)])
def test_a_season_is_the_product_of_two_ar(season, phi, ar):
    weights = [0.0] * (season + 1)
    weights[0], weights[season - 1], weights[season] = ar, phi, -ar * phi
    weights[0] += phi if season == 1 else 0
    one = seasonal_ar(season, phi, 100_000, ar=ar, seed=0)
    two = ar_process(weights, 100_000, seed=1)
    assert autocorrelation(one, 3 * season) == pytest.approx(autocorrelation(two, 3 * season), abs=0.04)
    assert one.var().item() == pytest.approx(two.var().item(), rel=0.05)


@settings(max_examples=20)
@given(st.lists(st.floats(2.5, 40), min_size=1, max_size=3), SEEDS)
def test_sines_without_noise_obey_the_recursion_of_each_period(periods, seed):
    x = sines(periods, 200, noise=0, seed=seed)
    assert x.abs().max() <= len(periods)
    for period in periods:
        x = x[2:] - 2 * math.cos(2 * math.pi / period) * x[1:-1] + x[:-2]
    assert x.abs().max() < 1e-9


@pytest.mark.parametrize("d", [0.1, 0.3, 0.4])
def test_long_memory_has_hoskings_correlations(d):
    x = torch.stack([long_memory(d, 64, seed=seed) for seed in range(4000)])
    covariance = (x[:, :1] * x).mean(dim=0)
    k = torch.arange(1, 64, dtype=torch.float64)
    theory = torch.cat([torch.ones(1, dtype=torch.float64), ((k - 1 + d) / (k - d)).cumprod(0)])
    theory = theory * math.gamma(1 - 2 * d) / math.gamma(1 - d) ** 2
    assert covariance.tolist() == pytest.approx(theory.tolist(), abs=0.12)
    # The end knows of the beginning as the theory says, and not of it as a circle's would.
    assert (x[:, 0] * x[:, -1]).mean().item() == pytest.approx(theory[-1].item(), abs=0.12)


@pytest.mark.parametrize("lag", [1, 3, 10])
@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_a_threshold_is_uniform_and_without_correlation_and_yet_remembers(lag, noise):
    n = 100_000
    x = threshold_ar(n, lag=lag, noise=noise, seed=2)
    assert x.abs().max() <= 1
    shares = np.histogram(x.numpy(), bins=20, range=(-1, 1))[0] / n
    assert shares == pytest.approx(np.full(20, 0.05), abs=0.01)
    assert np.abs(autocorrelation(x, 60)[1:]).max() < 5 / math.sqrt(n)
    assert np.corrcoef(x[lag:], x[:-lag].abs())[0, 1] < -0.7


def test_impossible_processes_are_refused():
    refused(lambda: ar_process([1.0], 10), ValueError, "[1.0]")
    refused(lambda: ar_process([0.5, math.nan], 10), ValueError, "nan")
    refused(lambda: ar_process(0.5, 10), TypeError, "0.5")  # type: ignore[arg-type]
    refused(lambda: ar_process([0.5], 0), ValueError, "n=0")
    refused(lambda: ar_process([0.5], 10, sigma=0), ValueError, "sigma=0")
    refused(lambda: ar_process([0.5], 10, seed=-1), ValueError, "seed=-1")
    refused(lambda: seasonal_ar(1, 0.5, 10), ValueError, "season=1")
    refused(lambda: seasonal_ar(12, 1.0, 10), ValueError, "phi=1.0")
    refused(lambda: seasonal_ar(12, 0.5, 10, ar=-1), ValueError, "ar=-1")
    refused(lambda: sines([], 10), ValueError, "periods=[]")
    refused(lambda: sines([1.5], 10), ValueError, "1.5")
    refused(lambda: sines([12], 10, noise=-1), ValueError, "noise=-1")
    refused(lambda: long_memory(0.5, 10), ValueError, "d=0.5")
    refused(lambda: long_memory(0, 10), ValueError, "d=0")
    refused(lambda: threshold_ar(10, lag=0), ValueError, "lag=0")
    refused(lambda: threshold_ar(10, noise=0), ValueError, "noise=0")
