"""Jobs of a table, several at a time; each leaves its row, and a failing one does not stop the others."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from experiments import rows
from experiments.execution import BUSY, Job

POLL = 0.2
"""Seconds between looks at the running commands."""


@dataclass
class Running:
    """A job with the stages that it still has to go through, and the commands left of the present one."""

    job: Job
    stages: list[Callable[[], list[list[str]]]]
    commands: list[list[str]] = field(default_factory=list)
    told: int = 0


class Loop:
    """Runs jobs, ``count`` at a time, in their order; a failing one does not stop the others.

    Raises:
        KeyboardInterrupt: asked to stop; the running commands have saved.
    """

    def __init__(self, jobs: Sequence[Job], count: int, console: Console) -> None:
        self.waiting = list(jobs)
        self.total = len(jobs)
        self.count = count
        self.console = console
        self.running: list[Running] = []
        self.asked = 0

    @property
    def stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self.asked > 0

    def go(self) -> None:
        """All of them."""
        handlers = {number: signal.signal(number, self._ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            while self.running or (self.waiting and not self.stopping):
                while len(self.running) < self.count and not self.stopping and self._begin():
                    pass
                time.sleep(POLL)
                for current in list(self.running):
                    self._pass_on(current)
                    self._look(current)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if self.stopping:
            raise KeyboardInterrupt

    def _ask_to_stop(self, *_: object) -> None:
        if not self.stopping:
            print("\nstopping: the running cells save; again to stop them at once", file=sys.stderr)
        self.asked += 1

    def _pass_on(self, current: Running) -> None:
        """Tell a command to stop as often as we were told; not from the handler, which may run while a command is being started."""
        while current.told < self.asked:
            current.job.interrupt()
            current.told += 1

    def _begin(self) -> bool:
        """Start the next job that waits for none; False when there is none."""
        busy = {(r.job.cell.name, r.job.seed) for r in self.running} | {(j.cell.name, j.seed) for j in self.waiting}
        for job in self.waiting:
            if job.cell.after and (job.cell.after, job.seed) in busy:
                continue
            self.waiting.remove(job)
            if job.seed is not None and job.cell.after and not job.before().checkpoint.exists():
                self._end(job, "failed", f"{job.cell.after}, which it starts from, is not finished")
                return True
            self._say(job, "begins", "")
            job.began = time.monotonic()
            current = Running(job, job.commands())
            self.running.append(current)
            self._next(current)
            return True
        return False

    def _next(self, current: Running) -> None:
        """The next command of a job, or its end."""
        while not current.commands:
            if not current.stages:
                self.running.remove(current)
                self._end(current.job, "finished")
                return
            current.commands = current.stages.pop(0)()
        current.job.start(current.commands.pop(0))

    def _look(self, current: Running) -> None:
        """What became of a command."""
        job = current.job
        status = job.process.poll() if job.process is not None else 0
        if status is None:
            return
        if status == 0 and not self.stopping:
            self._next(current)
            return
        self.running.remove(current)
        if self.stopping or status == 130:
            self._say(job, "interrupted", "")
            return
        state, error = job.failure(status)
        if BUSY in error:
            self._say(job, "left alone", error)
            return
        self._end(job, state, error)

    def _end(self, job: Job, state: rows.State, error: str | None = None) -> None:
        """Write the row."""
        row = job.row(state, error)
        rows.append(job.study.results, row)
        score = row.score(*_main_score(job)) if row.scores and job.profile.columns else None
        told = f"{job.profile.main.metric} {score['value']:.4f}" if score else ""
        self._say(job, state, error or told)

    def _say(self, job: Job, what: str, more: str) -> None:
        begun = self.total - len(self.waiting)
        seconds = f" after {time.monotonic() - job.began:.0f} s" if what not in ("begins", "left alone") else ""
        style = "red" if what in ("failed", "killed") else None
        line = f"[{begun}/{self.total}] {job.profile.name} {job.name} {what}{seconds}{': ' if more else ''}{more}"
        self.console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)


def _main_score(job: Job) -> tuple[str, str, str]:
    return job.profile.main.set, job.profile.main.metric, job.profile.main.protocol
