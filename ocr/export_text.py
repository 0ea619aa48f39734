"""What was read, as data and as plain text, and the loop behind ``ocr read``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from ocr.draw import draw_words
from ocr.reader import Reader, load_image, reading_lines
from ocr.types import Detection, Image, Page, Reading


@dataclass(slots=True)
class Outcome:
    """What became of the files: a page for each that could be read, one line for each that could not."""

    pages: list[Page] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


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


def read_files(
    paths: Sequence[str | Path],
    reader: Reader,
    out: str | Path | None = None,
    report: Callable[[str], None] | None = None,
    batch: int = 8,
) -> Outcome:
    """Read picture files; with ``out``, write ``NAME.words.json`` and ``NAME.words.png`` (the boxes drawn) for each
    into that folder.

    A file that is no picture costs one line to ``report``; the others go on.  Files of one name from different
    folders get a number behind it.

    Raises:
        ValueError: the folder cannot be made or written to.
    """
    folder = _made(Path(out)) if out is not None else None
    outcome = Outcome()
    names = _free_names(paths)
    for chunk in _chunks(list(zip(paths, names, strict=True)), batch):
        opened = list(_open_all(chunk, reader.max_pixels, outcome, report))
        for (path, name, image), page in zip(opened, reader.read([image for *_, image in opened], batch), strict=True):
            page.path = str(path)
            outcome.pages.append(page)
            if folder is not None:
                _write(folder, name, image, page)
    return outcome


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


def _open_all(
    chunk: list[tuple[str | Path, str]], max_pixels: int, outcome: Outcome, report: Callable[[str], None] | None
) -> Iterator[tuple[str | Path, str, Image]]:
    for path, name in chunk:
        try:
            yield path, name, load_image(path, max_pixels)
        except ValueError as error:
            outcome.failures.append(str(error))
            if report is not None:
                report(str(error))


def _chunks(items: list[tuple[str | Path, str]], size: int) -> Iterator[list[tuple[str | Path, str]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _free_names(paths: Sequence[str | Path]) -> list[str]:
    """One file name without ending for each path: the picture's own, with a number where it is taken."""
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        stem = Path(path).stem or "picture"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--out {folder}: cannot make this folder ({error.strerror}); name another") from None
    return folder


def _write(folder: Path, name: str, image: Image, page: Page) -> None:
    try:
        text = json.dumps(page_to_dict(page), ensure_ascii=False, indent=1)
        (folder / f"{name}.words.json").write_text(text + "\n", encoding="utf-8")
        Pillow.fromarray(draw_words(image, page.words)).save(folder / f"{name}.words.png")
    except OSError as error:
        raise ValueError(
            f"{folder}: cannot write {name} ({error.strerror}); free space or name another folder"
        ) from None
