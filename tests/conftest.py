"""Small sets that the tests train on, rendered once per session."""

import os
import signal
import sys
import tempfile
from pathlib import Path

import cv2
import pytest
from hypothesis import settings

from ocr.data.store import StoreWriter
from ocr.render.look import load_look
from ocr.render.scene import render_scene
from ocr.render.word import render_word
from ocr.seeding import generator
from ocr.types import Image, SceneWord

os.environ["OCR_CACHE"] = tempfile.mkdtemp(prefix="ocr-cache-")
# speed is measured in benchmarks: a busy machine must not fail a test
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
# a shell starts its background jobs deaf to Ctrl-C, and they hand that on to every program that a test interrupts
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def encoded(image: Image) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def write_scenes(root: Path, name: str, split: str, count: int, weak: bool) -> None:
    look = load_look("icdar2015_standin" if weak else "synthtext_standin")
    with StoreWriter(root / "detection" / name / split, "detection", name, split, "rendered", "test") as store:
        for i in range(count):
            scene = render_scene(look, generator(0, name, split, i), 192, 192)
            words = [SceneWord(w.polygon, w.text, w.ignore) if weak else w for w in scene.words]
            store.add_scene(encoded(scene.image), f"{name}/{split}-{i}", "word" if weak else "char", words)


def write_words(root: Path, name: str, split: str, count: int) -> None:
    look = load_look("mjsynth_standin")
    with StoreWriter(root / "recognition" / name / split, "recognition", name, split, "rendered", "test") as store:
        for i in range(count):
            word = render_word(look, generator(0, name, split, i))
            store.add_word(encoded(word.image), word.text, f"{name}/{split}-{i}")


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with a few rendered samples of every set that the main commands name."""
    root = tmp_path_factory.mktemp("root")
    write_scenes(root, "synthtext", "train", 8, weak=False)
    write_scenes(root, "icdar2015", "train", 6, weak=True)
    write_scenes(root, "icdar2015", "test", 3, weak=True)
    write_words(root, "mjsynth", "train", 60)
    write_words(root, "synthtext", "train", 40)
    write_words(root, "rendered_words_v1", "test", 12)
    return root


@pytest.fixture(scope="session")
def tiny_recognizer(tiny_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best checkpoint of a few steps of a narrow CRNN, in its run directory."""
    return _trained(tiny_root, tmp_path_factory.mktemp("recognizer"), "crnn")


@pytest.fixture(scope="session")
def tiny_detector(tiny_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best checkpoint of a few steps of a narrow CRAFT, in its run directory."""
    return _trained(tiny_root, tmp_path_factory.mktemp("detector"), "craft-strong")


def _trained(root: Path, runs: Path, recipe: str) -> Path:
    # Lightning takes seconds to import, and most tests do without it
    sys.path.insert(0, str(Path(__file__).parent / "run"))
    from recipes import run

    run(root, runs, recipe)
    return runs / "run" / "best.ckpt"
