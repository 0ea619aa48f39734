"""``make bench-data-prep``: how fast words are written, and how much memory SynthText's index takes.

Words are prepared from raw folders of the released layouts by one process, which reads, checks, cuts and writes: its CPU time
is that of one core. The index is a ``gt.mat`` with a tenth of the release's entries; peaks are extrapolated to all of them.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import resource
import statistics
import struct
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from scipy.io import loadmat, savemat

from data_prep import mat5, mjsynth, synthtext
from data_prep.preparation import Target, prepare
from data_prep.samples import Job
from experiments.bench.turns import figure
from ocr.seeding import generator
from ocr.types import Image

ENTRIES = 858_750
"""Pictures of the SynthText release."""
ROUNDS = 3


def main() -> None:
    """Run all parts and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=6_000, help="word crops of the MJSynth layout (default: 6000)")
    parser.add_argument("--pictures", type=int, default=150, help="pictures of the SynthText layout (default: 150)")
    parser.add_argument("--entries", type=int, default=ENTRIES // 10, help="entries of gt.mat (default: a tenth)")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _mjsynth(root / "mjsynth", args.words)
        _synthtext(root / "synthtext", args.pictures)
        runs = {
            "words_passed_through": lambda: mjsynth.jobs(root / "mjsynth", argparse.Namespace()),
            "words_cut_from_scenes": lambda: synthtext.jobs(root / "synthtext", argparse.Namespace(task="recognition")),
        }
        rates: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, jobs in runs.items():
                rates[name].append(_rate(jobs, root / "out" / name))
        for name, values in rates.items():
            figure(name, statistics.median(values), "words/s/core", 3_000)
        _index(root, args.entries)


def _rate(jobs: Callable[[], list[Job]], out: Path) -> float:
    began = time.process_time()
    (job,) = jobs()
    (manifest,) = prepare(job, Target(out, "bench", "rendered", "benchmark"), Console(stderr=True))
    return manifest.count / (time.process_time() - began)


def _index(root: Path, entries: int) -> None:
    for count in (entries // 10, entries):
        _large_index(root / f"{count}.mat", root / "synthtext" / "gt.mat", count)
    peaks = {}
    for name, read, count in (
        ("streamed_tenth", _streamed, entries // 10),
        ("streamed", _streamed, entries),
        ("whole_tenth", _whole, entries // 10),
    ):
        peaks[name], seconds = _measured(read, root / f"{count}.mat")
        print(f"{name:16} {count:9,} entries: peak {peaks[name]:7,.0f} MB, {count / seconds:9,.0f} entries/s")
    base = _measured(_nothing, root)[0]
    growth = max(0.0, peaks["streamed"] - peaks["streamed_tenth"]) / (entries - entries // 10)
    all_entries = peaks["streamed"] + growth * (ENTRIES - entries)
    whole = base + (peaks["whole_tenth"] - base) / (entries // 10) * ENTRIES
    print(
        f"loadmat would take about {whole:,.0f} MB for {ENTRIES:,} entries of this size; the process alone takes {base:,.0f} MB"
    )
    figure("gt_mat_peak_memory", all_entries, "MB", 4_000, at_most=True)


def _measured(read: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """Peak memory (MB) and seconds of a call in a process of its own."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_child, args=(read, path, results))
    process.start()
    peak, seconds = results.get()
    process.join()
    return peak, seconds


def _child(read: Callable[[Path], None], path: Path, results: Any) -> None:
    began = time.perf_counter()
    read(path)
    results.put((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.perf_counter() - began))


def _streamed(path: Path) -> None:
    file = mat5.MatFile(lambda: path.open("rb"))
    for cells in zip(*map(file.cells, synthtext.FIELDS), strict=True):
        for cell in cells:
            mat5.decoded(cell)


def _whole(path: Path) -> None:
    loadmat(path)


def _nothing(_: Path) -> None:
    pass


def _photograph(rng: np.random.Generator, height: int, width: int) -> Image:
    noise = rng.integers(0, 256, (height, width, 3), np.uint8)
    smooth = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 0, 255, cv2.NORM_MINMAX)
    return np.asarray(smooth, np.uint8)


def _jpeg(image: Image) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())


def _mjsynth(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    rng = generator(0, "bench", "mjsynth")
    crops = [_jpeg(_photograph(rng, 31, int(rng.integers(40, 180)))) for _ in range(200)]
    with tarfile.open(folder / "mjsynth.tar", "w") as archive:
        for i in range(count):
            member = tarfile.TarInfo(f"{mjsynth.FOLDER}/{i // 100}/1/{i}_word_{i}.jpg")
            member.size = len(crops[i % len(crops)])
            archive.addfile(member, io.BytesIO(crops[i % len(crops)]))


def _synthtext(folder: Path, count: int) -> None:
    """Pictures of 600 x 450 with five to twelve words, as the release has them."""
    rng = generator(0, "bench", "synthtext")
    cells = {name: np.empty((1, count), object) for name in synthtext.FIELDS}
    for i in range(count):
        words, characters, texts = [], [], []
        for _ in range(rng.integers(5, 13)):
            length, height, angle = int(rng.integers(2, 9)), rng.uniform(12, 40), rng.uniform(-0.2, 0.2)
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            step = 0.6 * height
            place = rng.uniform((60, 60), (540 - step * length, 350))
            boxes = [_box(step * k, step * (k + 1), height) @ turn + place for k in range(length)]
            words.append(_box(0, step * length, height) @ turn + place)
            characters += boxes
            texts.append("x" * length)
        name = f"{i // 100 + 1}/{i}.jpg"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(_jpeg(_photograph(rng, 450, 600)))
        cells["imnames"][0, i] = np.array([name])
        cells["wordBB"][0, i] = np.array(words, np.float32).transpose(2, 1, 0)
        cells["charBB"][0, i] = np.array(characters).transpose(2, 1, 0)
        cells["txt"][0, i] = np.array(texts)
    savemat(folder / "gt.mat", cells)


def _box(left: float, right: float, height: float) -> np.ndarray:
    return np.array([[left, 0], [right, 0], [right, height], [left, height]])


def _large_index(path: Path, small: Path, count: int) -> None:
    """A ``gt.mat`` of ``count`` entries, made by repeating those of a small one."""
    file = mat5.MatFile(lambda: small.open("rb"))
    with path.open("wb") as out:
        out.write(small.read_bytes()[: mat5.HEADER])
        for name in synthtext.FIELDS:
            cells = [struct.pack("<II", mat5.MATRIX, len(cell)) + cell for cell in file.cells(name)]
            whole, rest = divmod(count, len(cells))
            label = name.encode()
            header = struct.pack("<4I2I2i", 6, 8, mat5.CELL, 0, 5, 8, 1, count)
            header += struct.pack("<II", 1, len(label)) + label.ljust((len(label) + 7) // 8 * 8, b"\0")
            block, tail = b"".join(cells), b"".join(cells[:rest])
            out.write(struct.pack("<II", mat5.MATRIX, len(header) + whole * len(block) + len(tail)) + header)
            for _ in range(whole):
                out.write(block)
            out.write(tail)


if __name__ == "__main__":
    main()
