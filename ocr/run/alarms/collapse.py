"""Alarm: the teacher that labels weak words has collapsed."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from ocr.detection.module import DetectionModule
from ocr.run.alarms.bell import Bell

MEASURED = {"characters": "share of right characters", "confidence": "mean confidence"}
"""What tells the quality of pseudo labels, the better one first, and its name for people."""
ENOUGH = 100
"""Weak words before a best quality counts."""


class TeacherCollapse(pl.Callback):
    """Rings when the quality of the pseudo labels has fallen far below the best that this run has seen.

    A floor holds bad labels back wherever they come from (:class:`ocr.detection.label_quality.LabelQuality`); this tells a teacher that
    was good and no longer is, which is what training on one's own mistakes looks like.

    Args:
        bell: where it is told.
        share: of the best quality, in [0, 1], under which it rings; it is armed again above half the way back.  0: no alarm.
    """

    def __init__(self, bell: Bell, share: float) -> None:
        self.bell = bell
        self.share = share
        self.best: dict[str, float] = {}
        self.best_step: dict[str, int] = {}
        self._told = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the present quality."""
        if not self.share or not isinstance(pl_module, DetectionModule):
            return
        quality = pl_module.label_quality
        name = next((name for name in MEASURED if name in quality.values), None)
        if name is not None and quality.words >= ENOUGH and pl_module.labeller.splitter.needs_scores:
            self._judge(name, quality.values[name], trainer.global_step)

    def _judge(self, name: str, value: float, step: int) -> None:
        best = self.best.get(name)
        if best is None or value > best:
            self.best[name], self.best_step[name] = value, step
        elif value < self.share * best and not self._told:
            self._told = True
            self.bell.ring(
                "teacher collapse",
                step,
                f"pseudo labels: {MEASURED[name]} {value:.2f}, it was {best:.2f} at step {self.best_step[name]}: the teacher learns from "
                "its own mistakes; give the weak sets less weight, or raise module.ema_decay or module.label_floor",
            )
        elif value > 0.5 * (1 + self.share) * best:
            self._told = False

    def state_dict(self) -> dict[str, Any]:
        """The best quality so far."""
        return {"best": dict(self.best), "best_step": dict(self.best_step), "told": self._told}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from it."""
        self.best, self.best_step = dict(state_dict["best"]), dict(state_dict["best_step"])
        self._told = state_dict["told"]
