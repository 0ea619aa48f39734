"""Alarm: memory ran out.  Which batch and which picture it was, and whether batches go on in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl

from ocr.pieces import Pieces, out_of_memory
from ocr.run.alarms.bell import Bell
from ocr.types import Scene, SceneBatch, Word, WordBatch


class OutOfMemory(pl.Callback):
    """Knows what is being computed, for the message; keeps the number of pieces over a resume.

    Args:
        bell: where it is told that batches were halved.
        pieces: of the module that trains.
    """

    def __init__(self, bell: Bell, pieces: Pieces) -> None:
        self.bell = bell
        self.pieces = pieces
        self._batch: Any = None
        self._step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen to what is halved."""
        self.pieces.told = lambda count: self.bell.ring("out of memory", trainer.global_step, self._halved(count))

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note what is computed now."""
        self._batch, self._step = batch, trainer.global_step

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Note what is computed now."""
        self._batch, self._step = batch, trainer.global_step

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget it."""
        self._batch = None

    def explained(self, error: BaseException) -> ValueError | None:
        """One line on an error that says that memory is full; None for any other."""
        if self._batch is None or not out_of_memory(error):
            return None
        validating = isinstance(self._batch, list)
        less = "module.batch_size" if validating else "loader.batch_size"
        remedy = (
            "" if validating or self.pieces.allowed else ", or trainer.halve=true for pieces that add up to the same"
        )
        return ValueError(
            f"out of memory in {'validation' if validating else 'training'} at step {self._step}, {describe(self._batch)}: "
            f"give a smaller {less}{remedy}"
        )

    def _halved(self, count: int) -> str:
        return f"memory ran out, {describe(self._batch)}: batches are computed in {count} pieces from now on, which add up to the same"

    def state_dict(self) -> dict[str, Any]:
        """In how many pieces batches are computed."""
        return {"pieces": self.pieces.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on so."""
        self.pieces.count = state_dict["pieces"]


def describe(batch: SceneBatch | WordBatch | Sequence[Scene | Word]) -> str:
    """How many pictures of what size, and which of them takes most."""
    if isinstance(batch, SceneBatch | WordBatch):
        count, _, height, width = batch.images_BCHW.shape
        what = f"a batch of {count} pictures of {width} x {height} pixels"
        return f"{what} (most of it: {_largest_trained(batch)})"
    largest = max(batch, key=lambda sample: sample.image.size)
    height, width = largest.image.shape[:2]
    return f"{len(batch)} pictures, the largest {largest.key} of {width} x {height} pixels"


def _largest_trained(batch: SceneBatch | WordBatch) -> str:
    if isinstance(batch, WordBatch):
        widths = [0] * len(batch.keys) if batch.widths_B is None else batch.widths_B.tolist()
        return batch.keys[max(range(len(widths)), key=widths.__getitem__)]
    if not batch.weak:
        return batch.keys[0]
    picture = max(batch.weak, key=lambda p: (0 if p.image is None else p.image.size, len(p.words)))
    size = "" if picture.image is None else f", {picture.image.shape[1]} x {picture.image.shape[0]} pixels as a whole"
    return f"{picture.key} with {len(picture.words)} words to label{size}"
