"""Region and affinity maps from character boxes (Baek et al., CVPR 2019, section 3.2.1).

A score is an isotropic Gaussian on a square, taken to the character's quad by the perspective transform between the two.  The
paper gives neither its size nor its width.  Following the authors' later answers the square covers a box 1.5 times the
character's, and with a standard deviation of 0.4 of the square's half side the score is 1 at the centre, .249 in the middle of
the character's edges, .044 in the middle of the square's, and 0 beyond the circle inscribed in the square.  The quad is enlarged about
the crossing of its diagonals, where the perspective transform puts the Gaussian's centre.  Where Gaussians overlap the larger
value counts.

Instead of warping a drawn patch, every pixel centre of a box's window goes through the inverse homography and the Gaussian is
evaluated there, so the maps are exact at any size and orientation.  Coordinates are those of the map: the centre of its
top-left pixel is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.types import Quads

Maps = NDArray[np.float32]

ENLARGEMENT = 1.5
SIGMA = 0.4
"""Standard deviation in half sides of the enlarged square."""
_WINDOW_STEP = 8
_CHUNK_PIXELS = 1 << 18


def score_maps(shape: tuple[int, int], words: Sequence[Quads]) -> Maps:
    """Region and affinity map (2, h, w) in [0, 1].

    Args:
        shape: height and width of the maps.
        words: the character quads (n, 4, 2) of each word in reading order, in map coordinates.
    """
    maps = np.zeros((2, *shape), np.float32)
    add_words(maps, words)
    return maps


def add_words(maps_2hw: Maps, words: Sequence[Quads]) -> None:
    """Draw the characters of ``words`` and the links between neighbours of a word into existing maps."""
    words = [w for w in words if len(w)]
    if not words:
        return
    characters = np.concatenate(words)
    links = affinity_quads(characters)
    between_words = np.cumsum([len(w) for w in words])[:-1] - 1
    _splat(maps_2hw[0], characters)
    _splat(maps_2hw[1], np.delete(links, between_words, axis=0))


def affinity_quads(characters: Quads) -> Quads:
    """The n - 1 boxes between neighbours of n characters in reading order.

    The diagonals of a character cut it into four triangles.  The corners of an affinity box are the centroids of the upper and
    lower triangle of both characters; where the second character lies rather below or above the first one, as in stacked text,
    those of the left and right triangles (the paper only shows horizontal text).
    """
    q = np.asarray(characters, np.float64).reshape(-1, 4, 2)
    if len(q) < 2:
        return np.zeros((0, 4, 2), np.float32)
    centre = diagonal_crossing(q)
    # triangle between side i (corner i to i + 1) and the crossing: upper, right, lower, left
    centroids = (q + np.roll(q, -1, axis=1) + centre[:, None]) / 3
    along = centroids[:, 1] - centroids[:, 3]
    down = centroids[:, 2] - centroids[:, 0]
    step = centre[1:] - centre[:-1]
    sideways = np.abs(_cosine(step, along[:-1] + along[1:])) >= np.abs(_cosine(step, down[:-1] + down[1:]))
    first = np.where(sideways[:, None], 0, [3, 1])[:, 0]
    second = np.where(sideways, 2, 1)
    i = np.arange(len(q) - 1)
    boxes = np.stack(
        [centroids[i, first], centroids[i + 1, first], centroids[i + 1, second], centroids[i, second]], axis=1
    )
    return boxes.astype(np.float32)


def diagonal_crossing(quads: NDArray[np.floating]) -> NDArray[np.float64]:
    """Where the diagonals of each quad (n, 4, 2) cross: the image of the square's centre.  The mean corner of a flat quad."""
    q = np.asarray(quads, np.float64)
    d1, d2, between = q[:, 2] - q[:, 0], q[:, 3] - q[:, 1], q[:, 1] - q[:, 0]
    area = _cross(d1, d2)
    flat = np.abs(area) < 1e-9
    t = _cross(between, d2) / np.where(flat, 1, area)
    return np.where(flat[:, None], q.mean(axis=1), q[:, 0] + t[:, None] * d1)


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    crossed: NDArray[np.float64] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return crossed


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    cosine: NDArray[np.float64] = (a * b).sum(-1) / np.maximum(
        np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-9
    )
    return cosine


def _splat(canvas_hw: Maps, quads: Quads) -> None:
    """Maximum of the canvas and one Gaussian per quad, in place."""
    quads64 = drawable(quads)
    if not len(quads64):
        return
    centre = diagonal_crossing(quads64)[:, None]
    enlarged = centre + ENLARGEMENT * (quads64 - centre)
    height, width = canvas_hw.shape
    low = np.floor(enlarged.min(axis=1)).astype(np.int64)
    high = np.ceil(enlarged.max(axis=1)).astype(np.int64)
    low, high = np.maximum(low, 0), np.minimum(high, [width, height])
    inside = (high > low).all(axis=1)
    if not inside.any():
        return
    low, size, inverse = low[inside], (high - low)[inside], _to_square(enlarged[inside])
    for chunk in _same_window(size):
        window = size[chunk].max(axis=0)
        patches = _gaussians(inverse[chunk], low[chunk], window)
        for patch, (x, y), (w, h) in zip(patches, low[chunk], size[chunk], strict=True):
            target = canvas_hw[y : y + h, x : x + w]
            np.maximum(target, patch[:h, :w], out=target)


def drawable(quads: Quads) -> NDArray[np.float64]:
    """Quads that enclose an area; those whose corners are not convex (twisted, folded) become their minimum-area rectangle."""
    q = np.asarray(quads, np.float64).reshape(-1, 4, 2)
    q = q[np.isfinite(q).all(axis=(1, 2))]
    side = np.roll(q, -1, axis=1) - q
    turn = _cross(side, np.roll(side, -1, axis=1))
    convex = (turn > 0).all(axis=1) | (turn < 0).all(axis=1)
    for i in np.flatnonzero(~convex):
        q[i] = cv2.boxPoints(cv2.minAreaRect(q[i].astype(np.float32)))
    area = np.abs(_cross(q[:, 2] - q[:, 0], q[:, 3] - q[:, 1])) / 2
    return q[area > 1e-3]


def _to_square(quads: NDArray[np.float64]) -> NDArray[np.float64]:
    """Homographies (n, 3, 3) from quads to the square [-1, 1]^2, scaled so that the third coordinate is positive inside.

    The adjugate of the closed form of the unit square's homography (Heckbert 1989, section 2.2.3).
    """
    p0, p1, p2, p3 = (quads[:, i] for i in range(4))
    d1, d2, s = p1 - p2, p3 - p2, p0 - p1 + p2 - p3
    area = _cross(d1, d2)
    g, h = _cross(s, d2) / area, _cross(d1, s) / area
    matrix = np.empty((len(quads), 3, 3))
    matrix[:, :2, 0] = p1 - p0 + g[:, None] * p1
    matrix[:, :2, 1] = p3 - p0 + h[:, None] * p3
    matrix[:, :2, 2] = p0
    matrix[:, 2] = np.stack([g, h, np.ones_like(g)], axis=1)
    unit_to_square = np.array([[2, 0, -1], [0, 2, -1], [0, 0, 1]], np.float64)
    inverse: NDArray[np.float64] = unit_to_square @ np.linalg.inv(matrix)
    middle = quads.mean(axis=1)
    sign = (inverse[:, 2, :2] * middle).sum(axis=1) + inverse[:, 2, 2]
    return inverse / sign[:, None, None]


def _same_window(size: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
    """Indices of boxes with windows of about the same size, in chunks that fit the cache."""
    steps = -(-size // _WINDOW_STEP)
    key = steps[:, 1] * (steps[:, 0].max() + 1) + steps[:, 0]
    order = np.argsort(key, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
        per_chunk = max(1, _CHUNK_PIXELS // int(size[group].max(axis=0).prod()))
        for start in range(0, len(group), per_chunk):
            yield group[start : start + per_chunk]


def _gaussians(inverse: NDArray[np.float64], low: NDArray[np.int64], window: NDArray[np.int64]) -> Maps:
    """Gaussian patches (n, h, w) at the pixel centres of windows that start at ``low``."""
    # the homography is moved to the window's corner first, so that float32 is enough afterwards
    origin = np.concatenate([low + 0.5, np.ones((len(low), 1))], axis=1)
    offset = (inverse @ origin[:, :, None])[:, :, 0].astype(np.float32)
    steps = inverse.astype(np.float32)
    x = np.arange(window[0], dtype=np.float32)
    y = np.arange(window[1], dtype=np.float32)
    u, v, depth = (
        (steps[:, i, 0, None] * x)[:, None, :] + (steps[:, i, 1, None] * y + offset[:, i, None])[:, :, None]
        for i in range(3)
    )
    u *= u
    v *= v
    u += v
    # behind the horizon (depth below zero) and just before it every pixel is outside the circle
    np.maximum(depth, 1e-6, out=depth)
    depth *= depth
    u /= depth
    inside = u <= 1
    u *= -1 / (2 * SIGMA * SIGMA)
    np.exp(u, out=u)
    u *= inside
    return u
