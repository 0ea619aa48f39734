"""``ocr seeds``: scores of runs that differ in their seed alone, as mean and standard deviation."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "scores of runs that differ in their seed alone: mean and standard deviation"
EXAMPLE = "ocr seeds runs"
OVERRIDES = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("runs", nargs="*", default=["runs"], help="folders of runs (default: runs)")


def run(arguments: argparse.Namespace) -> int:
    """Print one row per configuration, set, protocol and metric.

    Raises:
        ValueError: no run was evaluated.
    """
    from ocr.run.compare import over_seeds, show_seeds
    from ocr.run.logging import PREDICTIONS, SCORES
    from ocr.terminal import console

    found = [path for top in arguments.runs for path in sorted(Path(top).rglob(f"{PREDICTIONS}/{SCORES}"))]
    if not found:
        raise ValueError(
            f"no scores below {', '.join(arguments.runs)}: train with test=SET, or `ocr evaluate CHECKPOINT data=SET`"
        )
    show_seeds(over_seeds([path.parent.parent for path in dict.fromkeys(found)]), console())
    return 0
