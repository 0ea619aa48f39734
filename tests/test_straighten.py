import numpy as np
import pytest

from ocr.straighten import MAX_CROP_SIDE, straighten


def rect(x, y, w, h):
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def places(height, width):
    """A picture whose red channel holds a pixel's column and whose green channel holds its row."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def arc(centre, radius, thickness, start, stop, points=7):
    """A band of a circle, read clockwise from angle ``start`` to ``stop`` (degrees, 0 is up): outer side first."""
    angles = np.radians(np.linspace(start, stop, points))
    ray = np.stack([np.sin(angles), -np.cos(angles)], axis=1)
    outer, inner = centre + ray * (radius + thickness / 2), centre + ray * (radius - thickness / 2)
    return np.concatenate([outer, inner[::-1]]).astype(np.float32)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3, 5])
def test_every_turn_of_a_crop_knows_where_its_pixels_come_from(quarters):
    image = places(100, 200)
    quad = np.array([[40, 30], [140, 20], [150, 60], [50, 70]], np.float32)
    crop = straighten(image, quad, 0.1).turned(quarters)
    assert np.array_equal(crop.image, np.rot90(straighten(image, quad, 0.1).image, quarters))
    height, width = crop.image.shape[:2]
    spots = np.random.default_rng(0).uniform((2, 2), (width - 2, height - 2), (50, 2)).astype(np.float32)
    in_picture = crop.to_picture(spots)
    np.testing.assert_allclose(crop.to_crop(in_picture), spots, atol=1e-2)
    column, row = np.floor(spots).astype(int).T
    centres = crop.to_picture(np.stack([column, row], axis=1) + 0.5)
    np.testing.assert_allclose(crop.image[row, column, :2], centres - 0.5, atol=1.1)


def test_the_margin_is_a_share_of_the_shorter_side():
    image = places(200, 200)
    wide, tall = straighten(image, rect(40, 90, 80, 20), 0.1), straighten(image, rect(90, 40, 20, 80), 0.1)
    assert (wide.image.shape[:2], tall.image.shape[:2]) == ((24, 84), (84, 24))
    np.testing.assert_allclose(wide.to_picture([0, 0]), [38, 88], atol=1e-4)
    np.testing.assert_allclose(tall.to_picture([0, 0]), [88, 38], atol=1e-4)


def test_a_curved_word_is_rolled_out_along_its_polygon():
    """A band of a circle comes out as a strip: rows are circles, columns are rays."""
    y, x = np.mgrid[:200, :200] + 0.5
    radius, angle = np.hypot(x - 100, y - 130), np.degrees(np.arctan2(x - 100, 130 - y))
    image = np.stack([2 * radius, 128 + angle, np.zeros_like(x)], axis=-1).clip(0, 255).astype(np.uint8)
    crop = straighten(image, arc((100, 130), 80, 24, -60, 60))
    height, width = crop.image.shape[:2]
    assert height == 24
    assert width == pytest.approx(2 * np.pi * 80 / 3, rel=0.03)
    row, column = np.mgrid[2 : height - 2, 2 : width - 2]
    inside = crop.image[2:-2, 2:-2].astype(float)
    # seven points make the band a chain of straight pieces: up to 1 - cos(10 degrees) of the radius below it
    assert np.abs(inside[..., 0] / 2 - (92 - row - 0.5)).max() < 2.5
    assert np.abs(inside[..., 1] - 128 - (-60 + 120 * (column + 0.5) / width)).max() < 4
    spots = np.stack([column, row], axis=-1).reshape(-1, 2)[::50] + 0.5
    np.testing.assert_allclose(crop.to_crop(crop.to_picture(spots)), spots, atol=1.0)


def test_a_curved_word_has_room_all_around():
    image = places(200, 200)
    polygon = arc((100, 130), 80, 20, -50, 50)
    tight, roomy = straighten(image, polygon), straighten(image, polygon, 0.25)
    assert roomy.image.shape[0] == tight.image.shape[0] + 10
    assert roomy.image.shape[1] == pytest.approx(tight.image.shape[1] + 10, abs=2)
    middle = roomy.to_crop(tight.to_picture([tight.image.shape[1] / 2, tight.image.shape[0] / 2]))
    np.testing.assert_allclose(middle, [roomy.image.shape[1] / 2, roomy.image.shape[0] / 2], atol=1)


def test_large_curved_words_are_cut_out_smaller():
    crop = straighten(places(100, 100), 20 * arc((100, 130), 80, 40, -60, 60))
    assert crop.image.shape[0] == MAX_CROP_SIDE


@pytest.mark.parametrize("polygon", [rect(10, 10, 0, 20), rect(5, 5, 0.4, 0.4), np.full((14, 2), 7, np.float32)])
def test_words_without_area_are_refused(polygon):
    with pytest.raises(ValueError, match="has no area"):
        straighten(places(50, 50), polygon)
