"""The arithmetic of many machines: the formula of notebook 8, and what must hold of it whatever the machines."""

import json
import math
from pathlib import Path

import pytest
from helpers import refused, wavenet_configs
from hypothesis import given
from hypothesis import strategies as st

from wavenetlike import WaveNetConfig, build_wavenet
from wavenetlike.analysis import step_time

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "08_training_at_scale.ipynb"
MACHINES = {
    "batch": st.integers(1, 5000),
    "flop_per_second": st.floats(1e9, 1e15),
    "bandwidth": st.floats(1e6, 1e12),
    "latency": st.floats(1e-9, 1e-2),
}


def notebook_names() -> dict:
    """What the cells of the notebook define that hold `step_seconds` and what it stands on."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    (source,) = [text for cell in cells if "def step_seconds" in (text := "".join(cell["source"]))]
    full = build_wavenet().config
    names = {"math": math, "full": full, "GPU": 5e12, "TARGETS": (16000 - full.receptive_field) / 4}
    exec(source, names)
    return names


@given(config=wavenet_configs(), n=st.integers(1, 3000), machines=st.fixed_dictionaries(MACHINES))
def test_it_is_what_the_notebook_builds(config, n, machines):
    own = {**machines}
    network = own.pop("bandwidth"), own.pop("latency")
    theirs = notebook_names()["step_seconds"](n, network, config=config, **own)
    assert step_time(config, n, **machines).total == pytest.approx(theirs, rel=1e-12)


@given(config=wavenet_configs(), n=st.integers(2, 3000), machines=st.fixed_dictionaries(MACHINES))
def test_machines_cost_what_they_cost(config, n, machines):
    alone, together = step_time(config, 1, **machines), step_time(config, n, **machines)
    assert alone.sending == 0
    assert alone.total <= n * together.total * (1 + 1e-12), "no more than n times as fast"
    assert together.computing <= alone.computing
    assert together.sending >= 2 * (n - 1) * machines["latency"]
    # Whatever n is, no process sends more than twice the gradient.
    sent = (together.sending - 2 * (n - 1) * machines["latency"]) * machines["bandwidth"]
    assert sent <= 2 * 4 * config.parameters * (1 + 1e-6)
    slower = step_time(config, n, **{**machines, "flop_per_second": machines["flop_per_second"] / 2})
    assert slower == pytest.approx((2 * together.computing, together.sending))


@pytest.mark.parametrize(
    ("options", "error", "shown"),
    [
        ({"n": 0}, ValueError, "n=0"),
        ({"n": 2.0}, TypeError, "n=2.0"),
        ({"batch": 0}, ValueError, "batch=0"),
        ({"targets": 0}, ValueError, "targets=0"),
        ({"flop_per_second": -1}, ValueError, "flop_per_second=-1"),
        ({"bandwidth": math.inf}, ValueError, "bandwidth=inf"),
        ({"latency": "30 µs"}, TypeError, "latency='30 µs'"),
    ],
)
def test_bad_machines_are_refused(options, error, shown):
    refused(lambda: step_time(WaveNetConfig(), **{"n": 2, **options}), error, shown)
