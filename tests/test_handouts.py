"""What teachers hand out: slides that need no network, by the rules that they say; formulas that hold; minutes that are counted right."""

from __future__ import annotations

import functools
import importlib
import math
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from wavenetlike import WaveNet, WaveNetConfig, build_wavenet, build_wavenet_toy
from wavenetlike.analysis import (
    analyze_dataset,
    ar2_period,
    ar2_standard_error,
    autocorrelation,
    baselines,
    delta,
    gamma,
    parameters,
    step_time,
)
from wavenetlike.analysis.dependence import Autocorrelation, correlation_lengths
from wavenetlike.analysis.information import _bits
from wavenetlike.condition import Condition, ConditionConfig
from wavenetlike.data import ar2_process, ar_process, is_stationary, signal_to_noise
from wavenetlike.generate import METHODS
from wavenetlike.heads import BinnedGaussianHead, GaussianHead, LogisticsHead, SoftmaxHead
from wavenetlike.layers import Block, GatedUnit, ResidualLayer, SkipHead
from wavenetlike.quantize import MuLaw

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import handouts  # noqa: E402
import minutes  # noqa: E402

NOTEBOOKS = handouts.NOTEBOOKS
BUILT = [path for path in NOTEBOOKS if path.name.startswith(("01", "06"))]
PIXEL = '<img src="data:image/png;base64,AA==" alt="a dot">'


# Decks


class Page(HTMLParser):
    """What a page would load, where it leads, how often each tag stands in it, its style, and its text outside scripts."""

    def __init__(self, page: str):
        super().__init__()
        self.loads, self.links, self.tags, self.style, self.text = [], [], [], "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.loads += [found[name] for name in ("src", "srcset", "data", "poster") if name in found]
        (self.links if tag == "a" else self.loads).extend(found[name] for name in ("href",) if name in found)
        self.style += found.get("style") or ""

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["style"]:
            self.style += data
        elif self.tags[-1:] != ["script"]:
            self.text += data


@pytest.fixture(scope="module", params=BUILT, ids=lambda path: path.stem)
def built(request: pytest.FixtureRequest) -> tuple[Path, Page]:
    return request.param, Page(handouts.deck(request.param, ROOT / "build" / "handouts"))


def test_a_deck_loads_nothing(built):
    _, page = built
    assert [address[:60] for address in page.loads if not address.startswith("data:")] == []
    assert page.tags.count("script") == 1, "reveal.js, within the page"
    assert re.findall(r"@import|url\((?!['\"]?data:)", page.style) == []


def test_formulas_need_no_script(built):
    path, page = built
    n_formulas = sum(
        cell.source.count("$$") // 2 for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"
    )
    assert page.tags.count("math") >= n_formulas > 0
    assert re.findall(r"\$\$|\\[a-z]{3,}|[\ue000\ue001]", page.text) == []


def test_links_lead_to_decks_and_files(built):
    path, page = built
    near = [address for address in page.links if not re.match("https?:|#", address)]
    decks = {f"{each.stem}.slides.html" for each in NOTEBOOKS}
    folder = ROOT / "build" / "handouts"
    for address in near:
        assert address in decks or Path(functools.reduce(Path.joinpath, [folder, address])).resolve().exists(), address
    assert any(address.endswith(f"exercises/release/{path.stem}/exercises.ipynb") for address in near)


@functools.cache
def slides(path: Path) -> list[handouts.Slide]:
    return handouts.Slides(nbformat.read(path, 4)).all


def shown(slide: handouts.Slide) -> str:
    """The prose that a slide shows."""
    return "\n\n".join([slide.heading, *(part.source for part in slide.parts if part.cell_type == "markdown")])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_heading_question_picture_and_sound_is_on_a_slide(path):
    cells = nbformat.read(path, 4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = slides(path)
    headings = [slide.heading for slide in found if slide.kind == "slide"]
    assert headings == re.findall(r"^##? .+$", text, re.MULTILINE)
    questions = [slide for slide in found if "**Predict, then look" in shown(slide)]
    assert len(questions) == text.count("**Predict, then look") >= 3
    assert all(len(slide.parts) == 1 for slide in questions), "a slide of its own"
    assert sum(shown(slide).count("$$") for slide in found) == text.count("$$")
    stored = [
        output.get("data", {}).get("text/html", "")
        for cell in cells
        if cell.cell_type == "code" and " = predict(" not in cell.source
        for output in cell.outputs
    ]
    kept = [
        output.data["text/html"]
        for slide in found
        for part in slide.parts
        if part.cell_type == "code"
        for output in part.outputs
    ]
    for mark in ("<img", "<audio", "<table"):
        assert sum(mark in each for each in kept) == sum(mark in each for each in stored), mark
    assert "<script" not in "".join(kept)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_slides_show_little_prose_and_lose_none(path):
    found = slides(path)
    for slide in found:
        for part in slide.parts:
            if part.cell_type == "code" and "hide-input" not in part.metadata.get("tags", []):
                assert handouts.n_lines(part.source) <= handouts.MOST_LINES
            elif part.cell_type == "markdown" and handouts.blocks(part.source)[0][0] == "text":
                assert len(part.source.split()) <= 60, part.source
    told = " ".join(" ".join([shown(slide), *slide.notes]) for slide in found)
    everything = handouts.flat(told)
    for cell in nbformat.read(path, 4).cells:
        for kind, text in handouts.blocks(cell.source) if cell.cell_type == "markdown" else []:
            assert "mermaid" in text or handouts.flat(text) in everything, f"{kind} lost: {text}"


EXPLORER = '<div><img src="data:image/png;base64,AA==" alt="a tree"></div><script>draw()</script>'
SMALL = new_notebook(
    cells=[
        new_markdown_cell("# A title\n\nWhat you will learn.\n\n| | |\n|---|---|\n| **Minutes** | 5 |"),
        new_code_cell("import torch"),
        new_markdown_cell(
            "## One\n\nFirst words. "
            + "More of them and more. " * 12
            + "\n\nIt is this:\n\n$$x_t = a\\,x_{t-1}$$\n\nwith a small a.\n\nFour dots:"
        ),
        new_code_cell(
            "draw(4)", outputs=[new_output("display_data", data={"text/html": PIXEL, "text/plain": "<Picture>"})]
        ),
        new_markdown_cell("Aside.\n\n> **Predict, then look (1).** How many?"),
        new_code_cell(
            'guess = predict("1.1", "How many?")\nguess',
            outputs=[new_output("display_data", data={"text/html": PIXEL})],
        ),
        new_code_cell(
            "\n".join(f"step({i})" for i in range(9)) + "\nguess.look(5)",
            outputs=[
                new_output("stream", text="counted: 5\nyou predicted: 4   it came out: 5\n"),
                new_output("display_data", data={"image/png": "AA=="}),
            ],
        ),
        new_code_cell("print('some numbers')", outputs=[new_output("stream", text="1 2 3\n")]),
        new_markdown_cell(
            "A chart:\n\n```mermaid\nflowchart LR\n    accDescr: First this. Then that.\n```\n\nTry:\n\n- one\n- two"
        ),
        new_code_cell("explore()", outputs=[new_output("display_data", data={"text/html": EXPLORER})]),
        new_markdown_cell(
            "```python\nshort = 1\n```\n\n```python\n" + "long = 1\n" * 9 + "```\n\n## Recap\n\n- This.\n- That."
        ),
    ]
)


def test_slides_of_a_small_notebook():
    title, table, one, picture, question, answer, chart, tries, explorer, code, recap = handouts.Slides(SMALL).all
    assert [slide.kind for slide in (title, one, recap)] == ["slide"] * 3
    assert {slide.kind for slide in (table, picture, question, answer, chart, tries, explorer, code)} == {"subslide"}
    assert shown(title) == "# A title\n\nWhat you will learn."
    assert "Minutes" in shown(table)
    assert shown(one).startswith("## One\n\nFirst words. More of them")
    assert shown(one).endswith("It is this:\n\n$$x_t = a\\,x_{t-1}$$"), "the first formula, with what leads to it"
    assert len(shown(one).split()) < 70
    assert one.notes[1] == "with a small a.", "what was cut stands before it"
    assert "Four dots:" in shown(picture)
    assert picture.parts[-1].source == "draw(4)"
    assert picture.notes == ["Aside."]
    assert question.answers == ["5"], "the prediction's widget is left out, and what came out follows the question"
    assert "hide-input" in answer.parts[-1].metadata.tags
    assert answer.notes == ["```\ncounted: 5\n```", "```\n1 2 3\n```"]
    assert "- First this.\n- Then that." in shown(chart)
    assert shown(tries).endswith("Try:\n\n- one\n- two")
    assert explorer.parts[-1].outputs[0].data["text/html"].endswith("</div>"), "the stored picture alone"
    assert "short" in shown(code)
    assert "long" in code.notes[0]
    assert shown(recap) == "## Recap\n\n- This.\n- That."


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("price $5 and $6, `$x$`", 0),
        ("$x$ and $$y$$", 2),
        ("x_{t-1}, ε_t and `x_t`, WaveNet_x, t_window", 2),
        ("```\n$x$ x_t\n```", 0),
    ],
)
def test_formulas_are_found_outside_code(text, parts):
    formulas = handouts.Formulas()
    assert formulas.show(formulas.hide(text)).count("<math") == parts


def test_mathml_has_the_signs_that_latex_means():
    made = handouts.mathml(r"\Big\lceil \frac{|x|}{n} \Big\rceil + 10 \log_{10} 4 + \ln \sigma")
    assert "⌈" in made
    assert "⌉" in made
    assert "\\" not in made
    assert made.count("<mspace") == 3, "functions stand apart from what is beside them"


# Formulas

SHEET = handouts.SHEET.read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in SHEET.splitlines()
    if line.startswith("| ") and not line.startswith("| what")
]


def gauss(u: float) -> float:
    return (1 + math.erf(u / math.sqrt(2))) / 2


def sigmoid(u: float) -> float:
    return 1 / (1 + math.exp(-u)) if u > -math.inf else 0.0


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def near(found: float, wanted: float) -> bool:
    return math.isclose(found, wanted, rel_tol=1e-4, abs_tol=1e-6)


def is_ar2() -> bool:
    x = list(islice(ar2_process(0.5, -0.3, 1, 2, sigma=0, c=4), 6))
    return all(near(x[t], 4 + 0.5 * x[t - 1] - 0.3 * x[t - 2]) for t in range(2, 6))


def is_convolution() -> bool:
    block, x = Block(1, 2, 1), random(1, 1, 9)
    (w0, w1), bias = block.layers[0].weight.flatten().tolist(), block.layers[0].bias.item()
    y = block(x, padded=False).flatten()
    return all(near(y[t - 1].item(), bias + w0 * x[0, 0, t - 1].item() + w1 * x[0, 0, t].item()) for t in range(1, 9))


def is_triangle() -> bool:
    points = [(a / 10 + 0.03, b / 10 + 0.01) for a in range(-25, 25) for b in range(-15, 15)]
    return all(is_stationary(a, b) == (-1 < b < 1 and b + a < 1 and b - a < 1) for a, b in points)


def is_gaussian_loss() -> bool:
    head, x, y, sigma = GaussianHead(), 1.3, 0.4, 2.0
    head.log_sigma.data.fill_(math.log(sigma))
    nats = (x - y) ** 2 / (2 * sigma**2) + math.log(sigma) + math.log(2 * math.pi) / 2
    return near(head.loss(torch.tensor([[[y]]]), torch.tensor([[x]])).item(), nats)


def is_field() -> bool:
    shapes = [(n, k, r) for n in (1, 3, 5) for k in (2, 3) for r in (1, 2, 3)]
    return all(delta(Block(n, k, r)) == 1 + sum((k - 1) * r**i for i in range(n)) for n, k, r in shapes)


def is_field_after_first() -> bool:
    config = WaveNetConfig(n_blocks=2, n_layers=4, kernel_length=3, first_kernel_length=32)
    return config.receptive_field == 32 + sum(2 * d for d in config.dilations)


def is_autocorrelation() -> bool:
    x = random(50).double().numpy()
    d = x - x.mean()
    return all(near(autocorrelation(x, 5)[k], sum(d[t] * d[t - k] for t in range(k, 50)) / sum(d**2)) for k in range(6))


def f(x: float, mu: int) -> float:
    return math.copysign(math.log(1 + mu * abs(x)) / math.log(1 + mu), x)


def is_mu_law() -> bool:
    x = [-0.9, -0.11, 0.004, 0.52, 1.0]
    codes = MuLaw(10).encode(torch.tensor([x]))[0].tolist()
    return codes == [math.floor((f(each, 9) + 1) / 2 * 9 + 1 / 2) for each in x]


def is_mu_law_back() -> bool:
    squeezed = [2 * code / 9 - 1 for code in range(10)]
    wanted = [math.copysign((10 ** abs(each) - 1) / 9, each) for each in squeezed]
    return all(map(near, MuLaw(10).decode(torch.arange(10)[None])[0].tolist(), wanted))


def is_ratio() -> bool:
    signal, noise = random(1, 100), 0.1 * random(1, 200)[:, 100:]
    power = signal.square().mean() / noise.square().mean()
    return near(signal_to_noise(signal, signal + noise), 10 * math.log10(power.item()))


def is_gated() -> bool:
    unit, x = GatedUnit(3, 4, 2), random(1, 3, 5)
    filter, gate = unit.conv(x).chunk(2, dim=1)
    return torch.allclose(unit(x), torch.tanh(filter) * torch.sigmoid(gate), atol=1e-6)


def is_told() -> bool:
    """z of a layer that is told a word and frames of four samples; the output at t is told the frame of t + 1."""
    told = ConditionConfig(words=("no", "yes"), embedding=3, frame_channels=2, hop=4)
    shape = dict.fromkeys(["residual_channels", "gate_channels", "skip_channels"], 3)
    model, seen = WaveNet(WaveNetConfig(levels=5, n_blocks=1, n_layers=1, condition=told, **shape)), []
    y, (layer,), (v, u) = random(1, 2, 2), model.layers, (model.conditioning.vector, model.conditioning.frames)
    layer.gated.conv.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    layer.gated.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        model(torch.tensor([[1, 4, 2, 0, 3, 1]]), condition=Condition(word="yes", frames=y))
        of_word = v.weight @ model.conditioning.word.weight[1]
        of_frames = u.weight[..., 0] @ y[0][:, [(t + 1) // 4 for t in range(6)]]
    filter, gate = (seen[0] + of_word[:, None] + of_frames).chunk(2, dim=1)
    return torch.allclose(seen[1], torch.tanh(filter) * torch.sigmoid(gate), atol=1e-6)


def is_residual() -> bool:
    layer, h = ResidualLayer(4, 3, 2), random(1, 4, 6)
    with torch.no_grad():
        following, z = layer(h)
        return bool(torch.allclose(following, h + layer.residual(z), atol=1e-6))


def is_skip() -> bool:
    head, z = SkipHead(2, 3, 5, 4), [random(1, 3, 6), 2 * random(1, 3, 6)]
    with torch.no_grad():
        first, second = head.skip.weight[..., 0].chunk(2, dim=1)
        total = first @ z[0] + second @ z[1] + head.skip.bias[:, None]
        logits = head.out(torch.relu(head.hidden(torch.relu(total))))
        return bool(torch.allclose(head(z), logits, atol=1e-5))


LOGITS = torch.tensor([0.3, -1.2, 2.0, 0.0])


def softmax(temperature: float = 1.0) -> list[float]:
    powers = [math.exp(each / temperature) for each in LOGITS.tolist()]
    return [power / sum(powers) for power in powers]


def is_softmax() -> bool:
    return all(map(near, SoftmaxHead(4).log_probabilities(LOGITS[None, :, None])[0, :, 0].exp().tolist(), softmax()))


def is_bits() -> bool:
    bits = -(math.log2(softmax()[2]) + math.log2(softmax()[0])) / 2
    return near(SoftmaxHead(4).loss(LOGITS[None, :, None].repeat(1, 1, 2), torch.tensor([[2, 0]])).item(), bits)


CODES = torch.randint(4, (400,), generator=torch.Generator().manual_seed(0)).cummax(0).values % 4
CODES = torch.cat([CODES, torch.randint(4, (400,), generator=torch.Generator().manual_seed(1))])


def shares(*columns: torch.Tensor) -> dict[tuple[int, ...], float]:
    found, counts = torch.stack(columns).unique(dim=1, return_counts=True)
    return {tuple(key): n / counts.sum().item() for key, n in zip(found.T.tolist(), counts.tolist(), strict=True)}


def is_commonest() -> bool:
    p, score = shares(CODES[1:]).values(), baselines([CODES], 4, 1)[0]
    return near(score.accuracy, max(p)) and near(score.bits, -sum(each * math.log2(each) for each in p))


def is_previous() -> bool:
    s, score = (CODES[1:] == CODES[:-1]).double().mean().item(), baselines([CODES], 4, 1)[1]
    return near(score.accuracy, s) and near(score.bits, -s * math.log2(s) - (1 - s) * math.log2((1 - s) / 3))


def is_bigram() -> bool:
    pairs, before = shares(CODES[:-1], CODES[1:]), shares(CODES[:-1])
    bits = -sum(p * math.log2(p / before[u,]) for (u, _), p in pairs.items())
    return near(baselines([CODES], 4, 1)[2].bits, bits)


def naive_columns(config: WaveNetConfig) -> int:
    looked_back = [(config.kernel_length - 1) * d for d in config.dilations]
    return sum(config.receptive_field - sum(looked_back[: i + 1]) for i in range(len(looked_back)))


def is_naive() -> bool:
    config = WaveNetConfig(n_blocks=2, n_layers=3, kernel_length=3, levels=4, residual_channels=4, gate_channels=4)
    model, seen = WaveNet(config), []
    for layer in model.layers:
        layer.gated.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[-1]))
    with torch.no_grad():
        METHODS["naive"].start(model, torch.zeros(1, model.receptive_field, dtype=torch.int64))
    return sum(seen) == naive_columns(config) and naive_columns(WaveNetConfig()) == 55_302


def is_queue() -> bool:
    config = WaveNetConfig(n_blocks=1, n_layers=3, kernel_length=3, levels=4, residual_channels=4, gate_channels=4)
    model = WaveNet(config)
    with torch.no_grad():
        queues, _ = METHODS["cached"].start(model, torch.zeros(1, model.receptive_field, dtype=torch.int64))
    return [queue.shape[2] for queue in queues.inputs] == [2 * d for d in config.dilations]


def is_bin() -> bool:
    head = BinnedGaussianHead(16)
    below, above = head.borders(torch.arange(16), torch.zeros(16), torch.zeros(16))
    v = [2 * k / 15 - 1 for k in range(16)]
    found = [*head.values(torch.arange(16)), *below, *above]
    return all(map(near, map(float, found), [*v, *(each - 1 / 15 for each in v), *(each + 1 / 15 for each in v)]))


def ends(k: int, levels: int) -> tuple[float, float]:
    v = 2 * k / (levels - 1) - 1
    return (
        -math.inf if k == 0 else v - 1 / (levels - 1),
        math.inf if k == levels - 1 else v + 1 / (levels - 1),
    )


def is_binned_gaussian() -> bool:
    outputs = torch.tensor([[[0.2], [math.log(0.3)]]])
    found = BinnedGaussianHead(16).log_probabilities(outputs)[0, :, 0].exp().tolist()
    borders = [ends(k, 16) for k in range(16)]
    return all(map(near, found, [gauss((b - 0.2) / 0.3) - gauss((a - 0.2) / 0.3) for a, b in borders]))


def is_mixture() -> bool:
    weights, means, scales = [0.7, 0.3], [-0.4, 0.5], [0.1, 0.25]
    outputs = torch.tensor([*map(math.log, weights), *means, *map(math.log, scales)])[None, :, None]
    found = LogisticsHead(16, n_mixtures=2).log_probabilities(outputs)[0, :, 0].exp().tolist()

    def p(k: int) -> float:
        areas = [[sigmoid((end - m) / s) for end in ends(k, 16)] for m, s in zip(means, scales, strict=True)]
        return sum(w * (b - a) for w, (a, b) in zip(weights, areas, strict=True))

    return all(map(near, found, map(p, range(16)))) and near(sum(found), 1)


@functools.cache
def report():
    return analyze_dataset(ar_process([0.8], 5000, seed=0), max_lag=50)


def is_band() -> bool:
    band = analyze_dataset(ar_process([], 5000, seed=0), max_lag=50).correlation.band[1:]
    return abs(band.mean() / (1.96 / math.sqrt(5000)) - 1) < 0.05


def is_integrated() -> bool:
    rho = 0.8 ** np.arange(401)
    found = Autocorrelation(rho, np.full(401, 1e-3), np.full(401, 10**6), 1.0)
    wanted = [1 + 2 * rho[1:].sum(), (1 + 0.8) / (1 - 0.8)]
    return all(abs(correlation_lengths(found).integrated - each) < 1e-3 for each in wanted)


def is_bic() -> bool:
    ar, n = report().ar, report().n_used
    price = [n * math.log(4.0 ** -float(bits)) + k * math.log(n) for k, bits in enumerate(ar.gains)]
    return ar.order == int(np.argmin(price)) == 1


def is_gain() -> bool:
    variance = np.var(ar_process([0.8], 5000, seed=0).numpy())
    return abs(report().ar.gain - math.log2(variance / report().ar.sigma ** 2) / 2) < 1e-3


def is_information() -> bool:
    u, v = CODES[:-1], CODES[1:]
    pairs, left, right = shares(u, v), shares(u), shares(v)
    bits = sum(p * math.log2(p / (left[a,] * right[b,])) for (a, b), p in pairs.items())
    return near(_bits(u.numpy(), v.numpy(), 4)[0], bits)


def is_one_block() -> bool:
    configs = {n: WaveNetConfig(n_blocks=1, n_layers=n) for n in (3, 10, 12)}
    formulas = {n: (n - 2) * 2**n + n + 2 for n in configs}
    both = all(n * 2**n - (2 ** (n + 1) - 2) + n == formula for n, formula in formulas.items())
    return both and all(naive_columns(config) == formulas[n] for n, config in configs.items())


def multiplications(config: WaveNetConfig) -> int:
    residual, gate, skip, depth = config.residual_channels, config.gate_channels, config.skip_channels, config.depth
    column = residual * 2 * 2 * gate + gate * residual
    # The last layer has no residual way.
    return depth * column - gate * residual + depth * gate * skip + skip**2 + skip * config.levels


def is_multiplied() -> bool:
    return all(multiplications(model.config) == model.config.multiplications for model in (build_wavenet(), build_wavenet_toy()))  # fmt: skip


def is_gumbel() -> bool:
    head = SoftmaxHead(4)
    noise = head.noise(20_000, 1, torch.Generator().manual_seed(0))[:, 0]
    u = torch.rand(20_000, 1, 4, generator=torch.Generator().manual_seed(0))[:, 0]
    drawn = head.sample(LOGITS.expand(20_000, 4), noise, temperature=0.7)
    by_hand = (LOGITS / 0.7 + noise).argmax(dim=1)
    return torch.allclose(noise, -torch.log(-torch.log(u)), atol=1e-4) and torch.equal(drawn, by_hand)


def is_temperature() -> bool:
    noise = SoftmaxHead(4).noise(100_000, 1, torch.Generator().manual_seed(0))[:, 0]
    drawn = SoftmaxHead(4).sample(LOGITS.expand(100_000, 4), noise, temperature=0.7)
    found = torch.bincount(drawn, minlength=4) / 100_000
    return bool((found - torch.tensor(softmax(0.7))).abs().max() < 0.01)


def is_shared() -> bool:
    model = WaveNet(WaveNetConfig(levels=4, n_blocks=1, n_layers=2, residual_channels=4, gate_channels=4, skip_channels=4))  # fmt: skip
    codes = torch.randint(4, (4, 12), generator=torch.Generator().manual_seed(0))

    def gradient(share: torch.Tensor) -> torch.Tensor:
        loss = model.head.loss(model(share[:, :-1], padded=False), share[:, model.receptive_field :])
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])

    return torch.allclose(gradient(codes), 3 / 4 * gradient(codes[:3]) + 1 / 4 * gradient(codes[3:]), atol=1e-6)


def steps(n: int) -> tuple[float, float]:
    """Computing and sending by the formulas; 256 windows of 1,000 targets, 5 TFLOP/s, 1 GB/s, 20 µs."""
    config = WaveNetConfig()
    window = 1000 * 6 * config.multiplications / 5e12
    return math.ceil(256 / n) * window, 2 * (n - 1) * (20e-6 + 4 * config.parameters / (n * 1e9))


def is_step(part: Callable[[float, float], float]) -> bool:
    known = {"batch": 256, "targets": 1000, "flop_per_second": 5e12, "bandwidth": 1e9, "latency": 20e-6}
    counts = (1, 2, 48, 300)
    return all(near(part(*step_time(WaveNetConfig(), n, **known)), part(*steps(n))) for n in counts)


def is_sent() -> bool:
    n, s = 8, 4 * WaveNetConfig().parameters
    return near(2 * (n - 1) * (s / n), 2 * (n - 1) / n * s) and is_step(lambda computing, sending: sending)


CHECKS: dict[str, Callable[[], bool]] = {
    "AR(2)": is_ar2,
    "as a convolution, the oldest tap first": is_convolution,
    "stationary": is_triangle,
    "period in samples, where $a^2 + 4b < 0$": lambda: near(
        ar2_period(1.39, -0.69), 2 * math.pi / math.acos(1.39 / (2 * math.sqrt(0.69)))
    ),
    "standard error of a, and of b": lambda: near(ar2_standard_error(0.5, 100), math.sqrt((1 - 0.5**2) / 100)),
    "Gaussian loss, in nats": is_gaussian_loss,
    "receptive field": is_field,
    "after a first convolution": is_field_after_first,
    "n layers, $k = 2$: plain, doubling": lambda: delta(Block(7, 2, 1)) == 1 + 7 and delta(Block(7, 2, 2)) == 2**7,
    "B blocks of n doubling layers, $k = 2$": lambda: delta(build_wavenet()) == 1 + 3 * (2**10 - 1) == 3070,
    "price of a layer": lambda: gamma(build_wavenet_toy()) == parameters(build_wavenet_toy()) / 30,
    "autocorrelation, x less its mean": is_autocorrelation,
    r"µ-law, $\mu = \text{levels} - 1$": is_mu_law,
    "and back": is_mu_law_back,
    "signal-to-noise ratio, in dB": is_ratio,
    "twice the levels, half the step (of µ-law at 256 levels, 5 dB are left)": lambda: round(10 * math.log10(4)) == 6,
    "gate, ReLU": lambda: near(torch.sigmoid(torch.tensor(0.7)).item(), sigmoid(0.7)),
    "gated unit": is_gated,
    "residual way": is_residual,
    "skip ways and head": is_skip,
    "softmax": is_softmax,
    "bits per sample": is_bits,
    "of a blind guess": lambda: round(math.log2(10), 2) == 3.32 and math.log2(256) == 8,
    "commonest code": is_commonest,
    "previous code, right in a share s": is_previous,
    "bigram model": is_bigram,
    "columns for one sample, naive; L layers": is_naive,
    "cached, each layer with a queue": is_queue,
    "gated unit that is told h and y": is_told,
    "frame that sample t is told": is_told,
    "value of code k, and the ends of its bin": is_bin,
    "Gaussian head, Φ the area under the bell": is_binned_gaussian,
    "mixture of logistics": is_mixture,
    "the two end bins, of both": lambda: is_binned_gaussian() and is_mixture(),
    "autocorrelation": is_autocorrelation,
    "of white noise, 95 of 100 within": is_band,
    "integrated length": is_integrated,
    "BIC, least at the best order k": is_bic,
    "bits that a linear model spares": is_gain,
    "mutual information, in bits": is_information,
    r"columns, naive; one block, $\Delta = 2^L$": is_one_block,
    "columns, cached": lambda: WaveNetConfig(n_blocks=1, n_layers=7).receptive_field == 2**7,
    "multiplications of a column, $k = 2$": is_multiplied,
    "of the head, once a sample": is_multiplied,
    "a draw by Gumbel's noise, u uniform in (0, 1)": is_gumbel,
    "temperature": is_temperature,
    "gradient of a batch, from its shares": is_shared,
    "FLOP of a step, forward and backward": lambda: is_step(lambda computing, sending: computing),
    "bytes of a gradient": lambda: parameters(build_wavenet()) == build_wavenet().config.parameters,
    "ring all-reduce, sent by each process": is_sent,
    "time of a step": lambda: is_step(lambda computing, sending: computing + sending),
    "one window in a process": lambda: is_step(lambda computing, sending: computing),
    "speed-up": lambda: is_step(lambda computing, sending: sum(steps(1)) / (computing + sending)),
}
NOT_CHECKED = {"conditional model", "batch of q times the windows"}


@pytest.mark.parametrize("name", CHECKS)
def test_a_formula_is_what_the_package_computes(name):
    assert CHECKS[name]()


def test_every_formula_of_the_sheet_is_checked():
    assert [row[0] for row in ROWS if row[0] not in NOT_CHECKED] == list(CHECKS)
    assert {row[0] for row in ROWS} >= NOT_CHECKED


def test_the_sheet_names_what_the_package_has():
    names = [name for _, _, named in ROWS for name in re.findall("`([^`]+)`", named)]
    assert len(names) > 40
    for name in names:
        module, *rest = name.split(".") if name[0].islower() and "." in name else ["", *name.split(".")]
        found = importlib.import_module(f"wavenetlike.{module}".rstrip("."))
        functools.reduce(getattr, rest, found)


def test_the_sheet_needs_no_script():
    page = Page(handouts.sheet(SHEET, ROOT / "build" / "handouts"))
    assert page.loads == []
    assert "script" not in page.tags
    assert page.tags.count("math") > len(ROWS)
    assert page.tags.count("table") == 8
    assert "$" not in page.text


# Minutes


def test_minutes_are_those_of_a_section():
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# T\n\nThree words here."),
            new_code_cell("import torch"),
            new_markdown_cell("## One\n\nTwo `words`.\n\n$$x + y$$\n\n```\nno prose\n```\n\n## Two\n\n[One](two.ipynb)\n\n| a | b |\n|---|---|"),
            new_code_cell("a = 1\nb = 2"),
        ]
    )  # fmt: skip
    first, one, two = minutes.sections(notebook, [0, 4.2, 0, 0.1])
    assert (first.title, first.words, first.lines, first.seconds) == (minutes.FIRST, 4, 1, 4.2)
    assert (one.title, one.words, one.formulas, one.lines, one.seconds) == ("One", 2, 1, 0, 0)
    assert (two.title, two.words, two.formulas, two.lines, two.seconds) == ("Two", 3, 0, 2, 0.1)
    assert one.minutes == (2 + minutes.WORDS_OF_A_FORMULA) / minutes.WORDS_A_MINUTE
    *_, last_but_one, last, _, memory = minutes.table("T", [first, one, two], 1_234_000_000).splitlines()
    assert memory == "Memory: 1.23 GB."
    assert last_but_one == "| Two | 3 | under 1 | under 1 |"
    assert last == "| **all** | **9** | **under 1** | **4** |"


def test_a_notebook_is_run_timed_and_weighed(tmp_path):
    path = tmp_path / "small.ipynb"
    nbformat.write(
        new_notebook(
            cells=[new_markdown_cell("# T"), new_code_cell("import time; held = b'x' * 200_000_000; time.sleep(0.5)")]
        ),
        path,
    )
    _, seconds, most = minutes.run(path)
    assert seconds[0] == 0
    assert 0.5 <= seconds[1] < 30
    assert 200_000_000 <= most < 600_000_000 or not Path("/proc/self/smaps_rollup").exists()
