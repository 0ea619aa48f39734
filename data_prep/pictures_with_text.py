"""Pictures with one ICDAR-style label file each: what ``icdar2015`` and ``scenes`` share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_prep.boxes import usable
from data_prep.picture import checked
from data_prep.quad_text import parse
from data_prep.raw import PICTURES, Part, find_part
from data_prep.samples import Drop, RawScene, Sample, Unusable


@dataclass(slots=True)
class Entry:
    """A picture and its label file, by file name; the side that is missing is None."""

    picture: str | None
    label: str | None


class Pool:
    """Pictures of one part and label files of another, paired by name: ``NAME.jpg`` with ``gt_NAME.txt`` or ``NAME.txt``."""

    def __init__(self, pictures: Part, labels: Part, polygons: bool = False) -> None:
        self.pictures = pictures
        self.labels = labels
        self.polygons = polygons
        images = {PurePosixPath(n).stem: n for n in pictures.names() if PurePosixPath(n).suffix.lower() in PICTURES}
        texts = {PurePosixPath(n).stem.removeprefix("gt_"): n for n in labels.names() if n.lower().endswith(".txt")}
        self.entries = {
            name: Entry(images.get(name), texts.get(name)) for name in sorted({*images, *texts}, key=_natural)
        }

    def select(self, names: Iterable[str], option: str) -> list[Entry]:
        """Entries by picture name, without extension.

        Raises:
            ValueError: a name is not in the pool.
        """
        wanted = list(names)
        unknown = [n for n in wanted if n not in self.entries]
        if unknown:
            raise ValueError(f"{option} names {', '.join(unknown[:5])}, which {self.pictures.name} does not hold")
        return [self.entries[n] for n in wanted]

    def label_files(self) -> Iterator[bytes]:
        """Contents of all label files."""
        return (self.labels.read(e.label) for e in self.entries.values() if e.label is not None)

    def name(self, entry: Entry) -> str:
        """Path of an entry inside the raw folder."""
        if entry.picture is not None:
            return f"{self.pictures.name}/{entry.picture}"
        return f"{self.labels.name}/{entry.label}"

    def scenes(self, entry: Entry) -> Iterator[Sample]:
        """The scene of an entry, with word boxes only.

        Raises:
            Unusable: picture or label file.
        """
        if entry.label is None:
            raise Unusable("picture has no label file")
        if entry.picture is None:
            raise Unusable("label file has no picture")
        parsed, faults = parse(self.labels.read(entry.label), self.polygons)
        place = f"{self.labels.name}/{entry.label}"
        for line in faults:
            yield Drop("detection", line.reason, f"{place} line {line.number}")
        data, image = checked(self.pictures.read(entry.picture))
        words = []
        for raw_word in parsed:
            try:
                word, fault = usable(raw_word, image.shape[1], image.shape[0])
            except Unusable as error:
                yield Drop("detection", str(error), f"{place} {raw_word.text}")
                continue
            words.append(word)
            if fault:
                yield Drop("detection", fault, f"{place} {raw_word.text}")
        yield RawScene(self.name(entry), data, words, "word")


def simple_pool(raw: Path, polygons: bool = False) -> Pool | None:
    """Pictures in ``images/`` and label files in ``gt/``, or both directly in the folder; None where neither is found."""
    pictures, labels = find_part(raw, "images"), find_part(raw, "gt")
    if pictures is None and labels is None:
        pictures = labels = find_part(raw.parent, raw.name)
    if pictures is None or labels is None:
        return None
    pool = Pool(pictures, labels, polygons)
    return pool if pool.entries else None


def _natural(name: str) -> tuple[str, int, str]:
    digits = name[len(name.rstrip("0123456789")) :]
    return name.rstrip("0123456789"), int(digits or -1), name
