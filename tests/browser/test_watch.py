"""A training watched in JupyterLab: buttons that answer while the cell runs, and a picture that stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import TOKEN, errors, notebook, serious_violations
from playwright.sync_api import Page

from conftest import SCREENSHOTS

TRAINING = """
import torch
from wavenetlike import WaveNet, WaveNetConfig, train
from wavenetlike.data import bundled_clips
from wavenetlike.explore import watch_training
model = WaveNet(WaveNetConfig(10, n_blocks=1, n_layers=6, residual_channels=8, gate_channels=6, skip_channels=8))
before = [p.clone() for p in model.parameters()]
watching = watch_training(n=200)
history = train.train(model, bundled_clips(5), seconds=100, held_out=bundled_clips(7), watch=watching, progress=False)
assert history.stopped and history.seconds < 90 and len(history.bits) > 5
assert all(not torch.equal(p, q) for p, q in zip(before, model.parameters()))
print("all is well")
"""


@pytest.fixture
def running(lab: str, folder: Path, page: Page, request: pytest.FixtureRequest) -> Page:
    """The page while its training runs."""
    path = notebook(folder / f"{request.node.name}.ipynb", TRAINING)
    page.goto(f"{lab}/lab/workspaces/{path.stem}/tree/{path.name}?token={TOKEN}&reset")
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)")
    page.wait_for_function("jupyterapp.shell.currentWidget?.sessionContext?.isReady")
    page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector("text=samples a second")
    page.wait_for_function("document.body.innerText.includes('held-out')")
    return page


def after(page: Page) -> None:
    # Not until the kernel rests: it says so after every message that it answers beside the cell.
    page.wait_for_selector(".jp-OutputArea-output:has-text('all is well')", timeout=30_000)
    assert errors(page) == []
    assert page.locator("p:has-text('samples a second')").is_visible()
    assert page.locator("button:has-text('stop')").is_disabled()


def test_buttons_answer_while_the_cell_runs(running: Page) -> None:
    running.click("button:has-text('hear it')")
    running.wait_for_selector("audio", state="attached", timeout=60_000)
    assert "Hz" in (running.locator("audio").get_attribute("aria-label") or "")
    running.screenshot(path=SCREENSHOTS / "watched.png")
    assert serious_violations(running) == []
    running.click("button:has-text('stop')")
    after(running)


def test_interrupting_the_kernel_does_the_same(running: Page) -> None:
    running.evaluate("void jupyterapp.commands.execute('notebook:interrupt-kernel')")
    after(running)


def test_keyboard_alone_stops(running: Page) -> None:
    running.locator("button:has-text('stop')").focus()
    running.keyboard.press("Enter")
    after(running)
