from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.__main__ import main
from data_prep.catalog import catalog
from data_prep.raw import inner_path
from data_prep.readers import NAMELESS, READERS
from data_prep.samples import Unusable
from ocr.data.sets import open_set


@pytest.fixture
def words(tmp_path, picture):
    raw = tmp_path / "raw" / "words"
    raw.mkdir(parents=True)
    for i in range(4):
        (raw / f"{i}.jpg").write_bytes(picture(i))
    (raw / "labels.tsv").write_text("".join(f"{i}.jpg\tword{i}\n" for i in range(4)))
    return raw


def test_the_list_says_of_every_set_what_a_user_must_know(capsys):
    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert set(catalog()) == set(READERS)
    for name, entry in catalog().items():
        assert f"{name}: {entry.title}" in printed
        assert entry.licence in printed
        assert entry.obtain in printed
        assert all(line in printed for line in entry.layout)
        assert len(entry.places()) == len(set(entry.places())) > 0
    assert "gt.mat" in printed
    assert "complete     detection/train 858,750" in printed


def test_a_reader_that_leaves_early_is_no_error():
    pipe = f"{sys.executable} -m data_prep list | head -c 10"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("synthtext:", "")


@pytest.mark.parametrize("name", [*READERS, "icdar", "verify", "list", "rendered"])
def test_every_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert "usage: python -m data_prep" in capsys.readouterr().out


def test_icdar_is_another_name_of_icdar2015(tmp_path, prepare, picture):
    for folder in ("images", "gt"):
        (tmp_path / "raw" / folder).mkdir(parents=True)
    (tmp_path / "raw/images/a.jpg").write_bytes(picture(0))
    (tmp_path / "raw/gt/gt_a.txt").write_text("1,1,9,1,9,9,1,9,x")
    assert prepare("icdar", tmp_path / "raw").manifest("detection/icdar2015/train").name == "icdar2015"


@pytest.mark.parametrize("place", [".", "..", "../..", "pictures"])
def test_a_stand_in_is_never_prepared_as_real(words, prepare, place):
    (words / "pictures").mkdir()
    (words / place / "RENDERED.json").write_text(json.dumps({"kind": "rendered", "look": "plain", "seed": 7}))
    result = prepare("words", words, "--name", "mine")
    manifest = result.manifest("recognition/mine/test")
    assert manifest.kind == open_set(result.root, "recognition", "mine", "test").kind == "rendered"
    assert manifest.source.startswith("stand-in rendered by this project (look plain, seed 7)")
    assert "kind rendered" in result.out
    refused = prepare("words", words, "--name", "other", "--kind", "real")
    assert refused.status == 1
    assert "never prepared as real" in refused.error


def test_stand_ins_of_others_can_be_marked(words, prepare):
    assert prepare("words", words, "--name", "a").manifest("recognition/a/test").kind == "real"
    assert (
        prepare("words", words, "--name", "b", "--kind", "rendered").manifest("recognition/b/test").kind == "rendered"
    )


def test_one_line_is_printed_where_there_is_no_terminal(words, prepare):
    result = prepare("words", words, "--name", "mine")
    manifest = result.manifest("recognition/mine/test")
    assert result.error == ""
    assert result.out == (
        f"recognition mine/test: 4 samples; none dropped; kind real; {result.root / 'recognition/mine/test'}; "
        f"fingerprint {manifest.fingerprint[:12]}\n"
    )


def test_a_repeated_command_gives_the_same_set(words, prepare):
    prints = [prepare("words", words, "--name", "mine").manifest("recognition/mine/test").fingerprint for _ in range(2)]
    assert prints[0] == prints[1]


def test_a_prepared_set_is_verified(words, prepare, capsys):
    folder = prepare("words", words, "--name", "mine").root / "recognition/mine/test"
    assert main(["verify", str(folder), "--full"]) == 0
    assert "recognition mine/test is sound: 4 samples" in capsys.readouterr().out
    (folder / "data.mdb").write_bytes(b"x" * 9000)
    assert main(["verify", str(folder)]) == 1
    assert "it is no LMDB file or damaged" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--name", "a/b"], "holds no slash"),
        (["--name", ".hidden"], "begins with no dot"),
        (["--name", "mine", "--labels", "gone.txt"], "no label file"),
    ],
)
def test_bad_input_gives_one_line(words, prepare, options, message):
    result = prepare("words", words, *options)
    assert result.status == 1
    assert message in result.error
    assert result.error.startswith("error: ")
    assert result.error.count("\n") == 1


def test_a_raw_folder_that_is_not_there_is_named(tmp_path, prepare):
    assert prepare("mjsynth", tmp_path / "gone").error == (
        f"error: --raw {tmp_path / 'gone'} is not a folder: give the folder the data set was downloaded or unpacked to\n"
    )


def test_an_unknown_command_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["synthtxt"])
    assert caught.value.code == 2


@pytest.mark.parametrize("path", ["../a", "/a", "a/../../b", "a/..", "C:\\a", "..\\a", "\\\\host\\a", ""])
def test_paths_that_lead_outside_are_refused(path):
    with pytest.raises(Unusable):
        inner_path(path)


@pytest.mark.parametrize(("path", "clean"), [("./a/b.jpg", "a/b.jpg"), ("a//b..jpg", "a/b..jpg"), ("a\\b", "a/b")])
def test_paths_inside_are_cleaned(path, clean):
    assert inner_path(path) == clean


def test_preparing_needs_neither_torch_nor_lightning_nor_hydra():
    code = "import sys, data_prep.__main__; print([m for m in sys.modules if m.split('.')[0] in ('torch', 'pytorch_lightning', 'hydra')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_set_has_one_name_everywhere():
    conf = Path(__file__).resolve().parents[2] / "conf"
    # not another name of icdar2015, and not text that is rendered while training
    stems = {p.stem for p in (conf / "data").glob("*.yaml")} - {"icdar"}
    offered = {name for name in stems if not name.startswith("rendered")}
    trains = {name for name, entry in catalog().items() if any(p.endswith("/train") for p in entry.places())}
    assert offered == (trains | NAMELESS)
    for name in offered - NAMELESS:
        for place in catalog()[name].places():
            task, _, split = place.partition("/")
            source = conf / "source" / task / f"{name}.yaml"
            assert split != "train" or f"set: {name} " in source.read_text(encoding="utf-8")
    tested = {
        name
        for protocol in (conf / "protocol").glob("*.yaml")
        for name in re.findall(r"\{set: (\w+),", protocol.read_text(encoding="utf-8"))
    }
    assert tested
    assert tested <= set(catalog())
