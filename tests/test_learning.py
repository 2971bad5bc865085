"""Learning: `train` is the plain loop that one would write by hand, judged by what `evaluate` says, and watched step by step."""

from __future__ import annotations

import copy
import gc
import itertools
import logging
import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import SEEDS, built, copied, is_changed, random_codes, refused, wavenet_configs
from hypothesis import given, settings
from hypothesis import strategies as st
from test_train import set_clock
from test_windows import LENGTHS, counting_codes
from torch import Tensor

from wavenetlike import WaveNet, WaveNetConfig, train
from wavenetlike.analysis import baselines, evaluate, scores
from wavenetlike.data import Windows, encode_clips
from wavenetlike.heads import SoftmaxHead
from wavenetlike.train import Diverged, History, Judged, Log, Recipe, Run, TensorBoard
from wavenetlike.train.recipe import SCHEDULES, WARM_UP

CONFIG = WaveNetConfig(levels=5, n_blocks=2, n_layers=3, residual_channels=4, gate_channels=4, skip_channels=8)
CLIPS = [0.8 * torch.sin(2 * math.pi * torch.arange(400) / period)[None] for period in (40, 50, 63)]
NOISE = [torch.rand(1, n, generator=torch.Generator().manual_seed(n)) * 2 - 1 for n in (400, 300)]


def go(model: WaveNet, **options: Any) -> History:
    """Six steps, or what else is asked for."""
    recipe = {"steps": 6, "window": 60, "progress": False, **options}
    return train.train(model, recipe.pop("dataset", CLIPS), **recipe)


class Seen:
    """Keeps what ``look`` says of the run at each of its hooks, beside the hook and the step."""

    def __init__(self, look: Callable[[Run], Any] = lambda run: None):
        self.look, self.hooks = look, []

    def start(self, run: Run) -> None:
        self.hooks.append(("start", run.step, self.look(run)))

    def step(self, run: Run) -> None:
        self.hooks.append(("step", run.step, self.look(run)))

    def end(self, run: Run) -> None:
        self.hooks.append(("end", run.step, self.look(run)))

    @property
    def steps(self) -> dict[int, Any]:
        return {step: what for hook, step, what in self.hooks if hook == "step"}


@pytest.fixture(autouse=True, scope="module")
def few_objects() -> Iterator[None]:
    """Every training ends with a collection of garbage, which looks at the objects of all tests before."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


# The loop


def by_hand(
    model: WaveNet,
    seed: int,
    steps: int,
    window: int,
    batch_size: int,
    rates: list[float],
    clip: float | None,
    ema: float | None,
) -> tuple[list[float], list[float], dict[str, Tensor]]:
    """Bits and accuracy of every step, and the weights at the end, averaged if asked for; ``model`` is trained in place."""
    windows = Windows(encode_clips(CLIPS, model.mu_law), model.receptive_field, window, seed)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.99))
    bits, accuracy, average = [], [], {}
    for step in range(steps):
        codes, is_target, *_ = windows.batch(step, batch_size)
        logits, targets = model(codes[:, :-1], padded=False), codes[:, model.receptive_field :]
        loss = F.cross_entropy(logits, targets, reduction="none")[is_target].mean() / math.log(2)
        optimizer.zero_grad()
        loss.backward()
        gradients = [p.grad for p in model.parameters()]
        norm = math.sqrt(sum(g.double().square().sum().item() for g in gradients))
        for gradient in gradients:
            gradient *= min(1.0, (clip or math.inf) / norm)
        optimizer.param_groups[0]["lr"] = rates[step]
        optimizer.step()
        bits.append(loss.item())
        accuracy.append((logits.argmax(dim=1) == targets)[is_target].double().mean().item())
        for name, weight in model.state_dict().items():
            keep = ema if ema is not None and step else 0.0
            average[name] = keep * average.get(name, 0.0) + (1 - keep) * weight
    return bits, accuracy, average


@settings(max_examples=25)
@given(
    st.integers(1, 15),
    st.integers(1, 80),
    st.integers(1, 4),
    st.sampled_from([1e-3, 1e-2, 0.1]),
    st.sampled_from(SCHEDULES),
    st.sampled_from([None, 0.05, 1.0]),
    st.sampled_from([None, 0.0, 0.5, 0.9, 1.0]),
    SEEDS,
)
def test_it_is_the_loop_that_one_would_write_by_hand(
    steps, window, batch_size, learning_rate, schedule, clip, ema, seed
):
    falls = {
        "linear": lambda step: 1 - step / steps,
        "cosine": lambda step: math.cos(math.pi / 2 * step / steps) ** 2,
        "constant": lambda step: 1,
    }
    rates = [learning_rate * min((step + 1) / 10, falls[schedule](step)) for step in range(steps)]
    bits, accuracy, average = by_hand(built(CONFIG), seed, steps, window, batch_size, rates, clip, ema)
    model = built(CONFIG)
    recipe = {"window": window, "batch_size": batch_size, "learning_rate": learning_rate, "schedule": schedule}
    history = go(model, steps=steps, clip=clip, ema=ema, seed=seed, **recipe)
    assert history.bits == pytest.approx(bits, rel=1e-3)
    # Two codes may be as likely.
    assert history.accuracy == pytest.approx(accuracy, abs=0.02)
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, average[name], atol=3e-2 * learning_rate, rtol=1e-3)


def test_a_small_clip_matters_and_a_large_one_does_not():
    runs = {clip: go(built(CONFIG), clip=clip, learning_rate=0.05).bits for clip in (None, 1e9, 1.0, 1e-9)}
    assert runs[None] == runs[1e9]
    # So small that Adam's ε is not.
    assert runs[None] != runs[1e-9]
    assert np.ptp(runs[1e-9]) < np.ptp(runs[None])


def recipe_of(**options: Any) -> Recipe:
    usual = {
        "steps": 9,
        "seconds": None,
        "window": 60,
        "batch_size": 1,
        "learning_rate": 1.0,
        "schedule": "linear",
        "clip": 1.0,
    }
    more = {"ema": None, "precision": "float32", "compiled": False, "evaluate_every": 100, "patience": None, "seed": 0}
    return Recipe(**{**usual, **more, **options})


@settings(max_examples=100)
@given(st.integers(1, 500), st.sampled_from(SCHEDULES), st.floats(1e-6, 10))
def test_rates_rise_for_ten_steps_and_then_fall_as_the_schedule_says(steps, schedule, rate):
    recipe = recipe_of(steps=steps, schedule=schedule, learning_rate=rate)
    rates = [recipe.rate(step, recipe.done(step, 1e9)) for step in range(steps)]
    assert all(0 < r <= rate * min(1, (step + 1) / WARM_UP) * (1 + 1e-9) for step, r in enumerate(rates))
    assert recipe.rate(steps + 99, 1.0) == pytest.approx(rate if schedule == "constant" else 0, abs=1e-12)
    assert recipe.rate(99, 0.5) == pytest.approx(rate if schedule == "constant" else rate / 2)
    assert rates[WARM_UP:] == sorted(rates[WARM_UP:], reverse=True)
    if steps > 50:
        assert rates[: WARM_UP // 2] == pytest.approx([rate * (step + 1) / WARM_UP for step in range(WARM_UP // 2)])


@settings(max_examples=50)
@given(st.none() | st.integers(1, 99), st.none() | st.floats(0.1, 99), st.integers(0, 99), st.floats(0, 99))
def test_what_is_done_is_the_larger_part(steps, seconds, step, elapsed):
    parts = [now / end for now, end in ((step, steps), (elapsed, seconds)) if end is not None]
    assert recipe_of(steps=steps, seconds=seconds).done(step, elapsed) == pytest.approx(max(parts, default=0))


def test_a_step_of_several_epochs_is_one_step():
    history = go(built(CONFIG), window=400, batch_size=20, steps=2)
    assert len(history.bits) == 2
    assert history.bits[0] == pytest.approx(evaluate(built(CONFIG), CLIPS)[-1].bits, rel=0.05)


# Shares of several processes


@settings(max_examples=60)
@given(LENGTHS, st.integers(1, 20), st.integers(1, 20), st.integers(1, 7), st.integers(1, 4), st.integers(0, 2**40))
def test_all_shares_of_an_epoch_hold_every_target_once(lengths, delta, window, batch_size, n, seed):
    codes = counting_codes(lengths)
    windows = Windows(codes, delta, window, seed)
    n_steps = math.lcm(len(windows), batch_size) // batch_size
    ranks = range(min(n, batch_size))
    counts: dict[int, int] = {}
    for step in range(n_steps):
        shares = [windows.batch(step, batch_size, rank, len(ranks)) for rank in ranks]
        targets = [share.codes[:, delta:][share.targets].tolist() for share in shares]
        assert all(share.targets.any(dim=1).all() for share in shares)
        assert windows.n_targets(step, batch_size) == sum(map(len, targets))
        whole = windows.batch(step, batch_size)
        assert sorted(itertools.chain(*targets)) == sorted(whole.codes[:, delta:][whole.targets].tolist())
        for code in itertools.chain(*targets):
            counts[code] = counts.get(code, 0) + 1
    clips = [clip[delta:] if len(clip) > delta else clip for clip in codes]
    n_epochs = n_steps * batch_size // len(windows)
    assert counts == dict.fromkeys(torch.cat(clips).tolist(), n_epochs)


@settings(max_examples=60)
@given(LENGTHS, st.integers(1, 20), st.integers(1, 20), st.integers(1, 4), SEEDS)
def test_batches_of_a_fixed_length_hold_the_same_targets(lengths, delta, window, batch_size, seed):
    windows = Windows(counting_codes(lengths), delta, window, seed)
    for step in range(3):
        codes, targets, clip, time = windows.batch(step, batch_size, fixed=True)
        assert codes.shape == (batch_size, delta + window)
        short = windows.batch(step, batch_size)
        n = short.targets.shape[1]
        assert not targets[:, : window - n].any()
        assert torch.equal(codes[:, window - n :], short.codes)
        assert torch.equal(targets[:, window - n :], short.targets)
        assert torch.equal(clip, short.clip)
        assert torch.equal(time + window - n, short.time)


# Held-out clips


@pytest.mark.filterwarnings("ignore:.*are not scored")
@settings(max_examples=60)
@given(
    wavenet_configs(), st.lists(st.integers(1, 40), min_size=1, max_size=4), st.booleans(), st.integers(1, 50), SEEDS
)
def test_evaluate_is_slow_counting(config, lengths, is_full, at_once, seed):
    model = built(config, seed)
    clips = [model.mu_law.decode(random_codes(config.levels, 1, n, seed=seed + n)) for n in lengths]
    start = model.receptive_field if is_full else 1
    bits, hits = [], []
    for clip in encode_clips(clips, model.mu_law):
        known = F.pad(clip, (model.receptive_field, 0), value=model.mu_law.silence)
        for t in range(start, len(clip)):
            with torch.no_grad():
                logits = model(known[None, t : t + model.receptive_field], padded=False)[0, :, 0].double()
            bits.append(-logits.log_softmax(0)[clip[t]].item() / math.log(2))
            hits.append(logits.argmax() == clip[t])
    positions = "full" if is_full else "all"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "AT_ONCE", at_once)
        if not bits:
            refused(lambda: evaluate(model, clips, positions), ValueError, str(start))
            return
        found = evaluate(model, clips, positions)[-1]
    assert found.bits == pytest.approx(np.mean(bits), rel=1e-4)
    # Two codes may be as likely.
    assert found.accuracy == pytest.approx(np.mean(hits), abs=1.01 / len(hits))


@pytest.mark.parametrize("ema", [None, 0.7])
@pytest.mark.parametrize("evaluate_every", [1, 4, 100])
def test_judgements_are_what_evaluate_says(evaluate_every, ema):
    weights = Seen(lambda run: copied(run.model.state_dict()))
    model = built(CONFIG)
    history = go(model, steps=10, held_out=NOISE, evaluate_every=evaluate_every, ema=ema, watch=weights)
    assert [judged.step for judged in history.held_out] == sorted({*range(evaluate_every, 11, evaluate_every), 10})
    *expected, now = evaluate(model, NOISE)
    assert history.baselines == expected
    assert history.held_out[-1] == Judged(10, pytest.approx(now.bits), pytest.approx(now.accuracy))
    if ema is None:
        for step, bits, accuracy in history.held_out:
            model.load_state_dict(weights.steps[step])
            then = evaluate(model, NOISE)[-1]
            assert (bits, accuracy) == (pytest.approx(then.bits), pytest.approx(then.accuracy))
    assert history.best == min(history.held_out, key=lambda judged: judged.bits)


def test_judging_changes_nothing():
    first, second = built(CONFIG), built(CONFIG)
    assert go(first).bits == go(second, held_out=NOISE, evaluate_every=1).bits
    assert not is_changed(first.state_dict(), second.state_dict())


def test_short_held_out_clips_are_judged_at_every_position_or_announced():
    delta, model = CONFIG.receptive_field, built(CONFIG)
    short, long = NOISE[0][:, :delta], NOISE[1]
    history = go(model, held_out=[short])
    assert history.held_out[-1].bits == pytest.approx(evaluate(model, [short], "all")[-1].bits)
    with pytest.warns(UserWarning, match=f"1 of 2 held-out clips are not longer than {delta}"):
        history = go(model, held_out=[short, long])
    assert history.held_out[-1].bits == pytest.approx(evaluate(model, [long])[-1].bits)


@pytest.mark.filterwarnings("ignore:.*silence stands in")
def test_baselines_are_those_of_what_is_trained_on_where_nothing_is_held_out():
    delta = CONFIG.receptive_field
    many = [NOISE[0][:, i : i + delta + 3] for i in range(103)]
    model = built(CONFIG)
    assert go(model, dataset=many).baselines == baselines(encode_clips(many[:100], model.mu_law), 5, delta)
    assert go(model, dataset=[NOISE[0][:, :3]]).baselines == baselines(
        encode_clips([NOISE[0][:, :3]], model.mu_law), 5, 1
    )
    assert go(model, dataset=[NOISE[0][:, :1]]).baselines == []


@pytest.mark.parametrize("ema", [None, 0.3])
@pytest.mark.parametrize("evaluate_every", [1, 3])
@pytest.mark.parametrize("patience", [1, 2, 5])
def test_patience_ends_with_the_best_weights(patience, evaluate_every, ema):
    options = {"steps": 60, "held_out": NOISE, "evaluate_every": evaluate_every, "ema": ema, "learning_rate": 0.05}
    model, weights = built(CONFIG), Seen(lambda run: copied(run.model.state_dict()))
    history = go(model, patience=patience, watch=weights, **options)
    assert history.end == "patience"
    assert repr(history).endswith(", ended early)")
    assert not history.stopped
    assert len(history.bits) == history.best.step + patience * evaluate_every < 60
    assert history.bits == go(built(CONFIG), **options).bits[: len(history.bits)]
    assert evaluate(model, NOISE)[-1].bits == pytest.approx(history.best.bits)
    if ema is None:
        assert not is_changed(model.state_dict(), weights.steps[history.best.step])


def test_patience_that_is_not_exhausted_ends_with_the_best_weights_too():
    model, weights = built(CONFIG), Seen(lambda run: copied(run.model.state_dict()))
    history = go(model, steps=12, held_out=NOISE, evaluate_every=1, patience=99, learning_rate=0.1, watch=weights)
    assert history.end == ""
    assert history.best.step < 12
    assert not is_changed(model.state_dict(), weights.steps[history.best.step])


# Divergence


def spoiled(monkeypatch: pytest.MonkeyPatch, step: int, factor: float) -> None:
    """The loss of step ``step`` is multiplied by ``factor``."""
    losses: list[None] = []
    loss = SoftmaxHead.loss

    def other(self: SoftmaxHead, *arguments: Tensor) -> Tensor:
        losses.append(None)
        return loss(self, *arguments) * (factor if len(losses) == step else 1)

    monkeypatch.setattr(SoftmaxHead, "loss", other)


@pytest.mark.parametrize("ema", [None, 0.5])
@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("factor", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_loss_that_is_no_number_ends_it_before_the_step(monkeypatch, factor, step, ema, clip):
    spoiled(monkeypatch, step, factor)
    model, weights = built(CONFIG), Seen(lambda run: copied(run.model.state_dict()))
    with pytest.raises(Diverged, match=r"no longer finite.*try learning_rate=") as info:
        go(model, watch=weights, ema=ema, clip=clip)
    assert len(info.value.history.bits) == step - 1
    assert all(weight.isfinite().all() for weight in model.state_dict().values())
    before = weights.hooks[-2][2]
    if ema is None:
        assert not is_changed(model.state_dict(), before)
    assert [hook for hook, *_ in weights.hooks] == ["start", *["step"] * (step - 1), "end"]


@pytest.mark.parametrize("rate", [30.0, 1e6])
def test_a_loss_far_beyond_a_blind_guess_ends_it(rate):
    model = built(CONFIG)
    with pytest.raises(Diverged, match=r"bits per sample, where a blind guess has 2\.3.*try learning_rate=") as info:
        go(model, steps=200, learning_rate=rate, schedule="constant", watch=(seen := Seen()))
    assert np.mean(info.value.history.bits[-50:]) > 2 * math.log2(5)
    assert len(info.value.history.bits) < 100
    assert all(weight.isfinite().all() for weight in model.state_dict().values())
    assert seen.hooks[-1][0] == "end"


def test_gradients_too_large_for_floats_end_it():
    model = built(CONFIG)
    with pytest.raises(Diverged, match="no longer finite"):
        go(model, steps=50, learning_rate=1e30)
    assert all(weight.isfinite().all() for weight in model.state_dict().values())


def test_a_bad_start_that_becomes_better_is_no_divergence():
    model = built(CONFIG)
    model.skip_head.out.bias.data[:] = torch.tensor([90.0, 0, 0, 0, 90.0])
    history = go(model, steps=60, learning_rate=0.01, schedule="constant")
    assert np.mean(history.bits[:50]) > 2 * math.log2(5)
    assert history.bits[-1] < history.bits[0]


# Those who watch


def test_watchers_see_every_step_in_order():
    order: list[str] = []
    look = lambda run: (len(run.history.bits), run.done, len(run.history.held_out), run.samples)  # noqa: E731
    first, second = (Seen(lambda run, name=name: order.append(name) or look(run)) for name in "ab")
    model = built(CONFIG)
    history = go(model, watch=iter([first, second]), held_out=NOISE, evaluate_every=2)
    expected = [("start", 0), *(("step", step) for step in range(1, 7)), ("end", 6)]
    for seen in (first, second):
        assert [hook[:2] for hook in seen.hooks] == expected
        for _, step, (n, done, n_judged, samples) in seen.hooks:
            assert (n, done, n_judged) == (step, step / 6, step // 2)
            assert samples <= 60 * step
    # Each after the other, but for the end.
    assert "".join(order[:-2]) == "ab" * 7
    assert history.bits == go(built(CONFIG)).bits


def test_one_watcher_needs_no_list():
    seen = Seen(lambda run: (run.model, run.recipe.window))
    model = built(CONFIG)
    go(model, watch=seen)
    assert all(what == (model, 60) for *_, what in seen.hooks)


def failing(error: BaseException, at: int) -> Seen:
    """A watcher that fails after step ``at``, or before the first, if that is 0."""

    def fail(run: Run) -> None:
        if run.step == at:
            raise error

    watcher = Seen()
    setattr(watcher, "step" if at else "start", fail)
    return watcher


@pytest.mark.parametrize("error", [ZeroDivisionError("mine"), MemoryError(), SystemExit(3)])
def test_every_watcher_is_told_of_the_end_when_one_fails(error):
    before, after = Seen(), Seen()
    model = built(CONFIG)
    with pytest.raises(type(error)) as info:
        go(model, watch=[before, failing(error, 3), after])
    assert info.value is error
    assert [hook[:2] for hook in before.hooks] == [("start", 0), ("step", 1), ("step", 2), ("step", 3), ("end", 3)]
    assert [hook[:2] for hook in after.hooks] == [("start", 0), ("step", 1), ("step", 2), ("end", 3)]
    # It can be trained on.
    assert len(go(model).bits) == 6


def test_a_watcher_that_cannot_start_leaves_the_model_as_it_was():
    before, after = Seen(), Seen()
    model = built(CONFIG)
    with pytest.raises(ZeroDivisionError):
        go(model, watch=[before, failing(ZeroDivisionError(), 0), after])
    assert [hook[:2] for hook in before.hooks] == [("start", 0), ("end", 0)]
    assert after.hooks == []
    assert not is_changed(model.state_dict(), built(CONFIG).state_dict())


@pytest.mark.parametrize("progress", [False, True])
def test_ctrl_c_in_a_watcher_stops(progress, capsys):
    seen = Seen()
    history = go(built(CONFIG), watch=[seen, failing(KeyboardInterrupt(), 3)], progress=progress)
    assert history.stopped
    assert [hook[:2] for hook in seen.hooks] == [("start", 0), ("step", 1), ("step", 2), ("step", 3), ("end", 3)]
    assert capsys.readouterr().out == "Stopped after 3 steps; the model keeps what it learned.\n"


def test_another_thread_may_stop_it(capsys):
    reached, threads = threading.Event(), []

    def stop(run: Run) -> None:
        assert reached.wait(60)
        run.stop()

    class Button(Seen):
        def start(self, run: Run) -> None:
            threads.append(threading.Thread(target=stop, args=(run,)))
            threads[0].start()

        def step(self, run: Run) -> None:
            if run.step == 5:
                reached.set()
                threads[0].join()

    model = built(CONFIG)
    history = go(model, steps=1000, watch=Button())
    assert history.stopped
    assert len(history.bits) == 6
    assert repr(history).endswith("bits per sample, stopped)")
    assert "after 6 steps" in capsys.readouterr().out
    short = built(CONFIG)
    assert go(short, steps=1000, watch=Seen(lambda run: run.step == 5 and run.stop())).bits == history.bits
    assert not is_changed(short.state_dict(), model.state_dict())


def test_it_runs_outside_of_the_main_thread():
    found: list[History] = []
    thread = threading.Thread(target=lambda: found.append(go(built(CONFIG))))
    thread.start()
    thread.join(60)
    assert found[0].bits == go(built(CONFIG)).bits


def test_numbers_of_a_run(monkeypatch):
    # Two looks at this clock a step, and one for the elapsed time that a watcher asks for.
    set_clock(monkeypatch, 0.5)
    seen = Seen(lambda run: (run.history.seconds, run.seconds_left, run.samples_per_second, run.samples, run.elapsed))
    go(built(CONFIG), steps=40, window=30, dataset=CLIPS[:1], watch=seen)
    assert seen.hooks[0][2][1:4] == (math.inf, 0.0, 0)
    for step, (seconds, left, speed, samples, elapsed) in seen.steps.items():
        assert left == pytest.approx(seconds * (40 - step) / step)
        assert seconds < elapsed <= seconds + 1.5
        assert 29 * step <= samples <= 30 * step
        # Thirty, or one fewer in some windows, in a second and a half.
        assert speed == pytest.approx(30 / 1.5, rel=0.1) or step < 5
    assert seen.steps[40][1] == 0


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "wavenetlike.train"]


def test_the_log_says_what_was_seen(caplog):
    caplog.set_level(logging.INFO, logger="wavenetlike.train")
    history = go(built(CONFIG), held_out=NOISE, evaluate_every=4, watch=Log(seconds=0))
    said = lines(caplog)
    assert said[0].startswith("step 0, Recipe(steps=6, seconds=None, window=60,")
    for line, score in zip(said[1:4], history.baselines, strict=True):
        assert line == f"{score.name}: accuracy {score.accuracy:.3f}, {score.bits:.3f} bits per sample"
    for step in range(1, 7):
        assert any(line.startswith(f"step {step}, {history.bits[step - 1]:.4f} bits, ") for line in said)
    judged = [
        f"step {step}, held-out: {bits:.4f} bits, accuracy {accuracy:.4f}" for step, bits, accuracy in history.held_out
    ]
    assert [line for line in said if "held-out:" in line] == judged
    assert said[-1].startswith(f"{history!r} after ")
    assert len(said) == 1 + 3 + 6 + 2 + 1


def test_the_log_says_little(caplog, monkeypatch):
    set_clock(monkeypatch, 0.5)
    caplog.set_level(logging.INFO, logger="wavenetlike.train")
    go(built(CONFIG), steps=50, watch=Log())
    steps = [int(line.split()[1].rstrip(",")) for line in lines(caplog) if "samples/s" in line]
    assert 4 <= len(steps) <= 7
    assert set(np.diff(steps)) == {10}


def test_nothing_is_logged_unasked(caplog):
    caplog.set_level(logging.DEBUG, logger="wavenetlike")
    go(built(CONFIG))
    assert lines(caplog) == []


def test_tensorboard_holds_what_was_seen(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = go(built(CONFIG), held_out=NOISE, evaluate_every=4, watch=TensorBoard(tmp_path / "board"))
    found = EventAccumulator(str(tmp_path / "board"))
    found.Reload()
    curves = {tag: [(s.step, s.value) for s in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    speeds = curves.pop(next(tag for tag in curves if tag.startswith("samples")))
    assert [step for step, _ in speeds] == list(range(1, 7))
    expected = {
        "training/bits": list(enumerate(history.bits, 1)),
        "training/accuracy": list(enumerate(history.accuracy, 1)),
        "held-out/bits": [(step, bits) for step, bits, _ in history.held_out],
        "held-out/accuracy": [(step, accuracy) for step, _, accuracy in history.held_out],
    }
    assert len(curves) == len(expected)
    for begin, points in expected.items():
        (curve,) = [values for tag, values in curves.items() if tag.startswith(begin)]
        assert [step for step, _ in curve] == [step for step, _ in points]
        assert [value for _, value in curve] == pytest.approx([value for _, value in points], rel=1e-6)


def test_tensorboard_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    refused(lambda: TensorBoard(tmp_path), ModuleNotFoundError, 'pip install "wavenetlike[tensorboard]"')


# Other products


def test_bfloat16_is_close_to_float32():
    plain, coarse = built(CONFIG), built(CONFIG)
    options = {"steps": 30, "held_out": NOISE, "window": 200, "evaluate_every": 10}
    fine, rough = go(plain, **options), go(coarse, precision="bfloat16", **options)
    assert rough.bits != fine.bits
    assert rough.bits == pytest.approx(fine.bits, rel=0.03)
    assert [j.bits for j in rough.held_out] == pytest.approx([j.bits for j in fine.held_out], rel=0.03)
    assert all(weight.dtype == torch.float32 for weight in coarse.state_dict().values())


@pytest.mark.parametrize("options", [{}, {"precision": "bfloat16"}, {"precision": "bfloat16", "ema": 0.5}], ids=str)
@pytest.mark.parametrize("fails", [False, True])
def test_afterwards_the_model_computes_as_before(monkeypatch, options, fails):
    if fails:
        spoiled(monkeypatch, 3, math.nan)
    model, codes = built(CONFIG), random_codes(5, 1, 100)
    try:
        go(model, **options)
    except Diverged:
        assert fails
    fresh = built(CONFIG, seed=1)
    fresh.load_state_dict(model.state_dict())
    logits = model(codes)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, fresh(codes))
    assert torch.equal(copy.deepcopy(model)(codes), logits)
    monkeypatch.undo()
    assert go(model).bits == go(fresh).bits


@pytest.mark.filterwarnings("ignore")
def test_compiled_it_learns_the_same():
    config = WaveNetConfig(levels=5, n_blocks=1, n_layers=2, residual_channels=4, gate_channels=4, skip_channels=8)
    # Windows of two lengths, one with silence before it.
    options = {"steps": 8, "window": 50, "batch_size": 2, "dataset": [CLIPS[0][:, :120], NOISE[0][:, :3]]}
    plain, compiled = built(config), built(config)
    first = go(plain, **options)
    try:
        second = go(compiled, compiled=True, **options)
    except RuntimeError as error:
        if "C++ compiler" not in str(error):
            raise
        pytest.skip("torch.compile finds no C++ compiler here")
    assert second.bits == pytest.approx(first.bits, abs=1e-4)
    assert second.accuracy == pytest.approx(first.accuracy, abs=0.05)
    assert type(compiled) is WaveNet
    assert compiled.state_dict().keys() == plain.state_dict().keys()


# Refusals


@pytest.mark.parametrize(
    ("options", "error", "shown"),
    [
        ({"steps": 0}, ValueError, "steps=0"),
        ({"steps": 3.0}, TypeError, "steps=3.0"),
        ({"seconds": -1}, ValueError, "seconds=-1"),
        ({"seconds": True}, TypeError, "seconds=True"),
        ({"window": 0}, ValueError, "window=0"),
        ({"batch_size": None}, TypeError, "batch_size=None"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate='fast'"),
        ({"learning_rate": 1e31}, ValueError, "learning_rate=1e+31"),
        ({"steps": 10**13}, ValueError, "too large"),
        ({"window": 10**10}, ValueError, "too large"),
        ({"batch_size": 10**7}, ValueError, "too large"),
        ({"learning_rate": True}, TypeError, "learning_rate=True"),
        ({"learning_rate": torch.tensor(0.1)}, TypeError, "learning_rate=tensor(0.1"),
        ({"schedule": "exponential"}, ValueError, "schedule='exponential'"),
        ({"schedule": None}, ValueError, "schedule=None"),
        ({"clip": 0}, ValueError, "clip=0"),
        ({"clip": -1.0}, ValueError, "clip=-1.0"),
        ({"clip": math.inf}, ValueError, "clip=inf"),
        ({"clip": "1"}, TypeError, "clip='1'"),
        ({"ema": 1.5}, ValueError, "ema=1.5"),
        ({"ema": -0.1}, ValueError, "ema=-0.1"),
        ({"ema": math.nan}, ValueError, "ema=nan"),
        ({"ema": True}, TypeError, "ema=True"),
        ({"precision": "float16"}, ValueError, "precision='float16'"),
        ({"precision": torch.bfloat16}, ValueError, "precision=torch.bfloat16"),
        ({"evaluate_every": 0}, ValueError, "evaluate_every=0"),
        ({"evaluate_every": 2.5}, TypeError, "evaluate_every=2.5"),
        ({"patience": 0, "held_out": NOISE}, ValueError, "patience=0"),
        ({"patience": 1.5, "held_out": NOISE}, TypeError, "patience=1.5"),
        ({"patience": 3}, ValueError, "patience=3"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"seed": None}, TypeError, "seed=None"),
        ({"held_out": []}, ValueError, "no clips"),
        ({"held_out": [torch.zeros(1, 1)]}, ValueError, "held-out"),
        ({"held_out": [torch.zeros(1, 50) + 2]}, ValueError, "2.0"),
        ({"held_out": 5}, TypeError, "int"),
        ({"checkpoints": 5}, TypeError, "checkpoints=5"),
        ({"devices": 0}, ValueError, "devices=0"),
        ({"devices": "2"}, TypeError, "devices='2'"),
        ({"devices": 2}, RuntimeError, "--devices 2"),
        ({"watch": 5}, TypeError, "5"),
        ({"watch": Log}, TypeError, "Log"),
        ({"watch": [Seen(), "log"]}, TypeError, "'log'"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_bad_options_are_refused(options, error, shown):
    model = built(CONFIG)
    refused(lambda: go(model, **options), error, shown)
    assert not is_changed(model.state_dict(), built(CONFIG).state_dict())


def test_a_model_that_may_not_learn_is_refused(tones):
    model = built(CONFIG)
    model.requires_grad_(False)
    refused(lambda: train.train(model, tones, steps=1, progress=False), ValueError, "requires_grad")
    model.skip_head.requires_grad_()
    before = copied(model.state_dict())
    train.train(model, tones, steps=3, window=50, progress=False)
    changed = {name for name, x in model.state_dict().items() if not torch.equal(x, before[name])}
    assert changed == {name for name, _ in model.named_parameters() if name.startswith("skip_head")}


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_not_normal(number):
    said = train.expected().judge(History([number] * 40, [0.0] * 40))
    assert "no finite number" in said


def test_what_is_no_history_is_not_judged():
    refused(lambda: train.expected().judge(None), TypeError, "NoneType")


def test_an_interrupt_while_a_watcher_ends_keeps_the_history(tones):
    class Slow(Seen):
        def end(self, run):
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)

    model = built(CONFIG)
    before = copied(model.state_dict())
    history = train.train(model, tones, steps=3, window=50, watch=Slow(), progress=False)
    assert len(history.bits) == 3
    assert is_changed(before, model.state_dict())


@pytest.mark.parametrize("value", ["no", None, 2])
def test_compiled_is_yes_or_no(value):
    refused(lambda: recipe_of(compiled=value), TypeError, f"compiled={value!r}")


def test_numbers_of_numpy_are_numbers():
    numbers = {"steps": 4, "window": 30, "batch_size": 2, "evaluate_every": 2, "patience": 9, "seed": 3}
    fractions = {"learning_rate": 0.25, "clip": 0.5, "ema": 0.75}
    expected = go(built(CONFIG), held_out=NOISE, **numbers, **fractions)
    for integer, real in ((np.int64, np.float64), (np.uint8, np.float32), (np.int16, np.float16)):
        options = {name: integer(value) for name, value in numbers.items()}
        options |= {name: real(value) for name, value in fractions.items()}
        history = go(built(CONFIG), held_out=NOISE, devices=integer(1), **options)
        assert (history.bits, history.held_out) == (expected.bits, expected.held_out)
