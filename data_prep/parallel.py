"""Work on many items in worker processes, with the results in the order of the items."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import cv2

from ocr.data.processes import die_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 3
"""Chunks a worker has waiting, so that none is idle and none fills the memory with finished ones."""
FEW = 200
"""Items for which starting processes takes longer than the work."""


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[list[Item]], Result], items: Iterable[Item], chunk: int, processes: int
) -> Iterator[Result]:
    """``work(chunk)`` for one chunk of items after the other; the order does not depend on the number of processes.

    Items are drawn only as fast as results are taken, so neither piles up.

    Raises:
        ValueError: a worker process was killed.
    """
    chunks = _chunks(items, chunk)
    if processes == 1:
        yield from map(work, chunks)
        return
    # spawned, not forked: OpenCV's threads do not survive a fork
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, initializer=_start, initargs=(work,))
    waiting: deque[Future[Result]] = deque()
    try:
        for next_chunk in chunks:
            with _without_interrupts():
                waiting.append(pool.submit(_work, next_chunk))
            if len(waiting) >= AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise ValueError(
            "a worker process was killed, perhaps for want of memory: give --processes a smaller number"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back for a moment; a process started meanwhile never gets it.

    Ctrl-C reaches every process of a terminal, and the parent alone is to answer it: workers begin with it held back,
    for one would otherwise meet it while it still imports modules.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


_given: dict[str, Callable[[Any], Any]] = {}
"""What this worker process does; set once, so that it is not sent with every chunk."""


def _start(work: Callable[[Any], Any]) -> None:
    die_with_parent()
    cv2.setNumThreads(1)
    _given["work"] = work


def _work(chunk: list[Any]) -> Any:
    return _given["work"](chunk)
