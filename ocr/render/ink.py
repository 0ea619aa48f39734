"""Letters as coverage masks: a word's glyphs set on a baseline or in a column, thickened, and warped into the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.charset import clusters
from ocr.geometry import Matrix, transform
from ocr.render.bend import FINE_STEPS, Bend, edge, frames_around
from ocr.render.binding import Ahead, Chance, Uniform
from ocr.render.fonts import SIZES, Face, Glyph
from ocr.render.look import Letters
from ocr.types import Points, Quads

Mask = NDArray[np.uint8]
"""Coverage 0..255, height x width."""

SOFT_EDGE = 0.4
"""By how much warping blurs the edge of ink, in pixels of the kept size."""

_HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
_CORNERS = np.array([0, 1, 2, 1, 2, 3, 0, 3])
"""Of a box (left, top, right, bottom): the coordinates of its corners, clockwise from the top left."""


@dataclass(slots=True)
class Style:
    """How the letters of one block are drawn.

    ``slant`` is a shear (tangent), ``width`` a factor; ``spacing``, ``bold``, ``outline`` and ``shadow`` are in em; ``gradient`` is the
    difference between top and bottom of a letter in grey levels; ``worn`` the share of ink that has flaked off.  ``texture`` is the
    depth of a pattern in the letters in grey levels, ``emboss`` the width of lit edges in em, ``neon`` that of a glow; ``dots`` the
    distance of the dots that letters are made of, in em; ``thermal`` the share of ink that a worn print head leaves out.
    """

    face: Face
    width: float
    slant: float
    spacing: float
    bold: float
    outline: float
    shadow: float
    shadow_angle: float
    gradient: float
    worn: float
    texture: float = 0.0
    emboss: float = 0.0
    neon: float = 0.0
    dots: float = 0.0
    thermal: float = 0.0

    @property
    def extra_ink(self) -> float:
        """How far ink reaches beyond the glyphs of the face, in em: synthetic weight and outline.  A shadow is not ink."""
        return self.bold + self.outline


def draw_style(letters: Letters, face: Face, rng: np.random.Generator) -> Style:
    """A style within the look's ranges."""
    # Thickening closes the counters of letters that are bold already.
    room = max(0.0, min(1.0, (900 - face.spec.weight) / 500))
    later = (letters.texture, letters.emboss, letters.neon, letters.dots, letters.thermal)
    ahead = Ahead(rng, 16 + 2 * (5 - later.count(None)))
    return Style(
        face=face,
        width=letters.width.draw_log(ahead),
        slant=letters.slant.draw(ahead) or 0.0,
        spacing=letters.spacing.draw(ahead) or 0.0,
        bold=(letters.bold.draw(ahead) or 0.0) * room,
        outline=letters.outline.draw(ahead) or 0.0,
        shadow=letters.shadow.draw(ahead) or 0.0,
        shadow_angle=ahead.random() * 2 * math.pi,
        gradient=letters.gradient.draw(ahead) or 0.0,
        worn=letters.worn.draw(ahead) or 0.0,
        texture=drawn(letters.texture, ahead),
        emboss=drawn(letters.emboss, ahead),
        neon=drawn(letters.neon, ahead),
        dots=drawn(letters.dots, ahead),
        thermal=drawn(letters.thermal, ahead),
    )


def drawn(chance: Chance | None, rng: Uniform) -> float:
    """The strength of an effect, 0 where it does not occur; an effect that the look does not have takes no draw."""
    return 0.0 if chance is None else chance.draw(rng) or 0.0


@dataclass(slots=True)
class SetWord:
    """A word set in a face at one of the kept sizes; with ``vertical`` from top to bottom.

    ``units`` are its characters (grapheme clusters) but spaces, ``pens`` their pen positions (x, y) in pixels of that size and
    ``glyphs`` their ink.  ``boxes`` (n x 4: left, top, right, bottom) are the character boxes relative to the start of the baseline
    (vertical: to the top centre of the column): as high as the word's ink, and as wide as the character's ink widened to half
    the gap towards each neighbour; the outer sides of a word are its ink.  In a vertical word width and height change places.
    Ink counts :data:`SOFT_EDGE` more on every side.
    """

    text: str
    style: Style
    size: int
    units: list[str]
    pens: list[tuple[int, int]]
    glyphs: list[Glyph]
    boxes: NDArray[np.float64]
    box: tuple[float, float, float, float]
    vertical: bool = False

    @property
    def height(self) -> float:
        """Height of the word's ink in pixels of its size; of a vertical word, the width of its column."""
        return self.box[2] - self.box[0] if self.vertical else self.box[3] - self.box[1]

    @property
    def leaning_box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the word with its slant."""
        left, top, right, bottom = self.box
        leans = -self.style.slant * top, -self.style.slant * bottom
        return left + min(leans), top, right + max(leans), bottom


def size_above(pixels: float, sizes: tuple[int, ...] = SIZES) -> int:
    """The smallest kept size that is not below ``pixels``, or the largest."""
    return next((s for s in sizes if s >= pixels), sizes[-1])


def ink_height(text: str, style: Style, size: int = SIZES[-1], vertical: bool = False) -> float:
    """About the height of a word's ink (of a vertical one: its width), in em: hinting makes every size a little different.

    ``size`` is the one whose glyphs are measured.
    """
    if vertical:
        uprights = [style.face.upright(c, size) for c in clusters(text) if not c.isspace()]
        left, right = min(g.left for g in uprights), max(g.left + g.mask.shape[1] for g in uprights)
        return (right - left) / size + 2 * style.extra_ink
    top, bottom = 1 << 30, -(1 << 30)
    for character in clusters(text):
        if not character.isspace():
            glyph = style.face.glyph(character, size)
            above, below = glyph.top, glyph.top + len(glyph.mask)
            if above < top:
                top = above
            if below > bottom:
                bottom = below
    return (bottom - top) / size + 2 * style.extra_ink


def set_word(text: str, style: Style, size: int, vertical: bool = False) -> SetWord:
    """Place the glyphs of a text on a baseline, with kerning and letter spacing, or below one another in a column."""
    face = style.face
    spacing = style.spacing * size
    reach = _reach(style, size)
    units: list[str] = []
    glyphs: list[Glyph] = []
    pens: list[tuple[int, int]] = []
    starts: list[float] = []
    ends: list[float] = []
    low, high = 1e9, -1e9
    pen = 0.0
    before = ""
    for unit in clusters(text):
        if before:
            pen += spacing if vertical else face.kerning(before, unit) * size + spacing
        advance = (face.depth(unit) if vertical else face.advance(unit)) * size
        before = unit
        if unit.isspace():
            pen += advance
            continue
        glyph = face.upright(unit, size) if vertical else face.glyph(unit, size)
        height, width = glyph.mask.shape
        place = round(pen)
        units.append(unit)
        glyphs.append(glyph)
        if vertical:
            along, length, across, breadth = glyph.top, height, glyph.left, width
            pens.append((0, place))
        else:
            along, length, across, breadth = glyph.left, width, glyph.top, height
            pens.append((place, 0))
        starts.append(place + along - reach)
        ends.append(place + along + length + reach)
        if across < low:
            low = across
        if across + breadth > high:
            high = across + breadth
        pen += advance
    low, high = low - reach, high + reach
    first, last = min(starts), max(ends)
    for i in range(len(units) - 1):
        middle = (ends[i] + starts[i + 1]) / 2
        if middle > ends[i]:
            ends[i] = middle
        if middle < starts[i + 1]:
            starts[i + 1] = middle
    if vertical:
        boxes = np.array([(low, a, high, b) for a, b in zip(starts, ends, strict=True)])
        return SetWord(text, style, size, units, pens, glyphs, boxes, (low, first, high, last), True)
    boxes = np.array([(a, low, b, high) for a, b in zip(starts, ends, strict=True)])
    return SetWord(text, style, size, units, pens, glyphs, boxes, (first, low, last, high))


def _reach(style: Style, size: int) -> float:
    """How far a character's box reaches beyond its glyph, in pixels of the kept size."""
    grown = style.extra_ink * size
    if style.face.kin is None or grown <= 0.02:
        return grown_by(grown) + SOFT_EDGE
    # Of thin letters at small sizes, more than 1 % of the ink lies in the last, partly covered pixel.
    return math.ceil(grown) + SOFT_EDGE


def word_mask(word: SetWord, only: int | None = None, outlined: bool = False) -> tuple[Mask, int, int]:
    """A word's coverage at its size, and where the mask's top-left corner lies relative to the start of the baseline (x, y).

    ``only`` draws a single character in its place; ``outlined`` adds the outline's width to the ink.
    """
    style = word.style
    reach = style.extra_ink * word.size
    pad = 1 + math.ceil(reach)
    left, top, right, bottom = word.box
    x0, y0 = math.floor(left) - pad, math.floor(top) - pad
    mask = np.zeros((math.ceil(bottom) + pad - y0, math.ceil(right) + pad - x0), np.uint8)
    right, bottom = 0, 0
    for i, (glyph, (pen_x, pen_y)) in enumerate(zip(word.glyphs, word.pens, strict=True)):
        if only is not None and i != only:
            continue
        y, x = pen_y + glyph.top - y0, pen_x + glyph.left - x0
        h, w = glyph.mask.shape
        window = mask[y : y + h, x : x + w]
        if x >= right or y >= bottom:
            window[...] = glyph.mask
        else:
            cv2.max(window, glyph.mask, window)
        right, bottom = max(right, x + w), max(bottom, y + h)
    mask = thicken(mask, reach if outlined else style.bold * word.size)
    if style.dots and not outlined:
        mask = cv2.min(mask, _dot_pattern(max(3, round(style.dots * word.size)), *mask.shape))
    return mask, x0, y0


@lru_cache(maxsize=8)
def _dot_tile(period: int) -> Mask:
    """Round dots, 1024 x 2048 pixels: what the lamps of a display or the needles of a printer can show."""
    place = (np.arange(period) + 0.5) / period - 0.5
    far = np.hypot(place[:, None], place[None, :]) * 2
    dot = np.clip((0.95 - far) * period / 2 + 0.5, 0, 1) * 255
    return np.tile(dot.astype(np.uint8), (1024 // period + 1, 2048 // period + 1))


def _dot_pattern(period: int, height: int, width: int) -> Mask:
    tile = _dot_tile(period)
    if height > tile.shape[0] or width > tile.shape[1]:
        tile = np.tile(tile[:period, :period], (height // period + 1, width // period + 1))
    return tile[:height, :width]


def thicken(mask: Mask, radius: float) -> Mask:
    """Grow coverage by a radius in pixels; a fraction of a pixel grows by that fraction of coverage."""
    if radius <= 0.02:
        return mask
    whole = int(radius)
    if whole:
        mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * whole + 1, 2 * whole + 1)))
    rest = radius - whole
    if rest > 0.02:
        grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
        mask = cv2.addWeighted(grown, rest, mask, 1 - rest, 0)
    return mask


def grown_by(radius: float) -> float:
    """How far :func:`thicken` moves the edge that holds 99 % of ink: fractions of a pixel reach farther than their weight."""
    whole = int(radius)
    return whole + math.sqrt(radius - whole) if radius > 0.02 else 0.0


def shear(slant: float) -> Matrix:
    """Lean to the right by a tangent, about the baseline."""
    return np.array([[1.0, -slant, 0], [0, 1, 0], [0, 0, 1]])


@dataclass(slots=True)
class PlacedWord:
    """A set word with the homography that takes it (baseline coordinates) into the picture.

    With ``bend``, the word stands at ``origin`` in the plane that is bent before the homography.
    """

    word: SetWord
    matrix: Matrix
    ignore: bool = False
    bend: Bend | None = None
    origin: tuple[float, float] = (0.0, 0.0)

    def character_quads(self) -> Quads:
        """One quad per character in the picture's pixels, clockwise from the top left, leaning with the letters.

        On a bent line a quad is the rectangle around the bent character box in the line's direction there.
        """
        if self.bend is not None:
            boxes = np.array([self._in_plane(box) for box in self.word.boxes.tolist()])
            return transform(self.matrix, frames_around(self.bend, boxes))
        corners = self.word.boxes.take(_CORNERS, axis=1).reshape(-1, 4, 2)
        slant = self.word.style.slant
        return transform(self.matrix.dot(shear(slant)) if slant else self.matrix, corners)

    def polygon(self) -> Points:
        """The word's quad: the rectangle around its character quads, upright in the frame of its line; a bent word has 18 points."""
        left, top, right, bottom = self.word.leaning_box
        if self.bend is not None:
            x, y = self.origin
            outline = edge((x + left, y + top, x + right, y + bottom))
            return transform(self.matrix, np.stack(self.bend.forward(outline[:, 0], outline[:, 1]), 1))
        return transform(self.matrix, np.array([[left, top], [right, top], [right, bottom], [left, bottom]]))

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the polygon."""
        if self.bend is not None:
            points = self.polygon()
            (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
            return left, top, right, bottom
        return bounds(self.matrix, self.word.leaning_box)

    def _in_plane(self, box: list[float]) -> tuple[float, float, float, float]:
        """A character's box in the plane that is bent, lean included."""
        left, top, right, bottom = box
        leans = -self.word.style.slant * top, -self.word.style.slant * bottom
        x, y = self.origin
        return x + left + min(leans), y + top, x + right + max(leans), y + bottom

    def shifted(self, x: float, y: float) -> PlacedWord:
        """The word moved in its own plane, in pixels of its size."""
        if self.bend is not None:
            return PlacedWord(self.word, self.matrix, self.ignore, self.bend, (self.origin[0] + x, self.origin[1] + y))
        shift = np.eye(3)
        shift[:2, 2] = x, y
        return PlacedWord(self.word, self.matrix @ shift, self.ignore)


@dataclass(slots=True)
class Coverage:
    """Coverage 0..255 of a window of the picture whose top-left pixel is (x, y)."""

    alpha: Mask
    x: int
    y: int


def cover(
    placed: PlacedWord, shape: tuple[int, int], only: int | None = None, outlined: bool = False
) -> Coverage | None:
    """Warp a word (or its character ``only``) into its window of a picture of the given height and width.

    None when the window lies outside the picture.
    """
    mask, x0, y0 = word_mask(placed.word, only, outlined)
    if placed.bend is not None:
        return _warp_bent(mask, x0, y0, placed, placed.bend, shape)
    # Shear about the baseline after moving the mask's corner to (x0, y0).
    slant = placed.word.style.slant
    to_picture = placed.matrix.dot(np.array([[1.0, -slant, x0 - slant * y0], [0, 1, y0], [0, 0, 1]]))
    return warp(mask, to_picture, shape)


def warp(mask: Mask, to_picture: Matrix, shape: tuple[int, int], margin: int = 1) -> Coverage | None:
    """Warp a mask by a homography of continuous coordinates, touching only the window it covers."""
    left, top, right, bottom = bounds(to_picture, (0, 0, mask.shape[1], mask.shape[0]))
    left, top = max(int(left) - margin, 0), max(int(top) - margin, 0)
    right, bottom = min(int(right) + 1 + margin, shape[1]), min(int(bottom) + 1 + margin, shape[0])
    if left >= right or top >= bottom:
        return None
    to_window = np.array([[1, 0, -0.5 - left], [0, 1, -0.5 - top], [0, 0, 1]]).dot(to_picture).dot(_HALF)
    size = (right - left, bottom - top)
    if abs(to_window[2, 0]) + abs(to_window[2, 1]) < 1e-12:
        alpha = cv2.warpAffine(mask, to_window[:2] / to_window[2, 2], size, flags=cv2.INTER_LINEAR)
    else:
        alpha = cv2.warpPerspective(mask, to_window, size, flags=cv2.INTER_LINEAR)
    return Coverage(alpha, left, top)


def _warp_bent(mask: Mask, x0: int, y0: int, placed: PlacedWord, bend: Bend, shape: tuple[int, int]) -> Coverage | None:
    """Sample a mask whose corner lies at (x0, y0) of its word once, through the homography, the bend and the slant."""
    slant, (x, y) = placed.word.style.slant, placed.origin
    (height, width), leans = mask.shape, (-slant * y0, -slant * (y0 + len(mask)))
    # So many points that the arc between two of them reaches less than a pixel beyond their chord.
    outline = edge((x + x0 + min(leans), y + y0, x + x0 + width + max(leans), y + y0 + height), FINE_STEPS)
    points = transform(placed.matrix, np.stack(bend.forward(outline[:, 0], outline[:, 1]), 1))
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    left, top = max(int(left) - 2, 0), max(int(top) - 2, 0)
    right, bottom = min(int(right) + 3, shape[1]), min(int(bottom) + 3, shape[0])
    if left >= right or top >= bottom:
        return None
    a, b, c, d, e, f, g, h, i = np.linalg.inv(placed.matrix).ravel().tolist()
    across = np.arange(left, right, dtype=np.float32)[None, :] + np.float32(0.5)
    down = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5)
    scale = 1 / (g * across + h * down + i)
    u, v = bend.inverse((a * across + b * down + c) * scale, (d * across + e * down + f) * scale)
    v -= y
    u = u - x + slant * v
    grid = (u - (x0 + 0.5)).astype(np.float32, copy=False), (v - (y0 + 0.5)).astype(np.float32, copy=False)
    return Coverage(cv2.remap(mask, *grid, cv2.INTER_LINEAR), left, top)


def bounds(matrix: Matrix, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a rectangle after a homography, in plain numbers: arrays of four are slow."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    left, top, right, bottom = box
    gl, gr, ht, hb = g * left, g * right, h * top, h * bottom
    one, two, three, four = gl + ht + i, gr + ht + i, gr + hb + i, gl + hb + i
    al, ar, bt, bb = a * left, a * right, b * top, b * bottom
    xs = (al + bt + c) / one, (ar + bt + c) / two, (ar + bb + c) / three, (al + bb + c) / four
    dl, dr, et, eb = d * left, d * right, e * top, e * bottom
    ys = (dl + et + f) / one, (dr + et + f) / two, (dr + eb + f) / three, (dl + eb + f) / four
    return min(xs), min(ys), max(xs), max(ys)
