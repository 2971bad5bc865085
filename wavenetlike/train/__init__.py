"""Learning: `train` for models of codes, `train_stack_ar` for linear stacks on a series.

`recipe` says how, `learner` takes one step, `judges` look at clips that were kept aside, `watch` shows, `checkpoint` is a run
in a file, `folder` where these lie, `devices` spreads over machines, `loop` puts all together; `history` is what comes of it.
`stack` stands alone.
"""

from wavenetlike.train.folder import Checkpoints
from wavenetlike.train.history import Expected, History, Judged, expected
from wavenetlike.train.loop import Diverged, train
from wavenetlike.train.recipe import Recipe
from wavenetlike.train.stack import StackFit, train_stack_ar
from wavenetlike.train.watch import Bar, Log, Run, TensorBoard, Watcher

__all__ = [
    "Bar",
    "Checkpoints",
    "Diverged",
    "Expected",
    "History",
    "Judged",
    "Log",
    "Recipe",
    "Run",
    "StackFit",
    "TensorBoard",
    "Watcher",
    "expected",
    "train",
    "train_stack_ar",
]
