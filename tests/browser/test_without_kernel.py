"""What is left of the explorers where no kernel answers: HTML exports with and without scripts, and a notebook that is opened again."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from lab import errors, notebook, run_all
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor
from playwright.sync_api import Page

from conftest import SCREENSHOTS
from wavenetlike.models import WaveNetConfig

ALL = [
    "explore_dilations(n_layers=6)",
    "explore_plane()",
    "explore_profile()",
    "explore_ar2()",
    "explore_quantization()",
    "explore_scaling()",
    "explore_sound()",
]


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of an HTML file: a notebook with all explorers, run without a browser."""
    folder = tmp_path_factory.mktemp("export")
    path = notebook(folder / "all.ipynb", "from wavenetlike.explore import *", *ALL)
    content = nbformat.read(path, as_version=4)
    ExecutePreprocessor(timeout=300, store_widget_state=False).preprocess(content, {})
    page, _ = HTMLExporter().from_notebook_node(content)
    (folder / "all.html").write_text(page, encoding="utf-8")
    return (folder / "all.html").as_uri()


def test_export_without_scripts_shows_every_picture(page: Page, export: str) -> None:
    plain = page.context.browser.new_page(java_script_enabled=False)
    plain.goto(export)
    pictures = plain.locator(".jp-OutputArea-output img")
    assert pictures.count() == len(ALL)
    for i in range(len(ALL)):
        assert len(pictures.nth(i).get_attribute("alt")) > 60
        assert pictures.nth(i).bounding_box()["height"] > 100
    shown = plain.locator(".jp-OutputArea-output").all_inner_texts()
    assert not any("Explorer" in text for text in shown)
    assert any("A convolution that is trained on these 150 samples finds" in text for text in shown)
    plain.close()


def test_export_with_scripts_goes_on_without_the_network(page: Page, export: str) -> None:
    alive = page.context.browser.new_page(viewport={"width": 1300, "height": 1000})
    alive.context.set_offline(True)
    alive.goto(export)
    dilations, plane, profile = (alive.locator(".wavenetlike").nth(i) for i in range(3))
    assert alive.locator(".wavenetlike").count() == 3
    assert alive.locator(".jp-OutputArea-output img").count() == 4, "what needs a kernel stays a picture"
    dilations.get_by_label("layers per block").press("ArrowRight")
    assert (
        f"Δ = {WaveNetConfig(n_layers=7, n_blocks=2).receptive_field} samples"
        in dilations.locator(".words").inner_text()
    )
    before = plane.locator(".words").inner_text()
    plane.locator("[role=application]").first.press("ArrowRight")
    assert plane.locator(".words").inner_text() != before
    plane.get_by_label("wanted: Δ at least (ms)").fill("100")
    assert "of 1,200 stacks have what is wanted" in plane.locator(".words").inner_text()
    profile.get_by_label("model").select_option("plain stack, 10 layers")
    assert "plain stack, 10 layers: Δ = 11 samples" in profile.locator(".words").inner_text()
    alive.screenshot(path=SCREENSHOTS / "export.png", full_page=True)
    alive.wait_for_timeout(5000)
    assert alive.locator(".wavenetlike").nth(0).is_visible()
    alive.close()


def test_a_notebook_that_is_opened_again_shows_what_it_showed_last(page: Page, lab: str, folder: Path) -> None:
    notebook(folder / "again.ipynb", "from wavenetlike.explore import *", "explore_dilations()", "explore_ar2()")
    run_all(page, lab, "again.ipynb")
    here = ".jp-NotebookPanel:not(.lm-mod-hidden) "
    live = page.locator(f"{here}[data-live]").first
    live.locator("svg").first.wait_for()
    page.wait_for_timeout(1000)
    assert page.locator(f"{here}.wavenetlike").count() == 2, "each explorer is shown once"
    assert page.locator(f"{here}.jp-OutputArea-output img:visible").count() == 0
    live.get_by_label("blocks").press("ArrowRight")
    page.wait_for_timeout(4000)
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.goto(f"{lab}/lab/workspaces/other/tree/again.ipynb?token=test&reset")
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)")
    drawn = page.locator(f"{here}.wavenetlike")
    drawn.wait_for()
    delta = WaveNetConfig(n_layers=5, n_blocks=3).receptive_field
    assert f"Δ = {delta} samples" in drawn.locator(".words").inner_text()
    drawn.get_by_label("blocks").press("ArrowRight")
    assert f"Δ = {delta + 31} samples" in drawn.locator(".words").inner_text()
    picture = page.locator(f"{here}.jp-OutputArea-output img")
    picture.wait_for()
    assert "a = -0.40, b = 0.50" in picture.get_attribute("alt")
    assert page.get_by_text("Error displaying widget").locator("visible=true").count() == 0
    page.screenshot(path=SCREENSHOTS / "opened again.png")
    run_all(page, lab, "again.ipynb")
    page.locator(f"{here}[data-live] svg").first.wait_for()
    page.wait_for_timeout(5000)
    assert page.locator(f"{here}.wavenetlike:visible").count() == 2, "each explorer is shown once"
    assert errors(page) == []
