"""Where a table stands: for every cell and column what was published, what we have, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments import rows
from experiments.configs import Configs
from experiments.cost import CostRow, costs
from experiments.intervals import Mean, Spread, over_seeds, seed_spread
from experiments.rows import Row
from experiments.study import NOT_CONVERGED, Cell, Column, Profile, Study

Kind = tuple[str, ...]
"""What rows must have in common to be averaged: protocol, its version, the test set's and the training sets' fingerprints."""

Data = dict[tuple[str, ...], str]
"""Fingerprints of training sets."""


@dataclass(frozen=True, slots=True)
class Line:
    """One cell in one column, in the published unit; ``ours`` is the mean over ``seeds`` on ``n`` samples."""

    cell: str
    label: str
    column: str
    unit: str
    paper: float | None
    source: str
    ours: float | None
    low: float | None
    high: float | None
    n: int | None
    seeds: int
    state: str
    kind: str = ""
    other: str = ""

    @property
    def delta(self) -> float | None:
        """Ours less the published number."""
        return None if self.ours is None or self.paper is None else self.ours - self.paper


@dataclass(slots=True)
class Standing:
    """A table in one profile.

    ``runs`` is the folder of its run directories, where they are; ``lines`` are of the rows that belong together; ``apart`` of others,
    which are never averaged with them; ``costs`` are those of the profile's networks, ``full_costs`` those of the published size.
    """

    study: Study
    profile: Profile
    configs: Configs
    runs: Path
    lines: list[Line] = field(default_factory=list)
    apart: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    current: dict[tuple[str, int | None], Row] = field(default_factory=dict)
    costs: dict[str, CostRow] = field(default_factory=dict)
    full_costs: dict[str, CostRow] = field(default_factory=dict)

    def cells(self) -> list[Cell]:
        """The cells that are shown."""
        return [cell for cell in self.study.runs(self.profile) if not cell.hidden]

    def label(self, cell: Cell) -> str:
        """The name of a cell in this table."""
        return self.study.labels.get(cell.name, cell.name)

    def of(self, cell: str, column: str) -> Line | None:
        """A line."""
        return next((line for line in self.lines if (line.cell, line.column) == (cell, column)), None)

    def finished(self, cell: str) -> list[Row]:
        """Rows of the present config, by seed."""
        found = [row for key, row in self.current.items() if key[0] == cell and row.state == "finished"]
        return sorted((row for row in found if self.configs.fits(row)), key=lambda row: row.seed or 0)

    def together(self, cell: str) -> list[Row]:
        """Those whose training sets are the ones of that name in most rows of the table."""
        usual = self.usual_data()
        own = self.study.cell(cell)
        return [row for row in self.finished(cell) if not _unusual(own, row, usual)]

    def usual_data(self) -> Data:
        """Of every training set that cells ask for, the fingerprint that most rows have: a cell may well ask for sets of its own."""
        counted: dict[tuple[str, ...], Counter[str]] = {}
        for cell in self.cells():
            for row in self.finished(cell.name):
                for name, part in row.data.items():
                    counted.setdefault(_source(cell, name), Counter())[part["fingerprint"]] += 1
        return {source: found.most_common(1)[0][0] for source, found in counted.items()}

    def converged(self, cell: str) -> bool:
        """Whether a recogniser has learnt to read at all; False where nothing is known."""
        line = self.of(cell, self.profile.main.name)
        return line is not None and line.ours is not None and line.ours >= 100 * NOT_CONVERGED


def standing(study: Study, profile: Profile, runs: Path) -> Standing:
    """Read the rows of a table in a profile.

    Raises:
        ValueError: see :class:`experiments.configs.Configs`.
    """
    configs = Configs(study, profile, study.runs(profile))
    reading = rows.read(study.results, profile.name)
    found = Standing(study, profile, configs, runs / study.owner / profile.name, notes=list(reading.complaints))
    names = {cell.name for cell in study.cells}
    found.current = rows.latest((row for row in reading.rows if row.cell in names), configs.fits)
    found.costs = costs(study, profile.name)
    found.full_costs = costs(study, "paper")
    expected = max((seeds for seeds in _seeds(found.current.values()).values()), default=1)
    for column in profile.columns.values():
        _add_column(found, column, expected)
    stale = sorted({row.cell for row in found.current.values() if not configs.fits(row)})
    for name in stale[:5]:
        row = next(r for k, r in found.current.items() if k[0] == name and not configs.fits(r))
        found.notes.append(f"{name}: stale: {'; '.join(configs.differences(row)[:2])}")
    return found


def _seeds(found: Iterable[Row]) -> Counter[str]:
    return Counter(row.cell for row in found)


def _add_column(found: Standing, column: Column, expected: int) -> None:
    """The lines of a column; the kind of rows that most cells have is the table, the others stand apart."""
    usual = found.usual_data()
    by_cell: dict[str, dict[Kind, list[tuple[Row, dict[str, Any]]]]] = {}
    for cell in found.cells():
        for row in found.finished(cell.name):
            score = row.score(column.set, column.metric, column.protocol)
            if score is not None:
                by_cell.setdefault(cell.name, {}).setdefault(_kind(score, _unusual(cell, row, usual)), []).append(
                    (row, score)
                )
    counted = Counter(kind for kinds in by_cell.values() for kind, scored in kinds.items() for _ in scored)
    common = counted.most_common(1)[0][0] if counted else ()
    spread = seed_spread([[s["value"] for _, s in kinds[common]] for kinds in by_cell.values() if common in kinds])
    for cell in found.cells():
        kinds = by_cell.get(cell.name, {})
        found.lines.append(_line(found, cell, column, kinds.get(common, []), spread, expected))
        for kind, scored in kinds.items():
            if kind != common:
                line = _line(found, cell, column, scored, None, expected, _difference(kind, common))
                found.apart.append(line)


def _source(cell: Cell, name: str) -> tuple[str, ...]:
    """A training set as a cell asks for it: its name, and what the cell says of that source and of how rendered text looks."""
    about = (f"data.sources.{name}.", "render=", "render.")
    return (name, *(choice for choice in cell.choices if choice.startswith(about)))


def _unusual(cell: Cell, row: Row, usual: Data) -> str:
    """What a row was trained on where that is not what others of the same sources were trained on; else an empty text."""
    same = all(usual.get(_source(cell, name)) == part["fingerprint"] for name, part in row.data.items())
    return "" if same else row.trained_on


def _kind(score: dict[str, Any], unusual: str) -> Kind:
    return (score["protocol"], score["protocol_version"], score["fingerprint"], unusual)


def _difference(kind: Kind, common: Kind) -> str:
    names = ("protocol", "protocol version", "test set", "training data")
    return ", ".join(f"other {name}" for name, a, b in zip(names, kind, common, strict=True) if a != b)


def _line(
    found: Standing,
    cell: Cell,
    column: Column,
    scored: Sequence[tuple[Row, dict[str, Any]]],
    spread: Spread | None,
    expected: int,
    other: str = "",
) -> Line:
    scale = 100.0 if column.unit == "%" else 1.0
    published = found.study.published(cell.name, column.name, column.protocol)
    mean = _mean([score for _, score in scored], spread) if scored else Mean(float("nan"), None, None, 0)
    limits = [None if limit is None else scale * limit for limit in (mean.low, mean.high)]
    if column.unit == "%":
        limits = [None if limit is None else min(max(limit, 0.0), 100.0) for limit in limits]
    return Line(
        cell.name,
        found.label(cell),
        column.name,
        column.unit,
        published.value if published else None,
        published.source if published else "",
        scale * mean.value if scored else None,
        *limits,
        n=int(scored[0][1]["n"]) if scored else None,
        seeds=len(scored),
        state=_state(found, cell, len(scored), expected),
        kind=str(scored[0][1]["kind"]) if scored else "",
        other=other,
    )


def _mean(scores: Sequence[dict[str, Any]], spread: Spread | None) -> Mean:
    halves = [None if s["low"] is None else (s["high"] - s["low"]) / 2 for s in scores]
    return over_seeds([s["value"] for s in scores], halves, spread)


def _state(found: Standing, cell: Cell, scored: int, expected: int) -> str:
    """``finished``, with how many of the seeds where some are not; ``failed``, ``killed``, ``stale`` or ``missing``."""
    own = [row for key, row in found.current.items() if key[0] == cell.name]
    broken = [row.state for row in own if row.state != "finished" and found.configs.fits(row)]
    stale = [row for row in own if not found.configs.fits(row)]
    if scored:
        more = f", {len(broken)} {broken[0]}" if broken else ""
        return f"finished{f' {scored} of {expected}' if scored < expected else ''}{more}"
    if broken:
        return broken[0]
    return "stale" if stale else "missing"
