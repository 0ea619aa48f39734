"""What of the training data cannot be learnt, stands there twice, or is in a test set: looked at before the first step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ocr.data.cache import cached
from ocr.data.datamodule import DataModule, Part
from ocr.data.label_index import LARGE
from ocr.data.picture_index import UNDECODABLE, Digests, among, picture_index, repeats
from ocr.data.sets import WordSet
from ocr.data.statistics import EXAMPLES

LEFT_OUT, REPLACED, KEPT = "left out", "another stands in", "kept"


@dataclass(frozen=True, slots=True)
class Finding:
    """``count`` of ``of`` samples of a source for one reason, what training does with them, and some as examples."""

    source: str
    reason: str
    effect: str
    count: int
    of: int
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Pictures:
    """Digests of what a source trains and validates on, and where they stand in their sets."""

    part: Part
    train: Digests
    validation: Digests


def inspect(data: DataModule, tests: Sequence[WordSet], console: Console, refuse: bool = True) -> list[Finding]:
    """Everything that is wrong with the words of a run, by source and reason.

    Labels first (:func:`ocr.data.statistics.audit`), then pictures by their pixels: broken ones, copies with the same label and
    with another, copies in validation, and copies in a test set.

    Args:
        data: the run's training and validation samples.
        tests: test sets that must have nothing in common with validation.
        console: shows a bar while pictures are looked at for the first time.
        refuse: whether a validation sample that is also in a test set is an error.

    Raises:
        ValueError: it is, and ``refuse``; one line that says how many and names one.
    """
    parts = [part for part in data.parts if isinstance(part.set, WordSet) and isinstance(part.validation_set, WordSet)]
    if not parts:
        return []
    findings = _remembered(parts, tests, lambda: _looked(parts, tests, console))
    tested = [f for f in findings if f.reason.startswith("validation sample also in")]
    if tested and refuse:
        first_found = tested[0]
        raise ValueError(
            f"{first_found.source}: {first_found.count:,} of {first_found.of:,} validation samples are also in "
            f"{first_found.reason.removeprefix('validation sample also in ')} (for example {first_found.examples[0]}): a model "
            "chosen on test images cannot be tested on them; take them out of the set, or validate on another"
        )
    return findings


def _remembered(parts: Sequence[Part], tests: Sequence[WordSet], look: Callable[[], list[Finding]]) -> list[Finding]:
    """What was found when the same samples of the same large sets were looked at before: sorting millions of digests takes seconds."""
    if sum(len(part.set) for part in parts) < LARGE:
        return look()
    what = hashlib.blake2b(digest_size=12)
    for part in parts:
        places = [f"{len(p)}".encode() + p[:: max(1, len(p) // 999)].tobytes() for p in (part.train, part.validation)]
        said = f"{part.name} {part.set.fingerprint} {part.validation_set.fingerprint} {part.rejected}"
        what.update(b" ".join([said.encode(), *places]))
    what.update(" ".join(f"{test.name} {test.fingerprint}" for test in tests).encode())
    found = cached("findings-1", what.hexdigest(), lambda: _packed(look()))
    return [Finding(**fields) for fields in json.loads(found.tobytes())]


def _packed(findings: Sequence[Finding]) -> NDArray[np.uint8]:
    text = json.dumps([asdict(finding) for finding in findings], ensure_ascii=False)
    return np.frombuffer(text.encode(), np.uint8)


def _looked(parts: Sequence[Part], tests: Sequence[WordSet], console: Console) -> list[Finding]:
    pictures = [_digests(part, console) for part in parts]
    known = [(f"{test.name}/{test.split}", _of_set(test, console)) for test in tests]
    findings: list[Finding] = []
    for each, (again, first) in zip(pictures, _repeats_by_part([p.train for p in pictures]), strict=True):
        findings += _labels(each.part)
        findings += _pictures(each, again, _differs(pictures, each, again, first))
        findings += _overlaps(each, pictures, known)
    return findings


def _digests(part: Part, console: Console) -> _Pictures:
    assert isinstance(part.set, WordSet)
    assert isinstance(part.validation_set, WordSet)
    train = _of_set(part.set, console)[part.train]
    return _Pictures(part, train, _of_set(part.validation_set, console)[part.validation])


def _of_set(data: WordSet, console: Console) -> Digests:
    with _bar(data, console) as advance:
        return np.asarray(picture_index(data.store, advance)["digest"])


@contextmanager
def _bar(data: WordSet, console: Console) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"pictures of {data.name}/{data.split}", total=len(data), visible=False)
        yield lambda done: progress.update(task, advance=done, visible=True)


def _repeats_by_part(digests: list[Digests]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Per source: positions within it that repeat an earlier picture of any source, and that one's place in all of them."""
    again, first = repeats(np.concatenate(digests))
    start = 0
    for own in digests:
        inside = (again >= start) & (again < start + len(own))
        yield again[inside] - start, first[inside]
        start += len(own)


def _differs(
    pictures: list[_Pictures], each: _Pictures, again: NDArray[np.int64], first: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which repeated pictures have another label than the first of their kind."""
    starts = np.cumsum([0, *(len(p.train) for p in pictures)])
    owners = np.searchsorted(starts, first, side="right") - 1
    own = [_text(each.part, int(i)) for i in again]
    theirs = [_text(pictures[o].part, int(f - starts[o])) for o, f in zip(owners, first, strict=True)]
    return np.array([a != b for a, b in zip(own, theirs, strict=True)], bool)


def _text(part: Part, place: int) -> str:
    assert isinstance(part.set, WordSet)
    return part.set.store.text(int(part.train[place]))


def _labels(part: Part) -> list[Finding]:
    total = len(part.train) + sum(part.rejected.values())
    labels = part.labels
    found = [Finding(part.name, "learnable", "trains", len(part.train), total)]
    if labels is not None:
        for reason, count in sorted(labels.counts.items(), key=lambda item: -item[1]):
            found.append(Finding(part.name, reason, LEFT_OUT, count, total, [repr(t) for t in labels.examples[reason]]))
    return found


def _pictures(each: _Pictures, again: NDArray[np.int64], differs: NDArray[np.bool_]) -> list[Finding]:
    rows = [
        ("undecodable picture", REPLACED, np.flatnonzero(each.train == UNDECODABLE)),
        ("same picture and label again", KEPT, again[~differs]),
        ("same picture, another label", KEPT, again[differs]),
    ]
    of = len(each.train)
    return [_finding(each.part, reason, effect, places, of) for reason, effect, places in rows if len(places)]


def _finding(part: Part, reason: str, effect: str, places: NDArray[np.int64], of: int) -> Finding:
    shown = [part.set.key(int(part.train[i])) for i in places[:EXAMPLES]]
    return Finding(part.name, reason, effect, len(places), of, shown)


def _overlaps(each: _Pictures, pictures: list[_Pictures], tests: list[tuple[str, Digests]]) -> list[Finding]:
    part, found = each.part, []
    if part.validation_set is not part.set or not np.array_equal(part.validation, part.train):  # debug=overfit means it
        inside = among(each.train, [p.validation for p in pictures])
        found += [_finding(part, "also in validation", KEPT, inside, len(each.train))] if len(inside) else []
    for name, digests in tests:
        inside = among(each.train, [digests])
        found += [_finding(part, f"also in {name}", KEPT, inside, len(each.train))] if len(inside) else []
        chosen = among(each.validation, [digests])
        if len(chosen):
            keys = [part.validation_set.key(int(part.validation[i])) for i in chosen[:EXAMPLES]]
            reason = f"validation sample also in {name}"
            found.append(Finding(part.name, reason, "chooses the model", len(chosen), len(each.validation), keys))
    return found


def show_findings(findings: Sequence[Finding], console: Console) -> None:
    """One row per source and reason."""
    table = Table(title="labels and pictures", title_justify="left", box=None, pad_edge=False)
    for column in ("source", "what", "training", "count", "share", "examples"):
        table.add_column(column)
    for f in findings:
        share = f"{100 * f.count / f.of:.1f} %" if f.of else "-"
        style = None if f.effect == "trains" else "yellow"
        table.add_row(f.source, f.reason, f.effect, f"{f.count:,}", share, ", ".join(f.examples), style=style)
    console.print(table, markup=False)
