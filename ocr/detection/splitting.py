"""Cutting an upright word into characters by the teacher's region score: a choice (``split=…``).

``watershed`` is the paper's way, ``equal`` its fallback, and ``length_guided`` (:mod:`ocr.detection.length_guided`) uses that the
text is known.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ocr.detection.score_maps import Maps

FALLBACK_CONFIDENCE = 0.5
_LEVELS = 8
_STEPS_PER_LEVEL = 2
_NEIGHBOURS = np.ones((3, 3), np.uint8)


class Split(NamedTuple):
    """``boxes`` (n, 4): left, top, right, bottom in pixels of the region map, in reading order; ``found`` is l_c.

    ``fallback`` says that the boxes are pieces of equal width.
    """

    boxes: NDArray[np.float32]
    confidence: float
    found: int
    fallback: bool = False


class Splitter(Protocol):
    """Cuts a word into characters.  One that does not look at the region map says so, and the teacher need not run."""

    needs_scores: bool

    def __call__(self, region_hw: Maps, text: str) -> Split:
        """Split the region map of an upright word whose ``text`` has at least one character that is no space."""
        ...


class Equal:
    """Pieces of equal width for every word, at the fallback's confidence: the floor any other way of splitting has to beat."""

    needs_scores = False

    def __call__(self, region_hw: Maps, text: str) -> Split:
        """See :class:`Splitter`."""
        return Split(equal_boxes(region_hw.shape, text), FALLBACK_CONFIDENCE, 0, fallback=True)


class Watershed:
    """The paper's splitter: markers where the region score is surely a character, grown by a watershed.

    The score is flooded downwards in levels, as in the immersion of Vincent and Soille (1991) that the paper refers to, so basins meet in
    the valley between two characters.  OpenCV's watershed, which the authors named later, floods by the difference between neighbouring
    pixels instead: on a smooth score its basins end at the steepest slope, .61 of the peak, and boxes come out .6 of their size.

    Args:
        foreground: scores above it mark a character (the authors' .6).
        background: scores up to it belong to no character (the authors' .2).
        relative: both are shares of the crop's largest score, which helps a teacher that is still unsure.
    """

    needs_scores = True

    def __init__(self, foreground: float = 0.6, background: float = 0.2, relative: bool = True) -> None:
        if not 0 < background < foreground < 1:
            raise ValueError(
                f"watershed thresholds background {background}, foreground {foreground}: need 0 < background < foreground < 1"
            )
        self.foreground = foreground
        self.background = background
        self.relative = relative

    def __call__(self, region_hw: Maps, text: str) -> Split:
        """See :class:`Splitter`."""
        length = sum(not c.isspace() for c in text)
        region = np.clip(np.nan_to_num(region_hw), 0, 1)
        unit = float(region.max()) if self.relative else 1.0
        count, markers = cv2.connectedComponents((region > self.foreground * unit).view(np.uint8))
        found = count - 1
        confidence = (length - min(length, abs(length - found))) / length
        if confidence < FALLBACK_CONFIDENCE:
            return Split(equal_boxes(region.shape, text), FALLBACK_CONFIDENCE, found, fallback=True)
        basins = _flooded(region, markers, np.linspace(self.foreground, self.background, _LEVELS + 1)[1:] * unit)
        return Split(_boxes_of(basins), confidence, found)


def _flooded(region_hw: Maps, markers_hw: NDArray[np.int32], levels: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Markers grown into the pixels above each level in turn; pixels that hang together with no marker stay 0."""
    basins = markers_hw.astype(np.uint16)
    for level in levels:
        dry = region_hw <= level
        for _ in range(_STEPS_PER_LEVEL):
            grown = cv2.dilate(basins, _NEIGHBOURS)
            grown[dry] = 0
            basins = np.where(basins, basins, grown)
    return basins


def _boxes_of(basins: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The box around each basin, from left to right."""
    slices = [s for s in ndimage.find_objects(basins) if s is not None]
    boxes = np.array([[x.start, y.start, x.stop, y.stop] for y, x in slices], np.float32)
    return boxes[np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")]


def equal_boxes(shape: tuple[int, ...], text: str) -> NDArray[np.float32]:
    """One box per character of ``text`` that is no space, at its place among equally wide pieces of a map (h, w).

    Inner spaces take up a piece; the paper does not say what it does with them.
    """
    text = text.strip()
    height, width = shape
    edges = np.linspace(0, width, len(text) + 1, dtype=np.float32)
    places = [i for i, c in enumerate(text) if not c.isspace()]
    return np.array([[edges[i], 0, edges[i + 1], height] for i in places], np.float32)
