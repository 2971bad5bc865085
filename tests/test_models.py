"""Models: a WaveNet as the paper draws it, its shape counted ahead, and its way to a file and back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers import SEEDS, built, is_changed, random_codes, refused, wavenet_configs
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from wavenetlike import (
    WaveNet,
    WaveNetConfig,
    analysis,
    build_ar2,
    build_wavenet,
    build_wavenet_toy,
    load,
    pretrained,
    save,
)
from wavenetlike.analysis import evaluate
from wavenetlike.data import bundled_clips
from wavenetlike.models import PRETRAINED

FIELDS = [field.name for field in dataclasses.fields(WaveNetConfig) if field.type == "int"]


class TextbookWaveNet(nn.Module):
    """Figure 4 of the paper word for word: one-hot input, and filter, gate, residual and skip by a convolution each."""

    def __init__(self, model: WaveNet):
        super().__init__()
        config = self.config = model.config
        width, gate = config.residual_channels, config.gate_channels
        self.entry = nn.Conv1d(config.levels, width, 1, bias=False)
        self.entry.weight.data = model.embedding.weight.data.T[..., None].clone()
        self.first = None
        if config.first_kernel_length > 1:
            self.first = self.copy(model.first.weight, model.first.bias)
        self.filters, self.gates, self.residuals, self.skips = (nn.ModuleList() for _ in range(4))
        skip_weights = model.skip_head.skip.weight.split(gate, dim=1)
        for i, (layer, skip_weight) in enumerate(zip(model.layers, skip_weights, strict=True)):
            weight, bias, dilation = layer.gated.conv.weight, layer.gated.conv.bias, config.dilations[i]
            self.filters.append(self.copy(weight[:gate], bias[:gate], dilation))
            self.gates.append(self.copy(weight[gate:], bias[gate:], dilation))
            if layer.residual is not None:
                self.residuals.append(self.copy(layer.residual.weight, layer.residual.bias))
            # A sum of biases is one bias: the first layer carries it.
            zeros = torch.zeros(config.skip_channels)
            self.skips.append(self.copy(skip_weight, zeros if i else model.skip_head.skip.bias))
        self.hidden = self.copy(model.skip_head.hidden.weight, model.skip_head.hidden.bias)
        self.out = self.copy(model.skip_head.out.weight, model.skip_head.out.bias)

    @staticmethod
    def copy(weight: Tensor, bias: Tensor, dilation: int = 1) -> nn.Conv1d:
        conv = nn.Conv1d(weight.shape[1], weight.shape[0], weight.shape[2], dilation=dilation)
        conv.weight.data, conv.bias.data = weight.data.clone(), bias.data.clone()
        return conv

    def forward(self, codes: Tensor) -> Tensor:
        x = self.entry(F.one_hot(codes, self.config.levels).transpose(1, 2).to(self.entry.weight.dtype))
        if self.first is not None:
            x = self.first(x)
        skips = []
        for i, (filter, gate, skip) in enumerate(zip(self.filters, self.gates, self.skips, strict=True)):
            z = torch.tanh(filter(x)) * torch.sigmoid(gate(x))
            skips.append(skip(z))
            if i < len(self.residuals):
                x = x[..., -z.shape[-1] :] + self.residuals[i](z)
        n = skips[-1].shape[-1]
        return self.out(F.relu(self.hidden(F.relu(sum(skip[..., -n:] for skip in skips)))))


@settings(max_examples=100)
@given(wavenet_configs(), SEEDS, st.integers(0, 10))
def test_wavenet_is_the_textbook_one(config, seed, extra):
    model = built(config, seed)
    textbook = TextbookWaveNet(model)
    codes = random_codes(config.levels, 2, model.receptive_field + extra, seed=seed)
    logits, expected = model(codes, padded=False), textbook(codes)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
    weights = torch.randn_like(logits)
    (logits * weights).sum().backward()
    (expected * weights).sum().backward()

    def same(ours: Tensor, *theirs: nn.Parameter, dim: int = 0) -> None:
        torch.testing.assert_close(ours, torch.cat([p.grad for p in theirs], dim=dim), rtol=1e-5, atol=1e-5)

    same(model.embedding.weight.grad.T[..., None], textbook.entry.weight)
    if textbook.first is not None:
        same(model.first.weight.grad, textbook.first.weight)
        same(model.first.bias.grad, textbook.first.bias)
    for layer, filter, gate in zip(model.layers, textbook.filters, textbook.gates, strict=True):
        same(layer.gated.conv.weight.grad, filter.weight, gate.weight)
        same(layer.gated.conv.bias.grad, filter.bias, gate.bias)
    for layer, residual in zip(model.layers, textbook.residuals, strict=False):
        same(layer.residual.weight.grad, residual.weight)
        same(layer.residual.bias.grad, residual.bias)
    assert len(textbook.residuals) == len(model.layers) - 1
    same(model.skip_head.skip.weight.grad, *(skip.weight for skip in textbook.skips), dim=1)
    for skip in textbook.skips:
        same(model.skip_head.skip.bias.grad, skip.bias)
    for name in ("hidden", "out"):
        same(getattr(model.skip_head, name).weight.grad, getattr(textbook, name).weight)
        same(getattr(model.skip_head, name).bias.grad, getattr(textbook, name).bias)


@settings(max_examples=200)
@given(wavenet_configs())
def test_config_counts_what_is_built(config):
    model = built(config)
    dilations = [config.dilation_rate**i for i in range(config.n_layers)] * config.n_blocks
    delta = config.first_kernel_length + (config.kernel_length - 1) * sum(dilations)
    depth = len(dilations) + (config.first_kernel_length > 1)
    n = sum(p.numel() for p in model.parameters())
    assert config.dilations == dilations
    assert config.receptive_field == model.receptive_field == analysis.delta(model) == delta
    assert config.depth == model.depth == analysis.depth(model) == depth
    assert config.parameters == analysis.parameters(model) == n
    assert config.gamma == analysis.gamma(model) == n / depth
    weights = sum(p.numel() for p in model.parameters() if p.dim() > 1) - model.embedding.weight.numel()
    assert config.multiplications == weights


@pytest.mark.parametrize("first", [1, 2, 3, 7, 32])
def test_first_convolution_adds_its_length_minus_one(first):
    config = WaveNetConfig(first_kernel_length=first)
    assert config.receptive_field == 3070 + first - 1
    assert config.depth == 30 + (first > 1)


def test_presets_have_the_shapes_of_their_names():
    toy, full = build_wavenet_toy(), build_wavenet()
    shape = {
        "n_blocks": 3, "n_layers": 10, "kernel_length": 2, "dilation_rate": 2, "first_kernel_length": 1, "head": "softmax",
        "n_mixtures": 10, "condition": None, "context": None,
    }  # fmt: skip
    toy_shape = {**shape, "levels": 10, "residual_channels": 50, "gate_channels": 6, "skip_channels": 50}
    full_shape = {**shape, "levels": 256, "residual_channels": 32, "gate_channels": 32, "skip_channels": 512}
    assert dataclasses.asdict(toy.config) == toy_shape
    assert dataclasses.asdict(full.config) == full_shape
    assert toy.receptive_field == full.receptive_field == 3070
    assert 1.0e6 < analysis.parameters(full) < 1.1e6
    assert analysis.gamma(toy) < analysis.gamma(full)
    ar2 = build_ar2()
    assert (ar2.receptive_field, analysis.parameters(ar2), ar2.depth) == (2, 3, 1)


@settings(max_examples=100)
@given(wavenet_configs(), SEEDS, st.integers(0, 10))
def test_padding_is_silence_before_the_first_code(config, seed, extra):
    model = built(config, seed).double()
    delta, silence = model.receptive_field, config.levels // 2
    codes = random_codes(config.levels, 2, delta + extra, seed=seed)
    with torch.no_grad():
        padded, unpadded = model(codes), model(codes, padded=False)
        past = torch.full((2, delta - 1), silence)
        explicit = model(torch.cat([past, codes], dim=1), padded=False)
    assert padded.shape == (2, config.levels, delta + extra)
    assert unpadded.shape == (2, config.levels, extra + 1)
    torch.testing.assert_close(padded[..., delta - 1 :], unpadded, rtol=0, atol=1e-12)
    torch.testing.assert_close(padded, explicit, rtol=0, atol=1e-12)


@settings(max_examples=100)
@given(wavenet_configs(skip_channels=32), SEEDS, st.integers(0, 28))
def test_wavenet_never_looks_ahead(config, seed, t):
    model = built(config, seed).double()
    codes = random_codes(config.levels, 1, 30, seed=seed)
    changed = codes.clone()
    changed[:, t + 1 :] = (codes[:, t + 1 :] + 1) % config.levels
    with torch.no_grad():
        before, after = model(codes), model(changed)
    torch.testing.assert_close(after[..., : t + 1], before[..., : t + 1], rtol=0, atol=1e-12)
    assert not torch.allclose(after[..., t + 1], before[..., t + 1], rtol=0, atol=1e-12)


def test_batch_is_made_of_independent_rows(small_model):
    codes = random_codes(5, 3, 40)
    with torch.no_grad():
        together = small_model(codes)
        apart = torch.cat([small_model(row[None]) for row in codes])
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-5)


def test_config_is_frozen_and_made_of_integers():
    config = WaveNetConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.levels = 3
    for name in FIELDS:
        least = 2 if name == "levels" else 1
        assert getattr(WaveNetConfig(**{name: least}), name) == least
        refused(lambda n=name, v=least - 1: WaveNetConfig(**{n: v}), ValueError, f"{name}={least - 1}")
        refused(lambda n=name: WaveNetConfig(**{n: -1}), ValueError, f"{name}=-1")
        for value in (True, 2.0, "2", None):
            refused(lambda n=name, v=value: WaveNetConfig(**{n: v}), TypeError, f"{name}={value!r}")


def test_bad_codes_are_refused(small_model):
    refused(lambda: small_model(torch.tensor([[0, 5]])), ValueError, "0 to 5")
    refused(lambda: small_model(torch.tensor([[-1, 2]])), ValueError, "-1 to 2")
    refused(lambda: small_model(torch.zeros(1, 20)), TypeError, "torch.float32")
    refused(lambda: small_model(torch.zeros(20, dtype=torch.int64)), ValueError, "(20,)")
    refused(lambda: small_model(torch.zeros(1, 0, dtype=torch.int64)), ValueError, "(1, 0)")
    delta = small_model.receptive_field
    few = random_codes(5, 1, delta - 1)
    assert small_model(few).shape == (1, 5, delta - 1)
    assert small_model(random_codes(5, 1, delta), padded=False).shape == (1, 5, 1)
    refused(lambda: small_model(few, padded=False), ValueError, str(delta - 1), str(delta))


@settings(max_examples=25)
@given(wavenet_configs(), SEEDS)
def test_saved_model_comes_back(tmp_path_factory, config, seed):
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    model = built(config, seed)
    save(model, path)
    back = load(str(path))
    codes = random_codes(config.levels, 2, 20, seed=seed)
    assert back.config == config
    assert not is_changed(model.state_dict(), back.state_dict())
    assert torch.equal(back(codes), model(codes))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_saving_again_replaces_the_file(tmp_path, small_model):
    path = tmp_path / "model.safetensors"
    save(build_wavenet_toy(), path)
    save(small_model, str(path))
    assert load(path).config == small_model.config


def test_failed_save_leaves_the_old_file(tmp_path, small_model, monkeypatch):
    path = tmp_path / "model.safetensors"
    save(small_model, path)
    content = path.read_bytes()

    def disk_full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="no space"):
        save(build_wavenet_toy(), path)
    assert path.read_bytes() == content


def test_missing_paths_are_refused(tmp_path, small_model):
    refused(lambda: load(tmp_path / "none.safetensors"), FileNotFoundError, "none.safetensors")
    refused(lambda: save(small_model, tmp_path / "none" / "model"), FileNotFoundError, "none")


def bad_files(folder: Path, model: WaveNet) -> dict[str, Path]:
    """One file each of what is no saved WaveNet."""
    files = {
        name: folder / name for name in ("text", "pickle", "bare", "short", "list", "unknown", "impossible", "other")
    }
    files["text"].write_text("not a model at all")
    torch.save(model.state_dict(), files["pickle"])
    save_file(model.state_dict(), files["bare"])
    save(model, files["short"])
    files["short"].write_bytes(files["short"].read_bytes()[:-100])
    configs = {
        "list": [1, 2],
        "unknown": {"colour": "blue"},
        "impossible": {"levels": 1},
        "other": dataclasses.asdict(WaveNetConfig()),
    }
    for name, config in configs.items():
        save_file(model.state_dict(), files[name], metadata={"wavenetlike.config": json.dumps(config)})
    files["folder"] = folder
    return files


@pytest.mark.parametrize(
    "kind", ["text", "pickle", "bare", "short", "list", "unknown", "impossible", "other", "folder"]
)
def test_other_files_are_refused(tmp_path, small_model, kind):
    path = bad_files(tmp_path, small_model)[kind]
    refused(lambda: load(path), ValueError, repr(str(path)))


def test_the_trained_toy_is_a_toy_that_has_learnt():
    model = pretrained("toy")
    assert model.config == build_wavenet_toy().config
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    board = {score.name: score for score in evaluate(model, bundled_clips())}
    assert board["this model"].bits < 0.75 * board["bigram model"].bits
    assert pretrained() is not model
    assert PRETRAINED.joinpath("toy.safetensors").stat().st_size < 200_000


def test_the_trained_words_know_words_and_frames():
    model = pretrained("words")
    assert model.config.condition.parts == ("word", "frames")
    assert len(model.config.condition.words) == 20
    clips = [clip for clip in bundled_clips() if clip[2] in model.config.condition.words][:12]
    ways = {"own": {}, "without": {"removed": ["frames"]}, "of others": {"shuffled": ["frames"]}}
    bits = {name: evaluate(model, clips, **how)[-1].bits for name, how in ways.items()}
    assert bits["own"] < bits["without"] - 0.1
    assert bits["own"] < bits["of others"] - 0.1
    assert PRETRAINED.joinpath("words.safetensors").stat().st_size < 3_000_000


@pytest.mark.parametrize("name", ["full", "", "../toy", 3, None])
def test_other_trained_models_are_refused(name):
    refused(lambda: pretrained(name), ValueError, f"name={name!r}", "toy")
