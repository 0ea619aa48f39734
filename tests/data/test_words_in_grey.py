"""Words decoded straight to grey, whatever they were encoded as, and batches gathered from them."""

import io
import json
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from ocr.charset import Charset
from ocr.data.datamodule import Part, TrainingSamples
from ocr.data.decoding import UndecodableImage, decode
from ocr.data.mixing import Draw
from ocr.data.records import meta_key
from ocr.data.sets import WordSet
from ocr.data.store import StoreWriter
from ocr.recognition.codec import CTCCodec
from ocr.recognition.samples import WordEncoder, fit

SOFT = np.asarray(
    Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (4, 12, 3), np.uint8)).resize(
        (120, 31), Pillow.Resampling.BICUBIC
    )
)
LUMA = cv2.cvtColor(SOFT, cv2.COLOR_RGB2GRAY).astype(int)


def saved(picture: Pillow.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def encodings() -> dict[str, bytes]:
    rgb = Pillow.fromarray(SOFT)
    grey = Pillow.fromarray(LUMA.astype(np.uint8))
    ink = np.dstack([np.zeros_like(SOFT), 255 - LUMA.astype(np.uint8)])
    return {
        "jpeg": saved(rgb, "JPEG", quality=98, subsampling=0),
        "png": saved(rgb, "PNG"),
        "grey jpeg": saved(grey, "JPEG", quality=98),
        "cmyk jpeg": saved(rgb.convert("CMYK"), "JPEG", quality=98, subsampling=0),
        "16 bits": cv2.imencode(".png", SOFT[..., ::-1].astype(np.uint16) * 257)[1].tobytes(),
        "16 bits grey": cv2.imencode(".png", LUMA.astype(np.uint16) * 257)[1].tobytes(),
        "ink on nothing": saved(Pillow.fromarray(ink, "RGBA"), "PNG"),
        "ink on nothing, 16 bits": cv2.imencode(".png", ink.astype(np.uint16) * 257)[1].tobytes(),
        "grey and alpha": saved(Pillow.merge("LA", (Pillow.new("L", grey.size), Pillow.fromarray(ink[..., 3]))), "PNG"),
    }


@pytest.mark.parametrize("name", encodings())
def test_any_encoding_gives_the_picture_in_colour_and_in_grey(name: str) -> None:
    data = encodings()[name]
    for given in (data, memoryview(data)):
        colour, grey = decode(given), decode(given, grey=True)
        assert colour is not None
        assert grey is not None
        assert (colour.shape, colour.dtype, grey.shape, grey.dtype) == (SOFT.shape, np.uint8, LUMA.shape, np.uint8)
        tolerance = 6 if "jpeg" in name else 1.5
        assert np.abs(grey.astype(int) - LUMA).mean() < tolerance
        assert np.abs(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY).astype(int) - LUMA).mean() < tolerance


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (31, 20_000), (3000, 1)])
@pytest.mark.parametrize("ways", [{}, {"keep_ratio": True}, {"variable_width": True}, {"tall": "rotate"}])
def test_pictures_of_any_size_fit_a_network(size: tuple[int, int], ways: dict[str, Any]) -> None:
    data = cv2.imencode(".png", np.full((*size, 3), 77, np.uint8))[1].tobytes()
    image = decode(data, grey=True)
    assert image is not None
    pixels = fit(image, 32, 100, 1, **ways)
    assert pixels.shape[0] == 32
    assert 16 <= pixels.shape[1] <= 100
    assert (pixels == 77).all()


def made(folder: Path, pictures: list[bytes]) -> WordSet:
    with StoreWriter(folder, "recognition", "words", "train", "rendered", "test") as store:
        for i, picture in enumerate(pictures):
            store.add_word(picture, f"wörd{i}", f"words/{i}")
    return WordSet(folder)


def test_a_grey_word_is_the_word(tmp_path: Path) -> None:
    words = made(tmp_path / "words/train", [encodings()["png"], b"broken"])
    word = words.grey(0)
    assert (word.text, word.key) == (words[0].text, words[0].key) == ("wörd0", "words/0")
    assert np.abs(word.image.astype(int) - LUMA).max() <= 1
    with pytest.raises(UndecodableImage, match="words/1"):
        words.grey(1)


def samples(words: WordSet, **options: Any) -> TrainingSamples:
    encoder = WordEncoder(CTCCodec(Charset.from_spec("full94"), 25, 24), **options)
    part = Part("words", words, None, np.arange(len(words)), words, np.zeros(0, np.int64))
    return TrainingSamples([part], encoder, seed=1)


@pytest.mark.parametrize("options", [{}, {"keep_ratio": True}, {"variable_width": True}, {"channels": 3}])
def test_a_gathered_batch_is_the_batch_of_its_samples(tmp_path: Path, options: dict[str, Any]) -> None:
    sizes = [(31, 40), (31, 150), (32, 100), (60, 90), (40, 300), (20, 80)]
    pictures = [cv2.imencode(".jpg", cv2.resize(SOFT, (w, h)))[1].tobytes() for h, w in sizes]
    pictures.insert(2, b"broken")
    source = samples(made(tmp_path / "words/train", pictures), **options)
    draws = [Draw(0, i, 0) for i in range(len(pictures))]
    whole, single = source.collate(source.__getitems__(draws)), source.collate([source[d] for d in draws])
    assert torch.equal(whole.images_BCHW, single.images_BCHW)
    assert whole.images_BCHW.is_contiguous(memory_format=torch.channels_last) or options.get("variable_width")
    assert (whole.texts, whole.keys, whole.skipped) == (single.texts, single.keys, single.skipped)
    assert whole.skipped == ["words/2"]


@pytest.mark.parametrize("key", ["set/1", 'set/a"b', "set/a\\b", "set/é#3", "set/"])
def test_the_key_is_found_without_parsing(key: str) -> None:
    for record in ({"key": key}, {"key": key, "script": "Hangul"}):
        packed = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        assert meta_key(packed) == key
    assert meta_key(json.dumps({"script": "Hangul", "key": key}).encode()) == key


def others(folder: Path, samples: int, said: int) -> Path:
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=1 << 20) as store, store.begin(write=True) as writing:
        writing.put(b"num-samples", b"%d" % said)
        for i in range(1, samples + 1):
            writing.put(b"image-%09d" % i, encodings()["jpeg"])
            writing.put(b"label-%09d" % i, b"word")
    return folder


@pytest.mark.parametrize(
    ("said", "message"), [(2, "says it holds 2 samples and holds more"), (4, "lacks image-000000004")]
)
def test_a_wrong_count_is_noticed(tmp_path: Path, said: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WordSet(others(tmp_path / "training/mj", 3, said))
    assert len(WordSet(others(tmp_path / "training/good", 3, 3))) == 3


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        (b"label-000000001", None, "lacks label-000000001, though it says it holds 2 samples"),
        (b"image-000000001", None, "lacks image-000000001"),
        (b"label-000000001", b"caf\xe9", "label-000000001 in .* is not UTF-8"),
    ],
)
def test_a_set_of_others_with_something_wrong_says_what(
    tmp_path: Path, entry: bytes, value: bytes | None, message: str
) -> None:
    folder = others(tmp_path / "training/mj", 2, 2)
    with lmdb.open(str(folder), map_size=1 << 20) as store, store.begin(write=True) as writing:
        writing.delete(entry)
        if value is not None:
            writing.put(entry, value)
    if value is None:
        with pytest.raises(ValueError, match=message):
            WordSet(folder)
        return
    words = WordSet(folder)
    for read in (words.grey, words.__getitem__):
        with pytest.raises(ValueError, match=message):
            read(0)
    assert words.grey(1).key == "mj/000000002"
