"""A share of a prepared set of words as a set of its own, drawn by the hash of every sample's key.

python -m experiments.subset data/recognition/mjsynth/train data/recognition/mjsynth_20/train --share 0.2
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from ocr.data.store import Store, StoreWriter


def belongs(key: str, share: float) -> bool:
    """Whether a sample is of the share; a smaller share is part of a larger one."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") < share * 2**64


def write_subset(source: Path, target: Path, share: float) -> int:
    """Copy the samples of a share, pictures as they are stored; how many there are.

    Raises:
        ValueError: the share is not in (0, 1], the source is no set of words, or the target cannot be written.
    """
    if not 0 < share <= 1:
        raise ValueError(f"--share {share}: give a number above 0, at most 1")
    store = Store(source)
    manifest = store.manifest
    if manifest.task != "recognition":
        raise ValueError(f"{source} holds a {manifest.task} set: subsets are made of words")
    what = f"{share:g} of {manifest.name} ({manifest.fingerprint[:12]}), by hash of the key"
    count = 0
    with StoreWriter(target, "recognition", target.parent.name, manifest.split, manifest.kind, what) as writer:
        for index, key in enumerate(store.keys()):
            if belongs(key, share):
                word = store.word(index)
                writer.add_word(store.image_bytes(index), word.text, key, word.script, word.direction, word.characters)
                count += 1
    return count


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(prog="experiments/subset.py", description=__doc__)
    parser.add_argument("source", type=Path, help="folder of a prepared set of words, one split")
    parser.add_argument("target", type=Path, help="folder that receives the share: SET/SPLIT")
    parser.add_argument("--share", type=float, required=True, help="in (0, 1]")
    arguments = parser.parse_args(argv)
    try:
        count = write_subset(arguments.source, arguments.target, arguments.share)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.target}: {count:,} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
