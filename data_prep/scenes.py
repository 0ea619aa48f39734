"""Any pictures with ICDAR-style label files: word quads or polygons, ``x1,y1,…,xn,yn,text``."""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.pictures_with_text import simple_pool
from data_prep.quad_text import holds_polygons
from data_prep.samples import Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m data_prep scenes``."""
    parser.add_argument(
        "--split", choices=["train", "val", "test"], default="test", help="which split it becomes (default: test)"
    )
    parser.add_argument(
        "--points",
        choices=["auto", "four", "any"],
        default="auto",
        help="points a line begins with; auto: any when most lines begin with more than four pairs of numbers (default: auto)",
    )


def jobs(raw: Path, args: argparse.Namespace) -> list[Job]:
    """One split of a folder of pictures.

    Raises:
        ValueError: the folder holds no pictures with label files.
    """
    pool = simple_pool(raw)
    if pool is None:
        raise ValueError(
            f"no pictures with label files in {raw}: expected images/NAME.jpg and gt/gt_NAME.txt (or gt/NAME.txt)"
        )
    pool.polygons = args.points == "any" or (args.points == "auto" and holds_polygons(pool.label_files()))
    entries = list(pool.entries.values())
    return [Job(args.split, ("detection",), entries, len(entries), pool.scenes, pool.name)]
