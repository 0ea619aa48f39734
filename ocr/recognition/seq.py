"""Third stage: let the feature columns see each other."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ocr.recognition.stages import SequenceModel


class NoSequence(SequenceModel):
    """The columns as they are."""

    title = "None"

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.out_features = in_features

    def forward(self, features_BTC: torch.Tensor, columns_B: torch.Tensor | None = None) -> torch.Tensor:  # noqa: ARG002
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

    def forward(self, features_BTC: torch.Tensor, columns_B: torch.Tensor | None = None) -> torch.Tensor:
        """(B, T, in_features) -> (B, T, hidden); the backward direction starts at each picture's own last column."""
        for layer in self.layers:
            features_BTC = layer(features_BTC, columns_B)
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

    def forward(self, features_BTC: torch.Tensor, columns_B: torch.Tensor | None) -> torch.Tensor:
        self.lstm.flatten_parameters()
        if columns_B is None:
            return self.projection(self.lstm(features_BTC)[0])
        packed = pack_padded_sequence(features_BTC, columns_B.cpu(), batch_first=True, enforce_sorted=False)
        states_BTC, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=features_BTC.shape[1])
        return self.projection(states_BTC)
