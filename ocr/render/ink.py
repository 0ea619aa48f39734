"""Letters as coverage masks: a word's glyphs set on a baseline, thickened, warped into the picture and blended with it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.geometry import Matrix, transform
from ocr.render.fonts import SIZES, Face
from ocr.render.look import Letters
from ocr.types import Image, Points, Quads

Mask = NDArray[np.uint8]
"""Coverage 0..255, height x width."""

SOFT_EDGE = 0.4
"""By how much warping blurs the edge of ink, in pixels of the kept size."""

_HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])


@dataclass(frozen=True, slots=True)
class Style:
    """How the letters of one block are drawn.

    ``slant`` is a shear (tangent), ``width`` a factor; ``spacing``, ``bold``, ``outline`` and ``shadow`` are in em; ``gradient`` is the
    difference between top and bottom of a letter in grey levels; ``worn`` the share of ink that has flaked off.
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

    @property
    def extra_ink(self) -> float:
        """How far ink reaches beyond the glyphs of the face, in em: synthetic weight and outline.  A shadow is not ink."""
        return self.bold + self.outline


def draw_style(letters: Letters, face: Face, rng: np.random.Generator) -> Style:
    """A style within the look's ranges."""
    # Thickening closes the counters of letters that are bold already.
    room = max(0.0, min(1.0, (900 - face.spec.weight) / 500))
    return Style(
        face=face,
        width=letters.width.draw_log(rng),
        slant=letters.slant.draw(rng) or 0.0,
        spacing=letters.spacing.draw(rng) or 0.0,
        bold=(letters.bold.draw(rng) or 0.0) * room,
        outline=letters.outline.draw(rng) or 0.0,
        shadow=letters.shadow.draw(rng) or 0.0,
        shadow_angle=float(rng.random() * 2 * np.pi),
        gradient=letters.gradient.draw(rng) or 0.0,
        worn=letters.worn.draw(rng) or 0.0,
    )


@dataclass(slots=True)
class SetWord:
    """A word set in a face at one of the kept sizes.

    ``pens`` are the horizontal pen positions in pixels of that size.  ``boxes`` (n x 4: left, top, right, bottom) are the
    character boxes relative to the start of the baseline: as high as the word's ink, and as wide as the character's ink widened
    to half the gap towards each neighbour; the outer sides of a word are its ink.  Ink counts :data:`SOFT_EDGE` more on every side.
    """

    text: str
    style: Style
    size: int
    pens: list[int]
    boxes: NDArray[np.float64]
    box: tuple[float, float, float, float]

    @property
    def height(self) -> float:
        """Height of the word's ink in pixels of its size."""
        return self.box[3] - self.box[1]

    @property
    def leaning_box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the word with its slant."""
        left, top, right, bottom = self.box
        leans = -self.style.slant * top, -self.style.slant * bottom
        return left + min(leans), top, right + max(leans), bottom


def size_above(pixels: float) -> int:
    """The smallest kept size that is not below ``pixels``, or the largest."""
    return next((s for s in SIZES if s >= pixels), SIZES[-1])


def ink_height(text: str, style: Style) -> float:
    """About the height of a word's ink, in em: hinting makes every size a little different."""
    glyphs = [style.face.glyph(c, SIZES[-1]) for c in text]
    top = min(g.top for g in glyphs)
    bottom = max(g.top + len(g.mask) for g in glyphs)
    return (bottom - top) / SIZES[-1] + 2 * style.extra_ink


def set_word(text: str, style: Style, size: int) -> SetWord:
    """Place the glyphs of a word without spaces on a baseline, with kerning and letter spacing."""
    face = style.face
    spacing = style.spacing * size
    reach = grown_by(style.extra_ink * size) + SOFT_EDGE
    pens: list[int] = []
    left: list[float] = []
    right: list[float] = []
    top, bottom = 1e9, -1e9
    pen = 0.0
    before = ""
    for character in text:
        if before:
            pen += face.kerning(before, character) * size + spacing
        glyph = face.glyph(character, size)
        height, width = glyph.mask.shape
        place = round(pen)
        pens.append(place)
        left.append(place + glyph.left - reach)
        right.append(place + glyph.left + width + reach)
        top, bottom = min(top, glyph.top), max(bottom, glyph.top + height)
        pen += face.advance(character) * size
        before = character
    top, bottom = top - reach, bottom + reach
    box = (min(left), top, max(right), bottom)
    for i in range(len(text) - 1):
        middle = (right[i] + left[i + 1]) / 2
        right[i], left[i + 1] = max(right[i], middle), min(left[i + 1], middle)
    boxes = np.array([(a, top, b, bottom) for a, b in zip(left, right, strict=True)])
    return SetWord(text, style, size, pens, boxes, box)


def word_mask(word: SetWord, only: int | None = None, outlined: bool = False) -> tuple[Mask, int, int]:
    """A word's coverage at its size, and where the mask's top-left corner lies relative to the start of the baseline (x, y).

    ``only`` draws a single character in its place; ``outlined`` adds the outline's width to the ink.
    """
    style = word.style
    reach = style.extra_ink * word.size
    pad = 1 + int(np.ceil(reach))
    left, top, right, bottom = word.box
    x0, y0 = int(np.floor(left)) - pad, int(np.floor(top)) - pad
    mask = np.zeros((int(np.ceil(bottom)) + pad - y0, int(np.ceil(right)) + pad - x0), np.uint8)
    for i, (character, pen) in enumerate(zip(word.text, word.pens, strict=True)):
        if only is not None and i != only:
            continue
        glyph = style.face.glyph(character, word.size)
        y, x = glyph.top - y0, pen + glyph.left - x0
        h, w = glyph.mask.shape
        window = mask[y : y + h, x : x + w]
        np.maximum(window, glyph.mask, out=window)
    return thicken(mask, reach if outlined else style.bold * word.size), x0, y0


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
    return whole + float(np.sqrt(radius - whole)) if radius > 0.02 else 0.0


def shear(slant: float) -> Matrix:
    """Lean to the right by a tangent, about the baseline."""
    return np.array([[1.0, -slant, 0], [0, 1, 0], [0, 0, 1]])


@dataclass(slots=True)
class PlacedWord:
    """A set word with the homography that takes it (baseline coordinates) into the picture."""

    word: SetWord
    matrix: Matrix
    ignore: bool = False

    def character_quads(self) -> Quads:
        """One quad per character in the picture's pixels, clockwise from the top left, leaning with the letters."""
        corners = self.word.boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
        return transform(self.matrix @ shear(self.word.style.slant), corners)

    def polygon(self) -> Points:
        """The word's quad: the rectangle around its character quads, upright in the frame of its line."""
        left, top, right, bottom = self.word.leaning_box
        return transform(self.matrix, np.array([[left, top], [right, top], [right, bottom], [left, bottom]]))

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the polygon."""
        return bounds(self.matrix, self.word.leaning_box)


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
    # Shear about the baseline after moving the mask's corner to (x0, y0).
    slant = placed.word.style.slant
    to_picture = placed.matrix @ np.array([[1.0, -slant, x0 - slant * y0], [0, 1, y0], [0, 0, 1]])
    return warp(mask, to_picture, shape)


def warp(mask: Mask, to_picture: Matrix, shape: tuple[int, int], margin: int = 1) -> Coverage | None:
    """Warp a mask by a homography of continuous coordinates, touching only the window it covers."""
    left, top, right, bottom = bounds(to_picture, (0, 0, mask.shape[1], mask.shape[0]))
    left, top = max(int(left) - margin, 0), max(int(top) - margin, 0)
    right, bottom = min(int(right) + 1 + margin, shape[1]), min(int(bottom) + 1 + margin, shape[0])
    if left >= right or top >= bottom:
        return None
    to_window = np.array([[1, 0, -0.5 - left], [0, 1, -0.5 - top], [0, 0, 1]]) @ to_picture @ _HALF
    size = (right - left, bottom - top)
    if abs(to_window[2, 0]) + abs(to_window[2, 1]) < 1e-12:
        alpha = cv2.warpAffine(mask, to_window[:2] / to_window[2, 2], size, flags=cv2.INTER_LINEAR)
    else:
        alpha = cv2.warpPerspective(mask, to_window, size, flags=cv2.INTER_LINEAR)
    return Coverage(alpha, left, top)


def bounds(matrix: Matrix, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a rectangle after a homography, in plain numbers: arrays of four are slow."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    left, top, right, bottom = box
    xs, ys = [], []
    for x, y in ((left, top), (right, top), (right, bottom), (left, bottom)):
        scale = g * x + h * y + i
        xs.append((a * x + b * y + c) / scale)
        ys.append((d * x + e * y + f) / scale)
    return min(xs), min(ys), max(xs), max(ys)


def blend(image: Image, coverage: Coverage, colour: NDArray[np.float32], strength: float = 1.0) -> None:
    """Paint a colour (3 values, or one per row: rows x 1 x 3) through a coverage, in place and in 8 bits."""
    alpha = coverage.alpha if strength == 1 else cv2.convertScaleAbs(coverage.alpha, alpha=strength)
    height, width = alpha.shape
    window = image[coverage.y : coverage.y + height, coverage.x : coverage.x + width]
    weight = cv2.merge([alpha, alpha, alpha])
    paint = np.empty_like(weight)
    paint[...] = colour
    under = cv2.multiply(window, 255 - weight, scale=1 / 255)
    window[...] = cv2.add(under, cv2.multiply(paint, weight, scale=1 / 255))


def paint_word(
    image: Image, placed: PlacedWord, fill: NDArray[np.float32], edge: NDArray[np.float32], rng: np.random.Generator
) -> None:
    """Draw a word into a picture in place: shadow, outline in the colour ``edge``, letters in the colour ``fill`` (RGB, 0..255)."""
    style = placed.word.style
    ink = cover(placed, image.shape[:2])
    if ink is None:
        return
    if style.shadow:
        _paint_shadow(image, placed)
    if style.outline:
        outer = cover(placed, image.shape[:2], outlined=True)
        if outer is not None:
            blend(image, outer, edge)
    if style.worn:
        ink.alpha = _wear(ink.alpha, style.worn, rng)
    colour: NDArray[np.float32] = fill
    if style.gradient:
        rows = len(ink.alpha)
        ramp = (np.arange(rows, dtype=np.float32) / rows - 0.5) * np.float32(style.gradient)
        colour = np.clip(fill + ramp[:, None, None], 0, 255)
    blend(image, ink, colour)


def _paint_shadow(image: Image, placed: PlacedWord) -> None:
    style, size = placed.word.style, placed.word.size
    shift = np.eye(3)
    shift[:2, 2] = style.shadow * size * np.array([np.cos(style.shadow_angle), np.sin(style.shadow_angle)])
    shadow = cover(PlacedWord(placed.word, placed.matrix @ shift), image.shape[:2])
    if shadow is not None:
        if min(shadow.alpha.shape) > 3:
            shadow.alpha = cv2.blur(shadow.alpha, (3, 3))
        blend(image, shadow, np.zeros(3, np.float32), 0.55)


def _wear(alpha: Mask, share: float, rng: np.random.Generator) -> Mask:
    """Take flakes of a few pixels out of the ink, never more than half of its strength."""
    h, w = alpha.shape
    grain = rng.random((h // 3 + 2, w // 3 + 2), dtype=np.float32)
    flakes = cv2.resize(grain, (w, h), interpolation=cv2.INTER_LINEAR)
    kept = np.clip((flakes - share * 0.6) * 6 + 0.5, 0.5, 1)
    return (alpha * kept).astype(np.uint8)
