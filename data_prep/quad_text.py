"""Label files of the ICDAR form: one word a line, ``x1,y1,…,xn,yn,text``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from data_prep.samples import Unusable
from ocr.types import Points, SceneWord

IGNORED = "###"
"""The transcription of a region that neither trains nor counts."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that could not be read, with its number from 1 and why."""

    number: int
    reason: str


def lines_of(content: bytes) -> list[str]:
    """Lines of a UTF-8 label file, without byte order mark, carriage returns and empty lines at the end.

    Lines end at line feeds only: ``str.splitlines`` would also cut a transcription at U+0085 or U+2028.

    Raises:
        Unusable: the file is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable("label file is not UTF-8") from None
    return [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]


def parse(content: bytes, polygons: bool = False) -> tuple[list[SceneWord], list[Line]]:
    """Words of a label file, and the lines that are not understood.

    A line begins with four points, and everything after the eighth comma is the text, commas included. With ``polygons``
    it begins with as many points as there are pairs of numbers; a text that itself begins with two numbers and commas
    cannot be told from points then. ``###`` is a word to ignore; an empty text is a missing one (None).

    Raises:
        Unusable: the file is not UTF-8.
    """
    words, faults = [], []
    for number, line in enumerate(lines_of(content), 1):
        if not line.strip():
            continue
        try:
            polygon, text = _polygon_line(line) if polygons else _quad_line(line)
        except ValueError:
            faults.append(Line(number, "line is not x1,y1,x2,y2,x3,y3,x4,y4,text"))
            continue
        ignore = text == IGNORED
        words.append(SceneWord(polygon, None if ignore or not text else text, ignore=ignore))
    return words, faults


def holds_polygons(contents: Iterable[bytes]) -> bool:
    """Whether most lines of a data set begin with more than four points."""
    many = few = 0
    for content in contents:
        for line in lines_of(content):
            pairs = _leading_numbers(line.split(",")) // 2
            many += pairs > 4
            few += pairs == 4
    return many > few


def _quad_line(line: str) -> tuple[Points, str]:
    fields = line.split(",", 8)
    if _leading_numbers(fields[:8]) < 8:
        raise ValueError
    return _points(fields[:8]), "".join(fields[8:]).strip()


def _polygon_line(line: str) -> tuple[Points, str]:
    fields = line.split(",")
    count = _leading_numbers(fields) // 2 * 2
    if count < 6:
        raise ValueError
    return _points(fields[:count]), ",".join(fields[count:]).strip()


def _points(fields: list[str]) -> Points:
    return np.array([float(f) for f in fields], np.float32).reshape(-1, 2)


def _leading_numbers(fields: list[str]) -> int:
    for count, text in enumerate(fields):
        try:
            finite = math.isfinite(float(text))
        except ValueError:
            return count
        if not finite:
            return count
    return len(fields)
