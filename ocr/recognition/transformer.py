"""The parts that transformers share (Vaswani et al., NIPS 2017; layers normalised first, Xiong et al., ICML 2020)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

FAR = -1e4
"""Added to the score of what must not be looked at: nothing is left of it, and a row of nothing else is no NaN."""


class MultiHead(nn.Module):
    """Multi-head attention.

    Args:
        features: of queries and of what comes out.
        heads: a divisor of ``features``.
        memory_features: of what is looked at; None: as ``features``.
    """

    def __init__(self, features: int, heads: int, memory_features: int | None = None) -> None:
        super().__init__()
        if features % heads:
            raise ValueError(f"{features} features in {heads} heads: give a number of heads that divides the features")
        self.heads = heads
        self.query = nn.Linear(features, features)
        self.memory = nn.Linear(memory_features or features, 2 * features)
        self.output = nn.Linear(features, features)

    def forward(
        self, queries_BSC: torch.Tensor, memory_BTC: torch.Tensor, added_BST: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(B, S, features) -> the same; ``added_BST`` (sizes of 1 are spread) is added to the scores."""
        key_BTC, value_BTC = self.memory(memory_BTC).chunk(2, 2)
        query, key, value = (
            x.unflatten(2, (self.heads, -1)).transpose(1, 2) for x in (self.query(queries_BSC), key_BTC, value_BTC)
        )
        mask = None if added_BST is None else added_BST.unsqueeze(1).to(query.dtype)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.output(seen.transpose(1, 2).flatten(2))


class Perceptron(nn.Sequential):
    """Two linear layers with four times the features between them."""

    def __init__(self, features: int) -> None:
        super().__init__(nn.Linear(features, 4 * features), nn.GELU(), nn.Linear(4 * features, features))


def waves(positions: torch.Tensor, features: int) -> torch.Tensor:
    """Sine and cosine of each position at ``features / 2`` wavelengths from 2 pi to 20,000 pi: (..., features)."""
    rates = torch.exp(torch.arange(features // 2, device=positions.device) * (-2 * math.log(10_000) / features))
    angles = positions[..., None] * rates
    return torch.cat([angles.sin(), angles.cos()], -1)


def hidden_beyond(beyond_BT: torch.Tensor | None) -> torch.Tensor | None:
    """What to add to scores (B, 1, T) so that columns beyond a picture's end are not looked at."""
    return None if beyond_BT is None else beyond_BT[:, None].float() * FAR


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """Fresh weights: matrices from a normal distribution of width 0.02 cut off at twice that, 1 for scales, 0 for biases."""
    for name, parameter in module.named_parameters():
        if "bias" in name.rpartition(".")[2]:
            nn.init.zeros_(parameter)
        elif parameter.dim() > 1:
            nn.init.trunc_normal_(parameter, std=0.02, a=-0.04, b=0.04)
        else:
            nn.init.ones_(parameter)
