"""Lines of text that are not straight: arcs and waves, as maps of the plane in which a word or block is set.

Both maps have a closed inverse, so that a bent word is sampled once, from its mask straight into the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

_STEPS = np.linspace(0, 1, 9)
FINE_STEPS = np.linspace(0, 1, 33)
"""Steps along a side for :func:`edge` when its outline must hold everything that is bent."""


@dataclass(frozen=True, slots=True)
class Arc:
    """Text on a circle of signed ``radius`` through (``centre``, ``base``): a positive one is a rainbow, a negative one a smile.

    Lines above and below the base are concentric, so a point must lie nearer to the base than the circle's centre does.
    """

    centre: float
    base: float
    radius: float

    def forward(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Where points of the straight plane go."""
        turn, far = (x - self.centre) / self.radius, self.radius + self.base - y
        return self.centre + far * np.sin(turn), self.base + self.radius - far * np.cos(turn)

    def inverse(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Where points of the bent plane come from."""
        sign = math.copysign(1.0, self.radius)
        across, up = (x - self.centre) * sign, (self.base + self.radius - y) * sign
        far = np.sqrt(across**2 + up**2) * sign
        return self.centre + self.radius * np.arctan2(across, up), self.base + self.radius - far

    def angle(self, x: float) -> float:
        """The direction of a line at ``x``, radians clockwise as seen."""
        return (x - self.centre) / self.radius


@dataclass(frozen=True, slots=True)
class Wave:
    """Text that goes up and down by ``amplitude`` along a sine of the given ``length``; letters are sheared, not turned."""

    amplitude: float
    length: float
    phase: float

    def _shift(self, x: Array) -> Array:
        shift: Array = self.amplitude * np.sin(x * (2 * np.pi / self.length) + self.phase)
        return shift

    def forward(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Where points of the straight plane go."""
        return x, y + self._shift(x)

    def inverse(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Where points of the bent plane come from."""
        return x, y - self._shift(x)

    def angle(self, x: float) -> float:
        """The direction of a line at ``x``, radians clockwise as seen."""
        k = 2 * np.pi / self.length
        return float(np.arctan(self.amplitude * k * np.cos(x * k + self.phase)))


Bend = Arc | Wave


def arc_over(box: Box, degrees: float) -> Arc:
    """The arc on which a box turns by so many degrees from its left to its right end, at most as far as its height allows.

    Positive degrees bend it like a rainbow, negative ones like a smile.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    turn = np.radians(abs(degrees))
    least = 1.6 * height
    radius = max(width / max(turn, 1e-3), least)
    return Arc((left + right) / 2, (top + bottom) / 2, float(np.copysign(radius, degrees)))


def edge(box: Box, steps: Array = _STEPS) -> Array:
    """Points on the outline of a box, clockwise from the top left: its top, then its bottom backwards (2n x 2)."""
    left, top, right, bottom = box
    x = left + (right - left) * steps
    rows = [np.stack([x, np.full_like(x, top)], 1), np.stack([x[::-1], np.full_like(x, bottom)], 1)]
    return np.concatenate(rows)


def bent_box(bend: Bend, box: Box) -> Box:
    """The upright rectangle around a bent box."""
    outline = edge(box, FINE_STEPS)
    # The extreme points of an arc lie at its middle or its ends, those of a wave between any two points.
    slack = bend.amplitude * 0.02 if isinstance(bend, Wave) else 0.0
    x, y = bend.forward(outline[:, 0], outline[:, 1])
    return float(x.min()), float(y.min()) - slack, float(x.max()), float(y.max()) + slack


def frames_around(bend: Bend, boxes: Array) -> Array:
    """For every box (n x 4) the smallest rectangle that holds it when it is bent and follows the line's direction at its middle.

    Returns the corners, clockwise from the top left (n x 4 x 2).
    """
    left, top, right, bottom = boxes.T[:, :, None]
    across = left + (right - left) * _STEPS
    x, y = bend.forward(
        np.concatenate([across, across], 1), np.repeat(np.concatenate([top, bottom], 1), len(_STEPS), 1)
    )
    angles = np.array([bend.angle(middle) for middle in ((boxes[:, 0] + boxes[:, 2]) / 2).tolist()])
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    along, down = x * c + y * s, y * c - x * s
    first, last, high, low = along.min(1), along.max(1), down.min(1), down.max(1)
    u, v = np.stack([first, last, last, first], 1), np.stack([high, high, low, low], 1)
    return np.stack([u * c - v * s, u * s + v * c], 2)
