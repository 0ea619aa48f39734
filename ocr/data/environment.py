"""One open LMDB environment, with one read transaction, per path and process.

py-lmdb opens a path only once per process, an open environment cannot be pickled, and LMDB forbids its use across a fork: all
stores of a process therefore share what is held here, opened when first needed. A transaction may stay open for good,
because a prepared set is never written again: another version of it is another file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb


@dataclass(slots=True)
class _Held:
    process: int
    version: tuple[int, ...]
    environment: Any
    transaction: Any

    def close(self) -> None:
        self.transaction.abort()
        self.environment.close()


_held: dict[Path, _Held] = {}


def transaction(folder: Path) -> Any:
    """The read transaction of a folder (an absolute path) in this process; its values are views into the mapped file.

    Raises:
        ValueError: ``data.mdb`` is no LMDB file, or is cut short.
    """
    held = _held.get(folder)
    if held is None or held.process != os.getpid():
        if held is not None:
            # inherited through a fork: py-lmdb counts it as open in this process too
            held.close()
            del _held[folder]
        opened = _open(folder)
        held = _held[folder] = _Held(os.getpid(), _version(folder), opened, opened.begin(buffers=True))
    return held.transaction


def forget_replaced(folder: Path) -> None:
    """Close what is held of a folder when another file has taken the place of the one it reads."""
    held = _held.get(folder)
    if held is not None and held.version != _version(folder):
        held.close()
        del _held[folder]


def _version(folder: Path) -> tuple[int, ...]:
    status = (folder / "data.mdb").stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _open(folder: Path) -> Any:
    path = folder / "data.mdb"
    try:
        opened = lmdb.open(str(folder), readonly=True, lock=False, readahead=False, meminit=False, create=False)
    except lmdb.Error as error:
        raise ValueError(
            f"{path} cannot be opened ({error}): it is no LMDB file or damaged; copy or prepare it again"
        ) from None
    needed = (opened.info()["last_pgno"] + 1) * opened.stat()["psize"]
    size = path.stat().st_size
    if size < needed:
        # reading past the end of a mapped file would kill the process
        opened.close()
        raise ValueError(f"{path} is cut short: {size:,} of {needed:,} bytes; copy or download it again")
    return opened
