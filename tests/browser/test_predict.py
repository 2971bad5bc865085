"""A prediction in JupyterLab: kept by keyboard alone, shown beside what came out, and still there after the kernel has gone."""

from __future__ import annotations

from pathlib import Path

from lab import IDLE, TOKEN, errors, notebook, serious_violations
from playwright.sync_api import Locator, Page, expect

from conftest import SCREENSHOTS

CELLS = [
    "from wavenetlike.explore import predict",
    "choice = predict('9.1', 'How far off is the estimate?', ['0.001', '0.01', '0.1'])\nchoice",
    "words = predict('9.2', 'Which weights stand in the kernel?')\nwords",
    "choice.look(f'{0.0866:.2f}')",
    "words.look('(b, a)')",
]
HERE = ".jp-NotebookPanel:not(.lm-mod-hidden) "
REVEALING = 3


def run(page: Page, which: str) -> None:
    """Run the cells above the first one that reveals something, or from there on."""
    page.evaluate(f"jupyterapp.shell.currentWidget.content.activeCellIndex = {REVEALING}")
    page.evaluate(f"jupyterapp.commands.execute('notebook:run-all-{which}')")
    page.wait_for_function(IDLE)
    assert errors(page) == []


def are_beside(widget: Locator) -> bool:
    left, right = (widget.locator("dd").nth(i).bounding_box() for i in range(2))
    return left["y"] == right["y"] and left["x"] + left["width"] < right["x"]


def test_a_prediction_is_kept_by_keyboard_and_outlives_the_kernel(page: Page, lab: str, folder: Path) -> None:
    path = notebook(folder / "predictions.ipynb", *CELLS)
    page.goto(f"{lab}/lab/workspaces/{path.stem}/tree/{path.name}?token={TOKEN}&reset")
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)")
    page.wait_for_function("jupyterapp.shell.currentWidget?.sessionContext?.isReady")
    run(page, "above")
    choice, words = (page.locator(f"{HERE}.wavenetlike").nth(i) for i in range(2))
    first = choice.get_by_role("radio", name="0.001")
    field = words.get_by_role("textbox", name="Which weights stand in the kernel?")
    expect(choice.get_by_role("group", name="How far off is the estimate?")).to_be_visible()
    expect(choice.get_by_role("status")).to_have_text("No prediction is kept yet.")
    expect(page.locator(f"{HERE}:text('Where no button is shown'):visible")).to_have_count(0)

    first.focus()
    page.keyboard.press("Enter")  # nothing is chosen yet
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(choice.get_by_role("status")).to_have_text("Kept on this machine: 0.01")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # on the button
    expect(choice.get_by_role("status")).to_have_text("Kept on this machine: 0.1")
    field.focus()
    page.keyboard.press("Enter")  # nothing is written yet
    page.keyboard.type("first <b>, then a")
    page.keyboard.press("Enter")
    expect(words.get_by_role("status")).to_have_text("Kept on this machine: first <b>, then a")
    assert field.evaluate("field => document.activeElement === field"), "JupyterLab took the keys"

    run(page, "below")
    expect(choice.locator("dd")).to_have_text(["0.1", "0.09"])
    expect(words.locator("dd")).to_have_text(["first <b>, then a", "(b, a)"])
    printed = page.locator(f"{HERE}[data-mime-type='application/vnd.jupyter.stdout']")
    expect(printed.first).to_have_text("you predicted: 0.1   it came out: 0.09", use_inner_text=True)
    assert are_beside(choice)
    assert are_beside(words)
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
        page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light", arg=str("Light" in theme).lower()
        )
        page.locator("#jupyterlab-splash").wait_for(state="detached")
        page.screenshot(path=SCREENSHOTS / f"predict, {theme}.png")
        assert serious_violations(page) == []

    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    run(page, "above")
    expect(choice.get_by_role("radio", name="0.1", exact=True)).to_be_checked()
    expect(choice.get_by_role("status")).to_have_text("Kept on this machine: 0.1")
    expect(field).to_have_value("first <b>, then a")
    expect(words.locator("dd")).to_have_text(["first <b>, then a", "(b, a)"])
    first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(choice.get_by_role("status")).to_have_text("Kept on this machine, as made after looking: 0.001")
