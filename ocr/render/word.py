"""Crops of single words, as a detector or an annotator would cut them out of a scene."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ocr.render.background import draw_palette, paint_background
from ocr.render.camera import photograph
from ocr.render.fonts import draw_face
from ocr.render.ink import PlacedWord, SetWord, draw_style, ink_height, set_word, size_above
from ocr.render.layout import CORNERS, drawable_text
from ocr.render.look import Crop, Look
from ocr.render.scene import paint_words
from ocr.render.words import draw_case
from ocr.types import Word


def render_word(look: Look, rng: np.random.Generator, key: str = "rendered/0") -> Word:
    """A crop with one word and its character quads; the same generator state gives the same bytes.

    The word is turned and tilted a little and cut out along its upright bounding box with the look's margins; now and then
    the crop shows a piece of a neighbouring word.
    """
    crop = look.crop
    face = draw_face(look.fonts, int(look.letters.weight.low), int(look.letters.weight.high), rng)
    style = draw_style(look.letters, face, rng)
    text = drawable_text(look, face, draw_case(look.words, rng), rng)
    height = crop.height.draw_log(rng)
    word = set_word(text, style, size_above(height / ink_height(text, style)))
    placed, size = _cut(word, crop, height, rng)
    family = look.backgrounds[int(rng.random() * len(look.backgrounds))]
    image = paint_background(family, draw_palette(look.colours, rng), rng, size[1], size[0])
    words = [placed]
    if rng.random() < crop.neighbour:
        words.append(_neighbour(look, placed, rng))
    paint_words(image, words, look.colours, rng)
    image = photograph(image, look.camera, rng)
    return Word(image, text, key, characters=placed.character_quads())


def _cut(word: SetWord, crop: Crop, height: float, rng: np.random.Generator) -> tuple[PlacedWord, tuple[int, int]]:
    """Place a word of the given height in a crop that follows its outline, and the crop's width and height."""
    left, top, right, bottom = word.box
    half = (right - left) * height / word.height * word.style.width / 2, height / 2
    tilt = crop.perspective.draw(rng) * height
    tilts = rng.random((4, 2)) - 0.5
    angle = np.radians(crop.rotation.draw(rng))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    quad = ((CORNERS * half + tilt * tilts) @ turn).astype(np.float32)
    upright = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    placed = PlacedWord(word, cv2.getPerspectiveTransform(upright, quad))
    x0, y0, x1, y1 = placed.bounds()
    margins = [crop.margin.draw(rng) * height for _ in range(4)]
    x0, y0, x1, y1 = x0 - margins[0], y0 - margins[1], x1 + margins[2], y1 + margins[3]
    placed.matrix = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]]) @ placed.matrix
    return placed, (max(math.ceil(x1 - x0), 4), max(math.ceil(y1 - y0), 4))


def _neighbour(look: Look, placed: PlacedWord, rng: np.random.Generator) -> PlacedWord:
    """Another word in the same style on one side of the first, close enough for the margin to cut through it."""
    word = placed.word
    other = set_word(drawable_text(look, word.style.face, draw_case(look.words, rng), rng), word.style, word.size)
    left, top, right, bottom = word.box
    other_left, other_top, other_right, other_bottom = other.box
    gap = 0.12 * word.height
    side = int(rng.random() * 4)
    sideways = (rng.random() - 0.5) * word.height
    shifts = (
        (right + gap - other_left, 0.0),
        (left - gap - other_right, 0.0),
        (sideways, bottom + gap - other_top),
        (sideways, top - gap - other_bottom),
    )
    shift = np.eye(3)
    shift[:2, 2] = shifts[side]
    # Far from a short word its perspective runs over the horizon: the neighbour keeps only what is affine.
    flat = placed.matrix / placed.matrix[2, 2]
    flat[2, :2] = 0
    return PlacedWord(other, flat @ shift)
