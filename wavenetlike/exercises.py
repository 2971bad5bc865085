"""What a notebook says to a student's answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def check(answer: Any, hint: Callable[[Any], str]) -> None:
    """Print what ``hint`` finds in an answer; None is not answered yet. Used in notebooks/07_fast_generation.ipynb and 08_training_at_scale.ipynb.

    Args:
        answer: what the student put in the place of None.
        hint: gives the sentence for an answer; may stumble over one of another kind than was asked for.
    """
    try:
        print("Not answered yet: put your answer in the place of None." if answer is None else hint(answer))
    except (TypeError, ValueError, AttributeError, ArithmeticError, LookupError, RuntimeError) as error:
        print(
            f"That is no answer of the kind that was asked for: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        )
