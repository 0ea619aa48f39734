"""What the cells of a table did word by word, from the rows that their evaluations left in the run directories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from experiments.curves import VALIDATION
from experiments.standing import Standing
from ocr.data.sets import MissingSet, WordSet, open_set
from ocr.draw import contact_sheet
from ocr.run.logging import PREDICTIONS, read_rows
from ocr.types import Image

NOTHING = "∅"
SHEET = 60
"""Words on a sheet."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A word that no cell read: its key, its text, what of that counts, and the commonest reading with the number of cells that gave it."""

    key: str
    text: str
    folded: str
    reading: str
    times: int


def predictions(found: Standing) -> dict[str, list[dict[str, Any]]]:
    """Cell -> rows of its first seed on the main set; only of cells whose run directory is here."""
    column = found.profile.main
    given = {}
    for cell in found.cells():
        for row in found.together(cell.name)[:1]:
            folder = found.runs / row.run / PREDICTIONS
            rows = read_rows(folder / f"{column.set}-test-{column.protocol}.jsonl")
            if rows and "correct" in rows[0]:
                given[cell.name] = rows
    return given


def learning_curves(found: Standing) -> dict[str, list[tuple[float, float]]]:
    """Cell -> (step, validation score in %) of its first seed."""
    given = {}
    for cell in found.cells():
        for row in found.together(cell.name)[:1]:
            points = [(r["step"], 100 * r[key]) for r in row.curve for key in VALIDATION if key in r]
            if len(points) > 1:
                given[cell.name] = points
    return given


def confusions(rows: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """(written, read) -> count over the edits that turn the folded text into the folded reading, at most half of it."""
    pairs: Counter[tuple[str, str]] = Counter()
    for row in rows:
        wanted, got = row["truth_folded"], row["prediction_folded"]
        edits = Levenshtein.editops(wanted, got)
        if 2 * len(edits) > len(wanted):
            continue
        for edit in edits:
            before = wanted[edit.src_pos] if edit.tag != "insert" else NOTHING
            after = got[edit.dest_pos] if edit.tag != "delete" else NOTHING
            pairs[before, after] += 1
    return pairs


def missed_by_all(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[list[Missed], int]:
    """Words that every cell got wrong, and how many words all cells have seen.

    Raises:
        ValueError: the cells were scored on different words.
    """
    keys = {name: {row["key"]: row for row in of_cell} for name, of_cell in rows.items()}
    first = next(iter(keys.values()))
    for name, own in keys.items():
        if own.keys() != first.keys():
            raise ValueError(f"{name} was scored on other words than {next(iter(keys))}: evaluate both again")
    missed = []
    for key, row in first.items():
        if not any(own[key]["correct"] for own in keys.values()):
            readings = Counter(own[key]["prediction_folded"] for own in keys.values())
            reading, times = readings.most_common(1)[0]
            missed.append(Missed(key, row["truth"], row["truth_folded"], reading, times))
    return missed, len(first)


def sheet(missed: Sequence[Missed], root: Path, name: str) -> Image | None:
    """Pictures of such words, evenly drawn from them, with text and commonest reading; None where the set is not here, or is real."""
    try:
        words = open_set(root, "recognition", name, "test")
    except MissingSet:
        return None
    if not isinstance(words, WordSet) or words.kind != "rendered" or not missed:
        return None  # pictures of real sets may not be shown to everybody
    place = {key: i for i, key in enumerate(words.keys())}
    known = [word for word in missed if word.key in place]
    step = max(1, len(known) // SHEET)
    shown = known[::step][:SHEET]
    if not shown:
        return None
    captions = [f"{word.text} → {word.reading or NOTHING}" for word in shown]
    return contact_sheet([words[place[word.key]].image for word in shown], captions, columns=6, cell=(190, 64))
