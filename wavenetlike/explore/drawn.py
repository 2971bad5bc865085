"""What every explorer is: a widget that is drawn in the page from its traits, and a picture where no page answers."""

from __future__ import annotations

import functools
import html
import json
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import ipywidgets as widgets
from IPython.display import DisplayHandle, display

from wavenetlike.plots import Picture

SAMPLE_RATES = [8000, 16000, 22050, 44100, 48000]
PAGE = Path(__file__).parent / "page"


@functools.cache
def source(*names: str) -> str:
    """Files of ``page/``, one after the other."""
    return "\n".join((PAGE / name).read_text(encoding="utf-8") for name in names)


class Kept(widgets.DOMWidget):
    """A widget that the notebook keeps as a picture, too, for where no widget is drawn: GitHub, exports, a kernel that is gone.

    The picture is an output of its own, under the widget, and hidden where that is alive: so it can be put in place of an
    older one while somebody uses the widget.
    """

    def __init__(self, **traits: Any):
        self._kept: list[DisplayHandle] = []
        super().__init__(**traits)

    def picture(self) -> Picture:
        """What is shown now, as a figure."""
        raise NotImplementedError

    def words(self) -> str:
        """What is said under the picture."""
        return ""

    def alive(self) -> str:
        """JavaScript: a function that draws into an element without a kernel, or null."""
        return "null"

    def _bundle(self) -> dict[str, str]:
        picture = self.picture()
        words = f"<p>{html.escape(self.words())}</p>" if self.words() else ""
        script = source("kept.js").replace("/* DRAW */", self.alive())
        return {
            "text/plain": repr(picture),
            "text/html": f"<div>{picture._repr_html_()}{words}</div><script>{script}</script>",
        }

    def _ipython_display_(self) -> None:
        bundle = self._repr_mimebundle_()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        display({**(data or {}), "text/plain": type(self).__name__, "text/html": ""}, metadata=metadata, raw=True)
        self._kept.append(display(self._bundle(), raw=True, display_id=True))

    def keep(self) -> None:
        """Put what is shown now in place of the picture that the notebook keeps."""
        if self._kept:
            bundle = self._bundle()
            for handle in self._kept:
                handle.update(bundle, raw=True)


class Drawn(anywidget.AnyWidget, Kept):
    """A widget whose picture the page draws from its traits: no picture has to be sent, and a key is answered at once.

    Where scripts run but no kernel does (HTML exports, documentation), the drawing takes the place of the picture, if the
    page needs no kernel to go on.
    """

    _css = source("page.css")
    needs_kernel: ClassVar[bool] = False
    """Whether only the kernel can say what follows from another choice."""

    def __init__(self, **traits: Any):
        super().__init__(**traits)
        self.on_msg(self._rest)

    def _rest(self, _widget: object, content: Any, _buffers: object) -> None:
        """The page says so when nothing has been changed for a while."""
        if content.get("kind") == "rest":
            self.keep()

    def alive(self) -> str:
        if self.needs_kernel:
            return super().alive()
        own = set(self.trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names())
        state = {name: getattr(self, name) for name in sorted(own) if not name.startswith("_")}
        script = source("standalone.js").replace("/* EXPLORER */", self._esm.replace("export default", "return"))
        # Within a script element only its own end tag has a meaning.
        values, style = (
            json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
            for value in (state, self._css)
        )
        return script.replace("/* STATE */", values).replace("/* STYLE */", style)
