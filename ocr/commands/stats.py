"""``ocr stats``: what of some training data a model can learn, what stands in more than one place, and what it looks like."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "what of some training data can be learnt, copies between training, validation and test, histograms, samples"
EXAMPLE = "ocr stats data=mjsynth+synthtext model=trba root=data --against iiit5k+svt"
OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("overrides", nargs="*", help="as of train.py: data=SET[+SET…], model=NAME, root=FOLDER, …")
    parser.add_argument(
        "--against", default="", metavar="TEST", help="test sets (or paths) to look for copies in, joined with +"
    )
    parser.add_argument(
        "--histograms", action="store_true", help="lengths, characters, sizes and shapes as bars as well"
    )
    parser.add_argument("--page", metavar="FILE", help="write everything with samples as one HTML page")


def run(arguments: argparse.Namespace) -> int:
    """Print the table that opens a training run.

    Raises:
        ValueError: the config or a set is wrong; one line.
    """
    from ocr.config import build, compose_config, plain, set_names
    from ocr.run.announce import show_data
    from ocr.run.data import data_module, unseen_sets
    from ocr.run.evaluate import open_sets
    from ocr.run.inspection import inspect, show_findings
    from ocr.run.stats import describe, show_described, write_stats_page
    from ocr.terminal import console as make_console

    settings = plain(compose_config(arguments.overrides))
    words, console = settings["task"] == "recognition", make_console()
    if arguments.against and not words:
        raise ValueError("--against looks for copies of word crops: choose a recogniser, for example model=crnn")
    data = data_module(settings, build(settings["model"], "model") if words else None)
    show_data(data, console)
    findings = []
    if words:
        names = set_names(arguments.against, "crnn") if arguments.against else []
        named = list(open_sets(settings, [], names, "test").values())
        findings = inspect(data, unseen_sets(settings["root"], named, console), console, refuse=False)
        show_findings(findings, console)
    if arguments.histograms or arguments.page:
        described = describe(data)
        if arguments.histograms:
            show_described(described, console)
        if arguments.page:
            console.print(f"page: {write_stats_page(Path(arguments.page), described, findings)}", soft_wrap=True)
    return 0
