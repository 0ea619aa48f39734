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
            states_BTC = self.lstm(features_BTC)[0]
        elif features_BTC.device.type == "cpu":
            states_BTC = self.by_direction(features_BTC, columns_B)
        else:
            states_BTC = self.packed(features_BTC, columns_B)
        return self.projection(states_BTC)

    def packed(self, features_BTC: torch.Tensor, columns_B: torch.Tensor) -> torch.Tensor:
        """The states of pictures of several widths, zero in the padding, by the library's own way: fast on GPUs."""
        packed = pack_padded_sequence(features_BTC, columns_B.cpu(), batch_first=True, enforce_sorted=False)
        states_BTC, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=features_BTC.shape[1])
        return states_BTC

    def by_direction(self, features_BTC: torch.Tensor, columns_B: torch.Tensor) -> torch.Tensor:
        """The same states from two passes over the padded batch, in which each picture is turned round within its own columns.

        On CPUs packed sequences run one elementary operation at a time, which takes two to four times as long.
        """
        steps_T = torch.arange(features_BTC.shape[1], device=features_BTC.device)
        inside_BT1 = (steps_T < columns_B[:, None])[:, :, None]
        turned_BT1 = torch.where(inside_BT1, columns_B[:, None, None] - 1 - steps_T[:, None], steps_T[:, None])
        forwards_BTC = self._pass(features_BTC, "")
        backwards_BTC = _reordered(self._pass(_reordered(features_BTC, turned_BT1), "_reverse"), turned_BT1)
        return torch.cat((forwards_BTC, backwards_BTC), dim=2).masked_fill(~inside_BT1, 0)

    def _pass(self, features_BTC: torch.Tensor, direction: str) -> torch.Tensor:
        weights = [
            getattr(self.lstm, f"{name}_l0{direction}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        start_1BC = features_BTC.new_zeros(1, len(features_BTC), self.lstm.hidden_size)
        states_BTC: torch.Tensor = torch.lstm(
            features_BTC, (start_1BC, start_1BC), weights, True, 1, 0.0, self.training, False, True
        )[0]
        return states_BTC


def _reordered(values_BTC: torch.Tensor, order_BT1: torch.Tensor) -> torch.Tensor:
    return values_BTC.gather(1, order_BT1.expand(values_BTC.shape))
