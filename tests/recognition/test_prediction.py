from itertools import product

import numpy as np
import pytest
import torch

from ocr.charset import Charset
from ocr.recognition.pred import CTC, Attention


def collapsed(path):
    return tuple(c for i, c in enumerate(path) if c != 0 and (i == 0 or path[i - 1] != c))


def test_ctc_loss_sums_all_paths():
    torch.manual_seed(0)
    stage = CTC(5, Charset("ab"), max_length=3, time_steps=4)
    features = torch.randn(2, 4, 5)
    probabilities = stage(features).softmax(2).detach().numpy()
    texts = ["ab", "bb"]
    expected = []
    for row, text in zip(probabilities, texts, strict=True):
        target = tuple("-ab".index(c) for c in text)
        paths = [p for p in product(range(3), repeat=4) if collapsed(p) == target]
        expected.append(-np.log(sum(np.prod([row[t, c] for t, c in enumerate(path)]) for path in paths)) / len(text))
    assert stage.loss(features, texts).item() == pytest.approx(np.mean(expected), rel=1e-5)


def attention(hidden=6, max_length=4):
    torch.manual_seed(1)
    stage = Attention(5, Charset("abc"), max_length=max_length, time_steps=7, hidden=hidden)
    return stage, torch.randn(3, 7, 5)


def test_attention_loss_is_the_cross_entropy_of_characters_and_end():
    stage, features = attention()
    texts = ["abc", "", "b"]
    go, end = 0, 1
    total = []
    for features_TC, text in zip(features, texts, strict=True):
        tokens = [go, *(2 + "abc".index(c) for c in text), end]
        logits = stage(features_TC[None], torch.tensor([tokens[:-1]]))[0].log_softmax(1)
        total += [-logits[i, token].item() for i, token in enumerate(tokens[1:])]
    assert stage.loss(features, texts).item() == pytest.approx(np.mean(total), rel=1e-5)


def test_greedy_attention_agrees_with_being_forced_its_own_tokens():
    stage, features = attention()
    with torch.no_grad():
        greedy = stage(features)
        tokens = torch.cat([torch.zeros(3, 1, dtype=torch.long), greedy.argmax(2)[:, :-1]], 1)
        forced = stage(features, tokens)
    assert greedy.shape == (3, 5, 5)
    torch.testing.assert_close(forced, greedy)


def test_one_attention_step_by_the_formulas():
    """RARE, equations 5 to 8, spelt out for the first step."""
    stage, features = attention()
    p = {k: v.detach().numpy() for k, v in stage.state_dict().items()}
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    for b, x in enumerate(features.numpy()):
        e = np.tanh(x @ p["column_score.weight"].T + p["state_score.bias"]) @ p["score.weight"].T
        alpha = np.exp(e) / np.exp(e).sum()
        cell_input = np.concatenate([(alpha * x).sum(0), [1, 0, 0, 0, 0]])
        gates = p["cell.weight_ih"] @ cell_input + p["cell.bias_ih"] + p["cell.bias_hh"]
        i, _, g, o = np.split(gates, 4)
        h = sigmoid(o) * np.tanh(sigmoid(i) * np.tanh(g))
        expected = p["output.weight"] @ h + p["output.bias"]
        np.testing.assert_allclose(stage(features)[b, 0].detach().numpy(), expected, atol=1e-5)
