"""What a run prints about itself before it starts and when it is done."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from ocr.config import Config, as_yaml, differences_from_preset, sweep_job
from ocr.data.datamodule import DataModule
from ocr.run import checkpoint
from ocr.run.progress import clock
from ocr.run.record import RunRecord
from ocr.run.repetition import Repetition


def show_config(config: Config, folder: Path, console: Console) -> None:
    """The run directory, what differs from the preset, then the whole config (in a sweep, of the first job only)."""
    console.print(f"[bold]{folder}", highlight=False)
    preset, changed = differences_from_preset(config)
    if preset:
        console.print(f"differs from {preset}:" if changed else f"as {preset}", highlight=False)
        console.print("\n".join(f"  {line}" for line in changed), highlight=False, markup=False)
    if not sweep_job():
        console.print(as_yaml(config, resolve=False).strip(), style="dim", highlight=False, markup=False)


def show_data(data: DataModule, console: Console) -> None:
    """One row per source: how much trains and validates, what was left out and why, and whether it is real."""
    table = Table(title="training data", title_justify="left", box=None, pad_edge=False)
    for column in ("set", "split", "data", "samples", "trains", "validates", "share", "left out", "fingerprint"):
        table.add_column(column)
    for share, row in zip(data.shares(), data.fingerprints().values(), strict=True):
        left_out = ", ".join(f"{n:,} {reason}" for reason, n in row["rejected"].items()) or "-"
        kind = row["kind"] if row["kind"] == "real" else f"[yellow]{row['kind']} stand-in"
        numbers = [f"{row[k]:,}" for k in ("count", "train", "validation")]
        table.add_row(row["set"], row["split"], kind, *numbers, f"{share:.1%}", left_out, row["fingerprint"][:12])
    console.print(table)


def show_repetition(repetition: Repetition, console: Console) -> None:
    """Say when the steps that a resumed run repeated did not give what they had given before."""
    if not repetition.kept:
        console.print(
            f"step {repetition.worst}, repeated after a resume, differs by {repetition.difference:.2g} from before; promised was: "
            f"{repetition.promise()}",
            style="yellow",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def show_end(folder: Path, record: RunRecord, console: Console) -> None:
    """One line: score, speed, memory, room on the disk, and where the best checkpoint is."""
    speed = f"{record.samples_per_second:.1f} samples/s, " if record.samples_per_second else ""
    broken = f", {record.undecodable['count']} undecodable skipped" if record.undecodable else ""
    early = f" (stopped early at step {record.steps} of {record.max_steps})" if record.steps < record.max_steps else ""
    console.print(
        f"finished in {clock(record.seconds)}: {record.select} {record.score:.4f} at step {record.best_step}{early}, "
        f"{speed}peak memory {record.peak_memory_mb:.0f} MB, on disk {record.disk_mb:.0f} MB{broken}; {folder / checkpoint.BEST}",
        highlight=False,
        soft_wrap=True,
    )
