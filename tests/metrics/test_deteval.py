import numpy as np
import pytest
from drawn_boxes import corners, found, rect, whole_boxes, words
from hypothesis import given, settings

from ocr.metrics.deteval import DetEval, TotalTextDetEval

IC13, POLYGONS, TOTALTEXT = DetEval("ic13"), DetEval("deteval", boxes="polygon"), TotalTextDetEval("totaltext")

# whole-pixel boxes: rect(0, 0, 19, 9) holds 20 x 10 pixels
WORD, FAR = rect(0, 0, 19, 9), rect(300, 300, 19, 9)
LEFT, RIGHT = rect(0, 0, 9, 9), rect(10, 0, 9, 9)

CASES = [
    # detections, words, ignored, (recall credit, words, precision credit, detections), why
    ([WORD], [WORD], (), (1, 1, 1, 1), "identical"),
    ([rect(-4, -1, 27, 11)], [WORD], (), (1, 1, 1, 1), "a generous box is free"),
    ([rect(0, 0, 15, 9)], [WORD], (), (1, 1, 1, 1), "16 of 20 columns are just enough"),
    ([rect(0, 0, 14, 9)], [WORD], (), (0, 1, 0, 1), "15 are not"),
    ([rect(0, 0, 49, 9)], [WORD], (), (1, 1, 1, 1), "the word just fills .4 of it"),
    ([rect(0, 0, 50, 9)], [WORD], (), (0, 1, 0, 1), "and here not"),
    ([LEFT, RIGHT], [WORD], (), (0.8, 1, 1.6, 2), "two halves are a split"),
    ([rect(0, 0, 7, 9), rect(12, 0, 7, 9)], [WORD], (), (0.8, 1, 1.6, 2), "also with a gap of .2"),
    ([rect(0, 0, 6, 9), rect(12, 0, 7, 9)], [WORD], (), (0, 1, 0, 2), "not with more"),
    ([WORD], [LEFT, RIGHT], (), (2, 2, 1, 1), "a merge is not punished"),
    ([WORD, rect(15, 0, 30, 9)], [WORD], (), (1, 1, 1, 2), "a second box that touches: a split with one part left"),
    ([WORD], [WORD, rect(15, 0, 30, 9)], (), (1, 2, 1, 1), "a second word that touches: a merge with one word left"),
    ([WORD], [WORD], (0,), (0, 0, 0, 0), "ignored words take their detections with them"),
    ([WORD, FAR], [WORD, FAR], (1,), (1, 1, 1, 1), "and no others"),
    ([rect(0, 0, 39, 9)], [WORD], (0,), (0, 0, 0, 0), "half of it is more than .4"),
    ([], [WORD], (), (0, 1, 0, 0), "nothing found"),
    ([FAR], [], (), (0, 0, 0, 1), "nothing to find"),
]  # fmt: skip


@pytest.mark.parametrize(("boxes", "truth", "ignored", "wanted", "why"), CASES, ids=[c[-1] for c in CASES])
def test_rules(boxes, truth, ignored, wanted, why):
    row = IC13.row(found(*boxes), words(*truth, ignore=ignored))
    got = (row.recall_credit, row.cared_truth, row.precision_credit, row.cared_detections)
    assert got == pytest.approx(wanted), why


def test_rows_count_splits_and_merges():
    row = IC13.row(found(LEFT, RIGHT, FAR), words(WORD, rect(300, 300, 9, 9), rect(310, 300, 9, 9)))
    assert (row.splits, row.merges) == (1, 1)
    assert [word.detections for word in row.words] == [[0, 1], [2], [2]]
    assert [word.credit for word in row.words] == [0.8, 1, 1]
    assert row.words[0].area_recall == 1
    assert row.false_alarms == []


def test_polygons_are_measured_as_they_are():
    diamond = np.array([[10, 0], [20, 10], [10, 20], [0, 10]], np.float32)
    assert IC13.row(found(rect(0, 0, 20, 20)), words(diamond)).recall_credit == 1
    assert POLYGONS.row(found(diamond), words(diamond)).recall_credit == 1
    assert POLYGONS.row(found(diamond), words(rect(0, 0, 20, 20))).recall_credit == 0


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="boxes='round' is unknown; choose one of upright, polygon"):
        DetEval("mine", boxes="round")
    with pytest.raises(ValueError, match=r"area_recall=8 is outside \[0, 1\]"):
        TotalTextDetEval("mine", area_recall=8)


TOTALTEXT_CASES = [
    ([WORD], [WORD], (), (1, 1, 1, 1), "identical"),
    ([rect(0, 0, 19, 9), rect(15, 0, 30, 9)], [WORD], (), (1, 1, 1, 2), "what touches does not matter for one to one"),
    ([rect(0, 0, 9.5, 9), rect(9.5, 0, 9.5, 9)], [WORD], (), (0.8, 1, 1.6, 2), "a split"),
    ([WORD], [rect(0, 0, 9.5, 9), rect(9.5, 0, 9.5, 9)], (), (1.6, 2, 0.8, 1), "a merge is punished here"),
    ([WORD], [WORD], (0,), (0, 0, 0, 0), "ignored: 171 / 172 of it"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("boxes", "truth", "ignored", "wanted", "why"), TOTALTEXT_CASES, ids=[c[-1] for c in TOTALTEXT_CASES]
)
def test_total_texts_own_rules(boxes, truth, ignored, wanted, why):
    row = TOTALTEXT.row(found(*boxes), words(*truth, ignore=ignored))
    got = (row.recall_credit, row.cared_truth, row.precision_credit, row.cared_detections)
    assert got == pytest.approx(wanted), why


# --- oracles: plain loops over boxes, as the rules read ---------------------------------------------------------------


def pixels(a, b):
    x, y = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
    return x * y if x > 0 and y > 0 else 0


def deteval_oracle(boxes, truth, ignored):
    """Recall credit and precision credit; boxes are (xmin, ymin, xmax, ymax) in whole pixels."""
    recall = [[pixels(w, b) / pixels(w, w) for b in boxes] for w in truth]
    precision = [[pixels(w, b) / pixels(b, b) for b in boxes] for w in truth]
    wanted = [t for t in range(len(truth)) if t not in ignored]
    cared = [d for d in range(len(boxes)) if all(precision[t][d] <= 0.4 for t in ignored)]
    used_words, used_boxes, right, good = set(), set(), 0.0, 0.0

    def fits(t, d):
        return recall[t][d] >= 0.8 and precision[t][d] >= 0.4

    def near(w, b):
        centre = [((x[0] + x[2]) / 2, (x[1] + x[3]) / 2) for x in (w, b)]
        diagonal = [((x[2] - x[0] + 1) ** 2 + (x[3] - x[1] + 1) ** 2) ** 0.5 for x in (w, b)]
        apart = ((centre[0][0] - centre[1][0]) ** 2 + (centre[0][1] - centre[1][1]) ** 2) ** 0.5
        return 2 * apart / sum(diagonal) < 1

    touched = {t: [d for d in cared if recall[t][d] > 0] for t in wanted}
    touching = {d: [t for t in wanted if recall[t][d] > 0] for d in cared}
    for t in wanted:
        for d in cared:
            only = sum(fits(t, e) for e in range(len(boxes))) == 1 and sum(fits(u, d) for u in range(len(truth))) == 1
            if fits(t, d) and only and len(touched[t]) == len(touching[d]) == 1 and near(truth[t], boxes[d]):
                used_words.add(t)
                used_boxes.add(d)
                right, good = right + 1, good + 1
    for t in wanted:
        parts = [d for d in cared if d not in used_boxes and precision[t][d] >= 0.4]
        enough = round(sum(recall[t][d] for d in parts), 4) >= 0.8
        if t not in used_words and enough and len(touched[t]) >= 2:
            credit = 1.0 if len(parts) == 1 else 0.8
            used_words.add(t)
            used_boxes.update(parts)
            right, good = right + credit, good + credit * len(parts)
    for d in cared:
        parts = [t for t in wanted if t not in used_words and recall[t][d] >= 0.8]
        enough = round(sum(precision[t][d] for t in parts), 4) >= 0.4
        if d not in used_boxes and enough and len(touching[d]) >= 2:
            used_boxes.add(d)
            used_words.update(parts)
            right, good = right + len(parts), good + 1
    return right, len(wanted), good, len(cared)


def sums(row):
    return row.recall_credit, row.cared_truth, row.precision_credit, row.cared_detections


@settings(max_examples=120)
@given(whole_boxes(), whole_boxes())
def test_deteval_agrees_with_the_slow_oracle(boxes, truth):
    ignored = {i for i, w in enumerate(truth) if (w[0] + w[2]) % 3 == 0}
    row = IC13.row(found(*map(corners, boxes)), words(*map(corners, truth), ignore=ignored))
    assert sums(row) == pytest.approx(deteval_oracle(boxes, truth, ignored))


def overlap(a, b):
    x, y = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return x * y if x > 0 and y > 0 else 0


def totaltext_oracle(boxes, truth, ignored):
    kept = [b for b in boxes if all(overlap(truth[t], b) / (overlap(b, b) + 1) <= 0.5 for t in ignored)]
    wanted = [w for t, w in enumerate(truth) if t not in ignored]
    sigma = [[float(np.round(overlap(w, b) / overlap(w, w), 2)) for b in kept] for w in wanted]
    tau = [[float(np.round(overlap(w, b) / overlap(b, b), 2)) for b in kept] for w in wanted]
    words_done, boxes_done, right, good = [False] * len(wanted), [False] * len(kept), 0.0, 0.0
    for t in range(len(wanted)):
        holders = [d for d in range(len(kept)) if sigma[t][d] > 0.7]
        if len(holders) == 1 and sum(x > 0.6 for x in tau[t]) == 1:
            words_done[t] = boxes_done[holders[0]] = True
            right, good = right + 1, good + 1
    for t in range(len(wanted)):
        if words_done[t] or sum(x > 0 for x in sigma[t]) < 2:
            continue
        parts = [d for d in range(len(kept)) if tau[t][d] >= 0.6 and not boxes_done[d]]
        if sum(sigma[t][d] for d in parts) >= 0.7:
            credit = 1.0 if len(parts) == 1 else 0.8
            right, good, words_done[t] = right + credit, good + credit * len(parts), True
            for d in parts:
                boxes_done[d] = True
    for d in range(len(kept)):
        if boxes_done[d] or sum(row[d] > 0 for row in tau) < 2:
            continue
        parts = [t for t in range(len(wanted)) if sigma[t][d] >= 0.6 and not words_done[t]]
        one = len(parts) == 1 and tau[parts[0]][d] >= 0.6 and sigma[parts[0]][d] >= 0.7
        if one or (len(parts) > 1 and sum(tau[t][d] for t in parts) >= 0.6):
            credit = 1.0 if one else 0.8
            right, good, boxes_done[d] = right + credit * len(parts), good + credit, True
            for t in parts:
                words_done[t] = True
    return right, len(wanted), good, len(kept)


@settings(max_examples=120)
@given(whole_boxes(), whole_boxes())
def test_total_texts_variant_agrees_with_the_slow_oracle(boxes, truth):
    ignored = {i for i, w in enumerate(truth) if (w[0] + w[2]) % 3 == 0}
    row = TOTALTEXT.row(found(*map(corners, boxes)), words(*map(corners, truth), ignore=ignored))
    assert sums(row) == pytest.approx(totaltext_oracle(boxes, truth, ignored))
