"""One set on one disk, and several processes: readers while it is replaced, and media that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr.data.store import StoreWriter

READ = """
import sys
from pathlib import Path
from ocr.data.store import Store
folder, versions = Path(sys.argv[1]), set()
print("ready", flush=True)
while not (folder.parent / "done").exists() or len(versions) < 2:
    store = Store(folder)
    marks = {store.text(i).rstrip("0123456789") for i in range(len(store))} | {t.rstrip("0123456789") for t in store.texts()}
    assert len(marks) == 1, marks
    versions |= marks
print("saw", len(versions))
"""


def test_two_readers_see_whole_versions_while_a_writer_replaces_the_set(tmp_path: Path, write_words) -> None:
    folder = write_words(tmp_path, 20, "a")
    command = [sys.executable, "-c", READ, str(folder)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
    for mark in "bcdefghij":
        write_words(tmp_path, 20 + ord(mark) % 7, mark)
    (folder.parent / "done").touch()
    for reader in readers:
        said, errors = reader.communicate(timeout=200)
        assert reader.returncode == 0, errors[-800:]
        assert said.startswith("saw ")


@pytest.fixture
def read_only(tmp_path: Path, write_words) -> Iterator[Path]:
    """The folder of a set, on a file system that is mounted for reading alone."""
    place = tmp_path / "medium"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        folder = write_words(place, 30)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_set_on_media_that_cannot_be_written_is_read(read_only: Path, picture) -> None:
    code = f"""
from pathlib import Path
from ocr.data import environment, label_index, sets
environment.LARGE = label_index.LARGE = sets.LARGE = 1
words = sets.WordSet(Path({str(read_only)!r}))
print(len(words), words[29].text, list(words.texts())[7])
"""
    # the cache lies there too, so nothing can be remembered either
    variables = os.environ | {"OCR_CACHE": str(read_only / "cache")}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("30 word29 word7\n", "")
    with (
        pytest.raises(ValueError, match="cannot write"),
        StoreWriter(read_only, "recognition", "toy", "train", "real", "x") as writer,
    ):
        writer.add_word(picture(0), "a", "toy/a")
