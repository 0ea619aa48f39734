"""Sweeps that run in other processes: what their jobs leave behind, the local launcher and the search."""

import os
import sqlite3
from pathlib import Path

import pytest
from hydra.errors import MissingConfigException
from omegaconf import OmegaConf
from recipes import WORDS, command

from ocr import sweep
from ocr.config import explain
from ocr.launching import SweepFolder
from ocr.run.hardware import check_device
from ocr.run.record import RunRecord

CELL = ["model=crnn", *WORDS, "seq.hidden=16"]


def begin(folder: Path, *overrides: str) -> Path:
    config = OmegaConf.create({"hydra": {"overrides": {"task": list(overrides)}, "sweep": {"dir": str(folder)}}})
    SweepFolder().on_multirun_start(config)
    return Path(os.environ[sweep.SWEEP])


@pytest.fixture
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sweep.SWEEP, "replaced")


def finish(folder: Path, status: str = "finished") -> None:
    folder.mkdir()
    record = RunRecord(folder.name, "recognition", "None-VGG-BiLSTM-CTC", "0" * 12, 1, "word_accuracy")
    record.begin(folder, 0)
    record.end(folder, status, 6, 1.0, (6, 1.0))  # type: ignore[arg-type]


@pytest.mark.usefixtures("_restored")
def test_jobs_leave_word_for_whoever_started_them(tmp_path: Path) -> None:
    folder = begin(tmp_path / "sweeps", "seed=1,2", "pred=ctc")
    for name in ("one", "two", "killed"):
        sweep.note(tmp_path / name, [f"name={name}"])
    finish(tmp_path / "one")
    finish(tmp_path / "killed", "running")
    sweep.failed(tmp_path / "two", "it would not")
    assert [
        (run.folder.name, run.overrides, run.error) for run in sorted(sweep.noted(), key=lambda r: r.folder.name)
    ] == [
        ("killed", ["name=killed"], None),
        ("one", ["name=one"], None),
        ("two", ["name=two"], "it would not"),
    ]
    assert sweep.failures() == "2 of 3 runs failed"
    assert sweep.sweep_name() == folder.name
    # the same command again is the same sweep, and begins with no notes; another one is another
    assert begin(tmp_path / "sweeps", "seed=1,2", "pred=ctc") == folder
    assert sweep.noted() == []
    assert sweep.failures(least=1) is None
    assert begin(tmp_path / "sweeps", "seed=1,3", "pred=ctc") != folder


def test_outside_a_sweep_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sweep.SWEEP, raising=False)
    sweep.note(tmp_path / "run", [])
    sweep.failed(tmp_path / "run", "it would not")
    assert sweep.noted() == []
    assert sweep.sweep_name() is None
    assert not list(tmp_path.iterdir())


def test_a_launcher_that_is_not_installed_is_one_line() -> None:
    error = MissingConfigException("Could not find it", "hydra/launcher/submitit_slurm")
    assert explain(error, ["hydra/launcher=slurm"]) == (
        "hydra/launcher=submitit_slurm is not installed; it comes with pip install 'ocr[sweeps]'"
    )


def test_several_processes_in_a_sweep_need_a_slurm_task_each(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = {"accelerator": "cpu", "strategy": "ddp", "devices": 2, "sync_batchnorm": "auto"}
    for name in ("SUBMITIT_EXECUTOR", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE"):
        monkeypatch.delenv(name, raising=False)
    check_device(trainer, in_sweep=False)
    with pytest.raises(ValueError, match="trainer=ddp inside a sweep: every process would compose its own job"):
        check_device(trainer, in_sweep=True)
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_NTASKS", "1")
    with pytest.raises(ValueError, match="trainer=ddp inside a sweep"):
        check_device(trainer, in_sweep=True)
    monkeypatch.setenv("SLURM_NTASKS", "2")
    check_device(trainer, in_sweep=True)


@pytest.mark.slow
def test_runs_of_a_sweep_at_once_on_this_machine(tiny_root: Path, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    cells = ["length.val_every=3,4", "loader.workers=1", "hydra/launcher=local"]
    status, output, errors = command("-m", *CELL, *cells, f"root={tiny_root}", f"runs={tmp_path}")
    assert status == 1, output + errors
    assert errors.strip().splitlines()[-1] == "error: 1 of 2 runs failed"
    assert "2 runs" in output
    assert "is no multiple of length.val_every=4" in output
    assert [RunRecord.read(path.parent).status for path in tmp_path.glob("*/run.json")] == ["finished"]  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_search_goes_on_where_it_ended(tiny_root: Path, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    space = ["hydra/sweeper=search", "optim.lr=tag(log,interval(1e-5,1e-2))", "loader.workers=0"]
    cell = [word for word in CELL if not word.startswith("optim.lr")]
    for trials in (2, 1):
        more = [f"hydra.sweeper.n_trials={trials}", f"root={tiny_root}", f"runs={tmp_path}"]
        status, output, errors = command("-m", *cell, *space, *more)
        assert status == 0, output + errors
    with sqlite3.connect(tmp_path / ".sweep" / "search.sqlite") as study:
        assert study.execute("select state from trials").fetchall() == [("COMPLETE",)] * 3
    assert len(list(tmp_path.glob("None-*/run.json"))) == 3
