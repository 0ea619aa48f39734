"""The forms of label files with one file a picture, and which of all forms a strange file has."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from data_prep import ctw1500, json_labels, quad_text, totaltext
from data_prep.labels import Labels
from data_prep.samples import Unusable


@dataclass(frozen=True, slots=True)
class Form:
    """How the label file of a picture is read.

    ``title`` is what a message calls it; ``suffixes`` are endings of label files; ``stem`` and ``picture_stem`` give
    what the names of a label file and of its picture have in common, from the name without its ending.
    """

    title: str
    parse: Callable[[bytes], Labels]
    suffixes: tuple[str, ...]
    stem: Callable[[str], str]
    picture_stem: Callable[[str], str] = str


def without_prefix(stem: str) -> str:
    """``img_1`` of ``gt_img_1`` and of ``poly_gt_img_1``."""
    return stem.removeprefix("poly_").removeprefix("gt_")


FORMS = {
    "quads": Form("ICDAR 2015 text", quad_text.quads, (".txt",), without_prefix),
    "polygons": Form("polygon text", quad_text.polygons, (".txt",), without_prefix),
    "boxes": Form("ICDAR 2013 text", quad_text.boxes, (".txt",), without_prefix),
    "scripts": Form("MLT text", quad_text.scripts, (".txt",), without_prefix),
    "turned_boxes": Form("MSRA-TD500 text", quad_text.turned_boxes, (".gt",), without_prefix),
    "totaltext_text": Form("Total-Text text", totaltext.from_text, (".txt",), without_prefix),
    "totaltext_matlab": Form("Total-Text MATLAB", totaltext.from_matlab, (".mat",), without_prefix),
    "ctw1500_xml": Form("CTW-1500 XML", ctw1500.from_xml, (".xml",), ctw1500.number_of, ctw1500.number_of),
    "ctw1500_text": Form("CTW-1500 text", ctw1500.from_text, (".txt",), ctw1500.number_of, ctw1500.number_of),
    "rects": Form("ReCTS JSON", json_labels.parse, (".json",), without_prefix),
}

_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_EIGHT = rf"(?:{_NUMBER}\s*,\s*){{8}}"
SIGNATURES: list[tuple[str, str]] = [
    (r"MATLAB 5\.0 MAT-file.*", "a MATLAB file"),
    (r"(?:<\?xml.*)?<Annotations.*", "CTW-1500 XML"),
    (r"(?:<\?xml.*)?<(?:tagset|imagelist).*", "the XML of SVT and ICDAR 2003"),
    (r'\{\s*"(?:chars|lines)"\s*:.*', "ReCTS JSON"),
    (r'\{\s*"[^"]+"\s*:\s*\[.*', "ArT JSON"),
    (r"\s*x:\s*\[\[.*", "Total-Text text"),
    (rf"\d+ [01](?: {_NUMBER}){{5}}\s*", "MSRA-TD500 text"),
    (rf"(?:{_NUMBER}(?:\s*,\s*|\s+)){{4}}\".*\"\s*", "ICDAR 2013 text"),
    (rf"{_EIGHT}(?:{'|'.join(sorted(quad_text.SCRIPTS))}),.*", "MLT text"),
    (rf"(?:{_NUMBER}\s*,\s*){{28}}####.*", "CTW-1500 text"),
    (rf"{_EIGHT}(?!\s*{_NUMBER}\s*,\s*{_NUMBER}).*", "ICDAR 2015 text"),
    (r"\S+\.(?:jpg|jpeg|png)(?:,\s*|\t|\s)\S.*", "a list of word pictures"),
]
"""What a first line of each form looks like, the stricter ones first."""


def looks_like(content: bytes) -> str | None:
    """The title of the form that a label file most probably has, judged by its first line; None when no form fits."""
    head = content[:4096].decode("utf-8", errors="replace").lstrip("\ufeff").lstrip()
    if head[:1] in "{<":
        head = " ".join(head.split())
    line = head.partition("\n")[0].rstrip("\r")
    return next((title for pattern, title in SIGNATURES if re.fullmatch(pattern, line)), None)


def parse(form: Form, content: bytes) -> Labels:
    """Read a label file.

    Raises:
        Unusable: the file cannot be read as a whole, or is of another form; the reason says of which it looks.
    """
    other = looks_like(content)
    wrong = Unusable(f"label file looks like {other}, not {form.title}", "line 1")
    # some forms can be read as others, with script or marks as part of the text
    if other is not None and other != form.title and other in ("MLT text", "CTW-1500 text"):
        raise wrong
    try:
        labels = form.parse(content)
    except Unusable:
        if other is not None and other != form.title and other != "a MATLAB file":
            raise wrong from None
        raise
    if labels.faults and not labels.words and other is not None and other != form.title:
        raise wrong
    return labels
