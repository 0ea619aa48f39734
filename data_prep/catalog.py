"""What can be prepared, and by which reader."""

from __future__ import annotations

import argparse
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from data_prep import icdar2015, mjsynth, scenes, synthtext, words
from data_prep.samples import Job


class Reader(Protocol):
    """A module that reads one raw layout."""

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Declare the layout's own options."""
        ...

    def jobs(self, raw: Path, args: argparse.Namespace, /) -> list[Job]:
        """The splits found in a raw folder."""
        ...


READERS: dict[str, Reader] = {
    "synthtext": synthtext,
    "icdar2015": icdar2015,
    "mjsynth": mjsynth,
    "words": words,
    "scenes": scenes,
}
ALIASES = {"icdar2015": ["icdar"]}
NAMELESS = {"words", "scenes"}
"""Layouts that many sets share: the set must be named."""


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """What a user should know of a raw data set before preparing it.

    ``expected``: number of pictures that the complete set lists, by ``task/split``.
    """

    title: str
    prepares: str
    layout: list[str]
    licence: str
    obtain: str
    citation: str
    expected: dict[str, int]


def catalog() -> dict[str, CatalogEntry]:
    """All entries of ``catalog.toml`` by name."""
    content = tomllib.loads((Path(__file__).parent / "catalog.toml").read_text(encoding="utf-8"))
    return {name: CatalogEntry(**entry) for name, entry in content.items()}
