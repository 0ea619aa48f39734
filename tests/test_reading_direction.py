import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.geometry import quad_angle
from ocr.reading_direction import read_so, spaced_as_stacked, ways
from ocr.types import Detection


def rect(x, y, w, h):
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def turned(points, degrees):
    """Turned counter-clockwise as seen."""
    a = np.radians(degrees)
    return (points @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])).astype(np.float32)


def line(n=6, width=14, height=20, degrees=0.0):
    """A line of characters, read along ``degrees``."""
    characters = np.stack([turned(rect(width * k, 0, width, height), degrees) for k in range(n)])
    polygon = turned(rect(0, 0, n * width, height), degrees)
    direction = "horizontal" if abs(degrees) <= 15 else "rotated"
    return Detection(polygon, 1.0, quad_angle(polygon), direction, characters)


def column(n=5, side=20, lean=0.0):
    """Upright characters from top to bottom, their tops at ``lean`` degrees."""
    characters = np.stack([turned(rect(0, side * k, side, side), lean) for k in range(n)])
    polygon = turned(rect(0, 0, side, n * side), lean)
    return Detection(polygon, 1.0, quad_angle(polygon), "stacked", characters)


def angle(way):
    return round(way.angle) % 360


def turn_and_angle(way):
    return way.turn, angle(way)


def test_a_line_is_read_along_or_upside_down():
    first, second = ways(line(degrees=20))
    assert (first.turn, first.direction, angle(first)) == (0, "rotated", 20)
    assert (second.turn, second.direction, angle(second)) == (2, "rotated", 200)


def test_a_column_is_stacked_or_a_line_that_runs_down():
    first, second = ways(column())
    assert (first.turn, first.direction, angle(first)) == (0, "stacked", 0)
    assert (second.turn, second.direction, angle(second)) == (1, "rotated", 270)


def test_a_steep_line_runs_down_or_up():
    first, second = ways(line(width=12, height=24, degrees=-90))
    assert [(w.turn, w.direction, angle(w)) for w in (first, second)] == [(0, "rotated", 270), (2, "rotated", 90)]


def test_without_characters_the_box_tells():
    tall, wide = Detection(rect(0, 0, 20, 60), 1.0), Detection(rect(0, 0, 60, 20), 1.0)
    assert list(map(turn_and_angle, ways(tall))) == [(0, 0), (1, 270)]
    assert list(map(turn_and_angle, ways(wide))) == [(0, 0), (2, 180)]
    # in a picture that lies on its side the tall box holds a line, and the wide one a letter or one that runs down
    assert turn_and_angle(ways(tall, 1)[0]) == (1, 270)
    assert turn_and_angle(ways(wide, 1)[0]) == (1, 270)


def test_square_characters_of_a_picture_on_its_side_are_a_line_there():
    """Ideographs in a row look like a column when the picture is turned; in its own frame the row is the first guess again."""
    first, second = ways(column(), 1)
    assert (first.direction, angle(first)) == ("rotated", 270)
    assert angle(second) == 90
    first, _ = ways(column(), 3)
    assert (first.direction, angle(first)) == ("rotated", 90)


def test_a_column_of_a_picture_on_its_side_is_stacked_there():
    lying = line(n=5, width=20, height=20)
    assert spaced_as_stacked(lying)
    first, second = ways(lying, 1)
    assert (first.direction, angle(first)) == ("stacked", 270)
    assert (second.direction, angle(second)) == ("rotated", 180)


@given(st.integers(1, 3), st.floats(-70, 70))
def test_quarters_count_counter_clockwise(quarter, degrees):
    """A line is read along its letters however the picture lies, and whichever end the detector took for its start."""
    lying = as_detected(degrees - 90 * quarter)
    first = ways(lying, quarter)[0]
    assert wrapped(first.angle - degrees + 90 * quarter) == pytest.approx(0, abs=0.05)
    assert first.direction == ("horizontal" if abs(wrapped(first.angle)) <= 15 else "rotated")


def wrapped(degrees):
    return 180 - (180 - degrees) % 360


def as_detected(degrees):
    """A line at an angle as a detector gives it, which takes every line to run to the right, or down."""
    detection = line(width=12, height=24, degrees=degrees)
    along = np.radians(degrees)
    rightwards = np.cos(along) > 0 if abs(np.sin(along)) <= np.sin(np.radians(75)) else np.sin(along) < 0
    if rightwards:
        return detection
    polygon = np.roll(detection.polygon, 2, axis=0)
    return Detection(polygon, 1.0, quad_angle(polygon), "rotated", np.roll(detection.characters, 2, axis=1)[::-1])


@pytest.mark.parametrize("detection", [line(degrees=-90), line(), column()])
@pytest.mark.parametrize("which", [0, 1])
def test_what_is_read_so_starts_where_its_characters_start(detection, which):
    way = ways(detection)[which]
    result = read_so(detection, way)
    assert result.direction == way.direction
    assert abs(wrapped(quad_angle(result.polygon) - way.angle)) < 0.01
    for quad in result.characters:
        assert abs(wrapped(quad_angle(quad) - way.angle)) < 0.01
    along = way.angle - 90 if way.direction == "stacked" else way.angle
    steps = np.diff(result.characters.mean(axis=1), axis=0)
    assert (steps @ [np.cos(np.radians(along)), -np.sin(np.radians(along))] > 0).all()
    np.testing.assert_allclose(result.characters[0, 0], result.polygon[0], atol=1e-3)


def test_a_curved_outline_read_backwards_starts_at_its_other_end():
    polygon = np.array([[0, 0], [10, -2], [20, 0], [20, 8], [10, 6], [0, 8]], np.float32)
    detection = Detection(polygon, 1.0, 0.0, "horizontal", line().characters)
    back = read_so(detection, ways(detection)[1])
    assert back.polygon.tolist() == [*polygon[3:].tolist(), *polygon[:3].tolist()]
