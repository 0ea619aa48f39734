"""``ocr cost``: parameters, FLOPs, latency, throughput, memory and file size of a checkpoint or of a model with fresh weights."""

from __future__ import annotations

import argparse

HELP = "measure what a model costs: parameters, FLOPs, latency, throughput, memory, file size"
EXAMPLE = "ocr cost runs/…/best.ckpt   or   ocr cost model=craft inference=icdar2015 --device cuda"
OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="CKPT|KEY=VALUE",
        help="a checkpoint, or model=NAME and overrides as for train.py; inference=NAME measures a detector at that size alone, "
        "loader.batch_size=N is the batch of the training step",
    )
    parser.add_argument("--device", help="torch device (default: cuda when there is one)")
    parser.add_argument("--threads", type=int, default=1, help="threads of the CPU (default: 1)")
    parser.add_argument(
        "--batch", type=int, help="pictures for the throughput (default: 64 words; 1 scene, on a GPU 4)"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="for each timed call, in two passes (default: 2)")
    parser.add_argument("--no-training", action="store_true", help="leave the training step out")
    parser.add_argument("--json", help="write everything into this file as well; - prints it instead of the table")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print.

    Raises:
        ValueError: nothing to measure is named, or a number is out of range; one line.
    """
    import json
    from dataclasses import asdict
    from pathlib import Path

    import torch

    from ocr.cost.measure import How, measure
    from ocr.cost.subject import subject
    from ocr.cost.table import print_cost
    from ocr.terminal import console as make_console

    if arguments.threads < 1 or arguments.seconds <= 0 or (arguments.batch or 1) < 1:
        raise ValueError("--threads and --batch start at 1, and --seconds lie above 0")
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"--device {device}: torch sees no GPU here; --device cpu needs none")
    console, progress = make_console(), make_console(stderr=True)
    presets = [o.partition("=")[2] for o in arguments.overrides if o.startswith("inference=")]
    how = How(device, arguments.threads, arguments.batch, arguments.seconds, not arguments.no_training)
    cost = measure(
        subject(arguments.overrides), how, presets, lambda line: progress.print(line, style="dim", highlight=False)
    )
    text = json.dumps(asdict(cost), indent=1)
    if arguments.json == "-":
        print(text)
        return 0
    print_cost(cost, console)
    if arguments.json:
        Path(arguments.json).write_text(text + "\n", encoding="utf-8")
    return 0
