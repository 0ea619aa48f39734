"""Timing several ways in turns, so that a machine that slows down slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def in_turns(ways: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each way over ``rounds`` rounds A, B, C, A, B, C … after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if i:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def figure(name: str, value: float, unit: str, target: float, at_most: bool = False) -> None:
    """Print a figure, and whether it reaches its target."""
    ok = value <= target if at_most else value >= target
    print(f"figure {name} {value:.4g} {unit} target {target:g} {'ok' if ok else 'short'}")
