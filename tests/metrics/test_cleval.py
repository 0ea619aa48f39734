import numpy as np
import pytest
from drawn_boxes import corners, found, rect, whole_boxes, words
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.metrics.cleval import CLEval, longest_common
from ocr.metrics.tedeval import TedEval
from ocr.types import SceneWord

CLEVAL, READ, TEDEVAL = CLEval("cleval"), CLEval("cleval_e2e", texts=True), TedEval("tedeval")

WORD, FAR = rect(0, 0, 40, 10), rect(300, 300, 40, 10)
LEFT, RIGHT = rect(0, 0, 20, 10), rect(20, 0, 20, 10)

CASES = [
    # detections, words, ignored, (found - penalties, characters, the same for precision, characters in detections), why
    ([WORD], [WORD], (), (4, 4, 4, 4), "four characters of four"),
    ([rect(0, 0, 29, 10)], [WORD], (), (3, 4, 3, 3), "the last centre is at 35"),
    ([LEFT, RIGHT], [WORD], (), (3, 4, 4, 4), "a split costs one of recall"),
    ([LEFT, rect(10, 0, 30, 10)], [WORD], (), (3, 4, 4, 5), "a character found twice is counted twice in precision"),
    ([rect(0, 0, 80, 10)], [WORD, rect(40, 0, 40, 10)], (), (8, 8, 7, 8), "a merge costs one of precision"),
    ([rect(0, -10, 40, 34)], [WORD], (), (0, 4, 0, 1), "a word that fills less than .3 of a box is not found"),
    ([FAR], [WORD], (), (0, 4, 0, 1), "a false alarm holds one character"),
    ([rect(300, 300, 10, 40)], [WORD], (), (0, 4, 0, 4), "a tall one more: 0.5 + 4, rounded to even"),
    ([WORD], [WORD], (0,), (0, 0, 0, 0), "ignored"),
    ([WORD], [WORD, rect(0, 0, 60, 10)], (1,), (4, 4, 4, 4), "an ignored region loses what a word covers of it"),
    ([], [WORD], (), (0, 4, 0, 0), "nothing found"),
]  # fmt: skip


def sums(row):
    return row.recall_credit, row.cared_truth, row.precision_credit, row.cared_detections


@pytest.mark.parametrize(("boxes", "truth", "ignored", "wanted", "why"), CASES, ids=[c[-1] for c in CASES])
def test_characters_found(boxes, truth, ignored, wanted, why):
    assert sums(CLEVAL.row(found(*boxes), words(*truth, ignore=ignored))) == wanted, why


READINGS = [
    # truth, detections and what was read in them, (read - penalty, characters, read - penalty, characters read), why
    ("word", [(WORD, "word")], (4, 4, 4, 4), "right"),
    ("word", [(WORD, "w0rds")], (3, 4, 3, 5), "a wrong and a superfluous character"),
    ("word", [(LEFT, "wo"), (RIGHT, "rd")], (3, 4, 4, 4), "in two parts"),
    ("word", [(RIGHT, "rd"), (LEFT, "wo")], (3, 4, 4, 4), "put in order by the characters they hold"),
    ("word", [(LEFT, "rd"), (RIGHT, "wo")], (1, 4, 2, 4), "the order of what was read counts"),
    ("word", [(WORD, "WORD")], (0, 4, 0, 4), "and so does case"),
    ("word", [(WORD, "word"), (FAR, "alarm")], (4, 4, 4, 9), "a false alarm costs what was read in it"),
    ("word", [(WORD, "")], (0, 4, 0, 0), "found, not read"),
]  # fmt: skip


@pytest.mark.parametrize(("truth", "read", "wanted", "why"), READINGS, ids=[r[-1] for r in READINGS])
def test_characters_read(truth, read, wanted, why):
    row = READ.row(found(*[box for box, _ in read]), words(WORD, text=truth), texts=[text for _, text in read])
    assert sums(row) == wanted, why


def test_case_can_be_ignored():
    row = CLEval("c", texts=True, case_sensitive=False).row(found(WORD), words(WORD), texts=["WORD"])
    assert row.recall_credit == 4


def test_polygons_and_words_without_text_are_scored():
    t = np.radians(np.linspace(-180, 0, 7))
    rim = np.stack([np.cos(t), np.sin(t)], axis=1)
    ring = np.concatenate([100 * rim, 70 * rim[::-1]]).astype(np.float32)
    arch = [SceneWord(ring, "arching")]
    assert sums(CLEVAL.row(found(ring), arch)) == (7, 7, 7, 7)
    halves = found(np.concatenate([ring[:4], ring[10:]]), np.concatenate([ring[3:7], ring[7:11]]))
    assert sums(CLEVAL.row(halves, arch)) == (6, 7, 7, 7)
    assert CLEVAL.row([], [SceneWord(WORD, None)]).cared_truth == 4
    assert CLEVAL.row([], [SceneWord(WORD, "")]).cared_truth == 0


def test_vertical_words_are_cut_across():
    tall, upper = rect(0, 0, 10, 40), rect(0, 0, 10, 20)
    assert CLEVAL.row(found(upper), words(tall)).recall_credit == 2
    stacked = SceneWord(tall, "縦書き字", direction="stacked")
    read = READ.row(found(rect(0, 20, 10, 20), upper), [stacked], texts=["き字", "縦書"])
    assert read.recall_credit == 3


def test_texts_must_come_with_the_detections():
    with pytest.raises(ValueError, match="cleval_e2e compares what was read"):
        READ.row(found(WORD), words(WORD))
    with pytest.raises(ValueError, match="p1: 1 detections come with 2 texts"):
        READ.row(found(WORD), words(WORD), "p1", ["a", "b"])


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_the_longest_common_subsequence_is_one_and_is_longest(a, b):
    common = longest_common(a, b)
    for text in (a, b):
        rest = iter(text)
        assert all(character in rest for character in common)
    assert len(common) == max(
        (len(kept) for kept in subsequences(a) if is_within(kept, b)),
    )


def subsequences(text):
    return {"".join(c for i, c in enumerate(text) if mask >> i & 1) for mask in range(1 << len(text))}


def is_within(part, text):
    rest = iter(text)
    return all(c in rest for c in part)


# --- oracle: plain loops over upright boxes ---------------------------------------------------------------------------


def overlap(a, b):
    x, y = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return x * y if x > 0 and y > 0 else 0


def cleval_oracle(boxes, truth, length):
    """Sums of a picture in which every word has ``length`` characters and none is ignored."""
    centres = []
    for x0, y0, x1, y1 in truth:
        wide = (x1 - x0) >= 0.5 * (y1 - y0)
        step = ((x1 - x0) if wide else (y1 - y0)) / length
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        cuts = [(i + 0.5) * step for i in range(length)]
        centres.append([(x0 + c, middle[1]) if wide else (middle[0], y0 + c) for c in cuts])
    held = [
        [{i for i, (x, y) in enumerate(c) if b[0] <= x < b[2] and b[1] <= y < b[3]} for b in boxes] for c in centres
    ]
    share = [[overlap(w, b) / overlap(b, b) for b in boxes] for w in truth]
    links = set()
    hits = {(t, d) for t in range(len(truth)) for d in range(len(boxes)) if held[t][d] and share[t][d] >= 0.3}
    for t in range(len(truth)):
        own = {d for u, d in hits if u == t}
        if len(own) >= 2 or (len(own) == 1 and sum(d in own for _, d in hits) == 1):
            links |= {(t, d) for d in own}
    for d in range(len(boxes)):
        own = [t for t in range(len(truth)) if held[t][d]]
        if len(own) >= 2 and sum(share[t][d] for t in own) >= 0.3:
            links |= {(t, d) for t in own}
    got = [set().union(*(held[t][d] for u, d in links if u == t)) for t in range(len(truth))]
    splits = sum(max(sum(u == t for u, _ in links) - 1, 0) for t in range(len(truth)))
    merges = sum(max(sum(e == d for _, e in links) - 1, 0) for d in range(len(boxes)))
    alarms = [b for d, b in enumerate(boxes) if all(e != d for _, e in links)]
    assumed = sum(min(round(0.5 + 1 / (1e-5 + (b[2] - b[0]) / (b[3] - b[1]))), 10) for b in alarms)
    characters = sum(map(len, got))
    inside = sum(len(held[t][d]) for t, d in links)
    return characters - splits, length * len(truth), characters - merges, inside + assumed


@settings(max_examples=100)
@given(whole_boxes(), whole_boxes(), st.integers(1, 5))
def test_matching_agrees_with_the_slow_oracle(boxes, truth, length):
    row = CLEVAL.row(found(*map(corners, boxes)), words(*map(corners, truth), text="x" * length))
    assert sums(row) == cleval_oracle(boxes, truth, length)


# --- TedEval ----------------------------------------------------------------------------------------------------------

TEDEVAL_CASES = [
    ([WORD], [WORD], (), (1, 1, 1, 1), "identical"),
    ([LEFT], [WORD], (), (0.5, 1, 0.5, 1), "half of the characters"),
    ([LEFT, RIGHT], [WORD], (), (1, 1, 1, 2), "two halves find all, each has half: 1 of 2 in precision"),
    ([LEFT, rect(10, 0, 30, 10)], [WORD], (), (0.75, 1, 1.25, 2), "a character found twice does not count in recall"),
    ([rect(0, 0, 80, 10)], [WORD, rect(40, 0, 40, 10)], (), (2, 2, 1, 1), "a merge of one line"),
    ([rect(0, 0, 40, 22)], [WORD, rect(0, 12, 40, 10)], (), (0, 2, 0, 1), "two lines are refused"),
    ([WORD], [WORD], (0,), (0, 0, 0, 0), "ignored"),
    ([FAR], [WORD], (), (0, 1, 0, 1), "missed"),
    ([], [], (), (0, 0, 0, 0), "an empty picture"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("boxes", "truth", "ignored", "wanted", "why"), TEDEVAL_CASES, ids=[c[-1] for c in TEDEVAL_CASES]
)
def test_tedeval(boxes, truth, ignored, wanted, why):
    assert sums(TEDEVAL.row(found(*boxes), words(*truth, ignore=ignored))) == pytest.approx(wanted), why


def test_what_a_word_to_ignore_covers_is_cut_off_a_detection():
    row = TEDEVAL.row(found(rect(0, 0, 60, 10)), words(WORD, rect(40, 0, 20, 10), ignore=[1]))
    assert sums(row) == (1, 1, 1, 1)
    assert row.words[0].iou == 1
