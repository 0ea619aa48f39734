"""Scenes: labels that agree with the picture, words that stand apart, and the same bytes for the same seed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from shapely.geometry import Polygon

from ocr.geometry import quad_angle, side_lengths, signed_area
from ocr.render.background import luma_of
from ocr.render.look import load_look
from ocr.render.scene import letter_colour, render_blocks, render_scene
from ocr.render.words import slice_of
from ocr.seeding import generator
from ocr.types import Scene

LOOKS = ("icdar2015_standin", "mjsynth_standin", "rendered_scenes_v1", "rendered_words_v1", "synthtext_standin")


def scene(name: str, index: int) -> Scene:
    look = load_look(name)
    return render_scene(look, generator(0, name, "train", index), *look.picture)


@pytest.mark.parametrize("name", LOOKS)
def test_labels_are_complete_and_words_stand_apart(name: str) -> None:
    look = load_look(name)
    for i in range(3):
        rendered = render_blocks(look, generator(3, i), *look.picture)
        words = rendered.scene.words
        assert rendered.scene.image.shape == (*look.picture, 3)
        assert rendered.scene.image.dtype == np.uint8
        assert [w.text for w in words] == " ".join(rendered.blocks).split()
        for word in words:
            assert word.text is not None
            assert word.characters is not None
            assert word.characters.shape == (len(word.text), 4, 2)
            assert slice_of(word.text) == look.words.slice
            assert signed_area(word.polygon) > 0
            assert all(signed_area(q) > 0 for q in word.characters)
            outline = Polygon(word.polygon).buffer(0.05)
            assert all(outline.covers(Polygon(q)) for q in word.characters)
            assert word.polygon.min() >= 0
            assert (word.polygon.max(0) <= look.picture[::-1]).all()
        shapes = [Polygon(w.polygon) for w in words]
        for k, one in enumerate(shapes):
            assert all(one.intersection(other).area < 0.01 * one.area for other in shapes[:k])


@pytest.mark.parametrize("name", LOOKS)
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    one, same, other = scene(name, 0), scene(name, 0), scene(name, 1)
    assert one.image.tobytes() == same.image.tobytes()
    assert [w.text for w in one.words] == [w.text for w in same.words]
    for a, b in zip(one.words, same.words, strict=True):
        np.testing.assert_array_equal(a.characters, b.characters)
    assert one.image.tobytes() != other.image.tobytes()


def test_all_sixty_fixed_test_scenes_keep_their_promise() -> None:
    heights: list[float] = []
    for i in range(60):
        words = scene("rendered_scenes_v1", i).words
        assert len(words) >= 10
        assert not any(w.ignore for w in words)
        heights += [side_lengths(w.polygon)[1] for w in words]
        assert max(abs(quad_angle(w.polygon)) for w in words) <= 20.01
    assert min(heights) >= 7.99
    assert max(heights) <= 64.01
    assert min(heights) < 10
    assert max(heights) > 45


def test_lines_hold_their_words_in_reading_order() -> None:
    look = load_look("synthtext_standin")
    rendered = render_blocks(look, generator(11), *look.picture)
    lines = [line.split() for block in rendered.blocks for line in block.split("\n")]
    assert rendered.scene.lines is not None
    assert len(lines) == len(rendered.scene.lines)
    assert any(len(line) > 1 for line in lines)
    words = iter(rendered.scene.words)
    for texts, polygon in zip(lines, rendered.scene.lines, strict=True):
        hull = Polygon(polygon).buffer(0.1)
        places = []
        for text in texts:
            word = next(words)
            assert word.text == text
            assert hull.covers(Polygon(word.polygon))
            along = polygon[1] - polygon[0]
            places.append(float((word.polygon.mean(0) - polygon[0]) @ along))
        assert places == sorted(places)


def test_letters_can_be_seen_where_the_labels_say() -> None:
    """The grey levels inside a word's quad spread at least half as far as the least contrast, blur and all."""
    look = load_look("rendered_scenes_v1")
    spreads = []
    for i in range(6):
        rendered = scene("rendered_scenes_v1", i)
        grey = cv2.cvtColor(rendered.image, cv2.COLOR_RGB2GRAY)
        for word in rendered.words:
            low, high = np.floor(word.polygon.min(0)).astype(int), np.ceil(word.polygon.max(0)).astype(int)
            spreads.append(np.ptp(np.percentile(grey[low[1] : high[1], low[0] : high[0]], (5, 95))))
    assert np.quantile(spreads, 0.02) >= 0.5 * look.colours.contrast.low


def test_letters_keep_their_contrast_to_every_word_of_the_block() -> None:
    look = load_look("rendered_scenes_v1")
    image = np.zeros((60, 200, 3), np.uint8)
    image[:, :100], image[:, 100:] = 90, 130
    boxes = [(x, 10.0, x + 60.0, 40.0) for x in (10.0, 120.0)]
    for i in range(100):
        luma = luma_of(letter_colour(image, boxes, look.colours, generator(i)))
        assert min(abs(luma - 90), abs(luma - 130)) >= look.colours.contrast.low - 0.5 or luma in (0.0, 255.0)


def test_the_weak_look_has_words_too_small_to_read_and_the_others_have_none() -> None:
    ignored = [w for i in range(8) for w in scene("icdar2015_standin", i).words if w.ignore]
    assert ignored
    assert all(side_lengths(w.polygon)[1] < 16 for w in ignored)
    assert not any(w.ignore for i in range(3) for w in scene("synthtext_standin", i).words)


def test_a_crowded_picture_is_still_a_picture() -> None:
    look = load_look("rendered_scenes_v1")
    rendered = render_scene(look, generator(0), 64, 64)
    assert rendered.image.shape == (64, 64, 3)
