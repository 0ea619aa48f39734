"""Rendered stand-ins lie on the disk like the sets they stand in for, whole or not at all."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

from data_prep import rendered
from data_prep.rendered import SETS, add_arguments, render_set, run
from data_prep.rendered_store import pack
from ocr.data.sets import MissingSet, open_set
from ocr.geometry import signed_area
from ocr.render.source import RenderedWords
from ocr.render.words import slice_of


def digest(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("raw")
    for name, count in (
        ("synthtext", 4),
        ("icdar2015", 6),
        ("mjsynth", 45),
        ("rendered_scenes_v1", 2),
        ("rendered_words_v1", 25),
    ):
        render_set(name, out, count, test_count=2)
    return out


def test_a_synthtext_stand_in_has_the_types_and_shapes_of_the_release(raw: Path) -> None:
    gt = loadmat(raw / "synthtext" / "gt.mat")
    assert {"imnames", "wordBB", "charBB", "txt"} <= set(gt)
    for key in ("imnames", "wordBB", "charBB", "txt"):
        assert gt[key].shape == (1, 4)
        assert gt[key].dtype == object
    for i in range(4):
        name = gt["imnames"][0][i][0]
        assert isinstance(name, str)
        image = cv2.imread(str(raw / "synthtext" / name))
        assert image is not None
        words = " ".join(gt["txt"][0, i]).split()
        word_boxes, char_boxes = gt["wordBB"][0, i], gt["charBB"][0, i]
        assert word_boxes.shape == (2, 4, len(words))
        assert char_boxes.shape == (2, 4, sum(map(len, words)))
        assert all(signed_area(word_boxes[:, :, k].T) > 0 for k in range(len(words)))
        start = 0
        for k, word in enumerate(words):
            own = char_boxes[:, :, start : start + len(word)].reshape(2, -1)
            start += len(word)
            np.testing.assert_allclose(own.mean(1), word_boxes[:, :, k].mean(1), atol=0.5 * np.ptp(word_boxes[0, :, k]))


def test_a_synthtext_picture_with_one_word_has_a_flat_box() -> None:
    quad = np.arange(8, dtype=np.float32).reshape(1, 4, 2)
    box = rendered._boxes(quad)
    assert box.shape == (2, 4)
    np.testing.assert_array_equal(box[0], [0, 2, 4, 6])
    np.testing.assert_array_equal(box[1], [1, 3, 5, 7])


def test_an_icdar_stand_in_has_the_names_and_lines_of_the_original(raw: Path) -> None:
    folder = raw / "icdar2015"
    parts = {
        "ch4_training_images",
        "ch4_training_localization_transcription_gt",
        "ch4_test_images",
        "Challenge4_Test_Task1_GT",
    }
    assert {p.name for p in folder.iterdir()} == parts | {"RENDERED.json"}
    assert len(list((folder / "ch4_training_images").iterdir())) == 6
    texts = []
    for i in range(1, 7):
        content = (folder / "ch4_training_localization_transcription_gt" / f"gt_img_{i}.txt").read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        lines = content.decode("utf-8-sig").split("\r\n")
        assert lines.pop() == ""
        assert not any("\n" in line for line in lines)
        for line in lines:
            *numbers, text = line.split(",", 8)
            assert len([int(n) for n in numbers]) == 8
            texts.append(text)
    assert "###" in texts
    assert all(slice_of(t) == "train" for t in texts if t != "###")
    test = (folder / "Challenge4_Test_Task1_GT" / "gt_img_1.txt").read_text(encoding="utf-8-sig")
    assert all(slice_of(line.split(",", 8)[8]) == "test" for line in test.splitlines() if not line.endswith("###"))


def test_mjsynth_labels_are_in_the_file_names(raw: Path) -> None:
    folder = raw / "mjsynth"
    lexicon = (folder / "lexicon.txt").read_text().splitlines()
    seen = []
    for split, count in (("train", 39), ("val", 3), ("test", 3)):
        lines = (folder / f"annotation_{split}.txt").read_text().splitlines()
        assert len(lines) == count
        for line in lines:
            path, index = line.split()
            assert path.startswith("./1/1/")
            number, word, place = Path(path).stem.split("_")
            assert number.isdigit()
            assert word.isalnum()
            assert place == index
            assert lexicon[int(index)] == word.lower()
            assert cv2.imread(str(folder / path)) is not None
            seen.append(path)
    assert len(set(seen)) == 45
    assert len(list(folder.rglob("*.jpg"))) == 45


def test_fixed_test_sets_have_labels_for_every_picture(raw: Path) -> None:
    words = raw / "rendered_words_v1"
    rows = [line.split("\t") for line in (words / "labels.tsv").read_text().splitlines()]
    assert len(rows) == 25
    assert all((words / path).is_file() and slice_of(text) == "test" for path, text in rows)
    scenes = raw / "rendered_scenes_v1"
    for image in (scenes / "images").iterdir():
        lines = (scenes / "gt" / f"gt_{image.stem}.txt").read_text().splitlines()
        assert len(lines) >= 10
        assert all(len(line.split(",", 8)) == 9 for line in lines)


@pytest.mark.parametrize("name", SETS)
def test_the_note_says_what_was_rendered(raw: Path, name: str) -> None:
    note = json.loads((raw / name / "RENDERED.json").read_text())
    assert note["kind"] == "rendered"
    assert note["look"] == SETS[name].look
    assert note["seed"] == 0
    assert note["fonts"]
    assert note["renderer"]


def test_the_number_of_processes_does_not_matter(tmp_path: Path) -> None:
    one = render_set("mjsynth", tmp_path / "one", 50, workers=1)
    two = render_set("mjsynth", tmp_path / "two", 50, workers=2)
    assert digest(one) == digest(two)


def test_seeds_and_prefixes() -> None:
    """Sample i does not depend on how many there are; another seed gives other samples."""

    def words(folder: Path) -> list[str]:
        return [line.split("\t")[1] for line in (folder / "labels.tsv").read_text().splitlines()]

    import tempfile

    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        short, long = render_set("rendered_words_v1", out / "a", 5), render_set("rendered_words_v1", out / "b", 9)
        other = render_set("rendered_words_v1", out / "c", 5, seed=1)
        assert words(long)[:5] == words(short)
        assert words(other) != words(short)
        assert (long / "images/word_00003.jpg").read_bytes() == (short / "images/word_00003.jpg").read_bytes()


def test_repeating_returns_at_once_and_other_parameters_replace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = render_set("rendered_words_v1", tmp_path, 3)
    before = digest(folder)

    def fail(*_: Any) -> Any:
        raise AssertionError("rendered again")

    with monkeypatch.context() as patch:
        patch.setattr(rendered, "_render_all", fail)
        assert render_set("rendered_words_v1", tmp_path, 3) == folder
    assert digest(folder) == before
    render_set("rendered_words_v1", tmp_path, 4)
    assert len((folder / "labels.tsv").read_text().splitlines()) == 4


def test_an_interrupted_run_leaves_nothing_and_spoils_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = render_set("rendered_words_v1", tmp_path, 3)
    before = digest(folder)
    render_word = rendered.render_word
    calls = []

    def stop(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return render_word(*arguments)

    monkeypatch.setattr(rendered, "render_word", stop)
    with pytest.raises(KeyboardInterrupt):
        render_set("rendered_words_v1", tmp_path, 8)
    assert digest(folder) == before
    with pytest.raises(KeyboardInterrupt):
        render_set("rendered_words_v1", tmp_path / "new", 8)
    assert list((tmp_path / "new").glob("[!.]*")) == []
    assert not list(tmp_path.rglob("*.writing"))


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "synthtext").mkdir()
    (tmp_path / "synthtext" / "gt.mat").write_bytes(b"the real one")
    with pytest.raises(ValueError, match=r"holds files that were not rendered .* choose another --out"):
        render_set("synthtext", tmp_path, 2)
    assert (tmp_path / "synthtext" / "gt.mat").read_bytes() == b"the real one"


def test_a_missing_font_package_is_named_before_anything_is_written(tmp_path: Path) -> None:
    from ocr.render.look import look_folder

    look = tmp_path / "odd.yaml"
    text = (
        (look_folder() / "rendered_words_v1.yaml").read_text().replace("fonts: [lato,", "fonts: [lato, comic-sans-ms,")
    )
    look.write_text(text)
    with pytest.raises(ValueError, match="pip install fontpkg-comic-sans-ms"):
        render_set("rendered_words_v1", tmp_path / "out", 2, look=str(look))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("synthtex", 5), "no rendered set 'synthtex'"),
        (("synthtext", 0), "count 0"),
        (("synthtext", 5, 0, "synthtxt_standin"), "no look 'synthtxt_standin'.*did you mean synthtext_standin"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path: Path, arguments: tuple[Any, ...], message: str) -> None:
    name, *rest = arguments
    with pytest.raises(ValueError, match=message) as caught:
        render_set(name, tmp_path, *rest)
    assert "\n" not in str(caught.value)


def test_the_command_renders_one_set(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = ["--out", str(tmp_path), "--set", "rendered_words_v1", "--count", "2", "--workers", "1"]
    assert run(parser.parse_args(arguments)) == 0
    assert (tmp_path / "rendered_words_v1" / "labels.tsv").is_file()


def test_stand_ins_are_prepared_like_the_originals(raw: Path, tmp_path: Path) -> None:
    """The readers find every rendered word, and the prepared set says that it was rendered."""
    from data_prep.__main__ import main
    from ocr.data.store import Store

    for name in ("synthtext", "icdar2015", "mjsynth"):
        assert main([name, "--raw", str(raw / name), "--out", str(tmp_path)]) == 0
    scenes = Store(tmp_path / "detection" / "synthtext" / "train")
    assert scenes.manifest.kind == "rendered"
    gt = loadmat(raw / "synthtext" / "gt.mat")
    assert len(scenes) == 4
    texts = {tuple(w.text for w in scenes.scene(i).words) for i in range(4)}
    assert texts == {tuple(" ".join(gt["txt"][0, i]).split()) for i in range(4)}
    assert all(w.characters is not None and len(w.characters) == len(w.text or "") for w in scenes.scene(0).words)
    weak = Store(tmp_path / "detection" / "icdar2015" / "train")
    assert any(w.ignore for i in range(6) for w in weak.scene(i).words)
    words = Store(tmp_path / "recognition" / "mjsynth" / "train")
    assert words.manifest.kind == "rendered"
    assert len(words) == 39


def test_words_and_scenes_of_a_language_are_packed_as_prepared_sets(tmp_path: Path) -> None:
    for task, workers in (("recognition", 1), ("recognition", 2), ("detection", 1)):
        count = 22 if task == "recognition" else 2
        folder = pack(task, ("ja",), "clean", tmp_path / str(workers), count, seed=4, workers=workers)
        assert folder == tmp_path / str(workers) / task / "rendered_ja" / "train"
    one, two = (open_set(tmp_path / str(n), "recognition", "rendered_ja", "train") for n in (1, 2))
    assert one.fingerprint == two.fingerprint
    assert (one.kind, len(one)) == ("rendered", 22)
    live = RenderedWords("rendered_ja", {"ja": 1}, "clean", 4)
    for i in (0, 21):
        kept, made = one[i], live[i]
        assert (kept.text, kept.key, kept.script, kept.direction) == (made.text, made.key, made.script, made.direction)
        np.testing.assert_allclose(kept.characters, made.characters, atol=0.006)
        assert np.abs(kept.image.astype(int) - made.image).mean() < 6
    scenes = open_set(tmp_path / "1", "detection", "rendered_ja", "train")
    assert all(w.characters is not None for w in scenes[1].words)


def test_a_rendered_set_that_is_not_there_names_the_command_that_makes_it(tmp_path: Path) -> None:
    expected = r"data_prep rendered --set scenes --language ja,ko --split test --out"
    with pytest.raises(MissingSet, match=expected):
        open_set(tmp_path, "detection", "rendered_ja_ko", "test")
    with pytest.raises(MissingSet, match=r"data_prep words --name rendered_words_v1"):
        open_set(tmp_path, "recognition", "rendered_words_v1", "test")


def test_presets_need_a_language_and_other_looks_have_their_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the preset clean does not say what is written: add --language"):
        render_set("synthtext", tmp_path, 1, look="clean")
    with pytest.raises(ValueError, match=r"the look synthtext_standin has fonts of its own; add --look scene"):
        render_set("synthtext", tmp_path, 1, language="ja")
    with pytest.raises(ValueError, match=r"count 0, seed 0 and workers 1"):
        pack("recognition", ("en",), None, tmp_path, 0)


def test_raw_layouts_hold_other_languages_as_well(tmp_path: Path) -> None:
    folder = render_set("icdar2015", tmp_path, 1, test_count=1, look="clean", language="ko")
    text = (folder / "ch4_training_localization_transcription_gt" / "gt_img_1.txt").read_text(encoding="utf-8-sig")
    assert any("가" <= c <= "힣" for c in text)
    assert json.loads((folder / "RENDERED.json").read_text())["look"] == "clean"
