"""The label formats of word sets, in fixtures made here."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile

import lmdb
import pytest
from label_examples import IC13, SVT, WORDS, imagelist, structures

from data_prep.__main__ import main
from data_prep.catalog import catalog
from data_prep.check import verdict
from data_prep.word_lists import Row, first_words, json_rows, text_rows
from ocr.data.sets import open_set


def words(result, name, split="test"):
    return list(open_set(result.root, "recognition", name, split))


def tar_gz(files):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_iiit5k_is_read_from_its_tar_and_its_matlab_files(raw, prepare, picture, packed):
    files = {f"IIIT5K/{s}/{i}_1.png": picture(i, form="PNG") for i, s in enumerate(("train", "test"))}
    for i, (split, text) in enumerate((("train", "ONE"), ("test", "Two"))):
        files[f"IIIT5K/{split}data.mat"] = structures(f"{split}data", [(f"{split}/{i}_1.png", text)])
    folder = raw({"IIIT5K-Word_V3.0.tar.gz": tar_gz(files)} if packed else files)
    result = prepare("iiit5k", folder)
    (train,), (test,) = words(result, "iiit5k", "train"), words(result, "iiit5k")
    assert (train.text, train.key, test.text, test.key) == ("ONE", "iiit5k/train/0_1.png", "Two", "iiit5k/test/1_1.png")


def test_svt_words_are_cut_out_of_their_pictures(raw, prepare, picture):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {"svt1/test.xml": SVT, "svt1/img/14_03.jpg": picture(1)}.items():
            archive.writestr(name, content)
    result = prepare("svt", raw({"svt.zip": file.getvalue()}))
    first, second = words(result, "svt")
    assert [(w.text, w.key, w.image.shape) for w in (first, second)] == [
        ("LIVING", "svt/img/14_03.jpg#0", (20, 40, 3)),
        ("ROOM", "svt/img/14_03.jpg#1", (20, 30, 3)),
    ]
    assert sorted(result.listed("recognition/svt/test")) == [
        "rectangle does not hold x, y, width and height\ttest.xml line 6: img/14_03.jpg",
        "word reaches out of the picture\ttest.xml line 7: img/14_03.jpg",
    ]


@pytest.fixture
def icdar2003(raw, picture):
    files = {f"TrialTest/word/1/{i}.jpg": picture(i) for i in range(len(WORDS))}
    return raw({**files, "TrialTest/word.xml": imagelist()})


def test_icdar2003_has_latin_1_xml(icdar2003, prepare):
    assert [w.text for w in words(prepare("icdar2003", icdar2003), "icdar2003")] == WORDS


def test_icdar2003_867_keeps_words_of_three_alphanumeric_characters(icdar2003, prepare):
    result = prepare("icdar2003_867", icdar2003)
    assert [w.text for w in words(result, "icdar2003_867")] == ["self", "Road", "5x5"]
    assert result.dropped("recognition/icdar2003_867/test") == {"text is not three or more of 0-9, A-Z and a-z": 4}


def test_icdar2003_860_needs_its_list(icdar2003, prepare, tmp_path):
    assert (
        "icdar2003_860 needs --test-ids FILE: 860 of 1,110 words were picked by hand"
        in prepare("icdar2003_860", icdar2003).error
    )
    (tmp_path / "ids.txt").write_text("word/1/0\nword/1/5.jpg\n")
    result = prepare("icdar2003_860", icdar2003, "--test-ids", str(tmp_path / "ids.txt"))
    assert [w.text for w in words(result, "icdar2003_860")] == ["self", "5x5"]
    assert (
        "names word/1/99, which word.xml does not list"
        in prepare("icdar2003_860", icdar2003, "--test-ids", "word/1/0,word/1/99").error
    )


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("icdar2013", ["Tiredness", "kills,", 'say "A"', "UK"]),
        ("icdar2013_1015", ["Tiredness", "UK"]),
        ("icdar2013_857", ["Tiredness"]),
    ],
)
def test_icdar2013_words(raw, prepare, picture, name, texts):
    files = {f"Challenge2_Test_Task3_Images/word_{i}.png": picture(i, form="PNG") for i in range(1, 5)}
    result = prepare(name, raw({**files, "Challenge2_Test_Task3_GT.txt": IC13}))
    assert [w.text for w in words(result, name)] == texts
    assert words(result, name)[0].key == f"{name}/word_1.png"


def test_icdar2015_gives_scenes_and_words_as_far_as_they_are_there(raw, prepare, picture):
    files = {f"ch4_training_word_images_gt/word_{i}.png": picture(i, form="PNG") for i in (1, 2)}
    files["ch4_training_word_images_gt/gt.txt"] = '\ufeffword_1.png, "Genaxis Theatre"\r\nword_2.png, "[06]"\r\n'
    files["ch4_training_images/img_1.jpg"] = picture(3)
    files["ch4_training_localization_transcription_gt/gt_img_1.txt"] = "1,1,9,1,9,9,1,9,x"
    result = prepare("icdar2015", raw(files))
    assert [w.text for w in words(result, "icdar2015", "train")] == ["Genaxis Theatre", "[06]"]
    assert len(open_set(result.root, "detection", "icdar2015", "train")) == 1


def test_svtp_and_cute80_lists_have_white_space(raw, prepare, picture):
    files = {"svtp/par1/a_1.jpg": picture(1), "svtp/gt.txt": "a_1.jpg HOTEL lexicon_1.txt\n"}
    files |= {"CUTE80/timage/img001.jpg": picture(2), "CUTE80/gt.txt": "timage/img001.jpg RONALDO 7\n"}
    folder = raw(files)
    for name, expected in (("svtp", ("HOTEL", "svtp/a_1.jpg")), ("cute80", ("RONALDO", "cute80/timage/img001.jpg"))):
        (word,) = words(prepare(name, folder), name)
        assert (word.text, word.key) == expected


def test_cute80_from_a_tar_with_json_labels(raw, prepare, picture):
    labels = {"metainfo": {}, "data_list": [{"img_path": "timage/i.jpg", "instances": [{"text": "BALLYS"}]}]}
    folder = raw({"timage.tar.gz": tar_gz({"timage/i.jpg": picture(1)}), "textrecog_test.json": json.dumps(labels)})
    assert [w.text for w in words(prepare("cute80", folder), "cute80")] == ["BALLYS"]


def test_union14m_lists_are_read_one_after_the_other(raw, prepare, picture):
    files = {f"Union14M-L/full_images/{i}.jpg": picture(i) for i in range(4)}
    lists = {"easy": (0, 1), "hard": (2, 3)}
    for name, numbers in lists.items():
        top = "Union14M-L/" if name == "hard" else ""
        lines = [json.dumps({"filename": f"{top}full_images/{i}.jpg", "text": f"w{i}"}) for i in numbers]
        files[f"Union14M-L/train_annos/mmocr-0.x/train_{name}.jsonl"] = "\n".join([*lines, "{broken"])
    result = prepare("union14m", raw(files))
    assert [w.text for w in words(result, "union14m", "train")] == ["w0", "w1", "w2", "w3"]
    assert result.listed("recognition/union14m/train") == [
        "line is not JSON\ttrain_easy.jsonl line 3:",
        "line is not JSON\ttrain_hard.jsonl line 3:",
    ]


@pytest.mark.parametrize(
    "content",
    [
        [{"filename": "a.jpg", "text": "x"}, {"filename": "b.jpg", "text": "y"}],
        {
            "data_list": [
                {"img_path": "a.jpg", "instances": [{"text": "x"}]},
                {"img_path": "b.jpg", "instances": [{"text": "y"}]},
            ]
        },
        {"a.jpg": "x", "b.jpg": "y"},
    ],
)
def test_json_lists(content):
    assert list(json_rows(json.dumps(content).encode())) == [Row(1, "a.jpg", "x"), Row(2, "b.jpg", "y")]


def test_texts_after_white_space_keep_their_spaces():
    assert list(text_rows(b"a/b c.jpg two words\nd.png x")) == [Row(1, "a/b c.jpg", "two words"), Row(2, "d.png", "x")]
    assert list(first_words(b"a.jpg, one two\n\nb.jpg")) == [Row(1, "a.jpg", "one"), Row(3, "b.jpg", "")]


def test_a_picture_listed_twice_is_taken_once(raw, prepare, picture):
    result = prepare("words", raw({"a.jpg": picture(1), "labels.tsv": "a.jpg\tone\na.jpg\ttwo\n"}), "--name", "mine")
    assert [w.text for w in words(result, "mine")] == ["one"]
    assert result.listed("recognition/mine/test") == ["picture is listed twice\tlabels.tsv line 2: a.jpg"]


@pytest.fixture
def released(tmp_path, picture):
    """Two LMDBs as others publish them."""
    for name in ("evaluation/IIIT5k_3000", "evaluation/IC15_2077", "training/MJ/MJ_valid"):
        folder = tmp_path / "release" / name
        folder.mkdir(parents=True)
        with lmdb.open(str(folder), map_size=1 << 24) as environment, environment.begin(write=True) as writing:
            writing.put(b"num-samples", b"2")
            for i in (1, 2):
                writing.put(b"image-%09d" % i, picture(i))
                writing.put(b"label-%09d" % i, b"word%d" % i)
    return tmp_path / "release"


def test_public_lmdbs_are_linked_to_under_the_name_of_the_set(released, tmp_path, capsys):
    before = {p: p.read_bytes() for p in released.rglob("data.mdb")}
    assert main(["lmdb", "--raw", str(released), "--out", str(tmp_path / "data")]) == 0
    printed = capsys.readouterr().out
    assert "recognition iiit5k/test: 2 samples; sound" in printed
    assert "the complete set has 3,000" in printed
    for name, split in (("iiit5k", "test"), ("icdar2015", "test"), ("mjsynth", "val")):
        opened = open_set(tmp_path / "data", "recognition", name, split)
        assert [w.key for w in opened] == [f"{name}/000000001", f"{name}/000000002"]
    assert {p: p.read_bytes() for p in released.rglob("data.mdb")} == before
    assert main(["lmdb", "--raw", str(released), "--out", str(tmp_path / "data")]) == 0


def test_a_faulty_public_lmdb_gets_no_link(released, tmp_path, capsys):
    path = released / "evaluation/IIIT5k_3000/data.mdb"
    path.write_bytes(path.read_bytes()[:5000])
    assert main(["lmdb", "--raw", str(released), "--out", str(tmp_path / "data")]) == 1
    assert "IIIT5k_3000" in capsys.readouterr().out
    assert not (tmp_path / "data/recognition/iiit5k").exists()
    assert (tmp_path / "data/recognition/icdar2015/test").is_symlink()


def test_check_compares_prepared_sets_with_the_catalogue(released, raw, prepare, picture, tmp_path, capsys):
    root = tmp_path / "prepared"
    assert main(["check", "--out", str(root)]) == 1
    assert "nothing to check" in capsys.readouterr().err
    assert main(["lmdb", "--raw", str(released), "--out", str(root)]) == 0
    prepare("icdar2003_867", raw({"TrialTest/word/1/0.jpg": picture(0), "TrialTest/word.xml": imagelist()}))
    capsys.readouterr()
    assert main(["check", "--out", str(root)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "NOT  recognition mjsynth/val: 2 samples; of 802,731; not the complete set",
        "NOT  recognition iiit5k/test: 2 samples; of 3,000; not the complete set",
        "NOT  recognition icdar2003_867/test: 1 samples, 6 drops; the catalogue has 867",
        "NOT  recognition icdar2015/test: 2 samples; of 2,077; not the complete set",
    ]
    assert main(["check", "nonsense"]) == 1


@pytest.mark.parametrize(
    ("name", "place", "count", "dropped", "public", "sound"),
    [
        ("iiit5k", "recognition/test", 3000, 0, False, True),
        ("iiit5k", "recognition/test", 2990, 10, False, True),
        ("iiit5k", "recognition/test", 2990, 3, False, False),
        ("iiit5k", "recognition/test", 3001, 0, False, False),
        ("icdar2003_867", "recognition/test", 867, 243, False, True),
        ("icdar2003_867", "recognition/test", 860, 250, False, False),
        ("icdar2015_1811", "recognition/test", 1811, 0, True, True),
        ("mjsynth", "recognition/train", 7224586, 0, True, True),
        ("mjsynth", "recognition/train", 7224586, 0, False, False),
        ("synthtext", "recognition/train", 7_000_000, 1, False, True),
    ],
)
def test_a_set_is_complete_when_what_is_missing_was_dropped(name, place, count, dropped, public, sound):
    assert verdict(catalog()[name], place, count, dropped, public)[0] is sound


def test_check_compares_archives_with_their_checksums(tmp_path, capsys):
    (tmp_path / "svt.zip").write_bytes(b"not it")
    assert main(["check", "svt", "--raw", str(tmp_path)]) == 1
    assert "NOT  svt svt.zip: md5 " in capsys.readouterr().out


def test_the_list_can_be_of_some_sets(capsys):
    assert main(["list", "svt"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("svt: Street View Text\n")
    assert "42d19160010d990ae6223b14f45eff88  svt.zip" in printed
    assert "mjsynth" not in printed
