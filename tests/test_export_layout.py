import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ocr.export_layout import ALTO, XHTML, page_to_alto, page_to_hocr
from ocr.export_text import joined, page_to_text
from ocr.types import Detection, Page, Reading


def rect(x, y, w, h):
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def word(text, x, y, w=40, h=20, direction="horizontal", angle=0.0):
    n = len(text)
    quads = [rect(x + k * w / n, y, w / n, h) for k in range(n)]
    if direction == "stacked":
        quads = [rect(x, y + k * h / n, w, h / n) for k in range(n)]
    return Detection(rect(x, y, w, h), 0.9, angle, direction, np.array(quads)), Reading(text, 0.5, [0.9] * n)


@pytest.fixture
def page():
    words = [word("one", 10, 10), word("<2>", 60, 11), word("縦書", 150, 14, 20, 60, "stacked"), word("", 10, 70)]
    words.append((Detection(rect(-5, 85, 40, 30), 0.5, 3.0), Reading("cut", 0.25)))
    return Page('a "b" \x01&.png', 200, 100, [words[i] for i in (4, 0, 2, 1, 3)])


def test_hocr_is_xhtml_with_pages_lines_words_and_characters(page):
    root = ET.fromstring(page_to_hocr(page).partition("<!DOCTYPE html>\n")[2])
    found = {name: [e for e in root.iter() if e.get("class") == name] for name in CLASSES}
    assert [len(found[name]) for name in CLASSES] == [1, 3, 4, 8]
    (sheet,) = found["ocr_page"]
    assert sheet.get("title") == "image \"a 'b' \ufffd&.png\"; bbox 0 0 200 100; ppageno 0"
    assert ["".join(line.itertext()) for line in found["ocr_line"]] == ["one <2>", "縦書", "cut"]
    assert found["ocr_line"][0].get("title") == "bbox 10 10 100 31"
    assert "vertical-rl" in found["ocr_line"][1].get("style")
    assert found["ocr_line"][2].get("title") == "bbox 0 85 35 100; textangle 3.0"
    titles = [w.get("title") for w in found["ocrx_word"]]
    assert titles[1] == "bbox 60 11 100 31; x_wconf 50; poly 60 11 100 11 100 31 60 31"
    assert found["ocrx_cinfo"][6].get("title") == "x_bboxes 150 14 170 44; x_conf 90.0"
    heads = {m.get("name"): m.get("content") for m in root.iter(f"{{{XHTML}}}meta")}
    assert set(CLASSES) <= set(heads["ocr-capabilities"].split())
    assert len({e.get("id") for e in root.iter() if e.get("id")}) == 1 + 3 + 4


CLASSES = ("ocr_page", "ocr_line", "ocrx_word", "ocrx_cinfo")


def test_alto_has_blocks_lines_strings_and_glyphs(page):
    root = ET.fromstring(page_to_alto(page).encode())

    def all_of(name):
        return list(root.iter(f"{{{ALTO}}}{name}"))

    assert root.find(f".//{{{ALTO}}}MeasurementUnit").text == "pixel"
    assert root.find(f".//{{{ALTO}}}fileName").text == 'a "b" \ufffd&.png'
    (sheet,) = all_of("Page")
    assert (sheet.get("WIDTH"), sheet.get("HEIGHT")) == ("200", "100")
    assert [s.get("CONTENT") for s in all_of("String")] == ["one", "<2>", "縦書", "cut"]
    assert [g.get("CONTENT") for g in all_of("Glyph")] == list("one<2>縦書")
    first = all_of("String")[0]
    assert [first.get(k) for k in ("HPOS", "VPOS", "WIDTH", "HEIGHT", "WC")] == ["10", "10", "40", "20", "0.5000"]
    # the schema's order: a string's shape comes before its glyphs
    assert [child.tag.partition("}")[2] for child in first] == ["Shape", "Glyph", "Glyph", "Glyph"]
    assert first[0][0].get("POINTS") == "10.0,10.0 50.0,10.0 50.0,30.0 10.0,30.0"
    assert [block.get("ROTATION") for block in all_of("TextBlock")] == [None, None, "3.0"]
    assert len(all_of("SP")) == 1
    assert len({e.get("ID") for e in root.iter() if e.get("ID")}) == len([e for e in root.iter() if e.get("ID")])


def test_a_page_without_words():
    empty = Page("a.png", 5, 4, [])
    assert list(ET.fromstring(page_to_alto(empty).encode()).iter(f"{{{ALTO}}}String")) == []
    assert "ocrx_word" not in page_to_hocr(empty).partition("<body>")[2]
    assert page_to_text(empty) == ""


def test_spaces_stand_between_words_but_not_where_chinese_or_japanese_characters_meet():
    assert joined(["one", "two"]) == "one two"
    assert joined(["東京", "タワー", "は", "333", "m", "です"]) == "東京タワーは 333 m です"
    assert joined(["서울", "시청"]) == "서울 시청"
    assert joined(["「東", "京」"]) == "「東京」"
    assert joined([]) == ""
