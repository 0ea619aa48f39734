"""Boards behind text: number plates with a frame and bolts."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.geometry import transform
from ocr.render.background import draw_colour, luma_of, with_luma
from ocr.render.bend import bent_box
from ocr.render.ink import PlacedWord
from ocr.render.look import Colours
from ocr.types import Image

_SHIFT = 4


def paint_plate(image: Image, placed: PlacedWord, colours: Colours, rng: np.random.Generator) -> None:
    """A plate in the word's plane, in place: a flat colour, mostly a frame, sometimes bolts or a coloured band at its start."""
    word = placed.word
    left, top, right, bottom = word.leaning_box if placed.bend is None else bent_box(placed.bend, word.leaning_box)
    side = word.height
    across, down = side * (0.15 + 0.5 * rng.random()), side * (0.12 + 0.35 * rng.random())
    colour = draw_colour(colours.background[int(rng.random() * len(colours.background))], rng)
    box = (left - across, top - down, right + across, bottom + down)
    _fill(image, placed, box, colour)
    if rng.random() < 0.25:
        band = (box[0], box[1], box[0] + 0.7 * across, box[3])
        _fill(image, placed, band, np.array([20, 50, 160], np.float32) if rng.random() < 0.6 else 255 - colour)
    if rng.random() < 0.7:
        inset = 0.06 * side
        inner = (box[0] + inset, box[1] + inset, box[2] - inset, box[3] - inset)
        line = with_luma(colour, 30.0 if luma_of(colour) > 110 else 230.0)
        thick = max(1, round(0.04 * side * _scale(placed)))
        cv2.polylines(image, [_corners(placed, inner)], True, _plain(line), thick, cv2.LINE_AA, _SHIFT)
    if rng.random() < 0.3:
        bolt = _plain(with_luma(colour, 90.0 + 80 * float(rng.random())))
        radius = max(1, round(0.06 * side * _scale(placed)))
        for x in (box[0] + 0.3 * (box[2] - box[0]), box[0] + 0.7 * (box[2] - box[0])):
            centre = transform(placed.matrix, [x, box[1] + 0.35 * down])
            cv2.circle(image, (int(centre[0]), int(centre[1])), radius, bolt, -1, cv2.LINE_AA)


def _fill(image: Image, placed: PlacedWord, box: tuple[float, float, float, float], colour: np.ndarray) -> None:
    cv2.fillConvexPoly(image, _corners(placed, box), _plain(colour), cv2.LINE_AA, _SHIFT)


def _corners(placed: PlacedWord, box: tuple[float, float, float, float]) -> np.ndarray:
    left, top, right, bottom = box
    quad = transform(placed.matrix, [[left, top], [right, top], [right, bottom], [left, bottom]])
    return np.round((quad - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _plain(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(int(v) for v in colour)


def _scale(placed: PlacedWord) -> float:
    """Pixels of the picture for one of the word's size, about."""
    left, top, _, bottom = placed.word.box
    span = transform(placed.matrix, [[left, top], [left, bottom]])
    return float(np.linalg.norm(span[1] - span[0]) / max(bottom - top, 1e-6))
