from __future__ import annotations

import hashlib
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ocr.data import store as store_module
from ocr.data.decoding import UndecodableImage
from ocr.data.records import scene_fields, scene_record
from ocr.data.sets import SceneSet, WordSet
from ocr.data.store import Store, StoreWriter
from ocr.types import SceneWord


def entries(folder: Path) -> dict[bytes, bytes]:
    """Everything in a folder, read with py-lmdb alone."""
    environment = lmdb.open(str(folder), readonly=True, lock=False)
    with environment.begin() as transaction:
        content = dict(transaction.cursor())
    environment.close()
    return content


def public_lmdb(folder: Path, samples: list[tuple[bytes, bytes]], count: int | None = None) -> Path:
    """An LMDB as the field publishes them."""
    folder.mkdir(parents=True)
    environment = lmdb.open(str(folder), map_size=1 << 24)
    with environment.begin(write=True) as transaction:
        for i, (image, label) in enumerate(samples, 1):
            transaction.put(b"image-%09d" % i, image)
            transaction.put(b"label-%09d" % i, label)
        transaction.put(b"num-samples", str(len(samples) if count is None else count).encode())
    environment.close()
    return folder


def test_words_are_stored_in_the_public_layout(tmp_path, write_words, picture):
    content = entries(write_words(tmp_path, 3))
    assert content[b"num-samples"] == b"3"
    assert content[b"label-000000001"] == b"word0"
    assert content[b"image-000000003"] == picture(2)
    assert json.loads(content[b"meta-000000002"]) == {"key": "toy/1.png"}
    assert content[b"schema"] == b"1"


def test_words_come_back(tmp_path, picture):
    folder = tmp_path / "recognition/toy/val"
    quads = np.arange(24, dtype=np.float32).reshape(3, 4, 2) + 0.123
    with StoreWriter(folder, "recognition", "toy", "val", "rendered", "a test") as writer:
        writer.add_word(picture(1), "日 本語", "toy/a", "Japanese", "stacked", quads)
        writer.add_word(picture(2), "plain", "toy/b")
    first, second = WordSet(folder)
    assert (first.text, first.key, first.script, first.direction) == ("日 本語", "toy/a", "Japanese", "stacked")
    np.testing.assert_allclose(first.characters, quads, atol=0.005)
    np.testing.assert_array_equal(first.image, np.array(Image.open(io.BytesIO(picture(1)))))
    assert (second.text, second.script, second.direction, second.characters) == ("plain", "Latin", "horizontal", None)
    opened = WordSet(folder)
    assert (opened.name, opened.split, opened.kind, opened.count) == ("toy", "val", "rendered", 2)
    assert opened.keys() == ["toy/a", "toy/b"]
    assert opened.texts() == ["日 本語", "plain"]


numbers = st.floats(-1e4, 1e4, width=32)
points = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=9).map(lambda p: np.array(p, np.float32))
words = st.builds(
    SceneWord,
    polygon=points,
    text=st.none() | st.text(max_size=5),
    ignore=st.booleans(),
    script=st.sampled_from(["Latin", "Hangul"]),
    direction=st.sampled_from(["horizontal", "stacked", "rotated"]),
)


@given(st.lists(words, max_size=3), st.none() | st.lists(points, max_size=2), st.sampled_from(["char", "word"]))
@settings(max_examples=60, deadline=None)
def test_scene_records_keep_everything_to_a_hundredth_of_a_pixel(scene_words, lines, label_kind):
    for word in scene_words:
        count = sum(not c.isspace() for c in word.text or "")
        word.characters = np.resize(word.polygon, (count, 4, 2)).astype(np.float32) if word.text else None
    fields = scene_fields(scene_record(label_kind, scene_words, lines))
    assert fields["label_kind"] == label_kind
    assert (fields["lines"] is None) == (lines is None)
    for a, b in zip(fields["lines"] or [], lines or [], strict=True):
        np.testing.assert_allclose(a, b, atol=0.0051, rtol=1e-6)
    for a, b in zip(fields["words"], scene_words, strict=True):
        assert (a.text, a.ignore, a.script, a.direction) == (b.text, b.ignore, b.script, b.direction)
        np.testing.assert_allclose(a.polygon, b.polygon, atol=0.0051, rtol=1e-6)
        assert (a.characters is None) == (b.characters is None)
        if b.characters is not None:
            assert a.characters.shape == b.characters.shape
            np.testing.assert_allclose(a.characters, b.characters, atol=0.0051, rtol=1e-6)


def test_scenes_come_back(tmp_path, picture):
    folder = tmp_path / "detection/toy/train"
    quad = np.array([[1, 2], [9, 2], [9, 6], [1, 6]], np.float32)
    scene_words = [SceneWord(quad, "a", characters=quad[None]), SceneWord(quad - 20, None, ignore=True)]
    with StoreWriter(folder, "detection", "toy", "train", "real", "a test") as writer:
        writer.add_scene(picture(1), "toy/1", "char", scene_words, [quad])
    (scene,) = SceneSet(folder)
    assert (scene.key, scene.label_kind, scene.image.shape) == ("toy/1", "char", (12, 40, 3))
    assert [w.text for w in scene.words] == ["a", None]
    np.testing.assert_array_equal(scene.words[0].characters, quad[None])
    np.testing.assert_array_equal(scene.words[1].polygon, quad - 20)
    np.testing.assert_array_equal(scene.lines[0], quad)


def test_the_fingerprint_is_the_digest_of_all_samples_in_order(tmp_path, write_words):
    folder = write_words(tmp_path, 4)
    content = entries(folder)
    digest = hashlib.sha256()
    for i in range(1, 5):
        for column in (b"image", b"label", b"meta"):
            value = content[column + b"-%09d" % i]
            digest.update(len(value).to_bytes(8, "little") + value)
    assert WordSet(folder).fingerprint == digest.hexdigest()
    assert Store(folder).digest() == digest.hexdigest()


def test_the_fingerprint_knows_the_order(tmp_path, picture):
    prints = []
    for place, order in (("a", (0, 1)), ("b", (1, 0)), ("c", (0, 1))):
        with StoreWriter(tmp_path / place, "recognition", "toy", "train", "real", "a test") as writer:
            for i in order:
                writer.add_word(picture(i), str(i), f"toy/{i}")
        prints.append(writer.manifest.fingerprint)
    assert prints[0] != prints[1]
    assert prints[0] == prints[2]


def test_a_full_map_grows(tmp_path, write_words, monkeypatch):
    monkeypatch.setattr(store_module, "FIRST_MAP", 1 << 16)
    monkeypatch.setattr(store_module, "BATCH_ENTRIES", 50)
    folder = write_words(tmp_path, 200)
    assert (folder / "data.mdb").stat().st_size > 4 << 16
    assert [w.text for w in WordSet(folder)] == [f"word{i}" for i in range(200)]


OTHER_PROCESSES = """
import multiprocessing, sys
from ocr.data.sets import WordSet

if __name__ == "__main__":
    folder, method = sys.argv[1:]
    words = WordSet(folder)
    first = words[0].text
    with multiprocessing.get_context(method).Pool(2) as pool:
        print(first, *(word.text for word in pool.map(words.__getitem__, range(6), chunksize=1)), words[5].text)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_set_that_was_read_works_in_other_processes(tmp_path, write_words, method):
    # in a process of its own: threads that OpenCV started in this one would be missing after a fork
    folder = write_words(tmp_path, 6)
    script = tmp_path / "read.py"
    script.write_text(OTHER_PROCESSES)
    done = subprocess.run([sys.executable, script, folder, method], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["word0", *(f"word{i}" for i in range(6)), "word5"]


def test_one_path_under_two_names_is_opened_once(tmp_path, write_words):
    folder = write_words(tmp_path)
    (tmp_path / "link").symlink_to(folder)
    one, two = WordSet(folder), WordSet(tmp_path / "link")
    assert one[1].text == two[1].text == "word1"


def test_a_new_version_of_a_set_is_read_after_the_old_one(tmp_path, write_words):
    folder = write_words(tmp_path, 5, "old")
    assert WordSet(folder)[2].text == "old2"
    write_words(tmp_path, 3, "new")
    assert [w.text for w in WordSet(folder)] == ["new0", "new1", "new2"]


def test_public_lmdbs_open_as_they_are(tmp_path, picture):
    samples = [(picture(i, "JPEG"), f"Wörd{i}".encode()) for i in range(3)]
    words = WordSet(public_lmdb(tmp_path / "evaluation/IIIT5k_3000", samples))
    assert (len(words), words.name, words.split, words.kind) == (3, "IIIT5k_3000", "test", "real")
    assert [w.text for w in words] == words.texts() == ["Wörd0", "Wörd1", "Wörd2"]
    assert words.keys() == [w.key for w in words] == [f"IIIT5k_3000/{i:09d}" for i in (1, 2, 3)]
    pixels = np.array(Image.open(io.BytesIO(samples[1][0])).convert("RGB"))
    assert np.abs(words[1].image.astype(int) - pixels).max() <= 2
    assert words.fingerprint.startswith("sampled:")


def test_the_sampled_fingerprint_tells_contents_apart(tmp_path, picture):
    prints = [
        WordSet(public_lmdb(tmp_path / str(i), [(picture(0), b"one"), (picture(1), label)])).fingerprint
        for i, label in enumerate((b"two", b"two", b"six"))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_exif_orientation_is_not_applied(tmp_path, picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    words = WordSet(public_lmdb(tmp_path / "turned", [(picture(1, "JPEG", exif=exif), b"x")]))
    assert words[0].image.shape == (12, 40, 3)


@pytest.mark.parametrize("damaged", [b"", b"no picture at all", "half"])
def test_an_undecodable_picture_is_named(tmp_path, picture, damaged):
    data = picture(1, "JPEG")[:300] if damaged == "half" else damaged
    words = WordSet(public_lmdb(tmp_path / "set", [(picture(0), b"fine"), (data, b"broken")]))
    assert words[0].text == "fine"
    with pytest.raises(UndecodableImage, match="set/000000002") as caught:
        words[1]
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.key == "set/000000002"
    assert str(again) == str(caught.value)


def test_positions_outside_are_index_errors(tmp_path, write_words):
    words = WordSet(write_words(tmp_path, 2))
    for index in (2, -1):
        with pytest.raises(IndexError, match="0 to 1"):
            words[index]


def test_a_count_that_is_too_high_is_noticed(tmp_path, picture):
    folder = public_lmdb(tmp_path / "set", [(picture(0), b"a"), (picture(1), b"b")], count=4)
    with pytest.raises(ValueError, match=r"lacks image-00000000[34], though it says it holds 4 samples"):
        WordSet(folder)


def test_a_missing_entry_is_noticed(tmp_path, write_words):
    folder = write_words(tmp_path, 5)
    change(folder, {b"label-000000003": None})
    words = WordSet(folder)
    with pytest.raises(ValueError, match="lacks label-000000003"):
        words.texts()
    with pytest.raises(ValueError, match="lacks label-000000003"):
        words[2]


def change(folder: Path, values: dict[bytes, bytes | None]) -> None:
    environment = lmdb.open(str(folder), lock=False, map_size=1 << 26)
    with environment.begin(write=True) as transaction:
        for key, value in values.items():
            if value is None:
                transaction.delete(key)
            else:
                transaction.put(key, value)
    environment.close()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({b"num-samples": None}, "another layout"),
        ({b"num-samples": b"many"}, "another layout"),
        ({b"num-samples": b"0"}, "empty"),
        ({b"num-samples": b"2"}, "holds 2 samples, its manifest says 3"),
    ],
)
def test_damaged_sets_are_refused_in_one_line(tmp_path, write_words, values, message):
    folder = write_words(tmp_path, 3)
    change(folder, values)
    with pytest.raises(ValueError, match=message) as caught:
        Store(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_cut_short_does_not_kill_the_process(tmp_path, write_words):
    folder = write_words(tmp_path, 50)
    path = folder / "data.mdb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="is cut short"):
        Store(folder)


def test_a_damaged_file_gives_one_line(tmp_path, write_words):
    folder = write_words(tmp_path, 50)
    path = folder / "data.mdb"
    content = bytearray(path.read_bytes())
    # the first two pages describe the file, everything after them is nonsense now
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"data.mdb cannot be opened \(a page is not what") as caught:
        Store(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"this is no database" * 500])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(ValueError, match=r"data.mdb cannot be opened"):
        Store(tmp_path)


def test_a_folder_without_a_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no data.mdb"):
        Store(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "cannot be read"), ('{"schema": 2}', "has schema 2, this version reads 1"), ('{"schema": 1}', "lacks name")],
)
def test_manifests_that_cannot_be_trusted_are_refused(tmp_path, write_words, text, message):
    folder = write_words(tmp_path)
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Store(folder)


def test_a_manifest_from_before_there_were_partial_sets_is_read(tmp_path, write_words):
    folder = write_words(tmp_path)
    content = json.loads((folder / "manifest.json").read_text())
    assert content.pop("partial") is False
    (folder / "manifest.json").write_text(json.dumps(content))
    assert Store(folder).manifest.partial is False
    (folder / "manifest.json").write_text(json.dumps(content | {"partial": "no"}))
    with pytest.raises(ValueError, match="partial is 'no'"):
        Store(folder)


QUAD = np.array([[0, 0], [4, 0], [4, 2], [0, 2]], np.float32)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (SceneWord(np.full((4, 2), np.nan, np.float32), "a"), "finite points"),
        (SceneWord(QUAD[:2], "a"), "at least three"),
        (SceneWord(QUAD, "ab", characters=QUAD[None]), "needs 2 finite character quads"),
    ],
)
def test_the_writer_refuses_malformed_words(tmp_path, picture, word, message):
    with (
        pytest.raises(ValueError, match=message),
        StoreWriter(tmp_path / "x", "detection", "toy", "train", "real", "a test") as writer,
    ):
        writer.add_scene(picture(0), "toy/0", "char", [word])


@pytest.mark.parametrize("key", ["other/1", "toy", "1"])
def test_keys_begin_with_the_name_of_the_set(tmp_path, picture, key):
    with (
        pytest.raises(ValueError, match="must begin with"),
        StoreWriter(tmp_path / "x", "recognition", "toy", "train", "real", "a test") as writer,
    ):
        writer.add_word(picture(0), "a", key)


def test_a_writer_takes_samples_of_its_task_only(tmp_path, picture):
    with (
        pytest.raises(ValueError, match="a detection set takes no recognition sample"),
        StoreWriter(tmp_path / "x", "detection", "toy", "train", "real", "a test") as writer,
    ):
        writer.add_word(picture(0), "a", "toy/1")


@pytest.mark.parametrize(
    "place", [("segmentation", "train", "real"), ("detection", "dev", "real"), ("detection", "train", "fake")]
)
def test_unknown_places_are_refused(tmp_path, place):
    task, split, kind = place
    with pytest.raises(ValueError, match="does not exist: use one of"):
        StoreWriter(tmp_path / "x", task, "toy", split, kind, "a test")


def test_what_was_dropped_is_counted_and_listed(tmp_path, picture):
    folder = tmp_path / "set"
    with StoreWriter(folder, "recognition", "toy", "train", "real", "a test") as writer:
        writer.add_word(picture(0), "a", "toy/0")
        writer.drop("too dark", "b.png\tline 3")
        writer.drop("too dark", "c.png")
        writer.drop("upside down", "d.png")
    assert Store(folder).manifest.dropped == {"too dark": 2, "upside down": 1}
    lines = (folder / "dropped.tsv").read_text().splitlines()
    assert lines == ["reason\twhat", "too dark\tb.png line 3", "too dark\tc.png", "upside down\td.png"]


def test_an_empty_set_says_why_and_is_not_published(tmp_path):
    with (
        pytest.raises(ValueError, match=r"recognition set toy/train would be empty: too dark \(1\)"),
        StoreWriter(tmp_path / "set", "recognition", "toy", "train", "real", "a test") as writer,
    ):
        writer.drop("too dark", "b.png")
    assert list(tmp_path.iterdir()) == []
