"""Cutting words out of a picture upright, with some of their surroundings, so that characters stand side by side.

A word with four corners is rectified by the perspective transform.  A curved one, a polygon whose first half runs along the top and
whose second half back along the bottom (Total-Text, CTW-1500), is straightened: opposite points are joined by ribs, and between
two ribs the picture is interpolated along the edges.  The teacher, which knows text on a line, sees a line.

The surroundings matter: a network pads with zeros, and at the border of a tight crop its score shows that.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ocr.geometry import Matrix, bounding_quad, clockwise, homography, rectangle, side_lengths, signed_area, transform
from ocr.types import Image, Points

Window = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; all even, so that it is also a window of the half-resolution map."""


@dataclass(slots=True)
class Flat:
    """From crop to picture by a homography."""

    matrix: Matrix

    def __call__(self, points: ArrayLike) -> NDArray[np.float32]:
        """Points (..., 2)."""
        return transform(self.matrix, points)


@dataclass(slots=True)
class Curved:
    """From crop to picture by ribs: rib i of n joins ``top[i]`` and ``bottom[i]`` in the picture and stands at ``x[i]`` in the crop.

    In the crop ribs reach from ``y[0]`` to ``y[1]``.  Beyond the outer ribs and beyond the ends of ribs everything goes on straight.
    """

    x: NDArray[np.float64]
    y: tuple[float, float]
    top: NDArray[np.float64]
    bottom: NDArray[np.float64]

    def __call__(self, points: ArrayLike) -> NDArray[np.float32]:
        """Points (..., 2)."""
        p = np.asarray(points, np.float64)
        rib = np.clip(np.searchsorted(self.x, p[..., 0], side="right") - 1, 0, len(self.x) - 2)
        across = ((p[..., 0] - self.x[rib]) / (self.x[rib + 1] - self.x[rib]))[..., None]
        down = ((p[..., 1] - self.y[0]) / (self.y[1] - self.y[0]))[..., None]
        top = self.top[rib] + across * (self.top[rib + 1] - self.top[rib])
        bottom = self.bottom[rib] + across * (self.bottom[rib + 1] - self.bottom[rib])
        straight: NDArray[np.float32] = (top + down * (bottom - top)).astype(np.float32)
        return straight


@dataclass(slots=True)
class WordFrame:
    """Where a word's crop lies: its size (width, height), where in it the word lies, and the way back to the picture."""

    size: tuple[int, int]
    window: Window
    to_picture: Flat | Curved

    def cut(self, image: Image) -> Image:
        """The crop; beyond the picture its border goes on."""
        if isinstance(self.to_picture, Curved):
            width, height = self.size
            grid = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
            places = self.to_picture(grid) - np.float32(0.5)
            return cv2.remap(image, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # warpPerspective samples at pixel indices, our coordinates put pixel centres at .5
        shift = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
        return cv2.warpPerspective(
            image,
            shift @ self.to_picture.matrix @ np.linalg.inv(shift),
            self.size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


def word_frame(polygon: Points, height: int, margin: float, max_width: int) -> WordFrame | None:
    """The frame of an upright crop of ``height`` pixels around a word; None when its polygon has no area.

    A polygon that cannot be straightened (an odd number of points, ribs that cross) is cut by its minimum-area rectangle, and so is a
    quad whose sides cross.  Words with extreme proportions are squeezed to ``max_width``.

    Args:
        polygon: (n, 2).
        height: pixels, a multiple of 4.
        margin: of the picture around the word, shares of the word's height.
        max_width: pixels.
    """
    border = 2 * round(margin * height / (1 + 2 * margin) / 2)
    inner = height - 2 * border
    ribs = _ribs(polygon)
    if ribs is not None:
        top, bottom = ribs
        steps = (np.linalg.norm(np.diff(top, axis=0), axis=1) + np.linalg.norm(np.diff(bottom, axis=0), axis=1)) / 2
        width = _even_width(steps.sum() * inner / np.linalg.norm(bottom - top, axis=1).mean(), max_width - 2 * border)
        x = border + np.concatenate([[0], np.cumsum(steps)]) * (width / steps.sum())
        to_picture: Flat | Curved = Curved(x, (border, border + inner), top, bottom)
    else:
        quad = convex_quad(polygon)
        word_width, word_height = side_lengths(quad)
        if min(word_width, word_height) < 1 or abs(signed_area(quad)) < 1:
            return None
        width = _even_width(word_width * inner / word_height, max_width - 2 * border)
        try:
            to_picture = Flat(homography(rectangle(width, inner) + np.float32(border), quad))
        except ValueError:
            return None
    window = (border, border, border + width, border + inner)
    return WordFrame((width + 2 * border, height), window, to_picture)


def _even_width(width: float, most: int) -> int:
    return 2 * max(1, round(min(float(width), most) / 2))


def convex_quad(polygon: Points) -> Points:
    """Four corners of a polygon; sides that cross or turn inwards give the minimum-area rectangle, clockwise."""
    quad = bounding_quad(polygon)
    side = np.roll(quad, -1, axis=0) - quad
    turn = side[:, 0] * np.roll(side, -1, axis=0)[:, 1] - side[:, 1] * np.roll(side, -1, axis=0)[:, 0]
    if (turn >= 0).all() or (turn <= 0).all():
        return quad
    box = clockwise(cv2.boxPoints(cv2.minAreaRect(quad)).astype(np.float32))
    return np.roll(box, -int(np.argmin(((box - quad[0]) ** 2).sum(axis=1))), axis=0)


def _ribs(polygon: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Points along the top and below them along the bottom, for a polygon of more than four points that can be straightened."""
    p = np.asarray(polygon, np.float64)
    if len(p) < 6 or len(p) % 2:
        return None
    top, bottom = p[: len(p) // 2], p[: len(p) // 2 - 1 : -1]
    strips = np.stack([top[:-1], top[1:], bottom[1:], bottom[:-1]], axis=1)
    areas = np.array([signed_area(strip) for strip in strips])
    lengths = np.linalg.norm(np.diff(top, axis=0), axis=1) + np.linalg.norm(np.diff(bottom, axis=0), axis=1)
    sound = ((areas > 0).all() or (areas < 0).all()) and (lengths > 0).all()
    return (top, bottom) if sound and np.linalg.norm(bottom - top, axis=1).min() >= 1 else None
