"""``make demo``: render, prepare, train side by side, evaluate, read pictures, and put it all on one page."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.jobs import Job, JobFailed, python, run_jobs
from ocr.terminal import console

SCENES, WORDS, WEAK_LOOK = "rendered_scenes_v1", "rendered_words_v1", "icdar2015"
TESTS = {
    "recognizer": WORDS,
    "detector-control": f"{SCENES}+{WEAK_LOOK}",
    "detector-weak": f"{SCENES}+{WEAK_LOOK}",
}
TARGETS = {"hmean": 0.85, "word_accuracy": 0.70}
PICTURES = 6


@dataclass
class Demo:
    """Where everything goes, and what was measured on the way."""

    data: Path
    runs: Path
    console: Console
    seconds: dict[str, float] = field(default_factory=dict)
    scores: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def stage(self, title: str) -> _Stage:
        """Time a part of the demo under its title."""
        return _Stage(self, title)

    def checkpoint(self, run: str) -> Path:
        """The best checkpoint of a run."""
        return self.runs / run / "best.ckpt"


@dataclass
class _Stage:
    demo: Demo
    title: str
    began: float = 0.0

    def __enter__(self) -> None:
        self.demo.console.rule(f"[bold]{self.title}")
        self.began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.demo.seconds[self.title] = time.perf_counter() - self.began


def make_data(demo: Demo) -> None:
    """Render the raw stand-ins and prepare them as anybody would prepare the real sets."""
    from data_prep.__main__ import main as prepare

    raw, out = demo.data / "raw", str(demo.data)
    with demo.stage("render text"):
        _check(prepare(["rendered", "--demo", "--out", str(raw)]))
    with demo.stage("prepare the sets"):
        for name in ("synthtext", "icdar2015", "mjsynth"):
            _check(prepare([name, "--raw", str(raw / name), "--out", out]))
        _check(prepare(["scenes", "--raw", str(raw / SCENES), "--name", SCENES, "--split", "test", "--out", out]))
        _check(prepare(["words", "--raw", str(raw / WORDS), "--name", WORDS, "--split", "test", "--out", out]))


def _check(status: int) -> None:
    if status:
        raise JobFailed(f"preparing data failed with status {status}")


def train(demo: Demo) -> None:
    """Detector and recogniser side by side, one core each; what is trained is evaluated on the core that is free first."""

    def job(name: str, experiment: str, *overrides: str, after: Sequence[str] = ()) -> Job:
        common = [f"experiment={experiment}", f"name={name}", f"root={demo.data}", f"runs={demo.runs}"]
        return Job(name, python("train.py", *common, *overrides), demo.runs / "logs" / f"{name}.txt", after)

    def scores(name: str) -> Job:
        command = python("ocr.cli", "evaluate", str(demo.checkpoint(name)), f"data={TESTS[name]}", f"root={demo.data}")
        return Job(f"{name} scores", command, demo.runs / "logs" / f"{name}-scores.txt", [name])

    strong = demo.checkpoint("detector-strong")
    with demo.stage("train and evaluate, one core each"):
        run_jobs(
            [
                job("detector-strong", "demo_strong"),
                job("recognizer", "demo_recognizer"),
                job("detector-weak", "demo_weak", f"init={strong}", after=["detector-strong"]),
                job("detector-control", "demo_control", f"init={strong}", after=["detector-strong"]),
                *map(scores, TESTS),
            ],
            slots=2,
            console=demo.console,
        )


def show_scores(demo: Demo) -> None:
    """The fixed test sets, and the weak look's test scenes with and without the weak source."""
    from ocr.run.logging import PREDICTIONS, SCORES, read_rows
    from ocr.run.score_table import print_scores

    for run in TESTS:
        demo.scores[run] = read_rows(demo.runs / run / PREDICTIONS / SCORES)
        demo.console.print(f"[bold]{run}")
        print_scores(demo.scores[run], demo.console)


def read(demo: Demo) -> list[tuple[Any, str]]:
    """Read a few test scenes with what was just trained; the drawn pictures with captions."""
    from ocr.draw import draw_words
    from ocr.reader import Reader, load_image
    from ocr.run import checkpoint

    with demo.stage("read pictures"):
        reader = Reader(
            checkpoint.detector(demo.checkpoint("detector-weak")), checkpoint.recognizer(demo.checkpoint("recognizer"))
        )
        paths = sorted((demo.data / "raw" / SCENES / "images").glob("*.jpg"))[:PICTURES]
        pages = reader.read(paths)
        found = sum(len(page.words) for page in pages)
        demo.console.print(
            f"{found} words in {len(pages)} pictures; the first: {', '.join(r.text for _, r in pages[0].words[:8])}"
        )
        return [
            (draw_words(load_image(path), page.words), f"{path.name}: {len(page.words)} words")
            for path, page in zip(paths, pages, strict=True)
        ]


def value(rows: Sequence[dict[str, Any]], name: str, metric: str) -> float:
    """One score out of score rows."""
    return next(float(r["value"]) for r in rows if r["set"] == name and r["metric"] == metric)


def figures(demo: Demo) -> list[tuple[str, float, str, float | None]]:
    """The demo's numbers: name, value, unit, target."""
    weak, control, words = demo.scores["detector-weak"], demo.scores["detector-control"], demo.scores["recognizer"]
    with_weak, without = value(weak, WEAK_LOOK, "hmean"), value(control, WEAK_LOOK, "hmean")
    lines: list[tuple[str, float, str, float | None]] = [
        ("scenes_hmean", value(weak, SCENES, "hmean"), "hmean", TARGETS["hmean"]),
        ("words_accuracy", value(words, WORDS, "word_accuracy"), "accuracy", TARGETS["word_accuracy"]),
        ("weak_look_with_weak_source", with_weak, "hmean", None),
        ("weak_look_without", without, "hmean", None),
        ("weak_source_gain", with_weak - without, "hmean", 0.0),
    ]
    for run in ("detector-strong", "detector-weak", "recognizer"):
        record = json.loads((demo.runs / run / "run.json").read_text(encoding="utf-8"))
        name = run.replace("-", "_")
        lines.append((f"{name}_speed", record["samples_per_second"] or 0.0, "samples/s", None))
        lines.append((f"{name}_peak_memory", record["peak_memory_mb"] or 0.0, "MB", None))
    return lines


def print_figures(lines: Sequence[tuple[str, float, str, float | None]], console: Console) -> None:
    """One ``figure`` line each; a target is met when the value is above it."""
    for name, number, unit, target in lines:
        judged = "" if target is None else f" target {target:g} {'ok' if number > target else 'short'}"
        console.print(f"figure {name} {number:.4g} {unit}{judged}", highlight=False)


def summary(demo: Demo, page: Path) -> None:
    """The table on the terminal."""
    table = Table(title="demo on rendered stand-ins (no real data)", title_justify="left")
    for column in ("what", "value", "unit", "target"):
        table.add_column(column)
    for name, number, unit, target in figures(demo):
        table.add_row(name, f"{number:.4g}", unit, "" if target is None else f"> {target:g}")
    for title, seconds in demo.seconds.items():
        table.add_row(title, f"{seconds:.0f}", "s", "")
    demo.console.print(table)
    print_figures(figures(demo), demo.console)
    demo.console.print(f"page: {page}", highlight=False, soft_wrap=True)


def curves(demo: Demo) -> list[Any]:
    """Loss and validation curves of every run."""
    from ocr.page import Series, line_chart
    from ocr.run.logging import read_rows

    drawn = []
    for key, title, label in (("loss", "Training loss", "loss"), ("val/", "Validation", "score")):
        series = []
        for run in ("detector-strong", "detector-weak", "detector-control", "recognizer"):
            rows = read_rows(demo.runs / run / "metrics.jsonl")
            names = sorted(
                {
                    k
                    for r in rows
                    for k in r
                    if (k.endswith("loss") if key == "loss" else k in ("val/hmean", "val/word_accuracy"))
                }
            )
            for name in names[:1]:
                points = [(r["step"], r[name]) for r in rows if name in r]
                series.append(Series(run, [p[0] for p in points], [p[1] for p in points]))
        drawn.append(line_chart(series, title, "step", label, None if key == "loss" else (0.0, 1.0)))
    return drawn


def write_page(demo: Demo, pictures: Sequence[tuple[Any, str]], path: Path) -> Path:
    """The self-contained page."""
    from ocr import page as html
    from ocr.types import Score

    manifests = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(demo.data.glob("*/*/*/manifest.json"))]
    kinds = {m["name"]: m["kind"] for m in manifests}
    names = list(Score.__dataclass_fields__)
    tables = [
        html.score_table([Score(**{k: r[k] for k in names}) for r in rows], kinds, run)
        for run, rows in demo.scores.items()
    ]
    bins = [
        (run, row["set"], b["height"], b["recall"], b["n"])
        for run, rows in demo.scores.items()
        for row in rows
        if row["metric"] == "hmean"
        for b in row["by_height"]
        if b["n"]
    ]
    lines = [(n, v, u, t) for n, v, u, t in figures(demo)] + [(t, s, "s", None) for t, s in demo.seconds.items()]
    document = html.page(
        "Demo: detector and recogniser trained on rendered text",
        "Every number here was measured on text that this project rendered itself; "
        "none is a result on ICDAR, SynthText or MJSynth.",
        html.section("Figures", html.table(("Figure", "Value", "Unit", "Target"), lines)),
        html.section(
            "Scores",
            *tables,
            html.table(("Run", "Set", "Word height (pixels)", "Recall", "n"), bins, "Recall by word height"),
        ),
        html.section("Pictures read", html.gallery(html.picture(image, caption) for image, caption in pictures)),
        html.section("Curves", html.charts(curves(demo))),
        html.section("Data", html.data_table(manifests)),
    )
    return html.write_page(path, document)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0 when everything ran, whatever the numbers; 1 when a part failed."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/demo"), help="folder for the rendered data")
    parser.add_argument("--runs", type=Path, default=Path("runs/demo"), help="folder for the runs")
    parser.add_argument("--only", choices=["data"], help="stop after the data is prepared")
    arguments = parser.parse_args(argv)
    demo = Demo(arguments.data, arguments.runs, console())
    try:
        make_data(demo)
        if arguments.only == "data":
            demo.console.print(
                f"prepared under {demo.data}: python train.py model=craft data=synthtext+icdar root={demo.data}"
            )
            return 0
        train(demo)
        show_scores(demo)
        pictures = read(demo)
        summary(demo, write_page(demo, pictures, demo.runs / "demo.html"))
    except (JobFailed, ValueError) as error:
        demo.console.print(f"error: {error}", style="red", highlight=False, markup=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
