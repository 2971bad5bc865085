"""From key press to changed picture, for every explorer, in JupyterLab with Chromium.

    python benchmarks/widgets.py [--moves 60]

Prints, in milliseconds: the key press to the change of the page (median and 95%), to the frame that shows it, and, after
twenty keys in a quick row, the last key to the last change. Then frames in which the picture was empty, and frames in which the
page had jumped. Needs Chromium or Chrome.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from lab import CHROMIUM, chromium, jupyterlab, notebook, run_all

EXPLORERS = {
    "dilations": ("explore_dilations()", "input[type=range] >> nth=1", ["ArrowRight"] * 4 + ["ArrowLeft"] * 4),
    "plane": ("explore_plane(least_ms=10, most_gamma=9000)", ".keyed >> nth=0", ["ArrowRight"] * 4 + ["ArrowLeft"] * 4),
    "profile": ("explore_profile()", "select >> nth=0", ["ArrowDown"] * 3 + ["ArrowUp"] * 3),
    "AR(2)": ("explore_ar2()", "input[type=range] >> nth=0", ["ArrowRight"] * 4 + ["ArrowLeft"] * 4),
    "quantization": ("explore_quantization()", "input[type=range] >> nth=0", ["ArrowRight"] * 6 + ["ArrowLeft"] * 6),
}
WATCH = """explorer => {
    const picture = explorer.querySelector('.picture'), marks = () => picture.querySelectorAll('svg path[d]:not([d=""])').length;
    const top = () => [explorer.getBoundingClientRect().top, explorer.getBoundingClientRect().height];
    const seen = window.seen = { keys: [], changes: [], frames: [], empty: 0, jumps: 0 };
    const [before, height] = top();
    let waiting = null;
    addEventListener('keydown', event => { waiting = event.timeStamp; seen.keys.push(waiting); }, true);
    new MutationObserver(() => {
        const now = performance.now();
        seen.last = now;
        if (waiting === null) return;
        const key = waiting;
        waiting = null;
        seen.changes.push(now - key);
        requestAnimationFrame(() => { const channel = new MessageChannel(); channel.port1.onmessage = () => seen.frames.push(performance.now() - key); channel.port2.postMessage(0); });
    }).observe(picture, { subtree: true, attributes: true, attributeFilter: ['d'] });
    const look = () => {
        if (marks() === 0) seen.empty += 1;
        const [now, high] = top();
        if (Math.abs(now - before) > 1 || Math.abs(high - height) > 1) seen.jumps += 1;
        requestAnimationFrame(look);
    };
    look();
}"""


def measure(page: Any, control: str, keys: list[str], moves: int) -> dict[str, Any]:
    """What the page noted while keys were pressed."""
    explorer = page.locator(".wavenetlike").first
    explorer.scroll_into_view_if_needed()
    explorer.locator(control).focus()
    page.wait_for_timeout(2500)
    explorer.evaluate(WATCH)
    for i in range(moves):
        page.keyboard.press(keys[i % len(keys)])
        page.wait_for_timeout(120)
    alone = page.evaluate("({...seen, changes: [...seen.changes], frames: [...seen.frames]})")
    trailing = []
    for _ in range(5):
        for i in range(20):
            page.keyboard.press(keys[i % len(keys)])
        page.wait_for_timeout(1500)
        trailing.append(page.evaluate("seen.last - seen.keys.at(-1)"))
    return alone | {"trailing": trailing, **page.evaluate("({empty: seen.empty, jumps: seen.jumps})")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=60)
    moves = parser.parse_args().moves
    if CHROMIUM is None:
        sys.exit(
            "There is neither Chromium nor Chrome on the PATH; install one, for example with apt-get install chromium."
        )
    print("explorer       key to change   to the frame    20 keys: last key to last change   empty frames   jumps")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "notebooks").mkdir()
        with jupyterlab(home / "notebooks", home / "home") as address, chromium() as page:
            for name, (source, control, keys) in EXPLORERS.items():
                path = notebook(home / "notebooks" / f"{len(name)}.ipynb", "from wavenetlike.explore import *", source)
                run_all(page, address, path.name)
                page.locator(".wavenetlike svg").first.wait_for()
                found = measure(page, control, keys, moves)
                changes, frames = np.array(found["changes"]), np.array(found["frames"])
                print(
                    f"{name:12}  {np.median(changes):6.1f} / {np.quantile(changes, 0.95):5.1f}  {np.median(frames):6.1f} / {np.quantile(frames, 0.95):5.1f}"
                    f"  {max(found['trailing']):10.1f} at most of {len(found['trailing'])}  {found['empty']:12}  {found['jumps']:12}   ({len(changes)} of {moves} keys changed it)"
                )


if __name__ == "__main__":
    main()
