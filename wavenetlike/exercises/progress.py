"""Which checks a student has passed: kept in a file on this machine, and shown by `progress`; nothing leaves the machine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from wavenetlike.files import durably
from wavenetlike.names import cache_folder
from wavenetlike.tables import table_html, table_lines

COLUMNS = ["exercise", "notebook", "tries", "passed"]


@dataclasses.dataclass(frozen=True)
class Progress:
    """What `progress` found; prints as a table in a terminal and in a notebook.

    Args:
        tried: by exercise: its notebook, how often it was tried, and whether it was ever right.
    """

    tried: dict[str, tuple[int, int, bool]]

    @property
    def n_passed(self) -> int:
        """Exercises that were right at least once."""
        return sum(passed for *_, passed in self.tried.values())

    def rows(self) -> list[list[str]]:
        """The table, a row each, under `COLUMNS`."""
        every = sorted(self.tried.items(), key=lambda each: (each[1][0], each[0]))
        return [
            [name, f"{notebook}", f"{tries}", "✓" if passed else "not yet"] for name, (notebook, tries, passed) in every
        ]

    @property
    def _caption(self) -> str:
        return f"{self.n_passed} of the {len(self.tried)} exercises tried are passed."

    def __repr__(self) -> str:
        return "\n".join([*table_lines(COLUMNS, self.rows()), self._caption])

    def _repr_html_(self) -> str:
        return table_html(COLUMNS, self.rows(), self._caption)


def progress() -> Progress:
    """Which exercises were tried on this machine, how often, and which were passed.

    It is read from ``exercises.json`` in the folder for downloads (the environment variable WAVENETLIKE_CACHE says another); deleting the file forgets it.
    """
    return Progress({name: (notebook, tries, passed) for name, (notebook, tries, passed) in _read().items()})


def note(name: str, notebook: int, is_right: bool) -> None:
    """Keep that an exercise was tried. Where the file cannot be written, it is not kept, and nothing is said: the hint matters more."""
    tried = _read()
    _, tries, passed = tried.get(name, (notebook, 0, False))
    tried[name] = (notebook, tries + 1, passed or is_right)
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        durably(path, json.dumps(tried).encode())
    except OSError:
        return


def _path() -> Path:
    return cache_folder() / "exercises.json"


def _read() -> dict[str, tuple[int, int, bool]]:
    """What was kept; nothing where the file is missing or was damaged."""
    try:
        content = json.loads(_path().read_text(encoding="utf-8"))
        return {
            str(name): (int(notebook), int(tries), bool(passed)) for name, (notebook, tries, passed) in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
