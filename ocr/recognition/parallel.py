"""A prediction that writes all characters at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ocr.charset import Charset
from ocr.recognition.codec import AttentionCodec
from ocr.recognition.extent import Extent
from ocr.recognition.stages import ClassAxis, Prediction
from ocr.recognition.transformer import MultiHead, Perceptron, hidden_beyond, initialise, waves

HEAD = 32
"""Features of a head."""


class _Layer(nn.Module):
    """The places look at each other, then at the columns."""

    def __init__(self, features: int) -> None:
        super().__init__()
        heads = max(1, features // HEAD)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(features) for _ in range(3))
        self.among, self.across = MultiHead(features, heads), MultiHead(features, heads)
        self.perceptron = Perceptron(features)

    def forward(
        self, places_BSC: torch.Tensor, memory_BTC: torch.Tensor, hidden_B1T: torch.Tensor | None
    ) -> torch.Tensor:
        places_BSC = places_BSC + self.among(normed := self.norm1(places_BSC), normed)
        places_BSC = places_BSC + self.across(self.norm2(places_BSC), memory_BTC, hidden_B1T)
        return places_BSC + self.perceptron(self.norm3(places_BSC))


class ParallelDecoder(Prediction):
    """One query for each place in the text; all of them are answered in one pass.

    The parallel visual attention of SRN (Yu et al., CVPR 2020, section 3.2), made of transformer decoder layers as the
    non-autoregressive mode of PARSeq is (Bautista and Atienza, ECCV 2022, section 3.1).  Departs from both in that no language
    model and no refinement follow, so that it costs the same for a text of any length.

    Args:
        in_features: per column.
        charset, max_length: of the texts; there are ``max_length + 1`` places, the last one for the end of the longest text.
        time_steps: columns; attention takes any number.
        features: of the decoder, at most 32 or a multiple of it; heads have 32 of them.
        layers: number of decoder layers.
    """

    title = "Parallel"
    codec: AttentionCodec

    def __init__(
        self,
        in_features: int,
        charset: Charset,
        max_length: int,
        time_steps: int,  # noqa: ARG002
        features: int = 256,
        layers: int = 2,
    ) -> None:
        super().__init__()
        if features % 2 or (features > HEAD and features % HEAD):
            raise ValueError(f"pred.features is {features}: give an even number up to {HEAD}, or a multiple of {HEAD}")
        self.codec = AttentionCodec(charset, max_length)
        self.columns = nn.Linear(in_features, features)
        self.columns_norm = nn.LayerNorm(features)
        self.places = nn.Embedding(max_length + 1, features)
        self.layers = nn.ModuleList(_Layer(features) for _ in range(layers))
        self.norm = nn.LayerNorm(features)
        self.output = nn.Linear(features, self.codec.classes)

    def forward(
        self,
        features_BTC: torch.Tensor,
        tokens_BT: torch.Tensor | None = None,  # noqa: ARG002
        columns_B: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, T, in_features) -> logits (B, max_length + 1, K); tokens play no part."""
        memory_BTC = self.columns(features_BTC)
        total = memory_BTC.shape[1]
        places_TC = waves(torch.arange(total, device=memory_BTC.device), memory_BTC.shape[2])
        memory_BTC = self.columns_norm(memory_BTC + places_TC.to(memory_BTC.dtype))
        hidden_B1T = hidden_beyond(Extent(columns_B).beyond(total))
        places_BSC = self.places.weight.expand(len(features_BTC), -1, -1)
        for layer in self.layers:
            places_BSC = layer(places_BSC, memory_BTC, hidden_B1T)
        return self.output(self.norm(places_BSC))

    def loss(self, features_BTC: torch.Tensor, texts: list[str], columns_B: torch.Tensor | None = None) -> torch.Tensor:
        """Cross-entropy over the characters and the end of the text; the places behind it are left out."""
        targets_BL = torch.from_numpy(self.codec.encode(texts)[0][:, 1:]).to(features_BTC.device)
        logits_BLK = self(features_BTC, columns_B=columns_B)[:, : targets_BL.shape[1]]
        return F.cross_entropy(logits_BLK.float().flatten(0, 1), targets_BL.flatten(), ignore_index=0)

    def terms(self, texts: list[str]) -> int:
        """The characters and the ends."""
        return int(self.codec.encode(texts)[1].sum()) + len(texts)

    def class_axes(self) -> dict[str, ClassAxis]:
        """The output layer."""
        return {"output.weight": ClassAxis(0), "output.bias": ClassAxis(0)}

    def initialise(self) -> None:
        """As transformers are started."""
        initialise(self)
