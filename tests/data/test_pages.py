"""A damaged or forged LMDB file is refused before the library follows it: that would kill the process."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest

from ocr.data import environment, pages
from ocr.data.store import Store

SIZE = 4096


def written(folder: Path, count: int = 400, largest: int = 5000) -> Path:
    """A public LMDB with pages of every kind: branches, leaves, and values on pages of their own."""
    folder.mkdir()
    environment = lmdb.open(str(folder), map_size=1 << 26, lock=False)
    rng = np.random.default_rng(5)
    with environment.begin(write=True) as transaction:
        for i in range(1, count + 1):
            transaction.put(b"image-%09d" % i, rng.bytes(int(rng.integers(1, largest))))
            transaction.put(b"label-%09d" % i, b"word%d" % i)
        transaction.put(b"num-samples", b"%d" % count)
    environment.close()
    return folder / "data.mdb"


@pytest.mark.parametrize(("count", "largest"), [(1, 2), (3, 9000), (400, 5000), (5000, 20)])
def test_what_lmdb_wrote_is_sound_whatever_its_depth(tmp_path: Path, count: int, largest: int) -> None:
    assert pages.check(written(tmp_path / "set", count, largest)) == 2 * count + 1


def test_an_empty_database_is_sound(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path), map_size=1 << 20, lock=False).close()
    assert pages.check(tmp_path / "data.mdb") == 0


def test_what_was_deleted_and_written_again_is_sound(tmp_path: Path) -> None:
    path = written(tmp_path / "set")
    held = lmdb.open(str(path.parent), map_size=1 << 26, lock=False)
    for turn in range(4):
        with held.begin(write=True) as transaction:
            for i in range(1, 400, 3):
                transaction.delete(b"image-%09d" % i)
                transaction.put(b"label-%09d" % i, os.urandom(500 * turn))
    entries = held.stat()["entries"]
    held.close()
    assert pages.check(path) == entries


def pages_of(content: bytes, kind: int) -> list[int]:
    """Numbers of the pages with a flag."""
    return [i for i in range(2, len(content) // SIZE) if struct.unpack_from("<H", content, i * SIZE + 10)[0] == kind]


def first_node(content: bytes, page: int) -> int:
    return page * SIZE + int(struct.unpack_from("<H", content, page * SIZE + 16)[0])


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (pages.BRANCH, lambda c, p: struct.pack_into("<HHH", c, first_node(c, p), 0xFFFF, 0xFFFF, 0), "lies outside"),
        (pages.BRANCH, lambda c, p: struct.pack_into("<HHH", c, first_node(c, p), p, 0, 0), "is referred to twice"),
        (pages.BRANCH, lambda c, p: struct.pack_into("<H", c, p * SIZE + 12, 18), "no possible places"),
        (
            pages.LEAF,
            lambda c, p: struct.pack_into("<H", c, p * SIZE + 16, SIZE - 2),
            "a node lies outside of its page",
        ),
        (pages.LEAF, lambda c, p: struct.pack_into("<H", c, p * SIZE + 16, 9), "a node lies outside of its page"),
        (
            pages.LEAF,
            lambda c, p: struct.pack_into("<H", c, first_node(c, p) + 6, 5000),
            "a key goes on beyond its page",
        ),
        (pages.LEAF, lambda c, p: struct.pack_into("<HHH", c, first_node(c, p), 9999, 0, 0), "a value goes on beyond"),
        (pages.LEAF, lambda c, p: struct.pack_into("<H", c, first_node(c, p) + 4, 4), "several values"),
        (pages.LEAF, lambda c, p: struct.pack_into("<H", c, p * SIZE + 10, 0x22), "not what it is referred to as"),
        (pages.OVERFLOW, lambda c, p: struct.pack_into("<I", c, p * SIZE + 12, 1 << 30), "is longer than its pages"),
        (pages.OVERFLOW, lambda c, p: struct.pack_into("<I", c, p * SIZE + 12, 0), "is longer than its pages"),
        (pages.OVERFLOW, lambda c, p: struct.pack_into("<Q", c, p * SIZE, 7), "not what they are referred to as"),
    ],
)
def test_pages_that_cannot_be_followed_are_refused(tmp_path: Path, kind: int, change, message: str) -> None:
    path = written(tmp_path / "set")
    content = bytearray(path.read_bytes())
    for page in pages_of(content, kind):
        change(content, page)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        Store(path.parent)
    assert str(caught.value).startswith(f"{path} cannot be opened (")
    assert "\n" not in str(caught.value)


def test_a_number_of_samples_beyond_the_entries_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "set", 3)
    held = lmdb.open(str(path.parent), map_size=1 << 26, lock=False)
    with held.begin(write=True) as transaction:
        transaction.put(b"num-samples", b"99999999999999999")
    held.close()
    with pytest.raises(ValueError, match="says it holds 99,999,999,999,999,999 samples and has 7 entries"):
        Store(path.parent)


def test_no_damage_kills_a_process_that_reads_everything(tmp_path: Path) -> None:
    """Of files damaged so, every thirtieth killed the process before there was a check."""
    written(tmp_path / "good", 60)
    code = f"""
import random, sys
from pathlib import Path
from ocr.data.store import Store
good = Path({str(tmp_path)!r}, "good/data.mdb").read_bytes()
refused = 0
for seed in range(300):
    rng, bad = random.Random(seed), bytearray(good)
    for _ in range(rng.randint(1, 6)):
        page = rng.randrange(len(bad) // 4096) * 4096
        bad[page + rng.randrange(64 if rng.random() < 0.7 else 4096)] = rng.randrange(256)
    folder = Path({str(tmp_path)!r}, str(seed))
    folder.mkdir()
    (folder / "data.mdb").write_bytes(bad)
    try:
        store = Store(folder)
        store.texts()
        for i in range(len(store)):
            store.image_bytes(i)
    except ValueError:
        refused += 1
print(refused)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert int(done.stdout) > 100


def test_a_large_file_is_looked_over_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(environment, "LARGE", 1)
    path = written(tmp_path / "set")
    first = Store(path.parent).texts()
    monkeypatch.setattr(pages, "check", lambda _: pytest.fail("looked over again"))
    environment._held.pop(path.parent.resolve()).close()
    assert Store(path.parent).texts() == first
    # another file in its place is another matter
    monkeypatch.undo()
    monkeypatch.setenv("OCR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(environment, "LARGE", 1)
    content = bytearray(path.read_bytes())
    content[2 * SIZE :] = bytes(len(content) - 2 * SIZE)
    path.unlink()
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be opened"):
        Store(path.parent)
