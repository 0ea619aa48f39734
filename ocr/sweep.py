"""The table at the end of a sweep, read from what its runs left on disk.  Nothing heavy is imported here."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_runs: dict[Path, str | None] = {}
COLUMNS = ("run", "state", "data", "score", "at step", "parameters", "samples/s", "peak MB", "seconds")


def note(folder: Path, error: str | None = None) -> None:
    """Remember a run of this process for the table, or why it failed."""
    _runs[folder] = error


def failures() -> str | None:
    """``2 of 24 runs failed``; None when this process made one run only, or none failed."""
    failed = sum(error is not None for error in _runs.values())
    return f"{failed} of {len(_runs)} runs failed" if failed and len(_runs) >= 2 else None


def summary() -> None:
    """Print one row per run, best first, when this process made several; failed ones show their error."""
    if len(_runs) >= 2:
        show(list(_runs), _runs)


def show(folders: Sequence[Path], errors: Mapping[Path, str | None] | None = None) -> None:
    """Print one row per run directory, best score first; ``errors`` tells of runs that may have left no record."""
    from rich.table import Table
    from rich.text import Text

    from ocr.terminal import console

    rows = [_row(folder, (errors or {}).get(folder)) for folder in folders]
    table = Table(title=f"{len(rows)} runs", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for _, cells in sorted(rows, key=lambda row: -row[0]):
        table.add_row(*map(Text, cells))
    console().print(table)


def _row(folder: Path, error: str | None) -> tuple[float, list[str]]:
    """The score to sort by, and the cells."""
    path = folder / "run.json"
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    error = error or record.get("error")
    state = "failed" if error and not record else _state(record)
    if error:
        state += f": {error.splitlines()[0][:80]}"
    if not record:
        return -1.0, [folder.name, state]
    scored = record["score"] is not None
    cells = [
        folder.name,
        state,
        "+".join(sorted({part["kind"] for part in record["data"].values()})),
        f"{record['select']} {record['score']:.4f}" if scored else "-",
        str(record["best_step"]) if scored else "-",
        f"{record['parameters']:,}",
        f"{record['samples_per_second']:.1f}" if record["samples_per_second"] else "-",
        f"{record['peak_memory_mb']:.0f}" if record["peak_memory_mb"] else "-",
        f"{record['seconds']:.0f}",
    ]
    return (record["score"] if scored else -1.0), cells


def _state(record: Mapping[str, Any]) -> str:
    """The recorded status; ``killed`` where a run of this machine says that it is running and its process is gone."""
    attempt = record["attempts"][-1] if record["attempts"] else {}
    if record["status"] != "running" or attempt.get("host") != platform.node():
        return str(record["status"])
    try:
        os.kill(attempt["pid"], 0)
    except ProcessLookupError:
        return "killed"
    except PermissionError:
        pass
    return "running"
