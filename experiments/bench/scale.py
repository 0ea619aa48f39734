"""``make bench-scale``: ten million labels are opened, opened again, and trained on by eight loader processes within a memory limit.

    python -m experiments.bench.scale [--labels 10000000] [--workers 8] [--folder DIR]

The set has one small picture under every label, in the public layout.  Each training is a process of its own, whose data segment
(private memory that can be written) and that of each of its loaders is limited by the system; the set itself is mapped and does not count.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np

LABELS, WORKERS, STEPS = 10_000_000, 8, 30
FIRST, AGAIN = 120.0, 5.0
"""Seconds that the first opening of such a set may take, and every other one."""
LIMIT = 3 << 30
"""Bytes of private memory that any process may have."""
MOST = 1200.0
"""MB of private memory of a loader, Python and torch included."""


def main() -> None:
    """Make the set, and measure."""
    parser = argparse.ArgumentParser(description="open and train on ten million labels")
    parser.add_argument("--labels", type=int, default=LABELS, help=f"labels of the set (default: {LABELS:,})")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"loader processes (default: {WORKERS})")
    parser.add_argument(
        "--folder", help="where the set is made and removed again (default: the system's place for such)"
    )
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        _limited(options.part, Path(options.folder), options.workers)
        return
    with tempfile.TemporaryDirectory(prefix="ocr-scale-", dir=options.folder) as name:
        place = Path(name)
        began = time.perf_counter()
        size = write(place / "training", options.labels)
        print(
            f"wrote {options.labels:,} labels, {size / 1e9:.1f} GB, in {time.perf_counter() - began:.0f} s", flush=True
        )
        for part, target in (("first", FIRST), ("again", AGAIN)):
            (took, memory), _ = _measured("open", place, 0)
            _figure(f"scale_open_{part}", took, "s", target)
            print(f"  {memory:,.0f} MB at most, with the pages of the set that are mapped", flush=True)
        for method in ("fork", "spawn"):
            (steps, memory), lines = _measured(method, place, options.workers)
            print(f"  {method}: " + "; ".join(lines), flush=True)
            _figure(f"scale_{method}_missing_steps", STEPS - steps, "steps", 0)
            _figure(f"scale_{method}_loader_memory", memory, "MB", MOST)


def write(folder: Path, count: int) -> int:
    """A public LMDB of ``count`` words in ascending order of its keys; returns its bytes."""
    folder.mkdir(parents=True)
    picture = cv2.imencode(".png", np.full((8, 24), 200, np.uint8))[1].tobytes()
    opened = lmdb.open(
        str(folder), map_size=max(1 << 26, 700 * count), lock=False, sync=False, writemap=True, meminit=False
    )
    for entries in (
        ((b"image-%09d" % i, picture) for i in range(1, count + 1)),
        ((b"label-%09d" % i, b"word%d" % (i * 7919 % 1_000_003)) for i in range(1, count + 1)),
        iter([(b"num-samples", b"%d" % count)]),
    ):
        for batch in _batches(entries):
            with opened.begin(write=True) as writing:
                writing.cursor().putmulti(batch, append=True)
    opened.close()
    return (folder / "data.mdb").stat().st_blocks * 512


def _batches(entries: Iterator[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    while batch := list(islice(entries, 100_000)):
        yield batch


def _figure(name: str, value: float, unit: str, target: float) -> None:
    print(f"figure {name} {value:.1f} {unit} target {target:g} {'ok' if value <= target else 'short'}", flush=True)


def _measured(part: str, place: Path, workers: int) -> tuple[tuple[float, float], list[str]]:
    """The two numbers on the last line of a part that ran in a process of its own, and the lines before it."""
    command = [
        sys.executable,
        "-m",
        "experiments.bench.scale",
        "--part",
        part,
        "--folder",
        str(place),
        "--workers",
        str(workers),
    ]
    variables = os.environ | {"OCR_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        print(f"  {part} failed: {' '.join(done.stderr.split())[-600:]}", flush=True)
        return (0.0, float("inf")), []
    first, second = lines[-1].split()
    return (float(first), float(second)), lines[:-1]


def _limited(part: str, place: Path, workers: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    import ocr.data.datamodule
    import ocr.recognition.samples  # noqa: F401

    began = time.perf_counter()
    module = _data(place, workers)
    if part == "open":
        print(f"{time.perf_counter() - began} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}")
        return
    import torch

    torch.multiprocessing.set_start_method(part, force=True)
    _train(module)


def _data(place: Path, workers: int) -> Any:
    from ocr.charset import Charset
    from ocr.data.datamodule import DataModule
    from ocr.recognition.codec import CTCCodec
    from ocr.recognition.samples import WordEncoder

    encoder = WordEncoder(CTCCodec(Charset.from_spec("digits_lower"), 25, 24))
    sources = {"ten": {"set": str(place / "training"), "split": "train", "weight": None}}
    return DataModule(
        str(place), "recognition", sources, encoder, seed=1, batch_size=64, workers=workers, time_limit=300
    )


def _train(module: Any) -> None:
    """Some steps of a small recogniser, then the memory of the loader processes."""
    import psutil
    import torch

    from ocr.config import build, compose_config, plain

    node = plain(compose_config(["model=crnn", "feat.channels=32", "seq.hidden=16", "charset=digits_lower"]).model)
    network = build(node)
    optimiser = torch.optim.Adadelta(network.parameters())
    done, began = 0, time.perf_counter()
    batches = iter(module.train_dataloader())
    for batch in islice(batches, STEPS):
        images = batch.images_BCHW.float() / 127.5 - 1
        loss = network.loss(images, batch.texts)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        done += 1
        if done == 1:
            print(f"first batch after {time.perf_counter() - began:.1f} s")
    loaders = psutil.Process().children(recursive=True)
    private = [p.memory_full_info().uss / 1e6 for p in loaders if "resource_tracker" not in " ".join(p.cmdline())]
    print(f"{len(private)} loaders, loss {float(loss):.2f}")
    print(f"{done} {max(private, default=0.0)}", flush=True)


if __name__ == "__main__":
    main()
