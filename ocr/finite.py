"""Stopping before a number that is none can spoil the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

NAMED = 8
"""Keys of a batch that a message names."""


def require_finite(what: str, value: Tensor, keys: Sequence[str], step: int) -> None:
    """Raise FloatingPointError, which names the batch's keys, when a loss or the norm of a gradient is not finite."""
    if not torch.isfinite(value):
        named = ", ".join(keys[:NAMED]) + (f" and {len(keys) - NAMED} more" if len(keys) > NAMED else "")
        raise FloatingPointError(
            f"the {what} is {value.item()} at step {step}, batch of {named}: lower the learning rate or look at these samples"
        )


def clip_finite(
    parameters: Iterable[Tensor], limit: float | None, keys: Sequence[str], step: int, or_skipped: bool = False
) -> None:
    """Clip the norm of all gradients together to ``limit`` (None: leave it), and stop when it is not finite.

    ``or_skipped`` says that a loss scaler leaves such steps out by itself.

    Raises:
        FloatingPointError: it is not finite; the message names the batch's keys.
    """
    norm = torch.nn.utils.clip_grad_norm_(parameters, math.inf if limit is None else limit)
    if not or_skipped:
        require_finite("gradient", norm, keys, step)
