"""The camera changes pixels, never places."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ocr.render.camera import add_noise, lose_resolution, motion_blur, photograph, through_jpeg, uneven_light
from ocr.render.look import load_look
from ocr.seeding import generator
from ocr.types import Image


def spot() -> Image:
    image = np.full((64, 96, 3), 20, np.uint8)
    image[25:37, 40:60] = 220
    return image


def centroid(image: Image) -> tuple[float, float]:
    weight = np.clip(image.astype(float).mean(2) - 60, 0, None)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return float((weight * x).sum() / weight.sum()), float((weight * y).sum() / weight.sum())


EFFECTS: dict[str, Callable[[Image], Image]] = {
    "motion": lambda image: motion_blur(image, 5.0, generator(3)),
    "resample": lambda image: lose_resolution(image, 0.5),
    "noise": lambda image: add_noise(image, 10, generator(0)),
    "jpeg": lambda image: through_jpeg(image, 50),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_no_effect_moves_ink(name: str) -> None:
    changed = EFFECTS[name](spot())
    assert changed.shape == spot().shape
    assert not np.array_equal(changed, spot())
    np.testing.assert_allclose(centroid(changed), centroid(spot()), atol=0.35)


def test_noise_has_the_deviation_asked_for_and_no_bias() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    difference = add_noise(grey, 8.0, generator(0)).astype(float) - 128
    assert difference.std() == pytest.approx(8.0, rel=0.03)
    assert abs(difference.mean()) < 0.1


def test_light_only_darkens_and_at_most_by_its_strength() -> None:
    grey = np.full((100, 120, 3), 200, np.uint8)
    lit = uneven_light(grey, 0.4, generator(0))
    assert lit.max() <= 200
    assert lit.min() >= 200 * 0.6 - 1
    assert lit.min() < 190


def test_jpeg_keeps_red_red() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    np.testing.assert_allclose(through_jpeg(red, 80).mean((0, 1)), (200, 0, 0), atol=4)


def test_a_photograph_is_a_function_of_its_generator() -> None:
    camera = load_look("icdar2015_standin").camera
    pictures = [photograph(spot(), camera, generator(s)) for s in (1, 1, 2)]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])
