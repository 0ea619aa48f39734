"""``ocr export``: a checkpoint as a file for elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "turn a checkpoint into an ONNX file for reading without torch, or into safetensors"
EXAMPLE = "ocr export detector.ckpt --to onnx --out detector.onnx"
OVERRIDES = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("checkpoint", help="a .ckpt of this project")
    parser.add_argument("--to", choices=("onnx", "safetensors"), default="onnx", help="kind of file (default: onnx)")
    parser.add_argument("--out", help="file to write (default: the checkpoint's name with another ending)")
    parser.add_argument("--half", action="store_true", help="weights as fp16: half the size (safetensors)")
    parser.add_argument(
        "--int8",
        choices=("dynamic", "static"),
        help="also write NAME.int8.onnx: weights as 8-bit integers; dynamic measures what flows between the layers while it "
        "runs, static on pictures beforehand (--data)",
    )
    parser.add_argument(
        "--data",
        help="folder of a prepared set of the checkpoint's task: what int8 is tuned to and its loss measured on",
    )
    parser.add_argument(
        "--most", type=int, default=200, help="samples of --data that the loss is measured on (default: 200)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the file and print how far it is from PyTorch.

    Raises:
        ValueError: one line: the checkpoint cannot be read, options contradict each other, or the file differs too much.
    """
    from ocr.run import checkpoint

    source = Path(arguments.checkpoint)
    onnx = arguments.to == "onnx"
    if arguments.half and onnx:
        raise ValueError("--half is for --to safetensors: an ONNX file holds fp32, or --int8")
    if arguments.int8 and not onnx:
        raise ValueError("--int8 is for --to onnx")
    if arguments.int8 and not arguments.data:
        raise ValueError(f"--int8 {arguments.int8} needs --data FOLDER, a prepared set to measure its loss on")
    out = Path(arguments.out) if arguments.out else source.with_suffix(f".{arguments.to}")
    if not onnx:
        from ocr.run.packed_weights import pack

        content = checkpoint.read(source)
        pack(content["ocr"], checkpoint.weights(content), out, arguments.half)
        print(f"{out}: {out.stat().st_size / 1e6:.1f} MB{', matrices in fp16' if arguments.half else ''}")
        return 0
    from ocr.export import TOLERANCE, to_onnx

    found = to_onnx(checkpoint.deployable(source), out, {"checkpoint": source.name})
    values = ", ".join(f"{name} {value:.1e}" for name, value in found.items())
    size = f"{out.stat().st_size / 1e6:.1f} MB"
    print(f"{out}: {size}; largest difference from PyTorch at two sizes: {values} (allowed: {TOLERANCE:g})")
    if arguments.int8:
        from ocr.int8 import loss, quantise

        small = out.with_suffix(".int8.onnx")
        quantise(out, small, arguments.int8, Path(arguments.data))
        print(f"{small}: {small.stat().st_size / 1e6:.1f} MB; {loss(out, small, Path(arguments.data), arguments.most)}")
    return 0
