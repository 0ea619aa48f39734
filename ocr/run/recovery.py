"""Where a run goes on: at its newest checkpoint that is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ocr.run import checkpoint

NEWEST_FIRST = (checkpoint.LAST, checkpoint.PREVIOUS, checkpoint.BEST)


def take_up(folder: Path, console: Console) -> dict[str, Any] | None:
    """The content of the newest whole checkpoint of a run directory, which is ``last.ckpt`` from then on; None when there is none.

    A damaged or missing ``last.ckpt`` is replaced by the one before it, or else by the best one, and one line says so.

    Raises:
        ValueError: every checkpoint there is damaged.
    """
    present = [folder / name for name in NEWEST_FIRST if (folder / name).is_file()]
    wrong: dict[Path, str] = {}
    for path in present:
        try:
            content = checkpoint.read(path)
        except checkpoint.Unreadable as error:
            wrong[path] = error.reason
        else:
            _take(path, content["global_step"], folder / checkpoint.LAST, wrong, console)
            return content
    if wrong:
        raise ValueError(
            f"no checkpoint in {folder} is whole ({_told(wrong)}): give the run another name=, or move these files away to start anew"
        )
    return None


def _take(path: Path, step: int, last: Path, wrong: dict[Path, str], console: Console) -> None:
    if path != last:
        why = _told(wrong) if last in wrong else f"{last.name} is missing"
        console.print(
            f"{why}: going on from {path.name}, step {step}",
            style="yellow",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        checkpoint.link(path, last)


def _told(wrong: dict[Path, str]) -> str:
    return "; ".join(f"{path.name} is damaged ({what})" for path, what in wrong.items())
