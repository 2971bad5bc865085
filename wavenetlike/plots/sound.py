"""Pictures of sound and of its codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from wavenetlike.plots.picture import BLUE, GREY, RED, Picture, drawn, rows
from wavenetlike.quantize import MuLaw


def quantization(waveform: Tensor, mu_law: MuLaw, sample_rate: int) -> Picture:
    """µ-law's curve, and a waveform (time,) before and after it."""
    picture, (curve, wave) = drawn(
        f"Left, µ-law's staircase with {mu_law.levels} levels: fine steps near zero, coarse ones far from it. Right, "
        f"{len(waveform)} samples of a waveform and the steps that are left of it.",
        columns=2,
        width=10.5,
        height=3.0,
        width_ratios=[1, 2],
    )
    x = np.linspace(-1, 1, 2001, dtype=np.float32)
    curve.plot(x, mu_law.decode(mu_law.encode(torch.from_numpy(x)[None]))[0], color=RED)
    curve.plot([-1, 1], [-1, 1], color=GREY, linestyle=":")
    curve.set(title=f"{mu_law.levels} levels", xlabel="in", ylabel="out")
    time = np.arange(len(waveform)) / sample_rate * 1000
    wave.plot(time, waveform, color=GREY, label="waveform")
    wave.step(time, mu_law.decode(mu_law.encode(waveform[None]))[0], where="mid", color=RED, label="decoded codes")
    wave.set(title="a waveform and its codes", xlabel="ms", ylabel="amplitude")
    wave.margins(y=0.3)
    wave.legend(frameon=False, loc="upper right", ncols=2)
    return picture


def quantization_error(waveform: Tensor, mu_law: MuLaw, sample_rate: int) -> Picture:
    """A waveform (time,) and what quantization does to it: all of it with its error, and its loudest 10 ms with its steps."""
    decoded = mu_law.decode(mu_law.encode(waveform[None]))[0]
    picture, (whole, near) = drawn(
        f"Left, {len(waveform) / sample_rate:.2f} s of a waveform and, over it, the error that {mu_law.levels} levels make, largest where it "
        "is loud. Right, its loudest 10 ms and the steps that are left of them.",
        columns=2,
        width=10.5,
        height=3.0,
        width_ratios=[1.6, 1],
    )
    seconds = np.arange(len(waveform)) / sample_rate
    whole.plot(seconds, waveform, color=GREY, linewidth=0.6, label="waveform")
    whole.plot(seconds, decoded - waveform, color=RED, linewidth=0.6, label="quantization error")
    whole.set(title=f"{mu_law.levels} levels", xlabel="seconds", ylabel="amplitude")
    half = max(1, sample_rate // 200)
    middle = int(waveform.abs().argmax())
    part = slice(max(0, middle - half), middle + half)
    near.plot(1000 * seconds[part], waveform[part], color=GREY, label="waveform")
    near.step(1000 * seconds[part], decoded[part], where="mid", color=BLUE, label="decoded codes")
    near.set(title="the loudest 10 ms", xlabel="ms")
    for ax in (whole, near):
        ax.margins(y=0.3)
        ax.legend(frameon=False, loc="upper right", ncols=2)
    return picture


def waveforms(named: Mapping[str, Tensor], sample_rate: float | None, alt: str) -> Picture:
    """Waveforms (time,) under one another, on the same scale, over seconds, or over samples where no rate is known."""
    picture, axes = rows(alt, len(named), 1.3, sharey=True)
    for ax, (name, waveform) in zip(axes, named.items(), strict=True):
        ax.plot(np.arange(len(waveform)) / (sample_rate or 1), waveform, color=BLUE, linewidth=0.6)
        ax.set_title(name, loc="left", fontsize=9)
    axes[-1].set(xlabel="seconds" if sample_rate else "t (samples)")
    return picture


def frames(named: Mapping[str, Tensor], hop: int, sample_rate: int, alt: str) -> Picture:
    """Mel frames (bands, n_frames) under one another, the lowest band at the bottom, all on one scale of greys."""
    picture, axes = rows(alt, len(named), 1.5)
    least, most = (float(of([f(x) for x in named.values()])) for of, f in ((min, torch.min), (max, torch.max)))
    for ax, (name, values) in zip(axes, named.items(), strict=True):
        n_channels, n = values.shape
        seconds = n * hop / sample_rate
        image = ax.imshow(
            np.asarray(values),
            aspect="auto",
            origin="lower",
            cmap="Greys",
            vmin=least,
            vmax=most,
            extent=(0, seconds, -0.5, n_channels - 0.5),
        )
        ax.set_title(name, loc="left", fontsize=9)
        ax.set(ylabel="mel band")
    axes[-1].set(xlabel="seconds")
    picture.colorbar(image, ax=list(axes), label="log strength", aspect=12 * len(named))
    return picture


def distributions(named: Mapping[str, Tensor], came: int, alt: str) -> Picture:
    """Probabilities of the codes, (levels,), as several heads give them at one moment, and the code that ``came`` then."""
    picture, axes = drawn(alt, columns=len(named), height=2.4, width=10.0, sharey=True)
    for ax, (name, p) in zip(np.ravel(axes), named.items(), strict=True):
        ax.fill_between(np.arange(len(p)), p, step="mid", color=BLUE, alpha=0.6, linewidth=0)
        ax.plot(came, 0, marker="^", color=RED, markersize=8, clip_on=False)
        ax.set_title(name, loc="left", fontsize=9)
        ax.set(xlabel="code")
    np.ravel(axes)[0].set(ylabel="probability")
    return picture
