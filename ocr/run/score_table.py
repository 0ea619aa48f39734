"""Score rows on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ocr.metrics.breakdown import Bin

BROKEN_DOWN = ("recall", "word_accuracy")
"""Metrics that are shown by size, shape and direction of the words."""


def plain_bins(bins: Sequence[Bin]) -> list[dict[str, Any]]:
    """Bins as a score row holds them; bins without words are left out."""
    return [{"by": b.by, "label": b.label, "share": b.recall, "n": b.n} for b in bins if b.n]


def print_scores(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """The score table; stand-ins are named as such on every row.

    Below it recall or word accuracy by kind of word, of each set under its first protocol: the one that was asked for.
    """
    table = Table(title="scores", title_justify="left", box=None, pad_edge=False)
    for column in ("set", "data", "protocol", "metric", "value", "95 %", "n", "fingerprint"):
        table.add_column(column)
    for row in rows:
        interval = f"{row['low']:.4f}-{row['high']:.4f}" if row["low"] is not None else "-"
        kind = row["kind"] if row["kind"] == "real" else f"[yellow]{row['kind']} stand-in"
        numbers = [f"{row['value']:.4f}", interval, str(row["n"]), row["fingerprint"][:12]]
        table.add_row(row["set"], kind, row["protocol"], row["metric"], *numbers)
    console.print(table)
    for model, weights in dict.fromkeys((row.get("model"), row.get("first_weights")) for row in rows):
        if weights:
            console.print(f"first weights of {model}: {weights}", highlight=False, markup=False, soft_wrap=True)
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["metric"] in BROKEN_DOWN and row.get("breakdown"):
            first.setdefault(row["set"], row)
    for row in first.values():
        _print_breakdown(row, console)


def _print_breakdown(row: dict[str, Any], console: Console) -> None:
    what = row["metric"].replace("_", " ")
    for by in dict.fromkeys(entry["by"] for entry in row["breakdown"]):
        entries = [e for e in row["breakdown"] if e["by"] == by]
        text = "  ".join(f"{e['label']}: {e['share']:.3f} (n={e['n']})" for e in entries)
        console.print(f"{row['set']}, {row['protocol']}: {what} by {by}  {text}", highlight=False, soft_wrap=True)
