"""Fourth stage: from feature columns to characters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ocr.charset import Charset
from ocr.recognition.codec import AttentionCodec, CTCCodec
from ocr.recognition.ctc_loss import ctc_loss
from ocr.recognition.extent import Extent
from ocr.recognition.stages import ClassAxis, Prediction

State = tuple[torch.Tensor, torch.Tensor]


class CTC(Prediction):
    """One linear layer, trained with connectionist temporal classification (Graves et al., ICML 2006)."""

    title = "CTC"

    def __init__(self, in_features: int, charset: Charset, max_length: int, time_steps: int) -> None:
        super().__init__()
        self.codec = CTCCodec(charset, max_length, time_steps)
        self.linear = nn.Linear(in_features, self.codec.classes)

    def forward(
        self,
        features_BTC: torch.Tensor,
        tokens_BT: torch.Tensor | None = None,  # noqa: ARG002
        columns_B: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, T, in_features) -> logits (B, T, K); tokens play no part.  Beyond a picture's own columns the blank is certain."""
        logits_BTK = self.linear(features_BTC)
        beyond_BT = Extent(columns_B).beyond(features_BTC.shape[1])
        if beyond_BT is None:
            return logits_BTK
        return torch.where(beyond_BT[:, :, None], certain(0, logits_BTK), logits_BTK)

    def loss(self, features_BTC: torch.Tensor, texts: list[str], columns_B: torch.Tensor | None = None) -> torch.Tensor:
        """CTC loss in float32, each sample's divided by its length, then averaged; over each picture's own columns.

        A label without any alignment counts 0; ``codec.reject`` finds such labels before training.
        """
        logits_BTK = self.linear(features_BTC)
        targets, lengths = self.codec.encode(texts)
        if columns_B is None:
            columns_B = torch.full((len(texts),), logits_BTK.shape[1])
        return ctc_loss(logits_BTK, torch.from_numpy(targets), columns_B, torch.from_numpy(lengths))

    def terms(self, texts: list[str]) -> int:
        """The texts."""
        return len(texts)

    def class_axes(self) -> dict[str, ClassAxis]:
        """The linear layer."""
        return {"linear.weight": ClassAxis(0), "linear.bias": ClassAxis(0)}

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights, where the stage is the layer itself."""
        return {"linear": ""}


@dataclass(slots=True)
class _Memory:
    """What the decoder looks at in every step: the columns, what the score takes from them, and which are no columns at all."""

    features_BTC: torch.Tensor
    keys_BTH: torch.Tensor
    beyond_BT: torch.Tensor | None

    def of(self, rows_B: torch.Tensor) -> _Memory:
        """The part of some samples."""
        beyond_BT = None if self.beyond_BT is None else self.beyond_BT[rows_B]
        return _Memory(self.features_BTC[rows_B], self.keys_BTH[rows_B], beyond_BT)


class Attention(Prediction):
    """An LSTM that looks back at the columns before every character (RARE, Shi et al., CVPR 2016, section 3.2).

    The previous character enters as a one-hot vector, as in the ICCV 2019 comparison; its product with the LSTM's weights is a
    row of them, and is looked up.  What the score takes from the columns does not depend on the step and is computed once.

    Args:
        in_features: per column.
        charset, max_length: of the texts; decoding takes at most ``max_length + 1`` steps, the last one for the end of the text.
        time_steps: columns; attention takes any number.
        hidden: units of the LSTM and of the score.
    """

    title = "Attn"
    codec: AttentionCodec

    def __init__(self, in_features: int, charset: Charset, max_length: int, time_steps: int, hidden: int = 256) -> None:  # noqa: ARG002
        super().__init__()
        self.codec = AttentionCodec(charset, max_length)
        self.in_features, self.hidden = in_features, hidden
        self.column_score = nn.Linear(in_features, hidden, bias=False)
        self.state_score = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.cell = nn.LSTMCell(in_features + self.codec.classes, hidden)
        self.output = nn.Linear(hidden, self.codec.classes)

    def forward(
        self,
        features_BTC: torch.Tensor,
        tokens_BT: torch.Tensor | None = None,
        columns_B: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, T, in_features) -> logits (B, steps, K).

        With ``tokens_BT`` (B, steps), [GO] first, each step is given the true previous character; without, the most probable one,
        until every text has ended, for ``max_length + 1`` steps at most.  Behind a text's end its end is certain.
        """
        memory = _Memory(features_BTC, self.column_score(features_BTC), Extent(columns_B).beyond(features_BTC.shape[1]))
        zeros_BH = features_BTC.new_zeros(len(features_BTC), self.hidden)
        gates_KG = self._gates_of_characters()
        if tokens_BT is None:
            return self._greedy(memory, gates_KG, (zeros_BH, zeros_BH))
        state, states = (zeros_BH, zeros_BH), []
        for gates_BG in F.embedding(tokens_BT, gates_KG).unbind(1):
            state = self._step(memory, gates_BG, state)
            states.append(state[0])
        return self.output(torch.stack(states, 1))

    def _greedy(self, memory: _Memory, gates_KG: torch.Tensor, state: State) -> torch.Tensor:
        """Samples whose text has ended are left out as soon as they are a quarter of those still being read."""
        end, longest = self.codec.end, self.codec.max_length + 1
        tokens_B = torch.zeros(len(state[0]), dtype=torch.long, device=gates_KG.device)
        rows_B = torch.arange(len(tokens_B), device=gates_KG.device)
        reading_B = torch.ones_like(rows_B, dtype=torch.bool)
        logits_BSK = torch.zeros(0)
        for step in range(longest):
            state = self._step(memory, gates_KG[tokens_B], state)
            logits_BK = self.output(state[0])
            if step == 0:
                logits_BSK = logits_BK.new_zeros(len(logits_BK), longest, logits_BK.shape[1])
            logits_BSK[rows_B, step] = logits_BK
            tokens_B = logits_BK.argmax(1)
            if torch.compiler.is_exporting():
                continue  # an exported network has no length that depends on the data
            reading_B = reading_B & (tokens_B != end)
            left = int(reading_B.sum())
            if not left:
                logits_BSK = logits_BSK[:, : step + 1]
                break
            if left <= 0.75 * len(rows_B):
                memory, state = memory.of(reading_B), (state[0][reading_B], state[1][reading_B])
                tokens_B, rows_B, reading_B = tokens_B[reading_B], rows_B[reading_B], reading_B[reading_B]
        ends_BS = logits_BSK.argmax(2) == end
        behind_BS = ends_BS.cumsum(1) > ends_BS.long()
        return torch.where(behind_BS[:, :, None], certain(end, logits_BSK), logits_BSK)

    def _gates_of_characters(self) -> torch.Tensor:
        """The gates' share of each possible previous character, with both biases."""
        return self.cell.weight_ih[:, self.in_features :].T + (self.cell.bias_ih + self.cell.bias_hh)

    def step(
        self, tokens_B: torch.Tensor, state: State, features_BTC: torch.Tensor, keys_BTH: torch.Tensor
    ) -> tuple[torch.Tensor, State]:
        """One step by itself, for decoders outside PyTorch: the last tokens and state to logits (B, K) and the next state.

        ``keys_BTH`` is ``column_score(features_BTC)``; the first token is [GO] (class 0), the first state zeros (B, hidden).
        """
        memory = _Memory(features_BTC, keys_BTH, None)
        state = self._step(memory, F.embedding(tokens_B, self._gates_of_characters()), state)
        return self.output(state[0]), state

    def _step(self, memory: _Memory, gates_BG: torch.Tensor, state: State) -> State:
        """One step of the LSTM: it is given the columns it looks at, and its gates the previous character's share."""
        scores_BT = self.score(torch.tanh(memory.keys_BTH + self.state_score(state[0]).unsqueeze(1))).squeeze(2).float()
        if memory.beyond_BT is not None:
            scores_BT = scores_BT.masked_fill(memory.beyond_BT, -torch.inf)
        attention_B1T = scores_BT.softmax(1).to(memory.features_BTC.dtype).unsqueeze(1)
        context_BC = torch.bmm(attention_B1T, memory.features_BTC).squeeze(1)
        gates_BG = gates_BG + F.linear(context_BC, self.cell.weight_ih[:, : self.in_features])
        gates_BG = gates_BG + F.linear(state[0], self.cell.weight_hh)
        enter_BH, forget_BH, new_BH, out_BH = gates_BG.chunk(4, 1)
        memory_BH = forget_BH.sigmoid() * state[1] + enter_BH.sigmoid() * new_BH.tanh()
        return out_BH.sigmoid() * memory_BH.tanh(), memory_BH

    def loss(self, features_BTC: torch.Tensor, texts: list[str], columns_B: torch.Tensor | None = None) -> torch.Tensor:
        """Cross-entropy over the characters and the end of the text, padding left out, teacher forcing throughout."""
        tokens_BL = torch.from_numpy(self.codec.encode(texts)[0]).to(features_BTC.device)
        logits_BTK = self(features_BTC, tokens_BL[:, :-1], columns_B)
        return F.cross_entropy(logits_BTK.float().flatten(0, 1), tokens_BL[:, 1:].flatten(), ignore_index=0)

    def terms(self, texts: list[str]) -> int:
        """The characters and the ends."""
        return int(self.codec.encode(texts)[1].sum()) + len(texts)

    def class_axes(self) -> dict[str, ClassAxis]:
        """The output layer, and the columns of the LSTM's weights that belong to the previous character."""
        return {
            "output.weight": ClassAxis(0),
            "output.bias": ClassAxis(0),
            "cell.weight_ih": ClassAxis(1, self.in_features),
        }

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights."""
        cell = {"column_score": "i2h", "state_score": "h2h", "score": "score", "cell": "rnn"}
        return {ours: f"attention_cell.{theirs}" for ours, theirs in cell.items()} | {"output": "generator"}


def certain(class_number: int, like: torch.Tensor) -> torch.Tensor:
    """Logits (K,) that leave no doubt of one class, as many as the last axis of ``like`` has."""
    logits_K = torch.full_like(like[0, 0], -torch.inf)
    logits_K[class_number] = 0
    return logits_K
