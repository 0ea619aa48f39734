"""What the processes of a run tell each other; a run of one process tells itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

Value = TypeVar("Value")


def processes() -> int:
    """Number of processes that train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def gathered(own: Value) -> list[Value]:
    """The values of all processes in the order of their ranks; every process must ask, and all get the same.

    Values travel pickled: of several processes every one gets copies, of its own value, too.
    """
    if processes() == 1:
        return [own]
    values: list[Value] = [own] * processes()
    distributed.all_gather_object(values, own)
    return values


def in_turn(own: Sequence[list[Value]]) -> list[Value]:
    """The members of batches that went round the processes (batch i to rank i modulo their number), in the order of the batches."""
    rounds = zip_longest(*gathered(list(own)), fillvalue=[])
    return [value for batches in rounds for batch in batches for value in batch]


def share_of_mean(terms: int, device: torch.device) -> Tensor:
    """What a mean over this process's ``terms`` must be multiplied by, so that the mean over the processes is one over all terms."""
    total = torch.tensor(float(terms), device=device)
    distributed.all_reduce(total)
    return terms * processes() / total


def share_buffers(module: nn.Module) -> None:
    """Give every process the first one's buffers: running statistics differ where each process normalises its own part of a batch."""
    if processes() > 1:
        for buffer in module.buffers():
            distributed.broadcast(buffer, 0)
