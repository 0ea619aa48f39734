import math

import numpy as np
import pytest
from drawn_boxes import area, common_area, found, quads, rect, words
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ocr.metrics.iou import BoxProtocol

IC15 = BoxProtocol("ic15_iou")


A, B, FAR = rect(0, 0, 20, 10), rect(40, 0, 20, 10), rect(500, 500, 20, 10)
BOW_TIE = [[0, 0], [20, 10], [20, 0], [0, 10]]
EIGHT = [[0, 0], [20, 0], [20, 10], [12, 10], [12, -10], [0, -10]]

CASES = [
    # detections, words, ignored, (matches, cared words, cared detections, crossing), why
    ([A], [A], (), (1, 1, 1, 0), "identical"),
    ([rect(0, 0, 20, 5)], [A], (), (0, 1, 1, 0), "IoU of exactly one half is not enough"),
    ([rect(0, 0, 20, 5.1)], [A], (), (1, 1, 1, 0), "a little more than one half is"),
    ([A, A], [A], (), (1, 1, 2, 0), "a word is found once: the double is a false alarm"),
    ([A], [A, A], (), (1, 2, 1, 0), "a detection finds one word"),
    ([rect(0, 0, 60, 10)], [A, B], (), (0, 2, 1, 0), "one box over two words finds neither"),
    ([rect(0, 0, 10, 10), rect(10, 0, 10, 10)], [A], (), (0, 1, 2, 0), "halves of a word do not count"),
    ([], [A], (), (0, 1, 0, 0), "nothing found"),
    ([A], [], (), (0, 0, 1, 0), "nothing to find"),
    ([], [], (), (0, 0, 0, 0), "an empty picture"),
    ([A], [A], (0,), (0, 0, 0, 0), "a do-not-care word neither counts nor costs"),
    ([rect(0, 0, 20, 5)], [A], (0,), (0, 0, 0, 0), "inside a do-not-care region: removed, however small its IoU"),
    ([rect(0, 0, 40, 10)], [A], (0,), (0, 0, 1, 0), "exactly half of its area inside is not enough to be removed"),
    ([A], [A, A], (1,), (0, 1, 0, 0), "a detection in a do-not-care region cannot find the word below it"),
    ([BOW_TIE], [A], (), (0, 1, 0, 1), "a self-crossing detection does not count"),
    ([A], [BOW_TIE], (), (0, 1, 1, 0), "a self-crossing word is half of its rectangle, by the even-odd rule"),
    ([[[0, 0], [20, 10], [0, 10]]], [BOW_TIE], (), (0, 1, 1, 0), "and overlaps a triangle by a third"),
    ([[[0, 0], [5, 0], [20, 0]]], [A], (), (0, 1, 0, 1), "a line does not count"),
    ([[[3, 3]]], [[[3, 3]]], (), (0, 1, 0, 1), "a point as a word stays missed"),
    ([A], [[[0, 0], [9, 9]]], (0,), (0, 0, 1, 0), "a do-not-care region without area removes nothing"),
    ([np.concatenate([A, A[:1]])], [A], (), (1, 1, 1, 0), "a repeated first point changes nothing"),
    ([A[::-1]], [A], (), (1, 1, 1, 0), "the sense of rotation does not matter"),
]  # fmt: skip


@pytest.mark.parametrize(("boxes", "truth", "ignored", "wanted", "why"), CASES, ids=[c[-1] for c in CASES])
def test_rules(boxes, truth, ignored, wanted, why):
    row = IC15.row(found(*boxes), words(*truth, ignore=ignored))
    assert (row.matches, row.cared_truth, row.cared_detections, row.crossing) == wanted, why
    assert len(row.false_alarms) == row.cared_detections - row.matches


CLIPPED = [
    ([EIGHT], [rect(12, 0, 8, 10)], (1, 1, 1, 1), "loops of opposite sense cancel: area 40, common area 80"),
    ([EIGHT], [rect(0, 0, 12, 10)], (0, 1, 1, 1), "what no loop encloses is not common"),
    ([A], [BOW_TIE], (1, 1, 1, 0), "a bow tie has no area, and half of its rectangle in common with it"),
    ([[[0, 0], [5, 0], [20, 0]]], [A], (0, 1, 1, 1), "a line is a false alarm"),
]  # fmt: skip


@pytest.mark.parametrize(("boxes", "truth", "wanted", "why"), CLIPPED, ids=[c[-1] for c in CLIPPED])
def test_self_crossing_outlines_as_the_clipper_has_them(boxes, truth, wanted, why):
    row = BoxProtocol("iou", crossing="clip").row(found(*boxes), words(*truth))
    assert (row.matches, row.cared_truth, row.cared_detections, row.crossing) == wanted, why
    assert all(word.iou <= 1 for word in row.words)


def test_first_detection_wins_not_the_best():
    loose = rect(0, 0, 20, 7)
    row = IC15.row(found(loose, A), words(A))
    assert row.words[0].detections == [0]
    assert row.words[0].iou == pytest.approx(0.7)
    assert row.false_alarms == [1]


def test_rows_tell_each_words_fate():
    near = rect(40, 0, 8, 10)
    row = IC15.row(found(rect(0, 0, 20, 8), near), words(A, B, FAR), key="set/1")
    assert row.key == "set/1"
    hit, miss, lost = row.words
    assert (hit.found, hit.iou, hit.area_recall, hit.height) == (True, pytest.approx(0.8), pytest.approx(0.8), 10)
    assert (miss.found, miss.iou, miss.detections) == (False, pytest.approx(0.4), [])
    assert (lost.found, lost.iou, lost.area_recall) == (False, 0, 0)


def test_counts_are_summed_before_anything_is_divided():
    result = IC15([(found(A), words(A)), (found(B, FAR, A), words(B, A, rect(90, 90, 9, 9), rect(70, 70, 9, 9)))])
    assert (result.recall, result.precision) == (3 / 5, 3 / 4)
    assert result.hmean == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    assert result.area_recall == 1
    scores = result.scores("toy")
    assert [(s.metric, s.n) for s in scores] == [("recall", 5), ("precision", 4), ("hmean", 5), ("area_recall", 3)]
    assert all(s.low <= s.value <= s.high for s in scores)


def test_no_words_and_no_detections_score_zero_without_interval():
    result = IC15([(found(), words()), (found(), words(A, ignore=[0]))])
    assert (result.recall, result.precision, result.hmean) == (0, 0, 0)
    assert all(s.low is None for s in result.scores("toy"))


def test_recall_by_word_height():
    heights = [4, 8, 11.5, 12, 19, 20, 39, 41, 300]
    truth = words(*[rect(0, 1000 * i, 50, h) for i, h in enumerate(heights)])
    boxes = found(*[w.polygon for w, h in zip(truth, heights, strict=True) if h not in (8, 300)])
    bins = IC15([(boxes, truth)]).by_height()
    assert [(b.label, b.credit, b.n) for b in bins] == [
        ("< 8 px", 1, 1),
        ("8-12 px", 1, 2),
        ("12-20 px", 2, 2),
        ("20-40 px", 2, 2),
        ("> 40 px", 1, 2),
    ]
    assert bins[1].recall == 0.5
    assert bins[1].interval[0] < 0.5 < bins[1].interval[1]


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"set/3, detections, polygon 1.*not finite"):
        IC15.row(found(A, [[0, 0], [1, math.nan], [1, 1]]), words(A), key="set/3")
    with pytest.raises(ValueError, match="no picture to score"):
        IC15([])
    with pytest.raises(ValueError, match="crossing='keep' is unknown; choose one of drop, clip"):
        BoxProtocol("mine", crossing="keep")
    with pytest.raises(ValueError, match=r"iou=1.5 is outside \[0, 1\)"):
        BoxProtocol("mine", iou=1.5)


def test_many_pointed_outlines_are_handled():
    t = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    circle = np.stack([500 + 200 * np.cos(t), 500 + 200 * np.sin(t)], axis=1)
    assert IC15.row(found(circle), words(circle)).matches == 1


# --- against an independent oracle: Sutherland-Hodgman clipping, shoelace areas, plain loops --------------------------


def oracle(boxes, truth, ignored):
    """Matches, cared words, cared detections; None where a decision hangs by a thread."""
    close = False
    cared = []
    for box in boxes:
        shares = [common_area(box, truth[i]) / area(box) for i in ignored]
        close |= any(abs(s - 0.5) < 1e-4 for s in shares)
        cared.append(not any(s > 0.5 for s in shares))
    taken, matches = set(), 0
    for i, word in enumerate(truth):
        if i in ignored:
            continue
        for j, box in enumerate(boxes):
            common = common_area(box, word)
            iou = common / (area(word) + area(box) - common)
            close |= abs(iou - 0.5) < 1e-4
            if iou > 0.5 and cared[j] and j not in taken:
                taken.add(j)
                matches += 1
                break
    return None if close else (matches, len(truth) - len(ignored), sum(cared))


@settings(max_examples=120)
@given(quads(), quads(), st.data())
def test_matching_agrees_with_the_slow_oracle(boxes, truth, data):
    ignored = data.draw(st.sets(st.integers(0, len(truth) - 1))) if truth else set()
    wanted = oracle(boxes, truth, ignored)
    assume(wanted is not None)
    row = IC15.row(found(*boxes), words(*truth, ignore=ignored))
    assert (row.matches, row.cared_truth, row.cared_detections) == wanted


@given(quads(), st.randoms(use_true_random=False))
def test_the_truth_as_its_own_submission_is_perfect_in_the_order_given(truth, random):
    assume(truth)
    result = IC15([(found(*truth), words(*truth))])
    assert result.recall == result.precision == result.hmean == 1


@given(quads(), quads())
def test_removing_a_detection_never_finds_more(boxes, truth):
    whole = IC15.row(found(*boxes), words(*truth)).matches
    for i in range(len(boxes)):
        fewer = IC15.row(found(*boxes[:i], *boxes[i + 1 :]), words(*truth)).matches
        assert whole - 1 <= fewer <= whole


@given(quads(), quads(), st.randoms(use_true_random=False))
def test_order_does_not_matter_where_no_box_has_two_partners(boxes, truth, random):
    def partners(a, b):
        return sum(IC15.row(found(a), words(other)).matches for other in b)

    assume(all(partners(box, truth) <= 1 for box in boxes) and all(partners(word, boxes) <= 1 for word in truth))
    matches = IC15.row(found(*boxes), words(*truth)).matches
    assert IC15.row(found(*truth), words(*boxes)).matches == matches
    random.shuffle(boxes)
    random.shuffle(truth)
    assert IC15.row(found(*boxes), words(*truth)).matches == matches
