"""``ocr compare``: two runs on the same samples, with a paired test."""

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
    """Print accuracies, their difference with its interval, and the p-value.

    Raises:
        ValueError: the two cannot be compared; one line.
    """
    from ocr.run.compare import compare_runs, show_comparison
    from ocr.terminal import console

    first, second = Path(arguments.first), Path(arguments.second)
    show_comparison(compare_runs(first, second), (str(first), str(second)), console())
    return 0
