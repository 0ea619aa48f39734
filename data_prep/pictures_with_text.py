"""Pictures with labels: pairing them by name, and turning each pair into a scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from data_prep.archives import RawFile
from data_prep.boxes import usable
from data_prep.forms import Form, parse
from data_prep.labels import Labels
from data_prep.picture import checked
from data_prep.raw import PICTURES, Part
from data_prep.samples import Drop, RawScene, Sample, Unusable
from data_prep.spelling import spell

Files = list[tuple[str, RawFile]]
"""Files with what a message calls them: the name of their part and their own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture and its labels, in a file or read already; what is missing is None.

    ``key`` is the path of the picture as the set has it, ``label_name`` what a message calls the labels; ``characters`` is
    a file of single characters beside them. ``fault`` is why the entry cannot be used, when that is known before it is read.
    """

    id: str
    key: str
    picture: RawFile | None
    label: RawFile | Labels | None
    label_name: str
    fault: str | None = None
    characters: RawFile | None = None


def pictures_of(part: Part) -> Files:
    """Pictures of a part in the order of their numbers."""
    return _files(part, lambda name: PurePosixPath(name).suffix.lower() in PICTURES)


def label_files_of(part: Part, form: Form) -> Files:
    """Label files of a part."""
    return _files(part, lambda name: name.lower().endswith(form.suffixes))


def paired(pictures: Files, labels: Files, form: Form) -> list[Entry]:
    """Entries by name, in natural order; a second file of one name becomes an entry of its own that cannot be used."""
    images, twice = _by_stem(pictures, form.picture_stem)
    texts, twice_labels = _by_stem(labels, form.stem)
    entries = []
    for stem in sorted({*images, *texts}, key=natural):
        image, text = images.get(stem), texts.get(stem)
        key, label_name = (image or text or ("", None))[0], text[0] if text else ""
        entries.append(Entry(stem, key, image[1] if image else None, text[1] if text else None, label_name))
    entries += [Entry(stem, name, file, None, "", "picture of this name occurs twice") for stem, name, file in twice]
    entries += [
        Entry(stem, name, None, file, name, "label file of this name occurs twice") for stem, name, file in twice_labels
    ]
    return entries


def indexed(pictures: Files, index: dict[str, Labels], label_name: str) -> list[Entry]:
    """Entries of pictures whose labels stand in one file for all."""
    images, twice = _by_stem(pictures, str)
    entries = []
    for stem in sorted({*images, *index}, key=natural):
        image = images.get(stem)
        key = image[0] if image else f"{label_name} {stem}"
        entries.append(Entry(stem, key, image[1] if image else None, index.get(stem), label_name))
    return entries + [Entry(s, name, file, None, "", "picture of this name occurs twice") for s, name, file in twice]


def selected(entries: list[Entry], ids: Iterable[str], option: str) -> list[Entry]:
    """Entries by id, the name of the picture without its ending.

    Raises:
        ValueError: there is no such picture.
    """
    known = {entry.id: entry for entry in entries if entry.fault is None}
    wanted = list(ids)
    unknown = [i for i in wanted if i not in known]
    if unknown:
        place = entries[0].key.partition("/")[0] if entries else "the raw folder"
        raise ValueError(f"{option} names {', '.join(unknown[:5])}, which {place} does not hold")
    return [known[i] for i in wanted]


def scene(form: Form, entry: Entry) -> Iterator[Sample]:
    """The scene of an entry.

    Raises:
        Unusable: the picture, or one of the two is missing.
    """
    if entry.fault:
        raise Unusable(entry.fault)
    if entry.label is None:
        raise Unusable("picture has no label file")
    if entry.picture is None:
        raise Unusable("label file has no picture")
    try:
        labels = entry.label if isinstance(entry.label, Labels) else parse(form, entry.label.read())
        if entry.characters is not None:
            spell(labels, parse(form, entry.characters.read()).words)
    except Unusable as error:
        yield Drop("detection", str(error), f"{entry.label_name} {error.where}")
        return
    for fault in labels.faults:
        yield Drop("detection", fault.reason, f"{entry.label_name} {fault.where}")
    data, image = checked(entry.picture.read())
    words = []
    for raw_word, where in zip(labels.words, labels.where, strict=True):
        what = f"{entry.label_name} {where} {raw_word.text or ''}"
        try:
            word, wrong = usable(raw_word, image.shape[1], image.shape[0])
        except Unusable as error:
            yield Drop("detection", str(error), what)
            continue
        words.append(word)
        if wrong:
            yield Drop("detection", wrong, what)
    spelt = any(word.characters is not None for word in words)
    yield RawScene(entry.key, data, words, "char" if spelt else "word")


def key_of(entry: Entry) -> str:
    """What an entry is called in a message."""
    return entry.key


def natural(name: str) -> tuple[str, int, str]:
    """A sorting key by which 2 comes before 10."""
    digits = name[len(name.rstrip("0123456789")) :]
    return name.rstrip("0123456789"), int(digits[-18:] or -1), name


def _files(part: Part, wanted: Callable[[str], bool]) -> Files:
    found = [(path, file) for path, file in part.scan() if wanted(path)]
    if part.place.is_dir() and any("/" not in path for path, _ in found):
        found = [(path, file) for path, file in found if "/" not in path]
    files = [(f"{part.name}/{path.rpartition('/')[2]}", file) for path, file in found]
    return sorted(files, key=lambda item: item[0])


def _by_stem(
    files: Files, stem_of: Callable[[str], str]
) -> tuple[dict[str, tuple[str, RawFile]], list[tuple[str, str, RawFile]]]:
    known: dict[str, tuple[str, RawFile]] = {}
    twice = []
    for name, file in files:
        stem = stem_of(PurePosixPath(name).stem)
        if stem in known:
            twice.append((stem, name, file))
        else:
            known[stem] = (name, file)
    return known, twice
