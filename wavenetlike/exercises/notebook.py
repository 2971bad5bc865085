"""What a notebook asks a student, and what it says to the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from wavenetlike.data import ar_process, seasonal_ar, threshold_ar


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


def strangers() -> dict[str, Tensor]:
    """Four series that a student knows nothing about, float32 (24000,) each within ±0.98. Used in notebooks/06_choosing_a_model.ipynb."""
    rules = {
        "A": seasonal_ar(12, 0.75, 24_000, seed=1),
        "B": threshold_ar(24_000, lag=3, seed=0),
        "C": ar_process([1.6, -0.9], 24_000, seed=0),
        "D": ar_process([], 24_000, seed=0),
    }
    return {name: (0.98 * x / x.abs().max()).float() for name, x in rules.items()}
