"""Polygons around curved words, with the semantics of the authors' released post-processing (Baek et al., CVPR 2019, section 3.3).

The component's pixels are looked at in the frame of its box.  Its columns fall into eleven equal segments; in five of them the
tallest column becomes a pivot, the ones between give the slope at which the pivot is turned.  All pivots get one length, and two
more stand where the word ends.  Straight words have no polygon: there the box says it all.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.detection.postprocess import Components
from ocr.geometry import Matrix, transform
from ocr.types import Points, Quads

Floats = NDArray[np.float64]

PIVOTS = 5
SEGMENTS = 2 * PIVOTS + 1
SMALLEST_SIDE = 10
"""Boxes with a shorter side (map pixels) have no polygon."""
STRAIGHT = 0.7
"""A word one of whose columns is higher than this share of its box is straight."""
NARROW = 0.25
"""Segments narrower than this share of the tallest pivot are too narrow to turn pivots by."""
HEIGHT_GAIN = 1.45
"""Length of the pivots over the median height of the component there: scores end inside the letters."""
END_STEPS = tuple(0.5 + 0.2 * i for i in range(7))
"""How far beyond the outermost pivots the ends are looked for, in pivot lengths."""


class _Columns(NamedTuple):
    """Columns of a straightened component that hold at least two pixels: place, middle, height (pixels) and segment."""

    x: NDArray[np.int64]
    middle: Floats
    height: NDArray[np.int64]
    segment: NDArray[np.int64]


def word_polygons(components: Components, quads: Quads) -> list[Points | None]:
    """For each box of ``quads`` (map pixel indices) its polygon of 14 points, clockwise, or None where the box stands for it."""
    return [_polygon(components.labels_hw, i, q) for i, q in zip(components.ids.tolist(), quads, strict=True)]


def _polygon(labels_hw: NDArray[np.int32], label: int, quad: Points) -> Points | None:
    # whole sides in float32, as the released code measures them
    width, height = (int(np.linalg.norm(quad[i] - quad[i + 1]) + 1) for i in (0, 1))
    if width < SMALLEST_SIDE or height < SMALLEST_SIDE:
        return None
    to_frame = cv2.getPerspectiveTransform(
        quad, np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    )
    straight = cv2.warpPerspective(labels_hw, to_frame, (width, height), flags=cv2.INTER_NEAREST) == label
    columns = _columns(straight)
    # a word that leaves the first segment empty has no polygon in the released code
    if not len(columns.x) or columns.segment[0] > 0 or columns.height.max() > STRAIGHT * height:
        return None
    pivots, heights = _pivots(columns)
    if len(pivots) < PIVOTS or width / SEGMENTS < NARROW * heights.max():
        return None
    half = float(np.median(heights)) * HEIGHT_GAIN / 2
    strokes = _turned(pivots, _segment_centres(columns), half)
    first, last = _ends(straight, pivots, strokes, half)
    return _outline(np.stack([first, *strokes, last]), np.linalg.inv(to_frame))


def _columns(straight: NDArray[np.bool_]) -> _Columns:
    height, width = straight.shape
    x = np.flatnonzero(np.count_nonzero(straight, axis=0) >= 2)
    kept = straight[:, x]
    top, bottom = kept.argmax(axis=0), height - 1 - kept[::-1].argmax(axis=0)
    edges = np.arange(1, SEGMENTS + 1) * (width / SEGMENTS)
    place = np.searchsorted(edges, x, side="right")
    # after a gap in the word the released code catches up by one segment a column
    i = np.arange(len(x))
    return _Columns(x, (top + bottom) * 0.5, bottom - top + 1, np.minimum.accumulate(place - i) + i)


def _pivots(columns: _Columns) -> tuple[Floats, Floats]:
    """Place (x, y) and height of the tallest column, the first among equals, in every second segment."""
    pivots, heights = [], []
    for segment in range(1, SEGMENTS, 2):
        members = np.flatnonzero(columns.segment == segment)
        if len(members):
            tallest = members[columns.height[members].argmax()]
            pivots.append((columns.x[tallest], columns.middle[tallest]))
            heights.append(columns.height[tallest])
    return np.array(pivots, np.float64).reshape(-1, 2), np.array(heights, np.float64)


def _segment_centres(columns: _Columns) -> Floats:
    """Mean place (x, y) of the columns of the even segments; the origin for one without columns, as released."""
    count = np.maximum(np.bincount(columns.segment, minlength=SEGMENTS), 1)
    x = np.bincount(columns.segment, columns.x, SEGMENTS) / count
    y = np.bincount(columns.segment, columns.middle, SEGMENTS) / count
    return np.stack([x, y], axis=1)[::2]


def _turned(pivots: Floats, centres: Floats, half: float) -> Floats:
    """Strokes (5, 2, 2), upper then lower end, through the pivots and at right angles to the slope around each."""
    along = np.diff(centres, axis=0)
    turn = np.where(along[:, 0] == 0, 0, np.arctan2(along[:, 1], along[:, 0]))
    down = half * np.stack([-np.sin(turn), np.cos(turn)], axis=1)
    return np.stack([pivots - down, pivots + down], axis=1)


def _ends(straight: NDArray[np.bool_], pivots: Floats, strokes: Floats, half: float) -> tuple[Floats, Floats]:
    """The outermost strokes, moved outwards along the word until they miss it."""
    step = np.diff(pivots, axis=0)
    slope = step[:, 1] / step[:, 0]
    first = _beyond(straight, strokes[0], -2 * half * np.array([1, slope[0] + slope[1]]))
    last = _beyond(straight, strokes[-1], 2 * half * np.array([1, slope[-1] + slope[-2]]))
    return first, last


def _beyond(straight: NDArray[np.bool_], stroke: Floats, move: Floats) -> Floats:
    for step in END_STEPS:
        moved: Floats = stroke + step * move
        (x0, y0), (x1, y1) = moved.astype(np.int64).tolist()
        line = np.zeros(straight.shape, np.uint8)
        cv2.line(line, (x0, y0), (x1, y1), 1)
        if not (straight & line.view(np.bool_)).any():
            break
    return moved


def _outline(strokes: Floats, to_map: Matrix) -> Points:
    return transform(to_map, np.concatenate([strokes[:, 0], strokes[::-1, 1]]))
