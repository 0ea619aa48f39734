"""Every trap of the released label formats, in fixtures made here."""

from __future__ import annotations

import json

import numpy as np
import pytest
from label_examples import CTW_XML, EXAMPLES, FOURTEEN, LINE, NUMBERS, TOTALTEXT, matlab_rows, rects_json

from data_prep import ctw1500, json_labels, quad_text, totaltext
from data_prep.forms import FORMS, looks_like, parse
from data_prep.samples import Unusable
from ocr.data.sets import open_set

SQUARE = [[10, 10], [40, 10], [40, 20], [10, 20]]


def texts(labels):
    return [(w.text, w.ignore) for w in labels.words]


def scenes(result, name, split="train"):
    return list(open_set(result.root, "detection", name, split))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('10 10 40 20 "Footpath"', "Footpath"),
        ('10, 10, 40, 20, "Tea, Coffee"', "Tea, Coffee"),
        ('10, 10, 40, 20, "say \\"hi\\""', 'say "hi"'),
        ('10, 10, 40, 20, "5"', "5"),
        ('10 10 40 20 "two words"', "two words"),
        ("10, 10, 40, 20, ###", None),
    ],
)
def test_icdar2013_train_has_spaces_and_test_has_commas(line, text):
    (word,) = quad_text.boxes(f"\ufeff{line}\r\n".encode()).words
    np.testing.assert_array_equal(word.polygon, SQUARE)
    assert (word.text, word.ignore) == (text, text is None)


def test_icdar2013_releases(raw, prepare, picture):
    folder = raw(
        {
            "Challenge2_Training_Task12_Images/100.jpg": picture(1),
            "Challenge2_Training_Task1_GT/gt_100.txt": '10 10 40 20 "one"',
            "Challenge2_Test_Task12_Images/img_1.jpg": picture(2),
            "Challenge2_Test_Task1_GT/gt_img_1.txt": '10, 10, 40, 20, "two"',
        }
    )
    result = prepare("icdar2013", folder)
    assert [scenes(result, "icdar2013", s)[0].words[0].text for s in ("train", "test")] == ["one", "two"]


def test_mlt_says_the_script_before_the_text(raw, prepare, picture):
    lines = [f"{LINE},Latin,Hello, world", f"{LINE},Korean,안녕", f"{LINE},None,###", f"{LINE},Arabic,1,2"]
    parts = [f"ch8_training_images_{i}" for i in (1, 2)]
    files = {f"{parts[0]}/img_1.jpg": picture(1), f"{parts[1]}/img_2.gif": picture(2, form="GIF")}
    files |= {f"{parts[1]}/img_3.png": picture(3, form="PNG")}
    labels = "ch8_training_localization_transcription_gt_v2"
    files |= {f"{labels}/gt_img_{i}.txt": "\ufeff" + "\r\n".join(lines) for i in (1, 2, 3)}
    result = prepare("icdar2017_mlt", raw(files))
    found = scenes(result, "icdar2017_mlt")
    assert [s.key for s in found] == [f"icdar2017_mlt/{p}" for p in list(files)[:3]]
    assert [s.image.shape for s in found] == [(60, 100, 3)] * 3
    for scene in found:
        assert [(w.text, w.script, w.ignore) for w in scene.words] == [
            ("Hello, world", "Latin", False),
            ("안녕", "Korean", False),
            (None, "Unknown", True),
            ("1,2", "Arabic", False),
        ]


def test_mlt_labels_are_not_taken_for_icdar2015(raw, prepare, picture):
    files = {"ch4_training_images/img_1.jpg": picture(1)}
    files["ch4_training_localization_transcription_gt/gt_img_1.txt"] = f"{LINE},Latin,Hello\n"
    result = prepare("icdar2015", raw(files))
    assert result.status == 1
    assert "label file looks like MLT text, not ICDAR 2015 text (1)" in result.error


@pytest.mark.parametrize(
    ("theta", "corner"),
    [(0, [10, 20]), (np.pi / 2, [40, 10]), (np.pi / 4, [20 - 0, 15.857864]), (-np.pi / 2, [20, 50])],
)
def test_td500_boxes_turn_about_their_centre_by_radians(theta, corner):
    labels = quad_text.turned_boxes(f"0 0 10 20 40 20 {theta}\n1 1 10 20 40 20 0.5".encode())
    first, second = labels.words
    # a point of the box from its centre (30, 30), turned clockwise as seen: x' = x cos - y sin, y' = x sin + y cos
    c, s = np.cos(theta), np.sin(theta)
    expected = [30 - 20 * c + 10 * s, 30 - 20 * s - 10 * c]
    np.testing.assert_allclose(first.polygon[0], expected, atol=1e-4)
    if theta != np.pi / 4:
        np.testing.assert_allclose(first.polygon[0], corner, atol=1e-4)
    np.testing.assert_allclose(first.polygon.mean(0), [30, 30], atol=1e-4)
    assert [(w.text, w.ignore) for w in (first, second)] == [(None, False), (None, True)]


def test_td500_pictures_and_labels_share_a_folder(raw, prepare, picture):
    files = {"MSRA-TD500/train/IMG_1.JPG": picture(1), "MSRA-TD500/train/IMG_1.gt": "0 0 10 20 40 20 -0.1"}
    result = prepare("msra_td500", raw(files))
    (scene,) = scenes(result, "msra_td500")
    assert (scene.key, len(scene.words), scene.label_kind) == ("msra_td500/train/IMG_1.JPG", 1, "word")


def test_totaltext_arrays_wrap_over_lines_and_texts_hold_quotes():
    labels = totaltext.from_text(TOTALTEXT.encode())
    assert texts(labels) == [("ALEX'S", False), ('say "hi", [ok]', False), (None, True), ("two", False)]
    assert [len(w.polygon) for w in labels.words] == [5, 3, 4, 2]
    np.testing.assert_array_equal(labels.words[0].polygon[[1, 3]], [[25, 8], [40, 20]])
    assert labels.where == ["line 1", "line 3", "line 4", "line 5"]
    assert [(f.where, "record is not" in f.reason) for f in labels.faults] == [("line 6", True)]


@pytest.mark.parametrize("key", ["polygt", "gt"])
def test_totaltext_matlab_rows(key):
    labels = totaltext.from_matlab(
        matlab_rows(
            ([10, 25, 40, 10], [10, 8, 10, 20], "Été", "c"),
            ([10, 40, 40], [10, 10, 20], "#", "#"),
            ([10, 40], [10, 10, 20], "odd", "h"),
            key=key,
        )
    )
    assert texts(labels) == [("Été", False), (None, True)]
    np.testing.assert_array_equal(labels.words[0].polygon, [[10, 10], [25, 8], [40, 10], [10, 20]])
    assert labels.faults[0].where == "row 3"


@pytest.mark.parametrize("form", ["text", "matlab"])
def test_totaltext_releases(raw, prepare, picture, form):
    files = {f"totaltext/Images/{s}/img{i}.jpg": picture(i) for i, s in enumerate(("Train", "Test"), 1)}
    for i, s in enumerate(("Train", "Test"), 1):
        if form == "text":
            files[f"txt_format/{s}/poly_gt_img{i}.txt"] = TOTALTEXT
        else:
            content = matlab_rows(([10, 40, 40, 10], [10, 10, 20, 20], "a", "h"), ([10, 40], [10, 20], "b", "h"))
            files[f"groundtruth_polygonal_annotation/Polygon/{s}/poly_gt_img{i}.mat"] = content
    result = prepare("totaltext", raw(files))
    assert [s.key for split in ("train", "test") for s in scenes(result, "totaltext", split)] == [
        "totaltext/Train/img1.jpg",
        "totaltext/Test/img2.jpg",
    ]
    # rows of two points exist: they have no area
    assert result.dropped("detection/totaltext/train")["word box has no area"] == 1


def test_ctw1500_trains_from_xml():
    labels = ctw1500.from_xml(CTW_XML.encode())
    assert texts(labels) == [("Tea & Cake", False), (None, True)]
    assert labels.where == ["line 3", "line 8"]
    np.testing.assert_array_equal(labels.words[0].polygon, FOURTEEN)
    assert labels.faults[0].where == "line 9"


def test_ctw1500_tests_from_text_in_three_forms():
    offsets = ",".join(f"{x - 10},{y - 10}" for x, y in FOURTEEN)
    lines = [
        f"{NUMBERS},####Tea, 2 cups",
        f"{NUMBERS},#######",
        f"{NUMBERS},CARE",
        f"10,10,40,30,{offsets}",
        f"{LINE},x",
    ]
    labels = ctw1500.from_text("\r\n".join(lines).encode())
    assert texts(labels) == [("Tea, 2 cups", False), (None, True), (None, False), (None, False)]
    for word in labels.words:
        np.testing.assert_array_equal(word.polygon, FOURTEEN)
    assert [f.where for f in labels.faults] == ["line 5"]


def test_ctw1500_label_files_have_more_zeros_than_pictures(raw, prepare, picture):
    files = {"train_images/0001.jpg": picture(1), "ctw1500_train_labels/0001.xml": CTW_XML}
    files |= {"test_images/1001.jpg": picture(2), "gt_ctw1500/0001001.txt": f"{NUMBERS},####one"}
    result = prepare("ctw1500", raw(files))
    train, test = (scenes(result, "ctw1500", split)[0] for split in ("train", "test"))
    assert (train.key, test.key) == ("ctw1500/train_images/0001.jpg", "ctw1500/test_images/1001.jpg")
    assert (train.words[0].text, test.words[0].text) == ("Tea & Cake", "one")


def test_rects_gives_characters_to_their_line_in_reading_order():
    content = rects_json(
        [
            ((0, 0, 30, 10), "你好吗", 0),
            ((40, 0, 50, 30), "上中下", 0),
            ((60, 0, 90, 10), "AB", 0),
            ((0, 40, 9, 49), "x", 1),
        ],
        [
            *(((x, 0, x + 10, 10), c, 0) for x, c in ((20, "吗"), (0, "你"), (10, "好"))),
            *(((40, y, 50, y + 10), c, 0) for y, c in ((10, "中"), (20, "下"), (0, "上"))),
            ((60, 0, 70, 10), "A", 0),
        ],
    )
    labels = json_labels.parse(content)
    assert [(w.text, w.direction, w.ignore) for w in labels.words] == [
        ("你好吗", "horizontal", False),
        ("上中下", "stacked", False),
        ("AB", "horizontal", True),
        ("x", "horizontal", True),
    ]
    first, second = labels.words[:2]
    assert first.characters.mean(1)[:, 0].tolist() == [5, 15, 25]
    assert second.characters.mean(1)[:, 1].tolist() == [5, 15, 25]
    assert [f.reason for f in labels.faults] == ["word ignored: the characters in it do not spell it"]


def test_rects_is_a_set_of_characters(raw, prepare, picture):
    content = rects_json([((10, 10, 30, 20), "你好", 0)], [((10, 10, 20, 20), "你", 0), ((20, 10, 30, 20), "好", 0)])
    result = prepare("rects", raw({"ReCTS/img/train_ReCTS_1.jpg": picture(1), "ReCTS/gt/train_ReCTS_1.json": content}))
    (scene,) = scenes(result, "rects")
    assert (scene.label_kind, scene.words[0].script, len(scene.words[0].characters)) == ("char", "Chinese", 2)


@pytest.fixture
def art(raw, picture):
    def item(text, **more):
        return {"points": SQUARE, "transcription": text, "language": "Latin", "illegibility": False, **more}

    index = {
        "gt_0": [
            item("zero"),
            item("###", illegibility=True),
            item("odd", points=[[10, 10], [20, 8], [40, 10], [40, 20], [9, 20]]),
        ],
        "gt_1": [item("你好", language="Chinese"), {"points": "none"}],
        "gt_2": [],
        "gt_9": [],
    }
    files = {f"train_images/gt_{i}.jpg": picture(i) for i in range(3)}
    return raw({**files, "train_labels.json": json.dumps(index)})


def test_art_has_one_index_for_all_pictures(art, prepare):
    result = prepare("icdar2019_art", art)
    assert result.error.startswith(
        "warning: its pictures include test pictures of Total-Text and CTW-1500: leave them out"
    )
    found = scenes(result, "icdar2019_art")
    assert [(w.text, w.ignore, len(w.polygon)) for w in found[0].words] == [
        ("zero", False, 4),
        (None, True, 4),
        ("odd", False, 5),
    ]
    assert (found[1].words[0].script, found[2].words) == ("Chinese", [])
    assert result.dropped("detection/icdar2019_art/train") == {
        "object does not hold points and transcription": 1,
        "label file has no picture": 1,
    }


def test_art_takes_a_picture_that_is_listed_twice_once():
    item = {"points": SQUARE, "transcription": "first"}
    content = f'{{"gt_0": [{json.dumps(item)}], "gt_1": [], "gt_0": []}}'
    index = json_labels.parse_index(content.encode())
    assert [w.text for w in index["gt_0"].words] == ["first"]
    assert [(f.where, f.reason) for f in index["gt_0"].faults] == [("gt_0 2", "picture is listed twice")]
    assert index["gt_1"].faults == []


def test_art_leaves_out_test_pictures_of_other_sets_by_id(art, prepare, tmp_path):
    (tmp_path / "ids.list").write_text("poly_gt_img883.txt gt_0.txt\npoly_gt_img1358.txt gt_2.txt\n")
    result = prepare("icdar2019_art", art, "--exclude", str(tmp_path / "ids.list"))
    assert result.error == ""
    assert [s.key for s in scenes(result, "icdar2019_art")] == ["icdar2019_art/train_images/gt_1.jpg"]


def test_art_leaves_out_test_pictures_of_other_sets_by_what_they_show(art, prepare, tmp_path):
    # the same picture, scaled and compressed anew, under another name
    import cv2

    image = cv2.imread(str(art / "train_images/gt_1.jpg"))
    image = cv2.GaussianBlur(image, (0, 0), 3)
    cv2.imwrite(str(art / "train_images/gt_1.jpg"), image)
    other = tmp_path / "raw/totaltext/Images/Test/img5.jpg"
    other.parent.mkdir(parents=True)
    cv2.imwrite(str(other), cv2.resize(image, (140, 84)), [cv2.IMWRITE_JPEG_QUALITY, 60])
    labels = tmp_path / "raw/txt_format/Test/poly_gt_img5.txt"
    labels.parent.mkdir(parents=True)
    labels.write_text(TOTALTEXT)
    test_set = prepare("totaltext", art).root / "detection/totaltext/test"
    result = prepare("icdar2019_art", art, "--not-in", str(test_set))
    assert [s.key[-8:] for s in scenes(result, "icdar2019_art")] == ["gt_0.jpg", "gt_2.jpg"]
    assert "picture also belongs to a set of --not-in\ttrain_images/gt_1.jpg totaltext/Test/img5.jpg" in result.listed(
        "detection/icdar2019_art/train"
    )


@pytest.mark.parametrize("content", EXAMPLES)
def test_a_file_of_another_set_is_recognised(content):
    assert looks_like(EXAMPLES[content]) in (FORMS[content].title, "CTW-1500 XML", "ReCTS JSON")
    for name, form in FORMS.items():
        if name in ("polygons", "totaltext_matlab"):
            continue
        if name == content:
            assert parse(form, EXAMPLES[content]).words
        else:
            with pytest.raises(Unusable, match=f"label file looks like {FORMS[content].title}"):
                parse(form, EXAMPLES[content])


def test_lists_of_words_and_of_boxes_are_told_apart(tmp_path, prepare, picture):
    (tmp_path / "a.jpg").write_bytes(picture(1))
    (tmp_path / "labels.txt").write_text(f"{LINE},Tea\n")
    assert (
        "looks like ICDAR 2015 text: give the label file of this set"
        in prepare("words", tmp_path, "--name", "mine").error
    )
