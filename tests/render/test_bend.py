"""Arcs and waves: the inverse undoes the map, and boxes hold what is bent."""

from __future__ import annotations

import numpy as np
import pytest

from ocr.render.bend import Arc, Bend, Wave, arc_over, bent_box, edge, frames_around

BOX = (-10.0, -30.0, 190.0, 12.0)
BENDS = [arc_over(BOX, 100), arc_over(BOX, -60), Wave(8, 120, 0.4), Arc(50, 0, -90)]


@pytest.mark.parametrize("bend", BENDS, ids=str)
def test_the_inverse_undoes_the_map(bend: Bend) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-10, 190, 200), rng.uniform(-30, 12, 200)
    back = bend.inverse(*bend.forward(x, y))
    np.testing.assert_allclose(back, (x, y), atol=1e-6)


@pytest.mark.parametrize("bend", BENDS, ids=str)
def test_boxes_hold_what_is_bent(bend: Bend) -> None:
    x, y = np.meshgrid(np.linspace(BOX[0], BOX[2], 300), np.linspace(BOX[1], BOX[3], 50))
    bx, by = bend.forward(x.ravel(), y.ravel())
    left, top, right, bottom = bent_box(bend, BOX)
    assert left - 0.2 <= bx.min() <= bx.max() <= right + 0.2
    assert top - 0.2 <= by.min() <= by.max() <= bottom + 0.2
    letter = (40.0, -25.0, 70.0, 5.0)
    x, y = np.meshgrid(np.linspace(letter[0], letter[2], 60), np.linspace(letter[1], letter[3], 20))
    points = np.stack(bend.forward(x.ravel(), y.ravel()), 1)
    frame = frames_around(bend, np.array([letter]))[0]
    along = (frame[1] - frame[0]) / np.linalg.norm(frame[1] - frame[0])
    down = np.array([-along[1], along[0]])
    for axis, low, high in ((along, frame[0], frame[1]), (down, frame[0], frame[3])):
        inside = points @ axis
        assert inside.min() >= low @ axis - 0.1
        assert inside.max() <= high @ axis + 0.1


def test_an_arc_turns_a_line_by_the_angle_asked_for_and_stays_open() -> None:
    wide = (0.0, -10.0, 400.0, 0.0)
    arc = arc_over(wide, 90)
    assert np.degrees(arc.angle(400) - arc.angle(0)) == pytest.approx(90)
    ends, middle = arc.forward(np.array([0.0, 400, 200]), np.array([-5.0, -5, -5]))[1][[0, 2]]
    assert ends > middle, "a rainbow's ends hang down (y runs down)"
    tight = arc_over((0.0, 0.0, 100.0, 100.0), 160)
    assert abs(tight.radius) >= 160, "letters must not meet at the circle's centre"


def test_the_outline_runs_clockwise_from_the_top_left() -> None:
    outline = edge((0.0, 0.0, 8.0, 2.0), np.linspace(0, 1, 3))
    np.testing.assert_array_equal(outline, [[0, 0], [4, 0], [8, 0], [8, 2], [4, 2], [0, 2]])
