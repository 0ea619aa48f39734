"""When training is over: after its steps, or after so many without a better validation score."""

from __future__ import annotations

import pytorch_lightning as pl

from ocr.run.saving import Checkpoints


class Ending(pl.Callback):
    """Ends training behind a validation.  It keeps no state of its own, so a resumed run ends where an undisturbed one does.

    Args:
        checkpoints: know the best score's step; they come before this callback.
        max_steps: of the run.
        patience: steps without a better validation score after which it stops early; None: never.
    """

    def __init__(self, checkpoints: Checkpoints, max_steps: int, patience: int | None) -> None:
        self.checkpoints = checkpoints
        self.max_steps = max_steps
        self.patience = patience

    def reached(self, step: int, best_step: int) -> bool:
        """Whether a run ends behind the validation at ``step``, its best score being that of ``best_step`` (-1: there is none yet)."""
        tired = self.patience is not None and 0 <= best_step <= step - self.patience
        return step >= self.max_steps or tired

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell the trainer."""
        trainer.should_stop = self.reached(trainer.global_step, self.checkpoints.best_step)
