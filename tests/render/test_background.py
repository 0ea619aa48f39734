"""Backgrounds and colours."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from ocr.render.background import FAMILIES, draw_colour, draw_palette, luma_of, paint_background, with_luma
from ocr.render.look import Colours, Range, Tint
from ocr.seeding import generator

TINT = Tint(Range(-60, 420), Range(0, 1), Range(0, 1))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("height", "width"), [(192, 256), (20, 75), (7, 5)])
def test_every_family_fills_any_size_with_texture(family: str, height: int, width: int) -> None:
    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    pictures = [paint_background(family, palette, generator(i, family), height, width) for i in range(4)]
    for picture in pictures:
        assert picture.shape == (height, width, 3)
        assert picture.dtype == np.uint8
    if height > 100:
        assert all(np.ptp(p) >= 25 for p in pictures), "a flat background"
        assert not any(np.array_equal(pictures[0], p) for p in pictures[1:])
    again = paint_background(family, palette, generator(0, family), height, width)
    np.testing.assert_array_equal(again, pictures[0])


def test_an_unknown_family_is_an_error() -> None:
    with pytest.raises(ValueError, match="no background family 'brik'"):
        paint_background("brik", np.zeros((256, 3), np.uint8), generator(0), 8, 8)


def test_colours_agree_with_the_standard_library() -> None:
    class Recorded:
        """Stands for a range and remembers what it drew."""

        def __init__(self, low: float, high: float) -> None:
            self.range, self.value = Range(low, high), 0.0

        def draw(self, rng: np.random.Generator) -> float:
            self.value = self.range.draw(rng)
            return self.value

    rng = generator(0)
    for _ in range(300):
        hue, saturation, value = Recorded(-60, 420), Recorded(0, 1), Recorded(0, 1)
        colour = draw_colour(Tint(hue, saturation, value), rng)  # type: ignore[arg-type]
        expected = colorsys.hsv_to_rgb(hue.value / 360 % 1, saturation.value, value.value)
        np.testing.assert_allclose(colour / 255, expected, atol=1e-5)


def test_luma_is_set_exactly_and_stays_a_colour() -> None:
    rng = generator(1)
    for _ in range(200):
        target = rng.random() * 255
        colour = with_luma(draw_colour(TINT, rng), target)
        assert luma_of(colour) == pytest.approx(target, abs=0.01)
        assert colour.min() >= -1e-3
        assert colour.max() <= 255.001


def test_a_palette_spans_the_tone_asked_for() -> None:
    colours = Colours((TINT,), (TINT,), tone=Range(60, 60), contrast=Range(30, 30))
    for i in range(50):
        palette = draw_palette(colours, generator(i)).astype(np.float32)
        assert luma_of(palette[255]) - luma_of(palette[0]) == pytest.approx(60, abs=1.5)
