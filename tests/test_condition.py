"""Conditioning: what a model is told reaches every layer at its time, in training and in every way to generate, and nothing else does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from helpers import SEEDS, built, condition_of, copied, is_changed, random_codes, refused, told_configs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wavenetlike import Losses, WaveNet, WaveNetConfig, analysis, load, save, train_stack_ar
from wavenetlike.condition import Condition, ConditionConfig, SwitchedConv1d, resolve
from wavenetlike.context import ContextConfig
from wavenetlike.data import switching_ar2
from wavenetlike.generate import METHODS, generate, graphed, stream, teacher_force
from wavenetlike.layers import AddFrames, Bias, add_bias

WORDS = ConditionConfig(words=("no", "so", "yes"), embedding=4)
BOTH = ConditionConfig(words=("no", "so", "yes"), speakers=("ann", "bob"), embedding=4, frame_channels=2, hop=5)
FRAMES = ConditionConfig(frame_channels=2, hop=5)


def model_of(condition: ConditionConfig | None, **options: object) -> WaveNet:
    shape = {"levels": 6, "n_blocks": 2, "n_layers": 3, "residual_channels": 4, "gate_channels": 4, "skip_channels": 8}
    return built(WaveNetConfig(**{**shape, **options}, condition=condition))


# Frames along time


def frames_by_hand(y: Tensor, frames: Tensor, hop: int, ends: Tensor) -> Tensor:
    """Column by column."""
    out = y.clone()
    for i in range(len(y)):
        for t in range(y.shape[2]):
            time = int(ends[i % len(ends)]) - y.shape[2] + t
            j = min(max(time // hop, 0), frames.shape[2] - 1)
            out[i, :, t] += frames[i % len(frames), :, j]
    return out


@settings(max_examples=80)
@given(
    SEEDS,
    st.integers(1, 3),
    st.booleans(),
    st.integers(1, 20),
    st.integers(1, 6),
    st.integers(1, 7),
    st.integers(-20, 40),
)
def test_each_column_gets_the_frame_of_its_time(seed, batch, is_one, n, n_frames, hop, end):
    generator = torch.Generator().manual_seed(seed)
    y = torch.randn(batch, 3, n, generator=generator, dtype=torch.float64)
    frames = torch.randn(
        1 if is_one else batch, 3, n_frames, generator=generator, dtype=torch.float64, requires_grad=True
    )
    ends = torch.tensor([end] if is_one else [end + 3 * i for i in range(batch)])
    expected = frames_by_hand(y, frames, hop, ends)
    torch.testing.assert_close(add_bias(y.clone(), Bias(frames, hop, ends)), expected)
    with torch.no_grad():
        torch.testing.assert_close(add_bias(y.clone(), Bias(frames, hop, ends)), expected)
    weight = torch.randn(y.shape, generator=generator, dtype=torch.float64)
    (by_hand,) = torch.autograd.grad((expected * weight).sum(), frames)
    for by_column in (y.clone(), y.mT.contiguous().mT):
        (ours,) = torch.autograd.grad((AddFrames.apply(by_column, frames, hop, ends.tolist()) * weight).sum(), frames)
        torch.testing.assert_close(ours, by_hand)


@pytest.mark.parametrize("width", [4, 128])
@pytest.mark.parametrize("n", [1, 2, 9])
@pytest.mark.parametrize("context", [None, ContextConfig(rate=4, n_layers=2, channels=3)])
def test_a_model_learns_from_any_number_of_columns(width, n, context):
    """One column, and the columns of wide layers, are views of what the convolution computed."""
    model = model_of(FRAMES, context=context, residual_channels=width)
    codes = random_codes(6, 2, model.receptive_field + n - 1)
    frames = torch.randn(2, 2, FRAMES.n_frames(codes.shape[1]))
    outputs = model(codes, padded=False, condition=Condition(frames=frames))
    with torch.no_grad():
        again = model(codes, padded=False, condition=Condition(frames=frames))
    torch.testing.assert_close(outputs.detach(), again, rtol=0, atol=1e-5)
    outputs.square().sum().backward()
    assert model.conditioning.frames.weight.grad.abs().sum() > 0


def test_a_compiler_and_a_gpu_gather_the_same_frames(monkeypatch):
    y, frames, ends = torch.randn(2, 3, 11), torch.randn(2, 3, 4), torch.tensor([9, 14])
    expected = add_bias(y.clone(), Bias(frames, 3, ends))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(add_bias(y.clone(), Bias(frames, 3, ends)), expected)


# One model, whoever computes it


@settings(max_examples=50)
@given(told_configs(), SEEDS, st.integers(1, 3), st.integers(0, 20))
def test_methods_give_the_same_outputs_under_teacher_forcing(config, seed, batch, extra):
    model, n = built(config, seed), 22
    total = extra + n
    codes = random_codes(config.levels, batch, total, seed=seed)
    condition = condition_of(config.condition, batch, total, seed)
    with torch.no_grad():
        expected = model(codes, condition=condition)[..., : total - 1]
    prefix = codes[:, :extra] if extra else None
    for name, method in {**METHODS, "graphed": graphed}.items():
        METHODS["compiled"], before = (method, METHODS["compiled"]) if name == "graphed" else (METHODS["compiled"],) * 2
        try:
            outputs = teacher_force(
                model, codes[:, extra:], prefix, "compiled" if name == "graphed" else name, condition
            )
        finally:
            METHODS["compiled"] = before
        if extra:
            torch.testing.assert_close(outputs, expected[..., extra - 1 :], rtol=0, atol=1e-4)
        else:  # the first code is predicted from silence alone
            torch.testing.assert_close(outputs[..., 1:], expected, rtol=0, atol=1e-4)


@settings(max_examples=40)
@given(told_configs(), SEEDS, st.integers(1, 3), st.booleans(), st.floats(0.2, 3), st.integers(0, 30))
def test_methods_draw_the_same_codes(config, seed, batch, greedy, temperature, past):
    model = built(config, seed)
    prefix = random_codes(config.levels, batch, past, seed=seed) if past else None
    condition = condition_of(config.condition, batch, past + 40, seed)
    options = {"temperature": temperature, "greedy": greedy, "batch": batch, "seed": seed, "condition": condition}
    first, *others = (generate(model, 40, prefix, method=method, **options) for method in METHODS)
    for other in others:
        assert torch.equal(first.codes, other.codes)


@pytest.mark.parametrize("context", [None, ContextConfig(rate=7, n_layers=2, channels=3)])
def test_the_recorded_loop_draws_as_the_others(context, monkeypatch):
    model = model_of(BOTH, context=context)
    condition = condition_of(BOTH, 2, 450)
    options = {"batch": 2, "seed": 0, "condition": condition}
    expected = generate(model, 450, method="cached", **options).codes
    monkeypatch.setattr("wavenetlike.generate.loop.METHODS", {**METHODS, "compiled": graphed})
    assert torch.equal(generate(model, 450, method="compiled", **options).codes, expected)


@settings(max_examples=40)
@given(told_configs(), SEEDS, st.integers(0, 30))
def test_windows_are_parts_of_the_whole(config, seed, first):
    """A window that is told when it begins predicts what the whole clip does; of a context stack's columns the first must fall on one."""
    model, rate = built(config, seed), config.context.rate if config.context else 1
    first, total = first * rate, first * rate + config.receptive_field + 9
    codes = random_codes(config.levels, 2, total, seed=seed)
    condition = condition_of(config.condition, 2, total, seed)
    with torch.no_grad():
        whole = model(codes, padded=False, condition=condition)
        part = model(codes[:, first:], padded=False, condition=condition, time=torch.tensor([first]))
    torch.testing.assert_close(part, whole[..., first:], rtol=0, atol=1e-5)


@settings(max_examples=40)
@given(told_configs(), SEEDS)
def test_no_output_sees_its_own_target(config, seed):
    model = built(config, seed).double()
    codes = random_codes(config.levels, 1, 30, seed=seed)
    condition = condition_of(config.condition, 1, 30, seed)
    other = codes.clone()
    other[:, 17:] = (other[:, 17:] + 1) % config.levels
    with torch.no_grad():
        before, after = model(codes, condition=condition), model(other, condition=condition)
    assert torch.equal(before[..., :17], after[..., :17])


@settings(max_examples=40)
@given(told_configs())
def test_config_counts_as_the_model_does(config):
    model = built(config)
    assert config.parameters == analysis.parameters(model)
    assert config.receptive_field == model.receptive_field == analysis.delta(model)
    assert config.depth == model.depth == analysis.depth(model)
    assert WaveNetConfig.from_json(config.to_json()) == config


# What is told matters, where it is told


def test_a_frame_matters_from_its_time_on():
    model, codes = model_of(FRAMES), random_codes(6, 1, 40)
    frames = torch.randn(1, 2, 8)
    changed = frames.clone()
    changed[..., 3] += 5
    with torch.no_grad():
        before, after = (model(codes, condition=Condition(frames=each)) for each in (frames, changed))
    # The output at t predicts t + 1, and knows its frame: frame 3 are samples 15 … 19.
    moved = (before != after).any(dim=1)[0].nonzero()[:, 0]
    assert moved[0] == 14
    assert 19 <= moved[-1] <= 18 + model.receptive_field
    assert set(range(14, 19)) <= set(moved.tolist())


def test_a_word_changes_every_output_and_names_numbers_and_weights_are_one():
    model, codes = model_of(BOTH), random_codes(6, 2, 20)
    frames = torch.randn(1, 2, 4)
    with torch.no_grad():
        yes = model(codes, condition=Condition(word="yes", speaker="ann", frames=frames))
        for word in (2, [2, 2], ["yes", "yes"], torch.tensor([2]), torch.tensor([[0.0, 0, 1]]), torch.eye(3)[[2, 2]]):
            again = model(codes, condition=Condition(word=word, speaker=0, frames=frames[0]))
            torch.testing.assert_close(again, yes, rtol=0, atol=1e-6)
        vector = model.conditioning.word.weight[2] + model.conditioning.speaker.weight[0]
        again = model(codes, condition=Condition(embedding=vector[None], frames=frames))
        torch.testing.assert_close(again, yes, rtol=0, atol=1e-6)
        other = model(codes, condition=Condition(word=["yes", "no"], speaker="ann", frames=frames))
    torch.testing.assert_close(other[0], yes[0], rtol=0, atol=1e-6)
    assert (other[1] != yes[1]).any(dim=0).all()


def test_what_is_left_out_adds_nothing():
    model, codes = model_of(BOTH), random_codes(6, 1, 20)
    nothing = Condition(word=torch.zeros(1, 3), speaker=torch.zeros(1, 2), frames=torch.zeros(1, 2, 4))
    with torch.no_grad():
        torch.testing.assert_close(model(codes), model(codes, condition=nothing), rtol=0, atol=1e-6)
        torch.testing.assert_close(model(codes), model(codes, condition=Condition()), rtol=0, atol=0)


@pytest.mark.parametrize("method", list(METHODS))
def test_each_of_a_batch_has_its_own_condition(method):
    model = model_of(BOTH)
    condition = condition_of(BOTH, 3, 60)
    together = generate(model, 60, batch=3, condition=condition, greedy=True, method=method).codes
    for i in range(3):
        own = Condition(word=condition.word[i], speaker=condition.speaker[i], frames=condition.frames[i])
        assert torch.equal(generate(model, 60, condition=own, greedy=True, method=method).codes[0], together[i])


def test_a_word_alone_needs_no_more_than_its_name():
    model = model_of(WORDS)
    model.skip_head.out.weight.data *= 50
    expected = generate(model, 120, condition=Condition(word="yes"), seed=0).codes
    assert torch.equal(generate(model, 120, condition="yes", seed=0).codes, expected)
    assert not torch.equal(generate(model, 120, condition="no", seed=0).codes, expected)
    blocks = stream(model, 120, block=50, condition="yes", seed=0)
    assert torch.equal(torch.cat([block.codes for block in blocks], dim=1), expected)
    speakers = model_of(ConditionConfig(speakers=("ann", "bob"), embedding=2))
    assert generate(speakers, 20, condition="bob", seed=0).codes.shape == (1, 20)


def test_conditions_travel_with_the_weights(tmp_path):
    model = model_of(BOTH, head="logistics", n_mixtures=2, context=ContextConfig(rate=4, n_layers=1, channels=2))
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.config == model.config
    assert again.config.condition.words == ("no", "so", "yes")
    assert not is_changed(model.state_dict(), again.state_dict())
    condition = condition_of(BOTH, 1, 30)
    assert torch.equal(*(generate(each, 30, condition=condition, seed=1).codes for each in (model, again)))
    refused(
        lambda: generate(again, 30, condition=dataclasses.replace(condition, word="maybe")),
        ValueError,
        "'maybe'",
        "no, so, yes",
    )


def test_generating_changes_no_weights():
    model = model_of(BOTH, context=ContextConfig(rate=4, n_layers=1, channels=2))
    before = copied(model.state_dict())
    for method in METHODS:
        generate(model, 30, condition=condition_of(BOTH, 1, 30), method=method)
    assert not is_changed(before, model.state_dict())


# Refusals


@pytest.mark.parametrize(
    ("fields", "error", "shown"),
    [
        ({}, ValueError, "neither words nor speakers"),
        ({"words": ("a",)}, ValueError, "embedding=0"),
        ({"words": ("a", "b", "a"), "embedding": 2}, ValueError, "'a' twice"),
        ({"words": "abc", "embedding": 2}, TypeError, "words='abc'"),
        ({"words": ("a", 3), "embedding": 2}, TypeError, "words holds 3"),
        ({"speakers": ("",), "embedding": 2}, TypeError, "speakers holds ''"),
        ({"words": {"a", "b"}, "embedding": 2}, TypeError, "keep an order"),
        ({"words": {"a": 1}, "embedding": 2}, TypeError, "is a dict"),
        ({"words": None, "embedding": 2}, TypeError, "words=None"),
        ({"words": 3, "embedding": 2}, TypeError, "words=3"),
        ({"embedding": -1}, ValueError, "embedding=-1"),
        ({"frame_channels": 1.0}, TypeError, "frame_channels=1.0"),
        ({"frame_channels": 1, "hop": 0}, ValueError, "hop=0"),
    ],
)
def test_bad_configs_are_refused(fields, error, shown):
    refused(lambda: ConditionConfig(**fields), error, shown)


@pytest.mark.parametrize("name", ["condition", "context"])
def test_other_configs_are_refused(name):
    refused(lambda: WaveNetConfig(**{name: {"hop": 3}}), TypeError, f"{name}={{'hop': 3}}")
    refused(lambda: WaveNetConfig(head="none"), ValueError, "head='none'", "softmax, logistics, gaussian, mse")


FOUR = torch.zeros(1, 2, 4)


@pytest.mark.parametrize(
    ("config", "condition", "error", "shown"),
    [
        (None, "yes", ValueError, "'yes'"),
        (None, Condition(word="yes"), ValueError, "word='yes'"),
        (WORDS, None, ValueError, "no word"),
        (WORDS, Condition(), ValueError, "one of no, so, yes"),
        (WORDS, "maybe", ValueError, "word='maybe' is not known to this model; it knows no, so, yes"),
        (WORDS, 3, TypeError, "condition=3"),
        (WORDS, Condition(word=3), ValueError, "word=3"),
        (WORDS, Condition(word=-1), ValueError, "word=-1"),
        (WORDS, Condition(word=1.5), TypeError, "float"),
        (WORDS, Condition(word=["yes", "no", "so"]), ValueError, "3 words for a batch of 1"),
        (WORDS, Condition(word=torch.zeros(1, 2)), ValueError, "(1, 2)"),
        (WORDS, Condition(word=torch.tensor(1)), ValueError, "shape ()"),
        (WORDS, Condition(word=torch.tensor([[1]])), ValueError, "(1, 1)"),
        (WORDS, Condition(word=torch.zeros(1, dtype=torch.int64, device="meta")), TypeError, "meta"),
        (WORDS, Condition(word=b"yes"), TypeError, "bytes"),
        (WORDS, Condition(embedding=torch.zeros(1, 4).to_sparse()), TypeError, "sparse"),
        (WORDS, Condition(embedding=torch.zeros(1, 4, device="meta")), TypeError, "meta"),
        (WORDS, Condition(embedding=[0.0] * 4), TypeError, "torch.as_tensor(embedding"),
        (WORDS, Condition(embedding=torch.full((1, 4), 1e300, dtype=torch.float64)), ValueError, "1e+300"),
        (WORDS, Condition(word="yes", speaker="ann"), ValueError, "a speaker"),
        (WORDS, Condition(word="yes", frames=FOUR), ValueError, "has frames"),
        (WORDS, Condition(word="yes", embedding=torch.zeros(1, 4)), ValueError, "beside a word"),
        (WORDS, Condition(embedding=torch.zeros(1, 3)), ValueError, "(1, 3)"),
        (WORDS, Condition(embedding=torch.full((1, 4), torch.nan)), ValueError, "NaN"),
        (BOTH, Condition(word="yes", speaker="eve", frames=FOUR), ValueError, "speaker='eve'"),
        (BOTH, Condition(word="yes", speaker="ann"), ValueError, "no frames"),
        (BOTH, Condition(word="yes", frames=FOUR), ValueError, "no speaker"),
        (BOTH, None, ValueError, "try condition=Condition(word='no', speaker='ann', frames=frames)"),
        (FRAMES, Condition(frames=FOUR + 65_505), ValueError, "±65,504"),
        (FRAMES, Condition(frames=FOUR[..., :3]), ValueError, "3 frames for 20 samples"),
        (FRAMES, Condition(frames=torch.zeros(1, 2, 5)), ValueError, "there must be 4"),
        (FRAMES, Condition(frames=torch.zeros(1, 3, 4)), ValueError, "(1, 3, 4)"),
        (FRAMES, Condition(frames=torch.zeros(2, 2, 4)), ValueError, "(2, 2, 4)"),
        (FRAMES, Condition(frames=FOUR.long()), TypeError, "int64"),
        (FRAMES, Condition(frames=FOUR[0, 0]), ValueError, "(4,)"),
        (FRAMES, "yes", ValueError, "a word"),
    ],
)
def test_bad_conditions_are_refused(config, condition, error, shown):
    model = model_of(config)
    refused(lambda: generate(model, 20, condition=condition), error, shown)
    refused(lambda: stream(model, 20, condition=condition), error, shown)
    refused(lambda: teacher_force(model, random_codes(6, 1, 20), condition=condition), error, shown)


def test_frames_are_those_of_prefix_and_new_samples_together():
    model, prefix = model_of(FRAMES), random_codes(6, 1, 8)
    refused(
        lambda: generate(model, 20, prefix, condition=Condition(frames=FOUR)), ValueError, "28 samples", "must be 6"
    )
    assert generate(model, 12, prefix, condition=Condition(frames=FOUR)).codes.shape == (1, 12)
    refused(lambda: stream(model, condition=Condition(frames=FOUR)), ValueError, "n=None", "4 frames")
    refused(lambda: model(random_codes(6, 1, 21), condition=Condition(frames=FOUR)), ValueError, "21 samples")


@pytest.mark.parametrize(
    ("time", "error", "shown"),
    [
        (3, TypeError, "type int"),
        (torch.tensor([0.5]), TypeError, "torch.float32"),
        (torch.tensor(3), ValueError, "shape ()"),
        (torch.tensor([[3]]), ValueError, "(1, 1)"),
        (torch.tensor([3, 3, 3]), ValueError, "1 or 2 for a batch of 2"),
        (torch.zeros(1, dtype=torch.int64, device="meta"), TypeError, "meta"),
    ],
)
def test_a_time_is_one_number_for_each_or_one_for_all(time, error, shown):
    codes = random_codes(6, 2, 20)
    refused(lambda: model_of(FRAMES)(codes, condition=Condition(frames=FOUR), time=time), error, shown)


def test_top_k_needs_a_softmax():
    refused(lambda: generate(model_of(None, head="gaussian"), 20, top_k=3), ValueError, "top_k=3", "'gaussian'")


def test_a_condition_says_what_it_is():
    assert repr(Condition(word="yes", frames=FOUR)) == "Condition(word='yes', frames=(1, 2, 4))"
    assert resolve(BOTH, Condition(word="so"), 1).word.tolist() == [1]


# AR(2) by class


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.sampled_from([Losses.mse, Losses.gaussian]), st.floats(0.01, 100), st.floats(-50, 50))
def test_parameters_are_recovered_class_by_class(seed, loss, scale, offset):
    weights = [(-0.4, 0.5, 1.0), (1.2, -0.8, 0.0), (0.3, 0.2, -2.0)]
    classes = torch.arange(6000) // 150 % 3
    series = switching_ar2(weights, classes, sigma=0.5, seed=seed)
    stack = SwitchedConv1d(3)
    fit = train_stack_ar(stack, scale * series + offset * scale, loss, classes=classes)
    for k, (a, b, c) in enumerate(weights):
        found = stack.conv.weight[k, 0].tolist()
        assert found == pytest.approx([b, a], abs=0.12)
        # x' = s·(x + o) has c' = s·(c + o·(1 - a - b)).
        assert stack.conv.bias[k].item() / scale == pytest.approx(c + offset * (1 - found[0] - found[1]), abs=0.25)
    if loss is Losses.gaussian:
        assert fit.head.sigma == pytest.approx(0.5 * scale, rel=0.05)


def test_one_kernel_for_all_classes_is_worse():
    classes = torch.arange(3000) // 100 % 2
    series = switching_ar2([(-0.4, 0.5), (1.2, -0.8)], classes, seed=0)
    switched = train_stack_ar(SwitchedConv1d(2), series, classes=classes)
    one = train_stack_ar(SwitchedConv1d(1), series, classes=torch.zeros(3000, dtype=torch.int64))
    assert switched.losses[-1] < 0.6 * one.losses[-1]


def test_switching_series_are_what_they_say():
    weights, classes = [(-0.4, 0.5, 1.0), (1.2, -0.8)], [0, 1, 1, 0, 1, 0, 0]
    series = switching_ar2(weights, classes, sigma=0)
    x0 = x1 = 0.0
    for t, k in enumerate(classes):
        a, b, c = (*weights[k], 0.0)[:3]
        x0, x1 = x1, c + a * x1 + b * x0
        assert series[t].item() == pytest.approx(x1)
    same = switching_ar2(weights, np.asarray(classes, dtype=np.uint64), seed=np.int64(3))
    assert torch.equal(switching_ar2(weights, classes, seed=3), same)


SERIES = torch.randn(100, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("call", "error", "shown"),
    [
        (lambda: SwitchedConv1d(0), ValueError, "n_classes=0"),
        (lambda: switching_ar2([], [0]), ValueError, "weights=[]"),
        (lambda: switching_ar2([(0.1,)], [0]), ValueError, "(0.1,)"),
        (lambda: switching_ar2([(0.1, torch.inf)], [0]), ValueError, "inf"),
        (lambda: switching_ar2([(0.1, 0.1)], [0, 1]), ValueError, "0 to 1"),
        (lambda: switching_ar2([(0.1, 0.1)], [0.5]), TypeError, "float"),
        (lambda: switching_ar2([(0.1, 0.1)], None), TypeError, "NoneType"),
        (lambda: switching_ar2([(0.1, 0.1)], iter([0])), TypeError, "iterator"),
        (lambda: switching_ar2([(0.1, 0.1)], []), ValueError, "classes is empty"),
        (lambda: switching_ar2(None, [0]), ValueError, "weights=None"),
        (lambda: switching_ar2([0.1, 0.1], [0]), ValueError, "weights=[0.1, 0.1]"),
        (lambda: SwitchedConv1d(2)(SERIES[None, None], torch.full((1, 100), 2)), ValueError, "2 to 2"),
        (lambda: SwitchedConv1d(2)(SERIES[None, None], torch.zeros(100).long()), ValueError, "(100,)"),
        (lambda: SwitchedConv1d(2)(SERIES[None, None], [0]), ValueError, "list"),
        (lambda: train_stack_ar(SwitchedConv1d(2), SERIES), ValueError, "classes"),
        (lambda: train_stack_ar(SwitchedConv1d(2), SERIES, classes=[0, 1]), ValueError, "(2,)"),
        (lambda: train_stack_ar(SwitchedConv1d(2), SERIES, classes=["a"] * 100), TypeError, "list"),
        (lambda: train_stack_ar(SwitchedConv1d(2), SERIES, classes=[0] * 100), ValueError, "class 1"),
    ],
)
def test_bad_classes_are_refused(call, error, shown):
    refused(call, error, shown)


def test_classes_are_for_switched_stacks_alone():
    from wavenetlike import Block

    refused(lambda: train_stack_ar(Block(1, 2, 1), SERIES, classes=[0] * 100), ValueError, "Block")


# Context stacks


@settings(max_examples=6, deadline=None)
@given(told_configs().filter(lambda config: config.context is not None and config.receptive_field < 150))
def test_a_context_stack_looks_as_far_as_it_says(config):
    model = built(dataclasses.replace(config, condition=None, head="softmax"))
    field = analysis.measure_receptive_field(model, searched=512)
    assert field.delta == model.receptive_field
    assert field.is_causal


def test_a_context_stack_buys_delta_for_little():
    alone = WaveNetConfig()
    pair = WaveNetConfig(context=ContextConfig(rate=64, n_layers=8))
    # 64 · 257 and what the first stack adds: a second at 16 kHz.
    assert pair.receptive_field == 64 * 257 + 3068
    assert pair.parameters < 1.1 * alone.parameters
    assert pair.gamma < 1.1 * alone.gamma
    report = analysis.analyze_model(
        built(dataclasses.replace(pair, n_blocks=1, n_layers=3, context=ContextConfig(rate=8, n_layers=3)))
    )
    assert report.field.delta == 8 * 9 + 6
    assert max(layer.delta for layer in report.layers) == report.field.delta
    assert report.depth == 4 + 2


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(ContextConfig)])
def test_bad_contexts_are_refused(field):
    refused(lambda: ContextConfig(**{field: 0}), ValueError, f"{field}=0")
    refused(lambda: ContextConfig(**{field: 1.0}), TypeError, f"{field}=1.0")
