import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ocr.charset import Charset
from ocr.recognition.codec import AttentionCodec, CTCCodec, steps_needed

FULL = Charset.from_spec("full94")
full_texts = st.text(FULL.characters, max_size=25)


def path_of(classes):
    """A CTC path: a blank between equal neighbours, every character held for two frames."""
    path = []
    for i, c in enumerate(classes):
        path += [0] * (i > 0 and classes[i - 1] == c) + [c, c]
    return path


@given(st.lists(full_texts, max_size=4))
def test_ctc_round_trip(texts):
    codec = CTCCodec(FULL, 25, 60)
    targets, lengths = codec.encode(texts)
    assert targets.dtype == lengths.dtype == np.int64
    assert targets.shape == (len(texts), max(map(len, texts), default=0))
    for text, row, length in zip(texts, targets, lengths, strict=True):
        assert length == len(text)
        assert (row[length:] == 0).all()
        path = np.array([[*path_of(row[:length].tolist()), 0]])
        assert codec.decode(path, np.ones(path.shape, np.float32))[0].text == text


@given(st.lists(full_texts, max_size=4))
def test_attention_round_trip(texts):
    codec = AttentionCodec(FULL, 25)
    tokens, lengths = codec.encode(texts)
    assert tokens.shape == (len(texts), max(map(len, texts)) + 2 if texts else 0)
    for text, row, length in zip(texts, tokens, lengths, strict=True):
        assert row[0] == 0
        assert row[length + 1] == codec.end
        assert (row[length + 2 :] == 0).all()
        assert codec.decode(row[None, 1:], np.ones((1, len(row) - 1), np.float32))[0].text == text


def test_tokens_are_numbered_as_in_the_published_weights():
    charset = Charset.from_spec("digits_lower")
    ctc, attention = CTCCodec(charset, 25, 26), AttentionCodec(charset, 25)
    assert (ctc.classes, attention.classes) == (37, 38)
    assert ctc.encode(["0Z"])[0].tolist() == [[1, 36]]
    assert attention.encode(["0Z", ""])[0].tolist() == [[0, 2, 37, 1], [0, 1, 0, 0]]


@given(st.text("ab", max_size=7), st.integers(1, 8))
def test_infeasible_is_what_torch_calls_infinite(text, steps):
    codec = CTCCodec(Charset("ab"), 7, steps)
    if not text:
        assert codec.reject(text) == "empty"
        return
    targets, lengths = codec.encode([text])
    log_probabilities = torch.zeros(steps, 1, 3).log_softmax(2)
    loss = torch.nn.functional.ctc_loss(
        log_probabilities, torch.from_numpy(targets), torch.tensor([steps]), torch.from_numpy(lengths), reduction="none"
    )
    assert (codec.reject(text) == "CTC infeasible") == bool(torch.isinf(loss).any())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("naïve", "out of charset"),
        ("a b", "out of charset"),
        ("x" * 27, "too long"),
        ("a" * 13, "CTC infeasible"),
        ("abcdefghijklmnopqrstuvwxy", "CTC infeasible"),
        ("abcdefghijklmnopqrstuvwx", None),
        ("HELLO", None),
    ],
)
def test_reasons_for_rejecting_a_label(text, reason):
    """VGG gives 24 columns for pictures 100 wide: a label of 25 characters, which the paper lets in, can never be learnt."""
    charset = Charset.from_spec("digits_lower")
    assert CTCCodec(charset, 25, 24).reject(text) == reason
    assert AttentionCodec(charset, 25).reject(text) == (None if reason == "CTC infeasible" else reason)


def test_steps_needed_counts_repeats():
    assert [steps_needed(t) for t in ("", "a", "ab", "aa", "aabba")] == [0, 1, 2, 3, 7]


def test_unlearnable_labels_raise_instead_of_training_on_something_else():
    codec = CTCCodec(Charset.from_spec("digits_lower"), 5, 24)
    with pytest.raises(ValueError, match="'ü' outside the charset"):
        codec.encode(["ok", "fünf"])
    with pytest.raises(ValueError, match="6 characters, max_length is 5"):
        codec.encode(["sixsix"])


def test_codecs_travel_to_spawned_workers():
    codec = pickle.loads(pickle.dumps(AttentionCodec(FULL, 25)))
    assert codec.encode(["a]"])[0].tolist() == AttentionCodec(FULL, 25).encode(["a]"])[0].tolist()
