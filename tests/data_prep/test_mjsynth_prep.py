from __future__ import annotations

import io
import tarfile

import pytest

from data_prep.mjsynth import label_of
from data_prep.samples import Unusable
from ocr.data.sets import open_set


@pytest.fixture
def folder(tmp_path, picture):
    """A word folder in the layout of MJSynth, with words by path."""

    def write(*paths: str, inner: str = ""):
        raw = tmp_path / "mjsynth"
        for i, path in enumerate(paths):
            file = raw / inner / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(i, 60, 31))
        return raw

    return write


def words(result, split="train"):
    return list(open_set(result.root, "recognition", "mjsynth", split))


PATHS = ["2425/1/115_Lube_45484.jpg", "2425/1/114_Spencerian_73323.jpg", "2069/4/192_whittier_86389.jpg"]


def test_each_annotation_file_is_a_split(folder, prepare, picture):
    raw = folder(*PATHS)
    for split, paths in (("train", PATHS[:2]), ("val", PATHS[2:]), ("test", [])):
        (raw / f"annotation_{split}.txt").write_text("".join(f"./{p} 45484\n" for p in paths))
    result = prepare("mjsynth", raw)
    train = words(result)
    assert [w.text for w in train] == ["Lube", "Spencerian"]
    assert train[0].key == "mjsynth/2425/1/115_Lube_45484.jpg"
    assert [w.text for w in words(result, "val")] == ["whittier"]
    assert not (result.root / "recognition/mjsynth/test").exists()


def test_picture_bytes_pass_through_untouched(folder, prepare):
    raw = folder(*PATHS)
    prepared = open_set(prepare("mjsynth", raw).root, "recognition", "mjsynth", "train")
    for i, key in enumerate(prepared.keys()):
        assert prepared.store.image_bytes(i) == (raw / key.removeprefix("mjsynth/")).read_bytes()
    assert i == 2


@pytest.mark.parametrize("inner", ["", "90kDICT32px", "mnt/ramdisk/max/90kDICT32px"])
@pytest.mark.parametrize("annotated", [False, True])
def test_a_folder_is_found_where_the_archive_puts_it(folder, prepare, inner, annotated):
    raw = folder(*PATHS, inner=inner)
    if annotated:
        (raw / inner / "annotation_train.txt").write_text("".join(f"./{p} 1\n" for p in sorted(PATHS)))
    result = prepare("mjsynth", raw)
    assert [w.key for w in words(result)] == [f"mjsynth/{p}" for p in sorted(PATHS)]


def test_what_cannot_be_used_is_counted(folder, prepare, picture, tmp_path):
    raw = folder(*PATHS)
    (raw / "2425/1/1_half_2.jpg").write_bytes(picture(5, 60, 31)[:500])
    (raw / "2425/1/2_empty_2.jpg").write_bytes(b"")
    (raw / "2425/1/nameless.jpg").write_bytes(picture(6))
    (tmp_path / "3_evil_1.jpg").write_bytes(picture(7))
    lines = [*PATHS, "2425/1/1_half_2.jpg", "2425/1/2_empty_2.jpg", "2425/1/nameless.jpg"]
    lines += ["7/7/3_gone_1.jpg", "../3_evil_1.jpg", f"{tmp_path}/3_evil_1.jpg"]
    (raw / "annotation_train.txt").write_text("".join(f"{p} 1\n" for p in lines))
    result = prepare("mjsynth", raw)
    assert len(words(result)) == 3
    place = "recognition/mjsynth/train"
    assert result.dropped(place) == {
        "picture cannot be decoded": 1,
        "empty picture file": 1,
        "file name is not NN_WORD_NN": 1,
        "no such picture": 1,
        "path leaves the raw folder": 2,
    }
    assert "no such picture\t7/7/3_gone_1.jpg" in result.listed(place)
    assert "3 samples; 6 dropped (path leaves the raw folder 2, " in result.out


def test_labels_come_from_the_middle_of_the_name():
    assert label_of("a/b/115_Lube_45484.jpg") == "Lube"
    assert label_of("1_snake_case_2.png") == "snake_case"
    for name in ("word.jpg", "1_word.jpg", "__.jpg"):
        with pytest.raises(Unusable):
            label_of(name)


def test_an_empty_folder_is_refused(tmp_path, prepare):
    result = prepare("mjsynth", tmp_path)
    assert (result.status, result.root.exists()) == (1, False)
    assert f"no words in {tmp_path}" in result.error


def test_nothing_usable_is_an_error_that_says_why(folder, prepare):
    raw = folder(PATHS[0])
    (raw / PATHS[0]).write_bytes(b"broken")
    result = prepare("mjsynth", raw)
    assert result.status == 1
    assert "recognition set mjsynth/train would be empty: picture cannot be decoded (1)" in result.error


@pytest.mark.parametrize("annotated", [False, True])
@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_the_release_is_read_from_its_archive(tmp_path, prepare, picture, annotated, ending):
    raw = tmp_path / "raw"
    raw.mkdir()
    inner = "mnt/ramdisk/max/90kDICT32px"
    files = {f"{inner}/{path}": picture(i, 60, 31) for i, path in enumerate(PATHS)}
    if annotated:
        files[f"{inner}/annotation_train.txt"] = f"./{PATHS[1]} 1\n./{PATHS[0]} 2\n./7/7/1_gone_1.jpg 3\n".encode()
        files[f"{inner}/annotation_val.txt"] = f"./{PATHS[2]} 1\n".encode()
    with tarfile.open(raw / f"mjsynth.{ending}", "w:gz" if ending == "tar.gz" else "w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    result = prepare("mjsynth", raw)
    # in the order of the archive
    keys = [f"mjsynth/{path}" for path in PATHS]
    assert [w.key for w in words(result)] == (keys[:2] if annotated else keys)
    if annotated:
        assert [w.key for w in words(result, "val")] == keys[2:]
        assert result.listed("recognition/mjsynth/train") == ["no such picture\t./7/7/1_gone_1.jpg"]
    store = open_set(result.root, "recognition", "mjsynth", "train").store
    assert store.image_bytes(0) == files[f"{inner}/{PATHS[0]}"]
