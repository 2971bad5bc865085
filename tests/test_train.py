"""Training: a stack ends at least squares, a WaveNet learns, and a run can be repeated and stopped."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import SEEDS, built, copied, is_changed, random_codes, refused
from hypothesis import given, settings
from hypothesis import strategies as st

from wavenetlike import Block, Losses, ar2_process, build_ar2, train, train_stack_ar
from wavenetlike.analysis import evaluate, least_squares_ar
from wavenetlike.data import Windows, encode_clips, sunspots
from wavenetlike.heads import GaussianHead, MSEHead
from wavenetlike.train import watch

BOTH = pytest.mark.parametrize("loss_type", list(Losses))

# train_stack_ar


def series(a: float, b: float, n: int = 300, seed: int = 0, **options: float) -> torch.Tensor:
    return torch.tensor(list(itertools.islice(ar2_process(a, b, 0, 0, seed=seed, **options), n)), dtype=torch.float64)


def kernel(stack: torch.nn.Module) -> list[float]:
    """Coefficients newest first, (a, b) of an AR(2)."""
    return next(stack.parameters()).detach().flatten().flip(0).tolist()


@settings(max_examples=60)
@given(st.floats(-0.97, 0.97), st.floats(-0.97, 0.97), st.sampled_from(list(Losses)), SEEDS)
def test_stack_ends_at_least_squares(fraction, b, loss_type, seed):
    x = series(fraction * (1 - b), b, seed=seed)
    torch.manual_seed(seed)
    stack = Block(n_layers=1, kernel_length=2, dilation_rate=1)
    fit, expected = train_stack_ar(stack, x, loss_type=loss_type), least_squares_ar(x)
    assert kernel(stack) == pytest.approx(expected.coefficients, abs=1e-4)
    assert stack.layers[0].bias.item() == pytest.approx(expected.c, abs=1e-3 * (1 + abs(expected.c)))
    if loss_type is Losses.gaussian:
        assert fit.head.sigma == pytest.approx(expected.sigma, rel=1e-4)
        entropy = math.log(expected.sigma) + (1 + math.log(2 * math.pi)) / 2
        assert fit.losses[-1] == pytest.approx(entropy, abs=1e-6)
    else:
        assert fit.losses[-1] == pytest.approx(expected.sigma**2, rel=1e-6)


@BOTH
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("offset", [0.0, -1.0, 100.0, 1e4])
def test_stack_ends_at_least_squares_at_every_scale(loss_type, scale, offset):
    for a, b in ((-0.4, 0.5), (1.3, -0.6), (1.85, -0.9)):
        plain = series(a, b)
        expected = least_squares_ar(plain)
        x = scale * (plain + offset)
        stack = build_ar2()
        fit = train_stack_ar(stack, x, loss_type=loss_type)
        assert kernel(stack) == pytest.approx(expected.coefficients, abs=1e-3)
        mean = stack.double()(x[None, None, :-1], padded=False)[0, 0]
        error = (x[2:] - mean).square().mean().sqrt().item()
        # Weights are float32: beside an offset of 1e4 they predict to about 1e-3.
        assert error == pytest.approx(scale * expected.sigma, rel=1e-2)
        if loss_type is Losses.gaussian:
            assert fit.head.sigma == pytest.approx(scale * expected.sigma, rel=1e-3)


@pytest.mark.parametrize("kernel_length", [1, 2, 3, 5])
def test_longer_kernel_is_a_longer_regression(kernel_length):
    x = sunspots()
    stack = Block(1, kernel_length, 1)
    train_stack_ar(stack, x)
    assert kernel(stack) == pytest.approx(least_squares_ar(x, kernel_length).coefficients, abs=1e-3)


@BOTH
def test_start_does_not_matter(loss_type):
    x, ends = series(0.6, -0.5), []
    for seed in range(8):
        torch.manual_seed(seed)
        stack = build_ar2()
        stack.weight.data *= 10
        train_stack_ar(stack, x, loss_type)
        ends.append(kernel(stack))
    assert np.ptp(ends, axis=0).max() < 1e-4


@pytest.mark.parametrize(("n_layers", "kernel_length", "channels"), [(2, 2, 1), (3, 2, 1), (2, 3, 1)])
def test_deeper_stack_learns_no_worse_than_its_start(n_layers, kernel_length, channels):
    x = sunspots()
    torch.manual_seed(0)
    stack = Block(n_layers, kernel_length, 2, channels)
    delta = stack.receptive_field
    with torch.no_grad():
        start = (stack(x.float()[None, None, :-1], padded=False)[0, 0] - x[delta:]).square().mean().item()
    fit = train_stack_ar(stack, x)
    with torch.no_grad():
        end = (stack.double()(x[None, None, :-1], padded=False)[0, 0] - x[delta:]).square().mean().item()
    assert end == pytest.approx(fit.losses[-1], rel=1e-4)
    # At best all of its Δ lags are free; at worst it repeats the mean.
    assert least_squares_ar(x, delta).sigma ** 2 <= end * (1 + 1e-6)
    assert end < 0.5 * x.var().item() < start


@BOTH
@pytest.mark.parametrize("kind", [list, tuple, np.asarray, torch.as_tensor, lambda x: torch.tensor(x).float()])
def test_series_may_be_of_any_kind(kind, loss_type):
    x = series(0.6, -0.5).tolist()
    stack = Block(1, 2, 1)
    train_stack_ar(stack, kind(x), loss_type=loss_type)
    assert kernel(stack) == pytest.approx(least_squares_ar(x).coefficients, abs=1e-4)
    assert all(parameter.dtype == torch.float32 for parameter in stack.parameters())


def test_fit_tells_what_it_found():
    fit = train_stack_ar(build_ar2(), series(0.6, -0.5))
    assert isinstance(fit.head, MSEHead)
    assert fit.losses[-1] <= min(fit.losses)
    assert repr(fit).startswith("StackFit(MSEHead, loss ")
    assert isinstance(train_stack_ar(build_ar2(), series(0.6, -0.5), Losses.gaussian).head, GaussianHead)


def test_ar2_of_the_readme_runs_as_written():
    names: dict = {}
    exec(
        """
from wavenetlike import Block, Losses, ar2_process, build_wavenet, build_wavenet_toy, ops, train, train_stack_ar

stack = Block(n_layers=1, kernel_length=2, dilation_rate=1)
a, b = -0.4, 0.5
x0, x1 = 50, 60
n_samples = 100
data = []
gen = ar2_process(a, b, x0, x1)
for i in range(n_samples):
    data.append(gen.__next__())
train_stack_ar(stack, data, loss_type=Losses.mse)
""",
        names,
    )
    assert names["data"][:2] == [50, 60]
    assert len(names["data"]) == 100
    assert kernel(names["stack"]) == pytest.approx(least_squares_ar(names["data"]).coefficients, abs=1e-4)
    # The first two samples are far from the rest: four standard errors, generously.
    assert kernel(names["stack"]) == pytest.approx((-0.4, 0.5), abs=4 * math.sqrt((1 - 0.25) / 100))


@pytest.mark.parametrize(
    ("data", "error", "shown"),
    [
        ([7.5] * 50, ValueError, "7.5"),
        ([1.0, 2.0], ValueError, "2 samples"),
        ([], ValueError, "0 samples"),
        ([1.0, math.nan, 2.0, 3.0], ValueError, "NaN"),
        ([1.0, math.inf, 2.0, 3.0], ValueError, "infinite"),
        (torch.zeros(2, 50), ValueError, "(2, 50)"),
        (torch.tensor(3.0), ValueError, "()"),
    ],
)
@BOTH
def test_refused_series_leaves_the_stack_as_it_was(data, error, shown, loss_type):
    stack = Block(1, 2, 1)
    before = copied(stack.state_dict())
    refused(lambda: train_stack_ar(stack, data, loss_type), error, shown)
    assert not is_changed(before, stack.state_dict())


def test_loss_beyond_what_floats_hold_is_refused():
    stack = Block(1, 2, 1)
    before = copied(stack.state_dict())
    # Their squares are infinite.
    refused(lambda: train_stack_ar(stack, [1e200, -1e200, 3e200, 2e200, 5e200] * 20), ValueError, "finite")
    assert not is_changed(before, stack.state_dict())


@pytest.mark.parametrize("loss_type", ["mse", None, MSEHead(), Losses])
def test_other_losses_are_refused(loss_type):
    stack = Block(1, 2, 1)
    before = copied(stack.state_dict())
    refused(lambda: train_stack_ar(stack, series(0.5, 0.2), loss_type), TypeError, repr(loss_type))
    assert not is_changed(before, stack.state_dict())


def test_stack_of_several_channels_is_refused():
    stack = Block(1, 2, 1, channels=3)
    refused(lambda: train_stack_ar(stack, series(0.5, 0.2)), ValueError, "3")


# train


def run(model, dataset, **options):
    return train.train(model, dataset, **{"steps": 5, "window": 60, "progress": False, **options})


class Clock:
    """Stands in for the time module: every look at it is ``tick`` seconds later."""

    def __init__(self, tick: float):
        self.now, self.tick = 0.0, tick

    def monotonic(self) -> float:
        self.now += self.tick
        return self.now


def set_clock(monkeypatch: pytest.MonkeyPatch, tick: float) -> None:
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=Clock(tick).monotonic))


def test_loss_falls(small_model, tones):
    history = run(small_model, tones, steps=60, window=200)
    assert len(history.bits) == 60
    assert not history.stopped
    assert history.bits[0] > 2
    assert np.mean(history.bits[-5:]) < 0.5 * history.bits[0]
    assert evaluate(small_model, tones)[-1].bits < 0.5 * history.bits[0]


def test_run_repeats_from_its_seed(small_model, tones):
    def one(seed: int, **options):
        model = built(small_model.config)
        history = run(model, tones, seed=seed, **options)
        return history.bits, model.state_dict()

    bits, weights = one(0)
    torch.manual_seed(123)
    again = one(0)
    assert again[0] == bits
    assert not is_changed(again[1], weights)
    other = one(1)
    assert other[0] != bits
    assert is_changed(other[1], weights)
    assert one(0, learning_rate=1e-3)[0] != bits
    assert one(0, batch_size=3)[0] != bits
    assert one(0, window=50)[0] != bits


def test_training_draws_nothing_from_the_global_generator(small_model, tones):
    state = torch.get_rng_state()
    run(small_model, tones)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("batch_size", [1, 3])
def test_loss_is_taken_where_all_of_the_past_is_known(small_model, tones, batch_size):
    delta, window = small_model.receptive_field, 25
    codes, targets, *_ = Windows(encode_clips(tones, small_model.mu_law), delta, window, seed=4).batch(0, batch_size)
    bits = []
    with torch.no_grad():
        for row, t in targets.nonzero().tolist():
            past = codes[row, t : t + delta]
            log_probabilities = small_model(past[None], padded=False)[0, :, 0].double().log_softmax(0)
            bits.append(-log_probabilities[codes[row, t + delta]].item() / math.log(2))
    history = run(small_model, tones, steps=1, window=window, batch_size=batch_size, seed=4)
    assert history.bits == [pytest.approx(np.mean(bits), rel=1e-5)]


def test_clip_of_one_code_more_than_delta_is_enough(small_model):
    delta = small_model.receptive_field
    waveform = torch.rand(1, delta + 1) * 2 - 1
    codes = small_model.mu_law.encode(waveform)
    with torch.no_grad():
        logits = small_model(codes[:, :-1], padded=False)[0, :, 0]
    history = run(small_model, [waveform], steps=1)
    assert history.bits == [pytest.approx(-logits.log_softmax(0)[codes[0, -1]].item() / math.log(2), rel=1e-5)]


def test_learning_rate_scales_the_first_step(small_model, tones):
    def moved(learning_rate: float) -> float:
        model = built(small_model.config)
        before = copied(model.state_dict())
        run(model, tones, steps=1, learning_rate=learning_rate)
        return max((model.state_dict()[name] - value).abs().max().item() for name, value in before.items())

    # The first step of Adam is as long as its rate, a tenth of what was asked for: it is the first of ten.
    assert moved(1e-2) == pytest.approx(1e-3, rel=1e-3)
    assert moved(1e-1) == pytest.approx(1e-2, rel=1e-3)


def test_plain_waveforms_train_as_items_do(small_model, tones):
    bits = run(built(small_model.config), tones).bits
    assert run(built(small_model.config), [waveform for waveform, *_ in tones]).bits == bits
    assert run(built(small_model.config), iter(tones)).bits == bits


def test_training_goes_on_from_where_it_is(small_model, tones):
    first = run(small_model, tones, steps=40)
    second = run(small_model, tones, steps=40)
    assert np.mean(second.bits[:5]) < 0.7 * first.bits[0]


def test_seconds_alone_end_the_run(small_model, tones, monkeypatch):
    set_clock(monkeypatch, 0.5)
    history = run(small_model, tones, steps=None, seconds=10.0)
    assert 5 <= len(history.bits) <= 20
    assert history.seconds >= 10
    assert not history.stopped


def test_whichever_ends_first_ends_the_run(small_model, tones, monkeypatch):
    set_clock(monkeypatch, 0.5)
    assert len(run(small_model, tones, steps=3, seconds=1000.0).bits) == 3
    assert 1 <= len(run(small_model, tones, steps=1000, seconds=4.0).bits) <= 8


def test_a_minute_is_the_default(small_model, tones, monkeypatch):
    set_clock(monkeypatch, 5.0)
    history = train.train(small_model, tones, window=60, progress=False)
    assert 60 <= history.seconds <= 75


@pytest.mark.parametrize("done", [0, 3])
@pytest.mark.parametrize("progress", [False, True])
def test_interrupt_keeps_what_was_learned(small_model, tones, capsys, done, progress):
    forward, steps, kept = small_model.forward, [], {}
    start = copied(small_model.state_dict())

    def interrupted(*arguments, **options):
        if len(steps) == done:
            kept.update(copied(small_model.state_dict()))
            raise KeyboardInterrupt
        steps.append(None)
        return forward(*arguments, **options)

    small_model.forward = interrupted
    history = run(small_model, tones, steps=10, progress=progress)
    assert history.stopped
    assert len(history.bits) == done
    assert not is_changed(kept, small_model.state_dict())
    assert is_changed(start, kept) == (done > 0)
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 1
    assert str(done) in printed
    assert repr(history) == "History(no steps)" if not done else "3 steps" in repr(history)
    assert history.bits == run(built(small_model.config), tones, steps=10).bits[:done]


def test_bar_is_shown_on_request(small_model, tones, capsys):
    run(small_model, tones)
    assert capsys.readouterr() == ("", "")
    for options in ({"steps": 3}, {"steps": None, "seconds": 0.2}):
        run(small_model, tones, progress=True, **options)
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "training" in printed.err
        assert "bits per sample" in printed.err


def test_bar_changes_nothing(small_model, tones):
    bits = run(built(small_model.config), tones).bits
    assert run(built(small_model.config), tones, progress=True).bits == bits


def test_history_is_short_to_read(small_model, tones):
    history = run(small_model, tones, steps=2)
    first, last = (f"{bits:.2f}" for bits in history.bits)
    assert repr(history) == f"History(2 steps, {first} → {last} bits per sample)"
    assert history.seconds > 0


GOOD = torch.zeros(1, 50)


@pytest.mark.parametrize(
    ("options", "error", "shown"),
    [
        ({"steps": 0}, ValueError, "steps=0"),
        ({"steps": -1}, ValueError, "steps=-1"),
        ({"steps": True}, TypeError, "steps=True"),
        ({"steps": 2.5}, TypeError, "steps=2.5"),
        ({"window": 0}, ValueError, "window=0"),
        ({"window": 2.5}, TypeError, "window=2.5"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"batch_size": "1"}, TypeError, "batch_size='1'"),
        ({"learning_rate": 0}, ValueError, "learning_rate=0"),
        ({"learning_rate": -1}, ValueError, "learning_rate=-1"),
        ({"learning_rate": math.nan}, ValueError, "learning_rate=nan"),
        ({"learning_rate": math.inf}, ValueError, "learning_rate=inf"),
        ({"seconds": 0}, ValueError, "seconds=0"),
        ({"seconds": -1}, ValueError, "seconds=-1"),
        ({"seconds": math.nan}, ValueError, "seconds=nan"),
        ({"seconds": math.inf}, ValueError, "seconds=inf"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"seed": 0.5}, TypeError, "seed=0.5"),
        ({"dataset": []}, ValueError, "no clips"),
        ({"dataset": [GOOD, (torch.zeros(1, 0), 16000)]}, ValueError, "(1, 0)"),
        ({"dataset": [GOOD, GOOD + 1.5]}, ValueError, "1.5"),
        ({"dataset": [GOOD * math.nan]}, ValueError, "NaN"),
        ({"dataset": [GOOD.to(torch.int16)]}, TypeError, "torch.int16"),
        ({"dataset": [GOOD[0]]}, ValueError, "(50,)"),
        ({"dataset": [([0.0] * 50, 16000)]}, TypeError, "list"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_bad_arguments_are_refused(small_model, options, error, shown):
    before = copied(small_model.state_dict())
    arguments = {"dataset": [GOOD], "steps": 1, "progress": False, **options}
    dataset = arguments.pop("dataset")
    refused(lambda: train.train(small_model, dataset, **arguments), error, shown)
    assert not is_changed(before, small_model.state_dict())


def test_large_seeds_are_seeds_too(small_model, tones):
    runs = [run(built(small_model.config), tones, seed=seed).bits for seed in (0, 1, 2**31, 2**32, 2**40, 2**64)]
    assert len({tuple(bits) for bits in runs}) == len(runs)


TOY = "model = build_wavenet_toy(); dataset = ops.download_sample_audio(cutoff=5); train.train(model, dataset)"


@pytest.mark.parametrize("snippet", [TOY, TOY.replace("build_wavenet_toy", "build_wavenet")])
def test_three_lines_of_the_readme_run_as_written(snippet, monkeypatch, no_network, capsys):
    # A minute of training is over after one step by this clock.
    set_clock(monkeypatch, 30.0)
    names: dict = {}
    exec("from wavenetlike import build_wavenet, build_wavenet_toy, ops, train\n" + snippet, names)
    assert len(names["dataset"]) == 5
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1
    assert "training" in printed.err
    codes = random_codes(10, 1, 20)
    assert names["model"](codes).isfinite().all()
