"""Calibration error and risk–coverage against slow loops; empty readings and broken confidences never crash."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.metrics.calibration import area_under_risk_coverage, coverage_bins, expected_calibration_error, risk_coverage
from ocr.metrics.words import WordProtocol
from ocr.recognition.decode import best_path, until_end
from ocr.types import Reading

PAIRS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.6, 0.95, 1.0]), st.booleans()), min_size=1, max_size=9
)


@given(PAIRS, st.integers(1, 20))
def test_calibration_error_agrees_with_going_through_the_bins(pairs: list[tuple[float, bool]], bins: int) -> None:
    wanted = 0.0
    for b in range(bins):
        inside = [(c, r) for c, r in pairs if (b / bins < c <= (b + 1) / bins) or (b == 0 and c == 0)]
        if inside:
            gap = np.mean([c for c, _ in inside]) - np.mean([r for _, r in inside])
            wanted += len(inside) / len(pairs) * abs(gap)
    assert expected_calibration_error(*zip(*pairs, strict=True), bins=bins) == pytest.approx(wanted, abs=1e-9)


@given(PAIRS)
def test_risk_coverage_is_the_mean_over_orders_of_equals(pairs: list[tuple[float, bool]]) -> None:
    rng = np.random.default_rng(0)
    confidence, correct = (np.array(column) for column in zip(*pairs, strict=True))
    coverage, risk = risk_coverage(confidence, correct)
    np.testing.assert_allclose(coverage, np.arange(1, len(pairs) + 1) / len(pairs))
    orders = [np.lexsort((rng.random(len(pairs)), -confidence)) for _ in range(400)]
    risks = np.mean([np.cumsum(~correct[order]) / np.arange(1, len(pairs) + 1) for order in orders], axis=0)
    np.testing.assert_allclose(risk, risks, atol=0.12)
    assert risk[-1] == pytest.approx(np.mean(~correct))
    assert area_under_risk_coverage(confidence, correct) == pytest.approx(risk.mean())


def test_a_confidence_that_finds_the_errors_has_less_area_than_one_that_does_not() -> None:
    right = np.array([True] * 90 + [False] * 10)
    assert area_under_risk_coverage(right, right) == pytest.approx(sum(k / (90 + k) for k in range(1, 11)) / 100)
    assert area_under_risk_coverage(np.full(100, 0.5), right) == pytest.approx(0.1)
    assert area_under_risk_coverage(1 - right, right) > 0.1
    assert area_under_risk_coverage(np.ones(5), np.ones(5)) == 0


def test_perfect_and_hopeless_calibration() -> None:
    rng = np.random.default_rng(1)
    sure = rng.random(200_000)
    assert expected_calibration_error(sure, rng.random(200_000) < sure) < 0.01
    assert expected_calibration_error(np.ones(10), np.zeros(10)) == 1


def test_coverage_bins_hold_the_accuracy_of_the_surest() -> None:
    sure = np.linspace(1, 0, 10)
    right = np.array([True] * 7 + [False, True, False])
    bins = {b.label: (round(b.recall, 9), b.n) for b in coverage_bins(sure, right)}
    assert bins == {
        "surest 50%": (1.0, 5),
        "surest 80%": (0.875, 8),
        "surest 90%": (round(8 / 9, 9), 9),
        "surest 95%": (0.8, 10),
        "surest 100%": (0.8, 10),
    }
    assert coverage_bins([0.3], [True])[0].n == 1


def test_nothing_and_unequal_lengths_are_refused() -> None:
    for function in (expected_calibration_error, area_under_risk_coverage):
        with pytest.raises(ValueError, match="give two lists of one length, not empty"):
            function([], [])
        with pytest.raises(ValueError, match="give two lists of one length"):
            function([0.5, 0.5], [True])


def test_empty_readings_of_both_decoders_have_a_confidence_and_a_score() -> None:
    ids, sure = np.zeros(5, np.int64), np.array([0.9, 0.8, 0.7, 0.99, 0.6], np.float32)
    nothing = np.zeros(0, np.int64)
    readings = [
        best_path(ids, sure, ["", "a"]),
        best_path(nothing, nothing.astype(np.float32), ["", "a"]),
        until_end(np.array([1, 0]), np.array([0.7, 0.2], np.float32), ["", "", "a"]),
        until_end(nothing, nothing.astype(np.float32), ["", "", "a"]),
        Reading("", 0.0),
        Reading("", float("nan")),
    ]
    assert [r.text for r in readings] == [""] * 6
    assert [r.confidence for r in readings[:4]] == pytest.approx([0.6, 1.0, 0.7, 1.0])
    scores = {s.metric: s.value for s in WordProtocol("full94")([("", r) for r in readings]).scores("x")}
    assert all(np.isfinite(value) for value in scores.values())
    assert scores["word_accuracy"] == 1


def test_confidence_is_per_emitted_symbol_and_counts_the_end_of_text() -> None:
    # a frame of blank between, of low probability, says nothing about the text
    ctc = best_path(np.array([1, 1, 0, 2]), np.array([0.5, 0.8, 0.3, 0.9], np.float32), ["", "a", "b"])
    assert (ctc.text, ctc.characters) == ("ab", pytest.approx([0.8, 0.9]))
    assert ctc.confidence == pytest.approx(0.72)
    attention = until_end(np.array([2, 3, 1, 2]), np.array([0.8, 0.9, 0.5, 0.1], np.float32), ["", "", "a", "b"])
    assert (attention.text, attention.characters) == ("ab", pytest.approx([0.8, 0.9]))
    assert attention.confidence == pytest.approx(0.36)
