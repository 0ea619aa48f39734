"""A limit to the time that one sample may take, so that a disk which does not answer ends a run by name instead of holding it for ever."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader, get_worker_info

IDLE = -1
ASKING = 2.0
"""Seconds given to the question for a sample's key, which the same disk has to answer."""


class Reading:
    """What every loader process is reading, and since when: a table in shared memory that the main process looks at.

    Args:
        processes: loader processes; 0 is one row, for the main process itself.
    """

    def __init__(self, processes: int) -> None:
        self.table = torch.full((max(1, processes), 3), IDLE, dtype=torch.int64).share_memory_()
        self._mine: tuple[int, memoryview] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"table": self.table, "_mine": None}

    def begin(self, source: int, place: int) -> None:
        """Note that this process begins to read a sample."""
        row = self._row()
        # the time first: a sample must never be seen with the time of the one before
        row[2] = time.monotonic_ns()
        row[1] = place
        row[0] = source

    def end(self) -> None:
        """Note that this process reads nothing now."""
        self._row()[0] = IDLE

    def longest(self) -> tuple[int, int, float] | None:
        """Source and place of the sample that has been read for the longest time, and seconds; None when none is."""
        busy = [row for row in self.table.tolist() if row[0] != IDLE]
        if not busy:
            return None
        source, place, since = min(busy, key=lambda row: row[2])
        return source, place, (time.monotonic_ns() - since) / 1e9

    def _row(self) -> memoryview:
        """This process's row; looked up once, for it is written before every sample."""
        process = os.getpid()
        if self._mine is None or self._mine[0] != process:
            worker = get_worker_info()
            self._mine = process, memoryview(self.table.numpy()[0 if worker is None else worker.id])
        return self._mine[1]


class TooSlow(ValueError):
    """A sample was not read in time."""


class PatientLoader(DataLoader[Any]):
    """A loader whose batches may take any time, as long as no single sample takes more than ``time_limit`` seconds.

    With loader processes the main process looks at what they read.  Without, an alarm interrupts the read itself, which works where
    the system lets a read be interrupted: a page that a dead network disk owes to a mapped file is not such a read.

    Args:
        reading: the table that the data set fills in.
        named: says what a sample is called, from its source and place; may take long.
        time_limit: seconds, 0 for no limit.
        options: of ``DataLoader``.

    Raises:
        TooSlow: from the iterator, naming the sample.
    """

    def __init__(
        self, *args: Any, reading: Reading, named: Callable[[int, int], str], time_limit: float, **options: Any
    ) -> None:
        workers = options.get("num_workers", 0)
        # how often the main process looks, not when it gives up
        options["timeout"] = max(time_limit / 2, 0.1) if time_limit and workers else 0
        super().__init__(*args, **options)
        self.reading, self.named, self.time_limit = reading, named, time_limit

    def __iter__(self) -> Any:
        inner = super().__iter__()
        if not self.time_limit:
            return inner
        return self._watched(inner) if self.num_workers else self._interrupted(inner)

    def _watched(self, inner: Any) -> Iterator[Any]:
        while True:
            try:
                batch = next(inner)
            except StopIteration:
                return
            except RuntimeError as error:
                if "timed out" not in str(error):
                    raise
                slowest = self.reading.longest()
                if slowest is not None and slowest[2] > self.time_limit:
                    raise self._too_slow(*slowest) from None
                continue  # processes that are starting, or many samples none of which is slow
            yield batch

    def _interrupted(self, inner: Any) -> Iterator[Any]:
        while True:
            try:
                with _alarm(self.time_limit, self._overdue):
                    batch = next(inner)
            except StopIteration:
                return
            yield batch

    def _overdue(self) -> float:
        """Seconds until the present sample is too slow; raises when it is."""
        slowest = self.reading.longest()
        if slowest is None:
            return self.time_limit
        if slowest[2] >= self.time_limit:
            raise self._too_slow(*slowest)
        return self.time_limit - slowest[2]

    def _too_slow(self, source: int, place: int, seconds: float) -> TooSlow:
        return TooSlow(
            f"{_answered(lambda: self.named(source, place), f'sample {place + 1} of source {source + 1}')} has been read for "
            f"{seconds:.0f} s, more than loader.time_limit={self.time_limit:g}: look at the disk it lies on, then repeat the command"
        )


def _answered(ask: Callable[[], str], otherwise: str) -> str:
    """An answer, when it comes in time."""
    found = [otherwise]

    def answer() -> None:
        found[0] = ask()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    thread.join(ASKING)
    return found[0]


@contextmanager
def _alarm(seconds: float, due: Callable[[], float]) -> Iterator[None]:
    """Call ``due`` after some seconds, and again after as many as it returns; whoever had the alarm before gets it back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, max(due(), 0.01))

    before = signal.signal(signal.SIGALRM, ring)
    began = time.monotonic()
    left, again = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.01) if left else 0, again)
        signal.signal(signal.SIGALRM, before)
