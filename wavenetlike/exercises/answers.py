"""What every check needs: an answer tried out and compared, or the sentence that says why it is none."""

from __future__ import annotations

import base64
import json
import math
import warnings
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor


class NotAnswered(Exception):
    """The place of the answer is still empty."""


class Wrong(Exception):
    """The answer is not right; the message is the hint."""


def given(value: Any) -> Any:
    """The answer, if there is one: neither None nor ``...``."""
    if value is None or value is ...:
        raise NotAnswered
    return value


def made(function: Any, *arguments: Any) -> Any:
    """What a student's function makes of ``arguments``; it gets copies of tensors, so that it can spoil none."""
    if not callable(given(function)):
        raise Wrong(f"{_shown(function)} is no function; write one with def, and pass its name without brackets.")
    copies = [x.clone() if isinstance(x, Tensor) else x for x in arguments]
    try:
        return given(function(*copies))
    except NotImplementedError:
        raise NotAnswered from None


def number(value: Any) -> float:
    """The answer as a number, of a tensor with one element its value."""
    given(value)
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise Wrong(f"{_shown(value)} is no number; a single one was asked for, like 3.5.")
    if not math.isfinite(value):
        raise Wrong(f"That is {value}: is something divided by 0, or the logarithm of 0 taken?")
    return float(value)


def tensor(value: Any, like: Tensor) -> Tensor:
    """The answer as float64 of the shape of ``like``."""
    given(value)
    if isinstance(value, (list, tuple)) and value and all(isinstance(x, Real) for x in value):
        value = torch.tensor(value, dtype=torch.float64)
    if not isinstance(value, Tensor):
        raise Wrong(f"{_shown(value)} is no tensor; one of shape {tuple(like.shape)} was asked for.")
    if value.shape != like.shape:
        turned = (
            ", turned round: do rows and columns stand in each other's place?"
            if value.shape == like.shape[::-1]
            else "."
        )
        raise Wrong(f"Its shape is {tuple(value.shape)}, and {tuple(like.shape)} was asked for{turned}")
    if value.is_complex():
        raise Wrong("Its numbers are complex; real ones were asked for.")
    value = value.detach().double()
    if not value.isfinite().all():
        raise Wrong("It holds NaN or infinite numbers: is something divided by 0, or the logarithm of 0 taken?")
    return value


def compare(
    found: Tensor, right: Tensor, mistakes: Mapping[str, Tensor], otherwise: str, tolerance: float = 1e-5
) -> None:
    """Nothing, if ``found`` is ``right`` up to ``tolerance`` (absolute, and as part of the largest number); else Wrong with the hint whose mistake gives it."""
    limit = tolerance * max(1.0, float(right.abs().max()))
    if (found - right.double()).abs().max() <= limit:
        return
    for hint, wrong in mistakes.items():
        if wrong.shape == found.shape and (found - wrong.double()).abs().max() <= limit:
            raise Wrong(hint)
    if not found.any():
        raise Wrong("All of it is 0: is the result put where it is returned?")
    raise Wrong(otherwise)


def among(found: float, right: float, mistakes: Mapping[str, float], otherwise: str, tolerance: float = 1e-5) -> None:
    """Nothing, if ``found`` is ``right`` within ``tolerance`` of it; else Wrong with the hint whose mistake gives it."""
    if math.isclose(found, right, rel_tol=tolerance, abs_tol=1e-12):
        return
    raise Wrong(
        next((hint for hint, wrong in mistakes.items() if math.isclose(found, wrong, rel_tol=tolerance)), otherwise)
    )


def counted(answer: Any, right: float, mistakes: Mapping[str, float], advice: str, tolerance: float = 1e-5) -> None:
    """`among` for a number that is asked for: where no mistake gives it, it is said whether it is too many or too few."""
    found = number(answer)
    size = "many" if found > right else "few"
    among(found, right, mistakes, f"{found:,.6g} is too {size}{advice}", tolerance)


def numbers(value: Any, n: int) -> list[float]:
    """The answer as ``n`` numbers, of a list, a tuple or a tensor (n,)."""
    given(value)
    if isinstance(value, Tensor) and value.ndim == 1:
        value = value.tolist()
    if not isinstance(value, (list, tuple)) or len(value) != n:
        raise Wrong(
            f"{_shown(value)} is not what was asked for: {n} numbers in brackets, like ({', '.join(['1.5'] * n)})."
        )
    return [number(each) for each in value]


def unsealed(text: str) -> Any:
    """What `seal` made unreadable: answers that nobody should come across by accident. It keeps out no one who decodes it."""
    return json.loads(base64.b64decode(text))


def seal(answer: Any) -> str:
    """An answer (numbers, text, lists of them), to be put into a check; `unsealed` gives it back."""
    return base64.b64encode(json.dumps(answer).encode()).decode()


def judged(judge: Callable[[Any], None], answer: Any) -> str | None:
    """The hint for an answer, None if it is right; whatever the answer does.

    Raises:
        NotAnswered: there is none.
    """
    try:
        # A grader takes a warning on the screen for a mistake.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            judge(given(answer))
    except NotAnswered:
        raise
    except Wrong as error:
        return str(error)
    except (Exception, SystemExit) as error:
        said = str(error).strip().splitlines()
        return f"It stopped with {type(error).__name__}{': ' + said[0] if said else ''}; try it on a small example of your own first."
    return None


def _shown(value: Any) -> str:
    text = repr(value).splitlines()[0]
    return text if len(text) <= 40 else f"{text[:37]}…"
