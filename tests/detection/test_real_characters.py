"""Splitting on photographs with character quads: what the layout of real signs alone allows."""

import os
from pathlib import Path

import numpy as np
import pytest

from data_prep.__main__ import main
from ocr.data.sets import open_set
from ocr.detection.label_quality import characters_right
from ocr.detection.length_guided import LengthGuided
from ocr.detection.pseudo_labels import as_label
from ocr.detection.score_maps import score_maps
from ocr.detection.splitting import Equal
from ocr.detection.word_crops import word_frame
from ocr.geometry import transform
from ocr.types import WeakWord

PACK = Path(os.environ.get("OCR_REAL_PACK", "nowhere")) / "det/aicup_tw16"
pytestmark = pytest.mark.skipif(not PACK.is_dir(), reason="OCR_REAL_PACK is not set")


def test_signs_split_by_a_teacher_that_knows_the_answer(tmp_path):
    assert main(["scenes", "--raw", str(PACK), "--name", "signs", "--characters", "--out", str(tmp_path)]) == 0
    scenes = open_set(tmp_path, "detection", "signs", "test")
    total, right = 0, {"equal": 0, "length_guided": 0}
    for i in range(len(scenes)):
        lines = [w for w in scenes.without_picture(i).words if w.characters is not None and w.direction != "stacked"]
        for place, word in enumerate(lines):
            frame = word_frame(word.polygon, 96, 0.25, 1024)
            known = WeakWord(place, word.text, word.polygon, frame.window, frame.to_picture)
            to_map = np.diag([0.5, 0.5, 1]) @ np.linalg.inv(frame.to_picture.matrix)
            left, top, right_edge, bottom = (edge // 2 for edge in frame.window)
            region = score_maps((48, frame.size[0] // 2), [transform(to_map, word.characters)])[0]
            window = region[top:bottom, left:right_edge]
            total += len(word.characters)
            for name, splitter in (("equal", Equal()), ("length_guided", LengthGuided())):
                label = as_label(splitter(window, word.text), known)
                right[name] += characters_right(label.quads, word.characters)
    assert total >= 120
    assert right["length_guided"] >= right["equal"] >= 0.9 * total
    assert right["length_guided"] >= 0.95 * total
