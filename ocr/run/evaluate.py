"""Scores of a checkpoint on named sets under a named protocol, with one row kept per sample."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ocr import __version__
from ocr.config import build
from ocr.data.sets import SceneSet, WordSet, open_set
from ocr.data.store import UndecodableImage
from ocr.run import checkpoint
from ocr.run.logging import read_rows
from ocr.run.record import write_atomically
from ocr.types import Detection, Reading, Score

BATCH = {"detection": 4, "recognition": 256}
"""Samples that are held in memory and go through the network together."""
SCORES = "scores.jsonl"


@dataclass(slots=True)
class Evaluation:
    """The scores of one set with what makes them comparable, and the per-sample rows they were computed from."""

    set: str
    split: str
    kind: str
    fingerprint: str
    protocol: str
    version: str
    undecodable: list[str]
    scores: list[Score]
    rows: list[dict[str, Any]]
    by_height: list[dict[str, Any]]

    def table_rows(self, **extra: Any) -> list[dict[str, Any]]:
        """One plain row per score: what ``scores.jsonl`` and every table hold."""
        shared = {
            "split": self.split,
            "kind": self.kind,
            "fingerprint": self.fingerprint,
            "protocol_version": self.version,
            "undecodable": len(self.undecodable),
            "by_height": self.by_height,
        }
        return [{**asdict(score), **shared, **extra} for score in self.scores]


def check_protocol(protocol: Any, task: str) -> None:
    """Refuse a protocol of the other task.

    Raises:
        ValueError: one line.
    """
    of = "recognition" if hasattr(protocol, "fold") else "detection"
    if of != task:
        raise ValueError(f"protocol={protocol.name} is for {of}, and this is {task}: choose another protocol=")


def evaluate(deployed: Any, data: SceneSet | WordSet, protocol: Any, console: Console | None = None) -> Evaluation:
    """Run a detector or recogniser over a whole set and score it; ``console`` shows a bar.

    A picture that cannot be decoded counts as one on which nothing was found or read; its key is listed.

    Raises:
        ValueError: protocol and set are of different tasks.
    """
    check_protocol(protocol, data.task)
    rows: list[Any] = []
    undecodable: list[str] = []
    for samples in _batches(data, undecodable, console):
        rows += (
            _detected(deployed, samples, protocol) if data.task == "detection" else _read(deployed, samples, protocol)
        )
    result = protocol.result(rows)
    bins = result.by_height() if data.task == "detection" else []
    return Evaluation(
        data.name,
        data.split,
        data.kind,
        data.fingerprint,
        protocol.name,
        protocol.version,
        undecodable,
        result.scores(data.name),
        [asdict(row) for row in rows],
        [{"height": b.label, "recall": b.recall, "n": b.n} for b in bins],
    )


def _batches(data: SceneSet | WordSet, undecodable: list[str], console: Console | None) -> Iterator[list[Any]]:
    """The samples in order; one whose picture cannot be decoded has an empty picture, and its key is noted."""
    starts: Any = range(0, len(data), BATCH[data.task])
    if console is not None and console.is_terminal:
        starts = track(starts, description=f"{data.name}/{data.split}", transient=True, console=console)
    for start in starts:
        samples: list[Any] = []
        for index in range(start, min(start + BATCH[data.task], len(data))):
            try:
                samples.append(data[index])
            except UndecodableImage as error:
                undecodable.append(error.key)
                samples.append(data.without_picture(index))
        yield samples


def _detected(deployed: Any, samples: Sequence[Any], protocol: Any) -> list[Any]:
    found = iter(deployed.detect([s.image for s in samples if s.image.size]))
    nothing: list[Detection] = []
    return [protocol.row(next(found) if s.image.size else nothing, s.words, s.key) for s in samples]


def _read(deployed: Any, samples: Sequence[Any], protocol: Any) -> list[Any]:
    readings = iter(deployed.read([s.image for s in samples if s.image.size]))
    nothing = Reading("", 0.0)
    return [
        protocol.row(s.text, next(readings) if s.image.size else nothing, s.key, s.image.shape[1], s.image.shape[0])
        for s in samples
    ]


def evaluate_checkpoint(
    path: Path,
    names: Sequence[str],
    settings: dict[str, Any],
    out: Path | None,
    console: Console,
    split: str = "test",
    device: str | None = None,
) -> list[dict[str, Any]]:
    """Evaluate a checkpoint on sets by name; writes per-sample rows and ``scores.jsonl`` under ``out`` and returns the score rows.

    Args:
        path: a checkpoint of ours.
        names: sets under ``settings["root"]``, or paths of prepared sets.
        settings: a composed config as plain data: ``root`` and ``protocol`` are used.
        out: folder for the rows; None keeps nothing.
        console: where progress goes.
        split: which split of the sets.
        device: torch device; None: a GPU when there is one.
    """
    content = checkpoint.read(path)
    task = content["ocr"]["task"]
    protocol = build(settings["protocol"], "protocol")
    check_protocol(protocol, task)
    sets = [open_set(settings["root"], task, name, split) for name in names]
    deployed = checkpoint.deployable(path, device=device or ("cuda" if torch.cuda.is_available() else "cpu"))
    scores: list[dict[str, Any]] = []
    for data in sets:
        result = evaluate(deployed, data, protocol, console)
        if result.undecodable:
            shown = ", ".join(result.undecodable[:5])
            console.print(f"{data.name}: {len(result.undecodable)} undecodable, counted as nothing found: {shown}")
        scores += result.table_rows(**_origin(path, content))
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(out / f"{data.name}-{split}-{protocol.name}.jsonl", _lines(result.rows))
    if out is not None:
        _merge(out / SCORES, scores)
    return scores


def _origin(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """What a score row says of the model: enough to find the run and to tell two models apart."""
    origin = content.get("origin", {})
    settings = origin.get("settings", {})
    return {
        "checkpoint": str(path),
        "step": int(content.get("global_step", 0)),
        "model": origin.get("model"),
        "seed": settings.get("seed"),
        "config_hash": origin.get("config_hash"),
        "trained_on": {name: part["fingerprint"] for name, part in origin.get("trained_on", {}).items()},
        "version": __version__,
    }


def _merge(path: Path, scores: Sequence[dict[str, Any]]) -> None:
    """Add score rows to a file; a row takes the place of the one it repeats."""

    def place(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row.get(k) for k in ("set", "split", "protocol", "metric", "checkpoint"))

    new = {place(row) for row in scores}
    write_atomically(path, _lines([row for row in read_rows(path) if place(row) not in new] + list(scores)))


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False, default=_plain) + "\n" for row in rows)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def print_scores(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """The score table on the terminal; stand-ins are named as such on every row."""
    table = Table(title="scores", title_justify="left", box=None, pad_edge=False)
    for column in ("set", "data", "protocol", "metric", "value", "95 %", "n", "fingerprint"):
        table.add_column(column)
    for row in rows:
        interval = f"{row['low']:.4f}-{row['high']:.4f}" if row["low"] is not None else "-"
        kind = row["kind"] if row["kind"] == "real" else f"[yellow]{row['kind']} stand-in"
        numbers = [f"{row['value']:.4f}", interval, str(row["n"]), row["fingerprint"][:12]]
        table.add_row(row["set"], kind, row["protocol"], row["metric"], *numbers)
    console.print(table)
    bins = {row["set"]: row["by_height"] for row in rows if row.get("by_height")}
    for name, entries in bins.items():
        text = "  ".join(f"{b['height']}: {b['recall']:.3f} (n={b['n']})" for b in entries if b["n"])
        console.print(f"{name}: recall by word height in pixels  {text}", highlight=False)
