"""Checks of notebook 5: what telling costs, frames held, bits of a bin, a voice slowed down."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from wavenetlike.condition import ConditionConfig
from wavenetlike.data import bundled_clips, mel_frames
from wavenetlike.exercises.answers import Wrong, among, compare, counted, made, numbers, tensor
from wavenetlike.exercises.verdict import Check

LAYERS, GATES, WORDS, VECTOR, BANDS = 10, 6, 20, 16, 12


def _cost(answer: Any) -> None:
    """Numbers that a model of 10 layers, gate 6, learns to be told a word of 20 by a vector of 16, and frames of 12: table, V and U, without biases; a whole number."""
    told = ConditionConfig(words=tuple("abcdefghijklmnopqrst"), embedding=VECTOR, frame_channels=BANDS)
    right = told.parameters(LAYERS, GATES)
    table, gates = WORDS * VECTOR, LAYERS * GATES
    mistakes = {
        "V and U are right. The table of words is missing: a vector for each.": right - table,
        "Each layer has a filter and a gate, and both are told.": table + (VECTOR + BANDS) * gates,
        "Those are the word's alone. The frames have their own numbers, U.": table + 2 * VECTOR * gates,
        "Those are the frames' alone, and the table. The word's vector has its own numbers, V.": table
        + 2 * BANDS * gates,
        "That is one layer. There are ten.": table + 2 * (VECTOR + BANDS) * GATES,
        "That is for a one-hot h of 20 numbers. Here a table turns the word into 16 numbers first.": 2
        * (WORDS + BANDS)
        * gates,
    }
    counted(answer, right, mistakes, ". Every number of h and of y goes to every filter and every gate.")


def _hold(answer: Any) -> None:
    """A function (y, hop, n_samples) → (channels, n_samples): each frame of y (channels, n_frames) held for hop samples, the last one to the end."""
    y = torch.arange(6.0).reshape(2, 3) + 1
    for hop, n in ((4, 12), (4, 10), (4, 15), (1, 3)):
        right = y[:, (torch.arange(n) // hop).clamp(max=2)]
        told = f"3 frames, hop {hop}, {n} samples"
        held = y.repeat_interleave(hop, dim=1)
        found = made(answer, y, hop, n)
        if isinstance(found, Tensor) and found.shape != right.shape and found.shape == held.shape:
            raise Wrong(f"{told}: yours has {held.shape[1]} samples. Cut the rest, or hold the last frame to the end.")
        mistakes = {
            f"{told}: the frames follow one another, and begin again; each is to be held before the next comes.": y.repeat(
                1, n
            )[:, :n],
            f"{told}: after the last frame there is silence; hold it to the end.": torch.where(
                torch.arange(n) < 3 * hop, right, torch.zeros(())
            ),
            f"{told}: it is one sample late: the first frame begins with sample 0.": right[
                :, (torch.arange(n) - 1).clamp(min=0)
            ],
            f"{told}: the frames stand in turned order.": right.flip(1),
            f"{told}: between frames nothing is to be drawn in; each is held as it is.": interpolate(
                y[None], size=n, mode="linear"
            )[0],
        }
        mistakes = {hint: wrong for hint, wrong in mistakes.items() if not torch.equal(wrong, right)}
        compare(tensor(found, right), right, mistakes, f"{told}: some samples have another frame than ⌊t / hop⌋.", 1e-6)


def _bin_bits(answer: Any) -> None:
    """Two numbers, the bits of code 0 and of code 1 under a Gaussian of mean 0 and σ = 0.5 with three levels, v = -1, 0, 1; right within 0.01."""
    first, second = numbers(answer, 2)
    below = torch.distributions.Normal(0.0, 0.5).cdf(torch.tensor([-1.5, -1.0, -0.5, 0.0], dtype=torch.float64))
    end, middle = (-torch.log2(p).item() for p in (below[2], 1 - 2 * below[2]))
    mistakes = {
        "The bits of an end and of the middle are in each other's place: code 0, an end, is asked for first.": middle,
        "That is in nats: the logarithm to base 2 is asked for, which is ln(p) / ln(2).": end * math.log(2),
        "The first bin has no lower end: all below -0.5 is in it, not only what is above -1.5.": -torch.log2(
            below[2] - below[0]
        ).item(),
        "That is for all below -1, the value of code 0; its bin ends half a step higher.": -torch.log2(below[1]).item(),
        "That is the probability; the bits are -log₂ of it.": below[2].item(),
        "The sign is turned: bits are -log₂ p, and no code costs less than none.": -end,
    }
    among(
        first,
        end,
        mistakes,
        "Where does the bin of code 0 end? Half a step above its value, and the steps are 1.",
        0.003,
    )
    mistakes = {
        "The first is right. The second is the probability; the bits are -log₂ of it.": (1 - 2 * below[2]).item(),
        "The first is right. The three codes are not equally likely: the middle bin has most of the bell.": end,
    }
    among(second, middle, mistakes, "The first is right. The bin of code 1 goes from -0.5 to 0.5.", 0.01)


def _slower(answer: Any) -> None:
    """What `generate` made of "five" by the speaker m1, told its frames stretched in time, at least 1.3 times as long as the recording."""
    if not isinstance(getattr(answer, "waveform", None), Tensor):
        raise Wrong("That is no sound; what generate(words, …) returns was asked for, with its codes and waveform.")
    clips = bundled_clips()
    every = (clips[i] for i in range(len(clips)))
    recording = next(x for x, _, word, speaker in every if (word, speaker) == ("five", "m1"))
    longer = answer.waveform.shape[1] / recording.shape[1]
    if longer < 1.3:
        raise Wrong(f"It is {longer:.2f} times as long as the recording; at least 1.3 was asked for.")
    heard = mel_frames(answer.waveform[:1], n_mels=16)
    stretched = interpolate(mel_frames(recording, n_mels=16), size=heard.shape[2], mode="linear")
    if (away := float((heard - stretched).abs().mean())) > 0.13:
        raise Wrong(
            f'Its frames are {away:.2f} away from the stretched ones of "five", where 0.1 is usual: were these what you told it?'
        )


check_cost = Check("what telling costs", 5, _cost, "A table, and V and U in every layer, for filter and gate.")
check_hold = Check("frames held", 5, _hold, "Each frame is held, cut and held on where it should be.")
check_bin_bits = Check("bits of a bin", 5, _bin_bits, "The three probabilities sum to 1.")
check_slower = Check(
    "slower, not deeper", 5, _slower, "Stretching frames in time moves no band, and the pitch is the model's own."
)
