"""Points, quads and the transforms between a picture, its crops and its maps."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ocr.types import Image, Points, Quads

Matrix = NDArray[np.float64]
"""3 x 3 homography on homogeneous column vectors (x, y, 1)."""


def transform(matrix: Matrix, points: ArrayLike) -> NDArray[np.float32]:
    """Apply a homography to points of shape (..., 2)."""
    p = np.asarray(points, np.float64)
    # One product for all points: numpy multiplies stacks one by one, and @ has twice the overhead of dot on so few.
    flat = p.reshape(-1, 2)
    q = flat.dot(matrix[:2, :2].T) + matrix[:2, 2]
    q /= (flat.dot(matrix[2, :2]) + matrix[2, 2])[:, None]
    return q.astype(np.float32).reshape(p.shape)


def bounding_quad(points: Points) -> Points:
    """Four corners of a polygon: the polygon itself when it has four, otherwise its minimum-area rectangle, clockwise.

    The first corner is the one nearest to the polygon's own first point, so the reading start is kept.
    """
    p = np.asarray(points, np.float32)
    if len(p) == 4:
        return p
    quad = clockwise(cv2.boxPoints(cv2.minAreaRect(p)).astype(np.float32))
    return np.roll(quad, -int(np.argmin(((quad - p[0]) ** 2).sum(1))), axis=0)


def signed_area(points: ArrayLike) -> float:
    """Shoelace area in square pixels, positive for a polygon that runs clockwise as seen (y down)."""
    p = np.asarray(points, np.float64)
    q = np.concatenate([p[1:], p[:1]])
    return float(0.5 * np.sum(p[:, 0] * q[:, 1] - q[:, 0] * p[:, 1]))


def clockwise(points: Points) -> Points:
    """The polygon with its first point kept and its order clockwise as seen."""
    return points if signed_area(points) >= 0 else np.concatenate([points[:1], points[:0:-1]])


def side_lengths(quad: Points) -> tuple[float, float]:
    """Mean width (top and bottom side) and mean height (left and right side) of a quad, pixels."""
    d = np.linalg.norm(np.concatenate([quad[1:], quad[:1]]) - quad, axis=1)
    return float(d[0] + d[2]) / 2, float(d[1] + d[3]) / 2


def rectangle(width: float, height: float) -> Points:
    """Corners of an upright rectangle at the origin, clockwise from the top left."""
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def grown(quad: Points, margin: float) -> Points:
    """A quad whose sides move outwards by ``margin`` times its height, along its own axes."""
    across, down = (quad[1] - quad[0]) + (quad[2] - quad[3]), (quad[3] - quad[0]) + (quad[2] - quad[1])
    step = margin * side_lengths(quad)[1]
    u, v = (step * d / max(float(np.linalg.norm(d)), 1e-9) for d in (across, down))
    return (quad + np.stack([-u - v, u - v, u + v, v - u])).astype(np.float32)


def homography(source: Points, target: Points) -> Matrix:
    """The homography that takes four source corners to four target corners.

    Raises:
        ValueError: three of the source corners lie on one line.
    """
    a = np.zeros((8, 8))
    b = np.asarray(target, np.float64).reshape(8)
    for i, ((x, y), (u, v)) in enumerate(
        zip(np.asarray(source, np.float64), np.asarray(target, np.float64), strict=True)
    ):
        a[2 * i] = [x, y, 1, 0, 0, 0, -u * x, -u * y]
        a[2 * i + 1] = [0, 0, 0, x, y, 1, -v * x, -v * y]
    try:
        h = np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        raise ValueError(f"quad {np.asarray(source).tolist()} is degenerate: its corners lie on one line") from None
    return np.append(h, 1.0).reshape(3, 3)


def rectify(image: Image, quad: Points, height: int, max_width: int = 4096) -> tuple[Image, Matrix]:
    """Cut a quad out of a picture upright, ``height`` pixels high and as wide as its proportions ask.

    Returns the crop and the homography from crop coordinates back to the picture.

    Raises:
        ValueError: the quad is degenerate (a side of less than one pixel, or corners on one line).
    """
    w, h = side_lengths(quad)
    if w < 1 or h < 1 or abs(signed_area(quad)) < 1:
        raise ValueError(f"quad {np.asarray(quad).tolist()} has no area")
    width = int(np.clip(round(w * height / h), 1, max_width))
    to_crop = homography(quad, rectangle(width, height))
    # warpPerspective samples at pixel indices, our coordinates put pixel centres at .5
    shift = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    crop: Image = cv2.warpPerspective(
        image,
        shift @ to_crop @ np.linalg.inv(shift),
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    back = np.linalg.inv(to_crop).astype(np.float64)
    return crop, back


def quad_angle(quad: Points) -> float:
    """Reading angle of a quad in degrees, counter-clockwise as seen, in (-180, 180]."""
    d = (quad[1] - quad[0]) + (quad[2] - quad[3])
    return float(np.degrees(np.arctan2(-d[1], d[0])))


def polygon_mask(shape: tuple[int, int], polygons: list[Points]) -> NDArray[np.uint8]:
    """A uint8 mask (1 inside) of the given height and width; a pixel is inside when its centre is, to 1/16 pixel."""
    mask = np.zeros(shape, np.uint8)
    shift = 4
    for polygon in polygons:
        fixed = np.round((np.asarray(polygon, np.float64) - 0.5) * (1 << shift)).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 1, shift=shift)
    return mask


def crop_quads(quads: Quads, matrix: Matrix) -> Quads:
    """Quads moved by a homography; shape (n, 4, 2) is kept for n = 0 as well."""
    return transform(matrix, quads) if len(quads) else np.zeros((0, 4, 2), np.float32)
