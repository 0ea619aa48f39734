import numpy as np
import pytest

from ocr.draw import (
    FOUND,
    IGNORED,
    MISSED,
    TRUTH,
    contact_sheet,
    draw_matches,
    draw_polygons,
    draw_words,
    overlay,
    printable,
)
from ocr.types import Detection, Reading, SceneWord

ODD_TEXTS = ["", "plain", "日本語 한국어 Привет", "\ud800", "a\nb\tc\x00", "e\u0301" * 200, "مرحبا", "👩‍👩‍👧", " " * 9]


def rect(x, y, w, h):
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def grey(width, height):
    return np.full((height, width, 3), 128, np.uint8)


def share(image, colour):
    return float((np.abs(image.astype(int) - colour).max(axis=-1) < 40).mean())


@pytest.mark.parametrize("size", [(1, 1), (30, 12), (5000, 20), (20, 3000), (640, 480)])
def test_any_text_can_be_drawn_on_any_picture(size):
    image = grey(*size)
    words = [(Detection(rect(-5, 3 * k, 40, 12), 1.0), Reading(text, 0.5)) for k, text in enumerate(ODD_TEXTS)]
    drawn = draw_words(image, words)
    assert drawn.dtype == np.uint8
    assert max(drawn.shape[:2]) >= 640
    assert drawn.shape[0] % size[1] == 0
    assert (image == 128).all()


def test_boxes_and_labels_are_where_they_belong():
    drawn = draw_words(grey(800, 600), [(Detection(rect(100, 200, 300, 60), 1.0), Reading("WORD", 1.0))])
    assert drawn.shape == (600, 800, 3)
    assert share(drawn[199:202, 110:390], FOUND) > 0.5
    assert share(drawn[165:198, 100:150], FOUND) > 0.4
    assert share(drawn[205:255, 105:395], (128, 128, 128)) == 1
    assert share(drawn[300:], (128, 128, 128)) == 1


def test_a_label_stays_inside_the_picture():
    text = "W" * 30
    corner = draw_words(grey(800, 600), [(Detection(rect(780, 2, 20, 40), 1.0), Reading(text, 1.0))])
    assert share(corner[2:20, 300:780], FOUND) > 0.3


def test_crowded_words_are_written_beside_the_picture():
    lines = [(Detection(rect(20, 20 * k, 300, 18), 1.0), Reading(f"line {k}", 1.0)) for k in range(20)]
    drawn = draw_words(grey(700, 500), lines)
    assert drawn.shape == (500, 1400, 3)
    sheet = drawn[:, 700:]
    assert share(sheet, (255, 255, 255)) > 0.7
    for k in range(20):
        assert (sheet[20 * k + 2 : 20 * k + 17, 22:120].min() < 100).any()
    apart = [(Detection(rect(20, 100 * k, 300, 18), 1.0), Reading(f"line {k}", 1.0)) for k in range(1, 5)]
    assert draw_words(grey(700, 500), apart).shape == (500, 700, 3)


def test_matches_tell_found_missed_and_ignored_apart():
    words = [SceneWord(rect(20, 20 + 100 * k, 200, 50), "w", ignore=k == 1) for k in range(3)]
    drawn = draw_matches(grey(700, 500), [Detection(rect(300, 20, 100, 50), 1.0)], words, [True, False])
    for colour, rows in ((TRUTH, (18, 72)), (IGNORED, (118, 172)), (MISSED, (218, 272))):
        band = drawn[rows[0] : rows[1], 15:230]
        assert share(band, colour) > 0.03
    assert share(drawn[218:272], TRUTH) == 0
    assert share(drawn[:, 290:], FOUND) > 0.001
    with pytest.raises(ValueError, match="shorter"):
        draw_matches(grey(700, 500), [], words, [True])


def test_groups_of_polygons_keep_their_colours():
    curve = np.array([[10, 60], [60, 20], [120, 15], [120, 40], [60, 45], [20, 80]], np.float32)
    drawn = draw_polygons(grey(700, 100), [([curve], MISSED)])
    assert share(drawn, MISSED) > 0.005
    assert share(drawn, FOUND) == 0


def test_an_overlay_leaves_empty_parts_alone_and_marks_the_rest():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (60, 80, 3), np.uint8)
    score = np.zeros((30, 40), np.float32)
    score[:, 20:] = 1
    shown = overlay(image, score)
    assert shown.shape == image.shape
    left = shown[:, :36].astype(int)
    assert np.ptp(left, axis=-1).max() == 0
    assert np.abs(left[..., 0] - image[:, :36] @ [0.299, 0.587, 0.114]).max() < 1.5
    right = shown[:, 44:].astype(int)
    assert (right[..., 1] > right[..., 2] + 60).mean() > 0.95
    assert overlay(image, np.full((2, 2), np.nan, np.float32)).shape == image.shape


def test_a_contact_sheet_shows_every_picture_whole():
    rng = np.random.default_rng(1)
    shades = rng.permutation(np.arange(20, 240, 20))
    images = [np.full((int(rng.integers(5, 90)), int(rng.integers(5, 400)), 3), s, np.uint8) for s in shades]
    sheet = contact_sheet(images, columns=4, cell=(120, 60))
    assert sheet.shape[1] == 8 + 4 * 128
    for shade, image in zip(shades, images, strict=True):
        scale = min(120 / image.shape[1], 60 / image.shape[0], 3)
        area = int((sheet == shade).all(axis=-1).sum())
        assert area == pytest.approx(image.shape[0] * image.shape[1] * scale**2, rel=0.2, abs=130)


def test_captions_stand_below_their_pictures_and_are_shortened():
    images = [np.full((40, 100, 3), 90, np.uint8)] * 2
    sheet = contact_sheet(images, ["a", "a very long caption " * 20], columns=2, cell=(100, 40))
    below = sheet[8 + 40 :]
    assert sheet.shape[0] > 8 + 40 + 15
    assert (below[:, 8:108].min(axis=-1) < 100).sum() < (below[:, 116:216].min(axis=-1) < 100).sum()
    assert (below[:, 108:116] == 255).all()
    assert (contact_sheet(images, columns=2).shape[0]) < contact_sheet(images, ["", ""], columns=2).shape[0]


def test_sheets_that_cannot_be_made_are_refused():
    with pytest.raises(ValueError, match="0 pictures"):
        contact_sheet([])
    with pytest.raises(ValueError, match="one caption for each"):
        contact_sheet([grey(5, 5)], ["a", "b"])


def test_printable_text_is_one_line():
    assert printable(" a\n\tb\x00 \ud800 é 日 ") == "a b\ufffd \ufffd é 日"
