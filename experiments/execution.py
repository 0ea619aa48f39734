"""One cell with one seed: the commands that train and score it, and the row that they leave."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.configs import Configs
from experiments.curves import curve
from experiments.rows import Row, State
from experiments.study import Cell, Evaluation, Profile, Study
from ocr.config import CONF, from_yaml
from ocr.data.processes import die_with_parent
from ocr.run.folder import CONFIG
from ocr.run.logging import PREDICTIONS, SCORES, read_rows
from ocr.run.record import RunRecord

KEPT = ("set", "split", "kind", "fingerprint", "protocol", "protocol_version", "metric", "value", "n", "low", "high")
"""What of a score row goes into a result row."""
OUT_OF_MEMORY = "killed by the kernel: the machine ran out of memory"
BUSY = "another process is training in"
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of a call: of the data, of all runs, of published weights, and of raw real sets (None: not given)."""

    root: Path
    runs: Path
    weights: Path
    real: Path | None = None


@dataclass(slots=True)
class Job:
    """A cell and a seed (None: published weights) to be run."""

    study: Study
    profile: Profile
    cell: Cell
    seed: int | None
    configs: Configs
    places: Places
    evaluations: tuple[Evaluation, ...] = ()
    threads: int | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    kills: int = 0
    began: float = 0.0

    @property
    def digest(self) -> str:
        """Hash of its config."""
        return self.configs.hashes[self.cell.name]

    @property
    def name(self) -> str:
        """Of the run directory: another config is another directory."""
        seed = "published" if self.seed is None else f"s{self.seed}"
        return f"{self.cell.name.replace(' ', '_')}-{seed}-{self.digest[:8]}"

    @property
    def folder(self) -> Path:
        """The run directory."""
        return self.places.runs / self.study.owner / self.profile.name / self.name

    @property
    def log(self) -> Path:
        """What its commands print."""
        return self.folder.parent / "logs" / f"{self.name}.txt"

    @property
    def checkpoint(self) -> Path:
        """What is scored."""
        return self.folder / "best.ckpt"

    def training(self) -> list[str]:
        """The command that trains it, resumes it, or finds it finished."""
        choices = self.study.choices(self.cell, self.profile)
        start = [f"init={self.before().checkpoint}"] if self.cell.after else []
        study = self.folder.parent.relative_to(self.places.runs)
        names = [f"study={study}", f"name={self.name}", f"runs={self.places.runs}", f"root={self.places.root}"]
        quoted = [_quoted(o) for o in [*choices, *start, *names, f"seed={self.seed}", "test=null"]]
        return [sys.executable, str(CONF.parent / "train.py"), *quoted]

    def before(self) -> Job:
        """The job whose best checkpoint this one starts from."""
        cell = self.study.cell(self.cell.after or "")
        return Job(self.study, self.profile, cell, self.seed, self.configs, self.places)

    def importing(self) -> list[str]:
        """The command that turns published weights into a checkpoint."""
        weights = self.places.weights / str(self.cell.weights)
        return [sys.executable, "-m", "ocr.cli", "import-weights", str(weights), "--out", str(self.checkpoint)]

    def scoring(self) -> list[list[str]]:
        """The commands that score it, without those whose scores are there."""
        commands = []
        for evaluation in self.evaluations:
            if not self._scored(evaluation):
                data = [f"data={'+'.join(evaluation.sets)}"] if evaluation.sets else []
                overrides = [
                    *data,
                    f"protocol={evaluation.protocol}",
                    f"root={self.places.root}",
                    *evaluation.overrides,
                ]
                out = ["--out", str(self.folder / PREDICTIONS)]
                commands.append([sys.executable, "-m", "ocr.cli", "evaluate", str(self.checkpoint), *overrides, *out])
        return commands

    def _scored(self, evaluation: Evaluation) -> bool:
        there = [s for s in self.scores() if s["protocol"] == evaluation.protocol]
        return bool(there) and set(evaluation.sets) <= {s["set"] for s in there}

    def scores(self) -> list[dict[str, Any]]:
        """Its score rows so far, as result rows hold them."""
        rows = read_rows(self.folder / PREDICTIONS / SCORES)
        return [{key: row.get(key) for key in KEPT} for row in rows]

    def commands(self) -> list[Callable[[], list[list[str]]]]:
        """Stages, each of which says what to run when its turn comes."""
        first = self.training if self.seed is not None else self.importing
        make = (lambda: [first()]) if self.seed is not None or not self.checkpoint.exists() else list
        return [make, self.scoring]

    def start(self, command: Sequence[str]) -> None:
        """Run a command in a session of its own, so that Ctrl-C reaches it through us alone; it dies with us."""
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "160"}
        if self.threads:
            environment["OMP_NUM_THREADS"] = str(self.threads)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.kills = memory_kills()
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
                preexec_fn=die_with_parent,
                cwd=CONF.parent,
            )

    def interrupt(self) -> None:
        """Ask the command to save and stop; not by SIGINT, which is ignored below a shell's ``&``."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.terminate()

    def failure(self, status: int) -> tuple[State, str]:
        """Why a command ended with another status than 0."""
        if status == -signal.SIGKILL:
            if memory_kills() > self.kills:
                return "killed", OUT_OF_MEMORY
            return "killed", "killed by somebody (SIGKILL)"
        if status < 0:
            return "killed", f"ended by {signal.Signals(-status).name}"
        return "failed", self.last_error() or f"exit status {status}; see {self.log}"

    def last_error(self) -> str | None:
        """The last ``error: …`` that its commands printed, or the last line of a traceback."""
        lines = ESCAPES.sub("", self.log.read_text(encoding="utf-8", errors="replace")).splitlines()
        begin = max((i for i, line in enumerate(lines) if line.startswith("$ ")), default=0)
        for line in reversed(lines[begin + 1 :]):
            found = re.match(r"error: (.*)|(\w*(?:Error|Exception)\b.*)", line)
            if found:
                return found.group(1) or found.group(2)
        return None

    def row(self, state: State, error: str | None = None) -> Row:
        """What is known at the end."""
        row = Row(
            self.study.owner,
            self.cell.name,
            self.profile.name,
            self.seed,
            state,
            self.configs.keep(self.cell.name),
            self.name,
            scores=self.scores() if state == "finished" else [],
            curve=curve(self.folder),
            commit=commit(),
            finished=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            error=error,
        )
        with suppress(ValueError):  # a record that cannot be read: the error says so
            record = RunRecord.read(self.folder)
            if record is None:
                return row
            _add_record(row, record)
            settings = self.folder / CONFIG
            row.samples = record.steps * from_yaml(settings)["loader"]["batch_size"] if settings.is_file() else None
        return row


def _add_record(row: Row, record: RunRecord) -> None:
    row.model, row.parameters, row.steps = record.model, record.parameters, record.steps
    row.first_weights = record.first_weights
    row.validation, row.best_step = record.score, record.best_step
    row.seconds = round(record.seconds, 1)
    row.samples_per_second, row.device, row.precision = record.samples_per_second, record.device, record.precision
    row.peak_memory_mb = None if record.peak_memory_mb is None else round(record.peak_memory_mb, 1)
    row.data = {name: {key: str(part[key]) for key in ("fingerprint", "kind")} for name, part in record.data.items()}
    row.versions = {key: record.versions[key] for key in ("python", "torch", "ocr") if key in record.versions}


def _quoted(override: str) -> str:
    """A path may hold what Hydra's grammar reads as syntax."""
    key, _, value = override.partition("=")
    if key in ("root", "runs", "init", "name", "study") and value != "null":
        return f"{key}='{value}'"
    return override


def memory_kills() -> int:
    """How many processes the kernel has killed so far for want of memory, in this control group and on this machine."""
    count = 0
    for path, key in (("/sys/fs/cgroup/memory.events", "oom_kill"), ("/proc/vmstat", "oom_kill")):
        with suppress(OSError, ValueError):
            for line in Path(path).read_text().splitlines():
                name, _, value = line.partition(" ")
                count += int(value) if name == key else 0
    return count


def commit() -> str | None:
    """The revision that ran, with ``+`` behind it where files differ from it; None outside a checkout."""
    git = ["git", "-C", str(CONF.parent)]
    with suppress(OSError, subprocess.CalledProcessError):
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
        return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
    return None
