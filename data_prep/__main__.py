"""``python -m data_prep``: prepare raw data sets, list what can be prepared, verify what was."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from data_prep import check, public_lmdbs
from data_prep.catalog import catalog
from data_prep.parallel import cores
from data_prep.preparation import Target, prepare
from data_prep.progress import tracked
from data_prep.raw import existing_folder, rendered_note
from data_prep.readers import ALIASES, NAMELESS, READERS
from ocr.data.records import Kind, Manifest
from ocr.data.store import Store
from ocr.data.verification import verify
from ocr.terminal import run_quietly

RENDERER = "rendered"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, 1 for bad input or a faulty set, 2 for a wrong command line, 130 for Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parser(arguments).parse_args(arguments)
        status: int = args.run(args)
        return status
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the set was not published; run the command again", file=sys.stderr)
        return 130


def _console() -> Console:
    return Console(stderr=True)


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_prep", description="Prepare data sets for training and evaluation."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    entries = catalog()
    for name, reader in READERS.items():
        entry = entries[name]
        layout = "\n".join(f"  {line}" for line in entry.files())
        command = commands.add_parser(
            name,
            aliases=ALIASES.get(name, []),
            help=entry.title,
            description=f"{entry.title} → {', '.join(entry.places())}",
            epilog=f"raw folder (every name is a folder, or a .zip, .tar or .tar.gz of that name):\n{layout}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("--raw", type=Path, required=True, help="folder with the raw data set")
        command.add_argument("--out", type=Path, default=Path("data"), help="root of the prepared sets (default: data)")
        command.add_argument("--name", required=name in NAMELESS, default=name, help="name of the set")
        command.add_argument(
            "--kind",
            choices=["real", "rendered"],
            help="what the pictures are (default: rendered where RENDERED.json says so, otherwise real)",
        )
        command.add_argument(
            "--processes", type=_positive, default=cores(), help="worker processes (default: all cores, %(default)s)"
        )
        reader.add_arguments(command)
        command.set_defaults(run=_prepare, layout=name)
    linking = commands.add_parser("lmdb", help="check LMDBs in the public layout and link to them, without rewriting")
    public_lmdbs.add_arguments(linking)
    linking.set_defaults(run=public_lmdbs.run)
    listing = commands.add_parser("list", help="what can be prepared: files, licence, where to get it, citation")
    listing.add_argument("names", nargs="*", metavar="NAME", help="sets (default: all)")
    listing.set_defaults(run=_list)
    checking = commands.add_parser("check", help="compare prepared sets, or downloaded archives, with the catalogue")
    check.add_arguments(checking)
    checking.set_defaults(run=check.run)
    verifying = commands.add_parser("verify", help="look a prepared set over and print what is wrong with it")
    verifying.add_argument("folder", type=Path, help="a prepared set, ROOT/TASK/NAME/SPLIT, or any public LMDB")
    verifying.add_argument("--full", action="store_true", help="decode every picture (default: a few hundred)")
    verifying.set_defaults(run=_verify)
    rendered = commands.add_parser(RENDERER, help="render stand-ins in the raw layouts (needs the extra [render])")
    if RENDERER in arguments[:1]:
        _add_renderer(rendered)
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not a number of processes: give 1 or more")
    return int(text)


def _add_renderer(parser: argparse.ArgumentParser) -> None:
    from data_prep import rendered

    rendered.add_arguments(parser)
    parser.set_defaults(run=rendered.run)


def _prepare(args: argparse.Namespace) -> int:
    raw = existing_folder(args.raw)
    if "/" in args.name or args.name.startswith("."):
        raise ValueError(f"--name {args.name}: the name of a set holds no slash and begins with no dot")
    note = rendered_note(raw)
    if note is not None and args.kind == "real":
        raise ValueError(
            f"--kind real: RENDERED.json says that {raw} was rendered, and a stand-in is never prepared as real"
        )
    kind: Kind = "rendered" if note is not None else args.kind or "real"
    target = Target(args.out, args.name, kind, _source(args.layout, note), getattr(args, "partial", False))
    jobs = READERS[args.layout].jobs(raw, args)
    overlaps = catalog()[args.layout].overlaps
    if overlaps and not args.not_in and args.exclude is None:
        print(f"warning: {overlaps}", file=sys.stderr)
    for job in jobs:
        for manifest in prepare(job, target, _console(), args.processes):
            print(_summary(manifest, job.total, args))
    return 0


def _source(layout: str, note: dict[str, Any] | None) -> str:
    title = catalog()[layout].title
    if note is None:
        return title
    return f"stand-in rendered by this project (look {note.get('look')}, seed {note.get('seed')}) in the layout of: {title}"


def _summary(manifest: Manifest, listed: int, args: argparse.Namespace) -> str:
    folder = args.out / manifest.task / manifest.name / manifest.split
    dropped = ", ".join(f"{reason} {n:,}" for reason, n in sorted(manifest.dropped.items(), key=lambda item: -item[1]))
    parts = [
        f"{manifest.task} {manifest.name}/{manifest.split}: {manifest.count:,} samples",
        f"{sum(manifest.dropped.values()):,} dropped ({dropped})" if dropped else "none dropped",
        f"kind {manifest.kind}" + (", words labelled in part" if manifest.partial else ""),
        str(folder),
        f"fingerprint {manifest.fingerprint[:12]}",
    ]
    expected = catalog()[args.layout].expected.get(f"{manifest.task}/{manifest.split}")
    if expected and manifest.kind == "real" and listed != expected:
        parts.append(f"the raw folder lists {listed:,}, the complete set {expected:,}")
    return "; ".join(parts)


def _list(args: argparse.Namespace) -> int:
    for name, entry in check.named(args.names).items():
        print(f"{name}: {entry.title}")
        rows = [("prepares", ", ".join(entry.places())), ("labels", f"{entry.level}; {', '.join(entry.scripts)}")]
        rows += [("raw folder", line) for line in entry.files()]
        rows += [("licence", entry.licence), ("obtain", entry.obtain), ("cite", entry.citation)]
        rows += [("complete", ", ".join(f"{place} {n:,}" for place, n in entry.expected.items()))]
        rows += [("kept", ", ".join(f"{place} {n:,}" for place, n in (entry.kept | entry.by_ids).items()))]
        rows += [("public LMDB", ", ".join(entry.lmdb)), ("note", entry.note), ("overlaps", entry.overlaps)]
        rows += [("md5", f"{digest}  {file}") for file, digest in entry.md5.items()]
        for title, text in rows:
            if text:
                print(f"  {title:<11}  {text}")
    return 0


def _verify(args: argparse.Namespace) -> int:
    def bar(places: Iterable[int]) -> Iterator[int]:
        places = list(places)
        return tracked(places, "decode", len(places), _console())

    problems = verify(args.folder, args.full, bar)
    for problem in problems:
        print(problem)
    if not problems:
        manifest = Store(args.folder).manifest
        print(
            f"{manifest.task} {manifest.name}/{manifest.split} is sound: {manifest.count:,} samples, kind {manifest.kind}, "
            f"fingerprint {manifest.fingerprint}"
        )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(run_quietly(main))
