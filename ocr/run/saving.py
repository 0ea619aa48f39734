"""When a run saves and stops: on a timer, behind every validation, and on Ctrl-C."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins import TorchCheckpointIO

from ocr.run import checkpoint
from ocr.run.record import leads


class Interrupted(Exception):
    """Training was asked to stop and has saved."""

    def __init__(self, step: int, path: Path) -> None:
        super().__init__(f"interrupted: step {step} is saved in {path}; repeat the command to go on")


class WholeFiles(TorchCheckpointIO):
    """Lightning's checkpoint plugin with :func:`ocr.run.checkpoint.write` as its writer."""

    def save_checkpoint(self, checkpoint_content: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint whole or not at all."""
        checkpoint.write(checkpoint_content, Path(path))


class Checkpoints(pl.Callback):
    """Keeps ``last.ckpt`` (exact resume) and ``best.ckpt`` (highest validation score); saves and stops on Ctrl-C and SIGTERM.

    A step at which validation is due is saved only behind it: a run killed during validation goes on from the save before and
    repeats the validation, so nothing differs from an undisturbed run.

    Args:
        folder: the run directory.
        select: validation score that chooses the best checkpoint; higher is better.
        save_every, val_every: steps.
        origin: plain containers put into every checkpoint: the run's model, settings and data.
    """

    def __init__(self, folder: Path, select: str, save_every: int, val_every: int, origin: dict[str, Any]) -> None:
        self.last, self.best = folder / checkpoint.LAST, folder / checkpoint.BEST
        self.monitor = f"val/{select}"
        self.save_every = save_every
        self.val_every = val_every
        self.origin = origin
        self.best_score = -math.inf
        self.best_step = -1
        self.seconds = 0.0
        """Time spent on saving, in all."""
        self._stop: int | None = None
        self._handlers: dict[int, Any] = {}

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say in the checkpoint which run and which data it comes from."""
        checkpoint["origin"] = self.origin

    def state_dict(self) -> dict[str, Any]:
        """Best score and its step."""
        return {"best_score": self.best_score, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them."""
        self.best_score, self.best_step = state_dict["best_score"], state_dict["best_step"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Mend a best.ckpt that a kill kept from being published; listen to signals."""
        if self.best_step == trainer.global_step and self.last.exists() and trainer.is_global_zero:
            checkpoint.link(self.last, self.best)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._stop is not None:
            os._exit(128 + number)
        self._stop = number
        if leads():
            print("\nstopping after this step (or this validation) and saving; again to stop at once", file=sys.stderr)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save on the timer, and when asked to stop."""
        step = trainer.global_step
        if step % self.val_every == 0:
            return
        stop = self._asked_to_stop(trainer)
        if stop or step % self.save_every == 0:
            self._save(trainer)
        if stop:
            raise Interrupted(step, self.last)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save behind every validation, and publish a new best."""
        step, score = trainer.global_step, float(trainer.callback_metrics[self.monitor])
        better = score > self.best_score or self.best_step < 0
        if better:
            self.best_score, self.best_step = score, step
        self._save(trainer)
        if better and trainer.is_global_zero:
            checkpoint.link(self.last, self.best)
        if self._asked_to_stop(trainer) and step < trainer.max_steps:
            raise Interrupted(step, self.last)

    def _save(self, trainer: pl.Trainer) -> None:
        began = time.perf_counter()
        trainer.save_checkpoint(self.last, weights_only=False)
        self.seconds += time.perf_counter() - began

    def _asked_to_stop(self, trainer: pl.Trainer) -> bool:
        """Several processes decide together: a signal reaches each of them at another step."""
        asked = self._stop is not None
        return trainer.strategy.reduce_boolean_decision(asked, all=False) if trainer.world_size > 1 else asked

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
