"""Two readers on the same words: is the difference more than chance?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocr.metrics.score import Interval, bootstrap, picture_sums


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two readers on the same ``n`` words.

    ``difference`` is the accuracy of the second less that of the first, with its 95 % ``interval`` (None below two pictures);
    ``only_first`` and ``only_second`` count words that one reader alone has right; ``p`` is :func:`mcnemar` of them.
    """

    n: int
    first: float
    second: float
    only_first: int
    only_second: int
    p: float
    interval: Interval | None

    @property
    def difference(self) -> float:
        """In [-1, 1]; positive when the second reader is better."""
        return self.second - self.first


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided exact p-value that two readers are equally good, from the words that one of them alone has right.

    Under that hypothesis each such word is a fair coin; ties leave it 1.  Words count as independent.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", 1947;
    the exact binomial form instead of the chi-square approximation, which is wrong for few words.
    """
    n, fewer = only_first + only_second, min(only_first, only_second)
    if only_first == only_second:
        return 1.0
    ways, below = 1, 0
    for k in range(fewer + 1):
        below += ways
        ways = ways * (n - k) // (k + 1)
    return 2 * below / 2**n


def compare(
    keys: Sequence[str], first: Sequence[bool], second: Sequence[bool], strata: Sequence[str] | None = None
) -> Comparison:
    """Compare two readers word by word.

    Args:
        keys: of the words; those of one picture are drawn together by the bootstrap of the difference.
        first, second: whether each reader has each word right.
        strata: for each word the list it comes from, where several are compared as one.

    Raises:
        ValueError: there is no word.
    """
    if not len(keys):
        raise ValueError("there is no word to compare")
    change = [float(b) - float(a) for a, b in zip(first, second, strict=True)]
    units, parts = picture_sums(keys, change, strata)
    n, lost, won = len(keys), sum(c < 0 for c in change), sum(c > 0 for c in change)
    interval = bootstrap(units, lambda sums: sums[:, 0] / sums[:, 1], strata=parts)
    return Comparison(n, sum(first) / n, sum(second) / n, lost, won, mcnemar(lost, won), interval)
