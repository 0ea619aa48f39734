"""Areas of words and detections: polygons on shapely, all pairs of a picture at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from ocr.metrics.score import Floats
from ocr.types import Points

Booleans = NDArray[np.bool_]
Indices = NDArray[np.int64]
Shapes = NDArray[np.object_]
"""Shapely geometries."""
NOWHERE = ((0.0, 0.0), (0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Regions:
    """Outlines of one picture, the even-odd regions that they enclose, and their areas.

    ``crossing`` marks outlines that cross or touch themselves or have no area.
    """

    outlines: Shapes
    shapes: Shapes
    areas: Floats
    crossing: Booleans

    def __len__(self) -> int:
        return len(self.shapes)

    def with_shapes(self, shapes: Shapes) -> Regions:
        """The same outlines, after something was cut off what some of them enclose."""
        cut = np.array([new is not old for new, old in zip(shapes, self.shapes, strict=True)], bool)
        return Regions(self.outlines, shapes, np.where(cut, shapely.area(shapes), self.areas), self.crossing)


def regions(polygons: Sequence[Points], place: str, shoelace: bool = False) -> Regions:
    """The regions of polygons (each n x 2); fewer than three points enclose nothing.

    Args:
        polygons: outlines.
        place: where they are from, for messages.
        shoelace: take the absolute value of its shoelace sum for the area of an outline that crosses itself, in which loops of
            opposite sense cancel, instead of the area it encloses.  The scripts on the ``Polygon`` package (a clipper after
            B. R. Vatti, 1992) and on shapely's bare polygons do, and some published numbers cannot be reached otherwise.

    Raises:
        ValueError: a coordinate is not a finite number.
    """
    outlines = _outlines(polygons, place)
    crossing = ~shapely.is_valid(outlines)
    shapes = _even_odd(outlines, crossing)
    return Regions(outlines, shapes, shapely.area(outlines if shoelace else shapes), crossing)


def pixel_boxes(polygons: Sequence[Points]) -> list[Points]:
    """The pixels that upright boxes around polygons hold, rounded to whole pixels as result files are, last row and column included."""
    boxes = []
    for polygon in polygons:
        points = np.asarray(polygon, np.float64).reshape(-1, 2)
        (x0, y0), (x1, y1) = (np.rint(points.min(axis=0)), np.rint(points.max(axis=0)) + 1) if len(points) else NOWHERE
        boxes.append(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32))
    return boxes


def common_areas(a: Shapes, b: Shapes) -> Floats:
    """Intersection areas, len(a) x len(b); only pairs whose bounds meet are computed."""
    common = np.zeros((len(a), len(b)))
    if common.size:
        i, j = _meeting(shapely.bounds(a), shapely.bounds(b))
        common[i, j] = shapely.area(shapely.intersection(a[i], b[j]))
    return common


def share(part: Floats, whole: Floats, of: Literal["rows", "columns"]) -> Floats:
    """``part`` (a x b) over ``whole``, which holds one number for each row or column; 0 where that is 0."""
    divisor = np.broadcast_to(whole[:, None] if of == "rows" else whole[None, :], part.shape)
    return np.divide(part, divisor, out=np.zeros(part.shape), where=divisor > 0)


def inside(points: Floats, shapes: Shapes) -> Booleans:
    """Which points (p x 2) lie in which shapes, p x len(shapes).

    A ray to the right is crossed by edges that hold their upper end and not their lower one, so of two shapes with a common edge
    exactly one holds a point on it.

    Source: W. R. Franklin, "PNPOLY: point inclusion in polygon test".
    """
    held = np.zeros((len(points), len(shapes)), bool)
    if not held.size:
        return held
    start, end, owner = _edges(shapes)
    bounds = shapely.bounds(shapes)
    p, s = _meeting(np.concatenate([points, points], axis=1), bounds)
    count = np.bincount(owner, minlength=len(shapes))
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    pair = np.repeat(np.arange(len(p)), count[s])
    edge = np.arange(len(pair)) - np.repeat(np.cumsum(count[s]) - count[s], count[s]) + np.repeat(first[s], count[s])
    x, y = points[p[pair]].T
    (x0, y0), (x1, y1) = end[edge].T, start[edge].T
    spans = (y0 <= y) != (y1 <= y)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossed = spans & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    held[p, s] = np.bincount(pair, crossed, minlength=len(p)) % 2 == 1
    return held


def centres(shapes: Shapes) -> Floats:
    """Centres of gravity, n x 2; not a number where there is no area."""
    return shapely.get_coordinates(shapely.centroid(shapes)) if len(shapes) else np.zeros((0, 2))


def _meeting(a: Floats, b: Floats) -> tuple[Indices, Indices]:
    """Pairs of bounds (xmin, ymin, xmax, ymax) that have a point in common."""
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = a.T[:, :, None], b.T[:, None, :]
    i, j = np.nonzero((ax0 <= bx1) & (bx0 <= ax1) & (ay0 <= by1) & (by0 <= ay1))
    return i, j


def _edges(shapes: Shapes) -> tuple[Floats, Floats, Indices]:
    """Starts and ends (e x 2) of all edges, and the shape that each belongs to."""
    parts, part_owner = shapely.get_parts(shapes, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    within = ring[1:] == ring[:-1]
    return points[:-1][within], points[1:][within], part_owner[ring_part[ring[1:][within]]]


def _outlines(polygons: Sequence[Points], place: str) -> Shapes:
    """Shapely polygons, not necessarily valid; an outline of fewer than three points collapses to its first."""
    if not polygons:
        return np.empty(0, object)
    outlines = [_outline(polygon, place, i) for i, polygon in enumerate(polygons)]
    owner = np.repeat(np.arange(len(outlines)), [len(o) for o in outlines])
    return np.asarray(shapely.polygons(shapely.linearrings(np.concatenate(outlines), indices=owner)))


def _outline(polygon: Points, place: str, i: int) -> Floats:
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError(
            f"{place}, polygon {i}: {points.tolist()} holds coordinates that are not finite numbers; correct or remove it"
        )
    if len(points) < 3:
        return np.repeat(points[:1] if len(points) else np.zeros((1, 2)), 3, axis=0)
    return points


def _even_odd(outlines: Shapes, crossing: Booleans) -> Shapes:
    """What the outlines enclose, without the lines and points that collapsed parts leave."""
    shapes = outlines.copy()
    for i in np.flatnonzero(crossing):
        parts = shapely.get_parts(shapely.make_valid(outlines[i]))
        shapes[i] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return shapes
