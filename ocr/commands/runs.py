"""``ocr runs``: what lies in the folder of the runs."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "list the runs on disk with their state and score"
EXAMPLE = "ocr runs runs"
OVERRIDES = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("runs", nargs="?", default="runs", help="folder of the runs (default: runs)")


def run(arguments: argparse.Namespace) -> int:
    """Print one line per run.

    Raises:
        ValueError: there is no run.
    """
    from ocr import sweep
    from ocr.run.record import RECORD

    folders = sorted(path.parent for path in Path(arguments.runs).rglob(RECORD))
    if not folders:
        raise ValueError(
            f"no run below {arguments.runs}; runs are made by train.py (runs=… or OCR_RUNS names the folder)"
        )
    sweep.show([sweep.Noted(folder) for folder in folders])
    return 0
