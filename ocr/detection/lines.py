"""Words joined into text lines, for sets that are labelled by lines.

For MSRA-TD500 the authors joined boxes whose ends face each other (Baek et al., CVPR 2019, section 4.3); the step is not in their
released code and not described further.  Ours: one word follows another when they lean alike, are about equally high, the middle of
its near end lies on the other's axis, and the gap between the ends is at most a given number of word heights.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.geometry import bounding_quad, clockwise
from ocr.types import Detection, Points

Floats = NDArray[np.float64]

LARGEST_TURN = 15.0
"""Degrees by which words of a line may differ."""
HEIGHT_RATIO = 2.0
"""Largest quotient of the heights of neighbours."""
OFFSET = 0.5
"""Distance of the facing ends' middles across the line, in heights of the lower word."""
OVERLAP = 0.5
"""Depth to which facing ends may overlap, in heights of the lower word."""
ROWS = 256
"""Words that are compared with all others at a time."""


def join_lines(words: list[Detection], gap: float) -> list[Detection]:
    """Lines in place of the words that form them; a line's score is the mean of its words' scores, weighted by their lengths.

    Stacked words join downwards.  A line's polygon is the smallest rectangle around its words, its characters those of the words.

    Raises:
        ValueError: ``gap`` (largest gap in heights of the lower word) is below 0.
    """
    if gap < 0:
        raise ValueError(f"line_gap={gap}: give the largest gap between words of a line in word heights, 0 or more")
    if len(words) < 2:
        return words
    start, end, height, axis = _ends(words)
    stacked = np.array([word.direction == "stacked" for word in words])
    links = _follows(start, end, height, axis, gap)
    links = links[stacked[links[:, 0]] == stacked[links[:, 1]]]
    return [
        words[group[0]] if len(group) == 1 else _line([words[i] for i in group], start[group], axis[group[0]])
        for group in _groups(len(words), links.tolist())
    ]


def _ends(words: list[Detection]) -> tuple[Floats, Floats, Floats, Floats]:
    """Middle of each word's first and last side, its breadth, and its unit reading axis."""
    quads = np.stack([bounding_quad(word.polygon) for word in words]).astype(np.float64)
    stacked = [i for i, word in enumerate(words) if word.direction == "stacked"]
    # a stacked word is read from its upper to its lower side
    quads[stacked] = np.roll(quads[stacked], -1, axis=1)
    start, end = (quads[:, 0] + quads[:, 3]) / 2, (quads[:, 1] + quads[:, 2]) / 2
    height = np.linalg.norm(quads[:, 3] - quads[:, 0] + quads[:, 2] - quads[:, 1], axis=1) / 2
    along = end - start
    return start, end, np.maximum(height, 1e-6), along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)


def _follows(start: Floats, end: Floats, height: Floats, axis: Floats, gap: float) -> NDArray[np.int64]:
    """Pairs (i, j), i not j, where word j goes on where word i ends."""
    parts = []
    # a part of the rows at a time, so that memory grows with the number of words and not with its square
    for rows in np.array_split(np.arange(len(start)), -(-len(start) // ROWS)):
        lower = np.minimum(height[rows, None], height)
        alike = axis[rows] @ axis.T >= np.cos(np.radians(LARGEST_TURN))
        alike &= np.maximum(height[rows, None], height) <= HEIGHT_RATIO * lower
        i, j = np.nonzero(alike)
        lower, i = lower[i, j], rows[i]
        step, middle = start[j] - end[i], axis[i] + axis[j]
        middle /= np.maximum(np.linalg.norm(middle, axis=1, keepdims=True), 1e-6)
        along = (step * middle).sum(axis=1)
        across = np.abs(step[:, 0] * middle[:, 1] - step[:, 1] * middle[:, 0])
        near = (across <= OFFSET * lower) & (along >= -OVERLAP * lower) & (along <= gap * lower) & (i != j)
        parts.append(np.stack([i[near], j[near]], axis=1))
    return np.concatenate(parts)


def _groups(n: int, links: list[list[int]]) -> list[list[int]]:
    """Connected parts of a graph of n nodes, each in ascending order, by their first members."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in links:
        low, high = sorted((root(i), root(j)))
        parent[high] = low
    groups: dict[int, list[int]] = {}
    for i in range(len(parent)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())


def _line(words: list[Detection], start: Floats, axis: Floats) -> Detection:
    order = np.argsort(start @ axis)
    words = [words[i] for i in order]
    points = np.concatenate([word.polygon for word in words]).astype(np.float32)
    quad = clockwise(cv2.boxPoints(cv2.minAreaRect(points)).astype(np.float32))
    first = ((quad - words[0].polygon[0]) ** 2).sum(axis=1).argmin()
    lengths = np.array([_length(word.polygon) for word in words])
    score = float(np.average([word.score for word in words], weights=lengths))
    known = [word.characters for word in words if word.characters is not None]
    characters = np.concatenate(known) if len(known) == len(words) else None
    return replace(words[0], polygon=np.roll(quad, -int(first), axis=0), score=score, characters=characters)


def _length(polygon: Points) -> float:
    return float(np.linalg.norm(np.ptp(polygon, axis=0))) + 1e-6
