"""Word recognition: attention decoding, CTC over thousands of characters, training in bf16, reading words, and the second start on ten
million labels.

``--only decode ctc train words labels`` runs some parts; ``--cells`` and ``--batch`` narrow the training.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image as Pillow

from experiments.bench.turns import figure, in_turns
from ocr.charset import Charset
from ocr.data.datamodule import DataModule, Part, TrainingSamples
from ocr.data.environment import transaction
from ocr.data.mixing import Draw
from ocr.data.sets import WordSet
from ocr.recognition.codec import CTCCodec
from ocr.recognition.ctc_loss import ctc_loss
from ocr.recognition.feat import RCNN, VGG, ResNet
from ocr.recognition.four_stage import FourStage
from ocr.recognition.pred import CTC, Attention
from ocr.recognition.samples import WordEncoder
from ocr.recognition.seq import BiLSTM, NoSequence
from ocr.recognition.trans import TPS, NoTransformation
from ocr.seeding import generator

GRID: Any = ((NoTransformation, TPS), (VGG, RCNN, ResNet), (NoSequence, BiLSTM), (CTC, Attention))
CELLS = {"-".join(stage.title for stage in cell): cell for cell in product(*GRID)}
LETTERS = string.digits + string.ascii_lowercase
CHARSET = Charset(LETTERS, lower=True)
WORDS, BATCH = 3000, 192
LABELS = 10_000_000


def report(title: str, seconds: Mapping[str, float], count: int) -> None:
    """One line for each way."""
    print(f"{title}:")
    for way, value in seconds.items():
        print(f"  {way:34s} {1e3 * value:9.1f} ms  {count / value:9.0f} a second", flush=True)


# --- decoding -----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def writer(lengths_B: torch.Tensor) -> tuple[Attention, torch.Tensor]:
    """A decoder and columns (B, 26, 256) on which it writes texts of these lengths.

    The first unit of its LSTM adds up the first feature of the columns, which is the inverse of the length; at one, the text ends.
    """
    stage = Attention(256, CHARSET, 25, 26).eval()
    units = torch.arange(4) * stage.hidden  # the first unit of each gate
    for weight in (stage.cell.weight_ih, stage.cell.weight_hh, stage.cell.bias_ih, stage.cell.bias_hh):
        weight[units] = 0
    stage.cell.bias_ih[units] = torch.tensor([30.0, 30.0, 0.0, 30.0])
    stage.cell.weight_ih[units[2], 0] = 1
    stage.output.weight[stage.codec.end] = 0
    stage.output.weight[stage.codec.end, 0] = 1e4
    stage.output.bias[stage.codec.end] = -1e4 * math.tanh(1)
    features = torch.randn(len(lengths_B), 26, 256)
    features[:, :, 0] = torch.atanh(1 / (lengths_B + 0.5))[:, None]
    return stage, features


def fixed_steps(stage: Attention, features_BTC: torch.Tensor) -> torch.Tensor:
    """All 26 steps with a one-hot vector for the previous character, as the formulas are written."""
    keys_BTH = stage.column_score(features_BTC)
    hidden = memory = features_BTC.new_zeros(len(features_BTC), stage.hidden)
    tokens_B, steps = torch.zeros(len(features_BTC), dtype=torch.long), []
    for _ in range(stage.codec.max_length + 1):
        scores = stage.score(torch.tanh(keys_BTH + stage.state_score(hidden).unsqueeze(1)))
        context = (scores.softmax(1) * features_BTC).sum(1)
        hidden, memory = stage.cell(torch.cat([context, F.one_hot(tokens_B, stage.codec.classes)], 1), (hidden, memory))
        steps.append(stage.output(hidden))
        tokens_B = steps[-1].argmax(1)
    return torch.stack(steps, 1)


def decode(_: argparse.Namespace) -> None:
    """192 texts of 3 to 12 characters, one of them with 20, decoded until all have ended and for 26 steps."""
    torch.manual_seed(0)
    lengths_B = torch.from_numpy(generator(1, "bench", "decode").integers(3, 13, BATCH))
    lengths_B[0] = 20
    stage, features_BTC = writer(lengths_B)
    with torch.inference_mode():
        ends = [
            (way(features_BTC).argmax(2) == stage.codec.end).int().argmax(1)
            for way in (stage, lambda f: fixed_steps(stage, f))
        ]
        assert all(torch.equal(found, lengths_B) for found in ends), "both must write texts of the lengths asked for"
        ways = {
            "26 steps": lambda: fixed_steps(stage, features_BTC),
            "until all have ended": lambda: stage(features_BTC),
        }
        seconds = in_turns(ways, 15)
    report(f"attention decoding of {BATCH} texts", seconds, BATCH)
    figure("decode", seconds["26 steps"] / seconds["until all have ended"], "times", 2)


# --- connectionist temporal classification ------------------------------------------------------------------------------


def over_all_classes(
    logits_BTK: torch.Tensor, targets_BS: torch.Tensor, columns_B: torch.Tensor, lengths_B: torch.Tensor
) -> torch.Tensor:
    """The library's loss, in float32."""
    log_probabilities_TBK = logits_BTK.float().log_softmax(2).transpose(0, 1)
    return F.ctc_loss(log_probabilities_TBK, targets_BS, columns_B, lengths_B, zero_infinity=True)


def ctc(_: argparse.Namespace) -> None:
    """Loss and gradient of 16 texts of 10 characters in 64 columns, over 4,800 characters in bf16 and over 37 in float32."""
    rng = generator(1, "bench", "ctc")
    for classes, dtype, target in ((4800, torch.bfloat16, 1.5), (37, torch.float32, 0.7)):
        logits_BTK = torch.from_numpy(rng.normal(0, 2, (16, 64, classes))).to(dtype)
        targets_BS = torch.from_numpy(rng.integers(1, classes, (16, 10)))
        columns_B, lengths_B = torch.full((16,), 64), torch.full((16,), 10)

        def step(loss: Callable[..., torch.Tensor], given: Any) -> None:
            leaf = given[0].detach().requires_grad_()
            loss(leaf, *given[1:]).backward()

        given = (logits_BTK, targets_BS, columns_B, lengths_B)
        ways = {
            "over all classes": lambda given=given: step(over_all_classes, given),
            "over each text's own": lambda given=given: step(ctc_loss, given),
        }
        seconds = in_turns(ways, 25)
        report(f"CTC loss and gradient of 16 texts, {classes} classes", seconds, 16)
        figure(f"ctc-{classes}", seconds["over all classes"] / seconds["over each text's own"], "times", target)


# --- training -----------------------------------------------------------------------------------------------------------


def trainer(stages: Any, batch: int, fast: bool) -> Callable[[], None]:
    """A training step of a cell: plain, or with channels last and bf16."""
    torch.manual_seed(0)
    network = FourStage(CHARSET, *stages)
    layout: Any = torch.channels_last if fast else torch.contiguous_format
    network.to(memory_format=layout)  # type: ignore[call-overload]  # torch's stubs lack this form
    optimizer = torch.optim.Adadelta(network.parameters())
    images = (torch.rand(batch, 1, 32, 100) * 2 - 1).contiguous(memory_format=layout)
    rng = generator(1, "bench", "texts")
    texts = ["".join(rng.choice(list(LETTERS), rng.integers(3, 12))) for _ in range(batch)]

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            loss = network.loss(images, texts)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()

    return step


def train(arguments: argparse.Namespace) -> None:
    """A step of every cell in fp32 and default layout against bf16 and channels last."""
    ratios = {}
    for cell in arguments.cells or CELLS:
        ways = {name: trainer(CELLS[cell], arguments.batch, fast) for name, fast in (("fp32", False), ("bf16", True))}
        seconds = in_turns(ways, arguments.rounds)
        ratios[cell] = seconds["fp32"] / seconds["bf16"]
        pace = "  ".join(f"{name} {arguments.batch / value:6.1f} images/s" for name, value in seconds.items())
        print(f"  {cell:24s} {pace}  {ratios[cell]:5.2f} times", flush=True)
    worst = min(ratios, key=lambda cell: ratios[cell])
    print(f"slowest gain: {worst}")
    figure("train-least", ratios[worst], "times", 1.9)
    figure("train-mean", math.exp(sum(map(math.log, ratios.values())) / len(ratios)), "times", 2.1)


# --- reading words ------------------------------------------------------------------------------------------------------


def word_store(folder: Path) -> WordSet:
    """JPEGs 31 high and 40 to 200 wide in the public layout."""
    rng = generator(1, "bench", "words")
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=1 << 28) as store, store.begin(write=True) as writing:
        writing.put(b"num-samples", b"%d" % WORDS)
        for i in range(1, WORDS + 1):
            width = int(rng.integers(40, 201))
            text = "".join(rng.choice(list(LETTERS), max(2, width // 14)))
            picture = np.clip(rng.normal(rng.integers(60, 200), 6, (31, width, 3)), 0, 255).astype(np.uint8)
            ink = [int(c) for c in rng.integers(0, 256, 3)]
            cv2.putText(picture, text, (2, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.7, ink, 2, cv2.LINE_AA)
            writing.put(b"image-%09d" % i, cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes())
            writing.put(b"label-%09d" % i, text.encode())
    return WordSet(folder)


def bare(get: Callable[[bytes], memoryview]) -> None:
    """Get, decode to grey, resize: averaged where a side shrinks, cubic where one grows; nothing is kept."""
    for i in range(WORDS):
        image: Any = cv2.imdecode(np.frombuffer(get(b"image-%09d" % (i + 1)), np.uint8), cv2.IMREAD_GRAYSCALE)
        if image.shape[1] > 100:
            image = cv2.resize(image, (100, 31), interpolation=cv2.INTER_AREA)
        cv2.resize(image, (100, 32), interpolation=cv2.INTER_CUBIC)


def one_by_one(get: Callable[[bytes], memoryview]) -> None:
    """Pillow's decoding and bicubic resizing, and a float tensor for each picture."""
    for start in range(0, WORDS, BATCH):
        tensors = []
        for i in range(start, min(start + BATCH, WORDS)):
            picture = Pillow.open(io.BytesIO(get(b"image-%09d" % (i + 1)))).convert("L")
            pixels = np.array(picture.resize((100, 32), Pillow.Resampling.BICUBIC))
            tensors.append(torch.from_numpy(pixels)[None].float().div_(255).sub_(0.5).div_(0.5))
        torch.stack(tensors)


def words(_: argparse.Namespace) -> None:
    """Labels, keys and pictures of an LMDB as batches, against a loop that only gets, decodes and resizes."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        data = word_store(Path(scratch) / "training/words")
        get = transaction(data.store.folder).get
        part = Part("words", data, None, np.arange(WORDS), data, np.zeros(0, np.int64))
        samples = TrainingSamples([part], WordEncoder(CTCCodec(CHARSET, 25, 24)), seed=1)
        draws = [[Draw(0, i, 0) for i in range(s, min(s + BATCH, WORDS))] for s in range(0, WORDS, BATCH)]
        ways = {
            "bare loop": lambda: bare(get),
            "batches": lambda: [samples.collate(samples.__getitems__(batch)) for batch in draws],
            "Pillow, one by one": lambda: one_by_one(get),
        }
        seconds = in_turns(ways, 11)
    report(f"{WORDS} words of an LMDB to 32 x 100", seconds, WORDS)
    figure("words", seconds["bare loop"] / seconds["batches"], "times the bare loop", 0.9)
    figure("words-pillow", seconds["Pillow, one by one"] / seconds["batches"], "times", 3.6)


# --- labels -------------------------------------------------------------------------------------------------------------


def label_store(folder: Path, count: int) -> None:
    """An LMDB with this many labels; pictures only where its fingerprint looks."""
    rng = generator(1, "bench", "labels")
    vocabulary = ["".join(rng.choice(list(LETTERS), rng.integers(3, 12))).encode() for _ in range(90_000)]
    chosen = rng.integers(0, len(vocabulary), count)
    looked_at = [b"image-%09d" % (i + 1) for i in np.unique(np.linspace(0, count - 1, 64).astype(int))]
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=200 * count + (1 << 20), sync=False) as store:
        for first in range(0, count, 500_000):
            with store.begin(write=True) as writing:
                if not first:
                    writing.cursor().putmulti([(name, b"picture") for name in looked_at])
                places = range(first, min(first + 500_000, count))
                rows = [(b"label-%09d" % (i + 1), vocabulary[chosen[i]]) for i in places]
                writing.cursor().putmulti(rows, append=True)
        with store.begin(write=True) as writing:
            writing.put(b"num-samples", b"%d" % count)


def start(folder: str) -> None:
    """Open the set as training does, and print the seconds and megabytes that took."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak that the imports left
    before, began = memory("VmRSS"), time.perf_counter()
    sources = {"labels": {"set": folder, "split": "train", "weight": None}}
    data = DataModule("", "recognition", sources, WordEncoder(CTCCodec(CHARSET, 25, 24)), seed=1, batch_size=BATCH)
    last = data.parts[0].set.store.text(int(data.parts[0].train[-1]))  # type: ignore[union-attr]
    print(time.perf_counter() - began, memory("VmHWM") - before, last)


def memory(name: str) -> float:
    """Megabytes of this process by a name in Linux's ``/proc/self/status``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def labels(arguments: argparse.Namespace) -> None:
    """The first start scans, the second maps."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "training/labels"
        label_store(folder, arguments.labels)
        environment = os.environ | {"OCR_CACHE": f"{scratch}/cache"}
        found = []
        for name in ("first", "second", "third"):
            command = [sys.executable, "-m", "experiments.bench.str", "--start", str(folder)]
            said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
            found.append((float(said[0]), float(said[1])))
            print(
                f"  {name} start on {arguments.labels:,} labels: {found[-1][0]:.2f} s, {found[-1][1]:.0f} MB",
                flush=True,
            )
    figure("labels-start", min(seconds for seconds, _ in found[1:]), "s", 1, at_most=True)
    figure("labels-memory", max(megabytes for _, megabytes in found[1:]), "MB", 300, at_most=True)


PARTS = {"decode": decode, "ctc": ctc, "words": words, "labels": labels, "train": train}


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--cells", nargs="+", choices=CELLS)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--labels", type=int, default=LABELS)
    parser.add_argument("--start", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.start:
        start(arguments.start)
        return
    for name in arguments.only:
        PARTS[name](arguments)


if __name__ == "__main__":
    main()
