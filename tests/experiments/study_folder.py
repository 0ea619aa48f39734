"""A table of two cells in a folder of its own, whose cells are small programs in place of trainings."""

import json
import sys
from pathlib import Path

import pytest

from experiments import run as command
from experiments import study
from experiments.execution import Job

SWEEP = """
title: two readers
task: reading
preset: trba
stages: [seq]
cells:
  plain: {trans: none, feat: vgg, seq: none, pred: ctc}
  context: {trans: none, feat: vgg, seq: bilstm, pred: ctc}
"""
PROFILES = """
mini:
  about: a test
  train: [data=words, feat.channels=16]
  with: {seq=bilstm: [seq.hidden=16]}
  evaluate: [{sets: [shop_signs], protocol: case36}]
  columns: {total: {set: shop_signs, metric: word_accuracy, protocol: case36}}
  jobs: 1
smoke:
  about: another profile
  train: [data=words]
  columns: {total: {set: shop_signs, metric: word_accuracy, protocol: case36}}
"""
PAPER = "cell,column,value,protocol,source\nplain,total,70.5,,table 1\ncontext,total,,,\n"

PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
folder, behaviour = Path(sys.argv[1]), sys.argv[2]
folder.mkdir(parents=True, exist_ok=True)
with (folder / "calls").open("a") as calls: calls.write(behaviour + "\\n")
if behaviour == "fail": sys.exit("error: no such set")
if behaviour == "killed": os.kill(os.getpid(), signal.SIGKILL)
if behaviour == "hang":
    def stop(*_):
        (folder / "saved").touch(); sys.exit(130)
    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    time.sleep(60)
(folder / "best.ckpt").touch()
(folder / "predictions").mkdir(exist_ok=True)
row = {"set": "shop_signs", "split": "test", "kind": "rendered", "fingerprint": "f" * 64, "protocol": "case36",
       "protocol_version": "1", "metric": "word_accuracy", "value": .5, "n": 100, "low": .4, "high": .6, "breakdown": [1]}
(folder / "predictions" / "scores.jsonl").write_text(json.dumps(row) + "\\n")
"""


class Table:
    """The folder, and what its cells do: ``behaviour`` by cell; ``calls`` what was started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.behaviour: dict[str, str] = {}
        (folder / "signs").mkdir()
        (folder / "profiles").mkdir()
        self.write(SWEEP, PROFILES, PAPER)

    def write(self, sweep: str | None = None, profiles: str | None = None, paper: str | None = None) -> None:
        for name, text in (
            ("signs/sweep.yaml", sweep),
            ("profiles/reading.yaml", profiles),
            ("signs/paper.csv", paper),
        ):
            if text is not None:
                (self.folder / name).write_text(text, encoding="utf-8")

    @property
    def study(self) -> study.Study:
        return study.load_study("signs", self.folder)

    def config(self, cell: str) -> dict:
        return self.study.config(self.study.cell(cell), self.study.profile("mini"))

    @property
    def lines(self) -> list[dict]:
        path = self.folder / "signs" / "results" / "mini.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def run(self, *arguments: str) -> int:
        return command.main(["signs", "--profile", "mini", "--runs", str(self.runs), *arguments])

    def calls(self, cell: str) -> list[str]:
        return [line for p in sorted(self.runs.rglob(f"{cell}-*/calls")) for line in p.read_text().splitlines()]

    def program(self, job: Job) -> list[str]:
        return [sys.executable, "-c", PROGRAM, str(job.folder), self.behaviour.get(job.cell.name, "learn")]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table(tmp_path)
    monkeypatch.setattr(command, "load_study", lambda name: study.load_study(name, tmp_path))
    monkeypatch.setattr(Job, "training", lambda job: made.program(job))
    monkeypatch.delenv("OCR_REAL_PACK", raising=False)
    return made
