import io
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
from drawn_boxes import rect

from ocr.metrics import archives
from ocr.metrics.archives import picture_name, read_texts
from ocr.metrics.result_files import Found, paired, read_results, read_truth, write_results
from ocr.types import Detection


def zipped(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


NAMES = [
    ("gt_img_12.txt", "img12"),
    ("res_img_12.txt", "img12"),
    ("poly_gt_img12.txt", "img12"),
    ("img_12.txt", "img12"),
    ("1001.txt", "1001"),
    ("gt_kr_doc_KR03088.txt", "kr_doc_KR03088"),
    ("deep/folder/gt_a_7.txt", "a7"),
]


@pytest.mark.parametrize(("file", "picture"), NAMES)
def test_files_of_one_picture_go_by_one_name(file, picture):
    assert picture_name(file) == picture


LINES = [
    # form, line, points, text, ignored, why
    (None, "1,2,30,2,30,9,1,9,word", 4, "word", False, "a quad"),
    (None, "1, 2, 30, 2, 30, 9, 1, 9, a, b", 4, "a, b", False, "commas in the text, spaces between numbers"),
    (None, "-1,2.5,30,2,30,9,1,9,007", 4, "007", False, "a text of digits keeps its zeros"),
    (None, '1,2,30,2,30,9,1,9,"say \\"hi\\" \\\\ "', 4, 'say "hi" \\ ', False, "quotes and what they escape"),
    (None, "1,2,30,2,30,9,1,9,###", 4, None, True, "to ignore"),
    (None, "1,2,30,2,30,9,1,9,", 4, "", False, "an empty text"),
    (None, "1,2,30,2,30,9,1,9", 4, None, False, "no text"),
    (None, "1,2,30,2,30,9,1,9,Latin,word", 4, "word", False, "the script of the MLT competitions"),
    (None, "1,2,30,2,30,9,1,9,CARE", 4, None, False, "CTW-1500 has no texts"),
    (None, '220, 138, 598, 286, "Royal"', 4, "Royal", False, "a box"),
    (None, "1,1,9,1,17,1,17,5,9,5,1,5,bent", 6, "bent", False, "six points"),
    ("polygon", "1,1,9,1,9,5,1990", 3, "1990", False, "three points and a number for a text"),
    ("quad", "1,2,30,2,30,9,1,9,10,11,12,13", 4, "10,11,12,13", False, "numbers for a text, by the form named"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "line", "points", "text", "ignored", "why"), LINES, ids=[x[-1] for x in LINES])
def test_ground_truth_lines(tmp_path, form, line, points, text, ignored, why):
    (word,) = read_truth(zipped(tmp_path / "gt.zip", {"gt_img_1.txt": f"\ufeff{line}\r\n\r\n"}), form)["img1"]
    assert (len(word.polygon), word.text, word.ignore) == (points, text, ignored), why


def test_confidences_order_the_detections(tmp_path):
    lines = ["0,0,9,0,9,9,0,9,0.25,a", "0,0,8,0,8,9,0,9,1,b,c", "0,0,7,0,7,9,0,9,0.5,d"]
    path = zipped(tmp_path / "res.zip", {"res_img_1.txt": "\n".join(lines), "res_img_2.txt": ""})
    found = read_results(path)
    assert [d.score for d in found["img1"].detections] == [1, 0.5, 0.25]
    assert found["img1"].texts == ["b,c", "d", "a"]
    assert found["img2"] == Found([], [])
    assert read_results(zipped(path, {"a.txt": f"{lines[0]}\n0,0,9,0,9,9,0,9,7,a"}))["a"].texts == ["0.25,a", "7,a"]


def test_what_is_written_is_read_again(tmp_path):
    polygon = np.array([[0.4, 0], [20.6, 1], [40, 3], [40, 13], [20, 11], [0, 10]], np.float32)
    pictures = {
        "set/img_1": Found(
            [Detection(rect(1, 2, 30, 8), 1.0), Detection(rect(5, 5, 9, 9), 1.0)], ["a, b", "two\nlines"]
        ),
        "set/img_2": Found([], []),
    }
    path = tmp_path / "deep" / "results.zip"
    write_results(path, pictures, "quad")
    found = read_results(path)
    assert list(found) == ["img1", "img2"]
    assert found["img1"].texts == ["a, b", "two lines"]
    assert (found["img1"].detections[0].polygon == rect(1, 2, 30, 8)).all()
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["res_img_1.txt", "res_img_2.txt"]
        assert archive.read("res_img_1.txt") == b"1,2,31,2,31,10,1,10,a, b\r\n5,5,14,5,14,14,5,14,two lines\r\n"
    before = path.read_bytes()
    write_results(path, pictures, "quad")
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["results.zip"]
    write_results(path, {"img_1": Found([Detection(polygon, 1.0)], [""])}, "polygon")
    assert read_texts(path) == {"img1": "0,0,21,1,40,3,40,13,20,11,0,10\r\n"}
    write_results(path, {"img_1": Found([Detection(polygon, 1.0)], [""])}, "box")
    assert read_texts(path) == {"img1": "0,0,40,13\r\n"}


def stored_twice() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a/img_1.txt", "")
        archive.writestr("b/gt_img_1.txt", "")
    return content.getvalue()


BAD = [
    ({"../x.txt": ""}, r"holds '\.\./x\.txt', which leads out of it"),
    ({"/etc/x.txt": ""}, "which leads out of it"),
    ({"a\\..\\x.txt": ""}, "which leads out of it"),
    ({"img_1.jpg": ""}, r"holds 'img_1\.jpg': only one \.txt file"),
    ({"a/img_1.txt": "", "b/gt_img_1.txt": ""}, "more than one file about the picture 'img1'"),
    ({"img_1.txt": b"\xff\xfe1"}, r"img_1\.txt is not UTF-8 \(byte 0\)"),
    ({}, r"holds no \.txt file"),
    ({"__MACOSX/img_1.txt": "", ".hidden.txt": ""}, r"holds no \.txt file"),
    (
        {"img_1.txt": "1,2,3,4,5,6,7,8\n\n1,2,3,4,5,6,7,x"},
        r"gt\.zip: img1, line 3: begins with 7 numbers, not with x1,y1",
    ),
    ({"img_1.txt": "1,2,3,nan"}, "line 1: begins with 3 numbers"),
    ({"img_1.txt": "1,2,3,1e99"}, "line 1: holds a coordinate beyond 1e\\+07 pixels"),
    ({"img_1.txt": "1,2,3,4,5,6,7,8," + "x" * 2001}, "line 1: holds a text of 2001 characters, more than 2000"),
    ({"img_1.txt": "9,2,3,4"}, "line 1: xmax or ymax is below xmin or ymin"),
]


@pytest.mark.parametrize(("files", "message"), BAD, ids=range(len(BAD)))
def test_bad_archives_are_told_in_one_line(tmp_path, files, message):
    path = zipped(tmp_path / "gt.zip", files)
    for read in (read_truth, read_results):
        with pytest.raises(ValueError, match=message) as error:
            read(path)
        assert "\n" not in str(error.value)


def test_folders_missing_and_damaged_archives(tmp_path):
    with pytest.raises(ValueError, match="is a folder, and a zip archive"):
        read_truth(tmp_path)
    with pytest.raises(ValueError, match="there is no archive"):
        read_truth(tmp_path / "none.zip")
    path = zipped(tmp_path / "gt.zip", {f"img_{i}.txt": "1,2,3,4,5,6,7,8\n" * 50 for i in range(20)})
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(ValueError, match="is not a complete zip archive"):
        read_truth(path)


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 2**20)
    path = zipped(tmp_path / "gt.zip", {"img_1.txt": b"0" * 2**19, "img_2.txt": b"0" * 2**26})
    with pytest.raises(ValueError, match="unpacks to more than 1 MiB"):
        read_truth(path)
    monkeypatch.setattr(archives, "MOST_FILES", 1)
    with pytest.raises(ValueError, match="holds 2 files, more than 1"):
        read_truth(path)


def test_an_archive_of_another_set_is_refused():
    with pytest.raises(
        ValueError, match=r"p\.zip holds results for '1001'.*g\.zip does not know: it has 'img1' to 'img2'"
    ):
        list(paired({"img1": [], "img2": []}, {"1001": Found([], [])}, ("g.zip", "p.zip")))


def test_damaged_files_are_read_or_named_by_line(tmp_path):
    rng = random.Random(0)
    good = "377,117,463,117,465,130,378,130,Genaxis Theatre\r\n493,115,519,115,519,131,493,131,[06]\r\n"
    refused = {}
    for i in range(300):
        damaged = list(good)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randint(0, 5)] = rng.choices('0,.-e\t\0\n"x#é', k=rng.randint(0, 3))
        path = zipped(tmp_path / f"{i}.zip", {"gt_img_1.txt": "".join(damaged)})
        try:
            read_truth(path)
            read_results(path)
        except ValueError as error:
            refused[i] = str(error)
    assert 50 < len(refused) < 290
    assert all(f"{i}.zip: img1, line " in message and "\n" not in message for i, message in refused.items())
