"""95 % intervals for proportions and for statistics over resampled pictures."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

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


def bootstrap(
    rows: ArrayLike,
    statistic: Callable[[Floats], Floats],
    resamples: int = RESAMPLES,
    strata: Sequence[Hashable] | None = None,
) -> Interval | None:
    """The percentile bootstrap interval of a statistic of column sums; None below two rows.

    Args:
        rows: n x k, one row for each unit that is drawn with replacement (a picture, or a word crop).
        statistic: takes the column sums of the resamples, r x k, and returns r values.
        resamples: how many times the set is drawn anew.
        strata: for each row the part of the set that it belongs to; every part keeps its number of rows.  None: one part.

    Rows that are equal are drawn together (a multinomial over distinct rows), so the time depends on how many differ,
    not on n.  The seed is fixed: the same rows in any order give the same interval.

    Source: B. Efron, "Bootstrap methods: another look at the jackknife", 1979.
    """
    table = np.asarray(rows, np.float64)
    if len(table) < 2:
        return None
    rng = generator(BOOTSTRAP_SEED, "bootstrap")
    sums = np.zeros((resamples, table.shape[1]))
    for part in _parts(table, strata):
        distinct, counts = np.unique(part, axis=0, return_counts=True)
        sums += rng.multinomial(len(part), counts / len(part), size=resamples) @ distinct
    low, high = np.percentile(statistic(sums), [2.5, 97.5])
    return float(low), float(high)


def _parts(table: Floats, strata: Sequence[Hashable] | None) -> list[Floats]:
    if strata is None:
        return [table]
    places: dict[Hashable, list[int]] = {}
    for place, part in enumerate(strata):
        places.setdefault(part, []).append(place)
    return [table[places[part]] for part in sorted(places, key=str)]


def picture_sums(
    keys: Sequence[str],
    values: Sequence[float],
    strata: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
) -> tuple[Floats, list[str]]:
    """Units for :func:`bootstrap` of a mean over words: per picture, the sums of its values and of its words' weights; and its part.

    Words of one picture (``set/picture#3``: what stands before ``#``) are not independent, so they are drawn together.  A
    word without a key is a unit of its own.  Without weights each word weighs 1.
    """
    sums: dict[Hashable, list[float]] = {}
    parts: dict[Hashable, str] = {}
    for place, (key, value) in enumerate(zip(keys, values, strict=True)):
        part = strata[place] if strata is not None else ""
        unit = (part, key.partition("#")[0] or place)
        total = sums.setdefault(unit, [0.0, 0.0])
        total[0] += value
        total[1] += weights[place] if weights is not None else 1
        parts[unit] = part
    return np.array(list(sums.values())), list(parts.values())


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1) over runs; one run has no deviation."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def ratio(part: float, whole: float) -> float:
    """``part / whole``, 0 where there is nothing to divide by (the official scripts' convention)."""
    return part / whole if whole else 0.0


def hmean(recall: float, precision: float) -> float:
    """The harmonic mean of recall and precision, 0 when both are."""
    return ratio(2 * recall * precision, recall + precision)
