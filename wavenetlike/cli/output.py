"""What a command prints, and the files that it may write."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def say(text: str) -> None:
    """Print, with a question mark for what the terminal cannot."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def as_json(content: dict[str, Any]) -> str:
    """One line, in which every number is one that JSON knows."""
    return json.dumps(content, allow_nan=False)


def check_target(name: str | None, *others: str | None) -> None:
    """Refuse a file that could not be written, or that is one of the others, before anything is measured.

    Raises:
        FileNotFoundError: there is no folder for it.
        ValueError: something else stands there, or one of the others.
    """
    if name is None:
        return
    if same := [other for other in others if other and Path(other).resolve() == Path(name).resolve()]:
        raise ValueError(f"{name!r} is also {same[0]!r}, which would be lost; write to another file.")
    path = Path(name)
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r} to write {path.name!r} into; make it first.")
    if path.exists() and not path.is_file():
        raise ValueError(f"{name!r} is no file that can be written anew; name another: try {name + '/report'!r}.")


def check_new(path: Path, force: bool) -> None:
    """Refuse a file that is there, unless it may be written over.

    Raises:
        FileExistsError: it is there.
    """
    if path.exists() and not force:
        raise FileExistsError(
            f"{str(path)!r} is there already; write to another file by --output, or over it by --force."
        )
