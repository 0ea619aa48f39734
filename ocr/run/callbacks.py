"""Five small callbacks: reproducible steps, skipped samples, rows, progress, checkpoints.  They run in this order."""

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
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ocr.run import checkpoint
from ocr.run.logging import Journal
from ocr.run.record import peak_memory_mb
from ocr.seeding import derived_seed

FEW_SKIPPED = 10
SKIPPED_SHARE = 0.01


class Interrupted(Exception):
    """Training was asked to stop and has saved; ``step`` is where it will go on."""

    def __init__(self, step: int, path: Path) -> None:
        super().__init__(f"interrupted: step {step} is saved in {path}; repeat the command to go on")
        self.step = step


class ReproducibleSteps(pl.Callback):
    """Reseeds torch at every step, so that a resumed run draws what an undisturbed one draws."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed by (seed, step)."""
        torch.manual_seed(derived_seed(self.seed, "step", trainer.global_step))


class SkippedSamples(pl.Callback):
    """Counts and names samples whose picture cannot be decoded; more than 10 and more than 1 % of those drawn stop the run."""

    def __init__(self, batch_size: int, console: Console) -> None:
        self.batch_size = batch_size
        self.console = console
        self.keys: set[str] = set()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Look at what the loader had to skip for this batch."""
        new = [key for key in batch.skipped if key not in self.keys]
        if not new:
            return
        self.keys.update(new)
        self.console.print(f"skipped {len(self.keys)} undecodable so far: {', '.join(new[:5])}", style="yellow")
        drawn = (trainer.global_step + 1) * self.batch_size
        if len(self.keys) > FEW_SKIPPED and len(self.keys) > SKIPPED_SHARE * drawn:
            raise ValueError(
                f"{len(self.keys)} of {drawn} drawn samples cannot be decoded (the last: {new[-1]}): "
                "check the sets with `python -m data_prep verify DIR`"
            )

    def state_dict(self) -> dict[str, Any]:
        """The keys seen so far."""
        return {"keys": sorted(self.keys)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.keys = set(state_dict["keys"])


class Rows(pl.Callback):
    """Writes what the module logs to the journal, and speed, waiting and memory beside it."""

    def __init__(self, journal: Journal, batch_size: int, every: int) -> None:
        self.journal = journal
        self.batch_size = batch_size
        self.every = every
        self.samples_per_second = 0.0
        self._steps = 0
        self._since = self._ended = 0.0
        self._waited = 0.0
        self._trained = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._since = self._ended = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """What passed since the last step was waiting for data."""
        now = time.perf_counter()
        self._waited += now - self._ended
        self._ended = now

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A row every ``every`` steps."""
        now = time.perf_counter()
        self._trained += now - self._ended
        self._ended = now
        self._steps += 1
        if trainer.global_step % self.every == 0:
            self._write(trainer)

    def _write(self, trainer: pl.Trainer) -> None:
        step = trainer.global_step
        values = {k: float(v) for k, v in trainer.callback_metrics.items() if not k.startswith("val/")}
        values["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        self.journal.metrics(step, **values)
        busy = self._trained + self._waited
        speed = self._steps * self.batch_size * trainer.world_size / busy
        self.samples_per_second = speed
        gpu = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else 0.0
        self.journal.timing(
            step,
            samples_per_second=round(speed, 2),
            data_wait=round(self._waited / busy, 4),
            peak_memory_mb=round(peak_memory_mb(), 1),
            **({"peak_gpu_memory_mb": round(gpu, 1)} if gpu else {}),
        )
        self._steps, self._trained, self._waited = 0, 0.0, 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validation is not training time."""
        self._validation_began = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A row of validation scores."""
        now = time.perf_counter()
        self._ended += now - self._validation_began
        values = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")}
        self.journal.metrics(trainer.global_step, **values)
        self.journal.timing(trainer.global_step, validation_seconds=round(now - self._validation_began, 2))


class ProgressLine(pl.Callback):
    """A progress bar with speed and remaining time; on a pipe or in a log file a line every few seconds instead."""

    def __init__(
        self, name: str, max_steps: int, batch_size: int, console: Console, shown: bool, seconds: float = 10.0
    ) -> None:
        self.name = name
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.console = console
        self.shown = shown
        self.seconds = seconds
        self.bar: Progress | None = None
        self._began = self._last = 0.0
        self._first = self._last_step = 0
        self._score = ""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar at the present step."""
        self._began = self._last = time.perf_counter()
        self._first = self._last_step = trainer.global_step
        if self.shown and self.console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.bar.start()
            self._task = self.bar.add_task(self.name, total=self.max_steps, completed=trainer.global_step, note="")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar, or print a line when it is time."""
        now, step = time.perf_counter(), trainer.global_step
        if not self.shown or (now - self._last < (0.5 if self.bar else self.seconds) and step < self.max_steps):
            return
        speed = (step - self._last_step) * self.batch_size / max(now - self._last, 1e-9)
        loss = trainer.callback_metrics.get("train/loss")
        note = f"{speed:.1f} samples/s" + (f"  loss {float(loss):.4f}" if loss is not None else "") + self._score
        if self.bar:
            self.bar.update(self._task, completed=step, note=note)
        else:
            left = (self.max_steps - step) * (now - self._began) / max(step - self._first, 1)
            clock = f"{int(left) // 60}:{int(left) % 60:02d}"
            self.console.print(f"{self.name}  step {step}/{self.max_steps}  {note}  {clock} left", highlight=False)
        self._last, self._last_step = now, step

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the validation scores."""
        values = {k.removeprefix("val/"): float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")}
        text = "  ".join(f"{k} {v:.4g}" for k, v in values.items())
        if self.shown:
            self.console.print(f"{self.name}  step {trainer.global_step}  validation: {text}", highlight=False)
        self._last, self._last_step = time.perf_counter(), trainer.global_step

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Close the bar before the message is printed."""
        self._close()

    def _close(self) -> None:
        if self.bar:
            self.bar.stop()
            self.bar = None


class Checkpoints(pl.Callback):
    """Keeps ``last.ckpt`` (exact resume) and ``best.ckpt`` (highest validation score); saves and stops on Ctrl-C and SIGTERM.

    ``origin`` goes into every checkpoint: the run's model, settings and data.

    A step at which validation is due is saved only behind it: a run killed during validation goes on from the save before and
    repeats the validation, so nothing differs from an undisturbed run.
    """

    def __init__(self, folder: Path, select: str, save_every: int, val_every: int, origin: dict[str, Any]) -> None:
        self.folder = folder
        self.origin = origin
        self.monitor = f"val/{select}"
        self.save_every = save_every
        self.val_every = val_every
        self.best_score = -math.inf
        self.best_step = -1
        self._stop: int | None = None
        self._handlers: dict[int, Any] = {}

    @property
    def last(self) -> Path:
        """The checkpoint that a repeated command resumes."""
        return self.folder / checkpoint.LAST

    @property
    def best(self) -> Path:
        """The checkpoint with the highest validation score."""
        return self.folder / checkpoint.BEST

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
        print("\nstopping after this step (or this validation) and saving; again to stop at once", file=sys.stderr)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save on the timer, and when asked to stop."""
        step = trainer.global_step
        if step % self.val_every == 0:
            return
        if self._stop is not None or step % self.save_every == 0:
            checkpoint.save(trainer, self.last)
        self._leave_if_asked(step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save behind every validation, and publish a new best."""
        if trainer.sanity_checking:
            return
        step, score = trainer.global_step, float(trainer.callback_metrics[self.monitor])
        better = score > self.best_score
        if better:
            self.best_score, self.best_step = score, step
        checkpoint.save(trainer, self.last)
        if better and trainer.is_global_zero:
            checkpoint.link(self.last, self.best)
        if step < trainer.max_steps:
            self._leave_if_asked(step)

    def _leave_if_asked(self, step: int) -> None:
        if self._stop is not None:
            raise Interrupted(step, self.last)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()
