"""Shapes that are not text but have edges of the same size and contrast: what a detector must learn to leave alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.render.background import luma_of, with_luma
from ocr.render.binding import Range
from ocr.types import Image

SIZES = Range(0.01, 0.09)
"""Of shapes, as a share of the picture's shorter side."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where and how a shape is drawn: ``size`` and ``thick`` (of strokes) in pixels, ``angle`` in degrees."""

    centre: NDArray[np.float64]
    size: float
    angle: float
    colour: tuple[int, ...]
    thick: int

    @property
    def pixel(self) -> tuple[int, int]:
        """The pixel of the centre."""
        return int(self.centre[0]), int(self.centre[1])

    def points(self, local: NDArray[np.float64]) -> NDArray[np.int32]:
        """Points given in multiples of the size, turned and moved to their place."""
        c, s = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        return np.rint(self.centre + self.size * local @ np.array([[c, s], [-s, c]])).astype(np.int32)


def draw_distractor(
    image: Image, centre: NDArray[np.float64], size: float, contrast: float, rng: np.random.Generator
) -> None:
    """Draw one shape in place: a line, frame, disc, triangle, arc, row of bars, lattice, zigzag or scatter of dots.

    Most shapes stay within ``size`` pixels of their centre; lines and rows reach farther.  ``contrast`` is the difference to
    the pixel at the centre in grey levels.
    """
    under = image[int(centre[1]), int(centre[0])].astype(np.float32)
    luma = luma_of(under)
    lighter = rng.random() < 0.5 if 60 < luma < 195 else luma <= 60
    target = min(max(luma + (contrast if lighter else -contrast), 0), 255)
    colour = tuple(int(v) for v in with_luma(under, target))
    shape = Shape(centre, size, rng.random() * 180, colour, 1 + int(rng.random() * size / 7))
    _KINDS[int(rng.random() * len(_KINDS))](image, shape, rng)


def _line(image: Image, shape: Shape, rng: np.random.Generator) -> None:
    start, end = shape.points(np.array([[-3.0, 0], [3, 0]]) * (0.5 + rng.random())).tolist()
    cv2.line(image, start, end, shape.colour, shape.thick, cv2.LINE_AA)


def _frame(image: Image, shape: Shape, rng: np.random.Generator) -> None:
    size = shape.size * (1 + 3 * rng.random()), shape.size * (1 + rng.random())
    corners = cv2.boxPoints((shape.pixel, size, shape.angle if rng.random() < 0.3 else 0.0))
    cv2.polylines(image, [np.rint(corners).astype(np.int32)], True, shape.colour, shape.thick, cv2.LINE_AA)


def _disc(image: Image, shape: Shape, rng: np.random.Generator) -> None:
    axes = (int(shape.size * 0.7) + 1, int(shape.size * (0.3 + 0.4 * rng.random())) + 1)
    thick = -1 if rng.random() < 0.5 else shape.thick
    cv2.ellipse(image, shape.pixel, axes, shape.angle, 0, 360, shape.colour, thick, cv2.LINE_AA)


def _triangle(image: Image, shape: Shape, rng: np.random.Generator) -> None:
    cv2.fillPoly(image, [shape.points(2 * rng.random((3, 2)) - 1)], shape.colour, cv2.LINE_AA)


def _arc(image: Image, shape: Shape, rng: np.random.Generator) -> None:
    axes = (int(shape.size * 1.5) + 1, int(shape.size) + 1)
    cv2.ellipse(
        image, shape.pixel, axes, shape.angle, 0, 60 + 200 * rng.random(), shape.colour, shape.thick, cv2.LINE_AA
    )


def _bars(image: Image, shape: Shape, rng: np.random.Generator) -> None:
    """A fence or bar code: parallel strokes at uneven distances, as tall as letters."""
    for place in np.cumsum(0.2 + 0.3 * rng.random(4 + int(rng.random() * 10))).tolist():
        start, end = shape.points(np.array([[place, -0.5], [place, 0.5]])).tolist()
        cv2.line(image, start, end, shape.colour, shape.thick, cv2.LINE_AA)


def _lattice(image: Image, shape: Shape, rng: np.random.Generator) -> None:
    """Windows of a house front: a grid of small rectangles, some of them open."""
    rows, columns = 1 + int(rng.random() * 3), 2 + int(rng.random() * 4)
    cell = shape.size * (0.3 + 0.4 * rng.random())
    left, top = shape.pixel
    for row in range(rows):
        for column in range(columns):
            x, y = int(left + column * cell * 1.4), int(top + row * cell * 1.6)
            thick = -1 if rng.random() < 0.8 else 1
            cv2.rectangle(image, (x, y), (x + int(cell), y + int(cell * 1.1)), shape.colour, thick)


def _zigzag(image: Image, shape: Shape, rng: np.random.Generator) -> None:
    steps = np.arange(4 + int(rng.random() * 8))
    turns = shape.points(np.stack([steps * 0.5, (steps % 2) * 0.6], 1))
    cv2.polylines(image, [turns], False, shape.colour, shape.thick, cv2.LINE_AA)


def _dots(image: Image, shape: Shape, rng: np.random.Generator) -> None:
    for dot in shape.points(rng.normal(size=(3 + int(rng.random() * 12), 2))).tolist():
        cv2.circle(image, dot, 1 + int(rng.random() * shape.size / 8), shape.colour, -1, cv2.LINE_AA)


_KINDS: tuple[Callable[[Image, Shape, np.random.Generator], None], ...] = (
    *(_line, _frame, _disc, _triangle, _arc),
    *(_bars, _lattice, _zigzag, _dots),
)
