"""An explorer in Notebook 7, which some hubs open instead of JupyterLab: run from its menu as by a person, then moved by a key."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import TOKEN, notebook
from playwright.sync_api import Page

from conftest import SCREENSHOTS
from wavenetlike.models import WaveNetConfig

pytest.importorskip("notebook", minversion="7")

IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
KERNEL = ".jp-KernelName"


def test_a_slider_is_moved_in_notebook_7(page: Page, lab: str, folder: Path) -> None:
    path = notebook(
        folder / "notebook 7.ipynb",
        "from wavenetlike.explore import explore_dilations",
        "explore_dilations(2, 5, 2, 2)",
    )
    page.goto(f"{lab}/notebooks/{path.name}?token={TOKEN}")
    # Without a kernel it is idle, too; run then, it would ask for one.
    page.locator(KERNEL, has_text="Python 3").wait_for()
    page.wait_for_timeout(500)
    page.locator(IDLE).wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    explorer = page.locator("[data-live] .wavenetlike")
    explorer.locator("svg").first.wait_for(timeout=300_000)
    words = explorer.locator(".words")
    assert f"Δ = {WaveNetConfig(n_layers=5, n_blocks=2).receptive_field} samples" in words.inner_text()
    assert page.locator(".jp-OutputArea-output img:visible").count() == 0, "the explorer is shown once"
    tree = explorer.locator("svg").first
    before = tree.inner_html()
    explorer.get_by_label("layers per block").press("ArrowRight")
    assert f"Δ = {WaveNetConfig(n_layers=6, n_blocks=2).receptive_field} samples" in words.inner_text()
    assert tree.inner_html() != before
    page.screenshot(path=SCREENSHOTS / "notebook 7.png")
