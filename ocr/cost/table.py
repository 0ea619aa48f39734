"""A cost on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ocr.cost.flops import COMPARISON, CONVENTION
from ocr.cost.measure import AtSize, Cost
from ocr.cost.memory import Peak
from ocr.cost.timing import Timing


def print_cost(cost: Cost, console: Console) -> None:
    """What does not depend on the picture's size, one column per size, and by which conventions all of it was counted."""
    file = f", file {cost.file_mb:.1f} MB" if cost.file_mb is not None else ""
    lines = [
        cost.subject,
        f"{cost.parameters:,} parameters, weights {cost.weights_mb:.1f} MB{file}",
        f"{cost.device}, {cost.threads} threads, {cost.precision}",
    ]
    if cost.training is not None:
        batch = f"{cost.training.batch} x {cost.training.height}x{cost.training.width}"
        lines.append(f"peak memory of a training step, {batch}: {_memory(cost.training)}")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    _print_sizes(cost, console)
    for size in cost.sizes:
        console.print(f"{size.title}: {size.verdict}", highlight=False, markup=False, soft_wrap=True)
    for line in _conventions(cost):
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)


def _print_sizes(cost: Cost, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("one picture")
    for size in cost.sizes:
        table.add_column(f"{size.title} {size.height}x{size.width}", justify="right")
    for name, cell in _ROWS.items():
        cells = [cell(size) for size in cost.sizes]
        if any(cells):
            table.add_row(name, *cells)
    stages = dict.fromkeys(stage for size in cost.sizes for stage in size.flops.by_stage)
    for stage in stages:
        table.add_row(f"  {stage}", *(_giga(size.flops.of_stage(stage)) for size in cost.sizes))
    console.print(table)


def _conventions(cost: Cost) -> list[str]:
    lines = [f"FLOPs: {CONVENTION}."]
    if cost.task == "recognition":
        lines.append(f"FLOPs as in the comparison: {COMPARISON}.")
    unknown = sorted({name for size in cost.sizes for name in size.flops.unknown})
    if unknown:
        lines.append(f"Not counted, for nobody said what they cost: {', '.join(unknown)}.")
    decoder = " An attention decoder takes all its steps." if cost.task == "recognition" else ""
    lines.append(
        "Times: after a warm-up, the device waited for; network and post-processing with batch 1, the throughput from the pixels of "
        f"a picture of this size to its words.{decoder} Memory: in a process of its own, 10^6 bytes."
    )
    return lines


def _memory(peak: Peak) -> str:
    if peak.peak_mb is None:
        return str(peak.error)
    return f"{peak.peak_mb:,.0f} MB ({peak.before_mb:,.0f} MB of them before there was a network)"


def _milliseconds(timing: Timing) -> str:
    return f"{timing.p50:.2f} / {timing.p95:.2f}"


def _giga(count: int) -> str:
    return f"{count / 1e9:.3f}"


def _short_memory(size: AtSize) -> str:
    return f"{size.memory.peak_mb:,.0f}" if size.memory.peak_mb is not None else str(size.memory.error)


_ROWS = {
    "network, ms p50 / p95": lambda size: _milliseconds(size.network),
    "post-processing, ms p50 / p95": lambda size: _milliseconds(size.post),
    "throughput, pictures/s": lambda size: f"{size.throughput:.1f} (batch {size.batch})",
    "peak memory at that batch, MB": _short_memory,
    "GFLOPs as in the comparison": lambda size: _giga(size.flops.comparison) if size.flops.comparison else "",
    "GFLOPs": lambda size: _giga(size.flops.total),
}
"""What the table shows of a size."""
