"""What a report says of rows: numbers that belong together, states, and everything that is kept apart."""

import csv
import io
import json
from collections import Counter
from typing import Any

import pytest
from study_folder import PAPER, SWEEP, Table

from experiments import report, rows, samples, sections, study
from experiments.configs import Configs
from experiments.formats import Grid, comma_separated, latex, markdown
from experiments.standing import Line, Standing, standing
from experiments.subset import belongs


def score(value: float, **more: Any) -> dict[str, Any]:
    base = {"set": "shop_signs", "split": "test", "kind": "rendered", "fingerprint": "f" * 64, "protocol": "case36"}
    rest = {"protocol_version": "1", "metric": "word_accuracy", "n": 100, "low": value - 0.1, "high": value + 0.1}
    return {**base, **rest, "value": value, **more}


def add(table: Table, cell: str, seed: int, value: float, state: rows.State = "finished", **more: Any) -> None:
    configs = Configs(table.study, table.study.profile("mini"), table.study.cells)
    data = {"words": {"fingerprint": "7" * 64, "kind": "rendered"}}
    node = {"config_hash": configs.keep(cell), "scores": [score(value, **more.pop("scored", {}))], "data": data, **more}
    rows.append(table.study.results, rows.Row("signs", cell, "mini", seed, state, run=f"{cell}-s{seed}", **node))


def found(table: Table) -> Standing:
    return standing(table.study, table.study.profile("mini"), table.runs)


def line(table: Table, cell: str) -> Line:
    of = found(table).of(cell, "total")
    assert of is not None
    return of


def test_ours_stands_beside_the_published_number(table: Table) -> None:
    add(table, "plain", 1, 0.60)
    add(table, "plain", 2, 0.64)
    plain, context = line(table, "plain"), line(table, "context")
    assert (plain.paper, plain.ours, plain.seeds, plain.n, plain.state) == (70.5, pytest.approx(62), 2, 100, "finished")
    assert plain.delta == pytest.approx(-8.5)
    assert plain.low is not None
    assert plain.low < 52  # the interval of the sample, widened by that of the seeds
    assert (context.paper, context.ours, context.state) == (None, None, "missing")


def test_a_table_says_where_training_began(table: Table) -> None:
    add(table, "plain", 1, 0.60, first_weights="He initialisation")
    add(table, "plain", 2, 0.64, first_weights="He initialisation")
    assert "First weights: He initialisation, 2 runs." in sections.scores(found(table))[0].notes[0]


def test_states_are_told_apart(table: Table) -> None:
    add(table, "plain", 1, 0.6)
    add(table, "plain", 2, 0.0, "failed")
    assert line(table, "plain").state == "finished 1 of 2, 1 failed"
    add(table, "context", 1, 0.0, "killed")
    assert line(table, "context").state == "killed"
    add(table, "context", 1, 0.5, config_hash="0" * 12)
    assert line(table, "context").state == "killed"
    table.write(sweep=SWEEP.replace("bilstm", "bilstm, optim: adam"))
    assert line(table, "context").state == "stale"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"scored": {"fingerprint": "0" * 64}}, "other test set"),
        ({"scored": {"protocol_version": "2"}}, "other protocol version"),
        ({"data": {"words": {"fingerprint": "9" * 64, "kind": "rendered"}}}, "other training data"),
    ],
)
def test_rows_of_another_kind_are_shown_apart_and_never_averaged(table: Table, other: dict[str, Any], why: str) -> None:
    for cell, value in (("plain", 0.6), ("context", 0.7)):
        add(table, cell, 1, value)
    add(table, "plain", 2, 0.2, **other)
    assert line(table, "plain").ours == pytest.approx(60)
    (apart,) = found(table).apart
    assert (apart.cell, apart.ours, apart.other) == ("plain", pytest.approx(20), why)


def test_cells_may_be_trained_on_sets_of_their_own(table: Table) -> None:
    def sets(**fingerprints: str) -> dict[str, Any]:
        return {name: {"fingerprint": 64 * digit, "kind": "rendered"} for name, digit in fingerprints.items()}

    add(table, "plain", 1, 0.6, data=sets(words="7"))
    add(table, "plain", 2, 0.6, data=sets(words="7"))
    add(table, "context", 1, 0.7, data=sets(words="7", more="8"))
    assert not found(table).apart
    add(table, "context", 2, 0.2, data=sets(words="9", more="8"))
    (apart,) = found(table).apart
    assert (apart.cell, apart.ours) == ("context", pytest.approx(20))
    assert line(table, "context").ours == pytest.approx(70)


def test_rows_of_another_protocol_or_profile_are_not_even_looked_at(table: Table) -> None:
    add(table, "plain", 1, 0.6)
    add(table, "plain", 2, 0.9, scored={"protocol": "full94"})
    assert (line(table, "plain").ours, line(table, "plain").seeds) == (pytest.approx(60), 1)
    path = rows.row_file(table.study.results, "mini")
    foreign = json.loads(path.read_text().splitlines()[0]) | {"profile": "smoke", "seed": 3}
    rows.add_line(path, foreign)
    assert line(table, "plain").seeds == 1
    assert "profile smoke" in found(table).notes[0]


def test_two_rows_of_one_name_and_other_configs_do_not_mix(table: Table) -> None:
    add(table, "plain", 1, 0.9, config_hash="0" * 12)
    add(table, "plain", 1, 0.6)
    add(table, "plain", 1, 0.9, config_hash="0" * 12)
    assert (line(table, "plain").ours, line(table, "plain").seeds) == (pytest.approx(60), 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PAPER.replace(",source", "", 1), "the column source is missing; needed are cell, column"),
        (PAPER.replace("70.5", "about 70", 1), "line 2: value 'about 70' is no number"),
        (PAPER + "plain,total,1,,x\n", "line 4: plain, total stands there twice"),
    ],
)
def test_a_wrong_table_of_published_numbers_is_one_line(
    table: Table, text: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write(paper=text)
    monkeypatch.setattr(report, "load_study", lambda name: study.load_study(name, table.folder))
    assert report.main(["signs"]) == 1
    error = capsys.readouterr().err
    assert "paper.csv" in error
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_report_is_printed_in_three_forms(
    table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(table, "plain", 1, 0.02)
    monkeypatch.setattr(report, "load_study", lambda name: study.load_study(name, table.folder))
    printed = []
    for form in ("markdown", "csv", "latex"):
        assert report.main(["signs", "--format", form]) == 0
        printed.append(capsys.readouterr().out)
    assert "rendered stand-in" in printed[0]
    assert "not converged" in printed[0]
    assert "Profile mini: a test." in printed[0]
    (row,) = [row for row in csv.DictReader(io.StringIO(printed[1])) if row["cell"] == "plain"]
    assert float(row["ours"]) == pytest.approx(2)
    assert r"\begin{tabular}{lr" in printed[2]


def test_averages_are_over_pairs_that_differ_in_one_module(table: Table) -> None:
    add(table, "plain", 1, 0.5)
    add(table, "context", 1, 0.6)
    (grid,) = sections.modules(found(table))
    first, second = grid.rows
    assert first[:3] == ("seq", "none", pytest.approx(50))
    assert second[:4] == ("seq", "bilstm", pytest.approx(60), pytest.approx(10))
    assert second[5] == 1


def test_markup_in_cells_stays_text() -> None:
    grid = Grid("a_b", ("x|y", "n"), (("50 % & $5 #1_{2}", 1.0), ("a|b", None)))
    lines = markdown(grid).splitlines()
    assert {line.replace("\\|", "").count("|") for line in lines[2:]} == {3}
    assert r"50 \% \& \$5 \#1\_\{2\} & 1.00 \\" in latex(grid)
    assert list(csv.reader(io.StringIO(comma_separated(grid))))[1] == ["50 % & $5 #1_{2}", "1.0"]


def test_characters_read_as_others_are_counted() -> None:
    pairs = [("hello", "hallo"), ("hello", "hell"), ("cat", "cats"), ("abcdef", "uvwxyz")]
    counted = samples.confusions([{"truth_folded": a, "prediction_folded": b} for a, b in pairs])
    assert counted == Counter({("e", "a"): 1, ("o", "∅"): 1, ("∅", "s"): 1})


def word(key: str, right: bool, reading: str = "x") -> dict[str, Any]:
    return {"key": key, "truth": key, "truth_folded": key, "prediction_folded": reading, "correct": right}


def test_words_that_all_cells_miss() -> None:
    cells = {
        "a": [word("one", True), word("two", False, "tvo"), word("three", False)],
        "b": [word("one", False), word("two", False, "tvo"), word("three", True)],
    }
    (missed,), seen = samples.missed_by_all(cells)
    assert (missed.text, missed.reading, missed.times, seen) == ("two", "tvo", 2, 3)
    with pytest.raises(ValueError, match="scored on other words"):
        samples.missed_by_all({**cells, "c": [word("one", True)]})


def test_a_share_is_drawn_by_key_and_shares_are_nested() -> None:
    keys = [f"mjsynth/{i}" for i in range(5000)]
    fifth, half = ({k for k in keys if belongs(k, share)} for share in (0.2, 0.5))
    assert fifth < half
    assert len(fifth) / len(keys) == pytest.approx(0.2, abs=0.02)
    assert all(belongs(key, 1.0) for key in keys)


@pytest.mark.parametrize("name", study.studies())
def test_every_table_of_the_project_can_be_loaded(name: str) -> None:
    of = study.load_study(name)
    assert set(of.sections) <= set(sections.SECTIONS)
    assert {"published", "paper", "mini", "smoke"} <= set(of.profiles)
    assert len((of.folder / "README.md").read_text().splitlines()) <= 12
    assert all(p.source for p in of.paper.values() if p.value is not None)
    places = {(cell, column) for cell, column, _ in of.paper}
    if of.owner == "str_grid":
        assert {(cell.name, "total") for cell in of.cells} <= places


def test_the_grid_is_the_published_one() -> None:
    grid = study.load_study("str_grid")
    assert len(grid.cells) == 24
    best = grid.published("TPS-ResNet-BiLSTM-Attn", "total")
    released = grid.published("TPS-ResNet-BiLSTM-Attn", "ten_lists", "dtrb_default_filter")
    assert best is not None
    assert released is not None
    assert (best.value, released.value) == (84.02, 85.249)
    totals = [p.value for (_, column, _), p in grid.paper.items() if column == "total"]
    assert sum(v for v in totals if v) / 24 == pytest.approx(
        79.68, abs=0.02
    )  # both published means of Trans: 78.57, 80.79


def test_an_eighth_of_the_width_is_an_eighth_everywhere() -> None:
    grid = study.load_study("str_grid")
    mini, full = (grid.config(grid.cell("TPS-ResNet-BiLSTM-Attn"), grid.profile(name)) for name in ("mini", "paper"))
    widths = ("trans.channels", "feat.channels", "seq.hidden", "pred.hidden")
    assert [8 * mini[key] for key in widths] == [full[key] for key in widths]
    assert mini["length.max_steps"] * mini["loader.batch_size"] == pytest.approx(250_000, rel=0.01)
