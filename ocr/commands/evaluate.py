"""``ocr evaluate``: score a checkpoint on prepared sets."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HELP = "score a checkpoint on prepared sets under one or more named protocols"
EXAMPLE = "ocr evaluate runs/…/best.ckpt protocol=baek2019+case62+full94 root=data"
OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("checkpoint", help="a .ckpt of this project")
    parser.add_argument(
        "overrides",
        nargs="*",
        help="data=SET[+SET…] (a benchmark brings its own), root=FOLDER, protocol=NAME[+NAME…] (default: that of training)",
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
    from ocr.run.evaluate import evaluate_checkpoint
    from ocr.run.logging import PREDICTIONS
    from ocr.run.score_table import print_scores
    from ocr.terminal import console as make_console

    path = Path(arguments.checkpoint)
    content = checkpoint.read(path)
    preset = "craft" if content["ocr"]["task"] == "detection" else "crnn"
    given = dict(o.partition("=")[::2] for o in arguments.overrides)
    of_protocol = [o for o in arguments.overrides if o.lstrip("+~").startswith("protocol.")]
    others = [
        o for o in arguments.overrides if o.partition("=")[0] not in ("data", "protocol") and o not in of_protocol
    ]
    settings = plain(compose_config([f"model={preset}", *others]))
    names = [name for name in given.get("protocol", "").split("+") if name]
    nodes = _protocols(names, of_protocol, [f"model={preset}", *others])
    nodes = nodes or [content.get("origin", {}).get("settings", settings)["protocol"]]
    out = Path(arguments.out) if arguments.out else path.parent / PREDICTIONS
    console = make_console()
    sets = set_names(given["data"], preset) if given.get("data") else []
    rows = evaluate_checkpoint(path, sets, settings, out, console, arguments.split, arguments.device, nodes)
    print_scores(rows, console)
    console.print(
        f"per-sample rows, scores.jsonl and, of detections, an archive to submit: {out}",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _protocols(names: Sequence[str], values: Sequence[str], others: Sequence[str]) -> list[dict[str, Any]]:
    """The nodes of named protocols; a word ``protocol.key=value`` is for those of them that have the key."""
    from ocr.config import compose_config, keys_of, plain

    nodes, taken = [], set()
    for name in names:
        known = {f"protocol.{key}" for key in keys_of(compose_config([*others, f"protocol={name}"]).protocol)}
        fitting = [o for o in values if len(names) == 1 or o.lstrip("+~").partition("=")[0] in known]
        nodes.append(plain(compose_config([*others, f"protocol={name}", *fitting]).protocol))
        taken.update(fitting)
    left = [o for o in values if o not in taken]
    if left:
        raise ValueError(f"{left[0]}: {'no named protocol has this key' if names else 'name the protocol= it is for'}")
    return nodes
