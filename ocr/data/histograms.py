"""How long, how large and of which shape the words of a set are, and what they are made of."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25)
"""First values of the bins of characters in a label."""
PIXELS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
"""Edges of the bins of heights and widths."""
ASPECTS = (0.5, 1, 1.5, 2, 3, 4, 6, 8)
"""Edges of the bins of width over height."""
SQUARE = 1.5
"""A picture whose longer side is less than this times the shorter one is neither wide nor tall."""
MOST_CHARACTERS = 60
KINDS = {"Nd": "digits", "Lu": "upper case", "Ll": "lower case", "Lo": "letters without case", "Zs": "spaces"}


@dataclass(frozen=True, slots=True)
class Histogram:
    """``counts`` of the bins named ``labels``."""

    title: str
    labels: list[str]
    counts: list[int]

    def shares(self) -> list[float]:
        """Counts over their sum, 0 where there is nothing."""
        total = sum(self.counts)
        return [count / total if total else 0.0 for count in self.counts]


def word_histograms(texts: Sequence[str], widths: ArrayLike, heights: ArrayLike) -> list[Histogram]:
    """Length, kinds of characters, characters, height, width, aspect and orientation of word pictures.

    Args:
        texts: the labels.
        widths, heights: of the pictures in pixels; those of 0, which cannot be decoded, are left out.
    """
    across, down = np.asarray(widths, np.float64), np.asarray(heights, np.float64)
    whole = (across > 0) & (down > 0)
    across, down = across[whole], down[whole]
    aspect = across / down
    return [
        *text_histograms(texts),
        binned("height, pixels", down, PIXELS),
        binned("width, pixels", across, PIXELS),
        binned("width over height", aspect, ASPECTS, whole=False),
        Histogram("orientation", ["wide", "square", "tall"], _orientations(aspect)),
    ]


def scene_histograms(texts: Sequence[str], heights: ArrayLike, aspects: ArrayLike) -> list[Histogram]:
    """Length, characters, letter height and aspect (length along the text over that height) of the words of scenes.

    Args:
        texts: the transcriptions; an empty one is unknown and has no length.
        heights: in pixels.
        aspects: as many.
    """
    return [
        *text_histograms([text for text in texts if text]),
        binned("letter height, pixels", heights, PIXELS),
        binned("length over height", aspects, ASPECTS, whole=False),
    ]


def text_histograms(texts: Sequence[str]) -> list[Histogram]:
    """Length, kinds of characters and the most frequent characters; composed characters count once (NFC)."""
    composed = [unicodedata.normalize("NFC", text) for text in texts]
    characters: Counter[str] = Counter()
    for text in composed:
        characters.update(text)
    kinds: Counter[str] = Counter()
    for character, count in characters.items():
        kinds[_kind(character)] += count
    most = characters.most_common(MOST_CHARACTERS)
    return [
        binned("length, characters", [len(text) for text in composed], LENGTHS),
        Histogram("kinds of characters", list(kinds), list(kinds.values())),
        Histogram("characters", [_shown(c) for c, _ in most], [count for _, count in most]),
    ]


def binned(title: str, values: ArrayLike, edges: Sequence[float], whole: bool = True) -> Histogram:
    """Counts below the first edge, from each edge on, and from the last one on; ``whole``: of whole numbers."""
    found = np.asarray(values, np.float64)
    place = np.searchsorted(np.asarray(edges, np.float64), found, side="right")
    counts = np.bincount(place, minlength=len(edges) + 1)
    ranges = [_range(low, high, whole) for low, high in zip(edges, [*edges[1:], None], strict=True)]
    return Histogram(title, [f"< {edges[0]:g}", *ranges], [int(count) for count in counts])


def _range(low: float, high: float | None, whole: bool) -> str:
    if high is None:
        return f"{low:g} and more"
    if not whole:
        return f"{low:g} to {high:g}"
    return f"{low:g}" if high - low == 1 else f"{low:g}–{high - 1:g}"


def _orientations(aspect: NDArray[np.float64]) -> list[int]:
    wide, tall = int((aspect >= SQUARE).sum()), int((aspect <= 1 / SQUARE).sum())
    return [wide, len(aspect) - wide - tall, tall]


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    return KINDS.get(category) or {"L": "other letters", "M": "marks", "P": "punctuation", "S": "symbols"}.get(
        category[0], "invisible or unassigned"
    )


def _shown(character: str) -> str:
    return character if character.isprintable() and not character.isspace() else f"U+{ord(character):04X}"
