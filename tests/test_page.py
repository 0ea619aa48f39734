import base64
import io
import math
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from ocr.page import (
    HEIGHT,
    Html,
    Series,
    charts,
    command,
    data_table,
    escaped,
    gallery,
    line_chart,
    page,
    paragraph,
    picture,
    score_table,
    section,
    table,
    ticks,
    write_page,
)
from ocr.types import Score

NASTY = '<script src="https://evil.example/x.js">alert("1")</script> & \'q\' "q" <img src=x onerror=y>'
VOID = {"meta", "img"}
MANIFESTS = [
    {"name": "synthtext", "task": "detection", "split": "train", "kind": "rendered", "source": NASTY, "count": 1200,
     "dropped": {"too small": 3, "no text": 4}, "fingerprint": "ab12" * 16},
    {"name": "icdar2015", "task": "detection", "split": "test", "kind": "real", "source": "photographs", "count": 10,
     "fingerprint": "cd34" * 16},
]  # fmt: skip


class Document(HTMLParser):
    """Collects elements, attributes and text; insists that every element is closed in its turn."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"{tag} repeats an attribute"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def whole_page():
    image = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    scores = [Score("synthtext", "ic15_iou", "hmean", 0.87654, 640, 0.85, 0.9), Score("icdar2015", "p", NASTY, 0.5, 3)]
    curves = [Series(NASTY, [0, 1, 2], [1.0, math.nan, 0.2]), Series("b", [0, 2], [0.3, 0.6])]
    return page(
        NASTY,
        NASTY,
        section(NASTY, paragraph(NASTY), command(NASTY), data_table(MANIFESTS)),
        section("Scores", score_table(scores, {"synthtext": "rendered", "icdar2015": "real"}, NASTY)),
        section("Curves", charts([line_chart(curves, NASTY, NASTY, NASTY)])),
        section("Pictures", gallery([picture(image, NASTY)])),
    )


def test_the_page_refers_to_nothing_outside_itself_and_escapes_everything():
    document = Document(whole_page())
    assert len(document.all("script")) == 1
    assert document.all("script")[0] == {}
    assert [a["src"][:22] for a in document.all("img")] == ["data:image/png;base64,"]
    for tag, attributes in document.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "xlink:href", "action", "style"):
            assert attributes.get(name, "data:").startswith("data:")
    policy = next(a["content"] for a in document.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    assert document.text.count(NASTY) >= 9
    style = whole_page().split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_what_the_data_is_stands_beside_it():
    document = Document(page("t", "l", data_table(MANIFESTS)))
    assert "rendered stand-in" in document.text
    assert "real" in document.text
    assert "ab12ab12ab12" in document.text
    assert {a["class"] for a in document.all("span")} == {"kind rendered", "kind real"}
    numbers = [a["data-v"] for a in document.all("td") if "data-v" in a]
    assert numbers == ["1200.0", "7.0", "10.0", "0.0"]


def test_scores_show_interval_kind_and_n():
    text = score_table([Score("s", "case36", "word_accuracy", 0.71234, 2000, 0.69, 0.73)], {"s": "rendered"})
    for part in ("rendered stand-in", "0.712", "0.690 – 0.730", "2,000", "case36"):
        assert part in text
    with pytest.raises(ValueError, match="score of s: its kind"):
        score_table([Score("s", "p", "m", 0.5, 3)], {})


def test_numbers_of_every_type_can_be_sorted_and_read():
    cells = [3, 2.5, np.float64(0.125), np.float32(0.5), np.int64(7), None, math.nan, True, "x"]
    document = Document(table([str(i) for i in range(len(cells))], [cells]))
    values = [a.get("data-v") for a in document.all("td")]
    assert [None if v is None else float(v) for v in values] == [3, 2.5, 0.125, 0.5, 7, None, None, 1, None]
    assert [escaped(c) for c in (1234567, 12345.678, 0.12345, None, math.inf, False, Html("<b>x</b>"))] == [
        "1,234,567",
        "12,345.7",
        "0.123",
        "–",
        "–",
        "no",
        "<b>x</b>",
    ]


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        table(["a", "b"], [["x"]])


def test_pictures_are_embedded_at_a_bounded_size():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (20, 30, 3), np.uint8)
    stored = base64.b64decode(re.search(r"base64,([^\"]+)", picture(small, "c"))[1])
    assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(stored))), small)
    large = Document(picture(np.zeros((1500, 3000, 3), np.uint8), "c", max_side=600)).all("img")[0]
    assert (large["width"], large["height"]) == ("600", "300")
    assert large["src"].startswith("data:image/jpeg;base64,")


def curve_paths(markup):
    return [a["d"] for a in Document(markup).all("path") if a.get("class", "").startswith("c") and a["d"] != "M0 6H28"]


def test_curves_pass_through_their_values():
    x, y = [0.0, 10.0, 40.0, 100.0], [0.0, 0.5, 0.25, 1.0]
    (path,) = curve_paths(line_chart([Series("s", x, y)], "t", "step", "share", (0, 1)))
    drawn = np.array([[float(v) for v in p.split()] for p in re.split("[ML]", path)[1:]])
    across = (drawn[:, 0] - drawn[0, 0]) / (drawn[-1, 0] - drawn[0, 0])
    up = (drawn[0, 1] - drawn[:, 1]) / (drawn[0, 1] - drawn[-1, 1])
    assert across == pytest.approx(np.array(x) / 100, abs=1e-3)
    assert up == pytest.approx(np.array(y), abs=1e-3)


def test_gaps_long_curves_and_flat_curves():
    (path,) = curve_paths(line_chart([Series("s", range(6), [1, 2, math.nan, math.inf, 3, 4])], "t", "x", "y"))
    assert [c for c in path if c in "ML"] == list("MLML")
    (path,) = curve_paths(line_chart([Series("s", range(100_000), np.sin(np.arange(100_000)))], "t", "x", "y"))
    assert path.count("L") == 399
    (path,) = curve_paths(line_chart([Series("s", [5], [0.0])], "t", "x", "y"))
    assert 0 < float(path.split()[1]) < HEIGHT
    assert "no values" in line_chart([Series("s", [1], [math.nan]), Series("e", [], [])], "t", "x", "y")


def test_many_curves_have_looks_of_their_own_and_names():
    many = [Series(f"run {i}", [0, 1], [i, i + 1]) for i in range(24)]
    document = Document(line_chart(many, "t", "x", "y"))
    looks = [(a["class"], a["stroke-dasharray"]) for a in document.all("path") if a["d"] == "M0 6H28"]
    assert len(set(looks)) == 24
    assert all(s.name in document.text for s in many)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_round_and_inside(low, width):
    high = low + width
    if high - low < 1e-9 * abs(low) + 1e-9:
        return
    values = ticks(low, high)
    slack = 1e-6 * (high - low) + 1e-9 * abs(low)
    assert 2 <= len(values) <= 6
    assert all(low - slack <= v <= high + slack for v in values)
    step = values[1] - values[0]
    assert np.diff(values) == pytest.approx(step, rel=1e-4, abs=1e-9 * abs(low))
    mantissa = step / 10 ** math.floor(math.log10(step * 1.0001))
    assert min(abs(mantissa - m) for m in (1, 2, 5, 10)) < 1e-2 + 1e-8 * abs(low) / step


def test_the_page_is_written_as_utf8(tmp_path):
    path = write_page(tmp_path / "deep" / "page.html", page("読む", "한국"))
    assert path.is_absolute()
    assert "<title>読む</title>" in path.read_text(encoding="utf-8")


def test_reading_and_scoring_need_neither_torch_nor_hydra():
    modules = "ocr.metrics.iou, ocr.metrics.words, ocr.metrics.score, ocr.reader, ocr.draw, ocr.page, ocr.export_text"
    heavy = "{'torch', 'pytorch_lightning', 'hydra', 'omegaconf', 'albumentations'}"
    code = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
