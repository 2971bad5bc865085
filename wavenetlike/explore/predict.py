"""What a student expects, asked for before the cell that shows it, and put beside it then; it stays in a file on this machine."""

from __future__ import annotations

import csv
import dataclasses
import html
import json
import re
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import traitlets
from IPython import get_ipython

from wavenetlike.checks import check_choice
from wavenetlike.explore.drawn import Drawn, source
from wavenetlike.files import durably
from wavenetlike.names import cache_folder
from wavenetlike.tables import table_html, table_lines

COLUMNS = ["key", "question", "prediction", "result", "before looking"]
MOST = 200
"""Characters of a question, a prediction or a result: each stands on one line."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is kept of one question.

    Args:
        question: as it was asked.
        answer: what was predicted; None: nothing yet.
        result: what came out; None: not looked at yet.
        is_before: whether ``answer`` was kept before ``result`` was looked at.
    """

    question: str
    answer: str | None = None
    result: str | None = None
    is_before: bool = False


class Answer(traitlets.Any):
    """None only until something is predicted."""

    allow_none = False


class Prediction(Drawn):
    """`predict`; ``answer`` is what is predicted, None until there is something. Setting it keeps it at once.

    Raises:
        TypeError, ValueError: an ``answer`` that is neither a number nor a text of 1 … 200 characters, or none of the choices.
    """

    _esm = source("common.js", "predict.js")
    needs_kernel = True
    question = traitlets.Unicode().tag(sync=True)
    choices: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    answer = Answer().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)

    def __init__(self, key: str, question: str, choices: list[str]):
        self._key = key
        self._entry = _taken_up(key, question, choices)
        self._is_written = True
        self._is_looked_at = False
        super().__init__(question=question, choices=choices)
        if self._entry.answer is not None:
            self.answer = self._entry.answer
        self._show()
        self.observe(self._answered, names="answer")

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    @traitlets.validate("answer")
    def _is_answer(self, proposal: Any) -> str:
        answer = _line("answer", proposal.value)
        if self.choices:
            check_choice("answer", answer, self.choices)
        return answer

    def look(self, result: str | float) -> None:
        """Print what was predicted beside what came out, and show both in the widget, too.

        Args:
            result: a number, or a text of 1 … 200 characters. It is kept; a prediction that is kept from now on counts as
                made after looking.

        Raises:
            TypeError, ValueError: no such number or text.
        """
        entry = dataclasses.replace(self._entry, result=_line("result", result))
        self._is_looked_at = True
        self._note(entry)
        print(self._beside())

    def words(self) -> str:
        entry = self._entry
        if entry.answer is None:
            return "Looked at without a prediction." if self._is_looked_at else "No prediction is kept yet."
        place = "on this machine" if self._is_written else "until the kernel ends, since its file cannot be written"
        late = "" if entry.is_before else ", as made after looking"
        return f"Kept {place}{late}: {entry.answer}"

    def keep(self) -> None:
        # Who has predicted nothing is not told the result by the question, when the notebook is read again.
        if self._entry.answer is not None:
            super().keep()

    def _answered(self, change: Any) -> None:
        self._note(dataclasses.replace(self._entry, answer=change.new, is_before=self._entry.result is None))

    def _note(self, entry: Entry) -> None:
        self._entry = entry
        self._is_written = _write(self._key, entry)
        self._show()
        self.keep()

    @property
    def _result(self) -> str | None:
        """What came out, for those who have predicted, or have just looked."""
        return self._entry.result if self._entry.answer is not None or self._is_looked_at else None

    def _show(self) -> None:
        self.shown = {"answer": self._entry.answer, "result": self._result, "words": self.words()}

    def _beside(self) -> str:
        answer = self._entry.answer
        late = "" if answer is None or self._entry.is_before else " after looking"
        return f"you predicted{late}: {answer or '–'}   it came out: {self._result or '–'}"

    def _lines(self) -> list[str]:
        """All that is said where no widget is drawn."""
        lines = [f"{self._key}: {self.question}"]
        if self.choices:
            lines.append(f"One of: {', '.join(map(_quoted, self.choices))}.")
        if self._entry.answer is not None:
            return [*lines, self._beside() if self._result else self.words()]
        return [*lines, f'Where no button is shown, predict in a cell of its own: {self._called()}.answer = "…"']

    def _called(self) -> str:
        """What the student's code calls it, where that can be known."""
        names = getattr(get_ipython(), "user_ns", {})
        return next((name for name, value in names.items() if value is self and not name.startswith("_")), "guess")

    def _bundle(self) -> dict[str, str]:
        said = "".join(f"<p>{html.escape(line)}</p>" for line in self._lines())
        script = source("kept.js").replace("/* DRAW */", self.alive())
        return {"text/plain": repr(self), "text/html": f"<div>{said}</div><script>{script}</script>"}


def predict(key: str, question: str, choices: Sequence[str | float] | None = None) -> Prediction:
    """Ask what will come out, before the cell that shows it; there, ``look`` puts what was predicted beside it.

    A prediction stays on this machine: in ``predictions.json`` in the folder for downloads (the environment variable
    WAVENETLIKE_CACHE says another). The same question takes it up again; `predictions` lists all of them. Where no widget is
    drawn, setting ``answer`` does the same.

    Used in all notebooks, first in notebooks/01_ar2_weight_recovery.ipynb.

    Args:
        key: which question it is, as "1.2" for the second one of notebook 1.
        question: on one line, of 1 … 200 characters.
        choices: at least two different answers to choose from, each a number or a text of 1 … 200 characters; None: any is taken.

    Raises:
        TypeError, ValueError: no such key, question or choices.
    """
    return Prediction(_line("key", key), _line("question", question), _choices(choices))


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What `predictions` found; prints as a table in a terminal and in a notebook.

    Args:
        kept: by key, what is kept of each question.
    """

    kept: dict[str, Entry]

    def rows(self) -> list[list[str]]:
        """The table, a row each, under `COLUMNS`; empty where nothing was predicted, or nothing looked at."""
        return [_row(key, self.kept[key]) for key in sorted(self.kept, key=_in_order)]

    def save(self, path: str | Path) -> None:
        """Write the table as a CSV file, in UTF-8.

        Raises:
            FileExistsError: there is such a file.
            FileNotFoundError: there is no such folder.
        """
        path = Path(path)
        if not path.parent.is_dir():
            raise FileNotFoundError(
                f"There is no folder {str(path.parent)!r}; a file can be saved in one that exists: try save({path.name!r})."
            )
        try:
            with path.open("x", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([COLUMNS, *self.rows()])
        except FileExistsError:
            raise FileExistsError(
                f"There is something at {str(path)!r} already; nothing is overwritten: pass another name, or delete it first."
            ) from None

    @property
    def _caption(self) -> str:
        predicted = [entry for entry in self.kept.values() if entry.answer is not None]
        before = sum(entry.is_before for entry in predicted)
        return f"{len(predicted)} of {len(self.kept)} questions have a prediction; {before} were made before looking."

    def __repr__(self) -> str:
        return "\n".join([*table_lines(COLUMNS, self.rows(), left=len(COLUMNS)), self._caption])

    def _repr_html_(self) -> str:
        return table_html(COLUMNS, self.rows(), self._caption)


def predictions() -> Predictions:
    """What was predicted on this machine, and what came out; ``predictions().save("predictions.csv")`` writes it down to talk about.

    It is read from ``predictions.json`` in the folder for downloads (the environment variable WAVENETLIKE_CACHE says another);
    deleting the file forgets it. Nothing leaves the machine. Named in notebooks/01_ar2_weight_recovery.ipynb.
    """
    return Predictions(_read())


def _line(name: str, value: object) -> str:
    """A number or a text as one line, or a refusal."""
    if isinstance(value, bool) or not isinstance(value, (str, Real)):
        raise TypeError(f"{name} is a {type(value).__name__}; it must be a number or a text: try {name}='0.1'.")
    line = " ".join(str(value).split())
    if not 1 <= len(line) <= MOST:
        raise ValueError(f"{name} has {len(line)} characters; it must have 1 to {MOST}: say it in a few words.")
    return line


def _choices(choices: Sequence[str | float] | None) -> list[str]:
    if choices is None:
        return []
    if isinstance(choices, str) or not isinstance(choices, Sequence):
        raise TypeError(
            f"choices is a {type(choices).__name__}; it must be a list of texts or numbers: try choices=['yes', 'no']."
        )
    lines = [_line("choices", choice) for choice in choices]
    if len(set(lines)) < max(2, len(lines)):
        raise ValueError(
            f"choices={lines} leave no choice; they must be at least two, all different: try choices=['yes', 'no']."
        )
    return lines


def _quoted(text: str) -> str:
    return f'"{text}"'


def _row(key: str, entry: Entry) -> list[str]:
    before = "" if entry.answer is None else "yes" if entry.is_before else "no"
    return [key, entry.question, entry.answer or "", entry.result or "", before]


def _in_order(key: str) -> list[Any]:
    """Sorts 1.9 before 1.10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split("([0-9]+)", key))]


def _path() -> Path:
    return cache_folder() / "predictions.json"


def _taken_up(key: str, question: str, choices: list[str]) -> Entry:
    """What an earlier session kept, if it was asked the same."""
    entry = _read().get(key)
    if entry is None or entry.question != question or (choices and entry.answer not in [None, *choices]):
        return Entry(question)
    return entry


def _write(key: str, entry: Entry) -> bool:
    """Whether it could be written. If not, the notebook goes on without."""
    path = _path()
    kept = {name: dataclasses.asdict(each) for name, each in {**_read(), key: entry}.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        durably(path, json.dumps(kept).encode())
    except OSError:
        return False
    return True


def _read() -> dict[str, Entry]:
    """What was kept; nothing where the file is missing or was damaged."""
    try:
        content = json.loads(_path().read_text(encoding="utf-8"))
        return {str(key): _entry(**fields) for key, fields in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _entry(question: str, answer: str | None, result: str | None, is_before: bool) -> Entry:
    def text(value: str | None) -> str | None:
        return None if value is None else _line("text", value)

    return Entry(_line("question", question), text(answer), text(result), bool(is_before))
