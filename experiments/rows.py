"""Result rows of a table: one line of JSON per finished or failed cell and seed, appended whole, never rewritten.

A file holds the rows of one profile, ``results/<profile>.jsonl``.  What counts of several rows for one cell and seed is the last one
in the file: the order of lines does not depend on clocks.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["finished", "failed", "killed"]


@dataclass(slots=True)
class Row:
    """What became of one cell with one seed.

    ``config_hash`` names a file beside the rows (:mod:`experiments.configs`); ``scores`` are rows of ``ocr evaluate`` without what only
    its own table shows; ``curve`` is :func:`experiments.curves.curve`; ``data`` are the training sets by name, with fingerprint and kind;
    ``first_weights`` says where training began; ``finished`` is the wall clock, for people.
    """

    table: str
    cell: str
    profile: str
    seed: int | None
    state: State
    config_hash: str
    run: str = ""
    model: str | None = None
    first_weights: str = ""
    parameters: int | None = None
    steps: int | None = None
    samples: int | None = None
    validation: float | None = None
    best_step: int | None = None
    seconds: float | None = None
    samples_per_second: float | None = None
    peak_memory_mb: float | None = None
    device: str | None = None
    precision: str | None = None
    data: dict[str, dict[str, str]] = field(default_factory=dict)
    scores: list[dict[str, Any]] = field(default_factory=list)
    curve: list[dict[str, float]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    commit: str | None = None
    finished: str | None = None
    error: str | None = None

    def score(self, set_: str, metric: str, protocol: str) -> dict[str, Any] | None:
        """The score of a set, or None."""
        wanted = (set_, metric, protocol)
        return next((s for s in self.scores if (s["set"], s["metric"], s["protocol"]) == wanted), None)

    @property
    def trained_on(self) -> str:
        """The training data, comparable between rows: names and beginnings of fingerprints."""
        return "+".join(f"{name}:{part['fingerprint'][:12]}" for name, part in sorted(self.data.items()))


@dataclass(frozen=True, slots=True)
class Reading:
    """The rows of a file, and one sentence for every line that is none."""

    rows: list[Row]
    complaints: list[str]


def row_file(results: Path, profile: str) -> Path:
    """Where the rows of a profile are."""
    return results / f"{profile}.jsonl"


def append(results: Path, row: Row) -> None:
    """Add one row to those of its profile."""
    add_line(row_file(results, row.profile), asdict(row))


def add_line(path: Path, node: dict[str, Any]) -> None:
    """Append a line of JSON, on the disk when this returns; one that a kill cut off before stays a line of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(node, ensure_ascii=False, sort_keys=True).encode() + b"\n"
    with path.open("ab+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        if stream.seek(0, os.SEEK_END):
            stream.seek(-1, os.SEEK_END)
            line = line if stream.read(1) == b"\n" else b"\n" + line
        stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())


def read(results: Path, profile: str) -> Reading:
    """All rows of a profile in the order of the file; half-written and foreign ones are left out and named."""
    path = row_file(results, profile)
    rows: list[Row] = []
    complaints: list[str] = []
    for number, line in enumerate(path.read_bytes().split(b"\n") if path.is_file() else (), 1):
        if not line.strip():
            continue
        try:
            row = _row(json.loads(line))
        except (ValueError, TypeError):
            complaints.append(f"{path}, line {number}: no whole row (a kill cuts lines off); it is left out")
            continue
        if row.profile != profile:
            complaints.append(f"{path}, line {number}: a row of profile {row.profile}; it is left out")
            continue
        rows.append(row)
    return Reading(rows, complaints)


def _row(node: Any) -> Row:
    row = Row(**node)
    if row.state not in ("finished", "failed", "killed") or not isinstance(row.scores, list):
        raise ValueError(row.state)
    return row


def latest(rows: Iterable[Row], fits: Callable[[Row], bool]) -> dict[tuple[str, int | None], Row]:
    """(cell, seed) -> the row that counts: the last one of the cell's present config, else the last one at all (it is stale)."""
    chosen: dict[tuple[str, int | None], Row] = {}
    for row in rows:
        before = chosen.get((row.cell, row.seed))
        if before is None or fits(row) or not fits(before):
            chosen[row.cell, row.seed] = row
    return chosen
