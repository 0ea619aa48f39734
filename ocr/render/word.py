"""Crops of single words, as a detector or an annotator would cut them out of a scene."""

from __future__ import annotations

import numpy as np

from ocr.geometry import homography, rectangle
from ocr.render.background import draw_palette, paint_background
from ocr.render.camera import photograph
from ocr.render.fonts import draw_face
from ocr.render.ink import PlacedWord, draw_style, ink_height, set_word, size_above
from ocr.render.layout import drawable_text
from ocr.render.look import Look
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
    scale = height / word.height
    left, top, right, bottom = word.box
    quad = rectangle((right - left) * scale * style.width, height).astype(np.float64)
    quad += crop.perspective.draw(rng) * height * (rng.random((4, 2)) - 0.5)
    angle = np.radians(crop.rotation.draw(rng))
    quad = quad @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    margins = np.array([crop.margin.draw(rng) for _ in range(4)]) * height
    placed = PlacedWord(
        word,
        homography(
            np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32), quad.astype(np.float32)
        ),
    )
    low = placed.polygon().min(0) - margins[:2]
    size = np.maximum(np.ceil(placed.polygon().max(0) + margins[2:] - low), 4).astype(int)
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]])
    placed.matrix = shift @ placed.matrix
    family = look.backgrounds[int(rng.random() * len(look.backgrounds))]
    image = paint_background(family, draw_palette(look.colours, rng), rng, int(size[1]), int(size[0]))
    words = [placed]
    if rng.random() < crop.neighbour:
        words.append(_neighbour(look, placed, rng))
    paint_words(image, words, look.colours, rng)
    image = photograph(image, look.camera, rng)
    return Word(np.ascontiguousarray(image), text, key, characters=placed.character_quads())


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
    return PlacedWord(other, placed.matrix @ shift)
