"""Signals: SIGTERM saves and stops, SIGUSR1 and SIGUSR2 save and go on, whatever the run is doing; nothing in it changes."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recipes import assert_same_run, record, run

from ocr.data.datamodule import TrainingSamples
from ocr.run import checkpoint
from ocr.run.logging import read_rows
from ocr.run.saving import Checkpoints


def when_training(step: int, number: int, patch: pytest.MonkeyPatch) -> None:
    original = Checkpoints.on_train_batch_end

    def hook(self: Checkpoints, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == step:
            os.kill(os.getpid(), number)
        original(self, trainer, *rest)

    patch.setattr(Checkpoints, "on_train_batch_end", hook)


def when_validating(step: int, number: int, patch: pytest.MonkeyPatch) -> None:
    def hook(self: Checkpoints, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == step:
            os.kill(os.getpid(), number)

    patch.setattr(Checkpoints, "on_validation_start", hook, raising=False)


def when_waiting(step: int, number: int, patch: pytest.MonkeyPatch) -> None:
    original = TrainingSamples.__getitems__
    fetched = 0

    def hook(self: TrainingSamples, draws: Any) -> Any:
        nonlocal fetched
        fetched += 1
        # one batch more than is trained on is fetched ahead
        if fetched == step + 2:
            os.kill(os.getpid(), number)
            assert number in (signal.SIGUSR1, signal.SIGUSR2), "it was not answered at once"
        return original(self, draws)

    patch.setattr(TrainingSamples, "__getitems__", hook)


When = Callable[[int, int, pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    ("when", "step", "number"),
    [
        pytest.param(when_training, 2, signal.SIGTERM, marks=pytest.mark.slow),
        (when_validating, 3, signal.SIGTERM),
        pytest.param(when_validating, 6, signal.SIGTERM, marks=pytest.mark.slow),
        (when_waiting, 4, signal.SIGTERM),
    ],
)
def test_a_signal_saves_and_stops(
    tiny_root: Path,
    tiny_recognizer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: When,
    step: int,
    number: int,
) -> None:
    seldom = ["length.save_every=100"]
    with monkeypatch.context() as patch:
        when(step, number, patch)
        with pytest.raises(KeyboardInterrupt, match=f"step {step} is saved"):
            run(tiny_root, tmp_path, "crnn", *seldom)
    folder = tmp_path / "run"
    assert checkpoint.read(folder / checkpoint.LAST)["global_step"] == step
    assert record(folder).status == "interrupted"
    assert max(row["step"] for row in read_rows(folder / "metrics.jsonl")) == step
    run(tiny_root, tmp_path, "crnn", *seldom)
    assert_same_run(tiny_recognizer.parent, folder)


@pytest.mark.parametrize(
    ("when", "step", "number"),
    [
        pytest.param(when_training, 2, signal.SIGUSR1, marks=pytest.mark.slow),
        (when_validating, 3, signal.SIGUSR2),
        pytest.param(when_waiting, 4, signal.SIGUSR1, marks=pytest.mark.slow),
    ],
)
def test_a_signal_saves_and_goes_on(
    tiny_root: Path,
    tiny_recognizer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: When,
    step: int,
    number: int,
) -> None:
    folder, seen = tmp_path / "run", []

    def requeue(got: int, frame: Any) -> None:
        content = checkpoint.read(folder / checkpoint.LAST)
        seen.append((got, content["global_step"], content["callbacks"]["Checkpoints"]["validation_due"]))

    before = signal.signal(number, requeue)
    try:
        with monkeypatch.context() as patch:
            when(step, number, patch)
            run(tiny_root, tmp_path, "crnn", "length.save_every=100")
        assert signal.getsignal(number) is requeue
    finally:
        signal.signal(number, before)
    assert seen == [(number, step, when is when_validating)]
    assert record(folder).status == "finished"
    assert_same_run(tiny_recognizer.parent, folder)


def test_nothing_of_a_run_is_left_in_the_handlers(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    before = [signal.getsignal(number) for number in asked]
    with monkeypatch.context() as patch:
        when_training(2, signal.SIGTERM, patch)
        with pytest.raises(KeyboardInterrupt):
            run(tiny_root, tmp_path, "crnn")
    assert [signal.getsignal(number) for number in asked] == before
    run(tiny_root, tmp_path, "crnn")
    assert record(tmp_path / "run").status == "finished"
    assert [signal.getsignal(number) for number in asked] == before
