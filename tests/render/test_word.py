"""Word crops."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ocr.geometry import signed_area
from ocr.render.look import Range, load_look
from ocr.render.word import render_word
from ocr.render.words import slice_of
from ocr.seeding import generator
from ocr.types import Word


def words(name: str, count: int) -> list[Word]:
    look = load_look(name)
    return [render_word(look, generator(0, name, i)) for i in range(count)]


@pytest.mark.parametrize("name", ["mjsynth_standin", "rendered_words_v1", "icdar2015_standin"])
def test_crops_are_labelled_pictures(name: str) -> None:
    look = load_look(name)
    for word in words(name, 60):
        assert word.image.dtype == np.uint8
        assert word.image.shape[2] == 3
        assert word.characters is not None
        assert word.characters.shape == (len(word.text), 4, 2)
        assert all(signed_area(q) > 0 for q in word.characters)
        assert slice_of(word.text) == look.words.slice
        assert np.ptp(word.image) > 15


def test_the_same_seed_gives_the_same_bytes() -> None:
    for one, same in zip(words("mjsynth_standin", 20), words("mjsynth_standin", 20), strict=True):
        assert one.text == same.text
        assert one.image.tobytes() == same.image.tobytes()


def test_labels_of_word_sets_hold_letters_and_digits_only() -> None:
    for name in ("mjsynth_standin", "rendered_words_v1"):
        assert all(w.text.isalnum() and w.text.isascii() for w in words(name, 200))


def test_with_margins_the_whole_word_is_in_the_crop() -> None:
    look = load_look("mjsynth_standin")
    look = look.replace(crop=dataclasses.replace(look.crop, margin=Range(0.1, 0.3)))
    for i in range(60):
        word = render_word(look, generator(5, i))
        assert word.characters is not None
        height, width = word.image.shape[:2]
        assert word.characters.min() >= 0
        assert (word.characters.reshape(-1, 2).max(0) <= (width, height)).all()


def test_crops_are_as_high_as_the_look_says() -> None:
    look = load_look("rendered_words_v1")
    heights = [w.image.shape[0] for w in words("rendered_words_v1", 150)]
    assert min(heights) >= look.crop.height.low - 1
    assert np.ptp(heights) > 20


def test_a_neighbour_of_a_short_tilted_word_stays_a_word() -> None:
    """Perspective of one narrow letter, carried on to a long neighbour, would run over the horizon."""
    look = load_look("mjsynth_standin")
    look = look.replace(
        crop=dataclasses.replace(look.crop, neighbour=1.0, perspective=Range(0.5, 0.6), margin=Range(0.3, 0.5))
    )
    look = look.replace(words=dataclasses.replace(look.words, shortest=1, flatten=1.2))
    for i in range(80):
        word = render_word(look, generator(9, i))
        assert word.image.shape[1] < 900
