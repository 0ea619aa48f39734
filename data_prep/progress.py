"""The progress bar of preparation: rate and remaining time on a terminal, nothing elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

T = TypeVar("T")
INTERVAL = 0.1
"""Seconds between two updates: an update costs more than preparing a word."""


def tracked(items: Iterable[T], title: str, total: int, console: Console) -> Iterator[T]:
    """The items, with a bar on the console when that is a terminal."""
    if not console.is_terminal:
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total)
        shown = 0.0
        for done, item in enumerate(items):
            now = time.monotonic()
            if now - shown > INTERVAL:
                bar.update(task, completed=done)
                shown = now
            yield item


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / task.elapsed:,.0f}/s" if task.elapsed else "")
