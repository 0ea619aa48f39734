"""What was read, as data and as plain text."""

from __future__ import annotations

from typing import Any

from ocr.reading_order import reading_lines
from ocr.types import Detection, Page, Reading


def page_to_dict(page: Page) -> dict[str, Any]:
    """A page as plain containers for JSON.

    Coordinates are pixels of the upright picture, rounded to hundredths; angles are degrees, counter-clockwise as seen;
    confidences and scores are in [0, 1].
    """
    return {
        "path": page.path,
        "width": page.width,
        "height": page.height,
        "words": [_word_to_dict(detection, reading) for detection, reading in page.words],
    }


def page_to_text(page: Page) -> str:
    """The words of a page in reading order, one text line for each line of the picture; empty ones left out."""
    lines = [[reading.text for _, reading in line if reading.text] for line in reading_lines(page.words)]
    return "\n".join(" ".join(line) for line in lines if line)


def _word_to_dict(detection: Detection, reading: Reading) -> dict[str, Any]:
    return {
        "text": reading.text,
        "confidence": round(float(reading.confidence), 4),
        "character_confidences": [round(float(c), 4) for c in reading.characters],
        "polygon": [[round(float(x), 2), round(float(y), 2)] for x, y in detection.polygon],
        "score": round(float(detection.score), 4),
        "angle": round(float(detection.angle), 2),
        "direction": detection.direction,
    }
