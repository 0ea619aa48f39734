"""Rows that a resumed run writes again are compared with those that were cut off."""

import math
from pathlib import Path

import pytest

from ocr.run.logging import Journal, read_rows
from ocr.run.repetition import GPU_BOUND, Repetition


def test_rows_of_a_validation_that_has_to_be_repeated_are_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "a", {})
    journal.metrics(3, loss=1.0)
    journal.metrics(3, **{"val/hmean": 0.5})
    journal.timing(3, validation_seconds=1.0)
    journal.cut_back(3)
    assert len(read_rows(tmp_path / "metrics.jsonl")) == 2
    journal.cut_back(3, validation_due=True)
    assert read_rows(tmp_path / "metrics.jsonl") == [{"step": 3, "loss": 1.0}]
    assert read_rows(tmp_path / "timing.jsonl") == []
    journal.metrics(3, **{"val/hmean": 0.25})
    assert (journal.repetition.rows, journal.repetition.difference) == (1, 0.5)


@pytest.mark.parametrize(
    ("new", "old", "difference"),
    [(1.0, 1.0, 0.0), (math.nan, math.nan, 0.0), (0.5, 1.0, 0.5), (1.0, math.nan, math.inf), (0.0, -1e-9, 1.0)],
)
def test_difference(new: float, old: float, difference: float) -> None:
    repetition = Repetition()
    repetition.expect([{"step": 4, "train/loss": old, "lr": 0.1}, {"step": 5, "train/loss": 1.0}])
    repetition.compare(3, {"train/loss": 9.0})
    repetition.compare(4, {"train/loss": new, "lr": 0.1})
    repetition.compare(4, {"train/loss": 9.0})
    assert (repetition.rows, repetition.difference) == (1, difference)
    assert repetition.kept is (difference == 0)


def test_a_gpu_promises_losses_within_a_bound(tmp_path: Path) -> None:
    repetition = Repetition(GPU_BOUND)
    repetition.expect([{"step": 1, "train/loss": 1.0, "train/region": 1.0}])
    repetition.compare(1, {"train/loss": 0.99, "train/region": 0.1})
    assert repetition.kept
    found = repetition.found({"compared": 4, "difference": 0.02})
    assert found == {
        "promise": "the same data in the same order; repeated losses within 5%",
        "compared": 5,
        "difference": 0.02,
    }
    assert Repetition().promise().startswith("to the bit")
