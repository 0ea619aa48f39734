"""How far a run is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_SECONDS = 10.0
BAR_SECONDS = 0.5


class ProgressLine(pl.Callback):
    """A progress bar with speed, loss and remaining time; on a pipe or in a log file a line every ten seconds instead.

    Args:
        name: of the run, in front of every line.
        max_steps: where the bar ends.
        batch_size: samples per step and process.
        console: where it is printed.
    """

    def __init__(self, name: str, max_steps: int, batch_size: int, console: Console) -> None:
        self.name = name
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.console = console
        self.bar: Progress | None = None
        self._began = self._last = 0.0
        self._first = self._last_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar at the present step."""
        self._began = self._last = time.perf_counter()
        self._first = self._last_step = trainer.global_step
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                TextColumn("elapsed"),
                TimeRemainingColumn(),
                TextColumn("left"),
                console=self.console,
                transient=True,
            )
            self.bar.start()
            self._task = self.bar.add_task(self.name, total=self.max_steps, completed=trainer.global_step, note="")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the bar, or print a line when it is time."""
        now, step = time.perf_counter(), trainer.global_step
        if now - self._last < (BAR_SECONDS if self.bar else LINE_SECONDS) and step < self.max_steps:
            return
        speed = (step - self._last_step) * self.batch_size * trainer.world_size / max(now - self._last, 1e-9)
        loss = trainer.callback_metrics.get("train/loss")
        note = f"{speed:.1f} samples/s" + (f"  loss {float(loss):.4f}" if loss is not None else "")
        if self.bar:
            self.bar.update(self._task, completed=step, note=note)
        else:
            left = (self.max_steps - step) * (now - self._began) / max(step - self._first, 1)
            self._print(f"step {step}/{self.max_steps}  {note}  {clock(left)} left")
        self._last, self._last_step = now, step

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say what takes so long."""
        if self.bar:
            self.bar.update(self._task, completed=trainer.global_step, note="validating")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the validation scores."""
        values = {k.removeprefix("val/"): float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")}
        scores = "  ".join(f"{k} {v:.4g}" for k, v in values.items())
        self._print(f"step {trainer.global_step}/{self.max_steps}  validation: {scores}")
        self._last, self._last_step = time.perf_counter(), trainer.global_step

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Close the bar before the message is printed."""
        self._close()

    def _print(self, text: str) -> None:
        self.console.print(f"{self.name}  {text}", highlight=False, markup=False)

    def _close(self) -> None:
        if self.bar:
            self.bar.stop()
            self.bar = None


def clock(seconds: float) -> str:
    """``0:07``, ``12:30`` or ``3:05:00``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
