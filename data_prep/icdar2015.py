"""ICDAR 2015 challenge 4, incidental scene text (Karatzas et al., ICDAR 2015): word quads, text only where it is legible.

Two layouts are read: the official one (four folders, or the zip archives of those names), and ``images/`` with ``gt/``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.pictures_with_text import Pool, simple_pool
from data_prep.raw import find_part
from data_prep.samples import Job
from ocr.data.records import Split

OFFICIAL: dict[Split, tuple[str, str]] = {
    "train": ("ch4_training_images", "ch4_training_localization_transcription_gt"),
    "test": ("ch4_test_images", "Challenge4_Test_Task1_GT"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m data_prep icdar2015``."""
    for split in OFFICIAL:
        parser.add_argument(
            f"--{split}-ids",
            metavar="IDS",
            help=f"names of the {split} pictures, without extension: a comma list, or a file with one a line; "
            "from a folder without an official division both come out of the same pictures, so folds can be made",
        )


def jobs(raw: Path, args: argparse.Namespace) -> list[Job]:
    """Train and test, as far as they are there.

    Raises:
        ValueError: neither layout is found, an id is unknown, or one picture would both train and test.
    """
    ids = {split: _ids(getattr(args, f"{split}_ids")) for split in OFFICIAL}
    pools = _pools(raw)
    if len(pools) == 1 and any(ids.values()):
        twice = sorted({*(ids["train"] or [])} & {*(ids["test"] or [])})
        if twice:
            raise ValueError(
                f"--train-ids and --test-ids share {', '.join(twice[:5])}: a picture may not both train and test"
            )
        (pool,) = pools.values()
        pools = {split: pool for split in OFFICIAL if ids[split]}
    found = []
    for split, pool in pools.items():
        wanted = ids[split]
        entries = list(pool.entries.values()) if wanted is None else pool.select(wanted, f"--{split}-ids")
        found.append(Job(split, ("detection",), entries, len(entries), pool.scenes, pool.name))
    return found


def _pools(raw: Path) -> dict[Split, Pool]:
    pools: dict[Split, Pool] = {}
    for split, (images, labels) in OFFICIAL.items():
        pictures, texts = find_part(raw, images), find_part(raw, labels)
        if pictures is not None and texts is not None:
            pools[split] = Pool(pictures, texts)
        elif pictures is not None or texts is not None:
            raise ValueError(f"{raw} holds only one of {images} and {labels} (folder or .zip): both are needed")
    if not pools:
        simple = simple_pool(raw)
        if simple is not None:
            pools["train"] = simple
    if not pools:
        names = ", ".join(name for pair in OFFICIAL.values() for name in pair)
        raise ValueError(
            f"no ICDAR 2015 in {raw}: expected the folders or zip archives {names}, or images/ and gt/gt_NAME.txt"
        )
    return pools


def _ids(option: str | None) -> list[str] | None:
    if option is None:
        return None
    text = Path(option).read_text(encoding="utf-8") if Path(option).is_file() else option.replace(",", "\n")
    return [line.strip() for line in text.splitlines() if line.strip()]
