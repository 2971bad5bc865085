"""A small classifier that tells spoken words apart, to judge by whether a model's speech can be understood. Used by train_words.py."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wavenetlike.data import mel_frames

BANDS, LENGTH, WIDTH = 32, 96, 96
"""Mel bands, frames of 10 ms that are looked at, and channels."""
NETWORKS, STEPS, BATCH = 3, 500, 64


class Classifier(nn.Module):
    """Frames (batch, BANDS, LENGTH) → a score for each word, (batch, words)."""

    def __init__(self, n_words: int):
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(3):
            conv = nn.Conv1d(WIDTH if i else BANDS, WIDTH, 5, padding=2)
            layers += [conv, nn.BatchNorm1d(WIDTH), nn.ReLU()] + [nn.MaxPool1d(2), nn.Dropout(0.2)] * (i < 2)
        self.layers, self.out = nn.Sequential(*layers), nn.Linear(2 * WIDTH, n_words)

    def forward(self, x: Tensor) -> Tensor:
        z = self.layers(x - x.mean((1, 2), keepdim=True))  # how loud it is says nothing
        return self.out(torch.cat([z.mean(2), z.amax(2)], dim=1))


class Ear:
    """Some classifiers that were trained on the same clips, and answer together.

    Args:
        clips: waveforms (1, time) at 16 kHz.
        labels: what each says.
    """

    def __init__(self, clips: Sequence[Tensor], labels: Sequence[str]):
        self.words = sorted(set(labels))
        frames, numbers = [mel_frames(clip, 16000, BANDS)[0] for clip in clips], self._numbers(labels)
        self.networks = [self._trained(frames, numbers, seed) for seed in range(NETWORKS)]

    @torch.no_grad()
    def accuracy(self, clips: Sequence[Tensor], labels: Sequence[str]) -> float:
        """The part of the clips of which it names the word."""
        x = torch.stack([placed(mel_frames(clip, 16000, BANDS)[0]) for clip in clips])
        votes = torch.stack([network(x).softmax(1) for network in self.networks]).sum(0)
        return float((votes.argmax(1) == self._numbers(labels)).float().mean())

    def _numbers(self, labels: Sequence[str]) -> Tensor:
        return torch.tensor([self.words.index(label) for label in labels])

    def _trained(self, frames: Sequence[Tensor], numbers: Tensor, seed: int) -> Classifier:
        torch.manual_seed(seed)
        network = Classifier(len(self.words))
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            chosen = torch.randint(len(frames), (BATCH,))
            x = torch.stack([varied(frames[i]) for i in chosen.tolist()])
            loss = F.cross_entropy(network(x), numbers[chosen], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        return network.eval()


def placed(x: Tensor, part: float = 0.5) -> Tensor:
    """Frames (BANDS, n) in the middle, or another ``part``, of LENGTH frames."""
    x = x[:, :LENGTH]
    room = LENGTH - x.shape[1]
    before = round(part * room)
    return F.pad(x, (before, room - before), value=-1.0)


def varied(x: Tensor) -> Tensor:
    """Another clip of the same word: faster or slower, higher or lower, louder, in noise, and with holes."""
    pace, shift, gain, noise, place, band, time = torch.rand(7).tolist()
    x = F.interpolate(x[None], size=max(8, round(x.shape[1] * (0.8 + 0.4 * pace))), mode="linear")[0]
    if n := round(4 * shift - 2):
        x = torch.roll(x, n, 0)
        (x[:n] if n > 0 else x[n:]).fill_(-1)
    floor = torch.full_like(x, -1 + 0.5 * noise) + 0.1 * torch.randn(x.shape)
    x = placed(torch.maximum(x + 0.4 * gain - 0.2, floor) + 0.1 * torch.randn(x.shape), place)
    first, begin = int(band * (BANDS - 4)), int(time * (LENGTH - 10))
    x[first : first + int(5 * torch.rand(()))] = x.mean()
    x[:, begin : begin + int(10 * torch.rand(()))] = x.mean()
    return x
