"""Receptive fields: the formula, gradients and perturbation agree, on this package's models and on anyone's modules."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers import SEEDS, Fn, Frozen, built, copied, is_changed, random_codes, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wavenetlike import Block, WaveNet, WaveNetConfig, analysis, build_ar2
from wavenetlike.analysis import Field, lag_profile, measure_receptive_field
from wavenetlike.heads import GaussianHead, MSEHead, SoftmaxHead
from wavenetlike.layers import CausalConv1d

Conv1d = nn.Conv1d


def measured(module: nn.Module, **options: Any) -> Field:
    """Looked for nearby only, to save time."""
    return measure_receptive_field(module, **({"searched": 128} | options))


def lags(module: nn.Module, **options: Any) -> list[int]:
    return measured(module, **options).lags.tolist()


def assert_moves_up_to(module: nn.Module, x: Tensor, other: Tensor, delta: int) -> None:
    """At random positive weights the last output moves with the input at lag Δ - 1, and not with the one before it."""
    with torch.no_grad():
        for name, parameter in module.double().named_parameters():
            parameter.uniform_(0.5, 1.0)
            parameter *= 1 / parameter[0].numel() if parameter.dim() > 1 else 0
            if name.startswith("embedding"):
                parameter *= 1e-6  # so small that every gate stays open
        last = module(x)[..., -1]
        for lag, moves in ((delta - 1, True), (delta, False)):
            changed = x.clone()
            changed[..., -1 - lag] = other[..., -1 - lag]
            assert torch.equal(module(changed)[..., -1], last) != moves


# The package's own models


@settings(max_examples=110)
@given(
    st.builds(
        WaveNetConfig,
        levels=st.integers(2, 5),
        n_blocks=st.integers(1, 5),
        n_layers=st.integers(1, 2),
        kernel_length=st.integers(1, 5),
        dilation_rate=st.integers(1, 4),
        residual_channels=st.integers(1, 4),
        gate_channels=st.integers(1, 4),
        skip_channels=st.sampled_from([1, 2, 32]),
        first_kernel_length=st.integers(1, 4),
    ),
    SEEDS,
)
def test_formula_gradients_and_perturbation_agree_on_a_wavenet(config, seed):
    model = built(config, seed)
    field = measured(model, seed=seed)
    delta = config.receptive_field
    assert field.delta == delta == model.receptive_field == analysis.delta(model) == analysis.receptive_field(model)
    assert field.is_confirmed
    assert field.is_causal
    assert not field.sees_target
    assert not field.is_unbounded
    assert field.stride == 1
    assert isinstance(model.head, SoftmaxHead)
    codes = random_codes(config.levels, 1, delta + 3, seed=seed)
    assert_moves_up_to(model, codes, (codes + 1) % config.levels, delta)


@settings(max_examples=90)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.booleans(), SEEDS)
def test_formula_gradients_and_perturbation_agree_on_a_stack(
    n_layers, kernel_length, dilation_rate, channels, gaussian, seed
):
    torch.manual_seed(seed)
    block = Block(n_layers, kernel_length, dilation_rate, channels)
    block.head = GaussianHead() if gaussian else MSEHead()
    delta = block.receptive_field
    field = measured(block, seed=seed, searched=512)
    assert field.delta == delta == analysis.delta(block)
    assert field.is_confirmed
    assert field.is_causal
    x, other = torch.randn(2, 1, channels, delta + 3, dtype=torch.float64)
    assert_moves_up_to(block, x, other, delta)


@settings(max_examples=40)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(1, 9), SEEDS)
def test_lags_of_a_convolution_are_its_taps(inputs, outputs, kernel_length, dilation, seed):
    torch.manual_seed(seed)
    taps = [i * dilation for i in range(kernel_length)]
    conv = CausalConv1d(inputs, outputs, kernel_length, dilation)
    assert lags(conv) == taps
    assert lags(Conv1d(inputs, outputs, kernel_length, dilation=dilation)) == taps


def test_measured_receptive_field_of_three_blocks_is_3070():
    config = WaveNetConfig(levels=4, residual_channels=4, gate_channels=4, skip_channels=32)
    assert measure_receptive_field(built(config)).delta == 3070


@pytest.mark.parametrize("factor", [1000.0, 1e-3])
def test_saturated_gates_hide_nothing(factor):
    model = built(
        WaveNetConfig(levels=4, n_blocks=5, n_layers=3, residual_channels=3, gate_channels=3, skip_channels=4)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= factor
    field = measured(model)
    assert (field.delta, field.is_confirmed) == (model.receptive_field, True)


# Modules of anyone


def test_padding_on_both_sides_is_not_causal():
    module = nn.Sequential(Conv1d(1, 3, 3, padding=1), nn.ReLU(), Conv1d(3, 1, 3, padding=1))
    field = measured(module)
    assert field.lags.tolist() == [-2, -1, 0, 1, 2]
    assert not field.is_causal
    assert field.sees_target
    assert "not causal: it sees 2 samples of its future; it sees its own target" in str(field)
    assert "it sees 1 sample of its future" in str(measured(Conv1d(1, 1, 3, padding=1)))


@pytest.mark.parametrize(
    ("shapes", "stride", "delta"),
    [
        ([(3, 2), (3, 2)], 4, 7),
        ([(5, 3)], 3, 5),
        ([(10, 5), (4, 2)], 10, 25),
        ([(10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)], 320, 400),
    ],
)
def test_stride_and_delta_of_a_strided_stack(shapes, stride, delta):
    module = nn.Sequential(*(Conv1d(1, 1, kernel_length, stride=step) for kernel_length, step in shapes))
    field = measured(module, searched=1024)
    assert (field.stride, field.delta, field.is_causal, field.is_confirmed) == (stride, delta, True, True)
    assert f"one output for {stride} inputs" in str(field)
    assert analysis.receptive_field(module) == delta


def test_padded_strides_are_aligned():
    field = measured(Conv1d(1, 1, 3, stride=2, padding=1))
    assert (field.stride, field.lags.tolist()) == (2, [-1, 0, 1])


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
def test_what_recurs_is_unbounded(kind):
    module = Fn(lambda self, x: self.rnn(x.transpose(1, 2)), rnn=kind(1, 3, batch_first=True))
    field = measured(module)
    assert field.is_unbounded
    assert field.is_causal
    assert str(field).startswith("Δ is unbounded: the output still depends on what was 127 samples ago; causal")
    assert "NaN" not in str(field)


def test_what_recurs_both_ways_has_no_end_ahead():
    module = Fn(lambda self, x: self.rnn(x.transpose(1, 2))[0], rnn=nn.GRU(1, 2, batch_first=True, bidirectional=True))
    field = measured(module)
    assert (field.is_unbounded, field.is_unbounded_ahead, field.is_causal) == (True, True, False)
    assert "it sees its future as far as was looked" in str(field)


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_a_leak_of_the_target_is_seen(ahead):
    leak = Fn(lambda self, x: self.conv(F.pad(x, (0, ahead))), conv=Conv1d(1, 1, ahead + 1))
    field = measured(leak, ahead=ahead)
    assert field.sees_target
    assert "it sees its own target" in str(field)
    assert not measured(leak, ahead=ahead + 1).sees_target


def test_a_module_may_see_its_future_and_not_its_target():
    conv = Conv1d(1, 1, 2)
    field = measured(Fn(lambda self, x: self.conv(F.pad(x, (0, 1))), conv=conv), ahead=2)
    assert (field.is_causal, field.sees_target) == (False, False)


def with_weight_norm() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(Conv1d(1, 2, 2)), Conv1d(2, 1, 2))


def with_old_weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(nn.utils.weight_norm(Conv1d(1, 2, 2)), Conv1d(2, 1, 2))


# Each module with the lags that matter to it.
FOREIGN: dict[str, tuple[Callable[[], nn.Module], list[int]]] = {
    "dropout": (lambda: nn.Sequential(Conv1d(1, 4, 2), nn.Dropout(0.9), Conv1d(4, 1, 2)), [0, 1, 2]),
    "batch norm": (lambda: nn.Sequential(Conv1d(1, 4, 2), nn.BatchNorm1d(4), Conv1d(4, 1, 2)), [0, 1, 2]),
    "weight norm": (with_weight_norm, [0, 1, 2]),
    "old weight norm": (with_old_weight_norm, [0, 1, 2]),
    "nested": (lambda: nn.Sequential(nn.Sequential(Conv1d(1, 2, 2)), nn.Sequential(nn.Tanh(), Conv1d(2, 1, 2))), [0, 1, 2]),
    "tuple": (lambda: Fn(lambda self, x: (None, (self.conv(x), 7)), conv=Conv1d(1, 1, 3)), [0, 1, 2]),
    "dict": (lambda: Fn(lambda self, x: {"n": 3, "y": self.conv(x)}, conv=Conv1d(1, 1, 3)), [0, 1, 2]),
    "valid": (lambda: Conv1d(1, 2, 4, dilation=2), [0, 2, 4, 6]),
    "channels last": (lambda: Fn(lambda self, x: self.conv(x).transpose(1, 2), conv=Conv1d(1, 5, 3)), [0, 1, 2]),
    "time first": (lambda: Fn(lambda self, x: self.conv(x).permute(2, 0, 1), conv=Conv1d(1, 5, 3)), [0, 1, 2]),
    "no channels": (lambda: Fn(lambda self, x: self.conv(x).squeeze(1), conv=Conv1d(1, 1, 3)), [0, 1, 2]),
    "gaps": (lambda: Block(2, 2, 3), [0, 1, 3, 4]),
    "three channels": (lambda: Conv1d(3, 2, 2), [0, 1]),
    "identity": (nn.Identity, [0]),
    "past only": (lambda: Fn(lambda self, x: F.pad(x, (3, 0))[..., :-3]), [3]),
    "longer output": (lambda: Conv1d(1, 1, 2, padding=1), [-1, 0]),
    "noise": (lambda: Fn(lambda self, x: self.conv(x) + torch.randn(x.shape[-1] - 1), conv=Conv1d(1, 1, 2)), [0, 1]),
    "nothing": (lambda: Fn(lambda self, x: torch.zeros_like(x)), []),
    "frozen": (lambda: Conv1d(1, 1, 2).requires_grad_(False), [0, 1]),
    "without gradients": (lambda: Fn(lambda self, x: self.conv(x).detach(), conv=Conv1d(1, 1, 3)), [0, 1, 2]),
    "float64": (lambda: Conv1d(1, 1, 2).double(), [0, 1]),
    "float16": (lambda: Conv1d(1, 1, 2).half(), [0, 1]),
    "bfloat16": (lambda: Conv1d(1, 1, 2).bfloat16(), [0, 1]),
    "half inside": (lambda: Fn(lambda self, x: self.conv(x.half()).float(), conv=Conv1d(1, 1, 2).half()), [0, 1]),
    "float inside": (lambda: Fn(lambda self, x: self.conv(x.to(dtype=torch.float32)), conv=Conv1d(1, 1, 2)), [0, 1]),
    "type inside": (lambda: Fn(lambda self, x: self.conv(x.type(torch.float32)), conv=Conv1d(1, 1, 2)), [0, 1]),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_lags_of_a_foreign_module(name):
    make, expected = FOREIGN[name]
    torch.manual_seed(1)
    field = measured(make())
    assert field.lags.tolist() == expected
    assert field.delta == max([-1, *expected]) + 1
    assert field.is_causal == (min([0, *expected]) >= 0)
    assert field.gaps.tolist() == sorted(set(range(field.delta)) - set(expected))
    assert field.is_confirmed


class Buffered(nn.Module):
    """A mean of three by a kernel that is no parameter, and one that is neither parameter nor buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.full((1, 1, 3), 1 / 3))
        self.plain = torch.ones(1, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(F.conv1d(x, self.kernel), self.plain)


def test_buffers_count():
    assert lags(Buffered()) == [0, 1, 2, 3]


CODES: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "embedding": lambda self, x: self.conv(self.embedding(x).transpose(1, 2)),
    "one_hot": lambda self, x: self.conv(F.one_hot(x, 4).float().transpose(1, 2)),
    "one_hot to": lambda self, x: self.conv(F.one_hot(x, 4).to(torch.float32).transpose(1, 2)),
    "float": lambda self, x: self.conv(x[:, None].float().expand(-1, 4, -1)),
    "to": lambda self, x: self.conv(x[:, None].to(torch.float32).expand(-1, 4, -1)),
    "to by name": lambda self, x: self.conv(x[:, None].to(dtype=torch.float32).expand(-1, 4, -1)),
    "to as": lambda self, x: self.conv(x[:, None].to(self.conv.weight).expand(-1, 4, -1)),
    "divided": lambda self, x: self.conv((x[:, None] / 4).expand(-1, 4, -1)),
    "scatter": lambda self, x: self.conv(x.new_zeros(len(x), 4, x.shape[1]).double().scatter(1, x[:, None], 1.0)),
    "index": lambda self, x: self.conv(self.embedding.weight[x].transpose(1, 2)),
    "squeezed": lambda self, x: self.conv(self.embedding.weight[x].transpose(1, 2)).squeeze(),
}


@pytest.mark.parametrize("name", CODES)
def test_codes_may_become_numbers_in_any_way(name):
    torch.manual_seed(2)
    module = Fn(CODES[name], conv=Conv1d(4, 1, 3, dilation=2), embedding=nn.Embedding(4, 4))
    field = measured(module, levels=4)
    assert field.lags.tolist() == [0, 2, 4]
    assert field.is_causal
    assert (field.strength > 0).all()


def test_a_second_way_of_the_codes_is_not_missed():
    def forward(self: Any, codes: Tensor) -> Tensor:
        late = F.pad(self.embedding(codes[:, :-5]), (0, 0, 5, 0))
        return (self.embedding(codes) + late).transpose(1, 2)

    assert lags(Fn(forward, embedding=nn.Embedding(4, 2))) == [0, 5]


def test_what_is_rounded_in_a_large_batch_is_no_dependence():
    # A batch of another size goes another way through a matrix product.
    torch.manual_seed(0)
    model = Fn(
        lambda self, x: self.stack(self.weight[x].transpose(1, 2)),
        stack=Block(3, 2, 2, channels=33),
        weight=nn.Parameter(torch.randn(7, 33)),
    )
    field = measured(model, levels=7)
    assert field.lags.tolist() == list(range(8))
    assert not field.is_unbounded


def test_steps_that_stop_a_nan_and_have_no_gradient_are_seen():
    conv = Conv1d(1, 1, 3)
    with torch.no_grad():
        conv.weight.fill_(1.0)
        conv.bias.zero_()
    assert lags(Fn(lambda self, x: (self.conv(x) > 0).double(), conv=conv)) == [0, 1, 2]


def test_dead_relu_is_a_way_that_is_open_by_structure():
    module = nn.Sequential(Conv1d(1, 2, 3), nn.ReLU(), Conv1d(2, 1, 2))
    nn.init.constant_(module[0].bias, -100.0)
    field = measured(module)
    assert field.lags.tolist() == [0, 1, 2, 3]
    assert field.is_confirmed


def test_weights_that_are_all_0_leave_the_structure_and_no_strength():
    conv = CausalConv1d(1, 1, 3)
    nn.init.zeros_(conv.weight)
    field = measured(conv)
    assert field.lags.tolist() == [0, 1, 2]
    assert field.strength.tolist() == [0, 0, 0]
    assert field.effective_delta() == 0


def test_dead_weight_shortens_the_measured_receptive_field():
    conv = build_ar2()
    conv.weight.data[..., 0] = 0
    field = measured(conv)
    assert analysis.delta(conv) == 2
    assert (field.delta, field.is_confirmed) == (1, False)
    assert "though a NaN passes further, by weights that are 0" in str(field)


def test_masked_tap_is_a_gap():
    conv = CausalConv1d(1, 1, 3, 4)
    conv.weight.data[..., 1] = 0
    field = measured(conv)
    assert (field.lags.tolist(), field.delta, field.is_confirmed) == ([0, 8], 9, True)
    assert "7 lags in between do not matter" in str(field)
    narrow = CausalConv1d(1, 1, 3)
    narrow.weight.data[..., 1] = 0
    assert "1 lag in between does not matter" in str(measured(narrow))


@pytest.mark.parametrize("buffer", [True, False])
def test_a_mask_that_is_no_parameter_is_a_mask(buffer):
    mask = torch.tensor([[[0, 1, 1, 0, 0]]]).float()
    module = Fn(lambda self, x: F.conv1d(F.pad(x, (2, 2)), self.weight * self.mask))
    module.weight = nn.Parameter(torch.ones(1, 1, 5))
    if buffer:
        module.register_buffer("mask", mask)
    else:
        module.mask = mask
    field = measured(module)
    assert field.lags.tolist() == [0, 1]
    assert field.is_causal
    assert not field.is_confirmed


def test_a_causal_mask_over_attention_is_causal():
    def attention(self: Any, x: Tensor) -> Tensor:
        x = self.wide(x.transpose(1, 2))
        n = x.shape[1]
        scores = (self.q(x) @ self.k(x).transpose(1, 2)).masked_fill(torch.ones(n, n).triu(1).bool(), -torch.inf)
        return (scores.softmax(dim=-1) @ x).transpose(1, 2)

    torch.manual_seed(0)
    module = Fn(attention, wide=nn.Linear(1, 3), q=nn.Linear(3, 3), k=nn.Linear(3, 3))
    field = measured(module, searched=64)
    assert field.is_causal
    assert field.is_unbounded


@pytest.mark.parametrize("dilation", [10_000, 49_999])
def test_delta_up_to_100000_is_found_with_its_gaps(dilation):
    for module in (CausalConv1d(1, 1, 3, dilation), Conv1d(1, 1, 3, dilation=dilation)):
        field = measure_receptive_field(module)
        assert field.lags.tolist() == [0, dilation, 2 * dilation]
        assert field.is_confirmed
        assert f"Δ = {2 * dilation + 1:,}" in str(field)


@pytest.mark.parametrize("delta", [63, 64, 65, 80, 99, 100, 101, 128, 129])
def test_what_lies_within_the_search_is_not_called_unbounded(delta):
    field = measured(CausalConv1d(1, 1, 2, delta - 1), searched=100)
    assert field.is_unbounded == (delta > 100)
    assert field.searched == 100
    assert field.is_unbounded or field.delta == delta


def past(x: Tensor, n: int = 2) -> Tensor:
    return nn.functional.pad(x, (n, 0))


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, x: self.conv(past(x)) / x.detach().abs().amax(),
        lambda self, x: self.conv(past(x)) + self.both(x.detach()),
        lambda self, x: self.conv(past(x)) + self.both((x > 0).to(x)),
        lambda self, x: self.conv(past(x)) + nn.functional.pad(x, (0, 120))[..., 120:],
        lambda self, x: self.conv(past(x)) + nn.functional.pad(x, (0, 120))[..., 120:].sign(),
    ],
)  # fmt: skip
def test_what_looks_ahead_without_a_gradient_is_not_causal(forward):
    torch.manual_seed(0)
    field = measured(Fn(forward, conv=Conv1d(1, 1, 3), both=Conv1d(1, 1, 5, padding=2)))
    assert not field.is_causal
    assert "not causal" in str(field)


@pytest.mark.parametrize(
    "stop", [lambda x: torch.where(x > 0, x, 0.0), torch.nan_to_num, torch.sign, lambda x: (x > 0).to(x)]
)  # fmt: skip
def test_a_gap_behind_what_stops_a_nan_is_found(stop):
    torch.manual_seed(0)
    module = Fn(lambda self, x: self.conv(past(stop(x), 300)), conv=Conv1d(1, 1, 2, dilation=300))
    assert measured(module, searched=600).lags.tolist() == [0, 300]


def test_dropout_that_is_always_on_leaves_no_gaps():
    torch.manual_seed(0)
    module = Fn(lambda self, x: self.conv(nn.functional.dropout(x, 0.5)), conv=Conv1d(1, 4, 30))
    assert lags(module) == list(range(30))


def test_what_needs_a_minimum_length_is_measured():
    def forward(self: Any, x: Tensor) -> Tensor:
        assert x.shape[-1] >= 1000
        return self.conv(x)

    assert lags(Fn(forward, conv=Conv1d(1, 1, 3))) == [0, 1, 2]


def test_an_output_of_integers_is_measured():
    torch.manual_seed(0)
    module = Fn(lambda self, x: self.conv(past(x)).argmax(dim=1, keepdim=True), conv=Conv1d(1, 5, 3))
    assert lags(module) == [0, 1, 2]


def test_a_profile_without_gradients_is_refused():
    refused(lambda: lag_profile(Frozen(), 9), ValueError, "Frozen", "no_grad")
    assert lags(Frozen()) == list(range(9))


def test_lags_and_parts_out_of_range_are_refused():
    field = measured(Conv1d(1, 1, 3))
    refused(lambda: field.by_lag(-1), ValueError, "n_lags=-1")
    refused(lambda: field.effective_delta(2), ValueError, "part=2")
    refused(lambda: field.effective_delta("x"), TypeError, "part='x'")


def test_channels_are_those_of_the_first_layer_or_as_said():
    assert lags(Conv1d(3, 2, 2)) == lags(Conv1d(3, 2, 2), channels=3) == [0, 1]
    assert lags(Fn(lambda self, x: x[:, 2:]), channels=3) == [0]


# What a field says


def test_strength_is_that_of_the_kernel():
    conv = CausalConv1d(1, 1, kernel_length=3, dilation=2)
    conv.load_state_dict({"weight": torch.tensor([[[3.0, 0.5, -2.0]]]), "bias": torch.tensor([7.0])})
    field = measured(conv)
    torch.testing.assert_close(field.strength / field.strength[0], torch.tensor([1, 0.25, 1.5]).double())
    assert (field.by_lag(7) > 0).tolist() == [True, False, True, False, True, False, False]
    assert field.by_lag(2).shape == (2,)
    assert [field.effective_delta(part) for part in (0.2, 0.31, 0.33, 0.95, 1.0)] == [1, 3, 5, 5, 5]


def test_measuring_is_repeatable():
    block = Block(2, 3, 2)
    one, two, other = (measured(block, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.strength, two.strength)
    assert not torch.equal(one.strength, other.strength)
    assert torch.equal(one.lags, other.lags)


def test_lag_profile_of_a_linear_stack_is_its_kernel():
    conv = CausalConv1d(1, 1, kernel_length=3, dilation=2)
    conv.load_state_dict({"weight": torch.tensor([[[3.0, 0.5, -2.0]]]), "bias": torch.tensor([7.0])})
    profile = lag_profile(conv, n_lags=8)
    torch.testing.assert_close(profile / profile[0], torch.tensor([1, 0, 0.25, 0, 1.5, 0, 0, 0]).double())
    assert profile.dtype == torch.float64
    assert lag_profile(conv, n_lags=2).shape == (2,)


@pytest.mark.parametrize(("n_lags", "error"), [(0, ValueError), (-1, ValueError), (True, TypeError), (2.5, TypeError)])
def test_bad_number_of_lags_is_refused(n_lags, error):
    refused(lambda: lag_profile(build_ar2(), n_lags), error, f"n_lags={n_lags}")


# A module is left as it is


def odd() -> nn.Module:
    """In training mode, with a frozen layer, a gradient, a hook, running statistics and noise."""
    torch.manual_seed(3)
    module = nn.Sequential(
        Conv1d(1, 4, 2), nn.BatchNorm1d(4), nn.Dropout(0.5), with_old_weight_norm(), Fn(lambda self, x: x + torch.rand(1))
    )  # fmt: skip
    module[3] = nn.Conv1d(4, 1, 2)
    module[0].requires_grad_(False)
    module[1].eval()
    module[3](torch.randn(1, 4, 9)).sum().backward()
    module[3].register_forward_hook(lambda *_: None)
    return module


def condition(module: nn.Module) -> tuple[object, ...]:
    return (
        [(part.training, len(part._forward_hooks), len(part._forward_pre_hooks)) for part in module.modules()],
        [(p.requires_grad, p.dtype, None if p.grad is None else p.grad.tolist()) for p in module.parameters()],
        torch.get_rng_state().tolist(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )


@pytest.mark.parametrize("wrong", [{}, {"channels": 7}, {"levels": 5}])
def test_measuring_leaves_the_module_as_it_is(small_model, wrong):
    for module in (odd(), with_old_weight_norm(), with_weight_norm(), small_model):
        before, was = copied(module.state_dict()), condition(module)
        for measure in (measured, lambda module, **_: lag_profile(module, 30), analysis.layers):
            try:
                measure(module, **wrong)
            except ValueError:
                assert wrong
        assert not is_changed(before, module.state_dict())
        assert condition(module) == was
    assert small_model(random_codes(5, 1, 20)).shape == (1, 5, 20)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_may_be_off_around(mode):
    outside = Conv1d(1, 1, 3)
    with mode():
        inside = Conv1d(1, 1, 3)
        for module in (outside, inside):
            assert lags(module) == [0, 1, 2]
            assert (lag_profile(module, 3) > 0).all()
            assert [layer.delta for layer in analysis.layers(module)] == [3]
        assert not torch.is_grad_enabled()


def test_what_a_module_computed_before_does_not_matter():
    module = with_old_weight_norm()
    module(torch.randn(1, 1, 9))
    module.last = module(torch.randn(1, 1, 9))
    kept = module.last
    assert lags(module) == [0, 1, 2]
    assert module.last is kept
    assert kept.requires_grad


# Refusals


def raising(error: Exception) -> nn.Module:
    def forward(self: Any, x: Tensor) -> Tensor:
        raise error

    return Fn(forward)


@pytest.mark.parametrize(
    ("call", "error", "shown"),
    [
        (lambda: measured(None), TypeError, "NoneType"),
        (lambda: measured(Conv1d), TypeError, "type"),
        (lambda: measured(lambda x: x), TypeError, "function"),
        (lambda: lag_profile("model", 3), TypeError, "str"),
        (lambda: measured(Conv1d(1, 1, 2), channels=2), ValueError, "channels=1"),
        (lambda: measured(Conv1d(1, 1, 2), levels=4), ValueError, "channels=1"),
        (lambda: measured(Fn(lambda self, x: F.one_hot(x, 4))), ValueError, "levels=256"),
        (lambda: measured(built(WaveNetConfig(levels=4)), levels=9), ValueError, "below 9"),
        (lambda: measured(Conv1d(1, 1, 2), channels=0), ValueError, "channels=0"),
        (lambda: measured(Conv1d(1, 1, 2), channels=True), TypeError, "True"),
        (lambda: measured(Conv1d(1, 1, 2), levels=1), ValueError, "levels=1"),
        (lambda: measured(Conv1d(1, 1, 2), channels=1, levels=4), ValueError, "both"),
        (lambda: measured(Conv1d(1, 1, 2), searched=63), ValueError, "searched=63"),
        (lambda: measured(Conv1d(1, 1, 2), searched=1e3), TypeError, "1000.0"),
        (lambda: measured(Conv1d(1, 1, 2), searched=0), ValueError, "searched=0"),
        (lambda: measured(Conv1d(1, 1, 2), ahead=-1), ValueError, "ahead=-1"),
        (lambda: measured(Conv1d(1, 1, 2), seed="a"), TypeError, "'a'"),
        (lambda: measured(Conv1d(1, 1, 2), seed=-1), ValueError, "seed=-1"),
        (lambda: measured(nn.Sequential(Conv1d(1, 1, 2), nn.AdaptiveAvgPool1d(1))), ValueError, "does not grow"),
        (lambda: measured(Fn(lambda self, x: "text")), ValueError, "str"),
        (lambda: measured(nn.Upsample(scale_factor=2)), ValueError, "2 outputs"),
        (lambda: measured(nn.LazyConv1d(1, 2)), ValueError, "run it once"),
        (lambda: measured(nn.Module()), ValueError, "levels=256"),
        (lambda: measured(raising(AssertionError("Want 80. Really!\nYes? No."))), ValueError, "Want 80"),
        (lambda: measured(raising(AssertionError())), ValueError, "AssertionError"),
        (lambda: measured(raising(KeyError("mel"))), ValueError, "mel"),
        (lambda: measured(raising(AttributeError("no x"))), ValueError, "no x"),
        (lambda: measured(Fn(lambda self, x: x + torch.zeros(150)[: x.shape[-1]])), ValueError, "searched"),
        (lambda: measured(Fn(lambda self, x: x, kept=[Conv1d(1, 1, 2)(torch.ones(1, 1, 9))])), ValueError, "copied"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_gets_one_sentence(call, error, shown):
    before = torch.get_default_dtype()
    refused(call, error, shown)
    assert torch.get_default_dtype() == before


def test_lengths_that_must_be_multiples_are_refused_in_one_sentence():
    unet = Fn(lambda self, x: self.up(self.down(x)) + x, down=Conv1d(1, 2, 4, stride=4), up=nn.ConvTranspose1d(2, 1, 4, stride=4))  # fmt: skip
    refused(lambda: measured(unet), ValueError, "any length")


def test_a_field_is_one_line_for_all():
    for module in (Conv1d(1, 1, 2), WaveNet(WaveNetConfig(levels=3, n_blocks=1, n_layers=2))):
        assert re.fullmatch(
            r"Δ = \d+, and nothing matters beyond, within 128 samples; causal \(.*\)", str(measured(module))
        )
