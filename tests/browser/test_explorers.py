"""The first two notebooks as a student uses them: JupyterLab in Chromium, every cell run, every slider moved by keyboard."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TOKEN = "test"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
IDLE = "jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome on the PATH")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab on copies of the notebooks, with a home of its own; gives its address."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, home / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "WAVENETLIKE_CACHE"]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None"]
    environment = os.environ | {name: str(home / name) for name in folders}
    with (home / "log").open("w") as log:
        server = subprocess.Popen([*command, str(home / "notebooks")], env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5)
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise TimeoutError(f"no JupyterLab answers at {address}")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def run_all(page: Page, lab: str, name: str) -> None:
    """Open a notebook, run it from top to bottom, wait until its kernel rests."""
    page.goto(f"{lab}/lab/workspaces/{Path(name).stem}/tree/{name}?token={TOKEN}&reset")
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)")
    page.wait_for_function("jupyterapp.shell.currentWidget?.sessionContext?.isReady")
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(IDLE, timeout=180_000)


def errors(page: Page) -> list[str]:
    """What the cells printed as errors, of all cells, those that are scrolled away too."""
    return page.evaluate(
        """() => jupyterapp.shell.currentWidget.model.sharedModel.cells.flatMap(cell =>
            (cell.getOutputs?.() ?? []).filter(o => o.output_type === 'error').map(o => o.evalue))"""
    )


def picture(page: Page) -> str:
    """The bytes of the explorer's picture as the page holds them."""
    return page.evaluate(
        """async () => {
            const blob = await (await fetch(document.querySelector('img.widget-image').src)).blob();
            return await new Promise(done => { const r = new FileReader(); r.onload = () => done(r.result); r.readAsDataURL(blob) });
        }"""
    )


@pytest.mark.parametrize(
    ("name", "sliders"),
    [
        ("01_ar2_weight_recovery.ipynb", ["a (last", "b (the"]),
        (
            "02_receptive_field_and_gamma.ipynb",
            ["kernel length", "layers per block", "blocks", "dilation rate", "channels"],
        ),
    ],
)
def test_every_slider_moves_the_picture(page: Page, lab: str, name: str, sliders: list[str]) -> None:
    run_all(page, lab, name)
    assert errors(page) == []
    page.locator("img.widget-image").scroll_into_view_if_needed()
    for label in sliders:
        picture_before, words_before = picture(page), page.locator("[role=status]").inner_text()
        slider = page.locator(".widget-hslider", has_text=label).first
        slider.locator(".noUi-handle").focus()
        page.keyboard.press("ArrowRight")
        deadline = time.monotonic() + 30
        while picture(page) == picture_before and time.monotonic() < deadline:
            page.wait_for_timeout(50)
        assert picture(page) != picture_before, f"the slider {label!r} moved nothing"
        assert page.locator("[role=status]").inner_text() != words_before, f"the slider {label!r} changed no words"
    assert errors(page) == []
