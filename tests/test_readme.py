"""What the README shows runs as it stands there."""

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


def test_python_blocks_run_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(tmp_path))
    train, brief = wavenetlike.train.train, {"steps": 1, "window": 100, "progress": False}
    monkeypatch.setattr(wavenetlike.train, "train", lambda *given, **options: train(*given, **{**options, **brief}))
    torch.manual_seed(0)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 10
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert (tmp_path / "wavenet.safetensors").exists()


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize(
    ("address", "blocked"), [("192.0.2.1", True), ("example.invalid", True), ("127.0.0.1", False), ("localhost", False)]
)
def test_notebook_kernels_reach_only_this_machine(address: str, blocked: bool) -> None:
    code = f"import socket; socket.create_connection(({address!r}, 9), timeout=2)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests" / "offline")}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert ("the network is blocked in this test" in run.stderr) == blocked
