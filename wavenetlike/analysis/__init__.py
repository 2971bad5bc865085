"""What a model or a series is made of, measured: Δ, γ, how far an output looks, least squares, baselines, scores.

`shape` counts from structure, `field` measures on any one-dimensional module (by the
experiments of `probe`, which reach codes through `entries`), `report` puts both on a page. `dataset` puts on a page what there is to
learn: of clips that `sampling` draws, how they were `recording`s, and their `dependence`, `information` and `periods`. `series` is
about numbers without a network, `scores` about predictions, `cost` about generating, `scaling` about many machines.
"""

from wavenetlike.analysis.cost import SampleCost, sample_cost
from wavenetlike.analysis.dataset import DatasetReport, analyze_dataset
from wavenetlike.analysis.field import Field, lag_profile, measure_receptive_field
from wavenetlike.analysis.report import ModelReport, analyze_model
from wavenetlike.analysis.scaling import StepTime, step_time
from wavenetlike.analysis.scores import Score, baselines, evaluate, score, tally
from wavenetlike.analysis.series import (
    ARFit,
    ar2_autocorrelation,
    ar2_period,
    ar2_roots,
    ar2_spectrum,
    ar2_standard_error,
    autocorrelation,
    least_squares_ar,
)
from wavenetlike.analysis.shape import Layer, delta, depth, frontier, gamma, layers, parameters, receptive_field

__all__ = [
    "ARFit",
    "DatasetReport",
    "Field",
    "Layer",
    "ModelReport",
    "SampleCost",
    "Score",
    "StepTime",
    "analyze_dataset",
    "analyze_model",
    "ar2_autocorrelation",
    "ar2_period",
    "ar2_roots",
    "ar2_spectrum",
    "ar2_standard_error",
    "autocorrelation",
    "baselines",
    "delta",
    "depth",
    "evaluate",
    "frontier",
    "gamma",
    "lag_profile",
    "layers",
    "least_squares_ar",
    "measure_receptive_field",
    "parameters",
    "receptive_field",
    "sample_cost",
    "score",
    "step_time",
    "tally",
]
