"""Scores by the size, shape and direction of words, for detection and recognition alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ocr.metrics.score import Interval, ratio, wilson

INFINITE = float("inf")
HEIGHT_EDGES = (0.0, 8.0, 12.0, 20.0, 40.0, INFINITE)
"""Letter heights in pixels; a bin holds its lower edge."""
ASPECT_EDGES = (0.0, 2.0, 5.0, 10.0, INFINITE)
"""Length of a word over its height."""
LENGTH_EDGES = (0.0, 1.0, 4.0, 8.0, 13.0, INFINITE)
"""Characters of a folded label: none, 1-3, 4-7, 8-12, 13 and more."""
RUNS = ("horizontal", "rotated", "vertical")


@dataclass(frozen=True, slots=True)
class Bin:
    """How many of the words of one kind were found (or, of crops, read).

    ``by`` names the quantity (for example word height), ``label`` its range.  ``credit`` and ``weight`` are numerator and
    denominator of the score, ``n`` is the number of words.  ``whole``: each word is right or wrong, none in part.
    """

    by: str
    label: str
    credit: float
    weight: float
    n: int
    whole: bool = True

    @property
    def recall(self) -> float:
        """The share in [0, 1], of crops the word accuracy; 0 where there are no words (see ``n``)."""
        return max(0.0, ratio(self.credit, self.weight))

    @property
    def interval(self) -> Interval | None:
        """The 95 % Wilson interval; None where there are no words, or where words count in part."""
        return wilson(int(self.credit), self.n) if self.whole else None


@dataclass(frozen=True, slots=True)
class Weighed:
    """One word: its credit out of its weight, and the number or name that says which bin it belongs to."""

    place: float | str
    credit: float
    weight: float = 1.0


def by_edges(by: str, unit: str, edges: Sequence[float], words: Sequence[Weighed]) -> list[Bin]:
    """One bin for each interval of ``edges``, lower edge included, empty bins included."""
    places = np.array([word.place for word in words], float)
    return [
        _bin(by, _range_label(lower, upper, unit), words, (lower <= places) & (places < upper))
        for lower, upper in pairwise(edges)
    ]


def by_names(by: str, names: Sequence[str], words: Sequence[Weighed]) -> list[Bin]:
    """One bin for each name, empty bins included."""
    places = np.array([word.place for word in words], object)
    return [_bin(by, name, words, places == name) for name in names]


def _bin(by: str, label: str, words: Sequence[Weighed], held: NDArray[np.bool_]) -> Bin:
    chosen = [words[i] for i in np.flatnonzero(held).tolist()]
    whole = all(w.weight == 1 and w.credit in (0, 1) for w in chosen)
    credit, weight = sum(w.credit for w in chosen), sum(w.weight for w in chosen)
    return Bin(by, label, float(credit), float(weight), len(chosen), whole)


def _range_label(lower: float, upper: float, unit: str) -> str:
    text = f"< {upper:g}" if not lower else f"> {lower:g}" if upper == INFINITE else f"{lower:g}-{upper:g}"
    return f"{text} {unit}".rstrip()


# --- recognition ------------------------------------------------------------------------------------------------------


class ReadWord(Protocol):
    """What of a compared word decides its bin; see :class:`ocr.metrics.words.WordRow`."""

    @property
    def correct(self) -> bool: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def length(self) -> int: ...  # noqa: D102


def recognition_bins(rows: Sequence[ReadWord]) -> list[Bin]:
    """Word accuracy by crop height (pixels), by crop width over height, and by length of the folded label.

    Crops of unknown size (width or height 0) are left out of the first two.
    """
    sized = [row for row in rows if row.width and row.height]
    return [
        *by_edges("crop height", "px", HEIGHT_EDGES, _correct(sized, lambda row: row.height)),
        *by_edges("crop aspect ratio", "", ASPECT_EDGES, _correct(sized, lambda row: row.width / row.height)),
        *_by_length(rows),
    ]


def _correct(rows: Sequence[ReadWord], place: Callable[[ReadWord], float]) -> list[Weighed]:
    return [Weighed(place(row), float(row.correct)) for row in rows]


def _by_length(rows: Sequence[ReadWord]) -> list[Bin]:
    labels = ["none"] + [f"{a:g}-{b - 1:g}" for a, b in pairwise(LENGTH_EDGES[1:-1])] + [f"> {LENGTH_EDGES[-2] - 1:g}"]
    bins = by_edges("label length", "", LENGTH_EDGES, _correct(rows, lambda row: row.length))
    return [replace(b, label=label) for b, label in zip(bins, labels, strict=True)]
