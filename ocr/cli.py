"""The ``ocr`` command; its sub-commands are the modules of ``ocr.commands``."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Any

from ocr import commands
from ocr.terminal import run_quietly

EXTRAS = {
    "onnxruntime": "runtime",
    "onnx": "export",
    "safetensors": "export",
    "gradio": "web",
    "fastapi": "serve",
    "uvicorn": "serve",
}
"""Library -> the extra of the package that installs it; any other: ``train``."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="ocr", description="Evaluate checkpoints, read pictures, list runs. Training: python train.py --help"
    )
    parsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for found in pkgutil.iter_modules(commands.__path__):
        command: Any = importlib.import_module(f"{commands.__name__}.{found.name}")
        name = found.name.replace("_", "-")
        own = parsers.add_parser(
            name, help=command.HELP, description=command.__doc__, epilog=f"Example: {command.EXAMPLE}"
        )
        command.add_arguments(own)
        own.set_defaults(run=command.run, takes_overrides=command.OVERRIDES)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 something failed, 2 the command line is wrong, 130 interrupted."""
    return run_quietly(lambda: _main(argv))


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; overrides may stand between and behind the options, where argparse does not expect them."""
    arguments, left = parser().parse_known_args(argv)
    unknown = [a for a in left if a.startswith("-") or "=" not in a or not arguments.takes_overrides]
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
        extra = EXTRAS.get((error.name or "").partition(".")[0], "train")
        print(
            f"error: {error.name} is not installed; this command needs it: pip install 'ocr[{extra}]'", file=sys.stderr
        )
        return 1
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
