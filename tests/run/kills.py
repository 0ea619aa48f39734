"""``make test-kills``: runs that are killed again and again end bit-identical to undisturbed ones, or this exits with 1.

Eight runs of toy size, ``KILLS`` SIGKILLs each (5 by default; 40 is the long form), at moments drawn from ``SEED`` (1 by default): in a
training step, in validation, while a checkpoint is written, while a best one is published, and while a run starts again.  Compared are
weights, optimiser, schedule, label cache and callbacks of the last checkpoint, the best one's weights, metrics.jsonl and everything
below predictions/, byte for byte where they are files.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from killed import MOMENTS, VAL_EVERY
from recipes import RECIPES, WORDS, assert_same_run, record

import train
from ocr.config import CONF

sys.path.insert(0, str(CONF.parent / "tests"))

KILLS = int(os.environ.get("KILLS", "5"))
SEED = int(os.environ.get("SEED", "1"))
LANES = int(os.environ.get("LANES", "2"))
MINUTES = 15.0
# a kill some time into a step or a start may come many steps later
STEPS = 16 if KILLS <= 10 else 4 * KILLS
LENGTH = [
    f"length.max_steps={STEPS}",
    f"length.val_every={VAL_EVERY}",
    "length.save_every=3",
    "length.log_every=1",
]
ATTENTION = ["model=rare", *WORDS, "seq.hidden=16", "pred.hidden=16"]
READS = ["select=ned", "test=rendered_words_v1", "pictures=0"]
RUNS: dict[str, list[str]] = {
    "craft-strong": [*RECIPES["craft-strong"], "test=icdar2015", "loader.workers=2"],
    "craft-weak": [*RECIPES["craft-weak"], "test=icdar2015", "loader.workers=2"],
    "ctc": [*RECIPES["crnn"], *READS, "loader.workers=2"],
    "tps-ctc": [*RECIPES["crnn"], *READS, "trans=tps", "module.ema_decay=0.9", "loader.workers=2"],
    "attention": [*ATTENTION, *READS, "trans=none", "loader.workers=2"],
    "tps-attention": [*ATTENTION, *READS, "loader.workers=2"],
    "craft-weak-0": [*RECIPES["craft-weak"], "test=icdar2015", "loader.workers=0"],
    "ctc-0": [*RECIPES["crnn"], *READS, f"length.patience={STEPS // 2}", "loader.workers=0"],
}


class Failed(Exception):
    """A run did what it must not do."""


def attempt(command: list[str], log: Path, arm: Any = None) -> int:
    """``train.py`` with these arguments in a process of its own; its wait status."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        with log.open("a") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        status = 1
        try:
            sys.argv = ["train.py", *command]
            if arm is not None:
                print("---- armed:", arm(), flush=True)
            status = train.main()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitpid(child, 0)[1]


def finish(command: list[str], log: Path) -> None:
    status = attempt(command, log)
    if status != 0:
        raise Failed(f"status {status}; the end of {log}:\n" + "\n".join(log.read_text().splitlines()[-15:]))


def schedule(name: str, steps: int, chance: random.Random) -> list[tuple[int, str]]:
    """(step, kind of moment) of every kill, in order; every kind comes as often as the others.

    The first validation always publishes a best checkpoint, and toy detectors never do again: before the kills at that moment come only
    those that surely end the process before it.
    """
    kinds = (list(MOMENTS) * -(-KILLS // len(MOMENTS)))[:KILLS]
    places = [(VAL_EVERY if k == "publishing" else chance.randint(1, steps - VAL_EVERY), k) for k in kinds]

    def order(place: tuple[int, str]) -> tuple[int, int, float]:
        step, kind = place
        early = kind in ("training", "validating") and step < VAL_EVERY
        return (0 if early else 1 if kind == "publishing" else 2), step, chance.random()

    return sorted(places, key=order)


def survive(name: str, root: Path, runs: Path) -> str:
    """One run, undisturbed and killed; a line about it."""
    began, chance = time.perf_counter(), random.Random(f"{SEED} {name}")
    shared = [*RUNS[name], *LENGTH, f"root={root}", "name=run"]
    whole, broken = runs / name / "whole", runs / name / "broken"
    command = [*shared, f"runs={broken}"]
    whole.parent.mkdir(parents=True)
    log = runs / name / "log"
    finish([*shared, f"runs={whole}"], log)
    died: Counter[str] = Counter()
    for number, (step, kind) in enumerate(schedule(name, record(whole / "run").steps, chance), 1):
        status = attempt(command, log, lambda k=kind, s=step: MOMENTS[k](s, chance))  # type: ignore[misc]
        chance.seed(f"{SEED} {name} {number}")  # the child drew from a copy
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            tail = "\n".join(log.read_text().splitlines()[-15:])
            raise Failed(f"{kind} from step {step} on: not killed but status {status}; the end of {log}:\n{tail}")
        died[kind] += 1
        where = [line for line in log.read_text().splitlines() if line.startswith("---- armed:")]
        print(
            f"  {name:<14} {number:>2}/{KILLS} killed {kind} from step {step} on ({where[-1][12:].strip()})", flush=True
        )
    finish(command, log)
    assert_same_run(whole / "run", broken / "run")
    compare_files(whole / "run" / "predictions", broken / "run" / "predictions")
    left = {p.name for p in (broken / "run").iterdir()} - {p.name for p in (whole / "run").iterdir()}
    if left:
        raise Failed(f"left behind: {', '.join(sorted(left))}")
    found = record(broken / "run")
    if found.resume["difference"] != 0:
        raise Failed(f"its own comparison of repeated rows finds a difference: {found.resume}")
    kinds = ", ".join(f"{count} {kind}" for kind, count in died.items())
    return (
        f"run {name:<14} {sum(died.values())} kills ({kinds}), step {found.steps}, {found.resume['compared']} rows repeated: "
        f"bit-identical, {time.perf_counter() - began:.0f} s"
    )


def compare_files(one: Path, other: Path) -> None:
    names = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert names, f"{one} is empty"
    assert names == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    for name in names:
        # scores name the checkpoint by its path
        moved = (one / name).read_bytes().replace(os.fsencode(one.parent), os.fsencode(other.parent))
        assert moved == (other / name).read_bytes(), name


def lane(names: list[str], root: Path, runs: Path) -> int:
    """Runs one after the other; how many were not bit-identical."""
    bad = 0
    for name in names:
        try:
            print(survive(name, root, runs), flush=True)
        except Exception as error:
            bad += 1
            print(f"run {name:<14} FAILED: {type(error).__name__}: {error}", flush=True)
    return bad


def in_child(work: Any) -> int:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 100
        try:
            status = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return child


def render(root: Path) -> int:
    from conftest import write_scenes, write_words

    write_scenes(root, "synthtext", "train", 8, weak=False)
    write_scenes(root, "icdar2015", "train", 6, weak=True)
    write_scenes(root, "icdar2015", "test", 3, weak=True)
    write_words(root, "mjsynth", "train", 60)
    write_words(root, "rendered_words_v1", "test", 12)
    return 0


def main() -> int:
    began = time.perf_counter()
    import ocr.run.train  # noqa: F401  imported once: every attempt is a fork of this process

    chosen = os.environ.get("RUNS_ONLY", "").split() or list(RUNS)
    if unknown := [name for name in chosen if name not in RUNS]:
        print(f"error: RUNS_ONLY names {', '.join(unknown)}: choose from {', '.join(RUNS)}", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    os.environ["OCR_CACHE"] = str(folder / "cache")
    if os.waitpid(in_child(lambda: render(folder / "root")), 0)[1]:
        return 1
    print(f"{KILLS} kills of each of {len(chosen)} runs, seed {SEED}, in {folder}", flush=True)
    # detectors and recognisers in both lanes
    lanes = [in_child(lambda i=i: lane(chosen[i::LANES], folder / "root", folder / "runs")) for i in range(LANES)]  # type: ignore[misc]
    bad = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in lanes)
    minutes = (time.perf_counter() - began) / 60
    good = len(chosen) - bad
    print(
        f"figure kills_minutes {minutes:.1f} min target {MINUTES:g} {'ok' if minutes <= MINUTES or KILLS > 5 else 'short'}"
    )
    print(
        f"figure kills_bit_identical {good} runs, {KILLS * len(chosen)} kills target {len(chosen)} {'short' if bad else 'ok'}"
    )
    if not bad:
        shutil.rmtree(folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
