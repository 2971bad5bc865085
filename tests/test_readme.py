"""What the README and the page about the library show runs as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import wavenetlike.suggest  # measures by a training of its own, which is not cut short here
import wavenetlike.train

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("page", "n_blocks", "left"), [("README.md", 1, "sound.wav"), ("docs/library.md", 10, "wavenet.safetensors")]
)
def test_python_blocks_run_in_their_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str, n_blocks: int, left: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(tmp_path))
    train, brief = wavenetlike.train.train, {"steps": 1, "window": 100, "progress": False}
    monkeypatch.setattr(wavenetlike.train, "train", lambda *given, **options: train(*given, **{**options, **brief}))
    torch.manual_seed(0)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == n_blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert (tmp_path / left).exists()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize(
    ("address", "blocked"), [("192.0.2.1", True), ("example.invalid", True), ("127.0.0.1", False), ("localhost", False)]
)
def test_notebook_kernels_reach_only_this_machine(address: str, blocked: bool) -> None:
    code = f"import socket; socket.create_connection(({address!r}, 9), timeout=2)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests" / "offline")}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert ("the network is blocked in this test" in run.stderr) == blocked
