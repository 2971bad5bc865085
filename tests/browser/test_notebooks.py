"""Each notebook as a student uses it: JupyterLab in Chromium, every cell run, no error."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import NOTEBOOKS, errors, run_all
from playwright.sync_api import Page

from conftest import SCREENSHOTS


@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_notebook_runs(page: Page, lab: str, name: str) -> None:
    run_all(page, lab, name)
    assert errors(page) == []
    page.screenshot(path=SCREENSHOTS / f"{Path(name).stem}.png")
