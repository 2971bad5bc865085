"""Predictions: asked for, kept on this machine before the result is looked at, shown beside it, and written down to talk about."""

from __future__ import annotations

import csv
import json
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import refused
from hypothesis import given
from hypothesis import strategies as st

from wavenetlike.explore import predict, predictions
from wavenetlike.explore.predict import COLUMNS, MOST, Prediction

QUESTION = "How far off is the estimate?"
CHOICES = ["0.001", "0.01", "0.1"]
NASTY = '<b onmouseover="x">&amp;</b></script><script>'


def file_of(cache: Path) -> Path:
    return cache / "predictions.json"


def asked(choices: list[str] | None = None) -> Prediction:
    return predict("1.2", QUESTION, choices)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("about a tenth", "about a tenth"),
        ("  two\n lines\t", "two lines"),
        (3, "3"),
        (-0.4, "-0.4"),
        (1e-9, "1e-09"),
        (10**30, "1" + 30 * "0"),
        (np.float64(0.25), "0.25"),
        (np.int64(7), "7"),
        (Fraction(1, 3), "1/3"),
        ("Δ = 3070 – γ, „so“ 🎵", "Δ = 3070 – γ, „so“ 🎵"),
        ("x" * MOST, "x" * MOST),
        (NASTY, NASTY),
        ("null", "null"),
    ],
)
def test_a_text_or_a_number_is_kept_at_once_and_taken_up_again(own_cache, answer, kept) -> None:
    guess = asked()
    assert guess.answer is None
    guess.answer = answer
    assert guess.answer == kept
    assert predictions().rows() == [["1.2", QUESTION, kept, "", "yes"]]
    assert asked().answer == kept
    assert guess.shown == asked().shown == {"answer": kept, "result": None, "words": f"Kept on this machine: {kept}"}
    assert json.loads(file_of(own_cache).read_text(encoding="utf-8")).keys() == {"1.2"}


@given(text=st.text(max_size=MOST))
def test_any_text_is_refused_or_comes_back_as_one_line(text: str) -> None:
    guess = predict("9.9", "Which text?")
    one_line = " ".join(text.split())
    if not one_line:
        refused(lambda: setattr(guess, "answer", text), ValueError, "0 characters")
        return
    guess.answer = text
    assert guess.answer == one_line
    assert predict("9.9", "Which text?").answer == one_line
    assert "<b>" not in guess._bundle()["text/html"]


@pytest.mark.parametrize("choices", [CHOICES, tuple(CHOICES), [0.001, 0.01, 0.1]])
@pytest.mark.parametrize("answer", ["0.01", 0.01, " 0.01 "])
def test_one_of_the_choices_is_kept(choices, answer) -> None:
    guess = predict("1.2", QUESTION, choices)
    guess.answer = answer
    assert guess.answer == "0.01"
    assert guess.choices == CHOICES


@pytest.mark.parametrize(
    ("answer", "error", "shown"),
    [
        ("0.5", ValueError, "'0.5' cannot be chosen; it must be one of 0.001, 0.01, 0.1"),
        (0.5, ValueError, "'0.5'"),
        ("", ValueError, "0 characters"),
        (" \n", ValueError, "0 characters"),
        ("x" * (MOST + 1), ValueError, "201 characters"),
        (None, TypeError, "answer is a NoneType"),
        (True, TypeError, "answer is a bool"),
        (["0.01"], TypeError, "answer is a list"),
        (torch.tensor([0.1, 0.2]), TypeError, "answer is a Tensor"),
    ],
)
def test_other_answers_are_refused_and_change_nothing(own_cache, answer, error, shown) -> None:
    guess = asked(CHOICES)
    refused(lambda: setattr(guess, "answer", answer), error, shown)
    assert guess.answer is None
    assert not file_of(own_cache).exists()
    guess.answer = "0.1"
    refused(lambda: setattr(guess, "answer", answer), error, shown)
    assert guess.answer == asked(CHOICES).answer == "0.1"


@pytest.mark.parametrize(
    ("arguments", "error", "shown"),
    [
        ((1.2, ""), ValueError, "question has 0 characters"),
        (("", QUESTION), ValueError, "key has 0 characters"),
        (("1.2", None), TypeError, "question is a NoneType"),
        (("1.2", "x" * 201), ValueError, "201 characters"),
        (("1.2", QUESTION, "yes"), TypeError, "choices is a str"),
        (("1.2", QUESTION, 3), TypeError, "choices is a int"),
        (("1.2", QUESTION, []), ValueError, "at least two"),
        (("1.2", QUESTION, ["yes"]), ValueError, "['yes']"),
        (("1.2", QUESTION, ["1", 1]), ValueError, "all different"),
        (("1.2", QUESTION, ["yes", None]), TypeError, "choices is a NoneType"),
        (("1.2", QUESTION, ["yes", ""]), ValueError, "0 characters"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused(arguments, error, shown) -> None:
    refused(lambda: predict(*arguments), error, shown)


def test_prediction_and_result_stand_side_by_side(capsys) -> None:
    guess = asked(CHOICES)
    guess.answer = "0.1"
    assert guess.look("0.09") is None
    assert capsys.readouterr().out == "you predicted: 0.1   it came out: 0.09\n"
    assert guess.shown == {"answer": "0.1", "result": "0.09", "words": "Kept on this machine: 0.1"}
    assert repr(guess).splitlines()[-1] == "you predicted: 0.1   it came out: 0.09"
    again = asked(CHOICES)
    assert again.shown == guess.shown
    again.look(12)
    assert capsys.readouterr().out == "you predicted: 0.1   it came out: 12\n"
    assert predictions().rows() == [["1.2", QUESTION, "0.1", "12", "yes"]]


@pytest.mark.parametrize("result", ["", None, True, [1], "x" * 201])
def test_a_result_is_a_short_text_or_a_number(capsys, result) -> None:
    guess = asked()
    refused(lambda: guess.look(result), ValueError if isinstance(result, str) else TypeError, "result")
    assert capsys.readouterr().out == ""
    assert predictions().kept == {}


def test_looking_without_a_prediction_is_no_error_and_does_not_tell_the_next_time(capsys) -> None:
    guess = asked(CHOICES)
    before = repr(guess)
    guess.look("0.09")
    assert capsys.readouterr().out == "you predicted: –   it came out: 0.09\n"
    assert guess.shown == {"answer": None, "result": "0.09", "words": "Looked at without a prediction."}
    again = asked(CHOICES)
    assert again.shown["result"] is None
    assert repr(again) == repr(guess) == before
    assert "0.09" not in again._bundle()["text/html"]
    assert predictions().rows() == [["1.2", QUESTION, "", "0.09", ""]]


@pytest.mark.parametrize("is_predicted", [False, True])
@pytest.mark.parametrize("in_another_session", [False, True])
def test_what_is_predicted_after_looking_is_told_apart(capsys, is_predicted: bool, in_another_session: bool) -> None:
    guess = asked(CHOICES)
    if is_predicted:
        guess.answer = "0.001"
    guess.look("0.09")
    if in_another_session:
        guess = asked(CHOICES)
    assert [row[-1] for row in predictions().rows()] == ["yes" if is_predicted else ""]
    guess.answer = "0.1"
    assert guess.shown["words"] == "Kept on this machine, as made after looking: 0.1"
    assert predictions().rows() == [["1.2", QUESTION, "0.1", "0.09", "no"]]
    capsys.readouterr()
    guess.look("0.09")
    assert capsys.readouterr().out == "you predicted after looking: 0.1   it came out: 0.09\n"


def test_saying_the_same_again_after_looking_changes_nothing() -> None:
    guess = asked(CHOICES)
    guess.answer = "0.1"
    guess.look("0.09")
    guess.answer = 0.1
    assert predictions().rows() == [["1.2", QUESTION, "0.1", "0.09", "yes"]]


def test_before_looking_a_prediction_may_be_changed() -> None:
    guess = asked(CHOICES)
    for answer in CHOICES:
        guess.answer = answer
    assert predictions().rows() == [["1.2", QUESTION, "0.1", "", "yes"]]


def test_another_question_of_the_same_key_begins_anew() -> None:
    guess = asked()
    guess.answer = "0.1"
    guess.look("0.09")
    other = predict("1.2", "Does this lead to other values?", ["yes", "no"])
    assert other.answer is None
    assert predictions().rows()[0][1] == QUESTION
    other.answer = "no"
    assert predictions().rows() == [["1.2", "Does this lead to other values?", "no", "", "yes"]]


def test_an_answer_that_is_no_choice_any_more_is_not_taken_up() -> None:
    guess = asked()
    guess.answer = "0.5"
    assert asked().answer == "0.5"
    assert asked(CHOICES).answer is None


DAMAGED = [
    "",
    "{",
    "[]",
    "null",
    "3",
    '{"1.2": 3}',
    '{"1.2": {"question": 3}}',
    '{"1.2": {"question": "q", "answer": [], "result": null, "is_before": true}}',
    '{"1.2": {"question": "q", "answer": "", "result": null, "is_before": true}}',
    "\udcff",
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_no_obstacle(own_cache, capsys, content: str) -> None:
    file_of(own_cache).write_bytes(content.encode(errors="surrogateescape"))
    assert predictions().kept == {}
    guess = asked()
    guess.look(1)
    guess.answer = 2
    assert asked().answer == "2"


@pytest.mark.parametrize("is_file", [False, True])
def test_a_folder_that_cannot_be_written_is_no_obstacle(own_cache, monkeypatch, capsys, is_file: bool) -> None:
    blocked = own_cache / "file"
    if is_file:
        blocked.touch()
    else:
        (blocked / "predictions.json").mkdir(parents=True)
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(blocked))
    guess = asked(CHOICES)
    guess.answer = "0.1"
    assert guess.shown["words"] == "Kept until the kernel ends, since its file cannot be written: 0.1"
    guess.look("0.09")
    assert capsys.readouterr().out == "you predicted: 0.1   it came out: 0.09\n"
    assert guess.shown["result"] == "0.09"
    assert predictions().kept == {}
    assert list(blocked.glob("*.partial")) == []


def test_a_folder_is_made_where_there_is_none(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(tmp_path / "not" / "yet"))
    guess = asked()
    assert not (tmp_path / "not").exists(), "asking keeps nothing"
    guess.answer = 1
    assert asked().answer == "1"


@pytest.mark.parametrize("choices", [None, CHOICES])
def test_where_no_widget_is_drawn_a_text_says_what_to_do(choices) -> None:
    guess = asked(choices)
    bundle = guess._bundle()
    lines = bundle["text/plain"].splitlines()
    assert lines[0] == f"1.2: {QUESTION}"
    assert lines[-1] == 'Where no button is shown, predict in a cell of its own: guess.answer = "…"'
    assert ('One of: "0.001", "0.01", "0.1".' in lines) == bool(choices)
    assert bundle == asked(choices)._bundle(), "the same for everybody"
    assert bundle["text/html"].endswith("</script>")
    for line in (QUESTION, "guess.answer = &quot;…&quot;"):
        assert f"{line}</p>" in bundle["text/html"]
    guess.answer = "0.1"
    assert "Kept on this machine: 0.1</p>" in guess._bundle()["text/html"]


def test_the_text_names_the_variable_that_the_student_sees(monkeypatch) -> None:
    shell = SimpleNamespace(user_ns={"_": 1})
    monkeypatch.setattr(sys.modules[Prediction.__module__], "get_ipython", lambda: shell)
    guess = asked()
    assert " guess.answer" in repr(guess)
    shell.user_ns.update(_3=guess, other=asked(), how_far=guess)
    assert " how_far.answer" in repr(guess)


def test_what_a_student_writes_is_text_and_nothing_else() -> None:
    guess = predict(NASTY, NASTY, [NASTY, "no"])
    assert "<b" not in guess._bundle()["text/html"]
    guess.answer = NASTY
    guess.look(NASTY)
    bundle = guess._bundle()
    assert "<b" not in bundle["text/html"] + predictions()._repr_html_()
    assert bundle["text/html"].count("</script>") == 1
    assert NASTY in bundle["text/plain"]


def test_the_notebook_keeps_the_text_of_a_prediction_but_no_result_that_was_not_predicted(monkeypatch) -> None:
    shown, updates = [], []

    class Handle:
        def update(self, bundle, raw):
            updates.append(bundle["text/plain"])

    monkeypatch.setattr("wavenetlike.explore.drawn.display", lambda data, **how: shown.append((data, how)) or Handle())
    guess = asked(CHOICES)
    guess._ipython_display_()
    view, text = shown
    assert view[0]["text/plain"] == "Prediction"
    assert view[0]["text/html"] == ""
    assert text[0] == guess._bundle()
    guess.look("0.09")
    guess._rest(None, {"kind": "rest"}, None)
    assert updates == []
    guess.answer = "0.1"
    assert updates[-1].endswith("you predicted after looking: 0.1   it came out: 0.09")


def test_what_the_page_sets_is_kept_like_what_the_student_sets() -> None:
    guess = asked(CHOICES)
    guess.set_state({"answer": "0.01"})
    assert guess.shown["answer"] == asked(CHOICES).answer == "0.01"


KEYS = ["10.1", "2.10", "2.9", "2.9b", "2.9a", "mine"]


@pytest.fixture
def several() -> None:
    for i, key in enumerate(KEYS):
        guess = predict(key, f"Question {i}, \"what\"; and 'why'?")
        if i != 1:
            guess.answer = f"= {i}, or so"
        if i < 3:
            guess.look(f"{i}.5")
    guess = predict(KEYS[0], "Question 0, \"what\"; and 'why'?")
    guess.answer = "changed"


def test_the_table_is_in_the_order_of_the_notebooks(several) -> None:
    found = predictions()
    assert [row[0] for row in found.rows()] == ["2.9", "2.9a", "2.9b", "2.10", "10.1", "mine"]
    text = repr(found).splitlines()
    assert text[0].split() == ["key", "question", "prediction", "result", "before", "looking"]
    assert len(text) == len(KEYS) + 2
    assert text[-1] == "5 of 6 questions have a prediction; 4 were made before looking."
    assert "<caption>5 of 6" in found._repr_html_()
    assert found._repr_html_().count("<tr>") == len(KEYS) + 1


def test_the_table_is_empty_in_the_beginning() -> None:
    assert predictions().rows() == []
    assert repr(predictions()).splitlines()[-1].startswith("0 of 0 questions")


@pytest.mark.parametrize("as_text", [False, True])
def test_the_table_is_saved_as_csv(several, tmp_path, capsys, as_text: bool) -> None:
    capsys.readouterr()
    path = tmp_path / "what I predicted – Δ.csv"
    assert predictions().save(str(path) if as_text else path) is None
    assert capsys.readouterr().out == ""
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [COLUMNS, *predictions().rows()]


def test_nothing_is_overwritten(several, tmp_path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("dear")
    refused(lambda: predictions().save(path), FileExistsError, str(path))
    refused(lambda: predictions().save(tmp_path), FileExistsError, str(tmp_path))
    assert path.read_text() == "dear"
    refused(lambda: predictions().save(tmp_path / "none" / "mine.csv"), FileNotFoundError, str(tmp_path / "none"))


def test_saved_beside_the_notebook(several, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    predictions().save("predictions.csv")
    assert (tmp_path / "predictions.csv").exists()
