"""``ocr list-ids``: which samples of a set are the images of another LMDB, as a file of keys.

Published subsets (the 860, 857 and 1,811 images of IC03, IC13 and IC15) exist as LMDBs of their own, and no rule gives them
back.  An image is found again by the bytes of its file, or else by its pixels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write the keys of a set's samples whose images are in another LMDB: the id list of a published subset"
EXAMPLE = "ocr list-ids evaluation/IC15_1811 data/recognition/icdar2015/test --out data/lists/ic15_1811.txt"
OVERRIDES = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("subset", help="folder of the LMDB that holds the subset's images")
    parser.add_argument("set", help="folder of the prepared set whose keys are wanted")
    parser.add_argument("--out", required=True, help="file to write, one key a line")


def run(arguments: argparse.Namespace) -> int:
    """Write the list.

    Raises:
        ValueError: an image of the subset is not in the set, or stands there more than once; one line.
    """
    from ocr.data.store import Store
    from ocr.data.subsets import positions_of

    whole = Store(Path(arguments.set))
    keys = [whole.key(place) for place in positions_of(Store(Path(arguments.subset)), whole)]
    out = Path(arguments.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    head = f"# images of {arguments.subset} as keys of {whole.manifest.name}, fingerprint {whole.fingerprint}\n"
    out.write_text(head + "".join(f"{key}\n" for key in keys), encoding="utf-8")
    print(f"{out}: {len(keys):,} of {len(whole):,} samples of {whole.manifest.name}")
    return 0
