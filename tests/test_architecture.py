"""Architecture choices: the page's table is that of its script, and what it counts is what the package counts today."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from wavenetlike import WaveNet, analysis
from wavenetlike.quantize import MuLaw

ROOT = Path(__file__).parents[1]
SCRIPT, PAGE = ROOT / "scripts" / "choices.py", ROOT / "docs" / "architecture.md"


@pytest.fixture(scope="module")
def choices() -> ModuleType:
    """The script, which leaves the number of threads to those who run it."""
    before = os.environ.get("OMP_NUM_THREADS")
    spec = importlib.util.spec_from_file_location("choices", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["choices"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    if before is None:
        os.environ.pop("OMP_NUM_THREADS", None)
    return module


def cells(page: Path) -> list[list[str]]:
    """The rows of the page's table of choices, its head first."""
    (table,) = re.findall(r"<!-- choices -->\n(.*?)<!-- end -->", page.read_text(encoding="utf-8"), re.S)
    head, _, *rows = table.strip().splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in (head, *rows)]


def number(cell: str) -> float:
    """Of a cell, without what marks it."""
    return float(cell.strip("*× ").replace("−", "-").replace(",", ""))


def test_every_variant_has_its_row_and_counts_what_the_package_counts(choices):
    head, *rows = cells(PAGE)
    assert [row[0] for row in rows] == [variant.name for variant in choices.VARIANTS]
    assert head == [cell.strip() for cell in choices.HEAD.strip("|").split("|")]
    for variant, row in zip(choices.VARIANTS, rows, strict=True):
        model = WaveNet(variant.config)
        found = analysis.delta(model), analysis.depth(model), analysis.parameters(model), analysis.gamma(model)
        assert tuple(map(number, row[1:4])) == found[:3], variant.name
        assert number(row[4]) == round(found[3]), variant.name
        assert 0 < number(row[5]) < 8, variant.name


def test_every_variant_is_another_and_none_is_the_baseline(choices):
    assert len({variant.name for variant in choices.VARIANTS}) == len(choices.VARIANTS)
    all_but_names = [(v.config, v.window, v.batch_size, v.learning_rate) for v in choices.VARIANTS]
    assert len(set(map(repr, all_but_names))) == len(all_but_names)


def test_every_variant_predicts_as_many_samples(choices):
    for variant in choices.VARIANTS:
        predicted = variant.steps(choices.STEPS) * variant.window * variant.batch_size
        assert predicted == choices.STEPS * choices.WINDOW, variant.name


@pytest.mark.parametrize("levels", [2, 3, 10, 64, 256])
def test_bins_divide_the_waveform(choices, levels):
    """Their widths add up to the whole of it, whatever the levels: found by encoding a fine grid."""
    x = torch.linspace(-1, 1, 200_001, dtype=torch.float64)[None]
    codes = MuLaw(levels).encode(x)
    width = torch.bincount(codes[0], minlength=levels).double() * (2 / 200_001)
    expected = width.log2()[codes].mean().item()
    assert choices.log_widths(levels, [x]) == pytest.approx(expected, abs=0.05 if levels > 100 else 0.005)


@pytest.mark.parametrize("levels", [128, 256, 1000])
def test_many_narrow_bins_are_as_wide_as_the_curve_is_flat(choices, levels):
    """Of f(x) = ln(1 + µ|x|) / ln(1 + µ), cut into steps of 2/µ; the bins at the ends are half as wide, and not asked."""
    x = 1.8 * torch.rand(1, 20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.9
    mu = levels - 1
    expected = ((1 + mu * x.abs()) * 2 * math.log1p(mu) / mu**2).log2().mean().item()
    assert choices.log_widths(levels, [x]) == pytest.approx(expected, abs=0.01)


def test_only_what_is_beyond_the_seeds_is_bold(choices):
    results = {variant.name: choices.Measured([2.0, 2.1], training=1.0, generating=1.0) for variant in choices.VARIANTS}
    results["no skip"].bits = [2.1, 2.2]
    results["no residual"].bits = [3.0, 3.1]
    results["no gates"].bits = [2.0, 4.1]  # as far off, but not steady
    found = {row.split("|")[1].strip(): row.split("|")[8].strip() for row in choices.rows(results)}
    assert choices.usual_spread(results) == pytest.approx(0.1 / 2**0.5 / 0.6745)
    assert (found["baseline"], found["no skip"], found["no residual"]) == ("", "+0.100", "**+1.000**")
    assert found["no gates"] == "+1.000"


def test_deviations_of_two_numbers_are_known_by_their_median(choices):
    """Of many variants with the same true spread, the usual one is that."""
    pairs = (0.3 * torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))).tolist()
    usual = choices.usual_spread({str(i): choices.Measured(pair) for i, pair in enumerate(pairs)})
    assert usual == pytest.approx(0.3, rel=0.03)


def test_the_same_model_is_as_fast_in_every_row(choices):
    results = {v.name: choices.Measured([2.0], 0.0, 1.0 + i, 1.0 + i) for i, v in enumerate(choices.VARIANTS[::-1])}
    least = min(results[name].training for name in ("baseline", "learning rate ÷ 3", "learning rate × 3"))
    own = results["no gates"].training, results["no gates"].generating
    choices.share(results)
    assert results["baseline"].training == results["learning rate × 3"].training == least
    assert results["baseline"].generating == results["batch of 4, ¼ of the steps"].generating == 1
    assert (results["no gates"].training, results["no gates"].generating) == own


def test_a_page_without_its_marks_is_refused(choices, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Nothing here.", encoding="utf-8")
    with pytest.raises(ValueError, match=r"page.md has 0 places for choices; it must have one\."):
        choices.write(page, "choices", ["| a |"])


def test_the_script_runs_and_writes_elsewhere(tmp_path):
    before, copy = PAGE.read_bytes(), tmp_path / "copy.md"
    copy.write_bytes(before)
    options = ["--steps", "2", "--seeds", "1", "--rounds", "1", "--clips", "1", "--output", str(copy)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options], cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert PAGE.read_bytes() == before
    assert copy.read_bytes() != before
    for old, new in zip(cells(PAGE), cells(copy), strict=True):
        assert old[:5] == new[:5]
    assert "(the baseline in 2 steps)" in copy.read_text(encoding="utf-8")
