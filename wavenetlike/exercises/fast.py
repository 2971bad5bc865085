"""Checks of notebook 7: what a sample costs, how it is made fast, and how it is drawn."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from wavenetlike.data import bundled_clips
from wavenetlike.exercises.answers import Wrong, among, compare, counted, made, number, numbers, tensor, unsealed
from wavenetlike.exercises.verdict import Check
from wavenetlike.generate import generate
from wavenetlike.models import TOY, pretrained


def _layer(answer: Any) -> None:
    """How many multiplications a sample one more layer costs the toy in the cached way; a whole number."""
    deeper, toy = (dataclasses.replace(TOY, n_blocks=n, n_layers=1).multiplications for n in (31, 30))
    residual, gate, skip = TOY.residual_channels, TOY.gate_channels, TOY.skip_channels
    both = residual * 2 * 2 * gate
    mistakes: dict[str, float] = {
        "That is a thirtieth of the whole model. The head is in it, which a layer makes larger by one z only.": toy
        // 30,
        "Biases are added, not multiplied.": deeper - toy + 2 * gate + residual,
        "That is filter and gate. What becomes of z afterwards?": both,
        "One of z's two ways is missing: it goes back to the residual, and to the skip sum.": both + gate * residual,
        "That is the filter alone. The gate has as many, and z goes two ways afterwards.": both // 2,
        "A kernel of length 2 has two weights: filter and gate each multiply the old column, and the new one.": both
        // 2
        + gate * (residual + skip),
    }
    right = deeper - toy
    counted(answer, right, mistakes, ". Write down the widths on both ends of each arrow of a layer.")


def _bounds(answer: Any) -> None:
    """Two numbers, (samples a second if all weights are read, if a quarter need not be); right within 1%."""
    (whole, skipping), (right, fewer) = numbers(answer, 2), unsealed("WzUwMDAuMCwgNjY2Ni42NjY2NjY2NjY2Njdd")
    read = f"{whole:,.6g} samples would read {whole * 8e6 / 1e9:,.1f} GB a second"
    mistakes = {
        "The first is four times too many: a weight has four bytes.": 4 * right,
        "The first: real time is what is wanted. How many samples can it make?": 16_000.0,
    }
    among(whole, right, mistakes, f"The first: {read}, and a core fetches 40.", 0.01)
    mistakes = {
        "The first is right. The second should be more than the first: less is read for each sample.": 0.75 * right,
        "The first is right. The second: a quarter less to read is more than a quarter more samples.": 1.25 * right,
    }
    read = f"then a sample reads 6 MB, and {skipping:,.6g} of them {skipping * 6e6 / 1e9:,.1f} GB"
    among(skipping, fewer, mistakes, f"The first is right. The second: {read}.", 0.01)


def _life(answer: Any) -> None:
    """Options of `generate`, {"temperature": …, "top_k": …}, with which the toy is loud (above 0.1) in 15% to 45% of the second after half a word, for each of three seeds."""
    if not isinstance(answer, dict) or not set(answer) <= {"temperature", "top_k"}:
        raise Wrong('Options were asked for, temperature or top_k or both: like {"temperature": 0.9, "top_k": 5}.')
    toy = pretrained("toy")
    waveform = bundled_clips(1)[0][0]
    word = toy.mu_law.encode(waveform[:, : int(waveform[0].abs().argmax()) + 200])
    sounds = [generate(toy, n=16_000, prefix=word, seed=seed, **answer).waveform for seed in range(3)]
    shares = [(sound.abs() > 0.1).float().mean().item() for sound in sounds]
    told = f"Loud in {', '.join(f'{100 * share:.0f}%' for share in shares)} of a second with the three seeds"
    if min(shares) < 0.15:
        raise Wrong(f"{told}: at least one of them dies. Which rare codes does it need to live?")
    if max(shares) > 0.45:
        raise Wrong(f"{told}: at least one of them roars.")


def _step(answer: Any) -> None:
    """A function (queue, x, kernel) → (y, queue): one step of a layer of kernel 2, kernel = [old, new], whose queue (dilation,) holds the past inputs, the oldest first; right within 0.00001."""
    kernel = torch.tensor([0.5, -2.0], dtype=torch.float64)
    inputs = torch.randn(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for dilation in (4, 1, 2):
        queue: Any = torch.zeros(dilation, dtype=torch.float64)
        for t, x in enumerate(inputs):
            past = inputs[t - dilation] if t >= dilation else torch.zeros((), dtype=torch.float64)
            both = made(answer, queue, x, kernel)
            if not isinstance(both, (tuple, list)) or len(both) != 2:
                raise Wrong("Two things were asked for: the output y, and the queue for the next step.")
            y, queue = number(both[0]), tensor(both[1], torch.zeros(dilation)).clone()
            newest = inputs[t - 1] if t else torch.zeros(())
            old, new = kernel.tolist()
            mistakes = {
                "The weights are mixed up: the first belongs to the old sample.": new * past + old * x,
                "The newest sample of the queue is taken; the one that lies a dilation back is the oldest.": old
                * newest
                + new * x,
                "The old sample is left out.": new * x,
                "The new sample is left out.": old * past,
            }
            otherwise = f"The output of step {t} is wrong; was the queue moved on in every step before?"
            right = float(old * past + new * x)
            among(y, right, {hint: float(wrong) for hint, wrong in mistakes.items()}, otherwise)
            if float(queue[-1]) != float(x):
                raise Wrong("The queue does not end with the new sample: it has to be there a dilation later.")


def _temperature(answer: Any) -> None:
    """A function (logits, temperature) → probabilities (levels,) of a softmax at a temperature above 0; right within 0.00001."""
    logits = torch.tensor([2.0, 0.0, -1.0, 4.0], dtype=torch.float64)
    for t in (0.5, 2.0, 1.0):
        right = (logits / t).softmax(0)
        mistakes = {
            "It is multiplied by the temperature: a hot model must be *less* sure.": (logits * t).softmax(0),
            "The probabilities are divided, and not the logits: they do not add up to 1.": logits.softmax(0) / t,
            "Those are logarithms of probabilities.": (logits / t).log_softmax(0),
            "They do not add up to 1: divide by their sum.": (logits / t).exp(),
            "The temperature is left out.": logits.softmax(0),
            "Those are logits still: a softmax is missing.": logits / t,
        }
        mistakes = {hint: wrong for hint, wrong in mistakes.items() if t != 1.0}
        compare(
            tensor(made(answer, logits, t), right),
            right,
            mistakes,
            f"At temperature {t} it should give {[round(float(p), 3) for p in right]} for the logits {logits.tolist()}.",
        )


check_step = Check("the cached step", 7, _step, "One sample for two multiplications, however far back it looks.")
check_temperature = Check("a temperature", 7, _temperature, "Below 1 surer, above 1 bolder.")
check_layer = Check("one layer more", 7, _layer, "Filter and gate, and z goes two ways.")
check_bounds = Check(
    "how fast it can be",
    7,
    _bounds,
    "Real time at 16 kHz takes four such cores, three with the skipping; or one byte a weight.",
)
check_life = Check("the longest life", 7, _life, "Neither dying nor roaring. Now listen to it.")
