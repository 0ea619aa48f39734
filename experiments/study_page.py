"""A study as one self-contained page, with its plots as files beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2

from experiments import samples
from experiments.formats import Grid
from experiments.sections import points, published_points
from experiments.standing import Standing
from ocr import page as html
from ocr.page import Html
from ocr.types import Image

Figure = tuple[str, str, Image]
"""File name without ending, caption, picture."""


def write_study(found: Standing, grids: Sequence[Grid], folder: Path, root: Path) -> Path:
    """Write plots (PNG) and ``study.html`` into a folder; the page's path.

    Raises:
        ValueError: matplotlib is not there.
    """
    figures = list(_figures(found, root))
    for name, _, image in figures:
        cv2.imwrite(str(folder / f"{name}.png"), image[..., ::-1])
    lead = f"Profile {found.profile.name}: {found.profile.about}. {_told(found)}"
    parts = [html.section(title, *tables) for title, tables in _tables(grids).items()]
    plots = html.section("Plots", *(html.picture(image, caption) for _, caption, image in figures))
    notes = [html.section("Notes", *map(html.paragraph, found.notes))] if found.notes else []
    document = html.page(found.study.title, lead, *([plots] if figures else []), *parts, *notes)
    return html.write_page(folder / "study.html", document)


def _told(found: Standing) -> str:
    """How far the table is."""
    states = Counter(line.state for line in found.lines if line.column == found.profile.main.name)
    return "Cells: " + ", ".join(f"{count} {state}" for state, count in states.most_common()) + "."


def _tables(grids: Sequence[Grid]) -> dict[str, list[Html]]:
    """Tables by the heading they stand under: what follows the colon of their titles."""
    given: dict[str, list[Html]] = {}
    for grid in grids:
        title = grid.title.partition(": ")[2] or grid.title
        table = html.table(grid.columns, grid.rows)
        given.setdefault(title, []).extend([table, *map(html.paragraph, grid.notes)])
    return given


def _figures(found: Standing, root: Path) -> Iterator[Figure]:
    """Every plot there is something for."""
    try:
        from experiments import plot
    except ModuleNotFoundError as error:
        raise ValueError(f"plots need {error.name}: pip install '.[report]'") from None
    kinds = _kinds(found)
    main = found.profile.main
    gain = f"ours: {main.metric.replace('_', ' ')} on {main.set}, %"
    for axis, unit in (("latency", "ms for one word, batch 1"), ("parameters", "million parameters")):
        ours, paper = points(found, axis), published_points(found, axis)
        if f"accuracy over {axis}" in found.study.frontiers and ours:
            image = plot.frontier_plot(ours, paper, kinds, unit, gain)
            yield (
                f"frontier-{axis}",
                f"Accuracy over {axis}: ours with the Pareto front, the paper's points in grey",
                image,
            )
    curves = samples.learning_curves(found)
    if curves:
        yield "learning-curves", "Validation over training, first seed of every cell", plot.curves(curves, kinds)
    if found.study.stages:
        yield from _of_words(found, root, kinds)


def _of_words(found: Standing, root: Path, kinds: Mapping[str, tuple[str, str]]) -> Iterator[Figure]:
    """What needs every word of every cell."""
    from experiments import plot

    rows = samples.predictions(found)
    if not rows:
        return
    yield "calibration", "Confidence and accuracy, one line a cell", plot.calibration(rows, kinds)
    confused = samples.confusions(row for of_cell in rows.values() for row in of_cell)
    if confused:
        yield "confusion", "Characters read as others, all cells together", plot.confusion(confused)
    missed, seen = samples.missed_by_all(rows)
    image = samples.sheet(missed, root, found.profile.main.set)
    if image is not None:
        caption = f"Words that all {len(rows)} cells miss: {len(missed):,} of {seen:,} ({len(missed) / seen:.1%}); text → commonest reading"
        yield "missed-by-all", caption, image


def _kinds(found: Standing) -> dict[str, tuple[str, str]]:
    """What colour and marker of a cell stand for: feature extractor and prediction where there are such stages, else its name."""
    kinds = {}
    for cell in found.cells():
        chosen = dict(choice.split("=", 1) for choice in cell.choices)
        named = [chosen[stage] for stage in ("feat", "pred") if stage in chosen and stage in found.study.stages]
        kinds[cell.name] = (named[0], named[1]) if len(named) == 2 else (found.label(cell), "")
    return kinds
