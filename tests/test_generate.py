"""Generation: all methods are one model, draws follow its probabilities, and nothing is kept in it."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from helpers import SEEDS, built, chi_square, copied, is_changed, random_codes, refused, wavenet_configs
from hypothesis import given, settings
from hypothesis import strategies as st

from wavenetlike import WaveNetConfig
from wavenetlike.generate import METHODS, cached, generate, stream, teacher_force

ALL = pytest.mark.parametrize("method", ["naive", "cached", "compiled"])


def test_methods_are_three():
    assert list(METHODS) == ["naive", "cached", "compiled"]


@ALL
def test_result_is_codes_and_their_waveform(small_model, method):
    made = generate(small_model, 40, batch=3, method=method, seed=0)
    assert made.codes.shape == made.waveform.shape == (3, 40)
    assert made.codes.dtype == torch.int64
    assert made.waveform.dtype == torch.float32
    assert 0 <= made.codes.min() <= made.codes.max() < 5
    assert torch.equal(made.waveform, small_model.mu_law.decode(made.codes))
    assert len(made.codes.unique(dim=0)) == 3


def test_long_runs_are_compiled_and_short_ones_are_not(small_model, monkeypatch):
    used = []
    for name, method in METHODS.items():
        start = method.start
        monkeypatch.setattr(method, "start", lambda *args, name=name, start=start: used.append(name) or start(*args))
    for n in (1, 100, 101, 5000):
        generate(small_model, n, seed=1)
    next(stream(small_model, seed=1))
    # The compiled method begins with the cached one.
    assert used == ["cached", "cached", *["compiled", "cached"] * 3]


@ALL
def test_longer_run_begins_as_the_shorter(small_model, method):
    long = generate(small_model, 30, method=method, seed=2).codes
    assert torch.equal(generate(small_model, 1, method=method, seed=2).codes, long[:, :1])
    assert torch.equal(generate(small_model, 11, method=method, seed=2).codes, long[:, :11])


@ALL
def test_seed_decides_the_draws(small_model, method):
    one = generate(small_model, 50, method=method, seed=3).codes
    assert torch.equal(one, generate(small_model, 50, method=method, seed=3).codes)
    assert not torch.equal(one, generate(small_model, 50, method=method, seed=4).codes)
    state = torch.get_rng_state()
    generate(small_model, 50, method=method, seed=3)
    assert torch.equal(state, torch.get_rng_state())
    unseeded = generate(small_model, 50, method=method).codes
    assert not torch.equal(unseeded, generate(small_model, 50, method=method).codes)
    torch.set_rng_state(state)
    assert torch.equal(unseeded, generate(small_model, 50, method=method).codes)


@ALL
@pytest.mark.parametrize("past", [1, 3, 15, 16, 17, 60])
def test_prefix_continues_after_silence(small_model, method, past):
    delta = small_model.receptive_field
    prefix = random_codes(5, 1, past)
    silence = torch.full((1, delta), 2)
    whole = torch.cat([silence, prefix], dim=1)
    expected = generate(small_model, 20, prefix=whole[:, -delta:], method=method, seed=0).codes
    assert torch.equal(generate(small_model, 20, prefix=prefix, method=method, seed=0).codes, expected)
    with torch.no_grad():
        likeliest = small_model(prefix)[..., -1].argmax(dim=1)
    assert torch.equal(generate(small_model, 1, prefix=prefix, method=method, greedy=True).codes[:, 0], likeliest)


@ALL
def test_no_prefix_is_silence(small_model, method):
    for past in (1, 100):
        silence = torch.full((1, past), small_model.mu_law.silence)
        with_prefix = generate(small_model, 20, prefix=silence, method=method, seed=0).codes
        assert torch.equal(generate(small_model, 20, method=method, seed=0).codes, with_prefix)


@ALL
def test_prefix_may_be_one_for_all_or_one_for_each(small_model, method):
    prefixes = random_codes(5, 3, 30)
    one = generate(small_model, 20, prefix=prefixes[:1], batch=3, method=method, seed=0).codes
    repeated = generate(small_model, 20, prefix=prefixes[:1].repeat(3, 1), batch=3, method=method, seed=0).codes
    assert torch.equal(one, repeated)
    together = generate(small_model, 20, prefix=prefixes, batch=3, method=method, greedy=True).codes
    for row, prefix in zip(together, prefixes, strict=True):
        alone = generate(small_model, 20, prefix=prefix[None], method=method, greedy=True).codes
        assert torch.equal(row[None], alone)


@ALL
def test_greedy_takes_the_likeliest_code_each_time(small_model, method):
    codes = generate(small_model, 40, greedy=True, method=method).codes
    assert torch.equal(codes, generate(small_model, 40, greedy=True, method=method, temperature=9.0, seed=5).codes)
    silence = torch.full((1, small_model.receptive_field), small_model.mu_law.silence)
    with torch.no_grad():
        logits = small_model(torch.cat([silence, codes[:, :-1]], dim=1), padded=False)
    assert torch.equal(codes, logits.argmax(dim=1))


@ALL
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
def test_first_codes_follow_the_softmax(small_model, method, temperature):
    # Weights far from uniform, so that the temperature matters.
    small_model.skip_head.out.weight.data *= 20
    draws = 8000
    codes = generate(small_model, 1, temperature=temperature, batch=draws, method=method, seed=0).codes[:, 0]
    with torch.no_grad():
        silence = torch.full((1, small_model.receptive_field), small_model.mu_law.silence)
        logits = small_model(silence, padded=False)[0, :, 0]
    counts = torch.bincount(codes, minlength=5)
    # 4 degrees of freedom: a chance of 5e-6 beyond 30; the seed is fixed.
    assert chi_square(counts, (logits / temperature).softmax(0)) < 30
    assert chi_square(counts, (logits / (1.5 * temperature)).softmax(0)) > 30


@ALL
def test_low_temperature_is_greedy(small_model, method):
    timid = generate(small_model, 20, temperature=1e-5, method=method, seed=0).codes
    assert torch.equal(timid, generate(small_model, 20, greedy=True, method=method).codes)


@ALL
def test_generation_follows_new_weights(small_model, method):
    other = built(small_model.config, seed=99)
    before = generate(small_model, 60, method=method, seed=0).codes
    expected = generate(other, 60, method=method, seed=0).codes
    small_model.load_state_dict(other.state_dict())
    after = generate(small_model, 60, method=method, seed=0).codes
    assert torch.equal(after, expected)
    assert not torch.equal(after, before)


@ALL
def test_generation_leaves_no_trace_in_the_model(small_model, method):
    def attributes() -> dict[str, list[str]]:
        return {name: sorted(vars(module)) for name, module in small_model.named_modules()}

    before, names = copied(small_model.state_dict()), attributes()
    small_model.train()
    generate(small_model, 20, method=method, batch=2, prefix=random_codes(5, 2, 9))
    assert not is_changed(before, small_model.state_dict())
    assert attributes() == names
    assert small_model.training
    assert all(p.grad is None and p.requires_grad for p in small_model.parameters())


@ALL
def test_two_generations_can_take_turns(small_model, method):
    start, step = METHODS[method].start, METHODS[method].step
    pasts = [random_codes(5, 2, 30, seed=i) for i in range(2)]
    codes = [random_codes(5, 20, 2, seed=i + 2) for i in range(2)]

    def alone(i: int) -> list[torch.Tensor]:
        memory, logits = start(small_model, pasts[i])
        seen = [logits]
        for newest in codes[i]:
            memory, logits = step(small_model, memory, newest)
            seen.append(logits)
        return seen

    with torch.no_grad():
        expected = [alone(0), alone(1)]
        memories, logits = map(list, zip(*(start(small_model, past) for past in pasts), strict=True))
        for t in range(20):
            for i in range(2):
                assert torch.equal(logits[i], expected[i][t])
                memories[i], logits[i] = step(small_model, memories[i], codes[i][t])


def test_queues_hold_what_is_needed_and_nothing_more(small_model):
    with torch.no_grad():
        queues, _ = cached.start(small_model, random_codes(5, 1, 30))
        sizes = [queue.shape[-1] for queue in queues.inputs]
        places = [queue.data_ptr() for queue in queues.inputs]
        for t in range(20):
            queues, _ = cached.step(small_model, queues, torch.tensor([t % 5]))
    # All that one output of each convolution needs besides the newest input, and nothing moves or grows.
    assert sizes == [queue.shape[-1] for queue in queues.inputs] == [1, 1, 2, 4, 1, 2, 4]
    assert [queue.data_ptr() for queue in queues.inputs] == places
    assert sum(queue.untyped_storage().nbytes() for queue in queues.inputs) == 4 * 8 * sum(sizes)


@ALL
def test_generated_codes_can_be_learned_from(small_model, method):
    made = generate(small_model, 40, method=method, seed=0)
    small_model.head.loss(small_model(made.codes[:, :-1], padded=False), made.codes[:, 16:]).backward()
    assert small_model.embedding.weight.grad is not None
    made.waveform.mul_(0.5)
    assert made.waveform.abs().max() <= 0.5


def test_generated_codes_are_a_prefix(small_model):
    first = generate(small_model, 20, greedy=True).codes
    rest = generate(small_model, 10, prefix=first, greedy=True).codes
    assert torch.equal(torch.cat([first, rest], dim=1), generate(small_model, 30, greedy=True).codes)


def test_bar_is_shown_on_request(small_model, capsys):
    silent = generate(small_model, 5, seed=0)
    assert capsys.readouterr() == ("", "")
    shown = generate(small_model, 5, seed=0, progress=True)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "generating" in printed.err
    assert torch.equal(silent.codes, shown.codes)


@ALL
def test_model_without_a_past_generates(method):
    model = built(WaveNetConfig(levels=3, n_blocks=1, n_layers=2, kernel_length=1, skip_channels=8))
    assert model.receptive_field == 1
    assert generate(model, 12, method=method, seed=0).codes.shape == (1, 12)


@pytest.mark.parametrize(
    ("options", "error", "shown"),
    [
        ({"n": 0}, ValueError, "n=0"),
        ({"n": -5}, ValueError, "n=-5"),
        ({"n": 2.5}, TypeError, "n=2.5"),
        ({"n": True}, TypeError, "n=True"),
        ({"temperature": 0}, ValueError, "temperature=0"),
        ({"temperature": -1}, ValueError, "temperature=-1"),
        ({"temperature": math.nan}, ValueError, "temperature=nan"),
        ({"temperature": math.inf}, ValueError, "temperature=inf"),
        ({"batch": 0}, ValueError, "batch=0"),
        ({"batch": 1.0}, TypeError, "batch=1.0"),
        ({"method": "fast"}, ValueError, "'fast'"),
        ({"method": ""}, ValueError, "''"),
        ({"method": None}, ValueError, "None"),
        ({"top_k": 0}, ValueError, "top_k=0"),
        ({"top_k": 6}, ValueError, "top_k=6"),
        ({"top_k": 2.0}, TypeError, "top_k=2.0"),
        ({"condition": "yes"}, ValueError, "'yes'"),
        ({"n": 10**13}, ValueError, "n=10000000000000"),
        ({"n": 2**70}, ValueError, "too large"),
        ({"batch": 10**12}, ValueError, "batch=1000000000000"),
        ({"temperature": 10**400}, ValueError, "not a finite number"),
        ({"greedy": "no"}, TypeError, "greedy is a str"),
        ({"greedy": None}, TypeError, "greedy is a NoneType"),
        ({"progress": 1}, TypeError, "progress is a int"),
        ({"prefix": torch.zeros(1, 5, dtype=torch.int64, device="meta")}, TypeError, "meta"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"seed": 0.5}, TypeError, "seed=0.5"),
        ({"seed": 2**64}, ValueError, f"seed={2**64}"),
        ({"prefix": torch.zeros(1, 5)}, TypeError, "torch.float32"),
        ({"prefix": [[1, 2]]}, TypeError, "list"),
        ({"prefix": torch.tensor([[1, 5]])}, ValueError, "1 to 5"),
        ({"prefix": torch.tensor([[-1, 2]])}, ValueError, "-1 to 2"),
        ({"prefix": torch.tensor([1, 2])}, ValueError, "(2,)"),
        ({"prefix": torch.zeros(1, 0, dtype=torch.int64)}, ValueError, "(1, 0)"),
        ({"prefix": torch.tensor([[1], [2]])}, ValueError, "batch of 2"),
        ({"prefix": torch.tensor([[1], [2]]), "batch": 3}, ValueError, "batch=3"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_bad_arguments_are_refused(small_model, options, error, shown):
    refused(lambda: generate(small_model, **{"n": 3, **options}), error, shown)


@pytest.mark.parametrize(
    ("options", "shown"), [({"block": 0}, "block=0"), ({"n": 0}, "n=0"), ({"temperature": 0}, "temperature=0")]
)
def test_stream_refuses_at_once(small_model, options, shown):
    refused(lambda: stream(small_model, **options), ValueError, shown)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(small_model, bad):
    with torch.no_grad():
        small_model.layers[2].gated.conv.bias[3] = bad
    for call in (lambda: generate(small_model, 3), lambda: stream(small_model)):
        refused(call, ValueError, "layers.2.gated.conv.bias")


def test_a_device_without_a_compiler_is_refused(small_model):
    refused(lambda: generate(small_model.to("meta"), 3, method="compiled"), ValueError, "'meta'")


@ALL
@pytest.mark.parametrize("n", [1, 7, 40])
@pytest.mark.parametrize("block", [1, 7, 40, 100])
def test_a_stream_is_the_same_sound_in_blocks(small_model, method, n, block):
    options = {"method": method, "seed": 4, "batch": 2, "prefix": random_codes(5, 2, 9), "temperature": 0.8, "top_k": 3}
    blocks = list(stream(small_model, n, block=block, **options))
    assert [made.codes.shape[1] for made in blocks[:-1]] == [block] * (len(blocks) - 1)
    assert 1 <= blocks[-1].codes.shape[1] <= block
    whole = generate(small_model, n, **options)
    assert torch.equal(torch.cat([made.codes for made in blocks], dim=1), whole.codes)
    assert torch.equal(torch.cat([made.waveform for made in blocks], dim=1), whole.waveform)


@ALL
def test_a_stream_has_no_end(small_model, method):
    endless = stream(small_model, block=30, method=method, seed=4)
    codes = torch.cat([next(endless).codes for _ in range(5)], dim=1)
    assert torch.equal(codes, generate(small_model, 150, method=method, seed=4).codes)


@ALL
@pytest.mark.parametrize("grad", [True, False])
def test_a_stream_leaves_gradients_as_they_are(small_model, method, grad):
    with torch.set_grad_enabled(grad):
        blocks = stream(small_model, 4, block=2, method=method)
        assert not next(blocks).waveform.requires_grad
        assert torch.is_grad_enabled() is grad
        list(blocks)
        assert torch.is_grad_enabled() is grad


@settings(max_examples=60)
@given(wavenet_configs(), SEEDS, st.integers(1, 3), st.integers(0, 30), st.integers(1, 20))
def test_teacher_forcing_gives_what_training_sees(config, seed, batch, past, n):
    model = built(config, seed)
    codes = random_codes(config.levels, batch, past + n, seed=seed)
    prefix = codes[:, :past] if past else None
    with torch.no_grad():
        whole = torch.cat([torch.full((batch, config.receptive_field), model.mu_law.silence), codes], dim=1)
        expected = model(whole[:, :-1], padded=False)[..., past:]
    for method in METHODS:
        seen = teacher_force(model, codes[:, past:], prefix, method)
        torch.testing.assert_close(seen, expected, rtol=0, atol=1e-4)


@ALL
def test_a_prefix_is_read_in_one_forward_pass(small_model, method, monkeypatch):
    calls = []
    forward = small_model.embedding.forward
    monkeypatch.setattr(small_model.embedding, "forward", lambda codes: calls.append(codes.shape[1]) or forward(codes))
    teacher_force(small_model, random_codes(5, 1, 1), random_codes(5, 1, 500), method)
    assert calls == [small_model.receptive_field]


@ALL
@pytest.mark.parametrize("top_k", [1, 2, 4, 5])
def test_top_k_draws_from_the_likeliest_only(small_model, method, top_k):
    small_model.skip_head.out.weight.data *= 20
    codes = generate(small_model, 1, top_k=top_k, batch=8000, method=method, seed=0).codes[:, 0]
    with torch.no_grad():
        silence = torch.full((1, small_model.receptive_field), small_model.mu_law.silence)
        logits = small_model(silence, padded=False)[0, :, 0]
    likeliest = logits.topk(top_k).indices
    assert set(codes.tolist()) <= set(likeliest.tolist())
    if top_k > 1:
        # At most 4 degrees of freedom: a chance of 5e-6 beyond 30; the seed is fixed.
        assert chi_square(torch.bincount(codes, minlength=5)[likeliest], logits[likeliest].softmax(0)) < 30


@ALL
def test_top_k_of_all_is_no_limit(small_model, method):
    free = generate(small_model, 40, method=method, seed=0).codes
    assert torch.equal(generate(small_model, 40, method=method, seed=0, top_k=5).codes, free)


@ALL
def test_whole_sounds_follow_the_model(method):
    """Pairs of codes, drawn one after the other, against the product of their probabilities."""
    model = built(WaveNetConfig(levels=3, n_blocks=1, n_layers=2, skip_channels=8))
    for weight in model.parameters():
        weight.data *= 3
    codes = generate(model, 2, batch=20_000, method=method, seed=1).codes
    counts = torch.bincount(3 * codes[:, 0] + codes[:, 1], minlength=9)
    pairs = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    logits = teacher_force(model, pairs, method="naive").log_softmax(dim=1)
    likely = logits.gather(1, pairs[:, None])[:, 0].sum(dim=1).exp()
    assert likely.sum().item() == pytest.approx(1, abs=1e-5)
    # 8 degrees of freedom: a chance of 1e-6 beyond 42; the seed is fixed.
    assert chi_square(counts, likely) < 42
    assert chi_square(counts, likely.sqrt() / likely.sqrt().sum()) > 42


@ALL
def test_an_interrupt_keeps_what_was_made(small_model, method, monkeypatch):
    noise, calls = small_model.head.noise, []

    def interrupted(n: int, **options: object) -> torch.Tensor:
        calls.append(n)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return noise(n, **options)

    whole = generate(small_model, 100, method="cached", seed=0).codes
    monkeypatch.setattr(small_model.head, "noise", interrupted)
    with pytest.warns(UserWarning, match=r"Interrupted: \d+ of 3000 samples were made, and are returned\."):
        made = generate(small_model, 3000, method=method, seed=0)
    assert made.codes.shape == made.waveform.shape == (1, sum(calls[:3]))
    assert torch.equal(made.codes[:, :100], whole[:, : made.codes.shape[1]])


@ALL
def test_an_interrupt_before_the_first_sample_is_one(small_model, method, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(small_model.head, "noise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate(small_model, 300, method=method, seed=0)


def test_numpy_numbers_are_numbers(small_model):
    options = {"seed": np.int64(3), "batch": np.int32(2), "top_k": np.uint8(3), "temperature": np.float32(0.5)}
    plain = {"seed": 3, "batch": 2, "top_k": 3, "temperature": 0.5}
    for method in METHODS:
        made = generate(small_model, np.int16(9), method=method, **options).codes
        assert torch.equal(made, generate(small_model, 9, method=method, **plain).codes)


def test_teacher_forcing_refuses_what_generate_refuses(small_model):
    codes = random_codes(5, 3, 4)
    refused(
        lambda: teacher_force(small_model, codes, random_codes(5, 2, 4)), ValueError, "batch of 2", "the 3 of the codes"
    )
    refused(lambda: teacher_force(small_model, codes, method="fast"), ValueError, "'fast'")
    small_model.embedding.weight.data[0, 0] = math.nan
    refused(lambda: teacher_force(small_model, codes), ValueError, "embedding.weight")


def test_nothing_is_loaded_for_a_bar_that_is_not_shown(small_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    generate(small_model, 3)
    with pytest.raises(ImportError):
        generate(small_model, 3, progress=True)
