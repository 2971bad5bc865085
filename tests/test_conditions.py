"""Conditions of a dataset: words, speakers and frames find their clips and windows, in training, scoring and checkpoints."""

from __future__ import annotations

import json
import math

import pytest
import torch
from helpers import SEEDS, built, random_codes, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wavenetlike import WaveNetConfig, analysis, cli, load, train
from wavenetlike.condition import Condition, ConditionConfig
from wavenetlike.context import ContextConfig
from wavenetlike.data import (
    Conditions,
    EncodedClips,
    Windows,
    bundled_clips,
    conditions,
    encode_clips,
    mel_frames,
    vocabulary,
    wav_bytes,
)
from wavenetlike.generate import generate
from wavenetlike.heads import HEADS
from wavenetlike.quantize import MuLaw

RATE = 8000
TONES = {"low": 0.02, "high": 0.11}
SHAPE = {"levels": 12, "n_blocks": 1, "n_layers": 4, "residual_channels": 12, "gate_channels": 8, "skip_channels": 12}


def tone(word: str, n: int = 900, phase: float = 0.0) -> Tensor:
    return 0.8 * torch.sin(2 * math.pi * TONES[word] * torch.arange(n) + phase)[None]


CLIPS = [
    (tone(word, phase=phase), RATE, word, speaker) for phase, speaker in ((0, "ann"), (1, "bob")) for word in TONES
]
WORDS = ConditionConfig(words=("high", "low"), embedding=4)
ALL = ConditionConfig(words=("high", "low"), speakers=("ann", "bob"), embedding=4, frame_channels=3, hop=50)


def config(condition: ConditionConfig | None, **options: object) -> WaveNetConfig:
    return WaveNetConfig(**{**SHAPE, **options}, condition=condition)


def test_vocabulary_is_each_name_once_in_order(tmp_path):
    assert vocabulary(CLIPS) == ("high", "low")
    assert vocabulary(CLIPS, "speaker") == ("ann", "bob")
    encoded = EncodedClips.write(CLIPS, tmp_path, levels=12, progress=False)
    assert vocabulary(encoded) == ("high", "low")
    assert vocabulary(encoded, "speaker") == ("ann", "bob")
    assert "yes" in vocabulary(bundled_clips())
    assert vocabulary(bundled_clips(), "speaker") == ("f1", "f2", "m1", "m2")
    refused(lambda: vocabulary(CLIPS, "frames"), ValueError, "'frames'")
    refused(lambda: vocabulary([tone("low")]), ValueError, "word is not known")


@settings(max_examples=40)
@given(
    st.integers(1, 3),
    st.integers(40, 500),
    st.integers(1, 90),
    st.integers(1, 200),
    st.sampled_from([8000, 16000, 44100]),
)
def test_mel_frames_go_along_with_the_samples(batch, n, n_mels, hop, rate):
    frames = mel_frames(torch.zeros(batch, n), rate, n_mels, hop)
    assert frames.shape == (batch, n_mels, -(-n // hop))
    assert (frames == -1).all()


def test_mel_frames_say_what_sounds_when():
    x = torch.zeros(1, 16000)
    x[:, 4000:8000] = torch.sin(2 * math.pi * 1000 / 16000 * torch.arange(4000))
    frames = mel_frames(x, 16000, 20, 160)[0]
    assert frames[:, 25:50].max().item() == pytest.approx(1, abs=0.15)
    assert frames[:, :23].max() == frames[:, 53:].max() == -1
    # 1000 Hz are 1000 mel, the ends 0 and 2840: the seventh of twenty triangles, whose middles are 135 mel apart.
    assert set(frames[:, 27:48].argmax(dim=0).tolist()) <= {6, 7}
    quieter = mel_frames(0.1 * x, 16000, 20, 160)[0]
    torch.testing.assert_close(frames[6, 27:48] - quieter[6, 27:48], torch.full((21,), 2 / 5), rtol=0, atol=1e-3)
    refused(lambda: mel_frames(x, 16000, 0), ValueError, "n_mels=0")
    refused(lambda: mel_frames(x, 16000, 20, 0), ValueError, "hop=0")
    refused(lambda: mel_frames(x, 10), ValueError, "sample_rate=10")
    refused(lambda: mel_frames(2 + x), ValueError, "reaches")


@settings(max_examples=60)
@given(SEEDS, st.integers(1, 60), st.integers(1, 30), st.integers(1, 4))
def test_windows_know_their_clip_and_time(seed, hop, n, batch_size):
    """Frames that count samples: in every window they say which clip it is, and which time."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(30, 200, (4,), generator=generator).tolist()
    clips = [(torch.zeros(1, length), RATE, "low", "ann") for length in lengths]
    known = ConditionConfig(frame_channels=2, hop=hop)
    frames = [
        torch.stack([torch.full((known.n_frames(length),), float(i)), torch.arange(known.n_frames(length)).float()])
        for i, length in enumerate(lengths)
    ]
    codes = encode_clips(clips, MuLaw(12))
    told = conditions(known, clips, codes, frames)
    windows, delta = Windows(codes, 25, n, seed), 25
    batch = windows.batch(0, batch_size)
    condition, time = told.of(batch.clip, batch.time, batch.codes.shape[1])
    for row, (clip, begin) in enumerate(zip(batch.clip.tolist(), batch.time.tolist(), strict=True)):
        assert condition.frames[row, 0, 0] == clip
        for t in range(batch.codes.shape[1] + 1):
            at = min(max((int(time[row]) + t) // hop, 0), condition.frames.shape[2] - 1)
            expected = min(max((begin + t) // hop, 0), frames[clip].shape[1] - 1)
            assert condition.frames[row, 1, at] == expected
    assert windows.delta == delta


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("context", [None, ContextConfig(rate=8, n_layers=2, channels=4)])
def test_training_learns_what_the_word_decides(name, context):
    """Silence, then a tone of which only the word says how high it is."""
    model = built(config(WORDS, head=name, n_mixtures=3, context=context))
    history = train.train(model, CLIPS, steps=60, window=300, batch_size=2, learning_rate=0.02, progress=False)
    assert history.bits[-1] < 0.75 * history.bits[0]
    own, removed, shuffled = (
        analysis.evaluate(model, CLIPS, "all", **options)[-1].bits
        for options in ({}, {"removed": ["word"]}, {"shuffled": ["word"]})
    )
    assert own < min(removed, shuffled)


def test_generated_tones_follow_the_word():
    model = built(config(WORDS))
    train.train(model, CLIPS, steps=150, window=400, batch_size=2, learning_rate=0.02, progress=False)
    crossings = {}
    for word in TONES:
        made = generate(model, 600, MuLaw(12).encode(tone(word, 20)), condition=word, seed=0, temperature=0.3)
        crossings[word] = int((made.waveform[0, 1:] * made.waveform[0, :-1] < 0).sum())
    assert crossings["high"] > 2 * crossings["low"]


def test_every_kind_is_trained_at_once_and_travels_in_checkpoints(tmp_path):
    model = built(config(ALL))
    options = {"window": 200, "batch_size": 3, "held_out": CLIPS[:2], "progress": False}
    whole = train.train(model, CLIPS, steps=6, **options)
    folder = tmp_path / "run"
    every = train.Checkpoints(folder, steps=2)
    again = built(config(ALL))
    kept = train.train(again, CLIPS, steps=6, checkpoints=every, **options)
    assert kept.bits == whole.bits
    assert load(folder / "best.safetensors").config == model.config
    assert load(folder / "checkpoint-000000006.safetensors").config.condition.speakers == ("ann", "bob")
    # Another frame in one clip makes it another run.
    other = lambda waveform, rate: mel_frames(waveform, rate, 3, 50)[0] + 1  # noqa: E731
    with pytest.warns(UserWarning, match="conditions"):
        refused(
            lambda: train.train(built(config(ALL)), CLIPS, steps=6, checkpoints=every, frames=other, **options),
            ValueError,
            "conditions=",
        )


def test_own_frames_are_a_list_or_a_function():
    known = ConditionConfig(frame_channels=1, hop=30)
    frames = [torch.full((1, 30), float(word == "high")) for _, _, word, _ in CLIPS]
    by_list, by_function = built(config(known)), built(config(known))
    options = {"steps": 4, "window": 200, "progress": False}
    one = train.train(by_list, CLIPS, frames=frames, **options)
    numbers = iter(frames)
    two = train.train(by_function, CLIPS, frames=lambda waveform, rate: next(numbers), **options)
    assert one.bits == two.bits
    scores = [
        analysis.evaluate(by_list, CLIPS, "all", frames=frames, **how)[-1] for how in ({}, {"shuffled": ["frames"]})
    ]
    assert scores[0] != scores[1]
    refused(lambda: train.train(by_list, CLIPS, frames=frames, held_out=CLIPS, **options), ValueError, "held-out")


@pytest.mark.parametrize("parts", [["word"], ["speaker"], ["frames"], ["word", "frames"]])
def test_shuffled_clips_have_the_parts_of_others(parts):
    codes = encode_clips(CLIPS, MuLaw(12))
    frames = [torch.full((3, 18), float(i)) for i in range(4)]
    numbers = {"word": torch.arange(4), "speaker": torch.arange(4)}
    told = Conditions(ALL, numbers, frames)
    moved = told.shuffled(parts)
    for i in range(len(codes)):
        clip, time = torch.tensor([i]), torch.tensor([0])
        condition, _ = moved.of(clip, time, 40)
        for part in ALL.parts:
            seen = condition.frames[0, 0, 0] if part == "frames" else getattr(condition, part)[0]
            assert (int(seen) == i) == (part not in parts)
        left, _ = told.without(parts).of(clip, time, 40)
        assert set(left.parts) == set(ALL.parts) - set(parts)


@pytest.mark.parametrize(
    ("known", "options", "shown"),
    [
        (ConditionConfig(words=("high",), embedding=2), {}, "'low', which this model does not know; it knows high"),
        (ConditionConfig(speakers=("ann",), embedding=2), {}, "'bob'"),
        (ConditionConfig(embedding=2), {}, "embedding"),
        (WORDS, {"frames": [torch.zeros(1, 18)] * 4}, "frames were passed"),
        (None, {"frames": [torch.zeros(1, 18)] * 4}, "frames were passed"),
        (ALL, {"frames": [torch.zeros(3, 18)] * 3}, "frames of 3 clips, and 4 clips"),
        (ALL, {"frames": [torch.zeros(3, 17)] * 4}, "17 frames for 900 samples"),
        (ALL, {"frames": [torch.zeros(2, 18)] * 4}, "(2, 18)"),
        (ALL, {"frames": lambda waveform, rate: torch.zeros(3, 19)}, "19 frames"),
    ],
)
def test_bad_conditions_are_refused(known, options, shown):
    model = built(config(known))
    refused(lambda: train.train(model, CLIPS, steps=1, progress=False, **options), ValueError, shown)
    refused(lambda: analysis.evaluate(model, CLIPS, "all", **options), ValueError, shown)


@pytest.mark.parametrize(
    ("call", "error", "shown"),
    [
        (lambda: vocabulary(None), TypeError, "NoneType"),
        (lambda: vocabulary(iter(CLIPS)), TypeError, "list(dataset)"),
        (lambda: go(iter(CLIPS)), TypeError, "list(dataset)"),
        (lambda: go(CLIPS, torch.zeros(4, 3, 18)), TypeError, "frames is a Tensor"),
        (lambda: go(CLIPS, {}), TypeError, "frames is a dict"),
        (lambda: go(CLIPS, lambda waveform, rate: None), TypeError, "Clip 0"),
        (lambda: mel_frames(tone("low"), hop=10**9), ValueError, "hop=1000000000"),
        (lambda: mel_frames(tone("low"), n_mels=10**9), ValueError, "n_mels=1000000000"),
        (lambda: mel_frames(tone("low"), 10**9), ValueError, "sample_rate=1000000000"),
        (lambda: ConditionConfig(frame_channels=1, hop=10**12), ValueError, "hop=1000000000000"),
        (lambda: analysis.evaluate(built(config(WORDS)), CLIPS, "all", removed="word"), TypeError, "removed='word'"),
        (lambda: analysis.evaluate(built(config(WORDS)), CLIPS, "all", shuffled=None), TypeError, "shuffled=None"),
        (lambda: vocabulary([]), ValueError, "no clips"),
        (lambda: vocabulary([(tone("low"), RATE, None, None)]), ValueError, "word is not known"),
        (
            lambda: analysis.evaluate(built(config(WORDS)), CLIPS, "all", removed=["word"], shuffled=["word"]),
            ValueError,
            "'word' is listed twice",
        ),
        (
            lambda: analysis.evaluate(built(config(WORDS)), CLIPS[:1], "all", shuffled=["word"]),
            ValueError,
            "shuffled has 'word'",
        ),
        (
            lambda: analysis.evaluate(built(config(ALL)), CLIPS[:1], "all", shuffled=["frames"]),
            ValueError,
            "shuffled has 'frames'",
        ),
    ],
)
def test_what_is_no_dataset_and_no_frames_is_refused(call, error, shown):
    refused(call, error, shown)


def go(clips: object, frames: object = None) -> object:
    return train.train(built(config(ALL)), clips, steps=1, progress=False, frames=frames)


def test_frames_of_any_float_will_do():
    model = built(config(ConditionConfig(frame_channels=1, hop=30)))
    frames = [torch.ones(1, 30, dtype=kind, requires_grad=True) for kind in (torch.float64, torch.float16) * 2]
    assert len(train.train(model, CLIPS, frames=frames, steps=1, window=100, progress=False).bits) == 1


def test_parts_that_are_not_there_cannot_be_removed():
    model = built(config(WORDS))
    refused(lambda: analysis.evaluate(model, CLIPS, "all", removed=["frames"]), ValueError, "'frames'", "word")
    refused(lambda: analysis.evaluate(built(config(None)), CLIPS, "all", shuffled=["word"]), ValueError, "none")


def test_many_levels_have_baselines_and_a_model():
    model = built(config(None, levels=65_536, head="logistics", n_mixtures=3))
    codes = encode_clips(CLIPS, model.mu_law)
    assert codes.levels == 65_536
    history = train.train(model, CLIPS, steps=40, window=400, learning_rate=0.01, progress=False)
    assert history.bits[-1] < history.bits[0] < 25
    *_, bigram = history.baselines
    assert 0 <= bigram.bits < 16
    assert generate(model, 200, seed=0).codes.max() > 1000
    assert model(random_codes(65_536, 1, 20)).shape == (1, 9, 20)


@pytest.fixture
def folder(tmp_path):
    for waveform, rate, word, speaker in CLIPS:
        path = tmp_path / "clips" / word / f"{speaker}_nohash_0.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav_bytes(waveform, rate))
    return tmp_path / "clips"


@pytest.mark.parametrize("chosen", [["word"], ["speaker"], ["word", "speaker", "mel"], ["mel"]])
def test_command_line_saves_the_vocabulary(folder, tmp_path, chosen, capsys):
    output = tmp_path / "run"
    arguments = ["train", "--data", str(folder), "--held-out", str(folder), "--output", str(output), "--steps", "2"]
    with pytest.warns(UserWarning, match="silence"):
        status = cli.main([*arguments, "--window", "100", "--head", "logistics", "--condition", *chosen])
    assert status == 0, capsys.readouterr().err
    model = load(output / "model.safetensors")
    assert model.config.head == "logistics"
    known = model.config.condition
    assert known.words == (("high", "low") if "word" in chosen else ())
    assert known.speakers == (("ann", "bob") if "speaker" in chosen else ())
    assert bool(known.frame_channels) == ("mel" in chosen)
    if chosen == ["word"]:
        refused(lambda: generate(model, 10, condition="middle"), ValueError, "'middle'", "high, low")


def test_command_line_refuses_clips_without_names(tmp_path, capsys):
    (tmp_path / "one.wav").write_bytes(wav_bytes(tone("low"), RATE))
    status = cli.main(
        ["train", "--data", str(tmp_path), "--condition", "speaker", "--steps", "1", "--output", str(tmp_path / "run")]
    )
    assert status == 1
    assert "speaker is not known" in capsys.readouterr().err


def test_command_line_refuses_a_condition_that_never_changes(tmp_path, capsys):
    (tmp_path / "one.wav").write_bytes(wav_bytes(tone("low"), RATE))
    arguments = ["train", "--data", str(tmp_path), "--condition", "word", "--steps", "1"]
    assert cli.main([*arguments, "--output", str(tmp_path / "run")]) == 1
    assert f"all clips have the word {tmp_path.name!r}" in capsys.readouterr().err


def test_old_configs_are_still_read():
    """Of files that were saved before there were heads and conditions."""
    old = {"levels": 10, "n_blocks": 1}
    assert WaveNetConfig.from_json(json.dumps(old)) == WaveNetConfig(levels=10, n_blocks=1)
    assert Condition().parts == ()
