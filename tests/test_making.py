"""`wavenetlike generate`: sound in files, whole or not at all, and nothing lost."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from helpers import built

from wavenetlike import WaveNet, WaveNetConfig, cli, pretrained, save
from wavenetlike.cli import making
from wavenetlike.condition import Condition, ConditionConfig
from wavenetlike.data import bundled_clips, mel_frames, read_audio
from wavenetlike.generate import generate

SMALL: dict[str, Any] = {
    "levels": 8,
    "n_blocks": 1,
    "n_layers": 3,
    "residual_channels": 4,
    "gate_channels": 4,
    "skip_channels": 4,
}
TOLD = ConditionConfig(words=("no", "yes"), embedding=3, frame_channels=4, hop=10)
SPOKEN = ConditionConfig(words=("no", "yes"), speakers=("ann", "bob"), embedding=3)


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WaveNet:
    """A small model in a file, in a folder of its own, beside one that is told a word and frames, and one that is told words and speakers."""
    monkeypatch.chdir(tmp_path)
    for name, condition in (("told", TOLD), ("spoken", SPOKEN)):
        save(built(WaveNetConfig(**SMALL, condition=condition)), f"{name}.safetensors")
    model = built(WaveNetConfig(**SMALL))
    save(model, "small.safetensors")
    return model


def run(*arguments: object, model: str = "small") -> int:
    return cli.main(["generate", "--model", f"{model}.safetensors", *map(str, arguments)])


def told(capsys: pytest.CaptureFixture[str], *arguments: object, model: str = "small") -> dict[str, Any]:
    assert run(*arguments, "--json", model=model) == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    assert said.count("\n") == 1
    found: dict[str, Any] = json.loads(said)
    return found


def heard(path: str) -> torch.Tensor:
    return read_audio(path)[0]


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    """As 16 bits are."""
    return a.shape == b.shape and bool((a - b).abs().max() < 1e-4)


def test_the_sound_is_that_of_the_library(model, capsys):
    found = told(capsys, "--samples", 90, "--seed", 3, "--temperature", 0.9, "--top-k", 4)
    expected = generate(model, 90, seed=3, temperature=0.9, top_k=4).waveform
    assert found["files"] == ["generated.wav"]
    assert (found["samples"], found["sample_rate"], found["seconds"]) == (90, 16000, 90 / 16000)
    assert found["samples_per_second"] == pytest.approx(90 / found["took"])
    assert close(heard("generated.wav"), expected)
    info = soundfile.info("generated.wav")
    assert (info.samplerate, info.format, info.subtype) == (16000, "WAV", "PCM_16")


def test_without_json_a_sentence_is_printed(capsys):
    assert run("--samples", 80) == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    assert re.fullmatch(
        r"generated\.wav: 0\.0[01] s, 80 samples at 16,000 Hz, made in [\d.]+ s, [\d,]+ samples a second\.\n", said
    )


def test_the_toy_is_taken_where_no_model_is_named(capsys):
    assert cli.main(["generate", "--samples", "5", "--method", "cached"]) == 0
    toy = generate(pretrained("toy"), 5, seed=0, method="cached").waveform
    assert close(heard("generated.wav"), toy)
    with pytest.raises(SystemExit):
        run("--preset", "toy")


def test_seconds_are_at_the_sample_rate_of_the_file(capsys):
    found = told(capsys, "--seconds", 0.01, "--sample-rate", 8000, "--output", "a.FLAC")
    assert (found["samples"], found["sample_rate"], found["files"]) == (80, 8000, ["a.FLAC"])
    info = soundfile.info("a.FLAC")
    assert (info.samplerate, info.format, info.subtype, info.frames) == (8000, "FLAC", "PCM_16", 80)


def test_without_a_length_a_second_is_made(monkeypatch, capsys):
    lengths: list[int] = []

    def brief(model: WaveNet, n: int, **options: Any) -> Any:
        lengths.append(n)
        return generate(model, 10, **options)

    monkeypatch.setattr(making, "generate", brief)
    run()
    run("--sample-rate", 8000, "--force")
    assert lengths == [16000, 8000]


def test_a_batch_goes_to_files_of_their_own(model, capsys):
    found = told(capsys, "--samples", 60, "--batch", 3, "--output", "sound.wav")
    assert found["files"] == ["sound-1.wav", "sound-2.wav", "sound-3.wav"]
    expected = generate(model, 60, batch=3, seed=0).waveform
    for path, waveform in zip(found["files"], expected, strict=True):
        assert close(heard(path), waveform[None])


def test_greedy_and_method_are_passed_on(model, capsys):
    told(capsys, "--samples", 40, "--greedy", "--method", "naive")
    assert close(heard("generated.wav"), generate(model, 40, greedy=True, method="naive").waveform)


def test_a_prefix_is_gone_on_from(model, capsys):
    clip = bundled_clips(1).paths[0]
    told(capsys, "--samples", 50, "--prefix", clip)
    prefix = model.mu_law.encode(read_audio(clip)[0])
    assert close(heard("generated.wav"), generate(model, 50, prefix=prefix, seed=0).waveform)


# Conditions


def test_a_word_is_spoken_along_with_a_bundled_clip_of_it(capsys, monkeypatch):
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(
        making, "generate", lambda model, n, **given: made.append({"n": n, **given}) or generate(model, n, **given)
    )
    told(capsys, "--word", "yes", "no", model="told")
    (passed,) = made
    assert (passed["n"], passed["batch"], passed["condition"].word) == (16000, 2, ["yes", "no"])
    clips = bundled_clips()
    first = {word: waveform for waveform, _, word, _ in (clips[i] for i in reversed(range(len(clips))))}
    assert torch.equal(passed["condition"].frames, mel_frames(torch.cat([first["yes"], first["no"]]), n_mels=4, hop=10))


def test_frames_are_those_of_a_recording_after_the_prefix_at_the_length_that_is_made(capsys, model):
    noise = 0.3 * torch.randn(1, 200, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    soundfile.write("noise.wav", noise[0].numpy(), 16000, subtype="FLOAT")
    soundfile.write("short.wav", noise[0, :30].numpy(), 16000, subtype="FLOAT")
    told_model = built(WaveNetConfig(**SMALL, condition=TOLD))
    for n, pieces in ((77, [noise[:, :77]]), (250, [noise, torch.zeros(1, 50)])):
        told(
            capsys,
            "--word",
            "no",
            "--like",
            "noise.wav",
            "--prefix",
            "short.wav",
            "--samples",
            n,
            "--force",
            model="told",
        )
        frames = mel_frames(torch.cat([noise[:, :30], *pieces], dim=1), n_mels=4, hop=10)
        prefix = told_model.mu_law.encode(noise[:, :30])
        expected = generate(
            told_model, n, prefix=prefix, condition=Condition(word="no", frames=frames), seed=0
        ).waveform
        assert close(heard("generated.wav"), expected)
    found = told(capsys, "--word", "no", "--like", "noise.wav", "short.wav", "--force", model="told")
    assert (found["samples"], len(found["files"])) == (200, 2)


def test_words_and_speakers_are_passed_on(capsys):
    found = told(capsys, "--word", "no", "--speaker", "ann", "bob", "--samples", 40, model="spoken")
    condition = Condition(word=["no"], speaker=["ann", "bob"])
    expected = generate(
        built(WaveNetConfig(**SMALL, condition=SPOKEN)), 40, batch=2, condition=condition, seed=0
    ).waveform
    for path, waveform in zip(found["files"], expected, strict=True):
        assert close(heard(path), waveform[None])


# What is refused, and what is kept


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--samples 0", "n=0"),
        ("--seconds 0", "seconds=0"),
        ("--seconds nan", "seconds=nan"),
        ("--sample-rate 10", "sample_rate=10"),
        ("--seed -1", "seed=-1"),
        ("--batch -2", "batch=-2"),
        ("--batch 0", "batch=0"),
        ("--temperature 0", "temperature=0"),
        ("--top-k 9", "top_k=9"),
        ("--output a.mp3", "'a.mp3'"),
        ("--output no/a.wav", "no folder 'no'"),
        ("--output taken.wav", "'taken.wav' is there already"),
        ("--batch 2 --output b.wav", "'b-2.wav' is there already"),
        ("--prefix nowhere.wav", "nowhere.wav"),
        ("--prefix folder", "'folder' is a folder"),
        ("--prefix small.safetensors", "small.safetensors"),
        ("--prefix taken.wav --output taken.wav --force", "would be lost"),
        ("--word yes", "not conditioned"),
        ("--like taken.wav", "--like 'taken.wav'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_status(capsys, line, shown):
    Path("taken.wav").write_bytes(b"mine")
    Path("b-2.wav").write_bytes(b"mine")
    Path("folder").mkdir()
    refused(capsys, line, shown)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--samples 5", "pass one by --like FILE"),
        ("--word maybe --samples 5", "pass one by --like FILE"),
        ("--word maybe --like small.wav --samples 5", "'maybe' is not known"),
        ("--like small.wav --samples 5", "no word"),
    ],
)
def test_what_a_model_is_not_told_is_one_sentence_and_a_status(capsys, line, shown):
    soundfile.write("small.wav", [0.1] * 50, 16000)
    refused(capsys, line, shown, model="told")


def refused(capsys: pytest.CaptureFixture[str], line: str, shown: str, model: str = "small") -> None:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert run(*line.split(), model=model) == 1
    said, complained = capsys.readouterr()
    assert said == ""
    (sentence,) = complained.splitlines()
    assert sentence.startswith("wavenetlike: ")
    assert sentence.endswith(".")
    assert shown in sentence
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_a_model_that_is_none_is_refused(capsys):
    Path("none.safetensors").write_bytes(b"none")
    refused(capsys, "", "'none.safetensors' holds no WaveNet", model="none")


def test_only_by_force_a_file_is_written_over(model, capsys):
    Path("generated.wav").write_bytes(b"mine")
    assert run("--samples", 20) == 1
    assert Path("generated.wav").read_bytes() == b"mine"
    assert run("--samples", 20, "--force") == 0
    assert heard("generated.wav").shape == (1, 20)
    assert sorted(path.suffix for path in Path().iterdir()) == [".safetensors"] * 3 + [".wav"]


def test_progress_is_for_a_terminal_and_on_stderr(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run("--samples", 50, "--json") == 0
    said, complained = capsys.readouterr()
    assert json.loads(said)["samples"] == 50
    assert "generating" in complained


def test_ctrl_c_keeps_what_was_made(model, capsys, monkeypatch):
    real, calls = type(model.head).noise, []

    def interrupted(self: Any, n: int, **options: Any) -> torch.Tensor:
        calls.append(n)
        if len(calls) > 30:
            raise KeyboardInterrupt
        return real(self, n, **options)

    monkeypatch.setattr(type(model.head), "noise", interrupted)
    assert run("--samples", 90, "--method", "cached", "--json") == 130
    monkeypatch.undo()
    said, complained = capsys.readouterr()
    assert complained == "wavenetlike: interrupted after 30 of 90 samples, which are kept.\n"
    assert json.loads(said)["samples"] == 30


def test_ctrl_c_before_the_first_sample_writes_nothing(model, capsys, monkeypatch):
    monkeypatch.setattr(type(model.head), "noise", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run("--samples", 90, "--method", "cached") == 130
    assert capsys.readouterr() == ("", "wavenetlike: interrupted.\n")
    assert not Path("generated.wav").exists()


@pytest.mark.skipif(os.name != "posix", reason="there is no Ctrl-C for another process here")
def test_a_signal_from_the_shell_keeps_what_was_made(tmp_path):
    line = ["generate", "--model", "small.safetensors", "--seconds", "3600", "--method", "cached"]
    # As in a terminal, a bar says that it has begun.
    code = f"import sys; from wavenetlike import cli; sys.stderr.isatty = lambda: True; sys.exit(cli.main({line!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert isinstance(process.stderr, io.BufferedReader)
    shown = b""
    while not re.search(rb"[1-9]\d*/57600000", shown):
        shown += process.stderr.read1(200)
        assert process.poll() is None, shown
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=60)
    assert process.returncode == 130, complained
    assert b"Traceback" not in complained
    n = int(re.search(rb"interrupted after ([\d,]+) of", complained)[1].replace(b",", b""))
    assert soundfile.info("generated.wav").frames == n > 0
    assert f"{n:,} samples".encode() in said
