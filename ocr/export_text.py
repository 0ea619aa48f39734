"""What was read, as data and as plain text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from ocr.reading_order import reading_lines
from ocr.types import Detection, Page, Points, Reading


def page_to_dict(page: Page) -> dict[str, Any]:
    """A page as plain containers for JSON.

    Coordinates are pixels of the upright picture, rounded to hundredths; angles are degrees, counter-clockwise as seen;
    confidences and scores are in [0, 1].  ``characters`` has text, confidence and quad of every character that was read.
    """
    return {
        "path": page.path,
        "width": page.width,
        "height": page.height,
        "words": [_word_to_dict(detection, reading) for detection, reading in page.words],
    }


def page_to_text(page: Page) -> str:
    """The words of a page in reading order, one text line for each line of the picture; empty ones left out."""
    lines = [joined([reading.text for _, reading in line if reading.text]) for line in reading_lines(page.words)]
    return "\n".join(line for line in lines if line)


def joined(texts: Sequence[str]) -> str:
    """The words of one line, with a space between them but where Chinese or Japanese characters meet."""
    line = ""
    for text in texts:
        line += f" {text}" if spaced(line, text) else text
    return line


def spaced(before: str, after: str) -> bool:
    """Whether a space belongs between two texts of a line."""
    return bool(before and after) and not (_unspaced(before[-1]) and _unspaced(after[0]))


def _unspaced(character: str) -> bool:
    """Whether a character belongs to writing that sets no spaces between words: full-width ones do, but for Hangul."""
    wide = unicodedata.east_asian_width(character) in "WFH"
    return wide and "HANGUL" not in unicodedata.name(character, "")


def _word_to_dict(detection: Detection, reading: Reading) -> dict[str, Any]:
    return {
        "text": reading.text,
        "confidence": round(float(reading.confidence), 4),
        "polygon": _rounded(detection.polygon),
        "score": round(float(detection.score), 4),
        "angle": round(float(detection.angle), 2),
        "direction": detection.direction,
        "characters": [
            {"text": text, "confidence": round(float(confidence), 4), "polygon": _rounded(quad)}
            for text, confidence, quad in characters(detection, reading)
        ],
    }


def characters(detection: Detection, reading: Reading) -> list[tuple[str, float, Points]]:
    """Text, confidence and quad of every character of a word; none where any of the three is not known of all."""
    quads = detection.characters
    if quads is None or not len(quads) == len(reading.text) == len(reading.characters):
        return []
    return list(zip(reading.text, reading.characters, quads, strict=True))


def _rounded(points: Points) -> list[list[float]]:
    return [[round(float(x), 2), round(float(y), 2)] for x, y in points]
