"""Homographies, crops and quads against exact constructions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.geometry import (
    bounding_quad,
    clockwise,
    grown,
    homography,
    polygon_mask,
    quad_angle,
    rectangle,
    rectify,
    side_lengths,
    signed_area,
    transform,
)


def turned(quad: np.ndarray, degrees: float, centre: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    a = np.radians(degrees)
    matrix = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    return ((quad - centre) @ matrix.T + centre).astype(np.float32)


@given(st.lists(st.floats(-8, 8, width=32), min_size=8, max_size=8))
def test_a_homography_takes_corners_to_corners(noise: list[float]) -> None:
    source = rectangle(100, 40)
    target = source + np.array(noise, np.float32).reshape(4, 2)
    matrix = homography(source, target)
    assert np.allclose(transform(matrix, source), target, atol=1e-3)
    assert np.allclose(transform(np.linalg.inv(matrix), target), source, atol=1e-3)


def test_corners_on_a_line_are_refused() -> None:
    with pytest.raises(ValueError, match="degenerate"):
        homography(np.array([[0, 0], [1, 1], [2, 2], [0, 5]], np.float32), rectangle(1, 1))


@pytest.mark.parametrize("degrees", [-170, -90, -30, 0, 45, 90, 180])
def test_angles_and_sides_of_a_turned_quad(degrees: float) -> None:
    quad = turned(rectangle(60, 20), degrees)
    assert quad_angle(quad) == pytest.approx(degrees, abs=1e-3)
    assert side_lengths(quad) == pytest.approx((60, 20), abs=1e-3)


@given(st.floats(-180, 180), st.floats(0.01, 1.0))
def test_a_grown_quad_is_larger_by_its_margin_on_every_side_at_any_angle(degrees: float, margin: float) -> None:
    quad = turned(rectangle(60, 20) + 5, degrees, (30, 12))
    larger = grown(quad, margin)
    expected = turned(
        np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 20 * margin + rectangle(60, 20) + 5, degrees, (30, 12)
    )
    assert np.allclose(larger, expected, atol=1e-2)


@pytest.mark.parametrize("degrees", [0, 20, -75, 140])
def test_a_rectified_crop_stands_upright(degrees: float) -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    quad = turned(rectangle(80, 40) + np.array([60, 80]), degrees, (100, 100))
    left = quad.copy()
    left[1], left[2] = (quad[0] + quad[1]) / 2, (quad[3] + quad[2]) / 2
    image[polygon_mask((200, 200), [quad]) > 0] = (0, 255, 0)
    image[polygon_mask((200, 200), [left]) > 0] = (255, 0, 0)
    crop, back = rectify(image, quad, 32)
    assert crop.shape == (32, 64, 3)
    assert crop[4:-4, 4:28].mean((0, 1)).argmax() == 0
    assert crop[4:-4, 36:-4].mean((0, 1)).argmax() == 1
    assert np.allclose(transform(back, rectangle(64, 32)), quad, atol=1e-3)


def test_orientation_of_polygons() -> None:
    square = rectangle(2, 2)
    assert signed_area(square) == 4
    assert clockwise(square[::-1])[0].tolist() == square[::-1][0].tolist()
    assert signed_area(clockwise(square[::-1])) == 4


def test_a_long_polygon_gets_a_quad_that_starts_where_reading_starts() -> None:
    outline = turned(np.array([[0, 0], [30, 0], [60, 0], [60, 10], [30, 10], [0, 10]], np.float32), 30)
    quad = bounding_quad(outline)
    assert np.allclose(quad[0], outline[0], atol=1e-2)
    assert side_lengths(quad) == pytest.approx((60, 10), abs=1e-2)
