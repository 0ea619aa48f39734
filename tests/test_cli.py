"""The ``ocr`` command: evaluate a checkpoint, read pictures, list runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ocr import cli
from ocr.data.sets import open_set
from ocr.metrics.result_files import read_results
from ocr.reader import load_image
from ocr.run import checkpoint
from ocr.run.logging import read_rows
from ocr.run.record import RunRecord


def scores_of(out: Path) -> list[dict[str, Any]]:
    return read_rows(out / "scores.jsonl")


def evaluate(path: Path, root: Path, out: Path, *arguments: str) -> int:
    return cli.main(["evaluate", str(path), f"root={root}", "--out", str(out), *arguments])


def test_a_recogniser_is_scored_with_all_that_makes_numbers_comparable(
    tiny_root: Path, tiny_recognizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(tiny_recognizer, tiny_root, tmp_path, "data=rendered_words_v1", "protocol=full94") == 0
    data = open_set(tiny_root, "recognition", "rendered_words_v1", "test")
    run = RunRecord.read(tiny_recognizer.parent)
    assert run is not None
    accuracy, ned, cer, *confidence = scores_of(tmp_path)
    assert [row["metric"] for row in confidence] == ["ECE", "AURC"]
    for row, metric in ((accuracy, "word_accuracy"), (ned, "1-NED"), (cer, "CER")):
        expected = {
            "set": "rendered_words_v1",
            "split": "test",
            "kind": "rendered",
            "fingerprint": data.fingerprint,
            "protocol": "full94",
            "protocol_version": "1",
            "metric": metric,
            "n": len(data),
            "seed": 1,
            "config_hash": run.config_hash,
            "model": "None-VGG-BiLSTM-CTC",
            "checkpoint": str(tiny_recognizer),
            "step": run.best_step,
            "undecodable": 0,
            "trained_on": {"mjsynth": run.data["mjsynth"]["fingerprint"]},
        }
        assert {k: row[k] for k in expected} == expected
        assert row["low"] - 1e-9 <= row["value"] <= row["high"]
    rows = read_rows(tmp_path / "rendered_words_v1-test-full94.jsonl")
    assert [row["truth"] for row in rows] == data.texts()  # type: ignore[union-attr]
    assert accuracy["value"] == np.mean([row["correct"] for row in rows])
    assert ned["value"] == pytest.approx(np.mean([row["ned"] for row in rows]))
    readings = checkpoint.recognizer(tiny_recognizer).read([data[i].image for i in range(len(data))])
    assert [row["prediction"] for row in rows] == [reading.text for reading in readings]
    printed = capsys.readouterr().out
    assert printed.count("rendered stand-in") == 5
    assert all(f"word accuracy by {by}" in printed for by in ("crop height", "crop aspect ratio", "label length"))
    assert "full94" in printed


def test_a_detector_is_scored_by_word_height_too_and_icdar_is_an_alias(
    tiny_root: Path, tiny_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(tiny_detector, tiny_root, tmp_path, "data=icdar") == 0
    rows = scores_of(tmp_path)
    assert [(r["set"], r["protocol"], r["metric"]) for r in rows] == [
        ("icdar2015", protocol, metric)
        for protocol in ("ic15_iou", "deteval")
        for metric in ("recall", "precision", "hmean", "area_recall")
    ]
    pictures = read_rows(tmp_path / "icdar2015-test-ic15_iou.jsonl")
    assert [p["key"] for p in pictures] == [f"icdar2015/test-{i}" for i in range(3)]
    assert rows[0]["n"] == sum(p["cared_truth"] for p in pictures) == sum(b["n"] for b in rows[0]["by_height"])
    printed = capsys.readouterr().out
    assert all(f"ic15_iou: recall by {by}" in printed for by in ("word height", "aspect ratio", "direction"))
    assert sorted(read_results(tmp_path / "icdar2015-test.zip")) == [f"test-{i}" for i in range(3)]


def test_rows_are_replaced_not_repeated_and_other_protocols_are_added(
    tiny_root: Path, tiny_recognizer: Path, tmp_path: Path
) -> None:
    for protocol in ("case36", "case36", "full94"):
        assert evaluate(tiny_recognizer, tiny_root, tmp_path, "data=rendered_words_v1", f"protocol={protocol}") == 0
    assert [r["protocol"] for r in scores_of(tmp_path)] == ["case36"] * 5 + ["full94"] * 5


def test_the_protocol_is_that_of_training_when_none_is_named(
    tiny_root: Path, tiny_recognizer: Path, tmp_path: Path
) -> None:
    train = tiny_root / "recognition/mjsynth"
    assert evaluate(tiny_recognizer, tiny_root, tmp_path, f"data={train}", "--split", "train") == 0
    assert {(r["protocol"], r["split"]) for r in scores_of(tmp_path)} == {("case36", "train")}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "name the sets to evaluate on: data="),
        (["data="], "name the sets to evaluate on: data="),
        (["data=nosuch"], "detection set nosuch, split test, is not there: looked for"),
        (["data=mjsynth"], "data=mjsynth: mjsynth has nothing for detection; what has: "),
        (["data=icdar", "protocol=icdr"], "protocol=icdr: there is no protocol named 'icdr'"),
        (["data=icdar", "protocol=case36"], "protocol=case36 is for recognition, and this is detection"),
        (["data=icdar", "protocl=ic15_iou"], "protocl: there is no such key in the config; nearest: protocol"),
        (["data=icdar", "--split", "training"], "training"),
    ],
)
def test_a_mistake_is_one_line_and_scores_nothing(
    tiny_root: Path,
    tiny_detector: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: str,
) -> None:
    assert evaluate(tiny_detector, tiny_root, tmp_path, *arguments) == 1
    captured = capsys.readouterr()
    assert expected in captured.err.splitlines()[0]
    assert captured.err.startswith("error: ")
    assert not list(tmp_path.iterdir())


def test_reading_goes_on_behind_a_broken_file_and_says_so(
    tiny_root: Path, tiny_detector: Path, tiny_recognizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = open_set(tiny_root, "detection", "icdar2015", "test")[0]
    for name in ("a.png", "c.jpg"):
        cv2.imwrite(str(tmp_path / name), np.ascontiguousarray(scene.image[..., ::-1]))
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8 cut off")
    pictures = [str(tmp_path / name) for name in ("a.png", "b.jpg", "c.jpg")]
    models = ["--detector", str(tiny_detector), "--recognizer", str(tiny_recognizer)]
    out = tmp_path / "out"
    assert cli.main(["read", *pictures, *models, "--out", str(out), "--json", str(tmp_path / "all.jsonl")]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "b.jpg" in captured.err
    assert f"{tmp_path / 'a.png'}: " in captured.out
    pages = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [Path(p["path"]).name for p in pages] == ["a.png", "c.jpg"]
    assert {p.name for p in out.iterdir()} == {f"{n}.words.{e}" for n in "ac" for e in ("json", "png")}
    assert json.loads((out / "a.words.json").read_text()) == pages[0]
    for word in pages[0]["words"]:
        assert len(word["polygon"]) == 4
        assert isinstance(word["text"], str)
        assert 0 <= word["confidence"] <= 1
    assert load_image(out / "a.words.png").shape[0] >= scene.image.shape[0]
    assert cli.main(["read", pictures[0], *models, "--out", str(out), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["words"] == pages[0]["words"]


def test_reading_with_the_wrong_models_is_one_line(
    tiny_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tiny_detector)
    assert cli.main(["read", "a.png", "--detector", path, "--recognizer", path, "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"error: {path} is a detection checkpoint, a recognition one is needed here\n"


def test_runs_are_listed_with_state_and_score(
    tiny_recognizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = json.loads((tiny_recognizer.parent / "run.json").read_text())
    gone = {"host": source["attempts"][0]["host"], "pid": 2**22 + 1}
    states = {
        "whole": {},
        "killed": {"status": "running", "score": None, "attempts": [gone]},
        "elsewhere": {"status": "running", "score": None, "attempts": [{"host": "other", "pid": 1}]},
        "broken": {"status": "failed", "error": "the disk is full", "score": None},
    }
    for name, changes in states.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(source | changes | {"overrides": [f"optim.lr={name}"]}))
    assert cli.main(["runs", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[1]: line for line in lines if line.startswith("│")}
    assert next(iter(rows)) == "whole", "the best score comes first"
    assert f"word_accuracy {source['score']:.4f}" in rows["whole"]
    for name, state in (("whole", "finished"), ("killed", "killed"), ("elsewhere", "running"), ("broken", "failed")):
        assert f"│ optim.lr={name}" in rows[name]
        assert f"│ {state}" in rows[name]
    assert "broken: the disk is full" in lines


def test_no_runs_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: no run below {tmp_path}; runs are made by train.py")


def test_help_is_quick_and_a_wrong_command_is_status_2() -> None:
    code = "import sys; from ocr.cli import main; status = main(sys.argv[1:]); sys.exit(status)"
    for arguments, status in ((["--help"], 0), (["evaluate", "--help"], 0), (["nosuch"], 2), ([], 2)):
        shown = "; assert 'torch' not in sys.modules and 'hydra' not in sys.modules"
        source = code.replace(
            "status = main(sys.argv[1:])",
            f"import atexit; atexit.register(lambda: exec({shown[2:]!r})); status = main(sys.argv[1:])",
        )
        done = subprocess.run([sys.executable, "-c", source, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == status
        assert "AssertionError" not in done.stderr
