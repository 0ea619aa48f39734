"""A slowly moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class WeightAverage(nn.Module, Generic[Network]):
    """An exponential moving average of a network's weights, always in evaluation mode.

    After t updates the decay is min(decay, (1 + t) / (10 + t)), so that the random weights of the start are soon forgotten.
    Buffers (the statistics of batch normalisation) are copied.

    Args:
        network: whose weights are averaged; ``self.network`` is a copy of it.
        decay: per update, in [0, 1).

    Raises:
        ValueError: the decay is outside its range.
    """

    network: Network

    def __init__(self, network: Network, decay: float) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"the average's decay is {decay}: give a number from 0 up to, not including, 1")
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.updates = 0
        self.eval()

    def train(self, mode: bool = True) -> WeightAverage[Network]:  # noqa: ARG002  the network never trains
        """Evaluation mode, whatever is asked for: Lightning switches whole modules to training."""
        super().train(False)
        return self

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move towards the weights of ``network``."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages: list[Tensor] = list(self.network.parameters())
        current: list[Tensor] = list(network.parameters())
        torch._foreach_lerp_(averages, current, 1 - decay)
        for kept, new in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(new)
        self.updates += 1

    def get_extra_state(self) -> int:
        """The number of updates, which goes into the state dict."""
        return self.updates

    def set_extra_state(self, state: int) -> None:
        """Go on counting."""
        self.updates = state
