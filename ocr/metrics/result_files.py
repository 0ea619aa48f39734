"""Ground truth and results in the competitions' line form, ``x1,y1,…,xn,yn[,confidence][,text]``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ocr.metrics.archives import picture_name, read_texts, write_texts
from ocr.metrics.regions import pixel_boxes
from ocr.types import Detection, Points, SceneWord

Form = Literal["box", "quad", "polygon"]
"""How a line begins: xmin, ymin, xmax, ymax; four points; or three points and more, as many as there are pairs of numbers."""
IGNORED = "###"
"""The text of a word to ignore."""
NO_TEXT = "CARE"
"""The text of every word that counts in CTW-1500's ground truth, which has none."""
SCRIPTS = ("Arabic", "Bangla", "Chinese", "Hindi", "Japanese", "Korean", "Latin", "Mixed", "None", "Symbols")
"""What stands before the text in the ground truth of the MLT competitions."""
LARGEST = 1e7
"""Largest coordinate, pixels."""
LONGEST = 2000
"""Most characters of a text: comparing two takes the product of their lengths."""
_NUMBER = r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*"
_NUMBERS = re.compile(rf"(?:{_NUMBER}(?:,|$))*")


class Line(NamedTuple):
    """One line: where it stands, its fields, and how many numbers it begins with."""

    place: str
    fields: list[str]
    leading: int


class Found(NamedTuple):
    """What a method found in one picture, and what it read there (empty where it read nothing)."""

    detections: list[Detection]
    texts: list[str]


def read_truth(path: Path, form: Form | None = None) -> dict[str, list[SceneWord]]:
    """The words of every picture of a ground-truth archive.

    Args:
        path: a zip archive with one text file per picture.
        form: of the lines; None: what most of them look like.

    Words whose text is ``###`` are to be ignored.  Texts in double quotes are taken out of them.  A script's name before every
    text (MLT) is split off.  A text may be empty; it is None where the line ends behind the points.

    Raises:
        ValueError: one line that names archive, file and line.
    """
    lines = _lines(path)
    form = form or likely_form(lines)
    split = {name: [_split(line, form, False) for line in picture] for name, picture in lines.items()}
    texts = {text for picture in split.values() for _, _, text in picture} - {IGNORED}
    nameless = texts == {NO_TEXT}
    scripts = bool(texts) and all(text is not None and text.partition(",")[0] in SCRIPTS for text in texts)
    return {
        name: [_word(polygon, text, scripts, nameless) for polygon, _, text in picture]
        for name, picture in split.items()
    }


def read_results(path: Path, form: Form | None = None) -> dict[str, Found]:
    """What a method found in every picture of a result archive; where lines have a confidence, the surest first.

    Args:
        path: a zip archive with one text file per picture.
        form: of the lines; None: what most of them look like.

    A number behind the points is a confidence when every line of the archive has one from 0 to 1.

    Raises:
        ValueError: one line that names archive, file and line.
    """
    lines = _lines(path)
    form = form or likely_form(lines)
    sure = all(_may_be_sure(line, form) for picture in lines.values() for line in picture)
    found = {}
    for name, picture in lines.items():
        split = sorted((_split(line, form, sure) for line in picture), key=lambda s: -s[1])
        boxes = [Detection(polygon, score) for polygon, score, _ in split]
        found[name] = Found(boxes, [text or "" for _, _, text in split])
    return found


def read_pages(path: Path) -> dict[str, Found]:
    """What the reader found and read, from the JSON lines that ``ocr read --json`` writes.

    Raises:
        ValueError: one line that names file and line.
    """
    found: dict[str, Found] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read ({error}): give what ocr read --json wrote") from None
    for number, line in enumerate(lines, 1):
        try:
            page = json.loads(line)
            name = picture_name(page["path"])
            boxes = [Detection(_polygon(w["polygon"]), float(w["score"])) for w in page["words"]]
            if not all(math.isfinite(box.score) for box in boxes):
                raise ValueError("a score is none")
            texts = [str(word["text"]) for word in page["words"]]
        except (ValueError, TypeError, KeyError, OverflowError):
            raise ValueError(f"{path}, line {number}: is not a page that ocr read --json wrote") from None
        if name in found:
            raise ValueError(f"{path}, line {number}: more than one page is about the picture {name!r}")
        found[name] = Found(boxes, texts)
    return found


def _polygon(corners: list[list[float]]) -> Points:
    polygon = np.array(corners, np.float64).reshape(-1, 2)
    if not (np.abs(polygon) <= LARGEST).all():
        raise ValueError("a corner is nowhere in a picture")
    return polygon.astype(np.float32)


def write_results(path: Path, pictures: Mapping[str, Found], form: Form) -> None:
    """Write an archive that the competitions' sites take: whole pixels, one file per picture, texts where there are any.

    Args:
        path: the archive.
        pictures: what was found, by picture; of a key like ``set/img_1`` what follows the set names the file.
        form: of the lines.
    """
    prefix = "" if form == "polygon" else "res_"
    texts = {}
    for key, found in pictures.items():
        read = any(found.texts)
        lines = [
            ",".join([*map(str, _numbers(detection.polygon, form)), *([_one_line(text)] if read else [])])
            for detection, text in zip(found.detections, found.texts, strict=True)
        ]
        name = (key.partition("/")[2] or key).replace("/", "_")
        texts[f"{prefix}{name}.txt"] = "".join(f"{line}\n" for line in lines)
    write_texts(path, texts)


def paired(
    truth: Mapping[str, list[SceneWord]], results: Mapping[str, Found], names: tuple[str, str]
) -> Iterator[tuple[str, Found, list[SceneWord]]]:
    """Every picture of the ground truth with what was found in it; nothing where the results say nothing.

    Raises:
        ValueError: the results (``names`` are those of ground truth and results) are about a picture that is not there.
    """
    strangers = [name for name in results if name not in truth]
    if strangers:
        known = list(truth)
        raise ValueError(
            f"{names[1]} holds results for {strangers[0]!r} ({len(strangers)} such pictures of {len(results)}), which "
            f"{names[0]} does not know: it has {known[0]!r} to {known[-1]!r}; are they of one data set?"
        )
    for name, words in truth.items():
        yield name, results.get(name, Found([], [])), words


def shared_form(results: Mapping[str, Found]) -> Form:
    """The form that holds all detections: quads, or polygons where any has more points."""
    quads = all(len(detection.polygon) == 4 for found in results.values() for detection in found.detections)
    return "quad" if quads else "polygon"


def likely_form(lines: Mapping[str, Sequence[Line]]) -> Form:
    """Boxes when most lines begin with four numbers or five; polygons when at least a tenth begins with ten or more."""
    counts = np.array([line.leading for picture in lines.values() for line in picture])
    if not len(counts):
        return "quad"
    if (counts <= 5).mean() > 0.5:
        return "box"
    return "polygon" if (counts >= 10).mean() >= 0.1 else "quad"


def _lines(path: Path) -> dict[str, list[Line]]:
    """The lines that are not empty; they end at line feeds only, as texts may hold other separators."""
    return {
        name: [
            _line(f"{path}: {name}, line {number}", line)
            for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1)
            if line.strip()
        ]
        for name, text in read_texts(path).items()
    }


def _line(place: str, line: str) -> Line:
    match = _NUMBERS.match(line)
    head = match.group().rstrip(",") if match else ""
    return Line(place, line.split(","), head.count(",") + 1 if head else 0)


def _points_in(line: Line, form: Form) -> int:
    """How many numbers of a line are coordinates."""
    return {"box": 4, "quad": 8}.get(form, line.leading // 2 * 2)


def _may_be_sure(line: Line, form: Form) -> bool:
    count = _points_in(line, form)
    return line.leading > count and 0 <= float(line.fields[count]) <= 1


def _split(line: Line, form: Form, sure: bool) -> tuple[Points, float, str | None]:
    """Polygon, confidence and text of a line; None where it has no text."""
    count = _points_in(line, form)
    wanted = {"box": "xmin,ymin,xmax,ymax", "quad": "x1,y1,x2,y2,x3,y3,x4,y4"}.get(form, "x1,y1,x2,y2,x3,y3 and more")
    if line.leading < max(count, 4 if form == "box" else 6):
        raise ValueError(f"{line.place}: begins with {line.leading} numbers, not with {wanted}")
    numbers = [float(field) for field in line.fields[:count]]
    if max(map(abs, numbers)) > LARGEST:
        raise ValueError(f"{line.place}: holds a coordinate beyond {LARGEST:g} pixels; correct or remove it")
    points = np.array(numbers, np.float32).reshape(-1, 2)
    if form == "box":
        (x0, y0), (x1, y1) = points
        if x1 < x0 or y1 < y0:
            raise ValueError(f"{line.place}: xmax or ymax is below xmin or ymin; write xmin,ymin,xmax,ymax")
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    score = float(line.fields[count]) if sure else 1.0
    rest = line.fields[count + sure :]
    text = _unquoted(",".join(rest).strip()) if rest else None
    if len(text or "") > LONGEST:
        raise ValueError(f"{line.place}: holds a text of {len(text or '')} characters, more than {LONGEST}; remove it")
    return points, score, text


def _unquoted(text: str) -> str:
    """A text out of its double quotes, if it stands in any."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return text


def _word(polygon: Points, text: str | None, scripts: bool, nameless: bool) -> SceneWord:
    text = text.partition(",")[2] if scripts and text is not None and text != IGNORED else text
    ignore = text == IGNORED
    return SceneWord(polygon, None if ignore or nameless else text, ignore)


def _numbers(polygon: Points, form: Form) -> list[int]:
    if form == "box":
        (corners,) = pixel_boxes([polygon])
        return [int(n) for n in (*corners[0], *(corners[2] - 1))]
    return [int(n) for n in np.rint(np.asarray(polygon, np.float64)).reshape(-1)]


def _one_line(text: str) -> str:
    return " ".join(text.split())
