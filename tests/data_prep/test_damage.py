"""Bad input: what is damaged is reported by file and line, and nothing else happens."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import time
import zipfile
import zlib

import numpy as np
import pytest
from label_examples import EXAMPLES, IC13, LINE, SVT, TOTALTEXT, imagelist, matlab_rows, rects_json, structures

from data_prep import gzip_access
from data_prep.archives import RawFile, scan
from data_prep.forms import FORMS, parse
from data_prep.json_labels import parse_index
from data_prep.samples import Unusable
from data_prep.word_lists import FORMS as WORD_FORMS
from ocr.data.sets import open_set

MATLAB = matlab_rows(([10, 40, 40, 10], [10, 10, 20, 20], "a", "h"), ([1, 2, 3], [4, 5, 6], "b", "c"))
SCENES = {name: content * 4 if b"\n" in content[-1:] else content for name, content in EXAMPLES.items()}
SCENES |= {
    "polygons": f"{LINE},Tea\n1,2,3,4,5,6,x\n".encode(),
    "totaltext_matlab": MATLAB,
    "totaltext_text": TOTALTEXT.encode(),
    "rects": rects_json([((0, 0, 30, 10), "你好", 0)] * 3, [((0, 0, 15, 10), "你", 0), ((15, 0, 30, 10), "好", 0)]),
}
WORDS = {
    "list": IC13.encode(),
    "first_word": b"a.jpg one\nb.jpg two x\n",
    "json_list": b'{"filename": "a.jpg", "text": "x"}\n{"filename": "b.jpg", "text": "y"}\n',
    "iiit5k": structures("testdata", [("a.png", "x"), ("b.png", "y")]),
    "tagged_xml": SVT.encode(),
}
ART = json.dumps({"gt_0": [{"points": [[1, 2], [3, 4], [5, 6]], "transcription": "x"}], "gt_1": []}).encode()


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, cut out, doubled, swapped for telling ones, or the end cut off."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 8)):
        at = int(rng.integers(0, max(len(data), 1)))
        match rng.integers(0, 6):
            case 0:
                data[at : at + 1] = bytes([rng.integers(0, 256)])
            case 1:
                del data[at : at + int(rng.integers(1, 20))]
            case 2:
                data[at:at] = data[at : at + int(rng.integers(1, 40))]
            case 3:
                telling = [
                    b"\xff\xfe",
                    b"\0",
                    b"1e999",
                    b"nan",
                    b"-",
                    b",,,",
                    b'"',
                    b"\r",
                    b"\xef\xbb\xbf",
                    b"]]",
                    b"<",
                    b"9" * 400,
                ]
                data[at:at] = telling[rng.integers(0, len(telling))]
            case 4:
                del data[at:]
            case 5:
                data += content
    return bytes(data)


def test_two_thousand_damaged_label_files_are_reported_by_line_and_crash_nothing():
    rng = np.random.default_rng(11)
    readers = [(lambda c, f=FORMS[name]: parse(f, c), content) for name, content in SCENES.items()]
    readers += [(lambda c, f=WORD_FORMS[name]: list(f(c)), content) for name, content in WORDS.items()]
    readers += [(parse_index, ART), (lambda c: list(WORD_FORMS["tagged_xml"](c)), imagelist())]
    whole = partly = 0
    refused: list[ValueError] = []
    for i in range(2000):
        read, content = readers[i % len(readers)]
        try:
            labels = read(damaged(content, rng))
        except ValueError as error:
            refused.append(error)
            continue
        faults = getattr(labels, "faults", [])
        assert all(fault.where.split()[-1].isdigit() for fault in faults)
        partly += bool(faults)
        whole += not faults
    for error in refused:
        # MATLAB files have no lines; lists of words may be damaged into ones whose header lacks the text
        named = "line " in error.where if isinstance(error, Unusable) else "header" in str(error)
        assert named or any(word in str(error) for word in ("MATLAB", "structures", "cell array"))
    assert len(refused) > 300
    assert partly > 200
    assert whole > 100


def test_damaged_files_in_a_set_are_listed_and_the_rest_is_prepared(tmp_path, prepare, picture):
    rng = np.random.default_rng(3)
    for folder in ("images", "gt"):
        (tmp_path / "raw" / folder).mkdir(parents=True)
    for i in range(60):
        (tmp_path / f"raw/images/{i}.jpg").write_bytes(picture(i, 60, 40) if i % 10 else picture(i)[: 50 * i])
        content = f"{LINE},word\n{LINE},###\n{LINE},more\n".encode()
        (tmp_path / f"raw/gt/gt_{i}.txt").write_bytes(damaged(content, rng) if i % 2 else content)
    result = prepare("scenes", tmp_path / "raw", "--name", "mine", "--points", "four")
    assert result.status == 0
    listed = result.listed("detection/mine/test")
    assert sum(result.dropped("detection/mine/test").values()) == len(listed) > 20
    assert all(("gt/gt_" in line and " line " in line) or "images/" in line for line in listed)
    assert 20 < len(open_set(result.root, "detection", "mine", "test")) < 60


def zip_bytes(files, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def tar_bytes(files, mode="w"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


PACKERS = {
    "zip": zip_bytes,
    "stored.zip": lambda files: zip_bytes(files, zipfile.ZIP_STORED),
    "tar": tar_bytes,
    "tar.gz": lambda files: tar_bytes(files, "w:gz"),
}


@pytest.mark.parametrize("kind", PACKERS)
def test_archives_are_read_by_offset(tmp_path, kind):
    rng = np.random.default_rng(1)
    files = {f"a/b{i}.bin": rng.bytes(int(rng.integers(0, 5000))) for i in range(20)}
    path = tmp_path / f"x.{kind}"
    path.write_bytes(PACKERS[kind](files))
    found = dict(scan(path))
    assert {name: file.read() for name, file in found.items()} == files
    # in any order, and as a stream
    assert {name: found[name].read() for name in reversed(found)} == files
    with found["a/b7.bin"].open() as stream:
        assert stream.read() == files["a/b7.bin"]


@pytest.mark.parametrize("kind", PACKERS)
def test_truncated_archives_are_refused_in_one_line(tmp_path, prepare, picture, kind):
    content = PACKERS[kind]({f"{i}.jpg": picture(i) for i in range(9)})
    ending = kind.removeprefix("stored.")
    (tmp_path / f"images.{ending}").write_bytes(content[: len(content) * 2 // 3])
    (tmp_path / "gt").mkdir()
    result = prepare("scenes", tmp_path, "--name", "mine")
    assert (result.status, result.root.exists()) == (1, False)
    assert "is not a complete" in result.error
    assert "download it again" in result.error
    assert result.error.count("\n") == 1


def test_a_member_that_is_damaged_is_dropped_alone(tmp_path, prepare, picture):
    content = bytearray(zip_bytes({f"{i}.jpg": picture(i) for i in range(3)}, zipfile.ZIP_STORED))
    content[content.index(picture(1)) + 700] ^= 255
    (tmp_path / "images.zip").write_bytes(content)
    (tmp_path / "gt.zip").write_bytes(zip_bytes({f"gt_{i}.txt": f"{LINE},x" for i in range(3)}))
    result = prepare("scenes", tmp_path, "--name", "mine")
    assert result.listed("detection/mine/test") == ["damaged in the archive\timages/1.jpg"]
    assert len(open_set(result.root, "detection", "mine", "test")) == 2


@pytest.mark.parametrize("where", ["folder", "file"])
def test_a_folder_may_stand_for_an_archive_and_the_other_way_round(tmp_path, prepare, picture, where):
    if where == "folder":
        (tmp_path / "images.zip").mkdir()
        (tmp_path / "images.zip/0.jpg").write_bytes(picture(0))
    else:
        (tmp_path / "images").write_bytes(zip_bytes({"0.jpg": picture(0)}))
    (tmp_path / "gt.tar").write_bytes(tar_bytes({"gt_0.txt": f"{LINE},x".encode()}))
    result = prepare("scenes", tmp_path, "--name", "mine")
    assert open_set(result.root, "detection", "mine", "test").keys() == ["mine/images/0.jpg"]


def test_files_that_are_no_archives_are_named(tmp_path, prepare):
    (tmp_path / "images.zip").write_bytes(b"<html>not found</html>")
    (tmp_path / "gt").mkdir()
    error = prepare("scenes", tmp_path, "--name", "mine").error
    assert "images.zip is neither a folder nor a zip or tar archive: download it again" in error
    assert "is a file: give the folder that holds it" in prepare("scenes", tmp_path / "images.zip", "--name", "m").error


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_names_that_leave_the_folder_are_refused(tmp_path, prepare, picture, kind):
    (tmp_path / f"images.{kind}").write_bytes(PACKERS[kind]({"../../0.jpg": picture(0)}))
    (tmp_path / "gt").mkdir()
    assert "'../../0.jpg', which leads out of it" in prepare("scenes", tmp_path, "--name", "mine").error


def test_zip_bombs_are_not_unpacked(tmp_path, prepare, picture):
    bomb = b"\xff\xd8" + bytes(60_000_000)
    (tmp_path / "images.zip").write_bytes(zip_bytes({"0.jpg": bomb, "1.jpg": picture(1)}))
    (tmp_path / "gt.zip").write_bytes(zip_bytes({f"gt_{i}.txt": f"{LINE},x" for i in range(2)}))
    result = prepare("scenes", tmp_path, "--name", "mine")
    assert result.listed("detection/mine/test") == ["file in the archive is too large when unpacked\timages/0.jpg"]


def test_a_zip_that_understates_a_size_is_damaged(tmp_path):
    (tmp_path / "x.zip").write_bytes(zip_bytes({"a": bytes(1_000_000)}))
    ((_, file),) = scan(tmp_path / "x.zip")
    small = RawFile(file.container, file.path, file.packing, file.offset, file.packed, 10, file.crc)
    with pytest.raises(Unusable, match="damaged in the archive"):
        small.read()


def test_a_tar_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path):
    member = tarfile.TarInfo("a.jpg")
    member.size = 1 << 40
    with (tmp_path / "x.tar").open("wb") as file:
        file.write(member.tobuf() + bytes(10240))
    with pytest.raises(ValueError, match="unpacks to more than"):
        list(scan(tmp_path / "x.tar"))


def test_encrypted_archives_are_refused(tmp_path):
    content = bytearray(zip_bytes({"a.jpg": b"x"}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(ValueError, match="which is encrypted: unpack it"):
        list(scan(tmp_path / "x.zip"))


def test_a_polygon_of_100_000_points_is_dropped_quickly(tmp_path, prepare, picture):
    t = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    circle = ",".join(f"{50 + 20 * np.cos(a):.3f},{30 + 20 * np.sin(a):.3f}" for a in t)
    for folder in ("images", "gt"):
        (tmp_path / folder).mkdir()
    (tmp_path / "images/0.jpg").write_bytes(picture(0))
    (tmp_path / "gt/gt_0.txt").write_text(f"{circle},round\n10,10,25,8,40,10,40,20,25,18,10,20,x\n")
    began = time.monotonic()
    result = prepare("scenes", tmp_path, "--name", "mine", "--points", "any")
    assert time.monotonic() - began < 10
    assert result.listed("detection/mine/test") == ["word box has more than 1,000 points\tgt/gt_0.txt line 1 round"]


def test_a_second_file_of_one_name_is_listed(tmp_path, prepare, picture):
    for folder in ("images", "gt"):
        (tmp_path / folder).mkdir()
    (tmp_path / "images/0.jpg").write_bytes(picture(0))
    (tmp_path / "images/0.png").write_bytes(picture(1, form="PNG"))
    for name in ("gt_0.txt", "0.txt"):
        (tmp_path / "gt" / name).write_text(f"{LINE},{name}")
    result = prepare("scenes", tmp_path, "--name", "mine")
    assert result.listed("detection/mine/test") == [
        "picture of this name occurs twice\timages/0.png",
        "label file of this name occurs twice\tgt/gt_0.txt",
    ]


def test_entities_are_not_expanded(tmp_path, prepare, picture):
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><Annotations>&b;</Annotations>'
    with pytest.raises(Unusable, match="XML declares entities"):
        FORMS["ctw1500_xml"].parse(bomb.encode())
    deep = "<Annotations>" + "<a>" * 100_000
    with pytest.raises(Unusable, match="XML is nested too deeply"):
        FORMS["ctw1500_xml"].parse(deep.encode())
    with pytest.raises(Unusable, match="label file is not JSON"):
        FORMS["rects"].parse(b"[" * 100_000)


@pytest.mark.parametrize("kind", PACKERS)
def test_damaged_archives_are_refused_or_lose_members_but_nothing_else(tmp_path, kind):
    rng = np.random.default_rng(7)
    files = {f"a/b{i}.bin": rng.bytes(300) + bytes(400) for i in range(6)}
    content = PACKERS[kind](files)
    refused = lost = 0
    for _ in range(60):
        path = tmp_path / f"x.{kind}"
        path.write_bytes(damaged(content, rng))
        try:
            members = dict(scan(path))
        except ValueError:
            refused += 1
            continue
        for file in members.values():
            try:
                file.read()
            except Unusable:
                lost += 1
    assert refused > 10
    assert refused + lost > 40


def test_gzip_is_read_at_any_place(tmp_path, monkeypatch):
    monkeypatch.setattr(gzip_access, "APART", 20_000)
    monkeypatch.setattr(gzip_access, "MOST", 8)
    rng = np.random.default_rng(2)
    content = b"".join(rng.bytes(2000) + bytes(int(rng.integers(0, 6000))) for _ in range(400))
    path = tmp_path / "x.gz"
    # three members, as tools that pack in parallel or append leave them
    thirds = [content[: len(content) // 3], content[len(content) // 3 : -5000], content[-5000:]]
    path.write_bytes(b"".join(map(gzip.compress, thirds)))
    reader = gzip_access.GzipReader(path)
    for _ in range(300):
        offset = int(rng.integers(0, len(content)))
        size = int(rng.integers(0, min(30_000, len(content) - offset)))
        assert reader.read_at(offset, size) == content[offset : offset + size]
    with pytest.raises(EOFError):
        reader.read_at(len(content) - 10, 11)
    assert reader.read_at(0, 10) == content[:10]


def test_an_archive_that_is_replaced_is_opened_anew(tmp_path):
    path = tmp_path / "x.tar.gz"
    for text in (b"one", b"two!"):
        path.write_bytes(tar_bytes({"a": text}, "w:gz"))
        ((_, file),) = scan(path)
        assert file.read() == text


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_small_file_that_decodes_to_a_huge_picture_is_dropped(tmp_path, prepare, picture, form):
    content = bytearray(picture(0, form=form))
    if form == "PNG":
        content[16:24] = (40_000).to_bytes(4, "big") * 2
        content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    else:
        content[6:10] = (40_000).to_bytes(2, "little") * 2
    for folder in ("images", "gt"):
        (tmp_path / folder).mkdir()
    for i, data in enumerate((content, picture(1))):
        (tmp_path / f"images/{i}.{form.lower()}").write_bytes(data)
        (tmp_path / f"gt/gt_{i}.txt").write_text(f"{LINE},x")
    result = prepare("scenes", tmp_path, "--name", "mine")
    assert result.listed("detection/mine/test") == [f"picture has more than 200 megapixels\timages/0.{form.lower()}"]
