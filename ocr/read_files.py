"""Many pictures through a reader, and what comes out of it into files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

from PIL import Image as Pillow

from ocr import page as html
from ocr.draw import draw_words
from ocr.export_layout import page_to_alto, page_to_hocr
from ocr.export_text import page_to_dict, page_to_text
from ocr.inputs import Input, inputs
from ocr.reader import Reader
from ocr.types import Image, Page

Writer = Callable[[Path, Image, Page], None]


def _write_json(path: Path, _: Image, page: Page) -> None:
    text = json.dumps(page_to_dict(page), ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def _write_text(path: Path, _: Image, page: Page) -> None:
    path.write_text(page_to_text(page) + "\n", encoding="utf-8")


def _write_hocr(path: Path, _: Image, page: Page) -> None:
    path.write_text(page_to_hocr(page), encoding="utf-8")


def _write_alto(path: Path, _: Image, page: Page) -> None:
    path.write_text(page_to_alto(page), encoding="utf-8")


def _write_picture(path: Path, image: Image, page: Page) -> None:
    Pillow.fromarray(draw_words(image, page.words)).save(path)


WRITERS: dict[str, tuple[str, Writer]] = {
    "json": (".words.json", _write_json),
    "picture": (".words.png", _write_picture),
    "text": (".txt", _write_text),
    "hocr": (".hocr", _write_hocr),
    "alto": (".alto.xml", _write_alto),
}
"""What can be written about every picture, and how its files end."""
PAGE = "html"
"""The format that is one file for all pictures, ``index.html``."""
FORMATS = (*WRITERS, PAGE)
SHOWN_SIDE = 960
"""Longer side of the pictures on that page, pixels."""


def check_formats(names: Sequence[str]) -> None:
    """Refuse what is no format.

    Raises:
        ValueError: one line.
    """
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise ValueError(f"format {unknown[0]!r}: choose from {', '.join(FORMATS)}")


@dataclass
class Output:
    """A folder with what was read: files ``NAME.ENDING`` for every picture, and one page with all of them.

    Args:
        folder: made when it is not there.
        formats: some of ``FORMATS``.

    Raises:
        ValueError: the folder cannot be made, or there is no such format.
    """

    folder: Path
    formats: Sequence[str]
    taken: set[str] = field(default_factory=set, init=False)
    sections: list[html.Html] = field(default_factory=list, init=False)
    words: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        check_formats(self.formats)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"--out {self.folder}: cannot make this folder ({error.strerror}); name another") from None

    def write(self, source: Input, image: Image, page: Page) -> None:
        """Write the files of one picture."""
        name = self._free(source.stem)
        for chosen in self.formats:
            if chosen in WRITERS:
                ending, writer = WRITERS[chosen]
                self._written(name, lambda: writer(self.folder / f"{name}{ending}", image, page))  # noqa: B023
        if PAGE in self.formats:
            self.words += len(page.words)
            drawn = html.picture(draw_words(image, page.words), f"{len(page.words)} words", SHOWN_SIDE)
            self.sections.append(html.section(page.path, drawn, html.command(page_to_text(page))))

    def finish(self, failures: Sequence[str]) -> None:
        """Write the page of all pictures."""
        if PAGE not in self.formats:
            return
        lead = f"{len(self.sections)} pictures, {self.words} words"
        missing = [html.section("Not read", *map(html.paragraph, failures))] if failures else []
        document = html.page("What was read", lead, *missing, *self.sections)
        self._written("the page", lambda: html.write_page(self.folder / "index.html", document))

    def _free(self, stem: str) -> str:
        """The picture's own name, with a number where it is taken."""
        name, number = stem, 1
        while name.casefold() in self.taken:
            number += 1
            name = f"{stem}-{number}"
        self.taken.add(name.casefold())
        return name

    def _written(self, name: str, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            reason = error.strerror or error
            raise ValueError(
                f"{self.folder}: cannot write {name} ({reason}); free space or name another folder"
            ) from None


def read_files(
    paths: Sequence[str | Path],
    reader: Reader,
    out: str | Path | None = None,
    json_path: str | Path | None = None,
    formats: Sequence[str] = ("json", "picture"),
    batch: int = 8,
) -> list[str]:
    """Read pictures, print their texts, and return one line for each that could not be read.

    Those lines also go to standard error, and the other pictures go on.

    Args:
        paths: files, folders, patterns, ``-`` for standard input (:func:`ocr.inputs.inputs`).
        reader: reads them.
        out: folder for files about every picture (:class:`Output`); None: none are written.
        json_path: one JSON object a line for every picture, into this file; ``-`` prints them in place of the texts.
        formats: what is written into ``out``.
        batch: how many pictures are in memory at a time.

    Raises:
        ValueError: ``out`` or ``json_path`` cannot be written to.
    """
    output = Output(Path(out), formats) if out is not None else None
    failures: list[str] = []
    with _lines_to(json_path) as lines:
        named = inputs(paths, reader.max_pixels)
        while sources := list(islice(named, batch)):
            loaded = list(_loaded(sources, failures))
            pages = reader.read([image for _, image in loaded], batch)
            for (source, image), page in zip(loaded, pages, strict=True):
                page.path = source.name
                print(json.dumps(page_to_dict(page), ensure_ascii=False), file=lines, flush=True)
                if str(json_path) != "-":
                    print(f"{page.path}: {len(page.words)} words", page_to_text(page), sep="\n")
                if output is not None:
                    output.write(source, image, page)
    if output is not None:
        output.finish(failures)
    return failures


def _loaded(sources: Iterable[Input], failures: list[str]) -> Iterator[tuple[Input, Image]]:
    """The pictures that can be decoded; a line for each other one."""
    for source in sources:
        try:
            image = source.load()
        except ValueError as error:
            failures.append(str(error))
            print(error, file=sys.stderr)
        else:
            yield source, image


@contextmanager
def _lines_to(path: str | Path | None) -> Iterator[TextIO]:
    """Where JSON lines go: standard output for ``-``, nowhere for None."""
    if str(path) == "-":
        yield sys.stdout
        return
    target = Path(os.devnull if path is None else path)
    try:
        stream = target.open("w", encoding="utf-8")
    except OSError as error:
        raise ValueError(f"--json {target}: cannot be written ({error.strerror}); name another file") from None
    with stream:
        yield stream
