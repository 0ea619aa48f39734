"""``make soak-sweep``: train a hundred cells of the grid in one process, as a sweep does, and count what they leave open.

Every cell trains two steps with a loader process, validates, and is evaluated on a test set.  The first ones do not count: they open
what stays open for the life of the process (the environments of the data sets, torch's threads).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.bench.turns import figure
from experiments.soak import memory_mb

WARM_UP = 24
"""Cells: each of the grid once."""
GRID = {"trans": ("none", "tps"), "feat": ("vgg", "rcnn", "resnet"), "seq": ("none", "bilstm"), "pred": ("ctc", "attn")}
SMALL = [
    *(
        "model=crnn",
        "data=words",
        "data.sources.words.set=rendered_en",
        "test=rendered_en",
        "feat.channels=32",
        "optim=adamw",
        "optim.lr=0.001",
        "progress=false",
        "pictures=1",
    ),
    *(
        "length.max_steps=2",
        "length.val_every=2",
        "loader.batch_size=4",
        "loader.workers=1",
        "trainer.threads=1",
        "charset=full94",
    ),
]


@dataclass(frozen=True, slots=True)
class Open:
    """What this process holds: open files (what each descriptor leads to), threads, and memory in MB."""

    files: list[str]
    threads: int
    memory: float


def held() -> Open:
    """What is open now."""
    gc.collect()
    files = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the listing itself
            files.append(str(descriptor.readlink()))
    return Open(sorted(files), len(list(Path("/proc/self/task").iterdir())), memory_mb(os.getpid()))


def cells() -> Iterator[list[str]]:
    """The choices of every cell of the grid, again with other seeds."""
    for seed in itertools.count(1):
        for choices in itertools.product(*GRID.values()):
            yield [f"{stage}={choice}" for stage, choice in zip(GRID, choices, strict=True)] + [f"seed={seed}"]


def sweep(folder: Path, count: int) -> list[Open]:
    """Train so many cells behind the warm-up; what was held before the first of them and after each."""
    from data_prep.__main__ import main as data_prep
    from ocr.config import compose_config
    from ocr.run.train import train

    for split, samples in (("train", 60), ("test", 12)):
        data_prep(
            [
                "rendered",
                "--set",
                "words",
                "--language",
                "en",
                "--split",
                split,
                "--count",
                str(samples),
                "--out",
                str(folder),
            ]
        )
    found = []
    for i, cell in enumerate(itertools.islice(cells(), WARM_UP + count), 1):
        with contextlib.redirect_stdout(io.StringIO()):
            train(compose_config([*SMALL, *cell, f"root={folder}", f"runs={folder / 'runs'}", f"name=cell-{i}"]))
        if i >= WARM_UP:
            found.append(held())
            if i % 10 == 0:
                now = found[-1]
                print(f"{i:4d} cells  {len(now.files)} files  {now.threads} threads  {now.memory:.0f} MB", flush=True)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="make soak-sweep", description=__doc__)
    parser.add_argument("--cells", type=int, default=100, help="cells behind the warm-up")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        found = sweep(Path(folder), arguments.cells)
    first, last = found[0], found[-1]
    for path in sorted(set(last.files) - set(first.files)):
        print(f"open now and not before: {path}")
    figure("sweep_files_left", len(last.files) - len(first.files), "files", 0, at_most=True)
    figure("sweep_threads_left", last.threads - first.threads, "threads", 0, at_most=True)
    figure("sweep_memory_growth", (last.memory - first.memory) / arguments.cells, "MB/cell", 1, at_most=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
