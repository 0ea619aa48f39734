"""Alarm: the loss is stuck."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import pytorch_lightning as pl
import torch

from ocr.run.alarms.bell import Bell
from ocr.run.saving import Checkpoints

SIGNIFICANT = 2.0
"""Standard errors by which a mean has to lie lower for the loss to have fallen."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean of losses and its standard error."""

    value: float
    error: float

    def lies_below(self, other: Mean) -> bool:
        """Whether it is lower by more than chance explains."""
        return other.value - self.value > SIGNIFICANT * math.hypot(self.error, other.error)


class StuckLoss(pl.Callback):
    """Compares the mean loss of half a window with that of the half before.

    It rings when the later one is not lower, beyond what chance explains, and the validation score has not been better within the window
    either; then not again until the loss has fallen.  Nothing is copied from a GPU but twice a window.

    Args:
        bell: where it is told.
        checkpoints: know when the validation score was best.
        window: steps; 0: no alarm.
    """

    def __init__(self, bell: Bell, checkpoints: Checkpoints, window: int) -> None:
        self.bell = bell
        self.checkpoints = checkpoints
        self.half = window // 2
        self._sums: torch.Tensor | None = None
        self._count = 0
        self._before: Mean | None = None
        self._told = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the step's loss up; look when half a window is full."""
        if not self.half:
            return
        loss = outputs["loss"].detach().double()
        new = torch.stack([loss, loss * loss])
        self._sums = new if self._sums is None else self._sums.to(new.device) + new
        self._count += 1
        if self._count == self.half:
            self._look(trainer.global_step)

    def _look(self, step: int) -> None:
        assert self._sums is not None
        mean, square = (self._sums / self._count).tolist()
        now = Mean(mean, math.sqrt(max(square - mean * mean, 0.0) / self._count))
        before, self._before, self._sums, self._count = self._before, now, None, 0
        if before is None:
            return
        if now.lies_below(before):
            self._told = False
        elif not self._told and not step - 2 * self.half < self.checkpoints.best_step:
            self._told = True
            self.bell.ring(
                "stuck loss",
                step,
                f"the loss has not fallen in {2 * self.half} steps ({before.value:.4g}, then {now.value:.4g}) and the validation "
                "score was not better: try another optim.lr, look at pictures/, or stop here",
            )

    def state_dict(self) -> dict[str, Any]:
        """What has been added up, so that a resumed run looks at the same steps."""
        before = None if self._before is None else asdict(self._before)
        sums = None if self._sums is None else self._sums.cpu()
        return {"sums": sums, "count": self._count, "before": before, "told": self._told}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on adding up."""
        self._sums, self._count, self._told = state_dict["sums"], state_dict["count"], state_dict["told"]
        self._before = None if state_dict["before"] is None else Mean(**state_dict["before"])
