"""The autocorrelation in JupyterLab: every lag by keyboard and pointer, with a kernel and without."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lab import errors, notebook, run_all, serious_violations
from playwright.sync_api import Locator, Page

from conftest import SCREENSHOTS
from wavenetlike.explore import explore_lags

SHOWN = "from wavenetlike.explore import explore_lags\nshown = explore_lags(lag=3)\nshown"
LAG = "lag k (samples)"


@pytest.fixture
def explorer(page: Page, lab: str, folder: Path, request: pytest.FixtureRequest) -> Locator:
    path = notebook(folder / (re.sub(r"\W", "", request.node.name) + ".ipynb"), SHOWN)
    run_all(page, lab, path.name)
    assert errors(page) == []
    found = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .wavenetlike").first
    found.locator("svg").first.wait_for()
    return found


def said(explorer: Locator) -> str:
    return explorer.locator(".words").inner_text()


def drawn(explorer: Locator) -> str:
    return explorer.locator("svg").first.inner_html()


def test_every_lag_is_chosen_and_said_without_a_kernel(page: Page, explorer: Locator) -> None:
    twin = explore_lags(lag=3)
    assert said(explorer) == twin.words()
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    slider = explorer.get_by_label(LAG, exact=True)
    picture = explorer.locator("[role=application]")
    slider.focus()
    for key, lag in (("ArrowRight", 4), ("ArrowRight", 5), ("End", 40), ("Home", 0), ("ArrowUp", 1)):
        before = drawn(explorer)
        page.keyboard.press(key)
        twin.lag = lag
        assert said(explorer) == twin.words()
        assert drawn(explorer) != before
        assert slider.get_attribute("aria-valuetext") == str(lag)
    assert slider.evaluate("slider => document.activeElement === slider"), "JupyterLab took the keys"
    picture.focus()
    for key, lag in (("ArrowRight", 2), ("PageUp", 6), ("PageDown", 2), ("End", 40), ("ArrowRight", 40), ("Home", 0)):
        page.keyboard.press(key)
        twin.lag = lag
        assert said(explorer) == twin.words()
        assert twin.words() in picture.get_attribute("aria-label")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowDown")
    twin.shown = 1
    assert said(explorer) == twin.words()


def test_the_pointer_chooses_the_nearest_lag(page: Page, explorer: Locator) -> None:
    explorer.scroll_into_view_if_needed()
    mark = explorer.locator("path.star")
    slider = explorer.get_by_label(LAG, exact=True)
    for lag in (0, 17, 40):
        slider.fill(str(lag))
        box = mark.bounding_box()
        slider.fill("20")
        page.mouse.click(box["x"] + box["width"] / 2 + 2, box["y"] + 30)
        assert slider.input_value() == str(lag)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_axe_finds_nothing_serious(page: Page, explorer: Locator, theme: str) -> None:
    explorer.get_by_label(LAG, exact=True).fill("11")
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.wait_for_function("light => document.body.dataset.jpThemeLight === light", arg=str("Light" in theme).lower())
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    found = serious_violations(page)
    page.screenshot(path=SCREENSHOTS / f"explore_lags, {theme}.png")
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' })")
    assert found == []


def test_an_export_goes_on_without_the_network(page: Page, tmp_path: Path) -> None:
    noise = explore_lags([(7919 * i * i) % 101 for i in range(5000)], n_lags=200, sample_rate=8000)
    twin = explore_lags(lag=11)
    path = tmp_path / "lags.html"
    outputs = "".join(f"<div>{shown._bundle()['text/html']}</div>" for shown in (twin, noise))
    path.write_text(f"<!DOCTYPE html><html lang=en><meta charset=utf-8><body>{outputs}", encoding="utf-8")
    alive = page.context.browser.new_page(viewport={"width": 1000, "height": 1100})
    alive.context.set_offline(True)
    alive.goto(path.as_uri())
    first, second = (alive.locator(".wavenetlike").nth(i) for i in range(2))
    first.get_by_label(LAG, exact=True).press("ArrowRight")
    twin.lag = 12
    assert said(first) == twin.words()
    second.get_by_label(LAG, exact=True).press("End")
    noise.lag = 200
    assert said(second) == noise.words()
    assert "= 25 ms" in said(second)
    alive.screenshot(path=SCREENSHOTS / "lags, exported.png", full_page=True)
    alive.set_viewport_size({"width": 480, "height": 900})
    assert first.evaluate("el => document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 1
    alive.screenshot(path=SCREENSHOTS / "lags, narrow.png", full_page=True)
    alive.close()
