"""Any folder of word crops with a label file: a picture path and its text per line, by tab or comma, or as JSON."""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.archives import RawFile
from data_prep.raw import Part
from data_prep.samples import Job
from data_prep.word_lists import json_rows, text_rows
from data_prep.word_sets import list_job

NAMES = ("labels", "gt")
ENDINGS = (".tsv", ".csv", ".txt", ".json", ".jsonl")
LABEL_FILES = tuple(f"{name}{ending}" for name in NAMES for ending in ENDINGS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m data_prep words``."""
    parser.add_argument(
        "--split", choices=["train", "val", "test"], default="test", help="which split it becomes (default: test)"
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help=f"label file inside the raw folder (default: {' or '.join(NAMES)}, {', '.join(ENDINGS)})",
    )


def jobs(raw: Path, args: argparse.Namespace) -> list[Job]:
    """One split of a folder of words.

    Raises:
        ValueError: there is no label file, or it is not understood.
    """
    names = [args.labels] if args.labels else list(LABEL_FILES)
    name = next((name for name in names if (raw / name).is_file()), None)
    if name is None:
        raise ValueError(
            f"no label file in {raw}: expected one of {', '.join(names)}, a line for each picture: path, tab, text"
        )
    parse = json_rows if name.endswith((".json", ".jsonl")) else text_rows
    try:
        return [list_job(args.split, Part(raw, raw.name), [RawFile(str(raw), name)], parse)]
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(str(raw)) else f"{raw / name}: {message}") from None
