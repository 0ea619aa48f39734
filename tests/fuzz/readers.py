"""Every reader of files from strangers: how a case is drawn, and what must hold when it was read.

A reader returns, or raises a ValueError of one line.  Anything else is a finding, and so is what :mod:`guard` watches for.
"""

from __future__ import annotations

import io
import json
import math
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
import torch
import yaml
from damage import files, structures, values
from hypothesis import strategies as st
from PIL import Image as Pillow

sys.path.insert(0, str(Path(__file__).parents[1] / "data_prep"))
from label_examples import EXAMPLES, IC13, SVT, TOTALTEXT, imagelist, matlab_rows
from label_examples import structures as matlab_structures

from data_prep import forms, json_labels, word_lists
from data_prep.picture import checked
from data_prep.raw import Part
from data_prep.samples import Unusable
from ocr.charset import MOST, Charset
from ocr.config import build, from_yaml
from ocr.data.decoding import decode, most_pixels, refusal
from ocr.data.records import LONGEST_TEXT, MOST_POINTS, scene_record
from ocr.data.store import Store
from ocr.metrics.result_files import read_pages, read_results, read_truth
from ocr.run import checkpoint, foreign, published
from ocr.types import SceneWord


@dataclass(frozen=True, slots=True)
class Reader:
    """``cases`` draws what a stranger sent; ``read(case, folder)`` reads it in an empty folder of its own."""

    cases: st.SearchStrategy[Any]
    read: Callable[[Any, Path], None]


# --- pictures ------------------------------------------------------------------------------------------------------------


def _pictures() -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)
    made = []
    for form, mode in [
        ("JPEG", "RGB"),
        ("JPEG", "L"),
        ("PNG", "RGB"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("GIF", "P"),
        ("BMP", "RGB"),
    ] + [(form, "RGB") for form in ("TIFF", "WEBP")]:
        stream = io.BytesIO()
        Pillow.fromarray(pixels).convert(mode).save(stream, form)
        made.append(stream.getvalue())
    return made


def _read_picture(data: bytes, _: Path) -> None:
    for grey in (False, True):
        image = decode(data, grey)
        if image is None:
            assert "\n" not in refusal(data)
        else:
            assert image.dtype == np.uint8
            assert image.shape[0] * image.shape[1] <= most_pixels()
    kept, image = checked(data)
    again = decode(kept)
    assert again is not None
    assert again.shape == image.shape


# --- label files and charsets --------------------------------------------------------------------------------------------


def _read_labels(form: forms.Form) -> Callable[[bytes, Path], None]:
    def read(content: bytes, _: Path) -> None:
        labels = forms.parse(form, content)
        assert len(labels.words) == len(labels.where)
        for word in labels.words:
            assert word.polygon.ndim == 2
            assert word.polygon.shape[1] == 2

    return read


def _read_rows(parse: Callable[[bytes], Any]) -> Callable[[bytes, Path], None]:
    def read(content: bytes, _: Path) -> None:
        for row in parse(content):
            assert isinstance(row.path, str)
            assert isinstance(row.text, str)

    return read


def _read_charset(content: bytes, folder: Path) -> None:
    (folder / "charset.txt").write_bytes(content)
    charset = Charset.from_spec(str(folder / "charset.txt"))
    assert 0 < len(charset) <= MOST
    assert charset.unknown(charset.characters) == [] or charset.lower


LABELS = {
    **EXAMPLES,
    "polygons": EXAMPLES["quads"],
    "totaltext_text": TOTALTEXT.encode(),
    "totaltext_matlab": matlab_rows(([10, 40, 40, 10], [10, 10, 20, 20], "a", "h"), ([1, 2, 3], [4, 5, 6], "b", "c")),
}
ROWS = {
    "list": IC13.encode(),
    "first_word": b"a.jpg one\nb.jpg two x\n",
    "json_list": b'{"filename": "a.jpg", "text": "x"}\n{"filename": "b.jpg", "text": "y"}\n',
    "iiit5k": matlab_structures("testdata", [("a.png", "x"), ("b.png", "y")]),
    "tagged_xml": SVT.encode(),
}
ART = json.dumps({"gt_0": [{"points": [[1, 2], [3, 4], [5, 6]], "transcription": "x"}], "gt_1": []}).encode()


# --- archives ------------------------------------------------------------------------------------------------------------

TRUTH = "1,2,30,2,30,20,1,20,Tea\n1,2,30,2,30,20,1,20,###\n"


def _zip(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for i in range(3):
            archive.writestr(f"gt_img_{i}.txt", TRUTH * (i + 1))
    return stream.getvalue()


def _tar(mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for i in range(3):
            member = tarfile.TarInfo(f"inner/gt_img_{i}.txt")
            member.size = len(TRUTH)
            archive.addfile(member, io.BytesIO(TRUTH.encode()))
        for name, kind in (("link", tarfile.SYMTYPE), ("up", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "../../etc/passwd"
            archive.addfile(member)
    return stream.getvalue()


def _named(name: str) -> bytes:
    """A zip whose one member is called so."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name.partition("\0")[0] or "x", TRUTH)
    return stream.getvalue()


def _read_archive(content: bytes, folder: Path) -> None:
    path = folder / "raw.zip"
    path.write_bytes(content)
    refused = None
    try:
        for name, file in Part(path, "raw").scan():
            assert not name.startswith("/")
            assert ".." not in name.split("/")
            try:
                assert len(file.read()) == file.size
            except Unusable:
                continue
    except ValueError as error:
        refused = error
    for read in (read_truth, read_results):
        try:
            read(path)
        except ValueError as error:
            refused = error
    if refused is not None:
        raise refused


def _read_pages(content: bytes, folder: Path) -> None:
    (folder / "pages.jsonl").write_bytes(content)
    read_pages(folder / "pages.jsonl")


PAGES = (
    b'{"path": "a/img_1.jpg", "words": [{"polygon": [[1, 2], [3, 2], [3, 4], [1, 4]], "score": 0.9, "text": "x"}]}\n'
)


# --- prepared sets -------------------------------------------------------------------------------------------------------

QUAD = np.array([[1, 1], [9, 1], [9, 6], [1, 6]], np.float32)
SCENE = json.loads(scene_record("char", [SceneWord(QUAD, "a", characters=QUAD[None])], [QUAD]))
META = {"key": "toy/1", "script": "Latin", "direction": "horizontal", "characters": [QUAD.tolist()]}
MANIFEST = {
    **{"schema": 1, "name": "toy", "task": "recognition", "split": "train", "kind": "real", "source": "x", "count": 2},
    **{"fingerprint": "0" * 64, "dropped": {}, "created_with": "x"},
}


def _pages() -> bytes:
    """An LMDB with pages of every kind."""
    folder = Path(os.environ["OCR_CACHE"]) / f"seed-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    environment = lmdb.open(str(folder), map_size=1 << 24, lock=False)
    rng = np.random.default_rng(1)
    with environment.begin(write=True) as transaction:
        for i in range(1, 41):
            transaction.put(b"image-%09d" % i, rng.bytes(3000 if i % 5 == 0 else 60))
            transaction.put(b"label-%09d" % i, b"w%d" % i)
        transaction.put(b"num-samples", b"40")
    environment.close()
    return (folder / "data.mdb").read_bytes()


PAGE = 4096
_page_edits = st.lists(
    st.tuples(
        st.integers(0, 63), st.one_of(st.integers(0, 63), st.integers(0, PAGE - 1)), st.binary(min_size=1, max_size=8)
    ),
    max_size=6,
)


def _pages_changed(edits: list[tuple[int, int, bytes]]) -> bytes:
    data = bytearray(PAGES_SEED)
    for page, place, what in edits:
        at = page % (len(data) // PAGE) * PAGE + place
        data[at : at + len(what)] = what
    return bytes(data[: len(PAGES_SEED)])


def _read_pages_of_a_set(content: bytes, folder: Path) -> None:
    # the environment of the case before is told from this one by the file's identity
    (folder / "new.mdb").write_bytes(content)
    (folder / "new.mdb").replace(folder / "data.mdb")
    _everything(Store(folder))


def _read_entries(case: tuple[Any, Any, Any, bytes, bytes, bytes], folder: Path) -> None:
    manifest, scene, meta, label, count, image = case
    for name in ("data.mdb", "manifest.json"):
        (folder / name).unlink(missing_ok=True)
    environment = lmdb.open(str(folder), map_size=1 << 20, lock=False)
    with environment.begin(write=True) as transaction:
        for i in (1, 2):
            for name, value in {"image": image, "label": label, "scene": _json(scene), "meta": _json(meta)}.items():
                transaction.put(f"{name}-{i:09d}".encode(), value)
        transaction.put(b"num-samples", count)
    environment.close()
    if manifest is not None:
        (folder / "manifest.json").write_bytes(_json(manifest))
    _everything(Store(folder))


def _everything(store: Store) -> None:
    refused = None
    for i in range(len(store)):
        for read in (store.word, store.grey_word) if store.manifest.task == "recognition" else (store.scene,):
            try:
                sample = read(i)
            except ValueError as error:
                refused = error
                continue
            assert isinstance(sample.key, str)
            for word in getattr(sample, "words", [sample]):
                assert word.text is None or len(word.text) <= LONGEST_TEXT
                polygon = getattr(word, "polygon", QUAD)
                assert 3 <= len(polygon) <= MOST_POINTS
                assert np.isfinite(polygon).all()
    if refused is not None:
        raise refused
    if store.manifest.task == "recognition":
        assert len(store.texts()) == len(store.keys()) == len(store)


def _json(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode(errors="replace")


# --- checkpoints, weights, configs ---------------------------------------------------------------------------------------

STAGE = {"_partial_": True}
NODE: dict[str, Any] = {
    "_target_": "ocr.recognition.four_stage.FourStage",
    "charset": {"_target_": "ocr.charset.Charset", "characters": "0123456789abc", "lower": True, "unknown": "drop"},
    "trans": STAGE | {"_target_": "ocr.recognition.trans.NoTransformation"},
    "feat": STAGE | {"_target_": "ocr.recognition.feat.VGG", "channels": 8},
    "seq": STAGE | {"_target_": "ocr.recognition.seq.NoSequence"},
    "pred": STAGE | {"_target_": "ocr.recognition.pred.CTC"},
    "height": 32,
    "width": 100,
}
KNOWN = (
    *(
        "ocr.metrics.archives.write_texts",
        "ocr.metrics.archives.os.system",
        "torch.optim.Adam",
        "ocr.charset.Charset.from_spec",
    ),
    *(
        "ocr.recognition.trans.TPS",
        "ocr.recognition.seq.BiLSTM",
        "ocr.recognition.pred.Attention",
        "ocr.detection.craft.CRAFT",
    ),
    *("builtins.eval", "os.system", "../x.txt", "/etc/passwd.txt", "detection", "recognition", ""),
)


def _content() -> dict[str, Any]:
    network = build(NODE)
    ours = {
        "format": 1,
        "task": "recognition",
        "network": NODE,
        "weights": "network.",
        "inference": {"keep_ratio": False},
    }
    return {"ocr": ours, "state_dict": {f"network.{k}": v for k, v in network.state_dict().items()}, "global_step": 0}


def _saved(content: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def _packed(content: bytes) -> bytes:
    """The same archive, compressed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for member in given.infolist():
            made.writestr(member.filename, given.read(member))
    return stream.getvalue()


def _read_checkpoint(content: bytes, folder: Path) -> None:
    (folder / "a.ckpt").write_bytes(content)
    checkpoint.deployable(folder / "a.ckpt")


def _changed_checkpoint(ours: Any) -> bytes:
    return _saved(CONTENT | {"ocr": ours})


def _read_weights(content: bytes, folder: Path) -> None:
    (folder / "a.pth").write_bytes(content)
    published.import_weights(folder / "a.pth", charset="digits_lower")


NAMES = [
    *(f"FeatureExtraction.ConvNet.{i}.weight" for i in (0, 3, 6, 8, 11, 14, 18)),
    *("Prediction.weight", "Prediction.bias", "Prediction.generator.weight", "Prediction.generator.bias"),
    *(
        "SequenceModeling.0.linear.weight",
        "SequenceModeling.0.rnn.weight_ih_l0",
        "basenet.slice1.0.weight",
        "last_conv.0.weight",
    ),
    *("FeatureExtraction.ConvNet.conv0_1.weight", "FeatureExtraction.ConvNet.conv4_2.weight"),
    *("Transformation.LocalizationNetwork.conv.12.weight", "Transformation.LocalizationNetwork.localization_fc2.bias"),
]


def _weights(shapes: dict[str, list[int]], spread: bool, older: bool) -> bytes:
    """Weights by name and shape; ``spread`` ones are views of one number."""
    state = {}
    for name, shape in shapes.items():
        size = math.prod(shape)
        if math.prod(max(1, side) for side in shape) > 2**60:
            continue  # which torch itself does not make
        lavish = spread or size > 100_000
        state[name] = torch.zeros(()).expand(shape) if lavish else torch.zeros(shape)
    return _saved(state, _use_new_zipfile_serialization=not older)


def _read_config(text: bytes, folder: Path) -> None:
    (folder / "config.yaml").write_bytes(text)
    loaded = from_yaml(folder / "config.yaml")
    foreign.planned(loaded, "config")


def _yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, allow_unicode=True).encode(errors="replace")


def readers() -> dict[str, Reader]:
    """All readers by name."""
    global CONTENT, PAGES_SEED
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    torch.manual_seed(0)
    CONTENT, PAGES_SEED = _content(), _pages()
    good = _saved(CONTENT)
    older = _saved(CONTENT, _use_new_zipfile_serialization=False)
    pictures = _pictures()
    sizes = st.lists(st.integers(0, 40) | st.sampled_from([512, 10**5, 10**9]), max_size=4)
    images = files(pictures[2])
    entries = st.tuples(
        st.none() | structures(MANIFEST, MANIFEST | {"task": "detection"}, known=("../x", "detection", "f" * 64)),
        structures(SCENE, known=("char", "stacked", [[0, 0]] * 1200)),
        structures(META, known=("horizontal", "../x")),
        files(b"word", "ﾊﾝ".encode(), b"w" * 9000),
        st.sampled_from([b"2"] * 5 + [b"1", b"3", b"-1", b"", b"9" * 17, b"9" * 40, "２".encode()]),
        images,
    )
    found = {
        "checkpoint": Reader(files(good, older, _packed(good)), _read_checkpoint),
        "checkpoint-content": Reader(
            structures(CONTENT["ocr"], known=KNOWN).map(_changed_checkpoint), _read_checkpoint
        ),
        "weights": Reader(files(_saved({"Prediction.weight": torch.zeros(37, 8)}), older), _read_weights),
        "weights-content": Reader(
            st.builds(
                _weights, st.dictionaries(st.sampled_from(NAMES), sizes, max_size=8), st.booleans(), st.booleans()
            ),
            _read_weights,
        ),
        "config": Reader(
            st.one_of(files(_yaml(NODE)), structures(NODE, known=KNOWN).map(_yaml), values(*KNOWN).map(_yaml)),
            _read_config,
        ),
        "lmdb-pages": Reader(st.builds(_pages_changed, _page_edits) | files(PAGES_SEED), _read_pages_of_a_set),
        "lmdb-entries": Reader(entries, _read_entries),
        "archive": Reader(
            st.one_of(
                files(_zip(), _zip(zipfile.ZIP_STORED), _tar("w"), _tar("w:gz")), st.text(max_size=20).map(_named)
            ),
            _read_archive,
        ),
        "image": Reader(files(*pictures), _read_picture),
        "charset": Reader(files(b"0123abc", "あいう\nカタ\n".encode(), b"ab\n \n"), _read_charset),
        "pages": Reader(files(PAGES), _read_pages),
        "labels-art": Reader(files(ART), lambda content, _: json_labels.parse_index(content) and None),
    }
    found |= {f"labels-{name}": Reader(files(LABELS[name]), _read_labels(form)) for name, form in forms.FORMS.items()}
    found |= {
        f"words-{name}": Reader(files(ROWS[name], *([imagelist()] if name == "tagged_xml" else [])), _read_rows(parse))
        for name, parse in word_lists.FORMS.items()
    }
    return found
