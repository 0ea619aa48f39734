"""What a resumed run promises, and whether it keeps it: the steps it repeats are compared with what they gave before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GPU_BOUND = 0.05
"""Relative difference of a repeated step's loss that a GPU may bring: it adds up in no fixed order, and steps enlarge that."""


@dataclass(slots=True)
class Repetition:
    """Compares rows of ``metrics.jsonl`` that are written a second time, behind a resume, with those that were cut off.

    Args:
        bound: largest relative difference of a training loss that is expected; 0 on a CPU.
    """

    bound: float = 0.0
    rows: int = 0
    difference: float = 0.0
    worst: int | None = None
    _cut: dict[tuple[int, bool], Mapping[str, Any]] = field(default_factory=dict)

    def expect(self, cut: list[dict[str, Any]]) -> None:
        """Take up the rows behind the step that training goes on from."""
        self._cut = {(row["step"], _validates(row)): row for row in cut}

    def compare(self, step: int, values: Mapping[str, float]) -> None:
        """Look at a row that is written now."""
        before = self._cut.pop((step, _validates(values)), None)
        if before is None:
            return
        self.rows += 1
        for name in [n for n in values if n in before and (self.bound == 0 or n == "train/loss")]:
            difference = _relative(values[name], before[name])
            if difference > self.difference:
                self.difference, self.worst = difference, step

    @property
    def kept(self) -> bool:
        """Whether everything lay within the bound."""
        return self.difference <= self.bound

    def promise(self) -> str:
        """In words, for the run record."""
        if self.bound == 0:
            return "to the bit, on the same kind of processor with the same threads and versions"
        return f"the same data in the same order; repeated losses within {self.bound:.0%}"

    def found(self, earlier: Mapping[str, Any]) -> dict[str, Any]:
        """For the run record: the promise, how many rows have been compared over all attempts, and the largest difference."""
        return {
            "promise": self.promise(),
            "compared": self.rows + earlier.get("compared", 0),
            "difference": max(self.difference, earlier.get("difference", 0.0)),
        }


def _validates(row: Mapping[str, Any]) -> bool:
    return any(name.startswith("val/") for name in row)


def _relative(new: float, old: float) -> float:
    if new == old or (math.isnan(new) and math.isnan(old)):
        return 0.0
    if not (math.isfinite(new) and math.isfinite(old)):
        return math.inf
    return abs(new - old) / max(abs(new), abs(old))
