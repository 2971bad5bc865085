"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def durably(path: Path, content: bytes) -> None:
    """Write a file so that after any interruption there is the old one or the new one, on the disk itself."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
