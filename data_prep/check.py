"""Comparing prepared sets and downloaded archives with the catalogue."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.catalog import CatalogEntry, catalog
from ocr.data.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m data_prep check``."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="sets (default: all that are there)")
    parser.add_argument("--out", type=Path, default=Path("data"), help="root of the prepared sets (default: data)")
    parser.add_argument("--raw", type=Path, help="compare the archives in this folder with their checksums instead")


def run(args: argparse.Namespace) -> int:
    """Print a line for each prepared set or archive; 1 when one of them is not what the catalogue says.

    Raises:
        ValueError: a name is not in the catalogue, or there is nothing to compare.
    """
    entries = named(args.names)
    compared = list(_archives(args.raw, entries) if args.raw is not None else _sets(args.out, entries))
    if not compared:
        where = args.raw if args.raw is not None else args.out
        raise ValueError(f"nothing to check in {where}: it holds none of {', '.join(entries)}")
    for sound, line in compared:
        print(f"{'ok' if sound else 'NOT':<4} {line}")
    return 0 if all(sound for sound, _ in compared) else 1


def named(names: Sequence[str]) -> dict[str, CatalogEntry]:
    """Entries by name, all of them when none is named.

    Raises:
        ValueError: a name is not in the catalogue.
    """
    unknown = [name for name in names if name not in catalog()]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not in the catalogue; it holds {', '.join(catalog())}")
    return {name: entry for name, entry in catalog().items() if not names or name in names}


def verdict(entry: CatalogEntry, place: str, count: int, dropped: int, public: bool = False) -> tuple[bool, str]:
    """Whether ``count`` samples, after ``dropped`` drops, are the complete set (or public LMDB) at ``task/split``, and why.

    Drops count single words of a picture as well, so a set is complete when what is missing was dropped.
    """
    exact = entry.by_ids.get(place, entry.kept.get(place))
    if exact is not None:
        return count == exact, f"the catalogue has {exact:,}"
    expected = entry.complete(place, public)
    if expected is None:
        return True, "the catalogue has no number"
    if count == expected:
        return True, "complete"
    sound = count < expected <= count + dropped
    return sound, f"of {expected:,}; " + ("the rest was dropped, see dropped.tsv" if sound else "not the complete set")


def _sets(root: Path, entries: dict[str, CatalogEntry]) -> Iterator[tuple[bool, str]]:
    for name, entry in entries.items():
        for place in entry.places():
            task, _, split = place.partition("/")
            folder = root / task / name / split
            if not (folder / "data.mdb").is_file():
                continue
            manifest = Store(folder).manifest
            dropped = sum(manifest.dropped.values())
            line = f"{task} {name}/{split}: {manifest.count:,} samples"
            if dropped:
                line += f", {dropped:,} drops"
            if manifest.kind == "rendered":
                yield True, f"{line}; a rendered stand-in, which is not compared"
                continue
            sound, why = verdict(entry, place, manifest.count, dropped, manifest.foreign)
            yield sound, f"{line}; {why}"


def _archives(raw: Path, entries: dict[str, CatalogEntry]) -> Iterator[tuple[bool, str]]:
    for name, entry in entries.items():
        for file, expected in entry.md5.items():
            if (raw / file).is_file():
                with (raw / file).open("rb") as content:
                    found = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
                why = "as the catalogue has it" if found == expected else f"md5 {found}, the catalogue has {expected}"
                yield found == expected, f"{name} {file}: {why}"
