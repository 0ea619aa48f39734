"""Several processes: the same samples, losses, weights, labels and scores as one process with the whole batch; none is lost unnoticed."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from recipes import assert_same_run, overrides, record, run, start
from test_resume import interrupt_at, wait_for_rows
from together import Frozen, Keys, together, train_together, with_callbacks

from ocr.gathering import gathered, in_turn, share_buffers, share_of_mean
from ocr.run import checkpoint, ranks
from ocr.run.hardware import synchronise_norms
from ocr.run.logging import read_rows
from ocr.run.ranks import Watch, lost_contact, lost_line
from ocr.run.record import leads

BOUND = 1e-6
EXACT = ["optim=adadelta", "optim.lr=0.3", "trainer.precision=32-true"]
"""bfloat16 rounds the parts of a batch by more than the bound, and Adam divides the rounding of tiny gradients by their size."""
LONGER = [*EXACT, "length.max_steps=20", "length.val_every=10", "length.save_every=100"]
EQUAL = {
    "attention": ["trans=none", "data=mjsynth+synthtext", "loader.exact_quotas=true", "test=rendered_words_v1"],
    "craft-weak": ["split=equal", "test=icdar2015"],
}
"""Without what rounding can tip over: samples on the border between two pixels (TPS), the splits of a teacher that knows nothing."""


def farthest(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference between numbers of the same names: of numbers above 1 relative to them, as float32 rounds."""
    assert one.keys() == other.keys()
    tensors = [(one[k], other[k]) for k in one if isinstance(one[k], torch.Tensor)]
    values = [abs(one[k] - other[k]) / max(1, abs(one[k])) for k in one if isinstance(one[k], int | float)]
    distances = [
        ((a.double() - b.double()).abs() / a.double().abs().clamp(min=1)).max() for a, b in tensors if a.numel()
    ]
    return max([*values, *map(float, distances)])


def keys(folder: Path, rank: int) -> list[list[str]]:
    return [line.split() for line in (folder / f"keys-{rank}").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", EQUAL)
def test_two_processes_compute_what_one_does(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    """The order of samples, losses and weights over 20 steps, labels, validation and evaluation; batch normalisation frozen."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, batch, devices in ((one, 4, 1), (two, 2, 2)):
        folder.mkdir()
        more = [*LONGER, *EQUAL[recipe], f"loader.batch_size={batch}"]
        with monkeypatch.context() as patch:
            with_callbacks(patch, Frozen(), Keys(folder))
            train_together(tiny_root, folder, recipe, *more, world=devices)
    assert keys(one, 0) == [a + b for a, b in zip(keys(two, 0), keys(two, 1), strict=True)]
    rows = [read_rows(folder / "run/metrics.jsonl") for folder in (one, two)]
    assert [r["step"] for r in rows[0]] == [r["step"] for r in rows[1]]
    assert max(farthest(a, b) for a, b in zip(*rows, strict=True)) < BOUND
    last = [checkpoint.read(folder / "run/last.ckpt") for folder in (one, two)]
    assert farthest(*(content["state_dict"] for content in last)) < BOUND
    if recipe == "craft-weak":
        assert any(row.get("weak/words") for row in rows[0])
        labels = [content["labels"]["cache"][0] for content in last]
        assert sorted(zip(labels[0]["keys"], labels[0]["made"], strict=True)) == sorted(
            zip(labels[1]["keys"], labels[1]["made"], strict=True)
        )
        assert len(labels[0]["words"]) == len(labels[1]["words"]) > 0
    scores = [record(folder / "run").scores for folder in (one, two)]
    assert [(s["set"], s["metric"], s["n"]) for s in scores[0]] == [(s["set"], s["metric"], s["n"]) for s in scores[1]]
    assert farthest(*({str(i): s["value"] for i, s in enumerate(part)} for part in scores)) < BOUND
    first = checkpoint.read(one / "run/best.ckpt")["global_step"]
    assert first == checkpoint.read(two / "run/best.ckpt")["global_step"]


@pytest.mark.slow
def test_each_process_normalises_its_own_part_and_the_first_ones_statistics_are_kept(
    tiny_root: Path, tmp_path: Path
) -> None:
    short = [*EXACT, "length.max_steps=1", "length.val_every=1", "loader.batch_size=4", "data=mjsynth"]
    run(tiny_root, tmp_path / "alone", "crnn", *short)
    train_together(tiny_root, tmp_path / "two", "crnn", *short)
    states = [checkpoint.read(tmp_path / name / "run/last.ckpt")["state_dict"] for name in ("alone", "two")]
    statistics = [{k: v for k, v in state.items() if "running_" in k} for state in states]
    assert statistics[0]
    assert farthest(*statistics) < BOUND
    assert farthest(*states) > 1e-4, "the second process took no part"


@pytest.mark.slow
def test_an_interrupted_run_of_two_processes_continues_to_the_bit(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels and their quality, too, which both processes go on with; a teacher reads as often as it would for one process."""
    exact = ["trainer.precision=32-true", "module.whole_share=0", "encoder.probes=0"]
    train_together(tiny_root, tmp_path / "whole", "craft-weak", *exact)
    train_together(tiny_root, tmp_path / "alone", "craft-weak", *exact, "loader.batch_size=4", world=1)
    rows = [read_rows(tmp_path / name / "run/metrics.jsonl") for name in ("whole", "alone")]
    counts = [[(r["weak/words"], r["weak/read"]) for r in part if "weak/read" in r] for part in rows]
    assert counts[0] == counts[1]
    assert sum(words for words, _ in counts[0]) > sum(read for _, read in counts[0]) > 0, "no label was used again"
    with monkeypatch.context() as patch:
        interrupt_at(4, patch)
        with pytest.raises(AssertionError):
            train_together(tiny_root, tmp_path / "broken", "craft-weak", *exact)
    assert (record(tmp_path / "broken/run").status, record(tmp_path / "broken/run").steps) == ("interrupted", 4)
    train_together(tiny_root, tmp_path / "broken", "craft-weak", *exact)
    assert_same_run(tmp_path / "whole/run", tmp_path / "broken/run")


def others(process: subprocess.Popen[str]) -> list[int]:
    """The processes that a process has started."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@pytest.mark.slow
def test_a_killed_process_ends_the_run_with_one_line(tiny_root: Path, tmp_path: Path) -> None:
    endless = ["length.max_steps=30000", "length.val_every=30000", "length.save_every=1"]
    two = ["trainer=ddp", "trainer.accelerator=cpu"]
    process = start(*overrides(tiny_root, tmp_path, "crnn", *endless, *two))
    try:
        wait_for_rows(tmp_path / "run", 2, process)
        (other,) = others(process)
        os.kill(other, signal.SIGKILL)
        output, errors = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == 1, output + errors
    line = rf"error: process 2 of 2 \(pid {other}\) was killed by SIGKILL, as the system does when memory runs out; "
    assert re.match(line, errors.splitlines()[-1]), errors
    assert errors.endswith("last.ckpt is from before it: repeat the command\n")
    assert "Traceback" not in errors
    assert record(tmp_path / "run").status == "failed"
    assert "was killed by SIGKILL" in str(record(tmp_path / "run").error)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks.distributed, "is_initialized", lambda: True)


def trainer_of(commands: list[str]) -> Any:
    """A trainer whose launcher starts these commands when it is told to."""
    launcher = SimpleNamespace(procs=[])

    def launch() -> None:
        launcher.procs = [subprocess.Popen([sys.executable, "-c", command]) for command in commands]

    strategy = SimpleNamespace(launcher=launcher, launch=launch)
    return SimpleNamespace(strategy=strategy, num_devices=len(commands) + 1)


def lose_contact(watch: Watch) -> None:
    with watch:
        watch.trainer.strategy.launch()
        while not watch.others:
            time.sleep(0.01)
        for other in watch.others[1:]:
            other.wait(120)
        raise RuntimeError("gloo: Connection closed by peer")


@pytest.mark.usefixtures("connected")
def test_a_lost_process_is_named_and_the_others_are_ended(tmp_path: Path) -> None:
    sleep = "import time; time.sleep(600)"
    trainer = trainer_of([sleep, "raise SystemExit(75)", "raise SystemExit(3)"])
    told: list[str] = []
    watch = Watch(trainer, tmp_path, told.append)
    with pytest.raises(
        ValueError, match=r"^process 4 of 4 \(pid \d+\) ended with status 3, see its message above; not"
    ):
        lose_contact(watch)
    assert watch.others[0].wait(60) == -signal.SIGKILL
    assert not told
    assert not trainer.strategy.launcher.procs, "Lightning's watcher would kill this process without a word"


@pytest.mark.usefixtures("connected")
def test_errors_of_ones_own_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError), Watch(trainer_of([]), tmp_path, print):
        raise FloatingPointError("the loss is nan")
    assert lost_contact(
        RuntimeError("[gloo/transport/tcp/pair.cc:525] Read error [127.0.0.1]: Connection reset by peer")
    )
    assert not lost_contact(RuntimeError("size mismatch"))
    (tmp_path / "last.ckpt").touch()
    assert lost_line(tmp_path).endswith(f"{tmp_path}/last.ckpt is from before it: repeat the command")


def test_a_process_that_hears_of_no_loss_is_ended_by_its_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As one that waits in a collective, which no exception reaches."""
    told: list[Any] = []
    ended = threading.Event()

    def end(status: int) -> None:
        told.append(status)
        ended.set()
        raise SystemExit  # of the watching thread

    monkeypatch.setattr(ranks, "GRACE", 0.1)
    monkeypatch.setattr(os, "_exit", end)
    trainer = trainer_of(["import os; os.kill(os.getpid(), 15)"])
    with Watch(trainer, tmp_path, told.append):
        trainer.strategy.launch()
        assert ended.wait(120)
    assert told[1:] == [1]
    assert re.match(r"process 2 of 2 \(pid \d+\) was killed by SIGTERM; nothing was saved yet", told[0])
    assert capsys.readouterr().err == f"error: {told[0]}\n"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"RANK": "4", "LOCAL_RANK": "0"}, False),
        ({"SLURM_NTASKS": "2", "SLURM_PROCID": "1"}, False),
        ({"SLURM_NTASKS": "2", "SLURM_PROCID": "0"}, True),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "1"}, True),
    ],
)
def test_one_process_leads(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: bool) -> None:
    for name in ("RANK", "LOCAL_RANK", "SLURM_NTASKS", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert leads() is expected


def test_batch_normalisation_is_synchronised_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: dict[str, Any] = {"accelerator": "auto"}
    for gpu in (False, True):
        monkeypatch.setattr("torch.cuda.is_available", lambda gpu=gpu: gpu)
        assert synchronise_norms(chosen) is gpu
        assert synchronise_norms(chosen | {"accelerator": "cpu"}) is False
        assert synchronise_norms(chosen | {"sync_batchnorm": False}) is False
    assert synchronise_norms(chosen | {"sync_batchnorm": True})
    with pytest.raises(ValueError, match="on GPUs only"):
        synchronise_norms({"accelerator": "cpu", "sync_batchnorm": True})
    with pytest.raises(ValueError, match="give auto, true or false"):
        synchronise_norms(chosen | {"sync_batchnorm": "yes"})


def test_values_of_processes_come_in_their_order(tmp_path: Path) -> None:
    def work(rank: int) -> None:
        torch.distributed.init_process_group("gloo", rank=rank, world_size=3)
        batches = {0: [[0, 1], [6]], 1: [[2, 3]], 2: [[4, 5]]}[rank]
        share = float(share_of_mean([1, 2, 3][rank], torch.device("cpu")))
        norm = torch.nn.BatchNorm2d(2)
        norm(torch.full((1, 2, 1, 2), 10.0 + rank))
        share_buffers(norm)
        told = [gathered(rank), in_turn(batches), share, norm.running_mean.tolist()]
        (tmp_path / str(rank)).write_text(json.dumps(told))

    together(work, 3)
    told = [json.loads((tmp_path / str(rank)).read_text()) for rank in range(3)]
    assert [t[:2] for t in told] == [[[0, 1, 2], [0, 1, 2, 3, 4, 5, 6]]] * 3
    assert [t[2] for t in told] == pytest.approx([0.5, 1, 1.5])
    assert [t[3] for t in told] == [[1.0, 1.0]] * 3
    assert (gathered("alone"), in_turn([[1], [2, 3]])) == (["alone"], [1, 2, 3])
