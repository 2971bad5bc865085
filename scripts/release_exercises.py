"""Makes the student versions of the exercises, notebooks/exercises/release, of the solved notebooks in source: what `nbgrader generate_assignment` does, without its database.

Run it by `make exercises` after every change of a solved notebook; a test fails while the two differ.
"""

from __future__ import annotations

import logging
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import SaveCells
from traitlets.config.loader import PyFileConfigLoader

COURSE = Path(__file__).parents[1] / "notebooks" / "exercises"


def release(course: Path) -> list[str]:
    """Write the release of every assignment of a course, and name them."""
    names = sorted(path.parent.name for path in course.glob("source/*/exercises.ipynb"))
    for name in names:
        config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
        config.CourseDirectory.assignment_id = name
        making = GenerateAssignment(CourseDirectory(config=config), config=config, no_database=True, force=True)
        making.preprocessors = [each for each in making.preprocessors if each is not SaveCells]
        making.start()
    return names


if __name__ == "__main__":
    logging.getLogger("traitlets").setLevel(logging.WARNING)
    print("released:", *release(COURSE))
