"""The processes of a distributed run: which one leads is known to :func:`ocr.run.record.leads`; that none is lost unnoticed, here.

Collectives wait for every process.  When one is killed the others would wait until a time limit, and Lightning's own watcher kills
them without a word; here the leading process says which one was lost and how to go on, and ends the run with status 1.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytorch_lightning as pl
from torch import distributed

from ocr.data.processes import die_with_parent
from ocr.run import checkpoint
from ocr.run.record import leads
from ocr.run.saving import Interrupted

LEADER = "OCR_LEADER"
"""Environment variable: the process id of the leading process, for those that it starts."""
LOST_CONTACT = 75
"""Exit status of a process that ends because another one has."""
GRACE = 5.0
"""Seconds in which the leading process may notice a loss by itself, in the collective that fails."""
NOTICE = 2.0
"""Seconds in which the loss of a process shows behind a collective that failed."""
_BROKEN = re.compile(r"connection (closed|reset) by peer|gloo|nccl", re.IGNORECASE)


def follow() -> None:
    """In a process that trains along: end with the leading process, however that is killed."""
    die_with_parent()
    leader = os.environ.get(LEADER)
    if leader is not None and os.getppid() != int(leader):  # it was killed while this process was starting
        os._exit(LOST_CONTACT)


def lost_contact(error: BaseException) -> bool:
    """Whether an error is what a process sees when another one has gone."""
    return isinstance(error, distributed.DistError) or (
        isinstance(error, RuntimeError) and distributed.is_initialized() and _BROKEN.search(str(error)) is not None
    )


def lost_line(
    folder: Path, what: str = "contact with another process of this run was lost: look for its message"
) -> str:
    """One line on a run that ended because of a lost process."""
    last = folder / checkpoint.LAST
    return (
        f"{what}; "
        + (f"{last} is from before it: " if last.exists() else "nothing was saved yet: ")
        + "repeat the command"
    )


class Watch:
    """Holds the processes that Lightning starts for a run, while it trains.

    Args:
        trainer: that will start them, or will not.
        folder: of the run, for the message.
        record: called with the message when this process cannot be reached by an exception, just before it exits.
    """

    def __init__(self, trainer: pl.Trainer, folder: Path, record: Callable[[str], None]) -> None:
        self.trainer = trainer
        self.folder = folder
        self.record = record
        self.others: list[subprocess.Popen[bytes]] = []
        self._over = threading.Event()

    def __enter__(self) -> Self:
        launcher: Any = self.trainer.strategy.launcher
        if leads() and isinstance(getattr(launcher, "procs", None), list) and self.trainer.num_devices > 1:
            os.environ[LEADER] = str(os.getpid())
            watcher = threading.Thread(target=self._watch, args=[launcher], name="ranks", daemon=True)
            watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raises ValueError where the error is that a process was lost."""
        lost = self._lost(NOTICE) if self.others and error is not None and lost_contact(error) else None
        self._over.set()
        if error is not None and not isinstance(error, Interrupted):
            self._kill()
        if lost is not None:
            raise ValueError(lost_line(self.folder, lost)) from error

    def _watch(self, launcher: Any) -> None:
        while len(launcher.procs) < self.trainer.num_devices - 1:  # Lightning makes a new list when it starts them
            if self._over.wait(0.05):
                return
        self.others = [
            other for other in launcher.procs if isinstance(other, subprocess.Popen)
        ]  # not those of ddp_fork
        if not self.others:
            return
        launcher.procs.clear()  # Lightning's watcher, which kills this process too, finds nothing to do
        while not self._over.wait(0.1):
            lost = self._lost()
            if lost is not None and not self._over.wait(GRACE):
                line = lost_line(self.folder, lost)
                self._kill()
                self.record(line)
                print(f"error: {line}", file=sys.stderr, flush=True)
                os._exit(1)

    def _lost(self, seconds: float = 0.0) -> str | None:
        """Which process has ended and must not have; the one that began with it where several have.  Waits for one so long at most."""
        until = time.monotonic() + seconds
        while True:
            ended = [(rank, code) for rank, other in enumerate(self.others, 1) if (code := other.poll())]
            causes = [(rank, code) for rank, code in ended if code != LOST_CONTACT]
            if causes or time.monotonic() >= until:
                return self._named(*(causes or ended)[0]) if ended else None
            time.sleep(0.02)

    def _named(self, rank: int, code: int) -> str:
        who = f"process {rank + 1} of {len(self.others) + 1} (pid {self.others[rank - 1].pid})"
        if code > 0:
            return f"{who} ended with status {code}, see its message above"
        hint = ", as the system does when memory runs out" if code == -signal.SIGKILL else ""
        return f"{who} was killed by {signal.Signals(-code).name}{hint}"

    def _kill(self) -> None:
        for other in self.others:
            other.kill()
