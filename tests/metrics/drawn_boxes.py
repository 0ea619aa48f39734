"""Words and detections for the tests of detection protocols, and areas computed without shapely."""

import math

import numpy as np
from hypothesis import strategies as st

from ocr.types import Detection, SceneWord


def rect(x, y, w, h):
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def found(*polygons):
    return [Detection(np.asarray(p, np.float32), 1.0) for p in polygons]


def words(*polygons, ignore=(), text="word"):
    return [SceneWord(np.asarray(p, np.float32), text, i in ignore) for i, p in enumerate(polygons)]


def area(polygon):
    return abs(sum(x * v - u * y for (x, y), (u, v) in zip(polygon, polygon[1:] + polygon[:1], strict=True))) / 2


def clip(subject, window):
    """The part of a convex polygon inside another one; both clockwise as seen (Sutherland and Hodgman)."""
    for (x, y), (u, v) in zip(window, window[1:] + window[:1], strict=True):
        kept = []
        side = [(u - x) * (q - y) - (v - y) * (p - x) for p, q in subject]
        for i, (p, q) in enumerate(subject):
            (r, s), there, here = subject[i - 1], side[i - 1], side[i]
            if (there >= 0) != (here >= 0):
                cut = there / (there - here)
                kept.append((r + cut * (p - r), s + cut * (q - s)))
            if here >= 0:
                kept.append((p, q))
        subject = kept
        if not subject:
            return []
    return subject


def common_area(a, b):
    return area(clip(a, b)) if len(clip(a, b)) > 2 else 0.0


@st.composite
def quads(draw, most=7, turn=0.5):
    """Turned rectangles, many of them near copies of one another."""
    polygons = []
    for _ in range(draw(st.integers(0, most))):
        cx, cy = draw(st.sampled_from([20, 24, 50])), draw(st.sampled_from([20, 23, 26]))
        w, h = draw(st.floats(8, 30)), draw(st.floats(4, 12))
        angle = draw(st.floats(-turn, turn))
        c, s = math.cos(angle), math.sin(angle)
        corners = [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)]
        polygons.append(
            [(float(np.float32(cx + c * x - s * y)), float(np.float32(cy + s * x + c * y))) for x, y in corners]
        )
    return polygons


@st.composite
def whole_boxes(draw, most=6):
    """Upright boxes (xmin, ymin, xmax, ymax) of whole pixels that split, merge and cover one another often."""
    edges = st.sampled_from([0, 10, 19, 20, 30, 40, 55, 60])
    boxes = []
    for _ in range(draw(st.integers(0, most))):
        x, y = sorted(draw(st.lists(edges, min_size=2, max_size=2, unique=True))), draw(st.sampled_from([0, 1, 3]))
        boxes.append((x[0], y, x[1], y + draw(st.sampled_from([8, 10, 12]))))
    return boxes


def corners(box):
    x0, y0, x1, y1 = box
    return rect(x0, y0, x1 - x0, y1 - y0)
