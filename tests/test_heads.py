"""Heads: losses against torch's own distributions, samples against the probabilities."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import SEEDS, chi_square
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Categorical, Normal

from wavenetlike import Losses
from wavenetlike.heads import GaussianHead, MSEHead, SoftmaxHead

DRAWS = 20000
# Five codes: 4 degrees of freedom, a chance of 5e-6 beyond 30; the seeds are fixed.
BOUND = 30.0
LOGITS = torch.tensor([0.0, 1.0, -1.0, 2.0, 0.5])


def noise(batch: int, levels: int, seed: int = 0) -> torch.Tensor:
    return SoftmaxHead(levels).noise(1, batch, torch.Generator().manual_seed(seed))[0]


def draws(seed: int, **options: object) -> torch.Tensor:
    codes = SoftmaxHead(5).sample(LOGITS.expand(DRAWS, -1), noise(DRAWS, len(LOGITS), seed), **options)
    return torch.bincount(codes, minlength=len(LOGITS))


@settings(max_examples=50)
@given(SEEDS, st.integers(1, 3), st.integers(1, 20), st.floats(1e-3, 1e3))
def test_mse_is_the_mean_square(seed, batch, time, scale):
    torch.manual_seed(seed)
    outputs, targets = scale * torch.randn(batch, 1, time), scale * torch.randn(batch, time)
    expected = sum((outputs[i, 0, t] - targets[i, t]).item() ** 2 for i in range(batch) for t in range(time))
    assert MSEHead().loss(outputs, targets).item() == pytest.approx(expected / (batch * time), rel=1e-5)
    assert torch.equal(MSEHead().sample(outputs[..., 0]), outputs[:, 0, 0])


@settings(max_examples=50)
@given(SEEDS, st.floats(-5, 5), st.integers(1, 3), st.integers(1, 20))
def test_gaussian_loss_is_that_of_the_normal_distribution(seed, log_sigma, batch, time):
    torch.manual_seed(seed)
    head = GaussianHead().double()
    head.log_sigma.data.fill_(log_sigma)
    outputs = torch.randn(batch, 1, time, dtype=torch.float64)
    targets = torch.randn(batch, time, dtype=torch.float64)
    expected = -Normal(outputs[:, 0], math.exp(log_sigma)).log_prob(targets).mean()
    torch.testing.assert_close(head.loss(outputs, targets), expected, rtol=1e-12, atol=1e-12)
    assert head.sigma == pytest.approx(math.exp(log_sigma), rel=1e-12)


def test_gaussian_loss_is_least_at_the_root_mean_square():
    torch.manual_seed(0)
    head = GaussianHead().double()
    outputs, targets = torch.zeros(1, 1, 1000).double(), 3 * torch.randn(1, 1000).double()
    head.log_sigma.data.fill_(targets.square().mean().sqrt().log())
    (slope,) = torch.autograd.grad(head.loss(outputs, targets), head.log_sigma)
    assert slope.item() == pytest.approx(0, abs=1e-12)


def test_gaussian_samples_have_its_mean_and_spread():
    head = GaussianHead().double()
    head.log_sigma.data.fill_(math.log(2.5))
    mean = torch.full((DRAWS, 1), -7.0, dtype=torch.float64)
    x = head.sample(mean, torch.Generator().manual_seed(0))
    assert x.shape == (DRAWS,)
    # Five standard errors of each.
    assert x.mean().item() == pytest.approx(-7.0, abs=5 * 2.5 / math.sqrt(DRAWS))
    assert x.std().item() == pytest.approx(2.5, abs=5 * 2.5 / math.sqrt(2 * DRAWS))
    assert torch.equal(x, head.sample(mean, torch.Generator().manual_seed(0)))
    assert not torch.equal(x, head.sample(mean, torch.Generator().manual_seed(1)))


@settings(max_examples=50)
@given(SEEDS, st.integers(2, 12), st.integers(1, 3), st.integers(1, 10), st.floats(0.1, 10))
def test_softmax_loss_is_in_bits(seed, levels, batch, time, scale):
    torch.manual_seed(seed)
    logits = scale * torch.randn(batch, levels, time, dtype=torch.float64)
    codes = torch.randint(levels, (batch, time))
    log_probabilities = Categorical(logits=logits.transpose(1, 2)).log_prob(codes)
    expected = -log_probabilities.mean().item() / math.log(2)
    assert SoftmaxHead(levels).loss(logits, codes).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("levels", [2, 10, 256])
def test_knowing_nothing_costs_log2_of_the_levels(levels):
    loss = SoftmaxHead(levels).loss(torch.zeros(1, levels, 7), torch.zeros(1, 7, dtype=torch.int64))
    assert loss.item() == pytest.approx(math.log2(levels), rel=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_samples_follow_the_softmax_at_every_temperature(temperature):
    counts = draws(0, temperature=temperature)
    assert chi_square(counts, (LOGITS / temperature).softmax(0)) < BOUND
    # The bound tells the temperatures apart.
    assert chi_square(counts, (LOGITS / (1.2 * temperature)).softmax(0)) > BOUND


def test_temperature_divides_the_logits():
    logits, drawn = torch.randn(500, 8, generator=torch.Generator().manual_seed(0)), noise(500, 8, 3)
    head = SoftmaxHead(8)
    warm = head.sample(logits, drawn, temperature=0.7)
    assert torch.equal(warm, head.sample(logits / 0.7, drawn))
    assert torch.equal(head.sample(logits, drawn, temperature=1e-6), logits.argmax(dim=1))


@pytest.mark.parametrize("temperature", [1e-300, 1e-45, 1e-38, 1e38, 1e300])
def test_the_ends_of_the_temperature(temperature):
    logits, drawn = 100 * torch.randn(500, 8, generator=torch.Generator().manual_seed(0)), noise(500, 8)
    expected = (logits if temperature < 1 else drawn).argmax(dim=1)
    assert torch.equal(SoftmaxHead(8).sample(logits, drawn, temperature=temperature), expected)


@settings(max_examples=50)
@given(SEEDS, st.integers(1, 40), st.integers(1, 4), st.integers(2, 300), st.integers(1, 40))
def test_noise_is_the_same_in_one_piece_and_in_several(seed, n, batch, levels, first):
    one, two = (torch.Generator().manual_seed(seed) for _ in range(2))
    whole = SoftmaxHead(levels).noise(n, batch, one)
    assert whole.shape == (n, batch, levels)
    assert whole.dtype == torch.float32
    sizes = [min(first, n), n - min(first, n)]
    parts = [SoftmaxHead(levels).noise(size, batch, two) for size in sizes if size]
    assert torch.equal(torch.cat(parts), whole)


def test_noise_is_standard_gumbel():
    drawn = SoftmaxHead(100).noise(100, 10, torch.Generator().manual_seed(0)).double().flatten()
    # Mean γ = 0.5772 and variance π² / 6; P(x ≤ q) = exp(-exp(-q)).
    assert drawn.mean().item() == pytest.approx(0.57722, abs=0.02)
    assert drawn.var().item() == pytest.approx(math.pi**2 / 6, rel=0.02)
    for q in (-1.5, 0.0, 3.0, 6.0):
        p = math.exp(-math.exp(-q))
        assert (drawn <= q).double().mean().item() == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / len(drawn)))


@settings(max_examples=50)
@given(SEEDS, st.integers(2, 12), st.data())
def test_top_k_leaves_the_draws_among_the_likeliest(seed, levels, data):
    top_k = data.draw(st.integers(1, levels))
    logits, drawn = torch.randn(50, levels, generator=torch.Generator().manual_seed(seed)), noise(50, levels, seed)
    codes = SoftmaxHead(levels).sample(logits, drawn, top_k=top_k)
    assert (logits.topk(top_k, dim=1).indices == codes[:, None]).any(dim=1).all()
    free = SoftmaxHead(levels).sample(logits, drawn)
    is_free_within = (logits.topk(top_k, dim=1).indices == free[:, None]).any(dim=1)
    assert torch.equal(codes[is_free_within], free[is_free_within])


def test_same_generator_gives_the_same_samples():
    assert torch.equal(draws(1), draws(1))
    assert not torch.equal(draws(1), draws(2))


def test_greedy_takes_the_likeliest():
    logits = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
    codes = SoftmaxHead(8).sample(logits, None, temperature=5.0)
    assert codes.shape == (500,)
    assert torch.equal(codes, logits.argmax(dim=1))


def test_only_the_gaussian_head_learns():
    assert list(MSEHead().parameters()) == []
    assert list(SoftmaxHead(5).parameters()) == []
    assert [name for name, _ in GaussianHead().named_parameters()] == ["log_sigma"]


def test_losses_are_two():
    assert [loss.name for loss in Losses] == ["mse", "gaussian"]
