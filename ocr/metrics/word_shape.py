"""How high, how long and in which direction a word runs: what recall is broken down by."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from ocr.geometry import bounding_quad, signed_area
from ocr.types import Points, SceneWord

TALL = 2.0
"""A box taller than this times its width holds vertical text, unless it holds a single character."""
LEVEL = 15.0
"""Words that lean by up to this many degrees are called horizontal."""

Run = Literal["horizontal", "rotated", "vertical"]
"""Within 15 degrees of the horizontal; leaning more; stacked characters, or any text in a tall box."""


class WordShape(NamedTuple):
    """Letter height in pixels, across the reading direction; length along it over that height; and how the word runs."""

    height: float
    aspect: float
    run: Run


def word_shape(word: SceneWord) -> WordShape:
    """The shape of a word, in pixels of its picture; fewer than three points have height and aspect 0.

    For outlines of more than four points see :func:`extent`.
    """
    polygon = np.asarray(word.polygon, np.float32).reshape(-1, 2)
    if len(polygon) < 3:
        return WordShape(0.0, 0.0, "horizontal")
    width, height, angle = extent(polygon)
    if word.direction == "stacked" or (height > TALL * width and len(word.text or "  ") > 1):
        return WordShape(width, _ratio(height, width), "vertical")
    leans = word.direction == "rotated" or abs(angle) > LEVEL
    return WordShape(height, _ratio(width, height), "rotated" if leans else "horizontal")


def extent(polygon: Points) -> tuple[float, float, float]:
    """Width along the first side, height across it (pixels), and the angle of the first side in degrees, of at least three points.

    An outline of more than four points is taken for a bent strip, of which the first half of the points is a rim, and is unrolled:
    width and height are the sides of the rectangle with its area and perimeter.
    """
    if len(polygon) <= 4:
        quad = bounding_quad(polygon)
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad.tolist()
        return *quad_sides(quad), math.degrees(math.atan2(y0 + y3 - y1 - y2, x1 + x2 - x0 - x3))
    rim = polygon[: (len(polygon) + 1) // 2]
    (x, y), gap = rim[-1] - rim[0], np.linalg.norm(polygon[-1] - polygon[0])
    long, short = _unrolled(polygon)
    width, height = (long, short) if _length(rim) >= gap else (short, long)
    return width, height, float(np.degrees(np.arctan2(-y, x)))


def quad_sides(quad: Points) -> tuple[float, float]:
    """Mean width and height of a quad in pixels; faster than :func:`ocr.geometry.side_lengths`, of which scoring calls many."""
    a, b, c, d = quad.tolist()
    return (math.dist(a, b) + math.dist(c, d)) / 2, (math.dist(b, c) + math.dist(d, a)) / 2


def _unrolled(polygon: Points) -> tuple[float, float]:
    """Longer and shorter side of the rectangle with a polygon's area and perimeter; of the square with its area, if it is rounder."""
    area = abs(signed_area(polygon))
    half = _length(np.concatenate([polygon, polygon[:1]])) / 2
    long = max(half / 2 + np.sqrt(max(half**2 / 4 - area, 0.0)), np.sqrt(area))
    return float(long), _ratio(area, float(long))


def _length(line: Points) -> float:
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def _ratio(length: float, height: float) -> float:
    return length / height if height else 0.0
