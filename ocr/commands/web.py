"""``ocr web``: a local page to look at what a detector and a recogniser see."""

from __future__ import annotations

import argparse
import os

HELP = "serve a local page: drop a picture, see boxes, text, score maps and confidences"
EXAMPLE = "ocr web --detector detector.ckpt --recognizer recognizer.ckpt"
OVERRIDES = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--detector", required=True, help="checkpoint or ONNX file of a detector")
    parser.add_argument("--recognizer", required=True, help="checkpoint or ONNX file of a recogniser")
    parser.add_argument("--port", type=int, default=7860, help="port on 127.0.0.1 (default: 7860)")
    parser.add_argument("--device", help="device (default: cuda for checkpoints when there is one)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted.

    Raises:
        ValueError: a model cannot be opened, or the port is taken; one line.
    """
    # the library asks the network for its latest version otherwise
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from ocr import deployed
    from ocr.web import page, serve

    detector = deployed.deployable(arguments.detector, "detection", arguments.device)
    recognizer = deployed.recognizer(arguments.recognizer, arguments.device)
    print(f"open http://127.0.0.1:{arguments.port}; Ctrl-C ends it", flush=True)
    serve(page(detector, recognizer), arguments.port)
    return 0
