"""The explorers in JupyterLab: every control by keyboard, numbers that are those of `analysis`, and nothing that shuts anyone out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import stack_config
from lab import IDLE, errors, notebook, run_all, serious_violations
from playwright.sync_api import Locator, Page

from conftest import SCREENSHOTS
from wavenetlike import Block, WaveNet, WaveNetConfig, analysis, pretrained
from wavenetlike.data import bundled_clips, largest_root, signal_to_noise
from wavenetlike.quantize import MuLaw

SETTLED = 3000
"""Milliseconds after which nothing can be on its way, on a busy machine either."""
EXPLORERS = [
    "explore_dilations",
    "explore_plane",
    "explore_profile",
    "explore_ar2",
    "explore_quantization",
    "explore_scaling",
]


@pytest.fixture
def explorer(page: Page, lab: str, folder: Path) -> Callable[..., Locator]:
    """Shows what a line of code gives, in a notebook of its own."""

    def show(source: str) -> Locator:
        name = re.sub(r"\W", "", source)[:30] + ".ipynb"
        notebook(folder / name, "import torch\nfrom wavenetlike.explore import *", f"shown = {source}\nshown")
        run_all(page, lab, name)
        assert errors(page) == []
        found = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .wavenetlike").first
        found.locator("svg").first.wait_for()
        found.scroll_into_view_if_needed()
        return found

    return show


def drawn(explorer: Locator) -> str:
    """All that is drawn, as the page holds it."""
    return explorer.evaluate("explorer => [...explorer.querySelectorAll('svg')].map(svg => svg.innerHTML).join()")


def words(explorer: Locator) -> str:
    return explorer.locator(".words").inner_text()


def number(text: str, before: str, after: str = "") -> float:
    """The number that stands in ``text`` between ``before`` and ``after``."""
    found = re.search(re.escape(before) + r"(-?[\d,]+(?:\.\d+)?)" + re.escape(after), text)
    assert found, f"no number between {before!r} and {after!r} in {text!r}"
    return float(found[1].replace(",", ""))


def wait_for_another(read: Callable[[], str], before: str) -> str:
    deadline = time.monotonic() + 20
    while (now := read()) == before:
        assert time.monotonic() < deadline, "it stays the same"
        time.sleep(0.02)
    return now


def settled(page: Page, explorer: Locator) -> str:
    """What is drawn and said when the kernel rests and nothing has changed for three seconds, however long that takes on a slow machine."""
    now, since, deadline = "", time.monotonic(), time.monotonic() + 60
    while time.monotonic() - since < SETTLED / 1000:
        assert time.monotonic() < deadline, "it does not come to rest"
        before, now = now, drawn(explorer) + words(explorer)
        if now != before or not page.evaluate(IDLE):
            since = time.monotonic()
        page.wait_for_timeout(100)
    return now


def press(explorer: Locator, control: Locator, key: str) -> None:
    """A key on a control, after which picture or words are others."""

    def both() -> str:
        return drawn(explorer) + words(explorer)

    before = both()
    control.focus()
    control.press(key)
    wait_for_another(both, before)


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_is_moved_by_keyboard(page: Page, explorer: Callable[..., Locator], name: str) -> None:
    shown = explorer(f"{name}()")
    controls = shown.locator("input[type=range], select, input[type=number], [role=application]")
    assert controls.count() > 1
    for i in range(controls.count()):
        control = controls.nth(i)
        kind = control.evaluate("control => control.type ?? control.getAttribute('role')")
        control.focus()
        if kind == "number":
            press(shown, control, "5")
            press(shown, control, "Backspace")
        elif kind == "select-one":
            press(shown, control, "ArrowDown")
        else:
            press(shown, control, "ArrowRight")
        ring = control.evaluate("control => getComputedStyle(control).outlineStyle")
        assert ring not in ("none", "hidden"), f"control {i} does not show that it has the focus"
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
    assert errors(page) == []


def expected_words(config: WaveNetConfig, sample_rate: int) -> dict[tuple[str, str], float]:
    """Numbers that an explorer of stacks has to show, from a model that was built, by what stands around them."""
    model = WaveNet(config)
    field = analysis.receptive_field(model)
    weights = sum(p.numel() for name, p in model.named_parameters() if p.dim() > 1 and "embedding" not in name)
    return {
        ("Δ = ", " samples"): field,
        (" = ", " ms"): pytest.approx(1000 * field / sample_rate, abs=0.05),
        ("depth ", ";"): analysis.depth(model),
        ("; ", " parameters;"): analysis.parameters(model),
        ("γ = ", " parameters"): pytest.approx(analysis.gamma(model), abs=0.56),
        ("; ", " million"): pytest.approx(weights * sample_rate / 1e6, abs=0.5),
    }


@pytest.mark.parametrize("name", ["explore_dilations", "explore_plane"])
def test_numbers_of_stacks_are_those_of_analysis(page: Page, explorer: Callable[..., Locator], name: str) -> None:
    shown = explorer(f"{name}(3, 4, 2, 2, channels=16)")
    for (before, after), value in expected_words(stack_config(3, 4, 2, 2, 16), 16000).items():
        assert number(words(shown), before, after) == value, words(shown)
    shown.get_by_label("channels").select_option("8")
    shown.get_by_label("sample rate (Hz)").select_option("48,000")
    for (before, after), value in expected_words(stack_config(3, 4, 2, 2, 8), 48000).items():
        assert number(words(shown), before, after) == value, words(shown)


def test_sliders_of_a_stack_say_what_analysis_does(page: Page, explorer: Callable[..., Locator]) -> None:
    shown = explorer("explore_dilations(1, 1, 1, 1, channels=4)")
    chosen = {"kernel length (taps)": 1, "layers per block": 1, "blocks": 1, "dilation rate": 1}
    for label, presses in (("layers per block", 11), ("kernel length (taps)", 1), ("dilation rate", 3), ("blocks", 4)):
        slider = shown.get_by_label(label, exact=True)
        slider.focus()
        for _ in range(presses):
            slider.press("ArrowUp")
            chosen[label] += 1
            config = stack_config(
                chosen["kernel length (taps)"], chosen["layers per block"], chosen["blocks"], chosen["dilation rate"], 4
            )
            assert number(words(shown), "Δ = ") == config.receptive_field
            assert slider.get_attribute("aria-valuetext") == str(chosen[label])
    assert slider.evaluate("slider => document.activeElement === slider"), "JupyterLab took the keys"


def test_a_node_of_the_tree_says_what_it_sees(page: Page, explorer: Callable[..., Locator]) -> None:
    shown = explorer("explore_dilations(2, 3, 2, 2)")
    tree = shown.locator("[role=application]")
    detail = shown.locator(".detail")
    tree.focus()
    tree.press("ArrowRight")
    assert "Layer 6 (block 2, dilation 4), now" in detail.inner_text()
    assert number(detail.inner_text(), "over ") == 15
    # One block of 1 + 2 + 4 samples before the newest, and what has been added of the next.
    for row, so_far in ((5, 11), (4, 9), (3, Block(3, 2, 2).receptive_field), (2, 4)):
        tree.press("ArrowDown")
        assert f"Layer {row} " in detail.inner_text()
        assert number(detail.inner_text(), "over ") == so_far
    tree.press("ArrowLeft")
    assert number(detail.inner_text(), "), ", " sample") > 0
    tree.press("Escape")
    assert "Point at a node" in detail.inner_text()
    box = tree.locator("svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.979, box["y"] + box["height"] * 0.053)
    assert "Layer 6" in detail.inner_text()


def test_a_point_of_the_plane_is_chosen(page: Page, explorer: Callable[..., Locator]) -> None:
    shown = explorer("explore_plane(2, 5, 2, 2)")
    plane, tree = shown.locator("[role=application]").nth(0), shown.locator("[role=application]").nth(1)
    before = number(words(shown), "Δ = ")
    plane.focus()
    plane.press("ArrowRight")
    after = number(words(shown), "Δ = ")
    assert after > before
    assert f"up to {int(after) - 1} sample" in tree.get_attribute("aria-label")
    price = number(words(shown), "γ = ")
    plane.press("ArrowUp")
    assert number(words(shown), "γ = ") > price
    box = plane.locator("svg").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.4)
    assert number(words(shown), "Δ = ") > 100 * after


def test_what_is_wanted_is_counted_and_marked(page: Page, explorer: Callable[..., Locator]) -> None:
    shown = explorer("explore_plane(channels=8)")
    assert "wanted" not in words(shown)
    shown.get_by_label("wanted: Δ at least (ms)").fill("100")
    shown.get_by_label("wanted: γ at most (parameters per layer)").fill("1500")
    shown.get_by_label("wanted: parameters at most").fill("20000")
    shapes = [(k, n, b, r) for k in range(1, 6) for n in range(1, 13) for b in range(1, 6) for r in range(1, 5)]
    configs = [stack_config(*shape, 8) for shape in shapes]
    good = [c for c in configs if c.receptive_field >= 1600 and c.gamma <= 1500 and c.parameters <= 20000]
    assert 0 < len(good) < len(configs)
    assert number(words(shown), "audio. ", " of 1,200 stacks have what is wanted") == len(good)
    assert shown.locator("path.good").get_attribute("d").count("M") == len(good)
    assert shown.locator("rect.shade").get_attribute("width") != "0"
    shown.get_by_label("wanted: parameters at most").fill("")
    more = [c for c in configs if c.receptive_field >= 1600 and c.gamma <= 1500]
    assert number(words(shown), "audio. ", " of 1,200 stacks have what is wanted") == len(more) > len(good)


def test_profiles_are_those_that_are_measured(page: Page, explorer: Callable[..., Locator]) -> None:
    shown = explorer("explore_profile()")
    field = analysis.measure_receptive_field(pretrained("toy"))
    assert number(words(shown), "toy WaveNet, trained: Δ = ") == field.delta == 3070
    assert number(words(shown), "within the newest ") == field.effective_delta(0.95)
    picture = shown.locator("[role=application]")
    picture.focus()
    strength = field.by_lag(field.delta)
    for lag in range(3):
        picture.press("ArrowRight")
        detail = shown.locator(".detail").inner_text()
        assert f"Lag {lag} " in detail
        assert float(re.search(r"ms\): ([\d.e+-]+),", detail)[1]) == pytest.approx(float(strength[lag]), rel=0.006)
    shown.get_by_label("model").select_option("plain stack, 10 layers")
    assert "plain stack, 10 layers: Δ = 11 samples" in words(shown)


def test_ar2_follows_keys_and_the_pointer(page: Page, explorer: Callable[..., Locator]) -> None:
    shown = explorer("explore_ar2(0.5, -0.3)")
    assert number(words(shown), "fades to ") == pytest.approx(largest_root(0.5, -0.3), abs=6e-4)
    plane = shown.locator("[role=application]")
    text = words(shown)
    plane.focus()
    plane.press("ArrowUp")
    text = wait_for_another(lambda: words(shown), text)
    assert number(text, "fades to ") == pytest.approx(largest_root(0.5, -0.25), abs=6e-4)
    point = shown.locator("circle.point").bounding_box()
    x, y = point["x"] + point["width"] / 2, point["y"] + point["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y - 60, steps=10)
    page.mouse.up()
    wait_for_another(lambda: str("Outside" in words(shown)), "False")
    assert shown.get_by_label("a (weight of the last sample)").input_value() > "0.5"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("explore_dilations", "layers per block"),
        ("explore_ar2", "a (weight of the last sample)"),
        ("explore_quantization", "levels (µ + 1)"),
        ("explore_scaling", "windows a step, over all"),
    ],
)
def test_twenty_keys_in_a_row_end_where_the_last_one_leads(
    page: Page, explorer: Callable[..., Locator], name: str, label: str
) -> None:
    shown = explorer(f"{name}()")
    slider = shown.get_by_label(label)
    slider.focus()
    slider.press("Home")
    settled(page, shown)
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    value = slider.input_value()
    quick = settled(page, shown)
    page.keyboard.press("ArrowLeft")
    assert settled(page, shown) != quick
    page.keyboard.press("ArrowRight")
    again = settled(page, shown)
    assert slider.input_value() == value
    assert again == quick


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("name", EXPLORERS)
def test_axe_finds_nothing_serious(page: Page, explorer: Callable[..., Locator], name: str, theme: str) -> None:
    explorer(f"{name}()")
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.wait_for_function("light => document.body.dataset.jpThemeLight === light", arg=str("Light" in theme).lower())
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    found = serious_violations(page)
    page.screenshot(path=SCREENSHOTS / f"{name}, {theme}.png")
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' })")
    assert found == []


def upload(page: Page, *paths: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="upload your own").click()
    chooser.value.set_files(paths)


def test_an_upload_is_drawn_played_and_reported(page: Page, explorer: Callable[..., Locator], tmp_path: Path) -> None:
    seconds = np.arange(44100) / 44100
    both = np.stack([0.5 * np.sin(2 * np.pi * 440 * seconds), 0.3 * np.sin(2 * np.pi * 660 * seconds)], axis=1)
    mine, bad = tmp_path / "my voice, größer.wav", tmp_path / "no sound.wav"
    soundfile.write(mine, both, 44100)
    bad.write_text("this is a text")
    shown = explorer("explore_quantization()")
    waveform = bundled_clips(20)[0][0]
    decoded = MuLaw(10).decode(MuLaw(10).encode(waveform))
    assert number(words(shown), "ratio ", " dB") == pytest.approx(signal_to_noise(waveform, decoded), abs=0.06)
    clips = shown.get_by_label("clip")
    before, choices = drawn(shown), clips.locator("option").all_inner_texts()
    assert len(choices) == 20
    sounds = shown.locator("audio")
    heard = [sounds.nth(i).get_attribute("src") for i in range(2)]
    upload(page, bad)
    page.get_by_role("alert").filter(has_text="no sound.wav").wait_for()
    assert clips.locator("option").all_inner_texts() == choices
    upload(page, mine, bad)
    page.get_by_text("2 channels averaged, 44,100 Hz → 16,000 Hz").wait_for()
    assert page.get_by_text("refused: it is not audio").is_visible()
    clips.locator("option", has_text="my voice, größer").wait_for(state="attached")
    assert clips.locator("option").count() == 1
    wait_for_another(lambda: drawn(shown), before)
    assert "10 levels" in words(shown)
    after = [sounds.nth(i).get_attribute("src") for i in range(2)]
    assert after[0] != heard[0]
    press(shown, shown.get_by_label("levels (µ + 1)"), "ArrowRight")
    assert "11 levels" in words(shown)
    length = "sound => new Promise(done => { sound.readyState ? done(sound.duration) : sound.onloadedmetadata = () => done(sound.duration) })"
    assert [sounds.nth(i).evaluate(length) for i in range(2)] == [pytest.approx(1, abs=0.01)] * 2
    assert errors(page) == []
    page.screenshot(path=SCREENSHOTS / "uploaded.png")


def test_the_kernel_moves_the_page(page: Page, lab: str, folder: Path) -> None:
    notebook(
        folder / "kernel.ipynb",
        "from wavenetlike.explore import *",
        "shown = explore_dilations()\nshown",
        "shown.n_layers = 7",
    )
    run_all(page, lab, "kernel.ipynb")
    shown = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .wavenetlike").first
    shown.get_by_text("depth 14;").wait_for()
    assert shown.get_by_label("layers per block").input_value() == "7"


WATCH = """explorer => {
    const cell = explorer.closest('.jp-Cell'), height = cell.getBoundingClientRect().height;
    window.frames_ = { empty: 0, jumps: 0, looked: 0 };
    const look = () => {
        frames_.looked += 1;
        if (!explorer.isConnected || !explorer.querySelector('svg path.lit[d^=M]')) frames_.empty += 1;
        if (Math.abs(cell.getBoundingClientRect().height - height) > 1) frames_.jumps += 1;
        requestAnimationFrame(look);
    };
    look();
}"""
KEPT = "jupyterapp.shell.currentWidget.model.sharedModel.cells[1].getOutputs()[1].data['text/html'].toString()"


def test_the_notebook_keeps_the_last_state_without_a_flicker(page: Page, explorer: Callable[..., Locator]) -> None:
    shown = explorer("explore_dilations()")
    page.wait_for_timeout(SETTLED)
    shown.evaluate(WATCH)
    slider = shown.get_by_label("layers per block")
    slider.focus()
    for layers in (6, 7, 8):
        page.keyboard.press("ArrowRight")
        delta = stack_config(2, layers, 2, 2, 32).receptive_field
        page.wait_for_function(f"{KEPT}.includes('at Δ = {delta},')", timeout=10_000)
    page.wait_for_timeout(SETTLED)
    seen = page.evaluate("frames_")
    assert seen["looked"] > 100
    assert (seen["empty"], seen["jumps"]) == (0, 0)
    assert slider.input_value() == "8"


def test_shortcuts_of_jupyterlab_work_with_the_focus_in_an_explorer(
    page: Page, explorer: Callable[..., Locator]
) -> None:
    shown = explorer("explore_dilations()")
    slider = shown.get_by_label("layers per block")
    press(shown, slider, "ArrowRight")
    assert page.evaluate("jupyterapp.shell.currentWidget.context.model.dirty")
    page.keyboard.press("Control+s")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty", timeout=10_000)


def test_what_cannot_be_wanted_says_so_and_goes_when_it_is_left(page: Page, explorer: Callable[..., Locator]) -> None:
    shown = explorer("explore_plane(least_ms=100)")
    before = words(shown)
    field = shown.get_by_label("wanted: Δ at least (ms)")
    for junk in ("-5", "--"):
        field.focus()
        page.keyboard.press("Control+a")
        page.keyboard.type(junk)
        assert shown.get_by_role("alert").filter(has_text="not used").is_visible()
        assert field.get_attribute("aria-invalid") == "true"
        field.press("Tab")
        page.wait_for_function("field => field.value === '100'", arg=field.element_handle())
        assert shown.get_by_role("alert").filter(has_text="not used").count() == 0
        assert words(shown) == before


def test_explorers_fit_into_a_narrow_window(page: Page, explorer: Callable[..., Locator]) -> None:
    shown = explorer("explore_ar2()")
    try:
        page.set_viewport_size({"width": 620, "height": 900})
        page.wait_for_timeout(500)
        wide = "explorer => { const area = explorer.closest('.jp-OutputArea-output'); return area.scrollWidth - area.clientWidth; }"
        assert shown.evaluate(wide) <= 1
        page.screenshot(path=SCREENSHOTS / "narrow.png")
    finally:
        page.set_viewport_size({"width": 1300, "height": 1000})


@pytest.mark.parametrize("name", ["explore_ar2", "explore_quantization"])
def test_a_kernel_that_is_gone_is_said_to_be(page: Page, explorer: Callable[..., Locator], name: str) -> None:
    shown = explorer(f"{name}()")
    slider = shown.locator("input[type=range]").first
    press(shown, slider, "ArrowRight")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.wait_for_timeout(1000)
    slider.press("ArrowRight")
    shown.locator(".words").filter(has_text="The kernel does not answer").wait_for(timeout=10_000)
