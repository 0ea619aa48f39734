"""Which way a found word is read: at most two ways to try, from the order and spacing of its characters.

The characters of a word stand along an axis.  Where that runs across the upright picture, the word is a line that is read along it, to
the right, or upside down.  Where it runs down the picture, the spacing tells: letters of a line that was turned stand close together,
characters one below the other are further apart or regular (:mod:`ocr.detection.characters`).  Ideographs are regular
both ways; there the recogniser decides between upright characters and a turned line, and so does it between a line that
runs down and one that runs up.  Without characters only the box speaks: a tall one is a narrow letter, or a line that runs down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ocr.detection.characters import IDEOGRAPH_PITCH, REGULAR, STACKED_PITCH, STEEP
from ocr.detection.words import LEVEL
from ocr.geometry import bounding_quad, quad_angle, side_lengths
from ocr.types import Detection, Direction

TALL = 1.5
"""A box higher than this many times its width may hold a turned line."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to read a word: its straightened crop is turned counter-clockwise by ``turn`` quarters first.

    ``direction`` is what the word is then; ``angle`` that of the characters' top side in the picture, degrees in (-180, 180].
    """

    turn: int
    direction: Direction
    angle: float


def ways(detection: Detection, quarter: int = 0) -> tuple[Way, Way]:
    """The likelier way to read a word, then the other one.

    Args:
        detection: with its characters, where there are any.
        quarter: by how many quarters counter-clockwise the whole picture would have to be turned to stand upright; as it is
            (0), the detector's own direction comes first.
    """
    own = quad_angle(bounding_quad(detection.polygon))
    if detection.characters is None or len(detection.characters) < 2:
        return _by_box(detection, own, quarter)
    stacked = detection.direction == "stacked"
    along = own - 90 if stacked else own
    seen = _wrapped(along + 90 * quarter)
    right, up = math.cos(math.radians(seen)), math.sin(math.radians(seen))
    across = abs(up) <= math.sin(math.radians(STEEP))
    if quarter and (right if across else -up) < 0:
        along += 180
    lines = _way(own, along, False), _way(own, along + 180, False)
    if across:
        return lines
    if stacked or (quarter and spaced_as_stacked(detection)):
        return _way(own, along + 90, True), lines[0]
    return lines


def _by_box(detection: Detection, own: float, quarter: int) -> tuple[Way, Way]:
    width, height = side_lengths(bounding_quad(detection.polygon))
    if detection.direction == "stacked" and not quarter:
        return _way(own, own, True), _way(own, own - 90, False)
    seen = _wrapped(own + 90 * quarter)
    upright = own - 90 * round(seen / 90) if quarter and abs(seen) > STEEP else own
    if round((own - upright) / 90) % 2:
        width, height = height, width
    other = upright - 90 if height > TALL * width else upright + 180
    return _way(own, upright, False), _way(own, other, False)


def _way(own: float, top: float, stacked: bool) -> Way:
    """The way in which the characters' top side lies at ``top`` degrees in the picture, and that of the crop at ``own``."""
    angle = _wrapped(top)
    direction: Direction = "stacked" if stacked else "horizontal" if abs(angle) <= LEVEL else "rotated"
    return Way(round((own - top) / 90) % 4, direction, angle)


def _wrapped(angle: float) -> float:
    return 180 - (180 - angle) % 360


def spaced_as_stacked(detection: Detection) -> bool:
    """Whether a word's characters (two at least) are as far apart as those that stand one below the other."""
    assert detection.characters is not None
    quads = detection.characters.astype(np.float64)
    centres = quads.mean(axis=1)
    steps = np.diff(centres, axis=0)
    pitch = np.linalg.norm(steps, axis=1)
    axis = centres[-1] - centres[0]
    axis /= max(float(np.linalg.norm(axis)), 1e-9)
    across = quads @ np.array([-axis[1], axis[0]])
    ratio = pitch.mean() / max(float(np.ptp(across, axis=1).mean()), 1e-9)
    regular = ratio >= IDEOGRAPH_PITCH and pitch.std() <= REGULAR * pitch.mean()
    return bool(ratio >= STACKED_PITCH or regular)


def read_so(detection: Detection, way: Way) -> Detection:
    """The detection as it is when read in a way: its corners, and its characters and theirs, in that order."""
    if way.turn == 0 and way.direction == detection.direction:
        return detection
    polygon, characters = detection.polygon, detection.characters
    if len(polygon) == 4:
        polygon = np.roll(polygon, -way.turn, axis=0)
    elif way.turn == 2:
        polygon = np.roll(polygon, -(len(polygon) // 2), axis=0)
    if characters is not None:
        characters = np.roll(characters, -way.turn, axis=1)
        if _reversed(detection, way):
            characters = characters[::-1]
    return replace(detection, polygon=polygon, angle=way.angle, direction=way.direction, characters=characters)


def _reversed(detection: Detection, way: Way) -> bool:
    """Whether a way runs through the characters backwards."""
    own = quad_angle(bounding_quad(detection.polygon))
    before = own - 90 if detection.direction == "stacked" else own
    after = way.angle - 90 if way.direction == "stacked" else way.angle
    return abs(_wrapped(after - before)) > 90
