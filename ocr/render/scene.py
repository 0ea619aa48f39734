"""Pictures of text in a scene: background, shapes, blocks of text, camera; with a quad for every character."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocr.geometry import quad_angle
from ocr.render.backdrop import draw_backdrop
from ocr.render.background import Colour, draw_colour, draw_palette, luma_of, paint_background, with_luma
from ocr.render.binding import Ahead
from ocr.render.camera import photograph
from ocr.render.distractors import SIZES as DISTRACTOR_SIZES
from ocr.render.distractors import draw_distractor
from ocr.render.ink import Coverage, PlacedWord, drawn
from ocr.render.layout import CORNERS, Page, PlacedBlock, fill_page
from ocr.render.look import Colours, Look
from ocr.render.paint import ink_contrast, paint_word
from ocr.render.texts import script_of
from ocr.render.writing import Demand
from ocr.types import Direction, Image, Points, Quads, Scene, SceneWord

_PLACES = 4
"""How many places are tried for one distractor."""


@dataclass(slots=True)
class RenderedScene:
    """A scene with the texts of its blocks, in the order of ``scene.words``: lines separated by newlines."""

    scene: Scene
    blocks: list[str]


def render_scene(look: Look, rng: np.random.Generator, height: int, width: int, key: str = "rendered/0") -> Scene:
    """A picture of ``height`` x ``width`` pixels with its words; the same generator state gives the same bytes.

    Character quads are as high as their word's ink, and as wide as the character's ink widened to half of the gap towards each
    neighbour; with a slant they lean like the letters.  A word's polygon is the rectangle around its characters in the frame of its line.
    Ink is the letter with its synthetic weight and outline, without its shadow.
    """
    return render_blocks(look, rng, height, width, key).scene


def render_blocks(
    look: Look,
    rng: np.random.Generator,
    height: int,
    width: int,
    key: str = "rendered/0",
    demand: Demand | None = None,
) -> RenderedScene:
    """Like :func:`render_scene`, with the grouping of words into blocks kept."""
    if look.language is not None:
        image = draw_backdrop(look, rng, height, width)
    else:
        family = look.backgrounds[int(rng.random() * len(look.backgrounds))]
        image = paint_background(family, draw_palette(look.colours, rng), rng, height, width)
    page = Page(height, width)
    blocks = fill_page(look, page, rng, demand)
    _scatter_distractors(image, page, look, rng)
    words: list[SceneWord] = []
    lines: list[Points] = []
    painted: list[Coverage | None] = []
    for block in blocks:
        placed = block.words()
        if rng.random() < look.layout.panel:
            _paint_panel(image, block, look.colours, rng)
        painted += paint_words(image, placed, look.colours, rng)
        words += [_labelled(word, look) for word in placed]
        lines += block.line_polygons()
    image = photograph(image, look.camera, rng)
    if look.layout.legible:
        for word, letters in zip(words, painted, strict=True):
            word.ignore = word.ignore or ink_contrast(image, letters) < look.layout.legible
    return RenderedScene(Scene(np.ascontiguousarray(image), words, key, "char", lines), [b.text() for b in blocks])


def _scatter_distractors(image: Image, page: Page, look: Look, rng: np.random.Generator) -> None:
    """Draw shapes under the text yet to come, most of them beside it."""
    for _ in range(look.layout.distractors.draw_int(rng)):
        size = DISTRACTOR_SIZES.draw_log(rng) * min(page.height, page.width)
        for _ in range(_PLACES):
            place = rng.random(2) * (page.width, page.height)
            if page.free(place + CORNERS * size):
                draw_distractor(image, place, size, look.colours.contrast.draw(rng), rng)
                break


def _labelled(placed: PlacedWord, look: Look) -> SceneWord:
    text, polygon, quads = placed.word.text, placed.polygon(), placed.character_quads()
    script = "Latin" if look.language is None else script_of(text, look.language)
    return SceneWord(polygon, text, placed.ignore, quads, script, _direction(placed, quads))


def _direction(placed: PlacedWord, quads: Quads) -> Direction:
    if placed.word.vertical:
        return "stacked"
    return "rotated" if abs(quad_angle(quads[len(quads) // 2])) > 45 else "horizontal"


def _paint_panel(image: Image, block: PlacedBlock, colours: Colours, rng: np.random.Generator) -> None:
    """A sign board behind a block, sometimes with a frame."""
    tint = colours.background[int(rng.random() * len(colours.background))]
    colour = tuple(int(v) for v in draw_colour(tint, rng))
    corners = np.round(block.corners * 16 - 8).astype(np.int32)
    cv2.fillConvexPoly(image, corners, colour, cv2.LINE_AA, 4)
    if rng.random() < 0.4:
        frame = tuple(int(v) for v in draw_colour(tint, rng))
        cv2.polylines(image, [corners], True, frame, 1, cv2.LINE_AA, 4)


def paint_words(
    image: Image, words: list[PlacedWord], colours: Colours, rng: np.random.Generator
) -> list[Coverage | None]:
    """Draw words that share a style in one colour that stands out from the background behind every one of them.

    Returns where the letters of each word are.
    """
    fill = letter_colour(image, [w.bounds() for w in words], colours, rng)
    edge = with_luma(fill, 0 if luma_of(fill) > 128 else 255) if words[0].word.style.outline else fill
    return [paint_word(image, word, fill, edge, rng) for word in words]


def letter_colour(
    image: Image, boxes: list[tuple[float, float, float, float]], colours: Colours, rng: np.random.Generator
) -> Colour:
    """A colour for letters at least the drawn contrast lighter or darker than the mean behind every word.

    ``boxes`` are left, top, right and bottom of each word.  The contrast is raised to 2.5 standard deviations of what lies behind (of faint
    letters, 1.2), so that texture does not drown the letters; where even black and white are too close, the farther of the two is taken.
    """
    ahead = Ahead(rng, 5 if colours.faint is None else 7)
    base = draw_colour(colours.text[int(ahead.random() * len(colours.text))], ahead)
    wanted, factor = colours.contrast.draw(ahead), 2.5
    faint = drawn(colours.faint, ahead)
    if faint:
        wanted, factor = faint, 1.2
    lumas, rough = [], 0.0
    for left, top, right, bottom in boxes:
        window = image[max(int(top), 0) : max(int(bottom) + 1, 0), max(int(left), 0) : max(int(right) + 1, 0)]
        if not window.size:
            continue
        mean, deviation = cv2.meanStdDev(window)
        lumas.append(luma_of(mean[:, 0]))
        rough = max(rough, luma_of(deviation[:, 0]))
    wanted = max(wanted, factor * rough)
    darker, lighter = min(lumas) - wanted, max(lumas) + wanted
    if darker < 0 and lighter > 255:
        target = 0.0 if min(lumas) > 255 - max(lumas) else 255.0
    elif darker < 0 or lighter > 255:
        target = lighter if darker < 0 else darker
    else:
        target = lighter if rng.random() < 0.5 else darker
    return with_luma(base, target)
