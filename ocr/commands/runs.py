"""``ocr runs``: what lies in the folder of the runs: all of it, what fits a filter, or two of them side by side."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocr.run.record import RunRecord

HELP = "list the runs on disk with their state, recipe and score; filter them, compare two"
EXAMPLE = "ocr runs runs state=finished 'model=*BiLSTM*' optim.lr=1.0"
OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="FOLDER|KEY=VALUE",
        help="folders of runs (default: runs), and filters: state, model, recipe, task, seed, study … or any key of the config, with "
        "* for any characters",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar=("RUN_A", "RUN_B"),
        help="what differs between two runs in config and score, with McNemar's test on the samples that both were evaluated on",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print one line per run, or the comparison.

    Raises:
        ValueError: there is no run, or none has the key of a filter.
    """
    if arguments.compare:
        from ocr.commands.compare import compare_and_show

        compare_and_show(*map(Path, arguments.compare))
        return 0
    from ocr import sweep

    tops = [word for word in arguments.overrides if "=" not in word] or ["runs"]
    filters = dict(word.split("=", 1) for word in arguments.overrides if "=" in word)
    fitting = _fitting(_found(tops), filters)
    sweep.show([sweep.Noted(folder) for folder in fitting])
    return 0


def _found(tops: Sequence[str]) -> dict[Path, RunRecord]:
    """Run directories with what they say; one that cannot be read is named and left out."""
    from ocr.run.record import RECORD, RunRecord

    found = {}
    for path in sorted({path for top in tops for path in Path(top).rglob(RECORD)}):
        try:
            record = RunRecord.read(path.parent)
        except ValueError as error:
            print(error, file=sys.stderr)
            continue
        if record is not None:
            found[path.parent] = record
    if not found:
        raise ValueError(
            f"no run below {', '.join(tops)}; runs are made by train.py (runs=… or OCR_RUNS names the folder)"
        )
    return found


def _fitting(runs: dict[Path, RunRecord], filters: dict[str, str]) -> list[Path]:
    """Those that fit all filters."""
    values = {folder: _values(folder, record, filters) for folder, record in runs.items()}
    for key in filters:
        if not any(key in own for own in values.values()):
            raise ValueError(
                f"{key}={filters[key]}: no run has a key {key!r}; give one of the config, or state, model, recipe"
            )
    fitting = [f for f, own in values.items() if all(fnmatchcase(str(own.get(k)), v) for k, v in filters.items())]
    if not fitting:
        raise ValueError(f"none of {len(runs)} runs fits {' '.join(f'{k}={v}' for k, v in filters.items())}")
    return fitting


def _values(folder: Path, record: RunRecord, filters: dict[str, str]) -> dict[str, Any]:
    """What can be filtered by: the record's fields, and the config's where that is asked for."""
    from ocr import sweep

    values = {"state": sweep.state(record), **asdict(record)}
    if not filters.keys() <= values.keys():
        from ocr.config import flat, from_yaml
        from ocr.run.folder import CONFIG

        path = folder / CONFIG
        values = (flat(from_yaml(path)) if path.is_file() else {}) | values
    return values
