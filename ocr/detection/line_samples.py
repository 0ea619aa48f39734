"""From a scene to what the link refiner trains on: picture, and an affinity map of the centre lines of its text lines.

The target is not in the paper; it follows the authors' answer on their repository (issue 56): for every text line, a stroke through
the middles of its paired control points, an eighth as thick as the distance between the points of the pair.  Departure: a stroke
is never thinner than :data:`THINNEST`, because thinner ones break up at half resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ocr.detection.augment import SceneAugment
from ocr.detection.samples import TO_MAP, SceneEncoder
from ocr.detection.score_maps import Maps
from ocr.geometry import bounding_quad, polygon_mask, side_lengths, transform
from ocr.types import Image, Points, Scene, SceneBatch, SceneWord

THICKNESS = 1 / 8
"""Of a centre line, in distances between paired control points."""
THINNEST = 1.5
"""Map pixels."""
_FINER = 4
"""Strokes are drawn this many times larger, without smoothing: OpenCV's smoothed polygons come out too thick."""


@dataclass(slots=True)
class LineItem:
    """One training picture with the affinity map of its lines."""

    image: Image
    affinity_hw: Maps
    trust_hw: NDArray[np.float32]
    key: str


class LineEncoder:
    """Makes training items for a :class:`~ocr.detection.link_refiner.RefinedCRAFT`: affinity is the lines', the region map is empty.

    Lines are those of the scene; where it has none, its words are taken for lines, as in sets labelled by lines.  The confidence is 0
    in ignored words and in lines lower than ``min_height`` pixels in the crop, 1 elsewhere.

    Args:
        size: side of the training crop, a multiple of 32.
        augment: None takes the whole picture, scaled to fit.
        min_height: least height of a line in the crop, pixels.
    """

    def __init__(self, size: int, augment: SceneAugment | None = None, min_height: float = 5.0) -> None:
        self.scenes = SceneEncoder(size, augment)
        self.size = size
        self.min_height = min_height

    def train(self, scene: Scene, rng: np.random.Generator) -> LineItem:
        """One training item; the random draws come from ``rng`` only."""
        image, matrix = self.scenes.view(scene, rng)
        shape = (self.size // 2, self.size // 2)
        ignored = [transform(TO_MAP @ matrix, word.polygon) for word in scene.words if word.ignore]
        lines: list[Points] = []
        for line in line_polygons(scene):
            placed = transform(TO_MAP @ matrix, line)
            tall = 2 * min(side_lengths(bounding_quad(placed))) >= self.min_height
            (lines if tall else ignored).append(placed)
        trust_hw = 1 - polygon_mask(shape, ignored).astype(np.float32)
        return LineItem(image, line_map(shape, lines), trust_hw, scene.key)

    def collate(self, items: Sequence[LineItem]) -> SceneBatch:
        """A batch of items."""
        affinity_Bhw = np.stack([item.affinity_hw for item in items])
        return SceneBatch(
            images_BCHW=torch.from_numpy(np.stack([item.image for item in items])).permute(0, 3, 1, 2),
            maps_B2hw=torch.from_numpy(np.stack([np.zeros_like(affinity_Bhw), affinity_Bhw], axis=1)),
            trust_Bhw=torch.from_numpy(np.stack([item.trust_hw for item in items])),
            keys=[item.key for item in items],
        )


def line_polygons(scene: Scene) -> list[Points]:
    """The text lines of a scene: its own, or its words that count."""
    return scene.lines if scene.lines is not None else [word.polygon for word in scene.words if not word.ignore]


def as_lines(scene: Scene) -> Scene:
    """The scene labelled by lines: every line is one word without a transcription of its own; ignored words stay."""
    lines = [SceneWord(np.asarray(line, np.float32), None) for line in line_polygons(scene)]
    return Scene(scene.image, lines + [word for word in scene.words if word.ignore], scene.key, "word", scene.lines)


def line_map(shape: tuple[int, int], polygons: list[Points]) -> NDArray[np.float32]:
    """Map (h, w) with the centre line of every polygon: the share of each pixel that it covers.  Polygons are in map coordinates.

    The points of a polygon run along its upper side and back along its lower one, so that the first and the last are a pair.  Polygons
    with an odd number of points, which have no pairs, are taken by their smallest rectangle, and a rectangle runs along its longer side.
    """
    strokes = []
    for polygon in polygons:
        upper, lower = _sides(np.asarray(polygon, np.float64))
        across = np.linalg.norm(lower - upper, axis=1, keepdims=True)
        # polygons come out half a fine pixel larger on every side
        half = (np.maximum(THICKNESS * across, THINNEST) - 1 / _FINER) / 2
        step = half * (lower - upper) / np.maximum(across, 1e-9)
        middle = (upper + lower) / 2
        stroke = np.concatenate([middle - step, (middle + step)[::-1]])
        strokes.append(stroke.astype(np.float32) * _FINER)
    fine = polygon_mask((shape[0] * _FINER, shape[1] * _FINER), strokes)
    return cv2.resize(fine.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)


def _sides(polygon: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Upper points and, in the same order, the lower ones they are paired with."""
    if len(polygon) % 2 or len(polygon) == 4:
        quad = bounding_quad(polygon.astype(np.float32)).astype(np.float64)
        width, height = side_lengths(quad.astype(np.float32))
        polygon = quad if width >= height else np.roll(quad, -1, axis=0)
    n = len(polygon) // 2
    return polygon[:n], polygon[n:][::-1]
