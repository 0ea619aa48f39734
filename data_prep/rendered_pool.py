"""Samples rendered by several processes, in order."""

from __future__ import annotations

import multiprocessing
import signal
import warnings
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import cv2

CHUNK = 20
"""Samples a worker renders before it reports."""


def rendered_in_order(work: Callable[[range], list[Any]], count: int, workers: int) -> Iterator[Any]:
    """What ``work`` makes of the numbers from 0 on, ``CHUNK`` at a time; any number of workers gives the same."""
    chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    return chain.from_iterable(_map(work, chunks, min(workers, len(chunks))))


def _map(work: Callable[[range], list[Any]], chunks: list[range], workers: int) -> Iterator[list[Any]]:
    if workers == 1:
        yield from map(work, chunks)
        return
    # Spawned, not forked: OpenCV's threads do not survive a fork.
    with multiprocessing.get_context("spawn").Pool(workers, _start_worker) as pool:
        yield from pool.imap(work, chunks)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches every process of a terminal; the parent alone answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent has named the fonts that are left out.
    warnings.simplefilter("ignore")
