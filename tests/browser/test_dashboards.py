"""`make dash` as a lecturer uses it: a list, and behind each line one explorer that answers, without code and without a network."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import free_port, wait_for
from playwright.sync_api import Page

from conftest import SCREENSHOTS
from wavenetlike import explore

ROOT = Path(__file__).parents[2]
EXPLORER = ".jp-OutputArea-output .wavenetlike"
DASHBOARDS = sorted((ROOT / "notebooks" / "dashboards").glob("*.ipynb"))


@pytest.fixture(scope="module")
def dash() -> Iterator[str]:
    """The address of what `make dash` starts."""
    port = free_port()
    recipe = subprocess.run(["make", "--dry-run", "dash"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    command = next(line for line in recipe.splitlines() if "voila" in line and "pip" not in line)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        ["sh", "-c", f"{command} --no-browser --port={port}"], cwd=ROOT, env=environment, start_new_session=True
    ) as server:
        try:
            address = f"http://localhost:{port}/"
            wait_for(address)
            yield address
        finally:
            os.killpg(server.pid, signal.SIGTERM)


def test_every_explorer_has_one() -> None:
    called = [
        re.findall(r"^(explore_\w+)\(", "".join(cell["source"]), re.MULTILINE)
        for path in DASHBOARDS
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    assert all(len(names) == 1 for names in called)
    assert sorted(name for names in called for name in names) == [n for n in explore.__all__ if n.startswith("explore")]


def test_list_leads_to_an_explorer_and_back(page: Page, dash: str) -> None:
    page.goto(dash)
    page.screenshot(path=SCREENSHOTS / "dashboards.png")
    links = page.locator("main a").evaluate_all("links => links.map(link => decodeURI(link.href))")
    assert [Path(link).stem for link in links] == [path.stem for path in DASHBOARDS]
    page.locator("main a", has_text="Dilations").click()
    page.get_by_text("Δ = 63 samples").wait_for(timeout=120_000)
    page.locator("input[type=range]").first.press("ArrowRight")
    page.get_by_text("Δ = 125 samples").wait_for()
    page.get_by_role("link", name="all explorers").click()
    page.wait_for_url(dash)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_explorer_stands_alone(page: Page, dash: str, path: Path) -> None:
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(f"{dash}voila/render/{path.name}", timeout=120_000)
    page.locator(EXPLORER).first.wait_for(timeout=120_000)
    page.screenshot(path=SCREENSHOTS / f"dashboard_{path.stem}.png")
    shown = page.inner_text("body")
    assert "import" not in shown, "code is shown"
    assert "Error" not in shown
    assert [url for url in fetched if not url.startswith((dash, "data:", "blob:"))] == []
