"""What a sample tells of a later one by any dependence, straight or not: mutual information, in bits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from wavenetlike.analysis.dependence import SURE, PooledAR, Series, pooled
from wavenetlike.checks import check_int

MOST_SAMPLES = 500_000
"""Of all clips that pairs are taken from."""
MOST_BINS = 16
PER_CELL = 20
"""Pairs expected in a cell of the table, at least: fewer, and chi-square is no longer its distribution."""
DENSE = 100
"""Lags up to this one are all looked at; beyond it, ever fewer."""
LONG = 200
"""Samples of a clip from which on it has a loudness of its own."""
FEWEST_PAIRS = 9 * PER_CELL
MOST_OWN = 8
"""Lags that tell something by themselves, at most."""


@dataclasses.dataclass(frozen=True)
class Information:
    """Mutual information at some lags, in bits per sample, with its bias taken off.

    Args:
        lags: (lags,), rising.
        bits: of x_t and x_{t-k}, straight dependence included, float64 (lags,); for a picture, since neighbours that are
            correlated make any test of it wrong.
        beyond: of x_{t-k} and what the linear AR leaves of x_t, float64 (lags,): what no correlation sees.
        threshold: ``beyond`` is significant above it, float64 (lags,): in a thousandth of the series without such dependence some
            lag is.
        pairs: counted at each lag, (lags,).
    """

    lags: np.ndarray
    bits: np.ndarray
    beyond: np.ndarray
    threshold: np.ndarray
    pairs: np.ndarray

    @property
    def significant(self) -> np.ndarray:
        """The lags at which the past tells more than a linear AR can use, (some lags,)."""
        return self.lags[self.beyond > self.threshold]

    @property
    def strongest(self) -> tuple[int, float] | None:
        """The significant lag with the most bits, and these; None where none is significant."""
        if not len(self.significant):
            return None
        best = int(np.argmax(np.where(self.beyond > self.threshold, self.beyond, -np.inf)))
        return int(self.lags[best]), float(self.beyond[best])


def information_lags(max_lag: int, n: int = 30) -> np.ndarray:
    """Lags 1 … 100, and ``n`` more from there to ``max_lag``, each as many times the one before; int64, rising.

    Raises:
        TypeError, ValueError: ``max_lag`` is below 1.
    """
    check_int("max_lag", max_lag, 1, "100 are all looked at")
    dense = np.arange(1, min(max_lag, DENSE) + 1)
    far = np.geomspace(DENSE, max(max_lag, DENSE), n + 1).round().astype(int)
    return np.unique(np.concatenate([dense, far[far <= max_lag]]))


def some_clips(arrays: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Clips drawn until they hold `MOST_SAMPLES`, the last of them cut there."""
    chosen: list[np.ndarray] = []
    left = MOST_SAMPLES
    for i in np.random.default_rng(seed).permutation(len(arrays)):
        if left > 0:
            chosen.append(arrays[i][:left])
            left -= len(chosen[-1])
    return chosen


def mutual_information(clips: Series, ar: PooledAR, lags: Sequence[int] | np.ndarray, seed: int = 0) -> Information:
    """How much x_{t-k} tells of x_t, and how much of what the linear AR leaves of it.

    Each clip of 200 samples or more is brought to its own mean and loudness, so that loud and soft clips do not count as dependence. Both sides are cut into
    equally frequent bins, up to 16, of at least 20 expected pairs a cell. Where the rest of the AR does not depend on the past, the
    table's 2·n·ln 2·bits is chi-square with (rows - 1)·(columns - 1) degrees, however the past depends on itself; half of these
    over n·ln 2 is the bias that is taken off (Miller and Madow, 1955); and the threshold shares 1/1000 among the lags (Bonferroni).

    Args:
        clips: each (time,); of more than 500,000 samples some whole clips are taken.
        ar: as fitted to them by `pooled_ar`.
        lags: in samples, at least 1, rising; those with fewer than 180 pairs are left out.
        seed: of the choice of clips.
    """
    arrays = some_clips(pooled(clips, 1), seed)
    scaled = _alike(arrays)
    rests = ar.rests(scaled)
    n_bins = _n_bins(sum(map(len, rests)) - int(max(lags)) * len(rests))
    past = _binned(scaled, n_bins)
    rest = _binned(rests, n_bins)
    used = [k for k in map(int, lags) if sum(max(0, len(x) - k) for x in rest) >= FEWEST_PAIRS]
    plain = [_bits(*_pairs(past, past, 0, k), n_bins) for k in used]
    beyond = [_bits(*_pairs(rest, past, ar.reach, k), n_bins) for k in used]
    return Information(
        np.array(used, dtype=int),
        np.array([max(0.0, bits - bias) for bits, bias, *_ in plain]),
        np.array([bits - bias for bits, bias, *_ in beyond]),
        np.array([_threshold(bias, n_pairs, degrees, len(used)) for _, bias, n_pairs, degrees in beyond]),
        np.array([n_pairs for *_, n_pairs, _ in beyond], dtype=int),
    )


def own_lags(clips: Series, ar: PooledAR, information: Information, seed: int = 0) -> tuple[int, ...]:
    """The lags that tell something by themselves, beyond the linear AR and beyond one another; rising.

    A lag that matters makes those behind it tell something, too, through the samples in between. So the strongest one is taken, what it explains
    (a straight piece within each of its bins) is taken off, and the others are looked at again, until none is significant.

    Args:
        clips, ar, seed: as for `mutual_information`.
        information: what that found.
    """
    scaled = _alike(some_clips(pooled(clips, 1), seed))
    rests = ar.rests(scaled)
    n_bins = _n_bins(sum(map(len, rests)))
    past, own = _binned(scaled, n_bins), list[int]()
    lags = information.significant
    while len(lags) and len(own) < MOST_OWN:
        rest = _binned(rests, n_bins)
        found = {int(k): _bits(*_pairs(rest, past, ar.reach, int(k)), n_bins) for k in lags}
        sure = {
            k: bits - bias
            for k, (bits, bias, *_) in found.items()
            if bits - bias > _threshold(bias, *found[k][2:], len(information.lags))
        }
        best = max(sure, key=sure.__getitem__, default=None)
        # What a lag tells of the spread, not of the mean, cannot be taken off: then the others cannot be told from it.
        if best is None or best in own:
            break
        own.append(best)
        rests = _without(rests, scaled, past, ar.reach, best)
    return tuple(sorted(own))


def _n_bins(n: int) -> int:
    return min(MOST_BINS, int((max(n, FEWEST_PAIRS) / PER_CELL) ** 0.5))


def _without(
    rests: list[np.ndarray], scaled: list[np.ndarray], past: list[np.ndarray], order: int, lag: int
) -> list[np.ndarray]:
    """The rests less what the sample ``lag`` before explains; what has no such sample stays."""
    late, bins = _pairs(rests, past, order, lag)
    _, early = _pairs(rests, scaled, order, lag)
    explained = np.zeros(len(late))
    for i in np.unique(bins):
        here = bins == i
        x = early[here] - early[here].mean()
        slope = float(x @ late[here]) / float(x @ x) if x.any() else 0.0
        explained[here] = late[here].mean() + slope * x
    left, begin = [], 0
    for rest, x in zip(rests, scaled, strict=True):
        first = max(order, lag)
        n = max(0, len(x) - first)
        rest = rest.copy()
        if n:
            rest[first - order :] -= explained[begin : begin + n]
        begin += n
        left.append(rest)
    return left


def _alike(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Every clip around 0 and as loud as the others; short ones, whose own middle would bind their samples, by those of all.

    By median and mean absolute difference, which a single large sample does not move.
    """
    whole = np.concatenate(arrays)
    middle, size = _middle(whole)
    varied = [(x, *_middle(x)) for x in arrays if x.min() < x.max()]
    return [(x - own) / spread if len(x) >= LONG else (x - middle) / size for x, own, spread in varied]


def _middle(x: np.ndarray) -> tuple[float, float]:
    """The median, and the mean distance from it."""
    middle = float(np.median(x))
    return middle, float(np.abs(x - middle).mean())


def _binned(arrays: list[np.ndarray], n_bins: int) -> list[np.ndarray]:
    """The number of its bin for every sample; of equal values all lie in one."""
    whole = np.concatenate(arrays)
    edges = np.unique(np.quantile(whole, np.arange(1, n_bins) / n_bins))
    return [np.searchsorted(edges, x, side="right") for x in arrays]


def _pairs(now: list[np.ndarray], past: list[np.ndarray], offset: int, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Bins of all pairs, ``now`` beginning ``offset`` samples after ``past``, whose partner lies ``lag`` samples before."""
    pairs = []
    for late, early in zip(now, past, strict=True):
        first = max(offset, lag)
        if first < len(early):
            pairs.append((late[first - offset :], early[first - lag : len(early) - lag]))
    if not pairs:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def _bits(late: np.ndarray, early: np.ndarray, n_bins: int) -> tuple[float, float, int, int]:
    """Mutual information in bits as it is counted, its bias, the number of pairs, and the degrees of freedom."""
    table = np.bincount(late * n_bins + early, minlength=n_bins**2).reshape(n_bins, n_bins).astype(float)
    n = int(table.sum())
    if n == 0:
        return 0.0, 0.0, 0, 0
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    some = table > 0
    bits = float((table[some] * np.log2(table[some] * n / np.outer(rows, columns)[some])).sum()) / n
    degrees = (int((rows > 0).sum()) - 1) * (int((columns > 0).sum()) - 1)
    return bits, degrees / (2 * n * np.log(2)), n, degrees


def _threshold(bias: float, n: int, degrees: int, n_lags: int) -> float:
    from scipy.special import chdtri

    if n == 0 or degrees == 0:
        return np.inf
    return float(chdtri(degrees, SURE / n_lags)) / (2 * n * np.log(2)) - bias
