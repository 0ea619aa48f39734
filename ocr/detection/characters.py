"""Characters of found words, their order and the word's direction, from the region score alone.

Every local maximum of the region score is a character.  The maxima of a word lie along one of its box's two axes, which gives the
reading order; a parabola through them follows curved words.  From each maximum four rays run along and across the word until the
score has fallen to half of the maximum, or begins to rise again towards the next character.  A character's score is a Gaussian
whose standard deviation is .6 of the character's half side (:mod:`ocr.detection.score_maps`), so the place of half height gives
the character's side back.  All rays of a map are sampled in one call.

The paper splits only training words, by watershed; characters of detections, and directions, are not in it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.detection.postprocess import Boxes, Components
from ocr.detection.score_maps import ENLARGEMENT, SIGMA
from ocr.types import Quads

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PEAK_SHARE = 0.5
"""Maxima below this share of the word's highest are no characters."""
SADDLE = 0.9
"""Maxima between which the score does not fall below this share of the lower one are one character."""
NEAR = 0.35
NEAR_SADDLE = 0.75
"""Maxima nearer to each other than ``NEAR`` of the box's shorter side need a deeper saddle: strokes of large characters stand out too."""
SLENDER = 1.25
"""Boxes with sides more alike than this are taken for read level, others for read along their longer side …"""
AGAINST_THE_BOX = 1.5
"""… unless the maxima spread this many times further along the other side."""
HALF_HEIGHT = SIGMA * ENLARGEMENT * float(np.sqrt(2 * np.log(2)))
"""Where a character's score has fallen to half, in half sides of the character."""
RISE = 0.03
"""A ray has passed the border to the next character when the score rises by this share of the maximum."""
RAY = 0.75
"""Length of the rays in shorter sides of the word's box."""
RAY_STEPS = 16
FEWEST_OF_A_CURVE = 5
"""Words of fewer characters are taken for straight."""
STEEPEST = 2.0
"""Bound on the slope of a curved word against its box."""
STEEP = 75.0
"""Words whose axis rises or falls by more than this many degrees are read downwards, and may be stacked."""
STACKED_PITCH = 1.2
"""Upright words are stacked when their characters are further apart than this many times their breadth: letters are narrow."""
IDEOGRAPH_PITCH = 0.9
REGULAR = 0.15
"""They also are at this pitch when the distances vary by no more than this share of their mean, as those of ideographs do."""
LARGEST_CALL = 16384
"""OpenCV samples fewer than 32,768 rows in one call."""


class Layout(NamedTuple):
    """How the characters of one word lie: quads (n, 4, 2) in reading order, clockwise from each one's own upper left corner.

    ``axis`` (x, y) is the unit vector of reading; ``stacked`` tells upright characters one below the other from a turned line.
    A word whose score only rises towards a neighbour has no maximum, and so no characters.  Coordinates are map pixel indices.
    """

    characters: Quads
    axis: tuple[float, float]
    stacked: bool


class _Peaks(NamedTuple):
    """Maxima of the region score: place (k, 2), height and the box each belongs to."""

    place: Floats
    height: Floats
    box: Integers

    def at(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> _Peaks:
        return _Peaks(self.place[index], self.height[index], self.box[index])


def layouts(region_hw: NDArray[np.float32], boxes: Boxes, components: Components) -> list[Layout]:
    """The layout of every box.  ``region_hw`` has no NaN."""
    n = len(boxes.quads)
    if not n:
        return []
    # a light blur takes away the double maxima of noise and of flat tops
    smooth = cv2.GaussianBlur(region_hw, (3, 3), 0)
    peaks = _peaks(smooth, boxes, components)
    axes = _axes(peaks, boxes.quads)
    peaks = peaks.at(np.lexsort((_dot(peaks.place, axes[peaks.box]), peaks.box)))
    tangents = _tangents(peaks, axes)
    shorter = np.linalg.norm(boxes.quads[:, :2] - boxes.quads[:, 1:3], axis=2).min(axis=1)
    kept = _separate(smooth, peaks, tangents, shorter)
    peaks, tangents = peaks.at(kept), tangents[kept]
    sides = _half_sides(smooth, peaks.place, tangents, RAY * shorter[peaks.box])
    stacked = _stacked(peaks, axes, sides[:, 2] + sides[:, 3])
    quads = _quads(peaks.place, tangents, sides, stacked[peaks.box])
    bounds = np.searchsorted(peaks.box, np.arange(n + 1)).tolist()
    return [
        Layout(quads[begin:end], (x, y), upright)
        for (begin, end), (x, y), upright in zip(pairwise(bounds), axes.tolist(), stacked.tolist(), strict=True)
    ]


def _peaks(smooth_hw: NDArray[np.float32], boxes: Boxes, components: Components) -> _Peaks:
    """Maxima within the components; neighbouring pixels of one height are one maximum in their middle."""
    flat = (smooth_hw == cv2.dilate(smooth_hw, np.ones((3, 3), np.uint8))) & (
        smooth_hw > PEAK_SHARE**2 * boxes.peaks.min()
    )
    count, tops = cv2.connectedComponents(flat.view(np.uint8), connectivity=8)
    y, x = np.nonzero(flat)
    top = tops[y, x] - 1
    size = np.bincount(top, minlength=count - 1)
    place = np.stack([np.bincount(top, x, count - 1), np.bincount(top, y, count - 1)], axis=1) / size[:, None]
    one = np.zeros(count - 1, np.int64)
    one[top] = np.arange(len(top))
    y, x = y[one], x[one]
    box_of = np.full(int(components.labels_hw.max()) + 1, -1)
    box_of[components.ids] = np.arange(len(components.ids))
    peaks = _Peaks(place, smooth_hw[y, x].astype(np.float64), box_of[components.labels_hw[y, x]])
    peaks = peaks.at(peaks.box >= 0)
    highest = np.zeros(len(boxes.quads))
    np.maximum.at(highest, peaks.box, peaks.height)
    return peaks.at(peaks.height >= PEAK_SHARE * highest[peaks.box])


def _axes(peaks: _Peaks, quads: Quads) -> Floats:
    """Unit reading axis of every box: one of its sides, by its shape and by how the maxima spread; of one maximum the more level side."""
    n = len(quads)
    sides = (quads[:, 1:3] - quads[:, 0:2]).astype(np.float64)
    length = np.linalg.norm(sides, axis=2)
    sides /= np.maximum(length, 1e-9)[:, :, None]
    # a box without height or width (a map of one pixel's) has one direction, one without both is level
    sides[length[:, 0] == 0, 0] = _quarter_turn(-sides[length[:, 0] == 0, 1])
    sides[(length == 0).all(axis=1), 0] = 1, 0
    sides[length[:, 1] == 0, 1] = _quarter_turn(sides[length[:, 1] == 0, 0])
    along = (peaks.place[:, None] * sides[peaks.box]).sum(axis=2)
    count = np.maximum(np.bincount(peaks.box, minlength=n), 1)
    spread = np.stack(
        [np.bincount(peaks.box, a * a, n) / count - (np.bincount(peaks.box, a, n) / count) ** 2 for a in along.T],
        axis=1,
    )
    longer, level = length.argmax(axis=1), np.abs(sides[:, :, 0]).argmax(axis=1)
    expected = np.where(length.max(axis=1) > SLENDER * length.min(axis=1), longer, level)
    expected[count < 2] = level[count < 2]
    other = 1 - expected
    i = np.arange(n)
    chosen = np.where(spread[i, other] > AGAINST_THE_BOX**2 * spread[i, expected], other, expected)
    axes = sides[i, chosen]
    downwards = np.abs(axes[:, 1]) > np.sin(np.radians(STEEP))
    backwards = np.where(downwards, axes[:, 1], axes[:, 0]) < 0
    return np.where(backwards[:, None], -axes, axes)


def _tangents(peaks: _Peaks, axes: Floats) -> Floats:
    """Unit direction of reading at every maximum: that of the parabola that fits the word's maxima best."""
    n, axis = len(axes), axes[peaks.box]
    count = np.bincount(peaks.box, minlength=n)
    centre = np.stack([np.bincount(peaks.box, p, n) for p in peaks.place.T], axis=1) / np.maximum(count, 1)[:, None]
    from_centre = peaks.place - centre[peaks.box]
    t, s = _dot(from_centre, axis), _dot(from_centre, _quarter_turn(axis))
    length = np.sqrt(np.bincount(peaks.box, t * t, n) / np.maximum(count, 1)) + 1e-9
    t /= length[peaks.box]
    powers = np.stack([np.bincount(peaks.box, t**k, n) for k in range(5)], axis=1)
    normal = powers[:, np.add.outer(np.arange(3), np.arange(3))] + 1e-6 * np.eye(3)
    moments = np.stack([np.bincount(peaks.box, s * t**k, n) for k in range(3)], axis=1)
    fit = np.linalg.solve(normal, moments[:, :, None])[:, :, 0] / length[:, None]
    fit[count < FEWEST_OF_A_CURVE] = 0
    slope = np.clip(fit[peaks.box, 1] + 2 * fit[peaks.box, 2] * t, -STEEPEST, STEEPEST)
    tangent = axis + slope[:, None] * _quarter_turn(axis)
    unit: Floats = tangent / np.linalg.norm(tangent, axis=1, keepdims=True)
    return unit


def _separate(
    smooth_hw: NDArray[np.float32], peaks: _Peaks, tangents: Floats, shorter: Floats | NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which maxima stay: of two neighbours that are one character, or lie across the word, the lower one goes."""
    kept = np.ones(len(peaks.box), np.bool_)
    pairs = np.flatnonzero(peaks.box[1:] == peaks.box[:-1])
    if not len(pairs):
        return kept
    a, b = peaks.place[pairs], peaks.place[pairs + 1]
    between = a[:, None] + np.linspace(0, 1, RAY_STEPS // 2)[:, None] * (b - a)[:, None]
    saddle = _sampled(smooth_hw, between).min(axis=1)
    lower = np.minimum(peaks.height[pairs], peaks.height[pairs + 1])
    across = np.abs(_dot(b - a, _quarter_turn(tangents[pairs]))) > np.abs(_dot(b - a, tangents[pairs]))
    near = np.linalg.norm(b - a, axis=1) < NEAR * shorter[peaks.box[pairs]]
    one = across | (saddle > np.where(near, NEAR_SADDLE, SADDLE) * lower)
    second_lower = peaks.height[pairs + 1] <= peaks.height[pairs]
    kept[pairs[one] + second_lower[one]] = False
    return kept


def _half_sides(smooth_hw: NDArray[np.float32], place: Floats, tangents: Floats, reach: Floats) -> Floats:
    """Distance (k, 4) from each maximum to its character's border: backwards and forwards along the word, up and down across it."""
    if not len(place):
        return np.zeros((0, 4))
    down = _quarter_turn(tangents)
    rays = np.stack([-tangents, tangents, -down, down], axis=1)
    fraction = np.arange(RAY_STEPS + 1) / RAY_STEPS
    step = reach[:, None, None] * fraction
    points = place[:, None, None] + rays[:, :, None] * step[:, :, :, None]
    score = _sampled(smooth_hw, points.reshape(len(place), -1, 2)).reshape(len(place), 4, -1)
    top = score[:, :, :1]
    below = score < top / 2
    below[:, :, -1] = True
    i = below.argmax(axis=2)
    outer, inner = (np.take_along_axis(score, j[:, :, None], axis=2)[:, :, 0] for j in (i, np.maximum(i - 1, 0)))
    part = np.clip((inner - top[:, :, 0] / 2) / np.maximum(inner - outer, 1e-6), 0, 1)
    half_height = (i - 1 + part) / RAY_STEPS * reach[:, None]
    # the blur has added half a square pixel to the Gaussian's variance
    half_height = np.sqrt(np.maximum(half_height**2 - np.log(2), 0.25))
    rises = score[:, :, 1:] > score[:, :, :-1] + RISE * top
    valley = np.where(rises.any(axis=2), rises.argmax(axis=2), RAY_STEPS) / RAY_STEPS * reach[:, None]
    sides: Floats = np.maximum(np.minimum(half_height / HALF_HEIGHT, valley), 0.5)
    return sides


def _stacked(peaks: _Peaks, axes: Floats, breadth: Floats) -> NDArray[np.bool_]:
    """Which words are read downwards with upright characters; ``breadth`` is each character's extent across its word."""
    n = len(axes)
    same = peaks.box[1:] == peaks.box[:-1]
    box = peaks.box[1:][same]
    pitch = np.linalg.norm(np.diff(peaks.place, axis=0)[same], axis=1)
    count = np.bincount(box, minlength=n)
    mean = np.bincount(box, pitch, n) / np.maximum(count, 1)
    deviation = np.sqrt(np.bincount(box, (pitch - mean[box]) ** 2, n) / np.maximum(count, 1))
    ratio = mean / (np.bincount(peaks.box, breadth, n) / np.maximum(np.bincount(peaks.box, minlength=n), 1) + 1e-9)
    regular = (ratio >= IDEOGRAPH_PITCH) & (deviation <= REGULAR * mean)
    stacked: NDArray[np.bool_] = (
        (count > 0) & (axes[:, 1] > np.sin(np.radians(STEEP))) & ((ratio >= STACKED_PITCH) | regular)
    )
    return stacked


def _quads(place: Floats, tangents: Floats, sides: Floats, stacked: NDArray[np.bool_]) -> Quads:
    back, forth, up, down = (sides[:, i, None] for i in range(4))
    across = _quarter_turn(tangents)
    first, last = place - back * tangents, place + forth * tangents
    quads = np.stack([first - up * across, last - up * across, last + down * across, first + down * across], axis=1)
    # an upright character's top side is the one that its word's axis enters by
    quads[stacked] = np.roll(quads[stacked], 1, axis=1)
    return quads.astype(np.float32)


def _sampled(map_hw: NDArray[np.float32], points: Floats) -> Floats:
    """Bilinear samples (k, m) at points (k, m, 2) in pixel indices; 0 outside."""
    xy = points.astype(np.float32)
    parts = [
        cv2.remap(map_hw, part[:, :, 0], part[:, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        for part in np.split(xy, range(LARGEST_CALL, len(xy), LARGEST_CALL))
    ]
    return np.concatenate(parts).astype(np.float64)


def _quarter_turn(vectors: Floats) -> Floats:
    """Vectors turned clockwise as seen: what is below a word that is read along them."""
    return np.stack([-vectors[:, 1], vectors[:, 0]], axis=1)


def _dot(a: Floats, b: Floats) -> Floats:
    product: Floats = (a * b).sum(axis=1)
    return product
