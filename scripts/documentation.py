"""Makes the documentation: pages that open by a double click, without a network.

    python scripts/documentation.py [--output build/docs]

Sphinx reads a copy of what is here, in which everything has its place: ``docs`` at the top, ``notebooks`` below it, and a page of reference for
each part of the package. Links are turned on the way: what is a page there is linked as a page, all else of this repository on GitHub.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
DOCS, NOTEBOOKS, PACKAGE = ROOT / "docs", ROOT / "notebooks", ROOT / "wavenetlike"
GITHUB = "https://github.com/redwrasse/wavenetlike"

LINK = re.compile(
    r"""
    ^```.*?^```$                                                      # code: nothing to turn in it
    | \[(?P<text>(?:`[^`\n]+`|[^][`])*)\]\((?!\#)(?P<target>[^()\s]+)\)
    | `[^`\n]+`
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
CHART = re.compile(r"^```mermaid\n(?P<chart>.*?)^```$", re.DOTALL | re.MULTILINE)
CONTENTS = """
```{toctree}
:hidden:
:glob:

*
```
"""
"""All other pages of a folder, below its first."""
WIDGET = "application/vnd.jupyter.widget-view+json"


def place(path: Path) -> PurePosixPath | None:
    """Where a file of this repository lies among the sources of the pages, if it does."""
    inside = PurePosixPath(path.relative_to(ROOT).as_posix())
    if inside.name == "README.md" and inside.parts[0] in ("README.md", "docs"):  # is the first page of its folder
        return PurePosixPath(*inside.parts[1:-1], "index.md")
    if inside.parts[0] == "docs":
        return inside.relative_to("docs")
    return inside if path.suffix == ".ipynb" and inside.parts[0] == "notebooks" else None


def turned(text: str, target: str, path: Path) -> str:
    """A link that stands in the file ``path``, as it has to be among the sources of the pages."""
    # Notebooks name this repository's files in full, since they are opened elsewhere, too.
    target = re.sub(f"^{GITHUB}/(?:blob|tree)/HEAD/", f"{os.path.relpath(ROOT, path.parent)}/", target)
    name, hash_, anchor = target.partition("#")
    leads_to = (path.parent / name).resolve()
    if re.match(r"[a-z]+:", target) or not leads_to.is_relative_to(ROOT):
        return f"[{text}]({target})"
    if (leads_to / "README.md").is_file():
        leads_to /= "README.md"
    here, there = place(path), place(leads_to) if leads_to.is_file() else None
    if here is None or there is None:
        kind = "tree" if leads_to.is_dir() else "blob"
        return f"[{text}]({GITHUB}/{kind}/HEAD/{leads_to.relative_to(ROOT).as_posix()}{hash_}{anchor})"
    relative = PurePosixPath(os.path.relpath(there, here.parent)).as_posix()
    if there.suffix == ".ipynb" and leads_to.parent != NOTEBOOKS:  # exercises and the like, to work on and not to read
        return f"{{download}}`{text} <{relative}>`"
    return f"[{text}]({relative}{hash_}{anchor})"


def page(text: str, path: Path) -> str:
    """Markdown of the file ``path`` with its links turned, and its charts in words."""
    text = CHART.sub(lambda match: told(match["chart"]), text)
    return LINK.sub(lambda link: turned(link["text"], link["target"], path) if link["target"] else link[0], text)


def told(chart: str) -> str:
    """A flowchart of Mermaid, which only a script could draw, as a list within lists."""
    names = dict(re.findall(r"(\w+)[\[{]+\"(.+?)\"[\]}]+", chart))
    steps = re.findall(r"^ *(\w+)\S*(?:\".*?\"\S*)? --(?: (\w+) --)?> (\w+)", chart, re.MULTILINE)
    ends = {end for *_, end in steps}

    def lines(name: str, answer: str, depth: int) -> Iterator[str]:
        yield f"{'  ' * depth}- {f'{answer}: ' if answer else ''}{names[name]}"
        for start, answer, end in steps:
            if start == name:
                yield from lines(end, answer, depth + 1)

    title = re.search(r"accTitle: (.+)", chart)
    first = [line for name in names if name not in ends for line in lines(name, "", 0)]
    return "\n".join([*([f"*{title[1]}:*", ""] if title else []), *first])


def notebook(path: Path) -> str:
    """A notebook as it is read: text with its links turned; outputs without widgets, each of which leaves a picture or a text beside it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = page("".join(cell["source"]), path)
        cell["outputs"] = [output for output in cell.get("outputs", []) if is_shown(output)]
        if cell["cell_type"] != "code":
            del cell["outputs"]
    return json.dumps(content, ensure_ascii=False)


def is_shown(output: dict[str, Any]) -> bool:
    return WIDGET not in output.get("data", {})


class Public(NamedTuple):
    """A public name of a module: what it is, where it is defined, what it is worth (a constant alone)."""

    name: str
    kind: str
    module: str
    value: str = ""
    text: str = ""


def module_file(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def defined(module: str) -> dict[str, Public]:
    """All that a module defines by public names: functions, classes, and constants that explain themselves."""
    found: dict[str, Public] = {}
    body = ast.parse(module_file(module).read_text(encoding="utf-8")).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef):
            found[node.name] = Public(node.name, "function", module)
        elif isinstance(node, ast.ClassDef):
            kind = "exception" if any("Error" in ast.unparse(base) for base in node.bases) else "class"
            found[node.name] = Public(node.name, kind, module)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            (target,) = node.targets if isinstance(node, ast.Assign) and len(node.targets) == 1 else (None,)
            target = node.target if isinstance(node, ast.AnnAssign) else target
            told_after = following.value if isinstance(following, ast.Expr) else None
            text = told_after.value if isinstance(told_after, ast.Constant) else ""
            if isinstance(target, ast.Name) and isinstance(text, str):
                found[target.id] = Public(target.id, "data", module, ast.unparse(node.value), text)
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                each = zip(target.elts, node.value.elts, strict=True)
                found |= {
                    ast.unparse(name): Public(ast.unparse(name), "data", module, ast.unparse(value))
                    for name, value in each
                }
    return {name: each for name, each in found.items() if not name.startswith("_")}


def public(module: str) -> list[Public]:
    """What a module gives out: what its ``__all__`` lists, wherever that is defined, or else all that it defines and explains."""
    own = defined(module)
    if "__all__" not in (text := module_file(module).read_text(encoding="utf-8")):
        return [each for each in own.values() if each.kind != "data" or each.text]
    listed: list[str] = []
    origins: dict[str, tuple[str, str]] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            origins |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            listed = ast.literal_eval(node.value)
    names = []
    for name in listed:
        origin, there = origins.get(name, (module, name))
        names.append(
            own[name] if name in own else defined(origin).get(there, Public(name, "module", f"{origin}.{there}"))
        )
    return names


def modules() -> list[str]:
    """The parts of the package, each a file or a folder."""
    parts = [path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    return sorted(f"wavenetlike.{part}" for part in parts if not part.startswith("_"))


def reference(module: str) -> str:
    """The page of a part of the package, for Sphinx's autodoc: what there is in a line each, then all of it."""
    names = sorted(
        public(module),
        key=lambda each: (each.kind == "data", each.kind not in ("class", "exception"), each.name.lower()),
    )
    lines = [module, "=" * len(module), "", f".. automodule:: {module}", "   :no-index:", ""]
    lines += [f".. py:module:: {module}", f".. currentmodule:: {module}", ""]
    if len(names) > 1:
        lines += [".. rubric:: In a line each", "", ".. autosummary::", "   :nosignatures:", ""]
        lines += [f"   {each.name}" for each in names if each.kind != "data"] + [""]
    for each in names:
        if each.kind == "data":
            lines += [f".. py:data:: {each.name}", f"   :value: {each.value if len(each.value) < 100 else '…'}", ""]
            lines += [*(f"   {line.strip()}" for line in each.text.splitlines()), ""]
        else:
            lines += [f".. auto{each.kind}:: {each.name}", *(["   :members:"] if each.kind == "class" else []), ""]
    return "\n".join(lines)


def first_names() -> str:
    """The page of what the package itself gives out, which all has its place on another page."""
    rows = []
    for each in public("wavenetlike"):
        part = each.module.split(".")[1]
        role = f":doc:`{part} <wavenetlike.{part}>`" if part == each.name else f":py:obj:`{part}.{each.name}`"
        rows += [f"   * - ``{each.name}``", f"     - {role}"]
    head = ["wavenetlike", "===========", "", ".. automodule:: wavenetlike", "   :no-index:", ""]
    return "\n".join(
        [
            *head,
            ".. list-table:: from wavenetlike import …",
            "   :header-rows: 1",
            "",
            "   * - name",
            "     - from",
            *rows,
            "",
        ]
    )


def gather(folder: Path) -> None:
    """Lay out the sources of all pages."""
    for path in [
        *(path for path in DOCS.rglob("*") if path.is_file()),
        *NOTEBOOKS.rglob("*.ipynb"),
    ]:
        where = place(path)
        if where is None or "__pycache__" in where.parts or ".ipynb_checkpoints" in where.parts:
            continue
        (folder / where).parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            text = page(path.read_text(encoding="utf-8"), path)
            if path.name == "README.md":
                text += CONTENTS
            (folder / where).write_text(text, encoding="utf-8")
        elif path.parent == NOTEBOOKS:
            (folder / where).write_text(notebook(path), encoding="utf-8")
        else:
            shutil.copyfile(path, folder / where)
    (folder / "api" / "wavenetlike.rst").write_text(first_names(), encoding="utf-8")
    for module in modules():
        (folder / "api" / f"{module}.rst").write_text(reference(module), encoding="utf-8")


def build(output: Path) -> None:
    """Write all pages into the folder ``output``, anew.

    Raises:
        subprocess.CalledProcessError: Sphinx had something to complain of.
    """
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder) / "sources"
        gather(sources)
        strict = ["--fail-on-warning", "--keep-going", "--nitpicky", "--jobs", "auto", "--quiet"]
        command = [
            sys.executable,
            "-m",
            "sphinx",
            *strict,
            "--doctree-dir",
            str(Path(folder) / "doctrees"),
            str(sources),
            str(output),
        ]
        subprocess.run(command, check=True)


def built() -> Path:
    """The folder of pages made of the files as they are now; nothing is built where that has been done, as tests ask more than once."""
    made_of = [Path(__file__), *DOCS.rglob("*"), *NOTEBOOKS.rglob("*"), *PACKAGE.rglob("*")]
    state = hashlib.sha256()
    for path in sorted(made_of):
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts):
            state.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    output = ROOT / "build" / f"docs-{state.hexdigest()[:16]}"
    if not output.exists():
        partial = output.with_suffix(".partial")
        build(partial)
        partial.rename(output)
    return output


def main() -> None:
    parser = argparse.ArgumentParser(description="The documentation, as pages to open without a network.")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "docs")
    options = parser.parse_args()
    try:
        build(options.output)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    print(f"{options.output / 'index.html'}")


if __name__ == "__main__":
    main()
