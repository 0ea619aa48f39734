"""Tables as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Cell = str | float | int | None

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "Δ": r"$\Delta$", "–": "--", "±": r"$\pm$", "−": "$-$", "×": r"$\times$",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: a title that says profile and data, column heads, and rows of as many cells; ``notes`` stand below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            assert len(row) == len(self.columns), f"{self.title}: {row} has not the columns {self.columns}"

    @property
    def numeric(self) -> list[bool]:
        """Whether a column holds numbers alone."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        return [any(_number(v) for v in c) and all(v is None or _number(v) for v in c) for c in columns]


def _number(value: Cell) -> bool:
    return isinstance(value, int | float)


def text(value: Cell, digits: int = 2) -> str:
    """A value as it is read; nothing is an empty text."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.{digits}f}" if isinstance(value, float) else f"{value:,}" if _number(value) else str(value)


def markdown(grid: Grid) -> str:
    """A table of GitHub's kind, its columns of equal width."""
    cells = [[_bar(text(value)) for value in row] for row in (grid.columns, *grid.rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(grid.columns))]
    right = grid.numeric

    def line(row: Sequence[str]) -> str:
        fitted = (v.rjust(w) if r else v.ljust(w) for v, w, r in zip(row, widths, right, strict=True))
        return "| " + " | ".join(fitted) + " |"

    rule = "|" + "|".join(f"{'-' * (w + 1)}{':' if r else '-'}" for w, r in zip(widths, right, strict=True)) + "|"
    notes = [f"\n{note}" for note in grid.notes]
    return "\n".join([f"**{grid.title}**\n", line(cells[0]), rule, *map(line, cells[1:]), *notes]) + "\n"


def _bar(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")


def comma_separated(grid: Grid) -> str:
    """CSV with a head, numbers in full."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(grid.columns)
    writer.writerows(["" if value is None else value for value in row] for row in grid.rows)
    return stream.getvalue()


def latex(grid: Grid) -> str:
    """A ``table`` with booktabs' rules."""
    layout = "".join("r" if number else "l" for number in grid.numeric)
    lines = [" & ".join(_escaped(text(value)) for value in row) + r" \\" for row in (grid.columns, *grid.rows)]
    caption = _escaped(". ".join([grid.title, *grid.notes]))
    body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    head = [r"\begin{table}", rf"\caption{{{caption}}}", rf"\begin{{tabular}}{{{layout}}}"]
    return "\n".join([*head, *body, r"\end{tabular}", r"\end{table}"]) + "\n"


def _escaped(value: str) -> str:
    return "".join(LATEX.get(character, character) for character in value)


FORMATS: dict[str, Callable[[Grid], str]] = {"markdown": markdown, "csv": comma_separated, "latex": latex}
"""By name."""
ENDINGS = {"markdown": "md", "csv": "csv", "latex": "tex"}
"""Of files."""
