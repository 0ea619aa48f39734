"""Prepared sets on disk: one LMDB folder per set and split, with a manifest beside it.

Words use the public layout ``num-samples``, ``image-%09d``, ``label-%09d`` (from 1), so LMDBs that others published open as
they are; ours add ``meta-%09d`` (the key and what else is known). Scenes use ``image-%09d``, ``scene-%09d`` and ``meta-%09d``.

Pictures are kept as the encoded bytes they came in, and decoded without regard to EXIF orientation; polygons refer to that
picture. ``data_prep`` turns a picture upright before it is stored when its EXIF orientation asks for that.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any, get_args

import lmdb
import numpy as np

from ocr import __version__
from ocr.data.decoding import UndecodableImage, decode, refusal
from ocr.data.environment import TURNS, forget_replaced, is_replaced, note_written, transaction
from ocr.data.publish import published, sync_file
from ocr.data.records import (
    LONGEST_TEXT,
    MANIFEST,
    SCHEMA,
    Kind,
    Manifest,
    Split,
    Task,
    check_characters,
    check_place,
    meta_fields,
    meta_key,
    meta_record,
    scene_fields,
    scene_record,
    split_by_folder,
)
from ocr.types import Image, LabelKind, Points, Quads, Scene, SceneWord, Word

FIRST_MAP = 1 << 26
"""Bytes of address space a new store begins with; it doubles whenever it is full."""
BATCH_BYTES = 1 << 25
BATCH_ENTRIES = 6_000
SAMPLED_ENTRIES = 64
"""Entries that the fingerprint of a store without a manifest looks at."""
UTF8 = 4
"""Most bytes of a character."""
OURS = {"data.mdb", "lock.mdb", MANIFEST, "dropped.tsv"}


class StoreWriter:
    """Writes one set; it appears in ``folder`` when the ``with`` block ends well, and otherwise not at all.

    Args:
        folder: where the set will be, ``<root>/<task>/<set>/<split>``; a set that is already there is replaced at the end.
        task: ``detection`` (then :meth:`add_scene`) or ``recognition`` (then :meth:`add_word`).
        name: name of the set; keys begin with it.
        split: ``train``, ``val`` or ``test``.
        kind: ``real`` or ``rendered``.
        source: one line in words that says where the samples come from.
        partial: whether only some words of the pictures are labelled.

    Raises:
        ValueError: the place cannot be written, holds files that are not a set of ours, or the set would be empty.
    """

    def __init__(
        self, folder: Path, task: Task, name: str, split: Split, kind: Kind, source: str, partial: bool = False
    ) -> None:
        check_place(task, split, kind)
        self.folder = Path(folder)
        by = f"ocr {__version__}"
        self.manifest = Manifest(name, task, split, kind, source, 0, "", created_with=by, partial=partial)
        self._dropped: dict[str, int] = {}
        self._hash = hashlib.sha256()
        self._count = 0
        self._pending: list[tuple[bytes, bytes]] = []
        self._pending_bytes = 0

    def __enter__(self) -> StoreWriter:
        _check_replaceable(self.folder, self.manifest.kind)
        with _one_line(self.folder), ExitStack() as stack:
            self._draft = stack.enter_context(published(self.folder))
            self._environment = lmdb.open(
                str(self._draft), map_size=FIRST_MAP, lock=False, sync=False, metasync=False, meminit=False
            )
            stack.callback(self._environment.close)
            self._drops: IO[str] = stack.enter_context((self._draft / "dropped.tsv").open("w", encoding="utf-8"))
            self._drops.write("reason\twhat\n")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # on a full disk closing fails as well, and must not hide the error that tells why
            with suppress(OSError):
                self._stack.__exit__(kind, error, trace)
            return
        with _one_line(self.folder), self._stack:
            self._finish()
        note_written(self.folder.resolve())

    def add_scene(
        self, image: bytes, key: str, label_kind: LabelKind, words: list[SceneWord], lines: list[Points] | None = None
    ) -> None:
        """Add a picture with its words; ``image`` is an encoded picture (JPEG, PNG, …) in reading orientation."""
        self._check(key, "detection")
        self._add({"image": image, "scene": scene_record(label_kind, words, lines), "meta": meta_record(key)})

    def add_word(
        self,
        image: bytes,
        text: str,
        key: str,
        script: str = "Latin",
        direction: str = "horizontal",
        characters: Quads | None = None,
    ) -> None:
        """Add a word crop with its transcription."""
        self._check(key, "recognition")
        check_characters(text, characters)
        self._add({"image": image, "label": text.encode(), "meta": meta_record(key, script, direction, characters)})

    def drop(self, reason: str, what: str) -> None:
        """Count something that could not be used, and list it in ``dropped.tsv``."""
        self._dropped[reason] = self._dropped.get(reason, 0) + 1
        with _one_line(self.folder):
            self._drops.write(f"{reason}\t{' '.join(what.split())}\n")

    def _check(self, key: str, task: Task) -> None:
        if task != self.manifest.task:
            raise ValueError(f"{key}: a {self.manifest.task} set takes no {task} sample")
        if not key.startswith(self.manifest.name + "/"):
            raise ValueError(f"key {key!r} must begin with the name of the set: {self.manifest.name}/")

    def _add(self, values: dict[str, bytes]) -> None:
        self._pending += [(_entry(name, self._count), value) for name, value in values.items()]
        self._count += 1
        self._pending_bytes += sum(map(len, values.values()))
        _update(self._hash, values.values())
        if self._pending_bytes > BATCH_BYTES or len(self._pending) > BATCH_ENTRIES:
            self._flush()

    def _flush(self) -> None:
        batch = sorted(self._pending)
        while True:
            try:
                with _one_line(self.folder), self._environment.begin(write=True) as writing:
                    writing.cursor().putmulti(batch)
                break
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()["map_size"])
        self._pending.clear()
        self._pending_bytes = 0

    def _finish(self) -> None:
        m = self.manifest
        if not self._count:
            why = ", ".join(f"{reason} ({n})" for reason, n in self._dropped.items()) or "nothing was found"
            raise ValueError(
                f"{m.task} set {m.name}/{m.split} would be empty: {why}; look at the raw folder and its layout"
            )
        self._pending += [(b"num-samples", b"%d" % self._count), (b"schema", b"%d" % SCHEMA)]
        self._flush()
        self._environment.sync(True)
        self._drops.flush()
        self.manifest = replace(m, count=self._count, fingerprint=self._hash.hexdigest(), dropped=self._dropped)
        self.manifest.write(self._draft)
        for name in (MANIFEST, "dropped.tsv"):
            sync_file(self._draft / name)


class Store:
    """Reads a set by position. Cheap to make, picklable, and safe to use in forked or spawned loader processes.

    Args:
        folder: the folder that holds ``data.mdb``.

    Raises:
        ValueError: the folder is no set, is empty, cut short, or of a layout or schema this version does not read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).resolve()
        data = self.folder / "data.mdb"
        if not data.is_file():
            raise ValueError(f"no set in {folder}: the folder holds no data.mdb")
        for _ in range(TURNS):
            self._read_description(Path(folder).absolute())
            # a writer may have put another version there between the reading of the one file and of the other
            if not is_replaced(self.folder):
                break
        self._foreign, self._name = self.manifest.foreign, self.manifest.name
        if self.manifest.count != self._count:
            raise ValueError(
                f"{self.folder} holds {self._count} samples, its manifest says {self.manifest.count}: prepare the set again"
            )

    def _read_description(self, given: Path) -> None:
        forget_replaced(self.folder)
        self._count = self._number_of_samples()
        if not self._count:
            raise ValueError(f"the set in {self.folder} is empty: prepare it again, or choose another")
        theirs = not (self.folder / MANIFEST).exists()
        self.manifest = self._foreign_manifest(given) if theirs else Manifest.read(self.folder)

    def __len__(self) -> int:
        return self._count

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the content, or ``sampled:…`` for a store without a manifest."""
        return self.manifest.fingerprint

    def image_bytes(self, index: int) -> bytes:
        """The encoded picture of a sample."""
        return bytes(self._view("image", index))

    def image(self, index: int, grey: bool = False) -> Image:
        """The decoded picture of a sample, RGB, or height x width when it is decoded straight to ``grey``.

        Raises:
            UndecodableImage: naming the sample's key.
        """
        image = decode(self._view("image", index), grey)
        if image is None:
            raise self._undecodable(index)
        return image

    def scene(self, index: int, image: Image | None = None) -> Scene:
        """A scene of a detection set; ``image`` stands in for its own picture, which is not decoded then."""
        picture = self.image(index) if image is None else image
        return Scene(image=picture, key=self.key(index), **self._record("scene", index, scene_fields))

    def word(self, index: int, image: Image | None = None) -> Word:
        """A word of a recognition set; ``image`` as in :meth:`scene`."""
        picture = self.image(index) if image is None else image
        return Word(image=picture, text=self.text(index), **self._meta(index))

    def grey_word(self, index: int) -> Word:
        """A word with its picture decoded straight to grey, its text and its key, and nothing else that may be known of it.

        What :meth:`word` does, in a third of the time: training reads words faster than this can be done step by step.

        Raises:
            UndecodableImage: naming the sample's key.
        """
        get = transaction(self.folder).get
        number = b"%09d" % (index + 1)
        try:
            data, label = get(b"image-" + number), get(b"label-" + number)
            record = b"" if self._foreign else get(b"meta-" + number)
            if len(label) > LONGEST_TEXT:
                return self.word(index)
            image, text = decode(data, True), str(label, "utf-8")
        except (lmdb.Error, TypeError, UnicodeDecodeError):
            return self.word(index)  # which says what is wrong
        if image is None:
            raise self._undecodable(index)
        return Word(image, text, meta_key(bytes(record)) if record else f"{self._name}/{number.decode()}")

    def text(self, index: int) -> str:
        """The transcription of a word."""
        return self._decoded(self._view("label", index), index)

    def key(self, index: int) -> str:
        """``<set>/<id>``; in a store of others the id is the nine-digit number of the entry."""
        if self.manifest.foreign:
            return f"{self.manifest.name}/{index + 1:09d}"
        return str(self._record("meta", index, meta_key))

    def keys(self) -> list[str]:
        """All keys in order, in one pass that touches no picture."""
        return list(self.each_key())

    def each_key(self) -> Iterator[str]:
        """:meth:`keys` one by one, for sets of which no list should be made."""
        if self.manifest.foreign:
            yield from (f"{self.manifest.name}/{i + 1:09d}" for i in range(len(self)))
        else:
            yield from (meta_key(bytes(record)) for record in self._column("meta"))

    def texts(self) -> list[str]:
        """All transcriptions of a recognition set in order, in one pass that touches no picture."""
        return list(self.each_text())

    def each_text(self) -> Iterator[str]:
        """:meth:`texts` one by one, for sets of which no list should be made."""
        for i, label in enumerate(self._column("label")):
            yield self._decoded(label, i)

    def columns(self) -> tuple[str, ...]:
        """Names of the entries every sample has, in the order of the fingerprint."""
        if self.manifest.foreign:
            return ("image", "label")
        return ("image", "scene" if self.manifest.task == "detection" else "label", "meta")

    def digest(self) -> str:
        """The SHA-256 (hex) over all samples in order, computed anew: what the manifest's fingerprint must be."""
        digest = hashlib.sha256()
        for i in range(len(self)):
            _update(digest, [self._view(name, i) for name in self.columns()])
        return digest.hexdigest()

    def missing(self) -> list[str]:
        """Entries of the layout that the store lacks."""
        with self._readable(), transaction(self.folder).cursor() as cursor:
            wanted = (_entry(name, i) for name in self.columns() for i in range(len(self)))
            return [entry.decode() for entry in wanted if not cursor.set_key(entry)]

    def _number_of_samples(self) -> int:
        with self._readable(), transaction(self.folder).cursor() as cursor:
            number = bytes(transaction(self.folder).get(b"num-samples", b""))
            if number.isdigit() and len(number) < 18:
                return self._possible(int(number))
            seen = [bytes(k).decode(errors="replace") for k in islice(cursor.iternext(values=False), 3)]
        raise ValueError(
            f"{self.folder} is an LMDB of another layout (first keys: {', '.join(seen) or 'none'}): "
            "expected num-samples, image-%09d and label-%09d"
        )

    def _possible(self, count: int) -> int:
        entries = int(transaction(self.folder).stat()["entries"])
        if count > entries:
            raise ValueError(
                f"{self.folder} says it holds {count:,} samples and has {entries:,} entries: copy or prepare it again"
            )
        return count

    def _foreign_manifest(self, given: Path) -> Manifest:
        """What can be said of a public LMDB: its name and split are what its folder and those above it say.

        ``given`` is the path it was opened by, which may be a link, so that a set can be linked to by another name.
        """
        path = self.folder / "data.mdb"
        if transaction(self.folder).get(_entry("image", self._count)) is not None:
            raise ValueError(
                f"{self.folder} says it holds {self._count} samples and holds more ({_entry('image', self._count).decode()} exists): "
                "its num-samples is wrong; copy or prepare it again"
            )
        digest = hashlib.sha256(b"%d %d" % (self._count, path.stat().st_size))
        for i in np.unique(np.linspace(0, self._count - 1, SAMPLED_ENTRIES).astype(int)):
            _update(digest, [self._view(name, int(i)) for name in ("image", "label")])
        source = "an LMDB in the public layout, without a manifest"
        split = split_by_folder(given) or "train"
        name = (given.parent if given.name in get_args(Split) else given).name
        fingerprint = f"sampled:{digest.hexdigest()}"
        return Manifest(name, "recognition", split, "real", source, self._count, fingerprint, schema=0)

    def _meta(self, index: int) -> dict[str, Any]:
        if self.manifest.foreign:
            return {"key": self.key(index)}
        fields: dict[str, Any] = self._record("meta", index, meta_fields)
        return fields

    def _record(self, name: str, index: int, parse: Callable[[bytes], Any]) -> Any:
        try:
            return parse(bytes(self._view(name, index)))
        except ValueError as error:
            raise ValueError(
                f"{_entry(name, index).decode()} in {self.folder} {error}: prepare the set again"
            ) from None

    def _view(self, name: str, index: int) -> memoryview:
        if not 0 <= index < self._count:
            raise IndexError(f"{self.folder} holds samples 0 to {self._count - 1}, not {index}")
        try:
            view: memoryview | None = transaction(self.folder).get(_entry(name, index))
        except lmdb.Error as error:
            raise self._damaged(error) from None
        if view is None:
            raise self._lacks(_entry(name, index).decode())
        return view

    def _column(self, name: str) -> Iterator[memoryview]:
        with self._readable(), transaction(self.folder).cursor() as cursor:
            cursor.set_range(_entry(name, 0))
            for _, view in islice(cursor.iternext(), self._count):
                yield view
            # entries are sorted and numbered: when as many as there should be end at the last number, none is missing
            if bytes(cursor.key()) != _entry(name, self._count - 1):
                raise self._lacks(next(e for e in self.missing() if e.startswith(name)))

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except lmdb.Error as error:
            raise self._damaged(error) from None

    def _undecodable(self, index: int) -> UndecodableImage:
        return UndecodableImage(self.key(index), str(self.folder), refusal(bytes(self._view("image", index))))

    def _damaged(self, error: lmdb.Error) -> ValueError:
        return ValueError(f"{self.folder / 'data.mdb'} is damaged ({error}): copy or prepare it again")

    def _lacks(self, key: str) -> ValueError:
        return ValueError(
            f"{self.folder} lacks {key}, though it says it holds {len(self)} samples: copy or prepare it again "
            f"(python -m data_prep verify {self.folder} lists what is missing)"
        )

    def _decoded(self, label: memoryview, index: int) -> str:
        try:
            text = str(label, "utf-8") if len(label) <= UTF8 * LONGEST_TEXT else None
        except UnicodeDecodeError:
            raise ValueError(
                f"label-{index + 1:09d} in {self.folder} is not UTF-8: prepare the set again from UTF-8 labels"
            ) from None
        if text is None or len(text) > LONGEST_TEXT:
            raise ValueError(
                f"label-{index + 1:09d} in {self.folder} has more than {LONGEST_TEXT:,} characters: this is no set of words"
            )
        return text


def _entry(name: str, index: int) -> bytes:
    return b"%s-%09d" % (name.encode(), index + 1)


def _update(digest: Any, values: Iterable[bytes | memoryview]) -> None:
    for value in values:
        digest.update(len(value).to_bytes(8, "little"))
        digest.update(value)


def _check_replaceable(folder: Path, kind: Kind) -> None:
    if not folder.is_dir():
        return
    names = {p.name for p in folder.iterdir()}
    if names - OURS or (names and MANIFEST not in names):
        example = sorted(names - OURS) or sorted(names)
        raise ValueError(
            f"{folder} exists and is not a set of ours (it holds {example[0]}): move it away or choose another folder"
        )
    kinds = {kind}
    # a manifest that this version cannot read must not stand in the way of preparing the set again
    with suppress(ValueError):
        kinds.add(Manifest.read(folder).kind)
    if kind == "rendered" and "real" in kinds:
        raise ValueError(f"{folder} holds the real set, and a rendered stand-in does not replace it: name another root")


@contextmanager
def _one_line(folder: Path) -> Iterator[None]:
    try:
        yield
    except lmdb.MapFullError:
        raise
    except (lmdb.Error, OSError) as error:
        # LMDB reports a write that a full disk cut short as an input/output error: the space left tells which it is
        reason = getattr(error, "strerror", None) or str(error).rpartition(": ")[2]
        free = shutil.disk_usage(next(p for p in folder.absolute().parents if p.exists())).free
        raise ValueError(
            f"cannot write {folder}: {reason}, {free / 1e6:,.0f} MB free there; nothing was published, make room or choose another folder"
        ) from None
