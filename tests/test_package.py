"""The package as a whole: importing it does nothing, its walls stand, and all that is public explains itself."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import wavenetlike

PACKAGE = Path(wavenetlike.__file__).parent

FLOORS = [
    ["checks", "files", "names", "tables"],
    ["environment", "layers", "quantize"],
    ["heads", "condition", "context"],
    ["models"],
    ["data"],
    ["ops", "analysis", "generate"],
    ["train"],
    ["suggest", "plots"],
    ["explore", "exercises", "cli"],
]
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}
FOLDERS = {"heads", "data", "analysis", "generate", "train", "suggest", "explore", "cli", "plots", "exercises"}
"""Their files import one another."""
# What `from wavenetlike import …` gives out lies on all floors up to this one.
FLOOR["wavenetlike"] = FLOOR["train"]


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def place(path: Path) -> str:
    """The name in FLOOR of a source file: its module, or its folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "wavenetlike" if parts == ("__init__",) else parts[0]


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever in the file, by its full name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            for alias in node.names:
                # `from wavenetlike import analysis` names a module, `from wavenetlike import Block` the package.
                inside = node.module == "wavenetlike" and alias.name in FLOOR
                yield f"{node.module}.{alias.name}" if inside else str(node.module)


def by_id(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", sources(), ids=by_id)
def test_imports_run_one_way(path):
    here = place(path)
    assert here in FLOOR, f"{path.name} has no floor yet"
    for name in imports(path):
        top, *rest = name.split(".")
        if top != "wavenetlike" or path == PACKAGE / "__init__.py":
            continue
        there = rest[0] if rest else "wavenetlike"
        assert there in FLOOR, f"{path.name} imports {name}"
        assert FLOOR[there] < FLOOR[here] or here == there in FOLDERS, f"{path.name} imports {name}"


@pytest.mark.parametrize(
    ("modules", "allowed"),
    [
        ({"ipywidgets", "anywidget", "traitlets"}, {"explore"}),
        ({"matplotlib"}, {"plots", "explore"}),
        ({"urllib", "http", "socket", "requests", "ssl", "ftplib"}, {"data"}),
        ({"soundfile"}, {"data"}),
        ({"accelerate", "torch_xla"}, {"train"}),
        ({"numba", "llvmlite"}, {"generate"}),
    ],
    ids=lambda names: "-".join(sorted(names)),
)
def test_each_foreign_module_has_its_importers(modules, allowed):
    importers = {place(path) for path in sources() for name in imports(path) if name.split(".")[0] in modules}
    assert importers <= allowed


def test_walls_see_imports_inside_functions(tmp_path):
    path = tmp_path / "some.py"
    path.write_text("def f():\n    import urllib.request\n    from wavenetlike import train, Block\n")
    assert set(imports(path)) == {"urllib.request", "wavenetlike.train", "wavenetlike"}


IMPORTING = """
import json, logging, pathlib, sys, warnings
import torch

def handlers():
    loggers = [logging.root, *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    return sum(len(logger.handlers) for logger in loggers)

before, n_handlers, filters, threads = torch.get_rng_state(), handlers(), list(warnings.filters), torch.get_num_threads()
known = set(sys.modules)
import wavenetlike
print(json.dumps({
    "modules": sorted({name.split(".")[0] for name in set(sys.modules) - known}),
    "random state": torch.equal(before, torch.get_rng_state()),
    "handlers": handlers() - n_handlers,
    "filters": filters == list(warnings.filters),
    "threads": threads == torch.get_num_threads(),
    "dtype": str(torch.get_default_dtype()),
    "grad": torch.is_grad_enabled(),
}))
"""


def test_importing_any_module_draws_nothing():
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in sources()]
    code = (
        f"import importlib, torch\nbefore = torch.get_rng_state()\nfor name in {names}: importlib.import_module(name)\n"
    )
    check = "assert torch.equal(before, torch.get_rng_state())"
    done = subprocess.run(
        [sys.executable, "-c", code + check], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr


def test_importing_does_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("WAVENETLIKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    command = [sys.executable, "-W", "error", "-B", "-c", IMPORTING]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    seen = json.loads(done.stdout)
    heavy = {
        "matplotlib",
        "ipywidgets",
        "anywidget",
        "IPython",
        "torchaudio",
        "soundfile",
        "safetensors",
        "tqdm",
        "scipy",
        "pandas",
        "numba",
        "llvmlite",
    }
    assert heavy.isdisjoint(seen.pop("modules"))
    expected = {"random state": True, "handlers": 0, "filters": True, "threads": True}
    assert seen == {**expected, "dtype": "torch.float32", "grad": True}
    assert list(tmp_path.iterdir()) == []


def test_every_promised_name_is_there():
    for name in wavenetlike.__all__:
        assert hasattr(wavenetlike, name), name
    promised = {
        "Block",
        "Losses",
        "ar2_process",
        "build_wavenet",
        "build_wavenet_toy",
        "ops",
        "train",
        "train_stack_ar",
    }
    assert promised <= set(wavenetlike.__all__)
    assert {name for name in wavenetlike.__all__ if inspect.ismodule(getattr(wavenetlike, name))} == {"ops", "train"}
    assert wavenetlike.train.train_stack_ar is wavenetlike.train_stack_ar
    data = importlib.import_module("wavenetlike.data")
    assert all(hasattr(data, name) for name in data.__all__)


def definitions(path: Path) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """What a file defines by public names: functions, classes, and after each class its methods, special ones too."""

    def public(node: ast.AST, special: bool) -> bool:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            return False
        return not node.name.startswith("_") or (special and node.name.startswith("__"))

    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if public(node, special=False):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (method for method in node.body if public(method, special=True))


@pytest.mark.parametrize("path", sources(), ids=by_id)
def test_all_that_is_public_has_a_docstring(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module itself"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize("path", sources(), ids=by_id)
def test_all_that_is_public_is_annotated(path):
    for node in definitions(path):
        if isinstance(node, ast.ClassDef):
            continue
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        for argument in arguments:
            if argument is not None and argument.arg not in ("self", "cls"):
                assert argument.annotation is not None, f"{node.name}: {argument.arg}"
        assert node.returns is not None or node.name == "__init__", node.name


def core_modules() -> list[str]:
    """All but the drawing ones, which need a display's libraries."""
    names = (path.relative_to(PACKAGE.parent).with_suffix("").parts for path in sources())
    return [".".join(name).removesuffix(".__init__") for name in names if name[1] not in ("plots", "explore")]


@pytest.mark.parametrize("name", core_modules())
def test_examples_in_docstrings_are_true(name):
    module = importlib.import_module(name)
    # An example speaks for a reader who has imported torch.
    assert doctest.testmod(module, extraglobs={"torch": torch}).failed == 0


def test_package_is_marked_as_typed():
    assert (PACKAGE / "py.typed").exists()


# What conda-forge calls otherwise.
ON_CONDA = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base", "soundfile": "pysoundfile"}


def test_conda_installs_what_pip_installs():
    root = PACKAGE.parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = re.findall(r"^  - (\S+)$", (root / "environment.yml").read_text(encoding="utf-8"), re.M)
    needed = [re.sub(r"^[\w-]+", lambda name: ON_CONDA.get(name[0], name[0]), each) for each in project["dependencies"]]
    assert set(needed) <= set(listed)
    assert {re.split("[=<>]", each)[0] for each in listed} - {re.split("[=<>]", each)[0] for each in needed} == {
        "conda-forge", "python", "hatchling", "pip",
    }  # fmt: skip
