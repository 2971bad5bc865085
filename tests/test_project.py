"""What surrounds the package: workflows, the citation, the environment that Binder installs, one version everywhere."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import check_jsonschema
import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def read_yaml(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def wrong(schema: str, *paths: Path) -> str:
    """What the schema forbids in these files; empty where nothing is."""
    found = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", schema, *map(str, paths)])
    return found.output if found.exit_code else ""


def test_workflows_keep_their_schema(tmp_path: Path) -> None:
    assert wrong("vendor.github-workflows", *WORKFLOWS) == ""
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on", "runs_on"), encoding="utf-8")
    assert "'runs-on' is a required property" in wrong("vendor.github-workflows", broken)


def test_every_job_ends_and_may_only_what_it_needs() -> None:
    for path in WORKFLOWS:
        workflow = read_yaml(path)
        assert workflow["permissions"] == {"contents": "read"}, path.name
        for name, job in workflow["jobs"].items():
            deploys = "permissions" in job
            assert deploys or job["timeout-minutes"] <= 60, f"{path.name}: {name}"


def test_matrix_is_what_the_package_allows() -> None:
    matrix = read_yaml(ROOT / ".github" / "workflows" / "test.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert matrix["python"] == [f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed]
    (torch,) = (Requirement(line) for line in PROJECT["dependencies"] if Requirement(line).name == "torch")
    minors = [minor for minor in range(30) if f"2.{minor}" in torch.specifier]
    assert matrix["torch"] == [f"2.{minors[0]}", f"2.{minors[-1]}"]


def test_citation_keeps_its_schema() -> None:
    assert wrong("vendor.citation-file-format", ROOT / "CITATION.cff") == ""


def test_one_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[0] == PROJECT["version"]
    assert read_yaml(ROOT / "CITATION.cff")["version"] == PROJECT["version"]


# Binder


def test_binder_installs_the_environment_that_is_tested() -> None:
    app = pytest.importorskip("repo2docker.app", reason="repo2docker knows Linux and macOS")
    packs = pytest.importorskip("repo2docker.utils")
    with packs.chdir(ROOT):
        found = [
            pack for pack in (each("buildpack-deps:jammy") for each in app.Repo2Docker().buildpacks) if pack.detect()
        ]
        assert found, "no build pack knows this repository"
        first = found[0]
        assert type(first).__name__ == "CondaBuildPack"
        environment = Path(first.binder_path("environment.yml"))
        assert environment.resolve() == ROOT / "environment.yml"
        assert first.python_version == "3.12"
        assert first.python_version in SpecifierSet(PROJECT["requires-python"])
        assert Path(first.binder_path("postBuild")).stat().st_mode & 0o100, "postBuild cannot be run"
    names = [line for line in read_yaml(environment)["dependencies"] if isinstance(line, str)]
    assert any(line.startswith("pytorch-cpu") for line in names), "the CUDA build does not fit"


def test_binder_keeps_no_cache() -> None:
    commands = (ROOT / "binder" / "postBuild").read_text(encoding="utf-8")
    assert all("--no-cache-dir" in line for line in commands.splitlines() if line.startswith("pip install"))


# The README


def test_readme_names_every_notebook() -> None:
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        (row,) = [line for line in README.splitlines() if line.startswith("| [") and f"(notebooks/{path.name})" in line]
        assert f"urlpath=lab/tree/notebooks/{path.name}" in row, "no Binder"
        assert f"/blob/main/notebooks/{path.name}" in row, "no Colab"
        title = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"][0]
        assert title.startswith(f"# {int(path.name[:2])} · ")


def test_binder_opens_the_first_notebook() -> None:
    first = sorted((ROOT / "notebooks").glob("*.ipynb"))[0]
    badge = next(line for line in README.splitlines() if "badge_logo.svg" in line)
    assert f"urlpath=lab/tree/notebooks/{first.name}" in badge
