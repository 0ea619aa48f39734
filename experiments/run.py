"""Run a table of a paper: train and score its cells, one row for each as it is done.

    python -m experiments.run str_grid                                  (profile smoke: minutes, the numbers mean nothing)
    python -m experiments.run str_grid --profile mini --seeds 2
    python -m experiments.run str_grid --profile paper --cost           (latency, parameters and FLOPs of the networks; trains nothing)
    python -m experiments.report str_grid --profile mini

Repeat a command to go on: cells finished with the same config are skipped, cells that were interrupted resume, cells that failed are
tried again with --retry.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from experiments import rows
from experiments.configs import Configs
from experiments.cost import measure
from experiments.execution import Job, Places
from experiments.loop import Loop
from experiments.study import Cell, Evaluation, Profile, Study, load_study, studies
from ocr.terminal import console as make_console
from ocr.terminal import run_quietly

SECONDS = 2.0
"""For each timed call of ``--cost``."""
REAL = "real_"
"""Before the names of raw real sets, once prepared."""
PACK = {"recognition": "rec", "detection": "det"}
"""Where $OCR_REAL_PACK holds the raw real sets of a task."""
PARTIAL = "_partial"
"""Behind the names of raw real sets of which only some words are labelled."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 all cells are finished, 1 some failed, 2 the command line is wrong, 130 interrupted."""
    return run_quietly(lambda: _main(argv))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    described = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="experiments/run.py", description=__doc__, formatter_class=described)
    top.add_argument("table", help=f"one of {', '.join(studies())}")
    top.add_argument("--profile", default="smoke", help="published, paper, mini, mini_gpu or smoke (default: smoke)")
    top.add_argument("--seeds", type=int, default=1, help="seeds 1 … N, seed 1 of every cell first (default: 1)")
    top.add_argument("--cells", help="only these cells, with commas between")
    top.add_argument("--retry", action="store_true", help="try cells again that failed with the same config")
    top.add_argument("--jobs", type=int, help="cells at a time (default: as the profile says, at most one per core)")
    top.add_argument("--runs", type=Path, default=Path(os.environ.get("OCR_RUNS", "runs")), help="folder of all runs")
    top.add_argument("--root", type=Path, help="folder of the prepared sets (default: as the profile says)")
    top.add_argument("--weights", type=Path, default=Path("weights"), help="folder of published weights (.pth)")
    top.add_argument(
        "--real",
        type=Path,
        help="folder of raw real sets to score on as well: SET/labels.tsv of words, SET/images and SET/gt of scenes "
        "(default: $OCR_REAL_PACK/rec or /det)",
    )
    top.add_argument("--cost", action="store_true", help="measure what the profile's networks cost here, and stop")
    top.add_argument("--device", help="torch device of --cost (default: cuda when there is one)")
    top.add_argument("--dry-run", action="store_true", help="say what would run, and stop")
    return top


def _main(argv: Sequence[str] | None) -> int:
    arguments = parser().parse_args(argv)
    console = make_console()
    try:
        return _run(arguments, console)
    except KeyboardInterrupt:
        print("interrupted; repeat the command to go on", file=sys.stderr)
        return 130
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace, console: Console) -> int:
    study = load_study(arguments.table)
    profile = study.profile(arguments.profile)
    if arguments.seeds < 1 or (arguments.jobs is not None and arguments.jobs < 1):
        raise ValueError(f"--seeds {arguments.seeds} --jobs {arguments.jobs}: give whole numbers from 1 on")
    root = arguments.root or Path(profile.root or os.environ.get("OCR_DATA", "data"))
    places = Places(root, arguments.runs, arguments.weights, arguments.real or _real_pack(study.task))
    cells = [study.cell(name) for name in arguments.cells.split(",")] if arguments.cells else study.runs(profile)
    if not cells:
        raise ValueError(f"{study.name} has nothing to run in profile {profile.name}: see {study.folder / 'README.md'}")
    if arguments.cost:
        return _measure(study, profile, cells, arguments.device, console)
    configs = Configs(study, profile, study.runs(profile))
    console.print(f"{study.name}: {study.title}", style="bold", highlight=False)
    console.print(f"profile {profile.name}: {profile.about}", highlight=False, soft_wrap=True)
    jobs = _expand(study, profile, cells, arguments.seeds, configs, places)
    todo, skipped = _left(jobs, arguments.retry, console)
    console.print(f"{len(jobs)} runs: {len(skipped)} done before, {len(todo)} to do", highlight=False)
    if arguments.dry_run:
        for job in todo:
            console.print(shlex.join(job.training() if job.seed is not None else job.importing()), soft_wrap=True)
        return 0
    if todo:
        with _alone(places.runs / study.owner / profile.name):
            prepare(profile, places, console)
            for job in todo:
                job.evaluations = (*job.evaluations, *_real_sets(job, places, console))
            count = arguments.jobs or min(profile.jobs, os.cpu_count() or 1)
            Loop(todo, count, console).go()
    return _summary(study, profile, jobs, console)


def _measure(study: Study, profile: Profile, cells: Sequence[Cell], device: str | None, console: Console) -> int:
    """The cost of every cell, one after the other."""
    for number, cell in enumerate((cell for cell in cells if not cell.hidden), 1):
        row = measure(study, profile, cell, SECONDS, device)
        told = f"{row.p50:.2f} ms, {row.parameters:,} parameters, {row.flops / 1e9:.3f} GFLOPs; {row.verdict}"
        console.print(f"[{number}] {profile.name} {cell.name}: {told}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _expand(
    study: Study, profile: Profile, cells: Sequence[Cell], seeds: int, configs: Configs, places: Places
) -> list[Job]:
    """Jobs in the order in which they run: seed 1 of every cell first, and what others start from before them."""
    numbers: list[int | None] = list(range(1, seeds + 1)) if profile.trains else [None]
    return [
        Job(study, profile, cell, seed, configs, places, study.evaluations(cell, profile), profile.threads)
        for seed in numbers
        for cell in _in_order(cells, study)
    ]


def _in_order(cells: Sequence[Cell], study: Study) -> list[Cell]:
    ordered: dict[str, Cell] = {}

    def add(cell: Cell) -> None:
        if cell.after:
            add(study.cell(cell.after))
        ordered.setdefault(cell.name, cell)

    for cell in cells:
        add(cell)
    return list(ordered.values())


def _left(jobs: Sequence[Job], retry: bool, console: Console) -> tuple[list[Job], list[Job]]:
    """What has to run, and what has not."""
    study, profile = jobs[0].study, jobs[0].profile
    reading = rows.read(study.results, profile.name)
    for complaint in reading.complaints:
        console.print(complaint, style="yellow", highlight=False, soft_wrap=True)
    configs = jobs[0].configs
    known = rows.latest(reading.rows, configs.fits)
    todo, skipped = [], []
    for job in jobs:
        row = known.get((job.cell.name, job.seed))
        if not profile.trains and not _has_weights(job, console):
            continue
        if row is None or not configs.fits(row) or _unscored(job, row):
            todo.append(job)
        elif row.state == "finished":
            skipped.append(job)
        elif retry:
            todo.append(job)
        else:
            skipped.append(job)
            console.print(f"  {job.name}: {row.state} before ({row.error}); --retry tries again", highlight=False)
    return todo, skipped


def _unscored(job: Job, row: rows.Row) -> bool:
    """Whether a finished row lacks scores that the profile, or a folder of real sets, asks for now."""
    wanted = [*job.evaluations, *_real_evaluations(job)]
    there = {(s["set"], s["protocol"]) for s in row.scores}
    protocols = {s["protocol"] for s in row.scores}
    return row.state == "finished" and any(
        not {(name, e.protocol) for name in e.sets} <= there or e.protocol not in protocols for e in wanted
    )


def _has_weights(job: Job, console: Console) -> bool:
    path = job.places.weights / str(job.cell.weights)
    if job.cell.weights and path.is_file():
        return True
    what = f"{path} is not there" if job.cell.weights else "no weights were published"
    console.print(f"  {job.cell.name}: skipped, {what}", highlight=False, soft_wrap=True)
    return False


# --- data ---------------------------------------------------------------------------------------------------------------


def prepare(profile: Profile, places: Places, console: Console) -> None:
    """Make the prepared sets of a profile that are not there.

    Raises:
        ValueError: one cannot be made.
    """
    for step in profile.prepare:
        if not (places.root / step.makes).exists():
            command = [word.format(root=places.root) for word in step.command]
            _make([sys.executable, "-m", *command], step.makes, console)


def _real_pack(task: str) -> Path | None:
    pack = os.environ.get("OCR_REAL_PACK")
    return Path(pack) / PACK[task] if pack and task in PACK else None


def _real_evaluations(job: Job) -> list[Evaluation]:
    """What of the profile's real sets is given."""
    folder, labels = job.places.real, "labels.tsv" if job.study.task == "recognition" else "gt"
    if folder is None:
        return []
    given = []
    for evaluation in job.profile.real:
        names = tuple(REAL + name for name in evaluation.sets if (folder / name / labels).exists())
        if names:
            given.append(replace(evaluation, sets=names))
    return given


def _real_sets(job: Job, places: Places, console: Console) -> list[Evaluation]:
    """The same, prepared."""
    evaluations, task = _real_evaluations(job), job.study.task
    for name in dict.fromkeys(name for evaluation in evaluations for name in evaluation.sets):
        folder = f"{task}/{name}/test"
        if not (places.root / folder).exists():
            assert places.real is not None
            raw = str(places.real / name.removeprefix(REAL))
            arguments = ["--raw", raw, "--name", name, "--split", "test", "--out", str(places.root)]
            partial = ["--partial"] * (task == "detection" and name.endswith(PARTIAL))
            layout = "words" if task == "recognition" else "scenes"
            _make([sys.executable, "-m", "data_prep", layout, *arguments, *partial], folder, console)
    return evaluations


def _make(command: list[str], what: str, console: Console) -> None:
    console.print(f"  preparing {what}", highlight=False)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise ValueError(f"preparing {what} failed: {lines[-1] if lines else f'status {done.returncode}'}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second process from running the same table in the same profile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another process runs this table in {folder}: wait for it, or stop it") from None
        yield


def _summary(study: Study, profile: Profile, jobs: Sequence[Job], console: Console) -> int:
    known = rows.latest(rows.read(study.results, profile.name).rows, jobs[0].configs.fits)
    of_jobs = [known.get((job.cell.name, job.seed)) for job in jobs]
    current = [row for row in of_jobs if row is not None and jobs[0].configs.fits(row)]
    finished = [r for r in current if r.state == "finished"]
    console.print(
        f"{len(finished)} of {len(jobs)} finished; rows: {rows.row_file(study.results, profile.name)}; "
        f"table: python -m experiments.report {study.name} --profile {profile.name}",
        highlight=False,
        soft_wrap=True,
    )
    return 0 if len(finished) == len(current) else 1


if __name__ == "__main__":
    sys.exit(main())
