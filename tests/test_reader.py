import io
import json
import struct
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from ocr.export_text import page_to_dict, page_to_text
from ocr.reader import MAX_CROP_SIDE, Reader, load_image, read_files
from ocr.reading_order import reading_lines
from ocr.types import Detection, Detects, Page, Reading, Reads

COLOURS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230), "amber": (230, 180, 20)}


def rect(x, y, w, h):
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def turned(quad, degrees, centre=(0, 0)):
    """Turned counter-clockwise as seen."""
    a = np.radians(degrees)
    m = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return ((quad - centre) @ m + centre).astype(np.float32)


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
    """Reads a crop as the colour names of its left and right half; surer when the left half is not the right one's."""

    def __init__(self):
        self.shapes = []

    def read(self, images):
        self.shapes.append([image.shape for image in images])
        readings = []
        for crop in images:
            middle = crop.shape[1] // 2
            halves = [
                nearest(part.reshape(-1, 3).mean(axis=0)) for part in (crop[:, : max(1, middle)], crop[:, middle:])
            ]
            names = list(dict.fromkeys(halves))
            readings.append(Reading("-".join(names), 0.9 if len(names) == 2 else 0.5, [0.9] * len(names)))
        return readings


# --- loading ----------------------------------------------------------------------------------------------------------


def saved(folder, image, name="a.png", **options):
    path = folder / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_respected(tmp_path, orientation):
    upright = np.zeros((6, 9, 3), np.uint8)
    upright[0, 0], upright[0, -1] = (255, 0, 0), (0, 255, 0)
    undo = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: np.rot90,
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Pillow.fromarray(np.ascontiguousarray(undo[orientation](upright))), exif=exif)
    assert np.array_equal(load_image(path), upright)


def test_every_kind_of_picture_becomes_rgb(tmp_path):
    half = Pillow.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert load_image(saved(tmp_path, half))[0, 0].tolist() == [127, 127, 127]
    deep = Pillow.fromarray(np.full((4, 4), 32896, np.uint16))
    assert load_image(saved(tmp_path, deep))[0, 0].tolist() == [128, 128, 128]
    assert load_image(saved(tmp_path, Pillow.new("L", (4, 4), 77)))[0, 0].tolist() == [77, 77, 77]
    assert load_image(saved(tmp_path, Pillow.new("1", (4, 4), 1)))[0, 0].tolist() == [255, 255, 255]
    cmyk = load_image(saved(tmp_path, Pillow.new("CMYK", (8, 8), (0, 255, 255, 0)), "c.jpg", quality=95))
    assert cmyk.shape == (8, 8, 3)
    assert cmyk[4, 4, 0] > 200 > 60 > cmyk[4, 4, 1]
    values = np.linspace(-3, 5, 16, dtype=np.float32).reshape(4, 4)
    stretched = load_image(saved(tmp_path, Pillow.fromarray(values), "f.tif"))
    assert (stretched.min(), stretched.max()) == (0, 255)
    frames = [Pillow.new("RGB", (4, 4), c) for c in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert load_image(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]
    transparent = Pillow.new("P", (4, 4), 0)
    transparent.putpalette([9, 9, 9] * 256)
    assert load_image(saved(tmp_path, transparent, transparency=0))[0, 0].tolist() == [255, 255, 255]
    assert load_image(saved(tmp_path, Pillow.new("RGB", (1, 1), "red"))).shape == (1, 1, 3)


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_files_that_are_no_pictures_get_one_line_each(tmp_path):
    whole = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)).save(whole, "JPEG")
    contents = {
        "text.jpg": (b"not a picture", "not a picture in a known format"),
        "empty.png": (b"", "not a picture in a known format"),
        "cut.jpg": (whole.getvalue()[:-900], "cannot be read"),
        "large.png": (png_header(10_000, 9_000), "10000 x 9000 pixels are too many; the limit is 80 megapixels"),
        "huge.png": (png_header(30_000, 30_000), "too many pixels; the limit is 80 megapixels"),
        "drawing.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF", "not a picture in a known format"),
    }
    for name, (content, message) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            load_image(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    for path, message in (
        (tmp_path, "is a folder"),
        (tmp_path / "none.png", "no such file"),
        ("a\0b.png", "cannot be read"),
    ):
        with pytest.raises(ValueError, match=message):
            load_image(path)
    with pytest.raises(ValueError, match=r"60 x 60 pixels are too many; the limit is 0.001 megapixels"):
        load_image(saved(tmp_path, Pillow.new("RGB", (60, 60))), max_pixels=1000)


def test_damaged_files_give_a_picture_or_one_line(tmp_path):
    rng = np.random.default_rng(5)
    image = Pillow.fromarray(rng.integers(0, 255, (40, 50, 3), np.uint8))
    outcomes = set()
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        stored = io.BytesIO()
        image.save(stored, kind)
        for _ in range(25):
            damaged = bytearray(stored.getvalue())
            for place in rng.integers(0, min(len(damaged), 400), 4):
                damaged[place] = rng.integers(256)
            path = tmp_path / "damaged"
            path.write_bytes(damaged[: rng.integers(len(damaged) // 2, len(damaged) + 1)])
            try:
                outcome = load_image(path).shape[2]
            except ValueError as error:
                outcome = str(error)
            outcomes.add(str(outcome))
    assert all(o == "3" or (o.startswith(str(tmp_path)) and "\n" not in o) for o in outcomes)
    assert len(outcomes) > 5


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
    recognizer = ColourReader()
    (page,) = exact_reader(ScriptedDetector({(200, 300): boxes}), recognizer).read([lines])
    assert len(recognizer.shapes[0]) == 4
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


# --- reading order ----------------------------------------------------------------------------------------------------


def ordered(words):
    return [[reading.text for _, reading in line] for line in reading_lines(words)]


@settings(max_examples=60)
@given(st.data())
def test_lines_of_a_turned_page_are_found_again(data):
    """Lines of words with ragged heights and gaps, the page turned, the words shuffled."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    degrees = data.draw(st.floats(-40, 40))
    lines = [[f"{row}.{k}" for k in range(rng.integers(1, 7))] for row in range(rng.integers(1, 8))]
    words = []
    for row, texts in enumerate(lines):
        x = float(rng.uniform(0, 60))
        for text in texts:
            w, h = rng.uniform(20, 120), rng.uniform(18, 24)
            quad = rect(x, 45 * row + rng.uniform(-3, 3), w, h)
            words.append((Detection(turned(quad, degrees), 1.0, degrees + rng.uniform(-2, 2)), Reading(text, 1.0)))
            x += w + rng.uniform(5, 40)
    rng.shuffle(words)
    assert ordered(words) == lines


def test_a_sloping_line_stays_one_line():
    words = [(Detection(rect(60 * k, 6 * k, 50, 20), 1.0), Reading(str(k), 1.0)) for k in (3, 0, 2, 1, 5, 4)]
    assert ordered(words) == [["0", "1", "2", "3", "4", "5"]]


def test_a_headline_does_not_swallow_the_lines_beside_it():
    big = (Detection(rect(0, 0, 100, 90), 1.0), Reading("BIG", 1.0))
    small = [(Detection(rect(120, 30 * k, 80, 20), 1.0), Reading(f"s{k}", 1.0)) for k in range(3)]
    assert sorted(map(tuple, ordered([big, *small]))) == [("BIG",), ("s0",), ("s1",), ("s2",)]
    assert [line for line in ordered([big, *small]) if line != ["BIG"]] == [["s0"], ["s1"], ["s2"]]


def test_a_page_upside_down_and_one_turned_word_among_level_ones():
    words = [
        (Detection(turned(rect(60 * k, 0, 50, 20), 180), 1.0, a), Reading(str(k), 1.0))
        for k, a in enumerate((179, -179, 180))
    ]
    assert ordered(words) == [["0", "1", "2"]]
    level = [(Detection(rect(60 * k, 0, 50, 20), 1.0), Reading(str(k), 1.0)) for k in range(2)]
    spine = (Detection(turned(rect(200, 0, 70, 20), -90, (200, 0)), 1.0, -90), Reading("spine", 1.0))
    assert ordered([spine, *level])[0] == ["0", "1"]
    assert reading_lines([]) == []


def test_thousands_of_words_are_ordered_quickly():
    words = [(Detection(rect(50 * (k % 40), 30 * (k // 40), 40, 20), 1.0), Reading(str(k), 1.0)) for k in range(3000)]
    assert [int(t) for line in ordered(words) for t in line] == list(range(3000))


# --- data and files ---------------------------------------------------------------------------------------------------


def test_a_page_as_json():
    detection = Detection(rect(1.234, 2, 30, 10), 0.87654, 1.239)
    page = Page("a/b.jpg", 64, 48, [(detection, Reading("日本", 0.5, [np.float32(0.7), 0.71428]))])
    record = json.loads(json.dumps(page_to_dict(page)))
    assert record == {
        "path": "a/b.jpg",
        "width": 64,
        "height": 48,
        "words": [
            {
                "text": "日本",
                "confidence": 0.5,
                "character_confidences": [0.7, 0.7143],
                "polygon": [[1.23, 2.0], [31.23, 2.0], [31.23, 12.0], [1.23, 12.0]],
                "score": 0.8765,
                "angle": 1.24,
                "direction": "horizontal",
            }
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
