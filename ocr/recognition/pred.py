"""Fourth stage: from feature columns to characters."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

from ocr.charset import Charset
from ocr.recognition.codec import AttentionCodec, CTCCodec
from ocr.recognition.stages import Prediction


class CTC(Prediction):
    """One linear layer, trained with connectionist temporal classification (Graves et al., ICML 2006)."""

    title = "CTC"

    def __init__(self, in_features: int, charset: Charset, max_length: int, time_steps: int) -> None:
        super().__init__()
        self.codec = CTCCodec(charset, max_length, time_steps)
        self.linear = nn.Linear(in_features, self.codec.classes)

    def forward(self, features_BTC: torch.Tensor, tokens_BT: torch.Tensor | None = None) -> torch.Tensor:  # noqa: ARG002
        """(B, T, in_features) -> logits (B, T, K); tokens play no part."""
        return self.linear(features_BTC)

    def loss(self, features_BTC: torch.Tensor, texts: list[str]) -> torch.Tensor:
        """CTC loss in float32, each sample's divided by its length, then averaged.

        A label without any alignment counts 0; ``codec.reject`` finds such labels before training.
        """
        logits_BTK = self(features_BTC)
        targets, lengths = self.codec.encode(texts)
        with torch.autocast(logits_BTK.device.type, enabled=False):
            log_probabilities_TBK = logits_BTK.float().log_softmax(2).transpose(0, 1)
            steps_B = torch.full((len(texts),), logits_BTK.shape[1], dtype=torch.long)
            return F.ctc_loss(
                log_probabilities_TBK,
                torch.from_numpy(targets).to(logits_BTK.device),
                steps_B,
                torch.from_numpy(lengths),
                zero_infinity=True,
            )

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights, where the stage is the layer itself."""
        return {"linear": ""}


class Attention(Prediction):
    """An LSTM that looks back at the columns before every character (RARE, Shi et al., CVPR 2016, section 3.2).

    The previous character enters as a one-hot vector, as in the ICCV 2019 comparison.  What the score takes from the columns does
    not depend on the step and is computed once.

    Args:
        in_features: per column.
        charset, max_length: of the texts; decoding takes ``max_length + 1`` steps, the last one for the end of the text.
        time_steps: columns; attention takes any number.
        hidden: units of the LSTM and of the score.
    """

    title = "Attn"

    def __init__(self, in_features: int, charset: Charset, max_length: int, time_steps: int, hidden: int = 256) -> None:  # noqa: ARG002
        super().__init__()
        self.codec = AttentionCodec(charset, max_length)
        self.hidden = hidden
        self.column_score = nn.Linear(in_features, hidden, bias=False)
        self.state_score = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.cell = nn.LSTMCell(in_features + self.codec.classes, hidden)
        self.output = nn.Linear(hidden, self.codec.classes)

    def forward(self, features_BTC: torch.Tensor, tokens_BT: torch.Tensor | None = None) -> torch.Tensor:
        """(B, T, in_features) -> logits (B, steps, K).

        With ``tokens_BT`` (B, steps), [GO] first, each step is given the true previous character; without, the most probable one,
        for ``max_length + 1`` steps.
        """
        if tokens_BT is not None:
            states = list(self._teacher_forced(features_BTC, tokens_BT))
            return self.output(torch.stack(states, 1))
        return torch.stack(list(self._greedy(features_BTC)), 1)

    def _teacher_forced(self, features_BTC: torch.Tensor, tokens_BT: torch.Tensor) -> Iterator[torch.Tensor]:
        scored_BTH = self.column_score(features_BTC)
        state = self._start(features_BTC)
        for tokens_B in tokens_BT.unbind(1):
            state = self._step(features_BTC, scored_BTH, tokens_B, state)
            yield state[0]

    def _greedy(self, features_BTC: torch.Tensor) -> Iterator[torch.Tensor]:
        scored_BTH = self.column_score(features_BTC)
        state = self._start(features_BTC)
        tokens_B = torch.zeros(len(features_BTC), dtype=torch.long, device=features_BTC.device)
        for _ in range(self.codec.max_length + 1):
            state = self._step(features_BTC, scored_BTH, tokens_B, state)
            logits_BK = self.output(state[0])
            tokens_B = logits_BK.argmax(1)
            yield logits_BK

    def _start(self, features_BTC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        zeros_BH = features_BTC.new_zeros(len(features_BTC), self.hidden)
        return zeros_BH, zeros_BH

    def _step(
        self,
        features_BTC: torch.Tensor,
        scored_BTH: torch.Tensor,
        tokens_B: torch.Tensor,
        state: tuple[torch.Tensor, torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        scores_BT1 = self.score(torch.tanh(scored_BTH + self.state_score(state[0]).unsqueeze(1)))
        attention_BT1 = scores_BT1.float().softmax(1).to(features_BTC.dtype)
        context_BC = (attention_BT1 * features_BTC).sum(1)
        previous_BK = F.one_hot(tokens_B, self.codec.classes).to(features_BTC.dtype)
        return self.cell(torch.cat([context_BC, previous_BK], 1), state)

    def loss(self, features_BTC: torch.Tensor, texts: list[str]) -> torch.Tensor:
        """Cross-entropy over the characters and the end of the text, padding left out, teacher forcing throughout."""
        tokens_BL = torch.from_numpy(self.codec.encode(texts)[0]).to(features_BTC.device)
        logits_BTK = self(features_BTC, tokens_BL[:, :-1])
        return F.cross_entropy(logits_BTK.float().flatten(0, 1), tokens_BL[:, 1:].flatten(), ignore_index=0)

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights."""
        cell = {"column_score": "i2h", "state_score": "h2h", "score": "score", "cell": "rnn"}
        return {ours: f"attention_cell.{theirs}" for ours, theirs in cell.items()} | {"output": "generator"}
