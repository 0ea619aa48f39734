from __future__ import annotations

from pathlib import Path

import lmdb
import pytest

from data_prep.readers import NAMELESS, READERS
from ocr.data.sets import NAMED_SETS, MissingSet, SceneSet, WordSet, is_validation, open_set


def test_a_set_is_opened_by_its_place(tmp_path, write_words):
    write_words(tmp_path, 4, name="mjsynth", split="val")
    words = open_set(tmp_path, "recognition", "mjsynth", "val")
    assert isinstance(words, WordSet)
    assert (words.name, words.split, len(words)) == ("mjsynth", "val", 4)
    assert words.key(2) == words[2].key == "mjsynth/2.png"


def test_a_missing_set_names_the_place_and_both_commands(tmp_path, write_words):
    write_words(tmp_path, 1, name="mjsynth", split="test")
    with pytest.raises(ValueError, match="mjsynth") as caught:
        open_set(tmp_path, "recognition", "mjsynth", "train")
    first, prepare, render = str(caught.value).split("\n")
    assert "recognition set mjsynth, split train" in first
    assert str(tmp_path / "recognition/mjsynth/train/data.mdb") in first
    assert "there is: test" in first
    assert prepare.strip() == f"prepare it: python -m data_prep mjsynth --raw DIR --out {tmp_path}"
    assert "make demo-data" in render
    assert "root=data/demo" in render


@pytest.mark.parametrize(("task", "command"), [("detection", "scenes"), ("recognition", "words")])
def test_sets_without_an_own_reader_are_prepared_by_the_general_one(tmp_path, task, command):
    with pytest.raises(ValueError, match=f"python -m data_prep {command} --name mine --split test --raw DIR --out"):
        open_set(tmp_path, task, "mine", "test")


def test_the_named_sets_are_those_data_prep_has_readers_for():
    assert set(NAMED_SETS) == set(READERS) - NAMELESS


def test_a_set_that_was_moved_is_refused(tmp_path, write_words):
    write_words(tmp_path, 2, name="toy", split="test").rename(tmp_path / "recognition/toy/train")
    with pytest.raises(ValueError, match="holds toy/test, not toy/train"):
        open_set(tmp_path, "recognition", "toy", "train")


def test_a_set_of_the_other_task_is_refused(tmp_path, write_words):
    with pytest.raises(ValueError, match="holds a recognition set"):
        SceneSet(write_words(tmp_path))


def test_a_prepared_set_is_opened_by_path(tmp_path, write_words):
    folder = write_words(tmp_path, 2, name="toy", split="val")
    for path in (folder, folder.parent):
        assert open_set("nowhere", "recognition", str(path), "val").name == "toy"
    for split in ("train", "test"):
        with pytest.raises(ValueError, match=f"is a val split, and a {split} split was asked for"):
            open_set("nowhere", "recognition", str(folder), split)


def public(folder: Path, picture: bytes) -> str:
    folder.mkdir(parents=True)
    with lmdb.open(str(folder)) as environment, environment.begin(write=True) as transaction:
        for key, value in ((b"num-samples", b"1"), (b"image-000000001", picture), (b"label-000000001", b"x")):
            transaction.put(key, value)
    return str(folder)


@pytest.mark.parametrize(
    ("inner", "good", "bad"),
    [
        ("training/MJ/MJ_test", ["train"], ["val", "test"]),
        ("validation", ["val"], ["train", "test"]),
        ("evaluation/CUTE80", ["test"], ["train", "val"]),
        ("some/where/words", ["train", "test"], ["val"]),
    ],
)
def test_a_public_lmdb_serves_as_the_split_its_folders_name(tmp_path, picture, inner, good, bad):
    path = public(tmp_path / "a" / "b" / inner, picture(0))
    for split in good:
        assert len(open_set("nowhere", "recognition", path, split)) == 1
    for split in bad:
        with pytest.raises(ValueError, match=f"a {split} split was asked for"):
            open_set("nowhere", "recognition", path, split)


def test_a_public_lmdb_at_the_place_of_a_set_bears_its_name(tmp_path, picture):
    public(tmp_path / "recognition/mjsynth/train", picture(0))
    words = open_set(tmp_path, "recognition", "mjsynth", "train")
    assert (words.name, words.split, words.keys()) == ("mjsynth", "train", ["mjsynth/000000001"])


def test_a_path_without_a_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no set in"):
        open_set("nowhere", "recognition", str(tmp_path), "train")


def test_an_unknown_task_or_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="task 'reading' does not exist"):
        open_set(tmp_path, "reading", "toy", "train")
    with pytest.raises(ValueError, match="split 'dev' does not exist"):
        open_set(tmp_path, "detection", "toy", "dev")


def test_validation_takes_its_share():
    keys = [f"mjsynth/{i // 100}/{i}_word_7.jpg" for i in range(20_000)]
    for share in (0.05, 0.5):
        held = sum(is_validation(key, share) for key in keys) / len(keys)
        assert abs(held - share) < 4 * (share * (1 - share) / len(keys)) ** 0.5
    assert not any(is_validation(key, 0.0) for key in keys[:100])
    assert all(is_validation(key, 1.0) for key in keys[:100])


def test_a_larger_share_holds_out_the_smaller_one_too():
    keys = [f"toy/{i}" for i in range(2_000)]
    assert {k for k in keys if is_validation(k, 0.05)} < {k for k in keys if is_validation(k, 0.1)}


def test_validation_is_the_same_everywhere():
    # sha1 of "toy/0" begins with e465, that of "toy/65" with 0986: .892 and .037 of the range
    assert [is_validation(k) for k in ("toy/0", "toy/65")] == [False, True]
    assert [is_validation(k, 0.89) for k in ("toy/0", "toy/65")] == [False, True]
    assert [is_validation(k, 0.9) for k in ("toy/0", "toy/65")] == [True, True]


def test_crops_of_a_picture_stay_on_its_side():
    for i in range(200):
        picture = f"synthtext/8/ballet_{i}.jpg"
        assert {is_validation(f"{picture}#{n}", 0.5) for n in range(5)} == {is_validation(picture, 0.5)}


def test_what_is_known_of_a_sample_without_its_picture(tmp_path, write_words):
    folder = write_words(tmp_path, 2)
    with lmdb.open(str(folder), lock=False, map_size=1 << 26) as environment, environment.begin(write=True) as writing:
        writing.put(b"image-000000002", b"broken")
    word = WordSet(folder).without_picture(1)
    assert (word.text, word.key, word.image.shape) == ("word1", "toy/1.png", (0, 0, 3))


def test_only_a_set_that_is_not_there_is_a_missing_one(tmp_path, write_words):
    folder = write_words(tmp_path, 2)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(MissingSet):
        open_set(tmp_path, "recognition", "toy", "val")
    with pytest.raises(ValueError, match="cannot be read") as caught:
        open_set(tmp_path, "recognition", "toy", "train")
    assert not isinstance(caught.value, MissingSet)
