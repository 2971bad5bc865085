"""docs/mathematics.md: every equation has a number, a function that computes it and a test; and those that no other test checks hold."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import SEEDS, built, random_codes, wavenet_configs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wavenetlike import Block, MuLaw, WaveNet, WaveNetConfig, train
from wavenetlike.analysis import ar2_autocorrelation, ar2_standard_error, baselines, least_squares_ar, sample_cost
from wavenetlike.analysis.dependence import autocovariance, pooled_ar
from wavenetlike.analysis.information import mutual_information
from wavenetlike.data import ar_process, signal_to_noise
from wavenetlike.generate import METHODS
from wavenetlike.heads import BinnedGaussianHead, SoftmaxHead
from wavenetlike.layers import CodeEmbedding, ResidualLayer

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "mathematics.md"
TEXT = PAGE.read_text(encoding="utf-8")

EQUATION = re.compile(r"^\$\$\n(?P<formula>.+?)\n\$\$ \((?P<label>[a-z0-9-]+)\)$", re.DOTALL | re.MULTILINE)
LINK = r"\[`(?P<name>[\w.]+)`\]\((?P<path>\.\./[\w./]+\.py)\)"
LINKS = re.sub(r"\?P<\w+>", "", LINK) + r"(?:, " + re.sub(r"\?P<\w+>", "", LINK) + ")*"
SOURCES = re.compile(rf"^Computed by (?P<functions>{LINKS}) · checked by (?P<tests>{LINKS})\.$", re.MULTILINE)
MOST_TOGETHER = 3


def links(text: str) -> Iterator[tuple[str, Path]]:
    """Each name of some links, with the file that it leads to."""
    for match in re.finditer(LINK, text):
        yield match["name"], (PAGE.parent / match["path"]).resolve()


@functools.cache
def names_in(path: Path) -> set[str]:
    return {
        node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    }


def found(name: str) -> object:
    """What a name of the package stands for."""
    module, *rest = name.split(".")
    try:
        return functools.reduce(getattr, rest, importlib.import_module(f"wavenetlike.{module}"))
    except AttributeError:
        return functools.reduce(getattr, rest[1:], importlib.import_module(f"wavenetlike.{module}.{rest[0]}"))


def unsourced(text: str) -> list[str]:
    """The labels of equations that no line below says the sources of, before the next heading and before three more equations."""
    wrong: list[str] = []
    for section in re.split(r"^#+ ", text, flags=re.MULTILINE):
        waiting: list[str] = []
        for match in sorted([*EQUATION.finditer(section), *SOURCES.finditer(section)], key=lambda match: match.start()):
            if match.re is SOURCES:
                waiting = []
                continue
            waiting.append(match["label"])
            if len(waiting) > MOST_TOGETHER:
                wrong.append(waiting.pop(0))
        wrong += waiting
    return wrong


def test_every_displayed_equation_has_a_name_of_its_own():
    labels = [match["label"] for match in EQUATION.finditer(TEXT)]
    assert len(labels) > 60
    assert len(set(labels)) == len(labels)
    assert TEXT.count("$$") == 2 * len(labels), "each by itself, with its label behind it"
    assert "```" not in TEXT


def test_every_reference_leads_to_an_equation():
    labels = {match["label"] for match in EQUATION.finditer(TEXT)}
    named = re.findall(r"\{eq\}`([^`]*)`", TEXT)
    assert len(named) > 20
    assert set(named) <= labels


def test_every_equation_has_its_sources():
    assert unsourced(TEXT) == []
    assert len(re.findall("^Computed by", TEXT, re.MULTILINE)) == len(SOURCES.findall(TEXT)), "one form for all"


def test_an_equation_without_sources_is_seen():
    one, line = "$$\nx\n$$ ({})\n\n", "Computed by [`a.b`](../a.py) · checked by [`test_c`](../d.py).\n\n"
    assert unsourced(one.format("u") + line) == []
    assert unsourced(one.format("u") + line + one.format("v")) == ["v"]
    assert unsourced(one.format("u") + "## Next\n\n" + line) == ["u"]
    assert unsourced("".join(map(one.format, "uvwx")) + line) == ["u"]


@pytest.mark.parametrize(
    "line", [*SOURCES.finditer(TEXT)], ids=lambda line: f"line-{TEXT.count(chr(10), 0, line.start()) + 1}"
)
def test_sources_are_there(line):
    for name, path in links(line["functions"]):
        it = found(name)
        it = it.fget if isinstance(it, property) else it
        assert callable(it), name
        assert Path(inspect.getsourcefile(inspect.unwrap(it)) or "").resolve() == path, name
    for name, path in links(line["tests"]):
        assert name.startswith("test_")
        assert name in names_in(path), f"{name} in {path.name}"


# One pass


@settings(max_examples=50)
@given(wavenet_configs(), SEEDS)
def test_one_pass_gives_what_each_window_gives(config, seed):
    model, delta = built(config, seed), config.receptive_field
    codes = random_codes(config.levels, 1, delta + 7, seed=seed)
    with torch.no_grad():
        once = model(codes, padded=False)
        each = [model(codes[:, t : t + delta], padded=False) for t in range(8)]
    torch.testing.assert_close(once, torch.cat(each, dim=2), rtol=1e-4, atol=1e-5)


# AR(2)


@pytest.mark.parametrize(("a", "b"), [(0.5, -0.3), (1.2, -0.7), (-0.4, 0.3)])
def test_misses_of_an_ar2_have_the_covariance_that_is_derived(a, b):
    n, repeats = 1000, 600
    estimates = [least_squares_ar(ar_process([a, b], n, sigma=3.0, seed=seed)).coefficients for seed in range(repeats)]
    found = np.cov(np.array(estimates).T) * n
    matrix = [[1 - b * b, -a * (1 + b)], [-a * (1 + b), 1 - b * b]]
    # Of 600 a variance is known to 6%.
    assert found == pytest.approx(np.array(matrix), abs=0.25 * (1 - b * b))
    assert ar2_standard_error(b, n) ** 2 * n == pytest.approx(matrix[0][0])
    assert -ar2_autocorrelation(a, b, 1)[1] * matrix[0][0] == pytest.approx(matrix[0][1])
    rho = np.corrcoef(np.array(estimates).T)[0, 1]
    assert rho == pytest.approx(-ar2_autocorrelation(a, b, 1)[1], abs=0.12)


# Layers


@pytest.mark.parametrize(("kernel_length", "n_layers"), [(2, 5), (3, 3), (4, 2)])
def test_every_lag_of_a_block_has_one_way(kernel_length, n_layers):
    block = Block(n_layers, kernel_length, dilation_rate=kernel_length).double()
    delta = kernel_length**n_layers
    assert block.receptive_field == delta
    impulse = torch.zeros(1, 1, 2 * delta, dtype=torch.float64)
    silent = block(impulse)[0, 0]
    impulse[0, 0, 0] = 1
    kernel = (block(impulse)[0, 0] - silent)[:delta]
    for tau in range(delta):
        digits = [tau // kernel_length**i % kernel_length for i in range(n_layers)]
        weights = [layer.weight[0, 0, kernel_length - 1 - j] for layer, j in zip(block.layers, digits, strict=True)]
        torch.testing.assert_close(kernel[tau], torch.stack(weights).prod())


def test_an_embedding_is_a_one_hot_product():
    embedding, codes = CodeEmbedding(7, 5), random_codes(7, 2, 9)
    product = torch.nn.functional.one_hot(codes, 7).float() @ embedding.table
    torch.testing.assert_close(embedding(codes), product)


def test_a_gradient_passes_a_residual_way_undiminished():
    torch.manual_seed(0)
    layers = [ResidualLayer(3, 2, kernel_length=2, dilation=2**i).double() for i in range(3)]
    x = torch.randn(1, 3, 9, dtype=torch.float64)

    def jacobian(function, at: Tensor) -> Tensor:
        return torch.autograd.functional.jacobian(function, at).reshape(27, 27)

    def stack(h: Tensor) -> Tensor:
        return functools.reduce(lambda h, layer: layer(h)[0], layers, h)

    product, h = torch.eye(27, dtype=torch.float64), x
    for layer in layers:
        product = (torch.eye(27) + jacobian(lambda at, layer=layer: layer.residual(layer.gated(at)), h)) @ product
        h = layer(h)[0]
    torch.testing.assert_close(jacobian(stack, x), product)
    for layer in layers:
        layer.residual.weight.data *= 1e-4
    torch.testing.assert_close(jacobian(stack, x), torch.eye(27, dtype=torch.float64), rtol=0, atol=1e-3)


SHAPE = ["levels", "n_blocks", "n_layers", "kernel_length", "dilation_rate"]
SHAPE += ["residual_channels", "gate_channels", "skip_channels"]


@settings(max_examples=50)
@given(wavenet_configs())
def test_weights_and_parameters_are_those_of_the_formula(config):
    config = WaveNetConfig(**{name: getattr(config, name) for name in SHAPE})
    n, k, out = len(config.dilations), config.kernel_length, config.levels
    residual, gate, skip = config.residual_channels, config.gate_channels, config.skip_channels
    weights = n * 2 * k * residual * gate + (n - 1) * gate * residual + n * gate * skip + skip**2 + skip * out
    parameters = weights + config.levels * residual + n * 2 * gate + (n - 1) * residual + 2 * skip + out
    assert config.multiplications == weights
    assert config.parameters == parameters == sum(p.numel() for p in WaveNet(config).parameters())


# µ-law

SPREADS = [0.02, 0.1, 0.3]


def sound(spread: float, n: int = 400_000) -> Tensor:
    return (torch.randn(1, n, generator=torch.Generator().manual_seed(0)) * spread).clamp(-0.999, 0.999)


@pytest.mark.parametrize("levels", [64, 256, 1024])
@pytest.mark.parametrize("spread", SPREADS)
def test_noise_of_mu_law_is_as_derived(levels, spread):
    x, mu_law = sound(spread), MuLaw(levels)
    mu, size = levels - 1, x.double().abs()
    bracket = 1 + 2 * mu * size.mean() + mu**2 * size.square().mean()
    assert mu_law.noise(x) == pytest.approx(float(math.log1p(mu) ** 2 / (3 * mu**4) * bracket))
    measured = (mu_law.decode(mu_law.encode(x)) - x).double().square().mean().item()
    assert measured == pytest.approx(mu_law.noise(x), rel=0.03)


def test_signal_to_noise_of_mu_law_does_not_depend_on_loudness():
    limits = {levels: 10 * math.log10(3 * (levels - 1) ** 2 / math.log(levels) ** 2) for levels in (256, 512)}
    assert limits == pytest.approx({256: 38.0, 512: 43.0}, abs=0.06)
    for levels, limit in limits.items():
        mu_law = MuLaw(levels)
        measured = [signal_to_noise(x, mu_law.decode(mu_law.encode(x))) for x in map(sound, SPREADS[1:])]
        assert measured == pytest.approx([limit] * 2, abs=0.5)
    mu_law, border = MuLaw(256), 1 / math.log(256)
    assert border == pytest.approx(0.18, abs=0.005)
    for spread, is_better in [(border / 2, True), (border * 2, False)]:
        x = 2 * spread * (torch.rand(1, 100_000, generator=torch.Generator().manual_seed(0)) - 0.5) * math.sqrt(3)
        even = 10 * math.log10(3 * 255**2 * x.double().square().mean().item())
        assert (signal_to_noise(x, mu_law.decode(mu_law.encode(x))) > even) == is_better


# Bits


@given(st.lists(st.integers(1, 9), min_size=4, max_size=4), st.lists(st.integers(1, 9), min_size=4, max_size=4))
def test_the_least_loss_is_the_entropy(one, two):
    counts, q = torch.tensor(one, dtype=torch.float64), torch.tensor(two, dtype=torch.float64)
    codes = torch.arange(4).repeat_interleave(counts.long())[None]
    p, q = counts / counts.sum(), q / q.sum()

    def loss(probabilities: Tensor) -> float:
        outputs = probabilities.log()[None, :, None].expand(1, -1, codes.shape[1])
        return SoftmaxHead(4).loss(outputs, codes).item()

    entropy = -(p * p.log2()).sum().item()
    assert loss(p) == pytest.approx(entropy)
    assert loss(q) == pytest.approx(entropy + (p * (p / q).log2()).sum().item())
    assert loss(q) >= entropy - 1e-12


@given(st.integers(2, 5), st.integers(2, 40), SEEDS)
def test_the_bigram_model_is_the_best_of_the_baselines(levels, n, seed):
    commonest, previous, bigram = (score.bits for score in baselines([random_codes(levels, n, seed=seed)], levels, 1))
    assert bigram <= min(commonest, previous) + 1e-9


def test_the_gradient_of_a_softmax_is_what_it_expects_less_what_came():
    outputs = torch.randn(1, 6, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    SoftmaxHead(6).loss(outputs, torch.tensor([[4]])).backward()
    came = torch.tensor([0, 0, 0, 0, 1, 0])
    torch.testing.assert_close(outputs.grad[0, :, 0], (outputs.softmax(1)[0, :, 0] - came) / math.log(2))


@pytest.mark.parametrize("s", [0.02, 0.1])
def test_bits_of_a_normal_head_are_those_of_its_density(s):
    head, n = BinnedGaussianHead(1024), 20_000
    x = 0.1 + s * torch.randn(1, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    outputs = torch.tensor([0.1, math.log(s)], dtype=torch.float64)[None, :, None].expand(1, 2, n)
    expected = math.log2(1023 / 2) + math.log2(2 * math.pi * math.e * s**2) / 2
    # The mean of n squares is known to √(2/n), and counts half in nats.
    assert head.loss(outputs, head.to_codes(x)).item() == pytest.approx(expected, abs=0.03)


# Generating


@settings(max_examples=50, deadline=None)
@given(wavenet_configs())
def test_columns_and_queues_are_those_that_are_computed(config):
    model, seen = built(config), []
    convolutions = ([] if model.first is None else [model.first]) + [layer.gated for layer in model.layers]
    for conv in convolutions:
        conv.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[2]))
    past = random_codes(config.levels, 1, config.receptive_field)
    with torch.no_grad():
        METHODS["naive"].start(model, past)
        naive = sum(seen)
        queues, _ = METHODS["cached"].start(model, past)
    cost = sample_cost(config)
    assert cost.naive == naive
    assert cost.cached == len(queues.inputs) == len(convolutions)
    assert cost.queued == sum(queue.numel() for queue in queues.inputs)
    assert cost.queued == config.residual_channels * (config.receptive_field - 1)


@pytest.mark.parametrize("n_layers", [1, 2, 5, 10])
def test_one_block_costs_its_closed_form(n_layers):
    config = WaveNetConfig(n_blocks=1, n_layers=n_layers)
    closed = (n_layers - 2) * config.receptive_field + n_layers + 2
    assert sample_cost(config).naive == closed == n_layers * 2**n_layers - (2 ** (n_layers + 1) - 2) + n_layers


# Conditions


def test_counting_finds_as_much_information_in_noise_as_is_taken_off():
    found = []
    for seed in range(40):
        x = ar_process([], 2000, seed=seed).numpy()
        ar = pooled_ar(autocovariance([x], 10), len(x))
        found.append(mutual_information([x], ar, [1, 2, 3]).beyond)
    # Ten bins by ten: the bias is 81 / (2 · 2000 · ln 2) = 0.029 bits; what is left is chance around 0.
    assert np.mean(found) == pytest.approx(0, abs=0.002)


@given(SEEDS, st.integers(2, 4), st.integers(1, 4))
def test_what_a_word_is_worth_adds_up_to_what_it_tells(seed, n_words, n):
    p = np.random.default_rng(seed).dirichlet(np.full(n_words * 2**n, 0.3)).reshape(n_words, *[2] * n)

    def entropy(*axes: int) -> float:
        """Of the joint distribution of some axes, in bits; 0 is the word."""
        rest = tuple(axis for axis in range(n + 1) if axis not in axes)
        q = p.sum(axis=rest)
        return float(-(q[q > 0] * np.log2(q[q > 0])).sum())

    pasts = [range(1, t) for t in range(1, n + 1)]
    spared = [
        (entropy(*past, t) - entropy(*past)) - (entropy(0, *past, t) - entropy(0, *past))
        for t, past in enumerate(pasts, start=1)
    ]
    told = entropy(*range(1, n + 1)) + entropy(0) - entropy(*range(n + 1))
    assert min(spared) >= -1e-9
    assert sum(spared) == pytest.approx(told, abs=1e-9)
    assert told <= entropy(0) + 1e-9


# Training

SMALL = WaveNetConfig(levels=4, n_blocks=1, n_layers=2, residual_channels=4, gate_channels=4, skip_channels=4)


def test_gradients_of_shares_add_up_to_that_of_the_batch():
    model, codes = built(SMALL), random_codes(4, 5, 12)

    def gradient(share: Tensor) -> Tensor:
        loss = model.head.loss(model(share[:, :-1], padded=False), share[:, model.receptive_field :])
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])

    shares = {2 / 5: codes[:2], 3 / 5: codes[2:]}
    weighted = sum(weight * gradient(share) for weight, share in shares.items())
    torch.testing.assert_close(weighted, gradient(codes), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(sum(gradient(share) / 2 for share in shares.values()), gradient(codes), rtol=1e-3)


@pytest.fixture(scope="module")
def hum() -> list[Tensor]:
    t = torch.arange(400) / 9
    return [(0.6 * torch.sin(t + i))[None] for i in range(3)]


def weights_after(steps: int, hum: list[Tensor], **options: object) -> Tensor:
    model = built(SMALL)
    train.train(model, hum, steps=steps, window=50, seed=0, progress=False, schedule="constant", **options)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_first_step_is_as_long_as_the_learning_rate(hum):
    before = torch.cat([p.detach().flatten() for p in built(SMALL).parameters()])
    moved = (weights_after(1, hum, learning_rate=0.01) - before).abs()
    # The tenth of it, for the first of ten; a weight whose gradient is as small as ε moves less.
    assert moved.max() == pytest.approx(0.001, rel=1e-3)
    assert moved[moved > 0].median() == pytest.approx(0.001, rel=1e-3)


def test_an_average_of_weights_is_the_sum_that_is_derived(hum):
    decay, n = 0.8, 4
    each = [weights_after(s, hum, learning_rate=0.01) for s in range(1, n + 1)]
    by_sum = decay ** (n - 1) * each[0] + (1 - decay) * sum(decay**j * each[n - 1 - j] for j in range(n - 1))
    torch.testing.assert_close(weights_after(n, hum, learning_rate=0.01, ema=decay), by_sum, rtol=1e-4, atol=1e-6)
