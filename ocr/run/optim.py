"""Learning-rate schedules, all counted in optimiser steps."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def constant(optimizer: Optimizer) -> LambdaLR:
    """The optimiser's own rate throughout (the ICCV 2019 recipe)."""
    return LambdaLR(optimizer, lambda _: 1.0)


def step_decay(optimizer: Optimizer, every: int, factor: float) -> LambdaLR:
    """Times ``factor`` after each ``every`` steps (CRAFT, 1e-4 times .8 per 10k, by its author's answer)."""
    return LambdaLR(optimizer, lambda step: factor ** (step // every))


def one_cycle(optimizer: Optimizer, steps: int, warmup: float = 0.1, final: float = 0.01) -> LambdaLR:
    """Linear rise to the optimiser's rate during the share ``warmup`` of ``steps``, then a cosine down to ``final`` times it."""
    rise = max(1.0, warmup * steps)

    def scale(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        progress = min(1.0, (step - rise) / max(1.0, steps - rise))
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, scale)
