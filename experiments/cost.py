"""What the cells of a table cost on this machine, measured by ``ocr cost``; one row a cell and profile in ``results/cost.jsonl``."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments.execution import commit
from experiments.rows import add_line
from experiments.study import Cell, Profile, Study
from ocr.run.logging import read_rows

FILE = "cost.jsonl"


@dataclass(frozen=True, slots=True)
class CostRow:
    """Of one word or picture at batch 1: milliseconds of the network (median and 95th percentile), parameters, FLOPs.

    ``comparison`` counts FLOPs as the paper does (None where it does not say); ``verdict`` says whether the machine was busy.
    """

    cell: str
    profile: str
    device: str
    threads: int
    precision: str
    p50: float
    p95: float
    parameters: int
    flops: float
    comparison: float | None
    verdict: str
    commit: str | None
    measured: str


def measure(study: Study, profile: Profile, cell: Cell, seconds: float, device: str | None) -> CostRow:
    """Measure a cell with fresh weights at the width of a profile, and keep the row.

    Raises:
        ValueError: ``ocr cost`` failed; its own line.
    """
    with TemporaryDirectory() as folder:
        out = Path(folder) / "cost.json"
        options = ["--no-training", "--threads", "1", "--seconds", str(seconds), "--json", str(out)]
        place = ["--device", device] if device else []
        command = [sys.executable, "-m", "ocr.cli", "cost", *study.choices(cell, profile), *options, *place]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise ValueError(f"{cell.name}: {lines[-1] if lines else f'ocr cost: status {done.returncode}'}")
        row = _row(json.loads(out.read_text(encoding="utf-8")), cell.name, profile.name)
    add_line(study.results / FILE, asdict(row))
    return row


def _row(cost: dict[str, Any], cell: str, profile: str) -> CostRow:
    size = cost["sizes"][0]
    flops = size["flops"]
    return CostRow(
        cell,
        profile,
        cost["device"],
        cost["threads"],
        cost["precision"],
        size["network"]["p50"],
        size["network"]["p95"],
        cost["parameters"],
        sum(count for kinds in flops["by_stage"].values() for count in kinds.values()),
        flops.get("comparison"),
        size["verdict"],
        commit(),
        time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )


def costs(study: Study, profile: str) -> dict[str, CostRow]:
    """The last measurement of every cell in a profile."""
    found = [CostRow(**row) for row in read_rows(study.results / FILE)]
    return {row.cell: row for row in found if row.profile == profile}
