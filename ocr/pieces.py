"""A training batch in pieces that go through the network one after the other, for memory that does not hold the whole.

The gradient is that of the whole batch: every piece's loss counts by its share of the terms that the loss is a mean over.  Two things
are of the pieces all the same: the statistics of batch normalisation, and what dropout draws.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
from torch import Tensor

_CPU_ALLOCATOR = ("can't allocate memory", "not enough memory")
"""How torch's allocator for the main memory complains, in a RuntimeError like any other."""


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error says that a device's memory, or the main one, is full."""
    full = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return full or (isinstance(error, RuntimeError) and any(words in str(error) for words in _CPU_ALLOCATOR))


class Pieces:
    """In how many pieces batches go through the network; twice as many whenever memory runs out, if that is allowed.

    Args:
        allowed: halve by itself; else the error is passed on.
        count: pieces to begin with.
    """

    def __init__(self, allowed: bool = False, count: int = 1) -> None:
        self.allowed = allowed
        self.count = count
        self._size = 0
        self.told: Callable[[int], None] | None = None
        """Called with the new number of pieces."""

    def loss(
        self,
        size: int,
        loss_of: Callable[[slice], Tensor],
        terms_of: Callable[[slice], int],
        parameters: Iterable[Tensor],
    ) -> Tensor:
        """The losses (n,) of a batch of ``size`` samples, of which the first can be differentiated.

        Args:
            size: samples.
            loss_of: the losses (n,) of a part of the batch.
            terms_of: over how many terms they are a mean.
            parameters: of the network.
        """
        self._size = size
        if self.count == 1:
            return loss_of(slice(0, size))
        bounds = [size * i // self.count for i in range(self.count + 1)]
        parts = [slice(a, b) for a, b in pairwise(bounds) if b > a]
        total = sum(map(terms_of, parts))
        learning = [p for p in parameters if p.requires_grad]
        gradients: list[Tensor | None] = [None] * len(learning)
        values = torch.zeros(0)
        for part in parts:
            losses = loss_of(part) * (terms_of(part) / total)
            found = torch.autograd.grad(losses[0], learning, allow_unused=True)
            gradients = [_sum(a, b) for a, b in zip(gradients, found, strict=True)]
            values = losses.detach() + (values if len(values) else 0)
        # linear in the parameters, with their gradients as coefficients: what Lightning differentiates afterwards
        plane = torch.stack([(p * g).sum() for p, g in zip(learning, gradients, strict=True) if g is not None]).sum()
        return torch.cat([values[:1] + (plane - plane.detach()), values[1:]])

    def retry(self, step: Callable[[], None]) -> None:
        """Take an optimiser step, which calls :meth:`loss`, again in twice as many pieces when memory runs out in it."""
        while not self._fits(step):
            # outside of the handler: the error holds on to all that was computed
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.count = min(2 * self.count, self._size)
            if self.told is not None:
                self.told(self.count)

    def _fits(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except Exception as error:
            if not (self.allowed and self.count < self._size and out_of_memory(error)):
                raise
            return False
        return True


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b
