"""Parts of datasets: silent edges that are cut off, and clips held out of which training sees nothing."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import soundfile
import torch
from helpers import SEEDS, refused
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wavenetlike.data import Trimmed, Waveforms, bundled_clips, hold_out, loud_part
from wavenetlike.data.clips import Item

RATES = st.sampled_from([1000, 8000, 11025, 16000, 22050, 44100])


def noise(n: int, seed: int = 0, peak: float = 0.5) -> torch.Tensor:
    return (2 * torch.rand(1, n, generator=torch.Generator().manual_seed(seed)) - 1) * peak


@st.composite
def waveforms(draw: st.DrawFn) -> tuple[torch.Tensor, int]:
    """Noise that is louder and softer in turns, or silent; at most half a second of it; and its sample rate."""
    rate = draw(RATES)
    levels = draw(st.lists(st.sampled_from([0, 1e-4, 3e-3, 0.02, 1]), min_size=1, max_size=12))
    n = draw(st.integers(1, rate // 2))
    envelope = torch.tensor(levels).repeat_interleave(math.ceil(n / len(levels)))[:n]
    return noise(n, draw(SEEDS)) * envelope, rate


def levels_of(waveform: torch.Tensor, rate: int) -> list[float]:
    """The power in each 10 ms, one after another; what lacks of the last is silence."""
    size = round(0.01 * rate)
    samples = waveform[0].double().tolist()
    return [sum(x * x for x in samples[i : i + size]) / size for i in range(0, len(samples), size)]


# loud_part


@settings(max_examples=150)
@given(waveforms(), st.sampled_from([5.0, 20, 40, 60]))
def test_all_that_is_loud_is_kept_and_50_ms_beside_it(clip, below):
    waveform, rate = clip
    start, stop = loud_part(waveform, rate, below)
    levels = levels_of(waveform, rate)
    # How loud the loudest is that may count as silent; float32 leaves a little room on either side.
    silent = max(levels) * 10 ** (-below / 10)
    assume(not any(0.999 * silent < level < 1.001 * silent for level in levels))
    loud = [i for i, level in enumerate(levels) if level >= silent]
    size, margin = round(0.01 * rate), round(0.05 * rate)
    assert start == max(0, loud[0] * size - margin)
    assert stop == min(waveform.shape[1], (loud[-1] + 1) * size + margin)


@settings(max_examples=100)
@given(waveforms(), st.integers(-20, 20), st.sampled_from([5.0, 20, 40, 60]))
def test_loudness_is_relative(clip, power, below):
    waveform, rate = clip
    assert loud_part(waveform * 2.0**power, rate, below) == loud_part(waveform, rate, below)
    assert loud_part(-waveform, rate, below) == loud_part(waveform, rate, below)


@settings(max_examples=100)
@given(waveforms(), st.floats(0.1, 100), st.floats(0, 100))
def test_a_lower_bound_keeps_more(clip, below, more):
    waveform, rate = clip
    start, stop = loud_part(waveform, rate, below)
    earlier, later = loud_part(waveform, rate, below + more)
    assert 0 <= earlier <= start < stop <= later <= waveform.shape[1]
    assert loud_part(waveform, rate, 1e9) == (0, waveform.shape[1])


@settings(max_examples=50)
@given(RATES, st.integers(1, 30_000), st.floats(0.1, 100))
def test_digital_silence_is_kept_whole(rate, n, below):
    assert loud_part(torch.zeros(1, n), rate, below) == (0, n)


@settings(max_examples=50)
@given(st.integers(1, 4000), st.integers(0, 60), st.integers(0, 60), SEEDS)
def test_more_silence_around_a_sound_changes_nothing(n, before, after, seed):
    rate, size = 16000, 160
    sound = noise(n, seed)
    around = torch.nn.functional.pad(sound, (800, 1600))
    start, stop = loud_part(around, rate)
    longer = torch.nn.functional.pad(around, (before * size, after * size))
    assert loud_part(longer, rate) == (start + before * size, stop + before * size)
    assert (start, stop) == (0, 800 + size * math.ceil(n / size) + 800)


@pytest.mark.parametrize(
    ("below", "error"),
    [*((below, ValueError) for below in (0, -1, math.nan, math.inf)), ("40", TypeError), (None, TypeError)],
)
def test_a_bound_that_is_not_above_0_is_refused(below, error):
    for call in (lambda: loud_part(torch.zeros(1, 9), 16000, below), lambda: Trimmed(bundled_clips(1), below)):
        refused(call, error, f"below={below!r}")


@pytest.mark.parametrize(
    "waveform",
    [torch.zeros(1, 0), torch.full((1, 9), math.nan), torch.tensor([[0, math.inf]])],
    ids=["none", "NaN", "∞"],
)
def test_what_has_no_level_is_refused(waveform):
    refused(lambda: loud_part(waveform, 16000), ValueError)
    refused(lambda: Trimmed([(torch.ones(1, 9), 16000, "", ""), (waveform, 16000, "", "")]), ValueError)


# Trimmed


@settings(max_examples=30)
@given(st.lists(waveforms(), min_size=1, max_size=5), st.sampled_from([10.0, 40]))
def test_clips_lose_their_edges_and_nothing_else(clips, below):
    dataset = [(waveform, rate, f"word{i}", f"voice{i}") for i, (waveform, rate) in enumerate(clips)]
    before = [waveform.clone() for waveform, _ in clips]
    trimmed = Trimmed(dataset, below)
    assert len(trimmed) == len(dataset)
    for (waveform, *rest), (whole, *said), one in zip(
        trimmed, dataset, map(trimmed.__getitem__, range(9)), strict=False
    ):
        start, stop = loud_part(whole, said[0], below)
        assert torch.equal(waveform, whole[:, start:stop])
        assert torch.equal(waveform, one[0])
        assert waveform.shape[0] == 1
        assert rest == said
    seconds = sum(waveform.shape[1] / rate for waveform, rate in clips)
    kept = sum(waveform.shape[1] / rate for waveform, rate, *_ in trimmed)
    assert trimmed.seconds == pytest.approx(seconds)
    assert trimmed.removed == pytest.approx(1 - kept / seconds, abs=1e-9)
    assert f"{len(dataset)} clips" in repr(trimmed)
    assert f"{100 * trimmed.removed:.0f}%" in repr(trimmed)
    assert f"{below:g} dB" in repr(trimmed)
    assert all(torch.equal(waveform, copy) for (waveform, _), copy in zip(clips, before, strict=True))


@pytest.mark.parametrize("seconds", [0.5, 3])
@pytest.mark.parametrize("hum", [0, 1e-4])
def test_silence_around_a_word_is_removed(seconds, hum):
    words = list(bundled_clips(6))
    n = round(16000 * seconds)
    loud = [waveform / waveform.abs().max() for waveform, *_ in words]
    quiet = [torch.nn.functional.pad(waveform, (n, n)) + hum * noise(16000 + 2 * n) for waveform in loud]
    trimmed = Trimmed([(waveform, *word[1:]) for waveform, word in zip(quiet, words, strict=True)])
    plain = Trimmed([(waveform, *word[1:]) for waveform, word in zip(loud, words, strict=True)])
    assert trimmed.removed > 2 * seconds / (1 + 2 * seconds) - 0.01
    for (kept, *rest), (expected, *said) in zip(trimmed, plain, strict=True):
        assert rest == said
        # What began or ended with the clip itself has now its 50 ms beside it.
        assert expected.shape[1] <= kept.shape[1] <= expected.shape[1] + 2 * 800
        assert torch.nn.functional.conv1d(kept[None], expected[None]).max() > 0.99 * expected.square().sum()


def test_nothing_is_trimmed_unasked():
    clips = bundled_clips(8)
    before = [waveform.clone() for waveform, *_ in clips]
    trimmed = Trimmed(clips)
    assert 0 < trimmed.removed < 1
    assert {waveform.shape for waveform, *_ in clips} == {(1, 16000)}
    assert all(torch.equal(waveform, copy) for (waveform, *_), copy in zip(clips, before, strict=True))
    assert {waveform.shape for waveform, *_ in bundled_clips(8)} == {(1, 16000)}
    again = Trimmed(trimmed)
    assert again.removed == pytest.approx(0, abs=1e-12)
    assert all(torch.equal(one[0], other[0]) for one, other in zip(again, trimmed, strict=True))


def test_trimmed_clips_are_asked_for_by_one_number():
    trimmed = Trimmed(bundled_clips(4))
    assert torch.equal(trimmed[-1][0], trimmed[np.int64(3)][0])
    for index in (4, -5):
        with pytest.raises(IndexError):
            trimmed[index]
    for index in (slice(2), "0", None):
        refused(lambda index=index: trimmed[index], TypeError, repr(index))


def test_no_clips_cannot_be_trimmed():
    refused(lambda: Trimmed([]), ValueError, "no clips")


# hold_out


def spoken(speakers: list[str]) -> list[Item]:
    """Clips of which each has its own value."""
    return [(torch.full((1, 3), float(i)), 16000, f"word{i % 3}", speaker) for i, speaker in enumerate(speakers)]


def numbers(dataset: torch.utils.data.Dataset[Item]) -> list[int]:
    return [int(dataset[i][0][0, 0]) for i in range(len(dataset))]


SPEAKERS = st.lists(st.sampled_from(["", "ann", "ben", "cat", "dan"]), min_size=2, max_size=40)
PARTS = st.floats(0.001, 0.999)


@settings(max_examples=300)
@given(SPEAKERS, PARTS, SEEDS)
def test_both_parts_share_neither_clip_nor_speaker(speakers, part, seed):
    dataset = spoken(speakers)
    train, held = hold_out(dataset, part, seed)
    inside, outside = numbers(train), numbers(held)
    assert inside
    assert outside
    assert sorted(inside + outside) == list(range(len(dataset)))
    assert inside == sorted(inside)
    assert outside == sorted(outside)
    for half, chosen in ((train, inside), (held, outside)):
        for i, number in enumerate(chosen):
            assert half[i][1:] == dataset[number][1:]
            assert torch.equal(half[i][0], dataset[number][0])
    if len(set(speakers)) > 1:
        assert not {speakers[i] for i in inside} & {speakers[i] for i in outside} - {""}
    assert [numbers(half) for half in hold_out(dataset, part, seed)] == [inside, outside]


@settings(max_examples=300)
@given(SPEAKERS, PARTS, SEEDS)
def test_about_the_part_is_held_out(speakers, part, seed):
    n = len(speakers)
    held = len(hold_out(spoken(speakers), part, seed)[1])
    wanted = max(1, round(part * n))
    one = len(set(speakers)) == 1
    groups = [1 if one or not speaker else speakers.count(speaker) for speaker in speakers]
    # Speakers are not divided: the last one that is held out may be too many, and the last one that is not, too few.
    assert wanted - max(groups) <= held < wanted + max(groups)
    if one:
        assert held == min(n - 1, wanted)


@pytest.mark.parametrize("seed", range(8))
def test_who_spoke_most_is_not_held_out_where_others_suffice(seed):
    dataset = spoken(["ann"] * 99 + ["ben"] * 3 + ["cat"] * 3)
    train, held = hold_out(dataset, 0.05, seed)
    assert len(held) <= 6
    assert len(train) >= 99


@pytest.mark.parametrize("speaker", ["", "ann"])
@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_of_one_speaker_no_clip_is_in_both(speaker, n):
    train, held = hold_out(spoken([speaker] * n), 0.3)
    assert len(held) == max(1, round(0.3 * n))
    assert not set(numbers(train)) & set(numbers(held))


@pytest.mark.parametrize("speakers", [list("abcdefghij"), [""] * 10, ["ann"] * 10])
def test_the_choice_depends_on_the_seed_alone(speakers):
    dataset = spoken(speakers)
    state = torch.get_rng_state()
    chosen = {tuple(numbers(hold_out(dataset, 0.3, seed)[1])) for seed in range(20)}
    assert len(chosen) > 5
    # Every clip is held out by some seed, the first and the last included.
    assert {i for choice in chosen for i in choice} == set(range(10))
    assert torch.equal(state, torch.get_rng_state())
    np.random.seed(1)
    assert numbers(hold_out(dataset)[1]) == numbers(hold_out(dataset, 0.2, 0)[1])


@settings(max_examples=200)
@given(st.integers(2, 5000), PARTS, SEEDS)
def test_a_single_recording_is_cut_in_time(n, part, seed):
    whole = noise(n, seed)
    train, held = hold_out([(whole, 22050, "go", "ann")], part, seed)
    assert len(train) == len(held) == 1
    assert train[0][1:] == held[0][1:] == (22050, "go", "ann")
    assert torch.equal(torch.cat([train[0][0], held[0][0]], dim=1), whole)
    n_held = held[0][0].shape[1]
    assert 1 <= n_held <= n - 1
    assert abs(n_held - part * n) <= 1
    assert train[-1][0].shape[0] == held[-1][0].shape[0] == 1
    for half in (train, held):
        assert len(list(half)) == 1
        with pytest.raises(IndexError):
            half[1]


@pytest.mark.parametrize("part", [0.1, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("wrap", [lambda clips: clips, Trimmed, list])
def test_bundled_clips_are_divided_by_voice(part, wrap):
    clips = bundled_clips()
    train, held = hold_out(wrap(clips), part)
    voices = [{speaker for _, _, _, speaker in half} for half in (train, held)]
    assert voices[0] | voices[1] == {speaker for _, _, _, speaker in clips}
    assert not voices[0] & voices[1]
    assert len(train) + len(held) == len(clips)
    assert abs(len(held) / len(clips) - part) <= 0.25


def test_waveforms_are_divided_and_divided_again(tmp_path):
    for i in range(12):
        soundfile.write(tmp_path / f"s{i % 6}_nohash_{i}.wav", np.full(9, i / 100), 16000)
    waveforms = Waveforms(tmp_path)
    rest, test = hold_out(waveforms, 0.3)
    train, valid = hold_out(rest, 0.3)
    speakers = [{speaker for _, _, _, speaker in half} for half in (train, valid, test)]
    assert sum(map(len, speakers)) == 6
    assert len(set.union(*speakers)) == 6
    assert len(train) + len(valid) + len(test) == 12


@pytest.mark.parametrize(
    "speakers", [["ann"] * 2000, [""] * 2000, [f"s{i}" for i in range(2000)]], ids=["one", "?", "all"]
)
def test_dividing_takes_a_few_steps_a_clip(speakers):
    """Calls are counted instead of seconds; the square of the number of clips would be hundreds a clip."""
    dataset = spoken(speakers)
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        hold_out(dataset)
    finally:
        sys.setprofile(before)
    assert calls < 20 * len(dataset)


@pytest.mark.parametrize(
    ("part", "error"),
    [
        *((part, ValueError) for part in (0, 1, 1.5, -0.2, math.nan, math.inf)),
        *((part, TypeError) for part in ("0.2", None, True)),
    ],
)
@pytest.mark.parametrize("n", [1, 5])
def test_a_part_that_is_none_is_refused(part, error, n):
    refused(lambda: hold_out(spoken(["ann"] * n), part), error, f"part={part!r}")


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (0.5, TypeError), (True, TypeError), ("0", TypeError)])
@pytest.mark.parametrize("n", [1, 5])
def test_a_seed_that_is_none_is_refused(seed, error, n):
    refused(lambda: hold_out(spoken(["ann"] * n), seed=seed), error, f"seed={seed!r}")


def test_nothing_to_divide_is_refused():
    refused(lambda: hold_out([]), ValueError, "0 clips")
    refused(lambda: hold_out([(torch.zeros(1, 1), 16000, "", "")]), ValueError, "one sample")
    refused(lambda: hold_out([(torch.zeros(1, 0), 16000, "", "")]), ValueError)
