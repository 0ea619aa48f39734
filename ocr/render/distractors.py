"""Shapes that are not text but have edges of the same size and contrast: what a detector must learn to leave alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.render.background import luma_of, with_luma
from ocr.types import Image

_KINDS = 9


def draw_distractor(image: Image, contrast: float, rng: np.random.Generator) -> None:
    """Draw one shape in place: a line, frame, disc, ring, triangle, arc, row of bars, lattice, zigzag or scatter of dots.

    ``contrast`` is its difference to the pixel at its centre in grey levels.
    """
    height, width = image.shape[:2]
    x, y = int(rng.random() * width), int(rng.random() * height)
    size = 4 * (min(height, width) / 12) ** rng.random()
    under = image[y, x].astype(np.float32)
    luma = luma_of(under)
    up = rng.random() < (0.5 if 60 < luma < 195 else float(luma <= 60))
    colour = tuple(int(v) for v in with_luma(under, float(np.clip(luma + (contrast if up else -contrast), 0, 255))))
    thick = 1 + int(rng.random() * size / 7)
    angle = rng.random() * 180
    turn = np.array(
        [
            [np.cos(np.radians(angle)), np.sin(np.radians(angle))],
            [-np.sin(np.radians(angle)), np.cos(np.radians(angle))],
        ]
    )
    centre = np.array([x, y], np.float64)
    kind = int(rng.random() * _KINDS)
    if kind == 0:
        ends = centre + np.array([[-3.0, 0], [3, 0]]) * size @ turn
        cv2.line(image, _pixel(ends[0]), _pixel(ends[1]), colour, thick, cv2.LINE_AA)
    elif kind == 1:
        corners = cv2.boxPoints(
            ((x, y), (size * (1 + 3 * rng.random()), size * (1 + rng.random())), angle * (rng.random() < 0.3))
        )
        cv2.polylines(image, [np.round(corners).astype(np.int32)], True, colour, thick, cv2.LINE_AA)
    elif kind == 2:
        axes = (int(size * 0.7) + 1, int(size * (0.3 + 0.4 * rng.random())) + 1)
        cv2.ellipse(image, (x, y), axes, angle, 0, 360, colour, -1 if rng.random() < 0.5 else thick, cv2.LINE_AA)
    elif kind == 3:
        corners = centre + size * (rng.random((3, 2)) - 0.5) * 2
        cv2.fillPoly(image, [np.round(corners).astype(np.int32)], colour, cv2.LINE_AA)
    elif kind == 4:
        cv2.ellipse(
            image,
            (x, y),
            (int(size * 1.5) + 1, int(size) + 1),
            angle,
            0,
            60 + 200 * rng.random(),
            colour,
            thick,
            cv2.LINE_AA,
        )
    elif kind == 5:
        _bars(image, centre, turn, size, colour, thick, rng)
    elif kind == 6:
        _lattice(image, (x, y), size, colour, rng)
    elif kind == 7:
        steps = np.arange(4 + int(rng.random() * 8))
        zigzag = np.stack([steps * size * 0.5, (steps % 2) * size * 0.6], 1) @ turn + centre
        cv2.polylines(image, [np.round(zigzag).astype(np.int32)], False, colour, thick, cv2.LINE_AA)
    else:
        for dot in centre + size * rng.normal(size=(3 + int(rng.random() * 12), 2)):
            cv2.circle(image, _pixel(dot), 1 + int(rng.random() * size / 8), colour, -1, cv2.LINE_AA)


def _pixel(point: NDArray[np.float64]) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _bars(
    image: Image,
    centre: NDArray[np.float64],
    turn: NDArray[np.float64],
    size: float,
    colour: tuple[int, ...],
    thick: int,
    rng: np.random.Generator,
) -> None:
    """A fence or bar code: parallel strokes at even or uneven distances, as tall as letters."""
    place = 0.0
    for _ in range(4 + int(rng.random() * 10)):
        place += size * (0.2 + 0.3 * rng.random())
        ends = centre + np.array([[place, -0.5 * size], [place, 0.5 * size]]) @ turn
        cv2.line(image, _pixel(ends[0]), _pixel(ends[1]), colour, thick, cv2.LINE_AA)


def _lattice(
    image: Image, corner: tuple[int, int], size: float, colour: tuple[int, ...], rng: np.random.Generator
) -> None:
    """Windows of a house front: a grid of small rectangles."""
    rows, columns = 1 + int(rng.random() * 3), 2 + int(rng.random() * 4)
    cell = size * (0.4 + 0.4 * rng.random())
    for row in range(rows):
        for column in range(columns):
            x, y = int(corner[0] + column * cell * 1.4), int(corner[1] + row * cell * 1.6)
            cv2.rectangle(image, (x, y), (x + int(cell), y + int(cell * 1.1)), colour, -1 if rng.random() < 0.8 else 1)
