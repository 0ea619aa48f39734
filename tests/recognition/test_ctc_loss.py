"""The loss over the characters of each text against the library's own over all classes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from ocr.recognition.ctc_loss import ctc_loss


def over_all_classes(logits_BTK, targets_BS, columns_B, lengths_B):
    log_probabilities_TBK = logits_BTK.log_softmax(2).transpose(0, 1)
    return F.ctc_loss(log_probabilities_TBK, targets_BS, columns_B, lengths_B, zero_infinity=True)


def of(way, logits_BTK, texts, columns):
    """Loss and gradient of the logits, the loss weighted as in a sum with others."""
    lengths_B = torch.tensor([len(text) for text in texts])
    targets_BS = torch.zeros(len(texts), max(map(len, texts)), dtype=torch.long)
    for row, text in zip(targets_BS, texts, strict=True):
        row[: len(text)] = torch.tensor(text, dtype=torch.long)
    leaf = logits_BTK.clone().requires_grad_()
    loss = way(leaf, targets_BS, torch.tensor(columns), lengths_B)
    (0.7 * loss).backward()
    return loss.detach(), leaf.grad


@given(st.data())
def test_loss_and_gradient_are_those_over_all_classes(data):
    """Texts with repetitions, empty ones, and ones too long for their columns among them."""
    steps, classes = data.draw(st.integers(1, 9)), data.draw(st.integers(2, 6))
    text = st.lists(st.integers(1, classes - 1), max_size=7)
    texts = data.draw(st.lists(text, min_size=1, max_size=4))
    columns = data.draw(st.lists(st.integers(1, steps), min_size=len(texts), max_size=len(texts)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    logits_BTK = torch.from_numpy(rng.normal(0, 4, (len(texts), steps, classes)))
    expected = of(over_all_classes, logits_BTK, texts, columns)
    torch.testing.assert_close(of(ctc_loss, logits_BTK, texts, columns), expected)


def test_thousands_of_classes_in_half_precision():
    rng = np.random.default_rng(0)
    logits_BTK = torch.from_numpy(rng.normal(0, 3, (3, 20, 5000))).bfloat16()
    texts = [[4999, 4999, 7], [], [1, 2, 1, 2, 3000, 1]]
    loss, gradient = of(ctc_loss, logits_BTK, texts, [20, 20, 13])
    expected, expected_gradient = of(over_all_classes, logits_BTK.float(), texts, [20, 20, 13])
    assert (loss.dtype, gradient.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient.float(), expected_gradient, rtol=2**-8, atol=1e-7)


def test_a_character_of_vanishing_probability_has_a_finite_loss():
    logits_BTK = torch.zeros(1, 2, 3)
    logits_BTK[..., 0] = 400
    loss, gradient = of(ctc_loss, logits_BTK, [[1, 2]], [2])
    assert loss == pytest.approx(400)
    torch.testing.assert_close((loss, gradient), of(over_all_classes, logits_BTK, [[1, 2]], [2]))


def test_a_score_that_is_not_a_number_is_not_hidden():
    logits_BTK = torch.zeros(2, 3, 4)
    logits_BTK[1, 1, 3] = torch.nan
    loss, _ = of(ctc_loss, logits_BTK, [[1], [2]], [3, 3])
    assert loss.isnan()
