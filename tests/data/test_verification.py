from __future__ import annotations

import json

import lmdb
import numpy as np
import pytest

from ocr.data.store import StoreWriter
from ocr.data.verification import verify
from ocr.types import SceneWord


def change(folder, key: bytes, value: bytes | None) -> None:
    with (
        lmdb.open(str(folder), lock=False, map_size=1 << 26) as environment,
        environment.begin(write=True) as transaction,
    ):
        if value is None:
            transaction.delete(key)
        else:
            transaction.put(key, value)


def test_a_whole_set_has_no_faults(tmp_path, write_words):
    folder = write_words(tmp_path, 20)
    assert verify(folder) == verify(folder, every_picture=True) == []


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (b"label-000000002", None, "the entry label-000000002 is missing"),
        (b"meta-000000002", None, "the entry meta-000000002 is missing"),
        (b"image-000000002", b"nothing", "the picture of toy/1.png cannot be decoded"),
        (b"meta-000000002", b'{"key":"toy/4.png"}', "the key toy/4.png occurs more than once"),
        (b"meta-000000002", b'{"key":"mine/1"}', "the key mine/1 does not begin with toy/"),
        (b"label-000000002", b"\xff\xfe", "cannot read sample 1: "),
        (b"label-000000002", b"other", "the content does not have the fingerprint of the manifest"),
        (b"num-samples", b"4", "holds 4 samples, its manifest says 5"),
    ],
)
def test_each_fault_has_its_sentence(tmp_path, write_words, key, value, sentence):
    folder = write_words(tmp_path, 5)
    change(folder, key, value)
    assert any(sentence in problem for problem in verify(folder))


def test_many_faults_of_a_sort_are_summed_up(tmp_path, write_words):
    folder = write_words(tmp_path, 9)
    for i in range(1, 9):
        change(folder, b"image-%09d" % i, b"nothing")
    problems = verify(folder)
    assert problems[0] == "the picture of toy/0.png cannot be decoded"
    assert problems[5] == "and 3 more of this sort"


def test_only_spots_are_decoded_unless_all_are_asked_for(tmp_path, picture, monkeypatch):
    monkeypatch.setattr("ocr.data.verification.SPOTS", 3)
    folder = tmp_path / "set"
    with StoreWriter(folder, "recognition", "toy", "train", "real", "a test") as writer:
        for i in range(9):
            writer.add_word(b"nothing" if i == 1 else picture(i), "x", f"toy/{i}")
    assert verify(folder) == []
    assert verify(folder, every_picture=True) == ["the picture of toy/1 cannot be decoded"]


def test_scene_records_are_read(tmp_path, picture):
    folder = tmp_path / "set"
    quad = [[0, 0], [4, 0], [4, 2], [0, 2]]
    with StoreWriter(folder, "detection", "toy", "train", "real", "a test") as writer:
        writer.add_scene(picture(0), "toy/0", "word", [SceneWord(np.array(quad, np.float32), "a")])
    change(folder, b"scene-000000001", json.dumps({"words": []}).encode())
    assert verify(folder)[0].startswith("cannot read sample 0: scene-000000001")


def test_a_folder_without_a_set_is_a_fault(tmp_path):
    assert verify(tmp_path) == [f"no set in {tmp_path}: the folder holds no data.mdb"]
