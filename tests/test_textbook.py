"""The fast layers compute what a textbook's do: the same logits, the same gradients."""

from __future__ import annotations

import pytest
import torch
from textbook import Textbook, textbook_of

from wavenetlike import WaveNet, WaveNetConfig, build_wavenet, build_wavenet_toy, layers
from wavenetlike.layers import CausalConv1d, Correlation, Fork, Gate

SMALL = {"levels": 7, "n_blocks": 2, "n_layers": 3, "residual_channels": 5, "gate_channels": 4, "skip_channels": 6}
CONFIGS = {
    "small": {},
    "kernel length 3": {"kernel_length": 3},
    "kernel length 1": {"kernel_length": 1},
    "first convolution": {"first_kernel_length": 4},
    "dilation rate 3": {"dilation_rate": 3},
    "one layer": {"n_blocks": 1, "n_layers": 1},
    "wide": {"residual_channels": 130, "gate_channels": 70},
}
PRESETS = {"toy": build_wavenet_toy, "wavenet": build_wavenet}


def gradients(model: WaveNet, textbook: Textbook) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Of every parameter: the model's gradient, and that of the textbook put together in the same way."""
    head, pairs = model.skip_head, [(model.embedding.weight.grad, textbook.input.weight.grad[..., 0].T)]
    parts = [(head.hidden, textbook.hidden), (head.out, textbook.out)]
    parts += [(layer.residual, own) for layer, own in zip(model.layers, textbook.residuals, strict=False)]
    parts += [] if model.first is None else [(model.first, textbook.first)]
    pairs += [(getattr(a, name).grad, getattr(b, name).grad) for a, b in parts for name in ("weight", "bias")]
    for layer, filter, gate in zip(model.layers, textbook.filters, textbook.gates, strict=True):
        for name in ("weight", "bias"):
            own = torch.cat([getattr(filter, name).grad, getattr(gate, name).grad])
            pairs.append((getattr(layer.gated.conv, name).grad, own))
    pairs.append((head.skip.weight.grad, torch.cat([skip.weight.grad for skip in textbook.skips], dim=1)))
    pairs += [(head.skip.bias.grad, skip.bias.grad) for skip in textbook.skips]
    return pairs


def assert_equal(model: WaveNet, n_codes: int, batch: int, tolerance: float) -> None:
    textbook = textbook_of(model)
    delta, levels = model.receptive_field, model.config.levels
    codes = torch.randint(levels, (batch, delta + n_codes), generator=torch.Generator().manual_seed(0))
    ours, theirs = model(codes[:, :-1], padded=False), textbook(codes[:, :-1])[..., delta - 1 :]
    assert (ours - theirs).abs().max() < tolerance
    for outputs in (ours, theirs):
        model.head.loss(outputs, codes[:, delta:]).backward()
    assert sum(p.numel() for p in model.parameters()) == sum(pair[0].numel() for pair in gradients(model, textbook)) - (
        len(model.layers) - 1
    ) * len(model.skip_head.skip.bias)
    for own, other in gradients(model, textbook):
        assert (own - other).abs().max() < tolerance


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_same_logits_and_gradients(changes, batch, dtype, tolerance, monkeypatch):
    for at_once in (layers.SkipHead.AT_ONCE, 70):
        monkeypatch.setattr(layers.SkipHead, "AT_ONCE", at_once)
        torch.manual_seed(0)
        assert_equal(WaveNet(WaveNetConfig(**{**SMALL, **changes})).to(dtype), 40, batch, tolerance)


@pytest.mark.parametrize("build", PRESETS.values(), ids=PRESETS)
def test_same_logits_and_gradients_of_the_presets(build):
    torch.manual_seed(0)
    assert_equal(build(), 500, 1, 1e-5)


@pytest.mark.parametrize("wide", [1, 3, 100])
@pytest.mark.parametrize(("kernel_length", "dilation"), [(1, 1), (2, 1), (2, 4), (3, 2)])
@pytest.mark.parametrize("batch", [1, 2])
def test_gradients_of_the_convolution_are_those_of_its_output(batch, kernel_length, dilation, wide, monkeypatch):
    monkeypatch.setattr(layers, "WIDE", wide)
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()

    weight, bias = random(4, 3, kernel_length), random(4)
    for x in (random(batch, 3, 12), random(batch, 12, 3).mT, random(batch, 3, 24)[..., ::2]):
        x = x.detach().requires_grad_()
        assert torch.autograd.gradcheck(Correlation.apply, (x, weight, bias, dilation))
        expected = torch.nn.functional.conv1d(x, weight, bias, dilation=dilation)
        assert torch.allclose(Correlation.apply(x, weight, bias, dilation), expected)
    for n in (0, 3):
        assert torch.autograd.gradcheck(lambda x: Fork.apply(x, n), (random(batch, 3, 12),))  # noqa: B023


def test_hooks_see_every_convolution():
    model, seen = WaveNet(WaveNetConfig(**SMALL)), []
    for part in model.modules():
        if isinstance(part, CausalConv1d):
            part.register_forward_hook(lambda part, *_: seen.append(part))
    model(torch.zeros(1, 20, dtype=torch.int64))
    assert set(seen) == {part for part in model.modules() if isinstance(part, CausalConv1d)}


def test_bfloat16_is_near():
    torch.manual_seed(0)
    model = WaveNet(WaveNetConfig(**SMALL))
    codes = torch.randint(7, (2, 100))
    with torch.autocast("cpu", torch.bfloat16):
        near = model(codes)
    assert near.dtype == torch.bfloat16
    assert (near.float() - model(codes)).abs().max() < 0.05


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("batch", [1, 2])
def test_gate_is_its_equation(batch, dtype):
    generator = torch.Generator().manual_seed(0)
    exact = 4 * torch.randn(batch, 6, 12, dtype=torch.float64, generator=generator)
    for x in (exact, exact.mT.contiguous().mT, torch.cat([exact, exact], dim=2)[..., ::2]):
        assert torch.autograd.gradcheck(Gate.apply, x.clone().requires_grad_())
        x, expected = x.clone().to(dtype).requires_grad_(), x.requires_grad_()
        filter, gate = expected.chunk(2, dim=1)
        z, equation = Gate.apply(x), torch.tanh(filter) * torch.sigmoid(gate)
        weights = torch.randn(z.shape, generator=generator).to(dtype)
        (z * weights).sum().backward()
        (equation * weights).sum().backward()
        tolerance = 8 * torch.finfo(dtype).eps
        torch.testing.assert_close(z.double(), equation, atol=tolerance, rtol=tolerance)
        torch.testing.assert_close(x.grad.double(), expected.grad, atol=4 * tolerance, rtol=4 * tolerance)


@pytest.mark.parametrize("build", PRESETS.values(), ids=PRESETS)
def test_the_same_bits_with_and_without_gradients(build):
    torch.manual_seed(0)
    model = build()
    codes = torch.randint(model.config.levels, (2, model.receptive_field + 100))
    logits = model(codes, padded=False)
    assert logits.requires_grad
    with torch.no_grad():
        assert torch.equal(model(codes, padded=False), logits)
