"""Sphinx's settings. ``make docs`` builds the pages: scripts/documentation.py lays their sources out, and says why."""

from __future__ import annotations

import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

import wavenetlike

project = "wavenetlike"
html_title = "wavenetlike"
language = "en-GB"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
# What notebooks in folders hold is there to be downloaded.
exclude_patterns = ["notebooks/*/**", "_static"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_js_files = ["pages.js"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_domain_indices = False
BLUE, PALE_BLUE = "#0a5c94", "#7cc4f5"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": BLUE, "color-brand-content": BLUE, "color-brand-visited": BLUE},
    "dark_css_variables": {
        "color-brand-primary": PALE_BLUE,
        "color-brand-content": PALE_BLUE,
        "color-brand-visited": PALE_BLUE,
    },
}

# Notebooks hold what they printed when they were run; here nothing runs.
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}

myst_enable_extensions = ["dollarmath", "amsmath", "attrs_block"]
myst_heading_anchors = 4
myst_dmath_allow_digits = False
myst_dmath_double_inline = True

# MathJax lies beside this file, with its license: tex-svg.js holds its glyphs, so that no font is fetched, which not every browser allows from a disk.
mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {"options": {"enableMenu": False}, "svg": {"fontCache": "local"}}

autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autosummary_generate = False
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"
# Docstrings of this package name others in single backticks.
default_role = "py:obj"

PACKAGE = Path(wavenetlike.__file__).parent
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
FOREIGN = {*sys.stdlib_module_names, "torch", "numpy"}
CALL = re.compile(r"\(.*\)$")


def documented(env: BuildEnvironment, target: str, module: str, owner: str = "") -> str | None:
    """The full name of what a docstring or a page calls ``target``: from here, or from the package, or the only one of that name."""
    known = env.domains.python_domain.objects
    name = CALL.sub("", target)
    for prefix in (f"{module}.{owner}", module, "wavenetlike"):
        if f"{prefix}.{name}" in known:
            return f"{prefix}.{name}"
    # Types are known by the files in which they are defined, and have their place where the folder gives them out.
    parts = name.split(".")
    if parts[0] == "wavenetlike" and len(parts) == 4 and f"{parts[0]}.{parts[1]}.{parts[3]}" in known:
        return f"{parts[0]}.{parts[1]}.{parts[3]}"
    if name in known:
        return name
    return by_end(env).get(name)


@cache
def by_end(env: BuildEnvironment) -> dict[str, str]:
    """All that is documented, by each end of its name that no other has."""
    ends = Counter(end for name in env.domains.python_domain.objects for end in ends_of(name))
    return {end: name for name in env.domains.python_domain.objects for end in ends_of(name) if ends[end] == 1}


def ends_of(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[i:]) for i in range(1, len(parts))]


@cache
def is_named(target: str) -> bool:
    """Whether the package has something of that name, if not for everybody: a file, a parameter, what a module keeps for itself."""
    last = CALL.sub("", target).split(".")[-1]
    has_file = any(PACKAGE.rglob(f"{last}.py")) or any(path.is_dir() for path in PACKAGE.rglob(last))
    return (
        has_file
        or re.search(rf"^ *(?:def |class )?{re.escape(last)}\b|[(,] *{re.escape(last)}: ", SOURCE, re.MULTILINE)
        is not None
    )


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element) -> nodes.Element | None:
    """Where a name in a docstring leads. None, and with it a warning, if there is nothing of that name."""
    if node.get("refdomain") != "py":
        return None
    target, known = node["reftarget"], env.domains.python_domain.objects
    found = documented(env, target, node.get("py:module") or "wavenetlike", node.get("py:class") or "")
    if found:
        entry = known[found]
        return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, found)
    is_foreign = target.partition(".")[0] not in ("wavenetlike", target) or target == "Tensor"
    is_foreign = is_foreign and (node["reftype"] != "obj" or target.partition(".")[0] in FOREIGN)
    return contnode if is_foreign or is_named(target) else None


class Named(SphinxPostTransform):
    """Code in a sentence that is the name of something documented leads there: `data.ar2_process` on every page."""

    default_priority = 5

    def run(self, **_: Any) -> None:
        for literal in list(self.document.findall(nodes.literal)):
            name = literal.astext()
            if not re.fullmatch(r"(?:\w+\.)+\w+(?:\(\))?", name) or isinstance(literal.parent, nodes.reference):
                continue
            found = documented(self.env, name, "wavenetlike")
            if found and literal.get("classes", []) == []:
                entry = self.env.domains.python_domain.objects[found]
                link = make_refnode(
                    self.app.builder, self.env.docname, entry.docname, entry.node_id, literal.deepcopy(), found
                )
                literal.replace_self(link)


NOTEBOOK = re.compile(r"(?:notebooks/)?(0\d_\w+)\.ipynb")
LITERAL = re.compile(r"(``.+?``)")


def ready(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """A docstring as reStructuredText takes it: bars are bars, words may follow a name at once, notebooks are linked."""
    depth: int | None = None  # of the line that a block of literal text follows
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if depth is not None and line.strip() and indent <= depth:
            depth = None
        if depth is None and not line.lstrip().startswith(">>>"):
            pieces = [piece if j % 2 else plain(piece) for j, piece in enumerate(LITERAL.split(line))]
            lines[i] = "".join(pieces)
            if line.rstrip().endswith("::"):
                depth = indent
    if what in ("attribute", "data", "property") and lines:
        lines[0] = lines[0].replace(":", COLON)


def plain(text: str) -> str:
    text = text.replace("|", r"\|")
    text = re.sub(r"(`[^`]+`)(\w)?", lambda name: name[1] + (rf"\ {name[2]}" if name[2] else ""), text)
    return NOTEBOOK.sub(r":doc:`/notebooks/\1`", text)


COLON = "\ue000"
"""In the place of a colon that napoleon would take for the end of a type."""


def with_colons(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    lines[:] = [line.replace(COLON, ":") for line in lines]


def is_left_out(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """Methods and properties are told, with or without a docstring, but none that another package has put there."""
    function = obj.fget if isinstance(obj, property) else getattr(obj, "__func__", obj)
    if isinstance(function, FunctionType):
        return name.startswith("_") or not function.__module__.startswith("wavenetlike")
    return None


LINES = re.compile(r"<dl>\s*((?:<dd><em class=\"sig-param.*?</dd>\s*)+)</dl>", re.DOTALL)


def readable(app: Sphinx, page: str, template: str, context: dict[str, Any], document: nodes.document | None) -> None:
    """What a screen reader stumbles over: captions without a level, and parameters, a line each, as definitions of nothing."""
    for name in ("furo_navigation_tree", "toctree"):
        if isinstance(context.get(name), str):
            context[name] = context[name].replace('role="heading"', 'role="heading" aria-level="2"')
    if "body" in context:
        context["body"] = LINES.sub(
            lambda lines: (
                f'<span class="sig-lines">{lines[1].replace("<dd>", "<span>").replace("</dd>", "</span>")}</span>'
            ),
            context["body"],
        )


def setup(app: Sphinx) -> None:
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-docstring", ready, priority=400)
    app.connect("autodoc-process-docstring", with_colons, priority=600)
    app.connect("autodoc-skip-member", is_left_out)
    app.connect("html-page-context", readable, priority=900)
    app.add_post_transform(Named)
