from __future__ import annotations

import multiprocessing
import os
import re
import resource
import signal
import time
from pathlib import Path

import pytest

from ocr.data import publish, store
from ocr.data.sets import WordSet
from ocr.data.store import StoreWriter
from ocr.data.verification import verify

FORK = multiprocessing.get_context("fork")
MOMENTS = ["first sample", "second batch", "manifest", "before the exchange", "after the exchange"]


def write(folder: Path, mark: str, picture: bytes, count: int = 40, after=abs) -> None:
    with StoreWriter(folder, "recognition", "toy", "train", "real", "a test") as writer:
        for i in range(count):
            writer.add_word(picture, f"{mark}{i}", f"toy/{i}")
            after(i)


def hang_at(moment: str, folder: Path, picture: bytes, arrived) -> None:
    """Write a new version of the set, and stop for good at a moment."""

    def stop(*_: object) -> None:
        arrived.set()
        time.sleep(60)

    store.BATCH_ENTRIES = 30
    replace = publish._replace
    if moment == "manifest":
        store.sync_file = stop
    elif moment == "before the exchange":
        publish._replace = stop
    elif moment == "after the exchange":
        publish._replace = lambda *paths: (replace(*paths), stop())
    elif moment == "between two renames":
        publish._exchange = lambda *_: False
        rename = Path.rename
        Path.rename = lambda a, b: (rename(a, b), stop())
    at = {"first sample": 0, "second batch": 25}.get(moment)
    write(folder, "new", picture, after=lambda i: stop() if i == at else None)


def kill_at(moment: str, folder: Path, picture: bytes) -> None:
    arrived = FORK.Event()
    process = FORK.Process(target=hang_at, args=(moment, folder, picture, arrived))
    process.start()
    assert arrived.wait(30)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("old", [False, True], ids=["first version", "second version"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_leaves_the_old_set_or_the_new_one_whole(tmp_path, picture, moment, old):
    folder = tmp_path / "recognition/toy/train"
    if old:
        write(folder, "old", picture(0), count=7)
    kill_at(moment, folder, picture(0))
    if moment == "after the exchange":
        assert WordSet(folder).texts() == [f"new{i}" for i in range(40)]
        assert verify(folder, every_picture=True) == []
    elif old:
        assert WordSet(folder).texts() == [f"old{i}" for i in range(7)]
        assert verify(folder, every_picture=True) == []
    else:
        assert not folder.exists()
    write(folder, "again", picture(0))
    assert WordSet(folder).texts() == [f"again{i}" for i in range(40)]
    assert [p.name for p in folder.parent.iterdir()] == ["train"]


def test_a_kill_between_two_renames_is_mended_by_the_next_writer(tmp_path, picture):
    folder = tmp_path / "recognition/toy/train"
    write(folder, "old", picture(0), count=7)
    kill_at("between two renames", folder, picture(0))
    assert not folder.exists()
    with pytest.raises(RuntimeError), StoreWriter(folder, "recognition", "toy", "train", "real", "a test"):
        raise RuntimeError
    assert WordSet(folder).texts() == [f"old{i}" for i in range(7)]
    assert [p.name for p in folder.parent.iterdir()] == ["train"]


def test_a_set_is_replaced_where_the_file_system_cannot_exchange(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(publish, "_exchange", lambda *_: False)
    folder = tmp_path / "set"
    write(folder, "old", picture(0), count=2)
    write(folder, "new", picture(0), count=3)
    assert WordSet(folder).texts() == ["new0", "new1", "new2"]
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_set(tmp_path, picture, error):
    folder = tmp_path / "set"
    write(folder, "old", picture(0), count=2)

    def fail(i: int) -> None:
        raise error

    with pytest.raises(error):
        write(folder, "new", picture(0), after=fail)
    assert WordSet(folder).texts() == ["old0", "old1"]
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_two_writers_do_not_write_one_set(tmp_path, picture):
    folder = tmp_path / "set"

    def second(i: int) -> None:
        with pytest.raises(ValueError, match="being written by another process"):
            write(folder, "second", picture(0))

    write(folder, "first", picture(0), count=1, after=second)
    assert WordSet(folder).texts() == ["first0"]


@pytest.mark.parametrize("name", ["notes.txt", "data.mdb"])
def test_files_of_others_are_not_overwritten(tmp_path, picture, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=f"not a set of ours .it holds {name}"):
        write(tmp_path, "new", picture(0))
    assert (tmp_path / name).read_text() == "mine"


def test_a_stand_in_does_not_replace_the_real_set(tmp_path, picture):
    folder = tmp_path / "set"
    write(folder, "real", picture(0), count=2)
    with (
        pytest.raises(ValueError, match="a rendered stand-in does not replace it"),
        StoreWriter(folder, "recognition", "toy", "train", "rendered", "a test"),
    ):
        pass
    assert WordSet(folder).texts() == ["real0", "real1"]


@pytest.mark.parametrize("kind", ["real", "rendered"])
def test_a_set_with_an_unreadable_manifest_can_be_prepared_again(tmp_path, picture, kind):
    folder = tmp_path / "set"
    write(folder, "old", picture(0), count=2)
    (folder / "manifest.json").write_text("{")
    with StoreWriter(folder, "recognition", "toy", "train", kind, "a test") as writer:
        writer.add_word(picture(0), "new", "toy/0")
    assert WordSet(folder).texts() == ["new"]


def test_a_place_that_cannot_be_written_gives_one_line(tmp_path, picture):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot write .*: .*; choose a folder that can be written") as caught:
        write(tmp_path / "file" / "set" / "train", "new", picture(0))
    assert "\n" not in str(caught.value)


def fill(folder: Path, picture: bytes, answer) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    try:
        write(folder, "new", picture, count=5000)
    except ValueError as error:
        answer.send(str(error))


def test_a_full_disk_gives_one_line_and_leaves_the_old_set(tmp_path, picture):
    folder = tmp_path / "set"
    write(folder, "old", picture(0), count=2)
    here, there = FORK.Pipe()
    process = FORK.Process(target=fill, args=(folder, picture(0), there))
    process.start()
    assert here.poll(30)
    message = here.recv()
    process.join()
    assert message.startswith(f"cannot write {folder}: ")
    assert re.search(r"(File too large|Input/output error), [\d,]+ MB free there", message)
    assert "\n" not in message
    assert WordSet(folder).texts() == ["old0", "old1"]
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_disk_that_is_full_at_the_end_gives_one_line(tmp_path, picture, monkeypatch):
    normal = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, *a, **k: normal(Path("/dev/full") if path.name == "dropped.tsv" else path, *a, **k)
    )
    with pytest.raises(ValueError, match=r"cannot write .*: No space left on device"):
        write(tmp_path / "set", "new", picture(0))
    with pytest.raises(RuntimeError), StoreWriter(tmp_path / "set", "recognition", "toy", "train", "real", "a test"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.005 * 1.6**i for i in range(14)])
def test_a_kill_at_any_time_leaves_a_whole_set(tmp_path, picture, delay):
    folder = tmp_path / "set"
    write(folder, "old", picture(0), count=3)
    process = FORK.Process(target=write, args=(folder, "new", picture(0), 20_000))
    process.start()
    time.sleep(delay)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert len(WordSet(folder)) in (3, 20_000)
    assert verify(folder) == []
    write(folder, "again", picture(0))
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
