"""The commands that look at data: `wavenetlike analyze` and `wavenetlike suggest`, and `train` on what they say."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from wavenetlike import WaveNetConfig, cli, load
from wavenetlike.analysis import analyze_dataset
from wavenetlike.cli import reports, sources, training
from wavenetlike.cli.options import parser
from wavenetlike.data import EncodedClips, ar_process, bundled_clips, sunspots, waveforms
from wavenetlike.data.clips import BUNDLED
from wavenetlike.suggest import choose

SERIES = ar_process([0.8], 300, seed=1)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, with one series in it; no time is measured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choose, "step_seconds", lambda config, window, seed: config.parameters * 1e-6)
    monkeypatch.setattr(choose, "samples_per_second", lambda config, seed: 1e9 / config.parameters)
    Path("x.csv").write_text("\n".join(map(repr, SERIES.tolist())))
    return tmp_path


def words(n: int = 3, folder: str = "words") -> Path:
    """The first few of the bundled clips in a folder laid out as they are."""
    for path in bundled_clips(n).paths:
        copy = Path(folder) / path.relative_to(BUNDLED)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return Path(folder)


def noises(n: int, folder: str = "any", rate: int = 16000) -> Path:
    """Short recordings of noise."""
    Path(folder).mkdir()
    for i in range(n):
        soundfile.write(f"{folder}/{i:04}.wav", 0.1 * ar_process([0.5], 400, seed=i).numpy(), rate)
    return Path(folder)


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """What a command prints as JSON, and nothing else."""
    assert cli.main([*map(str, arguments), "--json"]) == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    assert said.count("\n") == 1
    return strict(said)


# analyze


def test_the_table_is_that_of_the_report(capsys):
    assert cli.main(["analyze", "x.csv"]) == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    assert said.splitlines() == ["x.csv", *str(analyze_dataset(SERIES)).splitlines()[1:]]


def test_without_a_path_the_bundled_clips_are_measured(capsys, monkeypatch):
    monkeypatch.setattr(sources, "bundled_clips", lambda: bundled_clips(2))
    assert cli.main(["analyze"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "the bundled clips"
    assert said[1:] == str(analyze_dataset(bundled_clips(2))).splitlines()[1:]


def test_json_holds_the_report(capsys):
    assert told(capsys, "analyze", "x.csv") == {**analyze_dataset(SERIES).as_dict(), "name": "x.csv"}
    # A correlation without end, whose sum is none.
    np.save("ramp.npy", np.arange(100))
    assert told(capsys, "analyze", "ramp.npy")["lengths"]["integrated"] is None


def test_every_kind_of_recording_is_measured(capsys):
    folder = words()
    found = told(capsys, "analyze", folder)
    assert found == {**analyze_dataset(bundled_clips(3)).as_dict(), "name": "words"}
    EncodedClips.write(bundled_clips(3), "codes", levels=64, progress=False)
    codes = told(capsys, "analyze", "codes")
    assert (codes["n_clips"], codes["n_used"], codes["recording"]["n_values"] <= 64) == (3, 48000, True)
    for path in folder.rglob("*.flac"):
        shutil.copy(path, f"{path.parent.name}.flac")
    single = told(capsys, "analyze", f"{bundled_clips(1).paths[0].parent.name}.flac")
    assert (single["n_clips"], single["n_used"], single["sample_rate"]) == (1, 16000, 16000)


def test_recordings_are_read_as_training_reads_them(capsys):
    noises(3, rate=8000)
    found = told(capsys, "analyze", "any")
    assert (found["n_clips"], found["n_used"], found["sample_rate"]) == (3, 2400, 16000)
    assert found["notes"][0].startswith(
        "3 of 3 files are changed as they are read, the first, '0000.wav': 8,000 Hz → 16,000"
    )
    # Words have their own rate.
    Path("low/a").mkdir(parents=True)
    for i in range(2):
        shutil.copy(f"any/000{i}.wav", f"low/a/ann_nohash_{i}.wav")
    assert told(capsys, "analyze", "low")["sample_rate"] == 8000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "year,value\n{table}"),
        ("a.csv", "\ufeff# of the sun\n\nyear;value\r\n{table;}\n"),
        ("a.csv", '"year","value, yearly"\n{table}'),
        ("a.txt", "{lines}\n"),
        ("a.TXT", "t\tvalue\n{table\t}"),
        ("a.txt", "{table }"),
    ],
)
def test_a_series_is_the_last_column(capsys, name, content):
    numbers = list(map(repr, SERIES.tolist()))
    for sign in ",; \t":
        rows = "\n".join(f"{1700 + i}{sign}{x}" for i, x in enumerate(numbers))
        content = content.replace("{table" + sign.strip(",") + "}", rows)
    Path(name).write_text(content.replace("{lines}", "\n".join(numbers)), encoding="utf-8")
    found = told(capsys, "analyze", name)
    assert found == {**analyze_dataset(SERIES).as_dict(), "name": name}


def test_a_series_is_an_array(capsys):
    expected = analyze_dataset(SERIES).as_dict()
    for array in (SERIES.numpy(), SERIES.numpy()[:, None]):
        np.save("a.npy", array)
        assert told(capsys, "analyze", "a.npy") == {**expected, "name": "a.npy"}
    np.save("a.npy", (100 * SERIES.numpy()).astype(np.int16))
    assert told(capsys, "analyze", "a.npy")["recording"]["step"] == 1


def test_the_sunspots_of_a_table_are_the_sunspots(capsys, sunspots_csv):
    found = told(capsys, "analyze", sunspots_csv)
    assert found == {**analyze_dataset(sunspots()).as_dict(), "name": str(sunspots_csv)}


def test_options_of_the_analysis_count(capsys, monkeypatch):
    assert told(capsys, "analyze", "x.csv", "--sample-rate", 8000)["sample_rate"] == 8000
    noises(12)
    monkeypatch.setattr(waveforms, "decode", count := Counting(waveforms.decode))
    found = told(capsys, "analyze", "any", "--most-clips", 5, "--seed", 3)
    assert (found["n_clips"], found["n_measured"], found["n_samples"]) == (12, 5, None)
    assert found["notes"][0] == "Measured on 5 of 12 clips, drawn at random."
    assert len(set(count.seen)) == 5
    assert told(capsys, "analyze", "any", "--most-clips", 5, "--seed", 3) == found
    assert told(capsys, "analyze", "any", "--most-clips", 5, "--seed", 4)["recording"] != found["recording"]


class Counting:
    """A function that notes what it was called with."""

    def __init__(self, function: Any):
        self.function, self.seen = function, list[Path]()

    def __call__(self, path: Path) -> Any:
        self.seen.append(path)
        return self.function(path)


@pytest.mark.parametrize("kind", ["any", "words"])
def test_a_large_folder_is_not_read_whole(capsys, monkeypatch, kind):
    noises(1)
    name = "any" if kind == "any" else "words/go"
    Path(name).mkdir(parents=True, exist_ok=True)
    for i in range(2000):
        os.link("any/0000.wav", f"{name}/ann_nohash_{i}.wav" if kind == "words" else f"{name}/{i}.wav")
    monkeypatch.setattr(waveforms, "decode", count := Counting(waveforms.decode))
    found = told(capsys, "analyze", kind, "--most-clips", 20)
    assert (found["n_clips"] // 10, found["n_measured"]) == (200, 20)
    assert len(count.seen) <= 40
    assert len(set(count.seen)) == 20


@pytest.mark.parametrize("kind", ["any", "words/go"])
def test_broken_files_are_left_out_and_said(capsys, kind):
    noises(3)
    Path(kind).mkdir(parents=True, exist_ok=True)
    for i, path in enumerate(sorted(Path("any").iterdir())):
        path.rename(Path(kind) / f"ann_nohash_{i}.wav")
    Path(kind, "ann_nohash_7.wav").write_bytes(b"RIFF")
    soundfile.write(Path(kind, "ann_nohash_8.wav"), np.zeros(0), 16000)
    assert cli.main(["analyze", kind.split("/")[0]]) == 0
    said, complained = capsys.readouterr()
    assert said.splitlines()[2].split() == ["clips", "3"]
    (line,) = complained.splitlines()
    assert line.startswith("wavenetlike: 2 of 5 files are left out, the first, '")
    assert line.removeprefix("wavenetlike: ") in said


def test_progress_is_for_a_terminal(capsys, monkeypatch):
    noises(101)
    assert cli.main(["analyze", "any"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main(["analyze", "any"]) == 0
    assert "reading" in capsys.readouterr().err


# A page


class Page(HTMLParser):
    """Notes tags with their attributes, and the text in each."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: dict[str, list[str]] = {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


def page(path: str) -> Page:
    text = Path(path).read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "http" not in text
    found = Page(text)
    assert found.all("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in found.all("meta")
    assert len(found.all("main")) == len(found.all("h1")) == 1
    assert all(image["alt"] and image["src"].startswith("data:image/png;base64,") for image in found.all("img"))
    assert not {"script", "link", "iframe"} & {tag for tag, _ in found.tags}
    assert all(head["scope"] in ("row", "col") for head in found.all("th"))
    assert "color-scheme: light dark" in text
    return found


def test_the_page_of_an_analysis(capsys):
    Path("x.csv").rename("a<b>&.csv")
    Path("page.html").write_text("old")
    assert cli.main(["analyze", "a<b>&.csv", "--html", "page.html"]) == 0
    assert capsys.readouterr().out.startswith("a<b>&.csv\n")
    found = page("page.html")
    assert "".join(found.text["title"]) == "".join(found.text["h1"]) == "Dataset: a<b>&.csv"
    assert len(found.all("h2")) == 2
    assert "300" in found.text["td"]
    assert len(found.all("img")) == 1
    assert sorted(path.name for path in Path().iterdir()) == ["a<b>&.csv", "page.html"]


def test_the_page_of_suggestions(capsys):
    assert cli.main(["suggest", "x.csv", "--html", "page.html"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    found = page("page.html")
    assert found.text["title"] == ["Models for x.csv"]
    assert "".join(found.text["code"]) == line
    assert len(found.all("table")) == 2
    assert len(found.all("img")) == 1


def test_a_page_is_written_whole_or_not_at_all(capsys, monkeypatch):
    Path("page.html").write_text("old")
    monkeypatch.setattr("wavenetlike.plots.dataset", lambda report: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["analyze", "x.csv", "--html", "page.html"])
    assert Path("page.html").read_text() == "old"
    monkeypatch.undo()


# suggest


def test_suggestions_are_printed_with_a_command(capsys):
    assert cli.main(["suggest", "x.csv"]) == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    *table, empty, head, line = said.splitlines()
    assert table[0].split()[:5] == ["rank", "Δ", "γ", "depth", "parameters"]
    assert (empty, head) == ("", "To train the first:")
    assert line.startswith("wavenetlike train --config '{")


def test_options_of_suggestions_count(capsys):
    usual = told(capsys, "suggest", "x.csv")
    assert usual["budget"] == 300
    assert usual["data"]["name"] == "x.csv"
    assert usual["suggestions"][0]["config"]["levels"] == 256
    assert told(capsys, "suggest", "x.csv", "--levels", 16)["suggestions"][0]["config"]["levels"] == 16
    short = told(capsys, "suggest", "x.csv", "--budget", 0.1)
    assert short["suggestions"][0]["steps"] < usual["suggestions"][0]["steps"]
    Path("long.csv").write_text("\n".join(map(repr, ar_process([0.8], 30_000, seed=0).tolist())))
    wide, narrow = (
        told(capsys, "suggest", "long.csv", *options)["suggestions"][0]["parameters"]
        for options in ([], ["--parameters", 1500])
    )
    assert narrow <= 1500 < wide
    assert told(capsys, "suggest", "x.csv", "--sample-rate", 8000)["data"]["sample_rate"] == 8000


def test_the_budget_and_the_seed_reach_the_suggestions(capsys, monkeypatch):
    passed: dict[str, Any] = {}
    real = reports.suggest
    monkeypatch.setattr(reports, "suggest", lambda report, **given: passed.update(given) or real(report, **given))
    told(capsys, "suggest", "x.csv", "--budget", 7, "--seed", 5, "--parameters", 999, "--levels", 20)
    assert passed == {"budget": 7.0, "seed": 5, "parameters": 999, "levels": 20}


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("kind", ["x.csv", "words", "codes", "any"])
def test_the_command_trains_the_first_suggestion(capsys, kind, saved):
    if kind == "codes":
        EncodedClips.write(bundled_clips(2), "codes", levels=16, progress=False)
    elif kind != "x.csv":
        words(2) if kind == "words" else noises(2)
    save = ["--save", "model of mine.json"] if saved else []
    found = told(capsys, "suggest", kind, "--parameters", 3000, *save)
    first = found["suggestions"][0]
    program, *line = shlex.split(found["command"])
    assert program == "wavenetlike"
    assert line[line.index("--steps") + 1] == str(first["steps"])
    assert cli.main([*line, "--steps", "2", "--window", "100"]) == 0
    config = load("run/model.safetensors").config
    assert json.loads(config.to_json()) == first["config"]
    if saved:
        assert WaveNetConfig.from_json(Path("model of mine.json").read_text(encoding="utf-8")) == config


def test_without_a_path_the_command_trains_on_the_bundled_clips(capsys, monkeypatch):
    for module in (sources, training):
        monkeypatch.setattr(module, "bundled_clips", lambda: bundled_clips(2))
    line = told(capsys, "suggest", "--parameters", 2000)["command"]
    assert "--data" not in line
    assert cli.main([*shlex.split(line)[1:], "--steps", "2", "--window", "100"]) == 0


# train


def test_a_config_may_be_partial_and_have_another_head(capsys):
    fields = '{"levels": 8, "n_blocks": 1, "n_layers": 2, "residual_channels": 2, "gate_channels": 2, "skip_channels": 4, "head": "mse"}'
    short = ["train", "--config", fields, "--data", "x.csv", "--steps", "1"]
    assert cli.main([*short, "--output", "one"]) == 0
    assert cli.main([*short, "--output", "two", "--head", "gaussian"]) == 0
    configs = [load(f"{run}/model.safetensors").config for run in ("one", "two")]
    assert [config.head for config in configs] == ["mse", "gaussian"]
    assert {(config.levels, config.n_layers, config.kernel_length) for config in configs} == {(8, 2, 2)}
    with pytest.raises(SystemExit):
        cli.main([*short, "--preset", "toy"])


def test_a_series_fills_the_codes_evenly_around_its_mean():
    (item,) = sources.clips_at("x.csv")
    waveform = item[0]
    assert waveform.dtype == torch.float32
    assert waveform.shape == (1, 300)
    assert waveform.abs().max() == 1
    assert waveform.mean().item() == pytest.approx(0, abs=1e-6)
    scale = (SERIES - SERIES.mean()).abs().max()
    assert torch.allclose(waveform[0].double() * scale + SERIES.mean(), SERIES, atol=1e-6)


# What is refused


def spoil() -> None:
    """Files and folders of every bad kind."""
    Path("empty").mkdir()
    Path("broken").mkdir()
    Path("broken/a.wav").write_bytes(b"RIFF")
    noises(1)
    contents: dict[str, str | bytes] = {
        "none.csv": "", "head.csv": "year,value\n", "words.csv": "1\n2\nthree\n4\n", "hole.csv": "1,2\n2,\n3,4\n", "ragged.csv": "1,2\n2\n",
        "nan.csv": "nan\n" + "1\n2\n" * 9, "few.txt": "1\n2\n3\n", "same.txt": "5\n" * 30, "gap.csv": "1\n2\n\n4\n" * 5, "latin.txt": b"caf\xe9\n1\n", "bytes.csv": b"\x00\x01\n\x02",
        "no.npy": "text", "cut.npy": b"\x93NUMPY", "doc.pdf": "%PDF", "list.json": "[1, 2]", "other.json": '{"layers": 3}', "wrong.json": '{"levels": 1}',
    }  # fmt: skip
    for name, content in contents.items():
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    np.save("square.npy", np.zeros((5, 5)))
    np.save("objects.npy", np.array([{}, None]), allow_pickle=True)
    np.save("text.npy", np.array(["a", "b"]))
    np.save("one.npy", np.float64(5))
    EncodedClips.write(bundled_clips(1), "codes", levels=64, progress=False)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("analyze nowhere", "'nowhere'"),
        ("analyze empty", "'empty' holds no audio"),
        ("analyze broken", "a.wav"),
        ("analyze doc.pdf", "doc.pdf"),
        ("analyze none.csv", "holds no numbers"),
        ("analyze head.csv", "holds no numbers"),
        ("analyze words.csv", "Line 3 of 'words.csv' has 1 columns and ends in 'three'"),
        ("analyze hole.csv", "Line 2 of 'hole.csv'"),
        ("analyze ragged.csv", "Line 2 of 'ragged.csv' has 1 columns"),
        ("analyze nan.csv", "Line 1 of 'nan.csv' ends in 'nan'"),
        ("analyze gap.csv", "Line 3 of 'gap.csv' is empty"),
        ("analyze few.txt", "3 samples"),
        ("analyze same.txt", "5 throughout"),
        ("analyze latin.txt", "UTF-8"),
        ("analyze bytes.csv", "bytes.csv"),
        ("analyze no.npy", "'no.npy'"),
        ("analyze cut.npy", "'cut.npy'"),
        ("analyze square.npy", "(5, 5)"),
        ("analyze objects.npy", "without running code"),
        ("analyze text.npy", "<U1"),
        ("analyze one.npy", "shape ()"),
        ("analyze any --sample-rate 8000", "--sample-rate 8000"),
        ("analyze x.csv --sample-rate 0", "sample_rate=0"),
        ("analyze x.csv --sample-rate nan", "sample_rate=nan"),
        ("analyze x.csv --seed -1", "seed=-1"),
        ("analyze any --seed -1", "seed=-1"),
        ("analyze any --most-clips 0", "most_clips=0"),
        ("analyze x.csv --html no/page.html", "no folder 'no'"),
        ("analyze x.csv --html empty", "'empty' is no file"),
        ("suggest nowhere", "'nowhere'"),
        ("suggest x.csv --budget 0", "budget=0"),
        ("suggest x.csv --parameters 0", "parameters=0"),
        ("suggest x.csv --levels 1", "levels=1"),
        ("suggest codes --levels 256", "encoded at 64"),
        ("analyze x.csv --html x.csv", "'x.csv' is also 'x.csv', which would be lost"),
        ("suggest x.csv --save ./x.csv", "would be lost"),
        ("suggest x.csv --save a.json --html a.json", "would be lost"),
        ("suggest x.csv --save no/model.json", "no folder 'no'"),
        ("suggest x.csv --save empty", "'empty' is no file"),
        ("train --steps 1 --config nowhere", "'nowhere'"),
        ("train --steps 1 --config empty", "is a folder"),
        ("train --steps 1 --config doc.pdf", "'doc.pdf' is no config"),
        ("train --steps 1 --config list.json", "'list.json' is no config"),
        ("train --steps 1 --config other.json", "layers"),
        ("train --steps 1 --config wrong.json", "levels=1"),
        ("train --steps 1 --config {}x", "{}x"),
        ("train --steps 1 --data x.csv --held-out x.csv", "--held-out 'x.csv' is a series"),
        ("train --steps 1 --data words.csv", "three"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_status(capsys, line, shown):
    spoil()
    before = sorted(Path().rglob("*"))
    assert cli.main(line.split()) == 1
    said, complained = capsys.readouterr()
    assert said == ""
    (sentence,) = complained.splitlines()
    assert sentence.startswith("wavenetlike: ")
    assert sentence.endswith(".")
    assert shown in sentence
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("wish", ["--budget 0", "--parameters 0", "--levels 1", "--seed -1"])
def test_wishes_are_refused_before_anything_is_read(capsys, monkeypatch, wish):
    monkeypatch.setattr(reports, "source_at", lambda *given: pytest.fail("the data were read first"))
    assert cli.main(["suggest", "x.csv", *wish.split()]) == 1
    assert wish.split()[1] in capsys.readouterr().err


def test_what_lies_beside_a_report_is_left_alone(capsys):
    Path("page.partial").write_text("mine")
    assert cli.main(["analyze", "x.csv", "--html", "page.html"]) == 0
    assert Path("page.partial").read_text() == "mine"
    assert len(list(Path().glob("*.partial"))) == 1


def test_a_path_that_begins_with_a_dash_can_be_pasted_back(capsys):
    Path("-x.csv").write_text(Path("x.csv").read_text())
    assert cli.main(["suggest", "--json", "--budget", "1", "--", "-x.csv"]) == 0
    line = json.loads(capsys.readouterr().out)["command"]
    assert parser().parse_args(shlex.split(line)[1:]).data == "-x.csv"


def test_a_reader_that_has_had_enough_gets_no_complaint():
    run = f"{sys.executable} -m wavenetlike.cli analyze x.csv | head -c 1"
    done = subprocess.run(run, shell=True, capture_output=True, text=True, timeout=100, check=True)
    assert done.stderr == ""


def test_of_many_files_one_note_says_how_many_were_read(capsys):
    noises(5)
    found = told(capsys, "analyze", "any", "--most-clips", 3)
    assert sum("drawn at random" in note for note in found["notes"]) == 1


def test_in_a_shell_stdout_is_json_alone():
    run = [sys.executable, "-m", "wavenetlike.cli", "analyze", "x.csv", "--json"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=100, check=True)
    assert strict(done.stdout)["n_used"] == 300
    assert done.stderr == ""


def test_a_terminal_without_greek_shows_the_table(monkeypatch):
    Path("x.csv").rename("Δ.csv")
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    assert cli.main(["analyze", "Δ.csv"]) == 0
    screen.flush()
    assert screen.buffer.getvalue().startswith(b"?.csv\n")
