"""Faces: what is installed, which glyphs there are, where their ink lies."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ocr.render import fonts, generations
from ocr.render.fonts import COARSE_SIZES, SIZES, Face, faces, installed_families, open_face
from ocr.render.generations import Generations
from ocr.render.look import load_look

LOOKS = ("icdar2015_standin", "mjsynth_standin", "rendered_scenes_v1", "rendered_words_v1", "synthtext_standin")
PRINTABLE = "".join(chr(c) for c in range(33, 127))


@pytest.mark.parametrize("name", LOOKS)
def test_every_font_of_every_look_is_installed_and_has_all_letters_and_digits(name: str) -> None:
    look = load_look(name)
    assert set(look.fonts) <= set(installed_families())
    for family in look.fonts:
        specs = faces(family, int(look.letters.weight.low), int(look.letters.weight.high))
        assert 1 <= len(specs) <= 12
        assert open_face(specs[0]).has("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


def test_a_missing_package_is_one_line_with_the_install_command() -> None:
    with pytest.raises(ValueError, match=r"'robotto' is not installed.*roboto.*pip install fontpkg-robotto") as caught:
        faces("robotto", 300, 900)
    assert "\n" not in str(caught.value)


def test_a_weight_range_without_a_face_is_an_error() -> None:
    with pytest.raises(ValueError, match="no face of weight 100 to 150"):
        faces("lobster", 100, 150)


def test_characters_without_a_glyph_are_known() -> None:
    face = open_face(faces("roboto", 400, 400)[0])
    assert face.has("Hello world!")
    assert not face.has("漢")
    assert not face.has("Hello 漢")
    assert not face.has("\x07")


def test_weights_of_a_variable_font_differ_in_ink() -> None:
    specs = [s for s in faces("montserrat", 300, 900) if "Italic" not in s.path]
    inks = [(s.weight, int(open_face(s).glyph("H", SIZES[-1]).mask.sum())) for s in specs]
    weights, amounts = zip(*sorted(inks), strict=True)
    assert len(set(weights)) >= 4
    assert list(amounts) == sorted(amounts)


def test_a_pair_is_kerned_as_the_font_says() -> None:
    face = open_face(faces("roboto", 400, 400)[0])
    assert face.kerning("A", "V") < -0.01
    assert face.kerning("H", "H") == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("family", ["roboto", "playfair-display", "caveat", "kalam", "permanent-marker"])
@pytest.mark.parametrize("size", [SIZES[0], SIZES[3]])
def test_glyphs_are_what_pillow_draws_and_their_boxes_are_tight(family: str, size: int) -> None:
    spec = faces(family, 400, 700)[0]
    face = open_face(spec)
    font = ImageFont.truetype(spec.path, size, layout_engine=ImageFont.Layout.BASIC)
    if spec.axes:
        font.set_variation_by_axes(list(spec.axes))
    for character in PRINTABLE:
        canvas = Image.new("L", (size * 5, size * 5))
        ImageDraw.Draw(canvas).text((size * 2, size * 3), character, fill=255, font=font, anchor="ls")
        expected = np.asarray(canvas)
        glyph = face.glyph(character, size)
        drawn = np.zeros_like(expected)
        h, w = glyph.mask.shape
        drawn[size * 3 + glyph.top :, size * 2 + glyph.left :][:h, :w] = glyph.mask
        np.testing.assert_array_equal(drawn, expected)
        assert glyph.mask[0].any()
        assert glyph.mask[-1].any()
        assert glyph.mask[:, 0].any()
        assert glyph.mask[:, -1].any()


def test_kept_glyphs_of_all_faces_stay_below_their_limit_and_come_back_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = faces("roboto", 400, 400)[0]
    monkeypatch.setattr(generations, "PAGE", 8192)
    kept = Generations(40_000)
    monkeypatch.setattr(fonts, "_kept", kept)
    one, other = Face(spec, kin=Face(spec)), Face(spec, kin=Face(spec))
    size = COARSE_SIZES[1]
    first = {c: one.glyph(c, size) for c in PRINTABLE}
    assert one.has(PRINTABLE)
    for character in PRINTABLE:
        other.glyph(character, size)
    held = [glyph for face in (one, other) for glyph in face._glyphs.values()]
    assert 0 < sum(g.mask.nbytes for g in held) <= kept.held <= 40_000
    assert not one._glyphs
    assert list(one._known) == [" "]
    for character, before in first.items():
        again = one.glyph(character, size)
        assert (again.left, again.top) == (before.left, before.top)
        np.testing.assert_array_equal(again.mask, before.mask)
