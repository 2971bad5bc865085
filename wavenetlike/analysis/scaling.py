"""How long a training step takes on several machines, by arithmetic: what each computes, and what a ring of them sends."""

from __future__ import annotations

import math
from typing import NamedTuple

from wavenetlike.checks import check_int, check_positive
from wavenetlike.models import WaveNetConfig


class StepTime(NamedTuple):
    """Seconds of one step: what the process with the most windows computes, and what all send afterwards."""

    computing: float
    sending: float

    @property
    def total(self) -> float:
        """In seconds; nothing is sent while something is still being computed, which is careful."""
        return self.computing + self.sending


def step_time(
    config: WaveNetConfig,
    n: int,
    *,
    batch: int = 256,
    targets: float = 3232.5,
    flop_per_second: float = 5e12,
    bandwidth: float = 1.25e9,
    latency: float = 30e-6,
) -> StepTime:
    """One step of data-parallel training, ⌈batch / n⌉ · t_window + 2(n - 1)(α + S / (nβ)): an estimate, not a measurement.

    A target costs six operations for each of the config's multiplications (two forward, four backward); the gradient, S = 4 bytes for
    each parameter, is added up by a ring all-reduce (Patarasuk and Yuan, 2009), of which every message has 1/n.
    Taught in notebooks/08_training_at_scale.ipynb.

    Args:
        config: of the model.
        n: processes, at least 1.
        batch: windows a step over all processes, at least 1.
        targets: codes predicted in a window, above 0; a clip of one second has 4 windows of 3,232.5 on average.
        flop_per_second: floating-point operations a second that one process sustains, above 0.
        bandwidth: β, bytes a second between two neighbours, above 0.
        latency: α, seconds until the first byte of a message arrives, above 0.

    Raises:
        TypeError, ValueError: an argument out of its range.

    >>> step_time(WaveNetConfig(), 1).sending
    0.0
    """
    check_int("n", n, 1, "1 is a process alone")
    check_int("batch", batch, 1, "256 windows are 64 clips of a second")
    check_positive("targets", targets, "4000")
    check_positive("flop_per_second", flop_per_second, "5e12")
    check_positive("bandwidth", bandwidth, "1.25e9, which are 10 Gbit/s")
    check_positive("latency", latency, "30e-6")
    window = targets * 6 * config.multiplications / flop_per_second
    message = latency + 4 * config.parameters / n / bandwidth
    return StepTime(math.ceil(batch / n) * window, 2 * (n - 1) * message)
