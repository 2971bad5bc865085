"""What every picture is made of: a figure with an alternative text, its colours, and panels beside or under one another."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import numpy as np
from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by the colour-blind too.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#767676"


class Picture(Figure):
    """A matplotlib figure with an alternative text, kept out of pyplot's global list so that none leaks.

    Notebooks show it as an image with that text; it can be saved and changed like any figure.
    """

    alt: str = ""

    def png(self, compress_level: int = 6) -> bytes:
        """The picture as a PNG file."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", pil_kwargs={"compress_level": compress_level})
        return buffer.getvalue()

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png()).decode()
        return f'<img src="data:image/png;base64,{data}" alt="{html.escape(self.alt)}" style="max-width: 100%">'


def drawn(
    alt: str, columns: int = 1, rows: int = 1, height: float = 2.6, width: float = 8.0, **options: Any
) -> tuple[Picture, Any]:
    """A picture with that text, and its panels beside one another, in so many rows."""
    picture = Picture(figsize=(width, height), dpi=90, layout="constrained")
    picture.alt = alt
    axes = picture.subplots(rows, columns, **options)
    for ax in np.ravel(axes):
        ax.spines[["top", "right"]].set_visible(False)
    return picture, axes


def rows(alt: str, n: int, height: float, **options: Any) -> tuple[Picture, Any]:
    """A picture with that text, and its panels under one another over one axis."""
    picture, axes = drawn(alt, rows=n, height=0.3 + height * n, sharex=True, squeeze=False, **options)
    return picture, axes[:, 0]
