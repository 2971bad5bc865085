"""Making sound, sample by sample: naive, cached, compiled for the CPU or recorded for a GPU. All draw the same codes from the same seed.

`loop` is what is called, each other module one method: `naive` and `cached` are there to be read, `compiled` (with `kernel` and `vectors`
below it) and `graphed` to be heard. Taught in notebooks/07_fast_generation.ipynb.
"""

from wavenetlike.generate.loop import METHODS, Generated, generate, stream, teacher_force

__all__ = ["METHODS", "Generated", "generate", "stream", "teacher_force"]
