"""Comparing runs from the rows they left: the same samples or a refusal; means over seeds."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from ocr import cli
from ocr.metrics.paired import mcnemar
from ocr.run.compare import compare_runs, over_seeds


def leave(run: Path, name: str, right: str, lists: list[list[str]] | None = None, **changes: Any) -> Path:
    """Per-sample rows of a run: ``right`` is 1 for each word read right and 0 for each other."""
    (run / "predictions").mkdir(parents=True, exist_ok=True)
    part = name.partition("-")[0]
    rows = [
        {"key": f"{part}/{i}", "truth_folded": f"w{i}", "correct": c == "1", **changes}
        | ({"lists": lists[i]} if lists else {})
        for i, c in enumerate(right)
    ]
    (run / "predictions" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def score(run: Path, seed: int, value: float, **changes: Any) -> Path:
    """A score row of a run."""
    (run / "predictions").mkdir(parents=True, exist_ok=True)
    row = {
        "checkpoint": str(run / "best.ckpt"),
        "config_hash_any_seed": "c0ffee",
        "seed": seed,
        "model": "TPS-ResNet-BiLSTM-Attn",
        "trained_on": {"mjsynth": "f00"},
        "set": "svt",
        "protocol": "case36",
        "metric": "word_accuracy",
        "n": 647,
        "value": value,
    }
    with (run / "predictions" / "scores.jsonl").open("a") as stream:
        stream.write(json.dumps(row | changes) + "\n")
    return run


def test_sets_and_their_total_are_compared_pairwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = leave(leave(tmp_path / "a", "svt-test-case36", "1100"), "my-set-test-case36", "110110")
    b = leave(leave(tmp_path / "b", "svt-test-case36", "1011"), "my-set-test-case36", "111111")
    leave(b, "svt-test-full94", "1111")
    found = {(name, protocol): c for name, protocol, c in compare_runs(a, b)}
    assert list(found) == [("my-set", "case36"), ("svt", "case36"), ("my-set+svt", "case36")]
    total = found["my-set+svt", "case36"]
    assert (total.n, total.first, total.second, total.only_first, total.only_second) == (10, 0.6, 0.9, 1, 4)
    assert total.p == mcnemar(1, 4)
    assert cli.main(["compare", str(a), str(b)]) == 0
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.startswith("my-set+svt"))
    assert row.split()[:6] == ["my-set+svt", "case36", "10", "0.6000", "0.9000", "+0.3000"]
    assert row.split()[-3:] == ["1", "4", "0.38"]


def test_a_benchmark_is_compared_by_list_and_never_counts_a_sample_twice(tmp_path: Path) -> None:
    lists = [["IC15", "total", "both", "small", "both"], ["IC15", "total", "both"], ["IC15", "total", "both"]]
    other = [["SVT", "total", "both"]] * 2
    runs = []
    for name, ic15, svt in (("a", "100", "10"), ("b", "011", "11")):
        leave(tmp_path / name, "ic15-test-mine", ic15, lists)
        runs.append(leave(tmp_path / name, "svt-test-mine", svt, other))
    found = {name: (c.n, c.only_first, c.only_second) for name, _, c in compare_runs(*runs)}
    assert found == {"IC15": (3, 1, 2), "small": (1, 1, 0), "SVT": (2, 0, 1), "total": (5, 1, 3)}
    assert list(found)[-1] == "total"


def test_rows_in_another_order_are_the_same_samples(tmp_path: Path) -> None:
    a, b = (leave(tmp_path / name, "svt-test-case36", "1100") for name in "ab")
    path = b / "predictions" / "svt-test-case36.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert compare_runs(a, b)[0][2].difference == 0


def test_what_cannot_be_compared_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = leave(tmp_path / "a", "svt-test-case36", "110")
    cases = {
        "no per-sample rows": tmp_path,
        "evaluated on nothing in common": leave(tmp_path / "b", "svt-test-full94", "110"),
        "on different samples (3 and 2, 1 of the first not in the second)": leave(
            tmp_path / "c", "svt-test-case36", "11"
        ),
        "have another label in the second run": leave(tmp_path / "d", "svt-test-case36", "110", truth_folded="x"),
    }
    (tmp_path / "pictures" / "predictions").mkdir(parents=True)
    (tmp_path / "pictures" / "predictions" / "svt-test-case36.jsonl").write_text('{"key": "svt/1"}\n')
    cases["holds no words but pictures"] = tmp_path / "pictures"
    for message, other in cases.items():
        assert cli.main(["compare", str(a), str(other)]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_runs_over_their_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = {1: 0.84, 2: 0.86, 3: 0.81}
    runs = [score(tmp_path / f"s{seed}", seed, value) for seed, value in values.items()]
    score(runs[0], 1, 0.5, set="cute80", n=288)
    runs.append(score(tmp_path / "other", 1, 0.2, config_hash_any_seed="another"))
    rows = {(row["set"], len(row["seeds"])): row for row in over_seeds(runs)}
    assert set(rows) == {("svt", 3), ("cute80", 1), ("svt", 1)}
    several = rows["svt", 3]
    assert several["seeds"] == [1, 2, 3]
    assert several["mean"] == pytest.approx(statistics.mean(values.values()))
    assert several["deviation"] == pytest.approx(statistics.stdev(values.values()))
    assert rows["cute80", 1]["deviation"] is None
    assert cli.main(["seeds", str(tmp_path)]) == 0
    assert "0.8367 ± 0.0252" in capsys.readouterr().out
    assert cli.main(["seeds", str(tmp_path / "nothing")]) == 1
    assert "no scores below" in capsys.readouterr().err


def test_one_seed_with_two_results_is_refused(tmp_path: Path) -> None:
    runs = [score(tmp_path / "a", 1, 0.5), score(tmp_path / "b", 1, 0.6)]
    with pytest.raises(ValueError, match="have one config and seed, and another word_accuracy on svt"):
        over_seeds(runs)
    assert over_seeds([runs[0], score(tmp_path / "copy", 1, 0.5)])[0]["seeds"] == [1]
