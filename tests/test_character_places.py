import numpy as np
import pytest

from ocr.character_places import character_quads
from ocr.straighten import straighten

PAPER = np.full((200, 400, 3), 255, np.uint8)
TOP, HEIGHT, LEFT = 60, 30, 50


def rect(x, y, w, h):
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def line(*edges):
    """Quads of characters with the given left and right edges, in a word from 0 to 120 that is cut out without room."""
    quads = np.array([rect(LEFT + a, TOP + 2, b - a, HEIGHT - 4) for a, b in edges], np.float32).reshape(-1, 4, 2)
    return quads, straighten(PAPER, rect(LEFT, TOP, 120, HEIGHT))


def spans(quads):
    return [(round(float(q[:, 0].min()) - LEFT), round(float(q[:, 0].max()) - LEFT)) for q in quads]


THREE = [(0, 30), (45, 75), (90, 120)]


def test_as_many_characters_as_peaks_are_the_peaks():
    peaks, crop = line(*THREE)
    assert np.array_equal(character_quads(3, crop, peaks), peaks)
    assert np.array_equal(character_quads(3, crop, peaks, [0.13, 0.5, 0.88]), peaks)


def test_two_halves_of_one_character_are_put_together():
    peaks, crop = line((0, 30), (45, 58), (60, 75), (90, 120))
    assert spans(character_quads(3, crop, peaks, [0.125, 0.5, 0.875])) == THREE
    assert spans(character_quads(3, crop, peaks)) == THREE


def test_two_characters_share_a_peak():
    peaks, crop = line((0, 30), (30, 90), (90, 120))
    assert spans(character_quads(4, crop, peaks, [0.125, 0.375, 0.625, 0.875])) == [
        (0, 30),
        (30, 60),
        (60, 90),
        (90, 120),
    ]


def test_a_character_nobody_saw_fills_the_gap():
    peaks, crop = line(THREE[0], THREE[2])
    quads = character_quads(3, crop, peaks, [0.125, 0.5, 0.875])
    assert np.array_equal(quads[[0, 2]], peaks)
    (gap,) = spans(quads[1:2])
    assert gap == (30, 90)
    assert quads[1, :, 1].tolist() == [TOP, TOP, TOP + HEIGHT, TOP + HEIGHT]


def test_a_peak_that_is_no_character_is_left_over():
    peaks, crop = line(*THREE)
    assert spans(character_quads(2, crop, peaks, [0.125, 0.875])) == [THREE[0], THREE[2]]


def test_places_decide_which_character_a_lost_peak_belongs_to():
    peaks, crop = line((30, 60), (60, 90), (90, 120))
    quads = character_quads(4, crop, peaks, [0.125, 0.375, 0.625, 0.875])
    assert np.array_equal(quads[1:], peaks)
    assert spans(quads[:1]) == [(0, 30)]


def test_without_peaks_places_or_even_shares_tell():
    _, crop = line()
    none = np.zeros((0, 4, 2), np.float32)
    assert spans(character_quads(4, crop, none)) == [(0, 30), (30, 60), (60, 90), (90, 120)]
    assert spans(character_quads(4, crop, None)) == [(0, 30), (30, 60), (60, 90), (90, 120)]
    assert spans(character_quads(2, crop, None, [0.25, 0.5])) == [(0, 45), (45, 105)]
    assert spans(character_quads(2, crop, None, [0.5, 0.5])) == [(0, 60), (60, 120)]


def test_stacked_characters_lie_along_the_height():
    crop = straighten(PAPER, rect(100, 20, 30, 120))
    peaks = np.stack([rect(102, 20 + 40 * k, 26, 38) for k in range(3)])
    assert np.array_equal(character_quads(3, crop, peaks, down=True), peaks)
    quads = character_quads(4, crop, peaks[[0, 2]], down=True)
    assert quads[:, :, 1].min(axis=1).tolist() == sorted(quads[:, :, 1].min(axis=1).tolist())
    alone = character_quads(2, crop, None, down=True)
    np.testing.assert_allclose(alone, [rect(100, 20, 30, 60), rect(100, 80, 30, 60)], atol=1e-3)


def test_room_around_the_word_is_nobodys():
    crop = straighten(PAPER, rect(LEFT, TOP, 120, HEIGHT), 0.2)
    np.testing.assert_allclose(
        character_quads(2, crop, None, margin=0.2 / 1.4), [rect(50, 60, 60, 30), rect(110, 60, 60, 30)], atol=0.1
    )


@pytest.mark.parametrize("seed", range(20))
def test_every_character_has_a_quad_in_order_whatever_was_seen(seed):
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(0, 9)), int(rng.integers(1, 9))
    cuts = np.sort(rng.uniform(0, 120, 2 * n))
    peaks, crop = line(*zip(cuts[::2], cuts[1::2], strict=True))
    places = np.sort(rng.uniform(0, 1, m)).tolist() if rng.random() < 0.7 else []
    quads = character_quads(m, crop, peaks, places)
    assert quads.shape == (m, 4, 2)
    assert np.isfinite(quads).all()
    centres = quads[:, :, 0].mean(axis=1)
    assert (np.diff(centres) >= -1e-3).all()
