"""Tables: every cell is there, columns line up, and nothing in a cell is taken for HTML."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from wavenetlike.tables import table_html, table_lines

CELL = st.text(st.characters(min_codepoint=32, max_codepoint=0x3FF), max_size=12)
TABLE = st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=6))


@given(TABLE, st.integers(0, 5))
def test_lines_are_equally_long_and_cells_stand_in_their_columns(rows, left):
    columns, *body = rows
    lines = table_lines(columns, body, left)
    assert len(lines) == len(rows)
    if left < len(columns):
        assert len({len(line) for line in lines}) == 1
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    for row, line in zip(rows, lines, strict=True):
        start = 0
        for i, (text, width) in enumerate(zip(row, widths, strict=True)):
            if i == len(row) - 1 and left == len(row):
                assert line[start:] == text
                break
            cell = line[start : start + width]
            assert cell == (text + " " * (width - len(text)) if i < left else " " * (width - len(text)) + text)
            start += width + 2


@given(TABLE, CELL)
def test_html_holds_every_cell_as_text_under_headers(rows, caption):
    columns, *body = rows
    root = ElementTree.fromstring(table_html(columns, body, caption))
    assert (root.findtext("caption") or "") == caption
    assert [cell.text or "" for cell in root.findall("thead/tr/th")] == columns
    assert all(cell.get("scope") == "col" for cell in root.findall("thead/tr/th"))
    for row, line in zip(body, root.findall("tbody/tr"), strict=True):
        assert [cell.text or "" for cell in line] == row
        assert [cell.tag for cell in line] == ["th", *["td"] * (len(row) - 1)]
