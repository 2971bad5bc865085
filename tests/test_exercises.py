"""What a notebook says to an answer."""

import pytest

from wavenetlike.exercises import check, strangers


def test_no_answer_yet(capsys):
    check(None, lambda answer: 1 / 0)
    assert capsys.readouterr().out == "Not answered yet: put your answer in the place of None.\n"


def test_an_answer_gets_its_hint(capsys):
    check(7, lambda answer: f"{answer} is right.")
    assert capsys.readouterr().out == "7 is right.\n"


@pytest.mark.parametrize(
    "hint",
    [
        lambda answer: answer + 1,
        lambda answer: float(answer),
        lambda answer: answer.codes,
        lambda answer: 1 / len(answer[:0]),
        lambda answer: {}[answer],
        lambda answer: (_ for _ in ()).throw(ValueError()),
    ],
)
def test_an_answer_of_another_kind_is_no_crash(hint, capsys):
    check("seven", hint)
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith("That is no answer of the kind that was asked for: ")
    assert len(said) > 55


def test_strangers_are_four_series_of_one_length_that_stay_the_same():
    first, again = strangers(), strangers()
    assert list(first) == ["A", "B", "C", "D"]
    for name, series in first.items():
        assert series.shape == (24_000,)
        assert 0.97 < series.abs().max() < 1
        assert series.equal(again[name])
