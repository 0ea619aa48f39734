"""Alarm: training waits for data."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from ocr.run.alarms.bell import Bell
from ocr.run.callbacks import WARM_UP, Pace, Rows

STEPS = 100
SECONDS = 10.0
"""Steps and seconds over which the share is taken, at least."""


class DataStarvation(pl.Callback):
    """Rings once an attempt when too much of its time is waiting for the loader.

    Args:
        bell: where it is told.
        rows: know how the time was spent; they come before this callback.
        share: of the time, in [0, 1], above which it rings; 1: no alarm.
        workers: loader processes, for the advice.
    """

    def __init__(self, bell: Bell, rows: Rows, share: float, workers: int) -> None:
        self.bell = bell
        self.rows = rows
        self.share = share
        self.workers = workers
        self._from: Pace | None = None
        self._told = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look when there is enough to judge by."""
        now = self.rows.total
        if self._told or now.steps < WARM_UP:
            return
        if self._from is None:
            self._from = now
        lately = now.since(self._from)
        if lately.steps < STEPS or lately.seconds < SECONDS:
            return
        self._from = now
        if lately.waited > self.share * lately.seconds:
            self._told = True
            self.bell.ring("data starvation", trainer.global_step, self._line(lately.waited / lately.seconds))

    def _line(self, waiting: float) -> str:
        advice = (
            f"loader.workers={2 * self.workers} loads with more processes"
            if self.workers
            else "loader.workers=4 loads in other processes meanwhile"
        )
        return f"{waiting:.0%} of the time is waiting for data: {advice}; sets belong on a local disk"
