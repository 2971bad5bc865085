"""The documentation as a newcomer opens it, from a disk and without a network: on a phone and on a desk, by day and by night."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from lab import serious_violations
from playwright.sync_api import Page

from conftest import SCREENSHOTS

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import documentation

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1300, "height": 1000}
PAGES = [
    "index",
    "notebooks/02_receptive_field_and_gamma",
    "api/wavenetlike.layers",
    "teaching/formulas",
    "mathematics",
]
WITH_FORMULAS = ["teaching/formulas", "notebooks/03_toy_wavenet", "mathematics"]


@pytest.fixture(scope="module")
def site() -> Path:
    return documentation.built()


@pytest.fixture
def alone(page: Page) -> Iterator[tuple[Page, list[str]]]:
    """A page that reaches no other machine, and what went wrong on it."""
    context = page.context.browser.new_context(viewport=PHONE, offline=True, reduced_motion="reduce")
    wrong: list[str] = []
    opened = context.new_page()
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("requestfailed", lambda request: wrong.append(f"failed: {request.url[:200]}"))
    opened.on("request", lambda request: wrong.append(request.url) if is_foreign(request.url) else None)
    yield opened, wrong
    context.close()


def is_foreign(address: str) -> bool:
    return not address.startswith(("file:", "data:", "blob:"))


def visit(page: Page, site: Path, name: str) -> None:
    page.goto((site / f"{name}.html").as_uri())
    page.wait_for_function("document.readyState === 'complete'")
    page.evaluate("window.MathJax?.startup.promise.then(() => true)")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("scheme", "where"), [("light", "phone"), ("dark", "desk")])
def test_a_page_fits_and_is_accessible(
    site: Path, alone: tuple[Page, list[str]], name: str, scheme: Literal["light", "dark"], where: str
) -> None:
    page, wrong = alone
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(PHONE if where == "phone" else DESK)
    visit(page, site, name)
    page.wait_for_timeout(300)
    page.screenshot(path=SCREENSHOTS / f"docs {name.replace('/', ' ')}, {where}, {scheme}.png")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("[...document.images].filter(each => !each.naturalWidth).map(each => each.src)") == []
    assert wrong == []
    # What axe-core asks for by itself comes after this.
    assert serious_violations(page, "html") == []


@pytest.mark.parametrize("name", WITH_FORMULAS)
def test_formulas_are_drawn(site: Path, alone: tuple[Page, list[str]], name: str) -> None:
    page, wrong = alone
    visit(page, site, name)
    n_formulas = page.locator(".math").count()
    assert n_formulas > 0
    assert page.locator(".math mjx-container svg").count() >= n_formulas
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    assert "\\frac" not in page.locator("article").inner_text()
    assert wrong == []


def test_the_sound_of_the_first_page_plays(site: Path, alone: tuple[Page, list[str]]) -> None:
    page, wrong = alone
    visit(page, site, "index")
    played = page.evaluate(
        """async () => {
            const sound = document.querySelector("article audio");
            sound.muted = true;
            await sound.play();
            await new Promise((done) => setTimeout(done, 1000));
            return [sound.duration, sound.currentTime, sound.error?.message ?? ""];
        }"""
    )
    assert 1 < played[0] < 10
    assert played[1] > 0.3
    assert played[2] == ""
    assert wrong == []


def test_sounds_of_a_notebook_are_there(site: Path, alone: tuple[Page, list[str]]) -> None:
    page, wrong = alone
    visit(page, site, "notebooks/03_toy_wavenet")
    durations = page.evaluate("[...document.querySelectorAll('article audio')].map(sound => sound.duration)")
    assert len(durations) >= 4
    assert min(durations) > 0.1
    assert wrong == []


def test_sliders_go_on_without_a_kernel(site: Path, alone: tuple[Page, list[str]]) -> None:
    page, wrong = alone
    visit(page, site, "notebooks/02_receptive_field_and_gamma")
    drawn = page.locator(".wavenetlike").first
    drawn.wait_for()
    before = drawn.locator(".words").inner_text()
    drawn.get_by_label("layers per block").press("ArrowRight")
    assert drawn.locator(".words").inner_text() != before
    assert wrong == []


def test_the_search_finds(site: Path, alone: tuple[Page, list[str]]) -> None:
    page, wrong = alone
    visit(page, site, "index")
    page.set_viewport_size(DESK)
    page.get_by_label("Search", exact=True).fill("measure_receptive_field")
    page.get_by_label("Search", exact=True).press("Enter")
    page.locator("#search-results li a").first.wait_for()
    assert page.locator("#search-results li a[href*='api/wavenetlike.analysis.html']").count() > 0
    assert wrong == []


@pytest.mark.parametrize("name", ["api/wavenetlike.layers", "teaching/formulas"])
def test_what_is_too_wide_is_reached_by_keyboard(site: Path, alone: tuple[Page, list[str]], name: str) -> None:
    page, _ = alone
    visit(page, site, name)
    wide = page.evaluate(
        """[...document.querySelectorAll("article *")].filter((each) => each.scrollWidth > each.clientWidth + 1
            && ["auto", "scroll"].includes(getComputedStyle(each).overflowX)).map((each) => each.tabIndex)"""
    )
    assert wide
    assert set(wide) == {0}
