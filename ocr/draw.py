"""Pictures for people: boxes with their text, score maps as colour, many pictures on one sheet."""

from __future__ import annotations

import functools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from ocr.geometry import bounding_quad, side_lengths
from ocr.types import Detection, Image, Points, Reading, SceneWord

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FOUND: Colour = (0, 158, 115)
TRUTH: Colour = (0, 114, 178)
MISSED: Colour = (213, 94, 0)
IGNORED: Colour = (140, 140, 140)
"""Colours that stay apart for colour-blind readers (Okabe and Ito, 2008), and a grey."""
INK: Colour = (24, 26, 30)
PAPER: Colour = (255, 255, 255)

LEGIBLE_SIDE = 640
"""Smaller pictures are enlarged by a whole factor before text is written on them."""
SMALLEST_TEXT = 12
GAP = 8
"""Pixels between the pictures of a contact sheet."""
_WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf",
    "DroidSansFallbackFull.ttf",
    "wqy-microhei.ttc",
    "DejaVuSans.ttf",
    "Arial Unicode.ttf",
    "msgothic.ttc",
    "malgun.ttf",
)
"""System fonts that know more scripts than Pillow's own, the widest first."""


def draw_words(image: Image, words: Sequence[tuple[Detection, Reading]]) -> Image:
    """A copy of the picture with every box and its text; small pictures are enlarged so that the text can be read.

    The text stands on a label above its box.  Where labels would hide other words (a receipt, a page), it stands on a
    white sheet to the right instead, each word in the place of its box.
    """
    scale = _enlargement(image)
    canvas = _canvas(image, scale)
    quads = [np.asarray(detection.polygon, np.float32) * scale for detection, _ in words]
    for quad in quads:
        _outline(canvas, quad, FOUND)
    labels = [_Label.above(canvas.size, quad, reading.text) for quad, (_, reading) in zip(quads, words, strict=True)]
    if _crowded(labels, quads):
        return _with_sheet(canvas, quads, [reading.text for _, reading in words])
    for label in labels:
        label.draw(canvas, FOUND)
    return np.asarray(canvas)


def draw_polygons(image: Image, groups: Sequence[tuple[Sequence[Points], Colour]]) -> Image:
    """A copy of the picture with groups of polygons, each group in its colour; small pictures are enlarged."""
    scale = _enlargement(image)
    canvas = _canvas(image, scale)
    for polygons, colour in groups:
        for polygon in polygons:
            _outline(canvas, np.asarray(polygon, np.float32) * scale, colour)
    return np.asarray(canvas)


def draw_matches(image: Image, found: Sequence[Detection], truth: Sequence[SceneWord], hit: Sequence[bool]) -> Image:
    """Detections in green over the ground truth: found words blue, missed words orange, "do not care" grey.

    ``hit`` says, for every word of ``truth`` that is not ignored, in their order, whether it was found.
    """
    cared = [word for word in truth if not word.ignore]
    return draw_polygons(
        image,
        [
            ([word.polygon for word in truth if word.ignore], IGNORED),
            ([word.polygon for word, was in zip(cared, hit, strict=True) if was], TRUTH),
            ([word.polygon for word, was in zip(cared, hit, strict=True) if not was], MISSED),
            ([detection.polygon for detection in found], FOUND),
        ],
    )


def overlay(image: Image, score_hw: NDArray[np.float32], strength: float = 0.8) -> Image:
    """The picture in grey under a score map in [0, 1], resized to it: unchanged where the score is 0, yellow where it is 1."""
    height, width = image.shape[:2]
    score = cv2.resize(np.asarray(score_hw, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    score = np.clip(np.nan_to_num(score), 0, 1)
    colour = cv2.applyColorMap((score * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    weight = strength * np.sqrt(score)[..., None]
    return (grey * (1 - weight) + colour * weight).astype(np.uint8)


def contact_sheet(
    images: Sequence[Image],
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    cell: tuple[int, int] = (240, 160),
) -> Image:
    """Pictures in a grid, each fitted into a cell (width, height in pixels) above its caption of one line.

    Without ``columns`` the sheet is about four thirds as wide as high.  Captions that do not fit end in an ellipsis.

    Raises:
        ValueError: there is no picture, or not one caption for each.
    """
    texts = list(captions) if captions is not None else [""] * len(images)
    if not images or len(texts) != len(images):
        raise ValueError(
            f"contact sheet of {len(images)} pictures and {len(texts)} captions: give one caption for each picture"
        )
    across = columns or max(1, min(len(images), round(math.sqrt(len(images) * cell[1] / cell[0] * 4 / 3))))
    font = _font(max(SMALLEST_TEXT, cell[1] // 10), "".join(texts))
    strip = round(1.8 * _size(font)) if captions is not None else 0
    fitted = [_fitted(image, cell) for image in images]
    rows = [fitted[start : start + across] for start in range(0, len(fitted), across)]
    heights = [max(picture.height for picture in row) for row in rows]
    size = (GAP + across * (cell[0] + GAP), GAP + sum(heights) + len(rows) * (strip + GAP))
    sheet = Pillow.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    y = GAP
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        for column, picture in enumerate(row):
            x = GAP + column * (cell[0] + GAP)
            sheet.paste(picture, (x + (cell[0] - picture.width) // 2, y + (height - picture.height) // 2))
            line = _shortened(texts[number * across + column], font, cell[0])
            pen.text((x + cell[0] / 2, y + height + strip / 2), line, INK, font, anchor="mm")
        y += height + strip + GAP
    return np.asarray(sheet)


def printable(text: str) -> str:
    """The text on one line, with characters that cannot be drawn (controls, half surrogates) shown as a replacement sign."""
    flat = " ".join(text.split())
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cs", "Cn") else c for c in flat)


def _enlargement(image: Image) -> int:
    return max(1, math.ceil(LEGIBLE_SIDE / max(image.shape[:2])))


def _canvas(image: Image, scale: int) -> Pillow.Image:
    picture = Pillow.fromarray(image)
    return picture.resize((picture.width * scale, picture.height * scale), Pillow.Resampling.BICUBIC)


def _outline(canvas: Pillow.Image, polygon: Points, colour: Colour) -> None:
    """A line in the colour on a wider light one, so that it shows on any ground."""
    corners = [(float(x), float(y)) for x, y in polygon]
    width = max(2, round(max(canvas.size) / 400))
    pen = ImageDraw.Draw(canvas)
    for ink, thickness in ((PAPER, width + 2), (colour, width)):
        pen.line([*corners, *corners[:2]], ink, thickness, joint="curve")


@dataclass(slots=True)
class _Label:
    """One line of text and the rectangle (left, top, right, bottom) that it fills; an empty text fills nothing."""

    line: str
    font: Font
    box: tuple[float, float, float, float]

    @classmethod
    def above(cls, canvas: tuple[int, int], polygon: Points, text: str) -> _Label:
        """Above the polygon; inside its top edge where there is no room above."""
        line = printable(text)
        left, top = (float(v) for v in polygon.min(axis=0))
        smallest = max(SMALLEST_TEXT, max(canvas) // 80)
        height = float(np.ptp(polygon[:, 1]))
        font = _font(round(min(max(0.45 * height, smallest), 2.5 * smallest)), line)
        width, size = (font.getlength(line) + 0.5 * _size(font), 1.3 * _size(font)) if line else (0.0, 0.0)
        x = min(max(0.0, left), max(0.0, canvas[0] - width))
        y = top - size if top >= size else max(0.0, top)
        return cls(line, font, (x, y, x + width, y + size))

    def draw(self, canvas: Pillow.Image, colour: Colour) -> None:
        if self.line:
            left, top, _, bottom = self.box
            pen = ImageDraw.Draw(canvas)
            pen.rectangle(self.box, colour)
            pen.text((left + 0.25 * _size(self.font), (top + bottom) / 2), self.line, PAPER, self.font, anchor="lm")


def _crowded(labels: list[_Label], quads: list[Points]) -> bool:
    """Whether more than a quarter of the labels would hide a good part of another word's height."""
    if len(quads) < 2:
        return False
    bounds = np.array([[*q.min(axis=0), *q.max(axis=0)] for q in quads])
    boxes = np.array([label.box for label in labels])
    low = np.maximum(bounds[:, None, :2], boxes[None, :, :2])
    high = np.minimum(bounds[:, None, 2:], boxes[None, :, 2:])
    across, down = np.moveaxis(high - low, -1, 0)
    hidden = (across > 0) & (down > 0.3 * (bounds[:, 3] - bounds[:, 1])[:, None])
    np.fill_diagonal(hidden, False)
    return bool(hidden.any(axis=0).mean() > 0.25)


def _with_sheet(canvas: Pillow.Image, quads: list[Points], texts: list[str]) -> Image:
    """The picture and, to its right, its text on white, each word in the place and about the size of its box."""
    both = Pillow.new("RGB", (2 * canvas.width, canvas.height), PAPER)
    both.paste(canvas, (0, 0))
    pen = ImageDraw.Draw(both)
    for quad, text in zip(quads, texts, strict=True):
        line = printable(text)
        moved = quad + np.array([canvas.width, 0], np.float32)
        pen.polygon([(float(x), float(y)) for x, y in moved], outline=(215, 222, 219))
        (left, top), (right, bottom) = moved.min(axis=0), moved.max(axis=0)
        size = 0.8 * min(side_lengths(bounding_quad(moved)))
        size *= min(1.0, float(right - left) / max(_font(100, line).getlength(line) * size / 100, 1.0))
        font = _font(max(SMALLEST_TEXT - 2, round(size)), line)
        pen.text((float(left), float(top + bottom) / 2), line, INK, font, anchor="lm")
    return np.asarray(both)


def _fitted(image: Image, cell: tuple[int, int]) -> Pillow.Image:
    """The picture as large as the cell allows, its proportions kept; at most three times its own size."""
    height, width = image.shape[:2]
    scale = min(cell[0] / width, cell[1] / height, 3.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Pillow.fromarray(image).resize(size, Pillow.Resampling.LANCZOS if scale < 1 else Pillow.Resampling.BICUBIC)


def _shortened(text: str, font: Font, width: float) -> str:
    line = printable(text)
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line + "…"


def _font(size: int, text: str) -> Font:
    """Pillow's own face for Latin text, else the widest system font there is; what a face lacks is drawn as a box."""
    return _own_font(size) if all(ord(c) < 0x250 or c in "…–—‘’“”€" for c in text) else _wide_font(size)


@functools.lru_cache(maxsize=64)
def _own_font(size: int) -> Font:
    return ImageFont.load_default(size)


@functools.lru_cache(maxsize=64)
def _wide_font(size: int) -> Font:
    for name in _WIDE_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return _own_font(size)


def _size(font: Font) -> int:
    return round(font.size) if isinstance(font, ImageFont.FreeTypeFont) else 11
