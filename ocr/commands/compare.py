"""``ocr compare``: how the configs of two runs differ, and how they read the same samples, with a paired test."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "compare two runs on the samples both were evaluated on, with McNemar's test"
EXAMPLE = "ocr compare runs/crnn-s1 runs/trba-s1"
OVERRIDES = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("first", metavar="RUN_A", help="run directory, or folder of per-sample rows")
    parser.add_argument("second", metavar="RUN_B", help="the other one")


def run(arguments: argparse.Namespace) -> int:
    """Print what differs, the accuracies, their difference with its interval, and the p-value.

    Raises:
        ValueError: the two cannot be compared; one line.
    """
    compare_and_show(Path(arguments.first), Path(arguments.second))
    return 0


def compare_and_show(first: Path, second: Path) -> None:
    """As :func:`run`."""
    from ocr.run.compare import compare_runs, show_comparison, show_runs
    from ocr.terminal import console as make_console

    console = make_console()
    show_runs(first, second, console)
    show_comparison(compare_runs(first, second), (str(first), str(second)), console)
