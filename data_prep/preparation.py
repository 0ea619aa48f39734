"""From the jobs of a reader to sets on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from data_prep.parallel import FEW, in_order
from data_prep.progress import tracked
from data_prep.samples import Drop, Job, RawScene, RawWord, Sample, Unusable
from data_prep.similar import Shown, shown_in
from ocr.data.records import Kind, Manifest, Task
from ocr.data.store import StoreWriter


@dataclass(frozen=True, slots=True)
class Target:
    """Where prepared sets go and what their manifests say."""

    out: Path
    name: str
    kind: Kind
    source: str
    partial: bool = False


def prepare(job: Job, target: Target, console: Console, processes: int = 1) -> list[Manifest]:
    """Prepare one split for each of its tasks and return the manifests; what is written does not depend on ``processes``.

    Raises:
        ValueError: a set would be empty, or the place cannot be written. Nothing of the job is published then.
    """
    work = partial(_samples_of, job.read, job.name, job.tasks, shown_in(job.not_in))
    with ExitStack() as stack:
        writers = {task: stack.enter_context(_writer(job, target, task)) for task in job.tasks}
        title = f"{target.name}/{job.split}"
        found = in_order(work, job.items, job.chunk, 1 if job.total < FEW else processes)
        stack.callback(found.close)  # type: ignore[attr-defined]
        samples_of_items = (samples for chunk in found for samples in chunk)
        for samples in tracked(samples_of_items, title, job.total, console):
            for sample in samples:
                _add(sample, writers, target.name)
    return [writer.manifest for writer in writers.values()]


def _writer(job: Job, target: Target, task: Task) -> StoreWriter:
    folder = target.out / task / target.name / job.split
    return StoreWriter(folder, task, target.name, job.split, target.kind, target.source, target.partial)


def _samples_of(
    read: Any, name: Any, tasks: tuple[Task, ...], elsewhere: Shown, items: list[Any]
) -> list[list[Sample]]:
    return [list(_without(elsewhere, _samples(read, name, tasks, item))) for item in items]


def _samples(read: Any, name: Any, tasks: tuple[Task, ...], item: Any) -> Iterator[Sample]:
    try:
        yield from read(item)
    except Unusable as error:
        for task in tasks:
            yield Drop(task, str(error), f"{name(item)} {error.where}")


def _without(elsewhere: Shown, samples: Iterator[Sample]) -> Iterator[Sample]:
    for sample in samples:
        task: Task = "recognition" if isinstance(sample, RawWord) else "detection"
        if elsewhere and not isinstance(sample, Drop) and (other := elsewhere.holding(sample.image)):
            yield Drop(task, "picture also belongs to a set of --not-in", f"{sample.id} {other}")
        else:
            yield sample


def _add(sample: Sample, writers: dict[Task, StoreWriter], name: str) -> None:
    if isinstance(sample, Drop):
        writers[sample.task].drop(sample.reason, sample.what)
    elif isinstance(sample, RawScene):
        writers["detection"].add_scene(sample.image, f"{name}/{sample.id}", sample.label_kind, sample.words)
    else:
        key = f"{name}/{sample.id}"
        writers["recognition"].add_word(
            sample.image, sample.text, key, sample.script, sample.direction, sample.characters
        )
