"""What signals ask of a run: to save and stop (SIGINT, SIGTERM), or to save and go on (SIGUSR1, SIGUSR2).

Clusters send the latter ahead of a kill.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from ocr.run.record import leads

STOP = (signal.SIGINT, signal.SIGTERM)
SAVE = (signal.SIGUSR1, signal.SIGUSR2)


class Signals:
    """Notes what was asked for until it has been done.

    A handler that stood before on SIGUSR1 or SIGUSR2 (a launcher's, which puts the job back into the queue) is called once the run has
    saved.  Lightning's own one is not: it saves another checkpoint under another name, and would resume from that.

    Args:
        at_once: called whenever a signal has come; may answer it there and then.
    """

    def __init__(self, at_once: Callable[[], None]) -> None:
        self.at_once = at_once
        self.stop: int | None = None
        self.save: int | None = None
        self._handlers: dict[int, Any] = {}

    @property
    def any(self) -> bool:
        """Whether something is asked for."""
        return self.stop is not None or self.save is not None

    def listen(self) -> None:
        """Take the signals over, where this is the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in (*STOP, *SAVE):
                self._handlers[number] = signal.signal(number, self._note)

    def give_back(self) -> None:
        """Let those have the signals who had them before."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def saved(self) -> None:
        """What was asked for by SIGUSR1 or SIGUSR2 is done; tell who else listens to them."""
        number, self.save = self.save, None
        if number is not None:
            handler = self._handlers.get(number)
            if callable(handler) and not type(handler).__module__.startswith("pytorch_lightning"):
                handler(number, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number in SAVE:
            self.save = number
        elif self.stop is not None:
            os._exit(128 + number)
        else:
            self.stop = number
            if leads():
                print("\nsaving after this step and stopping; again to stop at once", file=sys.stderr)
        self.at_once()
