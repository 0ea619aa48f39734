from __future__ import annotations

import pytest

from data_prep.word_lists import Row, text_rows
from ocr.data.sets import open_set


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        (["a.jpg\tone", "", "b.jpg\ttwo, three"], [(1, "a.jpg", "one"), (3, "b.jpg", "two, three")]),
        (['a.jpg\t"quoted"', "b.jpg\t tab\tinside "], [(1, "a.jpg", '"quoted"'), (2, "b.jpg", "tab\tinside")]),
        (['a.jpg, "Genaxis, Theatre"', "b.jpg, plain"], [(1, "a.jpg", "Genaxis, Theatre"), (2, "b.jpg", "plain")]),
        (['a.jpg,"say \\"hi\\""'], [(1, "a.jpg", 'say "hi"')]),
        (["filename,words", 'a.jpg,"one, two"', "b.jpg,three"], [(2, "a.jpg", "one, two"), (3, "b.jpg", "three")]),
        (["path\tlang\ttext", 'a.jpg\ten\t"x"'], [(2, "a.jpg", '"x"')]),
        (["a.jpg"], [(1, "a.jpg", "")]),
        ([], []),
    ],
)
def test_label_files(lines, rows):
    assert list(text_rows("\n".join(lines).encode())) == [Row(*row) for row in rows]


def test_a_header_may_give_script_and_direction():
    lines = ["filename,words,direction,script", "a.jpg,日本,stacked,Japanese", "b.jpg,one,,"]
    assert list(text_rows("\n".join(lines).encode())) == [
        Row(2, "a.jpg", "日本", "Japanese", "stacked"),
        Row(3, "b.jpg", "one"),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["filename,size", "a.jpg,3"], "has no column"),
        (["path\ttext\tdirection", "a.jpg\tx\tup"], "line 2: direction 'up'"),
    ],
)
def test_headers_that_are_not_understood_are_refused(lines, message):
    with pytest.raises(ValueError, match=message):
        list(text_rows("\n".join(lines).encode()))


@pytest.fixture
def folder(tmp_path, picture):
    def write(labels: str, *names: str, file: str = "labels.tsv"):
        raw = tmp_path / "mine"
        (raw / "images").mkdir(parents=True)
        for i, name in enumerate(names):
            (raw / "images" / name).write_bytes(picture(i))
        (raw / file).write_text(labels, encoding="utf-8")
        return raw

    return write


@pytest.mark.parametrize("file", ["labels.tsv", "labels.txt", "gt.txt"])
def test_any_folder_of_words_becomes_a_test_set(folder, prepare, file):
    raw = folder("\ufeffimages/a.jpg\tOne\r\nimages/b.jpg\tZwölf\r\n", "a.jpg", "b.jpg", file=file)
    result = prepare("words", raw, "--name", "mine")
    words = list(open_set(result.root, "recognition", "mine", "test"))
    assert [(w.text, w.key) for w in words] == [("One", "mine/images/a.jpg"), ("Zwölf", "mine/images/b.jpg")]


def test_the_split_and_the_label_file_can_be_chosen(folder, prepare):
    raw = folder("images/a.jpg\tno\n", "a.jpg")
    (raw / "other.txt").write_text("images/a.jpg\tyes\n")
    result = prepare("words", raw, "--name", "mine", "--split", "train", "--labels", "other.txt")
    assert open_set(result.root, "recognition", "mine", "train")[0].text == "yes"


def test_what_cannot_be_used_is_counted_with_its_line(folder, prepare, tmp_path, picture):
    (tmp_path / "evil.jpg").write_bytes(picture(0))
    lines = ["images/a.jpg\tfine", "images/b.jpg\t ", "images/c.jpg\tgone", "../evil.jpg\tevil", "images\tfolder"]
    result = prepare("words", folder("\n".join(lines), "a.jpg", "b.jpg"), "--name", "mine")
    place = "recognition/mine/test"
    assert result.manifest(place).count == 1
    assert result.listed(place) == [
        "empty label\tlabels.tsv line 2: images/b.jpg",
        "no such picture\tlabels.tsv line 3: images/c.jpg",
        "path leaves the raw folder\tlabels.tsv line 4: ../evil.jpg",
        "no such picture\tlabels.tsv line 5: images",
    ]


def test_a_folder_without_labels_is_refused(tmp_path, prepare):
    assert f"no label file in {tmp_path}" in prepare("words", tmp_path, "--name", "mine").error


def test_labels_that_are_not_utf8_are_refused(folder, prepare):
    raw = folder("", "a.jpg")
    (raw / "labels.tsv").write_bytes("images/a.jpg\tZwölf".encode("latin-1"))
    assert "is not UTF-8: save it as UTF-8" in prepare("words", raw, "--name", "mine").error
