"""Handouts as a teacher opens them, by a double click and without a network: slides by the keyboard, and the sheet of formulas on paper."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import handouts

SHOWN = """() => {
  const slide = Reveal.getCurrentSlide();
  const frame = document.documentElement;
  const ends = [slide, ...slide.querySelectorAll("img, pre, table, math, audio")]
    .filter((each) => !each.closest("aside")).map((each) => each.getBoundingClientRect());
  return {
    place: Object.values(Reveal.getIndices()).join(" "),
    number: Reveal.getSlidePastCount() + 1,
    below: Math.max(...ends.map((end) => end.bottom)) - frame.clientHeight,
    right: Math.max(...ends.map((end) => end.right)) - frame.clientWidth,
    letters: parseFloat(getComputedStyle(slide).fontSize),
    isEmpty: slide.innerText.trim() === "",
    broken: [...slide.querySelectorAll("img")].filter((image) => image.naturalWidth === 0).length,
  };
}"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the slides of a notebook that has sounds, explorers, formulas, drawings and tables, and with the sheet."""
    folder = tmp_path_factory.mktemp("handouts")
    (path,) = (each for each in handouts.NOTEBOOKS if each.name.startswith("03"))
    handouts.build([path], folder)
    return folder


@pytest.fixture
def alone(page: Page) -> Iterator[tuple[Page, list[str]]]:
    """A page of a usual projector that reaches no other machine, and what went wrong on it."""
    context = page.context.browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    wrong: list[str] = []
    opened = context.new_page()
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("requestfailed", lambda request: wrong.append(f"failed: {request.url[:200]}"))
    opened.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
    yield opened, wrong
    context.close()


def test_the_keyboard_leads_through_a_deck_that_fits_the_screen(built: Path, alone: tuple[Page, list[str]]) -> None:
    page, wrong = alone
    (deck,) = built.glob("*.slides.html")
    page.goto(deck.as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    seen = [page.evaluate(SHOWN)]
    while len(seen) < 200:
        page.keyboard.press("ArrowRight")
        shown = page.evaluate(SHOWN)
        if shown["place"] == seen[-1]["place"]:
            break
        seen.append(shown)
    assert sorted({each["number"] for each in seen}) == list(range(1, page.evaluate("Reveal.getTotalSlides()") + 1))
    assert len(seen) > 25
    for each in seen:
        assert max(each["below"], each["right"]) <= 8, each
        assert each["letters"] >= 12, each
        assert not each["isEmpty"], each
        assert not each["broken"], each
    assert wrong == []


def test_notes_open_in_a_window(built: Path, alone: tuple[Page, list[str]]) -> None:
    page, wrong = alone
    (deck,) = built.glob("*.slides.html")
    page.goto(f"{deck.as_uri()}#/1")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    told = page.evaluate("Reveal.getCurrentSlide().querySelector('aside.notes').textContent.trim()")
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    opened.value.wait_for_function("document.querySelector('.speaker-controls-notes .value')?.textContent.trim()")
    assert told[:40] in opened.value.inner_text(".speaker-controls-notes .value")
    assert wrong == []


def test_the_sheet_is_two_pages_at_most(built: Path, alone: tuple[Page, list[str]]) -> None:
    page, wrong = alone
    page.goto((built / "formulas.html").as_uri())
    page.emulate_media(media="print")
    # No formula reaches into what stands beside it.
    wide = page.evaluate(
        """() => [...document.querySelectorAll("td math")].filter((each) =>
            each.getBoundingClientRect().right > each.closest("td").getBoundingClientRect().right + 1)
            .map((each) => each.textContent)"""
    )
    assert wide == []
    paper = page.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 2
    assert wrong == []
