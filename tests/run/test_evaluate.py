"""Many protocols and a benchmark's lists from one reading of the sets."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocr import cli
from ocr.data.sets import open_set
from ocr.data.store import StoreWriter
from ocr.metrics.benchmark import WordBenchmark
from ocr.metrics.words import WordProtocol
from ocr.run.evaluate import infer, score_benchmark, score_together
from ocr.run.logging import read_rows
from ocr.types import Image, Reading

CASE36 = WordProtocol("case36", keep="ascii_alphanumeric", lower=True, drop_space=True)


def write_words(root: Path, name: str, texts: Sequence[str]) -> None:
    """Word i of a set is a picture of its own grey, so that a reader can know it by its colour."""
    with StoreWriter(root / "recognition" / name / "test", "recognition", name, "test", "real", "a test") as store:
        for i, text in enumerate(texts):
            store.add_word(
                cv2.imencode(".png", np.full((8, 20, 3), 10 * i, np.uint8))[1].tobytes(), text, f"{name}/{i}"
            )


class ByColour:
    """Reads what it is told by a picture's colour, and counts the pictures."""

    def __init__(self, answers: Sequence[str]) -> None:
        self.answers = answers
        self.pictures = 0

    def read(self, images: Sequence[Image]) -> list[Reading]:
        self.pictures += len(images)
        return [Reading(self.answers[int(image[0, 0, 0]) // 10], 0.9) for image in images]


def test_lists_totals_and_rows_come_from_one_reading(tmp_path: Path) -> None:
    write_words(tmp_path, "a", ["one", "two", "Three", "four"])
    write_words(tmp_path, "b", ["one", "TWO!"])
    (tmp_path / "a_small.txt").write_text("a/0\na/3\n")
    benchmark = WordBenchmark(
        "mine",
        CASE36,
        {"A": {"set": "a", "count": 4}, "B": {"set": "b", "count": 2}},
        {"total": ["A", "B"]},
        {"A_small": {"set": "a", "count": 2, "ids": str(tmp_path / "a_small.txt")}},
    )
    reader = ByColour(["one", "two", "three", "wrong"])
    passes = [infer(reader, open_set(tmp_path, "recognition", name, "test")) for name in benchmark.sets]
    lists, sets = score_benchmark(passes, benchmark)
    assert reader.pictures == 6
    accuracy = {each.set: (each.scores[0].value, each.scores[0].n) for each in lists}
    assert accuracy == {"A": (0.75, 4), "B": (1.0, 2), "A_small": (0.5, 2), "total": (5 / 6, 6)}
    rows = [row for each in sets for row in each.rows]
    assert [(row["key"], row["lists"]) for row in rows] == [
        ("a/0", ["A", "total", "A_small"]),
        ("a/1", ["A", "total"]),
        ("a/2", ["A", "total"]),
        ("a/3", ["A", "total", "A_small"]),
        ("b/0", ["B", "total"]),
        ("b/1", ["B", "total"]),
    ]
    for name, (value, n) in accuracy.items():
        right = [row["correct"] for row in rows if name in row["lists"]]
        assert (np.mean(right), len(right)) == (value, n)
    together = score_together(passes, CASE36)
    assert (together.set, together.scores[0].value, together.scores[0].n) == ("a+b", 5 / 6, 6)
    assert together.fingerprint not in (passes[0].data.fingerprint, passes[1].data.fingerprint)


def evaluate(path: Path, root: Path, out: Path, *arguments: str) -> int:
    return cli.main(["evaluate", str(path), f"root={root}", "--out", str(out), *arguments])


def test_protocols_are_joined_with_a_plus(tiny_recognizer: Path, tmp_path: Path) -> None:
    write_words(tmp_path, "a", ["one", "two"])
    write_words(tmp_path, "b", ["six"])
    out = tmp_path / "out"
    assert evaluate(tiny_recognizer, tmp_path, out, "data=a+b", "protocol=case36+full94") == 0
    rows = [(r["protocol"], r["set"], r["n"]) for r in read_rows(out / "scores.jsonl") if r["metric"] == "ECE"]
    assert rows == [(p, *s) for p in ("case36", "full94") for s in (("a", 2), ("b", 1), ("a+b", 3))]
    assert sorted(p.name for p in out.glob("*-test-*")) == sorted(
        f"{s}-test-{p}.jsonl" for s in "ab" for p in ("case36", "full94")
    )


@pytest.fixture(scope="module")
def short_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sets of the published comparison in their sizes, but with two words in SVT."""
    root = tmp_path_factory.mktemp("short")
    sizes = {
        "iiit5k": 3000,
        "svt": 2,
        "icdar2003_867": 867,
        "icdar2013_1015": 1015,
        "icdar2015": 2077,
        "svtp": 645,
        "cute80": 288,
    }
    for name, count in sizes.items():
        with StoreWriter(root / "recognition" / name / "test", "recognition", name, "test", "real", "t") as store:
            for i in range(count):
                store.add_word(b"", "word", f"{name}/{i}")
    return root


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["protocol=baek2019", "protocol.subsets=null"],
            "protocol=baek2019: SVT (set svt) is short by 645 of 647 images",
        ),
        (["protocol=baek2019"], "needs the id list"),
        (["protocol=case36+full94"], "name the sets to evaluate on: data="),
        (["data=svt", "protocol=case36+full94", "protocol.subsets=null"], "no named protocol has this key"),
        (["data=svt", "protocol.lower=true"], "name the protocol= it is for"),
    ],
)
def test_a_wrong_size_stops_the_evaluation_before_it_begins(
    short_root: Path,
    tiny_recognizer: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: str,
) -> None:
    monkeypatch.setattr("ocr.run.evaluate.infer", None)
    assert evaluate(tiny_recognizer, short_root, tmp_path / "out", *arguments) == 1
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
