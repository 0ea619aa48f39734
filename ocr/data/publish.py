"""Folders that appear whole or not at all."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

AT_FDCWD = -100
RENAME_EXCHANGE = 2


@contextmanager
def published(folder: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside ``folder``; when the block ends well, it takes the place of ``folder``.

    On Linux the exchange with an existing folder is one atomic step (``renameat2``); where the file system cannot do that,
    two renames follow each other, and a kill between them is mended by the next writer. An exception removes what was written;
    what a killed process left is removed by the next writer.

    Raises:
        ValueError: the place cannot be written, or another process is writing it.
    """
    draft = folder.parent / f".{folder.name}.writing"
    aside = folder.parent / f".{folder.name}.replaced"
    with _locked(folder):
        _clear(draft)
        if aside.is_dir() and not folder.exists():
            aside.rename(folder)
        _clear(aside)
        draft.mkdir()
        try:
            yield draft
            sync_folder(draft)
            _replace(draft, folder, aside)
            sync_folder(folder.parent)
        finally:
            _clear(draft)
            _clear(aside)


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the entries of a folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    path = folder.parent / f".{folder.name}.lock"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise ValueError(f"cannot write {folder}: {error.strerror}; choose a folder that can be written") from None
    with file:
        if not _take(file, path):
            raise ValueError(f"{folder} is being written by another process: wait until it ends")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _take(file: IO[str], path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # the former holder removes the file when it is done: a lock on a removed file protects nothing
    with suppress(FileNotFoundError):
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    return False


def _replace(draft: Path, folder: Path, aside: Path) -> None:
    if not folder.exists():
        draft.rename(folder)
    elif not _exchange(draft, folder):
        folder.rename(aside)
        draft.rename(folder)


def _exchange(a: Path, b: Path) -> bool:
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return int(renameat2(AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), RENAME_EXCHANGE)) == 0


def _clear(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
