"""Codes in memory and in files, and windows of them that stay inside a clip."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from wavenetlike import MuLaw, train
from wavenetlike.analysis import evaluate
from wavenetlike.data import Codes, EncodedClips, Windows, bundled_clips, encode_clips
from wavenetlike.heads import IGNORED

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=6)


def counting_codes(lengths: list[int]) -> Codes:
    """Every code of every clip is another one, and none is silence."""
    total = sum(lengths)
    return Codes(np.arange(total) + total, np.cumsum(lengths), levels=4 * total + 100)


def ramps(*lengths: int) -> list[tuple[torch.Tensor, int, str, str]]:
    return [(torch.linspace(-1, 1, n)[None], 16000, f"word{i % 2}", f"voice{i}") for i, n in enumerate(lengths)]


@settings(max_examples=200)
@given(LENGTHS, st.integers(1, 40), st.integers(1, 30), st.integers(0, 2**40))
def test_every_target_stands_in_one_window(lengths, delta, n, seed):
    codes = counting_codes(lengths)
    windows = Windows(codes, delta, n, seed)
    found = torch.cat([window.codes[delta:][window.targets] for window in windows])
    clips = [clip[delta:] if len(clip) > delta else clip for clip in codes]
    assert found.sort().values.tolist() == torch.cat(clips).tolist()
    assert windows.n_short == sum(length <= delta for length in lengths)


@settings(max_examples=200)
@given(LENGTHS, st.integers(1, 40), st.integers(1, 30))
def test_a_window_holds_its_own_clip_after_silence(lengths, delta, n):
    codes = counting_codes(lengths)
    silence = MuLaw(codes.levels).silence
    for window in Windows(codes, delta, n):
        assert window.codes.shape == (delta + n,)
        assert window.codes.dtype == torch.int64
        assert window.targets.shape == (n,)
        held = window.codes[window.codes != silence]
        assert (window.codes[: -len(held)] == silence).all()
        assert (held.diff() == 1).all()
        clip = next(clip for clip in codes if clip[0] <= held[0] <= clip[-1])
        assert held[-1] <= clip[-1]
        # Targets are real, and have all of their past unless no code of this clip has.
        first = delta + int(window.targets.nonzero()[0])
        assert delta + n - len(held) <= first
        if len(clip) > delta:
            assert (window.codes[first - delta : first] != silence).all()


@settings(max_examples=100)
@given(LENGTHS, st.integers(1, 40), st.integers(1, 30))
def test_windows_are_few_and_even(lengths, delta, n):
    windows = Windows(counting_codes(lengths), delta, n)
    sizes = [int(window.targets.sum()) for window in windows]
    targets = [length - delta if length > delta else length for length in lengths]
    assert len(windows) == sum(math.ceil(t / n) for t in targets)
    assert max(sizes) <= n
    if len(targets) == 1:
        assert max(sizes) - min(sizes) <= 1


@settings(max_examples=50)
@given(LENGTHS, st.integers(1, 20), st.integers(1, 20), st.integers(1, 7), st.integers(0, 2**70))
def test_an_epoch_of_batches_is_every_window_once(lengths, delta, n, batch_size, seed):
    windows = Windows(counting_codes(lengths), delta, n, seed)
    n_steps = math.ceil(3 * len(windows) / batch_size)
    drawn = []
    for step in range(n_steps):
        batch = windows.batch(step, batch_size)
        assert len(batch.codes) == len(batch.targets) == batch_size
        assert batch.codes.shape[1] - delta == batch.targets.shape[1] == batch.targets.sum(dim=1).max()
        drawn += [int(row[-1]) for row in batch.codes]
    last = sorted(int(window.codes[-1]) for window in windows)
    for epoch in range(3):
        assert sorted(drawn[epoch * len(windows) : (epoch + 1) * len(windows)]) == last


def test_order_depends_on_seed_and_epoch_alone():
    codes = counting_codes([500, 700, 900])
    orders = {}
    for seed in (0, 1, 2**32, 2**40):
        windows = Windows(codes, 10, 20, seed)
        for epoch in range(2):
            steps = range(epoch * len(windows), (epoch + 1) * len(windows))
            orders[seed, epoch] = tuple(int(windows.batch(step, 1).codes[0, -1]) for step in steps)
    assert len(set(orders.values())) == len(orders)
    assert all(list(order) != sorted(order) for order in orders.values())
    torch.manual_seed(0)
    state = torch.get_rng_state()
    again = Windows(codes, 10, 20, 1)
    assert int(again.batch(5, 1).codes[0, -1]) == orders[1, 0][5]
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((0, 5, 0), ValueError), ((5, 0, 0), ValueError), ((5, 5, -1), ValueError), ((2.5, 5, 0), TypeError)],
)
def test_bad_windows_are_refused(arguments, error):
    refused(lambda: Windows(counting_codes([50]), *arguments), error)


def test_short_clips_are_learned_from_and_announced(small_model):
    delta = small_model.receptive_field
    clips = [wave for wave, *_ in ramps(delta, delta // 2, 1)]
    before = {name: value.clone() for name, value in small_model.state_dict().items()}
    with pytest.warns(UserWarning, match=f"3 of 3 clips are not longer than Δ = {delta}"):
        history = train.train(small_model, clips, steps=6, window=5, batch_size=2, progress=False)
    assert all(math.isfinite(bits) for bits in history.bits)
    assert any(not torch.equal(value, before[name]) for name, value in small_model.state_dict().items())


def test_padding_is_no_part_of_the_loss(small_model):
    """A batch of a long and a short window has the mean loss of their targets, whatever stands in the padding."""
    delta = small_model.receptive_field
    mu_law = small_model.mu_law
    clips = [torch.rand(1, delta + n, generator=torch.Generator().manual_seed(n)) * 2 - 1 for n in (40, 3)]
    batch = Windows(encode_clips(clips, mu_law), delta, 40).batch(0, 2)
    assert sorted(batch.targets.sum(dim=1).tolist()) == [3, 40]
    alone = [
        small_model.head.loss(small_model(codes[:, :-1], padded=False), codes[:, delta:]) * (codes.shape[1] - delta)
        for codes in (mu_law.encode(clip) for clip in clips)
    ]
    for noise in (0, 1):
        codes = batch.codes.clone()
        row = int(batch.targets.sum(dim=1).argmin())
        codes[row, :37] = noise
        targets = codes[:, delta:].masked_fill(~batch.targets, IGNORED)
        bits = small_model.head.loss(small_model(codes[:, :-1], padded=False), targets).item()
        assert bits == pytest.approx(sum(alone).item() / 43, abs=1e-5)


@pytest.mark.parametrize("levels", [2, 10, 256, 257, 1000])
def test_codes_in_a_file_are_those_in_memory(tmp_path, levels):
    items = ramps(50, 1, 2000)
    memory = encode_clips(items, MuLaw(levels))
    encoded = EncodedClips.write(items, tmp_path / "codes", levels, progress=False)
    for codes in (memory, encoded.codes, encode_clips(encoded, MuLaw(levels))):
        assert [len(clip) for clip in codes] == codes.lengths.tolist() == [50, 1, 2000]
        for clip, (waveform, *_) in zip(codes, items, strict=True):
            assert clip.dtype == torch.int64
            assert torch.equal(clip, MuLaw(levels).encode(waveform)[0])
        assert torch.equal(codes[-1], codes[2])
        assert torch.equal(codes.read(2, 7, 19), codes[2][7:19])
        with pytest.raises(IndexError):
            codes[3]
    assert (tmp_path / "codes" / "codes.bin").stat().st_size == 2051 * (1 if levels <= 256 else 2)
    for (waveform, *rest), (original, *expected) in zip(EncodedClips(tmp_path / "codes"), items, strict=True):
        assert rest == expected
        assert torch.equal(waveform, MuLaw(levels).decode(MuLaw(levels).encode(original)))


def test_training_and_scores_are_the_same_from_a_file(tmp_path, small_model, tones):
    state = {name: value.clone() for name, value in small_model.state_dict().items()}
    encoded = EncodedClips.write(tones, tmp_path, small_model.config.levels, progress=False)
    seen = []
    for dataset in (tones, encoded):
        small_model.load_state_dict(state)
        history = train.train(small_model, dataset, steps=5, window=50, progress=False)
        seen.append((history.bits, evaluate(small_model, dataset)))
    assert seen[0] == seen[1]


def test_an_interrupted_encoding_is_not_taken_for_whole(tmp_path):
    items = ramps(50, 60, 70)
    EncodedClips.write(items[:2], tmp_path, 10, progress=False)

    def interrupted():
        yield items[2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        EncodedClips.write(interrupted(), tmp_path, 10, progress=False)
    assert EncodedClips(tmp_path).codes.lengths.tolist() == [50, 60]
    assert not list(tmp_path.glob("*.partial"))
    assert EncodedClips.write(iter(items), tmp_path, 16, progress=False).codes.lengths.tolist() == [50, 60, 70]


def test_bad_encoded_clips_are_refused(tmp_path, small_model):
    refused(lambda: EncodedClips(tmp_path / "none"), FileNotFoundError, "none")
    refused(lambda: EncodedClips(tmp_path), FileNotFoundError, "no encoded clips")
    encoded = EncodedClips.write(ramps(50, 60), tmp_path, 10, progress=False)
    refused(lambda: encode_clips(encoded, MuLaw(12)), ValueError, "10 levels", "12")
    with (tmp_path / "codes.bin").open("ab") as file:
        file.truncate(100)
    refused(lambda: EncodedClips(tmp_path), ValueError, "100 bytes", "110")
    (tmp_path / "index.npy").write_bytes(b"x")
    refused(lambda: EncodedClips(tmp_path), ValueError, "index")
    (tmp_path / "clips.json").write_text("{")
    refused(lambda: EncodedClips(tmp_path), ValueError, "index")


READING = """
import sys, resource
import numpy as np, torch
from wavenetlike.data import EncodedClips, Windows

def resident():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return int(lines["VmHWM"].split()[0]) // 1024

before = resident()
encoded = EncodedClips(sys.argv[1])
windows = Windows(encoded.codes, 3070, 4310)
for step in range(3000):
    windows.batch(step, 1)
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_data(tmp_path):
    """Reading 48 MB of codes from a file of 48 or 480 MB: a map that is kept would hold what it has read."""
    grown = []
    for n in (3000, 30000):
        folder = tmp_path / str(n)
        EncodedClips.write(ramps(16000), folder, 256, progress=False)
        with (folder / "codes.bin").open("wb") as file:
            file.truncate(16000 * n)
        index = np.stack([np.zeros(n), np.zeros(n), 16000 * np.arange(1, n + 1)], axis=1).astype(np.int64)
        np.save(folder / "index.npy", index)
        run = subprocess.run([sys.executable, "-c", READING, str(folder)], capture_output=True, text=True, check=True)
        grown.append(int(run.stdout))
    assert max(grown) < 40
    assert grown[1] - grown[0] < 15


def test_datasets_are_encoded_in_order():
    mu_law = MuLaw(10)
    waveforms = [torch.rand(1, n) * 2 - 1 for n in (20, 30, 25)]
    items = [(waveform, 16000, "go", "me") for waveform in waveforms]
    pairs = [(waveform, 16000) for waveform in waveforms]
    for dataset in (items, pairs, waveforms, iter(items), torch.utils.data.Subset(items, range(3))):
        codes = encode_clips(dataset, mu_law)
        assert len(codes) == 3
        assert all(torch.equal(codes[i], mu_law.encode(waveforms[i])[0]) for i in range(3))
    batch = torch.cat([waveforms[0], -waveforms[0]])
    assert len(encode_clips([batch, waveforms[1]], mu_law)) == 3
    assert len(encode_clips(bundled_clips(7), mu_law)) == 7


def test_unusable_datasets_are_refused():
    mu_law = MuLaw(10)
    refused(lambda: encode_clips([], mu_law), ValueError, "no clips")
    good = torch.zeros(1, 50)
    refused(lambda: encode_clips([good, torch.zeros(50)], mu_law), ValueError, "Clip 1", "(50,)")
    refused(lambda: encode_clips([(torch.zeros(1, 0), 1, "", "")], mu_law), ValueError, "(1, 0)")
    refused(lambda: encode_clips([good + 2], mu_law), ValueError, "2")
    refused(lambda: encode_clips([good * math.nan], mu_law), ValueError, "NaN")
    refused(lambda: encode_clips([(good.to(torch.int16), 16000)], mu_law), TypeError, "torch.int16")
    refused(lambda: encode_clips([([0.0] * 50, 16000)], mu_law), TypeError, "list")
    mixed = [(good, 16000, "", ""), good, (good, 8000, "", "")]
    refused(lambda: encode_clips(mixed, mu_law), ValueError, "Clip 2", "8000", "16000", "Waveforms")
