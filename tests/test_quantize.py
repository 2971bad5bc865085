"""µ-law: the reference's codes, a lossless way back, and waveforms that are none."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wavenetlike import MuLaw

LEVELS = [2, 3, 4, 10, 16, 255, 256, 1024]


@pytest.fixture(scope="module")
def reference():
    try:
        import torchaudio.functional
    except (ImportError, OSError) as error:
        pytest.skip(f"torchaudio does not load here ({error})")
    return torchaudio.functional


def waveform(n: int = 20001) -> Tensor:
    return torch.linspace(-1, 1, n)[None]


def companded(x: Tensor, levels: int) -> Tensor:
    """The real number whose floor is the code, in float64."""
    mu = levels - 1
    f = x.double().sign() * torch.log1p(mu * x.double().abs()) / math.log1p(mu)
    return (f + 1) / 2 * mu + 0.5


@pytest.mark.parametrize("levels", LEVELS)
def test_encode_is_that_of_torchaudio(reference, levels):
    x = waveform()
    # Within 1e-3 of the border between two codes float32 rounding decides.
    clear = (companded(x, levels) - companded(x, levels).round()).abs() > 1e-3
    assert clear.float().mean() > 0.99
    assert torch.equal(MuLaw(levels).encode(x)[clear], reference.mu_law_encoding(x, levels)[clear])


@pytest.mark.parametrize("levels", LEVELS)
def test_decode_is_that_of_torchaudio(reference, levels):
    codes = torch.arange(levels)[None]
    ours, theirs = MuLaw(levels).decode(codes), reference.mu_law_decoding(codes, levels)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)


@settings(max_examples=200)
@given(st.integers(2, 65536), st.floats(-1, 1, width=32))
def test_encode_is_the_formula(levels, x):
    exact = float(companded(torch.tensor([[x]]), levels))
    code = int(MuLaw(levels).encode(torch.tensor([[x]], dtype=torch.float64)))
    assert exact - 1 - 1e-6 < code <= exact + 1e-6
    assert 0 <= code < levels


@pytest.mark.parametrize("levels", [range(2, 512), range(512, 1025), [65536]], ids=["few", "many", "most"])
def test_every_code_survives(levels):
    for n in levels:
        mu_law, codes = MuLaw(n), torch.arange(n)[None]
        decoded = mu_law.decode(codes)
        assert torch.equal(mu_law.encode(decoded), codes), n
        assert decoded.dtype == torch.float32
        assert decoded.abs().max() <= 1
        assert (decoded.diff() > 0).all()
        torch.testing.assert_close(decoded[0, [0, -1]], torch.tensor([-1.0, 1.0]), rtol=0, atol=2e-6)
        torch.testing.assert_close(decoded, -decoded.flip(1), rtol=0, atol=2e-6)


@pytest.mark.parametrize("levels", [*LEVELS, 65536])
def test_encode_never_falls(levels):
    codes = MuLaw(levels).encode(waveform(100001))
    assert codes.dtype == torch.int64
    assert (codes.diff() >= 0).all()
    assert codes[0, 0] == 0
    assert codes[0, -1] == levels - 1


@pytest.mark.parametrize("levels", [2, 3, 10, 11, 256, 65536])
def test_silence_is_the_code_of_zero(levels):
    assert MuLaw(levels).silence == levels // 2
    assert abs(float(MuLaw(levels).decode(torch.tensor([[levels // 2]])))) <= 1 / (levels - 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_kind_of_float_is_encoded(dtype):
    x = torch.linspace(-1, 1, 101)[None].to(dtype)
    assert torch.equal(MuLaw(16).encode(x), MuLaw(16).encode(x.float()))


def test_quantizer_shows_its_levels():
    assert repr(MuLaw(10)) == "MuLaw(levels=10)"


@pytest.mark.parametrize(
    ("bad", "error", "shown"),
    [
        (torch.zeros(1, 0), ValueError, "(1, 0)"),
        (torch.zeros(0, 5), ValueError, "(0, 5)"),
        (torch.tensor([[0.0, math.nan]]), ValueError, "NaN"),
        (torch.tensor([[0.0, math.inf]]), ValueError, "infinite"),
        (torch.tensor([[0.0, -math.inf]]), ValueError, "infinite"),
        (torch.tensor([[0.0, 1.5]]), ValueError, "1.5"),
        (torch.tensor([[0.0, -4.0]]), ValueError, "4"),
        (torch.zeros(1, 5, dtype=torch.int16), TypeError, "torch.int16"),
        (torch.zeros(1, 5, dtype=torch.bool), TypeError, "torch.bool"),
        (torch.zeros(5), ValueError, "(5,)"),
        (torch.zeros(1, 1, 5), ValueError, "(1, 1, 5)"),
        (torch.tensor(0.5), ValueError, "()"),
        ([[0.0, 0.5]], TypeError, "list"),
        (None, TypeError, "NoneType"),
    ],
)
def test_bad_waveform_is_refused(bad, error, shown):
    refused(lambda: MuLaw(10).encode(bad), error, shown)


def test_peak_a_little_too_high_is_shown_as_such():
    with pytest.raises(ValueError, match="reaches 1\\.00"):
        MuLaw(10).encode(torch.tensor([[0.0, 1.00001]]))


@pytest.mark.parametrize(
    ("bad", "error", "shown"),
    [
        (torch.zeros(1, 0, dtype=torch.int64), ValueError, "(1, 0)"),
        (torch.zeros(5, dtype=torch.int64), ValueError, "(5,)"),
        (torch.zeros(1, 1, 5, dtype=torch.int64), ValueError, "(1, 1, 5)"),
        (torch.tensor([[0, 10]]), ValueError, "0 to 10"),
        (torch.tensor([[-1, 3]]), ValueError, "-1 to 3"),
        (torch.zeros(1, 5), TypeError, "torch.float32"),
        (torch.zeros(1, 5, dtype=torch.int32), TypeError, "torch.int32"),
        ([[1, 2]], TypeError, "list"),
    ],
)
def test_bad_codes_are_refused(bad, error, shown):
    refused(lambda: MuLaw(10).decode(bad), error, shown)


@pytest.mark.parametrize(
    ("levels", "error"),
    [(1, ValueError), (0, ValueError), (-2, ValueError), (True, TypeError), (2.5, TypeError), ("9", TypeError)],
)
def test_bad_levels_are_refused(levels, error):
    refused(lambda: MuLaw(levels), error, f"levels={levels!r}")
