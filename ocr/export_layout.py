"""Pages for other tools: hOCR (the XHTML of Breuel's specification, version 1.2) and ALTO (Library of Congress, version 4.2).

Both hold lines, words and characters in reading order with their boxes and confidences.  Words without text are left out.
Boxes are upright and lie within the picture; the true outline of a word follows as ``poly`` or ``Shape``.
"""

from __future__ import annotations

import math
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import numpy as np

from ocr.export_text import characters, spaced
from ocr.reading_order import reading_lines
from ocr.types import Detection, Page, Points, Reading

Word = tuple[Detection, Reading]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom, pixels."""

XHTML = "http://www.w3.org/1999/xhtml"
ALTO = "http://www.loc.gov/standards/alto/ns-v4#"
HEADS = {
    "ocr-system": "ocr",
    "ocr-capabilities": "ocr_page ocr_line ocrx_word ocrx_cinfo ocrp_poly",
    "ocr-number-of-pages": "1",
}


def page_to_hocr(page: Page) -> str:
    """A page as hOCR.

    Lines that do not run to the right have a ``textangle`` (degrees, counter-clockwise), columns of stacked characters the CSS
    ``writing-mode``; ``x_wconf`` and ``x_conf`` are percentages.
    """
    html = ET.Element("html", {"xmlns": XHTML, "xml:lang": "und", "lang": "und"})
    head = ET.SubElement(html, "head")
    ET.SubElement(head, "title").text = _clean(page.path)
    ET.SubElement(head, "meta", {"http-equiv": "Content-Type", "content": "text/html;charset=utf-8"})
    for name, content in HEADS.items():
        ET.SubElement(head, "meta", {"name": name, "content": content})
    name = _clean(page.path).replace('"', "'")
    title = f'image "{name}"; bbox 0 0 {page.width} {page.height}; ppageno 0'
    body = ET.SubElement(ET.SubElement(html, "body"), "div", {"class": "ocr_page", "id": "page_1", "title": title})
    for number, line in enumerate(_lines(page), 1):
        _hocr_line(body, line, number, page)
    return '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n' + _text(html)


def _hocr_line(body: ET.Element, line: Sequence[Word], number: int, page: Page) -> None:
    title = f"bbox {_numbers(_box([d.polygon for d, _ in line], page))}"
    angle = line[0][0].angle
    if abs(angle) >= 1:
        title += f"; textangle {angle:.1f}"
    element = ET.SubElement(body, "span", {"class": "ocr_line", "id": f"line_1_{number}", "title": title})
    if line[0][0].direction == "stacked":
        element.set("style", "writing-mode: vertical-rl; text-orientation: upright")
    for i, (detection, reading) in enumerate(line, 1):
        outline = " ".join(f"{v:.0f}" for v in np.ravel(detection.polygon).tolist())
        told = (
            f"bbox {_numbers(_box([detection.polygon], page))}; x_wconf {100 * reading.confidence:.0f}; poly {outline}"
        )
        word = ET.SubElement(element, "span", {"class": "ocrx_word", "id": f"word_1_{number}_{i}", "title": told})
        known = characters(detection, reading)
        if not known:
            word.text = _clean(reading.text)
        for text, confidence, quad in known:
            told = f"x_bboxes {_numbers(_box([quad], page))}; x_conf {100 * confidence:.1f}"
            ET.SubElement(word, "span", {"class": "ocrx_cinfo", "title": told}).text = _clean(text)
        if i < len(line) and spaced(reading.text, line[i][1].text):
            word.tail = " "
    element.tail = "\n"


def page_to_alto(page: Page) -> str:
    """A page as ALTO: one text block for each line, because only blocks carry a rotation (degrees, counter-clockwise)."""
    alto = ET.Element("alto", {"xmlns": ALTO, "SCHEMAVERSION": "4.2"})
    description = ET.SubElement(alto, "Description")
    ET.SubElement(description, "MeasurementUnit").text = "pixel"
    source = ET.SubElement(description, "sourceImageInformation")
    ET.SubElement(source, "fileName").text = _clean(page.path)
    processing = ET.SubElement(description, "Processing", {"ID": "reading"})
    ET.SubElement(processing, "processingCategory").text = "contentGeneration"
    ET.SubElement(ET.SubElement(processing, "processingSoftware"), "softwareName").text = "ocr"
    size = {"WIDTH": str(page.width), "HEIGHT": str(page.height)}
    sheet = ET.SubElement(ET.SubElement(alto, "Layout"), "Page", {"ID": "page_1", "PHYSICAL_IMG_NR": "1", **size})
    space = ET.SubElement(sheet, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size})
    for number, line in enumerate(_lines(page), 1):
        place = _place(_box([d.polygon for d, _ in line], page))
        turn = {"ROTATION": f"{line[0][0].angle:.1f}"} if abs(line[0][0].angle) >= 1 else {}
        block = ET.SubElement(space, "TextBlock", {"ID": f"block_{number}", **place, **turn})
        _alto_line(ET.SubElement(block, "TextLine", {"ID": f"line_{number}", **place}), line, page)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _text(alto)


def _alto_line(parent: ET.Element, line: Sequence[Word], page: Page) -> None:
    for i, (detection, reading) in enumerate(line):
        told = {"CONTENT": _clean(reading.text), "WC": f"{reading.confidence:.4f}"}
        string = ET.SubElement(parent, "String", {**told, **_place(_box([detection.polygon], page))})
        _shape(string, detection.polygon)
        for text, confidence, quad in characters(detection, reading):
            told = {"CONTENT": _clean(text), "GC": f"{confidence:.4f}"}
            _shape(ET.SubElement(string, "Glyph", {**told, **_place(_box([quad], page))}), quad)
        if i + 1 < len(line) and spaced(reading.text, line[i + 1][1].text):
            ET.SubElement(parent, "SP")


def _shape(parent: ET.Element, polygon: Points) -> None:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in polygon.tolist())
    ET.SubElement(ET.SubElement(parent, "Shape"), "Polygon", {"POINTS": points})


def _lines(page: Page) -> list[list[Word]]:
    lines = [[word for word in line if word[1].text] for line in reading_lines(page.words)]
    return [line for line in lines if line]


def _box(polygons: Sequence[Points], page: Page) -> Box:
    """Bounds of polygons in whole pixels, within the page."""
    points = np.concatenate([np.asarray(polygon, np.float64) for polygon in polygons])
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    x, y = (
        [min(max(v, 0), size) for v in ends]
        for ends, size in (((left, right), page.width), ((top, bottom), page.height))
    )
    return math.floor(x[0]), math.floor(y[0]), math.ceil(x[1]), math.ceil(y[1])


def _place(box: Box) -> dict[str, str]:
    left, top, right, bottom = box
    return {"HPOS": str(left), "VPOS": str(top), "WIDTH": str(right - left), "HEIGHT": str(bottom - top)}


def _numbers(box: Box) -> str:
    return " ".join(map(str, box))


def _clean(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cs") or ord(c) & 0xFFFE == 0xFFFE else c
        for c in text
    )


def _text(root: ET.Element) -> str:
    return ET.tostring(root, encoding="unicode") + "\n"
