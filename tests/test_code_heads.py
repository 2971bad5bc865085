"""Heads for codes: probabilities that sum to 1 whatever the outputs are, finite gradients, draws that follow them, bits that compare."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from helpers import SEEDS, chi_square, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from wavenetlike.heads import HEADS, BinnedGaussianHead, BinnedMSEHead, CodeHead, LogisticsHead, SoftmaxHead, code_head
from wavenetlike.heads.bins import log_ndtr

LEVELS = [2, 3, 10, 256, 65_536]
EXTREMES = [0.0, 1e-30, 1.0, -1.0, 7.0, -12.0, 50.0, -50.0, 1e3, -1e3, 1e10, -1e10, 1e30, -1e30, 3e38, -3e38]
ALL = pytest.mark.parametrize("name", HEADS)


def random_outputs(head: CodeHead, batch: int, time: int, scale: float, seed: int = 0) -> Tensor:
    return scale * torch.randn(batch, head.channels, time, generator=torch.Generator().manual_seed(seed))


def extreme_outputs(head: CodeHead) -> Tensor:
    """Every pair of extremes as the first two kinds of outputs, in all components, (1, channels, pairs)."""
    pairs = torch.tensor(list(itertools.product(EXTREMES, EXTREMES))).T
    kinds = torch.cat([pairs, pairs[:1].roll(3)])
    repeated = kinds.repeat_interleave(max(1, -(-head.channels // 3)), dim=0)
    return repeated[: head.channels].repeat(-(-head.channels // len(repeated)), 1)[: head.channels][None]


@ALL
@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("scale", [0.0, 0.1, 3.0, 100.0])
def test_probabilities_sum_to_one(name, levels, scale):
    head = code_head(name, levels, 3)
    n = 2 if levels > 1000 else 20
    p = head.log_probabilities(random_outputs(head, 1, n, scale)).detach().double().exp()
    assert p.shape == (1, levels, n)
    # torch's softmax of 65,536 logits in float32 is off by 8e-5.
    atol = 2e-4 if name == "softmax" else 1e-5
    torch.testing.assert_close(p.sum(dim=1), torch.ones(1, n, dtype=torch.float64), rtol=0, atol=atol)


@ALL
@pytest.mark.parametrize("levels", [2, 3, 10, 256])
def test_probabilities_sum_to_one_at_every_extreme(name, levels):
    head = code_head(name, levels, 2)
    outputs = extreme_outputs(head)
    p = head.log_probabilities(outputs).detach().double().exp()
    torch.testing.assert_close(p.sum(dim=1), torch.ones(1, outputs.shape[2], dtype=torch.float64), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["logistics", "gaussian", "mse"])
def test_end_bins_hold_all_that_is_beyond(name):
    head = code_head(name, 100, 1)
    for mean, code in ((-30.0, 0), (30.0, 99)):
        outputs = torch.zeros(1, head.channels, 1)
        outputs[:, 1 if name == "logistics" else 0] = mean
        assert head.log_probabilities(outputs)[0, code, 0].item() == pytest.approx(0, abs=1e-5)


@ALL
@pytest.mark.parametrize("levels", [2, 256, 65_536])
def test_gradients_are_finite_for_any_finite_outputs(name, levels):
    head = code_head(name, levels, 2)
    outputs = extreme_outputs(head)
    for code in {0, 1, levels // 2, levels - 1}:
        given = outputs.clone().requires_grad_()
        loss = head.loss(given, torch.full((1, outputs.shape[2]), code))
        loss.backward()
        # A sum of logits of 3·10³⁸ is no float32; its gradient is.
        assert loss.isfinite() or name == "softmax"
        assert given.grad is not None
        assert given.grad.isfinite().all()
        assert all(p.grad.isfinite().all() for p in head.parameters())


def by_hand(name: str, head: CodeHead, outputs: Tensor) -> Tensor:
    """P of every code, (levels, time), by differences of distribution functions in float64."""
    x = outputs[0].double()
    h = 1 / (head.levels - 1)
    borders = torch.tensor([2 * h * k - 1 + h for k in range(head.levels - 1)], dtype=torch.float64)[:, None]
    if name == "logistics":
        logits, means, log_scales = x.chunk(3)
        cdf = torch.stack([torch.sigmoid((borders - m) / s.exp()) for m, s in zip(means, log_scales, strict=True)])
        below = (logits.softmax(0)[:, None] * cdf).sum(dim=0)
    else:
        sigma = x[1].exp() if name == "gaussian" else head.log_sigma.detach().double().exp().expand(x.shape[1])
        below = Normal(x[0], sigma).cdf(borders)
    ends = torch.zeros(1, x.shape[1], dtype=torch.float64)
    return torch.cat([ends, below, ends + 1]).diff(dim=0)


@settings(max_examples=60)
@given(st.sampled_from(["logistics", "gaussian", "mse"]), st.integers(2, 40), SEEDS)
def test_probabilities_are_differences_of_the_distribution_function(name, levels, seed):
    head = code_head(name, levels, 3)
    outputs = random_outputs(head, 1, 6, 0.7, seed)
    for p in head.parameters():
        p.data.fill_(-0.8)
    log_p = head.log_probabilities(outputs)[0].detach().double()
    expected = by_hand(name, head, outputs)
    large = expected > 1e-6
    torch.testing.assert_close(log_p[large], expected[large].log(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "slope"), [("logistics", 1.0), ("gaussian", None)])
def test_far_bins_do_not_become_zero(name, slope):
    head = code_head(name, 65_536, 1)
    outputs = torch.zeros(1, head.channels, 1)
    outputs[:, -1] = math.log(1e-3)
    log_p = head.log_probabilities(outputs)[0, :, 0]
    # 500 and 1000 scales from the mean: e^{-500} is no float32.
    far = log_p[[32_768 + 16_384, 65_534]]
    expected = -500.0 if slope else -(500.0**2) / 2 + 1000.0**2 / 2
    assert far[1] < far[0] < -400
    if slope:
        assert (far[1] - far[0]).item() == pytest.approx(expected, rel=1e-3)
    else:
        assert (far[0] - far[1]).item() == pytest.approx(3 * 500.0**2 / 2, rel=1e-3)


def test_the_normal_distribution_is_right_in_its_tails():
    x = -torch.tensor([-40.0, -8.0, 0.0, 0.5, 0.999, 1.001, 3.0, 30.0, 1e4, 1e7, 1e10], dtype=torch.float64)
    x.requires_grad_()
    y = log_ndtr(x)
    y.sum().backward()
    torch.testing.assert_close(y, torch.special.log_ndtr(x), rtol=1e-12, atol=1e-15)
    # Mills: -x < φ/Φ < -x - 1/x where x is far below 0.
    far = x.detach() < -2
    z = -x.detach()[far]
    assert ((x.grad[far] >= z * (1 - 1e-12)) & (x.grad[far] <= (z + 1 / z) * (1 + 1e-12))).all()
    phi = torch.exp(-x.detach().square() / 2 - y.detach()) / math.sqrt(2 * math.pi)
    torch.testing.assert_close(x.grad[:8], phi[:8], rtol=1e-9, atol=1e-15)


DRAWS = 20_000


@ALL
@pytest.mark.parametrize("levels", [2, 7, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_draws_follow_the_probabilities(name, levels, seed):
    head = code_head(name, levels, 3)
    for p in head.parameters():
        p.data.fill_(-1.0)
    outputs = random_outputs(head, 1, 1, 0.7, seed)
    noise = head.noise(1, DRAWS, torch.Generator().manual_seed(seed))[0]
    codes = head.sample(outputs[..., 0].expand(DRAWS, -1), noise)
    p = head.log_probabilities(outputs)[0, :, 0].detach().double().exp()
    counts, often = torch.bincount(codes, minlength=levels), p * DRAWS > 5
    # Rare codes in one cell; up to 40 degrees of freedom: a chance below 1e-5 beyond 95; the seeds are fixed.
    cells = torch.cat([counts[often], counts[~often].sum()[None]])
    expected = torch.cat([p[often], p[~often].sum()[None].clamp(min=1e-12)])
    keep = expected * DRAWS > 1
    assert chi_square(cells[keep], expected[keep] / expected[keep].sum()) < (30 if levels < 10 else 95)


@ALL
def test_temperature_makes_draws_more_timid(name):
    head = code_head(name, 64, 3)
    outputs, noise = random_outputs(head, 500, 1, 0.5)[..., 0], head.noise(1, 500, torch.Generator().manual_seed(0))[0]
    likeliest = head.sample(outputs, None)
    assert torch.equal(head.sample(outputs, noise, temperature=1e-30), likeliest)
    spreads = [(head.sample(outputs, noise, temperature=t) - likeliest).abs().float().mean() for t in (0.1, 0.5, 1.0)]
    assert spreads == sorted(spreads)
    for temperature in (1e-300, 1e300):
        codes = head.sample(outputs, noise, temperature=temperature)
        assert 0 <= codes.min() <= codes.max() < 64


@ALL
@settings(max_examples=20)
@given(SEEDS, st.integers(1, 30), st.integers(1, 4), st.integers(1, 30))
def test_noise_is_the_same_in_one_piece_and_in_several(name, seed, n, batch, first):
    head = code_head(name, 9, 3)
    one, two = (torch.Generator().manual_seed(seed) for _ in range(2))
    whole = head.noise(n, batch, one)
    assert whole.shape == (n, batch, head.n_noise)
    assert whole.dtype == torch.float32
    sizes = [min(first, n), n - min(first, n)]
    assert torch.equal(torch.cat([head.noise(size, batch, two) for size in sizes if size]), whole)


@ALL
def test_bits_are_the_same_scale(name):
    """The loss is the mean of -log₂ P, of the targets alone; so heads compare."""
    head = code_head(name, 20, 2)
    outputs = random_outputs(head, 3, 11, 0.5)
    codes = torch.randint(20, (3, 11), generator=torch.Generator().manual_seed(0))
    log_p = head.log_probabilities(outputs).detach()
    expected = -log_p.gather(1, codes[:, None])[:, 0] / math.log(2)
    assert head.loss(outputs, codes).item() == pytest.approx(expected.mean().item(), rel=1e-5)
    ignored = codes.masked_fill(torch.arange(11) < 4, -100)
    assert head.loss(outputs, ignored).item() == pytest.approx(expected[:, 4:].mean().item(), rel=1e-5)
    torch.testing.assert_close(head.log_prob(outputs, codes).detach(), -expected * math.log(2), rtol=1e-5, atol=1e-5)


def test_mse_learns_its_mean_by_least_squares_and_its_sigma_by_likelihood():
    head = BinnedMSEHead(64)
    outputs = random_outputs(head, 2, 30, 0.3).requires_grad_()
    codes = torch.randint(64, (2, 30), generator=torch.Generator().manual_seed(0))
    head.loss(outputs, codes).backward()
    values = 2 * codes / 63 - 1
    torch.testing.assert_close(outputs.grad[:, 0], 2 * (outputs.detach()[:, 0] - values) / 60)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=100)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = head.loss(outputs.detach(), codes)
        loss.backward()
        return loss

    optimizer.step(closure)
    rms = (values - outputs.detach()[:, 0]).square().mean().sqrt().item()
    assert head.log_sigma.exp().item() == pytest.approx(rms, rel=0.05)


@pytest.mark.parametrize("levels", [2, 10, 256, 65_536])
def test_a_mixture_learns_what_a_softmax_would_have_to_see_code_by_code(levels):
    torch.manual_seed(0)
    head = LogisticsHead(levels, 3)
    codes = (levels * (0.5 + 0.1 * torch.randn(1, 400))).long().clamp(0, levels - 1)
    outputs = torch.nn.Parameter(torch.zeros(1, head.channels, 1))
    optimizer = torch.optim.Adam([outputs], lr=0.05)
    first = head.loss(outputs.expand(-1, -1, 400), codes).item()
    for _ in range(150):
        optimizer.zero_grad()
        loss = head.loss(outputs.expand(-1, -1, 400), codes)
        loss.backward()
        optimizer.step()
    assert loss.item() < first
    # ½ log₂(2πe σ²) of σ = a tenth of the levels, and what 400 samples and bins leave.
    expected = 0.5 * math.log2(2 * math.pi * math.e) + math.log2(0.1 * levels)
    if levels > 2:
        assert loss.item() == pytest.approx(expected, abs=0.2)


@ALL
def test_other_levels_are_refused(name):
    for levels, error in [(1, ValueError), (65_537, ValueError), (2.0, TypeError), (True, TypeError)]:
        refused(lambda levels=levels: code_head(name, levels), error, f"levels={levels}")


def test_other_arguments_are_refused():
    refused(lambda: LogisticsHead(10, 0), ValueError, "n_mixtures=0")
    head = BinnedGaussianHead(10)
    refused(lambda: head.sample(torch.zeros(1, 2), head.noise(1, 1)[0], top_k=3), ValueError, "top_k=3")


def test_channels_are_few_but_for_a_softmax():
    assert [code_head(name, 65_536, 10).channels for name in HEADS] == [65_536, 30, 2, 1]
    assert [type(code_head(name, 4)) for name in HEADS] == [
        SoftmaxHead,
        LogisticsHead,
        BinnedGaussianHead,
        BinnedMSEHead,
    ]
