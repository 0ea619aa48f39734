"""An interrupted run, started again with the same command, is the same run: weights, optimiser, rows and scores to the bit."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recipes import RECIPES, assert_same_run, command, overrides, record, run, start

from ocr.run.logging import read_rows
from ocr.run.saving import Checkpoints


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a Ctrl-C while step ``step`` ends."""
    original: Callable[..., None] = Checkpoints.on_train_batch_end

    def hook(self: Checkpoints, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)
        original(self, trainer, *rest)

    monkeypatch.setattr(Checkpoints, "on_train_batch_end", hook)


@pytest.mark.parametrize(
    ("recipe", "workers", "step"),
    [
        ("crnn", 0, 1),
        ("crnn", 2, 4),
        ("attention", 0, 3),
        ("modern", 0, 4),
        ("craft-strong", 0, 2),
        ("craft-weak", 0, 5),
        ("craft-weak", 2, 3),
    ],
)
def test_an_interrupted_run_continues_to_the_bit(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, workers: int, step: int
) -> None:
    undisturbed = run(tiny_root, tmp_path / "whole", recipe)
    with monkeypatch.context() as patch:
        interrupt_at(step, patch)
        with pytest.raises(KeyboardInterrupt, match=f"step {step} is saved"):
            run(tiny_root, tmp_path / "broken", recipe, f"loader.workers={workers}")
    broken = record(tmp_path / "broken/run")
    assert (broken.status, broken.steps) == ("interrupted", step)
    # the number of workers is free, and may change on the way
    assert run(tiny_root, tmp_path / "broken", recipe, "loader.workers=0") == undisturbed
    assert_same_run(tmp_path / "whole/run", tmp_path / "broken/run")


def test_a_finished_run_returns_at_once_and_another_config_is_refused(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = run(tiny_root, tmp_path, "crnn")
    monkeypatch.setattr("ocr.run.train._Run", None)
    assert run(tiny_root, tmp_path, "crnn") == score
    assert run(tiny_root, tmp_path, "crnn", "loader.workers=2", "progress=true", "logger=wandb") == score
    with pytest.raises(ValueError, match=r"another config \(optim\.lr: 0\.001 there, 0\.5 here\)"):
        run(tiny_root, tmp_path, "crnn", "optim.lr=0.5")


def wait_for_rows(folder: Path, rows: int, process: Any) -> None:
    while process.poll() is None and len(read_rows(folder / "metrics.jsonl")) < rows:
        time.sleep(0.01)


def test_ctrl_c_saves_and_exits_with_130_and_two_processes_do_not_share_a_run(tiny_root: Path, tmp_path: Path) -> None:
    endless = overrides(tiny_root, tmp_path, "crnn", "length.max_steps=30000", "length.val_every=30000")
    process = start(*endless)
    try:
        wait_for_rows(tmp_path / "run", 2, process)
        with pytest.raises(ValueError, match="another process is training in"):
            run(tiny_root, tmp_path, "crnn", "length.max_steps=30000", "length.val_every=30000")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    step = record(tmp_path / "run").steps
    assert process.returncode == 130
    assert f"interrupted: step {step} is saved in {tmp_path}/run/last.ckpt; repeat the command to go on" in errors
    assert "Traceback" not in errors
    assert step >= 2


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("recipe", list(RECIPES))
def test_a_run_killed_at_any_moment_continues_to_the_bit(
    tiny_root: Path, tmp_path: Path, recipe: str, workers: int
) -> None:
    longer = ["length.max_steps=12", "length.val_every=4", "length.save_every=2", f"loader.workers={workers}"]
    run(tiny_root, tmp_path / "whole", recipe, *longer)
    chance = random.Random(f"{recipe} {workers}")
    for rows in sorted(chance.sample(range(15), 3)):
        process = start(*overrides(tiny_root, tmp_path / "broken", recipe, *longer))
        wait_for_rows(tmp_path / "broken/run", rows, process)
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.communicate()
    status, output, errors = command(*overrides(tiny_root, tmp_path / "broken", recipe, *longer))
    assert status == 0, output + errors
    assert_same_run(tmp_path / "whole/run", tmp_path / "broken/run")
    assert {p.name for p in (tmp_path / "broken/run").glob(".*")} == {".lock"}
