"""A published comparison as one protocol: its test lists with their sizes, its folding, and the totals over them.

Which samples belong to a list is said by a file of keys, never by a rule: the lists of 860, 857 and 1,811 images were picked
by hand, and nobody has found a rule that gives them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr.metrics.words import WordProtocol, WordResult, WordRow
from ocr.types import Reading

Labelled = Sequence[tuple[str, str]]
"""Key and label of every sample of a set, in order."""


@dataclass(frozen=True)
class LabelFilter:
    """Leaves samples out of a test by their label: what some published test scripts do, and what raises their numbers.

    Args:
        characters: a label with any other is left out; letters are compared in lower case.
        longest: a label of more characters is left out.
    """

    characters: str
    longest: int

    def keeps(self, text: str) -> bool:
        """Whether a sample with this label is tested."""
        return len(text) <= self.longest and set(text.lower()) <= set(self.characters)


@dataclass(frozen=True)
class TestList:
    """A column of a published table: ``count`` samples of a prepared set, all of them or those whose keys ``ids`` lists."""

    __test__ = False  # pytest takes classes of this name for its own

    set: str
    count: int
    ids: str | None = None


@dataclass(frozen=True)
class WordBenchmark:
    """Test lists scored under one folding from one reading of their sets.

    Args:
        name, version: as of a :class:`ocr.metrics.words.WordProtocol`.
        folding: how labels and readings are compared; it takes the benchmark's name and version.
        lists: per list ``set`` (name of a prepared set), ``count`` (samples that it must have) and ``ids`` (a file with one
            key a line, or None for the whole set).
        totals: named totals over lists, weighted by samples; a sample of two of its lists counts twice.
        subsets: lists that are part of others and need a file of keys; None leaves them out, with the totals that need them.
        label_filter: leaves samples out of all lists; ``count`` is what it leaves.

    Raises:
        ValueError: a total names a list that is not there.
    """

    name: str
    folding: WordProtocol
    lists: Mapping[str, Mapping[str, Any]]
    totals: Mapping[str, Sequence[str]]
    subsets: Mapping[str, Mapping[str, Any]] | None = None
    version: str = "1"
    label_filter: LabelFilter | None = None
    columns: dict[str, TestList] = field(init=False)

    def __post_init__(self) -> None:
        columns = {name: TestList(**node) for name, node in {**self.lists, **(self.subsets or {})}.items()}
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "folding", replace(self.folding, name=self.name, version=self.version))
        for total, names in self.totals.items():
            unknown = [name for name in names if name not in columns]
            if unknown and self.subsets is not None:
                raise ValueError(f"protocol {self.name}: the total {total} names {unknown[0]}, which is no list of it")

    @property
    def sets(self) -> list[str]:
        """The prepared sets to read, each once."""
        return list(dict.fromkeys(column.set for column in self.columns.values()))

    def fold(self, text: str) -> str:
        """As the folding."""
        return self.folding.fold(text)

    def row(self, truth: str, reading: Reading, key: str = "", width: int = 0, height: int = 0) -> WordRow:
        """As the folding's."""
        return self.folding.row(truth, reading, key, width, height)

    def __call__(self, pairs: Sequence[tuple[str, Reading]]) -> WordResult:
        """Score pairs of label and reading under the folding alone: what validation uses."""
        return self.folding(pairs)

    def members(self, sets: Mapping[str, Labelled]) -> dict[str, NDArray[np.int64]]:
        """Positions of the samples of every list in its set, ascending.

        Raises:
            ValueError: a file of keys is missing, or a list has another size than was published; one line that names every
                such list and how many are missing.
        """
        found = {name: self._positions(column, sets[column.set]) for name, column in self.columns.items()}
        wrong = [
            f"{name} (set {column.set}) {_difference(len(found[name]), column.count)}"
            for name, column in self.columns.items()
            if len(found[name]) != column.count
        ]
        if wrong:
            raise ValueError(
                f"protocol={self.name}: {'; '.join(wrong)}: prepare these sets again from the published releases, "
                "or score them under another protocol"
            )
        return found

    def _positions(self, column: TestList, samples: Labelled) -> NDArray[np.int64]:
        listed = None if column.ids is None else self._ids(Path(column.ids))
        keep = self.label_filter
        chosen = [
            place
            for place, (key, text) in enumerate(samples)
            if (listed is None or key in listed) and (keep is None or keep.keeps(text))
        ]
        return np.array(chosen, np.int64)

    def _ids(self, path: Path) -> set[str]:
        if not path.is_file():
            raise ValueError(
                f"protocol={self.name} needs the id list {path} (one key of the set a line), which no rule replaces: "
                f"`ocr list-ids` makes it from an LMDB that holds the images, and protocol.subsets=null goes without"
            )
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        return {line.strip() for line in lines if line.strip() and not line.startswith("#")}

    def results(
        self, rows: Mapping[str, Sequence[WordRow]], members: Mapping[str, NDArray[np.int64]]
    ) -> dict[str, WordResult]:
        """The result of every list, then of every total whose lists are all there.

        Args:
            rows: per set, the rows of all its samples in order.
            members: of :meth:`members`.
        """
        of_list = {name: [rows[c.set][i] for i in members[name]] for name, c in self.columns.items()}
        results = {name: WordResult(self.folding, own) for name, own in of_list.items()}
        for total, names in self._whole_totals().items():
            together = list(chain.from_iterable(of_list[name] for name in names))
            strata = [name for name in names for _ in of_list[name]]
            results[total] = WordResult(self.folding, together, strata)
        return results

    def _whole_totals(self) -> dict[str, Sequence[str]]:
        return {t: names for t, names in self.totals.items() if all(name in self.columns for name in names)}

    def belongs(self, name: str, size: int, members: Mapping[str, NDArray[np.int64]]) -> list[list[str]]:
        """For each of ``size`` samples of a set, the lists and totals it counts in; a total that counts it twice comes twice."""
        own: list[list[str]] = [[] for _ in range(size)]
        for title, column in self.columns.items():
            totals = [t for t, names in self._whole_totals().items() for n in names if n == title]
            if column.set == name:
                for place in members[title]:
                    own[place] += [title, *totals]
        return own


def _difference(found: int, wanted: int) -> str:
    many = found - wanted
    return (
        f"is short by {-many:,} of {wanted:,} images" if many < 0 else f"has {many:,} more than its {wanted:,} images"
    )
