"""Notebooks are tested as they run for someone without a network and without anything downloaded before."""

import os
import tempfile
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("nbval", False):
        # Kernels are other processes: what they inherit is the environment.
        blocked = str(Path(__file__).parent / "tests" / "offline")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [blocked, os.environ.get("PYTHONPATH")]))
        os.environ["WAVENETLIKE_CACHE"] = tempfile.mkdtemp(prefix="wavenetlike-empty-cache-")
