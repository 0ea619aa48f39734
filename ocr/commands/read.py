"""``ocr read``: find and read the words of pictures."""

from __future__ import annotations

import argparse
from typing import Any

HELP = "find and read the words of pictures"
EXAMPLE = "ocr read shop.jpg --detector detector.ckpt --recognizer recognizer.ckpt --json -"
OVERRIDES = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument(
        "pictures",
        nargs="+",
        metavar="PATH",
        help="picture or PDF file (that needs poppler), folder, pattern in quotes, or - for standard input",
    )
    parser.add_argument("--detector", required=True, help="checkpoint or ONNX file of a detector")
    parser.add_argument("--recognizer", required=True, help="checkpoint or ONNX file of a recogniser")
    parser.add_argument("--out", default="readings", help="folder for files about every picture (default: readings)")
    parser.add_argument(
        "--format",
        default="json,picture",
        help="what goes into that folder: any of json, picture (boxes and texts drawn), text, hocr, alto, "
        "html (one page with all pictures), separated by commas; none for nothing (default: json,picture)",
    )
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
    parser.add_argument(
        "--polygons",
        action="store_true",
        default=None,
        help="follow curved words along their outline (default: the checkpoint's)",
    )
    parser.add_argument("--batch", type=int, default=8, help="pictures in memory at a time (default: 8)")
    parser.add_argument("--device", help="device (default: cuda for checkpoints when there is one)")


def run(arguments: argparse.Namespace) -> int:
    """Print what is read and write the files asked for; 1 when a picture could not be read."""
    from ocr import deployed
    from ocr.read_files import check_formats, read_files
    from ocr.reader import Reader

    formats = [] if arguments.format == "none" else arguments.format.split(",")
    check_formats(formats)
    if arguments.batch < 1:
        raise ValueError(f"--batch {arguments.batch}: read at least one picture at a time")
    inference = _preset(arguments.inference)
    inference |= {k: v for k in ("long_side", "tile", "polygons") if (v := getattr(arguments, k)) is not None}
    reader = Reader(
        deployed.detector(arguments.detector, arguments.device, **inference),
        deployed.recognizer(arguments.recognizer, arguments.device),
    )
    out = arguments.out if formats else None
    failed = read_files(arguments.pictures, reader, out, arguments.json, formats, arguments.batch)
    return 1 if failed else 0


def _preset(name: str | None) -> dict[str, Any]:
    """Settings of a preset of conf/inference; without a name none, and nothing that is needed to compose them."""
    if name is None:
        return {}
    from ocr.config import compose_config, plain

    settings: dict[str, Any] = plain(compose_config(["model=craft", f"inference={name}"]))["inference"]
    return settings
