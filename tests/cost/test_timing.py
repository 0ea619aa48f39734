"""Times: what is timed in which order, and when a machine is called busy."""

import os
import subprocess
import sys
import time
from collections import Counter

import cv2
import pytest
import torch

from ocr.cost.timing import LEAST, WARM_UP, Load, Timing, fixed_threads, time_calls, verdict


def test_two_passes_over_all_calls_after_a_warm_up_that_does_not_count() -> None:
    made: list[str] = []
    slow = iter([0.05] * WARM_UP + [0.002] * 100)

    def first() -> None:
        made.append("first")
        time.sleep(next(slow))

    timings, _ = time_calls({"first": first, "second": lambda: made.append("second")}, seconds=0.0)
    assert made == [
        *["first"] * WARM_UP,
        *["second"] * WARM_UP,
        *[name for _ in range(2) for name in ["first"] * LEAST + ["second"] * LEAST],
    ]
    assert {name: timing.calls for name, timing in timings.items()} == dict.fromkeys(timings, 2 * LEAST)
    assert 2 <= timings["first"].p50 <= timings["first"].p95
    assert timings["second"].p50 < timings["first"].p50


def test_a_short_call_is_repeated_for_the_time_given() -> None:
    counts: Counter[str] = Counter()
    timings, _ = time_calls({"a": lambda: counts.update("a")}, seconds=0.1)
    assert timings["a"].calls > 20
    assert counts["a"] == timings["a"].calls + WARM_UP


@pytest.mark.parametrize(
    ("load", "apart", "says"),
    [
        (Load(0.02, 2, 0.99, True), 0.01, "two passes agree within 1.0 %; others kept 0.0 of 2 processors busy"),
        (
            Load(0.02, 2, 0.99, True),
            0.08,
            "two passes agree within 8.0 % only: times are not comparable, measure longer",
        ),
        (Load(0.30, 2, 0.99, True), 0.01, "the machine was busy (others kept 0.3 of 2 processors busy"),
        (Load(0.02, 2, 0.61, True), 0.01, "this process ran 61 % of the time): times are not comparable"),
        # of 64 processors one may be at work elsewhere, and with several threads some wait
        (Load(1.00, 64, 5.2, False), 0.01, "two passes agree within 1.0 %"),
    ],
)
def test_what_is_said_of_the_machine(load: Load, apart: float, says: str) -> None:
    line = verdict(load, {"a": Timing(1, 1, 10, 0.0), "b": Timing(1, 1, 10, apart)})
    assert says in line
    assert ("not comparable" in line) == (load.busy or apart > 0.05)


def test_other_processes_at_work_are_noticed() -> None:
    spin = "import sys, time; print(flush=True)\nwhile time.monotonic() < float(sys.argv[1]): pass"
    until = str(time.monotonic() + 20)
    others = [
        subprocess.Popen([sys.executable, "-c", spin, until], stdout=subprocess.PIPE)
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        for process in others:
            assert process.stdout is not None
            process.stdout.readline()
        with fixed_threads(1):
            _, load = time_calls({"work": lambda: sum(range(20_000))}, seconds=0.4)
    finally:
        for process in others:
            process.kill()
            process.communicate()
    assert load.one_thread
    assert load.busy


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    with fixed_threads(before[0] + 1):
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (before[0] + 1, before[0] + 1)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == before
