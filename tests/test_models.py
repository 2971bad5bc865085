"""Models: a WaveNet as the paper draws it, its shape counted ahead, and its way to a file and back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers import (
    CHOICES,
    SEEDS,
    built,
    condition_of,
    copied,
    is_changed,
    random_codes,
    refused,
    told_configs,
    wavenet_configs,
)
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
from wavenetlike.generate import generate
from wavenetlike.models import PRETRAINED, folded
from wavenetlike.train import train

FIELDS = [field.name for field in dataclasses.fields(WaveNetConfig) if field.type == "int"]


class TextbookWaveNet(nn.Module):
    """Figure 4 of the paper word for word, but for what the config leaves out: one-hot input, filter, gate, residual and skip by a convolution each."""

    def __init__(self, model: WaveNet):
        super().__init__()
        config = self.config = model.config
        model = folded(model)
        width, gate = config.residual_channels, config.gate_channels
        self.entry = nn.Conv1d(config.levels, width, 1, bias=False)
        self.entry.weight.data = model.embedding.table.data.T[..., None].clone()
        self.first = None
        if config.first_kernel_length > 1:
            self.first = self.copy(model.first.weight, model.first.bias)
        self.filters, self.gates, self.residuals, self.skips = (nn.ModuleList() for _ in range(4))
        # What is not read has weights of zero.
        unread = [torch.zeros(config.skip_channels, gate, 1)] * (len(model.layers) - config.n_read)
        skip_weights = [*unread, *model.skip_head.skip.weight.split(gate, dim=1)]
        for i, (layer, skip_weight) in enumerate(zip(model.layers, skip_weights, strict=True)):
            weight, bias, dilation = layer.gated.conv.weight, layer.gated.conv.bias, config.dilations[i]
            self.filters.append(self.copy(weight[:gate], bias[:gate], dilation))
            if config.gated:
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
        for i, (filter, skip) in enumerate(zip(self.filters, self.skips, strict=True)):
            z = torch.tanh(filter(x)) * (torch.sigmoid(self.gates[i](x)) if self.config.gated else 1)
            skips.append(skip(z))
            if i < len(self.residuals):
                x = self.residuals[i](z) + (x[..., -z.shape[-1] :] if self.config.residual else 0)
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
    model = folded(model)  # whose gradients are those of plain weights; the others are torch's own affair
    weights = torch.randn_like(logits)
    (model(codes, padded=False) * weights).sum().backward()
    (expected * weights).sum().backward()

    def same(ours: Tensor, *theirs: nn.Parameter, dim: int = 0) -> None:
        torch.testing.assert_close(ours, torch.cat([p.grad for p in theirs], dim=dim), rtol=1e-5, atol=1e-5)

    if config.entry == "value":
        ahead = textbook.entry.weight.grad[..., 0]
        values = torch.linspace(-1, 1, config.levels)
        torch.testing.assert_close(model.embedding.weight.grad, ahead @ values, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(model.embedding.bias.grad, ahead.sum(dim=1), rtol=1e-5, atol=1e-5)
    else:
        of_table = model.embedding.weight.grad if config.entry == "one-hot" else model.embedding.weight.grad.T
        same(of_table[..., None], textbook.entry.weight)
    if textbook.first is not None:
        same(model.first.weight.grad, textbook.first.weight)
        same(model.first.bias.grad, textbook.first.bias)
    for i, (layer, filter) in enumerate(zip(model.layers, textbook.filters, strict=True)):
        convs = [filter, textbook.gates[i]] if config.gated else [filter]
        same(layer.gated.conv.weight.grad, *(conv.weight for conv in convs))
        same(layer.gated.conv.bias.grad, *(conv.bias for conv in convs))
    for layer, residual in zip(model.layers, textbook.residuals, strict=False):
        same(layer.residual.weight.grad, residual.weight)
        same(layer.residual.bias.grad, residual.bias)
    assert len(textbook.residuals) == len(model.layers) - 1
    read = textbook.skips[-config.n_read :]
    same(model.skip_head.skip.weight.grad, *(skip.weight for skip in read), dim=1)
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
    plain = folded(model)
    weights = sum(conv.weight.numel() for conv in plain.convolutions)
    assert config.multiplications == weights
    assert sum(p.numel() for p in plain.parameters()) == dataclasses.replace(config, weight_norm=False).parameters


@pytest.mark.parametrize("first", [1, 2, 3, 7, 32])
def test_first_convolution_adds_its_length_minus_one(first):
    config = WaveNetConfig(first_kernel_length=first)
    assert config.receptive_field == 3070 + first - 1
    assert config.depth == 30 + (first > 1)


def test_presets_have_the_shapes_of_their_names():
    toy, full = build_wavenet_toy(), build_wavenet()
    shape = {
        "n_blocks": 3, "n_layers": 10, "kernel_length": 2, "dilation_rate": 2, "first_kernel_length": 1, "head": "softmax",
        "n_mixtures": 10, "condition": None, "context": None, "embedding": "auto", "gated": True, "residual": True, "skip": True,
        "weight_norm": False,
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


def test_how_it_is_built_is_said_by_names_and_by_true_and_false():
    for name in ("gated", "residual", "skip", "weight_norm"):
        for value in (True, False):
            assert getattr(WaveNetConfig(**{name: value}), name) is value
        for value in (1, "yes", None):
            refused(lambda n=name, v=value: WaveNetConfig(**{n: v}), TypeError, name, "True or False")
    for value in ("onehot", "", 3, None, True):
        refused(lambda v=value: WaveNetConfig(embedding=v), ValueError, f"embedding={value!r}", "one-hot")
    assert WaveNetConfig().entry == "table"
    assert WaveNetConfig(head="mse").entry == "value"
    assert WaveNetConfig(head="mse", embedding="table").entry == "table"


def test_a_config_from_before_these_choices_is_that_model():
    fields = {name: value for name, value in dataclasses.asdict(WaveNetConfig()).items() if name not in CHOICES}
    assert WaveNetConfig.from_json(json.dumps(fields)) == WaveNetConfig()


def test_one_hot_vectors_only_pick_a_row_of_the_table():
    table, one_hot = (built(WaveNetConfig(levels=9, n_layers=3, embedding=name)) for name in ("table", "one-hot"))
    table.load_state_dict({**one_hot.state_dict(), "embedding.weight": one_hot.embedding.weight.T})
    codes = random_codes(9, 2, 40)
    assert torch.equal(one_hot.embedding(codes), table.embedding(codes))
    assert torch.equal(one_hot.embedding.table, table.embedding.table)
    assert torch.equal(one_hot(codes), table(codes))


@settings(max_examples=30)
@given(told_configs(), SEEDS)
def test_folded_is_the_same_function_with_plain_weights(config, seed):
    model = built(config, seed)
    before, random = copied(model.state_dict()), torch.get_rng_state()
    plain = folded(model)
    assert torch.equal(torch.get_rng_state(), random)
    assert plain.config == dataclasses.replace(config, weight_norm=False)
    assert plain.state_dict().keys() == WaveNet(plain.config).state_dict().keys()
    assert (plain is model) is not config.weight_norm
    codes = random_codes(config.levels, 2, 30, seed=seed)
    condition = condition_of(config.condition, 2, 30, seed)
    torch.testing.assert_close(plain(codes, condition=condition), model(codes, condition=condition))
    if config.weight_norm:
        for p in plain.parameters():
            p.data.zero_()
        assert not is_changed(before, model.state_dict())


@pytest.mark.parametrize("scale", [0.01, 1, 100])
def test_with_weight_norm_the_length_of_a_direction_does_not_matter(scale):
    model = built(WaveNetConfig(levels=5, n_blocks=1, n_layers=3, skip_channels=8, weight_norm=True))
    codes = random_codes(5, 1, 30)
    with torch.no_grad():
        before = model(codes)
        for name, p in model.named_parameters():
            if name.endswith("original1"):
                p.mul_(scale)
        torch.testing.assert_close(model(codes), before)


@pytest.mark.parametrize(
    "choice",
    [{"embedding": "one-hot"}, {"embedding": "value"}, {"gated": False}, {"residual": False}, {"skip": False}, {"weight_norm": True}],
    ids=str,
)  # fmt: skip
def test_every_choice_learns_a_tone_goes_on_where_it_was_and_comes_back(choice, tmp_path):
    config = WaveNetConfig(
        levels=8, n_blocks=1, n_layers=4, residual_channels=8, gate_channels=8, skip_channels=16, **choice
    )
    tones = [0.8 * torch.sin(torch.arange(600) * 2 * torch.pi / 25 + phase)[None] for phase in range(3)]
    recipe = {"window": 200, "learning_rate": 1e-2, "ema": 0.9, "schedule": "constant", "progress": False}
    model, again = built(config), built(config)
    history = train(model, tones, steps=60, **recipe)
    assert history.bits[-1] < 0.6 * history.bits[0]
    train(again, tones, steps=30, **recipe, checkpoints=tmp_path / "run")
    checkpoint = max((tmp_path / "run").glob("checkpoint-*"))
    assert load(checkpoint).config == config
    save(model, tmp_path / "model.safetensors")
    back = load(tmp_path / "model.safetensors")
    expected = generate(model, 150, seed=0, method="cached").codes
    assert torch.equal(generate(back, 150, seed=0, method="compiled").codes, expected)
    assert torch.equal(generate(folded(back), 20, seed=0, method="naive").codes, expected[:, :20])
    assert analysis.measure_receptive_field(model).delta == config.receptive_field


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
