"""From the jobs of a reader to sets on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from data_prep.progress import tracked
from data_prep.samples import Drop, Job, RawScene, Sample, Unusable
from ocr.data.records import Kind, Manifest, Task
from ocr.data.store import StoreWriter


@dataclass(frozen=True, slots=True)
class Target:
    """Where prepared sets go and what their manifests say."""

    out: Path
    name: str
    kind: Kind
    source: str


def prepare(job: Job, target: Target, console: Console) -> list[Manifest]:
    """Prepare one split for each of its tasks and return the manifests.

    Raises:
        ValueError: a set would be empty, or the place cannot be written. Nothing of the job is published then.
    """
    with ExitStack() as stack:
        writers = {task: stack.enter_context(_writer(job, target, task)) for task in job.tasks}
        title = f"{target.name}/{job.split}"
        for item in tracked(job.items, title, job.total, console):
            for sample in _samples(job, item):
                _add(sample, writers, target.name)
    return [writer.manifest for writer in writers.values()]


def _writer(job: Job, target: Target, task: Task) -> StoreWriter:
    folder = target.out / task / target.name / job.split
    return StoreWriter(folder, task, target.name, job.split, target.kind, target.source)


def _samples(job: Job, item: Any) -> Iterator[Sample]:
    try:
        yield from job.read(item)
    except Unusable as error:
        for task in job.tasks:
            yield Drop(task, str(error), job.name(item))


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
