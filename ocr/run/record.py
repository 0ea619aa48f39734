"""What a run directory says about its run: ``run.json``, written whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

Status = Literal["running", "finished", "interrupted", "failed"]
RECORD = "run.json"
PACKAGES = (
    "ocr",
    "torch",
    "pytorch-lightning",
    "hydra-core",
    "omegaconf",
    "albumentations",
    "numpy",
    "opencv-python",
    "lmdb",
)


def leads() -> bool:
    """Whether this process is the one of its run that writes and prints: rank 0 of those that torchrun, Lightning or srun started."""
    names = ("RANK", "LOCAL_RANK", *(["SLURM_PROCID"] if os.environ.get("SLURM_NTASKS", "1") != "1" else []))
    return next((os.environ[name] for name in names if name in os.environ), "0") == "0"


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file so that a kill at any moment, or a full disk, leaves the old content or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def versions() -> dict[str, str]:
    """Python and package versions that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def forget_peak_memory() -> None:
    """Start measuring anew where the system can (Linux), so that the runs of a sweep in one process do not add up."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> float:
    """Peak resident memory of this process, megabytes (10^6 bytes), since :func:`forget_peak_memory` where that works."""
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found.group(1)) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def disk_mb(folder: Path) -> float:
    """What the files in a folder take on its disk, megabytes (10^6 bytes); a file with two names counts once."""
    blocks: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        with suppress(OSError):
            found = path.lstat()
            blocks[found.st_dev, found.st_ino] = found.st_blocks
    return sum(blocks.values()) * 512 / 1e6


@dataclass(slots=True)
class RunRecord:
    """Everything a report needs to know about a run besides its rows.

    ``overrides`` are those that the name does not spell out.  ``score`` is the validation score ``select`` of the best
    checkpoint, ``best_step`` the step it was reached at.  ``samples_per_second`` is the mean over all attempts, without their
    first steps and validation.  ``undecodable`` counts samples that were skipped because their picture cannot be decoded and
    names the first.  ``first_weights`` says where the first weights came from and ``init`` the particulars of a file; ``recipe``
    is the recipe's name, with the keys in which the run departs from it; ``findings`` what cannot be learnt and what stands in
    several places.  ``resume`` is what a resumed run promises, with what was compared (:mod:`ocr.run.repetition`); ``alarms`` are what
    went wrong without ending it; ``disk_mb`` is what lies in the run directory, megabytes (10^6 bytes).
    """

    name: str
    task: str
    model: str
    config_hash: str
    seed: int
    select: str
    status: Status = "running"
    overrides: list[str] = field(default_factory=list)
    device: str = ""
    precision: str = ""
    parameters: int = 0
    max_steps: int = 0
    steps: int = 0
    score: float | None = None
    best_step: int | None = None
    samples_per_second: float | None = None
    peak_memory_mb: float | None = None
    seconds: float = 0.0
    data: dict[str, Any] = field(default_factory=dict)
    init: dict[str, Any] | None = None
    first_weights: str = ""
    recipe: str | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    undecodable: dict[str, Any] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=versions)
    scores: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    resume: dict[str, Any] = field(default_factory=dict)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    disk_mb: float | None = None

    @classmethod
    def read(cls, folder: Path) -> RunRecord | None:
        """The record in a run directory; None when there is none."""
        path = folder / RECORD
        if not path.is_file():
            return None
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (json.JSONDecodeError, TypeError) as error:
            raise ValueError(
                f"{path} is no run record ({error}): move the folder away or give the run another name="
            ) from None

    def write(self, folder: Path) -> None:
        """Save into a run directory."""
        if leads():
            write_atomically(folder / RECORD, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    def begin(self, folder: Path, step: int) -> None:
        """Note the start of an attempt."""
        self.status, self.error = "running", None
        place = {"host": platform.node(), "pid": os.getpid()}
        self.attempts.append({"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "from_step": step, **place})
        self.write(folder)

    def end(
        self, folder: Path, status: Status, step: int, seconds: float, pace: tuple[int, float], error: str | None = None
    ) -> None:
        """Note how the present attempt ended; ``pace`` is samples trained on and the seconds that took."""
        self.status, self.steps, self.error = status, step, error
        self.seconds += seconds
        self.peak_memory_mb = max(self.peak_memory_mb or 0.0, peak_memory_mb())
        self.disk_mb = round(disk_mb(folder), 1)
        self.attempts[-1] |= {"status": status, "to_step": step, "seconds": round(seconds, 1), "pace": pace}
        samples, busy = (sum(a["pace"][i] for a in self.attempts if "pace" in a) for i in (0, 1))
        self.samples_per_second = round(samples / busy, 3) if busy else None
        self.write(folder)
