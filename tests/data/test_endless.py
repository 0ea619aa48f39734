"""Sets that never end in the data module: other samples in every pass, in unions, whatever the number of workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocr.config import compose_config, plain
from ocr.data.datamodule import DataModule
from ocr.data.endless import Endless
from ocr.data.mixing import Draw
from ocr.data.store import StoreWriter
from ocr.render.source import RenderedScenes, RenderedWords
from ocr.run.data import data_module
from ocr.types import Word, WordBatch


class Keys:
    """An encoder that keeps what it is given."""

    def reject(self, text: str) -> str | None:
        return None if text.isascii() else "not ASCII"

    def train(self, word: Word, rng: np.random.Generator | None) -> Word:
        return word

    def collate(self, items: list[Word]) -> WordBatch:
        return WordBatch(None, [i.text for i in items], [i.key for i in items])  # type: ignore[arg-type]


def module(root: Path | str = "nowhere", workers: int = 0, overfit: int = 0, **sources: Any) -> DataModule:
    given = sources or {"rendered_en": {"set": words(), "split": "train", "weight": None}}
    return DataModule(str(root), "recognition", given, Keys(), 1, batch_size=4, workers=workers, overfit=overfit)


def words(samples: int = 6) -> RenderedWords:
    return RenderedWords("rendered_en", {"en": 1}, "clean", seed=2, samples=samples, validation=5)


def batches(data: DataModule, count: int) -> list[WordBatch]:
    loader = iter(data.train_dataloader())
    return [next(loader) for _ in range(count)]


def test_no_sample_comes_twice_and_workers_change_nothing() -> None:
    one = batches(module(), 6)
    keys = [key for batch in one for key in batch.keys]
    assert len(keys) == len(set(keys)) == 24, "four passes of six"
    assert {key.rpartition("-")[2] for key in keys} == {str(i) for i in range(24)}
    two = batches(module(workers=1), 6)
    assert [(b.keys, b.texts) for b in two] == [(b.keys, b.texts) for b in one]


def test_validation_is_its_own_part_and_the_labels_can_be_learnt() -> None:
    data = module()
    whole = [word for batch in data.val_dataloader() for word in batch]
    assert [w.key for w in whole] == [f"rendered_en/val-0-{i}" for i in range(5)]
    row = data.fingerprints()["rendered_en"]
    assert (row["kind"], row["count"], row["validation"]) == ("rendered", 6, 5)
    assert len(row["fingerprint"]) == 64
    korean = RenderedWords("k", {"ko": 1}, "clean", samples=8, validation=2)
    texts = [t for b in batches(module(k={"set": korean, "split": "train", "weight": None}), 3) for t in b.texts]
    assert all(t.isascii() for t in texts)


def test_a_union_with_a_set_on_disk_keeps_its_shares(tmp_path: Path) -> None:
    import cv2

    picture = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    with StoreWriter(
        tmp_path / "recognition" / "own" / "train", "recognition", "own", "train", "real", "test"
    ) as store:
        for i in range(8):
            store.add_word(picture, f"word{i}", f"own/{i}")
    sources = {
        "rendered_en": {"set": words(100), "split": "train", "weight": 1.0},
        "own": {"set": "own", "split": "train", "weight": 3.0},
    }
    keys = [key for batch in batches(module(tmp_path, **sources), 14) for key in batch.keys]
    assert sum(key.startswith("rendered_en/") for key in keys) == 14
    assert len({key for key in keys if key.startswith("rendered_en/")}) == 14


def test_overfitting_learns_the_same_few_again_and_again() -> None:
    data = module(overfit=3)
    keys = {key for batch in batches(data, 4) for key in batch.keys}
    assert keys == {"rendered_en/train-2-0", "rendered_en/train-2-1", "rendered_en/train-2-2"}
    assert [w.key for b in data.val_dataloader() for w in b] == sorted(keys)


def test_a_source_for_the_other_task_is_refused() -> None:
    scenes = RenderedScenes("s", {"en": 1}, "clean")
    assert isinstance(scenes, Endless)
    with pytest.raises(
        ValueError, match=r"data\.sources\.s makes samples for detection, and recognition was asked for"
    ):
        module(s={"set": scenes, "split": "train", "weight": None})


def test_a_composed_config_builds_its_sources() -> None:
    class Network:
        class codec:  # noqa: N801
            @staticmethod
            def reject(_: str) -> str | None:
                return None

    overrides = [
        "model=crnn",
        "data=rendered_en",
        "render=clean",
        "loader.workers=0",
        "data.sources.rendered_en.set.validation=3",
    ]
    data = data_module(plain(compose_config(overrides)), Network())
    assert (len(data.parts[0].train), len(data.validation)) == (1_000_000, 3)
    draw = Draw(0, 5, 2)
    assert data.parts[0].place(draw) == 2_000_005
