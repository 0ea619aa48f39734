"""Alarm: parameters that never had a gradient."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch

from ocr.run.alarms.bell import Bell

NAMED = 5
"""Parameters that a line names."""


class IdleParameters(pl.Callback):
    """Names the parameters whose gradient was zero or missing in every one of the first steps of a run.

    Only those that have had none so far are looked at, which soon is none at all.

    Args:
        bell: where it is told.
        steps: after which it is told; 0: no alarm.
    """

    def __init__(self, bell: Bell, steps: int) -> None:
        self.bell = bell
        self.steps = steps
        self.idle: list[str] | None = None

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Cross out those that have a gradient now."""
        step = trainer.global_step + 1
        if step > self.steps or self.idle == []:
            return
        learning = {name: p for name, p in pl_module.named_parameters() if p.requires_grad}
        names = list(learning) if self.idle is None else self.idle
        self.idle = [name for name in names if not _has_gradient(learning[name])]
        if step == self.steps and self.idle:
            self._tell(step, sum(learning[name].numel() for name in self.idle))

    def _tell(self, step: int, size: int) -> None:
        assert self.idle is not None
        named = ", ".join(self.idle[:NAMED])
        more = f" and {len(self.idle) - NAMED} more" if len(self.idle) > NAMED else ""
        self.bell.ring(
            "idle parameters",
            step,
            f"{named}{more} ({size:,} numbers) had no gradient in any step: they do not learn; freeze them, or look at what the loss uses",
        )

    def state_dict(self) -> dict[str, Any]:
        """Those that have had none so far."""
        return {"idle": self.idle}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on crossing out."""
        self.idle = state_dict["idle"]


def _has_gradient(parameter: torch.nn.Parameter) -> bool:
    return parameter.grad is not None and bool(parameter.grad.any())
