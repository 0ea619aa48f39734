"""Character boxes, their order and the word's direction from score maps, on words whose characters are known."""

import warnings

import numpy as np
import pytest
from PIL import ImageFont

from ocr.detection.postprocess import Thresholds
from ocr.detection.score_maps import score_maps
from ocr.detection.words import find_words

FONT = ImageFont.load_default(40)


def latin(text, height, stacked=False):
    """Glyph boxes of a line (or an upright column) of text, ``height`` pixels per em, around the origin."""
    scale, pen, quads = height / 40, 0.0, []
    for letter in text:
        x0, y0, x1, y1 = (scale * v for v in FONT.getbbox(letter))
        if stacked:
            quads.append(rectangle(-(x1 - x0) / 2, pen + y0, (x1 - x0) / 2, pen + y1))
            pen += 0.9 * height
        else:
            quads.append(rectangle(pen + x0, y0, pen + x1, y1))
            pen += scale * FONT.getlength(letter)
    return centred(quads)


def ideographs(n, height, rng, stacked):
    """Squares of nearly one size, one em apart."""
    quads = []
    for i in range(n):
        a, b = height * rng.uniform(0.8, 0.95, 2) / 2
        quads.append(
            rectangle(-a, i * height - b, a, i * height + b)
            if stacked
            else rectangle(i * height - a, -b, i * height + a, b)
        )
    return centred(quads)


def rectangle(x0, y0, x1, y1):
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def centred(quads):
    quads = np.array(quads)
    return quads - (quads.min(axis=(0, 1)) + quads.max(axis=(0, 1))) / 2


def turned(quads, degrees):
    """Counter-clockwise as seen."""
    radians = np.radians(degrees)
    rotation = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    return quads @ rotation.T


def found_word(quads, noise=0.0, rng=None):
    """The only word found where characters have these boxes (map pixels, around the origin), and the boxes moved there."""
    moved = (quads - quads.min(axis=(0, 1)) + 12).astype(np.float32)
    width, height = np.ceil(moved.max(axis=(0, 1)) + 12).astype(int)
    maps = score_maps((height, width), [moved])
    if rng is not None:
        maps = np.clip(maps + rng.normal(0, noise, maps.shape), 0, 1).astype(np.float32)
    (word,) = find_words(maps, Thresholds())
    return word, moved


def overlaps(ours, truth):
    """IoU of quads pair by pair, by counting a fine grid."""
    values = []
    for a, b in zip(ours, truth, strict=True):
        low, high = np.minimum(a.min(0), b.min(0)), np.maximum(a.max(0), b.max(0))
        grid = np.stack(np.meshgrid(*(np.linspace(lo, hi, 60) for lo, hi in zip(low, high, strict=True))), -1).reshape(
            -1, 2
        )
        inside = [within(grid, q) for q in (a, b)]
        values.append((inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum())
    return np.array(values)


def within(points, quad):
    side = np.roll(quad, -1, axis=0) - quad
    offset = points[:, None] - quad
    return (side[:, 0] * offset[..., 1] - side[:, 1] * offset[..., 0] >= 0).all(axis=1)


@pytest.mark.parametrize("degrees", [0, 12, 30, -45, 60, -70])
@pytest.mark.parametrize("text", ["REGION", "Affinity", "maps"])
def test_characters_of_a_line_come_in_reading_order_at_any_angle(text, degrees, rng):
    word, truth = found_word(turned(latin(text, 26), degrees), 0.02, rng)
    assert len(word.characters) == len(text)
    assert overlaps(word.characters, truth).mean() > 0.7
    assert word.angle == pytest.approx(degrees, abs=8)
    assert word.direction == ("horizontal" if abs(degrees) <= 15 else "rotated")
    # the first corner of the word is nearest to the first corner of the first character
    corners = np.linalg.norm(word.polygon - truth[0, 0], axis=1)
    assert corners.argmin() == 0


@pytest.mark.parametrize("lean", [-8, 0, 8])
def test_stacked_characters_come_from_top_to_bottom_and_upright(lean, rng):
    for quads in (latin("STACK", 24, stacked=True), ideographs(6, 22, rng, stacked=True)):
        word, truth = found_word(turned(quads, lean), 0.02, rng)
        assert word.direction == "stacked"
        assert len(word.characters) == len(truth)
        assert overlaps(word.characters, truth).mean() > 0.7
        assert (np.diff(word.characters.mean(axis=1)[:, 1]) > 0).all()
        assert np.abs(word.characters[:, 0] - truth[:, 0]).max() < 4
        assert word.angle == pytest.approx(lean, abs=6)


WORDS = [
    "Region",
    "AFFINITY",
    "detect",
    "Street",
    "OPEN",
    "parking",
    "hello",
    "Hotel",
    "sale",
    "Coffee",
    "Station",
    "CAFE",
    "music",
    "north",
    "Exit",
    "library",
]


def test_direction_of_lines_turned_down_of_stacked_letters_and_of_ideographs(rng):
    """Sixteen words in each way; a turned line of letters of one width looks like stacked ideographs, so a few may fail."""
    ways = {
        "turned": ([turned(latin(w, 26), -90 + rng.uniform(-6, 6)) for w in WORDS], "rotated"),
        "stacked": ([latin(w.upper(), 26, stacked=True) for w in WORDS], "stacked"),
        "ideographs": ([ideographs(2 + i % 6, 24, rng, stacked=True) for i in range(16)], "stacked"),
        "level": ([turned(latin(w, 26), rng.uniform(-12, 12)) for w in WORDS], "horizontal"),
    }
    right = {
        name: np.mean([found_word(q)[0].direction == wanted for q in quads]) for name, (quads, wanted) in ways.items()
    }
    assert right["level"] == right["stacked"] == 1
    assert right["turned"] >= 0.8, right
    assert right["ideographs"] >= 0.9, right


def test_line_turned_down_starts_at_its_upper_right_corner():
    word, _ = found_word(turned(latin("parking", 26), -90))
    assert word.direction == "rotated"
    assert word.angle == pytest.approx(-90, abs=1)
    assert word.polygon[0].tolist() == [word.polygon[:, 0].max(), word.polygon[:, 1].min()]
    assert (np.diff(word.characters.mean(axis=1)[:, 1]) > 0).all()


def test_characters_of_a_curved_word_follow_it():
    turn = np.linspace(-1, 1, 9)
    quads = np.stack([turned(np.array(rectangle(-6, -9, 6, 9)), -np.degrees(t)) for t in turn])
    quads += np.stack([55 * np.sin(turn), -55 * np.cos(turn)], axis=1)[:, None]
    word, truth = found_word(quads)
    assert len(word.characters) == 9
    assert overlaps(word.characters, truth).min() > 0.55


def test_word_of_one_character_has_its_box():
    word, truth = found_word(np.array([rectangle(-8, -10, 8, 10)]))
    assert overlaps(word.characters, truth).min() > 0.8
    assert (word.direction, word.angle) == ("horizontal", 0)


def test_characters_are_scaled_to_the_picture():
    row = np.array([rectangle(x, 10, x + 8, 22) for x in (10, 18, 26)], np.float32)
    (word,) = find_words(score_maps((40, 60), [row]), Thresholds(), scale=(0.5, 0.25))
    assert overlaps(word.characters / [2, 4], row).min() > 0.75


def test_flat_and_noisy_maps_do_not_break():
    full = np.ones((2, 40, 60), np.float32)
    (word,) = find_words(full, Thresholds())
    assert len(word.characters) == 1
    rough = np.random.default_rng(3).random((2, 90, 120)).astype(np.float32)
    for word in find_words(rough, Thresholds(), polygons=True):
        assert np.isfinite(word.characters).all()
        assert np.isfinite(word.polygon).all()
    rough[:, ::3] = np.nan
    find_words(rough, Thresholds())
    assert find_words(np.full((2, 20, 20), np.nan, np.float32), Thresholds(), polygons=True) == []


def test_page_of_two_thousand_words(rng):
    """Every word is found with its characters; joined, every row becomes a line."""
    words = [
        np.array([rectangle(x + 6 * i, y, x + 6 * i + 6, y + 10) for i in range(3)], np.float32)
        for y in range(4, 1004, 25)
        for x in range(5, 1505, 30)
    ]
    maps = score_maps((1010, 1510), words)
    found = find_words(maps, Thresholds())
    assert len(found) == len(words) == 2000
    assert {len(word.characters) for word in found} == {3}
    assert len(find_words(maps, Thresholds(), line_gap=1.5)) == 40


def test_word_that_only_rises_towards_a_stronger_spot_has_no_characters():
    """The spot touches it at a corner alone and is too small for a word of its own."""
    maps = np.zeros((2, 20, 30), np.float32)
    maps[0, 8, 5:17] = np.linspace(0.2, 0.5, 12)
    maps[0, 9:12, 17:20] = 1
    (word,) = find_words(maps, Thresholds(text=0.3, link=0.4, low=0.1))
    assert word.characters.shape == (0, 4, 2)
    assert (word.direction, word.angle) == ("horizontal", 0)


def test_any_map_gives_finite_words_without_a_warning(rng):
    """Maps of one pixel's width, plateaus, noise, NaN; all thresholds."""
    found = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(200):
            maps = rng.random((2, *rng.integers(1, 60, 2)))
            maps = np.round(maps * 4) / 4 if i % 3 == 0 else np.kron(maps, np.ones((1, 3, 4)))
            maps[rng.random(maps.shape) < (i % 2) / 20] = np.nan
            words = find_words(maps.astype(np.float32), Thresholds(*rng.random(3)), polygons=True, line_gap=1.0)
            for word in words:
                assert np.isfinite(word.polygon).all()
                assert np.isfinite(word.characters).all()
                assert 0 <= word.score <= 1
            found += len(words)
    assert found > 200
