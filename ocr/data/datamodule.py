"""The one data module: sources mixed by weight for training, one validation split per set, both halves of the project alike."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from ocr.data.cache import mapped, mapped_from
from ocr.data.endless import Endless
from ocr.data.label_index import remembered, remembered_audit
from ocr.data.mixing import Draw, MixedBatchSampler, Mixture, RoundRobinBatches, quotas, shares
from ocr.data.patience import PatientLoader, Reading
from ocr.data.processes import die_with_parent
from ocr.data.sets import MissingSet, SceneSet, WordSet, is_validation, open_set
from ocr.data.statistics import Audit
from ocr.data.store import UndecodableImage
from ocr.seeding import generator
from ocr.types import Scene, SceneBatch, Word, WordBatch

NEAREST_TRIES = 100
"""How many neighbours of an undecodable sample are tried before the run gives up."""


class Encoder(Protocol):
    """Turns samples into training items in a worker, and items into a batch; a pure function of (sample, rng).

    One that takes nothing from chance says ``chance = False``, and gets no generator; one that wants words in grey says
    ``grey = True``, and they are decoded straight to it.
    """

    def train(self, sample: Any, rng: np.random.Generator | None) -> Any:
        """One training item."""
        ...

    def collate(self, items: list[Any]) -> SceneBatch | WordBatch:
        """A batch of items."""
        ...


@dataclass(slots=True)
class Part:
    """The samples of one source that train, and those that validate."""

    name: str
    set: SceneSet | WordSet | Endless
    weight: float | None
    train: NDArray[np.int64]
    validation_set: SceneSet | WordSet | Endless
    validation: NDArray[np.int64]
    labels: Audit | None = None
    endless: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """What a loader process needs: rows that are mapped from the cache go as the name of their file, not as ten million numbers."""
        file = mapped_from(self.train)
        return _sent, (self.name, self.set, self.weight, self.train if file is None else file, self.endless)

    def place(self, draw: Draw, step: int = 0) -> int:
        """The place in the set of a draw, or of the sample ``step`` places behind it; an endless set goes on pass after pass."""
        count = len(self.train)
        index: int = self.train.item((draw.index + step) % count)
        return index + draw.epoch * count if self.endless else index

    @property
    def rejected(self) -> dict[str, int]:
        """How many training samples were left out for their label, by reason."""
        return dict(self.labels.counts) if self.labels else {}


def _sent(name: str, samples: Any, weight: float | None, rows: Any, endless: bool) -> Part:
    train = mapped(rows) if isinstance(rows, Path) else rows
    return Part(name, samples, weight, train, samples, np.zeros(0, np.int64), endless=endless)


class TrainingSamples(Dataset[Any]):
    """Samples by :class:`Draw`, encoded with the randomness of (seed, epoch, index)."""

    def __init__(self, parts: Sequence[Part], encoder: Encoder, seed: int, reading: Reading | None = None) -> None:
        self.parts = parts
        self.encoder = encoder
        self.seed = seed
        self.reading = reading or Reading(0)
        self.chance: bool = getattr(encoder, "chance", True)
        grey = getattr(encoder, "grey", False)
        self.read: list[Callable[[int], Any]] = [
            getattr(p.set, "grey", p.set.__getitem__) if grey else p.set.__getitem__ for p in parts
        ]
        self.whole = grey and hasattr(encoder, "gather")

    def __getitems__(self, draws: list[Draw]) -> list[tuple[Any, list[str]]] | WordBatch:
        """What goes into one batch: samples one by one, or all at once by an encoder that gathers grey words."""
        try:
            if not self.whole:
                return [self[draw] for draw in draws]
            skipped: list[str] = []
            batch: WordBatch = self.encoder.gather(self._words(draws, skipped), len(draws))  # type: ignore[attr-defined]
            batch.skipped = skipped
            return batch
        finally:
            self.reading.end()

    def _words(self, draws: list[Draw], skipped: list[str]) -> Iterator[Word]:
        for draw in draws:
            place = self.parts[draw.source].place(draw)
            self.reading.begin(draw.source, place)
            try:
                yield self.read[draw.source](place)
            except UndecodableImage:
                yield self._sample(draw, skipped)[0]

    def __getitem__(self, draw: Draw) -> tuple[Any, list[str]]:
        """The encoded sample, and the keys of undecodable ones it stands in for."""
        skipped: list[str] = []
        sample, index = self._sample(draw, skipped)
        rng = generator(self.seed, "augment", draw.source, draw.epoch, index) if self.chance else None
        return self.encoder.train(sample, rng), skipped

    def _sample(self, draw: Draw, skipped: list[str]) -> tuple[Any, int]:
        """The sample drawn, or the next that can be decoded, and its place in the set."""
        part, read = self.parts[draw.source], self.read[draw.source]
        for step in range(NEAREST_TRIES):
            index = part.place(draw, step)
            self.reading.begin(draw.source, index)
            try:
                return read(index), index
            except UndecodableImage as error:
                skipped.append(error.key)
        raise ValueError(
            f"{part.name}: {NEAREST_TRIES} pictures in a row cannot be decoded, from {skipped[0]} on: verify the set"
        )

    def collate(self, items: list[tuple[Any, list[str]]] | WordBatch) -> SceneBatch | WordBatch:
        """A batch that also names the samples that were skipped."""
        if isinstance(items, WordBatch):
            return items
        batch = self.encoder.collate([item for item, _ in items])
        batch.skipped = [key for _, keys in items for key in keys]
        return batch


class ValidationSamples(Dataset[Any]):
    """Whole samples without any chance; the keys of undecodable ones are collected in ``undecodable``."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.places = [(p, int(i)) for p, part in enumerate(parts) for i in part.validation]
        self.undecodable: dict[str, None] = {}
        self.reading = Reading(0)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: int) -> Scene | Word | None:
        """Sample by position over all parts; None when its picture cannot be decoded."""
        part, index = self.places[place]
        self.reading.begin(part, index)
        try:
            return self.parts[part].validation_set[index]
        except UndecodableImage as error:
            self.undecodable[error.key] = None
            return None
        finally:
            self.reading.end()


def _own_validation(root: str, task: str, name: str) -> SceneSet | WordSet | None:
    try:
        return open_set(root, task, name, "val")
    except MissingSet:
        return None


def _named(samples: SceneSet | WordSet | Endless, place: int) -> str:
    return f"sample {place + 1:,} of {samples.name}/{samples.split} ({samples.key(place)})"


def _whole(samples: list[Scene | Word | None]) -> list[Scene | Word]:
    return [s for s in samples if s is not None]


def _start_method() -> str | None:
    """How loader processes start; None: as the system does it.

    Inside a process of joblib's (``hydra/launcher=local``) the way would be joblib's own, which only its processes understand.
    """
    return "fork" if multiprocessing.get_start_method(allow_none=True) == "loky" else None


def _start_worker(_: int) -> None:
    """Leave Ctrl-C to the main process, which finishes its step with what the workers give it; one thread each."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)


class DataModule(pl.LightningDataModule):
    """Opens the sources, sets validation aside, and serves batches from any step on.

    Args:
        root: folder of the prepared sets.
        task: ``detection`` or ``recognition``.
        sources: per source a mapping with ``set`` (name, path, or an :class:`ocr.data.endless.Endless` set), ``split`` and ``weight``.
        encoder: turns samples into batches; one with a ``reject(text)`` method (recognition) also decides what can be learnt.
        seed: the run's seed.
        batch_size: samples per step and process.
        workers: loader processes.
        validation_share: share held out by hash of the key where a set has no validation split.
        validation_most: most validation samples per set.
        overfit: train and validate on this many samples only (0: off).
        exact_quotas: every batch of every process holds each source's share exactly (:func:`ocr.data.mixing.quotas`).
        time_limit: seconds that one sample may take to be read before the run ends and names it; 0: any time.

    Raises:
        ValueError: no source, a set that is missing or empty or labelled in part, training on a test split, or nothing left to learn.
    """

    def __init__(
        self,
        root: str,
        task: str,
        sources: dict[str, dict[str, Any]],
        encoder: Encoder,
        seed: int,
        batch_size: int,
        workers: int = 0,
        validation_share: float = 0.05,
        validation_most: int = 10_000,
        overfit: int = 0,
        exact_quotas: bool = False,
        time_limit: float = 0,
    ) -> None:
        super().__init__()
        if time_limit < 0:
            raise ValueError(f"loader.time_limit is {time_limit:g} s: give seconds, or 0 for no limit")
        self.time_limit = time_limit
        if not sources:
            raise ValueError("data: no training set is named; for example data=mjsynth+synthtext")
        self.encoder = encoder
        self.seed = seed
        self.batch_size = batch_size
        self.workers = workers
        self.share = validation_share
        self.most = validation_most
        self.exact_batch = batch_size if exact_quotas else None
        if exact_quotas:
            quotas([node.get("weight") for node in sources.values()], batch_size)
        self.parts = [self._open(root, task, name, node) for name, node in sources.items()]
        if overfit:
            self._keep_only(overfit)
        self.validation = ValidationSamples(self.parts)

    def _open(self, root: str, task: str, name: str, node: dict[str, Any]) -> Part:
        split = str(node["split"])
        if split == "test":
            raise ValueError(
                f"data.sources.{name}.split=test: test sets neither train nor choose a model; use train or val"
            )
        if isinstance(node["set"], Endless):
            return self._made(task, name, node)
        whole = open_set(root, task, str(node["set"]), split)
        validation_set = whole if split == "val" else _own_validation(root, task, str(node["set"]))
        for opened in (whole, validation_set):
            if opened is not None and opened.manifest.partial:
                raise ValueError(
                    f"data.sources.{name}: only some words of {opened.name}/{opened.split} are labelled, and training would take the "
                    "others for background: use it with ocr evaluate"
                )
        if validation_set is None or validation_set is whole:
            validation_set, held_out = whole, self._held_out(whole)
            train = np.flatnonzero(~held_out) if len(whole) > 1 else np.zeros(1, np.int64)
            validation = np.flatnonzero(held_out)
        else:
            train, validation = np.arange(len(whole)), np.arange(len(validation_set))
        if len(validation) > self.most:
            validation = validation[np.linspace(0, len(validation) - 1, self.most).astype(int)]
        labels, learnable = self._audited(name, whole, train)
        return Part(name, whole, node.get("weight"), learnable, validation_set, validation, labels)

    def _made(self, task: str, name: str, node: dict[str, Any]) -> Part:
        """A source that is not on a disk; it leaves out by itself what cannot be learnt."""
        whole: Endless = node["set"].open(node["split"])
        if whole.task != task:
            raise ValueError(f"data.sources.{name} makes samples for {whole.task}, and {task} was asked for")
        validation_set, reject = whole.open("val"), getattr(self.encoder, "reject", None)
        if reject is not None:
            whole, validation_set = whole.accepting(reject), validation_set.accepting(reject)
        validation = np.arange(min(len(validation_set), self.most))
        train = np.arange(len(whole))
        return Part(name, whole, node.get("weight"), train, validation_set, validation, endless=True)

    def _held_out(self, whole: SceneSet | WordSet) -> NDArray[np.bool_]:
        def by_key() -> NDArray[np.bool_]:
            return np.fromiter((is_validation(key, self.share) for key in whole.each_key()), np.bool_, len(whole))

        chosen = np.array(remembered(f"held-out-1-{self.share!r}", whole.fingerprint, len(whole), by_key))
        # a set too small for its share to catch anything still validates on one sample, and trains on the others
        chosen[0] |= not chosen.any()
        chosen[-1] &= len(whole) == 1 or not chosen.all()
        return chosen

    def _audited(
        self, name: str, whole: SceneSet | WordSet, rows: NDArray[np.int64]
    ) -> tuple[Audit | None, NDArray[np.int64]]:
        reject = getattr(self.encoder, "reject", None)
        if reject is None or not isinstance(whole, WordSet):
            return None, rows
        rule, where = getattr(self.encoder, "rule", ""), f"data.sources.{name}"
        return remembered_audit(whole.texts(), rows, reject, rule, whole.fingerprint, where)

    def _keep_only(self, count: int) -> None:
        for part in self.parts:
            part.train = part.train[: max(1, count // len(self.parts))]
            part.validation_set, part.validation, part.endless = part.set, part.train, False

    def fingerprints(self) -> dict[str, dict[str, Any]]:
        """What the run record says of the data: per source set, split, kind, number of samples and content fingerprint."""
        return {
            part.name: {
                "set": part.set.name,
                "split": part.set.split,
                "kind": part.set.kind,
                "count": len(part.set),
                "train": len(part.train),
                "validation": len(part.validation),
                "rejected": part.rejected,
                "fingerprint": part.set.fingerprint,
            }
            for part in self.parts
        }

    def shares(self) -> list[float]:
        """Share of the training draws per source, in the order of the parts."""
        weights = [p.weight for p in self.parts]
        exact = self.exact_batch
        return list(shares([len(p.train) for p in self.parts], weights) if exact is None else quotas(weights, exact))

    def train_dataloader(self) -> DataLoader[Any]:
        """Endless; begins at the trainer's present step, so a resumed run sees what it would have seen."""
        trainer = self.trainer
        sizes, weights = [len(p.train) for p in self.parts], [p.weight for p in self.parts]
        mixture = Mixture(sizes, weights, self.seed, self.exact_batch)
        sampler = MixedBatchSampler(
            mixture,
            self.batch_size,
            start=trainer.global_step if trainer else 0,
            rank=trainer.global_rank if trainer else 0,
            world=trainer.world_size if trainer else 1,
        )
        samples = TrainingSamples(self.parts, self.encoder, self.seed, Reading(self.workers))
        return PatientLoader(
            samples,
            reading=samples.reading,
            named=lambda source, place: _named(self.parts[source].set, place),
            time_limit=self.time_limit,
            batch_sampler=sampler,
            num_workers=self.workers,
            collate_fn=samples.collate,
            persistent_workers=self.workers > 0,
            multiprocessing_context=_start_method() if self.workers else None,
            worker_init_fn=_start_worker,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Lists of whole scenes or words, in order; several processes take turns, see :class:`ocr.data.mixing.RoundRobinBatches`."""
        size = 64 if all(p.set.task == "recognition" for p in self.parts) else 4
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        return PatientLoader(
            self.validation,
            reading=self.validation.reading,
            named=lambda source, place: _named(self.parts[source].validation_set, place),
            time_limit=self.time_limit,
            batch_sampler=RoundRobinBatches(len(self.validation), size, rank, world),
            num_workers=0,
            collate_fn=_whole,
        )
