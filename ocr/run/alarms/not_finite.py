"""Alarm: a number is none.  The run stops; the state before the step is kept, so that it can be looked at and repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

FAILURE = "failure.ckpt"
"""The state before the step that failed; the newest one only."""


class KeptState(pl.Callback):
    """Saves ``failure.ckpt`` when a loss or a gradient is not finite.

    The optimiser has not stepped by then; what the forward pass changed, the running statistics of batch normalisation, is put back.
    One of several processes cannot save alone, and leaves it.

    Beside what every checkpoint holds it has ``failure``: the step, the message and all keys of the batch.  Weights that are not finite
    themselves are not kept: the last checkpoint is from before them (:meth:`weights_are_finite`).

    Args:
        folder: the run directory.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FAILURE
        self._keys: list[str] = []
        self._kept: list[Tensor] = []
        self._failure: dict[str, Any] | None = None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Copy what the forward pass changes."""
        self._keys = batch.keys
        buffers = _statistics(pl_module)
        if len(self._kept) != len(buffers):
            self._kept = [buffer.clone() for buffer in buffers]
        elif buffers:
            torch._foreach_copy_(self._kept, buffers)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Keep the state before the step."""
        buffers = _statistics(pl_module)
        if not isinstance(exception, FloatingPointError) or len(buffers) != len(self._kept) or trainer.world_size > 1:
            return
        for buffer, kept in zip(buffers, self._kept, strict=True):
            buffer.copy_(kept)
        if weights_are_finite(pl_module):
            self._failure = {"step": trainer.global_step, "message": str(exception), "keys": list(self._keys)}
            trainer.save_checkpoint(self.path, weights_only=False)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say in it what happened."""
        if self._failure is not None:
            checkpoint["failure"] = self._failure


def _statistics(module: torch.nn.Module) -> list[Tensor]:
    """Buffers of what trains, not of the averages of it."""
    return [b for m in module.modules() if m.training for b in m.buffers(recurse=False)]


def weights_are_finite(module: torch.nn.Module) -> bool:
    """Whether all weights are: an optimiser can leave the finite numbers with a finite gradient."""
    weights = [p.detach() for p in module.parameters() if p.is_floating_point()]
    return bool(torch.stack(torch._foreach_norm(weights, float("inf"))).isfinite().all())
