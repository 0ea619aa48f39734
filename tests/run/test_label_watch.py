"""What a run says and shows of its pseudo labels."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console

from ocr.detection.craft import CRAFT
from ocr.detection.label_quality import LabelQuality
from ocr.detection.module import DetectionModule
from ocr.detection.splitting import Equal, Watershed
from ocr.detection.word_crops import word_frame
from ocr.metrics.iou import BoxProtocol
from ocr.run.label_watch import COLUMNS, LabelWatch
from ocr.types import SceneBatch, WeakPicture, WeakWord


def module(splitter):
    torch.manual_seed(0)
    schedule = partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda step: 1.0)
    return DetectionModule(
        CRAFT(0.05), {}, partial(torch.optim.Adam, lr=1e-3), schedule, BoxProtocol("iou"), splitter=splitter
    )


def batch_of(*texts, key="set/0", probe=False):
    image = np.random.default_rng(0).integers(0, 255, (120, 300, 3)).astype(np.uint8)
    words = []
    for i, text in enumerate(texts):
        polygon = np.array([[10, 0], [40 + 20 * i, 0], [40 + 20 * i, 20], [10, 20]], np.float32) + np.float32(
            [0, 25 * i]
        )
        frame = word_frame(polygon, 32, 0.25, 256)
        words.append(WeakWord(i, text, polygon, frame.window, frame.to_picture, frame.cut(image)))
    empty = torch.zeros(1, 1)
    return SceneBatch(empty, empty, empty, [key], [WeakPicture(0, key, np.eye(3), words, probe=probe)])


class Sheets:
    def __init__(self):
        self.shown = {}

    def picture(self, step, name, image):
        assert name == "pseudo_labels"
        self.shown[step] = image


@pytest.fixture
def watched():
    console = Console(record=True, width=200)
    journal = Sheets()
    return LabelWatch(journal, console, every=10, most=2), journal, console


def step(watch, number, detection, batch):
    watch.on_train_batch_end(SimpleNamespace(global_step=number), detection, None, batch, 0)


@pytest.mark.parametrize("splitter", [Equal(), Watershed()], ids=["equal", "watershed"])
def test_the_same_words_are_shown_again_and_again(watched, splitter):
    watch, journal, _ = watched
    detection = module(splitter)
    step(watch, 1, detection, batch_of("probe", probe=True))
    assert not journal.shown
    for number in range(2, 101):
        step(watch, number, detection, batch_of("abc", "defgh", "longest of all", key=f"set/{number}"))
    assert list(journal.shown) == [2, *range(10, 101, 10)]
    assert list(watch.words) == ["set/2#2", "set/2#1"]
    assert len(watch.moments) == COLUMNS
    assert [captions[1][: captions[1].index(":")] for _, captions in watch.moments] == [
        "2",
        *map(str, range(40, 101, 10)),
    ]
    assert journal.shown[2].shape[1] < journal.shown[100].shape[1]


def test_a_resumed_run_goes_on_with_its_sheet(watched, tmp_path):
    watch, journal, console = watched
    detection = module(Watershed())
    for number in range(1, 21):
        step(watch, number, detection, batch_of("abc", "defgh"))
    torch.save(watch.state_dict(), tmp_path / "state")
    other = LabelWatch(journal, console, every=10, most=2)
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert np.array_equal(other.sheet(), watch.sheet())
    for again in (watch, other):
        step(again, 30, detection, batch_of("xyz"))
    assert np.array_equal(other.sheet(), watch.sheet())


def test_crossing_the_floor_is_told_in_one_line_each_time(watched):
    watch, _, console = watched
    detection = module(Watershed())
    detection.label_quality = LabelQuality(0.6)
    for number, (held, share) in enumerate([(False, 0.9), (True, 0.4), (True, 0.3), (False, 0.7)], 1):
        detection.label_quality.held_back = held
        detection.label_quality.values = {"characters": share, "confidence": 0.8}
        step(watch, number, detection, batch_of("abc"))
    assert console.export_text().splitlines() == [
        "step 2: pseudo labels: share of right characters 0.40, floor 0.60: weak words are held back from the loss",
        "step 4: pseudo labels: share of right characters 0.70, floor 0.60: weak words train again",
    ]


def test_no_words_to_follow_no_sheet():
    journal = Sheets()
    watch = LabelWatch(journal, Console(), every=1, most=0)
    step(watch, 1, module(Equal()), batch_of("abc"))
    assert not journal.shown
