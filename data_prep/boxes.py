"""Which boxes of a raw data set can be used, and how words are cut out by them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from data_prep.samples import Unusable
from ocr.charset import clusters
from ocr.geometry import bounding_quad, clockwise, crop_quads, quad_angle, rectify, side_lengths
from ocr.types import Image, Points, Quads, SceneWord

MOST_POINTS = 1_000
"""Points of the longest polygon that is taken for one; real ones have fewer than 100."""
LEAST_WORD = 1.0
"""Square pixels below which a word box has no area."""
LEAST_CHARACTER = 0.25
"""The same for a character box: a full stop in small print is about one pixel."""
LEAST_SIDE = 4
"""Pixels below which a word crop is not cut."""
LEAST_INSIDE = 0.8
"""Share of a word's upright box that must lie inside the picture for a crop."""
FOLLOWING, BACKWARDS = [1, 2, 3, 0], [0, 3, 2, 1]
"""Corners of a quad: the next one of each, and the other way round from the same first one."""
STEEPEST = 45.0
"""Degrees of reading angle up to which a word is cut upright rather than rectified."""


def usable(word: SceneWord, width: int, height: int) -> tuple[SceneWord, str | None]:
    """A word with its polygons clockwise, and what is wrong with it, if anything.

    A word box whose sides cross, or character boxes that cannot be used, make the word one to ignore: its text is in the
    picture, so the area must not count as background either. A box may leave the picture.

    Raises:
        Unusable: the word box has too many points, no finite coordinates or no area, lies outside the picture or is larger than it.
    """
    polygon = np.asarray(word.polygon, np.float32)
    if len(polygon) > MOST_POINTS:
        raise Unusable(f"word box has more than {MOST_POINTS:,} points")
    if not np.isfinite(polygon).all():
        raise Unusable("word box is not numbers")
    hull = shapely.convex_hull(shapely.multipoints(polygon))
    if hull.area < LEAST_WORD:
        raise Unusable("word box has no area")
    if hull.area > width * height:
        raise Unusable("word box is larger than the picture")
    if not shapely.intersects(hull, shapely.box(0, 0, width, height)):
        raise Unusable("word box lies outside the picture")
    if not shapely.is_valid(shapely.polygons(polygon)):
        corners = np.asarray(shapely.get_coordinates(hull)[:-1], np.float32)
        upright = clockwise(bounding_quad(corners)) if len(corners) != 4 else clockwise(corners)
        return replace(word, polygon=upright, ignore=True, characters=None), "word ignored: sides of its box cross"
    word = replace(word, polygon=clockwise(polygon))
    if word.characters is None or not len(word.characters):
        return word, None
    quads = np.asarray(word.characters, np.float32)
    if _faulty(quads).any():
        return replace(
            word, ignore=True, characters=None
        ), "word ignored: a character box has no area or crossing sides"
    return replace(word, characters=_all_clockwise(quads)), None


def all_usable(words: list[SceneWord], width: int, height: int) -> list[tuple[SceneWord, str | None] | Unusable]:
    """:func:`usable` for every word of a picture at once; what it would raise takes the place of its result.

    Words with nothing odd about them, convex quads inside the picture, are told by a few array operations for all together.
    """
    plain = _plain(words, width, height)
    found: list[tuple[SceneWord, str | None] | Unusable] = []
    for word, quick in zip(words, plain, strict=True):
        try:
            found.append(quick or usable(word, width, height))
        except Unusable as error:
            found.append(error)
    return found


def _plain(words: list[SceneWord], width: int, height: int) -> list[tuple[SceneWord, None] | None]:
    if any(w.polygon.shape != (4, 2) or w.characters is None for w in words) or not words:
        return [None] * len(words)
    quads = np.stack([w.polygon for w in words]).astype(np.float32)
    counts = [len(w.characters) for w in words if w.characters is not None]
    characters = np.concatenate([w.characters for w in words if w.characters is not None]).astype(np.float32)
    area, turned = _convex(quads)
    inside = ((quads >= 0) & (quads <= (width, height))).all(axis=(1, 2))
    sound = inside & (area >= LEAST_WORD) & (area <= width * height)
    character_area, turned_characters = _convex(characters)
    faulty = np.concatenate([[0], np.cumsum(character_area < LEAST_CHARACTER)])
    ends = np.cumsum(counts)
    quick: list[tuple[SceneWord, None] | None] = []
    for i, (word, end, count) in enumerate(zip(words, ends, counts, strict=True)):
        if not sound[i] or not count or faulty[end] != faulty[end - count]:
            quick.append(None)
            continue
        quick.append((replace(word, polygon=turned[i], characters=turned_characters[end - count : end]), None))
    return quick


def _convex(quads: Quads) -> tuple[NDArray[np.float64], Quads]:
    """Area of each quad in square pixels, 0 where it is not surely convex and finite, and the quads clockwise."""
    q = quads.astype(np.float64)
    sides = q[:, FOLLOWING] - q
    following = sides[:, FOLLOWING]
    with np.errstate(invalid="ignore", over="ignore"):
        crosses = sides[..., 0] * following[..., 1] - sides[..., 1] * following[..., 0]
        area = (crosses[:, 0] + crosses[:, 2]) / 2
        # four turns to one side go round once: a quad cannot go round twice
        convex = (crosses > 0).all(1) | (crosses < 0).all(1)
    clockwise_quads = np.where((area < 0)[:, None, None], quads[:, BACKWARDS], quads)
    return np.where(convex, np.abs(area), 0.0), clockwise_quads


def cut_word(image: Image, word: SceneWord) -> tuple[Image, Quads | None]:
    """The crop of a word, and its character quads in the crop.

    A word that reads within ``STEEPEST`` degrees of the horizontal is cut by the upright box around its polygon, as the crops
    the field trains on are: rotation, perspective and a little of the neighbourhood stay in the crop, which is what
    a rectifying stage is there for. A steeper word is rectified by its polygon, otherwise it would stand on end.

    Raises:
        Unusable: the word is smaller than ``LEAST_SIDE`` pixels, or reaches too far out of the picture.
    """
    quad = bounding_quad(word.polygon)
    if min(side_lengths(quad)) < LEAST_SIDE:
        raise Unusable(f"word is less than {LEAST_SIDE} pixels high or wide")
    low, high = np.floor(word.polygon.min(0)).astype(int), np.ceil(word.polygon.max(0)).astype(int)
    inner_low, inner_high = np.maximum(low, 0), np.minimum(high, (image.shape[1], image.shape[0]))
    if np.prod(np.maximum(inner_high - inner_low, 0)) < LEAST_INSIDE * np.prod(high - low):
        raise Unusable("word reaches out of the picture")
    if abs(quad_angle(quad)) > STEEPEST:
        crop, to_picture = rectify(image, quad, max(LEAST_SIDE, round(side_lengths(quad)[1])))
        return crop, None if word.characters is None else crop_quads(
            word.characters, np.asarray(np.linalg.inv(to_picture), np.float64)
        )
    (x0, y0), (x1, y1) = inner_low, inner_high
    moved = None if word.characters is None else word.characters - inner_low.astype(np.float32)
    return image[y0:y1, x0:x1], moved


def words_of(polygons: list[Points] | Quads, texts: list[str], characters: Quads | None) -> list[SceneWord]:
    """Words from parallel lists; ``characters`` are those of all words in order, one per grapheme cluster but spaces."""
    words, at = [], 0
    for polygon, text in zip(polygons, texts, strict=True):
        count = len(clusters(text))
        own = None if characters is None else characters[at : at + count]
        at += count
        words.append(SceneWord(np.asarray(polygon, np.float32), text, characters=own))
    return words


def _faulty(quads: Quads) -> NDArray[np.bool_]:
    finite = np.asarray(np.isfinite(quads).all(axis=(1, 2)), np.bool_)
    shapes = shapely.polygons(np.where(finite[:, None, None], quads, 0))
    sound: NDArray[np.bool_] = finite & shapely.is_valid(shapes) & (shapely.area(shapes) >= LEAST_CHARACTER)
    return ~sound


def _all_clockwise(quads: Quads) -> Quads:
    x, y = quads[..., 0], quads[..., 1]
    doubled = (x * y[:, FOLLOWING] - x[:, FOLLOWING] * y).sum(1)
    return np.where((doubled < 0)[:, None, None], quads[:, BACKWARDS], quads)
