"""Any pictures with ICDAR-style label files: word quads or polygons, ``x1,y1,…,xn,yn,text``.

A folder ``gt_char`` beside them may hold files of the same names and form with single characters,
which ``--characters`` reads.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from data_prep import pictures_with_text
from data_prep.archives import RawFile
from data_prep.catalogued import simple_entries
from data_prep.forms import FORMS
from data_prep.pictures_with_text import Entry
from data_prep.quad_text import holds_polygons
from data_prep.raw import find_part
from data_prep.samples import Job, Unusable

CHARACTERS = "gt_char"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m data_prep scenes``."""
    parser.add_argument(
        "--split", choices=["train", "val", "test"], default="test", help="which split it becomes (default: test)"
    )
    parser.add_argument(
        "--characters",
        action="store_true",
        help=f"give words the boxes of single characters in {CHARACTERS}; words that these do not spell are ignored",
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="only some words of the pictures are labelled: the set does not train, and is scored without precision",
    )
    parser.add_argument(
        "--points",
        choices=["auto", "four", "any"],
        default="auto",
        help="points a line begins with; auto: any when most lines begin with more than four pairs of numbers (default: auto)",
    )


def jobs(raw: Path, args: argparse.Namespace) -> list[Job]:
    """One split of a folder of pictures.

    Raises:
        ValueError: the folder holds no pictures with label files.
    """
    entries = simple_entries(raw, "quads")
    if not entries:
        raise ValueError(
            f"no pictures with label files in {raw}: expected images/NAME.jpg and gt/gt_NAME.txt (or gt/NAME.txt)"
        )
    if args.characters:
        entries = _with_characters(raw, entries)
    many = args.points == "any" or (args.points == "auto" and holds_polygons(_contents(entries)))
    read = partial(pictures_with_text.scene, FORMS["polygons" if many else "quads"])
    return [Job(args.split, ("detection",), entries, len(entries), read, pictures_with_text.key_of)]


def _with_characters(raw: Path, entries: list[Entry]) -> list[Entry]:
    part = find_part(raw, CHARACTERS)
    if part is None:
        raise ValueError(
            f"--characters: {raw} holds no {CHARACTERS}, folder or archive, with boxes of single characters"
        )
    form = FORMS["quads"]
    files = {form.stem(PurePosixPath(name).stem): file for name, file in pictures_with_text.label_files_of(part, form)}
    return [replace(entry, characters=files.get(entry.id)) for entry in entries]


def _contents(entries: list[Entry]) -> Iterator[bytes]:
    for entry in entries:
        if isinstance(entry.label, RawFile):
            try:
                content = entry.label.read()
                content.decode("utf-8-sig")
            except (Unusable, UnicodeDecodeError):
                continue
            yield content
