"""The documentation: it builds without a warning, holds what it promises, asks nothing of a network, and every link leads somewhere."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import documentation  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
LOADED = {
    "script": "src",
    "img": "src",
    "audio": "src",
    "video": "src",
    "source": "src",
    "iframe": "src",
    "link": "href",
}
"""What a browser fetches by itself, and where that stands."""


@dataclass
class Parsed(HTMLParser):
    """What a page links to and loads, and the places in it."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if given.get(LOADED.get(tag, "")) and given.get("rel") not in ("index", "search", "next", "prev", "canonical"):
            self.loaded.append(given[LOADED[tag]])

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="session")
def site() -> Path:
    """All pages, built as `make docs` does; a warning ends that."""
    return documentation.built()


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Parsed]:
    found = {}
    for path in site.rglob("*.html"):
        found[path] = Parsed()
        found[path].feed(path.read_text(encoding="utf-8"))
    return found


def outside(address: str) -> bool:
    return bool(re.match(r"[a-z]+:|//", address))


def test_every_link_inside_leads_to_a_file_and_a_place_in_it(pages: dict[Path, Parsed]) -> None:
    lost = []
    for path, parsed in pages.items():
        for link in (*parsed.links, *parsed.loaded):
            if not outside(link):
                parts = urlsplit(link)
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                if not target.is_file() or (
                    parts.fragment and unquote(parts.fragment) not in pages[target].ids and target.name != "search.html"
                ):
                    lost.append((path.name, link))
    assert lost == []
    assert sum(len(parsed.links) for parsed in pages.values()) > 1000


def test_links_to_elsewhere_are_whole_and_those_to_this_repository_exist(pages: dict[Path, Parsed]) -> None:
    wrong, here = [], set()
    for path, parsed in pages.items():
        for link in filter(outside, parsed.links):
            parts = urlsplit(link)
            if (
                parts.scheme != "https"
                or not re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc)
                or re.search(r"\s", link)
            ):
                wrong.append((path.name, link))
            if link.startswith(documentation.GITHUB):
                here.add(link.removeprefix(documentation.GITHUB))
    assert wrong == []
    assert here
    for link in here:
        of_files = re.fullmatch(r"/(?:blob|tree)/HEAD/([^#?]+)(?:#.*)?", link)
        assert of_files or re.match(r"/actions/|/issues|/releases$|\.git$|/?$", link), link
        assert not of_files or (ROOT / unquote(of_files[1])).exists(), link


def test_no_page_asks_anything_of_a_network(site: Path, pages: dict[Path, Parsed]) -> None:
    asked = [(path.name, link) for path, parsed in pages.items() for link in parsed.loaded if outside(link)]
    assert [(name, link[:100]) for name, link in asked if not link.startswith("data:")] == []
    for path in site.rglob("*.css"):
        assert not re.search(r"""@import|url\(["']?(?:https?:)?//""", path.read_text(encoding="utf-8")), path.name


def test_the_first_page_has_a_picture_and_a_sound(site: Path, pages: dict[Path, Parsed]) -> None:
    assert any(link.endswith(".png") for link in pages[site / "index.html"].loaded)
    (source,) = [link for link in pages[site / "index.html"].loaded if link.endswith(".flac")]
    sound, rate = soundfile.read(site / source)
    assert rate == 16_000
    assert 1 < len(sound) / rate < 10
    assert 0.5 < np.abs(sound).max() < 1
    assert (site / source).stat().st_size < 100_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_its_page_with_all_that_it_shows(site: Path, pages: dict[Path, Parsed], path: Path) -> None:
    page = site / "notebooks" / f"{path.stem}.html"
    written, parsed = page.read_text(encoding="utf-8"), pages[page]
    assert f"notebooks/{path.stem}.html" in pages[site / "index.html"].links
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    html = "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    for tag in ("<img ", "<audio ", "<table"):
        assert written.count(tag) >= html.count(tag), tag
    text = "".join(parsed.text).replace("’", "'")
    assert not re.search(r"<IPython\.|\b[A-Z]\w+Explorer\b(?!\()|Prediction\(\)|it/s\]|\?(?:step|sample)/s", text)
    for cell in cells:
        for heading in re.findall(
            r"^##+ (.+)", "".join(cell["source"]) if cell["cell_type"] == "markdown" else "", re.MULTILINE
        ):
            assert re.sub(r"[`*]", "", heading) in text


@pytest.mark.parametrize("module", documentation.modules())
def test_every_public_name_has_its_place(site: Path, pages: dict[Path, Parsed], module: str) -> None:
    page = pages[site / "api" / f"{module}.html"]
    given = importlib.import_module(module)
    names = [each.name for each in documentation.public(module)]
    assert set(getattr(given, "__all__", names)) == set(names)
    assert names
    for name in names:
        assert hasattr(given, name), name
        assert f"{module}.{name}" in page.ids, name
    assert f"`{module}`" in (ROOT / "docs" / "api" / "index.md").read_text(encoding="utf-8")


def test_names_of_the_package_lead_to_their_places(site: Path, pages: dict[Path, Parsed]) -> None:
    assert "wavenetlike.layers.html#wavenetlike.layers.Block" in pages[site / "api" / "wavenetlike.html"].links
    assert (
        "../api/wavenetlike.data.html#wavenetlike.data.ar2_process" in pages[site / "teaching" / "formulas.html"].links
    )
    assert "../notebooks/03_toy_wavenet.html" in pages[site / "api" / "wavenetlike.quantize.html"].links


def test_every_page_of_docs_is_there(site: Path) -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        where = documentation.place(path)
        assert where is not None
        assert (site / where.with_suffix(".html")).is_file(), path.name


@pytest.mark.parametrize(
    ("link", "path", "turned"),
    [
        ("[a](../notebooks/03_toy_wavenet.ipynb)", "docs/choosing.md", "[a](notebooks/03_toy_wavenet.ipynb)"),
        ("[a](../../README.md#two-commands)", "docs/teaching/server.md", "[a](../index.md#two-commands)"),
        ("[`a` b](docs/teaching)", "README.md", "[`a` b](teaching/index.md)"),
        ("[a](scripts/handouts.py)", "README.md", f"[a]({documentation.GITHUB}/blob/HEAD/scripts/handouts.py)"),
        ("[a](tests)", "README.md", f"[a]({documentation.GITHUB}/tree/HEAD/tests)"),
        (f"[a]({documentation.GITHUB}/blob/HEAD/docs/glossary.md)", "notebooks/03_toy_wavenet.ipynb", "[a](../glossary.md)"),
        ("[a](https://arxiv.org/abs/1609.03499)", "README.md", "[a](https://arxiv.org/abs/1609.03499)"),
        ("`[a](README.md)` and `x[a](b)`", "docs/choosing.md", "`[a](README.md)` and `x[a](b)`"),
        (
            "[a](exercises/release/03_toy_wavenet/exercises.ipynb)",
            "notebooks/03_toy_wavenet.ipynb",
            "{download}`a <exercises/release/03_toy_wavenet/exercises.ipynb>`",
        ),
    ],
)  # fmt: skip
def test_links_are_turned(link: str, path: str, turned: str) -> None:
    assert documentation.page(link, ROOT / path) == turned


def test_a_chart_becomes_a_list() -> None:
    chart = '```mermaid\nflowchart LR\n    accTitle: Ways\n    a["one"] --> b{"two?"}\n    b -- yes --> c["three"]\n    b -- no --> d["four"]\n```'
    assert (
        documentation.page(chart, ROOT / "README.md") == "*Ways:*\n\n- one\n  - two?\n    - yes: three\n    - no: four"
    )


def test_a_warning_ends_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gather(folder: Path) -> None:
        folder.mkdir()
        (folder / "conf.py").write_text("extensions = ['myst_nb']")
        (folder / "index.md").write_text("# A page\n\n[lost](nowhere.md)\n")

    monkeypatch.setattr(documentation, "gather", gather)
    with pytest.raises(subprocess.CalledProcessError):
        documentation.build(tmp_path / "docs")
