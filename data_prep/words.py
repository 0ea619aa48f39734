"""Any folder of word crops with a label file: a picture path and its text per line, by tab or comma."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_prep.picture import checked
from data_prep.quad_text import lines_of
from data_prep.raw import inner_path, read_inside
from data_prep.samples import Job, RawWord, Sample, Unusable

LABEL_FILES = ("labels.tsv", "labels.csv", "labels.txt", "gt.tsv", "gt.csv", "gt.txt")
PATH_COLUMNS = {"filename", "file", "path", "image"}
TEXT_COLUMNS = {"words", "word", "text", "label"}
DIRECTIONS = {"horizontal", "stacked", "rotated"}


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled picture; ``line`` counts from 1."""

    line: int
    path: str
    text: str
    script: str = "Latin"
    direction: str = "horizontal"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m data_prep words``."""
    parser.add_argument(
        "--split", choices=["train", "val", "test"], default="test", help="which split it becomes (default: test)"
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="label file inside the raw folder (default: labels.tsv, .csv or .txt, or gt.tsv, .csv or .txt)",
    )


def jobs(raw: Path, args: argparse.Namespace) -> list[Job]:
    """One split of a folder of words.

    Raises:
        ValueError: there is no label file, or its header is not understood.
    """
    names = [args.labels] if args.labels else list(LABEL_FILES)
    path = next((raw / name for name in names if (raw / name).is_file()), None)
    if path is None:
        raise ValueError(
            f"no label file in {raw}: expected one of {', '.join(names)}, a line for each picture: path, tab, text"
        )
    try:
        rows = list(parse(lines_of(path.read_bytes())))
    except Unusable:
        raise ValueError(f"{path} is not UTF-8: save it as UTF-8") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None

    def read(row: Row) -> Iterator[Sample]:
        if not row.text:
            raise Unusable("empty label")
        data, _ = checked(read_inside(raw, row.path))
        yield RawWord(inner_path(row.path), data, row.text, row.script, row.direction)

    return [
        Job(args.split, ("recognition",), rows, len(rows), read, lambda row: f"{path.name} line {row.line}: {row.path}")
    ]


def parse(lines: list[str]) -> Iterator[Row]:
    """Rows of a label file.

    Without a header a line is a path, one tab (or, where the first line has none, a comma) and the text; double quotes
    around a text after a comma are taken off. With a header (``filename,words``, and if wanted ``script`` and
    ``direction``) columns go by name; commas then follow the rules of CSV.

    Raises:
        ValueError: a header lacks the text, or a direction does not exist.
    """
    tab = bool(lines) and "\t" in lines[0]
    head = [name.strip().lower() for name in lines[0].split("\t" if tab else ",")] if lines else []
    if head and head[0] in PATH_COLUMNS:
        yield from _named_columns(lines, head, tab)
        return
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        path, _, text = line.partition("\t" if tab else ",")
        yield Row(number, path.strip(), text.strip() if tab else _unquoted(text.strip()))


def _named_columns(lines: list[str], head: list[str], tab: bool) -> Iterator[Row]:
    text_column = next((i for i, name in enumerate(head) if name in TEXT_COLUMNS), None)
    if text_column is None:
        raise ValueError(f"the header {', '.join(head)} has no column {' or '.join(sorted(TEXT_COLUMNS))}")
    split = (line.split("\t") for line in lines[1:]) if tab else csv.reader(lines[1:])
    for number, fields in enumerate(split, 2):
        if not any(fields):
            continue
        values = dict(zip(head, fields, strict=False))
        direction = values.get("direction") or "horizontal"
        if direction not in DIRECTIONS:
            raise ValueError(f"line {number}: direction {direction!r} is none of {', '.join(sorted(DIRECTIONS))}")
        text = fields[text_column].strip() if len(fields) > text_column else ""
        yield Row(number, fields[0].strip(), text, values.get("script") or "Latin", direction)


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('\\"', '"').replace('""', '"')
    return text
