"""``make soak``: train for a long time on one core, sample the memory of the runs each minute, and say whether it grows.

Two narrow networks train side by side: CRAFT on endless scenes in three languages and on weak pictures that come again, whose labels
are kept and forgotten, and a CRNN on endless words in three languages.  Any run can be sampled while it trains:
``python -m experiments.soak --run runs/NAME --minutes 60``.

Memory is what belongs to the processes alone (``RssAnon`` and ``RssShmem`` of the run and its loader processes): pages of an LMDB that
were read stay mapped, but the system takes them back when it needs them.  A sample is the median of what was seen in its minute: what
a validation takes for a while is no growth, and what is handed back for a moment no loss.  The slope is a least-squares line through
the samples behind the warm-up, the first third; its interval is that of independent errors (Student's t, 95 %).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.bench.turns import figure

TARGET = 1.0
"""MB per 1,000 steps."""
WARM_UP = 1 / 3
"""Share of the samples that do not count."""
TAIL = 4096
"""Bytes of a file of rows that hold its last row."""
COMMON = [
    "progress=false",
    "length.max_steps=100000000",
    "length.log_every=10",
    "trainer.threads=1",
    "loader.workers=0",
]
RECIPES = {
    "detection": [
        *(
            "model=craft",
            "data=rendered_mixed+icdar2015",
            "model.width=0.0625",
            "encoder.size=160",
            "module.long_side=256",
        ),
        *(
            "data.sources.rendered_mixed.weight=1",
            "data.sources.icdar2015.weight=1",
            "data.sources.rendered_mixed.set.validation=8",
        ),
        *("module.label_age=100", "loader.batch_size=2", "length.val_every=500", "optim=adamw", "optim.lr=0.001"),
    ],
    "recognition": [
        *("model=crnn", "data=rendered_mixed", "feat.channels=32", "seq.hidden=16", "charset=full94"),
        *("data.sources.rendered_mixed.set.validation=200", "loader.batch_size=16", "length.val_every=1000"),
    ],
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A run at a moment: its step, the memory of its processes in MB (10^6 bytes), its open files and its threads."""

    step: int
    memory: float
    files: int
    threads: int


@dataclass(frozen=True, slots=True)
class Growth:
    """MB per 1,000 steps, with a 95 % interval; of ``count`` samples."""

    slope: float
    low: float
    high: float
    count: int


def family(pid: int) -> list[int]:
    """A process and those it started, with theirs."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            found += [int(child) for child in children]
    return found


def memory_mb(pid: int) -> float:
    """What a process and those it started hold for themselves."""
    kilobytes = 0
    for member in family(pid):
        with suppress(OSError):
            status = Path(f"/proc/{member}/status").read_text()
            kilobytes += sum(int(held) for held in re.findall(r"Rss(?:Anon|Shmem):\s+(\d+)", status))
    return kilobytes * 1024 / 1e6


def last_step(folder: Path) -> int:
    """The step of the last row that a run has written; 0 before the first."""
    path = folder / "timing.jsonl"
    if not path.is_file():
        return 0
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL))
        steps = re.findall(rb'^\{"step": (\d+)[,}]', stream.read(), re.MULTILINE)
    return int(steps[-1]) if steps else 0


def sample(pid: int, folder: Path) -> Sample:
    """A run as it is.

    Raises:
        ProcessLookupError: it has ended.
    """
    try:
        files, threads = (len(list(Path(f"/proc/{pid}/{kind}").iterdir())) for kind in ("fd", "task"))
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    return Sample(last_step(folder), memory_mb(pid), files, threads)


def usual(pids: Mapping[str, int], seconds: float) -> dict[str, float]:
    """The median of each process's memory over so many seconds, looked at every half second."""
    held: dict[str, list[float]] = {name: [] for name in pids}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(0.5, seconds))
        for name, pid in pids.items():
            held[name].append(memory_mb(pid))
    return {name: statistics.median(seen) for name, seen in held.items()}


def watch(runs: dict[str, tuple[int, Path]], minutes: float, every: float) -> dict[str, list[Sample]]:
    """Sample runs (process id and folder, by name) every so many seconds; one that ends is sampled no more."""
    began = time.monotonic()
    samples: dict[str, list[Sample]] = {name: [] for name in runs}
    gone: set[str] = set()
    while time.monotonic() - began < 60 * minutes and len(gone) < len(runs):
        held = usual({name: pid for name, (pid, _) in runs.items() if name not in gone}, every)
        for name, (pid, folder) in runs.items():
            if name in gone:
                continue
            try:
                now = replace(sample(pid, folder), memory=held[name])
            except ProcessLookupError:
                gone.add(name)
                print(f"{name}: ended", flush=True)
                continue
            if now.step:
                samples[name].append(now)
                passed = (time.monotonic() - began) / 60
                line = f"{passed:6.1f} min  {name:12s} step {now.step:8,}  {now.memory:8.1f} MB"
                print(f"{line}  {now.files} files  {now.threads} threads", flush=True)
    return samples


def growth(samples: Sequence[Sample]) -> Growth:
    """The slope behind the warm-up.

    Raises:
        ValueError: fewer than three samples at different steps are left.
    """
    kept = samples[int(len(samples) * WARM_UP) :]
    x, y = [s.step / 1000 for s in kept], [s.memory for s in kept]
    if len(set(x)) < 3:
        raise ValueError(f"{len(samples)} samples are too few for a slope: sample longer, or more often")
    line = statistics.linear_regression(x, y)
    middle, free = statistics.fmean(x), len(kept) - 2
    residual = sum((b - line.intercept - line.slope * a) ** 2 for a, b in zip(x, y, strict=True)) / free
    error = math.sqrt(residual / sum((a - middle) ** 2 for a in x)) * student(free)
    return Growth(line.slope, line.slope - error, line.slope + error, len(kept))


def student(free: int) -> float:
    """The 97.5 % quantile of Student's t, expanded around the normal one (Abramowitz and Stegun, 26.7.5): 3 % low at 2, 0.1 % at 5."""
    z = statistics.NormalDist().inv_cdf(0.975)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return sum(term / free**power for power, term in enumerate(terms))


def report(name: str, samples: Sequence[Sample]) -> None:
    """The figures of a run."""
    found = growth(samples)
    kept = samples[-found.count :]
    print(
        f"{name}: {found.count} samples, steps {kept[0].step:,} to {kept[-1].step:,}, {kept[0].memory:.1f} to {kept[-1].memory:.1f} MB; "
        f"slope {found.slope:.3f} MB per 1,000 steps, 95 % interval {found.low:.3f} to {found.high:.3f}"
    )
    figure(f"{name}_growth", found.slope, "MB/1000_steps", TARGET, at_most=True)
    early = kept[: found.count // 2]
    for what in ("files", "threads"):
        left = getattr(kept[-1], what) - max(getattr(moment, what) for moment in early)
        figure(f"{name}_{what}_left", max(0, left), what, 0, at_most=True)


def prepare(folder: Path) -> list[str]:
    """Render a few weak pictures, and write the characters of three languages into one charset; returns overrides."""
    from data_prep.__main__ import main as data_prep
    from ocr.config import compose_config

    raw = folder / "raw"
    data_prep(["rendered", "--set", "icdar2015", "--count", "40", "--test-count", "4", "--out", str(raw)])
    data_prep(["icdar2015", "--raw", str(raw / "icdar2015"), "--out", str(folder / "data")])
    specs = [compose_config(["model=crnn", f"charset={name}"]).charset.spec for name in ("japanese", "korean")]
    (folder / "charset.txt").write_text("".join(dict.fromkeys("".join(specs))), encoding="utf-8")
    return [f"root={folder / 'data'}", f"runs={folder / 'runs'}"]


def soak(folder: Path, names: Sequence[str], minutes: float, every: float) -> dict[str, list[Sample]]:
    """Train under these names on one core of this machine, and sample."""
    places = prepare(folder)
    core = min(os.sched_getaffinity(0))
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in names:
            more = [f"charset.spec={folder / 'charset.txt'}"] if name == "recognition" else []
            command = [sys.executable, "train.py", *RECIPES[name], *COMMON, *places, *more, f"name={name}"]
            with (folder / f"{name}.txt").open("wb") as log:
                running[name] = subprocess.Popen(
                    command, stdout=log, stderr=log, preexec_fn=lambda: os.sched_setaffinity(0, {core})
                )
        return watch({name: (run.pid, folder / "runs" / name) for name, run in running.items()}, minutes, every)
    finally:
        for run in running.values():
            run.send_signal(signal.SIGINT)
        for name, run in running.items():
            if run.wait() != 130:
                print(
                    f"{name} ended with status {run.returncode}:",
                    (folder / f"{name}.txt").read_text(encoding="utf-8")[-2000:],
                )


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 1 when a run gave too few samples."""
    # the runs must not outlive this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=45, help="how long to sample, minutes")
    parser.add_argument("--every", type=float, default=60, help="seconds between samples")
    parser.add_argument("--only", choices=list(RECIPES), help="one of the two")
    parser.add_argument("--run", type=Path, help="sample the run that trains in this folder instead")
    arguments = parser.parse_args(argv)
    if arguments.run is not None:
        try:
            pid = json.loads((arguments.run / "run.json").read_text(encoding="utf-8"))["attempts"][-1]["pid"]
        except (OSError, ValueError, LookupError, TypeError):
            print(f"error: {arguments.run} is no run directory with an attempt in its run.json", file=sys.stderr)
            return 1
        samples = watch({arguments.run.name: (pid, arguments.run)}, arguments.minutes, arguments.every)
    else:
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            names = [arguments.only] if arguments.only else list(RECIPES)
            samples = soak(Path(folder), names, arguments.minutes, arguments.every)
    try:
        for name, found in samples.items():
            report(name, found)
    except ValueError as error:
        print(f"error: {name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
