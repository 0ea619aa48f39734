"""Report a table of a paper: what was published, what we have, and how sure that is.

python -m experiments.report str_grid                                   (every profile with rows, as Markdown)
python -m experiments.report str_grid --profile mini --format latex
python -m experiments.report str_grid --profile mini --out FOLDER        (all three forms, plots, and a page of its own)
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.formats import ENDINGS, FORMATS, Grid
from experiments.rows import row_file
from experiments.sections import SECTIONS
from experiments.standing import Standing, standing
from experiments.study import Study, load_study, studies
from ocr.terminal import console, run_quietly


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 reported, 1 it cannot be, 2 the command line is wrong."""
    return run_quietly(lambda: _main(argv))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    described = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="experiments/report.py", description=__doc__, formatter_class=described)
    top.add_argument("table", help=f"one of {', '.join(studies())}")
    top.add_argument("--profile", help="one profile (default: every one that has rows; smoke where none has)")
    top.add_argument(
        "--format", choices=list(FORMATS), default="markdown", help="of what is printed (default: markdown)"
    )
    top.add_argument("--out", type=Path, help="folder for the tables in all forms, the plots and the page")
    top.add_argument("--runs", type=Path, default=Path(os.environ.get("OCR_RUNS", "runs")), help="folder of all runs")
    top.add_argument(
        "--root", type=Path, help="folder of the prepared sets, for pictures of words (default: the profile's)"
    )
    return top


def _main(argv: Sequence[str] | None) -> int:
    arguments = parser().parse_args(argv)
    try:
        study = load_study(arguments.table)
        for name in [arguments.profile] if arguments.profile else with_rows(study):
            found = standing(study, study.profile(name), arguments.runs)
            _print(found, arguments.format)
            if arguments.out:
                _write(found, arguments)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def with_rows(study: Study) -> list[str]:
    """Profiles that have rows; ``smoke`` where none has."""
    there = [name for name in study.profiles if row_file(study.results, name).is_file()]
    return there or ["smoke"]


def grids(found: Standing) -> list[Grid]:
    """All tables of a report, in the order of the study's sections."""
    return [grid for name in found.study.sections for grid in SECTIONS[name](found)]


def _print(found: Standing, form: str) -> None:
    printer = console()
    for grid in grids(found):
        print(FORMATS[form](grid))
    for note in found.notes:
        printer.print(note, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _write(found: Standing, arguments: argparse.Namespace) -> None:
    """One file for each form, with all tables in it; then plots and page."""
    from experiments.study_page import write_study

    folder = arguments.out / f"{found.study.name}-{found.profile.name}"
    folder.mkdir(parents=True, exist_ok=True)
    for form, ending in ENDINGS.items():
        content = "\n".join(FORMATS[form](grid) for grid in grids(found))
        (folder / f"tables.{ending}").write_text(content, encoding="utf-8")
    root = arguments.root or Path(found.profile.root or os.environ.get("OCR_DATA", "data"))
    page = write_study(found, grids(found), folder, root)
    console().print(f"tables, plots and page: {page}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
