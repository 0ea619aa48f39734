"""Total-Text (Ch'ng, Chan and Liu, IJDAR 2020): word polygons of any number of points, as MATLAB or as text files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from data_prep import mat5
from data_prep.labels import Labels, labelled, leading_numbers, lines_of, points
from data_prep.samples import Unusable
from ocr.types import Points

UNREAD = "#"
"""Transcription and orientation of a region to ignore."""
KEYS = ("polygt", "gt")
"""What the array of a MATLAB file is called."""
START = re.compile(r"\s*x:\s*\[")
RECORD = re.compile(
    r"\s*x:\s*\[\[([^\]]*)\]\]\s*,\s*y:\s*\[\[([^\]]*)\]\]\s*,\s*ornt:\s*\[([^\]]*)\]\s*,\s*transcriptions:\s*\[(.*)\]\s*",
    re.DOTALL,
)
QUOTED = re.compile(r"u?(['\"])(.*)\1", re.DOTALL)


def from_text(content: bytes) -> Labels:
    """``x: [[…]], y: [[…]], ornt: [u'c'], transcriptions: [u'…']``; the arrays of numbers may go on over several lines.

    A text may hold quotes and brackets.

    Raises:
        Unusable: the file is not UTF-8.
    """
    labels = Labels()
    for number, record in _records(lines_of(content)):
        where = f"line {number}"
        match = RECORD.fullmatch(record)
        polygon = None if match is None else _polygon(match.group(1).split(), match.group(2).split())
        if match is None or polygon is None:
            labels.fault(where, "record is not x: [[…]], y: [[…]], ornt: […], transcriptions: […]")
            continue
        _add(labels, where, polygon, _quoted(match.group(4)), _quoted(match.group(3)))
    return labels


def from_matlab(content: bytes) -> Labels:
    """The array ``polygt`` (or ``gt``): a row for each word with x in column 1, y in 3, the text in 4 and the orientation in 5.

    Raises:
        Unusable: the file is damaged, or holds no such array.
    """
    variables = mat5.read(content)
    rows = next((variables[key] for key in KEYS if key in variables), None)
    if not isinstance(rows, np.ndarray) or rows.dtype != object or rows.ndim != 2 or rows.shape[1] < 5:
        raise Unusable("label file holds no cell array polygt or gt of five or six columns")
    labels = Labels()
    for number, row in enumerate(rows, 1):
        where = f"row {number}"
        polygon = _polygon(*([str(n) for n in np.ravel(row[k]) if row[k].dtype != object] for k in (1, 3)))
        if polygon is None:
            labels.fault(where, "row does not hold as many numbers for x as for y")
            continue
        _add(labels, where, polygon, _string(row[4]), _string(row[5]) if len(row) > 5 else "")
    return labels


def _records(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Each record with the number of its first line; what stands before the first one is a record of its own."""
    starts = [i for i, line in enumerate(lines) if START.match(line)]
    for begin, end in pairwise(sorted({0, *starts, len(lines)})):
        record = "\n".join(lines[begin:end])
        if record.strip():
            yield begin + 1, record


def _polygon(xs: list[str], ys: list[str]) -> Points | None:
    xs, ys = [x.strip(",") for x in xs], [y.strip(",") for y in ys]
    if not xs or len(xs) != len(ys) or leading_numbers(xs) + leading_numbers(ys) != 2 * len(xs):
        return None
    return points([n for pair in zip(xs, ys, strict=True) for n in pair])


def _add(labels: Labels, where: str, polygon: Points, text: str, orientation: str) -> None:
    unread = text == UNREAD or orientation == UNREAD
    labels.add(labelled(polygon, None if unread else text, ignore=unread), where)


def _quoted(text: str) -> str:
    match = QUOTED.fullmatch(text.strip())
    if match is None:
        return text.strip()
    return re.sub(r"\\(['\"\\])", r"\1", match.group(2))


def _string(value: np.ndarray) -> str:
    return "".join(str(part) for part in np.ravel(value)).strip()
