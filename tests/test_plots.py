"""Every picture is drawn, says in words what it shows, and leaves nothing behind."""

import html
import re
import struct
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from helpers import refused

from wavenetlike import MuLaw, WaveNetConfig, plots
from wavenetlike.analysis import Score, analyze_dataset
from wavenetlike.data import ar_process, sines, sunspots, threshold_ar
from wavenetlike.plots import fields
from wavenetlike.train import History, Judged, expected

SMALL = WaveNetConfig(levels=4, n_blocks=1, n_layers=3, residual_channels=2, gate_channels=2, skip_channels=2)
WAVE = torch.linspace(-1, 1, 300)
BOARD = [Score("commonest code", 0.4, 1.9), Score("this model", 0.9, 0.4)]
PICTURES: dict[str, Callable[[], plots.Picture]] = {
    "series": lambda: plots.series([1.0, 2.0, 3.0], "a line", first=1700),
    "series of a tensor": lambda: plots.series(WAVE, "a line"),
    "ar2 inside, swinging": lambda: plots.ar2(1.4, -0.7, [0.0, 1.0, 2.0]),
    "ar2 inside, fading": lambda: plots.ar2(0.3, 0.3, [0.0, 1.0, 2.0]),
    "ar2 outside": lambda: plots.ar2(1.5, 0.5, [0.0, 1.0, 9.0]),
    "estimates": lambda: plots.estimates([100, 10, 1000], [0.4, 0.2, 0.5], 0.5, [0.1, 0.3, 0.03], "b"),
    "tree": lambda: plots.dilated_tree(SMALL),
    "tree of kernel length 1": lambda: plots.dilated_tree(WaveNetConfig(kernel_length=1, n_layers=2, n_blocks=1)),
    "tree of the full WaveNet": lambda: plots.dilated_tree(WaveNetConfig()),
    "delta against depth": lambda: plots.delta_against_depth(kernel_length=3, deepest=5),
    "receptive field": lambda: plots.receptive_field(SMALL, [(1, 10.0), (8, 20.0)]),
    "lag profile": lambda: plots.lag_profile(torch.tensor([1.0, 0.1, 0.0, 0.0]), delta=2),
    "lags": lambda: plots.lags(WAVE, [1.0, 0.9, -0.2, 0.01], 1, 0.1),
    "lags, some pairs of whole numbers": lambda: plots.lags([3, 1, 2, 5, 2, 8], [1.0, 0.0, 0.5], 2, 0.8, stride=2),
    "lags, too many for dots": lambda: plots.lags(WAVE, [1.0] + 200 * [0.1], 0, 0.1),
    "stems": lambda: plots.stems([0.5, -0.1, 0.0], "one that is high", 0.2, first=1),
    "stems, too many for dots": lambda: plots.stems(torch.rand(300), "hair", 0.2),
    "search": lambda: plots.search([3.0, 2.0, 2.5], [False, False, True], [100, 900, 300], [2, 3, 2], 2.8),
    "search, none stopped": lambda: plots.search([3.0, 2.0], [False, False], [100, 120], [2, 2], 2.8),
    "search of many, none done": lambda: plots.search([float("nan")] * 50, [True] * 50, [*range(1, 51)], [2] * 50, 2.8),
    "dataset": lambda: plots.dataset(analyze_dataset(sunspots())),
    "dataset of many lags": lambda: plots.dataset(analyze_dataset(sines([50], 2000, seed=0))),
    "dataset of a threshold": lambda: plots.dataset(analyze_dataset(threshold_ar(3000, seed=0))),
    "dataset of ten samples": lambda: plots.dataset(analyze_dataset(ar_process([], 10, seed=3))),
    "quantization": lambda: plots.quantization(WAVE, MuLaw(10), 16000),
    "quantization error": lambda: plots.quantization_error(WAVE, MuLaw(10), 16000),
    "quantization error of one sample": lambda: plots.quantization_error(WAVE[:1], MuLaw(2), 8000),
    "training": lambda: plots.training([3.0, 2.0, 1.0], "a falling line", {"bigram": 1.5}, smooth=2, usual=expected()),
    "training, one step": lambda: plots.training([3.0], "a dot"),
    "learning, before the first step": lambda: plots.learning(History()),
    "learning, one step": lambda: plots.learning(History([3.0], [0.1])),
    "learning": lambda: plots.learning(
        History([3.0, 2.0, 1.0], [0.1, 0.2, 0.5], [Judged(1, 2.9, 0.1), Judged(3, 2.0, 0.4)], BOARD), smooth=2
    ),
    "scaling": lambda: plots.scaling([1, 2, 4], [4.0, 2.0, 1.0], [0.0, 0.5, 0.8], 2),
    "scaling of one": lambda: plots.scaling([1, 2], [4.0, 2.0], [0.0, 0.5], 1),
    "growth": lambda: plots.growth([1, 2, 4], {"one": [1, 2, 4], "two": [3, 3, 3]}, "lines", "size", "time"),
    "scores": lambda: plots.scores(BOARD, "bars"),
    "waveforms": lambda: plots.waveforms({"one": WAVE, "another": WAVE[:100]}, 16000, "two waveforms"),
    "frames": lambda: plots.frames({"one": torch.rand(4, 30), "two": torch.rand(2, 20)}, 160, 16000, "two blots"),
    "frames of one": lambda: plots.frames({"one": torch.zeros(1, 1)}, 160, 16000, "nothing"),
    "distributions": lambda: plots.distributions({"a": torch.rand(9), "b": torch.rand(9)}, 3, "two hills"),
    "distributions of one": lambda: plots.distributions({"a": torch.ones(2) / 2}, 0, "a plain"),
    "waveforms over samples": lambda: plots.waveforms({"one": WAVE}, None, "a waveform"),
    "one waveform": lambda: plots.waveforms({"only": WAVE}, 8000, "a waveform"),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_picture_is_drawn_with_its_alternative_text(draw: Callable[[], plots.Picture]) -> None:
    picture = draw()
    png = picture.png()
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG")
    assert width > 400
    assert height > 100
    assert picture.alt
    assert f'alt="{html.escape(picture.alt)}"' in picture._repr_html_()
    assert plt.get_fignums() == []


def test_alternative_text_is_escaped() -> None:
    assert 'alt="a &lt; b &quot;c&quot;"' in plots.series([1.0], 'a < b "c"')._repr_html_()


@pytest.mark.parametrize("kernel_length", range(1, 5))
@pytest.mark.parametrize("dilation_rate", range(1, 4))
@pytest.mark.parametrize("n_blocks", [1, 2])
def test_tree_reaches_the_inputs_that_matter(kernel_length: int, dilation_rate: int, n_blocks: int) -> None:
    config = WaveNetConfig(n_blocks=n_blocks, n_layers=3, kernel_length=kernel_length, dilation_rate=dilation_rate)
    lags = {0}
    for dilation in config.dilations:
        lags = {lag + tap * dilation for lag in lags for tap in range(kernel_length)}
    lines, reached, complete = fields._branches(config)
    assert complete
    assert set(reached.tolist()) == lags
    assert max(lags) == config.receptive_field - 1
    assert lines[..., 0].min() == -max(lags)


def test_a_wide_tree_is_thinned_but_keeps_its_ends() -> None:
    config = WaveNetConfig()
    _, reached, complete = fields._branches(config)
    assert not complete
    assert len(reached) <= fields.MOST_LAGS * config.kernel_length
    assert reached.min() == 0
    assert reached.max() == config.receptive_field - 1


def test_the_picture_of_a_dataset_says_what_was_found() -> None:
    alt = plots.dataset(analyze_dataset(ar_process([-0.4, 0.5], 4000, seed=0))).alt
    assert " at order 2, chosen by BIC" in alt
    assert "at no lag more than chance" in alt
    alt = plots.dataset(analyze_dataset(threshold_ar(3000, lag=4, seed=0))).alt
    assert "none beyond chance" in alt
    assert "most at lag 4," in alt


def test_the_picture_of_lags_tells_the_shape_of_its_cloud() -> None:
    tent = plots.lags(threshold_ar(3000, lag=2, seed=0), [1.0, 0.0, 0.0], 2, 0.05).alt
    low, middle, high = (
        float(part.split(" is ")[-1].split()[-1]) for part in tent[tent.index("lowest") :].rstrip(".").split(", ")
    )
    assert low < middle > high
    line = plots.lags(WAVE, [1.0, 0.9], 1, 0.1).alt
    assert (
        "after the lowest third of samples the mean is -0.66, after the middle one 0.0067, after the highest 0.67"
        in line
    )


@pytest.mark.parametrize(
    ("draw", "error", "shown"),
    [
        (lambda: plots.dataset(WAVE), TypeError, "a Tensor"),
        (lambda: plots.lags(WAVE, [1.0, 0.5], 7, 0.1), ValueError, "lag=7"),
        (lambda: plots.lags(WAVE, [1.0, 0.5], 1, 0.1, stride=0), ValueError, "stride=0"),
        (lambda: plots.search([1.0], [], [1], [2], 3.0), ValueError, "1 bits, 0 pruned"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, error, shown):
    refused(draw, error, shown)


def test_all_that_notebooks_take_from_plots_is_there() -> None:
    for path in (Path(__file__).parents[1] / "notebooks").glob("*.ipynb"):
        for name in re.findall(r"\bplots\.([A-Za-z_]\w*)", path.read_text(encoding="utf-8")):
            assert hasattr(plots, name), f"plots.{name} in {path.name}"
