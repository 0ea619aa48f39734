"""What a person names on the command line, as pictures: files, folders, globs, pages of PDF and TIFF files, standard input."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ocr.picture_files import MAX_PIXELS, decode_image, frame_count, load_image, shown
from ocr.types import Image

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".tif",
        ".tiff",
        ".bmp",
        ".dib",
        ".gif",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".jp2",
        ".j2k",
        ".jpx",
        ".pdf",
    ]
)
"""Files of a folder with these endings are read; a file that is named itself is read whatever its ending."""
STANDARD_INPUT = "-"
DPI = 200
"""Dots per inch at which pages of PDF files are drawn."""
PATIENCE = 120
"""Seconds that poppler may take for one page."""
LARGEST_STREAM = 1 << 30
"""Bytes that are read from standard input."""


@dataclass(frozen=True, slots=True)
class Input:
    """One picture to be read: ``name`` for people, ``stem`` for the names of what is written about it, ``load`` to decode it.

    ``load`` raises ValueError, one line, when that cannot be done.
    """

    name: str
    stem: str
    load: Callable[[], Image]


def inputs(paths: Sequence[str | Path], max_pixels: int = MAX_PIXELS) -> Iterator[Input]:
    """The pictures behind the names, in the order given; those of a folder or glob in the order of their names (2 before 10).

    A folder stands for the pictures and PDF files in it and in the folders below; hidden ones are left out.  A name that
    cannot be read is an input whose ``load`` says why, so that the others go on.
    """
    for path in paths:
        if str(path) == STANDARD_INPUT:
            yield from _from_stream(max_pixels)
        else:
            for file in _files(path):
                yield from _of_file(file, max_pixels) if isinstance(file, Path) else [file]


def _files(path: str | Path) -> list[Path | Input]:
    if os.path.isdir(path):  # noqa: PTH112 - a name with a null byte is no folder, and no error
        found = [p for p in _below(Path(path)) if p.suffix.lower() in SUFFIXES]
        return [*found] or [_failing(path, "no picture and no PDF file in this folder; name files")]
    if not os.path.lexists(path) and any(c in str(path) for c in "*?["):
        matches = [Path(p) for p in glob.glob(str(path), recursive=True)]  # noqa: PTH207 - absolute patterns too
        found = sorted((p for p in matches if p.is_file()), key=_natural)
        return [*found] or [_failing(path, "no file fits this pattern; check it")]
    return [Path(path)]


def _below(folder: Path) -> list[Path]:
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(where, name) for name in files if not name.startswith(".")]
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which numbers inside names follow their values."""
    parts = re.split(r"([0-9]+)", str(path))
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)]


def _failing(path: str | Path, reason: str) -> Input:
    name = shown(path)

    def load() -> Image:
        raise ValueError(f"{name}: {reason}")

    return Input(name, Path(path).stem, load)


def _of_file(path: Path, max_pixels: int) -> Iterator[Input]:
    if path.suffix.lower() == ".pdf":
        yield from _of_pdf(path, shown(path), path.stem, path, max_pixels)
        return
    pages = frame_count(path)
    for page in range(pages):
        name, stem = _page_name(shown(path), path.stem or "picture", page, pages)
        yield Input(name, stem, partial(load_image, path, max_pixels, page))


def _page_name(name: str, stem: str, page: int, pages: int) -> tuple[str, str]:
    if pages == 1:
        return name, stem
    return f"{name}#page={page + 1}", f"{stem}-{page + 1:0{len(str(pages))}}"


def _from_stream(max_pixels: int) -> Iterator[Input]:
    content = sys.stdin.buffer.read(LARGEST_STREAM + 1)
    if len(content) > LARGEST_STREAM:
        yield _failing(STANDARD_INPUT, f"standard input holds more than {LARGEST_STREAM >> 20} MiB; name the file")
    elif content[:5] == b"%PDF-":
        yield from _of_pdf(content, STANDARD_INPUT, "stdin", None, max_pixels)
    else:
        yield Input(STANDARD_INPUT, "stdin", partial(decode_image, content, STANDARD_INPUT, max_pixels))


def _of_pdf(source: bytes | Path, name: str, stem: str, path: Path | None, max_pixels: int) -> Iterator[Input]:
    """One input for each page; what poppler needs is the file, or its content for its standard input."""
    try:
        if path is not None and not path.is_file():
            raise ValueError(f"{name}: no such file; check the name")
        told = _poppler("pdfinfo", source, name, "-f", "1", "-l", "1").decode("utf-8", "replace")
        match = re.search(r"^Pages:\s+(\d+)", told, re.MULTILINE)
        if match is None or not int(match[1]):
            raise ValueError(f"{name}: a PDF file without pages")
    except ValueError as error:
        yield _failing(name, str(error).removeprefix(f"{name}: "))
        return
    pages = int(match[1])
    for page in range(pages):
        title, own = _page_name(name, stem, page, pages)
        yield Input(title, own, partial(_drawn, source, title, page, max_pixels))


def _drawn(source: bytes | Path, name: str, page: int, max_pixels: int) -> Image:
    """A page as poppler draws it, refused by its size in points before that."""
    number = str(page + 1)
    told = _poppler("pdfinfo", source, name, "-f", number, "-l", number).decode("utf-8", "replace")
    size = re.search(r"^Page.*size:\s+([0-9.]+) x ([0-9.]+) pts", told, re.MULTILINE)
    if size is None:
        raise ValueError(f"{name}: the size of this page is unknown; is the file complete?")
    width, height = (int(float(points) / 72 * DPI) for points in size.groups())
    if width * height > max_pixels:
        raise ValueError(
            f"{name}: {width} x {height} pixels at {DPI} dots per inch are too many; the limit is {max_pixels / 1e6:g} megapixels; "
            "draw it smaller yourself"
        )
    content = _poppler("pdftoppm", source, name, "-r", str(DPI), "-f", number, "-l", number, "-cropbox")
    return decode_image(content, name, max_pixels)


def _poppler(program: str, source: bytes | Path, name: str, *options: str) -> bytes:
    found = shutil.which(program)
    if found is None:
        raise ValueError(
            f"{name}: PDF files need {program} of poppler; install poppler-utils, or convert it to pictures"
        )
    file = STANDARD_INPUT if isinstance(source, bytes) else str(source.resolve())
    content = source if isinstance(source, bytes) else None
    try:
        done = subprocess.run(
            [found, *options, file], input=content, capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"{name}: {program} took more than {PATIENCE} seconds; convert it to pictures") from None
    if done.returncode or not done.stdout:
        reason = " ".join(done.stderr.decode("utf-8", "replace").split())[-200:] or f"status {done.returncode}"
        raise ValueError(f"{name}: {program} cannot read it ({reason}); is the file complete, and not locked?")
    return done.stdout
