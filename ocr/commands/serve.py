"""``ocr serve``: read pictures over HTTP on loopback."""

from __future__ import annotations

import argparse

HELP = "answer pictures posted over HTTP on loopback with what they say"
EXAMPLE = (
    "ocr serve --detector detector.onnx --recognizer recognizer.onnx; "
    "curl --data-binary @shop.jpg http://127.0.0.1:8000/read"
)
OVERRIDES = False
HOST = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--detector", required=True, help="checkpoint or ONNX file of a detector")
    parser.add_argument("--recognizer", required=True, help="checkpoint or ONNX file of a recogniser")
    parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (default: 8000)")
    parser.add_argument("--megabytes", type=float, default=20, help="largest file taken (default: 20)")
    parser.add_argument("--megapixels", type=float, default=40, help="largest picture taken (default: 40)")
    parser.add_argument("--seconds", type=float, default=60, help="longest time for an answer (default: 60)")
    parser.add_argument("--waiting", type=int, default=8, help="pictures that may wait; more are refused (default: 8)")
    parser.add_argument("--device", help="device (default: cuda for checkpoints when there is one)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted.

    Raises:
        ValueError: a limit makes no sense, or a model cannot be opened; one line.
    """
    import uvicorn

    from ocr import deployed
    from ocr.reader import Reader
    from ocr.serve import Limits, application

    limits = Limits(arguments.megabytes, arguments.megapixels, arguments.seconds, arguments.waiting)
    if not 0 <= arguments.port < 65536:
        raise ValueError(f"--port {arguments.port}: give a number from 0 to 65535")
    reader = Reader(
        deployed.detector(arguments.detector, arguments.device),
        deployed.recognizer(arguments.recognizer, arguments.device),
    )
    service = application(lambda image: reader.read([image])[0], limits)
    print(f"post pictures to http://{HOST}:{arguments.port}/read; Ctrl-C ends it", flush=True)
    uvicorn.run(
        service, host=HOST, port=arguments.port, log_level="warning", limit_concurrency=4 * (arguments.waiting + 2)
    )
    return 0
