"""Layers: what they see, what they compute, and that none looks ahead."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from helpers import SEEDS, built, random_codes, refused, wavenet_configs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wavenetlike import Block, WaveNet, WaveNetConfig
from wavenetlike.layers import CausalConv1d, GatedUnit, ResidualLayer, SkipHead, compose, dilations, reach

# Computed in float64: what is equal in exact arithmetic is equal to this.
EXACT = {"rtol": 0.0, "atol": 1e-12}

BLOCKS = st.fixed_dictionaries(
    {
        "n_layers": st.integers(1, 5),
        "kernel_length": st.integers(1, 5),
        "dilation_rate": st.integers(1, 4),
        "channels": st.integers(1, 4),
    }
)
CONVOLUTIONS = st.fixed_dictionaries(
    {
        "in_channels": st.integers(1, 4),
        "out_channels": st.integers(1, 4),
        "kernel_length": st.integers(1, 5),
        "dilation": st.integers(1, 9),
    }
)


def make_block(shape: dict[str, int], seed: int) -> Block:
    torch.manual_seed(seed)
    return Block(**shape).double()


def make_input(channels: int, time: int) -> Tensor:
    return torch.randn(2, channels, time, dtype=torch.float64)


def lags_seen(kernel_length: int, dilations: list[int]) -> set[int]:
    """Every lag that a path through the stack reaches, by adding up one tap a layer."""
    lags = {0}
    for dilation in dilations:
        lags = {lag + tap * dilation for lag in lags for tap in range(kernel_length)}
    return lags


@settings(max_examples=200)
@given(BLOCKS, SEEDS)
def test_receptive_field_is_formula_gradient_and_perturbation(shape, seed):
    block = make_block(shape, seed)
    kernel, rates = shape["kernel_length"], [shape["dilation_rate"] ** i for i in range(shape["n_layers"])]
    delta = 1 + sum((kernel - 1) * rate for rate in rates)
    assert block.receptive_field == delta
    assert block.depth == shape["n_layers"]

    time = delta + 4
    x = make_input(shape["channels"], time)[:1].requires_grad_()
    (gradient,) = torch.autograd.grad(block(x)[0, :, -1].sum(), x)
    by_gradient = {time - 1 - int(t) for t in gradient.abs().sum(dim=(0, 1)).nonzero()}
    assert by_gradient == lags_seen(kernel, rates)
    assert max(by_gradient) == delta - 1

    with torch.no_grad():
        last = block(x)[0, :, -1]
        # All lags of a small stack; of a large one the ends of Δ and the first lags beyond it.
        for lag in range(time) if time <= 24 else (0, delta - 1, delta, delta + 1, time - 1):
            other = x.clone()
            other[0, :, time - 1 - lag] += 1e3
            assert torch.equal(block(other)[0, :, -1], last) == (lag not in by_gradient)


@settings(max_examples=200)
@given(BLOCKS, SEEDS, st.data())
def test_block_never_looks_ahead(shape, seed, data):
    block = make_block(shape, seed)
    x = make_input(shape["channels"], 40)
    t = data.draw(st.integers(0, 38))
    changed = x.clone()
    changed[..., t + 1 :] = torch.randn_like(changed[..., t + 1 :])
    with torch.no_grad():
        torch.testing.assert_close(block(changed)[..., : t + 1], block(x)[..., : t + 1], **EXACT)
        assert not torch.allclose(block(changed)[..., -1], block(x)[..., -1], **EXACT)


@settings(max_examples=200)
@given(BLOCKS, SEEDS, st.integers(0, 20))
def test_padded_output_is_long_and_ends_in_the_unpadded(shape, seed, extra):
    block = make_block(shape, seed)
    delta = block.receptive_field
    x = make_input(shape["channels"], delta + extra)
    with torch.no_grad():
        padded, unpadded = block(x), block(x, padded=False)
        zeros = torch.zeros(2, shape["channels"], delta - 1, dtype=torch.float64)
        silent_past = block(torch.cat([zeros, x], dim=-1), padded=False)
    assert padded.shape == x.shape
    assert unpadded.shape == (2, shape["channels"], extra + 1)
    torch.testing.assert_close(padded[..., delta - 1 :], unpadded, **EXACT)
    torch.testing.assert_close(padded, silent_past, **EXACT)


@settings(max_examples=200)
@given(CONVOLUTIONS, SEEDS, st.integers(1, 50))
def test_convolution_is_that_of_torch_with_padding_on_the_left(shape, seed, time):
    torch.manual_seed(seed)
    conv = CausalConv1d(**shape)
    x = torch.randn(3, shape["in_channels"], time)
    past = (shape["kernel_length"] - 1) * shape["dilation"]
    expected = F.conv1d(F.pad(x, (past, 0)), conv.weight, conv.bias, dilation=shape["dilation"])
    torch.testing.assert_close(conv(x), expected, rtol=0, atol=1e-5)
    longer = torch.randn(3, shape["in_channels"], past + time)
    expected = F.conv1d(longer, conv.weight, conv.bias, dilation=shape["dilation"])
    torch.testing.assert_close(conv(longer, padded=False), expected, rtol=0, atol=1e-5)
    assert conv.receptive_field == past + 1
    assert conv.depth == 1


@settings(max_examples=50)
@given(CONVOLUTIONS, SEEDS)
def test_weights_begin_as_those_of_torch(shape, seed):
    torch.manual_seed(seed)
    ours = CausalConv1d(**shape).state_dict()
    torch.manual_seed(seed)
    theirs = nn.Conv1d(shape["in_channels"], shape["out_channels"], shape["kernel_length"]).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_last_weight_multiplies_the_newest_sample():
    conv = CausalConv1d(1, 1, kernel_length=3, dilation=2)
    conv.load_state_dict({"weight": torch.tensor([[[100.0, 10.0, 1.0]]]), "bias": torch.tensor([1000.0])})
    x = torch.tensor([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    assert conv(x).tolist() == [[[1001.0, 1002.0, 1013.0, 1024.0, 1135.0]]]


@settings(max_examples=60)
@given(CONVOLUTIONS, SEEDS)
def test_gated_unit_is_two_convolutions(shape, seed):
    torch.manual_seed(seed)
    width = shape["out_channels"]
    unit = GatedUnit(shape["in_channels"], width, shape["kernel_length"], shape["dilation"]).double()
    x = make_input(shape["in_channels"], 50)
    weight, bias = unit.conv.weight, unit.conv.bias
    filtered = F.conv1d(x, weight[:width], bias[:width], dilation=shape["dilation"])
    gate = F.conv1d(x, weight[width:], bias[width:], dilation=shape["dilation"])
    torch.testing.assert_close(unit(x, padded=False), torch.tanh(filtered) * torch.sigmoid(gate), **EXACT)
    assert unit(x).shape == (2, width, 50)
    torch.testing.assert_close(unit(x)[..., unit.receptive_field - 1 :], unit(x, padded=False), **EXACT)


@settings(max_examples=60)
@given(CONVOLUTIONS, SEEDS, st.booleans(), st.booleans())
def test_residual_layer_adds_its_newest_inputs(shape, seed, last, padded):
    torch.manual_seed(seed)
    width, gate = shape["in_channels"], shape["out_channels"]
    layer = ResidualLayer(width, gate, shape["kernel_length"], shape["dilation"], last=last).double()
    x = make_input(width, 50)
    y, z = layer(x, padded=padded)
    newest = x if padded else x[..., layer.receptive_field - 1 :]
    torch.testing.assert_close(z, layer.gated(x, padded=padded), **EXACT)
    if last:
        assert torch.equal(y, newest)
        assert all(name.startswith("gated.") for name, _ in layer.named_parameters())
    else:
        way_back = F.conv1d(z, layer.residual.weight, layer.residual.bias)
        torch.testing.assert_close(y, newest + way_back, **EXACT)
    assert layer.receptive_field == 1 + (shape["kernel_length"] - 1) * shape["dilation"]


@settings(max_examples=60)
@given(st.lists(st.integers(5, 20), min_size=1, max_size=5), st.integers(1, 4), st.integers(1, 6), SEEDS)
def test_skip_head_sums_separate_convolutions(lengths, gate, skip, seed):
    torch.manual_seed(seed)
    head = SkipHead(len(lengths), gate, skip, out_channels=3).double()
    gated = [make_input(gate, length) for length in lengths]
    weights = head.skip.weight.split(gate, dim=1)
    n = min(lengths)
    total = sum(F.conv1d(z[..., -n:], weight) for z, weight in zip(gated, weights, strict=True))
    hidden = F.conv1d(F.relu(total + head.skip.bias[:, None]), head.hidden.weight, head.hidden.bias)
    expected = F.conv1d(F.relu(hidden), head.out.weight, head.out.bias)
    torch.testing.assert_close(head(gated), expected, **EXACT)


@settings(max_examples=60)
@given(wavenet_configs(skip_channels=32), SEEDS)
def test_every_parameter_of_a_wavenet_gets_a_gradient(config, seed):
    model = built(config, seed)
    codes = random_codes(config.levels, 2, model.receptive_field + 20, seed=seed)
    model.head.loss(model(codes[:, :-1]), codes[:, 1:]).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        # A direction of one number has nowhere to go.
        is_stuck = name.endswith("weight.original1") and parameter[0].numel() == 1
        assert (parameter.grad != 0).any() or is_stuck, name


def test_three_blocks_of_ten_layers_see_3070():
    config = WaveNetConfig(levels=2, residual_channels=1, gate_channels=1, skip_channels=1)
    assert (config.n_blocks, config.n_layers, config.kernel_length, config.dilation_rate) == (3, 10, 2, 2)
    assert WaveNet(config).receptive_field == 3070
    assert compose(Block(10, 2, 2).receptive_field for _ in range(3)) == 3070


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), max_size=6))
def test_stack_composes_what_its_layers_see(layers):
    deltas = [reach(kernel, dilation) for kernel, dilation in layers]
    assert compose(deltas) == 1 + sum((kernel - 1) * dilation for kernel, dilation in layers)


def test_dilations_grow_by_the_rate():
    assert dilations(4, 3) == [1, 3, 9, 27]
    assert dilations(3, 1) == [1, 1, 1]
    assert [layer.dilation for layer in Block(4, 2, 2).layers] == [1, 2, 4, 8]


def test_convolution_shows_its_shape():
    assert repr(CausalConv1d(2, 3, 4, 5)) == "CausalConv1d(2, 3, kernel_length=4, dilation=5)"


def test_bad_arguments_are_refused():
    good = {"in_channels": 1, "out_channels": 1, "kernel_length": 2, "dilation": 1}
    block = {"n_layers": 1, "kernel_length": 2, "dilation_rate": 2, "channels": 1}
    for maker, arguments in ((CausalConv1d, good), (Block, block)):
        for name in arguments:
            shown = "channels" if name == "channels" else name
            refused(lambda m=maker, a=arguments, n=name: m(**{**a, n: 0}), ValueError, f"{shown}=0")
            refused(lambda m=maker, a=arguments, n=name: m(**{**a, n: -3}), ValueError, f"{shown}=-3")
            refused(lambda m=maker, a=arguments, n=name: m(**{**a, n: True}), TypeError, f"{shown}=True")
            refused(lambda m=maker, a=arguments, n=name: m(**{**a, n: 2.5}), TypeError, f"{shown}=2.5")
            refused(lambda m=maker, a=arguments, n=name: m(**{**a, n: "2"}), TypeError, f"{shown}='2'")
    refused(lambda: GatedUnit(1, 0, 2), ValueError, "gate_channels=0")
    refused(lambda: SkipHead(1, 1, 0, 2), ValueError, "skip_channels=0")


def test_too_short_input_without_padding_is_refused():
    for layer in (CausalConv1d(1, 1, 2, dilation=8), Block(3, 2, 2), GatedUnit(1, 1, 2, 8), ResidualLayer(1, 1, 2, 8)):
        delta = layer.receptive_field
        for time in (1, delta // 2, delta - 1):
            refused(lambda m=layer, n=time: m(torch.zeros(1, 1, n), padded=False), ValueError, str(time), str(delta))
