"""Crops of single words, as a detector or an annotator would cut them out of a scene."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from ocr.render.backdrop import draw_backdrop
from ocr.render.background import draw_palette, paint_background
from ocr.render.bend import Bend, Wave, arc_over, bent_box
from ocr.render.binding import Ahead
from ocr.render.camera import photograph
from ocr.render.ink import Coverage, PlacedWord, SetWord, Style, draw_style, drawn, ink_height, set_word, size_above
from ocr.render.layout import CORNERS
from ocr.render.look import Crop, Letters, Look
from ocr.render.paint import ink_contrast
from ocr.render.plate import paint_plate
from ocr.render.scene import paint_words
from ocr.render.texts import script_of
from ocr.render.writing import (
    Demand,
    Writing,
    draw_case_of,
    draw_face_of,
    draw_writing,
    drawable_text,
    measuring_size,
    sizes_of,
)
from ocr.types import Direction, Image, Word

SHARP_FROM = 30
"""Height of the text's ink in pixels from which on blur has the stated strength; it is less for smaller text."""
_TRIES = 10


def render_word(look: Look, rng: np.random.Generator, key: str = "rendered/0", demand: Demand | None = None) -> Word:
    """A crop with one text and its character quads; the same generator state gives the same bytes.

    The text is turned, tilted and bent a little and cut out along its upright bounding box with the look's margins; now and then
    the crop shows a piece of a neighbouring word.  Its direction is ``stacked`` when it runs from top to bottom.

    A crop that has become illegible (see :class:`ocr.render.look.Crop`) gives way to the next one that the generator makes; it is
    counted in ``demand.replaced``.

    Raises:
        ValueError: the look's fonts cannot write its texts, or ten crops in a row are illegible.
    """
    demand = demand or Demand()
    for _ in range(_TRIES):
        word, letters = _render(look, rng, key, demand)
        if not look.crop.legible or ink_contrast(word.image, letters) >= look.crop.legible:
            return word
        demand.replaced["illegible"] += 1
    raise ValueError(
        f"look {look.name!r}: {_TRIES} crops in a row are illegible: raise colours.contrast, or lower crop.legible"
    )


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A text in a crop of ``width`` x ``height`` pixels, before anything is painted; its ink is ``ink_height`` pixels high."""

    placed: PlacedWord
    width: int
    height: int
    ink_height: float
    writing: Writing


def place_text(look: Look, rng: np.random.Generator, demand: Demand | None = None) -> PlacedText:
    """What :func:`render_word` writes, and where."""
    if look.language is None:
        writing, style, text = _write_first(look, rng)
    else:
        writing, text = draw_writing(look, rng, demand, spaces=True)
        style = draw_style(look.letters, writing.face, rng)
    height = look.crop.height.draw_log(rng)
    em = ink_height(text, style, measuring_size(look), writing.vertical)
    word = set_word(text, style, size_above(height / em, sizes_of(look)), writing.vertical)
    placed, size = _cut(word, look.crop, height, draw_bend(look.letters, word, rng), rng)
    return PlacedText(placed, *size, height, writing)


def _render(look: Look, rng: np.random.Generator, key: str, demand: Demand) -> tuple[Word, Coverage | None]:
    crop, text = look.crop, place_text(look, rng, demand)
    placed, word = text.placed, text.placed.word
    image = _background(look, rng, (text.width, text.height))
    words = [placed]
    if rng.random() < crop.neighbour:
        neighbour = _neighbour(look, text.writing, placed, rng)
        words += [neighbour] if neighbour is not None else []
    if crop.plate and rng.random() < crop.plate:
        paint_plate(image, placed, look.colours, rng)
    letters = paint_words(image, words, look.colours, rng)[0]
    sharpness = min(1.0, text.ink_height / SHARP_FROM) if look.language is not None else 1.0
    image = photograph(image, look.camera, rng, sharpness)
    script = "Latin" if look.language is None else script_of(word.text, look.language)
    direction: Direction = "stacked" if word.vertical else "horizontal"
    return Word(image, word.text, key, script, direction, placed.character_quads()), letters


def _write_first(look: Look, rng: np.random.Generator) -> tuple[Writing, Style, str]:
    """The first renderer drew the style between the face and the case."""
    face = draw_face_of(look, rng)
    style = draw_style(look.letters, face, rng)
    writing = Writing(face, draw_case_of(look, rng))
    text = drawable_text(look, writing, rng)
    if text is None:
        raise ValueError(
            f"font {face.spec.path} lacks glyphs for 100 texts in a row: take {face.spec.family} out of the look's fonts"
        )
    return writing, style, text


def _background(look: Look, rng: np.random.Generator, size: tuple[int, int]) -> Image:
    if look.language is not None:
        return draw_backdrop(look, rng, size[1], size[0])
    family = look.backgrounds[int(rng.random() * len(look.backgrounds))]
    return paint_background(family, draw_palette(look.colours, rng), rng, size[1], size[0])


def draw_bend(letters: Letters, word: SetWord, rng: np.random.Generator) -> Bend | None:
    """An arc or a wave for a horizontal word, or None; at most one of the two."""
    ahead = Ahead(rng, 4 - 2 * (letters.arc, letters.wave).count(None))
    arc, wave = drawn(letters.arc, ahead), drawn(letters.wave, ahead)
    if word.vertical or len(word.units) < 3:
        return None
    if arc:
        return arc_over(word.leaning_box, arc)
    if wave:
        width = word.box[2] - word.box[0]
        return Wave(wave * word.size, width * (0.6 + 0.9 * rng.random()), float(rng.random() * 2 * np.pi))
    return None


def _cut(
    word: SetWord, crop: Crop, height: float, bend: Bend | None, rng: np.random.Generator
) -> tuple[PlacedWord, tuple[int, int]]:
    """Place a word of the given height in a crop that follows its outline, and the crop's width and height."""
    left, top, right, bottom = word.box if bend is None else bent_box(bend, word.leaning_box)
    if word.vertical or bend is not None:
        scale = height / word.height
        half = (right - left) * scale * word.style.width / 2, (bottom - top) * scale / 2
    else:
        half = (right - left) * height / word.height * word.style.width / 2, height / 2
    tilt = crop.perspective.draw(rng) * height
    tilts = rng.random((4, 2)) - 0.5
    ahead = Ahead(rng, 5)
    angle = math.radians(crop.rotation.draw(ahead))
    sine, cosine = float(np.sin(angle)), float(np.cos(angle))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    quad = (CORNERS * half + tilt * tilts).dot(turn).astype(np.float32)
    upright = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    placed = PlacedWord(word, cv2.getPerspectiveTransform(upright, quad), bend=bend)
    x0, y0, x1, y1 = placed.bounds()
    margins = [crop.margin.draw(ahead) * height for _ in range(4)]
    x0, y0, x1, y1 = x0 - margins[0], y0 - margins[1], x1 + margins[2], y1 + margins[3]
    placed.matrix = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]]).dot(placed.matrix)
    return placed, (max(math.ceil(x1 - x0), 4), max(math.ceil(y1 - y0), 4))


def _neighbour(look: Look, writing: Writing, placed: PlacedWord, rng: np.random.Generator) -> PlacedWord | None:
    """Another word in the same style on one side of the first, close enough for the margin to cut through it."""
    word = placed.word
    if look.language is None:
        writing = Writing(writing.face, draw_case_of(look, rng))
    text = drawable_text(look, writing, rng)
    if text is None:
        return None
    other = set_word(text, word.style, word.size, word.vertical)
    left, top, right, bottom = word.box if placed.bend is None else bent_box(placed.bend, word.leaning_box)
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
    if word.vertical:
        shifts = (
            (right + gap - other_left, sideways),
            (left - gap - other_right, sideways),
            (0.0, shifts[2][1]),
            (0.0, shifts[3][1]),
        )
    shift = np.eye(3)
    shift[:2, 2] = shifts[side]
    # Far from a short word its perspective runs over the horizon: the neighbour keeps only what is affine.
    flat = placed.matrix / placed.matrix[2, 2]
    flat[2, :2] = 0
    return PlacedWord(other, flat.dot(shift))
