"""Means over seeds with intervals, averages over paired cells, ranks, and frontiers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

Z95 = 1.959964
"""Of the normal distribution: 95 % lie within so many standard deviations."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 95 % interval (None: cannot be said) over ``count`` values."""

    value: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviation between seeds, pooled over cells, and its degrees of freedom."""

    deviation: float
    freedom: int


def seed_spread(cells: Sequence[Sequence[float]]) -> Spread | None:
    """The deviation between seeds of one cell, pooled over all cells that have several; None when none has.

    Two or three seeds of one cell say almost nothing about their spread; 24 cells with two seeds each have 24 degrees of freedom.
    """
    several = [np.asarray(values, float) for values in cells if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    if not freedom:
        return None
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in several)
    return Spread(math.sqrt(squares / freedom), freedom)


def over_seeds(values: Sequence[float], half_widths: Sequence[float | None], spread: Spread | None) -> Mean:
    """The mean over seeds.

    Its interval joins two independent errors as the root of their squared half-widths: that of the test sample (the mean half-width
    of the seeds' own intervals: all were scored on the same words, so more seeds do not make it smaller), and that of the choice of
    seeds (the pooled deviation, by Student's t).  With one seed in all cells only the first is known.

    Args:
        values: one for every seed.
        half_widths: of each value's own 95 % interval; None where there is none.
        spread: see :func:`seed_spread`.
    """
    mean = float(np.mean(values))
    known = [half for half in half_widths if half is not None]
    square = float(np.mean(known)) ** 2 if known else 0.0
    if spread is not None:
        square += (float(stats.t.ppf(0.975, spread.freedom)) * spread.deviation) ** 2 / len(values)
    half = math.sqrt(square)
    return Mean(mean, mean - half, mean + half, len(values)) if half else Mean(mean, None, None, len(values))


def mean_difference(differences: Sequence[float]) -> Mean:
    """The mean of paired differences with Student's interval over the pairs; none below two pairs.

    Raises:
        ValueError: there is no pair.
    """
    if not differences:
        raise ValueError("no pair of cells to compare")
    values = np.asarray(differences, float)
    mean = float(values.mean())
    if len(values) < 2:
        return Mean(mean, None, None, 1)
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return Mean(mean, mean - half, mean + half, len(values))


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> Mean | None:
    """Spearman's rank correlation of paired values; None below four pairs, or where all of one side are equal.

    The interval is Fisher's, with the variance 1.06 / (n - 3) that suits ranks.

    Source: E. Fieller, H. Hartley and E. Pearson, "Tests for rank correlation coefficients. I", 1957.
    """
    if len(first) < 4 or len(set(first)) == 1 or len(set(second)) == 1:
        return None
    value = float(stats.spearmanr(first, second).statistic)
    half = Z95 * math.sqrt(1.06 / (len(first) - 3))
    bounded = math.atanh(min(max(value, -0.999999), 0.999999))
    return Mean(value, math.tanh(bounded - half), math.tanh(bounded + half), len(first))


def frontier(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points (cost, gain) that no other one beats: none costs as little or less and gains more; by rising cost."""
    best, kept = -math.inf, []
    for name, (_, gain) in sorted(points.items(), key=lambda point: (point[1][0], -point[1][1])):
        if gain > best:
            best = gain
            kept.append(name)
    return kept
