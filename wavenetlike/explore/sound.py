"""A model heard while it generates: temperature, seed and beginning are chosen, the sound plays as it is made, and can be stopped."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Mapping
from typing import Any

import torch
import traitlets
from torch import Tensor

from wavenetlike.checks import check_between, check_codes, check_int, check_seed
from wavenetlike.condition import Condition, ConditionConfig, resolve
from wavenetlike.data import bundled_clips, mel_frames
from wavenetlike.explore.drawn import Drawn, source
from wavenetlike.generate import generate, stream
from wavenetlike.models import WaveNet, check_model, pretrained
from wavenetlike.plots import Picture, waveforms

TEMPERATURES = [round(0.05 * i, 2) for i in range(2, 41)]
LENGTHS = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0]
BLOCK = 0.1
"""Seconds that are sent to the page at once."""
BEFORE = 0.25
"""Seconds of a beginning that are heard before its continuation."""


@dataclasses.dataclass(frozen=True, eq=False)
class Chosen:
    """What was chosen when a sound was begun, however the sliders stand afterwards.

    Attributes:
        options: of `generate`.
        n: samples.
        before: the end of the beginning, (1, time), heard first.
        words: all of it in words.
    """

    options: dict[str, Any]
    n: int
    before: Tensor
    words: str


class SoundExplorer(Drawn):
    """`explore_sound`; ``sound`` is what was made last, (1, time), with the end of its beginning before it."""

    _esm = source("common.js", "sound.js")
    needs_kernel = True
    temperature = traitlets.Float(1.0).tag(sync=True)
    greedy = traitlets.Bool(False).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    seconds = traitlets.Float(2.0).tag(sync=True)
    beginning = traitlets.Int(0).tag(sync=True)
    temperatures = traitlets.List(TEMPERATURES).tag(sync=True)
    lengths = traitlets.List(LENGTHS).tag(sync=True)
    beginnings: traitlets.List[Any] = traitlets.List().tag(sync=True)
    beginning_is = traitlets.Unicode("goes on from").tag(sync=True)
    told = traitlets.Int(0).tag(sync=True)
    known: traitlets.List[Any] = traitlets.List().tag(sync=True)
    sample_rate = traitlets.Int(16000).tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    first = traitlets.Bytes().tag(sync=True)

    def __init__(self, model: WaveNet, prefixes: Mapping[str, Tensor], **traits: Any):
        self._prefixes = [None, *prefixes.values()]
        self._begin(model, beginnings=["silence", *prefixes], **traits)

    def _begin(self, model: WaveNet, **traits: Any) -> None:
        self._model, self._thread, self._stopped = model, threading.Thread(), threading.Event()
        self.sound = torch.zeros(1, 0)
        super().__init__(**traits)
        self.on_msg(self._answer)
        chosen = self._chosen()
        self._end(torch.cat([chosen.before, generate(model, chosen.n, **chosen.options).waveform], dim=1), chosen)
        self.first = self.sound.numpy().tobytes()

    @traitlets.validate("temperature", "seconds")
    def _is_in_range(self, proposal: Any) -> float:
        allowed = TEMPERATURES if proposal.trait.name == "temperature" else LENGTHS
        check_between(proposal.trait.name, proposal.value, allowed[0], allowed[-1], "the slider has those between")
        return min(allowed, key=lambda value: abs(value - proposal.value))

    @traitlets.validate("seed")
    def _is_seed(self, proposal: Any) -> int:
        check_seed(proposal.value)
        return int(proposal.value)

    @traitlets.validate("beginning", "told")
    def _is_place(self, proposal: Any) -> int:
        name = proposal.trait.name
        check_int(
            name, proposal.value, 0, "0 is the first", len(self.beginnings if name == "beginning" else self.known) - 1
        )
        return int(proposal.value)

    def play(self, run: str = "") -> None:
        """Begin to generate what is chosen now, in a thread of its own: the page hears every block when it is made.

        Args:
            run: what the page calls it; empty, a name of its own.
        """
        self.stop()
        self._stopped = threading.Event()
        task = (run or uuid.uuid4().hex, self._chosen(), self._stopped)
        self._thread = threading.Thread(target=self._make, args=task, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the generation after the block that is being made; what was made stays."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def picture(self) -> Picture:
        """The sound that was made last, as a figure."""
        return waveforms({"generated": self.sound[0]}, self.sample_rate, self.shown["alt"])

    def words(self) -> str:
        return str(self.shown["words"])

    def _answer(self, _widget: object, content: Any, _buffers: object) -> None:
        if content.get("kind") == "play":
            self.play(str(content.get("run", "")))
        elif content.get("kind") == "stop":
            self.stop()

    def _chosen(self) -> Chosen:
        prefix = self._prefixes[self.beginning]
        before = torch.zeros(1, 0)
        if prefix is not None:
            before = self._model.mu_law.decode(prefix[:, -round(BEFORE * self.sample_rate) :])
        words = f"from {self.beginnings[self.beginning]}, {self._how}"
        return Chosen({"prefix": prefix, **self._draws}, round(self.seconds * self.sample_rate), before, words)

    @property
    def _draws(self) -> dict[str, Any]:
        return {"temperature": self.temperature, "greedy": self.greedy, "seed": self.seed}

    @property
    def _how(self) -> str:
        return "the likeliest code each time" if self.greedy else f"temperature {self.temperature:g}, seed {self.seed}"

    def _make(self, run: str, chosen: Chosen, stopped: threading.Event) -> None:
        made, error = [chosen.before], ""
        total = chosen.before.shape[1] + chosen.n
        try:
            self._tell(run, chosen.before, total, is_first=True)
            for block in stream(self._model, chosen.n, block=round(BLOCK * self.sample_rate), **chosen.options):
                made.append(block.waveform)
                self._tell(run, block.waveform, total)
                if stopped.is_set():
                    break
        except Exception as failed:
            error = str(failed)
        self._end(torch.cat(made, dim=1), chosen, error)
        self.send({"kind": "end", "run": run})

    def _tell(self, run: str, waveform: Tensor, total: int, is_first: bool = False) -> None:
        content = {"kind": "block", "run": run, "total": total, "first": is_first}
        self.send(content, [waveform[0].numpy().tobytes()])

    def _end(self, sound: Tensor, chosen: Chosen, error: str = "") -> None:
        self.sound = sound
        peak = float(sound.abs().max()) if sound.numel() else 0.0
        words = f"{sound.shape[1] / self.sample_rate:.2f} s, {chosen.words}: peak {peak:.2f}."
        alt = f"A waveform that the model made: {words}"
        if chosen.before.shape[1]:
            alt += (
                f" Its first {chosen.before.shape[1] / self.sample_rate:.2f} s are the recording that it goes on from."
            )
        self.shown = {"words": error or words, "alt": alt}


def explore_sound(
    model: WaveNet | None = None,
    prefixes: Mapping[str, Tensor] | None = None,
    seconds: float = 1.0,
    sample_rate: int = 16000,
    seed: int = 0,
) -> SoundExplorer:
    """Let a model generate, and hear it while it does: choose temperature, seed, length, and what it goes on from.

    Where the model is faster than its sound, playing begins at once; else as soon as the sound will not break off.
    Taught in notebooks/07_fast_generation.ipynb.

    Args:
        model: a `WaveNet`; None: the trained toy of the package, beside the first halves of some bundled words.
        prefixes: by name, codes (1, time) from which it can go on, at first from the first; silence is always among the choices.
        seconds: how long to begin with, 0.5 … 30.
        sample_rate: in Hz, 8,000 … 96,000: browsers play nothing slower.
        seed: to begin with, 0 … 2³² - 1.

    Raises:
        TypeError, ValueError: no `WaveNet`, a prefix that is no codes of it, a number out of its range.
    """
    if model is None:
        model = pretrained("toy")
        prefixes = _words(model) if prefixes is None else prefixes
    check_model(model)
    check_int("sample_rate", sample_rate, 8000, "16000 is that of the bundled clips", 96_000)
    check_between("seconds", seconds, LENGTHS[0], LENGTHS[-1], "1.0 is soon made")
    check_seed(seed)
    if prefixes is not None and not isinstance(prefixes, Mapping):
        raise TypeError(
            f"The prefixes are a {type(prefixes).__name__}; they must be a dictionary of codes by name: try {{'yes': codes}}."
        )
    for name, prefix in (prefixes or {}).items():
        check_codes(prefix, model.config.levels)
        if len(prefix) != 1:
            raise ValueError(f"The prefix {name!r} has a batch of {len(prefix)}; it must be 1: try prefix[:1].")
    options: dict[str, Any] = {"seconds": float(seconds), "sample_rate": int(sample_rate), "seed": seed}
    return SoundExplorer(model, prefixes or {}, beginning=1 if prefixes else 0, **options)


class WordsExplorer(SoundExplorer):
    """`explore_words`."""

    def __init__(self, model: WaveNet, spoken: Mapping[str, Condition], **traits: Any):
        config: Any = model.config.condition
        self._spoken = [(each, each.frames.shape[-1] * config.hop) for each in spoken.values()]  # type: ignore[union-attr]
        known = ["that of the frames", *config.words]
        self._begin(model, beginnings=list(spoken), beginning_is="frames of", known=known, lengths=[], **traits)

    def _chosen(self) -> Chosen:
        own, n = self._spoken[self.beginning]
        word = self.known[self.told] if self.told else own.word
        condition = dataclasses.replace(own, word=word)
        words = f"the frames of {self.beginnings[self.beginning]}, told «{word}», {self._how}"
        return Chosen({"condition": condition, **self._draws}, n, torch.zeros(1, 0), words)


def explore_words(
    model: WaveNet | None = None,
    spoken: Mapping[str, Condition] | None = None,
    *,
    sample_rate: int = 16000,
    seed: int = 0,
) -> WordsExplorer:
    """Hear a model that is told a word and frames: those of a recording, with its own word or with another. By keyboard, too.

    Taught in notebooks/05_conditioning.ipynb.

    Args:
        model: a `WaveNet` conditioned on words and on frames; None: the trained one of the package.
        spoken: by name, each a condition with a word and with frames; None: those of bundled clips of the words that the model knows, one of each.
        sample_rate: in Hz, 8,000 … 96,000: browsers play nothing slower.
        seed: to begin with, 0 … 2³² - 1.

    Raises:
        TypeError, ValueError: no `WaveNet`, or one that is not conditioned so; a condition that it does not know, or lacks; a number out of its range.
    """
    model = pretrained("words") if model is None else model
    check_model(model)
    check_int("sample_rate", sample_rate, 8000, "16000 is that of the bundled clips", 96_000)
    check_seed(seed)
    config = model.config.condition
    if config is None or config.parts != ("word", "frames"):
        known = "nothing" if config is None else " and ".join(config.parts)
        raise ValueError(
            f"The model is conditioned on {known}; it must be on word and frames: try explore_words(), or explore_sound(model)."
        )
    if spoken is not None and not isinstance(spoken, Mapping):
        raise TypeError(
            f"spoken is a {type(spoken).__name__}; it must be a dictionary of conditions by name: try {{'mine': Condition(word='yes', frames=frames)}}."
        )
    spoken = _bundled(config) if spoken is None else spoken
    if not spoken:
        raise ValueError("There is nothing spoken; pass at least one condition: try explore_words().")
    for name, condition in spoken.items():
        resolve(config, condition, 1, whole=True)
        if not isinstance(name, str) or not isinstance(condition, Condition) or condition.word is None:
            raise TypeError(
                f"spoken has {condition!r} under {name!r}; it must have conditions with a word and frames under names: try {{'mine': Condition(word={config.words[0]!r}, frames=frames)}}."
            )
    return WordsExplorer(model, spoken, sample_rate=int(sample_rate), seed=seed)


def _bundled(config: ConditionConfig) -> dict[str, Condition]:
    """Bundled clips of the words that are known, one of each."""
    clips = bundled_clips()
    spoken: dict[str, Condition] = {}
    for waveform, rate, label, speaker in (clips[i] for i in range(len(clips))):
        if label in config.words and label not in {condition.word for condition in spoken.values()}:
            frames = mel_frames(waveform, rate, config.frame_channels, config.hop)
            spoken[f"«{label}», {speaker}"] = Condition(word=label, frames=frames)
    return dict(sorted(spoken.items()))


def _words(model: WaveNet) -> dict[str, Tensor]:
    """Bundled words up to their loudest place, by name."""
    clips, prefixes = bundled_clips(5), {}
    for i in range(len(clips)):
        waveform, _, label, _ = clips[i]
        prefixes[f"«{label}»"] = model.mu_law.encode(waveform[:, : int(waveform[0].abs().argmax()) + 200])
    return prefixes
