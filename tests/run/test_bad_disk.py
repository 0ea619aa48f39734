"""A disk that is full or cannot be written: one line, and never half a checkpoint that later loads."""

import errno
import os
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from recipes import assert_same_run, command, overrides, record, run

from ocr.run import checkpoint


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_failed_save_keeps_the_checkpoint_before_it(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real, saves = torch.save, 0

    def fail_halfway(content: Any, stream: Any) -> None:
        nonlocal saves
        saves += 1
        if saves == 5:
            stream.write(b"PK\x03\x04 half")
            raise OSError(number, os.strerror(number))
        real(content, stream)

    run(tiny_root, tmp_path / "whole", "crnn")
    with monkeypatch.context() as patch:
        patch.setattr("ocr.run.checkpoint.torch.save", fail_halfway)
        with pytest.raises(ValueError, match=rf"cannot write .*/last\.ckpt \({os.strerror(number)}\)"):
            run(tiny_root, tmp_path / "broken", "crnn")
    folder = tmp_path / "broken/run"
    assert {p.name for p in folder.glob("*.ckpt*")} | {p.name for p in folder.glob(".*")} == {
        "last.ckpt",
        "previous.ckpt",
        "best.ckpt",
        ".lock",
    }
    assert checkpoint.read(folder / "last.ckpt")["global_step"] == 4
    assert record(folder).status == "failed"
    run(tiny_root, tmp_path / "broken", "crnn")
    assert_same_run(tmp_path / "whole/run", folder)


def test_a_file_that_hits_the_limit_of_the_system_is_one_line(tiny_root: Path, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    status, output, errors = command(*overrides(tiny_root, tmp_path, "crnn", "pictures=0"), preexec_fn=limit)
    assert status == 1, output
    assert errors.strip() == (
        f"error: cannot write {tmp_path}/run/last.ckpt (File too large); what was saved before is untouched: "
        "make room and repeat the command"
    )
    assert not list((tmp_path / "run").glob("*.ckpt*"))
    assert not list((tmp_path / "run").glob(".*.ckpt*"))


def test_a_place_that_cannot_be_written_is_one_line(tiny_root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        ValueError, match=r"cannot write .*file/run \(Not a directory\): make room there or choose another runs="
    ):
        run(tiny_root, tmp_path / "file", "crnn")


def test_drafts_of_killed_processes_are_removed(tiny_root: Path, tmp_path: Path) -> None:
    drafts = [
        tmp_path / "run" / f".{name}.12345" for name in ("last.ckpt", "previous.ckpt", "run.json", "metrics.jsonl")
    ]
    drafts[0].parent.mkdir()
    for draft in drafts:
        draft.write_bytes(b"half")
    run(tiny_root, tmp_path, "crnn")
    assert not any(draft.exists() for draft in drafts)


def test_best_is_copied_where_the_file_system_has_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    (tmp_path / "last.ckpt").write_bytes(b"content")
    monkeypatch.setattr(os, "link", no_links)
    checkpoint.link(tmp_path / "last.ckpt", tmp_path / "best.ckpt")
    assert (tmp_path / "best.ckpt").read_bytes() == b"content"


def test_publishing_the_same_checkpoint_again_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").write_bytes(b"content")
    for _ in range(2):
        checkpoint.link(tmp_path / "last.ckpt", tmp_path / "best.ckpt")
        assert {file.name for file in tmp_path.iterdir()} == {"last.ckpt", "best.ckpt"}
