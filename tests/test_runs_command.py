"""``ocr runs`` on run directories that were written by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from ocr.cli import main
from ocr.run.record import RunRecord


def make_run(
    runs: Path, name: str, status: Any = "finished", score: float = 0.5, right: str = "1111", **fields: Any
) -> Path:
    """A run directory with record, config and readings of a set of as many words as ``right`` has digits."""
    folder = runs / name
    (folder / "predictions").mkdir(parents=True)
    record = RunRecord(
        name, "recognition", "None-VGG-BiLSTM-CTC", "0" * 12, fields.pop("seed", 1), "word_accuracy", score=score
    )
    record.best_step = 6
    record.recipe, record.first_weights = fields.pop("recipe", None), fields.pop("first_weights", "He initialisation")
    record.begin(folder, 0)
    record.end(folder, status, 6, 1.0, (6, 1.0))
    config = {"seed": record.seed, "optim": {"lr": 1.0, **fields}, "runs": str(runs), "loader": {"workers": 0}}
    (folder / "config.yaml").write_text(json.dumps(config))
    rows = [{"key": f"k{i}", "truth_folded": "a", "correct": digit == "1"} for i, digit in enumerate(right)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "predictions" / "words-test-case36.jsonl").write_text(lines)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make_run(tmp_path, "first", recipe="paper, changed: optim.lr", lr=2.0, right="110000")
    make_run(tmp_path, "second", score=0.75, seed=2, right="111110")
    make_run(tmp_path, "third", status="failed", lr=0.5)
    return tmp_path


def test_it_is_said_where_training_began(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(runs, "fourth", first_weights="craft.pth")
    assert main(["runs", str(runs)]) == 0
    assert "first weights: He initialisation, 3 runs; craft.pth, 1 runs" in capsys.readouterr().out


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """Names of the runs in the table, in its order."""
    assert main(["runs", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    return [name for line in lines for name in ("first", "second", "third") if line.startswith(f"│ {name} ")]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ([], ["second", "first", "third"]),
        (["state=finished"], ["second", "first"]),
        (["state=f*", "seed=1"], ["first", "third"]),
        (["recipe=paper*"], ["first"]),
        (["optim.lr=0.5"], ["third"]),
        (["optim.lr=*", "seed=2"], ["second"]),
    ],
)
def test_runs_are_listed_and_filtered(
    runs: Path, filters: list[str], names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed(capsys, str(runs), *filters) == names


def test_the_recipe_has_a_column_where_there_is_one(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(runs)]) == 0
    whole = capsys.readouterr().out
    assert "recipe" in whole
    assert "paper," in whole
    assert "word_accuracy 0.7500" in " ".join(whole.split()) or "0.7500" in whole
    assert main(["runs", str(runs), "seed=2"]) == 0
    assert "recipe" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["seed=3"], "none of 3 runs fits seed=3"),
        (["optim.learning_rate=1"], "optim.learning_rate=1: no run has a key 'optim.learning_rate'"),
    ],
)
def test_a_filter_that_fits_nothing_is_one_line(
    runs: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", str(runs), *words]) == 1
    assert says in capsys.readouterr().err


def test_a_record_that_cannot_be_read_does_not_hide_the_others(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "first" / "run.json").write_text('{"name": "fir')
    assert main(["runs", str(runs)]) == 0
    shown = capsys.readouterr()
    assert "2 runs" in shown.out
    assert f"{runs / 'first' / 'run.json'} is no run record" in shown.err


def test_two_runs_side_by_side(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = str(runs / "first"), str(runs / "second")
    assert main(["runs", "--compare", first, second]) == 0
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines()]
    assert ["optim.lr", "2.0", "1.0"] in lines
    assert ["seed", "1", "2"] in lines
    assert not any(line[:1] == ["runs"] for line in lines)
    assert "0.7500 (+0.2500)" in shown
    # 2 and 5 of 6 words: three that the second alone reads
    row = next(line for line in lines if line[:2] == ["words", "case36"])
    assert row[2:6] == ["6", "0.3333", "0.8333", "+0.5000"]
    assert row[-3:] == ["0", "3", "0.25"]
    assert main(["compare", first, second]) == 0
    assert capsys.readouterr().out == shown
