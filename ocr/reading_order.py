"""Which word comes after which: words to lines, lines to a page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ocr.types import Detection, Reading

Floats = NDArray[np.float64]

SHARED_HEIGHT = 0.5
"""Words of one line share at least this part of the smaller one's height (words of a column: of its width)."""
MAX_HEIGHT_RATIO = 2.5
"""Words whose heights (in columns: widths) differ more are never one line."""
COLUMN_GAP = 3.0
"""Words of a column are at most this many times the lower one's width apart."""
BLOCK_GAP = 2.5
"""Neighbouring columns of a block are at most this many times their width apart …"""
BLOCK_SHARE = 0.3
"""… and share at least this part of the shorter one's height."""


def reading_lines(words: Sequence[tuple[Detection, Reading]]) -> list[list[tuple[Detection, Reading]]]:
    """Words grouped into lines, lines from top to bottom, words in a line from left to right; vertical text in columns.

    The page is turned by the median angle of its words first.  Words then join, from left to right, the line whose
    last word shares most of its height with them: at least half of the smaller one's, where neither is more than
    ``MAX_HEIGHT_RATIO`` times the other.  Columns of horizontal text are not told apart: words side by side are one line, however far
    apart.

    Stacked words join in the same way from top to bottom; neighbouring columns form a block that is read from right to left, and
    a block comes where its first characters stand among the lines.
    """
    if not words:
        return []
    boxes = _level_boxes([detection for detection, _ in words])
    stacked = np.array([detection.direction == "stacked" for detection, _ in words])
    placed = [(float(np.mean(boxes[line, 1] + boxes[line, 3])) / 2, [line]) for line in _lines(boxes, ~stacked)]
    for block in _blocks(boxes, _lines(boxes[:, [1, 0, 3, 2]], stacked, COLUMN_GAP)):
        breadth = float(np.mean(boxes[block[0], 2] - boxes[block[0], 0]))
        placed.append((float(boxes[block[0], 1].min()) + breadth / 2, block))
    placed.sort(key=lambda item: item[0])
    return [[words[i] for i in line] for _, block in placed for line in block]


def _lines(boxes: Floats, chosen: NDArray[np.bool_], gap: float = np.inf) -> list[list[int]]:
    """The chosen boxes (left, top, right, bottom) as lines from left to right, over gaps of up to so many heights."""
    lines: list[list[int]] = []
    members = np.flatnonzero(chosen)
    for i in members[np.argsort(boxes[members, 0], kind="stable")].tolist():
        last = boxes[[line[-1] for line in lines]]
        shared = _shared_heights(last, boxes[i])
        if lines and gap < np.inf:
            lower = np.minimum(last[:, 3] - last[:, 1], boxes[i, 3] - boxes[i, 1])
            shared[boxes[i, 0] - last[:, 2] > gap * lower] = 0
        if shared.size and shared.max() >= SHARED_HEIGHT:
            lines[int(shared.argmax())].append(i)
        else:
            lines.append([i])
    return lines


def _blocks(boxes: Floats, columns: list[list[int]]) -> list[list[list[int]]]:
    """Columns that stand side by side, from right to left."""
    if not columns:
        return []
    bounds = np.array([[*boxes[c, :2].min(axis=0), *boxes[c, 2:].max(axis=0)] for c in columns])
    breadths = np.array([float(np.mean(boxes[c, 2] - boxes[c, 0])) for c in columns])
    blocks: list[list[int]] = []
    for i in np.argsort(-bounds[:, 2], kind="stable").tolist():
        last = [block[-1] for block in blocks]
        height = np.minimum(bounds[last, 3] - bounds[last, 1], bounds[i, 3] - bounds[i, 1])
        shared = np.minimum(bounds[last, 3], bounds[i, 3]) - np.maximum(bounds[last, 1], bounds[i, 1])
        gap = bounds[last, 0] - bounds[i, 2]
        near = (shared >= BLOCK_SHARE * height) & (gap <= BLOCK_GAP * np.maximum(breadths[last], breadths[i]))
        if near.any():
            blocks[int(np.where(near, gap, np.inf).argmin())].append(i)
        else:
            blocks.append([i])
    return [[columns[i] for i in block] for block in blocks]


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
