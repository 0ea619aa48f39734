"""Where alarms are told: a yellow line, and the run record."""

from __future__ import annotations

from typing import Any

from rich.console import Console


class Bell:
    """Prints alarms and keeps them.

    Args:
        console: for the lines.
        rung: the run record's list of alarms, which also holds those of earlier attempts.
    """

    def __init__(self, console: Console, rung: list[dict[str, Any]]) -> None:
        self.console = console
        self.rung = rung

    def ring(self, name: str, step: int, line: str) -> None:
        """Tell an alarm; what is told of one step again, as by a resumed run, is kept once."""
        self.console.print(
            f"alarm at step {step}: {line}", style="yellow", highlight=False, markup=False, soft_wrap=True
        )
        others = [alarm for alarm in self.rung if (alarm["name"], alarm["step"]) != (name, step)]
        self.rung[:] = [*others, {"name": name, "step": step, "line": line}]
