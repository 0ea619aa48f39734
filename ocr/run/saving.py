"""When a run saves and stops: on a timer, behind every validation, and when a signal asks for it."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins import TorchCheckpointIO
from rich.console import Console

from ocr.run import checkpoint
from ocr.run.alarms.not_finite import weights_are_finite
from ocr.run.checksum import damage
from ocr.run.logging import Journal
from ocr.run.signals import Signals

MOST_CHECKPOINTS = 4
"""Files of which a run directory never holds more: the last checkpoint, the one before, the best, and one that is being written."""
_VALIDATION = "epoch_loop.val_loop.batch_progress"


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
    """Keeps ``last.ckpt`` (exact resume), ``previous.ckpt`` (the save before it) and ``best.ckpt`` (highest validation score).

    On the timer a step at which validation is due is saved only behind it: a run killed during validation goes on from the save before
    and repeats the validation, so nothing differs from an undisturbed run.  A signal is answered within one step or one batch of
    validation, and at once while the loader is waited for (by one process; several have to agree, at the end of a step).  What is saved
    during a validation says so, and a resumed run begins by validating.

    Args:
        folder: the run directory.
        select: validation score that chooses the best checkpoint; higher is better.
        save_every, val_every: steps.
        origin: plain containers put into every checkpoint: the run's model, settings and data.
        journal: whose rows are on the disk before a checkpoint that promises them.
        console: for what has to be said.
    """

    def __init__(
        self,
        folder: Path,
        select: str,
        save_every: int,
        val_every: int,
        origin: dict[str, Any],
        journal: Journal,
        console: Console,
    ) -> None:
        self.last, self.best = folder / checkpoint.LAST, folder / checkpoint.BEST
        self.previous = folder / checkpoint.PREVIOUS
        self.monitor = f"val/{select}"
        self.save_every = save_every
        self.val_every = val_every
        self.origin = origin
        self.journal = journal
        self.console = console
        self.best_score = -math.inf
        self.best_step = -1
        self.validation_due = False
        self.seconds = 0.0
        """Time spent on saving, in all."""
        self.signals = Signals(self._answer_at_once)
        self._waiting: pl.Trainer | None = None
        self._room_checked = False

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say in the checkpoint which run and which data it comes from, and whether its step has yet to be validated."""
        checkpoint["origin"] = self.origin
        if self.validation_due:
            # how Lightning knows, when it resumes, a validation that was cut off in its first batch: it runs the whole again
            for count in ("total", "current"):
                progress = checkpoint["loops"]["fit_loop"][_VALIDATION][count]
                progress.update(ready=1, started=1, processed=0, completed=0)

    def state_dict(self) -> dict[str, Any]:
        """Best score and its step, and whether this step has yet to be validated."""
        return {"best_score": self.best_score, "best_step": self.best_step, "validation_due": self.validation_due}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them."""
        self.best_score, self.best_step = state_dict["best_score"], state_dict["best_step"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Mend a best.ckpt that a kill kept from being published, or give up a damaged one; listen to signals."""
        if self.best_step == trainer.global_step and self.last.exists() and trainer.is_global_zero:
            checkpoint.link(self.last, self.best)
        elif self.best_step >= 0:
            self._check_best()
        self.signals.listen()

    def _check_best(self) -> None:
        wrong = damage(self.best) if self.best.is_file() else "it is missing"
        if wrong is not None:
            self.console.print(
                f"{self.best} is damaged ({wrong}): the best one of the validations to come takes its place",
                style="yellow",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
            self.best_score, self.best_step = -math.inf, -1

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """The loader has delivered."""
        self._waiting = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save on the timer, and when asked to."""
        if trainer.global_step % self.val_every == 0:
            return
        on_timer = trainer.global_step % self.save_every == 0
        if on_timer:
            self._save(trainer)
        self._answer(trainer, saved=on_timer)
        self._waiting = trainer if trainer.world_size == 1 else None

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Save in the middle of a validation when asked to; several processes, whose batches differ in number, wait for its end."""
        if trainer.world_size == 1 and self.signals.any:
            self.validation_due = True
            self._answer(trainer, saved=False)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save behind every validation, and publish a new best."""
        step, score = trainer.global_step, float(trainer.callback_metrics[self.monitor])
        self.validation_due = False
        better = score > self.best_score or self.best_step < 0
        if better:
            self.best_score, self.best_step = score, step
        self._save(trainer)
        if better and trainer.is_global_zero:
            checkpoint.link(self.last, self.best)
        if step < trainer.max_steps - 1:
            self._answer(trainer, saved=True)
            self._waiting = trainer if trainer.world_size == 1 else None

    def _save(self, trainer: pl.Trainer) -> None:
        began = time.perf_counter()
        if not weights_are_finite(trainer.lightning_module):
            raise FloatingPointError(
                f"the weights at step {trainer.global_step} are not finite: lower the learning rate"
            )
        self.journal.sync()
        if trainer.is_global_zero and self.last.exists():
            checkpoint.link(self.last, self.previous)
        trainer.save_checkpoint(self.last, weights_only=False)
        self.seconds += time.perf_counter() - began
        if not self._room_checked and trainer.is_global_zero:
            self._check_room()

    def _check_room(self) -> None:
        """Say once when the disk cannot take what the run will come to keep."""
        self._room_checked = True
        size, free = self.last.stat().st_size, shutil.disk_usage(self.last.parent).free
        if free < (MOST_CHECKPOINTS - 1) * size:
            self.console.print(
                f"{free / 1e6:.0f} MB are free for {self.last.parent}, which comes to hold up to {MOST_CHECKPOINTS} "
                f"checkpoints of {size / 1e6:.0f} MB: make room",
                style="yellow",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

    def _answer_at_once(self) -> None:
        if self._waiting is not None:
            self._answer(self._waiting, saved=False)

    def _answer(self, trainer: pl.Trainer, saved: bool) -> None:
        """Do what signals have asked for; several processes decide together, for a signal reaches each of them at another step."""
        if not _agreed(trainer, self.signals.any):
            return
        if not saved:
            self._save(trainer)
        self.signals.saved()
        if _agreed(trainer, self.signals.stop is not None):
            raise Interrupted(trainer.global_step, self.last)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the signals back, before Lightning does likewise: what stood there was its own handler, which holds the whole run."""
        self.signals.give_back()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """As at the end."""
        self.signals.give_back()

    def finish(self) -> None:
        """A finished run needs nothing to fall back on."""
        self.previous.unlink(missing_ok=True)


def _agreed(trainer: pl.Trainer, own: bool) -> bool:
    return trainer.strategy.reduce_boolean_decision(own, all=False) if trainer.world_size > 1 else own
