"""The one console: as wide as the terminal, and wide enough for the tables where the output goes to a file."""

from __future__ import annotations

import sys

from rich.console import Console

FILE_WIDTH = 160


def console(stderr: bool = False) -> Console:
    """A console on standard output (or standard error)."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else FILE_WIDTH)
