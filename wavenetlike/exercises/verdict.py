"""A check: called with an answer it says at once whether that is right, or gives the hint that fits the mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wavenetlike.exercises.answers import NotAnswered, judged
from wavenetlike.exercises.progress import note


class Check:
    """``check_delta(answer)`` prints ✓, or a hint, or that there is no answer yet; it never raises, and never says the solution.

    Args:
        name: of the exercise, as `progress` lists it.
        notebook: 1 … 8, which teaches what is asked.
        judge: looks at an answer; raises `answers.Wrong` with a hint where it is not right.
        praise: said where it is.
    """

    def __init__(self, name: str, notebook: int, judge: Callable[[Any], None], praise: str):
        self.name, self.notebook, self._judge, self._praise = name, notebook, judge, praise
        self.__doc__ = judge.__doc__

    def __call__(self, answer: Any) -> None:
        print(self.said(answer))

    def said(self, answer: Any) -> str:
        """What the call prints; it is counted in `progress`."""
        try:
            hint = judged(self._judge, answer)
        except NotAnswered:
            return "Not answered yet: put your answer in the place of the dots."
        note(self.name, self.notebook, hint is None)
        return f"✓ {self._praise}" if hint is None else hint

    def passes(self, answer: Any) -> bool:
        """Whether the answer is right, for a grader: it counts nowhere."""
        try:
            return judged(self._judge, answer) is None
        except NotAnswered:
            return False

    def __repr__(self) -> str:
        return f"<check {self.name!r} of notebook {self.notebook}>"
