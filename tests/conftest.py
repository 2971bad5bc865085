"""Fixtures of all tests: no test reads a user's cache, and none leaves this machine."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from helpers import built
from hypothesis import HealthCheck, settings

from wavenetlike import WaveNet, WaveNetConfig
from wavenetlike.data import Clips

settings.register_profile(
    "repeatable", derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("repeatable")

# These tensors are too small to share: two threads that wait for each other are many times slower than one.
torch.set_num_threads(1)

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for every test, and no proxy before a server on this machine."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(folder))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection fails, as without a network."""
    import socket

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)


@pytest.fixture
def small_model() -> WaveNet:
    """Two blocks of three layers, Δ = 16, five levels, always the same weights."""
    config = WaveNetConfig(
        levels=5,
        n_blocks=2,
        n_layers=3,
        kernel_length=2,
        dilation_rate=2,
        residual_channels=8,
        gate_channels=8,
        skip_channels=16,
        first_kernel_length=2,
    )
    return built(config)


@pytest.fixture
def tones() -> list[tuple[torch.Tensor, int, str, str]]:
    """Three clips of half a dozen periods, easy to learn."""
    time = torch.arange(400, dtype=torch.float32)
    waves = [0.8 * torch.sin(2 * math.pi * time / period)[None] for period in (40, 50, 63)]
    return [(wave, 16000, "tone", f"voice{i}") for i, wave in enumerate(waves)]


@pytest.fixture(scope="session")
def sunspots_csv() -> Path:
    path = SHARED / "sunspots_yearly.csv"
    if not path.exists():
        pytest.skip("the yearly sunspot numbers are not beside this repository")
    return path


@pytest.fixture(scope="session")
def real_folder() -> Path:
    folder = SHARED / "SpeechCommands" / "speech_commands_v0.01"
    if not folder.exists():
        pytest.skip("the real clips of Speech Commands are not beside this repository")
    return folder


@pytest.fixture(scope="session")
def real_clips(real_folder: Path) -> Clips:
    """Five real recordings of five words."""
    return Clips(real_folder, cutoff=5)
