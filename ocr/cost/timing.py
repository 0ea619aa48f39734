"""How long calls take, measured twice, and whether the machine was busy with something else meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import psutil
import torch

WARM_UP = 2
LEAST = 3
"""Fewest calls of one pass, however long they take."""
REPEATABLE = 0.05
"""Two passes agree when their medians differ by at most this share."""
UNDISTURBED = 0.95
"""Share of the time that a process of one thread must have had the processor for."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of one call: median, 95th percentile, and how far the medians of the two passes are apart (share of the first)."""

    p50: float
    p95: float
    calls: int
    apart: float


@dataclass(frozen=True, slots=True)
class Load:
    """What the machine did during a measurement: processors that others kept busy, and the share of the time that we ran.

    Both from the operating system's counters of processor time against the clock on the wall.
    """

    others: float
    processors: int
    ours: float
    one_thread: bool

    @property
    def busy(self) -> bool:
        """Whether others used more than 5 % of the machine, or kept a process of one thread waiting."""
        waited = self.one_thread and self.ours < UNDISTURBED
        return waited or self.others > (1 - UNDISTURBED) * self.processors


def verdict(load: Load, timings: Mapping[str, Timing]) -> str:
    """One line: how well the two passes agree, and whether the machine was busy; what is not comparable is called so."""
    apart = max((timing.apart for timing in timings.values()), default=0.0)
    agreement = f"two passes agree within {100 * apart:.1f} %"
    machine = f"others kept {load.others:.1f} of {load.processors} processors busy, this process ran {100 * load.ours:.0f} % of the time"
    if load.busy:
        return f"the machine was busy ({machine}): times are not comparable; {agreement}"
    if apart > REPEATABLE:
        return f"{agreement} only: times are not comparable, measure longer (--seconds); {machine}"
    return f"{agreement}; {machine}"


def time_calls(
    calls: Mapping[str, Callable[[], Any]], seconds: float, device: str = "cpu"
) -> tuple[dict[str, Timing], Load]:
    """Time calls by name: warmed up, the device waited for after each, in two passes over all of them.

    Args:
        calls: what to time.
        seconds: for each call in both passes together; at least :data:`LEAST` calls a pass are made.
        device: torch device on which they work.
    """
    for call in calls.values():
        for _ in range(WARM_UP):
            call()
    before = _Counters.now(device)
    passes = [{name: _pass(call, seconds / 2, device) for name, call in calls.items()} for _ in range(2)]
    load = before.until_now(device)
    return {name: _timing(*(found[name] for found in passes)) for name in calls}, load


def _pass(call: Callable[[], Any], seconds: float, device: str) -> list[float]:
    """Milliseconds of each call."""
    spent: list[float] = []
    began = time.perf_counter()
    while len(spent) < LEAST or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        call()
        synchronise(device)
        spent.append(1000 * (time.perf_counter() - start))
    return spent


def _timing(first: list[float], second: list[float]) -> Timing:
    together = np.array([*first, *second])
    medians = float(np.median(first)), float(np.median(second))
    p50, p95 = (float(np.quantile(together, q)) for q in (0.5, 0.95))
    return Timing(p50, p95, len(together), abs(medians[1] - medians[0]) / medians[0])


def synchronise(device: str) -> None:
    """Wait until the device has done all it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


@contextmanager
def fixed_threads(threads: int) -> Iterator[None]:
    """Let torch and OpenCV use this many threads, and as many as before afterwards."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


@dataclass(frozen=True, slots=True)
class _Counters:
    """Seconds: on the wall, of the processor by us, and by everybody."""

    wall: float
    ours: float
    all: float

    @classmethod
    def now(cls, device: str) -> _Counters:
        synchronise(device)
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # Linux counts a guest's time within user's as well
        twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        return cls(time.perf_counter(), time.process_time(), sum(times) - twice - idle)

    def until_now(self, device: str) -> Load:
        now = _Counters.now(device)
        wall = max(now.wall - self.wall, 1e-9)
        ours = now.ours - self.ours
        others = max(now.all - self.all - ours, 0.0) / wall
        return Load(others, psutil.cpu_count() or 1, ours / wall, torch.get_num_threads() == 1)
