"""Moments at which a training process kills itself with SIGKILL, which no handler sees: for :mod:`kills`."""

from __future__ import annotations

import io
import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ocr.run import checkpoint
from ocr.run.logging import METRICS, Journal
from ocr.run.saving import Checkpoints

Arm = Callable[[int, random.Random], str]
VAL_EVERY = 4
"""Steps between validations of the runs that are killed."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(seconds: float) -> None:
    timer = threading.Timer(seconds, die)
    timer.daemon = True
    timer.start()


def training(step: int, chance: random.Random) -> str:
    """Some time into a step, wherever the process is by then; at once before the first validation, which must still be to come."""
    seconds = chance.uniform(0, 0.15) if step >= VAL_EVERY else 0.0

    def on_train_batch_start(self: Checkpoints, trainer: Any, *rest: Any) -> None:
        if trainer.global_step >= step:
            die_after(seconds)

    setattr(Checkpoints, "on_train_batch_start", on_train_batch_start)  # noqa: B010  mypy refuses the plain form
    return f"{1000 * seconds:.0f} ms into step"


def validating(step: int, chance: random.Random) -> str:
    """As validation begins, between its batches, or when its scores are known and nothing is saved."""
    hook = chance.choice(["on_validation_start", "on_validation_batch_end", "on_validation_epoch_end"])

    def kill(self: Checkpoints, trainer: Any, *rest: Any, **named: Any) -> None:
        if trainer.global_step >= step:
            die()

    setattr(Checkpoints, hook, kill)
    return hook


def writing(step: int, chance: random.Random) -> str:
    """While the file before is put aside, in the midst of the bytes, before the file gets its name, or right behind that."""
    place = chance.choice(["the one before", "bytes", "bytes", "unnamed", "named"])
    share = chance.random()
    save, replace, link = torch.save, Path.replace, checkpoint.link
    armed = False

    def cut_off(content: dict[str, Any], stream: Any) -> None:
        nonlocal armed
        armed = content["global_step"] >= step
        if armed and place == "bytes":
            whole = io.BytesIO()
            save(content, whole)
            stream.write(whole.getvalue()[: int(share * whole.tell())])
            stream.flush()
            die()
        save(content, stream)

    def rename(self: Path, target: Path) -> Path:
        named = armed and Path(target).name == checkpoint.LAST
        if named and place == "unnamed":
            die()
        result = replace(self, target)
        if named and place == "named":
            die()
        return result

    def put_aside(source: Path, target: Path) -> None:
        link(source, target)
        if target.name == checkpoint.PREVIOUS and place == "the one before" and _step(source) + 1 >= step:
            die()

    torch.save, Path.replace, checkpoint.link = cut_off, rename, put_aside  # type: ignore[assignment, method-assign]
    return f"{place} {share:.0%}" if place == "bytes" else place


def _step(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["global_step"])


def publishing(step: int, chance: random.Random) -> str:
    """Before a best checkpoint gets its second name, between the two steps of that, or behind them."""
    place = chance.choice(["before", "between", "behind"])
    publish, link = checkpoint.link, os.link

    def kill(source: Path, target: Path) -> None:
        if target.name != checkpoint.BEST or _step(source) < step:
            publish(source, target)
            return
        if place == "before":
            die()
        if place == "between":
            os.link = lambda *names: (link(*names), die())  # type: ignore[assignment, misc, return-value]
        publish(source, target)
        die()

    checkpoint.link = kill
    return place


def starting(step: int, chance: random.Random) -> str:
    """While a resumed run cuts its rows back, or some time later."""
    place, seconds = chance.choice(["uncut", "cut", "later"]), chance.uniform(0, 0.3)
    cut_back, replace = Journal.cut_back, Path.replace

    def rename(self: Path, target: Path) -> Path:
        if place == "uncut" and target.name == METRICS:
            die()
        result = replace(self, target)
        if place == "cut" and target.name == METRICS:
            die()
        return result

    def kill(self: Journal, *rest: Any) -> None:
        if place != "later":
            Path.replace = rename  # type: ignore[assignment, method-assign]
        cut_back(self, *rest)
        die_after(seconds)

    Journal.cut_back = kill  # type: ignore[assignment, method-assign]
    return f"{1000 * seconds:.0f} ms behind the cut" if place == "later" else place


MOMENTS: dict[str, Arm] = {
    "training": training,
    "validating": validating,
    "writing": writing,
    "publishing": publishing,
    "starting": starting,
}
"""Each prepares this process to kill itself at such a moment from a step on, and says where exactly."""
