"""Label files with one word a line: the ICDAR forms and that of MSRA-TD500.

====================  ======================================  =========================================================
function              line                                    used by
====================  ======================================  =========================================================
:func:`quads`         ``x1,y1,…,x4,y4,text``                  ICDAR 2015
:func:`polygons`      ``x1,y1,…,xn,yn,text``                  folders of one's own with curved text
:func:`scripts`       ``x1,y1,…,x4,y4,script,text``           ICDAR 2017 and 2019 MLT
:func:`boxes`         ``x1 y1 x2 y2 "text"``                  ICDAR 2013 (its test part has commas as well)
:func:`turned_boxes`  ``index difficult x y w h theta``       MSRA-TD500 (Yao et al., CVPR 2012)
====================  ======================================  =========================================================

All raise :class:`Unusable` for a file that is not UTF-8, and note every line they do not understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np

from data_prep.labels import Labels, labelled, leading_numbers, lines_of, points, unquoted
from ocr.types import Points, SceneWord

SCRIPTS = {
    *("Arabic", "Latin", "Chinese", "Japanese", "Korean", "Bangla", "Hindi", "Symbols", "Mixed", "None"),
}
"""What MLT writes before the text; ``None`` stands where the script could not be told."""
UNKNOWN = "Unknown"
BOX = re.compile(r"\s*" + r"([-+]?\d+(?:\.\d+)?)(?:\s*,\s*|\s+)" * 4 + r"(\".*\"|###)\s*")


def quads(content: bytes) -> Labels:
    """Four points, then the text, which may hold commas. ``###`` is a word to ignore; an empty text a missing one (None)."""
    return _by_line(content, _quad, "line is not x1,y1,x2,y2,x3,y3,x4,y4,text")


def polygons(content: bytes) -> Labels:
    """As many points as there are pairs of numbers, three at least, then the text.

    A text that itself begins with two numbers and commas cannot be told from points.
    """
    return _by_line(content, _polygon, "line is not x1,y1,…,xn,yn,text")


def scripts(content: bytes) -> Labels:
    """Four points, the script, and the text."""
    return _by_line(content, _script, "line is not x1,y1,x2,y2,x3,y3,x4,y4,script,text")


def boxes(content: bytes) -> Labels:
    """The left, upper, right and lower side, and the text in double quotes, in which quotes are escaped."""
    return _by_line(content, _box, 'line is not x1 y1 x2 y2 "text"')


def turned_boxes(content: bytes) -> Labels:
    """A running number, whether the line is difficult (then it is ignored), the corner and size of an upright box, and an angle.

    The box is turned about its centre by theta radians, clockwise as seen. There are no transcriptions.
    """
    return _by_line(content, _turned_box, "line is not index difficult x y w h theta")


def holds_polygons(contents: Iterable[bytes]) -> bool:
    """Whether most lines of a data set begin with more than four points."""
    many = few = 0
    for content in contents:
        for line in lines_of(content):
            pairs = leading_numbers(line.split(",")) // 2
            many += pairs > 4
            few += pairs == 4
    return many > few


def _by_line(content: bytes, read: Callable[[str], SceneWord], otherwise: str) -> Labels:
    labels = Labels()
    for number, line in enumerate(lines_of(content), 1):
        if not line.strip():
            continue
        try:
            labels.add(read(line), f"line {number}")
        except ValueError:
            labels.fault(f"line {number}", otherwise)
    return labels


def _quad(line: str) -> SceneWord:
    fields = line.split(",", 8)
    return labelled(_points(fields[:8], 8), "".join(fields[8:]).strip())


def _polygon(line: str) -> SceneWord:
    fields = line.split(",")
    count = leading_numbers(fields) // 2 * 2
    if count < 6:
        raise ValueError
    return labelled(points(fields[:count]), ",".join(fields[count:]).strip())


def _script(line: str) -> SceneWord:
    fields = line.split(",", 9)
    script = fields[8].strip() if len(fields) > 8 else ""
    if script not in SCRIPTS:
        raise ValueError
    return labelled(_points(fields[:8], 8), "".join(fields[9:]).strip(), UNKNOWN if script == "None" else script)


def _box(line: str) -> SceneWord:
    match = BOX.fullmatch(line)
    if match is None:
        raise ValueError
    x0, y0, x1, y1 = (float(n) for n in match.groups()[:4])
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    return labelled(corners, unquoted(match.group(5).strip()))


def _turned_box(line: str) -> SceneWord:
    fields = line.split()
    if len(fields) != 7 or leading_numbers(fields) < 7 or fields[1] not in ("0", "1"):
        raise ValueError
    x, y, w, h, theta = (float(n) for n in fields[2:])
    c, s = np.cos(theta), np.sin(theta)
    half = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2
    corners = half @ np.array([[c, s], [-s, c]]) + [x + w / 2, y + h / 2]
    return labelled(corners.astype(np.float32), None, ignore=fields[1] == "1")


def _points(fields: list[str], count: int) -> Points:
    if leading_numbers(fields) < count:
        raise ValueError
    return points(fields)
