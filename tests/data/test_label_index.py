"""Labels and decisions of large sets come from the cache, and are those of a scan."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.charset import Charset
from ocr.data import label_index
from ocr.data.datamodule import DataModule
from ocr.data.label_index import LabelIndex, remembered_audit
from ocr.data.mixing import Draw
from ocr.data.sets import WordSet
from ocr.data.statistics import audit
from ocr.recognition.codec import AttentionCodec, CTCCodec
from ocr.recognition.samples import WordEncoder

PICTURE = bytes(10)


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Every set counts as large, and the cache is a folder of the test."""
    monkeypatch.setattr(label_index, "LARGE", 1)
    monkeypatch.setattr("ocr.data.sets.LARGE", 1)
    monkeypatch.setenv("OCR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def store(folder: Path, labels: list[bytes]) -> Path:
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=1 << 22) as opened, opened.begin(write=True) as writing:
        writing.put(b"num-samples", b"%d" % len(labels))
        for i, label in enumerate(labels):
            writing.put(b"label-%09d" % (i + 1), label)
            writing.put(b"image-%09d" % (i + 1), PICTURE)
    return folder


@given(st.lists(st.text(max_size=5), max_size=40), st.integers(-45, 45), st.integers(-45, 45))
def test_an_index_is_the_list(labels: list[str], first: int, last: int) -> None:
    packed = [label.encode() for label in labels]
    ends = np.cumsum([len(p) for p in packed], dtype=np.uint64) if packed else np.zeros(0, np.uint64)
    index = LabelIndex(np.frombuffer(b"".join(packed), np.uint8), ends)
    assert list(index) == labels
    assert index[first:last] == labels[first:last]
    if -len(labels) <= first < len(labels):
        assert index[first] == labels[first]
    else:
        with pytest.raises(IndexError):
            index[first]


def test_a_second_opening_does_not_scan(small_is_large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ["word", "naïve", "", "日本"]
    folder = store(tmp_path / "training/mj", [label.encode() for label in labels])
    assert list(WordSet(folder).texts()) == labels
    monkeypatch.setattr("ocr.data.store.Store.each_text", None)
    assert list(WordSet(folder).texts()) == labels
    assert {p.name.split("-sampled")[0] for p in small_is_large.iterdir()} == {"labels-1", "label-ends-1"}


def test_another_content_is_another_index(small_is_large: Path, tmp_path: Path) -> None:
    for part, label in (("a", b"one"), ("b", b"two")):
        assert list(WordSet(store(tmp_path / f"training/{part}", [label])).texts()) == [label.decode()]


def test_labels_that_are_not_utf8_are_named(small_is_large: Path, tmp_path: Path) -> None:
    folder = store(tmp_path / "training/mj", [b"ok", b"caf\xe9"])
    with pytest.raises(ValueError, match=r"label-000000002 in .* is not UTF-8"):
        WordSet(folder).texts()
    assert not small_is_large.exists()


def test_an_audit_is_made_once_for_a_rule(small_is_large: Path) -> None:
    texts, rows = ["ab", "xyz", "a", "", "ab"], np.array([0, 1, 3, 4])
    asked: list[str] = []

    def reject(text: str) -> str | None:
        asked.append(text)
        return None if set(text) <= set("ab") and text else "no"

    def look(rule: str) -> Any:
        result, learnable = remembered_audit(texts, rows, reject, rule, "f" * 8, "here")
        assert learnable.tolist() == rows[result.kept].tolist()
        return result

    expected = audit([texts[i] for i in rows], reject, where="here")
    asked.clear()
    first, count = look("rule 1"), len(asked)
    again = look("rule 1")
    assert len(asked) == count, "the second time nothing is asked"
    look("rule 2")
    assert len(asked) == 2 * count
    for result in (first, again):
        assert result.kept.tolist() == expected.kept.tolist() == [0, 3]
        assert (result.counts, result.examples, result.total) == (expected.counts, expected.examples, 4)


@pytest.mark.parametrize(
    "change",
    [
        lambda: CTCCodec(Charset("abd"), 9, 24),
        lambda: CTCCodec(Charset("abc", lower=True), 9, 24),
        lambda: CTCCodec(Charset("abc", unknown="map"), 9, 24),
        lambda: CTCCodec(Charset("abc"), 8, 24),
        lambda: CTCCodec(Charset("abc"), 9, 25),
        lambda: AttentionCodec(Charset("abc"), 9),
    ],
)
def test_whatever_decides_about_labels_is_in_the_rule(change: Callable[[], Any]) -> None:
    codec = CTCCodec(Charset("abc"), 9, 24)
    assert codec.rule == CTCCodec(Charset("abc"), 9, 24).rule
    assert change().rule != codec.rule


def test_a_cached_start_is_the_first_start(small_is_large: Path, tmp_path: Path) -> None:
    labels = [b"w%d" % i if i % 7 else b"\xc3\xbc" for i in range(300)]
    folder = store(tmp_path / "training/mj", labels)

    def start() -> Any:
        encoder = WordEncoder(CTCCodec(Charset.from_spec("digits_lower"), 25, 24))
        sources = {"mj": {"set": str(folder), "split": "train", "weight": None}}
        return DataModule(str(tmp_path), "recognition", sources, encoder, seed=1, batch_size=4).parts[0]

    first, second = start(), start()
    assert first.train.tolist() == second.train.tolist()
    assert first.validation.tolist() == second.validation.tolist()
    assert first.rejected == second.rejected
    assert 0 < first.rejected["out of charset"] < 50


def test_loader_processes_are_sent_no_rows_of_a_large_set(small_is_large: Path, tmp_path: Path) -> None:
    sent = {}
    for count in (2000, 8000):
        folder = store(tmp_path / f"{count}/training/mj", [b"w%d" % i for i in range(count)])
        encoder = WordEncoder(CTCCodec(Charset.from_spec("digits_lower"), 25, 24))
        sources = {"mj": {"set": str(folder), "split": "train", "weight": None}}
        part = DataModule(str(tmp_path), "recognition", sources, encoder, seed=1, batch_size=4).parts[0]
        packed = pickle.dumps(part)
        again = pickle.loads(packed)
        np.testing.assert_array_equal(again.train, part.train)
        assert 0.9 * count < len(again.train) < count
        assert [again.place(Draw(0, i, 1)) for i in range(9)] == [part.place(Draw(0, i, 1)) for i in range(9)]
        sent[count] = len(packed)
    assert sent[8000] - sent[2000] < 50, sent
