"""One JupyterLab and one Chromium for all of these tests; screenshots go to a folder that git ignores."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import CHROMIUM, NOTEBOOKS, chromium, jupyterlab
from playwright.sync_api import Page

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    own = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in own:
        if CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="needs Chromium or Chrome on the PATH"))
        # What shares a server or a build stays together; notebooks, which take the longest, are taken one by one.
        alone = item.path.stem == "test_notebooks"
        item.add_marker(pytest.mark.xdist_group(item.name if alone else item.path.stem))
    items.sort(key=lambda item: item.path.stem != "test_notebooks")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What JupyterLab shows: copies of the notebooks, and what a test puts beside them."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    return folder


@pytest.fixture(scope="session")
def lab(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab."""
    with jupyterlab(folder, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    SCREENSHOTS.mkdir(exist_ok=True)
    with chromium() as page:
        yield page
