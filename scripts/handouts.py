"""Makes of the notebooks what a teacher shows and hands out: slides, and the sheet of formulas. Each file holds all that it needs, and opens without a network.

    python scripts/handouts.py [--output build/handouts] [notebooks/01_ar2_weight_recovery.ipynb ...]

What becomes a slide follows from what a notebook is made of, so that notebooks say nothing of slides:

- a ``## `` heading begins a slide to the right of the last one, with the first sentences and the first formula below it;
- below that follows a slide each for every other formula, table and list, for a drawing in letters, and for a question that
  begins "Predict, then look", whose answer appears with a further key;
- so does every picture, sound or table that a cell left, an explorer's stored picture, too, with its code if that is short;
- all other prose, and what cells print, are the speaker's notes.

The keys right and left go through all slides, Esc shows many at once, S opens a window with the notes.
"""

from __future__ import annotations

import argparse
import html
import os
import re
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from nbconvert.exporters import SlidesExporter
from nbconvert.filters import markdown2html
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from traitlets.config import Config

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0[1-9]*.ipynb"))
SHEET = ROOT / "docs" / "teaching" / "formulas.md"

MOST_WORDS = 45
"""Of prose above what is shown, or below a heading: two or three lines."""
MOST_WORDS_OF_LIST = 120
MOST_LINES = 8
"""Of code on a slide, each of at most `LINE` letters."""
LINE = 100
WIDEST = 120
"""Letters beside each other in a drawing that can still be read."""

CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\$\w])\$(?=\S)(?P<inline>[^$\n]+?)(?<=\S)\$(?!\d)", re.DOTALL)
INDEXED = re.compile(r"(?<![\w.\\{}])[^\W\d_]_(?:\{[^{}]+\}|[^\W_](?!\w))")
"""x_{t-1} and the like, which notebooks write as plain text in sentences."""
SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z(*`\"“])")
"""Between two sentences."""
LINK = re.compile(r"\]\((?![a-z]+:|#)(?P<target>[^)\s]+)\)")
CORNERS = {"lceil": "⌈", "rceil": "⌉", "lfloor": "⌊", "rfloor": "⌋"}


def mathml(latex: str, display: str = "inline") -> str:
    """MathML, which browsers show without any script."""
    latex = re.sub(r"\\([lr](?:ceil|floor))\b", lambda match: CORNERS[match[1]], latex)
    # Unlike TeX, MathML sets the name of a function close to what stands beside it.
    latex = re.sub(r"(?<=[\w})])\s*(\\(?:ln|log|tanh)(?![a-z]))", r"\\,\1", latex.strip())
    latex = re.sub(r"(\\(?:ln|log_2|log_\{10\}|arccos))\s*(?=[\w\\])", r"\1\\,", latex)
    made = convert(latex, display=display)
    return re.sub("<mo[^>]*>&#x0007C;", '<mo stretchy="false" lspace="0" rspace="0">|', made)


class Formulas:
    """Takes formulas out of Markdown, where their signs would be read as Markdown's, and puts them into the HTML."""

    def __init__(self) -> None:
        self._made: list[str] = []

    def hide(self, markdown: str) -> str:
        """A place holder in the place of every formula that is not in code."""
        pieces = CODE.split(markdown)
        return "".join(piece if i % 2 else self._hidden(piece) for i, piece in enumerate(pieces))

    def show(self, page: str) -> str:
        return re.sub("\ue000(\\d+)\ue001", lambda match: self._made[int(match[1])], page)

    def _hidden(self, text: str) -> str:
        text = FORMULA.sub(lambda m: self._keep(m["block"] or m["inline"], "block" if m["block"] else "inline"), text)
        return INDEXED.sub(lambda m: self._keep(m[0], "inline"), text)

    def _keep(self, latex: str, display: str) -> str:
        self._made.append(mathml(latex, display))
        return f"\ue000{len(self._made) - 1}\ue001"


def blocks(markdown: str) -> list[tuple[str, str]]:
    """The parts that empty lines separate, each with its kind: heading, fence, formula, table, quote, list or text."""
    parts = re.findall(r"^```.*?^``` *$|(?:^(?!```)[^\n]*\S[^\n]*\n?)+", markdown, re.DOTALL | re.MULTILINE)
    kinds = [
        (r"#", "heading"),
        ("```", "fence"),
        (r"\$\$", "formula"),
        (r"\|", "table"),
        (">", "quote"),
        (r"[-*] |\d+\. ", "list"),
    ]
    return [(next((kind for start, kind in kinds if re.match(start, part)), "text"), part.rstrip()) for part in parts]


def flat(text: str) -> str:
    return " ".join(text.split())


def lead(text: str) -> str:
    """The first sentences of a paragraph, at least one."""
    shown, *rest = re.split(SENTENCE, flat(text))
    for sentence in rest:
        if len(f"{shown} {sentence}".split()) > MOST_WORDS:
            break
        shown = f"{shown} {sentence}"
    return shown


def caption(text: str) -> str:
    """What stands of a paragraph above what it leads to: all of it; or the last sentence, if that points there; or the first ones."""
    whole = flat(text)
    last = re.split(SENTENCE, whole)[-1]
    if len(whole.split()) <= MOST_WORDS and not whole[:1].islower():
        return whole
    if len(last.split()) <= MOST_WORDS and re.search(r"\b([Hh]ere|below|figure|picture|panel)\b|:$", last):
        return last
    return "" if whole[:1].islower() else lead(whole)


def told(fence: str) -> str | None:
    """What is shown of a fenced block, if anything: a chart in words, a drawing in letters, code if it is short."""
    language, _, inside = fence.strip("`").partition("\n")
    if language == "mermaid":
        description = re.search(r"accDescr: (.+)", inside)
        return "\n".join(f"- {each}" for each in re.split(SENTENCE, description[1])) if description else None
    is_narrow = max(map(len, inside.splitlines())) <= WIDEST
    return fence if is_narrow and (not language or n_lines(inside) <= MOST_LINES) else None


def n_lines(source: str) -> int:
    return sum(1 + len(line) // LINE for line in source.strip().splitlines())


def shown_outputs(cell: NotebookNode) -> list[NotebookNode]:
    """Pictures, sounds and tables of a cell; of an explorer its stored picture, without the script that would replace it."""
    data = [output.get("data", {}) for output in cell.outputs]
    kept = [
        {"text/html": re.sub(r"<script.*?</script>", "", each["text/html"], flags=re.DOTALL)}
        if re.search("<(img|audio|table)", each.get("text/html", ""))
        else {kind: each[kind] for kind in ("image/png", "text/plain") if "image/png" in each and kind in each}
        for each in data
    ]
    return [new_output("display_data", data=each) for each in kept if each]


def printed(cell: NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream").strip()


@dataclass
class Slide:
    """One slide.

    Args:
        kind: "slide", to the right of the last one; "subslide", below it.
        heading: Markdown at its top.
        parts: cells below.
        notes: Markdown, for the speaker.
        answers: what came out where a prediction was asked for.
    """

    kind: str
    heading: str
    parts: list[NotebookNode] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def add(self, markdown: str) -> None:
        if markdown:
            self.parts.append(new_markdown_cell(markdown))

    def cells(self) -> list[NotebookNode]:
        """As nbconvert wants them: the first says that a slide begins."""
        answers = [f'<p class="fragment">It came out: {html.escape(answer)}</p>' for answer in self.answers]
        found = [new_markdown_cell(self.heading), *self.parts, *map(new_markdown_cell, answers)]
        kinds = [self.kind, *["-"] * (len(found) - 1)]
        if self.notes:
            found, kinds = [*found, new_markdown_cell("\n\n".join(self.notes))], [*kinds, "notes"]
        for cell, kind in zip(found, kinds, strict=True):
            cell.metadata.slideshow = {"slide_type": kind}
        return found


class Slides:
    """The slides of a notebook, by the rules at the top of this file."""

    def __init__(self, notebook: NotebookNode):
        self.all: list[Slide] = []
        self._section = ""
        self._waiting = ""
        """The last paragraph: it may lead to what is shown next."""
        self._asked: dict[str, Slide] = {}
        """By variable the slide that asks for a prediction."""
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                for kind, text in blocks(cell.source):
                    getattr(self, f"_{kind}")(text)
            elif cell.cell_type == "code":
                self._code(cell)
        self._note()

    @property
    def _is_open(self) -> bool:
        """Whether the slide of the heading waits for what comes: nothing is below it yet, or words that lead on."""
        slide = self.all[-1]
        return slide.kind == "slide" and (
            not slide.parts or (slide.parts[-1].source.endswith(":") and not self._waiting)
        )

    def _note(self, *more: str) -> None:
        """Prose that led to nothing is for the speaker."""
        if self.all:
            self.all[-1].notes += [each for each in (self._waiting, *more) if each]
        self._waiting = ""

    def _below(self) -> Slide:
        """A new slide below, with what leads to it."""
        slide = Slide("subslide", f'<p class="section">{self._section}</p>')
        slide.add(caption(self._waiting))
        if caption(self._waiting) != flat(self._waiting):
            slide.notes.append(self._waiting)
        self._waiting = ""
        self.all.append(slide)
        return slide

    def _small(self) -> Slide:
        """Where a formula, a drawing or a sound goes: the first stands below the heading, with what leads to it."""
        slide = self.all[-1]
        if slide.kind != "slide" or any(
            part.cell_type == "code" or re.search(r"\$\$|```", part.source) for part in slide.parts
        ):
            return self._below()
        if slide.parts:
            slide.add(caption(self._waiting))
        self._waiting = self._waiting if caption(self._waiting) != flat(self._waiting) else ""
        self._note()
        return slide

    def _show(self, markdown: str) -> None:
        slide = self.all[-1] if self._is_open else self._below()
        slide.add(markdown)

    _table = _show

    def _heading(self, text: str) -> None:
        self._note()
        self._section = text.lstrip("# ")
        self.all.append(Slide("slide", text))

    def _text(self, text: str) -> None:
        if self._is_open and not self.all[-1].parts:
            self.all[-1].add(lead(text))
            if lead(text) != flat(text):
                self.all[-1].notes.append(text)
        else:
            self._note()
            self._waiting = text

    def _formula(self, text: str) -> None:
        self._small().add(text)

    def _list(self, text: str) -> None:
        if self._is_open or len(text.split()) <= MOST_WORDS_OF_LIST:
            self._show(text)
        else:
            self._note(text)

    def _fence(self, text: str) -> None:
        shown = told(text)
        if shown:
            self._formula(shown)
        else:
            self._note(text)

    def _quote(self, text: str) -> None:
        if "Predict, then look" in text:
            self._note()
            self._below().add(text)
        else:
            self._text(text)

    def _code(self, cell: NotebookNode) -> None:
        names = re.findall(r"^(\w+) = predict\(", cell.source, re.MULTILINE)
        if names:
            self._asked |= dict.fromkeys(names, self.all[-1])
            return
        said = self._answered(cell.source, printed(cell))
        outputs = shown_outputs(cell)
        if outputs:
            is_long = n_lines(cell.source) > MOST_LINES
            made = new_code_cell(cell.source, outputs=outputs, metadata={"tags": ["hide-input"] if is_long else []})
            is_sound = all("<audio" in output.data.get("text/html", "") for output in outputs)
            (self._small() if is_sound else self._below()).parts.append(made)
        if said:
            self._note(f"```\n{said}\n```")

    def _answered(self, source: str, said: str) -> str:
        """Put what came out to the questions, and give what else a cell printed."""
        results = re.findall(r"it came out: (.+)", said)
        asked = [self._asked[name] for name in re.findall(r"(\w+)\.look\(", source) if name in self._asked]
        last = list(self._asked.values())[-1:]
        for slide, result in zip(asked if len(asked) == len(results) else last * len(results), results, strict=False):
            slide.answers.append(result)
        return "\n".join(line for line in said.splitlines() if "it came out: " not in line).strip()


def linked(markdown: str, folder: Path, output: Path) -> str:
    """Links between notebooks lead from deck to deck, others from where the deck lies to the file."""

    def moved(match: re.Match[str]) -> str:
        target = match["target"]
        if re.fullmatch(r"0\d\w+\.ipynb", target):
            return f"]({Path(target).stem}.slides.html)"
        return f"]({Path(os.path.relpath(folder / target, output)).as_posix()})"

    return LINK.sub(moved, markdown)


def reveal(name: str) -> str:
    """A file of reveal.js (MIT), as sphinx-revealjs brings it with itself; neither that nor Sphinx is loaded."""
    return Path(str(distribution("sphinx-revealjs").locate_file(f"sphinx_revealjs/_static/revealjs/{name}"))).read_text(
        "utf-8"
    )


def script(*names: str) -> str:
    """Files of reveal.js, so that they can stand within a page: nothing in them may look like the end of a script."""
    whole = "\n".join([f"/*\n{reveal('LICENSE')}*/", *map(reveal, names), START])
    return whole.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def style() -> str:
    # Its fonts would be further files; every system has a font of its own.
    theme = re.sub(r"@import[^;]*;", "", reveal("dist/theme/white.css"))
    return "\n".join([reveal("dist/reset.css"), reveal("dist/reveal.css"), theme, LOOK])


def deck(path: Path, output: Path) -> str:
    """The slides of a notebook as one page that loads nothing, to lie in the folder ``output``."""
    notebook, formulas = nbformat.read(path, as_version=4), Formulas()
    cells = [cell for slide in Slides(notebook).all for cell in slide.cells()]
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = formulas.hide(linked(cell.source, path.parent, output))
    settings = Config(TagRemovePreprocessor={"enabled": True, "remove_input_tags": {"hide-input"}})
    exporter = SlidesExporter(config=settings, raw_template=TEMPLATE, exclude_anchor_links=True)
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    parts = {"title": title, "style": style(), "script": script("dist/reveal.js", "plugin/notes/notes.js")}
    page, _ = exporter.from_notebook_node(
        new_notebook(cells=cells, metadata={"language_info": notebook.metadata.get("language_info", {})}),
        {"own": parts},
    )
    return formulas.show(page)


def sheet(markdown: str, output: Path) -> str:
    """A page to print, of Markdown with formulas, to lie in the folder ``output``."""
    formulas = Formulas()
    body = formulas.show(str(markdown2html(formulas.hide(linked(markdown, SHEET.parent, output)))))
    title = html.escape(markdown.splitlines()[0].lstrip("# "))
    head = f'<meta charset="utf-8"><title>{title}</title><style>{PRINT}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def build(notebooks: list[Path], output: Path) -> list[Path]:
    """Write the slides of these notebooks and the sheet, and say where."""
    output.mkdir(parents=True, exist_ok=True)
    pages = {f"{path.stem}.slides.html": deck(path, output) for path in notebooks}
    pages["formulas.html"] = sheet(SHEET.read_text(encoding="utf-8"), output)
    for name, page in pages.items():
        (output / name).write_text(page, encoding="utf-8")
    return [output / name for name in pages]


TEMPLATE = """
{%- extends 'index.html.j2' -%}
{%- block header -%}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ resources.own.title | escape_html }}</title>
{%- for css in resources.inlining.css %}
<style>{{ css }}</style>
{%- endfor %}
<style>{{ resources.own.style }}</style>
</head>
{%- endblock header -%}
{%- block footer_js -%}
<script>{{ resources.own.script }}</script>
{%- endblock footer_js -%}
"""

START = """
// A slide that holds more than the screen is set in smaller letters, until it fits.
function fit() {
  const slide = Reveal.getCurrentSlide();
  const isTooLarge = () => slide.scrollHeight > 700 || slide.scrollWidth > slide.clientWidth + 1;
  for (let size = 100; isTooLarge() && size >= 40; size -= 4) slide.style.fontSize = size + "%";
  Reveal.layout();
}
window.addEventListener("load", () => {
  Reveal.on("ready", fit);
  Reveal.on("slidechanged", fit);
  Reveal.initialize({
    width: 1280, height: 720, margin: 0.02, hash: true, slideNumber: "c/t", transition: "none", plugins: [RevealNotes],
    navigationMode: "linear",
  });
});
"""

MATH = """
math { font-family: "Cambria Math", "STIX Two Math", "Latin Modern Math", "DejaVu Math TeX Gyre", math; }
"""

LOOK = (
    MATH
    + """
:root { --r-main-font-size: 32px; --r-main-font: system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
  --r-heading-font: var(--r-main-font); --r-heading-text-transform: none; --r-code-font: "DejaVu Sans Mono", monospace; }
html, body, main { height: 100%; margin: 0; }
.reveal .slides { text-align: left; }
.reveal .slides section { padding: 0 40px; box-sizing: border-box; }
.reveal .slides > section.stack { padding: 0; }
.reveal .controls { font-size: 7px; }
.reveal .slide-number { right: auto; left: 8px; }
.reveal h1 { font-size: 2em; }
.reveal h2 { font-size: 1.5em; }
.reveal p, .reveal ul, .reveal ol, .reveal table, .reveal pre, .reveal blockquote { margin: 0.5em 0; }
.reveal p.section { color: #595959; font-size: 0.6em; margin: 0; }
.reveal math[display="block"] { font-size: 1.25em; margin: 0.6em 0; }
.reveal li { margin: 0.25em 0; }
.reveal ul, .reveal ol { margin-left: 1.1em; }
.reveal table { font-size: 0.72em; border-collapse: collapse; }
.reveal th, .reveal td { padding: 0.25em 0.6em; text-align: left; vertical-align: top; }
.reveal caption { text-align: left; color: #595959; }
.reveal blockquote { width: auto; font-style: normal; font-size: 1.2em; padding: 0.6em 1em; background: #eef4fb;
  border-left: 0.2em solid #2a76dd; box-shadow: none; }
.reveal pre { width: auto; font-size: 0.75em; line-height: 1.35; box-shadow: none; overflow: visible; white-space: pre; }
.reveal pre code { max-height: none; padding: 0; overflow: visible; }
.reveal .highlight { background: #f6f6f6; padding: 0.1em 0.6em; }
.reveal .highlight pre { white-space: pre-wrap; font-size: 0.55em; }
.reveal code { font-size: 0.9em; }
.reveal .highlight + *, .reveal img { margin: 0; }
.reveal img { width: 100%; max-width: 100% !important; max-height: 15em; object-fit: contain; }
.reveal audio { width: 60%; margin: 1em 0; }
.reveal .fragment { color: #0b5d2a; }
"""
)

PRINT = (
    MATH
    + """
@page { size: A4; margin: 11mm 12mm; }
body { font: 8.6pt/1.25 system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; max-width: 186mm; margin: 0 auto; }
h1 { font-size: 13pt; margin: 0 0 1mm; }
h2 { font-size: 9.6pt; margin: 2mm 0 0.5mm; }
p { margin: 0.5mm 0; }
section, table { break-inside: avoid; }
h2 { break-after: avoid; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
thead { display: none; }
td { border-top: 0.2mm solid #bbb; padding: 0.5mm 1.5mm 0.5mm 0; vertical-align: middle; }
td:nth-child(1) { width: 25%; }
td:nth-child(3) { width: 25%; color: #444; font-size: 7.4pt; overflow-wrap: anywhere; }
td math { math-style: normal; }
.anchor-link { display: none; }
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Slides of the notebooks and a sheet of formulas, to open without a network."
    )
    parser.add_argument("notebooks", nargs="*", type=Path, default=NOTEBOOKS)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "handouts")
    options = parser.parse_args()
    for path in build(options.notebooks, options.output):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
