"""Two runs on the same samples, and many runs over their seeds: from the rows that evaluation left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ocr.config import from_yaml, identity
from ocr.metrics.paired import Comparison, compare
from ocr.metrics.score import mean_and_deviation
from ocr.run.folder import CONFIG
from ocr.run.logging import PREDICTIONS, SCORES, read_rows
from ocr.run.record import RunRecord

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Pair:
    """The rows of both runs for one sample of a set."""

    set: str
    first: Row
    second: Row


def compare_runs(first: Path, second: Path) -> list[tuple[str, str, Comparison]]:
    """(set or list, protocol, comparison) for everything that both runs were evaluated on, totals last.

    Args:
        first, second: run directories, or folders of per-sample rows.

    Raises:
        ValueError: a folder holds no rows of words, the two have no set and protocol in common, or they were evaluated on
            different samples of one name.
    """
    ours, theirs = _row_files(first), _row_files(second)
    common = [name for name in ours if name in theirs]
    if not common:
        raise ValueError(
            f"{first} and {second} were evaluated on nothing in common: {', '.join(ours)} there, {', '.join(theirs)} "
            "here; evaluate both with the same data= and protocol="
        )
    by_protocol: dict[str, dict[str, list[_Pair]]] = {}
    for name in common:
        set_and_split, _, protocol = name.rpartition("-")
        own = set_and_split.rpartition("-")[0]
        by_protocol.setdefault(protocol, {})[own] = _paired(name, own, read_rows(ours[name]), read_rows(theirs[name]))
    return [
        (name, protocol, _compared(pairs))
        for protocol, sets in by_protocol.items()
        for name, pairs in _lists(sets).items()
    ]


def config_difference(first: Path, second: Path) -> dict[str, tuple[Any, Any]]:
    """Dotted key -> values of two run directories, where what they compute differs; empty where one of them is no run directory."""
    paths = first / CONFIG, second / CONFIG
    if not all(path.is_file() for path in paths):
        return {}
    ours, theirs = (identity(from_yaml(path)) for path in paths)
    keys = sorted(ours.keys() | theirs.keys())
    return {key: (ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)}


def show_runs(first: Path, second: Path, console: Console) -> None:
    """What differs between two runs in config and in validation score; nothing where one of them is no run directory."""
    ours, theirs = RunRecord.read(first), RunRecord.read(second)
    if ours is None or theirs is None:
        return
    table = Table(title="A and B differ", title_justify="left", box=None, pad_edge=False)
    for column in ("in", "A", "B"):
        table.add_column(column, overflow="fold")
    for key, values in config_difference(first, second).items():
        table.add_row(key, *map(Text, map(str, values)))
    table.add_row(f"best validation {' | '.join(dict.fromkeys((ours.select, theirs.select)))}", *_scores(ours, theirs))
    console.print(table)


def _scores(first: RunRecord, second: RunRecord) -> list[str]:
    """Both best validation scores, the second with its distance from the first."""
    shown = ["-" if record.score is None else f"{record.score:.4f}" for record in (first, second)]
    if first.score is not None and second.score is not None:
        shown[1] += f" ({second.score - first.score:+.4f})"
    return shown


def _compared(pairs: Sequence[_Pair]) -> Comparison:
    first, second = [pair.first["correct"] for pair in pairs], [pair.second["correct"] for pair in pairs]
    return compare([pair.first["key"] for pair in pairs], first, second, [pair.set for pair in pairs])


def _row_files(folder: Path) -> dict[str, Path]:
    """Row files of a run by their names, ``<set>-<split>-<protocol>``."""
    inside = folder / PREDICTIONS if (folder / PREDICTIONS).is_dir() else folder
    files = {path.stem: path for path in sorted(inside.glob("*-*-*.jsonl"))}
    if not files:
        raise ValueError(f"{inside} holds no per-sample rows: `ocr evaluate CHECKPOINT data=…` makes them")
    return files


def _paired(name: str, own: str, first: list[Row], second: list[Row]) -> list[_Pair]:
    others = {row["key"]: row for row in second}
    if not all("correct" in row for row in (*first, *second)):
        raise ValueError(f"{name} holds no words but pictures: only readings of words are compared one by one")
    lacking = [row["key"] for row in first if row["key"] not in others]
    if lacking or len(first) != len(second):
        raise ValueError(
            f"{name}: the two runs were evaluated on different samples ({len(first):,} and {len(second):,}, "
            f"{len(lacking):,} of the first not in the second): evaluate both on the same set"
        )
    changed = [row["key"] for row in first if row["truth_folded"] != others[row["key"]]["truth_folded"]]
    if changed:
        raise ValueError(
            f"{name}: {len(changed):,} samples have another label in the second run (the first: {changed[0]}): "
            "evaluate both on the same version of the set"
        )
    return [_Pair(own, row, others[row["key"]]) for row in first]


def _lists(sets: dict[str, list[_Pair]]) -> dict[str, list[_Pair]]:
    """Pairs by set, by list and by total, totals last; a total that counts samples twice is no test and is left out."""
    lists: dict[str, list[_Pair]] = {}
    twice: set[str] = set()
    for name, pairs in sets.items():
        for pair in pairs:
            names = pair.first.get("lists", [name])
            twice.update(n for n in names if names.count(n) > 1)
            for each in dict.fromkeys(names):
                lists.setdefault(each, []).append(pair)
    whole = {name: pairs for name, pairs in lists.items() if name not in twice}
    if len(sets) > 1 and not any("lists" in pair.first for pairs in sets.values() for pair in pairs):
        whole["+".join(sets)] = [pair for pairs in lists.values() for pair in pairs]
    parts_last = sorted(whole, key=lambda name: len({pair.set for pair in whole[name]}) > 1)
    return {name: whole[name] for name in parts_last}


def show_comparison(found: Iterable[tuple[str, str, Comparison]], names: tuple[str, str], console: Console) -> None:
    """One row per set, list and total."""
    console.print(f"A: {names[0]}\nB: {names[1]}", highlight=False, markup=False, soft_wrap=True)
    table = Table(title="word accuracy on the same samples", title_justify="left", box=None, pad_edge=False)
    columns = ("set", "protocol", "n", "A", "B", "B - A", "95 %", "only A right", "only B right", "McNemar p")
    for column in columns:
        table.add_column(column)
    for name, protocol, c in found:
        interval = f"{c.interval[0]:+.4f} to {c.interval[1]:+.4f}" if c.interval else "-"
        numbers = [f"{c.n:,}", f"{c.first:.4f}", f"{c.second:.4f}", f"{c.difference:+.4f}", interval]
        table.add_row(name, protocol, *numbers, f"{c.only_first:,}", f"{c.only_second:,}", f"{c.p:.2g}")
    console.print(table)


def over_seeds(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Scores of runs that differ in their seed alone: ``model``, ``recipe``, ``trained_on``, ``set``, ``protocol``, ``metric``,
    ``n``, ``mean``, ``deviation`` (None for one seed) and the sorted ``seeds``.

    Args:
        folders: run directories that were evaluated.

    Raises:
        ValueError: two runs of one config and seed disagree on a score: then one of them is not what it says.
    """
    groups: dict[tuple[Any, ...], dict[int, dict[str, Any]]] = {}
    for folder in folders:
        for row in read_rows(folder / PREDICTIONS / SCORES):
            shared = ("config_hash_any_seed", "set", "split", "protocol", "protocol_version", "metric", "fingerprint")
            place = (*(row.get(key) for key in shared), Path(row["checkpoint"]).name)
            known = groups.setdefault(place, {}).setdefault(row["seed"], row)
            if known["value"] != row["value"]:
                raise ValueError(
                    f"{folder} and {Path(known['checkpoint']).parent} have one config and seed, and another "
                    f"{row['metric']} on {row['set']}: remove one of them"
                )
    return [_summary(list(rows.values())) for rows in groups.values()]


def _summary(rows: list[Row]) -> dict[str, Any]:
    mean, deviation = mean_and_deviation([row["value"] for row in rows])
    shared = ("model", "recipe", "trained_on", "set", "protocol", "metric", "n")
    seeds = sorted(row["seed"] for row in rows)
    return {**{key: rows[0].get(key) for key in shared}, "mean": mean, "deviation": deviation, "seeds": seeds}


def show_seeds(rows: Iterable[dict[str, Any]], console: Console) -> None:
    """One row per configuration, set, protocol and metric."""
    table = Table(title="mean ± standard deviation over seeds", title_justify="left", box=None, pad_edge=False)
    for column in ("model", "recipe", "trained on", "set", "protocol", "metric", "mean ± sd", "seeds", "n"):
        table.add_column(column)
    for row in rows:
        spread = f"{row['mean']:.4f} ± {row['deviation']:.4f}" if row["deviation"] is not None else f"{row['mean']:.4f}"
        told = [str(row[key] or "-") for key in ("model", "recipe")] + ["+".join(row["trained_on"] or {}) or "-"]
        table.add_row(
            *told, row["set"], row["protocol"], row["metric"], spread, str(len(row["seeds"])), f"{row['n']:,}"
        )
    console.print(table)
