"""Commands run side by side, each in its own process, with what they print turned into progress bars."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

STEP = re.compile(r"step (\d+)/(\d+)\s+(.*)")


@dataclass(slots=True)
class Job:
    """A command, the names of the jobs it waits for, and where its output goes."""

    name: str
    command: list[str]
    log: Path
    after: Sequence[str] = ()
    seconds: float = 0.0
    process: subprocess.Popen[str] | None = field(default=None, repr=False)
    began: float = 0.0


class JobFailed(Exception):
    """A job ended with another status than 0; the message holds the end of its output."""


def run_jobs(jobs: Sequence[Job], slots: int, console: Console, threads: int = 1) -> None:
    """Run jobs, at most ``slots`` at a time, in the order given as their dependencies allow.

    Each job gets ``threads`` CPU threads.  On a terminal every job has a bar; elsewhere its progress lines are printed with
    its name before them.

    Raises:
        JobFailed: a job failed; the others are stopped.
    """
    waiting, running, done = list(jobs), [], set()
    bars = Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
    )
    with bars if console.is_terminal else _Nothing():
        while waiting or running:
            for job in [j for j in waiting if set(j.after) <= done][: slots - len(running)]:
                waiting.remove(job)
                running.append(job)
                _start(job, bars if console.is_terminal else None, console, threads)
            time.sleep(0.1)
            for job in [j for j in running if j.process is not None and j.process.poll() is not None]:
                running.remove(job)
                job.seconds = time.perf_counter() - job.began
                if job.process is not None and job.process.returncode:
                    for other in running:
                        if other.process is not None:
                            other.process.terminate()
                    raise JobFailed(
                        f"{job.name} failed with status {job.process.returncode}; the end of {job.log}:\n{_tail(job.log)}"
                    )
                done.add(job.name)


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _start(job: Job, bars: Progress | None, console: Console, threads: int) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1", "COLUMNS": "160"}
    job.log.parent.mkdir(parents=True, exist_ok=True)
    job.began = time.perf_counter()
    job.process = subprocess.Popen(
        job.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, encoding="utf-8"
    )
    task = bars.add_task(job.name, total=None, note="starting") if bars else None
    threading.Thread(target=_follow, args=(job, bars, task, console), daemon=True).start()


def _follow(job: Job, bars: Progress | None, task: TaskID | None, console: Console) -> None:
    assert job.process is not None
    assert job.process.stdout is not None
    with job.log.open("w", encoding="utf-8") as log:
        for line in job.process.stdout:
            log.write(line)
            log.flush()
            found = STEP.search(line)
            if bars is not None and task is not None and found:
                bars.update(task, completed=int(found.group(1)), total=int(found.group(2)), note=found.group(3).strip())
            elif bars is None and (found or "validation:" in line):
                console.print(f"  {job.name:<24} {line.strip()}", highlight=False, markup=False)


def python(module_or_file: str, *arguments: str) -> list[str]:
    """A command line for this interpreter: a file, or ``-m`` and a module."""
    what = [module_or_file] if module_or_file.endswith(".py") else ["-m", module_or_file]
    return [sys.executable, *what, *arguments]
