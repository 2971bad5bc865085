"""Each notebook as a student uses it: JupyterLab in Chromium, every cell run, no error, and nothing that shuts anyone out."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import NOTEBOOKS, errors, run_all, serious_violations
from playwright.sync_api import Page

from conftest import SCREENSHOTS

ALL_CELLS = """() => {
    const notebook = jupyterapp.shell.currentWidget.content;
    notebook.notebookConfig = { ...notebook.notebookConfig, windowingMode: 'none' };
}"""
"""Puts cells that are out of sight into the page, too."""


@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_notebook_runs(page: Page, lab: str, name: str) -> None:
    run_all(page, lab, name)
    assert errors(page) == []
    page.evaluate(ALL_CELLS)
    page.wait_for_timeout(3000)
    assert serious_violations(page) == []
    page.screenshot(path=SCREENSHOTS / f"{Path(name).stem}.png")
