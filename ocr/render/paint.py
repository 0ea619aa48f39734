"""Ink onto a picture: blending, and what is done to letters besides their shape.  Everything touches the word's window only."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.render.background import Colour, noise, with_luma
from ocr.render.ink import Coverage, Mask, PlacedWord, cover
from ocr.types import Image


def blend(image: Image, coverage: Coverage, colour: NDArray[np.float32], strength: float = 1.0) -> None:
    """Paint a colour through a coverage, in place and in 8 bits.

    ``colour`` holds 3 values, one colour per row (rows x 1 x 3), or one per pixel of the coverage (rows x columns x 3).
    """
    alpha = coverage.alpha if strength == 1 else cv2.convertScaleAbs(coverage.alpha, alpha=strength)
    height, width = alpha.shape
    window = image[coverage.y : coverage.y + height, coverage.x : coverage.x + width]
    weight = cv2.merge((alpha, alpha, alpha))
    under = cv2.multiply(window, cv2.bitwise_not(weight), scale=1 / 255)
    if colour.ndim == 1:
        red, green, blue = colour.tolist()
        over = cv2.multiply(weight, (int(red), int(green), int(blue), 0), scale=1 / 255)
    else:
        paint = colour.astype(np.uint8)
        over = cv2.multiply(paint if paint.shape[1] == width else cv2.repeat(paint, 1, width), weight, scale=1 / 255)
    cv2.add(under, over, window)


def paint_word(
    image: Image, placed: PlacedWord, fill: Colour, edge: Colour, rng: np.random.Generator
) -> Coverage | None:
    """Draw a word into a picture in place: shadow, glow, outline in the colour ``edge``, letters in the colour ``fill`` (RGB, 0..255).

    Returns where its letters are, or None outside the picture.
    """
    style = placed.word.style
    ink = cover(placed, image.shape[:2])
    if ink is None:
        return None
    letters = Coverage(ink.alpha, ink.x, ink.y)
    if style.shadow:
        _paint_shadow(image, placed, ink)
    if style.neon:
        _paint_glow(image, placed, ink, fill)
        fill = with_luma(fill, min(255.0, float(fill.max()) * 0.5 + 150))
    if style.outline:
        outer = cover(placed, image.shape[:2], outlined=True)
        if outer is not None:
            blend(image, outer, edge)
    if style.worn:
        ink.alpha = _wear(ink.alpha, style.worn, rng)
    if style.thermal:
        ink.alpha = _print_unevenly(ink.alpha, style.thermal, rng)
    colour: NDArray[np.float32] = fill
    if style.gradient:
        rows = len(ink.alpha)
        ramp = (np.arange(rows, dtype=np.float32) / rows - 0.5) * np.float32(style.gradient)
        colour = np.minimum(np.maximum(fill + ramp[:, None, None], 0), 255)
    if style.texture:
        height, width = ink.alpha.shape
        grain = noise(rng, height, width, 3, 5) - np.float32(0.5)
        colour = np.minimum(np.maximum(colour + grain[:, :, None] * np.float32(style.texture), 0), 255)
    if style.emboss:
        _paint_emboss(image, placed, ink, rng)
    blend(image, ink, colour)
    return letters


def ink_contrast(image: Image, letters: Coverage | None) -> float:
    """How far the mean of letters and the mean of what is around them in their window lie apart, in grey levels (of green)."""
    if letters is None:
        return 0.0
    alpha = letters.alpha
    height, width = alpha.shape
    window = cv2.extractChannel(image[letters.y : letters.y + height, letters.x : letters.x + width], 1)
    ink, whole = cv2.sumElems(alpha)[0], 255.0 * alpha.size
    inside = float(window.astype(np.float32).ravel().dot(alpha.astype(np.float32).ravel()))
    total = 255.0 * cv2.sumElems(window)[0]
    return abs(inside / max(ink, 1.0) - (total - inside) / max(whole - ink, 1.0)) if ink else 0.0


def _pixels_per_em(placed: PlacedWord) -> float:
    """Size of the font in the picture: the square root of the homography's change of area at the middle of the word."""
    left, top, right, bottom = placed.word.box
    x, y = placed.origin
    g, h, i = placed.matrix[2].tolist()
    depth = g * (x + (left + right) / 2) + h * (y + (top + bottom) / 2) + i
    area = abs(float(np.linalg.det(placed.matrix))) / max(abs(depth) ** 3, 1e-12)
    return placed.word.size * float(np.sqrt(area))


def _paint_shadow(image: Image, placed: PlacedWord, ink: Coverage) -> None:
    style, size = placed.word.style, placed.word.size
    far = style.shadow * size
    across, down = far * np.cos(style.shadow_angle), far * np.sin(style.shadow_angle)
    if style.face.kin is None:
        # The first renderer moved the word in its own plane and drew it again.
        shadow = cover(placed.shifted(across, down), image.shape[:2])
    else:
        scale = _pixels_per_em(placed) / size
        shadow = _moved(ink, round(across * scale), round(down * scale), image.shape[:2])
    if shadow is not None:
        if min(shadow.alpha.shape) > 3:
            shadow.alpha = cv2.blur(shadow.alpha, (3, 3))
        blend(image, shadow, np.zeros(3, np.float32), 0.55)


def _moved(ink: Coverage, across: int, down: int, shape: tuple[int, ...]) -> Coverage | None:
    """A coverage moved by whole pixels, as far as it lies in the picture; None when nothing does."""
    height, width = ink.alpha.shape
    x, y = ink.x + across, ink.y + down
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, shape[1]), min(y + height, shape[0])
    if left >= right or top >= bottom:
        return None
    return Coverage(np.ascontiguousarray(ink.alpha[top - y : bottom - y, left - x : right - x]), left, top)


def _paint_glow(image: Image, placed: PlacedWord, ink: Coverage, fill: Colour) -> None:
    """Light around the letters of a neon sign."""
    reach = max(1, round(placed.word.style.neon * _pixels_per_em(placed)))
    height, width = ink.alpha.shape
    x, y = max(ink.x - reach, 0), max(ink.y - reach, 0)
    right, bottom = min(ink.x + width + reach, image.shape[1]), min(ink.y + height + reach, image.shape[0])
    light = np.zeros((bottom - y, right - x), np.uint8)
    light[ink.y - y : ink.y - y + height, ink.x - x : ink.x - x + width] = ink.alpha
    light = cv2.blur(cv2.blur(light, (2 * reach + 1, 2 * reach + 1)), (reach + 1, reach + 1))
    blend(image, Coverage(cv2.convertScaleAbs(light, alpha=1.4), x, y), fill, 0.9)


def _paint_emboss(image: Image, placed: PlacedWord, ink: Coverage, rng: np.random.Generator) -> None:
    """A lit and a dark rim on opposite sides of raised (or sunk) letters."""
    far = max(1.0, placed.word.style.emboss * _pixels_per_em(placed))
    angle = -np.pi / 4 + (np.pi if rng.random() < 0.3 else 0) + rng.uniform(-0.5, 0.5)
    across, down = far * np.cos(angle), far * np.sin(angle)
    height, width = ink.alpha.shape
    for sign, level in ((1.0, 255.0), (-1.0, 0.0)):
        move = np.array([[1, 0, sign * across], [0, 1, sign * down]])
        rim = cv2.warpAffine(ink.alpha, move, (width, height), flags=cv2.INTER_LINEAR)
        blend(image, Coverage(rim, ink.x, ink.y), np.full(3, level, np.float32), 0.6)


def _wear(alpha: Mask, share: float, rng: np.random.Generator) -> Mask:
    """Take flakes of a few pixels out of the ink, never more than half of its strength."""
    h, w = alpha.shape
    grain = rng.random((h // 3 + 2, w // 3 + 2), dtype=np.float32)
    flakes = cv2.resize(grain, (w, h), interpolation=cv2.INTER_LINEAR)
    kept = np.clip((flakes - share * 0.6) * 6 + 0.5, 0.5, 1)
    return (alpha * kept).astype(np.uint8)


def _print_unevenly(alpha: Mask, share: float, rng: np.random.Generator) -> Mask:
    """Paler rows and columns, as a thermal print head leaves them, never less than 40 % of the ink's strength."""
    h, w = alpha.shape
    rows = 1 - np.float32(share) * rng.random((h, 1), dtype=np.float32)
    columns = 1 - np.float32(share * 0.7) * cv2.resize(rng.random((1, w // 6 + 2), dtype=np.float32), (w, 1))
    return (alpha * np.maximum(rows * columns, np.float32(0.4))).astype(np.uint8)
