import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow
from reading_cases import rect, saved, turned

from ocr.export_text import page_to_dict, page_to_text
from ocr.picture_files import load_image
from ocr.read_files import FORMATS, read_files
from ocr.reader import Reader
from ocr.straighten import MAX_CROP_SIDE
from ocr.types import Detection, Detects, Page, Reading, Reads

COLOURS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230), "amber": (230, 180, 20)}


def picture(width, height, patches):
    """A white picture with painted rectangles (x, y, w, h, colour)."""
    image = np.full((height, width, 3), 255, np.uint8)
    for x, y, w, h, colour in patches:
        image[y : y + h, x : x + w] = COLOURS[colour]
    return image


def nearest(colour):
    return min(COLOURS, key=lambda name: float(np.abs(np.subtract(COLOURS[name], colour)).sum()))


class ScriptedDetector:
    """Finds the boxes it was given, by the picture's size; remembers how many pictures came at once."""

    def __init__(self, boxes):
        self.boxes, self.calls = boxes, []

    def detect(self, images):
        self.calls.append(len(images))
        return [self.boxes.get(image.shape[:2], []) for image in images]


class ColourReader:
    """Reads a crop as the colour names of its left and right half; surer when the left half is not the right one's.

    Its confidences leave no doubt, or (``doubtful``) always some.
    """

    def __init__(self, doubtful=False):
        self.shapes, self.doubtful = [], doubtful

    def read(self, images):
        self.shapes.append([image.shape for image in images])
        readings = []
        for crop in images:
            middle = crop.shape[1] // 2
            halves = [
                nearest(part.reshape(-1, 3).mean(axis=0)) for part in (crop[:, : max(1, middle)], crop[:, middle:])
            ]
            names = list(dict.fromkeys(halves))
            text = "-".join(names)
            each = (0.99 if len(names) == 2 else 0.95) - 0.3 * self.doubtful * (2 if len(names) == 1 else 1)
            readings.append(Reading(text, each ** len(text), [each] * len(text)))
        return readings


# --- reading ----------------------------------------------------------------------------------------------------------


def test_every_word_of_every_picture_gets_its_own_reading_in_reading_order():
    pictures, boxes = [], {}
    places = [(150, 12), (20, 10), (90, 60), (10, 62)]
    for i in range(5):
        names = list(np.roll(list(COLOURS), i))
        patches = [(x, y, 40 + 9 * k, 20, n) for k, ((x, y), n) in enumerate(zip(places, names, strict=True))]
        pictures.append(picture(240 + i, 100, patches))
        boxes[(100, 240 + i)] = [Detection(rect(*p[:4]), 0.5 + k / 10) for k, p in enumerate(patches)]
    detector, recognizer = ScriptedDetector(boxes), ColourReader()
    pages = exact_reader(detector, recognizer).read(pictures, batch=2)
    for i, page in enumerate(pages):
        names = np.roll(list(COLOURS), i)
        assert [reading.text for _, reading in page.words] == [names[1], names[0], names[3], names[2]]
        assert [round(d.score, 1) for d, _ in page.words] == [0.6, 0.5, 0.8, 0.7]
        assert (page.path, page.width, page.height) == ("", 240 + i, 100)
        assert page_to_text(page).splitlines() == [f"{names[1]} {names[0]}", f"{names[3]} {names[2]}"]
    assert detector.calls == [2, 2, 1]
    assert [len(shapes) for shapes in recognizer.shapes] == [8, 8, 4]
    for shapes in recognizer.shapes:
        proportions = [w / h for h, w, _ in shapes]
        assert proportions == sorted(proportions)


@pytest.mark.parametrize("degrees", [0, 12, -25, 90, 180, -90])
def test_boxes_are_straightened(degrees):
    """The left half is red and the right half blue, along the reading direction, whatever the angle."""
    quad = turned(rect(60, 85, 80, 30), degrees, (100, 100))
    image = np.full((200, 200, 3), 255, np.uint8)
    y, x = np.mgrid[:200, :200] + 0.5
    back = turned(np.stack([x, y], axis=-1).reshape(-1, 2), -degrees, (100, 100)).reshape(200, 200, 2)
    inside = (abs(back[..., 0] - 100) < 40) & (abs(back[..., 1] - 100) < 15)
    image[inside & (back[..., 0] < 100)] = COLOURS["red"]
    image[inside & (back[..., 0] >= 100)] = COLOURS["blue"]
    recognizer = ColourReader()
    (page,) = exact_reader(ScriptedDetector({(200, 200): [Detection(quad, 1.0, degrees)]}), recognizer).read([image])
    assert page.words[0][1].text == "red-blue"
    assert recognizer.shapes == [[(30, 80, 3)]]


def test_a_tall_box_is_read_both_ways_and_the_surer_reading_stays():
    lines = picture(300, 200, [(20, 20, 30, 60, "red"), (20, 80, 30, 60, "blue"), (120, 20, 30, 120, "green")])
    boxes = [Detection(rect(20, 20, 30, 120), 1.0), Detection(rect(120, 20, 30, 120), 1.0)]
    recognizer = ColourReader(doubtful=True)
    (page,) = exact_reader(ScriptedDetector({(200, 300): boxes}), recognizer).read([lines])
    assert recognizer.shapes[:2] == [[(120, 30, 3)] * 2, [(30, 120, 3)] * 2]
    by_text = {reading.text: detection for detection, reading in page.words}
    down, upright = by_text["red-blue"], by_text["green"]
    assert (down.direction, down.angle) == ("rotated", -90)
    assert down.polygon.tolist() == [[50, 20], [50, 140], [20, 140], [20, 20]]
    assert (upright.direction, upright.angle) == ("horizontal", 0)
    assert upright.polygon.tolist() == boxes[1].polygon.tolist()


def test_a_stacked_word_is_left_standing():
    recognizer = ColourReader()
    box = Detection(rect(20, 20, 30, 120), 1.0, direction="stacked")
    exact_reader(ScriptedDetector({(200, 300): [box]}), recognizer).read([picture(300, 200, [])])
    assert recognizer.shapes == [[(120, 30, 3)]]


def test_large_words_are_cut_out_smaller():
    recognizer = ColourReader()
    box = Detection(rect(0, 0, 2000, 1000), 1.0)
    exact_reader(ScriptedDetector({(1000, 2000): [box]}), recognizer).read([picture(2000, 1000, [])])
    assert recognizer.shapes == [[(MAX_CROP_SIDE, 2 * MAX_CROP_SIDE, 3)]]


def test_boxes_without_area_stay_unread_and_boxes_outside_do_not_crash():
    boxes = [
        Detection(rect(10, 10, 0, 20), 0.1),
        Detection(rect(500, 500, 40, 20), 0.2),
        Detection(rect(10, 50, 40, 20), 0.3),
    ]
    image = picture(100, 100, [(10, 50, 40, 20, "green")])
    (page,) = exact_reader(ScriptedDetector({(100, 100): boxes}), ColourReader()).read([image])
    texts = {round(d.score, 1): r.text for d, r in page.words}
    assert texts == {0.1: "", 0.2: nearest((255, 255, 255)), 0.3: "green"}


def test_a_picture_without_words_needs_no_recogniser():
    class Never:
        def read(self, images):
            raise AssertionError

    (page,) = exact_reader(ScriptedDetector({}), Never()).read([picture(50, 40, [])])
    assert page.words == []
    assert page_to_text(page) == ""
    assert exact_reader(ScriptedDetector({}), Never()).read([]) == []


class CompassReader:
    """Reads six letters, sure of them when the top of the crop is green, and remembers how many crops it was shown."""

    def __init__(self, tall="keep", otherwise=0.4):
        self.shown, self.tall, self.otherwise = 0, tall, otherwise

    def read(self, images):
        self.shown += len(images)
        return [self._read(crop) for crop in images]

    def _read(self, crop):
        if self.tall == "rotate" and crop.shape[0] > 1.5 * crop.shape[1]:
            crop = np.rot90(crop)
        each = (
            0.97 if nearest(crop[: max(1, len(crop) // 4)].reshape(-1, 3).mean(axis=0)) == "green" else self.otherwise
        )
        return Reading("abcdef", each**6, [each] * 6, [(k + 0.5) / 6 for k in range(6)])


def lying(words, quarters, size=400):
    """A square picture turned counter-clockwise, with its words (x, y, width, height, green at the bottom as well) as a detector
    gives them: the characters in a square grid along the longer side, read to the right or down.
    """
    image, found = np.full((size, size, 3), 255, np.uint8), []
    for x, y, w, h, symmetric in words:
        image[y : y + h, x : x + w] = COLOURS["red"]
        image[y : y + h // 4, x : x + w] = COLOURS["green"]
        if symmetric:
            image[y + h - h // 4 : y + h, x : x + w] = COLOURS["green"]
        across = w > h
        steps = [(k, 0) if across else (0, k) for k in range(6)]
        quads = np.stack(
            [rect(x + a * w / 6, y + b * h / 6, w / 6 if across else w, h if across else h / 6) for a, b in steps]
        )
        quads = np.stack([turned(quad, 90 * quarters, (size / 2, size / 2)) for quad in quads])
        polygon = turned(rect(x, y, w, h), 90 * quarters, (size / 2, size / 2))
        found.append(as_detected(polygon, quads))
    return np.ascontiguousarray(np.rot90(image, quarters)), found


def as_detected(polygon, quads):
    left, top = polygon.min(axis=0)
    width, height = np.ptp(polygon, axis=0)
    order = np.argsort(quads.mean(axis=1) @ ([1, 0] if width > height else [0, 1]))
    upright = np.stack([rect(*quad.min(axis=0), *np.ptp(quad, axis=0)) for quad in quads[order]])
    return Detection(rect(left, top, width, height), 1.0, 0.0, "horizontal" if width > height else "stacked", upright)


LINES = [(40, 40 + 60 * k, 180, 30, False) for k in range(4)]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_picture_is_read_however_it_lies(quarters):
    """Lines of square characters: on its side such a picture looks full of columns."""
    image, found = lying(LINES, quarters)
    recognizer = CompassReader()
    (page,) = Reader(ScriptedDetector({image.shape[:2]: found}), recognizer).read([image])
    expected = [turned(rect(x, y, w, h), 90 * quarters, (200, 200)) for x, y, w, h, _ in LINES]
    assert [round(d.angle) % 360 for d, _ in page.words] == [90 * quarters] * 4
    for (detection, reading), polygon in zip(page.words, expected, strict=True):
        assert reading.characters == [0.97] * 6
        np.testing.assert_allclose(detection.polygon, polygon, atol=1e-3)
        starts = turned(np.array([polygon_point(polygon, k / 6) for k in range(6)]), 0)
        np.testing.assert_allclose(detection.characters[:, 0], starts, atol=1e-3)
    assert recognizer.shown <= (4 if quarters == 0 else 16)


def polygon_point(polygon, share):
    return polygon[0] + share * (polygon[1] - polygon[0])


def test_columns_of_an_upright_picture_are_read_once():
    image, found = lying([(40 + 60 * k, 40, 30, 180, False) for k in range(4)], 0)
    recognizer = CompassReader()
    (page,) = Reader(ScriptedDetector({image.shape[:2]: found}), recognizer).read([image])
    assert [d.direction for d, _ in page.words] == ["stacked"] * 4
    assert [float(d.polygon[0, 0]) for d, _ in page.words] == [220, 160, 100, 40]
    assert recognizer.shown == 4


def test_one_word_that_reads_both_ways_follows_the_others():
    image, found = lying([*LINES[:3], (40, 300, 180, 30, True)], 2)
    (page,) = Reader(ScriptedDetector({image.shape[:2]: found}), CompassReader()).read([image])
    assert [round(d.angle) % 360 for d, _ in page.words] == [180] * 4


def test_a_recogniser_that_turns_tall_crops_is_not_shown_the_same_twice():
    image, found = lying([(40, 40, 30, 180, False)], 0)
    image[:] = COLOURS["red"]
    for tall, shown in (("rotate", 1), ("keep", 2)):
        recognizer = CompassReader(tall, otherwise=0.7)
        Reader(ScriptedDetector({image.shape[:2]: found}), recognizer).read([image])
        assert recognizer.shown == shown


def test_three_thousand_words_are_read():
    boxes = [Detection(rect(20 * (k % 60), 15 * (k // 60), 16, 10), 1.0) for k in range(3000)]
    recognizer = ColourReader()
    (page,) = Reader(ScriptedDetector({(760, 1210): boxes}), recognizer).read([picture(1210, 760, [])])
    assert len(page.words) == 3000
    assert len(page_to_text(page).splitlines()) == 50


def exact_reader(detector: Detects, recognizer: Reads) -> Reader:
    """Crops are the boxes themselves."""
    return Reader(detector, recognizer, margin=0.0)


def test_wrong_arrays_and_batches_are_refused():
    reader = exact_reader(ScriptedDetector({}), ColourReader())
    for bad in (np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float32), np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(ValueError, match="give height x width x 3, RGB, uint8"):
            reader.read([bad])
    with pytest.raises(ValueError, match="batch=0"):
        reader.read([], batch=0)


# --- data and files ---------------------------------------------------------------------------------------------------


def test_a_page_as_json():
    detection = Detection(rect(1.234, 2, 30, 10), 0.87654, 1.239)
    quads = np.stack([rect(2.004, 3, 8, 9), rect(12, 3, 8, 9)])
    reading = Reading("日本", 0.5, [np.float32(0.7), 0.71428])
    unaligned = replace(detection, characters=quads[:1])
    page = Page("a/b.jpg", 64, 48, [(replace(detection, characters=quads), reading), (unaligned, reading)])
    record = json.loads(json.dumps(page_to_dict(page)))
    assert record == {
        "path": "a/b.jpg",
        "width": 64,
        "height": 48,
        "words": [
            {
                "text": "日本",
                "confidence": 0.5,
                "polygon": [[1.23, 2.0], [31.23, 2.0], [31.23, 12.0], [1.23, 12.0]],
                "score": 0.8765,
                "angle": 1.24,
                "direction": "horizontal",
                "characters": [
                    {"text": "日", "confidence": 0.7, "polygon": [[2.0, 3], [10.0, 3], [10.0, 12], [2.0, 12]]},
                    {"text": "本", "confidence": 0.7143, "polygon": [[12, 3], [20, 3], [20, 12], [12, 12]]},
                ],
            },
            record["words"][0] | {"characters": []},
        ],
    }


@pytest.fixture
def reader():
    return exact_reader(ScriptedDetector({(60, 80): [Detection(rect(10, 20, 40, 20), 0.9)]}), ColourReader())


def test_bad_files_cost_one_line_each_and_the_others_go_on(tmp_path, reader, capsys):
    pictures = tmp_path / "in"
    for folder, colour in (("a", "red"), ("b", "blue"), ("c", "green")):
        (pictures / folder).mkdir(parents=True)
        saved(pictures / folder, Pillow.fromarray(picture(80, 60, [(10, 20, 40, 20, colour)])), "img.png")
    bad = pictures / "bad.png"
    bad.write_bytes(b"nothing")
    paths = [pictures / "a/img.png", bad, pictures / "b/img.png", pictures / "none.png", pictures / "c/img.png"]
    out = tmp_path / "out" / "deep"
    failures = read_files(paths, reader, out, tmp_path / "all.jsonl", batch=2)
    shown = capsys.readouterr()
    assert [line.split(":")[0] for line in failures] == [str(bad), str(pictures / "none.png")]
    assert shown.err.splitlines() == failures
    assert shown.out.splitlines()[:2] == [f"{paths[0]}: 1 words", "red"]
    records = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(r["path"], r["words"][0]["text"]) for r in records] == [
        (str(paths[0]), "red"),
        (str(paths[2]), "blue"),
        (str(paths[4]), "green"),
    ]
    names = ["img-2.words", "img-3.words", "img.words"]
    assert sorted(p.name for p in out.iterdir()) == sorted(f"{n}.{e}" for n in names for e in ("json", "png"))
    assert json.loads((out / "img-2.words.json").read_text(encoding="utf-8")) == records[1]
    assert load_image(out / "img.words.png").shape[1] >= 640


def test_json_on_standard_output_is_nothing_but_json(tmp_path, reader, capsys):
    path = saved(tmp_path, Pillow.fromarray(picture(80, 60, [(10, 20, 40, 20, "red")])))
    assert read_files([path], reader, json_path="-") == []
    assert json.loads(capsys.readouterr().out)["words"][0]["text"] == "red"
    assert sorted(tmp_path.iterdir()) == [path]


def test_places_that_cannot_be_written_to_are_named(tmp_path, reader):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    path = saved(tmp_path, Pillow.fromarray(picture(80, 60, [])))
    with pytest.raises(ValueError, match=r"--out .*cannot make this folder"):
        read_files([path], reader, out=blocked / "out")
    with pytest.raises(ValueError, match=r"--json .*cannot be written"):
        read_files([path], reader, json_path=tmp_path / "missing" / "x.jsonl")
    out = tmp_path / "out"
    (out / "a.words.png").mkdir(parents=True)
    with pytest.raises(ValueError, match="cannot write a "):
        read_files([path], reader, out=out)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
def test_file_names_that_are_no_utf8(tmp_path, reader, capsys):
    path = tmp_path / "bad\udcff.png"
    saved(tmp_path, Pillow.fromarray(picture(80, 60, [])), "bad\udcff.png")
    assert read_files([path], reader, tmp_path / "out", "-") == []
    assert json.loads(capsys.readouterr().out)["path"].endswith("bad\\xff.png")


def test_every_format_is_written_for_every_picture_and_one_page_for_all(tmp_path, reader, capsys):
    pictures = tmp_path / "in"
    pictures.mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        saved(pictures, Pillow.fromarray(picture(80, 60, [(10, 20, 40, 20, colour)])), f"{name}.png")
    (pictures / "c.jpg").write_bytes(b"nothing")
    out = tmp_path / "out"
    (failure,) = read_files([pictures], reader, out, formats=FORMATS)
    endings = (".words.json", ".words.png", ".txt", ".hocr", ".alto.xml")
    assert {p.name for p in out.iterdir()} == {"index.html", *(f"{n}{e}" for n in "ab" for e in endings)}
    assert (out / "b.txt").read_text() == "blue\n"
    assert 'CONTENT="blue"' in (out / "b.alto.xml").read_text()
    assert "ocrx_word" in (out / "b.hocr").read_text().partition("<body>")[2]
    page = (out / "index.html").read_text()
    assert "2 pictures, 2 words" in page
    assert str(pictures / "a.png") in page
    assert failure in page
    assert page.count("data:image/") == 2
    assert capsys.readouterr().err == f"{failure}\n"


def test_formats_are_chosen_by_name(tmp_path, reader):
    path = saved(tmp_path, Pillow.fromarray(picture(80, 60, [])))
    read_files([path], reader, tmp_path / "out", formats=["text"])
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.txt"]
    with pytest.raises(ValueError, match=r"format 'pdf': choose from json, picture, text, hocr, alto, html"):
        read_files([path], reader, tmp_path / "out", formats=["pdf"])


def test_pictures_of_any_kind_and_size_go_through(tmp_path):
    """1 x 1, grey, 16-bit, alpha and CMYK pictures, each with a box as large as itself."""
    makers = {
        "one.png": Pillow.new("RGB", (1, 1), "red"),
        "grey.png": Pillow.new("L", (30, 20), 7),
        "deep.png": Pillow.fromarray(np.full((20, 30), 999, np.uint16)),
        "alpha.png": Pillow.new("RGBA", (30, 20), (0, 0, 0, 9)),
        "cmyk.jpg": Pillow.new("CMYK", (30, 20), (0, 255, 255, 0)),
    }
    paths = [saved(tmp_path, image, name) for name, image in makers.items()]
    boxes = {(20, 30): [Detection(rect(0, 0, 30, 20), 1.0)], (1, 1): [Detection(rect(0, 0, 1, 1), 1.0)]}
    assert (
        read_files(paths, exact_reader(ScriptedDetector(boxes), ColourReader()), tmp_path / "out", formats=FORMATS)
        == []
    )
    words = {p.name: json.loads((tmp_path / "out" / f"{p.stem}.words.json").read_text())["words"] for p in paths}
    assert {name: len(found) for name, found in words.items()} == dict.fromkeys(makers, 1)
