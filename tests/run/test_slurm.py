"""Sweeps over SLURM jobs: `make slurm-box` sets SLURM up on one machine, `make test-slurm` runs these."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from recipes import WORDS, assert_same_run, command, record, start

pytest.importorskip("hydra_plugins.hydra_submitit_launcher")

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        shutil.which("sinfo") is None
        or subprocess.run(["sinfo", "-h"], capture_output=True, check=False).returncode != 0,
        reason="there is no SLURM here: make slurm-box",
    ),
]
STEPS = 80
CELL = [
    "model=crnn",
    *(word for word in WORDS if not word.startswith("length.")),
    "seq.hidden=16",
    f"length.max_steps={STEPS}",
    f"length.val_every={STEPS // 2}",
    "length.save_every=1",
    "length.log_every=1",
    "loader.workers=0",
]
SMALL_JOBS = ["hydra/launcher=slurm", "hydra.launcher.mem_gb=2", "hydra.launcher.cpus_per_task=1"]


def rows(folder: Path) -> int:
    path = folder / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


def wait_for(happened: Callable[[], bool], alive: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 900
    while not happened():
        assert alive(), f"the sweep ended before {what}"
        assert time.monotonic() < until, f"no {what}"
        time.sleep(0.2)


def the_run(runs: Path, pattern: str) -> Path:
    found = list(runs.glob(pattern))
    return found[0] if found else runs / "none"


def test_a_preempted_job_of_a_sweep_ends_as_an_undisturbed_run(tiny_root: Path, tmp_path: Path) -> None:
    places = [f"root={tiny_root}", f"runs={tmp_path / 'swept'}"]
    sweep = start("-m", *SMALL_JOBS, *CELL, *places, "pred=ctc,attn", "seed=1,2")
    disturbed = "None-VGG-BiLSTM-CTC-mjsynth-s1-*"
    wait_for(lambda: rows(the_run(tmp_path / "swept", disturbed)) >= 5, lambda: sweep.poll() is None, "five steps")
    queue = subprocess.run(["squeue", "-h", "-r", "-o", "%F %K"], capture_output=True, text=True, check=True).stdout
    (first,) = [job for job, index in map(str.split, queue.splitlines()) if index == "0"]
    # what SLURM sends ahead of a preemption and of the time limit
    subprocess.run(["scancel", "--signal=USR2", "--full", f"{first}_0"], check=True)
    output, errors = sweep.communicate(timeout=1500)
    assert sweep.returncode == 0, output + errors
    assert "4 runs" in output
    folders = sorted((tmp_path / "swept").glob("None-*"))
    assert [record(folder).status for folder in folders] == ["finished"] * 4
    swept = the_run(tmp_path / "swept", disturbed)
    one, two = record(swept).attempts
    assert one["status"] == "interrupted"
    assert 0 < two["from_step"] < STEPS
    alone = command(*CELL, f"root={tiny_root}", f"runs={tmp_path / 'alone'}", "pred=ctc", "seed=1")
    assert alone[0] == 0, alone
    assert_same_run(swept, the_run(tmp_path / "alone", disturbed))


def test_a_failed_job_is_a_failed_sweep(tiny_root: Path, tmp_path: Path) -> None:
    places = [f"root={tiny_root}", f"runs={tmp_path}"]
    # the second value composes and is refused by the job
    status, output, errors = command("-m", *SMALL_JOBS, *CELL, *places, "length.val_every=40,33")
    assert status == 1, output + errors
    assert "error: 1 of 2 runs failed" in errors
    assert "is no multiple of length.val_every=33" in output


def test_every_process_of_a_run_is_a_task_of_its_job(tiny_root: Path, tmp_path: Path) -> None:
    places = [f"root={tiny_root}", f"runs={tmp_path}"]
    tasks = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "hydra.launcher.tasks_per_node=2"]
    status, output, errors = command("-m", *SMALL_JOBS, *CELL, *places, *tasks)
    assert status == 0, output + errors
    (folder,) = tmp_path.glob("None-*")
    assert record(folder).device.startswith("2 x ")
    assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["step"] == STEPS
