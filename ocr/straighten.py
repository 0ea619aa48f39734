"""Words cut out upright: by perspective where a quad tells their shape, along the polygon where they are curved.

A word is sampled once, in the frame of its own first corner; the readings that are tried of it are quarter turns of that one crop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ocr.geometry import bounding_quad, grown, rectify, side_lengths, transform
from ocr.types import Image, Points

Floats = NDArray[np.float64]
Mapping = Callable[[ArrayLike], NDArray[np.float32]]
"""Takes points (..., 2) from one frame to another."""

MAX_CROP_SIDE = 256
"""Words are cut out at their own size, but the shorter side of a crop is never longer than this."""
MAX_CROP_LENGTH = 4096
"""Neither is the longer side of a crop longer than this."""
FEWEST_OF_A_CURVE = 6
"""Polygons of fewer points are taken for their bounding quad, and so are those with an odd number of them."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A straightened word; ``to_picture`` and ``to_crop`` take points (..., 2) between its pixels and those of the picture."""

    image: Image
    to_picture: Mapping
    to_crop: Mapping

    def turned(self, quarters: int) -> Crop:
        """The crop turned counter-clockwise by so many quarters."""
        if not quarters % 4:
            return self
        height, width = self.image.shape[:2]
        # places in the turned crop as places in this one, and back
        there, back = {1: (_left, _right), 2: (_over, _over), 3: (_right, _left)}[quarters % 4]
        size = (height, width) if quarters % 2 else (width, height)
        return Crop(
            np.ascontiguousarray(np.rot90(self.image, quarters)),
            lambda points: self.to_picture(there(np.asarray(points, np.float32), *size)),
            lambda points: back(self.to_crop(points), width, height),
        )


def _over(points: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    return np.array([width, height], np.float32) - points


def _left(points: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:  # noqa: ARG001
    """Points of a width x height frame after a clockwise quarter turn of it."""
    return np.stack([height - points[..., 1], points[..., 0]], axis=-1)


def _right(points: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:  # noqa: ARG001
    """Points of a width x height frame after a counter-clockwise quarter turn of it."""
    return np.stack([points[..., 1], width - points[..., 0]], axis=-1)


def straighten(image: Image, polygon: Points, margin: float = 0.0) -> Crop:
    """Cut a word out of a picture upright.

    Args:
        image: height x width x 3.
        polygon: of the word, from the corner where its top side begins; one of an even number of at least six points has the first half
            of them along that side and the others back along the opposite one.
        margin: the crop is larger on every side by this share of the word's height (where it stands taller than wide, of its width).

    Raises:
        ValueError: the word has no area.
    """
    points = np.asarray(polygon, np.float32)
    if len(points) >= FEWEST_OF_A_CURVE and len(points) % 2 == 0:
        return _along(image, points, margin)
    quad = bounding_quad(points)
    width, height = side_lengths(quad)
    room = grown(quad, margin * min(1.0, width / max(height, 1e-9)))
    crop, matrix = rectify(image, room, _crop_height(*side_lengths(room)), MAX_CROP_LENGTH)
    back = np.asarray(np.linalg.inv(matrix), np.float64)
    return Crop(crop, lambda p: transform(matrix, p), lambda p: transform(back, p))


def _crop_height(width: float, height: float) -> int:
    scale = min(1.0, MAX_CROP_SIDE / max(min(width, height), 1.0))
    return min(max(1, round(scale * height)), MAX_CROP_LENGTH)


def _along(image: Image, polygon: Points, margin: float) -> Crop:
    """Every column of the crop is a stroke from the polygon's upper side to its lower one; strokes follow each other evenly."""
    half = len(polygon) // 2
    upper, lower = polygon[:half].astype(np.float64), polygon[: half - 1 : -1].astype(np.float64)
    height = float(np.linalg.norm(lower - upper, axis=1).mean())
    upper, lower = _longer(upper, lower, margin * height)
    steps = np.linalg.norm(np.diff((upper + lower) / 2, axis=0), axis=1)
    length = float(steps.sum())
    if height < 1 or length < 1:
        raise ValueError(f"polygon {np.asarray(polygon).tolist()} has no area")
    rows = _crop_height(length, height * (1 + 2 * margin))
    columns = int(np.clip(round(length * rows / (height * (1 + 2 * margin))), 1, MAX_CROP_LENGTH))
    ribbon = _Ribbon(np.concatenate([[0], np.cumsum(steps)]) / length, upper, lower, columns, rows)
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    # remap samples at pixel indices, our coordinates put pixel centres at .5
    where = ribbon.to_picture(np.stack([x, y], axis=-1)) - np.float32(0.5)
    crop: Image = cv2.remap(image, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Crop(crop, ribbon.to_picture, ribbon.to_crop)


def _longer(upper: Floats, lower: Floats, room: float) -> tuple[Floats, Floats]:
    """Both sides with ``room`` pixels more at their ends and between them."""
    down = lower - upper
    down *= room / np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-9)
    upper, lower = upper - down, lower + down
    middle = (upper + lower) / 2
    ends = []
    for last, before in ((0, 1), (-1, -2)):
        out = middle[last] - middle[before]
        ends.append(out * room / max(float(np.linalg.norm(out)), 1e-9))
    for side in (upper, lower):
        side[0] += ends[0]
        side[-1] += ends[1]
    return upper, lower


@dataclass(frozen=True, slots=True)
class _Ribbon:
    """Strokes across a curved word at ``place`` (share of its length), drawn out to a crop of ``columns`` x ``rows`` pixels."""

    place: Floats
    upper: Floats
    lower: Floats
    columns: int
    rows: int

    def _sides(self, share: Floats) -> tuple[Floats, Floats]:
        upper, lower = (
            np.stack([np.interp(share, self.place, side[:, i]) for i in (0, 1)], axis=-1)
            for side in (self.upper, self.lower)
        )
        return upper, lower

    def to_picture(self, points: ArrayLike) -> NDArray[np.float32]:
        p = np.asarray(points, np.float64)
        upper, lower = self._sides(p[..., 0] / self.columns)
        return (upper + (lower - upper) * (p[..., 1:] / self.rows)).astype(np.float32)

    def to_crop(self, points: ArrayLike) -> NDArray[np.float32]:
        """The column whose stroke passes nearest, and the place along that stroke."""
        p = np.asarray(points, np.float64)
        share = (np.arange(self.columns) + 0.5) / self.columns
        upper, lower = self._sides(share)
        down = lower - upper
        t = ((p[..., None, :] - upper) * down).sum(-1) / np.maximum((down * down).sum(-1), 1e-9)
        away = np.linalg.norm(upper + np.clip(t, 0, 1)[..., None] * down - p[..., None, :], axis=-1)
        column = away.argmin(axis=-1)
        rows = np.take_along_axis(t, column[..., None], axis=-1)[..., 0] * self.rows
        return np.stack([column + 0.5, rows], axis=-1).astype(np.float32)
