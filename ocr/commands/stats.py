"""``ocr stats``: what of some training data a model can learn, and what stands in more than one place."""

from __future__ import annotations

import argparse

HELP = "count what of some words can be learnt, by reason, and copies between training, validation and test"
EXAMPLE = "ocr stats data=mjsynth+synthtext model=trba root=data --against iiit5k+svt"
OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("overrides", nargs="*", help="as of train.py: data=SET[+SET…], model=NAME, root=FOLDER, …")
    parser.add_argument(
        "--against", default="", metavar="TEST", help="test sets (or paths) to look for copies in, joined with +"
    )


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
    from ocr.terminal import console as make_console

    settings = plain(compose_config(arguments.overrides))
    if settings["task"] != "recognition":
        raise ValueError("ocr stats looks at word crops: choose a recogniser, for example model=crnn")
    console = make_console()
    data = data_module(settings, build(settings["model"], "model"))
    names = set_names(arguments.against, "crnn") if arguments.against else []
    named = list(open_sets(settings, [], names, "test").values())
    show_data(data, console)
    show_findings(inspect(data, unseen_sets(settings["root"], named, console), console, refuse=False), console)
    return 0
