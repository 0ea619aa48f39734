"""Region and affinity maps from character boxes (Baek et al., CVPR 2019, section 3.2.1).

A score is an isotropic Gaussian on a square, taken to the character's quad by the perspective transform between the two.  The
paper gives neither its size nor its width.  Following the authors' later answers the square covers a box 1.5 times the
character's, and with a standard deviation of 0.4 of the square's half side the score is 1 at the centre, .249 in the middle of
the character's edges, .044 in the middle of the square's, and 0 beyond the circle inscribed in the square.  The quad is enlarged about
the crossing of its diagonals, where the perspective transform puts the Gaussian's centre.  Where Gaussians overlap the larger
value counts.

Instead of warping a drawn patch, the Gaussian is evaluated at every pixel centre of a box's window through the inverse homography,
so the maps are exact at any size and orientation.  Boxes with windows of about one size are evaluated together.  Coordinates are
those of the map: the centre of its top-left pixel is (0.5, 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.types import Quads

Maps = NDArray[np.float32]

ENLARGEMENT = 1.5
SIGMA = 0.4
"""Standard deviation in half sides of the enlarged square."""
BORDER = float(np.exp(-1 / (2 * SIGMA**2)))
"""The Gaussian on the circle inscribed in the square; outside it the score is 0."""
_WINDOW_STEP = 6
_CHUNK_PIXELS = 1 << 15


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
    links = np.delete(links, between_words, axis=0)
    plane = np.repeat([0, 1], [len(characters), len(links)])
    _splat(maps_2hw, plane, np.concatenate([characters, links]))


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


def _splat(maps_2hw: Maps, plane: NDArray[np.int64], quads: Quads) -> None:
    """Maximum of the maps and one Gaussian per quad, each in its own of the two planes, in place."""
    fitting = drawable(quads)
    centre = diagonal_crossing(fitting.quads)[:, None]
    from_square = _from_square(centre + ENLARGEMENT * (fitting.quads - centre))
    low, high = _windows(from_square, maps_2hw.shape[1:])
    inside = (high > low).all(axis=1)
    if not inside.any():
        return
    low, high, from_square = low[inside], high[inside], from_square[inside]
    size, forms = high - low, _forms(_inverse(from_square), low)
    place = np.column_stack([plane[fitting.places[inside]], low, high])
    # one buffer for all patches: fresh arrays of this size cost more in page faults than the arithmetic in them
    buffer = np.empty((2, max(_CHUNK_PIXELS, int(size.max(axis=0).prod()))), np.float32)
    for chunk in _same_window(size):
        patches = _gaussians(forms[chunk], size[chunk].max(axis=0), buffer)
        # plain integers and OpenCV: slicing by NumPy's integers, and its maximum of small windows, cost more than the Gaussians
        for patch, (p, x0, y0, x1, y1) in zip(patches, place[chunk].tolist(), strict=True):
            target = maps_2hw[p, y0:y1, x0:x1]
            cv2.max(target, patch[: y1 - y0, : x1 - x0], dst=target)


class Drawable(NamedTuple):
    """Quads that enclose an area, and the places they had among those given."""

    quads: NDArray[np.float64]
    places: NDArray[np.int64]


def drawable(quads: Quads) -> Drawable:
    """Quads that enclose an area; those whose corners are not convex (twisted, folded) become their minimum-area rectangle."""
    q = np.asarray(quads, np.float64).reshape(-1, 4, 2)
    index = np.flatnonzero(np.isfinite(q).all(axis=(1, 2)))
    q = q[index]
    side = np.roll(q, -1, axis=1) - q
    turn = _cross(side, np.roll(side, -1, axis=1))
    convex = (turn > 0).all(axis=1) | (turn < 0).all(axis=1)
    for i in np.flatnonzero(~convex):
        q[i] = cv2.boxPoints(cv2.minAreaRect(q[i].astype(np.float32)))
    enclosing = np.abs(_cross(q[:, 2] - q[:, 0], q[:, 3] - q[:, 1])) / 2 > 1e-3
    return Drawable(q[enclosing], index[enclosing])


def _from_square(quads: NDArray[np.float64]) -> NDArray[np.float64]:
    """Homographies (n, 3, 3) from the square [-1, 1]^2 to convex quads, with a positive third coordinate on the square.

    The closed form for the unit square (Heckbert 1989, section 2.2.3).
    """
    p0, p1, p2, p3 = (quads[:, i] for i in range(4))
    d1, d2, s = p1 - p2, p3 - p2, p0 - p1 + p2 - p3
    area = _cross(d1, d2)
    g, h = _cross(s, d2) / area, _cross(d1, s) / area
    matrix = np.ones((len(quads), 3, 3))
    matrix[:, :2, 0] = p1 - p0 + g[:, None] * p1
    matrix[:, :2, 1] = p3 - p0 + h[:, None] * p3
    matrix[:, :2, 2] = p0
    matrix[:, 2, 0], matrix[:, 2, 1] = g, h
    # x, y of the unit square are (u + 1) / 2, (v + 1) / 2
    matrix[:, :, :2] /= 2
    matrix[:, :, 2] += matrix[:, :, 0] + matrix[:, :, 1]
    return matrix


def _windows(from_square: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last-but-one (x, y) of the pixels whose centres may lie in the image of the unit circle, within the map.

    The bounds of an ellipse are the tangents x = const, y = const, which its dual conic M diag(1, 1, -1) M^T gives (Hartley and
    Zisserman, Multiple View Geometry, section 2.2.3).
    """
    signs = np.array([1, 1, -1])
    depth = from_square[:, 2]
    bottom = (depth * depth) @ signs
    middle = (from_square[:, :2] * depth[:, None]) @ signs / bottom[:, None]
    square = (from_square[:, :2] ** 2) @ signs / bottom[:, None]
    reach = np.sqrt(np.maximum(middle**2 - square, 0))
    limit = np.array([shape[1], shape[0]])
    low = np.clip(np.ceil(middle - reach - 0.5), 0, limit).astype(np.int64)
    high = np.clip(np.floor(middle + reach + 0.5), 0, limit).astype(np.int64)
    return low, high


def _inverse(from_square: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse homographies, scaled so that the third coordinate is 1 at the image of the square's centre."""
    scaled: NDArray[np.float64] = np.linalg.inv(from_square) * from_square[:, 2, 2, None, None]
    return scaled


def _same_window(size: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
    """Indices of boxes with windows of about the same size, in chunks that fit the cache."""
    steps = -(-size // _WINDOW_STEP)
    key = steps[:, 1] * (steps[:, 0].max() + 1) + steps[:, 0]
    order = np.argsort(key, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
        per_chunk = max(1, _CHUNK_PIXELS // int(size[group].max(axis=0).prod()))
        for start in range(0, len(group), per_chunk):
            yield group[start : start + per_chunk]


def _forms(to_square: NDArray[np.float64], low: NDArray[np.int64]) -> Maps:
    """Two quadratic polynomials (n, 9) in the pixel's place (x, y) in its window, whose quotient is the Gaussian's exponent.

    With (u, v, w) the pixel's homogeneous place on the square the exponent is -(u^2 + v^2) / (2 sigma^2 w^2).  The columns are the
    factors of xy, x^2, x, y^2, y and 1 in the numerator, then of x, y and 1 in w.  Counted from the window's corner, float32 is enough.
    """
    moved = to_square.copy()
    moved[:, :, 2] += (to_square[:, :, :2] @ (low + 0.5)[:, :, None])[:, :, 0]
    u, v, w = moved[:, 0], moved[:, 1], moved[:, 2]
    products = [
        (u[:, i] * u[:, j] + v[:, i] * v[:, j]) * k
        for i, j, k in ((0, 1, 2), (0, 0, 1), (0, 2, 2), (1, 1, 1), (1, 2, 2), (2, 2, 1))
    ]
    return np.column_stack([*(p / (-2 * SIGMA * SIGMA) for p in products), w]).astype(np.float32)


def _gaussians(forms: Maps, window: NDArray[np.int64], buffer: Maps) -> Maps:
    """Gaussian patches (n, h, w) of windows of one size; they lie in ``buffer`` (2, at least n h w)."""
    shape = len(forms), int(window[1]), int(window[0])
    exponent, bottom = (part[: math.prod(shape)].reshape(shape) for part in buffer)
    xy, xx, x1, yy, y1, one, depth_x, depth_y, depth = forms.T[:, :, None]
    x = np.arange(window[0], dtype=np.float32)
    y = np.arange(window[1], dtype=np.float32)
    np.multiply((xy * y)[:, :, None], x, out=exponent)
    exponent += ((xx * x + x1) * x)[:, None, :]
    exponent += ((yy * y + y1) * y + one)[:, :, None]
    np.add((depth_x * x)[:, None, :], (depth_y * y + depth)[:, :, None], out=bottom)
    # behind the horizon (depth below zero) and just before it every pixel is outside the circle
    np.maximum(bottom, 1e-3, out=bottom)
    bottom *= bottom
    exponent /= bottom
    np.exp(exponent, out=exponent)
    flat = exponent.reshape(-1, shape[2])
    cv2.threshold(flat, BORDER, 0, cv2.THRESH_TOZERO, dst=flat)
    return exponent
