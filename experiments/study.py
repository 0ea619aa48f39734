"""A table of a paper as a study: its cells, the profiles it can be run in, and the published numbers, from the files of its folder.

experiments/<table>/sweep.yaml       cells, columns, what differs from the shared profiles
experiments/<table>/paper.csv        published numbers, each with its source; an empty value is not known
experiments/profiles/<task>.yaml     what "published", "paper", "mini" and "smoke" mean
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ocr.config import compose_config, from_yaml, identity, nearest, plain

HERE = Path(__file__).resolve().parent
SWEEP, PAPER, PROFILES = "sweep.yaml", "paper.csv", "profiles"
RESULTS = "results"
PAPER_COLUMNS = ("cell", "column", "value", "protocol", "source")
NOT_CONVERGED = 0.05
"""A recogniser with fewer words right than this share has not learnt to read."""


@dataclass(frozen=True, slots=True)
class Column:
    """What of our scores stands beside a published column: set, protocol and metric; ``unit`` is that of the published number."""

    name: str
    set: str
    metric: str
    protocol: str
    unit: str = "%"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One call of ``ocr evaluate``: sets (none: those of the benchmark), a protocol, and further overrides."""

    protocol: str
    sets: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preparation:
    """A prepared set (``<task>/<set>/<split>`` below the root) and the arguments of the module that makes it."""

    makes: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """What a run of a table costs and means.

    Keys of ``conditional`` are choices of a cell such as ``trans=tps``; ``evaluate_of`` holds what single cells are scored on in place of
    ``evaluate``; ``cells`` names those that the profile can run (None: all).
    """

    name: str
    about: str
    root: str | None = None
    trains: bool = True
    prepare: tuple[Preparation, ...] = ()
    train: tuple[str, ...] = ()
    conditional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    evaluate: tuple[Evaluation, ...] = ()
    evaluate_of: Mapping[str, tuple[Evaluation, ...]] = field(default_factory=dict)
    cells: tuple[str, ...] | None = None
    real: tuple[Evaluation, ...] = ()
    columns: Mapping[str, Column] = field(default_factory=dict)
    jobs: int = 1
    threads: int | None = None

    @property
    def main(self) -> Column:
        """The column that ranks the cells: the first."""
        return next(iter(self.columns.values()))


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a table.

    ``choices`` are its own overrides of ``train.py``; ``after`` names the cell whose best checkpoint it starts from; ``weights`` is the
    file of published weights; ``hidden`` cells are only steps on the way.
    """

    name: str
    choices: tuple[str, ...]
    after: str | None = None
    weights: str | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """A published number; None is not known."""

    value: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Study:
    """A table, in all its profiles.  ``owner`` is the table whose runs it shows (itself, unless ``of`` names another)."""

    name: str
    title: str
    task: str
    folder: Path
    owner: str
    cells: tuple[Cell, ...]
    profiles: Mapping[str, Profile]
    labels: Mapping[str, str]
    stages: tuple[str, ...]
    paper: Mapping[tuple[str, str, str], Published]
    frontiers: Mapping[str, tuple[str, ...]]
    sections: tuple[str, ...]

    @property
    def results(self) -> Path:
        """Folder of the result rows."""
        return self.folder.parent / self.owner / RESULTS

    def profile(self, name: str) -> Profile:
        """A profile by name.

        Raises:
            ValueError: it does not exist.
        """
        if name not in self.profiles:
            raise ValueError(f"{self.name}: no profile {name!r}{nearest(name, list(self.profiles))}")
        return self.profiles[name]

    def cell(self, name: str) -> Cell:
        """A cell by name.

        Raises:
            ValueError: it does not exist.
        """
        found = next((cell for cell in self.cells if cell.name == name), None)
        if found is None:
            raise ValueError(f"{self.name}: no cell {name!r}{nearest(name, [cell.name for cell in self.cells])}")
        return found

    def runs(self, profile: Profile) -> list[Cell]:
        """The cells that a profile can run."""
        return [cell for cell in self.cells if profile.cells is None or cell.name in profile.cells]

    def published(self, cell: str, column: str, protocol: str = "") -> Published | None:
        """What was published for a cell under a protocol, or else under the paper's own."""
        return self.paper.get((cell, column, protocol)) or self.paper.get((cell, column, ""))

    def choices(self, cell: Cell, profile: Profile) -> list[str]:
        """Overrides of ``train.py`` that say what the cell is in a profile, without seed, names and places."""
        of_cell = [o for key, more in profile.conditional.items() if key in cell.choices for o in more]
        return [*cell.choices, *profile.train, *of_cell]

    def evaluations(self, cell: Cell, profile: Profile) -> tuple[Evaluation, ...]:
        """What the cell is scored on."""
        return profile.evaluate_of.get(cell.name, () if cell.hidden else profile.evaluate)

    def config(self, cell: Cell, profile: Profile) -> dict[str, Any]:
        """Everything that the training computes, save the seed, by dotted key, and the same wherever the data lie.

        Raises:
            ValueError: the cell cannot be composed, for example because its model does not exist.
        """
        start = [f"init='{cell.after}'"] if cell.after else []
        try:
            settings = plain(compose_config([*self.choices(cell, profile), *start, "test=null", "root=data", "seed=0"]))
        except ValueError as error:
            raise ValueError(f"{self.folder / SWEEP}: cell {cell.name}, profile {profile.name}: {error}") from None
        before = {"before": self.config(self.cell(cell.after), profile)} if cell.after else {}
        return identity({**settings, **before})


def studies() -> list[str]:
    """The tables there are."""
    return sorted(path.parent.name for path in HERE.glob(f"*/{SWEEP}"))


def load_study(name: str, folder: Path = HERE) -> Study:
    """A table by name.

    Raises:
        ValueError: there is no such table, or one of its files says what cannot be; one line that names the file.
    """
    path = folder / name / SWEEP
    if not path.is_file():
        raise ValueError(f"no table {name!r} in {folder}{nearest(name, studies())}")
    data = _mapping(path)
    _known(
        data, ("title", "task", "of", "preset", "stages", "cells", "profiles", "columns", "frontiers", "sections"), path
    )
    paper = read_paper(path.with_name(PAPER))
    if "of" in data:
        return _borrowed(name, data, load_study(data["of"], folder), path, paper)
    cells = tuple(_cell(key, node, data.get("preset")) for key, node in _node(data, "cells", path).items())
    for cell in cells:
        if cell.after and cell.after not in {other.name for other in cells}:
            raise ValueError(f"{path}: cell {cell.name}: after={cell.after} is no cell of this table")
    return Study(
        name,
        str(_node(data, "title", path)),
        str(_node(data, "task", path)),
        path.parent,
        name,
        cells,
        _profiles(data, path, folder),
        {},
        tuple(data.get("stages", ())),
        paper,
        {key: tuple(names) for key, names in data.get("frontiers", {}).items()},
        tuple(data.get("sections", ("scores",))),
    )


def _borrowed(
    name: str, data: dict[str, Any], owner: Study, path: Path, paper: Mapping[tuple[str, str, str], Published]
) -> Study:
    """A table that shows some of another's cells, under names of its own where it gives any."""
    shown = data.get("cells", {cell.name: cell.name for cell in owner.cells})
    for label, cell in shown.items():
        try:
            owner.cell(cell)
        except ValueError as error:
            raise ValueError(f"{path}: {label}: {error}") from None
    labels: dict[str, str] = {}
    for label, cell in shown.items():
        labels[cell] = f"{labels[cell]}, {label}" if cell in labels else label
    profiles = {
        key: replace(profile, columns=_columns(data.get("columns", {}), path) or profile.columns)
        for key, profile in owner.profiles.items()
    }
    return replace(
        owner,
        name=name,
        title=str(data["title"]),
        folder=path.parent,
        owner=owner.owner,
        cells=tuple(cell for cell in owner.cells if cell.name in labels or _leads_to(cell, owner, set(labels))),
        labels=labels,
        profiles=profiles,
        paper={**owner.paper, **paper},
        frontiers={key: tuple(names) for key, names in data.get("frontiers", {}).items()},
        sections=tuple(data.get("sections", ("scores",))),
    )


def _leads_to(cell: Cell, study: Study, wanted: set[str]) -> bool:
    return any(other.after == cell.name and other.name in wanted for other in study.cells)


# --- the files ----------------------------------------------------------------------------------------------------------


def _mapping(path: Path) -> dict[str, Any]:
    try:
        data = from_yaml(path)
    except Exception as error:  # whatever the YAML parser says
        raise ValueError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path}: expected keys with values")
    return data


def _known(node: Mapping[str, Any], keys: tuple[str, ...], path: Path, where: str = "") -> None:
    for key in node:
        if key not in keys:
            raise ValueError(f"{path}: {where}{key} is no key here{nearest(str(key), list(keys))}")


def _node(data: Mapping[str, Any], key: str, path: Path, where: str = "") -> Any:
    if key not in data:
        raise ValueError(f"{path}: {where}{key} is missing")
    return data[key]


def _cell(name: str, node: Mapping[str, Any], preset: str | None) -> Cell:
    """``{trans: none, feat: vgg}``; the keys ``after``, ``weights``, ``hidden`` and ``train`` are no choices."""
    own = ("after", "weights", "hidden", "train")
    choices = [f"{key}={value}" for key, value in node.items() if key not in own]
    return Cell(
        name,
        (*([f"model={preset}"] if preset else []), *choices, *node.get("train", ())),
        node.get("after"),
        node.get("weights"),
        bool(node.get("hidden", False)),
    )


def _evaluations(nodes: list[dict[str, Any]], path: Path, where: str) -> tuple[Evaluation, ...]:
    found = []
    for node in nodes:
        _known(node, ("protocol", "sets", "overrides"), path, where)
        protocol = str(_node(node, "protocol", path, where))
        found.append(Evaluation(protocol, tuple(node.get("sets", ())), tuple(node.get("overrides", ()))))
    return tuple(found)


def _columns(nodes: Mapping[str, Any], path: Path) -> dict[str, Column]:
    columns = {}
    for name, node in nodes.items():
        _known(node, ("set", "metric", "protocol", "unit"), path, f"columns.{name}: ")
        set_, metric, protocol = (
            str(_node(node, key, path, f"columns.{name}: ")) for key in ("set", "metric", "protocol")
        )
        columns[name] = Column(name, set_, metric, protocol, str(node.get("unit", "%")))
    return columns


def _profiles(data: Mapping[str, Any], path: Path, folder: Path) -> dict[str, Profile]:
    """The shared profiles of the task, each with what the table says differently."""
    shared = folder / PROFILES / f"{_node(data, 'task', path)}.yaml"
    if not shared.is_file():
        shared = HERE / PROFILES / shared.name
    if not shared.is_file():
        raise ValueError(f"{path}: task {data['task']!r} has no profiles ({shared} is not there)")
    own, common = data.get("profiles", {}), _mapping(shared)
    _known(own, tuple(common), path, "profiles.")
    columns = _columns(data.get("columns", {}), path)
    return {name: _profile(name, {**node, **own.get(name, {})}, columns, shared) for name, node in common.items()}


def _profile(name: str, node: Mapping[str, Any], columns: Mapping[str, Column], path: Path) -> Profile:
    keys = (
        "about", "root", "trains", "prepare", "train", "with", "evaluate", "evaluate_of", "cells", "real", "columns", "jobs", "threads",
    )  # fmt: skip
    _known(node, keys, path, f"{name}.")
    steps = tuple(Preparation(p["makes"], tuple(str(p["command"]).split())) for p in node.get("prepare", ()))
    return Profile(
        name,
        str(_node(node, "about", path, f"{name}.")),
        node.get("root"),
        bool(node.get("trains", True)),
        steps,
        tuple(node.get("train", ())),
        {key: tuple(more) for key, more in node.get("with", {}).items()},
        _evaluations(node.get("evaluate", []), path, f"{name}."),
        {key: _evaluations(own, path, f"{name}.{key}.") for key, own in node.get("evaluate_of", {}).items()},
        tuple(node["cells"]) if "cells" in node else None,
        _evaluations(node.get("real", []), path, f"{name}."),
        _columns(node.get("columns", {}), path) or dict(columns),
        int(node.get("jobs", 1)),
        node.get("threads"),
    )


def read_paper(path: Path) -> dict[tuple[str, str, str], Published]:
    """(cell, column, protocol) -> what was published; an empty protocol is the paper's own.

    Raises:
        ValueError: the file is not there, a column of it is missing, or a value is no number; one line that names the place.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there: it holds the published numbers ({', '.join(PAPER_COLUMNS)})")
    found: dict[tuple[str, str, str], Published] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in PAPER_COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{path}: the column {', '.join(missing)} is missing; needed are {', '.join(PAPER_COLUMNS)}"
            )
        for row in reader:
            key = (row["cell"], row["column"], row["protocol"] or "")
            try:
                value = float(row["value"]) if row["value"] else None
            except (TypeError, ValueError):
                raise ValueError(f"{path}, line {reader.line_num}: value {row['value']!r} is no number") from None
            if key in found:
                raise ValueError(f"{path}, line {reader.line_num}: {row['cell']}, {row['column']} stands there twice")
            found[key] = Published(value, row["source"] or "")
    return found
