"""What holds for every detection protocol, on random polygons."""

import math

import numpy as np
import pytest
from drawn_boxes import found, rect
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.metrics.cleval import CLEval
from ocr.metrics.companions import DETEVAL, IOU, with_companions
from ocr.metrics.deteval import DetEval, TotalTextDetEval
from ocr.metrics.iou import BoxProtocol
from ocr.metrics.spotting import Spotting
from ocr.metrics.tedeval import TedEval
from ocr.types import Detection, Page, Reading, SceneWord

PROTOCOLS = [
    BoxProtocol("iou"),
    BoxProtocol("iou_clipped", crossing="clip"),
    DetEval("ic13_deteval"),
    DetEval("deteval", boxes="polygon"),
    TotalTextDetEval("totaltext_deteval"),
    CLEval("cleval"),
    CLEval("cleval_e2e", texts=True),
    TedEval("tedeval"),
    Spotting("ic15_e2e"),
]
EVERY = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
CELL = 200.0


@st.composite
def scenes(draw, most=5):
    """Words with one shaken, sometimes bent, outline each in a cell of its own: (word, detection) pairs."""
    pairs = []
    for cell in range(draw(st.integers(1, most))):
        width, height, points = draw(st.floats(30, 120)), draw(st.floats(12, 30)), draw(st.sampled_from([4, 6, 14]))
        bend, turn = draw(st.floats(-0.2, 0.2)), draw(st.floats(-0.6, 0.6))
        x = np.linspace(0, width, points // 2)
        rim = np.stack([x, bend * x * (width - x) / width], axis=1)
        strip = np.concatenate([rim, rim[::-1] + np.array([0, height])])
        c, s = math.cos(turn), math.sin(turn)
        strip = strip @ np.array([[c, s], [-s, c]]) + np.array([CELL * cell + 40, 90])
        shift = draw(st.tuples(st.floats(-8, 8), st.floats(-8, 8)))
        pairs.append((strip.astype(np.float32), (strip + np.array(shift)).astype(np.float32)))
    return pairs


def scored(protocol, boxes, truth, text="Word"):
    words = [SceneWord(np.asarray(p, np.float32), text) for p in truth]
    return protocol([(found(*boxes), words)], ["p"], [[text] * len(boxes)])


@EVERY
@settings(max_examples=15)
@given(scene=scenes())
def test_the_truth_as_its_own_submission_is_perfect(protocol, scene):
    truth = [word for word, _ in scene]
    result = scored(protocol, truth, truth)
    assert (result.recall, result.precision, result.hmean) == (1, 1, 1)
    assert result.area_recall == pytest.approx(1)
    assert result.breakdown()[0].by == "word height"


@EVERY
@settings(max_examples=15)
@given(scene=scenes(), random=st.randoms(use_true_random=False))
def test_the_order_of_words_and_detections_does_not_matter(protocol, scene, random):
    truth, boxes = [word for word, _ in scene], [box for _, box in scene]
    wanted = scored(protocol, boxes, truth).sums.tolist()
    random.shuffle(truth)
    random.shuffle(boxes)
    assert scored(protocol, boxes, truth).sums.tolist() == pytest.approx(wanted)


@EVERY
@settings(max_examples=15)
@given(scene=scenes(), extra=st.integers(0, 2))
def test_a_removed_detection_never_finds_more_and_a_removed_false_alarm_never_costs(protocol, scene, extra):
    truth, boxes = [word for word, _ in scene], [box for _, box in scene]
    alarms = [rect(CELL * i + 40, 500, 60, 20) for i in range(extra)]
    whole = scored(protocol, boxes + alarms, truth)
    assert scored(protocol, boxes, truth).precision >= whole.precision - 1e-12
    for i in range(len(boxes)):
        fewer = scored(protocol, boxes[:i] + boxes[i + 1 :] + alarms, truth)
        assert fewer.recall <= whole.recall + 1e-12


@EVERY
def test_nothing_at_all_and_words_to_ignore_score_zero(protocol):
    ignored = [SceneWord(rect(0, 0, 40, 10), None, ignore=True)]
    result = protocol([([], []), (found(rect(0, 0, 40, 10)), ignored)], texts=[[], ["x"]])
    assert (result.recall, result.precision, result.hmean) == (0, 0, 0)
    assert all(score.low is None for score in result.scores("nothing"))


@EVERY
def test_degenerate_and_huge_outlines_are_survived(protocol):
    t = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    circle = np.stack([500 + 200 * np.cos(t), 500 + 200 * np.sin(t)], axis=1)
    odd = [
        circle,
        [[0, 0], [20, 10], [20, 0], [0, 10]],
        [[3, 3]],
        [[0, 0], [9, 9]],
        [[0, 0], [5, 0], [20, 0]],
        np.zeros((0, 2)),
    ]
    odd += [[[0, 0], [30, 0], [30, 10], [15, 12], [0, 10]], [[1, 1], [1, 1], [1, 1], [1, 1]]]
    result = scored(protocol, odd, odd)
    assert 0 < result.recall <= 1
    assert len(result.rows[0].words) == len(odd)
    with pytest.raises(ValueError, match=r"p, detections, polygon 0.*not finite"):
        scored(protocol, [[[0, 0], [1, np.inf], [1, 1]]], odd)


def test_companions_are_added_unless_their_kind_is_there():
    cleval, clipped, totaltext = CLEval("c"), BoxProtocol("c", crossing="clip"), TotalTextDetEval("t")
    assert with_companions([cleval]) == [cleval, IOU, DETEVAL]
    assert with_companions([clipped]) == [clipped, DETEVAL]
    assert with_companions([totaltext, clipped]) == [totaltext, clipped]


READINGS = [
    ("Word!", "word", True, "an end may be left out"),
    ("(Word)", "word", True, "both may"),
    ("Word!!", "word", False, "but not two at one end"),
    ("Word", "word!", False, "nor may one be added"),
    ("w-o", "w-o", True, "what stands inside counts"),
    ("w-o", "wo", False, "and must be read"),
]


@pytest.mark.parametrize(("truth", "text", "right", "why"), READINGS, ids=[r[-1] for r in READINGS])
def test_texts_end_to_end(truth, text, right, why):
    assert Spotting("e2e").reads(truth, text) is right


def test_words_to_spot():
    texts = ["Hilton's", "-dash-", "24h", "an", "two words", "Ñandú", "ok!ay", "Café."]
    box = rect(0, 0, 60, 20)
    row = Spotting("spotting", words_only=True).row([], [SceneWord(box, text) for text in texts], texts=[])
    assert [word.text for word in row.words] == ["Hilton", "dash", "Ñandú", "Café"]
    assert not Spotting("spotting", words_only=True).reads("Café", "Cafe")


def test_the_best_overlap_is_matched_whatever_was_read():
    box = rect(0, 0, 60, 20)
    row = Spotting("e2e").row(found(box, box), [SceneWord(box, "word")], texts=["wrong", "word"])
    assert (row.recall_credit, row.cared_detections) == (0, 2)


def test_a_page_of_the_reader_is_scored():
    box = rect(0, 0, 60, 20)
    page = Page("a.jpg", 100, 100, [(Detection(box, 1.0), Reading("WORD", 0.9))])
    row = Spotting("e2e").page_row(page, [SceneWord(box, "word")])
    assert (row.key, row.recall_credit, row.precision_credit) == ("a.jpg", 1, 1)
