"""Explorers: each function returns one widget, usable in any notebook; what it shows is computed below, and drawn in the page.

Shown by itself, an explorer leaves a picture in the notebook; inside another widget it does not.
`predict` asks what a student expects, before the cell that shows it, and leaves its question as a text.
`page` holds what all share; every other module here is one explorer, with its drawing of the same name in ``page/``.
"""

from wavenetlike.explore.ar2 import explore_ar2
from wavenetlike.explore.lags import explore_lags
from wavenetlike.explore.predict import predict, predictions
from wavenetlike.explore.profile import explore_profile
from wavenetlike.explore.quantization import explore_quantization
from wavenetlike.explore.scaling import explore_scaling
from wavenetlike.explore.sound import explore_sound, explore_words
from wavenetlike.explore.stacks import explore_dilations, explore_plane
from wavenetlike.explore.training import watch_training

__all__ = [
    "explore_ar2",
    "explore_dilations",
    "explore_lags",
    "explore_plane",
    "explore_profile",
    "explore_quantization",
    "explore_scaling",
    "explore_sound",
    "explore_words",
    "predict",
    "predictions",
    "watch_training",
]
