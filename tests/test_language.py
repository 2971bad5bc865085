"""All that people read: spelled right, in sentences that are not too long, with no symbol before it is explained."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from spellchecker import SpellChecker

ROOT = Path(__file__).parents[1]
NOTEBOOKS = {int(path.name[:2]): path for path in sorted((ROOT / "notebooks").glob("0*.ipynb"))}
COPIES = {"release", ".ipynb_checkpoints"}
FILES = [
    path
    for pattern in ("README.md", "docs/**/*.md", "notebooks/**/*.ipynb", "wavenetlike/**/*.md", "wavenetlike/**/*.py")
    for path in sorted(ROOT.glob(pattern))
    if not COPIES & set(path.relative_to(ROOT).parts)
]
OWN_WORDS = (ROOT / "docs" / "words.txt").read_text(encoding="utf-8").splitlines()
LONGEST = 40  # words in a sentence; half of the sentences have less than 15

GAP = "§"  # where something stood that is no prose: it parts what stood around it
NO_PROSE = re.compile(
    r"""
    ^[ >]*(?P<fence>```+|~~~+).*?^[ >]*(?P=fence)[ ]*$   # blocks of code
    | (?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)         # code in a sentence
    | \$\$.+?\$\$ | (?<![\\$\w])\$[^$\n]+\$              # formulas
    | <!--.*?--> | </?[a-zA-Z][^<>]*>                    # HTML
    | (?<=\])\((?:[^()\s]|\([^()\s]*\))*\)               # where a link leads
    | https?://[^\s)>]+
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
# Numbers, paths, calls, names of code; what is left in a token are letters, apostrophes and hyphens.
NO_WORD = re.compile(r"[\d_\\^=@#<>~{}²³¹⁰-₎ⁿ]|[^\W\d_][.(][^\W\d_]|[a-z][A-Z]|[A-Z]{2}[a-z]{2}|[^\W\d_]\(")
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
TWICE = re.compile(r"(?<![\w'’.-])([^\W\d_]{2,}|a)(?:[ \t]+|[ \t]*\n[ \t>]*)\1(?![\w'’-])", re.IGNORECASE)
LAST = re.compile(r"^\*\*(?:References|In the package)\b", re.MULTILINE)  # what follows is a list of names


def prose(text: str) -> str:
    """Of Markdown or a docstring the sentences alone; every line stays on its line."""
    return NO_PROSE.sub(lambda match: f" {GAP} " + "\n" * match[0].count("\n"), text)


@cache
def read(path: Path) -> list[tuple[str, str]]:
    """What people read in a file, in parts, each with the name of its place."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = enumerate(json.loads(text)["cells"])
        return [(f"cell {i}", "".join(cell["source"])) for i, cell in cells if cell["cell_type"] == "markdown"]
    if path.suffix == ".md":
        return [("text", text)]
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found = [(node, ast.get_docstring(node)) for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    return [(f"docstring from line {node.body[0].lineno} on", told) for node, told in found if told]


def words(text: str) -> Iterator[tuple[int, str]]:
    """The words of a text in small letters, each with its line; no names of code, no numbers, no symbols."""
    for line, told in enumerate(prose(text).replace("’", "'").split("\n"), start=1):
        for token in re.split(r"[\s|]+", told):
            token = token.strip("*_()[]\"'“”‘,;:.!?…-")
            if not NO_WORD.search(token):
                for word in WORD.findall(token):
                    if len(word) > 1 and not re.search("[α-ωΑ-Ωµ]", word):
                        yield line, word.lower().removesuffix("'s")


@cache
def dictionary() -> SpellChecker:
    return SpellChecker(language="en", distance=1)


def misspelled(text: str) -> list[str]:
    """Each unknown word with its line, and what may have been meant."""
    known = dictionary().word_frequency.dictionary
    wrong = [(line, word) for line, word in words(text) if word not in known and word not in OWN_WORDS]
    return [f"line {line}: {word} ({dictionary().correction(word) or 'no idea'}?)" for line, word in wrong]


def doubled(text: str) -> list[str]:
    """Each word that stands there twice in a row."""
    return [match[1] for match in TWICE.finditer(prose(text))]


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=short)
def test_all_words_are_known_and_none_stands_twice(path):
    found = [(place, misspelled(text), doubled(text)) for place, text in read(path)]
    wrong = [f"{short(path)}, {place}, {word}" for place, unknown, _ in found for word in unknown]
    wrong += [f"{short(path)}, {place}: {word} {word}" for place, _, twice in found for word in twice]
    assert wrong == [], "right it, or enter a name or a term of the field in docs/words.txt"


def test_own_words_are_in_order_and_in_use():
    assert sorted(set(OWN_WORDS)) == OWN_WORDS
    assert all(word == word.lower().strip() != "" for word in OWN_WORDS)
    used = {word for path in FILES for _, text in read(path) for _, word in words(text)}
    assert [word for word in OWN_WORDS if word not in used] == [], "no longer used: take them out of docs/words.txt"


@pytest.mark.parametrize(
    "wrong",
    ["convolutoin", "recieve", "paramater", "occured", "seperate", "lenght", "teh", "wich", "autocorelation", "sofmax"],
)
@pytest.mark.parametrize(
    "text",
    [
        "The {} of a sound.",
        "| a | the **{}**, too |",
        "- one\n- *{}*'s end",
        "> `code` and {}: `code`",
        "See [the {}](docs/choosing.md).",
        "# {}",
        "A sound-{}; $$x_t$$",
    ],
)
def test_a_misspelled_word_is_found_wherever_it_stands(wrong, text):
    for form in (wrong, wrong.capitalize()):
        (found,) = misspelled(text.format(form))
        assert f": {wrong} (" in found


@pytest.mark.parametrize(
    "text", ["Of the the past.", "The model, which\nwhich sees it.", "> It is\n> is so.", "A a sound."]
)
def test_a_doubled_word_is_found(text):
    assert len(doubled(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Call `recieve()` of ``teh`` code.",
        "```python\nteh = recieve\n```",
        "$$\\paramater = \\text{teh}$$",
        "[here](https://teh.recieve/lenght) or https://teh.recieve",
        "<img alt='x' src='teh.png'> x_teh, torch.teh, WaveNetTeh, teh(x), T2eh, lenght_s",
        "## Measure\n\nMeasure `it` it, 1 1, k k.",
    ],
)
def test_code_and_formulas_are_no_prose(text):
    assert misspelled(text) == []
    assert doubled(text) == []


def sentences(text: str) -> Iterator[str]:
    """The sentences outside headings and tables; each point of a list is a paragraph."""
    text = re.sub(r"^\s*(?:\||#).*$", "", prose(LAST.split(text)[0]), flags=re.MULTILINE)
    text = re.sub(r"^ *(?:> ?)+", "", text, flags=re.MULTILINE)
    text = re.sub(r"^ *(?:[-*]|\d+\.) ", "\n", text, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", text):
        yield from re.split(r"(?<=[.!?])[)*\"”]*\s+", " ".join(paragraph.split()))


def too_long(text: str) -> list[str]:
    found = [(len(re.findall(r"\S*\w\S*", sentence)), sentence) for sentence in sentences(text)]
    return [f"{n} words: {sentence}" for n, sentence in found if n > LONGEST]


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".ipynb"], ids=short)
def test_sentences_are_not_too_long(path):
    assert [f"{place}, {found}" for place, text in read(path) for found in too_long(text)] == []


def test_a_long_sentence_is_found():
    assert len(too_long("Short. " + "word " * LONGEST + "and, *on*\nand on. Short.")) == 1
    assert too_long("word " * LONGEST + ". " + "- word\n" * 50 + "| word " * 50 + "|\n\n" + "`code` " * 50) == []


# Where each notebook explains a symbol, an abbreviation or a term: a phrase that stands there. It comes before every
# other use, or at most two paragraphs below in the same cell, as where a formula is followed by what it means. A notebook
# may also use what those explain that it names under "You need".
EXPLAINED: dict[int, dict[str, str]] = {
    0: {"Δ": "its **receptive field** Δ (Delta)"},
    1: {
        "Π": "as a product (Π)",
        "∣": "given (|) its past",
        "kHz": "(kilohertz: thousand times a second)",
        "AR": "looks two samples back, and is called AR(2)",
        "x": "| x_t | the sample at time t",
        "t": "| x_t | the sample at time t",
        "a": "sum of the last one times *a*",
        "b": "the one before times *b*",
        "c": "| c | a constant",
        "ε": "| ε_t | noise:",
        "σ": "| σ | size of the noise",
        "Δ": "| Δ | receptive field:",
        "w": "w₀·x_{t-1} + w₁·x_t",
        "y": "y_t = bias + w₀",
        "n": "For many samples, n,",
        "SE": "tells each weight only up to its **standard error**",
        "p": "minus the logarithm of the density p",
        "P": "a swing of period P",
    },
    2: {
        "k": "a kernel of length k looks",
        "n": "n layers look back n samples",
        "d": "with **dilation** d its taps",
        "tap": "its taps (the places where its weights lie)",
        "B": "| n, B | layers per block, and blocks",
        "r": "r is the dilation rate",
        "Δ": "| Δ | receptive field:",
        "γ": "| γ | parameters / depth",
        "Σ": "| Σ | the sum of what follows it",
        "channels": "several signals, its *channels*,",
        "lag": "A **lag** is how many samples ago",
        "NaN": 'puts NaN ("not a number"',
        "level": "(Levels are the different values that a sample may have:",
        "τ": "The **autocorrelation** at lag τ says",
        "autocorrelation": "The **autocorrelation** at lag τ says",
        "bigram": "a bigram model, which knows the last sample alone",
        "bits per sample": "bits per sample; fewer are better",
    },
    3: {
        "code": "one of a few **codes**",
        "level": "with only **ten** different amplitudes",
        "µ": "with µ = levels - 1",
        "f": "f(x) is the squeezed sample",
        "⌊": "⌊ ⌋ rounds down",
        "dB": "says in decibels (dB) by",
        "bigram": "a **bigram model**, a table of",
        "bits per sample": "**bits per sample**, the mean of -log₂",
        "embedding": "its **embedding**: 50 channels",
        "1×1": "A **1×1 convolution** (kernel length 1)",
        "σ()": "σ(u) = 1 / (1 + e^{-u})",
        "u": "σ(u) = 1 / (1 + e^{-u})",
        "W": "W are their kernels",
        "*": "* is the convolution",
        "⊙": "⊙ multiplies element by element",
        "h": "h is the layer's input",
        "z": "Then z leaves the layer",
        "logit": "the scores (**logits**)",
        "Adam": "by **Adam**, a gradient descent on",
        "learning rate": "the **learning rate** says how long the steps are",
        "T": "`temperature` T divides",
    },
    4: {
        "window": "one window (a piece of a clip",
        "batch": "A **batch**, several sounds at once",
        "column": "A *column* is all channels of one layer at one instant",
        "queue": "keep a **queue** of its last d inputs",
        "h": "h₋₄ is the layer's input four samples ago",
    },
    5: {
        "h": "**h** is *global*",
        "y": "**y** is *local*",
        "one-hot": "a one-hot h (a 1 in the place",
        "W": "the columns of W are the two kernels",
        "W_f": "W_f and W_g are the kernels of filter and gate",
        "W_g": "W_f and W_g are the kernels of filter and gate",
        "V_f": "V and U are tables of weights",
        "V_g": "V and U are tables of weights",
        "U_f": "V and U are tables of weights",
        "U_g": "V and U are tables of weights",
        "V": "V and U are tables of weights",
        "U": "V and U are tables of weights",
        "head": "A **head** makes a probability for each code",
        "P": "A **head** makes a probability for each code",
        "v": "code k is v_k",
        "mel": "(on the **mel** scale)",
        "stride": "moves on by 64: its *stride*",
    },
    6: {
        "B": "called A, B, C and D",
        "C": "called A, B, C and D",
        "D": "called A, B, C and D",
        "n": "| x_t, n | a sample, and how many",
        "k": "| k | a lag, in samples, or the order",
        "ρ": "| ρ_k | autocorrelation at lag k",
        "I": "| I | mutual information, in bits",
        "d": "d_t = x_t - \\text{mean}",
        "BIC": "The **BIC** (Bayesian information criterion)",
        "u": "each *pair* (u, v) occurs",
        "v": "each *pair* (u, v) occurs",
        "p": "occurs, p(u, v), with",
    },
    7: {
        "L": "One block of L layers",
        "i": "Layer i (from 1)",
        "head": "**head** (here the last two 1×1 convolutions)",
        "teacher forcing": "(**teacher forcing**)",
        "g": "Let g₁, g₂, … be random numbers",
        "u": "with u uniform in (0, 1)",
        "argmax": "(argmax is the code k for which the sum is largest.)",
        "µs": "in microseconds (µs,",
        "T": "by a **temperature** T",
        "greedy": "the **greedy** choice",
    },
    8: {
        "n": "| n | number of processes",
        "rank": "| rank | which of them one is",
        "epoch": "| epoch | every window of all clips once",
        "all-reduce": "| all-reduce | afterwards every process holds the sum",
        "S": "| S | bytes of one gradient",
        "m": "with m_r of the m targets",
        "g": "g_r the gradient of the *mean* loss",
        "r": "in the share of rank r",
        "target": "a sum over its **targets**, the codes to predict",
        "NCCL": "between NVIDIA GPUs it is NCCL",
        "DDP": "`DistributedDataParallel`, DDP,",
        "FLOP": "2 floating-point operations, **FLOP**",
        "GFLOP": "1 GFLOP/s is a thousand million FLOP per second",
        "TFLOP": "1 TFLOP/s a thousand times that",
        "β": "of bandwidth β (bytes per second)",
        "α": "**latency** α (seconds until",
        "⌈": "(rounded up)",
        "Gbit": "1 Gbit/s is a thousand million bits per second",
        "SGD": "That was SGD (stochastic gradient descent",
    },
}
TERMS = [
    *("kHz", "dB", "NaN", "mel", "Adam", "1×1", "GFLOP", "TFLOP", "Gbit", "µs", "argmax"),
    *("tap", "lag", "channels", "autocorrelation", "bigram", "bits per sample", "embedding", "logit", "learning rate"),
    *("queue", "one-hot", "stride", "teacher forcing", "greedy", "epoch", "all-reduce"),
]
COMMON = {"CPU", "GPU", "TPU", "NVIDIA", "MB", "GB", "π", "e"}  # these no notebook has to explain
LATEX = {"sum": "Σ", "prod": "Π", "odot": "⊙", "lfloor": "⌊", "lceil": "⌈", "mid": "∣", "varepsilon": "ε", "mu": "µ"}
LATEX |= {"Delta": "Δ", "gamma": "γ", "sigma": "σ", "rho": "ρ", "tau": "τ", "alpha": "α", "beta": "β", "pi": "π"}
FORMULA = re.compile(
    r"\\(?:text|mathrm|operatorname)\{[^}]*\}"
    r"|\\(?P<command>[a-zA-Z]+)(?P<call>\()?|(?P<sign>[WVU]_[fg]|[^\W\d_]|\*)"
)
SIGN = re.compile(  # in a sentence: with an index, before an argument, or alone; those in L-BFGS or don't are none
    r"(?<![\w'’²])(?P<sign>[WVU]_[fg]|[^\W\d_])(?:(?P<index>_|[₀-₉₋])|(?P<call>\()|(?![^\W_]|['’]|-[^\W\d_]))"
    r"|(?P<mark>[Σ⊙⌊⌈∣])"
)
WORDS = {"a", "A", "I", "s"}  # where one of these stands without an index, it is most often a word, or seconds


def paragraphs(number: int) -> list[tuple[str, str]]:
    """Of a notebook, without its references, each with the name of its cell."""
    cells = [(place, LAST.split(text)[0]) for place, text in read(NOTEBOOKS[number])]
    return [(place, told) for place, text in cells for told in re.split(r"\n\s*\n", text) if told.strip()]


def used(paragraph: str) -> set[str]:
    """The symbols of its formulas and its sentences, its abbreviations, and those of TERMS that it has; σ() is a function."""
    formulas = " ".join(re.findall(r"\$\$(.+?)\$\$", paragraph, re.DOTALL))
    text = re.sub(r"\s+", " ", prose(re.sub(r"\[[^\]]*\]\(\d\d_[^)]*\)", " ", paragraph)))
    signs = [(match["sign"] or LATEX.get(match["command"]), match["call"]) for match in FORMULA.finditer(formulas)]
    for match in SIGN.finditer(text):
        if match["index"] or match["sign"] not in WORDS:
            signs.append((match["sign"] or match["mark"], match["call"]))
    found = {"σ()" if sign == "σ" and call else sign for sign, call in signs if sign and not sign.isnumeric()}
    found |= {name for name in re.findall(r"\\(?:mathrm|operatorname)\{(\w+)\}", formulas) if name in {"SE", *TERMS}}
    found |= {match.removesuffix("s") for match in re.findall(r"(?<![\w-])[A-Z]{2,}s?(?![\w-])", text)}
    found |= {term for term in TERMS if re.search(rf"(?<![\w-]){term}(?:s|\b)", text)}
    return found - COMMON


def needed(number: int) -> set[int]:
    """The notebooks that one names under "You need", and those that they name."""
    (row,) = re.findall(r"^\| \*\*You need\*\* \|.*$", read(NOTEBOOKS[number])[0][1], re.MULTILINE)
    first = {int(found) for found in re.findall(r"\]\((\d\d)_", row)}
    return first.union(*(needed(other) for other in first))


def unexplained(number: int, told: list[tuple[str, str]]) -> list[str]:
    """What is wrong with the paragraphs of a notebook, each with the name of its cell."""
    flat = [" ".join(re.sub(r"\n> ?", "\n", text).split()) for _, text in told]
    places = {
        symbol: next((i for i, text in enumerate(flat) if phrase in text), None)
        for symbol, phrase in EXPLAINED[number].items()
    }
    wrong = [f"{symbol}: gone is {EXPLAINED[number][symbol]!r}" for symbol, place in places.items() if place is None]
    inherited = {symbol for other in needed(number) for symbol in EXPLAINED[other]}
    for i, (cell, text) in enumerate(told):
        for symbol in sorted(used(text) - inherited) if cell != "cell 0" else ():  # the title and the goals
            place = places.get(symbol)
            if place is None or (place > i and (told[place][0] != cell or place > i + 2)):
                wrong.append(f"{cell}: {symbol} is used before it is explained, in {flat[i][:100]!r}")
    return wrong


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_nothing_is_used_before_it_is_explained(number):
    assert unexplained(number, paragraphs(number)) == []
    assert unexplained(number, paragraphs(number)[::-1]) != [], "read backwards"


@pytest.mark.parametrize(
    ("paragraph", "symbols"),
    [
        ("It grows with Δ, and γ falls; a µ-law, I say.", {"Δ", "γ"}),
        ("$$x_t = c + \\sigma\\,\\varepsilon_t$$", {"x", "t", "c", "σ", "ε"}),
        (
            "$$z = \\sigma(W_g * x) \\odot \\operatorname{argmax}_k g$$",
            {"z", "σ()", "W_g", "*", "x", "⊙", "argmax", "k", "g"},
        ),
        ("Each x_{t-1} times a_1, σ(2) and 5 ms; `Δ`, L-BFGS, the speaker's.", {"x", "t", "a", "σ()"}),
        ("DDP with two GPUs at 5 TFLOP/s; **Next:** [2 · γ](02_receptive_field_and_gamma.ipynb)", {"DDP", "TFLOP"}),
        ("Lags, taps and ⌊τ⌋ of XYZ, Σ u in all", {"tap", "⌊", "τ", "XYZ", "Σ", "u"}),
    ],
)
def test_symbols_are_found(paragraph, symbols):
    assert used(paragraph) == symbols
