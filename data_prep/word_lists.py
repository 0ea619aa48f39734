"""Lists of word pictures and their texts: text files, JSON, MATLAB and XML, one row a word."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_prep import mat5
from data_prep.labels import lines_of, unquoted
from data_prep.markup import Element, parse
from data_prep.raw import PICTURES
from data_prep.samples import Unusable
from ocr.types import Points

PATH_COLUMNS = ("filename", "file", "path", "image", "img_path", "img")
TEXT_COLUMNS = ("words", "word", "text", "label", "transcription")
DIRECTIONS = {"horizontal", "stacked", "rotated"}
ORIENTATIONS = {"h": "horizontal", "v": "stacked"}
LANGUAGES = {"en": "Latin", "ja": "Japanese", "ko": "Korean", "zh": "Chinese"}
"""Scripts by the language that a list gives instead (``zh-TW`` counts as ``zh``)."""
BY_ENDING = re.compile(rf"\s*(\S.*?(?:{'|'.join(map(re.escape, sorted(PICTURES)))}))\s+(\S.*)", re.IGNORECASE)
WITHOUT = "entry does not hold a path and a text"


@dataclass(frozen=True, slots=True)
class Row:
    """One word; ``line`` counts lines or entries from 1.

    ``box`` holds the four corners of a word inside its picture as x, y, … (None: the picture is the word), ``number`` its
    place among the words of the picture. ``fault`` says why the row cannot be used.
    """

    line: int
    path: str
    text: str
    script: str = "Latin"
    direction: str = "horizontal"
    box: tuple[float, ...] | None = None
    number: int | None = None
    fault: str | None = None

    @property
    def key(self) -> str:
        """The path, with the number of the word when the picture holds several."""
        return self.path if self.number is None else f"{self.path}#{self.number}"

    def polygon(self) -> Points:
        """The corners of the box."""
        return np.array(self.box, np.float32).reshape(-1, 2)


def text_rows(content: bytes) -> Iterator[Row]:
    """Rows of a text file.

    Without a header a line is a path, then a tab (or, where the first line has none, a comma; or, where it has neither,
    white space) and the text; double quotes around a text after a comma are taken off. With a header (``filename,words``, and if
    wanted ``script`` or ``lang``, and ``direction`` or ``orient``, h or v) columns go by name; commas then follow the rules of CSV.

    Raises:
        Unusable: the file is not UTF-8.
        ValueError: a header lacks the text, or a direction does not exist.
    """
    lines = lines_of(content)
    tab = bool(lines) and "\t" in lines[0]
    head = [name.strip().lower() for name in lines[0].split("\t" if tab else ",")] if lines else []
    if head and head[0] in PATH_COLUMNS:
        yield from _named_columns(lines, head, tab)
        return
    spaced = not tab and bool(lines) and "," not in lines[0] and BY_ENDING.fullmatch(lines[0]) is not None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = BY_ENDING.fullmatch(line) if spaced else None
        if match is not None:
            yield Row(number, match.group(1), match.group(2).strip())
            continue
        path, _, text = line.partition("\t" if tab else ",")
        yield Row(number, path.strip(), text.strip() if tab else unquoted(text.strip()))


def first_words(content: bytes) -> Iterator[Row]:
    """A path, a word, and whatever follows (SVTP's lexicons), separated by white space or a comma.

    Raises:
        Unusable: the file is not UTF-8.
    """
    for number, line in enumerate(lines_of(content), 1):
        fields = line.replace(",", " ").split()
        if fields:
            yield Row(number, fields[0], fields[1] if len(fields) > 1 else "")


def json_rows(content: bytes) -> Iterator[Row]:
    """Objects with a path and a text: a list, one a line, MMOCR's ``data_list`` (Union14M-L has these), or ``{path: text}``.

    Raises:
        Unusable: the file is neither.
    """
    text = _utf8(content)
    try:
        root = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        if text.lstrip()[:1] != "{" or line < 2:
            raise Unusable("label file is not JSON", f"line {line}") from None
        yield from _json_lines(text)
        return
    items = root.get("data_list", root) if isinstance(root, dict) else root
    if isinstance(items, dict):
        single = _json_row(1, items)
        if single.fault is None:
            yield single
            return
        items = [{"path": path, "text": value} for path, value in items.items()]
    if not isinstance(items, list):
        raise Unusable("label file is not a list of objects", "line 1")
    for number, item in enumerate(items, 1):
        yield _json_row(number, item)


def matlab_rows(content: bytes) -> Iterator[Row]:
    """IIIT5K: an array of structures with ``ImgName`` and ``GroundTruth``.

    Raises:
        Unusable: the file is damaged or holds no such array.
    """
    for value in mat5.read(content).values():
        items = value.ravel().tolist() if value.dtype == object else []
        if items and isinstance(items[0], dict) and {"ImgName", "GroundTruth"} <= items[0].keys():
            for number, item in enumerate(items, 1):
                path, text = ("".join(str(s) for s in np.ravel(item[k])) for k in ("ImgName", "GroundTruth"))
                yield Row(number, path, text)
            return
    raise Unusable("label file holds no structures with ImgName and GroundTruth")


def xml_rows(content: bytes) -> Iterator[Row]:
    """SVT and ICDAR 2003: ``image`` elements, either of one word (``file``, ``tag``) or with ``taggedRectangle`` boxes of words.

    Raises:
        Unusable: the file is not XML of either form.
    """
    root = parse(content)
    if root.tag not in ("tagset", "imagelist"):
        raise Unusable("label file is not the XML of SVT or ICDAR 2003", f"line {root.line}")
    for image in root.all("image"):
        name = image.first("imageName")
        if name is None:
            path, text = image.attributes.get("file", ""), image.attributes.get("tag", "")
            yield Row(image.line, path, text, fault=None if path else WITHOUT)
            continue
        for number, rectangle in enumerate(image.all("taggedRectangle")):
            yield _rectangle(name.text.strip(), number, rectangle)


FORMS: dict[str, Callable[[bytes], Iterable[Row]]] = {
    "list": text_rows,
    "first_word": first_words,
    "json_list": json_rows,
    "iiit5k": matlab_rows,
    "tagged_xml": xml_rows,
}


def _rectangle(path: str, number: int, element: Element) -> Row:
    tag = element.first("tag")
    try:
        x, y, w, h = (float(element.attributes[k]) for k in ("x", "y", "width", "height"))
    except (KeyError, ValueError):
        return Row(element.line, path, "", number=number, fault="rectangle does not hold x, y, width and height")
    box = (x, y, x + w, y, x + w, y + h, x, y + h)
    return Row(element.line, path, tag.text.strip() if tag is not None else "", box=box, number=number)


def _named_columns(lines: list[str], head: list[str], tab: bool) -> Iterator[Row]:
    text_column = next((i for i, name in enumerate(head) if name in TEXT_COLUMNS), None)
    if text_column is None:
        raise ValueError(f"the header {', '.join(head)} has no column {' or '.join(sorted(TEXT_COLUMNS))}")
    split = (line.split("\t") for line in lines[1:]) if tab else csv.reader(lines[1:])
    for number, fields in enumerate(split, 2):
        if not any(fields):
            continue
        values = dict(zip(head, fields, strict=False))
        direction = values.get("direction") or ORIENTATIONS.get(values.get("orient", ""), "horizontal")
        language = values.get("lang", "").partition("-")[0].lower()
        if direction not in DIRECTIONS:
            raise ValueError(f"line {number}: direction {direction!r} is none of {', '.join(sorted(DIRECTIONS))}")
        text = fields[text_column].strip() if len(fields) > text_column else ""
        script = values.get("script") or LANGUAGES.get(language, "Latin")
        yield Row(number, fields[0].strip(), text, script, direction)


def _utf8(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unusable("label file is not UTF-8", f"line {line}") from None


def _json_lines(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield _json_row(number, json.loads(line))
            except (ValueError, RecursionError):
                yield Row(number, "", "", fault="line is not JSON")


def _json_row(number: int, item: Any) -> Row:
    if not isinstance(item, dict):
        return Row(number, "", "", fault=WITHOUT)
    path = next((item[k] for k in PATH_COLUMNS if k in item), None)
    inner = item.get("instances")
    holder = inner[0] if isinstance(inner, list) and inner and isinstance(inner[0], dict) else item
    text = next((holder[k] for k in TEXT_COLUMNS if k in holder), None)
    if not isinstance(path, str) or not isinstance(text, str):
        return Row(number, path if isinstance(path, str) else "", "", fault=WITHOUT)
    return Row(number, path, text)
