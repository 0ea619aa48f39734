"""``ocr read``: find and read the words of pictures."""

from __future__ import annotations

import argparse

HELP = "find and read the words of pictures"
EXAMPLE = "ocr read shop.jpg --detector detector.ckpt --recognizer recognizer.ckpt --json -"
OVERRIDES = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("pictures", nargs="+", help="picture files")
    parser.add_argument("--detector", required=True, help="checkpoint of a detector")
    parser.add_argument("--recognizer", required=True, help="checkpoint of a recogniser")
    parser.add_argument("--out", default="readings", help="folder for the drawn pictures (default: readings)")
    parser.add_argument(
        "--json", help="one JSON line per picture into this file as well; - prints them instead of the text"
    )
    parser.add_argument(
        "--inference", help="preset of conf/inference: size and thresholds of the search (default: the checkpoint's)"
    )
    parser.add_argument(
        "--long-side", type=int, help="longer side at which pictures are searched, pixels (default: the checkpoint's)"
    )
    parser.add_argument(
        "--tile",
        type=int,
        help="search larger pictures in overlapping windows of this many pixels, a multiple of 32 (default: whole)",
    )
    parser.add_argument("--device", help="torch device (default: cuda when there is one)")


def run(arguments: argparse.Namespace) -> int:
    """Print JSON and draw the words found on each picture; 1 when a picture could not be read."""
    import torch

    from ocr.config import compose_config, plain
    from ocr.reader import Reader, read_files
    from ocr.run import checkpoint

    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    preset = [f"inference={arguments.inference}"] if arguments.inference else []
    inference = plain(compose_config(["model=craft", *preset])).get("inference", {})
    inference |= {k: v for k in ("long_side", "tile") if (v := getattr(arguments, k)) is not None}
    reader = Reader(
        checkpoint.detector(arguments.detector, device, **inference),
        checkpoint.recognizer(arguments.recognizer, device),
    )
    failed = read_files(arguments.pictures, reader, out=arguments.out, json_path=arguments.json)
    return 1 if failed else 0
