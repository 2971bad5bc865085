"""Analysis: what is measured equals what is known, and baselines equal slow counting."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from helpers import SEEDS, built, copied, is_changed, random_codes, refused, wavenet_configs
from hypothesis import given, settings
from hypothesis import strategies as st

from wavenetlike import analysis, ar2_process, build_wavenet, build_wavenet_toy
from wavenetlike.analysis import (
    ar2_autocorrelation,
    ar2_period,
    ar2_roots,
    ar2_spectrum,
    ar2_standard_error,
    autocorrelation,
    baselines,
    evaluate,
    least_squares_ar,
    score,
)
from wavenetlike.data import Clips, encode_clips, is_stationary, largest_root, sunspots


def series(a: float, b: float, n: int, seed: int, **options: float) -> torch.Tensor:
    """``n`` samples of an AR(2), the first 100 left out."""
    process = ar2_process(a, b, 0, 0, seed=seed, **options)
    return torch.tensor(list(itertools.islice(process, 100, n + 100)), dtype=torch.float64)


# Least squares


@settings(max_examples=100)
@given(st.floats(-0.9, 0.9), st.floats(0.05, 3.0), st.floats(-5, 5))
def test_least_squares_of_a_series_without_noise_is_exact(modulus, angle, c):
    # An oscillation that neither dies nor grows too fast for its numbers to be told apart.
    radius = 0.97 + 0.03 * modulus
    a, b = 2 * radius * math.cos(angle), -(radius**2)
    x = list(itertools.islice(ar2_process(a, b, 1.0, -2.0, sigma=0, c=c), 60))
    fit = least_squares_ar(x)
    assert fit.coefficients == pytest.approx((a, b), abs=1e-6)
    assert fit.c == pytest.approx(c, abs=1e-4)
    assert fit.sigma < 1e-6


@settings(max_examples=30)
@given(st.integers(1, 5), SEEDS, st.sampled_from([1e-3, 1.0, 1e4]))
def test_least_squares_is_that_of_numpy(order, seed, scale):
    x = scale * np.random.default_rng(seed).normal(size=80).cumsum()
    design = np.stack([np.ones(80 - order), *(x[order - i : 80 - i] for i in range(1, order + 1))], axis=1)
    solution, *_ = np.linalg.lstsq(design, x[order:], rcond=None)
    residual = x[order:] - design @ solution
    variance = residual @ residual / (80 - order - order - 1)
    errors = np.sqrt(variance * np.diag(np.linalg.inv(design.T @ design)))
    fit = least_squares_ar(torch.from_numpy(x), order)
    assert fit.coefficients == pytest.approx(solution[1:], rel=1e-6, abs=1e-8)
    assert fit.c == pytest.approx(solution[0], rel=1e-6, abs=1e-8 * scale)
    assert fit.sigma == pytest.approx(np.sqrt((residual**2).mean()), rel=1e-9)
    assert fit.standard_errors == pytest.approx(errors[1:], rel=1e-5)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e6, 1e9])
@pytest.mark.parametrize("offset", [0.0, 100.0, 1e4])
def test_least_squares_do_not_depend_on_the_unit(scale, offset):
    for a, b in ((-0.4, 0.5), (1.3, -0.6)):
        x = series(a, b, 300, seed=0)
        plain, fit = least_squares_ar(x), least_squares_ar(scale * (x + offset))
        assert fit.coefficients == pytest.approx(plain.coefficients, abs=1e-6)
        assert fit.standard_errors == pytest.approx(plain.standard_errors, rel=1e-6)
        assert fit.sigma == pytest.approx(scale * plain.sigma, rel=1e-6)
        constant = plain.c + offset * (1 - sum(plain.coefficients))
        assert fit.c == pytest.approx(scale * constant, rel=1e-6, abs=1e-6 * scale)


def test_sunspots_are_yules_process():
    fit = least_squares_ar(sunspots())
    assert fit.c == pytest.approx(14.907, abs=5e-4)
    assert fit.coefficients == pytest.approx((1.3918, -0.6903), abs=5e-5)
    assert fit.standard_errors == pytest.approx([ar2_standard_error(fit.coefficients[1], 309)] * 2, rel=0.05)
    assert 9 < ar2_period(*fit.coefficients) < 12
    assert "1.3918" in repr(fit)


def test_unusable_series_are_refused():
    assert least_squares_ar([1, 2, 4, 1, 3, 5]).coefficients
    refused(lambda: least_squares_ar([1, 2, 4, 1, 3]), ValueError, "5 samples", "6")
    refused(lambda: least_squares_ar([]), ValueError, "0 samples")
    refused(lambda: least_squares_ar([1, 2, 4, 1, 3, math.nan]), ValueError, "NaN")
    refused(lambda: least_squares_ar([1, 2, 4, 1, 3, math.inf]), ValueError)
    refused(lambda: least_squares_ar(torch.zeros(2, 10)), ValueError, "(2, 10)")
    for order, error in ((0, ValueError), (True, TypeError), (1.5, TypeError)):
        refused(lambda o=order: least_squares_ar(range(30), o), error, f"order={order}")


@pytest.mark.parametrize(("a", "b"), [(0.5, -0.3), (1.2, -0.7), (-0.4, 0.3)])
def test_standard_error_is_the_spread_of_many_estimates(a, b):
    n, repeats = 300, 400
    estimates = [least_squares_ar(series(a, b, n, seed)).coefficients for seed in range(repeats)]
    spread = torch.tensor(estimates, dtype=torch.float64).std(dim=0).tolist()
    # A spread of 400 estimates is itself known to 3.5%; the formula is for large n.
    assert spread == pytest.approx([ar2_standard_error(b, n)] * 2, rel=0.15)


def test_impossible_standard_errors_are_refused():
    assert ar2_standard_error(0, 100) == 0.1
    assert ar2_standard_error(-1, 100) == 0
    refused(lambda: ar2_standard_error(1.5, 100), ValueError, "b=1.5")
    refused(lambda: ar2_standard_error(0.5, 0), ValueError, "n=0")


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (-0.4, 0.5), (0.6, -0.5), (1.2, -0.6)])
def test_spectrum_adds_up_to_the_variance(a, b):
    frequencies = (np.arange(20000) + 0.5) / 20000 / 2
    variance = 4 * (1 - b) / ((1 + b) * ((1 - b) ** 2 - a**2))
    assert ar2_spectrum(a, b, frequencies, sigma=2.0).mean() == pytest.approx(variance, rel=1e-6)
    correlation = (ar2_spectrum(a, b, frequencies) * np.cos(2 * np.pi * frequencies)).mean() / (variance / 4)
    assert correlation == pytest.approx(a / (1 - b), abs=1e-6)


@settings(max_examples=100)
@given(st.floats(-1.99, 1.99), st.floats(-0.99, 0.99))
def test_period_is_the_angle_of_the_roots(a, b):
    period = ar2_period(a, b)
    if a * a + 4 * b >= 0:
        assert period is None
    else:
        root = complex(a / 2, math.sqrt(-b - a * a / 4))
        assert period == pytest.approx(2 * math.pi / np.angle(root), rel=1e-6)
        assert abs(root) == pytest.approx(largest_root(a, b), rel=1e-9)


# Baselines


def counted(clips: list[list[int]], levels: int, start: int) -> list[tuple[float, float]]:
    """(accuracy, bits) of commonest code, previous code and bigram model, one position after the other."""
    pairs = [(clip[t - 1], clip[t]) for clip in clips for t in range(start, len(clip))]
    n = len(pairs)
    codes = Counter(code for _, code in pairs)
    before = Counter(previous for previous, _ in pairs)
    both = Counter(pairs)
    repeated = sum(previous == code for previous, code in pairs) / n

    def bits(probability) -> float:
        return sum(-math.log2(probability(previous, code)) for previous, code in pairs) / n

    def of_previous(previous: int, code: int) -> float:
        return repeated if previous == code else (1 - repeated) / (levels - 1)

    likeliest = {p: max(range(levels), key=lambda code, p=p: both[p, code]) for p in before}
    return [
        (codes.most_common(1)[0][1] / n, bits(lambda _, code: codes[code] / n)),
        (repeated, bits(of_previous)),
        (sum(code == likeliest[p] for p, code in pairs) / n, bits(lambda p, code: both[p, code] / before[p])),
    ]


@given(st.floats(-2.5, 2.5), st.floats(-2, 2))
def test_roots_solve_the_equation_and_tell_what_is_stationary(a, b):
    one, two = ar2_roots(a, b)
    assert one + two == pytest.approx(a, abs=1e-12)
    assert one * two == pytest.approx(-b, abs=1e-12)
    assert max(abs(one), abs(two)) == pytest.approx(largest_root(a, b))


@pytest.mark.parametrize(("a", "b"), [(-0.4, 0.5), (1.4, -0.7), (0.9, 0.0), (0.0, 0.0), (0.3, -0.95)])
def test_autocorrelation_in_theory_is_that_of_a_long_series_and_of_the_spectrum(a, b):
    theory = ar2_autocorrelation(a, b, 20)
    assert autocorrelation(series(a, b, 200_000, seed=4), 20) == pytest.approx(theory, abs=0.03)
    frequencies = (np.arange(200_000) + 0.5) / 400_000
    powers = ar2_spectrum(a, b, frequencies)
    by_spectrum = [np.mean(powers * np.cos(2 * np.pi * frequencies * k)) / np.mean(powers) for k in range(21)]
    assert by_spectrum == pytest.approx(theory, abs=1e-9)
    assert len(ar2_autocorrelation(a, b, 0)) == 1


@settings(max_examples=50)
@given(SEEDS, st.integers(3, 60), st.integers(0, 30))
def test_autocorrelation_is_slow_counting(seed, n, n_lags):
    x = torch.randn(n, generator=torch.Generator().manual_seed(seed)).tolist()
    if n_lags >= n:
        refused(lambda: autocorrelation(x, n_lags), ValueError, str(n))
        return
    mean = sum(x) / n
    total = sum((value - mean) ** 2 for value in x)
    slow = [sum((x[t] - mean) * (x[t - k] - mean) for t in range(k, n)) / total for k in range(n_lags + 1)]
    assert autocorrelation(x, n_lags) == pytest.approx(slow, abs=1e-6)


@pytest.mark.parametrize(("a", "b"), [(1.2, 0.3), (0.5, 0.5), (0.0, -1.0), (0.0, 1.0), (float("nan"), 0.0)])
def test_what_is_not_stationary_has_neither_spectrum_nor_autocorrelation(a, b):
    assert not is_stationary(a, b)
    refused(lambda: ar2_spectrum(a, b, np.linspace(0, 0.5, 5)), ValueError, f"a={a}", f"b={b}")
    refused(lambda: ar2_autocorrelation(a, b, 5), ValueError, f"a={a}", f"b={b}")


@settings(max_examples=100)
@given(st.integers(2, 12), st.integers(1, 8), st.lists(st.integers(9, 60), min_size=1, max_size=4), SEEDS)
def test_baselines_are_slow_counting(levels, start, lengths, seed):
    clips = [random_codes(levels, n, seed=seed + i) for i, n in enumerate(lengths)]
    # Some clips that mostly repeat, as sound does.
    clips = [clip if i % 2 else clip.sort().values for i, clip in enumerate(clips)]
    scores = baselines(clips, levels, start)
    expected = counted([clip.tolist() for clip in clips], levels, start)
    assert [one.name for one in scores] == ["commonest code", "previous code", "bigram model"]
    assert [one.accuracy for one in scores] == pytest.approx([accuracy for accuracy, _ in expected], abs=1e-12)
    # The entropy of two probabilities is taken in float32.
    assert [one.bits for one in scores] == pytest.approx([bits for _, bits in expected], abs=1e-6)
    commonest, previous, bigram = scores
    assert bigram.bits <= min(commonest.bits, previous.bits) + 1e-6
    assert bigram.accuracy >= max(commonest.accuracy, previous.accuracy) - 1e-12


def test_sure_series_cost_no_bits():
    clips = [torch.arange(40) % 4]
    commonest, previous, bigram = baselines(clips, levels=4, start=1)
    assert (bigram.accuracy, bigram.bits) == (1, pytest.approx(0, abs=1e-12))
    assert (previous.accuracy, previous.bits) == (0, pytest.approx(math.log2(3)))
    assert commonest.bits == pytest.approx(2, abs=0.01)


def test_baselines_without_positions_are_refused():
    clips = [torch.tensor([1, 2, 3])]
    assert len(baselines(clips, 4, start=2)) == 3
    refused(lambda: baselines(clips, 4, start=0), ValueError, "start=0")
    refused(lambda: baselines(clips, 4, start=3), ValueError, "3")
    refused(lambda: baselines([], 4, start=1), ValueError)


@settings(max_examples=30)
@given(wavenet_configs(), SEEDS, st.lists(st.integers(1, 12), min_size=1, max_size=3))
def test_score_is_slow_counting(config, seed, lengths):
    model = built(config, seed)
    delta = config.receptive_field
    clips = [random_codes(config.levels, delta + n, seed=seed + n) for n in lengths]
    hits = bits = n = 0.0
    for clip in clips:
        for t in range(delta, len(clip)):
            with torch.no_grad():
                probabilities = model(clip[None, t - delta : t], padded=False)[0, :, 0].double().softmax(0)
            hits += float(probabilities.argmax() == clip[t])
            bits -= math.log2(probabilities[clip[t]])
            n += 1
    one = score(model, clips)
    assert one.accuracy == pytest.approx(hits / n, abs=1e-12)
    assert one.bits == pytest.approx(bits / n, rel=1e-5)


def test_scoreboard_puts_all_on_the_same_positions(small_model, tones):
    clips = encode_clips(tones, small_model.mu_law)
    before = copied(small_model.state_dict())
    board = evaluate(small_model, tones)
    assert board == [*baselines(clips, 5, start=small_model.receptive_field), score(small_model, clips)]
    assert board[-1].name == "this model"
    assert not is_changed(before, small_model.state_dict())
    short = [(torch.zeros(1, small_model.receptive_field), 16000, "", "")]
    refused(lambda: evaluate(small_model, short), ValueError, "1 clips", "16 samples")
    with pytest.warns(UserWarning, match="1 of 4 clips are not longer than 16 samples"):
        assert evaluate(small_model, [*short, *tones]) == board
    refused(lambda: evaluate(small_model, []), ValueError, "no clips")


def test_a_long_clip_is_scored_piece_by_piece(small_model, monkeypatch):
    clip = encode_clips([torch.rand(1, 700) * 2 - 1], small_model.mu_law)
    whole = score(small_model, clip)
    for piece in (1, 50, 683, 684):
        monkeypatch.setattr("wavenetlike.analysis.scores.AT_ONCE", piece)
        again = score(small_model, clip)
        assert (again.accuracy, again.bits) == (whole.accuracy, pytest.approx(whole.bits, rel=1e-5))


def test_speech_repeats_itself(real_folder):
    model = build_wavenet_toy()
    clips = encode_clips(Clips(real_folder), model.mu_law)
    commonest, previous, bigram = baselines(clips, 10, start=1)
    # On all of Speech Commands it is 48% and 81%; these are 200 clips of it.
    assert commonest.accuracy == pytest.approx(0.48, abs=0.03)
    assert previous.accuracy == pytest.approx(0.81, abs=0.01)
    assert bigram.accuracy >= previous.accuracy
    assert bigram.bits < previous.bits < commonest.bits < math.log2(10)


def test_full_model_is_wider_than_the_toy():
    assert analysis.parameters(build_wavenet()) > 10 * analysis.parameters(build_wavenet_toy())
