"""Which word comes after which: words to lines, lines to a page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ocr.types import Detection, Reading

Floats = NDArray[np.float64]

SHARED_HEIGHT = 0.5
"""Words of one line share at least this part of the smaller one's height."""
MAX_HEIGHT_RATIO = 2.5
"""Words whose heights differ more are never one line."""


def reading_lines(words: Sequence[tuple[Detection, Reading]]) -> list[list[tuple[Detection, Reading]]]:
    """Words grouped into lines, lines from top to bottom, words in a line from left to right.

    The page is turned by the median angle of its words first.  Words then join, from left to right, the line whose
    last word shares most of its height with them: at least half of the smaller one's, where neither is more than
    ``MAX_HEIGHT_RATIO`` times the other.  Columns are not told apart: words side by side are one line, however far
    apart.
    """
    if not words:
        return []
    boxes = _level_boxes([detection for detection, _ in words])
    lines: list[list[int]] = []
    for i in np.argsort(boxes[:, 0], kind="stable").tolist():
        shared = _shared_heights(boxes[[line[-1] for line in lines]], boxes[i])
        if shared.size and shared.max() >= SHARED_HEIGHT:
            lines[int(shared.argmax())].append(i)
        else:
            lines.append([i])
    lines.sort(key=lambda line: float(np.mean(boxes[line, 1] + boxes[line, 3])))
    return [[words[i] for i in line] for line in lines]


def _level_boxes(detections: list[Detection]) -> Floats:
    """Bounds (left, top, right, bottom) of every polygon on the page turned level; n x 4."""
    skew = math.radians(_middle_angle(np.array([d.angle for d in detections])))
    turn = np.array([[math.cos(skew), math.sin(skew)], [-math.sin(skew), math.cos(skew)]])
    level = [np.asarray(d.polygon, np.float64) @ turn for d in detections]
    return np.array([[*points.min(axis=0), *points.max(axis=0)] for points in level])


def _middle_angle(angles: Floats) -> float:
    """The median of angles in degrees, taken around the whole degree nearest to all of them (the one nearer to 0 of two)."""
    centres = np.array(sorted(set(np.round(angles).tolist()), key=abs))
    apart = (angles - centres[:, None] + 180) % 360 - 180
    nearest = int(np.abs(apart).sum(axis=1).argmin())
    return float(centres[nearest] + np.median(apart[nearest]))


def _shared_heights(others: Floats, box: Floats) -> Floats:
    """The vertical extent that boxes share with one box, over the smaller height; 0 where the heights are too unlike."""
    if not len(others):
        return np.zeros(0)
    heights, height = others[:, 3] - others[:, 1], box[3] - box[1]
    small, large = np.minimum(heights, height), np.maximum(heights, height)
    shared = np.minimum(others[:, 3], box[3]) - np.maximum(others[:, 1], box[1])
    return np.where((small > 0) & (large <= MAX_HEIGHT_RATIO * small), shared / np.maximum(small, 1e-9), 0.0)
