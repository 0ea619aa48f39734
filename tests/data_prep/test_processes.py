"""Worker processes, and what interruption leaves behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_prep.parallel import in_order
from ocr.data.records import Manifest
from ocr.data.verification import verify

PLACE = "recognition/mine/test"


@pytest.fixture
def raw(tmp_path, picture):
    """Write a folder of so many words; one in twenty cannot be decoded."""

    def write(name: str, count: int) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        pictures = [picture(i, 60, 31) for i in range(40)]
        for i in range(count):
            (folder / f"{i}.jpg").write_bytes(pictures[i % 40] if i % 20 else pictures[0][:300])
        (folder / "labels.tsv").write_text("".join(f"{i}.jpg\tword{i}\n" for i in range(count)))
        return folder

    return write


def tenfold(chunk: list[int]) -> list[int]:
    if 13 in chunk:
        time.sleep(0.3)
    return [10 * i for i in chunk]


def killed(chunk: list[int]) -> list[int]:
    if 5 in chunk:
        os.kill(os.getpid(), signal.SIGKILL)
    return chunk


def test_results_keep_their_order_and_items_are_drawn_as_they_are_needed():
    drawn = []

    def items():
        for i in range(100):
            drawn.append(i)
            yield i

    results = in_order(tenfold, items(), 3, 2)
    assert next(results) == [0, 10, 20]
    assert len(drawn) < 50
    assert [n for chunk in results for n in chunk] == [10 * i for i in range(3, 100)]


def test_a_killed_worker_is_an_error_in_one_line():
    with pytest.raises(ValueError, match="a worker process was killed"):
        list(in_order(killed, range(20), 2, 2))


def test_what_is_written_does_not_depend_on_the_number_of_processes(raw, prepare):
    folder = raw("words", 600)
    found = []
    for processes in ("1", "2", "3"):
        result = prepare("words", folder, "--name", "mine", "--processes", processes)
        found.append((result.manifest(PLACE).fingerprint, result.dropped(PLACE), result.listed(PLACE)))
    assert found[0] == found[1] == found[2]
    assert found[0][1] == {"picture cannot be decoded": 30}


@pytest.mark.parametrize("processes", ["0", "-1", "many"])
def test_a_number_of_processes_is_positive(tmp_path, prepare, processes):
    with pytest.raises(SystemExit):
        prepare("words", tmp_path, "--name", "mine", "--processes", processes)


def start(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "data_prep", "words", "--raw", str(folder), "--out", str(out)]
    return subprocess.Popen(
        [*command, "--name", "mine", "--processes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
        start_new_session=True,
    )


def of_session(session: int) -> list[int]:
    """Processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_old_set_or_the_new_one(raw, tmp_path, prepare):
    old, new = raw("old", 300), raw("new", 3000)
    out = tmp_path / "prepared"
    prints = {
        name: prepare("words", folder, "--name", "mine").manifest(PLACE).fingerprint
        for name, folder in (("new", new), ("old", old))
    }
    assert prints["old"] != prints["new"]
    began = time.monotonic()
    assert start(new, tmp_path / "timed").wait(100) == 0
    whole = time.monotonic() - began
    rng = random.Random(4)
    seen = {"old": 0, "new": 0}
    for _ in range(20):
        process = start(new, out)
        time.sleep(rng.uniform(0, 1.1 * whole))
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        while of_session(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert of_session(process.pid) == [], "worker processes outlived their parent"
        fingerprint = Manifest.read(out / PLACE).fingerprint
        assert fingerprint in prints.values()
        assert verify(out / PLACE, every_picture=True) == []
        which = next(name for name, value in prints.items() if value == fingerprint)
        seen[which] += 1
        if which == "new":
            prepare("words", old, "--name", "mine")
    assert seen["old"] > 5
    # and the next run is none the worse for it
    assert prepare("words", new, "--name", "mine").manifest(PLACE).fingerprint == prints["new"]
    assert [p.name for p in (out / PLACE).parent.iterdir()] == ["test"]


@pytest.mark.slow
def test_ctrl_c_ends_in_one_line_and_the_command_can_be_repeated(raw, tmp_path):
    folder, out = raw("words", 6000), tmp_path / "prepared"
    process = start(folder, out)
    draft = (out / PLACE).parent / ".test.writing"
    deadline = time.monotonic() + 60
    while not draft.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.decode() == "interrupted: the set was not published; run the command again\n"
    assert not (out / PLACE).exists()
    assert start(folder, out).wait(100) == 0
    assert Manifest.read(out / PLACE).count == 5700
