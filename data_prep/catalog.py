"""What can be prepared: ``catalog.toml`` as objects."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ocr.data.records import Split, Task

OWN = "your own"


@dataclass(frozen=True, slots=True)
class PartEntry:
    """A split of a set: where its files lie in the raw folder and what form they have.

    ``pictures`` and ``labels`` name folders or archives (for words also a label file), alternatives separated by ``|``; every
    one of them that is there counts. ``form`` is a key of ``forms.FORMS`` or of ``word_lists.FORMS``. ``keep`` is what words
    must be: ``all``, ``alphanumeric``, or ``alphanumeric3`` (of at least three characters).
    """

    task: Task
    split: Split
    form: str
    pictures: tuple[str, ...]
    labels: tuple[str, ...]
    keep: str = "all"


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """What a user should know of a raw data set before preparing it.

    By ``task/split``, ``expected`` is the number of pictures or words that the complete set lists, ``by_ids`` what a list of ids
    leaves of them, and ``kept`` what a rule does. ``md5`` are checksums of the released archives, as far as they are known;
    ``level`` says what a box holds; ``lmdb`` names public LMDB folders of this set, with the split each of them is, and
    ``in_lmdb`` how many samples those hold where it is another number;
    ``overlaps`` warns of pictures that are also others' test pictures, unless they are left out.
    """

    title: str
    reader: str
    level: str
    scripts: tuple[str, ...]
    licence: str
    obtain: str
    citation: str
    layout: tuple[str, ...] = ()
    prepares: tuple[str, ...] = ()
    parts: tuple[PartEntry, ...] = ()
    expected: dict[str, int] = field(default_factory=dict)
    by_ids: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    md5: dict[str, str] = field(default_factory=dict)
    lmdb: dict[str, Split] = field(default_factory=dict)
    in_lmdb: dict[str, int] = field(default_factory=dict)
    note: str = ""
    overlaps: str = ""

    @property
    def nameless(self) -> bool:
        """Whether this is a layout that many sets share, so that the set must be named."""
        return self.obtain == OWN

    def places(self) -> list[str]:
        """``task/split`` of all it prepares."""
        return list(dict.fromkeys(self.prepares or (f"{part.task}/{part.split}" for part in self.parts)))

    def complete(self, place: str, public: bool = False) -> int | None:
        """How many samples the complete prepared set, or the public LMDB, has at ``task/split``, when that is known.

        A set without a list of ids or a rule may have dropped some of what it lists.
        """
        if public and place in self.in_lmdb:
            return self.in_lmdb[place]
        return self.by_ids.get(place, self.kept.get(place, self.expected.get(place)))

    def files(self) -> list[str]:
        """What the raw folder holds, a line for each split."""
        lines = list(self.layout)
        for part in self.parts:
            names = list(dict.fromkeys([*part.pictures, *part.labels]))
            lines.append(f"{part.task}/{part.split}: {', '.join(name.replace('|', ' or ') for name in names)}")
        return lines


@cache
def catalog() -> dict[str, CatalogEntry]:
    """All entries of ``catalog.toml`` by name."""
    content = tomllib.loads((Path(__file__).parent / "catalog.toml").read_text(encoding="utf-8"))
    return {name: _entry(fields) for name, fields in content.items()}


def _entry(fields: dict[str, object]) -> CatalogEntry:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    parts = fields.get("parts", ())
    assert isinstance(parts, list | tuple)
    values["parts"] = tuple(
        PartEntry(**{key: tuple(v) if isinstance(v, list) else v for key, v in part.items()})  # type: ignore[arg-type]
        for part in parts
    )
    return CatalogEntry(**values)  # type: ignore[arg-type]
