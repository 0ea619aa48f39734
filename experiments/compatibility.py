"""``make compat``: the lowest and the newest version of each main dependency, and other Pythons, each in an environment of its own.

    python -m experiments.compatibility [--only NAME …] [--folder DIR]

Torch stays what it is: on Python 3.11 the environments see the project's own site packages, and one version is laid over them.  The part
that needs no torch runs on the newer Pythons found here.  What could not be run is said, and is no failure; a failed test is.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAIN = (
    "numpy",
    "shapely",
    "pillow",
    "rapidfuzz",
    "lmdb",
    "scipy",
    "pytorch-lightning",
    "hydra-core",
    "omegaconf",
    "psutil",
    "rich",
)
"""Dependencies whose range is tried; OpenCV and albumentations are pinned, torch is left as it is."""
TESTS = (
    "tests/data/test_store.py",
    "tests/data/test_pages.py",
    "tests/release",
    "tests/metrics/test_box_protocol.py",
    "tests/test_config.py",
    "tests/detection/test_postprocess.py",
    "tests/recognition/test_charset.py",
    "tests/run/test_recipes.py",
)
TORCH_FREE = (
    "tests/data/test_store.py",
    "tests/data/test_pages.py",
    "tests/data_prep/test_damage.py",
    *sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests" / "metrics").glob("test_*.py")
        if path.name not in ("test_benchmark.py", "test_protocol_files.py")  # which read conf/
    ),
    "tests/render/test_fonts.py",
    "tests/render/test_generations.py",
    "tests/detection/test_postprocess.py",
    "tests/recognition/test_charset.py",
    "tests/test_geometry.py",
    "tests/test_draw.py",
)
"""What the fast tests of the part without torch are; folders and files that are not there are passed over."""
NEWER = ("3.12", "3.13")
SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Cell:
    """One environment: its Python, what is installed in it, and which tests run there."""

    name: str
    python: str
    packages: tuple[str, ...]
    tests: tuple[str, ...]
    over: bool = True
    options: tuple[str, ...] = field(default=("--no-deps",))


def main(arguments: list[str] | None = None) -> int:
    """Run the matrix; 1 when a test failed somewhere."""
    parser = argparse.ArgumentParser(description="test the ends of the version ranges, and other Pythons")
    parser.add_argument("--only", nargs="*", help="names of cells (default: all)")
    parser.add_argument("--list", action="store_true", help="list the cells and stop")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".compat", help="where environments are made (default: .compat)"
    )
    options = parser.parse_args(arguments)
    chosen = [cell for cell in cells() if not options.only or cell.name in options.only]
    if options.list:
        print("\n".join(f"{cell.name}: {', '.join(cell.packages) or 'as installed'}" for cell in chosen))
        return 0
    results = {cell.name: run(cell, options.folder) for cell in chosen}
    for state in ("passed", "failed", "not run"):
        names = [name for name, result in results.items() if result.startswith(state)]
        target = {"passed": len(chosen), "failed": 0, "not run": 0}[state]
        print(
            f"figure compat_{state.replace(' ', '_')} {len(names)} cells target {target} {'ok' if len(names) == target else 'short'}"
        )
    return int(any(result.startswith("failed") for result in results.values()))


def cells() -> list[Cell]:
    """The matrix: each main dependency alone at both ends, all of them together at each end, and the newer Pythons."""
    ranges = {name: spec for name, spec in declared() if name in MAIN}
    own = sys.executable
    found = [
        Cell(f"{name}-{end}", own, (package,), TESTS) for name in ranges for end, package in ends(name, ranges[name])
    ]
    for end in ("lowest", "newest"):
        together = tuple(package for name in ranges for which, package in ends(name, ranges[name]) if which == end)
        found.append(Cell(f"all-{end}", own, together, TESTS))
    found += [
        Cell(
            f"python-{version}",
            interpreter(version) or "",
            (f"{ROOT}[dev,render]",),
            TORCH_FREE,
            over=False,
            options=(),
        )
        for version in NEWER
    ]
    return found


def declared() -> Iterator[tuple[str, str]]:
    """Name and range of every dependency that ``pyproject.toml`` names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["train"]]:
        name, spec = re.fullmatch(r"([\w-]+)(.*)", line.replace(" ", "")).groups()  # type: ignore[union-attr]
        yield name, spec


def ends(name: str, spec: str) -> list[tuple[str, str]]:
    """The lowest version of a range, exactly, and the range itself, whose newest version pip takes."""
    lowest = re.search(r">=([\w.]+)", spec)
    exactly = [("lowest", f"{name}=={lowest.group(1)}")] if lowest else []
    return [*exactly, ("newest", f"{name}{spec}")]


def interpreter(version: str) -> str | None:
    """A Python of this version, from the path or from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        shutil.which(f"python{version}"),
        *map(str, sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)),
    ]
    for found in filter(None, candidates):
        said = subprocess.run(
            [found, "-c", "import sys; print(*sys.version_info[:2], sep='.')"],
            capture_output=True,
            text=True,
            check=False,
        )
        if said.stdout.strip() == version:
            return found
    return None


def run(cell: Cell, folder: Path) -> str:
    """``passed``, ``failed: why`` or ``not run: why`` of a cell."""
    result = _run(cell, folder / cell.name)
    print(f"{cell.name}: {result}", flush=True)
    return result


def _run(cell: Cell, place: Path) -> str:
    if not cell.python:
        return "not run: there is no such Python here"
    python = place / "bin" / "python"
    shutil.rmtree(place, ignore_errors=True)
    steps = [
        [cell.python, "-m", "venv", str(place)],
        [
            str(python),
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--upgrade",
            *cell.options,
            *cell.packages,
        ],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False, timeout=SECONDS)
        if done.returncode:
            return f"not run: {_last(done.stderr)}"
        if cell.over:
            _lay_over(place)
    tests = [test for test in cell.tests if (ROOT / test).exists()]
    command = [str(python), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    return f"passed: {_last(done.stdout)}" if done.returncode == 0 else f"failed: {_last(done.stdout + done.stderr)}"


def _lay_over(place: Path) -> None:
    """Let an environment see the project's own packages behind those of its own."""
    inner = next((place / "lib").glob("python*/site-packages"))
    (inner / "behind.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip() and "WARNING" not in line]
    return " ".join((lines or ["it printed nothing"])[-1].split())[:200]


if __name__ == "__main__":
    sys.exit(main())
