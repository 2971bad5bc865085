"""The course as nbgrader sees it: ``source`` is written by hand, ``release`` is made of it by ``make exercises``, and the rest comes and goes with a class."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

c = get_config()  # noqa: F821  (nbgrader puts it there)
c.CourseDirectory.course_id = "wavenetlike"
c.CourseDirectory.root = str(Path(__file__).parent)
c.ClearSolutions.code_stub = {"python": "..."}
c.ClearSolutions.text_stub = "*Your answer.*"
# Seconds for one cell; the slowest right answer, a training, takes some ten.
c.ExecutePreprocessor.timeout = 60
# An answer that never ends costs its own points, and no others.
c.ExecutePreprocessor.interrupt_on_timeout = True

# What students' answers are told must not count as the teacher's own progress.
os.environ["WAVENETLIKE_CACHE"] = tempfile.mkdtemp(prefix="wavenetlike-grading-")
atexit.register(shutil.rmtree, os.environ["WAVENETLIKE_CACHE"], ignore_errors=True)
