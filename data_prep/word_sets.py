"""Word crops from a list: whole pictures, or boxes inside of pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath

import numpy as np

from data_prep import word_lists
from data_prep.archives import RawFile
from data_prep.boxes import cut_word, usable
from data_prep.catalog import PartEntry
from data_prep.forms import looks_like
from data_prep.picture import checked, encode
from data_prep.raw import Part, find_file, find_part, inner_path
from data_prep.samples import Job, RawWord, Repeated, Sample, Unusable
from data_prep.word_lists import Row
from ocr.data.records import Split
from ocr.types import Image, SceneWord

CHUNK = 128
RULES = {
    "all": (re.compile(".*", re.DOTALL), ""),
    "alphanumeric": (re.compile("[0-9A-Za-z]+"), "text holds other characters than 0-9, A-Z and a-z"),
    "alphanumeric3": (re.compile("[0-9A-Za-z]{3,}"), "text is not three or more of 0-9, A-Z and a-z"),
}
"""What a word of a benchmark must be, by the name that the catalogue uses, and the reason when it is not."""
LIST = "a list of word pictures"


@dataclass(frozen=True, slots=True)
class WordItem:
    """A row with the file of its picture, or with the reason why there is none; ``place`` names the label file."""

    row: Row
    file: RawFile | str
    place: str


def job(raw: Path, part: PartEntry, ids: frozenset[str] | None, option: str) -> Job | None:
    """The words of a catalogued split; None when its label file is not there.

    Raises:
        ValueError: the pictures are not there, the label file cannot be read, or an id is unknown.
    """
    found = [(spec, file) for spec in part.labels if (file := find_file(raw, spec)) is not None]
    pictures = [p for spec in part.pictures if (p := find_part(raw, spec)) is not None]
    if not found:
        return None
    if not pictures:
        raise ValueError(f"{raw} holds {found[0][1].path} but not {' or '.join(part.pictures)}: both are needed")
    labels = [file for _, file in found]
    return list_job(part.split, pictures[0], labels, word_lists.FORMS[part.form], part.keep, ids, option)


def list_job(
    split: Split,
    pictures: Part,
    labels: list[RawFile],
    parse: Callable[[bytes], Iterable[Row]],
    keep: str = "all",
    ids: frozenset[str] | None = None,
    option: str = "",
) -> Job:
    """The words of label files; pictures are those that their rows name.

    Raises:
        ValueError: a label file cannot be read, or an id is unknown.
    """
    items = Repeated(partial(_items, pictures, labels, parse, ids))
    seen: set[str] = set()
    total = 0
    for item in items:
        total += 1
        seen.update(_names(item.row) if ids is not None else ())
    unknown = sorted((ids or frozenset()) - seen)
    if unknown:
        raise ValueError(f"{option} names {', '.join(unknown[:5])}, which {labels[0].name} does not list")
    return Job(split, ("recognition",), items, total, partial(word, keep), _called, chunk=CHUNK)


def word(keep: str, item: WordItem) -> Iterator[Sample]:
    """The crop of an item.

    Raises:
        Unusable: the label or the picture, or the benchmark leaves words of this kind out.
    """
    row = item.row
    if row.fault is not None:
        raise Unusable(row.fault)
    if not row.text:
        raise Unusable("empty label")
    rule, otherwise = RULES[keep]
    if rule.fullmatch(row.text) is None:
        raise Unusable(otherwise)
    if isinstance(item.file, str):
        raise Unusable(item.file)
    if row.box is None:
        data, _ = checked(item.file.read())
        yield RawWord(inner_path(row.path), data, row.text, row.script, row.direction)
        return
    image = _picture(item.file)
    boxed, fault = usable(SceneWord(row.polygon(), row.text), image.shape[1], image.shape[0])
    if fault is not None:
        raise Unusable(fault)
    crop, _ = cut_word(image, boxed)
    key = f"{inner_path(row.path)}#{row.number}"
    yield RawWord(key, encode(np.ascontiguousarray(crop)), row.text, row.script, row.direction)


def _items(
    pictures: Part, labels: list[RawFile], parse: Callable[[bytes], Iterable[Row]], ids: frozenset[str] | None
) -> Iterator[WordItem]:
    keys: set[int] = set()
    for label in labels:
        for row in _rows(label, parse):
            if ids is not None and not ids & _names(row):
                continue
            file: RawFile | str
            try:
                file = pictures.find(row.path)
            except Unusable as error:
                file = str(error)
            # the hash takes a fraction of the path's memory, which counts for millions of words
            if hash(row.key) in keys:
                file = "picture is listed twice"
            keys.add(hash(row.key))
            yield WordItem(row, file, label.name)


def _rows(label: RawFile, parse: Callable[[bytes], Iterable[Row]]) -> Iterator[Row]:
    place = f"{label.container}/{label.path}"
    try:
        content = label.read()
        other = looks_like(content)
        xml, matlab = other is not None and "XML" in other, other == "a MATLAB file"
        expected: dict[object, bool] = {
            word_lists.xml_rows: xml and "SVT" in str(other),
            word_lists.matlab_rows: matlab,
        }
        if not expected.get(parse, other in (None, LIST)):
            raise ValueError(f"{place} looks like {other or 'no form known here'}: give the label file of this set")
        yield from parse(content)
    except Unusable as error:
        where = f" ({error.where})" if error.where else ""
        hint = ": save it as UTF-8" if "UTF-8" in str(error) else ": download it again"
        raise ValueError(f"{place}{where}: {error}".replace("label file is", "is") + hint) from None


def _names(row: Row) -> set[str]:
    path = PurePosixPath(row.path)
    return {row.path, str(path.with_suffix("")) if path.name else "", path.stem}


def _called(item: WordItem) -> str:
    return f"{item.place} line {item.row.line}: {item.row.path}"


@lru_cache(maxsize=1)
def _picture(file: RawFile) -> Image:
    # the words of one picture follow each other
    return checked(file.read())[1]
