"""Every check of an exercise: right answers pass, however they are written; wrong ones get a hint of their own; nothing raises."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate, pad

from wavenetlike import WaveNetConfig, exercises, pretrained
from wavenetlike.analysis import least_squares_ar
from wavenetlike.condition import Condition, ConditionConfig
from wavenetlike.data import bundled_clips, mel_frames
from wavenetlike.exercises import Check, progress, strangers
from wavenetlike.exercises.answers import seal, unsealed
from wavenetlike.exercises.choosing import SUGGESTED
from wavenetlike.generate import generate

CHECKS = {name: each for name in exercises.__all__ if isinstance(each := getattr(exercises, name), Check)}


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(tmp_path))


CONSTANT = math.log(2 * math.pi) / 2


def nll(x, mean, sigma, constant=CONSTANT):
    return ((x - mean).square() / (2 * sigma**2) + math.log(sigma) + constant).mean()


def stop():
    raise SystemExit(3)


def encoded(x, levels, low=0.5, log=True):
    mu = levels - 1
    y = x.sign() * (1 + mu * x.abs()).log() / math.log(1 + mu) if log else x
    return ((y + 1) / 2 * mu + low).floor().long()


def decoded(codes, levels, off=0.0):
    y = 2 * (codes - off) / (levels - 1) - 1
    return y.sign() * (levels ** y.abs() - 1) / (levels - 1)


def convolved(x, kernel, dilation, before=None, after=0):
    far = (len(kernel) - 1) * dilation if before is None else before
    return torch.nn.functional.conv1d(pad(x, (far, after))[None, None], kernel[None, None], dilation=dilation)[0, 0]


def by_hand(x, kernel, dilation):
    k = len(kernel)
    back = [[(k - 1 - i) * dilation for i in range(k)] for _ in x]
    return torch.stack([sum(kernel[i] * x[t - d] for i, d in enumerate(back[t]) if t >= d) for t in range(len(x))])


def step(queue, x, kernel):
    return kernel[0] * queue[0] + kernel[1] * x, torch.cat([queue[1:], x[None]])


def step_of_lists(queue, x, kernel):
    old, *rest = queue.tolist()
    return float(kernel[0]) * old + float(kernel[1] * x), [*rest, float(x)]


SMALL = WaveNetConfig(n_blocks=2, n_layers=10, residual_channels=8, gate_channels=8, skip_channels=8, levels=32)
RIGHT = {
    "check_kernel": [[0.5, -0.4], torch.tensor([0.5, -0.4]), (0.48, -0.41)],
    "check_likelihood": [
        nll,
        lambda x, m, s: float(nll(x, m, s)),
        lambda x, m, s: -torch.distributions.Normal(m, s).log_prob(x).mean(),
    ],
    "check_enough": [7500, 7499.0, torch.tensor(7500)],
    "check_padding": [
        lambda x, k, d: pad(x, ((k - 1) * d, 0)),
        lambda x, k, d: torch.cat([torch.zeros(*x.shape[:2], (k - 1) * d), x], dim=2),
    ],
    "check_delta": [
        lambda k, ds: 1 + (k - 1) * sum(ds),
        lambda k, ds: torch.tensor(1 + sum((k - 1) * d for d in ds)),
    ],
    "check_memory": [
        SMALL,
        WaveNetConfig(n_blocks=8, n_layers=8, residual_channels=4, gate_channels=4, skip_channels=4, levels=64),
    ],
}
RIGHT |= {
    "check_encode": [encoded, lambda x, levels: encoded(x.double(), levels).int()],
    "check_decode": [decoded, lambda codes, levels: decoded(codes.double(), levels)],
    "check_gate": [lambda f, g: f.tanh() * g.sigmoid(), lambda f, g: torch.tanh(f) / (1 + torch.exp(-g))],
    "check_repeat": [
        lambda codes: (codes[1:] == codes[:-1]).float().mean(),
        lambda codes: sum(int(a == b) for a, b in zip(codes[1:], codes[:-1], strict=True)) / (len(codes) - 1),
    ],
    "check_leak": [convolved, by_hand],
    "check_step": [step, step_of_lists],
    "check_temperature": [
        lambda z, t: (z / t).softmax(0),
        lambda z, t: (z / t).exp() / (z / t).exp().sum(),
        lambda z, t: ((z / t).softmax(0)).tolist(),
    ],
}
WRONG = {
    "check_kernel": [[-0.4, 0.5], [-0.5, 0.4], [0.5, 0.4], [0, 0], [0.5], [math.nan, 1], [1.0, 1.0], "b, a", [2, 1]],
    "check_likelihood": [
        lambda x, m, s: nll(x, m, s) * len(x),
        lambda x, m, s: -nll(x, m, s),
        lambda x, m, s: nll(x, m, s) / math.log(2),
        lambda x, m, s: nll(x, m, s, 0),
        lambda x, m, s: nll(x, m, s) - math.log(s),
        lambda x, m, s: nll(x, m, s) + ((x - m) / s).square().mean() / 2,
        lambda x, m, s: 0.0,
        lambda x, m, s: (x - m).square(),
        lambda x, m, s: math.nan,
        0.5,
    ],
    "check_enough": [75, 10_000, 8400, 5000, 0.75, 100, 10**6, math.nan, "7500", [7500, 1]],
    "check_padding": [
        lambda x, k, d: pad(x, (0, (k - 1) * d)),
        lambda x, k, d: pad(x, ((k - 1) * d // 2, (k - 1) * d - (k - 1) * d // 2)),
        lambda x, k, d: pad(x, ((k - 1) * d + 1, 0)),
        lambda x, k, d: pad(x, (max((k - 1) * d - 1, 0), 0)),
        lambda x, k, d: pad(x, (k - 1, 0)),
        lambda x, k, d: pad(x, (k * d, 0)),
        lambda x, k, d: pad(x, (0, 0, (k - 1) * d, 0)),
        lambda x, k, d: pad(x, ((k - 1) * d, 0)) * 2,
        lambda x, k, d: pad(x * math.nan, ((k - 1) * d, 0)),
        lambda x, k, d: [0],
        pad,
    ],
    "check_delta": [
        lambda k, ds: (k - 1) * sum(ds),
        lambda k, ds: 1 + k * sum(ds),
        lambda k, ds: 1 + (k - 1) * max(ds, default=0),
        lambda k, ds: 1 + (k - 1) * len(ds),
        lambda k, ds: 2 + (k - 1) * sum(ds),
        lambda k, ds: "1",
        lambda k, ds: math.inf,
        lambda k: k,
        7,
    ],
    "check_memory": [
        WaveNetConfig(n_blocks=1, n_layers=3),
        WaveNetConfig(n_blocks=3, n_layers=10),
        WaveNetConfig(n_blocks=1, n_layers=2, kernel_length=900, dilation_rate=1, residual_channels=1, gate_channels=1, skip_channels=8, levels=256),
        (2, 10),
        2000,
    ],
}  # fmt: skip


WRONG |= {
    "check_encode": [
        lambda x, levels: encoded(x, levels, low=0.0),
        lambda x, levels: encoded(x, levels, log=False),
        lambda x, levels: encoded(x, levels) + 1,
        lambda x, levels: encoded(x, levels).float(),
        lambda x, levels: encoded(x, levels) - levels // 2,
        lambda x, levels: encoded(x.abs(), levels),
        lambda x, levels: encoded(x, levels).T,
        lambda x, levels: torch.zeros_like(x).long(),
        lambda x, levels: "codes",
        [1, 2],
    ],
    "check_decode": [
        lambda c, levels: 2 * c / (levels - 1) - 1,
        lambda c, levels: decoded(c, levels).abs(),
        lambda c, levels: -decoded(c, levels),
        lambda c, levels: decoded(c, levels) * (levels - 1),
        lambda c, levels: decoded(c, levels, off=1),
        lambda c, levels: torch.zeros(c.shape),
        lambda c, levels: decoded(c, levels)[0, :, None],
        lambda c, levels: decoded(c, levels) / 0,
        lambda c, levels: decoded(c, levels) + 0.1,
    ],
    "check_gate": [
        lambda f, g: g.tanh() * f.sigmoid(),
        lambda f, g: f.tanh() + g.sigmoid(),
        lambda f, g: f * g.sigmoid(),
        lambda f, g: f.tanh() * g,
        lambda f, g: f.sigmoid() * g.sigmoid(),
        lambda f, g: f.tanh() * g.tanh(),
        lambda f, g: f.tanh(),
        lambda f, g: torch.zeros_like(f),
        lambda f, g: f * math.nan,
        lambda f, g: (f.tanh() * g.sigmoid()).permute(2, 1, 0)[:4],
    ],
    "check_repeat": [
        lambda c: (c[1:] == c[:-1]).sum() / len(c),
        lambda c: (c[1:] == c[:-1]).sum(),
        lambda c: 100 * (c[1:] == c[:-1]).float().mean(),
        lambda c: (c[1:] != c[:-1]).float().mean(),
        lambda c: (c == c.mode().values).float().mean(),
        lambda c: (c == c).float().mean(),
        lambda c: (c[2:] == c[:-2]).float().mean(),
        lambda c: c[1:] == c[:-1],
        lambda c: math.nan,
    ],
    "check_leak": [
        lambda x, k, d: convolved(x, k, d, (len(k) - 1) * d // 2, (len(k) - 1) * d - (len(k) - 1) * d // 2),
        lambda x, k, d: convolved(x, k, d, 0, (len(k) - 1) * d),
        lambda x, k, d: convolved(x, k, d, (len(k) - 1) * d - 1, 1),
        lambda x, k, d: convolved(x, k, d, (len(k) - 1) * d + 1, -1),
        lambda x, k, d: convolved(x, k.flip(0), d),
        lambda x, k, d: convolved(x, k, 1),
        lambda x, k, d: convolved(x, k, d, 0),
        lambda x, k, d: torch.zeros_like(x),
        lambda x, k, d: x,
        "model",
    ],
    "check_step": [
        lambda q, x, k: (k[1] * q[0] + k[0] * x, step(q, x, k)[1]),
        lambda q, x, k: (k[0] * q[-1] + k[1] * x, step(q, x, k)[1]),
        lambda q, x, k: (k[1] * x, step(q, x, k)[1]),
        lambda q, x, k: (k[0] * q[0], step(q, x, k)[1]),
        lambda q, x, k: step(q, x, k)[0],
        lambda q, x, k: (step(q, x, k)[0], q),
        lambda q, x, k: (step(q, x, k)[0], torch.cat([q, x[None]])),
        lambda q, x, k: (math.nan, q),
        lambda q, x, k: (x, step(q, x, k)[1]),
    ],
    "check_temperature": [
        lambda z, t: (z * t).softmax(0),
        lambda z, t: z.softmax(0) / t,
        lambda z, t: (z / t).log_softmax(0),
        lambda z, t: (z / t).exp(),
        lambda z, t: z.softmax(0),
        lambda z, t: z / t,
        lambda z, t: torch.zeros_like(z),
        lambda z, t: (z / t).softmax(0)[:-1],
        lambda z, t: (z / t).softmax(0).flip(0),
        0.5,
    ],
}  # fmt: skip


def layer_of(change, swap=False):
    """A residual layer with a mistake: ``change`` gets h, z's two ways, and gives the two results."""

    def answer(h, z, to_residual, to_skip):
        both = change(h, to_residual @ z, to_skip @ z)
        return both[::-1] if swap else both

    return answer


def held(y, hop, n):
    return y[:, (torch.arange(n) // hop).clamp(max=y.shape[1] - 1)]


def held_by_hand(y, hop, n):
    longer = torch.cat([y.repeat_interleave(hop, dim=1), y[:, -1:].expand(-1, n)], dim=1)
    return longer[:, :n]


def order(series, price=None, first=0):
    n = len(series)
    sigmas = [series.std().item()] + [least_squares_ar(series, order=k).sigma for k in range(1, 11)]
    costs = [2 * n * math.log(sigma) + k * (math.log(n) if price is None else price) for k, sigma in enumerate(sigmas)]
    return min(range(first, 11), key=lambda k: costs[k])


def information(u, v, base=2):
    pairs, counts = torch.stack([u, v], dim=1).unique(dim=0, return_counts=True)
    total = 0.0
    for (one, other), count in zip(pairs, counts, strict=True):
        p, apart = count / len(u), (u == one).double().mean() * (v == other).double().mean()
        total += (p * (p / apart).log() / math.log(base)).item()
    return total


def information_by_entropies(u, v):
    def entropy(*every):
        counts = torch.stack(every, dim=1).unique(dim=0, return_counts=True)[1]
        p = counts / counts.sum()
        return -(p * p.log2()).sum()

    return entropy(u) + entropy(v) - entropy(u, v)


def spoken(stretch, frames_of="five", speaker="m1"):
    """ "five", told the frames of a recording, stretched."""
    clips = bundled_clips()
    every = (clips[i] for i in range(len(clips)))
    recording = next(x for x, _, word, who in every if (word, who) == (frames_of, speaker))
    frames = interpolate(mel_frames(recording, n_mels=16), scale_factor=stretch, mode="linear")
    return generate(
        pretrained("words"), n=frames.shape[2] * 160, condition=Condition(word="five", frames=frames), seed=0
    )


BIN = (-math.log2(0.15865525393145707), -math.log2(0.6826894921370859))
A_CONFIG = dataclasses.replace(SUGGESTED, head="logistics")
RIGHT |= {
    "check_queues": [98_208, 98_208.0, torch.tensor(98_208)],
    "check_residual": [
        layer_of(lambda h, r, s: (h + r, s)),
        lambda h, z, wr, ws: [h + torch.einsum("cg,gt->ct", wr, z), torch.einsum("cg,gt->ct", ws, z)],
    ],
    "check_cost": [3680, torch.tensor(3680)],
    "check_hold": [held, held_by_hand],
    "check_bin_bits": [BIN, torch.tensor(BIN), [2.66, 0.55]],
    "check_slower": [lambda: spoken(1.5), lambda: spoken(1.35)],
    "check_count": [100, 99.8],
    "check_order": [order, lambda x: float(order(x)), lambda x: torch.tensor(order(x))],
    "check_information": [information, information_by_entropies],
    "check_better": [
        A_CONFIG,
        dataclasses.replace(SUGGESTED, n_layers=2, kernel_length=2, dilation_rate=11),
    ],
    "check_layer": [1800, 1800.0],
    "check_bounds": [(5000, 6667), torch.tensor([5000.0, 6650.0])],
    "check_life": [{"temperature": 1.05}, {"temperature": 1.05, "top_k": 10}],
    "check_weights": [[1 / 2, 1 / 3, 1 / 6], torch.tensor([3.0, 2, 1]) / 6, (0.5, 0.333, 0.167)],
    "check_speed_up": [5.2, 5.24],
    "check_rate": [0.048, 0.04],
    "check_suspects": ["BD", "db", "B and D"],
    "check_plan": [[None, 32, 26], (None, 32.0, 26)],
}
WRONG |= {
    "check_queues": [3069, 98_240, 32_736, 16_384, 1_571_328, 960, 5, 10**6, "98", math.nan],
    "check_residual": [
        layer_of(lambda h, r, s: (r, s)),
        layer_of(lambda h, r, s: (h, s)),
        layer_of(lambda h, r, s: (h - r, s)),
        layer_of(lambda h, r, s: (h + r, s.relu())),
        layer_of(lambda h, r, s: (h + r, -s)),
        layer_of(lambda h, r, s: (h + r, s), swap=True),
        layer_of(lambda h, r, s: h + r),
        layer_of(lambda h, r, s: (h * 0, s)),
        layer_of(lambda h, r, s: (h * math.nan, s)),
        layer_of(lambda h, r, s: ((h + r).T, s)),
    ],
    "check_cost": [3360, 2000, 2240, 1760, 656, 3840, 1, 10**6, "many", math.inf],
    "check_hold": [
        lambda y, hop, n: y.repeat(1, n)[:, :n],
        lambda y, hop, n: y.repeat_interleave(hop, dim=1),
        lambda y, hop, n: torch.cat([y[:, :1], held(y, hop, n)[:, :-1]], dim=1),
        lambda y, hop, n: held(y, hop, n).flip(1),
        lambda y, hop, n: interpolate(y[None], size=n, mode="linear")[0],
        lambda y, hop, n: held(y, hop, n) * (torch.arange(n) < 3 * hop),
        lambda y, hop, n: torch.zeros(2, n),
        lambda y, hop, n: held(y, hop, n).T,
        lambda y, hop, n: held(y, hop, n) * math.nan,
        "frames",
    ],
    "check_bin_bits": [
        BIN[::-1],
        [x * math.log(2) for x in BIN],
        (2.67, 0.55),
        (-math.log2(0.0227501319), 1),
        (0.1587, 0.6827),
        (-2.656, 0.55),
        (BIN[0], 0.6827),
        (BIN[0], BIN[0]),
        (BIN[0], 9.0),
        (1, 1),
        2.66,
        (math.nan, 1),
    ],
    "check_slower": [
        lambda: spoken(1.0),
        lambda: spoken(1.5, frames_of="six"),
        lambda: spoken(1.1),
        lambda: spoken(2.0, frames_of="no"),
        lambda: "five",
    ],
    "check_count": [19, 190, 1900 / 18, 1900 / 9, 36_100, 1900, 50, 500, "19", math.nan],
    "check_order": [
        lambda x: order(x, price=0),
        lambda x: order(x, first=1),
        lambda x: order(x, price=2 * math.log(len(x))),
        lambda x: order(x, price=2),
        lambda x: 2.5,
        lambda x: -1,
        lambda x: math.nan,
        lambda x: "AR(2)",
        lambda x: [0],
    ],
    "check_information": [
        lambda u, v: information(u, v, base=math.e),
        lambda u, v: -information(u, v),
        lambda u, v: information(u, v) * len(u),
        lambda u, v: information(u, v) / 2,
        lambda u, v: math.nan,
        lambda u, v: 0.0,
        lambda u, v: (u * v).tolist(),
        lambda u, v: "bits",
    ],
    "check_better": [
        SUGGESTED,
        dataclasses.replace(A_CONFIG, kernel_length=5),
        dataclasses.replace(A_CONFIG, kernel_length=60),
        dataclasses.replace(A_CONFIG, levels=16),
        dataclasses.replace(A_CONFIG, condition=ConditionConfig(words=("a", "b"), embedding=2)),
        3,
        "logistics",
    ],
    "check_layer": [1890, 1862, 1200, 1500, 600, 3, 10**5, "1800", math.nan],
    "check_bounds": [
        (20_000, 26_667),
        (16_000, 16_000),
        (5000, 5000),
        (5000, 3750),
        (5000, 6250),
        (1, 1),
        5000,
        (math.nan, 1),
    ],
    "check_life": [{"temperature": 0.5}, {"temperature": 2.0}, {"temperature": -1}, {"greedy": True}, {"top_k": 0}],
    "check_weights": [
        [1 / 3] * 3,
        [1 / 6, 2 / 6, 3 / 6],
        [3, 2, 1],
        [0.6, 0.3, 0.1],
        [0.5, 0.5],
        "thirds",
        [math.nan, 0, 1],
    ],
    "check_speed_up": [8, 6.6, 5.8, 6.3, 5.0, 1.92, 3, "fast", math.nan],
    "check_rate": [0.006, 0.01, 0.5, 0, 100, "large", math.nan],
    "check_suspects": ["B", "D", "ABD", "BCD", "BDE", ["B", "D"]],
    "check_plan": [[64, 64, 64], [None, 64, 26], [None, 31, 26], [None, None, 26], [None, 32, 0], [None, 43], [None, "a", 1], [math.nan, 1, 1]],
}  # fmt: skip


def answers(table, name):
    """Of sounds, which take seconds to make, the table has functions."""
    return [answer() for answer in table[name]] if name == "check_slower" else table[name]


def said(name, answer):
    return CHECKS[name].said(answer)


def test_every_check_is_tested():
    assert set(RIGHT) == set(WRONG) == set(CHECKS)
    assert all(len(each) >= 2 for each in RIGHT.values())
    assert all(len(each) >= 5 for each in WRONG.values())
    assert len({each.name for each in CHECKS.values()}) == len(CHECKS)
    for each in CHECKS.values():
        assert each.__doc__
        assert 1 <= each.notebook <= 8


@pytest.mark.parametrize("name", CHECKS)
def test_right_answers_pass(name, capsys):
    for answer in answers(RIGHT, name):
        assert said(name, answer).startswith("✓ ")
        assert CHECKS[name].passes(answer)
        assert CHECKS[name](answer) is None
        assert capsys.readouterr().out == said(name, answer) + "\n"


@pytest.mark.parametrize("name", CHECKS)
def test_wrong_answers_get_hints_that_differ(name):
    wrong = answers(WRONG, name)
    hints = [said(name, answer) for answer in wrong]
    for hint in hints:
        assert not hint.startswith("✓")
        assert "Not answered" not in hint
        assert "\n" not in hint
        assert len(hint) > 20
    assert len(set(hints)) == len(hints), sorted(hints)
    assert not any(CHECKS[name].passes(answer) for answer in wrong)


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("answer", [None, ...], ids=["None", "dots"])
def test_what_is_not_answered_is_told_so_and_not_counted(name, answer):
    assert said(name, answer).startswith("Not answered yet")
    assert not CHECKS[name].passes(answer)
    assert progress().tried == {}


def unanswered(*given):
    raise NotImplementedError


@pytest.mark.parametrize("name", ["check_likelihood", "check_padding", "check_delta"])
def test_a_function_without_a_body_is_no_answer(name):
    for answer in (lambda *given: None, lambda *given: ..., unanswered):
        assert said(name, answer).startswith("Not answered yet")


ANYTHING = st.one_of(
    st.text(max_size=5), st.integers(), st.floats(), st.booleans(), st.binary(max_size=3), st.lists(st.floats(), max_size=3), st.just(torch.zeros(0)),
    st.just(torch.ones(2, dtype=torch.complex64)), st.just(print), st.just(stop), st.just(int), st.just(object()), st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(ANYTHING, st.sampled_from(sorted(CHECKS)))
def test_no_answer_makes_a_check_raise(answer, name):
    for each in (answer, lambda *given: answer):
        assert isinstance(said(name, each), str)


def test_an_answer_that_spoils_its_arguments_spoils_no_check():
    def careless(x, kernel_length, dilation):
        padded = pad(x, ((kernel_length - 1) * dilation, 0))
        x.zero_()
        return padded

    assert said("check_padding", careless).startswith("✓")


def test_a_right_answer_that_warns_is_right_and_quiet(capsys, recwarn):
    def careful(kernel_length, dilations):
        warnings.warn("soon to be removed", UserWarning, stacklevel=1)
        return 1 + (kernel_length - 1) * sum(dilations)

    CHECKS["check_delta"](careful)
    captured = capsys.readouterr()
    assert captured.out.startswith("✓")
    assert captured.err == ""
    assert not list(recwarn)


def test_an_answer_that_stops_says_by_what():
    assert said("check_delta", lambda k, ds: 1 / 0).startswith("It stopped with ZeroDivisionError: division by zero;")
    assert said("check_delta", lambda k, ds: stop()).startswith("It stopped with SystemExit: 3;")


def test_progress_keeps_what_was_tried_and_passed():
    assert progress().tried == {}
    said("check_enough", 3)
    said("check_enough", 7500)
    said("check_enough", 4)
    said("check_delta", 4)
    found = progress()
    assert found.tried == {"enough samples": (1, 3, True), "the receptive field": (2, 1, False)}
    assert found.n_passed == 1
    assert "1 of the 2 exercises tried are passed." in repr(found)
    assert "<td>not yet</td>" in found._repr_html_()


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1}', '{"a": [1, "x", true]}', "\x00"])
def test_a_damaged_file_of_progress_is_no_obstacle(tmp_path, content):
    (tmp_path / "exercises.json").write_text(content)
    assert progress().tried == {}
    assert said("check_enough", 7500).startswith("✓")
    assert json.loads((tmp_path / "exercises.json").read_text()) == {"enough samples": [1, 1, True]}


def test_where_nothing_can_be_kept_the_check_still_speaks(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(tmp_path / "file"))
    assert said("check_enough", 7500).startswith("✓")
    assert progress().tried == {}


def test_a_grader_counts_no_tries():
    assert CHECKS["check_enough"].passes(7500)
    assert not CHECKS["check_enough"].passes(3)
    assert progress().tried == {}


@pytest.mark.parametrize("answer", [7500, -0.5, [0.5, None], "BD", {"T": 1.0}])
def test_what_is_sealed_comes_back_and_cannot_be_read(answer):
    assert unsealed(seal(answer)) == answer
    assert str(answer) not in seal(answer)


def test_strangers_are_four_series_of_one_length_that_stay_the_same():
    first, again = strangers(), strangers()
    assert list(first) == ["A", "B", "C", "D"]
    for name, series in first.items():
        assert series.shape == (24_000,)
        assert 0.97 < series.abs().max() < 1
        assert series.equal(again[name])
