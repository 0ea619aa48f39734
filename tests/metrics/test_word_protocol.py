import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.metrics.words import WordProtocol, similarity
from ocr.types import Reading

CASE36 = WordProtocol("case36", keep="ascii_alphanumeric", lower=True, drop_space=True)
CASE62 = WordProtocol("case62", keep="ascii_alphanumeric", drop_space=True)
FULL94 = WordProtocol("full94")
UNICODE = WordProtocol("unicode", nfkc=True, drop_space=True)
PLATES = WordProtocol("plates", keep="ascii_alphanumeric", lower=True, drop_space=True, o_as_zero=True)
LETTERS = WordProtocol("letters", keep="alphanumeric", lower=True)
ALL = [CASE36, CASE62, FULL94, UNICODE, PLATES, LETTERS]

FOLDED = [
    (CASE36, "It's 5!", "its5", "case, punctuation and spaces do not count"),
    (CASE36, "café", "caf", "a letter outside a-z is dropped, not turned into its base letter"),
    (CASE36, "!?", "", "a label may fold to nothing"),
    (CASE62, "It's 5!", "Its5", "case counts"),
    (FULL94, "It's 5!", "It's 5!", "everything counts"),
    (FULL94, "cafe\u0301", "café", "composed and decomposed letters are the same letter"),
    (UNICODE, "ＡＢ１ ｶﾞ", "AB1ガ", "full and half width are equal, white space is dropped"),
    (UNICODE, "한\u3000국", "한국", "the ideographic space is white space"),
    (UNICODE, "Ab", "Ab", "case counts"),
    (PLATES, "BO0-o7", "b0007", "O is read as 0, the dash is dropped"),
    (LETTERS, "Ñandú, कि 7!", "ñandúकि7", "letters of any script with their vowel signs"),
]


@pytest.mark.parametrize(("protocol", "text", "folded", "reason"), FOLDED, ids=[f[3] for f in FOLDED])
def test_folding(protocol, text, folded, reason):
    assert protocol.fold(text) == folded, reason


@pytest.mark.parametrize("protocol", ALL, ids=lambda p: p.name)
@given(text=st.text(max_size=30))
def test_folding_twice_changes_nothing_and_says_what_it_kept(protocol, text):
    folded = protocol.fold(text)
    assert protocol.fold(folded) == folded
    if protocol.drop_space:
        assert not any(c.isspace() for c in folded)
    if protocol.keep == "ascii_alphanumeric":
        assert folded.isascii()
        assert folded.isalnum() or not folded
    if protocol.o_as_zero:
        assert "o" not in folded.lower()


@given(st.text(max_size=30))
def test_a_text_always_matches_itself_in_any_normal_form(text):
    for protocol in ALL:
        row = protocol.row(text, Reading(unicodedata.normalize("NFD", text), 0.5))
        assert row.correct
        assert row.ned == 1


def edit_distance(a: str, b: str) -> int:
    before = list(range(len(b) + 1))
    for i, x in enumerate(a):
        after = [i + 1]
        for j, y in enumerate(b):
            after.append(min(before[j + 1] + 1, after[j] + 1, before[j] + (x != y)))
        before = after
    return before[-1]


@given(st.text("ab한", max_size=8), st.text("ab한", max_size=8))
def test_similarity_agrees_with_the_textbook(a, b):
    wanted = 1 - edit_distance(a, b) / max(len(a), len(b)) if a or b else 1
    assert similarity(a, b) == pytest.approx(wanted, abs=1e-12)


def test_empty_texts_are_alike_and_unlike_anything_else():
    assert similarity("", "") == 1
    assert similarity("", "a") == similarity("a", "") == 0


def test_every_label_counts():
    pairs = [
        ("Hello", Reading("hello!", 0.9)),
        ("!!!", Reading("", 0.1)),
        ("???", Reading("a", 0.2)),
        ("é", Reading("e", 0.3)),
    ]
    result = CASE36(pairs)
    assert result.n == 4
    assert result.empty == 3
    assert [row.correct for row in result.rows] == [True, True, False, False]
    assert result.word_accuracy == 0.5
    assert result.ned == 0.5


def test_rows_keep_what_is_needed_to_look_at_errors():
    row = CASE36.row("Stop!", Reading("st0p", 0.25), key="iiit5k/7", width=64, height=20)
    assert (row.key, row.truth, row.truth_folded, row.prediction, row.prediction_folded) == (
        "iiit5k/7",
        "Stop!",
        "stop",
        "st0p",
        "st0p",
    )
    assert (row.correct, row.ned, row.confidence, row.width, row.height, row.length) == (False, 0.75, 0.25, 64, 20, 4)


def test_scores_carry_protocol_n_and_intervals():
    result = CASE36(
        [("ab", Reading("ab", 1)), ("ab", Reading("ac", 1)), ("ab", Reading("ab", 1)), ("ab", Reading("xy", 1))]
    )
    accuracy, ned, cer, *confidence = result.scores("svt")
    assert (accuracy.set, accuracy.protocol, accuracy.metric, accuracy.value, accuracy.n) == (
        "svt",
        "case36",
        "word_accuracy",
        0.5,
        4,
    )
    assert (ned.metric, ned.value) == ("1-NED", 0.625)
    assert (cer.metric, cer.value) == ("CER", 3 / 8)
    assert [(s.metric, s.value, s.low) for s in confidence] == [("ECE", 0.5, None), ("AURC", 0.5, None)]
    for score in (accuracy, ned, cer):
        assert 0 <= score.low < score.value < score.high <= 1


def test_character_errors_weigh_characters_not_words():
    pairs = [("a", Reading("b", 1)), ("abcdefghi", Reading("abcdefghi", 1)), ("--", Reading("xyz", 1))]
    assert CASE36(pairs).cer == pytest.approx((1 + 0 + 3) / 10)
    assert "CER" not in [score.metric for score in CASE36(pairs[2:]).scores("")]


def test_nothing_to_score_and_unknown_folding_are_refused():
    with pytest.raises(ValueError, match="no word to score"):
        CASE36([])
    with pytest.raises(ValueError, match=r"keep='ascii'.*ascii_alphanumeric, alphanumeric, all"):
        WordProtocol("mine", keep="ascii")
