"""Many machines: how much faster than one they train, and what keeps them from being as fast as they are many."""

from __future__ import annotations

import math
from typing import Any

import traitlets

from wavenetlike.analysis import StepTime, step_time
from wavenetlike.checks import check_choice
from wavenetlike.explore.drawn import Drawn, source
from wavenetlike.models import TOY, WaveNetConfig
from wavenetlike.plots import Picture, scaling

CONFIGS = {"wavenet": WaveNetConfig(), "toy": TOY}
PROCESSES = [2**i for i in range(11)]
BATCHES = [2**i for i in range(13)]
GIGAFLOPS = [50, 1_000, 5_000, 20_000, 100_000]
MEGABITS = [100, 1_000, 10_000, 25_000, 100_000, 400_000]
MICROSECONDS = [1, 5, 30, 50, 100, 1_000]


class ScalingExplorer(Drawn):
    """`explore_scaling`; ``shown`` is what follows from the choices."""

    _esm = source("common.js", "scaling.js")
    needs_kernel = True
    model = traitlets.Enum(list(CONFIGS)).tag(sync=True)
    n = traitlets.Enum(PROCESSES).tag(sync=True)
    batch = traitlets.Enum(BATCHES).tag(sync=True)
    gigaflops = traitlets.Enum(GIGAFLOPS).tag(sync=True)
    megabits = traitlets.Enum(MEGABITS).tag(sync=True)
    microseconds = traitlets.Enum(MICROSECONDS).tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)

    def __init__(self, **chosen: Any):
        choices = {name: list(getattr(type(self), name).values) for name in chosen}
        for name, value in chosen.items():
            check_choice(name, value, choices[name])
        super().__init__(choices=choices, **chosen)
        self._update()
        self.observe(self._update, names=list(chosen))

    @traitlets.validate("n", "batch", "gigaflops", "megabits", "microseconds")
    def _as_int(self, proposal: Any) -> int:
        return int(proposal.value)  # NumPy's integers cannot be sent to the page

    def _update(self, _change: object = None) -> None:
        times = [
            step_time(
                CONFIGS[self.model],
                n,
                batch=self.batch,
                flop_per_second=1e9 * self.gigaflops,
                bandwidth=1e6 * self.megabits / 8,
                latency=1e-6 * self.microseconds,
            )
            for n in PROCESSES
        ]
        speed_up = [times[0].total / time.total for time in times]
        self.shown = {
            "n": self.n,
            "computing": [time.computing for time in times],
            "sending": [time.sending for time in times],
            "speed_up": speed_up,
            "words": self._words(times, speed_up),
        }

    def _words(self, times: list[StepTime], speed_up: list[float]) -> str:
        i = PROCESSES.index(self.n)
        computing, sending = 1000 * times[i].computing, 1000 * times[i].sending
        best = max(range(len(PROCESSES)), key=lambda k: speed_up[k])
        idle = " There are fewer windows than processes: some have nothing to do." if self.batch < self.n else ""
        return (
            f"{self.n:,} × {math.ceil(self.batch / self.n):,} windows: {computing:,.3g} ms computing and {sending:,.3g} ms sending a step. "
            f"{_times(speed_up[i])} as fast as one, {100 * speed_up[i] / self.n:.0f}% of perfect.{idle} "
            f"The fastest is n = {PROCESSES[best]:,}: {_times(speed_up[best])}."
        )

    def picture(self) -> Picture:
        shown = self.shown
        return scaling(PROCESSES, shown["computing"], shown["sending"], self.n)

    def words(self) -> str:
        return str(self.shown["words"])


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.2g} times"


def explore_scaling(
    model: str = "wavenet",
    n: int = 64,
    batch: int = 256,
    gigaflops: int = 5_000,
    megabits: int = 10_000,
    microseconds: int = 30,
) -> ScalingExplorer:
    """Choose machines and a network, and see how much faster than one they train, and where the time of a step goes.

    By the formula of `analysis.step_time`, for windows of 3,232.5 targets. Taught in notebooks/08_training_at_scale.ipynb.

    Args:
        model: "wavenet" or "toy".
        n: processes, a power of two in 1 … 1,024.
        batch: windows a step, a power of two in 1 … 4,096.
        gigaflops: that a process sustains, 10⁹ operations a second: 50, 1000, 5000, 20000 or 100000.
        megabits: of the network, 10⁶ bits a second: 100, 1000, 10000, 25000, 100000 or 400000.
        microseconds: its latency: 1, 5, 30, 50, 100 or 1000.

    Raises:
        ValueError: what cannot be chosen.
    """
    return ScalingExplorer(
        model=model, n=n, batch=batch, gigaflops=gigaflops, megabits=megabits, microseconds=microseconds
    )
