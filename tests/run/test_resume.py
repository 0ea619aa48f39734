"""An interrupted run, started again with the same command, is the same run: weights, optimiser, rows and scores to the bit."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from recipes import RECIPES

from ocr.config import compose_config
from ocr.run import checkpoint
from ocr.run.saving import Checkpoints
from ocr.run.record import RunRecord
from ocr.run.train import train


def run(root: Path, runs: Path, recipe: str, workers: int, *more: str) -> float:
    overrides = [*RECIPES[recipe], f"root={root}", f"runs={runs}", "name=run", f"loader.workers={workers}", *more]
    return train(compose_config(overrides))


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a Ctrl-C while step ``step`` ends."""
    original: Callable[..., None] = Checkpoints.on_train_batch_end

    def hook(self: Checkpoints, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)
        original(self, trainer, *rest)

    monkeypatch.setattr(Checkpoints, "on_train_batch_end", hook)


def assert_same(a: Any, b: Any, where: str = "") -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}/{i}")
    else:
        assert a == b or (a != a and b != b), f"{where}: {a} {b}"


def assert_same_run(one: Path, other: Path) -> None:
    assert (one / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()
    a, b = (checkpoint.read(folder / checkpoint.LAST) for folder in (one, other))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "ocr", "callbacks", "global_step"):
        assert_same(a[part], b[part], part)
    assert_same(*(checkpoint.read(folder / checkpoint.BEST)["state_dict"] for folder in (one, other)), "best")
    first, second = RunRecord.read(one), RunRecord.read(other)
    assert first is not None
    assert second is not None
    assert (first.score, first.best_step) == (second.score, second.best_step)


@pytest.mark.parametrize(
    ("recipe", "workers", "step"),
    [("crnn", 0, 1), ("crnn", 2, 4), ("attention", 0, 3), ("craft-strong", 0, 2), ("craft-weak", 0, 5), ("craft-weak", 2, 3)],
)
def test_an_interrupted_run_continues_to_the_bit(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, workers: int, step: int
) -> None:
    undisturbed = run(tiny_root, tmp_path / "whole", recipe, workers=0)
    with monkeypatch.context() as patch:
        interrupt_at(step, patch)
        with pytest.raises(KeyboardInterrupt, match=f"step {step} is saved"):
            run(tiny_root, tmp_path / "broken", recipe, workers)
    record = RunRecord.read(tmp_path / "broken/run")
    assert record is not None
    assert (record.status, record.steps) == ("interrupted", step)
    assert run(tiny_root, tmp_path / "broken", recipe, workers) == undisturbed
    assert_same_run(tmp_path / "whole/run", tmp_path / "broken/run")


def test_a_finished_run_returns_at_once_and_another_config_is_refused(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = run(tiny_root, tmp_path, "crnn", 0)
    monkeypatch.setattr("ocr.run.train._Run", None)
    assert run(tiny_root, tmp_path, "crnn", 0) == score
    with pytest.raises(ValueError, match=r"another config \(optim\.lr: 0\.001 there, 0\.5 here\)"):
        run(tiny_root, tmp_path, "crnn", 0, "optim.lr=0.5")
