"""The parts of a report as tables: scores, rank correlations, averages by module, frontiers, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from experiments.curves import WEAK
from experiments.formats import Cell, Grid
from experiments.intervals import Mean, frontier, mean_difference, rank_correlation
from experiments.samples import missed_by_all, predictions
from experiments.standing import Line, Standing
from experiments.study import NOT_CONVERGED

DASH = "–"


def scores(found: Standing) -> list[Grid]:
    """paper | ours | Δ | n | seeds | 95 % interval | state, a table for each column; rows of another kind in a table of their own."""
    grids = []
    for column in found.profile.columns:
        lines = [line for line in found.lines if line.column == column and _meant(found, line)]
        if any(line.ours is not None or line.paper is not None for line in lines):
            grids.append(_scores(found, f"{column} ({lines[0].unit})", lines))
    if found.apart:
        title = "rows that are kept apart: they differ in more than the cell"
        grids.append(_scores(found, title, found.apart, more=True))
    return grids


def _meant(found: Standing, line: Line) -> bool:
    """Whether a cell belongs into a column: we or the paper have, or might have, a number."""
    return line.ours is not None or found.study.published(line.cell, line.column) is not None


def _scores(found: Standing, what: str, lines: list[Line], more: bool = False) -> Grid:
    columns = ("cell", "paper", "ours", "Δ", "n", "seeds", "95 % interval", "data", "state")
    rows = []
    for line in lines:
        state = line.state if not line.other else f"{line.state}; {line.other}"
        if not more and _not_converged(found, line):
            state += ", not converged"
        interval = _between(line.low, line.high)
        kind = {"rendered": "rendered stand-in"}.get(line.kind, line.kind)
        rows.append((line.label, line.paper, line.ours, line.delta, line.n, line.seeds or None, interval, kind, state))
    return Grid(f"{found.study.name}, profile {found.profile.name}: {what}", columns, tuple(rows), _legend(found))


def _not_converged(found: Standing, line: Line) -> bool:
    return line.ours is not None and line.column == found.profile.main.name and not found.converged(line.cell)


def _legend(found: Standing) -> tuple[str, ...]:
    main = found.profile.main
    told = [f"Profile {found.profile.name}: {found.profile.about}."]
    if found.profile.name not in ("paper", "published"):
        told.append(f"Ours is {main.metric} on {main.set}, not on the published sets: Δ is no error of reproduction.")
    if any(line.state != "missing" and _not_converged(found, line) for line in found.lines):
        told.append(f"Not converged: less than {100 * NOT_CONVERGED:.0f} %.")
    began = Counter(
        row.first_weights for cell in found.cells() for row in found.finished(cell.name) if row.first_weights
    )
    if began:
        told.append(
            f"First weights: {'; '.join(f'{weights}, {count} runs' for weights, count in began.most_common())}."
        )
    return (" ".join(told),)


def _between(low: float | None, high: float | None, digits: int = 1) -> str | None:
    return None if low is None or high is None else f"{low:.{digits}f} {DASH} {high:.{digits}f}"


# --- ranks --------------------------------------------------------------------------------------------------------------


def ranks(found: Standing) -> list[Grid]:
    """Spearman's correlations between our values and the published ones over the cells, with and without what did not converge."""
    rows: list[tuple[Cell, ...]] = []
    for name, pairs in _pairs(found):
        for which, kept in (("all cells", pairs), ("converged cells", _only_converged(found, pairs))):
            value = rank_correlation([a for a, _ in kept.values()], [b for _, b in kept.values()])
            told = value or Mean(float("nan"), None, None, len(kept))
            rows.append((name, which, told.count, told.value, _between(told.low, told.high, 2)))
    if not rows:
        return []
    columns = ("ours against the paper's", "over", "cells", "Spearman's ρ", "95 % interval")
    note = "Rank correlation over the cells; every cell counts once, with its mean over seeds."
    return [Grid(f"{found.study.name}, profile {found.profile.name}: ranks", columns, tuple(rows), (note,))]


def _pairs(found: Standing) -> Iterator[tuple[str, dict[str, tuple[float, float]]]]:
    """(what, cell -> (ours, the paper's))."""
    for column in _scored_columns(found):
        against = column if column in found.profile.columns else found.profile.main.name
        pairs = {}
        for cell in found.cells():
            ours, published = _value(found, cell.name, column), found.study.published(cell.name, against)
            if ours is not None and published is not None and published.value is not None:
                pairs[cell.name] = (ours, published.value)
        if pairs:
            yield (column if column in found.profile.columns else f"{column} (against {against})"), pairs
    for title, costs in (("latency, published size", found.full_costs), ("latency, this profile", found.costs)):
        pairs = {}
        for cell in found.cells():
            published = found.study.published(cell.name, "latency")
            if cell.name in costs and published is not None and published.value is not None:
                pairs[cell.name] = (costs[cell.name].p50, published.value)
        if pairs and (title != "latency, this profile" or found.profile.name != "paper"):
            yield title, pairs


def _scored_columns(found: Standing) -> list[str]:
    """The profile's columns, then every other set with word accuracies, as ``set, protocol``."""
    named = {(c.set, c.protocol) for c in found.profile.columns.values()}
    others = dict.fromkeys(
        f"{score['set']}, {score['protocol']}"
        for cell in found.cells()
        for row in found.together(cell.name)
        for score in row.scores
        if score["metric"] == "word_accuracy" and (score["set"], score["protocol"]) not in named
    )
    return [*found.profile.columns, *others]


def _value(found: Standing, cell: str, column: str) -> float | None:
    """The mean over seeds in a column, or on a set that has no column."""
    line = found.of(cell, column)
    if line is not None:
        return line.ours
    set_, _, protocol = column.rpartition(", ")
    values = [s["value"] for row in found.together(cell) if (s := row.score(set_, "word_accuracy", protocol))]
    return 100 * sum(values) / len(values) if values else None


def _only_converged(found: Standing, pairs: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    return {name: pair for name, pair in pairs.items() if found.converged(name)}


def further_sets(found: Standing) -> list[Grid]:
    """Accuracy on the sets that have no published column: one row a cell, one column a set."""
    names = [name for name in _scored_columns(found) if name not in found.profile.columns]
    if not names:
        return []
    rows = [
        (found.label(cell), *(_value(found, cell.name, name) for name in names), len(found.together(cell.name)) or None)
        for cell in found.cells()
    ]
    title = f"{found.study.name}, profile {found.profile.name}: word accuracy on further sets (%)"
    return [Grid(title, ("cell", *names, "seeds"), tuple(rows))]


# --- modules ------------------------------------------------------------------------------------------------------------


def modules(found: Standing) -> list[Grid]:
    """Mean of the cells with each module, and its difference to the stage's first module over pairs of cells equal in all else."""
    grids = []
    for converged in (False, True):
        rows = [row for stage in found.study.stages for row in _stage(found, stage, converged)]
        shown = [row for row in rows if row[2] is not None]
        if shown and not (converged and all(found.converged(c.name) for c in found.cells())):
            over = "pairs of which both have converged" if converged else "all pairs"
            title = f"{found.study.name}, profile {found.profile.name}: averages by module, {over}"
            heads = ("stage", "module", "mean (%)", "Δ ours", "95 % interval", "pairs", "Δ paper, same pairs")
            note = "Δ is the mean over pairs of cells that differ in this module alone; its interval is Student's over the pairs."
            grids.append(Grid(title, heads, tuple(rows), (note,)))
    return grids


def _stage(found: Standing, stage: str, converged: bool) -> Iterator[tuple[Cell, ...]]:
    main = found.profile.main.name
    ours = {c.name: v for c in found.cells() if (v := _value(found, c.name, main)) is not None}
    if converged:
        ours = {name: value for name, value in ours.items() if found.converged(name)}
    modules_of = _levels(found, stage)
    first = next(iter(modules_of))
    for module, cells in modules_of.items():
        values = [ours[name] for name in cells.values() if name in ours]
        mean = sum(values) / len(values) if values else None
        pairs = [(modules_of[first][rest], name) for rest, name in cells.items() if rest in modules_of[first]]
        both = [(a, b) for a, b in pairs if a in ours and b in ours] if module != first else []
        if not both:
            yield (stage, module, mean, None, None, None, None)
            continue
        change = mean_difference([ours[b] - ours[a] for a, b in both])
        theirs = [d for a, b in both if (d := _published_change(found, a, b)) is not None]
        yield (
            stage,
            module,
            mean,
            change.value,
            _between(change.low, change.high),
            change.count,
            sum(theirs) / len(theirs) if theirs else None,
        )


def _levels(found: Standing, stage: str) -> dict[str, dict[tuple[str, ...], str]]:
    """module -> (the other stages' choices -> cell)."""
    levels: dict[str, dict[tuple[str, ...], str]] = {}
    for cell in found.cells():
        chosen = dict(o.split("=", 1) for o in cell.choices)
        rest = tuple(chosen[other] for other in found.study.stages if other != stage)
        levels.setdefault(chosen[stage], {})[rest] = cell.name
    return levels


def _published_change(found: Standing, first: str, second: str) -> float | None:
    values = [found.study.published(cell, found.profile.main.name) for cell in (first, second)]
    a, b = (None if v is None else v.value for v in values)
    return None if a is None or b is None else b - a


# --- frontiers and cost -------------------------------------------------------------------------------------------------


def points(found: Standing, axis: str) -> dict[str, tuple[float, float]]:
    """Cell -> (latency in ms or parameters in millions, our main score) of the profile's own networks."""
    placed = {}
    for cell in found.cells():
        gain = _value(found, cell.name, found.profile.main.name)
        cost = _cost(found, cell.name, axis)
        if gain is not None and cost is not None:
            placed[cell.name] = (cost, gain)
    return placed


def _cost(found: Standing, cell: str, axis: str) -> float | None:
    if axis == "latency":
        return found.costs[cell].p50 if cell in found.costs else None
    rows = [row.parameters for row in found.together(cell) if row.parameters]
    return rows[0] / 1e6 if rows else None


def published_points(found: Standing, axis: str) -> dict[str, tuple[float, float]]:
    """Cell -> (latency in ms or parameters in millions, score) as published; parameters of the public code where the paper has none."""
    placed = {}
    for cell in found.cells():
        gain = found.study.published(cell.name, "total")
        costs = [found.study.published(cell.name, name) for name in (axis, f"{axis}_of_code")]
        cost = next((c.value for c in costs if c is not None and c.value is not None), None)
        if gain is not None and gain.value is not None and cost is not None:
            placed[cell.name] = (cost, gain.value)
    return placed


def frontiers(found: Standing) -> list[Grid]:
    """For every frontier: ours, the published points' own, and what the paper names."""
    grids = []
    for name, stated in found.study.frontiers.items():
        axis = name.rpartition(" ")[2]
        unit = "ms" if axis == "latency" else "M parameters"
        ours, theirs = points(found, axis), published_points(found, axis)
        best, published = frontier(ours), frontier(theirs)
        rows = [
            (
                found.study.labels.get(cell, cell),
                *(ours.get(cell, (None, None))),
                "yes" if cell in best else "",
                *(theirs.get(cell, (None, None))),
                "yes" if cell in published else "",
                f"{stated.index(cell) + 1}" if cell in stated else "",
            )
            for cell in sorted({*best, *published, *stated}, key=lambda c: theirs.get(c, (0.0, 0.0)))
        ]
        heads = (
            "cell", f"ours, {unit}", "ours, %", "on our frontier", f"paper, {unit}", "paper, %", "on that of its points", "named by it",
        )  # fmt: skip
        grids.append(Grid(f"{found.study.name}, profile {found.profile.name}: {name}", heads, tuple(rows)))
    return grids


def cost(found: Standing) -> list[Grid]:
    """Latency, parameters and FLOPs, at the published size and at the profile's."""
    rows = []
    for cell in found.cells():
        full, own = found.full_costs.get(cell.name), found.costs.get(cell.name)
        published = [found.study.published(cell.name, n) for n in ("latency", "parameters_of_code", "flops")]
        known = [p.value if p else None for p in published]
        if full or own:
            rows.append(
                (
                    found.label(cell),
                    known[0],
                    full.p50 if full else None,
                    own.p50 if own else None,
                    known[1],
                    full.parameters / 1e6 if full else None,
                    known[2],
                    full.comparison / 1e9 if full and full.comparison else None,
                )
            )
    if not rows:
        return []
    heads = (
        "cell", "paper, ms", "ours, ms", f"{found.profile.name}, ms", "public code, M", "ours, M", "public code, GFLOPs", "ours, GFLOPs",
    )  # fmt: skip
    devices = sorted({f"{c.device}, {c.threads} thread, {c.precision}" for c in found.full_costs.values()})
    busy = sum("busy" in c.verdict for c in found.full_costs.values())
    note = (
        f"The paper's time is of a Tesla P40; ours: {'; '.join(devices)}; batch 1, the network alone; "
        f"the machine was busy with other work for {busy} of the cells."
    )
    return [Grid(f"{found.study.name}: cost of one word", heads, tuple(rows), (note,))]


# --- what stands beside the cells ---------------------------------------------------------------------------------------


def others(found: Standing) -> list[Grid]:
    """Published numbers of what is no cell of ours."""
    names = {cell.name for cell in found.study.cells}
    given = {key: value for key, value in found.study.paper.items() if key[0] not in names}
    columns = list(dict.fromkeys(column for _, column, _ in given))
    rows = [
        (name, *((p.value if (p := given.get((name, column, ""))) else None) for column in columns))
        for name in dict.fromkeys(name for name, _, _ in given)
    ]
    if not rows:
        return []
    sources = ", ".join(dict.fromkeys(value.source for value in given.values() if value.source))
    return [Grid(f"{found.study.name}: published", ("", *columns), tuple(rows), (f"Sources: {sources}.",))]


def splitting(found: Standing) -> list[Grid]:
    """What the pseudo labels of weak supervision were like over the training, at ten moments."""
    grids = []
    for cell in found.cells():
        for row in found.together(cell.name)[:1]:
            moments = [r for r in row.curve if any(key.startswith(WEAK) for key in r)]
            keys = sorted({key for r in moments for key in r if key.startswith(WEAK)})
            if moments:
                rows = [(int(r["step"]), *(r.get(key) for key in keys)) for r in moments]
                title = (
                    f"{found.study.name}, profile {found.profile.name}: {found.label(cell)}, pseudo labels up to a step"
                )
                grids.append(Grid(title, ("step", *(key.removeprefix(WEAK) for key in keys)), tuple(rows)))
    return grids


def failures(found: Standing) -> list[Grid]:
    """Words of the main set that no cell reads, by length; from the run directories, so nothing where they are not."""
    rows = predictions(found)
    if not rows:
        return []
    missed, seen = missed_by_all(rows)
    lengths = Counter(len(row["truth_folded"]) for row in next(iter(rows.values())))
    wrong = Counter(len(word.folded) for word in missed)
    shares = [(str(n), lengths[n], wrong[n], 100 * wrong[n] / lengths[n]) for n in sorted(lengths)]
    table = [("all", seen, len(missed), 100 * len(missed) / seen), *shares]
    title = f"{found.study.name}, profile {found.profile.name}: words that all {len(rows)} cells miss"
    note = f"Set {found.profile.main.set}, {found.profile.main.protocol}, first seed of every cell."
    return [Grid(title, ("letters and digits", "words", "missed by all", "share (%)"), tuple(table), (note,))]


SECTIONS: dict[str, Callable[[Standing], list[Grid]]] = {
    "scores": lambda found: [*scores(found), *further_sets(found)],
    "ranks": ranks,
    "modules": modules,
    "frontiers": frontiers,
    "cost": cost,
    "others": others,
    "splitting": splitting,
    "failures": failures,
}
"""By the name that a sweep.yaml gives."""
