"""SCUT-CTW1500 (Liu et al., Pattern Recognition 2019): lines of text, each a polygon of 14 points.

The training part is labelled in XML (annotations of 2020), the test part in text files; the first release had a box and 14 offsets
from its corner. Label files of the test part have three more zeros in front of the picture's number.
"""

from __future__ import annotations

from data_prep.labels import Labels, labelled, leading_numbers, lines_of, points
from data_prep.markup import parse
from data_prep.samples import Unusable

NUMBERS, OLD_NUMBERS = 28, 32
MARK = "####"
WITHOUT_TEXT = {"CARE", "DONOTCARE"}
"""What some copies write instead of a transcription."""


def from_xml(content: bytes) -> Labels:
    """``box`` elements with a ``label`` and 28 numbers in ``segs``.

    Raises:
        Unusable: the file is not XML, or not of this form.
    """
    root = parse(content)
    if root.tag != "Annotations":
        raise Unusable("label file is not the XML of CTW-1500", f"line {root.line}")
    labels = Labels()
    for box in root.all("box"):
        segments, text = box.first("segs"), box.first("label")
        fields = segments.text.split(",") if segments is not None else []
        if len(fields) != NUMBERS or leading_numbers(fields) != NUMBERS:
            labels.fault(f"line {box.line}", "box does not hold segs of 28 numbers")
            continue
        labels.add(labelled(points(fields), text.text.strip() if text is not None else None), f"line {box.line}")
    return labels


def from_text(content: bytes) -> Labels:
    """``x1,y1,…,x14,y14,####text``; or the old form ``x0,y0,x1,y1,dx1,dy1,…,dx14,dy14`` without a text.

    Raises:
        Unusable: the file is not UTF-8.
    """
    labels = Labels()
    for number, line in enumerate(lines_of(content), 1):
        fields = line.split(",")
        count = leading_numbers(fields)
        if not line.strip():
            continue
        if count == NUMBERS:
            labels.add(labelled(points(fields[:count]), _text(",".join(fields[count:]))), f"line {number}")
        elif count == OLD_NUMBERS:
            corner, offsets = points(fields[:2]), points(fields[4:OLD_NUMBERS])
            labels.add(labelled(offsets + corner, None), f"line {number}")
        else:
            labels.fault(f"line {number}", "line is not x1,y1,…,x14,y14,####text")
    return labels


def number_of(stem: str) -> str:
    """The number that a picture and its label file share, without zeros in front."""
    return stem.lstrip("0") or stem


def _text(field: str) -> str | None:
    text = field.strip()
    return None if text in WITHOUT_TEXT else text.removeprefix(MARK)
