"""Explorers follow their traits, take every number from `analysis`, refuse what cannot be chosen, and keep a picture of what they show."""

import dataclasses
import datetime
import io
import itertools
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
import torch
import traitlets
from helpers import refused, stack_config
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wavenetlike import MuLaw, WaveNet, WaveNetConfig, train
from wavenetlike.analysis import (
    ar2_roots,
    ar2_spectrum,
    autocorrelation,
    frontier,
    lag_profile,
    measure_receptive_field,
    step_time,
)
from wavenetlike.condition import Condition, ConditionConfig
from wavenetlike.data import (
    bundled_clips,
    is_stationary,
    largest_root,
    read_audio,
    signal_to_noise,
    sunspots,
    wav_bytes,
)
from wavenetlike.explore import (
    explore_ar2,
    explore_dilations,
    explore_lags,
    explore_plane,
    explore_profile,
    explore_quantization,
    explore_scaling,
    explore_sound,
    explore_words,
    watch_training,
)
from wavenetlike.explore.drawn import Kept
from wavenetlike.explore.lags import MOST_POINTS, MOST_SENT
from wavenetlike.explore.scaling import BATCHES, CONFIGS, GIGAFLOPS, MEGABITS, MICROSECONDS, PROCESSES
from wavenetlike.explore.sound import LENGTHS, TEMPERATURES, SoundExplorer
from wavenetlike.explore.stacks import CHANNELS, DILATION_RATES, KERNEL_LENGTHS, N_BLOCKS, N_LAYERS
from wavenetlike.generate import generate

EXPLORERS: dict[str, tuple[Callable[[], Kept], dict[str, object]]] = {
    "dilations": (explore_dilations, {"n_blocks": 1, "channels": 64}),
    "plane": (explore_plane, {"kernel_length": 5, "channels": 64}),
    "profile": (lambda: explore_profile({"one": nn.Conv1d(1, 1, 3), "two": nn.Conv1d(1, 1, 9)}), {"shown": 1}),
    "AR(2)": (explore_ar2, {"a": 1.4, "b": -0.7}),
    "quantization": (lambda: explore_quantization(bundled_clips(2)).waves, {"levels": 3, "clip": 1}),
    "scaling": (explore_scaling, {"n": 2, "model": "toy"}),
    "lags": (explore_lags, {"lag": 7, "shown": 1}),
}
QUIET = WaveNetConfig(levels=8, n_blocks=1, n_layers=3, residual_channels=8, gate_channels=8, skip_channels=8)


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_picture_of_what_is_shown_is_kept(name: str) -> None:
    explorer, others = EXPLORERS[name]
    shown = explorer()
    whole = explore_quantization(bundled_clips(2)) if name == "quantization" else shown
    bundle = whole._bundle()
    assert whole.picture().alt in bundle["text/html"].replace("&#x27;", "'")
    assert bundle["text/html"].startswith("<div><img ")
    assert bundle["text/html"].count("</script>") == 1
    assert bundle["text/html"].endswith("</script>")
    target = whole.waves if name == "quantization" else whole
    for trait, value in others.items():
        setattr(target, trait, value)
    assert whole._bundle() != bundle
    assert whole._bundle()["text/plain"] != bundle["text/plain"]
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["dilations", "plane", "profile", "lags"])
def test_the_drawing_without_a_kernel_begins_with_what_is_shown(name: str) -> None:
    explorer, others = EXPLORERS[name]
    shown = explorer()
    for trait, value in others.items():
        setattr(shown, trait, value)
    state = json.loads(re.search(r"const state = (\{.*\});$", shown.alive(), re.MULTILINE)[1])
    for trait, value in others.items():
        assert state[trait] == value
    assert "anywidget" not in json.dumps(state)


@pytest.mark.parametrize("name", ["AR(2)", "quantization", "scaling"])
def test_what_only_the_kernel_can_say_stays_a_picture(name: str) -> None:
    assert EXPLORERS[name][0]().alive() == "null"


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> SoundExplorer:
    """An explorer of a small model, and in ``sent`` what the page is told."""
    torch.manual_seed(0)
    prefix = torch.randint(8, (1, 9000), generator=torch.Generator().manual_seed(0))
    shown = explore_sound(WaveNet(QUIET), {"noise": prefix}, seconds=0.5, seed=3)
    sent: list[tuple[dict, list]] = []
    monkeypatch.setattr(shown, "send", lambda content, buffers=None: sent.append((content, buffers)))
    shown.sent = sent
    return shown


def heard(sent: list[tuple[dict, list]]) -> torch.Tensor:
    blocks = [
        torch.frombuffer(bytearray(part[0]), dtype=torch.float32)
        for content, part in sent
        if content["kind"] == "block" and part[0]
    ]
    return torch.cat(blocks)[None]


def finished(shown: SoundExplorer) -> None:
    shown._thread.join(60)
    assert not shown._thread.is_alive()


def test_a_sound_is_shown_from_the_beginning_on(sound: SoundExplorer) -> None:
    prefix = sound._prefixes[1]
    expected = generate(sound._model, 8000, prefix=prefix, seed=3).waveform
    before = MuLaw(8).decode(prefix[:, -4000:])
    assert torch.equal(sound.sound, torch.cat([before, expected], dim=1))
    assert torch.equal(torch.frombuffer(bytearray(sound.first), dtype=torch.float32)[None], sound.sound)
    assert "0.75 s, from noise, temperature 1, seed 3" in sound.words()
    assert sound.words() in sound.picture().alt


@pytest.mark.parametrize("beginning", [0, 1])
@pytest.mark.parametrize("options", [{"temperature": 0.5}, {"greedy": True}, {"seed": 9, "seconds": 1.0}])
def test_what_plays_is_what_generate_makes(sound: SoundExplorer, options: dict, beginning: int) -> None:
    sound.set_trait("beginning", beginning)
    for name, value in options.items():
        setattr(sound, name, value)
    sound._answer(sound, {"kind": "play"}, [])
    finished(sound)
    n = round(sound.seconds * 16000)
    chosen = {"temperature": sound.temperature, "greedy": sound.greedy, "seed": sound.seed}
    expected = generate(sound._model, n, prefix=sound._prefixes[beginning], **chosen).waveform
    made = heard(sound.sent)
    assert torch.equal(made[:, -n:], expected)
    assert made.shape[1] == n + (4000 if beginning else 0)
    assert torch.equal(sound.sound, made)
    assert {content["total"] for content, _ in sound.sent if content["kind"] == "block"} == {made.shape[1]}
    assert sound.sent[-1][0]["kind"] == "end"
    assert ("the likeliest code each time" in sound.words()) is sound.greedy


def test_stopping_keeps_what_was_made(sound: SoundExplorer) -> None:
    sound.seconds = 30.0
    sound.play()
    while len(sound.sent) < 4:
        time.sleep(0.01)
    sound._answer(sound, {"kind": "stop"}, [])
    assert not sound._thread.is_alive()
    assert sound.sent[-1][0]["kind"] == "end"
    assert torch.equal(sound.sound, heard(sound.sent))
    assert 4000 < sound.sound.shape[1] < 30 * 16000


def test_playing_again_ends_what_plays(sound: SoundExplorer) -> None:
    sound.seconds = 30.0
    sound.play()
    first = sound._thread
    sound.seconds = 0.5
    sound.play()
    assert not first.is_alive()
    finished(sound)
    runs = [content["run"] for content, _ in sound.sent]
    assert len(set(runs)) == 2
    assert runs == sorted(runs, key=runs.index), "one after the other"
    assert [content["kind"] for content, _ in sound.sent].count("end") == 2
    assert sum(content.get("first", False) for content, _ in sound.sent) == 2
    assert sound.sound.shape[1] == 4000 + 8000


def test_the_page_names_its_runs(sound: SoundExplorer) -> None:
    sound._answer(sound, {"kind": "play", "run": "mine"}, [])
    finished(sound)
    assert {content["run"] for content, _ in sound.sent} == {"mine"}


def test_what_is_chosen_while_it_plays_is_for_the_next_time(sound: SoundExplorer) -> None:
    sound.seconds = 2.0
    expected = generate(sound._model, 32_000, prefix=sound._prefixes[1], seed=3).waveform
    sound.play()
    sound.seed, sound.temperature, sound.beginning, sound.greedy, sound.seconds = 77, 0.3, 0, True, 0.5
    finished(sound)
    assert torch.equal(sound.sound[:, 4000:], expected)
    assert "2.25 s, from noise, temperature 1, seed 3:" in sound.words()


def test_an_error_is_said_and_ends_the_run(sound: SoundExplorer) -> None:
    with torch.no_grad():
        sound._model.skip_head.out.bias[0] = torch.nan
    sound.play()
    finished(sound)
    assert sound.sent[-1][0]["kind"] == "end"
    assert "NaN or infinite numbers" in sound.words()


def test_stopping_what_does_not_play_is_no_trouble(sound: SoundExplorer) -> None:
    before = sound.sound
    sound.stop()
    assert torch.equal(sound.sound, before)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("temperature", 0.0, ValueError),
        ("temperature", 5.0, ValueError),
        ("seed", -1, ValueError),
        ("seed", 2**32, ValueError),
        ("seconds", 0.1, ValueError),
        ("seconds", 31.0, ValueError),
        ("beginning", 2, ValueError),
        ("beginning", -1, ValueError),
    ],
)
def test_what_a_sound_cannot_be_is_refused(
    sound: SoundExplorer, name: str, value: object, error: type[Exception]
) -> None:
    refused(lambda: setattr(sound, name, value), error, f"{name}={value!r}")


def test_a_temperature_between_two_becomes_the_nearest(sound: SoundExplorer) -> None:
    sound.temperature, sound.seconds = 0.731, 1.4
    assert sound.temperature == 0.75
    assert sound.seconds == 1.0
    assert set(LENGTHS) >= {sound.seconds}
    assert set(TEMPERATURES) >= {sound.temperature}


def test_sounds_of_what_is_no_model_are_refused() -> None:
    model = WaveNet(QUIET)
    refused(lambda: explore_sound(nn.Conv1d(1, 1, 2)), TypeError, "Conv1d")
    refused(lambda: explore_sound(model, [torch.zeros(1, 5)]), TypeError, "list")
    refused(lambda: explore_sound(model, {"x": torch.zeros(1, 5)}), TypeError, "torch.float32")
    refused(lambda: explore_sound(model, {"x": torch.full((1, 5), 8)}), ValueError, "8 to 8")
    refused(lambda: explore_sound(model, {"x": torch.zeros(2, 5, dtype=torch.int64)}), ValueError, "'x'")
    refused(lambda: explore_sound(model, sample_rate=4000), ValueError, "sample_rate=4000")
    refused(lambda: explore_sound(model, seconds=0.0), ValueError, "seconds=0.0")
    refused(lambda: explore_sound(model, seed=-1), ValueError, "seed=-1")


def test_words_are_spoken_again_with_their_own_or_another() -> None:
    config = ConditionConfig(words=("no", "yes"), embedding=2, frame_channels=3, hop=100)
    torch.manual_seed(0)
    model = WaveNet(dataclasses.replace(QUIET, condition=config))
    model.skip_head.out.weight.data *= 30
    spoken = {word: Condition(word=word, frames=torch.rand(1, 3, 20)) for word in config.words}
    shown = explore_words(model, spoken, seed=5)

    def expected(frames: str, told: str, **options: object) -> torch.Tensor:
        condition = dataclasses.replace(spoken[frames], word=told)
        return generate(model, 2000, condition=condition, **{"seed": 5, **options}).waveform

    assert torch.equal(shown.sound, expected("no", "no"))
    assert "the frames of no, told «no»" in shown.words()
    for beginning, told, words in ((1, 0, ("yes", "yes")), (1, 1, ("yes", "no")), (0, 2, ("no", "yes"))):
        shown.beginning, shown.told = beginning, told
        shown.temperature = 0.5
        shown.play()
        finished(shown)
        assert torch.equal(shown.sound, expected(*words, temperature=0.5))
        assert f"told «{words[1]}»" in shown.words()
    assert not torch.equal(expected("yes", "no"), expected("yes", "yes"))
    refused(lambda: setattr(shown, "told", 3), ValueError, "told=3")
    refused(lambda: explore_words(model, [spoken["no"]]), TypeError, "list")
    refused(lambda: explore_words(model, {}), ValueError, "nothing spoken")
    refused(lambda: explore_words(model, {"x": Condition(word="no")}), ValueError, "no frames")
    refused(lambda: explore_words(model, {"x": Condition(word="so", frames=torch.rand(1, 3, 20))}), ValueError, "'so'")
    refused(lambda: explore_words(WaveNet(QUIET)), ValueError, "nothing")
    vector = torch.zeros(1, model.config.condition.embedding)
    by_vector = Condition(embedding=vector, frames=spoken["no"].frames)
    refused(lambda: explore_words(model, {"x": by_vector}), TypeError, "under 'x'", "with a word")
    refused(lambda: explore_words(model, {3: spoken["no"]}), TypeError, "under 3")
    refused(lambda: explore_words(model, spoken, sample_rate=100), ValueError, "sample_rate=100")
    refused(lambda: explore_words(model, spoken, seed=-1), ValueError, "seed=-1")


def test_without_a_model_bundled_words_are_spoken_again() -> None:
    shown = explore_words()
    assert len(shown.beginnings) == 17
    assert len(shown.known) == 21
    assert shown.lengths == []
    # Heard where the recording is loud, and not where it is silent.
    recorded = next(w for w, _, label, speaker in bundled_clips() if f"«{label}», {speaker}" == shown.beginnings[0])
    levels = [x[0, :15900].unfold(0, 300, 300).square().mean(1).sqrt() for x in (recorded, shown.sound)]
    assert torch.corrcoef(torch.stack(levels))[0, 1] > 0.6


def test_without_a_model_the_toy_goes_on_from_words() -> None:
    shown = explore_sound(seconds=0.5)
    assert shown.beginnings[0] == "silence"
    assert len(shown.beginnings) == 6
    assert shown.beginning == 1
    assert shown.beginnings[1] in shown.words()


SHAPES = list(itertools.product(KERNEL_LENGTHS, N_LAYERS, N_BLOCKS, DILATION_RATES))


def test_every_number_of_every_stack_is_that_of_its_config() -> None:
    table = explore_dilations().table
    assert len(SHAPES) == 1200
    for (i, shape), (width, channels) in itertools.product(enumerate(SHAPES), enumerate(CHANNELS)):
        kernel_length, n_layers, _, dilation_rate = shape
        config = stack_config(*shape, channels)
        behind = table["behind"][f"{kernel_length} {n_layers} {dilation_rate}"]
        assert behind[config.depth - 1] == config.receptive_field
        assert behind == sorted(behind)
        assert table["depth"][i] == config.depth
        assert table["parameters"][width][i] == config.parameters
        assert table["multiplications"][width][i] == config.multiplications
        assert table["gamma"][width][i] == pytest.approx(config.gamma, abs=0.051)
    for gammas, edge in zip(table["gamma"], table["frontier"], strict=True):
        deltas = [table["behind"][f"{k} {n} {r}"][n * b - 1] for k, n, b, r in SHAPES]
        assert edge == frontier(deltas, gammas)
        for i in edge:
            assert not any(d >= deltas[i] and g < gammas[i] for d, g in zip(deltas, gammas, strict=True))


@pytest.mark.parametrize("explorer", [explore_dilations, explore_plane])
@pytest.mark.parametrize(
    "chosen",
    [
        {"kernel_length": 0},
        {"kernel_length": 6},
        {"n_layers": 13},
        {"n_blocks": 6},
        {"dilation_rate": 5},
        {"channels": 5},
        {"channels": "8"},
        {"sample_rate": 11025},
        {"n_layers": 2.5},
        {"n_blocks": True},
    ],
)
def test_what_cannot_be_chosen_is_refused(explorer: Callable[..., object], chosen: dict[str, object]) -> None:
    refused(lambda: explorer(**chosen), ValueError, "{}={!r}".format(*next(iter(chosen.items()))))


@pytest.mark.parametrize("name", ["least_ms", "most_gamma", "most_parameters"])
@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), (float("nan"), ValueError), ("5", TypeError)])
def test_what_cannot_be_wanted_is_refused(name: str, value: object, error: type[Exception]) -> None:
    refused(lambda: explore_plane(**{name: value}), error, f"{name}={value!r}")


def test_profiles_are_those_that_are_measured() -> None:
    torch.manual_seed(0)
    models = {"short": nn.Conv1d(1, 1, 3), "long": nn.Sequential(nn.Conv1d(2, 2, 2), nn.Conv1d(2, 1, 4, dilation=3))}
    shown = explore_profile(models)
    assert [profile["name"] for profile in shown.profiles] == ["short", "long"]
    for profile, module in zip(shown.profiles, models.values(), strict=True):
        field = measure_receptive_field(module)
        assert profile["delta"] == field.delta
        assert profile["effective"] == field.effective_delta(0.95)
        strength = torch.tensor(profile["strength"], dtype=torch.float64)
        assert len(strength) > field.delta
        torch.testing.assert_close(strength, field.by_lag(len(strength)), rtol=1e-3, atol=0)
        assert (strength[field.delta :] == 0).all()
        linear = lag_profile(module, len(strength))
        assert torch.equal(linear > 0, strength > 0)
    before = torch.random.get_rng_state()
    assert explore_profile({"one": models["short"]}).beside == -1
    assert torch.equal(before, torch.random.get_rng_state())


def test_without_models_to_measure_it_says_so() -> None:
    refused(lambda: explore_profile({}), ValueError, "no models")
    refused(lambda: explore_profile({"mine": 3}), TypeError, "int")


@pytest.mark.parametrize(
    ("a", "b", "where"),
    [
        (-0.4, 0.5, "Inside"),
        (1.4, -0.7, "Inside"),
        (1.2, 0.3, "Outside"),
        (2.2, 1.2, "Outside"),
        (-2.2, -1.2, "Outside"),
        (0.5, 0.5, "On the border"),
        (1.4, -0.4, "On the border"),
        (-1.9, -0.9, "On the border"),
        (1.65, -0.65, "On the border"),
        (0.3, 0.7, "On the border"),
        (0.0, -1.0, "On the border"),
    ],
)
def test_ar2_tells_inside_from_outside(a: float, b: float, where: str) -> None:
    explorer = explore_ar2()
    explorer.a, explorer.b = a, b
    shown = explorer.shown
    assert (shown["a"], shown["b"]) == (a, b)
    assert where in shown["words"]
    assert (where == "Inside") == is_stationary(a, b)
    assert where.lower() in explorer.picture().alt
    assert [complex(*root) for root in shown["roots"]] == list(ar2_roots(a, b))
    assert max(abs(complex(*root)) for root in shown["roots"]) == pytest.approx(largest_root(a, b))
    assert np.isfinite(shown["x"]).all()
    if is_stationary(a, b):
        assert shown["powers"] == ar2_spectrum(a, b, np.array(shown["frequencies"])).tolist()
        assert shown["correlations"][0] == shown["observed"][0] == 1
    else:
        assert shown["powers"] is shown["correlations"] is None


@pytest.mark.parametrize(("a", "b"), [(-0.4, 0.5), (1.4, -0.7), (0.5, -0.9), (0.0, 0.0)])
def test_a_convolution_finds_the_weights(a: float, b: float) -> None:
    words = explore_ar2(a, b, n_samples=4000).shown["words"]
    found = re.search(r"these ([\d]+) samples finds a = (-?[\d.]+), b = (-?[\d.]+)\.", words)
    assert int(found[1]) == 4000
    assert (float(found[2]), float(found[3])) == (pytest.approx(a, abs=0.06), pytest.approx(b, abs=0.06))


def test_an_explosion_is_drawn_as_far_as_floats_go() -> None:
    explorer = explore_ar2(n_samples=2000)
    explorer.a, explorer.b = 2.2, 1.2
    assert "Outside" in explorer.shown["words"]
    assert 10 < len(explorer.shown["x"]) < 2000
    assert explorer.picture().png().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"a": 2.3}, ValueError, "a=2.3"),
        ({"b": -1.3}, ValueError, "b=-1.3"),
        ({"a": float("nan")}, ValueError, "a=nan"),
        ({"a": "1"}, TypeError, "a='1'"),
        ({"n_samples": 9}, ValueError, "n_samples=9"),
        ({"n_samples": -1}, ValueError, "n_samples=-1"),
        ({"a": True}, TypeError, "a=True"),
        ({"n_samples": 10_001}, ValueError, "n_samples=10001"),
        ({"n_samples": 20.0}, TypeError, "n_samples=20.0"),
    ],
)
def test_what_ar2_cannot_show_is_refused(arguments: dict[str, object], error: type[Exception], words: str) -> None:
    refused(lambda: explore_ar2(**arguments), error, words)


@pytest.mark.parametrize("levels", [2, 3, 10, 11, 64, 256])
def test_quantization_shows_and_plays_the_same(tmp_path: Path, levels: int) -> None:
    clips = bundled_clips(3)
    shown = explore_quantization(clips)
    for i, (waveform, sample_rate, *_) in enumerate(clips):
        shown.waves.clip, shown.waves.levels = i, levels
        decoded = MuLaw(levels).decode(MuLaw(levels).encode(waveform))
        assert f"{levels} levels: signal-to-noise ratio {signal_to_noise(waveform, decoded):.1f} dB" in shown.words()
        for sound, expected in ((shown.waves.before, waveform), (shown.waves.after, decoded)):
            (tmp_path / "heard.wav").write_bytes(sound)
            heard, rate = read_audio(tmp_path / "heard.wav")
            assert rate == sample_rate
            torch.testing.assert_close(heard, expected, rtol=0, atol=1 / 32000)


def uploaded(**files: bytes) -> tuple[dict[str, object], ...]:
    """What a FileUpload holds after these files were chosen."""
    now = datetime.datetime.now(datetime.UTC)
    kinds = {"type": "audio/wav", "last_modified": now}
    return tuple(
        {"name": f"{name}.wav", "size": len(content), "content": memoryview(content), **kinds}
        for name, content in files.items()
    )


def test_an_upload_takes_the_place_of_the_clips() -> None:
    shown = explore_quantization(levels=16)
    before = shown.clips
    tone = torch.sin(torch.arange(48000) / 20)[None]
    shown.upload.value = uploaded(bad=b"<b>no audio</b>")
    assert shown.clips is before
    assert "bad.wav" in shown.report.value
    assert "alert" in shown.report.value
    shown.upload.value = uploaded(bad=b"no audio", one=wav_bytes(tone, 48000), two=wav_bytes(tone[:, :9000] / 2, 8000))
    assert [label for _, _, label, _ in shown.clips] == ["one", "two"]
    assert shown.waves.clips == ["1: one", "2: two"]
    assert "bad.wav" in shown.report.value
    assert "48,000 Hz → 16,000 Hz" in shown.report.value
    assert "16 levels" in shown.words()
    drawn = shown.waves.shown
    shown.waves.clip = 1
    assert shown.waves.shown != drawn
    shown.upload.value = ()
    assert [label for _, _, label, _ in shown.clips] == ["one", "two"]


def test_a_long_recording_is_explored_at_its_loudest() -> None:
    waveform = torch.zeros(1, 20 * 8000)
    waveform[0, 15 * 8000] = 0.9
    shown = explore_quantization([(waveform, 8000, "click", "")])
    assert "5 s around the loudest moment of 20.0 s" in shown.words()
    samples, rate = soundfile.read(io.BytesIO(shown.waves.before))
    assert (len(samples), rate) == (5 * 8000, 8000)
    assert np.abs(samples).max() == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("levels", [1, 0, -3, 257])
def test_levels_beyond_the_slider_are_refused(levels: int) -> None:
    refused(lambda: explore_quantization(levels=levels), ValueError, f"levels={levels}")


def test_clips_that_are_none_are_refused() -> None:
    refused(lambda: explore_quantization(5), TypeError, "int")
    refused(lambda: explore_quantization([]), ValueError, "no clips")
    for bad in ("abc", {"a": 1}, [1, 2], [("text", 16000)], [(torch.zeros(1, 5),)]):
        refused(lambda bad=bad: explore_quantization(bad), TypeError, "0")
    refused(lambda: explore_quantization([(torch.zeros(5), 16000)]), ValueError, "(5,)")
    refused(lambda: explore_quantization([(torch.zeros(1, 0), 16000)]), ValueError, "empty")


def test_two_channels_are_averaged_and_silence_is_called_silence() -> None:
    clip = torch.stack([torch.linspace(-0.5, 0.5, 900), torch.zeros(900)])
    shown = explore_quantization([(clip, 16000.0), (torch.zeros(1, 900), 16000)])
    mono = clip.mean(dim=0, keepdim=True)
    assert f"{signal_to_noise(mono, MuLaw(10).decode(MuLaw(10).encode(mono))):.1f} dB" in shown.words()
    shown.clip = 1
    assert "silent" in shown.words()
    shown.levels = 3
    assert "3 levels" in shown.words()
    assert (shown.waves.clip, shown.waves.levels) == (1, 3)


@pytest.mark.parametrize(
    ("explorer", "trait", "value"),
    [
        (explore_plane, "least_ms", float("nan")),
        (explore_plane, "most_gamma", float("inf")),
        (explore_dilations, "n_layers", 99),
        (explore_ar2, "a", 3.0),
        (explore_ar2, "n_samples", -5),
        (EXPLORERS["profile"][0], "shown", 7),
        (EXPLORERS["profile"][0], "shown", -1),
        (EXPLORERS["profile"][0], "beside", 50),
        (EXPLORERS["quantization"][0], "clip", 500),
        (explore_lags, "lag", 41),
        (explore_lags, "lag", -1),
        (explore_lags, "shown", 2),
        (explore_scaling, "n", 3),
        (explore_scaling, "model", "none"),
    ],
)
def test_traits_out_of_range_are_refused(explorer: Callable[[], Kept], trait: str, value: object) -> None:
    shown = explorer()
    before = getattr(shown, trait)
    with pytest.raises((ValueError, TypeError, traitlets.TraitError), match=trait):
        setattr(shown, trait, value)
    assert getattr(shown, trait) == before


def test_numbers_of_numpy_are_taken() -> None:
    assert type(explore_dilations(np.int64(3)).kernel_length) is int
    plane = explore_plane(least_ms=np.float32(100))
    plane.n_layers = np.int64(7)
    assert type(plane.n_layers) is int
    assert type(plane.least_ms) is float
    json.dumps(plane.get_state(["n_layers", "least_ms"]))


@settings(max_examples=30)
@given(
    model=st.sampled_from(list(CONFIGS)),
    n=st.sampled_from(PROCESSES),
    batch=st.sampled_from(BATCHES),
    gigaflops=st.sampled_from(GIGAFLOPS),
    megabits=st.sampled_from(MEGABITS),
    microseconds=st.sampled_from(MICROSECONDS),
)
def test_the_scaling_that_is_shown_is_that_of_the_formula(model, n, batch, gigaflops, megabits, microseconds) -> None:
    shown = explore_scaling()
    for trait, value in {
        "model": model, "n": n, "batch": batch, "gigaflops": gigaflops, "megabits": megabits, "microseconds": microseconds,
    }.items():  # fmt: skip
        setattr(shown, trait, value)
    rates = {"flop_per_second": gigaflops * 1e9, "bandwidth": megabits * 1e6 / 8, "latency": 1e-6 * microseconds}
    times = [step_time(CONFIGS[model], k, batch=batch, **rates) for k in PROCESSES]
    assert shown.shown["computing"] == [time.computing for time in times]
    assert shown.shown["sending"] == [time.sending for time in times]
    assert shown.shown["speed_up"] == [times[0].total / time.total for time in times]
    here = times[PROCESSES.index(n)]
    assert shown.words().startswith(
        f"{n:,} × {-(-batch // n):,} windows: {1000 * here.computing:,.3g} ms computing and {1000 * here.sending:,.3g} ms sending"
    )
    assert ("nothing to do" in shown.words()) == (batch < n)
    best = re.search(r"fastest is n = ([\d,]+)", shown.words())[1].replace(",", "")
    assert times[PROCESSES.index(int(best))].total == min(time.total for time in times)


@pytest.mark.parametrize(
    "chosen",
    [
        {"model": "huge"},
        {"n": 3},
        {"n": 2048},
        {"batch": 0},
        {"gigaflops": 7},
        {"megabits": "1000"},
        {"microseconds": 2.5},
    ],
)
def test_machines_that_cannot_be_chosen_are_refused(chosen: dict[str, object]) -> None:
    (name, value), *_ = chosen.items()
    refused(lambda: explore_scaling(**chosen), ValueError, f"{name}={value!r}")


@pytest.mark.parametrize(
    ("prefix", "error", "shown"),
    [
        (torch.zeros(2, 100, dtype=torch.int64), ValueError, "(2, 100)"),
        (torch.zeros(1, 0, dtype=torch.int64), ValueError, "(1, 0)"),
        (torch.full((1, 9), 77), ValueError, "77"),
        (torch.zeros(1, 9), TypeError, "float32"),
    ],
)
def test_a_prefix_that_cannot_be_gone_on_from_is_refused_before_the_first_step(prefix, error, shown) -> None:
    model = WaveNet(WaveNetConfig(5, n_blocks=1, n_layers=2, residual_channels=4, gate_channels=4, skip_channels=4))
    watching = watch_training(prefix)
    with pytest.raises(error, match=re.escape(shown)):
        train.train(model, bundled_clips(1), steps=2, watch=watching, progress=False)
    assert watching.history.bits == []


@pytest.mark.parametrize(("name", "value"), [("n", 0), ("n", 1.5), ("sample_rate", 0), ("sample_rate", 2**31)])
def test_sounds_that_cannot_be_made_are_refused(name, value) -> None:
    refused(lambda: watch_training(**{name: value}), TypeError if value == 1.5 else ValueError, f"{name}={value}")


def test_profiles_say_what_they_do_not_show() -> None:
    zero = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Conv1d(4, 1, 3))
    nn.init.zeros_(zero[2].weight)
    nn.init.zeros_(zero[2].bias)
    shown = explore_profile({"zero": zero, "same": nn.Conv1d(1, 1, 9, padding="same")})
    assert "nothing acts" in shown.words()
    assert "none at all" in shown.picture().alt
    shown.shown = 1
    assert "not causal" in shown.words()
    refused(lambda: explore_profile([zero]), TypeError, "list")
    refused(lambda: explore_profile({"my net": nn.Upsample(scale_factor=2)}), ValueError, "'my net'")


def test_names_of_models_cannot_end_the_script() -> None:
    shown = explore_profile({"<!--<script></script>": nn.Conv1d(1, 1, 2)})
    script = shown._bundle()["text/html"].split("<script>", 1)[1]
    assert "<script>" not in script
    assert "<!--" not in script


def noise(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(4, 400),
    scale=st.sampled_from([1e-300, 1e-3, 1.0, 1e5, 1e300]),
    offset=st.sampled_from([0.0, 1.0, -30.0]),
    data=st.data(),
)
def test_the_correlation_that_is_said_is_that_of_analysis(n: int, scale: float, offset: float, data) -> None:
    series = noise(n, seed=n) + offset
    n_lags = data.draw(st.integers(1, min(n - 1, 60)))
    shown = explore_lags((scale * series).tolist(), n_lags=n_lags)
    expected = autocorrelation(series, n_lags)
    np.testing.assert_allclose(shown.series[0]["correlations"], expected, atol=2e-6)
    assert shown.series[0]["band"] == pytest.approx(1.96 / n**0.5)
    shown.lag = data.draw(st.integers(1, n_lags))
    found = re.match(r"Lag (\d+) samples?: correlation (-?[\d.]+), (inside|outside) the band\.", shown.words())
    assert int(found[1]) == shown.lag
    assert float(found[2]) == pytest.approx(expected[shown.lag], abs=6e-4)
    assert (found[3] == "inside") == (abs(expected[shown.lag]) <= 1.96 / n**0.5)


def test_two_halves_of_a_wave_are_opposite() -> None:
    wave = torch.sin(torch.arange(1600) * 2 * torch.pi / 16)
    shown = explore_lags(wave, lag=8, sample_rate=16000)
    assert shown.words().startswith("Lag 8 samples = 0.5 ms: correlation -0.995, outside the band.")
    shown.lag = 16
    assert "= 1 ms: correlation 0.990, outside" in shown.words()
    shown.lag = 0
    assert shown.words().startswith("Lag 0: every sample beside itself, correlation 1.")
    assert "ms" not in explore_lags(wave, lag=8).words()


def drawn_pairs(sent: dict, lag: int, n_lags: int) -> list[tuple[float, float]]:
    """What the page draws of a series: pairs of samples, as it puts them together."""
    places, step = sent["places"], sent["step"]
    value = [sent["low"] + (sent["high"] - sent["low"]) * place / sent["finest"] for place in places]
    return [(value[t - lag], value[t]) for t in range(lag + (n_lags - lag) % step, len(value), step)]


@pytest.mark.parametrize("n", [41, 300, 1500, 1501, 20_000, MOST_SENT, MOST_SENT + 1, 500_000])
def test_pairs_are_those_of_the_series_and_never_too_many(n: int) -> None:
    x = noise(n)
    shown = explore_lags(x)
    sent = shown.series[0]
    assert len(sent["places"]) <= MOST_SENT
    assert len(json.dumps(sent)) < 5 * MOST_SENT + 10_000
    stride = sent["stride"]
    assert ("All pairs are drawn" in shown.words()) == (stride == 1) == (n <= MOST_POINTS)
    for lag in (0, 1, 2, 17, 40):
        pairs = drawn_pairs(sent, lag, 40)
        first = 40 - stride * ((40 - lag) // stride)
        times = range(first, n, stride)
        assert (n - lag) // stride - 1 <= len(pairs) <= MOST_POINTS
        expected = np.array([(float(x[t - lag]), float(x[t])) for t in times])
        np.testing.assert_allclose(pairs, expected, atol=(x.max() - x.min()).item() / 1900)
        shown.lag = lag
        assert f"{len(pairs):,} pairs of samples {lag} apart" in shown.picture().alt


def test_series_are_chosen_by_name() -> None:
    named = {"<b>one</b>": noise(200), "two": np.arange(99), "three": list(range(50, 0, -1)), "four": sunspots()}
    shown = explore_lags(named, n_lags=20)
    assert [sent["name"] for sent in shown.series] == list(named)
    for i, (name, series) in enumerate(named.items()):
        shown.shown = i
        assert f"as long as {name} ({len(series)} samples)" in shown.words()
        assert f"at {autocorrelation(series, 20)[1]:.3f}" in shown.picture().alt
    assert "<b>one" not in shown._bundle()["text/html"].split("<script>")[0]
    assert len(explore_lags(noise(99)).series) == 1
    assert [len(explore_lags()._samples[i]) for i in (0, 1)] == [309, 1000]


def test_a_series_that_is_learned_from_stays_as_it_is() -> None:
    series = noise(99).requires_grad_()
    before = torch.random.get_rng_state()
    explore_lags(series)
    explore_lags()
    assert series.requires_grad
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"lag": -1}, ValueError, "lag=-1"),
        ({"lag": 41}, ValueError, "lag=41"),
        ({"lag": 1.0}, TypeError, "lag=1.0"),
        ({"n_lags": 0}, ValueError, "n_lags=0"),
        ({"n_lags": 501}, ValueError, "n_lags=501"),
        ({"n_lags": True}, TypeError, "n_lags=True"),
        ({"sample_rate": 0}, ValueError, "sample_rate=0"),
        ({"sample_rate": "8000"}, TypeError, "sample_rate='8000'"),
        ({"series": {}}, ValueError, "no series"),
        ({"series": {str(i): [1.0, 2.0] for i in range(13)}}, ValueError, "13 series"),
        ({"series": {"mine": list(range(40))}}, ValueError, "'mine' has 40 samples"),
        ({"series": {"mine": "abc"}}, TypeError, "'mine'"),
        ({"series": (x for x in [1.0, 2.0])}, TypeError, "generator"),
        ({"series": torch.zeros(2, 90)}, ValueError, "(2, 90)"),
        ({"series": torch.ones(90)}, ValueError, "throughout"),
        ({"series": [1.0, float("nan"), 2.0]}, ValueError, "NaN"),
        ({"series": 5}, ValueError, "()"),
    ],
)
def test_lags_that_cannot_be_shown_are_refused(arguments: dict, error: type[Exception], words: str) -> None:
    refused(lambda: explore_lags(**arguments), error, words)
