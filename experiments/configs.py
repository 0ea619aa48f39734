"""The present configs of a table's cells, and whether a row is of one of them.

``results/configs-<profile>/<hash>.json`` keeps what a hash stands for.  A row is of the present config when no value differs that both
know: a key that the project has gained or lost since says nothing about what the old run computed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.rows import Row
from experiments.study import Cell, Profile, Study
from ocr.run.record import write_atomically


def digest(config: dict[str, Any]) -> str:
    """Twelve hex digits over a flat config."""
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:12]


class Configs:
    """Of some cells in a profile.

    Raises:
        ValueError: see :meth:`experiments.study.Study.config`.
    """

    def __init__(self, study: Study, profile: Profile, cells: Sequence[Cell]) -> None:
        self.folder: Path = study.results / f"configs-{profile.name}"
        self.present = {cell.name: study.config(cell, profile) for cell in cells}
        self.hashes = {name: digest(config) for name, config in self.present.items()}
        self._fits: dict[tuple[str, str], bool] = {}

    def keep(self, cell: str) -> str:
        """Write down what a cell's hash stands for; the hash."""
        path = self.folder / f"{self.hashes[cell]}.json"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.present[cell], sort_keys=True, default=str, ensure_ascii=False, indent=0)
            write_atomically(path, text + "\n")
        return self.hashes[cell]

    def fits(self, row: Row) -> bool:
        """Whether a row is of the present config of its cell; False for a cell that is not of these."""
        key = (row.cell, row.config_hash)
        if key not in self._fits:
            self._fits[key] = row.cell in self.present and not self.differences(row)
        return self._fits[key]

    def differences(self, row: Row) -> list[str]:
        """``key: then, now`` for every value that differs."""
        if row.config_hash == self.hashes[row.cell]:
            return []
        path = self.folder / f"{row.config_hash}.json"
        if not path.is_file():
            return [f"{path.name} is not there to say what the config was"]
        then = json.loads(path.read_text(encoding="utf-8"))
        now = json.loads(json.dumps(self.present[row.cell], default=str))
        return [f"{k}: {then[k]} then, {now[k]} now" for k in sorted(then.keys() & now.keys()) if then[k] != now[k]]
