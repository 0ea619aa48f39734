"""Early stopping: counted from the best validation, the same after a resume, and no part of runs that do not ask for it."""

import json
from pathlib import Path
from typing import Any

import pytest
from recipes import overrides, record, run

from ocr.config import compose_config, identity_hash, plain
from ocr.run.ending import Ending


@pytest.mark.parametrize(
    ("patience", "step", "best", "over"),
    [
        (None, 9, 1, False),
        (None, 10, 1, True),
        (3, 4, 1, True),
        (3, 4, 2, False),
        (3, 9, -1, False),
        (3, 10, 9, True),
    ],
)
def test_when_a_run_is_over(patience: int | None, step: int, best: int, over: bool) -> None:
    assert Ending(None, 10, patience).reached(step, best) is over  # type: ignore[arg-type]


def test_a_run_stops_early_and_repeating_the_command_trains_no_further(
    tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # a few steps read no word: the first validation stays the best
    patient = ["length.max_steps=12", "length.patience=3"]
    run(tiny_root, tmp_path, "crnn", *patient)
    folder = tmp_path / "run"
    found = record(folder)
    assert (found.status, found.steps, found.best_step) == ("finished", 6, 3)
    assert "(stopped early at step 6 of 12)" in capsys.readouterr().out
    rows = (folder / "metrics.jsonl").read_bytes()
    # killed between the last save and the end of the record
    (folder / "run.json").write_text(json.dumps({**json.loads((folder / "run.json").read_text()), "status": "running"}))
    run(tiny_root, tmp_path, "crnn", *patient)
    assert (folder / "metrics.jsonl").read_bytes() == rows
    assert (record(folder).status, record(folder).steps) == ("finished", 6)


def test_a_patience_shorter_than_a_validation_is_refused(tiny_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"length\.patience=2: give a number of steps from length\.val_every=3 on"):
        run(tiny_root, tmp_path, "crnn", "length.patience=2")


def test_keys_that_came_later_change_no_run_that_leaves_them_alone(tmp_path: Path) -> None:
    settings: dict[str, Any] = plain(compose_config(overrides(tmp_path, tmp_path, "crnn")))
    old = {
        **settings,
        "length": {k: v for k, v in settings["length"].items() if k != "patience"},
        "trainer": {k: v for k, v in settings["trainer"].items() if k != "halve"},
    }
    del old["alarms"]
    assert identity_hash(settings) == identity_hash(old)
    assert identity_hash({**settings, "length": {**settings["length"], "patience": 3}}) != identity_hash(old)
