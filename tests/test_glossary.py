"""The glossary: in order, and each word is in the notebooks that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").split("| symbol |")[0].splitlines()
    if re.search(r"\| \d(, \d)* \|$", line)
]


def told(number: str) -> str:
    """All prose of a notebook."""
    (path,) = (ROOT / "notebooks").glob(f"0{number}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown").lower()


def test_words_stand_in_their_order():
    words = [row[0].lower().replace("µ", "m") for row in ROWS]
    assert len(words) > 30
    assert words == sorted(words)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].split(",")[0].replace("µ", "mu").replace(" ", "-"))
def test_a_word_is_in_the_notebooks_that_it_names(row):
    word, sentence, numbers = row
    forms = [re.sub(r"\(p\)$", "(", form.strip().lower()).split()[0].rstrip("s") for form in word.split(",")]
    assert len(sentence) > 20
    for number in numbers.split(", "):
        assert any(form in told(number) for form in forms), f"{word} in notebook {number}"
