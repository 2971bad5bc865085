"""Exercises as a teacher hands them out and grades them: one source, student versions without answers, points as expected."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from wavenetlike import exercises
from wavenetlike.exercises import Check

ROOT = Path(__file__).parents[1]
COURSE = ROOT / "notebooks" / "exercises"
NAMES = sorted(path.parent.name for path in COURSE.glob("source/*/exercises.ipynb"))
LEVELS = ("Warm-up", "Core", "Open")


def cells(kind: str, name: str) -> list[dict]:
    """Of an exercise notebook in source/ or release/, each with its source as text."""
    content = json.loads((COURSE / kind / name / "exercises.ipynb").read_text(encoding="utf-8"))
    return [cell | {"source": "".join(cell["source"])} for cell in content["cells"]]


REGION = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)\n\s*### END \1", re.S)


def answers(name: str) -> list[str]:
    """The lines that only a teacher is to see."""
    source = "\n".join(cell["source"] for cell in cells("source", name))
    lines = {line.strip() for _, region in REGION.findall(source) for line in region.splitlines()}
    given = REGION.sub("", source)
    return [line for line in lines if len(line) > 3 and line not in given]


def copied(folder: Path, *names: str) -> Path:
    """The course as a teacher has it before anything is generated, with some of its assignments."""
    shutil.copy(COURSE / "nbgrader_config.py", folder)
    for name in names:
        (folder / "source" / name).mkdir(parents=True)
        shutil.copy(COURSE / "source" / name / "exercises.ipynb", folder / "source" / name)
    return folder


def test_each_notebook_has_its_exercises():
    notebooks = sorted(path.stem for path in (ROOT / "notebooks").glob("0[1-9]*.ipynb"))
    assert notebooks == NAMES
    assert len(notebooks) == 8
    used = []
    for name in NAMES:
        tasks = re.findall(r"\*\*(\d)\. (\S+): ", "\n".join(c["source"] for c in cells("source", name)))
        assert [int(number) for number, _ in tasks] == list(range(1, len(tasks) + 1))
        assert {level for _, level in tasks} == set(LEVELS), "from warm-up to open-ended"
        graded = [c["metadata"]["nbgrader"] for c in cells("source", name) if c["metadata"]["nbgrader"]["grade"]]
        assert len(graded) == len(tasks)
        assert [g["points"] for g in graded] == [1 + LEVELS.index(level) for _, level in tasks]
        used += re.findall(r"^(check_\w+)\(", "\n".join(c["source"] for c in cells("source", name)), re.M)
        text = (ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
        assert f"exercises/release/{name}/exercises.ipynb" in text
    checks = [each for each in exercises.__all__ if isinstance(getattr(exercises, each), Check)]
    assert sorted(used) == sorted(checks), "each check is of one exercise"
    assert len(used) >= 24


def test_a_check_belongs_to_the_notebook_that_it_says():
    for name in NAMES:
        for check in re.findall(r"^(check_\w+)\(", "\n".join(c["source"] for c in cells("source", name)), re.M):
            assert getattr(exercises, check).notebook == int(name[:2])


def test_student_versions_are_those_of_the_source(tmp_path):
    course = copied(tmp_path, *NAMES)
    code = "import sys; sys.path.insert(0, 'scripts'); from pathlib import Path; from release_exercises import release; release(Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(course)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made, kept = (
        {
            path.relative_to(folder): path.read_text(encoding="utf-8")
            for path in folder.rglob("*.ipynb")
            if ".ipynb_checkpoints" not in path.parts
        }
        for folder in (course / "release", COURSE / "release")
    )
    assert made == kept, "run `make exercises`, and commit what it writes"


@pytest.mark.parametrize("name", NAMES)
def test_a_student_version_holds_no_answer(name):
    text = "\n".join(c["source"] for c in cells("release", name))
    assert "SOLUTION" not in text
    assert "HIDDEN" not in text
    assert len(answers(name)) >= 6, "a solution and a hidden test of each exercise"
    for line in answers(name):
        assert line not in text
    for cell in cells("release", name):
        assert not cell.get("outputs")


@pytest.mark.parametrize("name", NAMES)
def test_a_student_version_runs_unsolved_from_top_to_bottom(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    n_checks = 0
    for cell in cells("release", name):
        if cell["cell_type"] != "code":
            continue
        said = io.StringIO()
        with redirect_stdout(said):
            exec(compile(ast.parse(cell["source"]), name, "exec"), space)
        if cell["source"].startswith("check_"):
            n_checks += 1
            assert said.getvalue() == "Not answered yet: put your answer in the place of the dots.\n"
    assert n_checks >= 3
    assert exercises.progress().tried == {}


# What five students hand in for notebook 2; an answer takes the place of the dots.
ASSIGNMENT = "02_receptive_field_and_gamma"
RIGHT = {
    "padding": "def my_padding(x, kernel_length, dilation):\n    return torch.nn.functional.pad(x, ((kernel_length - 1) * dilation, 0))",
    "delta": "def my_delta(kernel_length, dilations):\n    return 1 + (kernel_length - 1) * sum(dilations)",
    "memory": "my_memory = WaveNetConfig(n_blocks=2, n_layers=10, residual_channels=8, gate_channels=8, skip_channels=8, levels=32)",
}
# A check of one's own says ✓ on the screen, and earns nothing.
CHEATING = "def check_delta(answer):\n    print('✓')\n\n\ndef my_delta(kernel_length, dilations):\n    return 1"
STUDENTS = {
    "right": (RIGHT, 6),
    "wrong": ({"padding": "my_padding = 3", "delta": CHEATING, "memory": "my_memory = WaveNetConfig()"}, 0),
    "empty": ({}, 0),
    "crashing": (RIGHT | {"padding": "raise SystemExit(3)", "memory": "my_memory = nowhere"}, 2),
    "looping": (RIGHT | {"delta": "def my_delta(kernel_length, dilations):\n    while True:\n        pass"}, 4),
}  # fmt: skip
"""By student: the answers, and the points they are to get."""


def hand_in(course: Path, student: str, answers: dict[str, str]) -> None:
    content = json.loads((course / "release" / ASSIGNMENT / "exercises.ipynb").read_text(encoding="utf-8"))
    for cell in content["cells"]:
        answer = answers.get(cell["metadata"]["nbgrader"]["grade_id"])
        if answer is not None:
            assert "..." in "".join(cell["source"])
            cell["source"] = answer
    folder = course / "submitted" / student / ASSIGNMENT
    folder.mkdir(parents=True)
    (folder / "exercises.ipynb").write_text(json.dumps(content), encoding="utf-8")


def nbgrader(course: Path, *words: str) -> str:
    # It starts alembic, which stands beside it and need not be on the PATH.
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *words], cwd=course, env=os.environ | {"PATH": beside}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_class_is_graded(tmp_path):
    course = copied(tmp_path, ASSIGNMENT)
    shutil.copytree(COURSE / "release" / ASSIGNMENT, course / "release" / ASSIGNMENT)
    nbgrader(course, "generate_assignment", ASSIGNMENT, "--force")
    for student, (answers, _) in STUDENTS.items():
        hand_in(course, student, answers)
    nbgrader(course, "autograde", ASSIGNMENT, "--create", "--ExecutePreprocessor.timeout=15")
    nbgrader(course, "export")
    rows = [line.split(",") for line in (course / "grades.csv").read_text().splitlines()]
    named = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    found = {row["student_id"]: float(row["score"]) for row in named}
    assert found == {student: points for student, (_, points) in STUDENTS.items()}
    assert {float(row["max_score"]) for row in named} == {6.0}
    nbgrader(course, "generate_feedback", ASSIGNMENT)
    for student in STUDENTS:
        page = (course / "feedback" / student / ASSIGNMENT / "exercises.html").read_text(encoding="utf-8")
        assert "Exercises 2" in page
