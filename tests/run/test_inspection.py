"""What a run says of its words before the first step, and what it refuses."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from recipes import record, run

from ocr import cli
from ocr.data.store import StoreWriter
from ocr.run import inspection

OWN = ["data=words", "data.sources.words.set=own", "loader.batch_size=4", "charset=digits_lower"]


def picture(number: int) -> bytes:
    image = np.random.default_rng(number).integers(0, 256, (12, 40, 3), np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def write(root: Path, name: str, split: str, words: Sequence[tuple[int | None, str]]) -> None:
    """Words as (number of the picture or None for a broken one, text)."""
    with StoreWriter(root / "recognition" / name / split, "recognition", name, split, "real", "test") as store:
        for i, (number, text) in enumerate(words):
            store.add_word(b"broken" if number is None else picture(number), text, f"{name}/{split}-{i}")


def write_own(root: Path) -> None:
    numbered = [(i, f"w{i}") for i in range(20)]
    odd = [(30, ""), (31, "naïve"), (32, "x" * 26), (33, "oo" * 12)]
    write(root, "own", "train", [*numbered, *odd, (None, "broken"), (3, "w3"), (3, "W3"), (4, "other")])
    write(root, "own", "val", [(50, "ab"), (5, "cd")])
    write(root, "svt", "test", [(7, "ab"), (8, "cd"), (60, "ef")])


def reasons(printed: str) -> dict[str, int]:
    """Count by reason of the table "labels and pictures"."""
    lines = printed[printed.index("labels and pictures") :].splitlines()[2:]
    table = {}
    for line in lines:
        if not line.startswith("words "):
            break
        for effect in ("trains", "left out", "another stands in", "kept", "chooses the model"):
            what, found, rest = line.removeprefix("words").strip().partition(f" {effect} ")
            if found:
                table[what.strip()] = int(rest.split()[0].replace(",", ""))
                break
    return table


EXPECTED = {
    "learnable": 24,
    "empty": 1,
    "out of charset": 1,
    "too long": 1,
    "CTC infeasible": 1,
    "undecodable picture": 1,
    "same picture and label again": 1,
    "same picture, another label": 2,
    "also in validation": 1,
    "also in svt/test": 2,
}


def test_a_run_and_the_stats_command_open_with_the_same_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_own(tmp_path)
    run(tmp_path, tmp_path / "runs", "crnn", *OWN)
    opened = capsys.readouterr().out
    assert record(tmp_path / "runs/run").data["words"]["train"] == 24
    assert reasons(opened) == EXPECTED
    assert {f["reason"]: f["count"] for f in record(tmp_path / "runs/run").findings} == EXPECTED
    assert cli.main(["stats", *OWN, "model=crnn", "feat.channels=32", f"root={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    assert reasons(shown) == EXPECTED
    row = next(line for line in shown.splitlines() if "also in svt/test" in line)
    assert row.rstrip().endswith("own/train-7, own/train-8")
    assert "'naïve'" in shown


def test_large_sets_are_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_own(tmp_path)
    monkeypatch.setattr(inspection, "LARGE", 1)
    arguments = ["stats", *OWN, "model=crnn", "feat.channels=32", f"root={tmp_path}"]
    assert cli.main(arguments) == 0
    capsys.readouterr()
    look = inspection._looked
    monkeypatch.setattr(inspection, "_looked", None)
    assert cli.main(arguments) == 0
    assert reasons(capsys.readouterr().out) == EXPECTED
    monkeypatch.setattr(inspection, "_looked", look)
    write(tmp_path, "cute80", "test", [(70, "ab"), (11, "cd")])
    assert cli.main(arguments) == 0
    assert reasons(capsys.readouterr().out) == EXPECTED | {"also in cute80/test": 1}, "another test set, another look"


def test_choosing_a_model_on_test_images_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_own(tmp_path)
    write(tmp_path, "cute80", "test", [(70, "ab"), (5, "cd")])
    with pytest.raises(ValueError, match="1 of 2 validation samples are also in cute80/test") as caught:
        run(tmp_path, tmp_path / "runs", "crnn", *OWN)
    assert "own/val-1" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.ckpt"))
    capsys.readouterr()
    assert cli.main(["stats", *OWN, "feat.channels=32", f"root={tmp_path}"]) == 0
    assert reasons(capsys.readouterr().out)["validation sample also in cute80/test"] == 1


def test_a_test_set_elsewhere_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_own(tmp_path / "root")
    write(tmp_path / "elsewhere", "ic13", "test", [(9, "ab"), (10, "cd")])
    there = str(tmp_path / "elsewhere/recognition/ic13/test")
    arguments = ["stats", *OWN, "feat.channels=32", f"root={tmp_path / 'root'}", "--against"]
    assert cli.main([*arguments, there]) == 0
    table = reasons(capsys.readouterr().out)
    assert (table["also in ic13/test"], table["also in svt/test"]) == (2, 2)
    assert cli.main([*arguments, "nosuch"]) == 1
    assert "recognition set nosuch, split test, is not there" in capsys.readouterr().err
    assert cli.main(["stats", "model=craft", "data=synthtext", "--against", "icdar2015"]) == 1
    assert "choose a recogniser" in capsys.readouterr().err
