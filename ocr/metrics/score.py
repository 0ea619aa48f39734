"""95 % intervals for proportions and for statistics over resampled pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ocr.seeding import generator

Interval = tuple[float, float]
Floats = NDArray[np.float64]

Z95 = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""
RESAMPLES = 2000
BOOTSTRAP_SEED = 0


def wilson(hits: int, n: int) -> Interval | None:
    """The Wilson score interval of a proportion; None where there is nothing to count.

    Samples count as independent.  Words of one picture are not quite: where a set has few pictures, the doubt is
    greater than the interval says.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if n == 0:
        return None
    share = hits / n
    centre = share + Z95**2 / (2 * n)
    spread = Z95 * np.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    total = 1 + Z95**2 / n
    return max(0.0, float((centre - spread) / total)), min(1.0, float((centre + spread) / total))


def bootstrap(rows: ArrayLike, statistic: Callable[[Floats], Floats], resamples: int = RESAMPLES) -> Interval | None:
    """The percentile bootstrap interval of a statistic of column sums; None below two rows.

    Args:
        rows: n x k, one row for each unit that is drawn with replacement (a picture, or a word crop).
        statistic: takes the column sums of the resamples, r x k, and returns r values.
        resamples: how many times the set is drawn anew.

    Rows that are equal are drawn together (a multinomial over distinct rows), so the time depends on how many differ,
    not on n.  The seed is fixed: the same rows in any order give the same interval.

    Source: B. Efron, "Bootstrap methods: another look at the jackknife", 1979.
    """
    table = np.asarray(rows, np.float64)
    if len(table) < 2:
        return None
    distinct, counts = np.unique(table, axis=0, return_counts=True)
    rng = generator(BOOTSTRAP_SEED, "bootstrap")
    drawn = rng.multinomial(len(table), counts / len(table), size=resamples)
    low, high = np.percentile(statistic(drawn @ distinct), [2.5, 97.5])
    return float(low), float(high)


def ratio(part: float, whole: float) -> float:
    """``part / whole``, 0 where there is nothing to divide by (the official scripts' convention)."""
    return part / whole if whole else 0.0


def hmean(recall: float, precision: float) -> float:
    """The harmonic mean of recall and precision, 0 when both are."""
    return ratio(2 * recall * precision, recall + precision)
