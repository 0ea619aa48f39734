"""A table's cells: what is run, skipped, tried again, interrupted and recorded."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from study_folder import PROFILES, SWEEP, Table

from experiments import execution, rows, run, study
from experiments.execution import OUT_OF_MEMORY
from experiments.run import main
from experiments.study import Evaluation, load_study


def states(table: Table) -> list[tuple[str, int, str]]:
    return [(line["cell"], line["seed"], line["state"]) for line in table.lines]


def test_every_cell_leaves_one_row_and_is_not_run_again(table: Table) -> None:
    assert table.run("--seeds", "2") == 0
    assert states(table) == [
        ("plain", 1, "finished"), ("context", 1, "finished"), ("plain", 2, "finished"), ("context", 2, "finished"),
    ]  # fmt: skip
    assert table.lines[0]["scores"][0]["value"] == 0.5
    assert "breakdown" not in table.lines[0]["scores"][0]
    assert table.run("--seeds", "2") == 0
    assert len(table.lines) == 4
    assert table.run("--seeds", "3") == 0
    assert states(table)[4:] == [("plain", 3, "finished"), ("context", 3, "finished")]


def test_a_failing_cell_stops_nothing_and_is_tried_again_on_request(table: Table) -> None:
    table.behaviour["plain"] = "fail"
    assert table.run() == 1
    assert states(table) == [("plain", 1, "failed"), ("context", 1, "finished")]
    assert table.lines[0]["error"] == "no such set"
    assert table.run() == 1
    assert len(table.lines) == 2
    table.behaviour["plain"] = "learn"
    assert table.run("--retry") == 0
    assert states(table)[2:] == [("plain", 1, "finished")]
    assert table.calls("plain") == ["fail", "learn"]


@pytest.mark.parametrize(("counted", "error"), [(1, OUT_OF_MEMORY), (0, "killed by somebody (SIGKILL)")])
def test_a_cell_killed_for_memory_is_told_from_one_that_a_person_killed(
    table: Table, monkeypatch: pytest.MonkeyPatch, counted: int, error: str
) -> None:
    counts = iter([5, 5 + counted])
    monkeypatch.setattr(execution, "memory_kills", lambda: next(counts))
    table.behaviour["plain"] = "killed"
    assert table.run("--cells", "plain") == 1
    assert states(table) == [("plain", 1, "killed")]
    assert table.lines[0]["error"] == error


def test_the_kernel_counts_the_processes_it_kills_for_memory() -> None:
    counted = execution.memory_kills()
    vmstat = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    assert counted >= int(vmstat["oom_kill"])


def test_a_changed_config_runs_in_a_directory_of_its_own(table: Table) -> None:
    table.run()
    table.write(profiles=PROFILES.replace("feat.channels=16", "feat.channels=32"))
    assert table.run() == 0
    assert len({line["config_hash"] for line in table.lines}) == 4
    assert len(list(table.runs.rglob("best.ckpt"))) == 4


def test_a_key_that_the_project_gained_since_is_no_other_config(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    assert table.run("--cells", "plain") == 0
    compose = study.compose_config

    def composed(overrides: list[str]) -> Any:
        return compose([*overrides, "+module.gained=1"])

    monkeypatch.setattr(study, "compose_config", composed)
    assert table.run("--cells", "plain") == 0
    assert len(table.lines) == 1


def test_a_table_may_show_cells_of_another(table: Table) -> None:
    (table.folder / "best").mkdir()
    (table.folder / "best" / "sweep.yaml").write_text("title: the better one\nof: signs\ncells: {CRNN: context}\n")
    (table.folder / "best" / "paper.csv").write_text("cell,column,value,protocol,source\n")
    best = load_study("best", table.folder)
    assert [best.labels[cell.name] for cell in best.cells] == ["CRNN"]
    assert best.results == table.study.results
    assert best.config(best.cells[0], best.profile("mini")) == table.config("context")


def test_seed_and_places_of_data_and_runs_are_no_part_of_a_config(table: Table) -> None:
    table.run("--seeds", "2", "--root", str(table.folder / "elsewhere"))
    assert len({line["config_hash"] for line in table.lines}) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("feat: vgg", "feat: vgh"), "cell plain, profile mini: .*vgh.*nearest: vgg"),
        (("stages:", "stagse:"), "stagse is no key here; nearest: stages"),
        (("preset: trba", "preset: trbb"), "trbb"),
        (("title: two readers\n", ""), "title is missing"),
        (("task: reading", "task: writing"), "'writing' has no profiles"),
        (("{trans", "{{trans"), "cannot be read"),
        (("ctc}\n  context", "ctc, after: nobody}\n  context"), "after=nobody is no cell"),
    ],
)
def test_a_sweep_that_cannot_be_is_one_line(
    table: Table, change: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert SWEEP.replace(*change, 1) != SWEEP
    table.write(sweep=SWEEP.replace(*change, 1))
    assert table.run() == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search(message, error), error
    assert table.lines == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch"], "no table 'nosuch'"),
        (["signs", "--profile", "min"], "no profile 'min'; nearest: mini"),
        (["signs", "--cells", "plian"], "no cell 'plian'; nearest: plain"),
        (["signs", "--seeds", "0"], "whole numbers from 1 on"),
    ],
)
def test_a_wrong_command_is_one_line(
    table: Table, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_an_interruption_lets_the_cells_save_and_leaves_no_row(table: Table) -> None:
    table.behaviour["plain"] = "hang"
    script = f"""
import sys; sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[2])]!r}
from pathlib import Path
import experiments.run as run, experiments.study as study
from study_folder import Table
from experiments.execution import Job
run.load_study = lambda name: study.load_study(name, Path({str(table.folder)!r}))
table = Table.__new__(Table); table.behaviour = {{"plain": "hang"}}
Job.training = lambda job: table.program(job)
sys.exit(run.main(["signs", "--profile", "mini", "--runs", {str(table.runs)!r}]))
"""
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if any(log.read_text().endswith("ready\n") for log in table.runs.rglob("logs/*.txt")):
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "repeat the command to go on" in errors
    assert len(list(table.runs.rglob("saved"))) == 1
    assert table.lines == []
    table.behaviour.clear()
    assert table.run() == 0
    assert states(table) == [("plain", 1, "finished"), ("context", 1, "finished")]


def test_a_second_process_is_kept_out(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    folder = table.runs / "signs" / "mini"
    folder.mkdir(parents=True)
    hold = (
        f"import fcntl,sys; f=open({str(folder / '.lock')!r},'w'); fcntl.lockf(f,2); print('held',flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert table.run() == 1
        other.communicate(b"\n")
    assert "another process runs this table" in capsys.readouterr().err


def test_a_half_written_row_is_named_and_left_out_and_the_next_stands_on_its_own_line(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    table.run("--cells", "plain")
    path = rows.row_file(table.study.results, "mini")
    path.write_bytes(path.read_bytes()[:-40])
    assert table.run() == 0
    assert "line 1: no whole row" in capsys.readouterr().out.replace("\n", " ")
    reading = rows.read(table.study.results, "mini")
    assert [row.cell for row in reading.rows] == ["plain", "context"]
    assert len(reading.complaints) == 1


def test_the_last_row_in_the_file_counts_whatever_the_clock_said(table: Table) -> None:
    times = ["2026-11-23T10:00:00+0000", "2026-11-23T09:00:00+0000"]
    for when, state in zip(times, ("failed", "finished"), strict=True):
        rows.append(table.study.results, rows.Row("signs", "plain", "mini", 1, state, "now", finished=when))
    found = rows.latest(rows.read(table.study.results, "mini").rows, lambda row: row.config_hash == "now")
    assert found["plain", 1].state == "finished"


def test_a_row_of_the_present_config_wins_over_a_later_one_of_another(table: Table) -> None:
    for digest, state in (("now", "finished"), ("old", "failed")):
        rows.append(table.study.results, rows.Row("signs", "plain", "mini", 1, state, digest))
    found = rows.latest(rows.read(table.study.results, "mini").rows, lambda row: row.config_hash == "now")
    assert found["plain", 1].config_hash == "now"


@pytest.mark.parametrize(
    ("task", "layout", "folder"),
    [("recognition", "words", "rec"), ("detection", "scenes", "det")],
)
def test_real_sets_of_either_task_are_prepared_as_far_as_they_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, layout: str, folder: str
) -> None:
    monkeypatch.setenv("OCR_REAL_PACK", str(tmp_path))
    raw = run._real_pack(task)
    assert raw == tmp_path / folder
    assert run._real_pack("reading") is None
    for name in ("street", "plates_partial"):
        (raw / name / "gt").mkdir(parents=True)
        (raw / name / "labels.tsv").touch()
    wanted = Evaluation("some_protocol", ("street", "absent", "plates_partial"))
    job: Any = SimpleNamespace(
        study=SimpleNamespace(task=task),
        profile=SimpleNamespace(real=(wanted,)),
        places=SimpleNamespace(real=raw, root=tmp_path / "root"),
    )
    made: list[str] = []
    monkeypatch.setattr(run, "_make", lambda command, what, console: made.append(" ".join(command[2:4]) + str(command)))
    (found,) = run._real_sets(job, job.places, Console())
    assert found == Evaluation("some_protocol", ("real_street", "real_plates_partial"))
    assert all(command.startswith(f"data_prep {layout}") for command in made)
    assert ["--partial" in command for command in made] == [False, task == "detection"]
