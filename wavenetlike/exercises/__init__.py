"""What a notebook asks a student, and what it says to the answer.

`check` is for a hint that stands in the notebook itself, as in notebooks 5 to 8. The checks of notebooks/exercises are in `past`; `answers`
tries an answer out, whatever it does, and `progress` keeps which were passed.
"""

from wavenetlike.exercises.check import Check
from wavenetlike.exercises.notebook import check, strangers
from wavenetlike.exercises.past import (
    check_delta,
    check_enough,
    check_kernel,
    check_likelihood,
    check_memory,
    check_padding,
)
from wavenetlike.exercises.progress import Progress, progress

__all__ = [
    "Check", "Progress", "check", "check_delta", "check_enough", "check_kernel", "check_likelihood", "check_memory", "check_padding", "progress", "strangers",
]  # fmt: skip
