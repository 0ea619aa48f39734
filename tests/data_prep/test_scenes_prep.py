from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ocr.data.sets import open_set

QUAD = "10,10,40,10,40,20,10,20"
POLYGON = "10,10,25,8,40,10,40,20,25,18,10,20"


@pytest.fixture
def folder(tmp_path, picture):
    def write(*labels: str, images: str = "images", texts: str = "gt/gt_"):
        raw = tmp_path / "mine"
        for i, label in enumerate(labels):
            image, text = raw / images / f"{i}.jpg", raw / f"{texts}{i}.txt"
            image.parent.mkdir(parents=True, exist_ok=True)
            text.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(picture(i))
            text.write_text(label, encoding="utf-8")
        return raw

    return write


def scenes(result, split="test"):
    return list(open_set(result.root, "detection", "mine", split))


@pytest.mark.parametrize(("images", "texts"), [("images", "gt/gt_"), ("images", "gt/"), ("", "gt_"), ("", "")])
def test_pictures_and_label_files_are_paired_by_name(folder, prepare, images, texts):
    raw = folder(f"{QUAD},one", f"{QUAD},two", images=images, texts=texts)
    result = prepare("scenes", raw, "--name", "mine", "--split", "val")
    assert [s.words[0].text for s in scenes(result, "val")] == ["one", "two"]
    assert scenes(result, "val")[0].key == f"mine/{images or 'mine'}/0.jpg"


def test_polygons_are_recognised(folder, prepare):
    labels = [f"{POLYGON},curved, text\n{POLYGON},1984\n{POLYGON},###", f"{QUAD},straight\n{POLYGON},x"]
    first, second = scenes(prepare("scenes", folder(*labels), "--name", "mine"))
    assert [(w.text, w.ignore, len(w.polygon)) for w in first.words] == [
        ("curved, text", False, 6),
        ("1984", False, 6),
        (None, True, 6),
    ]
    assert [(w.text, len(w.polygon)) for w in second.words] == [("straight", 4), ("x", 6)]
    np.testing.assert_array_equal(first.words[0].polygon[:3], [[10, 10], [25, 8], [40, 10]])


def test_texts_of_numbers_do_not_turn_quads_into_polygons(folder, prepare):
    raw = folder(f"{QUAD},12,50\n{QUAD},word\n{QUAD},word")
    assert [w.text for w in scenes(prepare("scenes", raw, "--name", "mine"))[0].words] == ["12,50", "word", "word"]


def test_the_number_of_points_can_be_said(folder, prepare):
    raw = folder(f"{QUAD},8,15")
    by_four = scenes(prepare("scenes", raw, "--name", "mine", "--points", "four"))[0].words[0]
    by_any = scenes(prepare("scenes", raw, "--name", "mine", "--points", "any"))[0].words[0]
    assert (by_four.text, len(by_four.polygon)) == ("8,15", 4)
    assert (by_any.text, len(by_any.polygon)) == (None, 5)


def test_a_picture_that_exif_turns_is_stored_as_viewers_show_it(folder, prepare, picture):
    raw = folder("0,0,60,0,60,10,0,10,top")
    # raw rows are 100 wide and 60 high, the upper ten rows of the upright picture are black
    pixels = np.full((100, 60, 3), 255, np.uint8)
    pixels[:10] = 0
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn clockwise to show": what is stored is the upright picture turned the other way
    Image.fromarray(np.rot90(pixels)).save(raw / "images/0.jpg", exif=exif, quality=95)
    (scene,) = scenes(prepare("scenes", raw, "--name", "mine"))
    assert scene.image.shape == (100, 60, 3)
    assert scene.image[:8].max() < 60
    assert scene.image[14:].min() > 200


def test_a_picture_without_words_is_kept(folder, prepare):
    first, second = scenes(prepare("scenes", folder("", f"{QUAD},x"), "--name", "mine"))
    assert (first.words, len(second.words)) == ([], 1)


def test_a_folder_without_pictures_is_refused(tmp_path, prepare):
    assert f"no pictures with label files in {tmp_path}" in prepare("scenes", tmp_path, "--name", "mine").error


def test_single_characters_beside_the_words_are_given_to_them(folder, prepare):
    raw = folder(f"{QUAD},ab\n50,10,60,10,60,40,50,40,上下\n70,10,90,10,90,20,70,20,lost\n70,30,90,30,90,40,70,40,###")
    (raw / "gt_char").mkdir()
    boxes = {
        "b": (25, 10, 40, 20),
        "a": (10, 10, 25, 20),
        "下": (50, 25, 60, 40),
        "上": (50, 10, 60, 25),
        "l": (70, 10, 75, 20),
    }
    lines = [f"{x0},{y0},{x1},{y0},{x1},{y1},{x0},{y1},{c}" for c, (x0, y0, x1, y1) in boxes.items()]
    (raw / "gt_char/gt_0.txt").write_text("\n".join(lines), encoding="utf-8")
    (plain,) = scenes(prepare("scenes", raw, "--name", "mine"))
    assert (plain.label_kind, sum(w.ignore for w in plain.words)) == ("word", 1)
    result = prepare("scenes", raw, "--name", "mine", "--characters")
    (scene,) = scenes(result)
    assert [(w.text, w.direction, w.ignore) for w in scene.words] == [
        ("ab", "horizontal", False),
        ("上下", "stacked", False),
        ("lost", "horizontal", True),
        (None, "horizontal", True),
    ]
    assert scene.label_kind == "char"
    np.testing.assert_array_equal(scene.words[0].characters[:, 0], [[10, 10], [25, 10]])
    np.testing.assert_array_equal(scene.words[1].characters[:, 0], [[50, 10], [50, 25]])
    assert result.listed("detection/mine/test") == [
        "word ignored: the characters in it do not spell it\tgt/gt_0.txt line 3"
    ]


@pytest.mark.parametrize("partial", [False, True])
def test_a_set_says_whether_only_some_words_are_labelled(folder, prepare, partial):
    result = prepare("scenes", folder(f"{QUAD},plate"), "--name", "mine", *["--partial"] * partial)
    assert open_set(result.root, "detection", "mine", "test").manifest.partial is partial
    assert ("words labelled in part" in result.out) is partial
