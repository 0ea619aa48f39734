"""``ocr import-weights``: turn weights that others published into a checkpoint for ``ocr evaluate`` and ``ocr read``."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "turn published weights (.pth) into a checkpoint of this project"
EXAMPLE = "ocr import-weights TPS-ResNet-BiLSTM-Attn.pth --out trba.ckpt"
OVERRIDES = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("weights", help="state dict with the published names, with or without module. before them")
    parser.add_argument("--out", help="checkpoint to write (default: the file's name with .ckpt)")
    parser.add_argument("--charset", help="name, UTF-8 file (.txt) or characters, in the order of the classes")
    parser.add_argument("--height", type=int, help="height of the pictures in pixels (default: 32)")
    parser.add_argument(
        "--width", type=int, help="width of the pictures in pixels (default: 100, or what TPS was made for)"
    )
    parser.add_argument("--max-length", type=int, help="longest text in characters (default: 25)")
    parser.add_argument(
        "--variable-width", action="store_true", help="let every picture keep its own width, up to --width"
    )
    parser.add_argument(
        "--keep-ratio", action="store_true", help="the weights were trained on pictures padded, not stretched"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the checkpoint and print what was recognised.

    Raises:
        ValueError: see :func:`ocr.run.published.import_weights`; also when the checkpoint cannot be written.
    """
    from ocr.run import checkpoint
    from ocr.run.published import import_weights
    from ocr.terminal import console as make_console

    path = Path(arguments.weights)
    sizes = {k: v for k in ("height", "width", "max_length") if (v := getattr(arguments, k)) is not None}
    inference = {k: True for k in ("keep_ratio", "variable_width") if getattr(arguments, k)}
    imported = import_weights(path, arguments.charset, sizes, **inference)
    out = Path(arguments.out) if arguments.out else path.with_suffix(".ckpt")
    checkpoint.write(imported.content, out)
    console = make_console()
    for name, value in imported.summary.items():
        console.print(f"{name:<12}{value}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"checkpoint  {out}", highlight=False, markup=False, soft_wrap=True)
    return 0
