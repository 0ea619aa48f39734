"""Every character that was read with its place: the recognised text against the characters that the detector found.

Both come in reading order, so the best monotone assignment is found by dynamic programming.  A character takes one peak of the
detector, or two (Hangul syllables of which each half looks like a character), or half of one (letters that have grown together),
or none; a peak may be nobody's.  What an assignment costs is its distance to the places that the recogniser tells
(``Reading.places``; without them, to even places), in characters.  Assigned characters have the quads of their peaks, the others
fill the room between their neighbours.

This is ours: the field's detectors give either boxes of characters or texts of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ocr.straighten import Crop
from ocr.types import Quads

Floats = NDArray[np.float64]

UNFOUND, UNREAD = 1.0, 1.0
"""Cost of a character without a peak, and of a peak without a character."""
SHARED = 0.6
"""Cost of two peaks for one character, and of one peak for two."""
APART = 2.0
"""What the gap between two such peaks costs, per character of it."""
FARTHEST = 1.5
"""Distances count up to this many characters."""
BROADEST = 1.5
"""A character that was not found fills at most this many times the mean length of a character."""
_ONE, _TWO_PEAKS, _TWO_CHARACTERS, _NO_PEAK, _NO_CHARACTER = range(5)


def character_quads(
    units: int,
    crop: Crop,
    peaks: Quads | None,
    places: Sequence[float] = (),
    down: bool = False,
    margin: float = 0.0,
) -> Quads:
    """A quad in the picture for each of ``units`` characters that were read; (units, 4, 2), clockwise from the upper left corner.

    Args:
        units: number of characters, 1 or more.
        crop: what was read, upright.
        peaks: the detector's quads in reading order, in the picture; None or none: all places come from the recogniser.
        places: of the characters along the crop's width, in [0, 1]; empty where unknown.
        down: the characters stand one below the other.
        margin: share of the crop's breadth on each side of it that is not the word's.
    """
    height, width = crop.image.shape[:2]
    breadth, length = (width, height) if down else (height, width)
    edge = margin * breadth
    extent = _extents(crop, peaks, down)
    known = len(places) == units
    centres = np.asarray(places, np.float64) * length if known else _even(units, extent, edge, length)
    pitch = max((length - 2 * edge) / units, 1e-6)
    groups = _assigned(centres, extent, pitch, known)
    spans = _spans(centres, extent, groups, pitch, (edge, length - edge))
    quads = _boxes(spans, edge, breadth - edge, down)
    if len(quads):
        quads = crop.to_picture(quads)
    for unit, group in enumerate(groups):
        if group is not None and peaks is not None:
            quads[unit] = _of_peaks(peaks, group, groups, unit, down)
    return quads.astype(np.float32)


def _extents(crop: Crop, peaks: Quads | None, down: bool) -> Floats:
    """Where each peak's quad begins and ends along the crop, (n, 2)."""
    if peaks is None or not len(peaks):
        return np.zeros((0, 2))
    along = crop.to_crop(peaks)[..., 1 if down else 0].astype(np.float64)
    ordered = np.sort(along, axis=1)
    return np.stack([ordered[:, :2].mean(axis=1), ordered[:, 2:].mean(axis=1)], axis=1)


def _even(units: int, extent: Floats, edge: float, length: float) -> Floats:
    first, last = (extent[0, 0], extent[-1, 1]) if len(extent) else (edge, length - edge)
    places: Floats = first + (np.arange(units) + 0.5) / units * (last - first)
    return places


def _assigned(centres: Floats, extent: Floats, pitch: float, known: bool) -> list[tuple[int, int] | None]:
    """For each character the peaks (first, behind the last) that are its own, None where there are none."""
    m, n = len(centres), len(extent)
    middles = extent.mean(axis=1) if n else np.zeros(0)
    if m == n and (not known or (np.abs(centres - middles) < pitch / 2).all()):
        return [(i, i + 1) for i in range(n)]
    if not n:
        return [None] * m
    pairs = (extent[:-1, 0] + extent[1:, 1]) / 2
    joined = SHARED + APART * np.maximum(extent[1:, 0] - extent[:-1, 1], 0) / pitch
    quarter = (extent[:, 1] - extent[:, 0]) / 4

    def far(places: Floats, at: Floats) -> Floats:
        distances: Floats = np.minimum(np.abs(places - at) / pitch, FARTHEST)
        return distances

    cost = np.full((m + 1, n + 1), np.inf)
    move = np.full((m + 1, n + 1), _NO_CHARACTER)
    cost[0] = UNREAD * np.arange(n + 1)
    for j in range(1, m + 1):
        choices = np.full((4, n + 1), np.inf)
        here = centres[j - 1]
        choices[_ONE, 1:] = cost[j - 1, :-1] + far(here, middles)
        choices[_TWO_PEAKS, 2:] = cost[j - 1, :-2] + joined + far(here, pairs)
        if j > 1:
            first, second = far(centres[j - 2], middles - quarter), far(here, middles + quarter)
            choices[_TWO_CHARACTERS, 1:] = cost[j - 2, :-1] + SHARED + (first + second) / 2
        choices[_NO_PEAK] = cost[j - 1] + UNFOUND
        move[j] = choices.argmin(axis=0)
        best = choices.min(axis=0)
        skipped = np.minimum.accumulate(best - UNREAD * np.arange(n + 1)) + UNREAD * np.arange(n + 1)
        move[j][skipped < best - 1e-9] = _NO_CHARACTER
        cost[j] = np.minimum(skipped, best)
    return _followed(move)


def _followed(move: NDArray[np.int64]) -> list[tuple[int, int] | None]:
    j, i = move.shape[0] - 1, move.shape[1] - 1
    groups: list[tuple[int, int] | None] = [None] * j
    while j:
        step = move[j, i]
        if step == _NO_CHARACTER:
            i -= 1
        elif step == _NO_PEAK:
            j -= 1
        elif step == _TWO_PEAKS:
            groups[j - 1] = (i - 2, i)
            j, i = j - 1, i - 2
        elif step == _TWO_CHARACTERS:
            groups[j - 1] = groups[j - 2] = (i - 1, i)
            j, i = j - 2, i - 1
        else:
            groups[j - 1] = (i - 1, i)
            j, i = j - 1, i - 1
    return groups


def _spans(
    centres: Floats,
    extent: Floats,
    groups: list[tuple[int, int] | None],
    pitch: float,
    bounds: tuple[float, float],
) -> Floats:
    """Begin and end of every character along the crop: that of its peaks, or its share of the room between the found neighbours."""
    m = len(groups)
    spans = np.zeros((m, 2))
    for unit, group in enumerate(groups):
        if group is not None:
            spans[unit] = extent[group[0], 0], extent[group[1] - 1, 1]
    found = [-1, *(unit for unit, group in enumerate(groups) if group is not None), m]
    for before, after in pairwise(found):
        lost = np.arange(before + 1, after)
        if not len(lost):
            continue
        left = spans[before, 1] if before >= 0 else bounds[0]
        right = spans[after, 0] if after < m else bounds[1]
        if right - left < pitch / 4 * len(lost):
            middle = (left + right) / 2
            left, right = middle - pitch / 8 * len(lost), middle + pitch / 8 * len(lost)
        place = np.clip(centres[lost], left, right)
        if len(np.unique(place)) < len(place):
            place = left + (np.arange(len(lost)) + 0.5) / len(lost) * (right - left)
        between = np.concatenate([[left], (place[1:] + place[:-1]) / 2, [right]])
        half = BROADEST / 2 * pitch
        spans[lost, 0] = np.maximum(between[:-1], place - half)
        spans[lost, 1] = np.minimum(between[1:], place + half)
    return spans


def _boxes(spans: Floats, near: float, far: float, down: bool) -> Quads:
    a, b = spans[:, 0], spans[:, 1]
    low, high = np.full_like(a, near), np.full_like(a, far)
    left, top, right, bottom = (low, a, high, b) if down else (a, low, b, high)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return np.stack([np.stack(corner, axis=1) for corner in corners], axis=1).astype(np.float32)


def _of_peaks(
    peaks: Quads, group: tuple[int, int], groups: list[tuple[int, int] | None], unit: int, down: bool
) -> NDArray[np.float32]:
    """The quad of one character from its peaks: their own, their union, or the half of one."""
    first, last = peaks[group[0]], peaks[group[1] - 1]
    # corners where reading enters and leaves a quad, upper (of stacked text: left) one first
    (enter, leave) = ((0, 1), (3, 2)) if down else ((0, 3), (1, 2))
    quad = first.copy()
    quad[list(leave)] = last[list(leave)]
    shares = [i for i in (unit - 1, unit + 1) if 0 <= i < len(groups) and groups[i] == group]
    if shares:
        middle = (quad[list(enter)] + quad[list(leave)]) / 2
        quad[list(enter if shares[0] < unit else leave)] = middle
    return quad
