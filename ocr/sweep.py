"""The table at the end of a sweep, read from what its runs left on disk.  Nothing heavy is imported here."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ocr.run.record import RunRecord

COLUMNS = (
    "run",
    "where it differs",
    "state",
    "data",
    "score",
    "at step",
    "parameters",
    "samples/s",
    "peak MB",
    "seconds",
)


@dataclass(slots=True)
class Noted:
    """A run of this process: its overrides, and why it failed."""

    folder: Path
    overrides: list[str] = field(default_factory=list)
    error: str | None = None


_noted: dict[Path, Noted] = {}


def note(folder: Path, overrides: list[str]) -> None:
    """Remember a run of this process for the table."""
    _noted[folder] = Noted(folder, overrides)


def failed(folder: Path, error: str) -> None:
    """Remember why it failed, for it may have left no record."""
    _noted[folder].error = error


def failures() -> str | None:
    """``2 of 24 runs failed``; None when this process made one run only, or none failed."""
    count = sum(run.error is not None for run in _noted.values())
    return f"{count} of {len(_noted)} runs failed" if count and len(_noted) >= 2 else None


def summary() -> None:
    """Print one row per run when this process made several."""
    if len(_noted) >= 2:
        show(list(_noted.values()))


def show(runs: Sequence[Noted]) -> None:
    """Print one row per run, best score first; below the table, why runs failed."""
    from rich.table import Table
    from rich.text import Text

    from ocr.terminal import console

    rows = [(run, RunRecord.read(run.folder)) for run in runs]
    overrides = [record.overrides if record else run.overrides for run, record in rows]
    shared = set(overrides[0]).intersection(*overrides)
    table = Table(title=f"{len(runs)} runs", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for run, record in sorted(rows, key=lambda row: _rank(row[1])):
        differs = " ".join(o for o in (record.overrides if record else run.overrides) if o not in shared)
        cells = _cells(record) if record else ["failed"]
        table.add_row(*map(Text, (run.folder.name, differs, *cells)))
    printer = console()
    printer.print(table)
    for run, record in rows:
        error = run.error or (record.error if record else None)
        if error:
            printer.print(Text(f"{run.folder.name}: {error}", style="red"), soft_wrap=True)


def _rank(record: RunRecord | None) -> float:
    """Lower comes first; runs without a score come last."""
    return -record.score if record and record.score is not None else 1.0


def _cells(record: RunRecord) -> list[str]:
    """From the state on."""
    scored = record.score is not None
    return [
        _state(record),
        "+".join(sorted({part["kind"] for part in record.data.values()})),
        f"{record.select} {record.score:.4f}" if scored else "-",
        str(record.best_step) if scored else "-",
        f"{record.parameters:,}",
        f"{record.samples_per_second:.1f}" if record.samples_per_second else "-",
        f"{record.peak_memory_mb:.0f}" if record.peak_memory_mb else "-",
        f"{record.seconds:.0f}",
    ]


def _state(record: RunRecord) -> str:
    """The recorded status; ``killed`` where a run of this machine says that it is running and its process is gone."""
    attempt = record.attempts[-1]
    if record.status != "running" or attempt["host"] != platform.node():
        return record.status
    try:
        os.kill(attempt["pid"], 0)
    except ProcessLookupError:
        return "killed"
    except PermissionError:
        pass
    return "running"
