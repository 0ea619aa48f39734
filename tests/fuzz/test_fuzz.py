"""A few cases of `make fuzz` for every reader, and what it found, so that it stays mended."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from fuzz import fuzz
from readers import Reader, readers

SLOW = {"checkpoint": 4, "checkpoint-content": 4, "weights": 4, "weights-content": 4, "config": 6, "lmdb-entries": 8}
CASES = 12


@pytest.fixture(scope="module")
def known() -> dict[str, Reader]:
    return readers()


def test_no_reader_does_what_it_must_not(known: dict[str, Reader], tmp_path: Path) -> None:
    wrong = {}
    for name, reader in known.items():
        count, _, _, problem = fuzz(reader, tmp_path, SLOW.get(name, CASES), seed=11)
        assert count
        if problem:
            wrong[name] = problem
    assert wrong == {}


def _named(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("gt_img_1.txt"), "1,2,3,4,5,6,7,8,a\n")
        archive.writestr(zipfile.ZipInfo(name), "x")
    return content.getvalue()


LONG = b"_target_: ocr.charset.Charset\ncharacters: abc\nunknown: [" + b"a" * 60_000 + b"]\n"
FOUND = {
    "archive": [b"", b"PK\x03\x04", _named(""), _named("."), _named("./")],
    "pages": [
        b'{"path": "a/img_1.jpg", "words": [{"polygon": [[1, 2], [3, 2], [3, %s]], "score": 1, "text": "x"}]}' % number
        for number in (b"9" * 400, b"1e60", b"NaN", b"null")
    ]
    + [b'{"path": "a/img_1.jpg", "words": [{"polygon": [[1, 2], [3, 2], [3, 4]], "score": NaN, "text": "x"}]}'],
    "config": [b"\x00target_: x\n", b"- 1\n", b"a: [" * 400, b"", b"a: ${oc.env:HOME}\n", b"'0'\n", b"7", LONG],
    "checkpoint": [b"", b"PK\x03\x04", b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R."],
    "lmdb-pages": [b"", bytes(8192)],
    "image": [b"", b"\xff\xd8\xff", b"\x89PNG", b"P6 9 9 255\n" + bytes(300), b"II*\x00"],
    "charset": [b"\xff", b"aa", b"", "\u200b".encode()],
}
"""Cases by reader; each was returned or refused with another exception, a crash or a wrong message once, or is near to one that was."""


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_mended(known: dict[str, Reader], tmp_path: Path, name: str) -> None:
    for case in FOUND[name]:
        with pytest.raises(ValueError, match=r".+") as caught:
            known[name].read(case, tmp_path)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 4000
