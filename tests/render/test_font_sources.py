"""Font sources: packages, folders, and files that are left out, each named once."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

from ocr.render import font_sources
from ocr.render.font_sources import MOST_FACES, faces_of, fault_of, usable_faces
from ocr.render.fonts import COARSE_SIZES, SIZES, FaceSpec, Glyph, faces, open_face

LATIN = "etaoinsrhldcumfgypwbvkjxqz"
KANA = "のいてなにたしでるとはがかっをすもらうんれまだこりくあよさけきそやお"


def test_families_packages_and_patterns() -> None:
    assert 1 <= len(faces_of("lora", 300, 900)) <= MOST_FACES
    both = faces_of("pylopdf-fonts-jp", 300, 900)
    assert [Path(s.path).stem for s in both] == ["NotoSansJP-Regular", "NotoSerifJP-Regular"]
    assert faces_of("pylopdf-fonts-jp:NotoSerif*", 300, 900) == both[1:]
    assert {s.weight for s in faces_of("justmytype-intl-cjk:NotoSansKR*", 300, 900)} == {300, 500, 700, 900}


def test_a_variable_that_is_not_set_has_no_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCR_TEST_FONTS", raising=False)
    with pytest.warns(UserWarning, match=r"OCR_TEST_FONTS is not set"):
        assert faces_of("$OCR_TEST_FONTS/ja", 100, 900) == ()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no-such-package", r"'no-such-package' is not installed.*pip install"),
        ("robotto", r"not installed \(installed and similar: roboto"),
        ("./nowhere/", r"is no folder: name a folder of \.ttf"),
        ("pylopdf-fonts-jp:Comic*", r"holds no font file that fits 'Comic\*'"),
    ],
)
def test_a_source_that_is_not_there_is_one_line(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        faces_of(source, 100, 900)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no font file: name a folder"):
        faces_of(f"{tmp_path}/", 100, 900)


def test_useless_files_of_a_folder_are_left_out_and_named_once(tmp_path: Path) -> None:
    good = faces("lora", 400, 700)[0]
    shutil.copy(good.path, tmp_path / "good.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"this is no font")
    (tmp_path / "cut[wght].ttf").write_bytes(Path(good.path).read_bytes()[:300])
    shutil.copy(faces_of("pylopdf-fonts-jp:NotoSans*", 100, 900)[0].path, tmp_path / "other.otf")
    with pytest.warns(UserWarning, match="is left out") as told:
        found = usable_faces([f"{tmp_path}/:*"], 100, 900, "".join(chr(c) for c in range(0x410, 0x450)))
    assert [Path(s.path).name for _, specs in found for s in specs] in (["good.ttf"], ["good.ttf", "other.otf"])
    lines = [str(w.message) for w in told]
    assert sum("broken.ttf is left out" in line for line in lines) == 1
    assert sum("cut[wght].ttf is left out" in line for line in lines) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        usable_faces([f"{tmp_path}/:*"], 100, 900, "".join(chr(c) for c in range(0x410, 0x450)))


def test_a_font_without_half_of_the_characters_cannot_write_a_language() -> None:
    assert fault_of(faces("lora", 400, 700)[0], LATIN) is None
    assert "0 of the 34 most frequent" in str(fault_of(faces("lora", 400, 700)[0], KANA))
    with (
        pytest.warns(UserWarning, match="most frequent characters only"),
        pytest.raises(ValueError, match=r"no font of lora can write this vocabulary"),
    ):
        usable_faces(["lora"], 400, 700, KANA)


def test_a_font_that_lies_about_its_metrics_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = FaceSpec("lying", faces("lora", 400, 700)[0].path, 400)
    assert fault_of(spec, LATIN[:20]) is None
    for advance in (0.0, 4.0):
        font_sources.fault_of.cache_clear()
        monkeypatch.setattr("ocr.render.fonts.Face.advance", lambda face, character, value=advance: value)
        assert fault_of(spec, LATIN[:20]) == "states advances that do not fit its glyphs"
    font_sources.fault_of.cache_clear()


def test_coarse_glyphs_are_averages_of_the_largest_in_their_place() -> None:
    spec = faces("lora", 400, 700)[0]
    face = open_face(spec, kin=spec)
    large = face.glyph("g", COARSE_SIZES[-1])
    for size in COARSE_SIZES[:-1]:
        factor = COARSE_SIZES[-1] // size
        small = face.glyph("g", size)
        assert abs(float(small.mask.sum()) * factor**2 / float(large.mask.sum()) - 1) < 0.02
        assert small.left * factor <= large.left < (small.left + 1) * factor
        assert small.top * factor <= large.top < (small.top + 1) * factor
    assert set(COARSE_SIZES).isdisjoint(SIZES[:-1])


def test_vertical_forms_are_turned_and_placed() -> None:
    spec = faces_of("pylopdf-fonts-jp:NotoSans*", 100, 900)[0]
    face, size = open_face(spec, kin=spec), COARSE_SIZES[-1]
    flat, turned = face.glyph("ー", size), face.upright("ー", size)
    assert flat.mask.shape[1] > 2 * flat.mask.shape[0]
    assert turned.mask.shape[0] > 2 * turned.mask.shape[1]
    for mark in "。、":
        stop = face.upright(mark, size)
        assert stop.left > 0, "right of the column's centre"
        assert stop.top + stop.mask.shape[0] < size / 2, "in the upper half of its cell"
    small = face.upright("ゃ", size)
    assert small.left + small.mask.shape[1] / 2 > 0.03 * size
    bracket, flat_bracket = face.upright("「", size), face.glyph("「", size)
    assert bracket.mask.shape != flat_bracket.mask.shape
    assert face.depth("国") == pytest.approx(1.0, abs=0.01)
    assert face.has_upright("コーヒー、「茶」。")


def test_a_font_without_vertical_forms_does_not_write_marks_from_top_to_bottom(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = FaceSpec("flat", faces_of("pylopdf-fonts-jp:NotoSans*", 100, 900)[0].path, 400, axes=())
    face = open_face(spec, kin=spec)

    def centred(character: str, size: int) -> Glyph:
        flat = face.glyph(character, size)
        return Glyph(flat.mask, flat.left - round(face.advance(character) * size / 2), flat.top + size)

    monkeypatch.setattr(face, "upright", centred)
    face._standing.clear()
    assert not face.has_upright("コーヒー")
    assert not face.has_upright("ちょっと")
    assert face.has_upright("珈琲")
