"""Scores of a checkpoint on named sets under a named protocol, with one row kept per sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
from ocr.run.record import write_atomically
from ocr.types import Image, Score

BATCH = {"detection": 4, "recognition": 256}
"""Samples that are held in memory and go through the network together."""


@dataclass(slots=True)
class Evaluation:
    """The scores of one set with what makes them comparable, and the per-sample rows they were computed from."""

    set: str
    split: str
    kind: str
    fingerprint: str
    protocol: str
    version: str
    n: int
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
        }
        return [{**asdict(score), **shared, **extra} for score in self.scores]


def evaluate(deployed: Any, data: SceneSet | WordSet, protocol: Any, progress: bool = False) -> Evaluation:
    """Run a detector or recogniser over a whole set and score it.

    A picture that cannot be decoded counts as one on which nothing was found or read; its key is listed.

    Raises:
        ValueError: protocol and set are of different tasks, or the set is empty.
    """
    task = "detection" if isinstance(data, SceneSet) else "recognition"
    if hasattr(protocol, "fold") != (task == "recognition"):
        raise ValueError(f"protocol={protocol.name} does not fit {data.name}, which is a {task} set")
    rows: list[Any] = []
    undecodable: list[str] = []
    starts: Any = range(0, len(data), BATCH[task])
    for start in track(starts, description=f"{data.name}/{data.split}", transient=True) if progress else starts:
        samples = [_sample(data, i, undecodable) for i in range(start, min(start + BATCH[task], len(data)))]
        rows += _detected(deployed, samples, protocol) if task == "detection" else _read(deployed, samples, protocol)
    result = protocol.result(rows)
    bins = (
        [{"height": b.label, "recall": b.recall, "n": b.n} for b in result.by_height()] if task == "detection" else []
    )
    return Evaluation(
        data.name,
        data.split,
        data.kind,
        data.fingerprint,
        protocol.name,
        protocol.version,
        len(rows),
        undecodable,
        result.scores(data.name),
        [asdict(row) for row in rows],
        bins,
    )


def _sample(data: SceneSet | WordSet, index: int, undecodable: list[str]) -> Any:
    try:
        return data[index]
    except UndecodableImage as error:
        undecodable.append(error.key)
        return data.without_picture(index)


def _detected(deployed: Any, samples: Sequence[Any], protocol: Any) -> list[Any]:
    found = deployed.detect([s.image for s in samples])
    return [protocol.row(boxes, scene.words, scene.key) for boxes, scene in zip(found, samples, strict=True)]


def _read(deployed: Any, samples: Sequence[Any], protocol: Any) -> list[Any]:
    images: list[Image] = [s.image for s in samples]
    readings = deployed.read(images)
    sized = [(s, r, s.image.shape[1], s.image.shape[0]) for s, r in zip(samples, readings, strict=True)]
    return [protocol.row(s.text, reading, s.key, width, height) for s, reading, width, height in sized]


def evaluate_checkpoint(
    path: Path, names: Sequence[str], settings: dict[str, Any], out: Path | None, console: Console, split: str = "test"
) -> list[dict[str, Any]]:
    """Evaluate a checkpoint on sets by name; writes per-sample rows and ``scores.jsonl`` under ``out`` and returns the score rows.

    Args:
        path: a checkpoint of ours.
        names: sets under ``settings["root"]``, or paths of prepared sets.
        settings: a composed config as plain data: ``root`` and ``protocol`` are used.
        out: folder for the rows; None keeps nothing.
        console: where progress goes.
        split: which split of the sets.
    """
    content = checkpoint.read(path)
    task = content["ocr"]["task"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    deployed = checkpoint.deployable(path, device=device)
    protocol = build(settings["protocol"], "protocol")
    origin = {
        "checkpoint": str(path),
        "step": int(content["global_step"]),
        "model": content["origin"]["model"],
        "seed": content["origin"]["settings"]["seed"],
        "config_hash": content["origin"]["config_hash"],
        "trained_on": {name: part["fingerprint"] for name, part in content["origin"]["trained_on"].items()},
        "version": __version__,
    }
    scores: list[dict[str, Any]] = []
    for name in names:
        data = open_set(settings["root"], task, name, split)
        result = evaluate(deployed, data, protocol, progress=console.is_terminal)
        if result.undecodable:
            console.print(
                f"{name}: {len(result.undecodable)} undecodable, counted as nothing found: {', '.join(result.undecodable[:5])}"
            )
        scores += result.table_rows(by_height=result.by_height, **origin)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            lines = "".join(json.dumps(row, ensure_ascii=False, default=_plain) + "\n" for row in result.rows)
            write_atomically(out / f"{data.name}-{split}-{protocol.name}.jsonl", lines)
    if out is not None:
        with (out / "scores.jsonl").open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row, ensure_ascii=False, default=_plain) + "\n" for row in scores)
    return scores


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
        table.add_row(
            row["set"],
            kind,
            row["protocol"],
            row["metric"],
            f"{row['value']:.4f}",
            interval,
            str(row["n"]),
            row["fingerprint"][:12],
        )
    console.print(table)
    bins = {row["set"]: row["by_height"] for row in rows if row.get("by_height")}
    for name, entries in bins.items():
        text = "  ".join(f"{b['height']}: {b['recall']:.3f} (n={b['n']})" for b in entries if b["n"])
        console.print(f"{name}: recall by word height in pixels  {text}", highlight=False)
