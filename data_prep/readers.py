"""Which module reads which set of the catalogue."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol

from data_prep import catalogued, mjsynth, scenes, synthtext, words
from data_prep.catalog import catalog
from data_prep.samples import Job


class Reader(Protocol):
    """A module that reads raw layouts."""

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Declare the layout's own options."""
        ...

    def jobs(self, raw: Path, args: argparse.Namespace, /) -> list[Job]:
        """The splits found in a raw folder; ``args.layout`` is the name in the catalogue."""
        ...


MODULES: dict[str, Reader] = {
    "catalogued": catalogued,
    "synthtext": synthtext,
    "mjsynth": mjsynth,
    "words": words,
    "scenes": scenes,
}
READERS: dict[str, Reader] = {name: MODULES[entry.reader] for name, entry in catalog().items()}
ALIASES = {"icdar2015": ["icdar"]}
NAMELESS = {name for name, entry in catalog().items() if entry.nameless}
"""Layouts that many sets share: the set must be named."""
