"""From score maps to word boxes, with the semantics of the authors' released post-processing, in NumPy and OpenCV.

Pixels whose region score is above ``low`` or whose affinity score is above ``link`` form 4-connected components; a component
whose region score peaks below ``text`` is dropped; the others give a rotated box around their dilated pixels (Baek et al.,
CVPR 2019, section 3.3).  The released code goes over the whole map for every component.  Here one pass cuts the map into
horizontal runs of pixels, and everything else works on the runs: areas, windows and peaks of all components at once, and each box
from the ends of its own runs, so the cost follows the text and not the picture.

Corners are map pixel indices, as in the released code: index i is the centre of the pixel that spans i to i + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.types import Quads

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

SMALLEST_AREA = 10
"""Components of fewer half-resolution pixels are dropped."""
DIAMOND_RATIO = 0.1
"""Boxes whose sides differ by no more than this share become upright boxes."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """``text``: least peak of a word's region score; ``link``, ``low``: where affinity and region scores join pixels.

    The defaults are the released ones; the authors used text .85, low .5, link .2 for ICDAR 2015.
    """

    text: float = 0.7
    link: float = 0.4
    low: float = 0.4

    def __post_init__(self) -> None:
        for name in ("text", "link", "low"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"detection threshold {name} is {getattr(self, name)}: give a number from 0 to 1")


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of one picture in map pixel indices.

    ``quads`` (n, 4, 2) run clockwise from the corner with the smallest x + y.  ``peaks`` are the largest and ``scores`` the
    mean region score over each component's own pixels (before dilation).
    """

    quads: Quads
    scores: Floats
    peaks: Floats

    def above(self, text: float) -> Boxes:
        """The boxes whose peak reaches another text threshold; the same as running again with a higher one."""
        keep = self.peaks >= text
        return Boxes(self.quads[keep], self.scores[keep], self.peaks[keep])


class Components(NamedTuple):
    """The components that became boxes: ``ids`` (n,) are their values in ``labels_hw``, in the order of the boxes."""

    labels_hw: NDArray[np.int32]
    ids: Integers


class _Runs(NamedTuple):
    """Horizontal runs of set pixels in row-major order: row, first and last column, and where each begins in ``pixels``.

    ``pixels`` are the flat indices of all set pixels.
    """

    row: Integers
    first: Integers
    last: Integers
    start: Integers
    pixels: Integers


def find_boxes(maps_2hw: Floats, thresholds: Thresholds) -> Boxes:
    """Word boxes of a region and an affinity map; scores that are not numbers count as 0."""
    return find_components(without_nan(maps_2hw), thresholds)[0]


def without_nan(maps: Floats) -> Floats:
    """The same maps; a copy with 0 in place of what is not a number where there is such a thing."""
    return maps if np.isfinite(maps.sum()) else np.nan_to_num(maps)


def find_components(maps_2hw: Floats, thresholds: Thresholds) -> tuple[Boxes, Components]:
    """Word boxes of maps without NaN, and the components behind them."""
    region, affinity = maps_2hw
    text = region > thresholds.low
    union = text | (affinity > thresholds.link)
    count, labels = cv2.connectedComponents(union.view(np.uint8), connectivity=4)
    whole, inked = _runs(union), _runs(text)
    area, total, thickness = _measure(labels, region, whole, count)
    run_ids = labels[inked.row, inked.first]
    peaks = np.zeros(count, np.float32)
    if len(run_ids):
        np.maximum.at(peaks, run_ids, np.maximum.reduceat(region.ravel()[inked.pixels], inked.start))
    # a component without a pixel above `low` has no segment to box
    has_text = np.bincount(run_ids, minlength=count) > 0
    has_text[0] = False
    ids = np.flatnonzero(has_text & (area >= SMALLEST_AREA) & (peaks >= thresholds.text))
    reach = (np.sqrt(thickness[ids]) * 2).astype(np.int64)
    quads = _boxes(inked, run_ids, ids, reach, labels.shape)
    return Boxes(quads, (total[ids] / area[ids]).astype(np.float32), peaks[ids]), Components(labels, ids)


def _runs(mask_hw: NDArray[np.bool_]) -> _Runs:
    width = mask_hw.shape[1]
    pixels = np.flatnonzero(mask_hw)
    new = np.empty(len(pixels), np.bool_)
    new[:1] = True
    np.not_equal(pixels[1:], pixels[:-1] + 1, out=new[1:])
    # a run also ends with its row
    new |= pixels % width == 0
    start = np.flatnonzero(new)
    row, first = np.divmod(pixels[start], width)
    lengths = np.diff(start, append=len(pixels))
    return _Runs(row, first, first + lengths - 1, start, pixels)


def _measure(
    labels_hw: NDArray[np.int32], region_hw: Floats, runs: _Runs, count: int
) -> tuple[Integers, NDArray[np.float64], NDArray[np.float64]]:
    """Of every label: its pixels, the sum of their region scores, and pixels * min(w, h) / (w * h) of its w x h window."""
    height, width = labels_hw.shape
    ids = labels_hw[runs.row, runs.first]
    left, right = np.full(count, width), np.zeros(count, np.int64)
    top, bottom = np.full(count, height), np.zeros(count, np.int64)
    np.minimum.at(left, ids, runs.first)
    np.maximum.at(right, ids, runs.last + 1)
    np.minimum.at(top, ids, runs.row)
    np.maximum.at(bottom, ids, runs.row + 1)
    area = np.bincount(ids, runs.last - runs.first + 1, count).astype(np.int64)
    sums = np.zeros(count)
    if len(ids):
        scores = region_hw.ravel()[runs.pixels].astype(np.float64)
        sums += np.bincount(ids, np.add.reduceat(scores, runs.start), count)
    w, h = np.maximum(right - left, 1), np.maximum(bottom - top, 1)
    thickness: NDArray[np.float64] = area * np.minimum(w, h) / (w * h)
    return area, sums, thickness


def _boxes(runs: _Runs, run_ids: NDArray[np.int32], ids: Integers, reach: Integers, shape: tuple[int, ...]) -> Quads:
    """Rotated boxes around the runs of each component after dilation by a square of side ``reach`` + 1.

    The convex hull of dilated pixels is that of the four corners of the square around each run's ends, cut at the map's border.
    """
    place = np.full(int(run_ids.max(initial=0)) + 1, -1)
    place[ids] = np.arange(len(ids))
    box = place[run_ids]
    order = np.argsort(box, kind="stable")[np.count_nonzero(box < 0) :]
    box = box[order]
    # OpenCV's anchor: an even kernel reaches one pixel further to the left and up than to the right and down
    before, after = (reach - (reach + 1) // 2)[box], ((reach + 1) // 2)[box]
    x0, x1 = np.maximum(runs.first[order] - before, 0), np.minimum(runs.last[order] + after, shape[1] - 1)
    y0, y1 = np.maximum(runs.row[order] - before, 0), np.minimum(runs.row[order] + after, shape[0] - 1)
    corners = np.stack([x0, y0, x1, y0, x1, y1, x0, y1], axis=1).astype(np.int32).reshape(-1, 4, 2)
    bounds = np.searchsorted(box, np.arange(len(ids) + 1))
    quads = np.empty((len(ids), 4, 2), np.float32)
    for i, (begin, end) in enumerate(pairwise(bounds.tolist())):
        quads[i] = cv2.boxPoints(cv2.minAreaRect(corners[begin:end].reshape(-1, 2)))
    if len(ids):
        upright = np.stack(
            [
                np.minimum.reduceat(x0, bounds[:-1]),
                np.minimum.reduceat(y0, bounds[:-1]),
                np.maximum.reduceat(x1, bounds[:-1]),
                np.maximum.reduceat(y1, bounds[:-1]),
            ],
            axis=1,
        )
        diamond = _is_diamond(quads)
        quads[diamond] = upright[diamond][:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    first = quads.sum(axis=2).argmin(axis=1)
    turned = (first[:, None] + np.arange(4)) % 4
    return np.take_along_axis(quads, turned[:, :, None], axis=1)


def _is_diamond(quads: Quads) -> NDArray[np.bool_]:
    """Whether two neighbouring sides are about equal: then the angle of the smallest rectangle says nothing."""
    sides = np.linalg.norm(quads[:, :2] - quads[:, 1:3], axis=2)
    near: NDArray[np.bool_] = np.abs(1 - sides.max(axis=1) / (sides.min(axis=1) + 1e-5)) <= DIAMOND_RATIO
    return near
