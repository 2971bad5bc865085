"""Densities over the companded waveform, of which each code has a bin: as many levels as you like, and few outputs.

Code k stands for the value v_k = 2k/(levels - 1) - 1, and has all that is nearer to it than to another; the two end bins are open::

    ──── code 0 ────┤ code 1 ├ code 2 ├ … ├──── code levels - 1 ────
                  v_0 + h  v_1 + h                 h = 1 / (levels - 1)

so that the probabilities, differences of the distribution function F at the borders, sum to 1 whatever the outputs are. They are taken in
log space, where a bin far out in a tail does not become 0.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from wavenetlike.checks import check_int
from wavenetlike.heads.codes import IGNORED, LEAST_TEMPERATURE, MOST_TEMPERATURE, CodeHead, gumbel, uniform

MOST_MEAN = 100.0
"""Means are held within ± this: values end at ±1, and all beyond says the same."""
FIRST_LOG_SCALE = -2.0
"""Of an untrained model: neighbouring samples of speech are that near. From 1, the whole range, it would come down in hundreds of steps."""
MOST_LOG_SCALE, LEAST_LOG_SCALE = 7.0, -7.0
"""Logarithms of scales are held between these, the lower one counted from that of h: then all of the density lies within one bin."""


class BinnedHead(CodeHead):
    """What the heads of this module share. Of their outputs one channel a component is a mean, one the logarithm of a scale.

    Args:
        levels: as in `CodeHead`.
    """

    n_components = 1

    def __init__(self, levels: int):
        super().__init__(levels)
        self.margin = 1 / (levels - 1)
        self.least_log_scale = math.log(self.margin) + LEAST_LOG_SCALE

    def values(self, codes: Tensor) -> Tensor:
        """Codes → their values, float in [-1, 1], the same shape."""
        return 2 * self.margin * codes.to(torch.get_default_dtype()) - 1

    def to_codes(self, values: Tensor) -> Tensor:
        """Values → the codes in whose bins they lie, int64, the same shape."""
        at = (values + 1) * (0.5 * (self.levels - 1)) + 0.5
        return at.clamp(0, self.levels - 1).to(torch.int64)

    def components(self, outputs: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        """Outputs → logits of the components, or None if there is one, their means and the logarithms of their scales."""
        raise NotImplementedError

    def borders(self, codes: Tensor, means: Tensor, log_scales: Tensor) -> tuple[Tensor, Tensor]:
        """Where each code's bin begins and ends, in scales from the mean; what one ends with, the next begins with, to the last digit."""
        k, over_scale = codes.to(means.dtype), torch.exp(-log_scales)
        return ((2 * k - 1) * self.margin - 1 - means) * over_scale, (
            (2 * k + 1) * self.margin - 1 - means
        ) * over_scale

    def standard(self, x: np.ndarray) -> np.ndarray:
        """Uniform → numbers of mean 0 and scale 1."""
        raise NotImplementedError

    def noise(self, n: int, batch: int, generator: torch.Generator | None = None) -> Tensor:
        """A Gumbel number for each of several components, then a number of scale 1: float32 (n, batch, n_noise)."""
        x = uniform(n, batch, self.n_noise, generator)
        return torch.from_numpy(np.concatenate([gumbel(x[..., :-1]), self.standard(x[..., -1:])], axis=2))

    def sample(
        self, outputs: Tensor, noise: Tensor | None, temperature: float = 1.0, top_k: int | None = None
    ) -> Tensor:
        """Outputs → codes: a component, then a value of it; for None the mean of the heaviest one. See `CodeHead.sample`.

        Raises:
            ValueError: ``top_k`` is given.
        """
        if top_k is not None:
            raise ValueError(
                f"top_k={top_k} was passed; this head has a density and no list of likeliest codes, so it must be None: try temperature=0.8."
            )
        held = min(max(temperature, LEAST_TEMPERATURE), MOST_TEMPERATURE)
        logits, means, log_scales = self.components(outputs)
        if logits is None:
            mean, log_scale = means[:, 0], log_scales[:, 0]
        else:
            scores = logits - logits.amax(dim=1, keepdim=True)
            if noise is not None:
                scores = scores / held + noise[:, :-1]
            chosen = scores.argmax(dim=1, keepdim=True)
            mean, log_scale = means.gather(1, chosen)[:, 0], log_scales.gather(1, chosen)[:, 0]
        if noise is None:
            return self.to_codes(mean)
        return self.to_codes(mean + log_scale.exp() * held * noise[:, -1])

    def _held(self, means: Tensor, log_scales: Tensor) -> tuple[Tensor, Tensor]:
        return means.clamp(-MOST_MEAN, MOST_MEAN), log_scales.clamp(self.least_log_scale, MOST_LOG_SCALE)


class LogisticsHead(BinnedHead):
    """A mixture of logistic distributions (Salimans et al., PixelCNN++, 2017, section 2.1; van den Oord et al., Parallel WaveNet, 2017, section 2).

    Outputs: for each component a logit, a mean and the logarithm of a scale, all logits first. Taught in notebooks/05_conditioning.ipynb.

    Args:
        levels: as in `CodeHead`.
        n_mixtures: components, at least 1.

    Raises:
        TypeError, ValueError: an argument out of its range.
    """

    def __init__(self, levels: int, n_mixtures: int = 10):
        super().__init__(levels)
        check_int("n_mixtures", n_mixtures, 1, "10 are PixelCNN++'s")
        self.n_components, self.channels, self.n_noise = n_mixtures, 3 * n_mixtures, n_mixtures + 1

    @torch.no_grad()
    def begin(self, bias: Tensor) -> None:
        """Scales of `FIRST_LOG_SCALE`, and means spread over the range."""
        _, means, log_scales = bias.chunk(3)
        n = self.n_components
        means.copy_((2 * torch.arange(n) + 1) / n - 1)
        log_scales.fill_(FIRST_LOG_SCALE)

    def components(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs (batch, 3 · n_mixtures, …) → logits, means and logarithms of scales, each (batch, n_mixtures, …)."""
        logits, means, log_scales = outputs.chunk(3, dim=1)
        return logits, *self._held(means, log_scales)

    def standard(self, x: np.ndarray) -> np.ndarray:
        """Uniform → standard logistic numbers."""
        with np.errstate(divide="ignore"):
            return np.log(x) - np.log1p(-x)

    def log_prob(self, outputs: Tensor, codes: Tensor) -> Tensor:
        """Outputs (batch, 3 · n_mixtures, time) and codes (batch, time) → ln P(code), (batch, time).

        With a and b the borders of the bin, less the mean, in scales: σ(b) - σ(a) = σ(b) · σ(-a) · (1 - e^{-(b - a)}).
        """
        logits, means, log_scales = self.components(wide(outputs))
        below, above = self.borders(codes[:, None], means, log_scales)
        is_first, is_last = codes[:, None] == 0, codes[:, None] == self.levels - 1
        within = (
            torch.where(is_last, 0.0, nn.functional.logsigmoid(above))
            + torch.where(is_first, 0.0, nn.functional.logsigmoid(-below))
            + torch.where(is_first | is_last, 0.0, log_one_less_exp(above - below))
        )
        return torch.logsumexp(logits.log_softmax(dim=1) + within, dim=1).to(outputs.dtype)


class BinnedGaussianHead(BinnedHead):
    """A normal distribution: mean and logarithm of σ, both from the network. Taught in notebooks/05_conditioning.ipynb.

    Args:
        levels: as in `CodeHead`.
    """

    def __init__(self, levels: int):
        super().__init__(levels)
        self.channels, self.n_noise = 2, 1

    @torch.no_grad()
    def begin(self, bias: Tensor) -> None:
        """A σ of `FIRST_LOG_SCALE`."""
        bias[1:].fill_(FIRST_LOG_SCALE)

    def components(self, outputs: Tensor) -> tuple[None, Tensor, Tensor]:
        """Outputs (batch, 2, …) → no logits, the mean and ln σ, each (batch, 1, …)."""
        mean, log_sigma = outputs.chunk(2, dim=1)
        return None, *self._held(mean, log_sigma)

    def standard(self, x: np.ndarray) -> np.ndarray:
        """Uniform → standard normal numbers, within ±5.5."""
        middle = torch.from_numpy(x.astype(np.float64) + 2.0**-25)
        return torch.special.ndtri(middle).float().numpy()

    def log_prob(self, outputs: Tensor, codes: Tensor) -> Tensor:
        """Outputs (batch, channels, time) and codes (batch, time) → ln P(code), (batch, time).

        ln(Φ(b) - Φ(a)) with a and b the borders of the bin, taken on the side of 0 where Φ is small and differences are exact.
        """
        _, mean, log_sigma = self.components(wide(outputs))
        below, above = self.borders(codes, mean[:, 0], log_sigma[:, 0])
        is_left = above + below < 0
        near, far = torch.where(is_left, above, -below), torch.where(is_left, below, -above)
        log_near, log_far = log_ndtr(near), log_ndtr(far)
        inside = log_near + log_one_less_exp(log_near - log_far)
        first, last = log_ndtr(above), log_ndtr(-below)
        within = torch.where(codes == 0, first, torch.where(codes == self.levels - 1, last, inside))
        return within.to(outputs.dtype)


class BinnedMSEHead(BinnedGaussianHead):
    """The mean alone, by least squares, and one σ for all samples, which says how far the mean is off.

    The loss is in bits, those of the normal distribution, so that it compares; but what the network learns from is the gradient of the mean
    squared error, and the likelihood teaches σ alone. Taught in notebooks/05_conditioning.ipynb.

    Args:
        levels: as in `CodeHead`.
    """

    def __init__(self, levels: int):
        super().__init__(levels)
        self.channels = 1
        self.log_sigma = nn.Parameter(torch.tensor(FIRST_LOG_SCALE))

    def components(self, outputs: Tensor) -> tuple[None, Tensor, Tensor]:
        """Outputs (batch, 1, …) → no logits, the mean and ln σ, each (batch, 1, …)."""
        return None, *self._held(outputs, self.log_sigma.to(outputs.dtype).expand_as(outputs))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """As `CodeHead.loss` by its value; by its gradient the mean of (value - outputs)², of the targets that are not `IGNORED`."""
        is_target = targets != IGNORED
        _, mean, _ = self.components(outputs)
        error = (self.values(targets) - mean[:, 0]).masked_fill(~is_target, 0)
        squares = error.square().sum() / is_target.sum()
        return super().loss(outputs.detach(), targets) + (squares - squares.detach())


def wide(x: Tensor) -> Tensor:
    """In float64, since borders of 65,536 bins, far from the mean of a narrow one, are more than float32 tells apart; MPS knows none."""
    return x.float() if x.device.type == "mps" else x.double()


def log_one_less_exp(x: Tensor) -> Tensor:
    """ln(1 - e^{-x}) for x > 0."""
    return torch.log(-torch.expm1(-x))


def log_ndtr(x: Tensor) -> Tensor:
    """ln Φ(x) of the standard normal distribution. torch's own has no true gradient below -10⁷, and an infinite one below -10¹⁰."""
    is_tail = x < -1
    tail, near = torch.where(is_tail, x, -1.0), torch.where(is_tail, -1.0, x)
    in_tail = torch.log(torch.special.erfcx(-tail / math.sqrt(2)) / 2) - tail.square() / 2
    return torch.where(is_tail, in_tail, torch.log1p(-torch.special.erfc(near / math.sqrt(2)) / 2))
