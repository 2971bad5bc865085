"""The notebooks as a student uses them: JupyterLab in Chromium, every cell run, every slider moved by keyboard."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
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
    upload_only(home / "notebooks")
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


def upload_only(folder: Path) -> None:
    """The third notebook as far as its explorer: what follows is a minute of training."""
    notebook = json.loads((folder / "03_toy_wavenet.ipynb").read_text(encoding="utf-8"))
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    end = next(i for i, source in enumerate(sources) if source.startswith("mine = explore_quantization("))
    notebook["cells"] = notebook["cells"][: end + 1]
    (folder / "03_upload.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


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


def wait_for_another_picture(page: Page, before: str) -> None:
    deadline = time.monotonic() + 30
    while picture(page) == before and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    assert picture(page) != before, "the picture stays the same"


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
        wait_for_another_picture(page, picture_before)
        assert page.locator("[role=status]").inner_text() != words_before, f"the slider {label!r} changed no words"
    assert errors(page) == []


def upload(page: Page, *paths: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="upload your own").click()
    chooser.value.set_files(paths)


def test_an_upload_is_drawn_played_and_reported(page: Page, lab: str, tmp_path: Path) -> None:
    seconds = np.arange(44100) / 44100
    both = np.stack([0.5 * np.sin(2 * np.pi * 440 * seconds), 0.3 * np.sin(2 * np.pi * 660 * seconds)], axis=1)
    mine, bad = tmp_path / "my voice, größer.wav", tmp_path / "no sound.wav"
    soundfile.write(mine, both, 44100)
    bad.write_text("this is a text")
    run_all(page, lab, "03_upload.ipynb")
    assert errors(page) == []
    page.locator("img.widget-image").scroll_into_view_if_needed()
    clips = page.locator(".widget-dropdown select")
    before, choices = picture(page), clips.locator("option").all_inner_texts()
    assert len(choices) == 5
    sounds = page.locator("audio.jupyter-widgets")
    heard = [sounds.nth(i).get_attribute("src") for i in range(2)]
    upload(page, bad)
    page.get_by_role("alert").filter(has_text="no sound.wav").wait_for()
    assert clips.locator("option").all_inner_texts() == choices
    upload(page, mine, bad)
    page.get_by_text("2 channels averaged, 44,100 Hz → 16,000 Hz").wait_for()
    assert page.get_by_text("refused: it is not audio").is_visible()
    clips.locator("option", has_text="my voice, größer").wait_for(state="attached")
    assert clips.locator("option").count() == 1
    wait_for_another_picture(page, before)
    words = page.locator("[role=status]")
    assert "10 levels" in words.inner_text()
    after = [sounds.nth(i).get_attribute("src") for i in range(2)]
    assert after[0] != heard[0]
    page.locator(".widget-hslider", has_text="levels").locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    words.filter(has_text="11 levels").wait_for()
    assert sounds.nth(1).get_attribute("src") != after[1]
    length = "i => new Promise(done => { const a = document.querySelectorAll('audio.jupyter-widgets')[i]; a.readyState ? done(a.duration) : a.onloadedmetadata = () => done(a.duration) })"
    assert [page.evaluate(length, i) for i in range(2)] == [pytest.approx(1, abs=0.01)] * 2
    assert errors(page) == []
    page.screenshot(path=tmp_path / "uploaded.png")
