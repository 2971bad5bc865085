"""Depth, parameters, γ and Δ from structure, and the page that puts them beside what is measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F
from helpers import SEEDS, Fn, Frozen, built, copied, is_changed, refused, wavenet_configs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wavenetlike import Block, analysis, build_ar2
from wavenetlike.analysis import (
    analyze_model,
    depth,
    field,
    frontier,
    layers,
    measure_receptive_field,
    receptive_field,
)
from wavenetlike.layers import CausalConv1d

Conv1d = nn.Conv1d


# Depth, parameters, γ


def test_gamma_is_parameters_per_layer_of_depth():
    block = Block(n_layers=4, kernel_length=3, dilation_rate=2, channels=2)
    assert analysis.parameters(block) == 4 * (2 * 2 * 3 + 2)
    assert analysis.depth(block) == 4
    assert analysis.gamma(block) == 14
    assert analysis.gamma(build_ar2()) == 3


@settings(max_examples=40)
@given(wavenet_configs(), SEEDS)
def test_what_runs_through_a_wavenet_is_its_config(config, seed):
    model = built(config, seed)
    found = layers(model)
    assert analysis.parameters(model) == config.parameters
    assert analysis.gamma(model) == config.gamma
    assert max(layer.delta for layer in found) == config.receptive_field
    assert [layer.dilation for layer in found if layer.name.endswith("gated.conv")] == config.dilations
    assert sum(layer.parameters for layer in found) + analysis.parameters(model.embedding) == config.parameters
    if config.kernel_length > 1:
        assert max(layer.depth for layer in found) == config.depth == analysis.depth(model)


def test_branches_side_by_side_are_one_layer():
    module = Fn(lambda self, x: self.a(x)[..., 2:] + self.b(x), a=Conv1d(1, 2, 3), b=Conv1d(1, 2, 5))
    assert analysis.depth(module) == 1
    assert analysis.parameters(module) == 8 + 12
    assert analysis.gamma(module) == 20
    assert [(layer.name, layer.depth, layer.delta) for layer in layers(module)] == [("a", 1, 3), ("b", 1, 5)]
    both = nn.Sequential(module, Conv1d(2, 1, 2))
    assert (analysis.depth(both), layers(both)[-1].delta) == (2, 6)


def test_a_residual_way_adds_no_layer():
    module = Fn(lambda self, x: x + self.b(self.a(F.pad(x, (3, 0)))), a=Conv1d(1, 4, 3), b=Conv1d(4, 1, 2))
    assert analysis.depth(module) == 2
    assert [(layer.name, layer.delta) for layer in layers(module)] == [("a", 3), ("b", 4)]


def test_layers_of_one_tap_have_no_depth():
    module = nn.Sequential(Conv1d(1, 4, 1), Conv1d(4, 4, 3), Conv1d(4, 1, 1))
    assert analysis.depth(module) == 1
    assert [layer.depth for layer in layers(module)] == [0, 1, 1]
    assert analysis.gamma(module) == analysis.parameters(module)


def test_shared_weights_count_once():
    conv = Conv1d(1, 1, 3)
    module = nn.Sequential(conv, nn.ReLU(), conv)
    found = layers(module)
    assert [layer.parameters for layer in found] == [4, 0]
    assert analysis.parameters(module) == 4
    assert analysis.gamma(module) == 2
    assert found[-1].delta == measure_receptive_field(module, searched=64).delta == 5


class Functional(nn.Module):
    """Two convolutions without a module of their own, one with, and a number that is in none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Parameter(torch.randn(2, 1, 3)), nn.Parameter(torch.randn(3, 2, 2))
        self.bias, self.gain = nn.Parameter(torch.randn(3)), nn.Parameter(torch.ones(()))
        self.conv = Conv1d(3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.conv1d(x, self.one, dilation=2)
        return self.gain * self.conv(F.conv1d(input=x, weight=self.two, bias=self.bias, stride=(2,)))


def test_functional_convolutions_are_layers_with_their_own_parameters():
    module = Functional()
    found = [(a.name, a.kernel_length, a.dilation, a.stride, a.parameters, a.depth, a.delta) for a in layers(module, channels=1)]  # fmt: skip
    assert found == [("Functional", 3, 2, 1, 6, 1, 5), ("Functional", 2, 1, 2, 15, 2, 6), ("conv", 2, 1, 1, 7, 3, 8)]
    found = measure_receptive_field(module, channels=1, searched=64)
    assert (found.delta, found.stride) == (8, 2)
    report = analyze_model(module, channels=1)
    assert "all else" in str(report)
    assert report._rows()[-1][3] == "1"


def norms(norm: Callable[[nn.Module], nn.Module]) -> nn.Module:
    return nn.Sequential(norm(Conv1d(1, 4, 2)), nn.BatchNorm1d(4), norm(Conv1d(4, 2, 2)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "rest"),
    [
        (lambda: norms(nn.utils.parametrizations.weight_norm), 8),
        (lambda: norms(nn.utils.weight_norm), 8),
        (lambda: nn.Sequential(nn.Embedding(5, 3), Fn(lambda self, x: x.transpose(1, 2)), Conv1d(3, 1, 2)), 15),
        (lambda: Fn(lambda self, x: self.a(x), a=Conv1d(1, 1, 2), never=Conv1d(7, 7, 7)), 7 * 50),
        (lambda: Fn(lambda self, x: self.r(x.transpose(1, 2)), r=nn.LSTM(1, 3, num_layers=2, batch_first=True)), 0),
    ],
)
def test_layers_and_all_else_are_all_parameters(make, rest, monkeypatch):
    monkeypatch.setattr(field, "FAR", 128)
    report = analyze_model(make())
    assert report.parameters == sum(layer.parameters for layer in report.layers) + rest
    assert report.parameters == sum(int(row[3].replace(",", "")) for row in report._rows())
    assert ("all else" in str(report)) == (rest > 0)


def test_what_recurs_is_one_layer_without_end(monkeypatch):
    monkeypatch.setattr(field, "FAR", 128)
    module = Fn(
        lambda self, x: self.r(self.c(x).transpose(1, 2))[0], c=Conv1d(1, 2, 3), r=nn.GRU(2, 3, 2, batch_first=True)
    )
    assert [(layer.name, layer.kernel_length, layer.depth, layer.delta) for layer in layers(module)] == [
        ("c", 3, 1, 3),
        ("r", 0, 2, 0),
        ("r", 0, 3, 0),
    ]
    report = analyze_model(module)
    assert report.milliseconds is None
    assert "Δ has no end; depth 3" in str(report)
    assert "∞" in str(report)
    assert "of the table" not in str(report)


def test_layers_leave_the_module_as_it_is():
    module = nn.Sequential(Conv1d(1, 2, 2).requires_grad_(False), nn.Dropout(), Conv1d(2, 1, 2))
    before = copied(module.state_dict())
    analysis.depth(module)
    analysis.gamma(module)
    assert not is_changed(before, module.state_dict())
    assert [p.requires_grad for p in module.parameters()] == [False, False, True, True]
    assert module.training
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


@pytest.mark.parametrize("own", [Conv1d(1, 1, 2), "deep", None, lambda: 3])
def test_attributes_that_are_no_numbers_are_not_taken_for_them(own):
    module = Fn(lambda self, x: self.conv(x), conv=Conv1d(1, 1, 4))
    module.depth = module.receptive_field = own
    assert analysis.depth(module) == 1
    assert analyze_model(module).depth == 1
    refused(lambda: analysis.receptive_field(module), ValueError, "Fn", "measure_receptive_field")


# Δ from structure


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=3), st.booleans()
)
def test_delta_of_a_sequence_with_strides_is_as_measured(shapes, activated):
    parts: list[nn.Module] = []
    for kernel_length, dilation, stride in shapes:
        parts.append(Conv1d(2, 2, kernel_length, dilation=dilation, stride=stride))
        parts += [nn.Tanh(), nn.Dropout(), nn.BatchNorm1d(2), nn.Identity()] if activated else []
    module = nn.Sequential(*parts)
    found = measure_receptive_field(module, searched=256)
    delta = analysis.receptive_field(module)
    assert delta == found.delta == max(layer.delta for layer in layers(module))
    assert found.stride == math.prod(stride for _, _, stride in shapes)
    assert found.is_confirmed


def test_delta_of_known_modules():
    assert analysis.delta(Conv1d(1, 1, 4, dilation=3)) == 10
    assert analysis.delta(nn.Sequential(nn.Sequential(Conv1d(1, 1, 2)), Block(2, 2, 2))) == 5
    assert analysis.delta(nn.Sequential()) == analysis.delta(nn.ReLU()) == analysis.delta(nn.Softmax(dim=1)) == 1


@pytest.mark.parametrize(
    "module",
    [nn.Linear(2, 2), nn.GRU(1, 1), nn.ConstantPad1d((2, 0), 0.0), Fn(lambda self, x: x), nn.LayerNorm(3),
     nn.MultiheadAttention(2, 1), nn.Softmax(dim=-1), nn.GLU(), nn.AvgPool1d(3)],
)  # fmt: skip
def test_what_does_not_say_how_far_it_looks_is_refused(module):
    name = type(module).__name__
    refused(lambda: analysis.receptive_field(module), ValueError, name, "measure_receptive_field")
    refused(lambda: analysis.delta(nn.Sequential(Conv1d(1, 1, 2), module)), ValueError, name)


# Which choices none beats


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), max_size=12))
def test_frontier_is_brute_force(choices):
    deltas, gammas = [delta for delta, _ in choices], [float(gamma) for _, gamma in choices]

    def beaten(i: int) -> bool:
        return any(
            deltas[j] >= deltas[i] and gammas[j] <= gammas[i] and (choices[j] != choices[i] or j < i)
            for j in range(len(choices))
            if j != i
        )

    expected = sorted((i for i in range(len(choices)) if not beaten(i)), key=lambda i: deltas[i])
    assert frontier(deltas, gammas) == expected


# The page


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_report_says_everything_of_a_wavenet(small_model):
    report = analyze_model(small_model, sample_rate=8000)
    text = str(report)
    assert text == repr(report)
    for name in ("WaveNet", "first", *(f"layers.{i}.gated.conv" for i in range(6)), "skip_head.out", "all else"):
        assert name in text
    assert "Δ = 16 samples = 2.0 ms at 8,000 Hz; depth 7;" in text
    assert f"{small_model.config.parameters:,} parameters; γ = {small_model.config.gamma:,.0f} parameters per layer." in text  # fmt: skip
    assert "Measured: Δ = 16, and nothing matters beyond, within 16,384 samples; causal" in text
    assert "of the table" not in text
    assert (report.gamma, report.milliseconds) == (small_model.config.gamma, 2.0)


def test_report_in_a_notebook_is_a_table_with_headers(small_model):
    class Odd(nn.Sequential):
        pass

    Odd.__name__ = "<Odd & 'strange'>"
    for module in (small_model, Odd(Conv1d(1, 1, 2)), Fn(lambda self, x: x)):
        shown = analyze_model(module)._repr_html_()
        parser = Tags()
        parser.feed(shown)
        parser.close()
        assert parser.open == []
        root = ElementTree.fromstring(f"<div>{shown}</div>")
        columns = root.findall("table/thead/tr/th")
        assert [column.get("scope") for column in columns] == ["col"] * 6
        rows = root.findall("table/tbody/tr")
        assert all(row[0].tag == "th" and row[0].get("scope") == "row" and len(row) == 6 for row in rows)
        assert root.find("table/caption").text == type(module).__name__
        assert any("Measured" in paragraph.text for paragraph in root.findall("p"))
    assert rows == []


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda self, x: self.c(x).cumsum(dim=-1), "No layer of the table looks back without end: something between"),
        (lambda self, x: torch.roll(self.c(x), 5, -1), "reach over 2 samples only: something between them looks further"),
        (lambda self, x: F.pad(self.c(x), (9, 0))[..., :-9], "something between them looks further"),
        (lambda self, x: self.c(x)[..., 7:] + x[..., :-8], "something between them looks further"),
        (lambda self, x: torch.roll(self.c(x), -5, -1)[..., :-5] + 0 * x[..., :-6], "something between them looks further"),
        (lambda self, x: self.c(x), None),
        (lambda self, x: F.relu(self.c(F.pad(x, (1, 0)))), None),
        (lambda self, x: self.c(torch.ones_like(x)) + x[..., 1:], "padding, masks or weights that are 0 hide some"),
    ],
)  # fmt: skip
def test_report_says_where_layers_and_measurement_differ(function, sentence):
    torch.manual_seed(0)
    text = str(analyze_model(Fn(function, c=Conv1d(1, 1, 2))))
    if sentence is None:
        assert "of the table" not in text
    else:
        assert sentence in text


def test_report_of_a_masked_layer_says_that_some_is_hidden():
    conv = CausalConv1d(1, 1, 4)
    conv.weight.data[..., 0] = 0
    assert "The layers of the table reach over 4 samples: padding, masks or weights" in str(analyze_model(conv))
    assert "of the table" not in str(analyze_model(Conv1d(1, 1, 3, padding=1)))


def test_report_without_a_layer_that_looks_back():
    report = analyze_model(Conv1d(1, 1, 1))
    assert report.gamma is None
    assert "depth 0; 2 parameters; γ is not defined: no layer looks back." in str(report)
    refused(lambda: analysis.gamma(Conv1d(1, 1, 1)), ValueError, "Conv1d", "kernel longer than 1")


@pytest.mark.parametrize(
    ("rate", "error"), [(0, ValueError), (-8000, ValueError), (math.nan, ValueError), (math.inf, ValueError),
     ("16000", TypeError), (None, TypeError), (1j, TypeError)],
)  # fmt: skip
def test_bad_sample_rates_are_refused(rate, error):
    refused(lambda: analyze_model(build_ar2(), sample_rate=rate), error, "sample_rate", str(rate))


@pytest.mark.parametrize("ask", [analyze_model, analysis.depth, analysis.gamma, layers])
def test_what_cannot_be_run_is_refused_with_what_to_pass(ask):
    convolved = Fn(lambda self, x: self.first(x), last=Conv1d(3, 1, 2), first=Conv1d(1, 3, 2))
    refused(lambda: ask(convolved), ValueError, "channels=1", "levels=256")
    ask(convolved, channels=1)
    coded = Fn(lambda self, x: F.one_hot(x, 6).float().transpose(1, 2)[..., 1:])
    refused(lambda: ask(coded), ValueError, "levels=256")
    refused(lambda: ask(Conv1d(1, 1, 2), channels=0), ValueError, "channels=0")
    for nothing in (None, "model", Conv1d, lambda x: x, [Conv1d(1, 1, 2)]):
        refused(lambda: ask(nothing), TypeError, type(nothing).__name__)  # noqa: B023, called at once


@pytest.mark.parametrize("ask", [analysis.parameters, analysis.receptive_field])
def test_what_is_no_module_is_a_type_error(ask):
    for nothing in (None, "model", 3):
        refused(lambda: ask(nothing), TypeError, type(nothing).__name__)  # noqa: B023, called at once


def test_layers_whose_output_is_changed_in_place_are_counted():
    net = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(inplace=True), nn.Conv1d(4, 1, 3, dilation=2))
    assert depth(net) == 2
    assert [layer.delta for layer in layers(net)] == [3, 7]


@pytest.mark.parametrize(
    "norm", [nn.InstanceNorm1d(4), nn.BatchNorm1d(4, track_running_stats=False), nn.ConvTranspose1d(4, 4, 1)]
)
def test_modules_that_need_more_than_one_output_are_analyzed(norm):
    report = analyze_model(nn.Sequential(nn.Conv1d(1, 4, 3), norm), searched=64)
    assert report.depth == 1


@pytest.mark.parametrize(
    "module", [nn.BatchNorm1d(3, track_running_stats=False), nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular")]
)
def test_what_looks_at_everything_does_not_say_a_delta(module):
    refused(lambda: receptive_field(module), ValueError, "measure")


def test_layers_without_gradients_are_refused():
    refused(lambda: depth(Frozen()), ValueError, "Frozen", "no_grad")


@pytest.mark.parametrize("kind", [nn.GRUCell, nn.RNNCell, nn.LSTMCell])
def test_a_recurrent_cell_counts_as_one_layer(kind):
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = kind(1, 3)

        def forward(self, x):
            state, outputs = None, []
            for t in range(x.shape[-1]):
                state = self.cell(x[..., t], state)
                outputs.append(state[0] if isinstance(state, tuple) else state)
            return torch.stack(outputs, dim=-1)

    assert depth(Loop(), channels=1) == 1
    assert [layer.delta for layer in layers(Loop(), channels=1)] == [0]


def test_integers_among_the_parameters_do_no_harm():
    module = nn.Conv1d(1, 1, 3)
    module.table = nn.Parameter(torch.arange(3), requires_grad=False)
    assert depth(module) == 1
