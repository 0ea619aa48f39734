"""The readers on real data: counts of the pack's own description are the oracle."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from data_prep import quad_text
from data_prep.__main__ import main
from data_prep.archives import scan
from data_prep.boxes import usable
from ocr.data.sets import open_set
from ocr.data.verification import verify

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


WORDS = {
    "en_scene_words": 45,
    "us_plates": 751,
    "us_plates_photo": 222,
    "en_receipt_lines": 1797,
    "zhtw_scene_lines": 83,
    "ja_print_h": 49,
    "ja_hand_v": 6,
    "ko_scene_words": 5,
}


@pytest.mark.parametrize("name", WORDS)
def test_every_word_of_the_pack_is_prepared_as_it_is(name, tmp_path):
    raw = PACK / "rec" / name
    command = ["words", "--raw", str(raw), "--name", name, "--out", str(tmp_path), "--processes", "1"]
    assert main(command) == 0
    words = open_set(tmp_path, "recognition", name, "test")
    lines = (raw / "labels.tsv").read_text(encoding="utf-8").splitlines()
    assert len(words) == len(lines) == WORDS[name]
    assert [
        f"{key.removeprefix(f'{name}/')}\t{text}" for key, text in zip(words.keys(), words.texts(), strict=True)
    ] == lines
    assert words.manifest.dropped == {}
    first = lines[0].partition("\t")[0]
    assert words.store.image_bytes(0) == (raw / first).read_bytes()
    if len(words) < 100:
        assert verify(tmp_path / "recognition" / name / "test") == []


def test_direction_and_script_come_from_the_described_list(tmp_path):
    raw = PACK / "rec/zhtw_scene_lines"
    command = ["words", "--raw", str(raw), "--name", "signs", "--labels", "meta.tsv", "--out", str(tmp_path)]
    assert main(command) == 0
    words = list(open_set(tmp_path, "recognition", "signs", "test"))
    assert sum(w.script == "Chinese" for w in words) == 67
    assert sum(w.script == "Latin" for w in words) == 16
    assert sum(w.direction == "stacked" for w in words) == 17
    tall = [w.image.shape[0] / w.image.shape[1] for w in words if w.direction == "stacked"]
    assert np.median(tall) > 2


SCENES = {
    "aicup_tw16": (16, 142, 59),
    "sroie40": (40, 1797, 0),
    "us_plates_partial": (173, 173, 0),
    "icdar2015_train10": (10, 82, 61),
}


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("icdar2015_train10", False),
        ("icdar2015_train10", True),
        ("aicup_tw16", True),
        pytest.param("sroie40", False, marks=pytest.mark.slow),
        pytest.param("us_plates_partial", True, marks=pytest.mark.slow),
    ],
)
def test_every_scene_of_the_pack_is_prepared(name, packed, tmp_path):
    raw = PACK / "det" / name
    if packed:
        raw = tmp_path / "packed"
        raw.mkdir()
        for part in ("images", "gt"):
            with zipfile.ZipFile(raw / f"{part}.zip", "w") as archive:
                for path in sorted((PACK / "det" / name / part).iterdir()):
                    archive.write(path, path.name)
    assert main(["scenes", "--raw", str(raw), "--name", name, "--out", str(tmp_path)]) == 0
    scenes = open_set(tmp_path, "detection", name, "test")
    pictures, words, ignored = SCENES[name]
    found = [w for i in range(len(scenes)) for w in scenes.without_picture(i).words]
    dropped = sum(scenes.manifest.dropped.values())
    assert (len(scenes), len(found) + dropped, sum(w.ignore for w in found)) == (pictures, words, ignored)
    assert dropped <= 0.01 * words
    assert verify(tmp_path / "detection" / name / "test") == []


def test_real_character_boxes_spell_most_lines(tmp_path):
    raw = PACK / "det/aicup_tw16"
    assert main(["scenes", "--raw", str(raw), "--name", "signs", "--characters", "--out", str(tmp_path)]) == 0
    scenes = open_set(tmp_path, "detection", "signs", "test")
    words = [w for i in range(len(scenes)) for w in scenes.without_picture(i).words]
    spelt = [w for w in words if w.characters is not None]
    assert len(words) == 142
    assert len(spelt) == 62
    assert sum(len(w.characters) for w in spelt) > 0.6 * 214


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
