"""LMDBs that others prepared in the public layout: looked over and linked to, never rewritten."""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.catalog import catalog
from data_prep.raw import existing_folder
from ocr.data.records import MANIFEST, Split, split_by_folder
from ocr.data.store import Store
from ocr.data.verification import verify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m data_prep lmdb``."""
    parser.add_argument("--raw", type=Path, required=True, help="folder of an LMDB, or one with LMDBs below it")
    parser.add_argument("--out", type=Path, default=Path("data"), help="root of the prepared sets (default: data)")
    parser.add_argument("--name", help="name of the set (default: that of the catalogue, or of the folder)")
    parser.add_argument("--split", choices=["train", "val", "test"], help="its split (default: what its folders say)")
    parser.add_argument("--full", action="store_true", help="decode every picture (default: a few hundred of each)")


def run(args: argparse.Namespace) -> int:
    """Check every LMDB and link to it from ``OUT/recognition/NAME/SPLIT``; 1 when one is faulty, which then gets no link.

    Raises:
        ValueError: there is no LMDB, or a link's place is taken.
    """
    raw = existing_folder(args.raw)
    folders = sorted(path.parent for path in raw.rglob("data.mdb"))
    if not folders:
        raise ValueError(f"no LMDB in {raw}: expected a folder with data.mdb")
    if args.name and len(folders) > 1:
        raise ValueError(f"--name {args.name}: {raw} holds {len(folders)} LMDBs; give the folder of one of them")
    known = {name: (ours, split) for ours, entry in catalog().items() for name, split in entry.lmdb.items()}
    faulty = False
    for folder in folders:
        problems = verify(folder, args.full)
        for problem in problems:
            print(problem)
        if problems:
            faulty = True
            continue
        ours, split = known.get(folder.name, (folder.name, split_by_folder(folder.absolute()) or "test"))
        print(_linked(folder, args.out, args.name or ours, args.split or split))
    return int(faulty)


def _linked(folder: Path, out: Path, name: str, split: Split) -> str:
    if (folder / MANIFEST).exists():
        return f"{folder} was prepared by this project: no link is needed"
    link = out / "recognition" / name / split
    if link.resolve() != folder.resolve():
        if link.exists() or link.is_symlink():
            raise ValueError(f"{link} exists already: move it away, or choose another --name, --split or --out")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder.resolve(), target_is_directory=True)
    count = len(Store(link))
    parts = [f"recognition {name}/{split}: {count:,} samples; sound; {link} -> {folder.resolve()}"]
    entry = catalog().get(name)
    expected = None if entry is None else entry.complete(f"recognition/{split}", public=True)
    if expected not in (None, count):
        parts.append(f"the complete set has {expected:,}")
    return "; ".join(parts)
