"""``ocr evaluate``: score a checkpoint on prepared sets."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "score a checkpoint on prepared sets under a named protocol"
EXAMPLE = "ocr evaluate runs/…/best.ckpt data=icdar2015 protocol=ic15_iou root=data"
OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("checkpoint", help="a .ckpt of this project")
    parser.add_argument(
        "overrides",
        nargs="*",
        help="data=SET[+SET…] (required), root=FOLDER, protocol=NAME (default: that of training)",
    )
    parser.add_argument("--split", default="test", help="split of the sets (default: test)")
    parser.add_argument("--out", help="folder for per-sample rows (default: predictions/ beside the checkpoint)")
    parser.add_argument("--device", help="torch device (default: cuda when there is one)")


def run(arguments: argparse.Namespace) -> int:
    """Print the scores and keep per-sample rows.

    Raises:
        ValueError: no set is named, or one cannot be evaluated; one line.
    """
    from ocr.config import compose_config, plain, set_names
    from ocr.run import checkpoint
    from ocr.run.evaluate import evaluate_checkpoint, print_scores
    from ocr.terminal import console as make_console

    path = Path(arguments.checkpoint)
    content = checkpoint.read(path)
    preset = "craft" if content["ocr"]["task"] == "detection" else "crnn"
    given = dict(o.partition("=")[::2] for o in arguments.overrides)
    if not given.get("data"):
        raise ValueError(
            "name the sets to evaluate on: data=icdar2015, data=rendered_words_v1+us_plates, or the path of a prepared set"
        )
    settings = plain(
        compose_config([f"model={preset}", *(o for o in arguments.overrides if not o.startswith("data="))])
    )
    if "protocol" not in given:
        settings["protocol"] = content.get("origin", {}).get("settings", settings)["protocol"]
    out = Path(arguments.out) if arguments.out else path.parent / "predictions"
    console = make_console()
    names = set_names(given["data"], preset)
    rows = evaluate_checkpoint(path, names, settings, out, console, arguments.split, arguments.device)
    print_scores(rows, console)
    console.print(f"per-sample rows and scores.jsonl: {out}", highlight=False, soft_wrap=True)
    return 0
