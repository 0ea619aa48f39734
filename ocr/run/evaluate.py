"""Scores of a checkpoint on named sets under a named protocol, with one row kept per sample."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from ocr import __version__
from ocr.config import build, identity_hash
from ocr.data.sets import SceneSet, WordSet, open_set
from ocr.data.store import UndecodableImage
from ocr.metrics.benchmark import WordBenchmark
from ocr.metrics.breakdown import Bin, recognition_bins
from ocr.metrics.calibration import coverage_bins
from ocr.metrics.companions import with_companions
from ocr.metrics.iou import BoxProtocol
from ocr.metrics.result_files import Found, shared_form, write_results
from ocr.metrics.words import WordProtocol, WordResult, WordRow
from ocr.run import checkpoint
from ocr.run.logging import SCORES, read_rows
from ocr.run.record import write_atomically
from ocr.run.score_table import plain_bins
from ocr.types import Detection, Reading, Score

BATCH = {"detection": 4, "recognition": 256}
"""Samples that are held in memory and go through the network together."""


@dataclass(slots=True)
class Pass:
    """What a model gave for every sample of a set, in order: the arguments of a protocol's ``row``; from one inference."""

    data: SceneSet | WordSet
    outputs: list[tuple[Any, ...]]
    undecodable: list[str]


@dataclass(slots=True)
class Evaluation:
    """The scores of one set, or list of a benchmark, with what makes them comparable, and the per-sample rows behind them."""

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
    breakdown: list[dict[str, Any]]

    def table_rows(self, **extra: Any) -> list[dict[str, Any]]:
        """One plain row per score: what ``scores.jsonl`` and every table hold."""
        shared = {
            "split": self.split,
            "kind": self.kind,
            "fingerprint": self.fingerprint,
            "protocol_version": self.version,
            "undecodable": len(self.undecodable),
            "by_height": self.by_height,
            "breakdown": self.breakdown,
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
    if task == "detection" and protocol.needs_texts:
        raise ValueError(
            f"protocol={protocol.name} compares what was read, and a detector reads nothing: score a result archive with texts "
            "(ocr score), or choose another protocol="
        )


def evaluate(deployed: Any, data: SceneSet | WordSet, protocol: Any, console: Console | None = None) -> Evaluation:
    """Run a detector or recogniser over a whole set and score it; ``console`` shows a bar.

    A picture that cannot be decoded counts as one on which nothing was found or read; its key is listed.

    Raises:
        ValueError: protocol and set are of different tasks.
    """
    check_protocol(protocol, data.task)
    return score(infer(deployed, data, console), protocol)


def infer(deployed: Any, data: SceneSet | WordSet, console: Console | None = None) -> Pass:
    """Run a detector or recogniser over a whole set once; any number of protocols can score what it gave."""
    found = Pass(data, [], [])
    outputs = _detected if data.task == "detection" else _read
    for samples in _batches(data, found.undecodable, console):
        found.outputs += outputs(deployed, samples)
    return found


def score(found: Pass, protocol: Any) -> Evaluation:
    """Score a set under a protocol; one whose words are labelled in part has recall and area recall, and no precision."""
    rows = [protocol.row(*output) for output in found.outputs]
    result = protocol.result(rows)
    scores = result.scores(found.data.name)
    if found.data.manifest.partial:
        scores = [s for s in scores if s.metric in ("recall", "area_recall")]
    evaluation = _evaluation([found], found.data.name, protocol, scores)
    evaluation.rows = [asdict(row) for row in rows]
    if isinstance(protocol, BoxProtocol):
        evaluation.by_height = [{"height": b.label, "recall": b.recall, "n": b.n} for b in result.by_height()]
    evaluation.breakdown = plain_bins(result.breakdown() if found.data.task == "detection" else _word_bins(result.rows))
    return evaluation


def score_together(passes: Sequence[Pass], protocol: WordProtocol) -> Evaluation:
    """Score several word sets as one, weighted by samples; its name is theirs with ``+`` between."""
    rows = [protocol.row(*output) for found in passes for output in found.outputs]
    result = WordResult(protocol, rows, [found.data.name for found in passes for _ in found.outputs])
    name = "+".join(found.data.name for found in passes)
    evaluation = _evaluation(passes, name, protocol, result.scores(name))
    evaluation.breakdown = plain_bins(_word_bins(rows))
    return evaluation


def score_benchmark(passes: Sequence[Pass], benchmark: WordBenchmark) -> tuple[list[Evaluation], list[Evaluation]]:
    """Score a benchmark's lists and totals; also its sets, with rows that say which lists each sample is of, and no scores.

    Raises:
        ValueError: a list has another size than was published.
    """
    of = {found.data.name: found for found in passes}
    rows = {name: [benchmark.row(*output) for output in found.outputs] for name, found in of.items()}
    members = benchmark.members({name: _labelled(found.data) for name, found in of.items()})
    lists = []
    for name, result in benchmark.results(rows, members).items():
        column = benchmark.columns.get(name)
        behind = [of[column.set]] if column else list(passes)
        lists.append(_evaluation(behind, name, benchmark, result.scores(name)))
        lists[-1].breakdown = plain_bins(_word_bins(result.rows))
    sets = []
    for name, found in of.items():
        evaluation = _evaluation([found], name, benchmark, [])
        belongs = benchmark.belongs(name, len(rows[name]), members)
        evaluation.rows = [asdict(row) | {"lists": own} for row, own in zip(rows[name], belongs, strict=True)]
        sets.append(evaluation)
    return lists, sets


def _word_bins(rows: Sequence[WordRow]) -> list[Bin]:
    sure, right = [row.confidence for row in rows], [row.correct for row in rows]
    return [*recognition_bins(rows), *coverage_bins(sure, right)]


def _evaluation(passes: Sequence[Pass], name: str, protocol: Any, scores: list[Score]) -> Evaluation:
    """Without rows; of several sets: real when all are, and a fingerprint over theirs."""
    sets = [found.data for found in passes]
    fingerprints = [data.fingerprint for data in sets]
    joined = hashlib.sha256(" ".join(fingerprints).encode()).hexdigest()
    return Evaluation(
        name,
        sets[0].split,
        next((data.kind for data in sets if data.kind != "real"), "real"),
        fingerprints[0] if len(sets) == 1 else joined,
        protocol.name,
        protocol.version,
        [key for found in passes for key in found.undecodable],
        scores,
        [],
        [],
        [],
    )


def _labelled(data: SceneSet | WordSet) -> list[tuple[str, str]]:
    if not isinstance(data, WordSet):
        raise ValueError(f"{data.name} is a set of scenes, and a benchmark of words needs word crops")
    return list(zip(data.keys(), data.texts(), strict=True))


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


def _detected(deployed: Any, samples: Sequence[Any]) -> list[tuple[Any, ...]]:
    found = iter(deployed.detect([s.image for s in samples if s.image.size]))
    nothing: list[Detection] = []
    # what sees pictures at their own size has no zoom
    zoom = getattr(deployed, "zoom", None)
    zooms = [zoom(*s.image.shape[:2]) if zoom is not None and s.image.size else 1.0 for s in samples]
    return [
        (next(found) if s.image.size else nothing, s.words, s.key, None, z) for s, z in zip(samples, zooms, strict=True)
    ]


def _read(deployed: Any, samples: Sequence[Any]) -> list[tuple[Any, ...]]:
    readings = iter(deployed.read([s.image for s in samples if s.image.size]))
    nothing = Reading("", 0.0)
    return [
        (s.text, next(readings) if s.image.size else nothing, s.key, s.image.shape[1], s.image.shape[0])
        for s in samples
    ]


def open_sets(
    settings: dict[str, Any], protocols: Sequence[Any], names: Sequence[str], split: str
) -> dict[str, SceneSet | WordSet]:
    """The sets to evaluate on, by name, opened and with the sizes that benchmarks ask for: what can be known before inference.

    Args:
        settings: a composed config as plain data: ``root`` and ``task`` are used.
        protocols: a benchmark adds its own sets.
        names: sets under the root, or paths of prepared sets.
        split: which split of the sets.

    Raises:
        ValueError: a set is missing or cannot be read, or a benchmark finds another number of samples than was published.
    """
    benchmarks = [protocol for protocol in protocols if isinstance(protocol, WordBenchmark)]
    wanted = dict.fromkeys([*names, *(name for benchmark in benchmarks for name in benchmark.sets)])
    sets = {name: open_set(settings["root"], settings["task"], name, split) for name in wanted}
    labels = {name: _labelled(sets[name]) for benchmark in benchmarks for name in benchmark.sets}
    for benchmark in benchmarks:
        benchmark.members(labels)
    return sets


def evaluate_checkpoint(
    path: Path,
    names: Sequence[str],
    settings: dict[str, Any],
    out: Path | None,
    console: Console,
    split: str = "test",
    device: str | None = None,
    protocols: Sequence[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Evaluate a checkpoint on sets by name; writes per-sample rows and ``scores.jsonl`` under ``out`` and returns the score rows.

    Every set is read once, whatever the number of protocols.  A benchmark brings its own sets and scores those alone; any
    other protocol scores every set, and where there are several sets of words also all together.  Detections are always scored by
    IoU and by DetEval, too, and written as the archive that the competitions take.

    Args:
        path: a checkpoint of ours.
        names: sets under ``settings["root"]``, or paths of prepared sets.
        settings: a composed config as plain data: ``root``, ``protocol`` and, for a detector, ``inference`` are used.
        out: folder for the rows; None keeps nothing.
        console: where progress goes.
        split: which split of the sets.
        device: torch device; None: a GPU when there is one.
        protocols: config nodes; none: that of ``settings``.

    Raises:
        ValueError: see :func:`open_sets`; a protocol is of the other task, or nothing names a set.
    """
    content = checkpoint.read(path)
    task = content["ocr"]["task"]
    built = [build(node, "protocol") for node in protocols or [settings["protocol"]]]
    for protocol in built:
        check_protocol(protocol, task)
    built = with_companions(built) if task == "detection" else built
    sets = open_sets({**settings, "task": task}, built, names, split)
    if not sets:
        raise ValueError(
            "name the sets to evaluate on: data=icdar2015, data=rendered_words_v1+us_plates, or the path of a prepared set"
        )
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    inference = (settings.get("inference") if task == "detection" else None) or {}
    deployed = checkpoint.deployable(path, device=device, **inference)
    passes = {name: infer(deployed, data, console) for name, data in sets.items()}
    for found in passes.values():
        if found.undecodable:
            shown = ", ".join(found.undecodable[:5])
            console.print(f"{found.data.name}: {len(found.undecodable)} undecodable, counted as nothing found: {shown}")
    scores: list[dict[str, Any]] = []
    for protocol in built:
        evaluations, with_rows = _under(protocol, passes)
        for evaluation in evaluations:
            scores += evaluation.table_rows(**_origin(path, content), inference=inference or None)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            for each in with_rows:
                write_atomically(out / f"{each.set}-{split}-{protocol.name}.jsonl", _lines(each.rows))
    if out is not None:
        _merge(out / SCORES, scores)
        for found in passes.values():
            if task == "detection":
                _write_archive(out / f"{found.data.name}-{split}.zip", found)
    return scores


def _write_archive(path: Path, found: Pass) -> None:
    """What was found, as the competitions take it."""
    pictures = {key: Found(list(boxes), [""] * len(boxes)) for boxes, _, key, _, _ in found.outputs}
    write_results(path, pictures, shared_form(pictures))


def _under(protocol: Any, passes: dict[str, Pass]) -> tuple[list[Evaluation], list[Evaluation]]:
    """Evaluations that have scores, and those that have rows."""
    if isinstance(protocol, WordBenchmark):
        return score_benchmark([passes[name] for name in protocol.sets], protocol)
    each = [score(found, protocol) for found in passes.values()]
    words = isinstance(protocol, WordProtocol) and len(each) > 1
    return [*each, *([score_together(list(passes.values()), protocol)] if words else [])], each


def _origin(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """What a score row says of the model: enough to find the run and to tell two models apart."""
    origin = content.get("origin", {})
    settings = origin.get("settings", {})
    return {
        "checkpoint": str(path),
        "step": int(content.get("global_step", 0)),
        "model": origin.get("model"),
        "recipe": origin.get("recipe"),
        "first_weights": origin.get("first_weights"),
        "seed": settings.get("seed"),
        "config_hash": origin.get("config_hash"),
        "config_hash_any_seed": identity_hash({**settings, "seed": None}),
        "trained_on": {name: part["fingerprint"] for name, part in origin.get("trained_on", {}).items()},
        "version": __version__,
    }


def _merge(path: Path, scores: Sequence[dict[str, Any]]) -> None:
    """Add score rows to a file; a row takes the place of the one it repeats."""

    def place(row: dict[str, Any]) -> tuple[Any, ...]:
        inference = json.dumps(row.get("inference"), sort_keys=True)
        return *(row.get(k) for k in ("set", "split", "protocol", "metric", "checkpoint")), inference

    new = {place(row) for row in scores}
    write_atomically(path, _lines([row for row in read_rows(path) if place(row) not in new] + list(scores)))


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False, default=_plain) + "\n" for row in rows)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
