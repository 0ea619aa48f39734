"""The sets whose parts ``catalog.toml`` describes: scenes with a label file for each picture or one for all, and lists of words."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

from data_prep import json_labels, pictures_with_text, word_sets
from data_prep.catalog import CatalogEntry, PartEntry, catalog
from data_prep.forms import FORMS
from data_prep.pictures_with_text import Entry, Files
from data_prep.raw import find_file, find_part
from data_prep.samples import Job, Unusable
from ocr.data.records import Split

INDEX = "art"
"""The form with one label file for all pictures."""
SIMPLE_FORM = "quads"
"""Sets of this form may also come as ``images/`` and ``gt/``, or as one folder."""


class HalfThere(ValueError):
    """Pictures without label files, or the other way round."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of all catalogued sets."""
    for split in get_args(Split):
        parser.add_argument(
            f"--{split}-ids",
            metavar="IDS",
            help=f"names of the {split} pictures, without extension: a comma list, or a file with one a line; "
            "from a folder without an official division the splits come out of the same pictures, so folds can be made",
        )
    parser.add_argument(
        "--exclude",
        metavar="FILE",
        type=Path,
        help="leave out the pictures that this file names (any text in which their names occur without extension)",
    )
    parser.add_argument(
        "--not-in",
        metavar="SET",
        type=Path,
        action="append",
        default=[],
        help="leave out pictures that this prepared set holds, recognised by what they show; may be repeated",
    )


def jobs(raw: Path, args: argparse.Namespace) -> list[Job]:
    """The splits that are there.

    Raises:
        ValueError: none is, one is there by half, a list of ids is missing or names what is not there.
    """
    entry = catalog()[args.layout]
    ids = {split: _ids(getattr(args, f"{split}_ids")) for split in get_args(Split)}
    found: dict[str, Job] = {}
    halves: dict[str, HalfThere] = {}
    for part in entry.parts:
        place = f"{part.task}/{part.split}"
        if place in found:
            continue
        if ids[part.split] is None and place in entry.by_ids and _is_there(raw, part):
            raise ValueError(
                f"{args.layout} needs --{part.split}-ids FILE: {entry.by_ids[place]:,} of {entry.expected[place]:,} words were "
                "picked by hand, and no rule gives the list"
            )
        try:
            job = _words(raw, part, ids) if part.task == "recognition" else _scenes(raw, part, ids, args)
        except HalfThere as error:
            halves[place] = error
            continue
        if job is not None:
            found[place] = job
    half = next((error for place, error in halves.items() if place not in found), None)
    if half is not None:
        raise half
    chosen = list(found.values()) or _simple(raw, entry, ids, args)
    if not chosen:
        wanted = "; ".join(entry.files())
        raise ValueError(f"no {entry.title} in {raw}: expected {wanted}" + _simple_hint(entry))
    return chosen


def _words(raw: Path, part: PartEntry, ids: dict[str, list[str] | None]) -> Job | None:
    wanted = ids[part.split]
    return word_sets.job(raw, part, None if wanted is None else frozenset(wanted), f"--{part.split}-ids")


def _scenes(raw: Path, part: PartEntry, ids: dict[str, list[str] | None], args: argparse.Namespace) -> Job | None:
    entries = _entries(raw, part)
    if entries is None:
        return None
    wanted = ids[part.split]
    if wanted is not None:
        entries = pictures_with_text.selected(entries, wanted, f"--{part.split}-ids")
    return _job(part.split, part.form, entries, args)


def _job(split: Split, form: str, entries: list[Entry], args: argparse.Namespace) -> Job:
    entries = _without(entries, args.exclude)
    read = partial(pictures_with_text.scene, FORMS.get(form, FORMS["polygons"]))
    return Job(split, ("detection",), entries, len(entries), read, pictures_with_text.key_of, not_in=tuple(args.not_in))


def _entries(raw: Path, part: PartEntry) -> list[Entry] | None:
    parts = [found for spec in part.pictures if (found := find_part(raw, spec)) is not None]
    files: Files = [file for found in parts for file in pictures_with_text.pictures_of(found)]
    if part.form == INDEX:
        index = find_file(raw, part.labels[0])
        if not parts and index is None:
            return None
        _both(raw, part, bool(parts), index is not None)
        assert index is not None
        try:
            return pictures_with_text.indexed(files, json_labels.parse_index(index.read()), index.name)
        except Unusable as error:
            raise ValueError(f"{index.container}/{index.path}, {error.where}: {error}; download it again") from None
    form = FORMS[part.form]
    label_parts = [found for spec in part.labels if (found := find_part(raw, spec)) is not None]
    labels = [file for found in label_parts for file in pictures_with_text.label_files_of(found, form)]
    if (not parts and not label_parts) or (part.pictures == part.labels and not labels):
        return None
    _both(raw, part, bool(parts), bool(label_parts))
    return pictures_with_text.paired(files, labels, form)


def _both(raw: Path, part: PartEntry, pictures: bool, labels: bool) -> None:
    if not (pictures and labels):
        names = " and ".join(name[0].partition("|")[0] for name in (part.pictures, part.labels))
        raise HalfThere(f"{raw} holds only one of {names} (folder or archive): both are needed")


def _is_there(raw: Path, part: PartEntry) -> bool:
    return any(find_part(raw, spec) is not None for spec in part.pictures)


def _simple_hint(entry: CatalogEntry) -> str:
    return "; or images/ and gt/gt_NAME.txt" if any(part.form == SIMPLE_FORM for part in entry.parts) else ""


def _simple(raw: Path, entry: CatalogEntry, ids: dict[str, list[str] | None], args: argparse.Namespace) -> list[Job]:
    if not _simple_hint(entry):
        return []
    entries = simple_entries(raw, SIMPLE_FORM)
    wanted = {split: names for split, names in ids.items() if names is not None}
    _no_picture_twice(wanted)
    if not entries or not wanted:
        return [_job("train", SIMPLE_FORM, entries, args)] if entries else []
    chosen: Callable[[list[str], str], list[Entry]] = partial(pictures_with_text.selected, entries)
    splits = [part.split for part in entry.parts if part.task == "detection"]
    return [_job(s, SIMPLE_FORM, chosen(wanted[s], f"--{s}-ids"), args) for s in splits if s in wanted]


def simple_entries(raw: Path, form: str) -> list[Entry]:
    """Entries of ``images/`` with ``gt/``, or of pictures and label files that lie in one folder; none where neither is found."""
    there = [name for name in ("images", "gt") if find_part(raw, name) is not None]
    pictures, labels = ("images", "gt") if there else (".", ".")
    return _entries(raw, PartEntry("detection", "train", form, (pictures,), (labels,))) or []


def _no_picture_twice(wanted: dict[str, list[str]]) -> None:
    splits = list(wanted)
    for i, split in enumerate(splits):
        for other in splits[i + 1 :]:
            twice = sorted({*wanted[split]} & {*wanted[other]})
            if twice:
                raise ValueError(
                    f"--{split}-ids and --{other}-ids share {', '.join(twice[:5])}: a picture may not both train and test"
                )


def _without(entries: list[Entry], exclude: Path | None) -> list[Entry]:
    if exclude is None:
        return entries
    try:
        names = {*re.findall(r"[\w-]+", exclude.read_text(encoding="utf-8"))}
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"--exclude {exclude} cannot be read ({error}): give a text file with names of pictures"
        ) from None
    return [entry for entry in entries if entry.id not in names]


def _ids(option: str | None) -> list[str] | None:
    if option is None:
        return None
    text = Path(option).read_text(encoding="utf-8") if Path(option).is_file() else option.replace(",", "\n")
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
