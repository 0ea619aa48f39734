"""Words cut out upright: places, curved ones straightened, polygons that make no sense."""

import cv2
import numpy as np
import pytest

from ocr.detection.word_crops import Curved, Flat, convex_quad, word_frame

QUAD = np.array([[20, 30], [110, 22], [114, 52], [18, 58]], np.float32)


def arc(points, radius=80.0, height=30.0, centre=(120.0, 130.0)):
    """A word on a circle, from 10 to 8 past the hour hand's way: its polygon with ``points`` along each side."""
    angles = np.radians(np.linspace(-150, -30, points))
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([centre + (radius + height) * ring, (centre + radius * ring)[::-1]]).astype(np.float32)


def test_quad_fills_the_window_and_the_margin_shows_what_is_around():
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (90, 140, 3)).astype(np.uint8), (0, 0), 3)
    frame = word_frame(QUAD, 96, 0.25, 1024)
    left, top, right, bottom = frame.window
    assert (left, top, bottom) == (16, 16, 80)
    assert frame.size == (right + 16, 96)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    np.testing.assert_allclose(frame.to_picture(corners), QUAD, atol=1e-3)
    crop = frame.cut(image)
    for point in np.array([[30.5, 20.5], [100.5, 60.5], [5.5, 90.5]]):
        x, y = frame.to_picture(point) - 0.5
        seen = cv2.getRectSubPix(image.astype(np.float32), (1, 1), (float(x), float(y)))[0, 0]
        assert np.abs(crop[int(point[1]), int(point[0])] - seen).max() < 4


@pytest.mark.parametrize("height", [16, 64, 96])
@pytest.mark.parametrize("margin", [0.0, 0.1, 0.25, 1.0])
def test_window_is_even(height, margin):
    frame = word_frame(QUAD, height, margin, 1024)
    assert all(edge % 2 == 0 for edge in frame.window)
    assert frame.window[3] > frame.window[1]


def test_straight_polygon_of_many_points_is_cut_like_its_quad():
    top = np.linspace([20, 30], [110, 30], 5)
    bottom = np.linspace([110, 60], [20, 60], 5)
    bent, flat = (
        word_frame(np.array(p, np.float32), 64, 0.25, 1024)
        for p in (np.concatenate([top, bottom]), [top[0], top[-1], bottom[0], bottom[-1]])
    )
    assert isinstance(bent.to_picture, Curved)
    assert isinstance(flat.to_picture, Flat)
    assert bent.window == flat.window
    image = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (90, 140, 3)).astype(np.uint8), (0, 0), 2)
    assert np.abs(bent.cut(image).astype(int) - flat.cut(image)).max() <= 6


def test_letters_on_a_circle_stand_upright_in_the_crop():
    image = np.zeros((160, 240, 3), np.uint8)
    middle = np.radians(np.linspace(-150, -30, 25)[2::4])
    centres = np.array([120, 130]) + 95 * np.stack([np.cos(middle), np.sin(middle)], axis=1)
    for x, y in centres:
        cv2.circle(image, (round(x), round(y)), 6, (255, 255, 255), -1)
    frame = word_frame(arc(9), 64, 0.0, 1024)
    crop = frame.cut(image)
    count, _, boxes, found = cv2.connectedComponentsWithStats((crop[:, :, 0] > 127).astype(np.uint8))
    assert count == 7
    order = np.argsort(found[1:, 0])
    np.testing.assert_allclose(found[1:][order, 1], 32, atol=3.5)
    assert np.diff(found[1:][order, 0]).std() < 2
    np.testing.assert_allclose(frame.to_picture(found[1:][order] + 0.5), centres, atol=1.5)
    assert boxes[1:, cv2.CC_STAT_AREA].min() > 100


def test_ribs_map_exactly_to_their_points():
    polygon = arc(7)
    frame = word_frame(polygon, 64, 0.25, 1024)
    top = np.stack([frame.to_picture.x, np.full(7, frame.window[1])], axis=1)
    np.testing.assert_allclose(frame.to_picture(top), polygon[:7], atol=1e-3)
    bottom = np.stack([frame.to_picture.x, np.full(7, frame.window[3])], axis=1)
    np.testing.assert_allclose(frame.to_picture(bottom), polygon[:6:-1], atol=1e-3)


@pytest.mark.parametrize(
    "corners",
    [
        [[20, 20]] * 4,
        [[20, 20], [80, 20], [140, 20], [50, 20]],
        [[20, 20], [20.5, 20], [20.5, 40], [20, 40]],
        [[20, 20]] * 8,
        [[20, 20], [60, 20], [90, 20]],
    ],
    ids=["point", "line", "narrow", "many points in one", "three on a line"],
)
def test_word_without_area_has_no_frame(corners):
    assert word_frame(np.array(corners, np.float32), 64, 0.25, 1024) is None


def test_crossing_sides_and_dents_give_the_smallest_rectangle():
    bow_tie = np.array([[20, 20], [80, 40], [80, 20], [20, 40]], np.float32)
    box = convex_quad(bow_tie)
    np.testing.assert_allclose(box, [[20, 20], [80, 20], [80, 40], [20, 40]], atol=1e-3)
    arrow = np.array([[20, 20], [80, 20], [40, 30], [20, 60]], np.float32)
    assert len(convex_quad(arrow)) == 4
    assert not np.array_equal(convex_quad(arrow), arrow)
    assert np.array_equal(convex_quad(QUAD), QUAD)
    for polygon in (bow_tie, arrow):
        assert word_frame(polygon, 64, 0.25, 1024) is not None


@pytest.mark.parametrize("spoil", ["odd", "crossing ribs"])
def test_polygon_that_cannot_be_straightened_is_cut_by_its_rectangle(spoil):
    polygon = arc(5)
    polygon = np.delete(polygon, 2, axis=0) if spoil == "odd" else polygon[[0, 3, 2, 1, 4, 5, 6, 7, 8, 9]]
    frame = word_frame(polygon, 64, 0.0, 1024)
    assert isinstance(frame.to_picture, Flat)
    corners = frame.to_picture(np.array([[0, 0], [frame.size[0], 0], [frame.size[0], 64], [0, 64]]))
    rectangle = cv2.boxPoints(cv2.minAreaRect(polygon))
    assert np.abs(np.sort(corners, axis=0) - np.sort(rectangle, axis=0)).max() < 0.01
