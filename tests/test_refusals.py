"""Mistakes that students and engineers make, each answered in one sentence, with nothing lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers import built, copied, is_changed, random_codes, refused

from wavenetlike import Block, Losses, WaveNet, WaveNetConfig, ar2_process, load, save, train, train_stack_ar
from wavenetlike.analysis import evaluate, least_squares_ar, score
from wavenetlike.data import bundled_clips, read_audio
from wavenetlike.explore import explore_ar2
from wavenetlike.generate import generate
from wavenetlike.layers import CausalConv1d, GatedUnit

WAVES = [torch.zeros(1, 200)]
STACK = Block(1, 2, 1)


def tiny() -> WaveNet:
    return built(WaveNetConfig(levels=4, n_blocks=1, n_layers=3, residual_channels=3, gate_channels=2, skip_channels=4))


@pytest.mark.parametrize(
    ("call", "error", "shown"),
    [
        (lambda: train.train(tiny(), bundled_clips()[0]), TypeError, "Clip 1"),
        (lambda: train.train(tiny(), None), TypeError, "NoneType"),
        (lambda: train.train(tiny(), [torch.zeros(1, 200), torch.full((1, 200), 2.0)]), ValueError, "Clip 1"),
        (lambda: train.train(STACK, WAVES), TypeError, "Block"),
        (lambda: train.train(tiny(), WAVES, learning_rate="1"), TypeError, "'1'"),
        (lambda: train.train(tiny(), WAVES, seconds="1"), TypeError, "'1'"),
        (lambda: generate(STACK, 5), TypeError, "Block"),
        (lambda: generate(tiny(), 5, temperature="1"), TypeError, "'1'"),
        (lambda: save(STACK, "x"), TypeError, "Block"),
        (lambda: train_stack_ar(STACK, ar2_process(0, 0, 0, 0)), TypeError, "islice"),
        (lambda: train_stack_ar(STACK, ["a"] * 20), TypeError, "list"),
        (lambda: train_stack_ar(GatedUnit(1, 1, 2), range(20)), TypeError, "GatedUnit"),
        (lambda: train_stack_ar(CausalConv1d(1, 3, 2), range(20)), ValueError, "(3, 1)"),
        (lambda: train_stack_ar(STACK, [1.0, 2.0, 3.0]), ValueError, "3 samples"),
        (lambda: least_squares_ar(ar2_process(0, 0, 0, 0)), TypeError, "islice"),
        (lambda: least_squares_ar([3.0] * 50), ValueError, "3 throughout"),
        (lambda: ar2_process("a", 0, 0, 0), TypeError, "'a'"),
        (lambda: bundled_clips()[:3], TypeError, "slice"),
        (lambda: score(tiny(), bundled_clips(1)), TypeError, "evaluate"),
        (lambda: score(tiny(), []), ValueError, "no clips"),
        (lambda: explore_ar2(n_samples=-1), ValueError, "-1"),
        (lambda: WaveNetConfig(levels=True), TypeError, "True"),
    ],
)
def test_a_mistake_gets_one_sentence(call: Callable[[], object], error: type[Exception], shown: str) -> None:
    refused(call, error, shown)


def test_numpy_integers_are_integers(tmp_path) -> None:
    assert Block(np.int64(2), np.int32(2), np.int64(1)).receptive_field == 3
    config = WaveNetConfig(n_blocks=np.int64(1), n_layers=np.int64(2), skip_channels=np.int16(4))
    model = WaveNet(config)
    save(model, tmp_path / "model")
    assert load(tmp_path / "model").config == config
    assert generate(model, np.int64(3)).codes.shape == (1, 3)


def test_diverging_training_stops_before_the_weights_are_lost() -> None:
    model = tiny()
    clip = torch.rand(1, 400, generator=torch.Generator().manual_seed(0)) * 2 - 1
    refused(
        lambda: train.train(model, [clip], steps=50, learning_rate=1e30, progress=False), train.Diverged, "diverged"
    )
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_series_too_large_for_the_stack_leaves_it_as_it_was() -> None:
    with pytest.warns(UserWarning, match="grows without bound"):
        process = ar2_process(2.2, 1.2, 0, 0, seed=1)
    series = [next(process) for _ in range(100)]
    stack = Block(1, 2, 1)
    before = copied(stack.state_dict())
    refused(lambda: train_stack_ar(stack, series, Losses.mse), ValueError, "finite")
    assert not is_changed(stack.state_dict(), before)


def test_saving_onto_a_folder_leaves_no_litter(tmp_path) -> None:
    refused(lambda: save(tiny(), tmp_path), IsADirectoryError, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_very_low_temperature_is_greedy() -> None:
    model = tiny()
    cold = generate(model, 30, temperature=1e-39, seed=0).codes
    assert torch.equal(cold, generate(model, 30, greedy=True).codes)


@pytest.mark.parametrize("training", [True, False])
def test_scoring_leaves_the_mode_of_the_model(training: bool) -> None:
    model = tiny().train(training)
    evaluate(model, WAVES)
    assert model.training is training


def test_only_the_receptive_field_of_a_prefix_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny()
    seen = []
    embedding = model.embedding.forward
    monkeypatch.setattr(model.embedding, "forward", lambda codes: seen.append(codes.shape[1]) or embedding(codes))
    generate(model, 1, prefix=random_codes(4, 1, 5000))
    assert seen == [model.receptive_field]


def test_what_is_no_audio_is_refused(tmp_path) -> None:
    (tmp_path / "x.raw").write_bytes(b"12345678")
    refused(lambda: read_audio(tmp_path / "x.raw"), ValueError, "x.raw")
