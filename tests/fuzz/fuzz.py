"""``make fuzz``: damaged and forged files, drawn by hypothesis, for every reader of files from strangers.

    python tests/fuzz/fuzz.py [--cases 20000] [--seed N] [READER …]

Prints a figure for each reader; ends with 1 when one did what it must not, with the smallest such file beside its name.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CASES = 20_000


def main(arguments: list[str] | None = None) -> int:
    """Fuzz the readers named, or all."""
    parser = argparse.ArgumentParser(description="fuzz the readers of files from strangers")
    parser.add_argument("readers", nargs="*", help="names of readers (default: all)")
    parser.add_argument("--cases", type=int, default=CASES, help=f"cases for each reader (default: {CASES:,})")
    parser.add_argument("--seed", type=int, help="of the draws (default: another one each time)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ocr-fuzz-") as folder:
        os.environ["OCR_CACHE"] = f"{folder}/cache"
        from readers import readers

        known = readers()
        unknown = [name for name in options.readers if name not in known]
        if unknown:
            parser.error(f"no reader {unknown[0]}; there are {', '.join(known)}")
        failed = 0
        for name in options.readers or known:
            count, refused, took, problem = fuzz(known[name], Path(folder), options.cases, options.seed)
            state = "short" if problem or count < CASES else "ok"
            print(f"{name}: {refused:,} of {count:,} cases refused, {took:.0f} s", flush=True)
            print(f"figure fuzz_{name} {count if not problem else 0} cases target {CASES} {state}", flush=True)
            if problem:
                failed += 1
                print(problem, file=sys.stderr, flush=True)
    return int(failed > 0)


def fuzz(reader: Any, folder: Path, cases: int, seed: int | None = None) -> tuple[int, int, float, str]:
    """Cases tried, how many of them were refused, seconds, and what went wrong (nothing: an empty text)."""
    import hypothesis
    from guard import Guard
    from hypothesis import HealthCheck, given, settings

    guard = Guard(folder)
    place = folder / "case"
    place.mkdir(exist_ok=True)
    done = {"read": 0, "refused": 0}

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        report_multiple_bugs=False,
    )
    @given(reader.cases)
    def check(case: Any) -> None:
        done["read"] += 1
        with _quiet(), guard.watching():
            try:
                reader.read(case, place)
            except ValueError as error:
                done["refused"] += 1
                lines = str(error)
                assert len(lines) < 4000, "the message is too long"
                # names that do not fit are listed, one a line
                assert "\n" not in lines or "\n  " in lines, f"the message has several lines: {lines!r:.300}"

    began = time.monotonic()
    problem = ""
    try:
        (hypothesis.seed(seed)(check) if seed is not None else check)()
    except BaseException as error:  # whatever a reader makes of a file is the finding
        if isinstance(error, KeyboardInterrupt):
            raise
        places = "".join(traceback.format_tb(error.__traceback__)[-4:])
        case = "\n".join(getattr(error, "__notes__", ()))
        problem = f"{places}{type(error).__name__}: {str(error)[:500]}\n{case[:1500]}"
    return done["read"], done["refused"], time.monotonic() - began, problem


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the decoders print to the error stream to themselves."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
