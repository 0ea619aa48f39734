from __future__ import annotations

import zipfile

import numpy as np
import pytest

from ocr.data.sets import open_set

PARTS = {
    "train": ("ch4_training_images", "ch4_training_localization_transcription_gt"),
    "test": ("ch4_test_images", "Challenge4_Test_Task1_GT"),
}
LINE = "10,10,40,10,40,20,10,20,"


@pytest.fixture
def official(tmp_path, picture):
    """The official layout; texts[split] holds the label file of each picture."""

    def write(**texts: list[bytes]):
        raw = tmp_path / "icdar"
        for split, contents in texts.items():
            for name in PARTS[split]:
                (raw / name).mkdir(parents=True)
            for i, content in enumerate(contents, 1):
                (raw / PARTS[split][0] / f"img_{i}.jpg").write_bytes(picture(i))
                (raw / PARTS[split][1] / f"gt_img_{i}.txt").write_bytes(content)
        return raw

    return write


@pytest.fixture
def simple(tmp_path, picture):
    """images/ and gt/ with one word each."""

    def write(*names: str):
        raw = tmp_path / "simple"
        for folder in ("images", "gt"):
            (raw / folder).mkdir(parents=True)
        for i, name in enumerate(names):
            (raw / "images" / f"{name}.jpg").write_bytes(picture(i))
            (raw / "gt" / f"gt_{name}.txt").write_text(f"{LINE}{name}\n")
        return raw

    return write


def scenes(result, split="train", name="icdar2015"):
    return list(open_set(result.root, "detection", name, split))


def test_the_official_layout(official, prepare):
    raw = official(train=[(LINE + "one").encode()] * 11, test=[(LINE + "two").encode()])
    result = prepare("icdar2015", raw)
    train, test = scenes(result), scenes(result, "test")
    assert [s.key.rpartition("/")[2] for s in train] == [f"img_{i}.jpg" for i in range(1, 12)]
    assert train[0].key == "icdar2015/ch4_training_images/img_1.jpg"
    assert test[0].key == "icdar2015/ch4_test_images/img_1.jpg"
    word = train[0].words[0]
    assert (word.text, word.ignore, word.characters, train[0].label_kind) == ("one", False, None, "word")
    np.testing.assert_array_equal(word.polygon, [[10, 10], [40, 10], [40, 20], [10, 20]])
    assert "the raw folder lists 11, the complete set 1,000" in result.out


def test_byte_order_mark_line_ends_commas_and_unread_words(official, prepare):
    content = f'\ufeff{LINE}Tea, Coffee, "Cake"\r\n{LINE}###\r\n{LINE}\r\n\r\n{LINE}last\u2028one\r\n'.encode()
    (scene,) = scenes(prepare("icdar2015", official(train=[content])))
    assert [(w.text, w.ignore) for w in scene.words] == [
        ('Tea, Coffee, "Cake"', False),
        (None, True),
        (None, False),
        ("last\u2028one", False),
    ]


def test_numbers_after_the_eighth_comma_are_text(official, prepare):
    (scene,) = scenes(prepare("icdar2015", official(train=[f"{LINE}12,50\n{LINE}1,2,3,4".encode()])))
    assert [w.text for w in scene.words] == ["12,50", "1,2,3,4"]
    assert [w.polygon.shape for w in scene.words] == [(4, 2)] * 2


def test_boxes_outside_are_dropped_and_boxes_across_the_edge_kept(official, prepare):
    content = b"-5,10,40,10,40,20,-5,20,edge\n200,10,240,10,240,20,200,20,outside\n10,10,10,10,10,10,10,10,point"
    result = prepare("icdar2015", official(train=[content]))
    (scene,) = scenes(result)
    assert [w.text for w in scene.words] == ["edge"]
    assert scene.words[0].polygon[0].tolist() == [-5, 10]
    assert result.dropped("detection/icdar2015/train") == {
        "word box lies outside the picture": 1,
        "word box has no area": 1,
    }


def test_lines_that_are_not_understood_are_counted_and_named(official, prepare):
    result = prepare("icdar2015", official(train=[f"{LINE}good\n10,10,40,ten,40,20,10,20,bad\n1,2,3\n".encode()]))
    place = "detection/icdar2015/train"
    assert result.dropped(place) == {"line is not x1,y1,x2,y2,x3,y3,x4,y4,text": 2}
    assert [line.rpartition("\t")[2] for line in result.listed(place)] == [
        f"{PARTS['train'][1]}/gt_img_1.txt line {n}" for n in (2, 3)
    ]


def test_quads_that_run_backwards_keep_their_first_corner(official, prepare):
    (scene,) = scenes(prepare("icdar2015", official(train=[b"10,10,10,20,40,20,40,10,x"])))
    np.testing.assert_array_equal(scene.words[0].polygon, [[10, 10], [40, 10], [40, 20], [10, 20]])


def test_pictures_and_label_files_without_each_other_are_counted(official, prepare, picture):
    raw = official(train=[LINE.encode(), LINE.encode(), b"\xff\xfe\x00"])
    (raw / PARTS["train"][1] / "gt_img_1.txt").rename(raw / PARTS["train"][1] / "gt_img_9.txt")
    result = prepare("icdar2015", raw)
    assert len(scenes(result)) == 1
    assert result.dropped("detection/icdar2015/train") == {
        "picture has no label file": 1,
        "label file has no picture": 1,
        "label file is not UTF-8": 1,
    }


@pytest.mark.parametrize("inner", ["", "some folder/"])
def test_zip_archives_are_read_as_they_are(official, prepare, inner):
    raw = official(train=[(LINE + "one").encode()], test=[(LINE + "two").encode()])
    unzipped = prepare("icdar2015", raw)
    expected = [unzipped.manifest(f"detection/icdar2015/{split}").fingerprint for split in PARTS]
    for name in (name for pair in PARTS.values() for name in pair):
        with zipfile.ZipFile(raw / f"{name}.zip", "w") as archive:
            for path in (raw / name).iterdir():
                archive.write(path, inner + path.name)
                path.unlink()
            archive.writestr("__MACOSX/._img_1.jpg", b"resource fork")
        (raw / name).rmdir()
    result = prepare("icdar2015", raw)
    assert [result.manifest(f"detection/icdar2015/{split}").fingerprint for split in PARTS] == expected
    assert sorted(p.name for p in raw.iterdir()) == sorted(f"{n}.zip" for pair in PARTS.values() for n in pair)


@pytest.mark.parametrize("member", ["../img_1.jpg", "/etc/img_1.jpg", "a/../../img_1.jpg"])
def test_archives_that_lead_outside_are_refused(official, prepare, member, picture):
    raw = official(train=[LINE.encode()])
    for name in PARTS["train"]:
        for path in (raw / name).iterdir():
            path.unlink()
        (raw / name).rmdir()
        with zipfile.ZipFile(raw / f"{name}.zip", "w") as archive:
            archive.writestr(member, picture(1))
    result = prepare("icdar2015", raw)
    assert result.status == 1
    assert "leads out of it" in result.error
    assert not result.root.exists()


def test_a_broken_archive_is_refused_in_one_line(official, prepare):
    raw = official(train=[LINE.encode()])
    (raw / "ch4_test_images.zip").write_bytes(b"PK\x03\x04 half")
    (raw / "Challenge4_Test_Task1_GT").mkdir()
    result = prepare("icdar2015", raw)
    assert "is not a complete zip archive" in result.error
    assert result.error.count("\n") == 1


def test_half_of_the_official_layout_is_refused(official, prepare):
    raw = official(train=[LINE.encode()])
    (raw / PARTS["test"][0]).mkdir()
    assert "holds only one of ch4_test_images and Challenge4_Test_Task1_GT" in prepare("icdar2015", raw).error


def test_another_folder_is_refused(tmp_path, prepare):
    error = prepare("icdar2015", tmp_path).error
    assert f"no ICDAR 2015 challenge 4, incidental scene text in {tmp_path}: expected" in error
    assert error.count("\n") == 1


def test_the_simple_layout_trains_whole(simple, prepare):
    result = prepare("icdar2015", simple("img_2", "img_10", "img_1"))
    assert [s.key for s in scenes(result)] == [f"icdar2015/images/img_{i}.jpg" for i in (1, 2, 10)]
    assert not (result.root / "detection/icdar2015/test").exists()


def test_folds_are_made_by_ids(simple, prepare, tmp_path):
    raw = simple("a", "b", "c", "d")
    (tmp_path / "ids.txt").write_text("c\nd\n")
    result = prepare(
        "icdar2015", raw, "--train-ids", "b,a,b", "--test-ids", str(tmp_path / "ids.txt"), "--name", "fold1"
    )
    assert [s.words[0].text for s in scenes(result, "train", "fold1")] == ["b", "a"]
    assert [s.words[0].text for s in scenes(result, "test", "fold1")] == ["c", "d"]


def test_a_picture_does_not_train_and_test(simple, prepare):
    result = prepare("icdar2015", simple("a", "b"), "--train-ids", "a,b", "--test-ids", "b")
    assert result.status == 1
    assert "share b" in result.error


def test_unknown_ids_are_named(simple, prepare):
    result = prepare("icdar2015", simple("a", "b"), "--train-ids", "a,x")
    assert "--train-ids names x, which images does not hold" in result.error


def test_ids_choose_from_each_official_part(official, prepare):
    raw = official(train=[LINE.encode()] * 3, test=[LINE.encode()] * 2)
    result = prepare("icdar2015", raw, "--train-ids", "img_2", "--test-ids", "img_2")
    assert [s.key for split in PARTS for s in scenes(result, split)] == [
        "icdar2015/ch4_training_images/img_2.jpg",
        "icdar2015/ch4_test_images/img_2.jpg",
    ]
