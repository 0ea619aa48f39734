"""The readers on real data: counts of the pack's own description are the oracle."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from data_prep import quad_text
from data_prep.__main__ import main
from data_prep.archives import scan
from data_prep.boxes import usable
from ocr.data.sets import open_set

PACK = Path(os.environ.get("OCR_REAL_PACK", "nowhere"))
pytestmark = pytest.mark.skipif(not PACK.is_dir(), reason="OCR_REAL_PACK is not set")


def test_icdar2015_in_two_folds(tmp_path):
    raw = PACK / "det/icdar2015_train10"
    folds = [",".join(f"img_{i}" for i in half) for half in (range(1, 6), range(6, 11))]
    words = []
    for k, (train, test) in enumerate((folds, folds[::-1])):
        out = tmp_path / str(k)
        assert main(["icdar2015", "--raw", str(raw), "--out", str(out), "--train-ids", train, "--test-ids", test]) == 0
        scenes = list(open_set(out, "detection", "icdar2015", "test"))
        assert {s.key for s in scenes}.isdisjoint(open_set(out, "detection", "icdar2015", "train").keys())
        assert [s.label_kind for s in scenes] == ["word"] * 5
        assert all(s.image.shape == (720, 1280, 3) for s in scenes)
        words += [w for s in scenes for w in s.words]
    assert len(words) == 82
    assert sum(w.ignore for w in words) == 61
    assert {"Genexis Theatre", "EXIT", "fusionopolis", "HarbourFront"} <= {w.text for w in words}


def test_english_scene_words(tmp_path):
    raw = PACK / "rec/en_scene_words"
    assert main(["words", "--raw", str(raw), "--name", "en_scene_words", "--out", str(tmp_path)]) == 0
    words = open_set(tmp_path, "recognition", "en_scene_words", "test")
    lines = (raw / "labels.tsv").read_text(encoding="utf-8").splitlines()
    assert len(words) == len(lines) == 45
    assert [f"{w.key.removeprefix('en_scene_words/')}\t{w.text}" for w in words] == lines
    assert words.manifest.dropped == {}


@pytest.mark.parametrize(
    ("archive", "words", "ignored", "points"),
    [
        ("ic15_gt", 5230, 3153, {4}),
        ("totaltext_gt", 2545, 331, None),
        ("ctw1500_gt", 3068, 0, {14}),
        ("cleval_kr_gt", 10532, 72, {4}),
    ],
)
def test_whole_ground_truths(archive, words, ignored, points):
    contents = [file.read() for _, file in scan(PACK / f"eval_refs/{archive}.zip")]
    polygons = quad_text.holds_polygons(contents)
    parsed = [(quad_text.polygons if polygons else quad_text.quads)(content) for content in contents]
    found = [w for labels in parsed for w in labels.words]
    assert not any(labels.faults for labels in parsed)
    assert (len(found), sum(w.ignore for w in found)) == (words, ignored)
    if points:
        assert {len(w.polygon) for w in found} == points
    assert all(usable(w, 20_000, 20_000)[1] is None for w in found)
    assert all(np.isfinite(w.polygon).all() for w in found)
