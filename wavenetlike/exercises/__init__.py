"""What a notebook asks a student, and what it says to the answer.

The exercises of each notebook have a file of checks; `answers` tries an answer out, whatever it does, `verdict` says what came of it, and `progress` keeps which were
passed.
"""

from wavenetlike.exercises.ar2 import check_enough, check_kernel, check_likelihood
from wavenetlike.exercises.choosing import check_better, check_count, check_information, check_order, strangers
from wavenetlike.exercises.conditioning import check_bin_bits, check_cost, check_hold, check_slower
from wavenetlike.exercises.fast import check_bounds, check_layer, check_life, check_step, check_temperature
from wavenetlike.exercises.field import check_delta, check_memory, check_padding
from wavenetlike.exercises.progress import Progress, progress
from wavenetlike.exercises.scale import check_plan, check_rate, check_speed_up, check_suspects, check_weights
from wavenetlike.exercises.toy import check_decode, check_encode, check_gate, check_repeat
from wavenetlike.exercises.verdict import Check
from wavenetlike.exercises.wavenet import check_leak, check_queues, check_residual

__all__ = [
    "Check", "Progress", "check_better", "check_bin_bits", "check_bounds", "check_cost", "check_count", "check_decode", "check_delta", "check_encode", "check_enough", "check_gate",
    "check_hold", "check_information", "check_kernel", "check_layer", "check_leak", "check_life", "check_likelihood", "check_memory", "check_order", "check_padding", "check_plan",
    "check_queues", "check_rate", "check_repeat", "check_residual", "check_slower", "check_speed_up", "check_step", "check_suspects", "check_temperature", "check_weights",
    "progress", "strangers",
]  # fmt: skip
