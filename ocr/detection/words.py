"""From score maps to words in pictures: boxes, polygons, characters, directions and lines put together.

One pass over the maps finds the components; boxes, scores, polygons and characters all work on them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocr.detection.characters import STEEP, Layout, layouts
from ocr.detection.lines import join_lines
from ocr.detection.polygons import word_polygons
from ocr.detection.postprocess import Boxes, Thresholds, find_components, without_nan
from ocr.geometry import quad_angle, side_lengths
from ocr.types import Detection, Direction, Points, Quads

TALL = 2.0
"""A box taller than this times its width, of a word whose characters do not tell, may be a line along its long side."""
LEVEL = 15.0
"""Words that lean by up to this many degrees are called horizontal."""


def find_words(
    maps_2hw: NDArray[np.float32],
    thresholds: Thresholds,
    scale: tuple[float, float] = (1.0, 1.0),
    polygons: bool = False,
    line_gap: float | None = None,
) -> list[Detection]:
    """The words of a region and an affinity map, in pixels of the picture.

    Args:
        maps_2hw: scores; what is not a number counts as 0.
        thresholds: see :class:`~ocr.detection.postprocess.Thresholds`.
        scale: map pixels per picture pixel along x and y.
        polygons: curved words get 14 points in place of their box's four.
        line_gap: join words into lines over gaps of up to this many word heights; None: no joining.
    """
    maps_2hw = without_nan(maps_2hw)
    boxes, components = find_components(maps_2hw, thresholds)
    placed = layouts(maps_2hw[0], boxes, components)
    starts = _reading_quads(boxes.quads, placed)
    outlines = word_polygons(components, boxes.quads) if polygons else [None] * len(placed)
    words = []
    for quad, start, outline, layout, score in zip(boxes.quads, starts, outlines, placed, boxes.scores, strict=True):
        if len(layout.characters) < 2:
            words.append(_by_box(_to_picture(quad, scale), score))
        else:
            words.append(_by_layout(_to_picture(start, scale), layout, score))
        words[-1].characters = _to_picture(layout.characters, scale)
        if outline is not None:
            words[-1].polygon = _from_corner(_to_picture(outline, scale), words[-1].polygon[0])
    return words if line_gap is None else join_lines(words, line_gap)


def detections(boxes: Boxes, scale: tuple[float, float]) -> list[Detection]:
    """Boxes alone as words in picture pixels: without characters, direction by the box's shape."""
    quads = _to_picture(boxes.quads, scale)
    return [_by_box(quad, score) for quad, score in zip(quads, boxes.scores, strict=True)]


def _to_picture(points: Points, scale: tuple[float, float]) -> Points:
    # index i is the centre of a map pixel, i + .5 in coordinates
    return ((points + 0.5) / np.array(scale)).astype(np.float32)


def _reading_quads(quads: Quads, placed: list[Layout]) -> Quads:
    """The quads, each from the corner where its characters' upper left corners are."""
    if not placed:
        return quads
    axis = np.array([layout.axis for layout in placed])
    stacked = np.array([layout.stacked for layout in placed])
    top = np.where(stacked[:, None], np.stack([axis[:, 1], -axis[:, 0]], axis=1), axis)
    sides = np.roll(quads, -1, axis=1) - quads
    along = (sides * top[:, None]).sum(axis=2) / np.maximum(np.linalg.norm(sides, axis=2), 1e-9)
    turned = (along.argmax(axis=1)[:, None] + np.arange(4)) % 4
    return np.take_along_axis(quads, turned[:, :, None], axis=1)


def _by_layout(quad: Points, layout: Layout, score: float) -> Detection:
    angle = quad_angle(quad)
    direction: Direction = "stacked" if layout.stacked else "horizontal" if abs(angle) <= LEVEL else "rotated"
    return Detection(quad, _confidence(score), angle, direction)


def _by_box(quad: Points, score: float) -> Detection:
    """A word whose reading direction only its box tells.

    A tall box that leans is taken for a line along its long side, towards the right.  One that stands upright stays as it is: whether
    it is a narrow letter, stacked text or a line turned up or down shows only in what it says.
    """
    width, height = side_lengths(quad)
    if height > TALL * width:
        right, left = np.roll(quad, -1, axis=0), np.roll(quad, 1, axis=0)
        line = left if -90 < quad_angle(left) <= 90 else right
        quad = line if abs(quad_angle(line)) <= STEEP else quad
    angle = quad_angle(quad)
    return Detection(quad, _confidence(score), angle, "horizontal" if abs(angle) <= LEVEL else "rotated")


def _confidence(score: float) -> float:
    return float(min(max(score, 0.0), 1.0))


def _from_corner(polygon: Points, corner: Points) -> Points:
    return np.roll(polygon, -int(((polygon - corner) ** 2).sum(axis=1).argmin()), axis=0)
