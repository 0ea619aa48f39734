"""The one console, as wide as the terminal and wide enough for the tables where the output goes to a file; and its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from rich.console import Console

FILE_WIDTH = 160
CLOSED = 141
"""Exit status when the reader of our output went away, as a shell reports SIGPIPE."""


class OutputClosed(BaseException):
    """Nobody reads standard output any more, for example behind ``| head``; like a Ctrl-C it ends sweeps as well."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        self.quiet = True
        raise OutputClosed


def console(stderr: bool = False) -> Console:
    """A console on standard output (or standard error)."""
    stream = sys.stderr if stderr else sys.stdout
    return _Console(stderr=stderr, width=None if stream.isatty() else FILE_WIDTH)


def run_quietly(command: Callable[[], int]) -> int:
    """Run a command line to its end and return its exit status; a reader that leaves early ends it without a word."""
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except (BrokenPipeError, OutputClosed):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED
