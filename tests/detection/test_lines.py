"""Words joined into lines."""

import numpy as np
import pytest

from ocr.detection.lines import join_lines
from ocr.types import Detection


def word(x, y, width, height=10.0, degrees=0.0, score=0.5, direction="horizontal", characters=None):
    """A word whose first corner is (x, y); ``degrees`` counter-clockwise as seen."""
    radians = np.radians(degrees)
    rotation = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ rotation.T + [x, y]
    return Detection(quad.astype(np.float32), score, degrees, direction, characters)


def test_words_of_a_line_become_its_rectangle():
    a, b, c = word(0, 0, 30), word(36, 0, 40), word(84, 0, 20)
    (line,) = join_lines([c, a, b], gap=1)
    np.testing.assert_allclose(line.polygon, [[0, 0], [104, 0], [104, 10], [0, 10]], atol=1e-3)


def test_gap_offset_height_and_lean_keep_words_apart():
    a = word(0, 0, 30)
    for other in (word(45, 0, 30), word(36, 8, 30), word(36, -5, 30, height=25), word(36, 4, 30, degrees=40)):
        assert len(join_lines([a, other], gap=1)) == 2
    assert len(join_lines([a, word(45, 0, 30)], gap=1.6)) == 1


@pytest.mark.parametrize("degrees", [30, -60, -90, 170])
def test_turned_lines_join_along_their_own_direction(degrees):
    radians = np.radians(degrees)
    step = 36 * np.array([np.cos(radians), -np.sin(radians)])
    a, b = word(100, 100, 30, degrees=degrees), word(*(100 + step), 30, degrees=degrees)
    (line,) = join_lines([b, a], gap=1)
    np.testing.assert_allclose(line.polygon[0], [100, 100], atol=1e-3)
    assert line.angle == degrees
    np.testing.assert_allclose(np.linalg.norm(line.polygon[1] - line.polygon[0]), 66, atol=1e-2)


def test_stacked_words_join_downwards_and_never_with_level_ones():
    top, below = word(0, 0, 10, 40, direction="stacked"), word(0, 46, 10, 40, direction="stacked")
    beside = word(16, 0, 10, 40, direction="stacked")
    lines = join_lines([top, below, beside], gap=1)
    assert sorted(np.ptp(line.polygon[:, 1]) for line in lines) == pytest.approx([40, 86])
    assert len(join_lines([word(0, 0, 30), word(36, 0, 10, 10, direction="stacked")], gap=1)) == 2


def test_score_is_weighted_by_length_and_characters_keep_their_order():
    first, second = np.zeros((2, 4, 2), np.float32), np.ones((3, 4, 2), np.float32)
    a, b = word(0, 0, 30, score=0.9, characters=first), word(33, 0, 90, score=0.5, characters=second)
    (line,) = join_lines([b, a], gap=1)
    assert line.score == pytest.approx(0.6, abs=0.01)
    np.testing.assert_array_equal(line.characters, np.concatenate([first, second]))
    b.characters = None
    assert join_lines([a, b], gap=1)[0].characters is None


def test_nothing_and_one_word_stay_and_a_negative_gap_is_refused():
    assert join_lines([], gap=1) == []
    assert len(join_lines([word(0, 0, 10)], gap=1)) == 1
    with pytest.raises(ValueError, match="line_gap=-1"):
        join_lines([], gap=-1)
