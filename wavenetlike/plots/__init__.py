"""Data in, picture out: every figure of the notebooks, with a text that says what it shows. Knows no widget.

`picture` is what all are made of; `processes`, `fields`, `sound` and `results` hold what is drawn of each.
"""

from wavenetlike.plots.fields import delta_against_depth, dilated_tree, lag_profile, receptive_field
from wavenetlike.plots.picture import BLUE, GREEN, GREY, ORANGE, RED, Picture
from wavenetlike.plots.processes import ar2, dataset, estimates, lags, series, stems
from wavenetlike.plots.results import growth, learning, scaling, scores, search, training
from wavenetlike.plots.sound import distributions, frames, quantization, quantization_error, waveforms

__all__ = [
    "BLUE", "GREEN", "GREY", "ORANGE", "RED", "Picture", "ar2", "dataset", "delta_against_depth", "dilated_tree", "distributions", "estimates", "frames", "growth", "lag_profile", "lags", "learning",
    "quantization", "quantization_error", "receptive_field", "scaling", "scores", "search", "series", "stems", "training", "waveforms",
]  # fmt: skip
