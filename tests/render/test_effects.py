"""What is done to letters, backgrounds and finished pictures: each effect does its thing, and only there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocr.render.backdrop import draw_backdrop
from ocr.render.binding import Chance, Range
from ocr.render.camera import occlude, shine
from ocr.render.ink import Coverage, PlacedWord, cover, set_word
from ocr.render.look import Letters, Look, load_language, load_look
from ocr.render.paint import _pixels_per_em, ink_contrast, paint_word
from ocr.render.plate import paint_plate
from ocr.render.scene import render_blocks
from ocr.render.word import place_text, render_word
from ocr.render.writing import Demand
from ocr.seeding import generator
from ocr.types import Image

FILL, EDGE = np.array([200, 60, 60], np.float32), np.array([0, 0, 0], np.float32)


def look(preset: str = "clean", language: str = "en", **vertical: float) -> Look:
    return load_look(preset).written_in(dataclasses.replace(load_language(language), **vertical), "train")


def only(letters: Letters, **strengths: float) -> Letters:
    chances = {f.name: getattr(letters, f.name) for f in dataclasses.fields(letters)}
    off = {k: Chance(0.0, c.range) for k, c in chances.items() if isinstance(c, Chance)}
    on = {k: Chance(1.0, Range(v, v)) for k, v in strengths.items()}
    return dataclasses.replace(letters, **(off | on))


def painted(**strengths: float) -> tuple[Image, PlacedWord]:
    """A word on mid grey, 60 pixels high."""
    base = look().replace(letters=only(look().letters, **strengths))
    placed = place_text(base, generator(8, "effects")).placed
    word = set_word("Hello", placed.word.style, 84)
    image = np.full((150, 420, 3), 120, np.uint8)
    on_page = PlacedWord(word, np.array([[1.0, 0, 40], [0, 1, 100], [0, 0, 1]]))
    paint_word(image, on_page, FILL, EDGE, generator(1))
    return image, on_page


@pytest.mark.parametrize(
    ("effect", "strength"),
    [("outline", 0.06), ("shadow", 0.1), ("gradient", 60.0), ("worn", 0.5), ("texture", 80.0), ("emboss", 0.04), ("neon", 0.3),
     ("dots", 0.09), ("thermal", 0.6)],
)  # fmt: skip
def test_an_effect_changes_the_word_and_nothing_far_from_it(effect: str, strength: float) -> None:
    plain, placed = painted()
    image, _ = painted(**{effect: strength})
    assert (image != plain).any()
    left, top, right, bottom = (round(v) for v in placed.bounds())
    far = np.ones(image.shape[:2], bool)
    far[max(top - 45, 0) : bottom + 45, max(left - 45, 0) : right + 45] = False
    assert (image[far] == 120).all()


def test_dots_take_ink_away_and_neon_adds_light_around_it() -> None:
    plain, placed = painted()
    dotted, on_page = painted(dots=0.09)
    whole, holes = cover(placed, (150, 420)), cover(on_page, (150, 420))
    assert whole is not None
    assert holes is not None
    assert 0.3 < holes.alpha.sum() / whole.alpha.sum() < 0.95
    assert (holes.alpha <= whole.alpha).all()
    glowing, _ = painted(neon=0.3)
    beside = cv2.dilate(whole.alpha, np.ones((9, 9), np.uint8)) - whole.alpha > 200
    window = (slice(whole.y, whole.y + len(whole.alpha)), slice(whole.x, whole.x + whole.alpha.shape[1]))
    assert glowing[window][beside][:, 0].mean() > plain[window][beside][:, 0].mean() + 10
    assert dotted.shape == plain.shape


def test_embossed_letters_have_a_light_and_a_dark_rim() -> None:
    image, placed = painted(emboss=0.05)
    left, top, right, bottom = (round(v) for v in placed.bounds())
    window = image[top - 6 : bottom + 6, left - 6 : right + 6, 1]
    assert window.max() > 180
    assert window.min() < 60, "the letters' own green is 60"


def test_shadows_and_rims_scale_with_the_word_in_the_picture() -> None:
    placed = place_text(look(), generator(8, "effects")).placed
    word = set_word("Hello", placed.word.style, 84)
    for scale in (0.25, 1.0, 2.0):
        turned = cv2.getRotationMatrix2D((0, 0), 33, scale)
        on_page = PlacedWord(word, np.concatenate([turned, [[0, 0, 1]]]))
        assert _pixels_per_em(on_page) == pytest.approx(84 * scale)


def test_contrast_is_that_of_letters_to_what_is_around_them() -> None:
    image = np.full((40, 60, 3), 100, np.uint8)
    alpha = np.zeros((20, 30), np.uint8)
    alpha[5:15, 5:25] = 255
    letters = Coverage(alpha, 10, 10)
    assert ink_contrast(image, letters) == pytest.approx(0, abs=1e-3)
    image[15:25, 15:35] = 130
    assert ink_contrast(image, letters) == pytest.approx(30, abs=0.1)
    assert ink_contrast(image, None) == 0.0


def test_what_hides_text_covers_about_its_share() -> None:
    for i in range(30):
        image = np.full((60, 200, 3), 128, np.uint8)
        occlude(image, 0.08, generator(i))
        covered = (image != 128).any(2).mean()
        assert 0.0 < covered < 0.2


def test_glare_only_adds_light() -> None:
    image = generator(0).integers(0, 200, (50, 120, 3)).astype(np.uint8)
    lit = shine(image, 0.6, generator(1))
    assert (lit >= image).all()
    assert (lit.astype(int) - image).max() > 30


def test_a_plate_lies_under_its_word() -> None:
    placed = place_text(look("plates"), generator(4)).placed
    placed.matrix = np.array([[1.0, 0, 60], [0, 1, 60], [0, 0, 1]]) @ placed.matrix
    image = np.full((260, 700, 3), 7, np.uint8)
    paint_plate(image, placed, look("plates").colours, generator(2))
    inside = placed.polygon().mean(0).astype(int)
    assert (image[inside[1], inside[0]] != 7).any()
    assert (image[:3] == 7).all()


def test_a_background_does_not_depend_on_what_was_painted_before() -> None:
    one = draw_backdrop(look("scene"), generator(5), 40, 120)
    for i in range(30):
        draw_backdrop(look("scene"), generator(i), 40, 120)
    assert one.tobytes() == draw_backdrop(look("scene"), generator(5), 40, 120).tobytes()
    for height, width in ((40, 120), (300, 30), (640, 640), (900, 1000)):
        assert draw_backdrop(look("scene"), generator(6), height, width).shape == (height, width, 3)


def test_photographs_come_from_a_folder_and_an_empty_one_is_an_error(tmp_path: Path) -> None:
    photo = np.zeros((300, 400, 3), np.uint8)
    photo[:, :, 2] = 255  # red, in OpenCV's order
    cv2.imwrite(str(tmp_path / "red.png"), photo)
    with_photos = look().replace(photos=str(tmp_path))
    pictures = [draw_backdrop(with_photos, generator(i), 32, 100) for i in range(20)]
    red = sum(pictures_have_red(pictures, i) for i in range(20))
    assert 4 <= red <= 16
    (tmp_path / "none").mkdir()
    drawn = next(i for i in range(99) if pictures_have_red(pictures, i))
    with pytest.raises(ValueError, match=r"none: no picture in it"):
        draw_backdrop(look().replace(photos=str(tmp_path / "none")), generator(drawn), 32, 100)


def pictures_have_red(pictures: list[Image], place: int) -> bool:
    return bool((pictures[place] == [255, 0, 0]).all())


def test_vertical_signs_are_read_from_top_to_bottom_and_from_right_to_left() -> None:
    upright = look("clean", "ja", vertical=1.0, latin=0.0)
    upright = upright.replace(layout=dataclasses.replace(upright.layout, words=Range(6, 10), lines=Range(3, 3)))
    found = 0
    for i in range(4):
        rendered = render_blocks(upright, generator(9, i), 480, 480)
        words = iter(rendered.scene.words)
        for block in rendered.blocks:
            columns = [[next(words) for _ in line.split()] for line in block.split("\n")]
            for column in columns:
                assert all(w.direction == "stacked" for w in column)
                tops = [w.polygon[:, 1].min() for w in column]
                assert tops == sorted(tops)
            lefts = [column[0].polygon[:, 0].mean() for column in columns]
            assert lefts == sorted(lefts, reverse=True)
            found += len(columns) > 1
    assert found


def test_prices_of_a_receipt_are_flush_right() -> None:
    receipts = look("receipts", "en", vertical=0.0)
    receipts = receipts.replace(
        layout=dataclasses.replace(receipts.layout, receipt=1.0, rotation=Range(0, 0), perspective=Range(0, 0)),
        letters=only(receipts.letters),
    )
    rendered = render_blocks(receipts, generator(3), 640, 640)
    words = iter(rendered.scene.words)
    for block in rendered.blocks:
        rows = [[next(words) for _ in line.split()] for line in block.split("\n")]
        ends = [row[-1].polygon[:, 0].max() for row in rows if len(row) > 1]
        assert np.ptp(ends) < 1.5
        starts = [row[0].polygon[:, 0].min() for row in rows]
        assert np.ptp(starts) < 1.5


def test_blocks_turned_by_any_angle_are_labelled_as_rotated() -> None:
    turned = look("clean", "en", vertical=0.0)
    turned = turned.replace(layout=dataclasses.replace(turned.layout, turned=1.0, words=Range(8, 12)))
    directions = {w.direction for i in range(4) for w in render_blocks(turned, generator(2, i), 480, 480).scene.words}
    assert directions == {"horizontal", "rotated"}


def test_letters_that_cannot_be_seen_are_ignored_in_scenes_and_replaced_in_crops() -> None:
    faint = look("clean")
    never = Chance(1.0, Range(0.1, 0.2))
    faint = faint.replace(colours=dataclasses.replace(faint.colours, faint=never, tone=Range(0, 0)))
    faint = faint.replace(letters=only(faint.letters), layout=dataclasses.replace(faint.layout, legible=9.0))
    scene = render_blocks(faint, generator(1), 320, 320).scene
    assert scene.words
    assert all(w.ignore for w in scene.words)
    demand = Demand()
    with pytest.raises(ValueError, match=r"10 crops in a row are illegible: raise colours\.contrast"):
        render_word(faint, generator(1), demand=demand)
    assert demand.replaced["illegible"] == 10
