"""Procedural backgrounds.  A family draws a tone map (0..255); a palette of the picture's colour scheme turns it into RGB.

Everything coarse is drawn small and enlarged, so that a 512 x 512 background takes a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.render.binding import Ahead, Uniform
from ocr.render.look import Colours, Tint
from ocr.types import Image

Tone = NDArray[np.float32]
"""Height x width, nominally 0..1."""
Palette = NDArray[np.uint8]
"""256 x 3 RGB, by tone."""

Colour = NDArray[np.float32]
"""Red, green, blue, 0..255.  Luma is ITU-R BT.601's weighting of them."""

_STEPS = np.linspace(0, 1, 256, dtype=np.float32)[:, None]


def noise(rng: np.random.Generator, height: int, width: int, cell_y: float, cell_x: float) -> Tone:
    """Smooth noise in [0, 1] whose features are about ``cell_y`` x ``cell_x`` pixels."""
    rows, columns = int(height / cell_y) + 2, int(width / cell_x) + 2
    grid = rng.random((rows, columns), dtype=np.float32)
    return cv2.resize(
        grid, (width, height), interpolation=cv2.INTER_LINEAR if min(cell_y, cell_x) < 4 else cv2.INTER_CUBIC
    )


def clouds(
    rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 3, falloff: float = 0.55
) -> Tone:
    """Noise at several scales, each half as large and weaker than the one before."""
    total = noise(rng, height, width, cell, cell)
    weight, weights = 1.0, 1.0
    for _ in range(octaves - 1):
        cell, weight = cell / 2, weight * falloff
        if cell < 1.5:
            break
        total += weight * noise(rng, height, width, cell, cell)
        weights += weight
    return total / weights


def _size(rng: np.random.Generator, low: float, high: float) -> float:
    return float(low * (high / low) ** rng.random())


def _centred(length: int) -> NDArray[np.float32]:
    """-1 to 1 in equal steps."""
    return np.arange(1 - length, length + 1, 2, dtype=np.float32) / np.float32(length)


def _ramp(rng: np.random.Generator, height: int, width: int) -> Tone:
    angle = rng.random() * 2 * np.pi
    x = _centred(width) * np.float32(np.cos(angle) / 2.83)
    y = _centred(height) * np.float32(np.sin(angle) / 2.83)
    return x[None, :] + (y[:, None] + np.float32(0.5))


def _turned(rng: np.random.Generator, height: int, width: int, angle: float) -> tuple[Tone, Tone]:
    """Pixel coordinates along and across a direction."""
    x = np.arange(width, dtype=np.float32)[None, :] + np.float32(rng.random() * 1000)
    y = np.arange(height, dtype=np.float32)[:, None] + np.float32(rng.random() * 1000)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * c + y * s, y * c - x * s


def _gradient(rng: np.random.Generator, height: int, width: int) -> Tone:
    tone = _ramp(rng, height, width)
    if rng.random() < 0.4:
        x = _centred(width) - np.float32(rng.uniform(-0.6, 0.6))
        y = _centred(height) - np.float32(rng.uniform(-0.6, 0.6))
        tone = 1 - cv2.sqrt(x[None, :] ** 2 + y[:, None] ** 2) / 2
    return tone + 0.08 * noise(rng, height, width, 3, 3)


def _clouds(rng: np.random.Generator, height: int, width: int) -> Tone:
    return (clouds(rng, height, width, _size(rng, 20, 140), 5, rng.uniform(0.4, 0.75)) - 0.5) * 1.6 + 0.5


def _courses(rng: np.random.Generator, height: int, width: int, row: int, brick: int, gap: int, offset: float) -> Tone:
    """Courses of bricks or tiles: a tone for each piece, nearly black joints; every other course is shifted by ``offset`` pieces."""
    columns = width // brick + 3
    tone = np.full((height, width), 0.05, np.float32)
    shift = int(rng.random() * brick)
    top, course = -int(rng.random() * row), 0
    while top < height:
        pieces = np.repeat(rng.random(columns, dtype=np.float32) * 0.45 + 0.45, brick)
        pieces.reshape(columns, brick)[:, :gap] = 0.05
        start = shift + (int(offset * brick) if course % 2 else 0)
        tone[max(top, 0) : max(top + row - gap, 0)] = pieces[start : start + width]
        top, course = top + row, course + 1
    return tone


def _brick(rng: np.random.Generator, height: int, width: int) -> Tone:
    row = int(_size(rng, 12, 44))
    brick = int(row * rng.uniform(1.8, 3.2))
    tone = _courses(rng, height, width, row, brick, max(1, row // 9), 0.5)
    return tone + 0.3 * (noise(rng, height, width, 2, 2) - 0.5) + 0.25 * (noise(rng, height, width, 40, 40) - 0.5)


def _wood(rng: np.random.Generator, height: int, width: int) -> Tone:
    long, short = _size(rng, 60, 250), _size(rng, 3, 10)
    upright = rng.random() < 0.35
    h, w = (width, height) if upright else (height, width)
    warp = noise(rng, h, w, short * 5, long * 1.3) * rng.uniform(2, 9)
    y = np.arange(h, dtype=np.float32)[:, None] / np.float32(short * 1.8)
    tone = 0.5 + 0.3 * np.sin(y + warp * 2) + 0.5 * (noise(rng, h, w, 1.5, long * 0.5) - 0.5)
    board = int(_size(rng, 40, 160))
    edge = (np.arange(h) + int(rng.random() * board)) % board < 2
    tone[edge] -= 0.5
    return tone.T if upright else tone


def _foliage(rng: np.random.Generator, height: int, width: int) -> Tone:
    tone = np.full((height, width), 40, np.uint8)
    leaf = _size(rng, 5, 22)
    count = int(min(260, 1.6 * height * width / leaf**2 / 3.14)) + 4
    places = rng.random((count, 4))
    tones = np.sort(rng.integers(20, 255, count))
    for (u, v, a, s), t in zip(places.tolist(), tones.tolist(), strict=True):
        centre = (int(u * width), int(v * height))
        cv2.ellipse(tone, centre, (int(leaf * (0.7 + s)), max(1, int(leaf * 0.35))), a * 180, 0, 360, t, -1)
    return tone.astype(np.float32) / 255 + 0.2 * (noise(rng, height, width, 3, 3) - 0.5)


def _patches(rng: np.random.Generator, height: int, width: int) -> Tone:
    """Overlapping soft areas, like a photograph far out of focus."""
    h, w = height // 4 + 1, width // 4 + 1
    small = np.full((h, w), int(rng.random() * 255), np.uint8)
    for _ in range(int(rng.integers(6, 16))):
        centre = (rng.random() * w, rng.random() * h)
        size = (w * rng.uniform(0.1, 0.6), h * rng.uniform(0.1, 0.6))
        corners = cv2.boxPoints((centre, size, rng.random() * 90))
        cv2.fillConvexPoly(small, corners.astype(np.int32), int(rng.random() * 255))
    soft = int(_size(rng, 1, 10)) * 2 + 1
    small = cv2.blur(small, (soft, soft))
    tone = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
    return tone + rng.uniform(0.05, 0.3) * (clouds(rng, height, width, 12, 3) - 0.5)


def _tiles(rng: np.random.Generator, height: int, width: int) -> Tone:
    side = int(_size(rng, 16, 70))
    tone = _courses(rng, height, width, side, int(side * rng.uniform(0.9, 1.5)), max(1, side // 14), 0.0)
    return tone * 0.7 + 0.3 * _ramp(rng, height, width) + 0.08 * (noise(rng, height, width, 2, 2) - 0.5)


def _stripes(rng: np.random.Generator, height: int, width: int) -> Tone:
    along, _ = _turned(rng, height, width, rng.random() * np.pi)
    period = _size(rng, 8, 60)
    hard = rng.uniform(1, 12)
    tone = np.clip(np.sin(along * np.float32(2 * np.pi / period)) * hard, -1, 1) * 0.3 + 0.5
    return tone + 0.4 * (noise(rng, height, width, 60, 60) - 0.5)


def _metal(rng: np.random.Generator, height: int, width: int) -> Tone:
    brushed = noise(rng, height, width, 1, _size(rng, 30, 120))
    if rng.random() < 0.3:
        brushed = noise(rng, height, width, _size(rng, 30, 120), 1)
    sheen = np.sin(_ramp(rng, height, width) * rng.uniform(3, 9) + rng.random() * 6)
    return 0.5 + 0.35 * (brushed - 0.5) + 0.35 * sheen


def _bokeh(rng: np.random.Generator, height: int, width: int) -> Tone:
    h, w = height // 2 + 1, width // 2 + 1
    small = (60 * noise(rng, h, w, 50, 50)).astype(np.uint8)
    for _ in range(int(rng.integers(8, 40))):
        radius = int(_size(rng, 2, 28))
        disc = np.zeros_like(small)
        cv2.circle(disc, (int(rng.random() * w), int(rng.random() * h)), radius, int(rng.integers(30, 140)), -1)
        small = cv2.add(small, disc)
    soft = int(rng.integers(1, 4)) * 2 + 1
    return cv2.resize(cv2.blur(small, (soft, soft)), (width, height)).astype(np.float32) / 255


def _paper(rng: np.random.Generator, height: int, width: int) -> Tone:
    tone = 0.75 + 0.2 * (noise(rng, height, width, 1, 1) - 0.5) + 0.5 * (clouds(rng, height, width, 90, 3) - 0.5)
    for _ in range(int(rng.integers(0, 4))):  # creases
        along, _ = _turned(rng, height, width, rng.random() * np.pi)
        distance = along - along[int(rng.random() * height), int(rng.random() * width)]
        tone += 0.35 * np.sign(distance) * np.exp(-np.abs(distance) / np.float32(_size(rng, 6, 40)))
    return tone


def _plaster(rng: np.random.Generator, height: int, width: int) -> Tone:
    bumps = clouds(rng, height + 2, width + 2, _size(rng, 5, 16), 3, 0.7)
    lit = bumps[2:, 2:] - bumps[:-2, :-2]
    return 0.5 + rng.uniform(0.8, 2.2) * lit + 0.6 * (noise(rng, height, width, 80, 80) - 0.5)


def _fabric(rng: np.random.Generator, height: int, width: int) -> Tone:
    along, across = _turned(rng, height, width, rng.uniform(-0.4, 0.4))
    period = np.float32(2 * np.pi / _size(rng, 3.5, 11))
    tone = 0.5 + 0.22 * np.sin(along * period) * np.sign(np.sin(across * period * np.float32(0.5)))
    plaid = np.float32(2 * np.pi / _size(rng, 40, 140))
    return (
        tone
        + 0.16 * np.sign(np.sin(along * plaid))
        + 0.16 * np.sign(np.sin(across * plaid))
        + 0.2 * (noise(rng, height, width, 2, 2) - 0.5)
    )


def _marble(rng: np.random.Generator, height: int, width: int) -> Tone:
    veins = np.abs(clouds(rng, height, width, _size(rng, 50, 160), 4, 0.6) - 0.5)
    fine = np.abs(clouds(rng, height, width, _size(rng, 20, 60), 3, 0.6) - 0.5)
    return 1 - np.exp(-veins * 14) * 0.7 - np.exp(-fine * 22) * 0.3 + 0.3 * (noise(rng, height, width, 70, 70) - 0.5)


FAMILIES: dict[str, Callable[[np.random.Generator, int, int], Tone]] = {
    "gradient": _gradient, "clouds": _clouds, "brick": _brick, "wood": _wood, "foliage": _foliage, "patches": _patches,
    "tiles": _tiles, "stripes": _stripes, "metal": _metal, "bokeh": _bokeh,
    "paper": _paper, "plaster": _plaster, "fabric": _fabric, "marble": _marble,
}  # fmt: skip
"""Background families by name."""


def draw_colour(tint: Tint, rng: Uniform) -> Colour:
    """An RGB colour, 0..255, from a box in HSV space."""
    hue, saturation, value = tint.hue.draw(rng) / 60, tint.saturation.draw(rng), tint.value.draw(rng) * 255
    channels = []
    for channel in (0, 2, 4):
        # Every channel falls from the full value to (1 - saturation) of it between 60 and 120 degrees from its own hue.
        far = abs((channel - hue + 3) % 6 - 3) - 1
        channels.append(value * (1 - saturation * (0 if far < 0 else 1 if far > 1 else far)))
    return np.array(channels, np.float32)


def luma_of(colour: Colour) -> float:
    """Luma, 0..255."""
    red, green, blue = colour.tolist()
    return float(0.299 * red + 0.587 * green + 0.114 * blue)


def with_luma(colour: Colour, luma: float) -> Colour:
    """The colour mixed with black or white until it has the given luma (0..255)."""
    now = luma_of(colour)
    if luma <= now:
        return colour * np.float32(luma / max(now, 1e-6))
    return colour + (255 - colour) * np.float32((luma - now) / max(255 - now, 1e-6))


def draw_palette(colours: Colours, rng: np.random.Generator) -> Palette:
    """256 colours of one tint whose lumas span the look's ``tone`` range."""
    ahead = Ahead(rng, 8)
    tint = colours.background[int(ahead.random() * len(colours.background))]
    first, second = draw_colour(tint, ahead), draw_colour(tint, ahead)
    span = colours.tone.draw(ahead)
    low = min(max(luma_of(first) - span / 2, 4), 251 - span)
    dark, light = with_luma(first, low), with_luma(second, low + span)
    return (dark + (light - dark) * _STEPS + 0.5).astype(np.uint8)


def paint_background(family: str, palette: Palette, rng: np.random.Generator, height: int, width: int) -> Image:
    """A background picture.

    Raises:
        ValueError: there is no such family.
    """
    if family not in FAMILIES:
        raise ValueError(f"no background family {family!r}: choose from {', '.join(FAMILIES)}")
    tone = FAMILIES[family](rng, height, width)
    index = np.clip(tone * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        palette = palette[::-1]
    return cv2.applyColorMap(index, np.ascontiguousarray(palette[:, None]))
