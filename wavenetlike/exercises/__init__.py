"""What a notebook asks a student, and what it says to the answer.

`check` is for a hint that stands in the notebook itself, as in notebooks 5 to 8. The checks of exercises are in `past` (notebooks 1 and 2) and `sound` (3, 4 and 7); `answers`
tries an answer out, whatever it does, and `progress` keeps which were passed.
"""

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
from wavenetlike.exercises.sound import (
    check_decode,
    check_encode,
    check_gate,
    check_leak,
    check_repeat,
    check_step,
    check_temperature,
)
from wavenetlike.exercises.verdict import Check

__all__ = [
    "Check", "Progress", "check", "check_decode", "check_delta", "check_encode", "check_enough", "check_gate", "check_kernel", "check_leak",
    "check_likelihood", "check_memory", "check_padding", "check_repeat", "check_step", "check_temperature", "progress", "strangers",
]  # fmt: skip
