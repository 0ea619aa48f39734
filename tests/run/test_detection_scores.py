"""What an evaluation of a detector keeps: companions, breakdowns at the evaluated size, refusals."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ocr.data.sets import open_set
from ocr.data.store import StoreWriter
from ocr.metrics.iou import BoxProtocol
from ocr.metrics.spotting import Spotting
from ocr.run.evaluate import check_protocol, evaluate, infer, score
from ocr.types import Detection, Image, SceneWord

WORD = np.array([[10, 10], [50, 10], [50, 20], [10, 20]], np.float32)


class Enlarging:
    """Finds one word in every picture, and sees pictures three times as large as they are."""

    def detect(self, images: list[Image]) -> list[list[Detection]]:
        return [[Detection(WORD, 1.0)] for _ in images]

    def zoom(self, height: int, width: int) -> float:
        return 3.0


class Plain:
    detect = Enlarging.detect


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    picture = cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1].tobytes()
    with StoreWriter(tmp_path / "detection" / "toy" / "test", "detection", "toy", "test", "real", "a test") as store:
        store.add_scene(picture, "toy/1", "word", [SceneWord(WORD, "word"), SceneWord(WORD + 100, None, True)])
    return tmp_path


def test_recall_is_broken_down_at_the_size_that_the_detector_sees(scenes: Path) -> None:
    data = open_set(scenes, "detection", "toy", "test")
    for detector, label in ((Enlarging(), "20-40 px"), (Plain(), "8-12 px")):
        result = evaluate(detector, data, BoxProtocol("iou"))
        assert {"by": "word height", "label": label, "share": 1.0, "n": 1} in result.breakdown
        assert {"by": "aspect ratio", "label": "2-5", "share": 1.0, "n": 1} in result.breakdown
        assert {"by": "direction", "label": "horizontal", "share": 1.0, "n": 1} in result.breakdown


def test_texts_are_not_asked_of_a_detector(scenes: Path) -> None:
    with pytest.raises(ValueError, match=r"protocol=e2e compares what was read, and a detector reads nothing"):
        check_protocol(Spotting("e2e"), "detection")
    found = infer(Plain(), open_set(scenes, "detection", "toy", "test"))
    assert [s.metric for s in score(found, BoxProtocol("iou")).scores] == [
        "recall",
        "precision",
        "hmean",
        "area_recall",
    ]
