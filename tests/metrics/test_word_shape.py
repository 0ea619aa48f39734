import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.metrics.breakdown import recognition_bins
from ocr.metrics.iou import BoxProtocol
from ocr.metrics.word_shape import word_shape
from ocr.metrics.words import WordProtocol
from ocr.types import Detection, Reading, SceneWord


def rect(x, y, w, h):
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def turned(polygon, degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.asarray(polygon) @ np.array([[c, -s], [s, c]])


def arc(inner, outer, degrees, pairs=17):
    """A strip bent around the origin, from left to right along its outer rim."""
    t = np.radians(np.linspace(-90 - degrees / 2, -90 + degrees / 2, pairs))
    rim = np.stack([np.cos(t), np.sin(t)], axis=1)
    return np.concatenate([outer * rim, inner * rim[::-1]])


SHAPES = [
    # polygon, text, direction, (height, aspect, run), why
    (rect(0, 0, 60, 12), "word", "horizontal", (12, 5, "horizontal"), "an upright box"),
    (turned(rect(0, 0, 60, 12), 14), "word", "horizontal", (12, 5, "horizontal"), "leaning a little"),
    (turned(rect(0, 0, 60, 12), 16), "word", "horizontal", (12, 5, "rotated"), "leaning more"),
    (turned(rect(0, 0, 60, 12), 90), "word", "horizontal", (12, 5, "rotated"), "read upwards: the corners say so"),
    (rect(0, 0, 60, 12), "word", "rotated", (12, 5, "rotated"), "the data set's own word counts"),
    (rect(0, 0, 12, 60), "word", "horizontal", (12, 5, "vertical"), "a tall box that starts at its top left"),
    (rect(0, 0, 12, 60), None, "horizontal", (12, 5, "vertical"), "whatever it says"),
    (rect(0, 0, 12, 60), "I", "horizontal", (60, 0.2, "horizontal"), "but for a single letter"),
    (rect(0, 0, 12, 20), "縦書", "stacked", (12, 20 / 12, "vertical"), "stacked characters"),
    ([[0, 0], [50, 0], [100, 0], [100, 20], [50, 20], [0, 20]], "w", "horizontal", (20, 5, "horizontal"), "six points"),
    (arc(80, 100, 180), "word", "horizontal", (20, math.pi * 90 / 20, "horizontal"), "half a ring is unrolled"),
    ([[0, 0], [9, 9]], "word", "horizontal", (0, 0, "horizontal"), "no area"),
    ([[1, 1], [1, 1], [1, 1], [1, 1]], "word", "horizontal", (0, 0, "horizontal"), "a point"),
]  # fmt: skip


@pytest.mark.parametrize(("polygon", "text", "direction", "wanted", "why"), SHAPES, ids=[s[-1] for s in SHAPES])
def test_shapes(polygon, text, direction, wanted, why):
    height, aspect, run = word_shape(SceneWord(np.asarray(polygon, np.float32), text, direction=direction))
    assert run == wanted[2]
    assert (height, aspect) == pytest.approx(wanted[:2], rel=0.02)


@given(st.floats(1, 20), st.floats(10, 200), st.integers(5, 40))
def test_points_added_on_the_sides_of_a_box_change_nothing(aspect, height, count):
    box = rect(3, 5, aspect * height, height)
    sides = [box[i] + (box[(i + 1) % 4] - box[i]) * t / count for i in range(4) for t in range(count)]
    plain, dense = (word_shape(SceneWord(np.asarray(p, np.float32), "w")) for p in (box, sides))
    # a rectangle close to a square is rounder than its sides say by a hair
    assert dense.height == pytest.approx(plain.height, rel=0.03)
    assert dense.aspect == pytest.approx(plain.aspect, rel=0.06)


def test_recall_by_height_aspect_and_direction():
    polygons = [rect(0, 0, 40, 10), rect(0, 100, 12, 10), rect(0, 200, 10, 80), turned(rect(300, 0, 130, 11), 20)]
    truth = [SceneWord(np.asarray(p, np.float32), "word", ignore=False) for p in polygons]
    truth.append(SceneWord(rect(500, 500, 30, 30), None, ignore=True))
    found = [Detection(w.polygon, 1.0) for w in truth[:3]]
    bins = BoxProtocol("iou")([(found, truth)]).breakdown()
    assert {(b.by, b.label): (b.credit, b.n) for b in bins if b.n} == {
        ("word height", "8-12 px"): (3, 4),
        ("aspect ratio", "< 2"): (1, 1),
        ("aspect ratio", "2-5"): (1, 1),
        ("aspect ratio", "5-10"): (1, 1),
        ("aspect ratio", "> 10"): (0, 1),
        ("direction", "horizontal"): (2, 2),
        ("direction", "rotated"): (0, 1),
        ("direction", "vertical"): (1, 1),
    }
    assert [b.interval is None for b in bins if b.by == "word height"] == [True, False, True, True, True]


def test_heights_are_those_of_the_evaluated_size():
    row = BoxProtocol("iou").row([], [SceneWord(rect(0, 0, 40, 10), "w")], zoom=2.5)
    assert row.words[0].height == 25
    assert row.words[0].aspect == 4


def test_word_accuracy_by_crop_size_and_length():
    protocol = WordProtocol("case36", keep="ascii_alphanumeric", lower=True)
    sizes = [("A", "a", 7, 7), ("Open!", "open", 40, 10), ("Closed", "close", 70, 10), ("!!", "", 0, 0)]
    rows = [protocol.row(truth, Reading(text, 1.0), "k", width, height) for truth, text, width, height in sizes]
    assert {(b.by, b.label): (b.recall, b.n) for b in recognition_bins(rows) if b.n} == {
        ("crop height", "< 8 px"): (1, 1),
        ("crop height", "8-12 px"): (0.5, 2),
        ("crop aspect ratio", "< 2"): (1, 1),
        ("crop aspect ratio", "2-5"): (1, 1),
        ("crop aspect ratio", "5-10"): (0, 1),
        ("label length", "none"): (1, 1),
        ("label length", "1-3"): (1, 1),
        ("label length", "4-7"): (0.5, 2),
    }
