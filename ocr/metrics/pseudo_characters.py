"""Where the characters of a word would be, from its outline alone: what CLEval and TedEval count."""

from __future__ import annotations

import numpy as np

from ocr.metrics.score import Floats
from ocr.metrics.word_shape import extent, quad_sides
from ocr.types import Points, SceneWord

SLIGHT = 1e-5
"""Keeps ratios finite."""
MOST = 10
"""Most characters that are assumed where no text is known."""


def box_aspect(polygon: Points) -> float:
    """Width over height, never 0; fewer than three points count as a square."""
    points = np.asarray(polygon).reshape(-1, 2)
    if len(points) == 4:
        width, height = quad_sides(points)
    else:
        width, height = extent(points)[:2] if len(points) > 2 else (1.0, 1.0)
    return (width + SLIGHT) / (height + SLIGHT)


def assumed_length(polygon: Points) -> int:
    """Characters of a word whose text is unknown: about as many as squares fit into its box, at most ten."""
    aspect = box_aspect(polygon)
    return min(round(0.5 + max(aspect, 1 / aspect)), MOST)


def word_length(word: SceneWord) -> int:
    """Characters of a word; of one to ignore, or without a known text, as many as its shape suggests."""
    return assumed_length(word.polygon) if word.ignore or word.text is None else len(word.text)


def pseudo_centres(polygon: Points, count: int, vertical: bool) -> Floats:
    """Centres of a word cut into ``count`` equal parts along its reading direction, count x 2.

    A quad is cut along the line between the middles of its left and right side, or, when ``vertical``, of its lower and upper
    side, from the bottom up (so the published evaluators).  Of any other outline the first half of the points is one rim and the
    second, backwards, the other; each is cut into equal parts of its point numbers, and a centre is the mean of its part's four corners.
    """
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    if not count or not len(points):
        return np.zeros((0, 2))
    if len(points) == 4:
        points = np.roll(points, 1, axis=0) if vertical else points
        start, end = (points[0] + points[3]) / 2, (points[1] + points[2]) / 2
        return np.asarray(start + (end - start) / count * (np.arange(count)[:, None] + 0.5))
    half = (len(points) + 1) // 2
    rims = [_along(points[:half], count), _along(points[half:][::-1] if len(points) > half else points, count)]
    return np.asarray(sum(rim[:-1] + rim[1:] for rim in rims) / 4)


def _along(rim: Floats, count: int) -> Floats:
    """Points that cut a rim into ``count`` parts, (count + 1) x 2."""
    places = np.linspace(0, len(rim) - 1, count + 1)
    return np.stack([np.interp(places, np.arange(len(rim)), axis) for axis in rim.T], axis=1)
