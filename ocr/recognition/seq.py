"""Third stage: let the feature columns see each other."""

from __future__ import annotations

import torch
from torch import nn

from ocr.recognition.stages import SequenceModel


class NoSequence(SequenceModel):
    """The columns as they are."""

    title = "None"

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.out_features = in_features

    def forward(self, features_BTC: torch.Tensor) -> torch.Tensor:
        """The features themselves."""
        return features_BTC


class BiLSTM(SequenceModel):
    """Two bidirectional LSTM layers, each followed by a linear projection (CRNN, Shi et al., TPAMI 2017, section 2.2).

    As in the public code of the ICCV 2019 comparison, the second layer projects to ``hidden`` features; the paper's parameter
    counts say that its own runs went straight to the classes there.

    Args:
        in_features: per column.
        hidden: units per direction, and features per column that come out.
        layers: number of LSTM-and-projection pairs.
    """

    title = "BiLSTM"

    def __init__(self, in_features: int, hidden: int = 256, layers: int = 2) -> None:
        super().__init__()
        self.out_features = hidden
        self.layers = nn.ModuleList(_Layer(hidden if i else in_features, hidden) for i in range(layers))

    def forward(self, features_BTC: torch.Tensor) -> torch.Tensor:
        """(B, T, in_features) -> (B, T, hidden)."""
        for layer in self.layers:
            features_BTC = layer(features_BTC)
        return features_BTC

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights."""
        pairs = (("lstm", "rnn"), ("projection", "linear"))
        return {f"layers.{i}.{ours}": f"{i}.{theirs}" for i in range(len(self.layers)) for ours, theirs in pairs}


class _Layer(nn.Module):
    def __init__(self, in_features: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_features, hidden, batch_first=True, bidirectional=True)
        self.projection = nn.Linear(2 * hidden, hidden)

    def forward(self, features_BTC: torch.Tensor) -> torch.Tensor:
        self.lstm.flatten_parameters()
        return self.projection(self.lstm(features_BTC)[0])
