"""Write what every later version must still load: ``python tests/release/write.py`` makes the archive of the present version.

Run once for a release; what lies there is never written again.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ocr import __version__
from ocr.config import build
from ocr.data.sets import SceneSet, WordSet
from ocr.data.store import StoreWriter
from ocr.run import checkpoint
from ocr.types import SceneWord

STAGE = {"_partial_": True}
NETWORKS: dict[str, dict[str, Any]] = {
    "detection": {
        "_target_": "ocr.detection.craft.CRAFT",
        "width": 0.015625,
        "backbone": STAGE | {"_target_": "ocr.detection.backbones.VGG16BN"},
    },
    "recognition": {
        "_target_": "ocr.recognition.four_stage.FourStage",
        "charset": {"_target_": "ocr.charset.Charset", "characters": "0123456789abc", "lower": True, "unknown": "drop"},
        "trans": STAGE | {"_target_": "ocr.recognition.trans.NoTransformation"},
        "feat": STAGE | {"_target_": "ocr.recognition.feat.VGG", "channels": 16},
        "seq": STAGE | {"_target_": "ocr.recognition.seq.BiLSTM", "hidden": 8, "layers": 1},
        "pred": STAGE | {"_target_": "ocr.recognition.pred.CTC"},
        "height": 32,
        "width": 100,
        "channels": 1,
        "max_length": 25,
    },
}
INFERENCE: dict[str, dict[str, Any]] = {
    "detection": {
        "thresholds": {"text": 0.7, "link": 0.4, "low": 0.4},
        "long_side": 640,
        "max_enlargement": 1.5,
        "batch_size": 1,
    },
    "recognition": {"keep_ratio": False, "batch_size": 16},
}
TEXTS = ("abc", "123", "a1", "カタ", "")


def write(folder: Path) -> None:
    """Checkpoints of both tasks, a set of both, and what the networks say to them."""
    torch.manual_seed(7)
    for task, node in NETWORKS.items():
        network = build(node)
        # a fresh network says the same to everything
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.add_(0.05 * torch.randn_like(value) * (value.ndim == 1))
                value.copy_(value.bfloat16())  # which packs to half
        ours = {"format": checkpoint.FORMAT, "task": task, "network": node, "weights": "network."}
        weights = {f"network.{name}": value for name, value in network.state_dict().items()}
        content = {"ocr": ours | {"inference": INFERENCE[task]}, "state_dict": weights, "global_step": 0}
        checkpoint.write(content, folder / f"{task}.ckpt")
    _write_words(folder / "words")
    _write_scenes(folder / "scenes")
    (folder / "expected.json").write_text(
        json.dumps(said(folder), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def said(folder: Path) -> dict[str, Any]:
    """What the checkpoints of a folder say to its sets."""
    words, scenes = WordSet(folder / "words"), SceneSet(folder / "scenes")
    readings = checkpoint.recognizer(folder / "recognition.ckpt").read([word.image for word in words])
    detector: Any = checkpoint.detector(folder / "detection.ckpt")
    with torch.inference_mode():
        image = torch.from_numpy(scenes[0].image.copy()).permute(2, 0, 1)[None].float() / 255
        maps = detector.network.eval()(image)
    maps = maps[0] if isinstance(maps, tuple) else maps
    return {
        "version": __version__,
        "texts": list(words.texts()),
        "readings": [reading.text for reading in readings],
        "confidences": [round(reading.confidence, 8) for reading in readings],
        "polygons": [word.polygon.tolist() for word in scenes[0].words],
        "fingerprints": [words.fingerprint, scenes.fingerprint],
        "maps": [round(float(v), 5) for v in (maps.mean(), maps.std(), maps.min(), maps.max())],
    }


def _picture(number: int, width: int, height: int) -> bytes:
    image = np.full((height, width, 3), 220, np.uint8)
    cv2.putText(
        image, f"a{number}", (4, height - 8), cv2.FONT_HERSHEY_SIMPLEX, height / 40, (20, 40, 60 * number % 255), 2
    )
    return cv2.imencode(".png", image)[1].tobytes()


def _write_words(folder: Path) -> None:
    with StoreWriter(folder, "recognition", "words", "test", "rendered", "a release") as store:
        for i, text in enumerate(TEXTS):
            store.add_word(_picture(i, 60 + 10 * i, 32), text, f"words/{i}", "Japanese" if i == 3 else "Latin")


def _write_scenes(folder: Path) -> None:
    quad = np.array([[4, 4], [60, 4], [60, 40], [4, 40]], np.float32)
    characters = np.stack([quad * (0.5, 1), quad * (0.5, 1) + (30, 0)]).astype(np.float32)
    with StoreWriter(folder, "detection", "scenes", "test", "rendered", "a release") as store:
        words = [SceneWord(quad, "ab", characters=characters), SceneWord(quad + 20, None, ignore=True)]
        store.add_scene(_picture(1, 128, 96), "scenes/0", "char", words, [quad])
        store.add_scene(_picture(2, 128, 96), "scenes/1", "word", [SceneWord(quad, "c")])


def main() -> None:
    """Write and pack."""
    archive = Path(__file__).parent / f"{__version__}.tar.gz"
    if archive.exists():
        sys.exit(f"{archive} exists: what was released is not written again")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive, "w:gz") as packed:
        write(Path(folder))
        packed.add(folder, ".")


if __name__ == "__main__":
    main()
