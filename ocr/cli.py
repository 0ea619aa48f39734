"""The ``ocr`` command: evaluate a checkpoint, read pictures, list runs.  Heavy imports happen inside the sub-commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ocr.terminal import run_quietly


def _evaluate(arguments: argparse.Namespace) -> int:
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


def _read(arguments: argparse.Namespace) -> int:
    import torch

    from ocr.reader import Reader, read_files
    from ocr.run import checkpoint

    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    inference = {"long_side": arguments.long_side} if arguments.long_side else {}
    reader = Reader(
        checkpoint.detector(arguments.detector, device, **inference),
        checkpoint.recognizer(arguments.recognizer, device),
    )
    failed = read_files(arguments.pictures, reader, out=arguments.out, json_path=arguments.json)
    return 1 if failed else 0


def _runs(arguments: argparse.Namespace) -> int:
    from ocr import sweep
    from ocr.run.record import RECORD

    folders = sorted(path.parent for path in Path(arguments.runs).rglob(RECORD))
    if not folders:
        raise ValueError(
            f"no run below {arguments.runs}; runs are made by train.py (runs=… or OCR_RUNS names the folder)"
        )
    sweep.show([sweep.Noted(folder) for folder in folders])
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="ocr", description="Evaluate checkpoints, read pictures, list runs. Training: python train.py --help"
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    evaluate = commands.add_parser(
        "evaluate",
        help="score a checkpoint on prepared sets under a named protocol",
        description="Example: ocr evaluate runs/…/best.ckpt data=icdar2015 protocol=ic15_iou root=data",
    )
    evaluate.add_argument("checkpoint", help="a .ckpt of this project")
    evaluate.add_argument(
        "overrides",
        nargs="*",
        help="data=SET[+SET…] (required), root=FOLDER, protocol=NAME (default: that of training)",
    )
    evaluate.add_argument("--split", default="test", help="split of the sets (default: test)")
    evaluate.add_argument("--out", help="folder for per-sample rows (default: predictions/ beside the checkpoint)")
    evaluate.add_argument("--device", help="torch device (default: cuda when there is one)")
    evaluate.set_defaults(run=_evaluate)
    read = commands.add_parser(
        "read",
        help="find and read the words of pictures",
        description="Prints JSON and draws the words found on each picture.",
    )
    read.add_argument("pictures", nargs="+", help="picture files")
    read.add_argument("--detector", required=True, help="checkpoint of a detector")
    read.add_argument("--recognizer", required=True, help="checkpoint of a recogniser")
    read.add_argument("--out", default="readings", help="folder for the drawn pictures (default: readings)")
    read.add_argument(
        "--json", help="one JSON line per picture into this file as well; - prints them instead of the text"
    )
    read.add_argument(
        "--long-side", type=int, help="longer side at which pictures are searched, pixels (default: the checkpoint's)"
    )
    read.add_argument("--device", help="torch device (default: cuda when there is one)")
    read.set_defaults(run=_read)
    runs = commands.add_parser("runs", help="list the runs on disk with their state and score")
    runs.add_argument("runs", nargs="?", default="runs", help="folder of the runs (default: runs)")
    runs.set_defaults(run=_runs)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 something failed, 2 the command line is wrong, 130 interrupted."""
    return run_quietly(lambda: _main(argv))


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; overrides may stand between and behind the options, where argparse does not expect them."""
    arguments, left = parser().parse_known_args(argv)
    unknown = [a for a in left if a.startswith("-") or "=" not in a or arguments.run is not _evaluate]
    if unknown:
        parser().error(f"unrecognized arguments: {' '.join(unknown)}")
    if left:
        arguments.overrides += left
    return arguments


def _main(argv: Sequence[str] | None) -> int:
    arguments = _parsed(argv)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is not installed; this command needs it: pip install 'ocr[train]'", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
