"""A model heard in JupyterLab while it generates: blocks arrive, play, and stop; all by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import errors, notebook, run_all, serious_violations
from playwright.sync_api import Locator, Page

from conftest import SCREENSHOTS

EXPLORER = """
from wavenetlike import MuLaw
from wavenetlike.data import bundled_clips
from wavenetlike.explore import explore_sound
clip = MuLaw(10).encode(bundled_clips(1)[0][0])[:, :6000]
shown = explore_sound(prefixes={"a word": clip}, seconds=0.5)
shown
"""


@pytest.fixture
def explorer(page: Page, lab: str, folder: Path, request: pytest.FixtureRequest) -> Locator:
    path = notebook(folder / f"{request.node.name}.ipynb", EXPLORER)
    run_all(page, lab, path.name)
    assert errors(page) == []
    found = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .wavenetlike").first
    found.locator("svg").first.wait_for()
    return found


def played(explorer: Locator) -> float:
    """Seconds that have been heard of the sound that plays."""
    return float(explorer.evaluate("explorer => explorer.parentElement.dataset.played ?? 0"))


def test_it_plays_while_it_generates(explorer: Locator, page: Page) -> None:
    before = explorer.locator("path.generated").get_attribute("d")
    assert before
    explorer.get_by_label("goes on from", exact=True).focus()
    page.keyboard.press("ArrowUp")  # silence
    page.keyboard.press("ArrowDown")  # and the word again
    explorer.get_by_label("seed", exact=True).fill("7")
    explorer.get_by_role("button", name="generate and play").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.wavenetlike .words').textContent.includes('seed 7')")
    assert "0.75 s, from a word, temperature 1, seed 7" in explorer.locator(".words").inner_text()
    assert explorer.locator("path.generated").get_attribute("d") != before
    page.wait_for_function("Number(document.querySelector('.wavenetlike').parentElement.dataset.played) > 0.6")
    page.screenshot(path=SCREENSHOTS / "sound.png")
    assert serious_violations(page) == []
    explorer.get_by_role("button", name="play again").click()
    page.wait_for_function("Number(document.querySelector('.wavenetlike').parentElement.dataset.played) < 0.3")
    assert errors(page) == []


def test_it_stops_and_keeps_what_was_made(explorer: Locator, page: Page) -> None:
    explorer.get_by_label("length", exact=True).focus()
    page.keyboard.press("End")  # thirty seconds
    explorer.get_by_role("button", name="generate and play").click()
    page.wait_for_function("Number(document.querySelector('.wavenetlike').parentElement.dataset.played) > 0.3")
    # It is heard before it is all there.
    assert float(explorer.locator("progress").evaluate("bar => bar.value")) < 1
    stop = explorer.get_by_role("button", name="stop")
    stop.focus()
    page.keyboard.press("Enter")
    assert stop.is_disabled()
    page.wait_for_function("!document.querySelector('.wavenetlike .words').textContent.includes('Generating')")
    made = float(explorer.locator(".words").inner_text().split(" s,")[0])
    assert 0.3 < made < 30
    heard = played(explorer)
    page.wait_for_timeout(500)
    assert played(explorer) == heard
    explorer.get_by_role("button", name="generate and play").click()
    page.wait_for_function(f"Number(document.querySelector('.wavenetlike').parentElement.dataset.played) < {heard}")


def test_pressed_again_while_it_generates_the_new_sound_is_heard(explorer: Locator, page: Page) -> None:
    explorer.get_by_label("length", exact=True).focus()
    page.keyboard.press("End")
    play = explorer.get_by_role("button", name="generate and play")
    play.click()
    page.wait_for_function("Number(document.querySelector('.wavenetlike').parentElement.dataset.played) > 0.3")
    explorer.get_by_label("length", exact=True).focus()
    page.keyboard.press("Home")
    explorer.get_by_label("seed", exact=True).fill("5")
    play.click()
    page.wait_for_function(
        "document.querySelector('.wavenetlike .words').textContent.includes('0.75 s, from a word, temperature 1, seed 5')"
    )
    page.wait_for_function("Number(document.querySelector('.wavenetlike').parentElement.dataset.played) > 0.6")
    assert explorer.get_by_role("button", name="stop").is_disabled()
    assert float(explorer.locator("progress").evaluate("bar => bar.value")) == 1


def test_a_bad_seed_is_not_taken(explorer: Locator) -> None:
    seed = explorer.get_by_label("seed", exact=True)
    seed.fill("-3")
    assert seed.get_attribute("aria-invalid") == "true"
    seed.blur()
    seed.page.wait_for_function("document.querySelector('.wavenetlike input[type=number]').value === '0'")


GENERATED = 240_000
"""Milliseconds that a second of sound by a wide model may take to be made, with the compiler loaded first and tests running beside."""
WORDS = """
from wavenetlike.explore import explore_words
explore_words()
"""


def test_a_word_is_chosen_and_heard(page: Page, lab: str, folder: Path) -> None:
    path = notebook(folder / "words.ipynb", WORDS)
    run_all(page, lab, path.name)
    assert errors(page) == []
    explorer = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .wavenetlike").first
    explorer.locator("svg").first.wait_for()
    assert explorer.get_by_label("length", exact=True).count() == 0
    explorer.get_by_label("frames of", exact=True).focus()
    page.keyboard.press("ArrowDown")
    explorer.get_by_label("told the word", exact=True).focus()
    page.keyboard.press("ArrowDown")
    explorer.get_by_label("temperature", exact=True).focus()
    page.keyboard.press("ArrowLeft")
    explorer.get_by_role("button", name="generate and play").focus()
    page.keyboard.press("Enter")
    chosen = "document.querySelector('.wavenetlike .words').textContent.includes('temperature 0.95')"
    page.wait_for_function(chosen, timeout=GENERATED)
    assert "the frames of «eight», f1, told «bed», temperature 0.95, seed 0" in explorer.locator(".words").inner_text()
    played = "Number(document.querySelector('.wavenetlike').parentElement.dataset.played) > 0.6"
    page.wait_for_function(played, timeout=GENERATED)
    page.screenshot(path=SCREENSHOTS / "words.png")
    assert serious_violations(page) == []
    assert errors(page) == []
