"""Rows in, a table out: as the lines of a terminal, and as HTML with a caption and headers. Every report prints by it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

Row = Sequence[str]


def table_lines(columns: Row, rows: Iterable[Row], left: int = 1) -> list[str]:
    """A table as lines of text, the first ``left`` columns aligned left, the others right; nothing is put behind the last one."""
    every = [columns, *rows]
    widths = [max(len(row[i]) for row in every) for i in range(len(columns))]
    if left == len(widths):
        widths[-1] = 0
    return [
        "  ".join(
            text.ljust(width) if i < left else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in every
    ]


def table_html(columns: Row, rows: Iterable[Row], caption: str) -> str:
    """The same as HTML, the first cell of each row its header; any text may stand in it."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{html.escape(first)}</th>{"".join(f"<td>{html.escape(text)}</td>" for text in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
