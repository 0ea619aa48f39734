"""What a run does with data that is missing, empty, broken, or cannot be learnt: one line, or counted and named."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import pytest
from recipes import assert_same_run, record, run

from ocr.config import build, compose_config
from ocr.data.datamodule import DataModule
from ocr.data.sets import MissingSet, open_set
from ocr.data.store import StoreWriter
from ocr.detection.samples import SceneEncoder
from ocr.metrics.iou import BoxProtocol
from ocr.run.evaluate import evaluate
from ocr.types import Detection, Image, Reading, SceneWord

BROKEN = b"no picture"
OWN = ["data=words", "data.sources.words.set=own", "loader.batch_size=8"]
"""Overrides behind a word recipe: train on the set ``own``."""


def picture(text: str) -> bytes:
    """A crop that differs from text to text; its top left pixels spell the text's length."""
    image = np.full((24, 60, 3), 40 + 7 * len(text), np.uint8)
    cv2.putText(image, text, (2, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1)
    return cv2.imencode(".png", image)[1].tobytes()


def write_words(root: Path, split: str, texts: Sequence[str], broken: Sequence[int] = (), name: str = "own") -> None:
    with StoreWriter(root / "recognition" / name / split, "recognition", name, split, "real", "test") as store:
        for i, text in enumerate(texts):
            store.add_word(BROKEN if i in broken else picture(text), text, f"{name}/{split}-{i}")


def test_a_missing_set_names_the_place_and_both_ways_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingSet) as caught:
        run(tmp_path / "root", tmp_path / "runs", "crnn")
    first, prepare, render = str(caught.value).splitlines()
    assert first.startswith("recognition set mjsynth, split train, is not there: looked for")
    assert str(tmp_path / "root/recognition/mjsynth/train/data.mdb") in first
    assert f"python -m data_prep mjsynth --raw DIR --out {tmp_path / 'root'}" in prepare
    assert "make demo-data" in render
    assert "root=data/demo" in render
    assert not list(tmp_path.rglob("run*/*")), "a run that cannot begin leaves nothing behind"


def test_a_missing_test_set_is_noticed_before_training(tiny_root: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingSet, match="set nosuch, split test"):
        run(tiny_root, tmp_path / "runs", "crnn", "test=rendered_words_v1+nosuch")
    assert not list(tmp_path.rglob("*.ckpt"))


def test_an_empty_set_is_said_to_be_empty(tmp_path: Path) -> None:
    folder = tmp_path / "recognition/own/train"
    folder.mkdir(parents=True)
    with lmdb.open(str(folder)) as environment, environment.begin(write=True) as writing:
        writing.put(b"num-samples", b"0")
    with pytest.raises(ValueError, match=r"own/train is empty: prepare it again"):
        run(tmp_path, tmp_path / "runs", "crnn", *OWN)


def test_a_damaged_validation_split_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    write_words(tmp_path, "train", ["ab"] * 8)
    (tmp_path / "recognition/own/val").mkdir()
    (tmp_path / "recognition/own/val/data.mdb").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"own/val/data\.mdb cannot be opened"):
        run(tmp_path, tmp_path / "runs", "crnn", *OWN)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_test_set_neither_trains_nor_chooses(tiny_root: Path, tmp_path: Path, split: str) -> None:
    test_set = tiny_root / "recognition/rendered_words_v1/test"
    asked = ["data=words", f"data.sources.words.set={test_set}", f"data.sources.words.split={split}"]
    with pytest.raises(
        ValueError, match=r"test sets neither train nor choose|is a test split, and a train split was asked for"
    ):
        run(tiny_root, tmp_path, "crnn", *asked)


def write_street(root: Path, split: str) -> None:
    """Two pictures of two words, of which the labels name the left one."""
    quad = np.array([[10, 10], [40, 10], [40, 30], [10, 30]], np.float32)
    folder = root / "detection/street" / split
    with StoreWriter(folder, "detection", "street", split, "real", "test", partial=True) as store:  # type: ignore[arg-type]
        for i in range(2):
            store.add_scene(picture("ab"), f"street/{split}-{i}", "word", [SceneWord(quad, "ab")])


@pytest.mark.parametrize("split", ["train", "val"])
def test_words_labelled_in_part_never_train(tiny_root: Path, tmp_path: Path, split: str) -> None:
    write_street(tmp_path, split)
    if split == "val":
        with StoreWriter(tmp_path / "detection/street/train", "detection", "street", "train", "real", "test") as store:
            store.add_scene(picture("ab"), "street/0", "word", [])
    sources = {"street": {"set": "street", "split": "train", "weight": 1}}
    with pytest.raises(ValueError, match=rf"data\.sources\.street: only some words of street/{split} are labelled"):
        DataModule(str(tmp_path), "detection", sources, SceneEncoder(64), 1, 1)


def test_words_labelled_in_part_give_no_precision(tmp_path: Path) -> None:
    class LeftAndRight:
        def detect(self, images: list[Image]) -> list[list[Detection]]:
            left = np.array([[10, 10], [40, 10], [40, 30], [10, 30]], np.float32)
            return [[Detection(left, 1.0), Detection(np.add(left, [100, 0]), 1.0)] for _ in images]

    write_street(tmp_path, "test")
    data = open_set(tmp_path, "detection", "street", "test")
    found = evaluate(LeftAndRight(), data, BoxProtocol("iou"))
    assert {score.metric: score.value for score in found.scores} == {"recall": 1.0, "area_recall": 1.0}


def test_broken_pictures_are_counted_named_and_skipped_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"w{i}" for i in range(40)]
    write_words(tmp_path, "train", texts, broken=[3, 17])
    write_words(tmp_path, "val", texts[:10], broken=[4])
    for runs, workers in (("a", 0), ("b", 2)):
        run(tmp_path, tmp_path / runs, "crnn", *OWN, f"loader.workers={workers}")
    assert_same_run(tmp_path / "a/run", tmp_path / "b/run")
    found = record(tmp_path / "a/run").undecodable
    assert found["count"] == 3
    assert set(found["first"]) == {"own/train-3", "own/train-17", "own/val-4"}
    printed = capsys.readouterr().out
    assert "own/train-3" in printed
    assert "own/train-17" in printed
    assert "skipped 1 of 10 validation samples, their pictures cannot be decoded: own/val-4" in printed
    assert "3 undecodable skipped" in printed


@pytest.mark.parametrize("split", ["train", "val"])
def test_more_than_ten_and_one_percent_broken_pictures_stop_the_run(tmp_path: Path, split: str) -> None:
    texts = [f"w{i}" for i in range(40)]
    for each in ("train", "val"):
        write_words(tmp_path, each, texts, broken=range(0, 33, 3) if each == split else ())
    what = "training" if split == "train" else "validation"
    with pytest.raises(
        ValueError, match=rf"11 of 40 {what} samples have pictures that cannot be decoded \(the last: own/{split}-"
    ):
        run(tmp_path, tmp_path / "runs", "crnn", *OWN)
    assert record(tmp_path / "runs/run").status == "failed"


class KnowsAll:
    """Finds and reads everything there is in the pictures it is given."""

    def __init__(self, answers: dict[int, Any]) -> None:
        self.answers = answers

    def _of(self, images: Sequence[Image]) -> list[Any]:
        assert all(image.size for image in images)
        return [self.answers[int(image[0, 0, 0])] for image in images]

    read = detect = _of


def test_evaluation_counts_a_broken_picture_as_nothing_read(tmp_path: Path) -> None:
    texts = ["a", "bb", "ccc", "dddd"]
    write_words(tmp_path, "test", texts, broken=[1])
    protocol = build(compose_config(["model=crnn", "protocol=case36"]).protocol)
    reader = KnowsAll({40 + 7 * len(t): Reading(t, 1.0) for t in texts})
    result = evaluate(reader, open_set(tmp_path, "recognition", "own", "test"), protocol)
    assert result.undecodable == ["own/test-1"]
    assert [(row["truth"], row["prediction"]) for row in result.rows] == [
        ("a", "a"),
        ("bb", ""),
        ("ccc", "ccc"),
        ("dddd", "dddd"),
    ]
    assert result.scores[0].value == 0.75


def test_evaluation_counts_a_broken_picture_as_nothing_found(tmp_path: Path) -> None:
    box = np.array([[4, 4], [30, 4], [30, 16], [4, 16]], np.float32)
    with StoreWriter(tmp_path / "detection/own/test", "detection", "own", "test", "real", "test") as store:
        for i, data in enumerate([picture("a"), BROKEN, picture("bb")]):
            store.add_scene(data, f"own/{i}", "word", [SceneWord(box, "word")])
    protocol = build(compose_config(["model=craft"]).protocol)
    finder = KnowsAll({40 + 7 * n: [Detection(box, 1.0)] for n in (1, 2)})
    result = evaluate(finder, open_set(tmp_path, "detection", "own", "test"), protocol)
    assert result.undecodable == ["own/1"]
    values = {s.metric: s.value for s in result.scores}
    assert values == {"recall": 2 / 3, "precision": 1.0, "hmean": 0.8, "area_recall": 1.0}


def test_labels_that_cannot_be_learnt_are_counted_by_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_words(tmp_path, "train", [*[f"w{i}" for i in range(20)], "naïve", "x" * 30, "y" * 26, "oo" * 12])
    write_words(tmp_path, "val", ["ab", "naïve"])
    run(tmp_path, tmp_path / "runs", "crnn", *OWN)
    part = record(tmp_path / "runs/run").data["words"]
    assert part["rejected"] == {"out of charset": 1, "too long": 2, "CTC infeasible": 1}
    assert (part["count"], part["train"], part["validation"]) == (24, 20, 2)
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("own "))
    assert "1 out of charset, 2 too long, 1 CTC infeasible" in row


def test_no_label_left_says_why(tmp_path: Path) -> None:
    write_words(tmp_path, "train", ["äöü", "ß", "x" * 30])
    write_words(tmp_path, "val", ["ab"])
    with pytest.raises(
        ValueError, match=r"none of the 3 labels can be used \(out of charset: 2, for example .* too long: 1"
    ):
        run(tmp_path, tmp_path / "runs", "crnn", *OWN)
