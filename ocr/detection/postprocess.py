"""From score maps to word boxes, with the semantics of the authors' released post-processing, in NumPy and OpenCV.

Pixels whose region score is above ``low`` or whose affinity score is above ``link`` form 4-connected components; a component
whose region score peaks below ``text`` is dropped; the others give a rotated box around their dilated pixels (Baek et al.,
CVPR 2019, section 3.3).  Each component is handled in its own window, so the cost follows the text and not the picture.

Corners are map pixel indices, as in the released code: index i is the centre of the pixel that spans i to i + 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.types import Points, Quads

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
    scores: NDArray[np.float32]
    peaks: NDArray[np.float32]

    def above(self, text: float) -> Boxes:
        """The boxes whose peak reaches another text threshold; the same as running again with a higher one."""
        keep = self.peaks >= text
        return Boxes(self.quads[keep], self.scores[keep], self.peaks[keep])


def find_boxes(maps_2hw: NDArray[np.float32], thresholds: Thresholds) -> Boxes:
    """Word boxes of a region and an affinity map; scores that are not numbers count as 0."""
    region, affinity = np.nan_to_num(maps_2hw)
    text = region > thresholds.low
    link = affinity > thresholds.link
    count, labels, statistics, _ = cv2.connectedComponentsWithStats((text | link).view(np.uint8), connectivity=4)
    link_only = link & ~text
    quads, scores, peaks = [], [], []
    for label in range(1, count):
        x, y, w, h, area = statistics[label].tolist()
        if area < SMALLEST_AREA:
            continue
        window = (slice(y, y + h), slice(x, x + w))
        component = labels[window] == label
        values = region[window][component]
        peak = values.max()
        if peak < thresholds.text or peak <= thresholds.low:
            continue
        quads.append(_box(component & ~link_only[window], (x, y), area, labels.shape))
        scores.append(values.mean())
        peaks.append(peak)
    return Boxes(
        np.array(quads, np.float32).reshape(-1, 4, 2), np.array(scores, np.float32), np.array(peaks, np.float32)
    )


def _box(segment: NDArray[np.bool_], corner: tuple[int, int], area: int, shape: tuple[int, ...]) -> Points:
    """The rotated box around a component's segment after dilation; ``corner`` places the segment's window in the map."""
    h, w = segment.shape
    x, y = corner
    grow = int(np.sqrt(area * min(w, h) / (w * h)) * 2)
    left, top = min(grow, x), min(grow, y)
    right, bottom = min(grow + 1, shape[1] - x - w), min(grow + 1, shape[0] - y - h)
    padded = cv2.copyMakeBorder(segment.view(np.uint8), top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
    dilated = cv2.dilate(padded, np.ones((1 + grow, 1 + grow), np.uint8))
    pixels = cv2.findNonZero(dilated).reshape(-1, 2)
    pixels += np.array([x - left, y - top], np.int32)
    quad = cv2.boxPoints(cv2.minAreaRect(pixels))
    first, second = np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[1] - quad[2])
    if abs(1 - max(first, second) / (min(first, second) + 1e-5)) <= DIAMOND_RATIO:
        (x0, y0), (x1, y1) = pixels.min(axis=0), pixels.max(axis=0)
        quad = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    return np.roll(quad, -int(quad.sum(axis=1).argmin()), axis=0)
