"""Augmentation: drawn dots are found again where the labels say, and every choice depends on the generator alone."""

import cv2
import numpy as np
import pytest

from ocr.detection.augment import SceneAugment, fit, warp
from ocr.geometry import rectangle, transform
from ocr.types import Scene, SceneWord


def dotted(size=(300, 400), dots=((60, 50), (200, 150), (330, 250), (120, 220)), radius=5):
    """White discs on black with the label points at their centres."""
    image = np.zeros((*size, 3), np.uint8)
    for x, y in dots:
        # centre (x, y) in our coordinates is pixel index x - .5
        cv2.circle(image, (round((x - 0.5) * 16), round((y - 0.5) * 16)), radius * 16, (255,) * 3, -1, cv2.LINE_AA, 4)
    return image, np.array(dots, np.float32)


def found_dots(image):
    """Centres of mass of the bright spots, in our coordinates."""
    grey = image[:, :, 0].astype(np.float64)
    _, labels = cv2.connectedComponents((grey > 60).astype(np.uint8))
    centres = []
    for label in range(1, labels.max() + 1):
        weight = grey * (cv2.dilate((labels == label).astype(np.uint8), np.ones((3, 3))) > 0)
        y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
        centres.append([((x + 0.5) * weight).sum() / weight.sum(), ((y + 0.5) * weight).sum() / weight.sum()])
    return np.array(centres).reshape(-1, 2)


@pytest.mark.parametrize("zoom", [0.25, 0.4, 1.0, 2.3])
@pytest.mark.parametrize("seed", range(4))
def test_dots_land_where_the_matrix_says(zoom, seed):
    rng = np.random.default_rng(seed)
    image, dots = dotted(radius=max(5, round(3 / zoom)))
    scene = Scene(image, [SceneWord(dots[0] + rectangle(18, 18) - 9, "x")], "k/0", "word")
    matrix = SceneAugment(zoom=(zoom, zoom), rotation=25).place(scene, 256, rng)
    crop = warp(image, matrix, 256)
    margin = 8 * zoom + 4
    expected = transform(matrix, dots)
    expected = expected[((expected > margin) & (expected < 256 - margin)).all(axis=1)]
    found = found_dots(crop)
    assert len(expected) or zoom > 1
    for point in expected:
        assert np.linalg.norm(found - point, axis=1).min() < 0.15


def test_zoom_turn_and_word_height_stay_in_their_ranges(rng):
    image, _ = dotted()
    word = SceneWord(np.array([[50, 50], [150, 50], [150, 70], [50, 70]], np.float32), "x")
    augment = SceneAugment(word_height=(10, 40), zoom=(0.1, 10), rotation=12)
    heights, turns = [], []
    for _ in range(200):
        matrix = augment.place(Scene(image, [word], "k/0", "word"), 256, rng)
        side = transform(matrix, word.polygon)
        heights.append(np.linalg.norm(side[3] - side[0]))
        turns.append(np.degrees(np.arctan2(*(side[1] - side[0])[::-1])))
    assert 10 <= min(heights) < 13
    assert 32 < max(heights) <= 40.01
    assert -12.01 <= min(turns) < -9
    assert 9 < max(turns) <= 12.01


def test_crop_stays_inside_a_picture_that_is_large_enough(rng):
    image = np.full((600, 900, 3), 200, np.uint8)
    word = SceneWord(np.array([[2, 2], [60, 2], [60, 22], [2, 22]], np.float32), "x")
    augment = SceneAugment(word_height=(20, 20), rotation=0)
    for _ in range(10):
        assert warp(image, augment.place(Scene(image, [word], "k/0", "word"), 128, rng), 128).min() == 200


def test_scene_without_words_is_placed_too(rng):
    image, _ = dotted()
    crop = warp(image, SceneAugment().place(Scene(image, [], "k/0", "word"), 64, rng), 64)
    assert crop.shape == (64, 64, 3)


def test_fit_shows_the_whole_picture_top_left():
    image, dots = dotted()
    matrix = fit(image, 128)
    np.testing.assert_allclose(transform(matrix, np.array([[400, 300]])), [[128, 96]])
    found = found_dots(warp(image, matrix, 128))
    for point in transform(matrix, dots):
        assert np.linalg.norm(found - point, axis=1).min() < 0.15


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = warp(stripes, np.diag([0.25, 0.25, 1.0]), 128)
    assert abs(crop[8:-8, 8:-8].astype(int) - 128).max() <= 2


def test_colour_depends_on_the_generator_alone(rng):
    image = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    augment = SceneAugment()
    first = [augment.recolour(image, np.random.default_rng(i)) for i in range(12)]
    again = [SceneAugment().recolour(image, np.random.default_rng(i)) for i in reversed(range(12))][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({a.tobytes() for a in first}) > 8
    assert all(a.shape == image.shape and a.dtype == np.uint8 for a in first)


def test_changes_of_colour_are_independent_of_each_other(rng):
    """Grey pictures and inverted ones occur in all four combinations."""
    image = np.zeros((8, 8, 3), np.uint8)
    image[:] = (250, 10, 10)
    augment = SceneAugment(colour=0, grey=0.5, invert=0.5, blur=0, noise=0, compression=0)
    seen = {tuple(augment.recolour(image, rng)[0, 0].tolist()) for _ in range(40)}
    assert len(seen) == 4


def test_misspelt_arguments_are_errors():
    with pytest.raises(TypeError, match="rotatoin"):
        SceneAugment(rotatoin=3)
    with pytest.raises(ValueError, match="zoom is"):
        SceneAugment(zoom=(2.0, 1.0))


def test_arguments_that_albumentations_would_only_warn_about_are_errors(monkeypatch):
    import albumentations

    noise = albumentations.GaussNoise
    monkeypatch.setattr(albumentations, "GaussNoise", lambda std_range, p: noise(std_rnage=std_range, p=p))
    with pytest.raises(UserWarning, match="std_rnage"):
        SceneAugment()
