"""Reading files of a raw folder, none outside of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from data_prep.archives import RawFile, scan
from data_prep.samples import Unusable

RENDERED = "RENDERED.json"
ARCHIVES = ("", ".zip", ".tar", ".tar.gz", ".tgz")
"""What may follow the name of a part when it is an archive."""
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def existing_folder(raw: Path) -> Path:
    """The folder itself.

    Raises:
        ValueError: there is no such folder.
    """
    if raw.is_file():
        raise ValueError(f"--raw {raw} is a file: give the folder that holds it; archives are read without unpacking")
    if not raw.is_dir():
        raise ValueError(f"--raw {raw} is not a folder: give the folder the data set was downloaded or unpacked to")
    return raw


def rendered_note(raw: Path) -> dict[str, Any] | None:
    """The content of ``RENDERED.json`` in the folder, in one above it or in one directly below; None when there is none.

    The renderer leaves that file beside what it renders, so a stand-in is known as one from wherever it is prepared.
    """
    places = [raw.resolve(), *raw.resolve().parents, *(p for p in sorted(raw.iterdir()) if p.is_dir())]
    for place in places:
        path = place / RENDERED
        if path.is_file():
            try:
                content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{path} is not JSON ({error}): render the stand-ins again") from None
            return content
    return None


def inner_path(text: str) -> str:
    """A path that a label file or an archive names, cleaned of ``./``.

    Raises:
        Unusable: it is absolute or leads out of the folder.
    """
    text = text.replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("/") or ".." in parts or not parts or parts[0].endswith(":"):
        raise Unusable("path leaves the raw folder")
    return "/".join(parts)


class Part:
    """A part of a raw data set, a folder or an archive (or a folder inside of one), as a list of files.

    ``name`` is what the part is called whatever form it has: the last name of its path, without the ending of an archive.
    """

    def __init__(self, place: Path, name: str, inner: Sequence[str] = ()) -> None:
        self.place = place
        self.name = name
        self.inner = tuple(inner)

    def scan(self) -> Iterator[tuple[str, RawFile]]:
        """Files with their path inside the part, in a fixed order.

        Raises:
            ValueError: the archive is damaged, or holds a path that leads out of it.
        """
        for written, file in scan(self.place):
            try:
                path = inner_path(written)
            except Unusable:
                raise ValueError(
                    f"{self.place} holds the path {written!r}, which leads out of it: this is no data set archive"
                ) from None
            parts = path.split("/")
            if parts[0] == "__MACOSX" or parts[-1].startswith("."):
                continue
            if not self.inner:
                yield path, file
            elif (start := _position(parts[:-1], self.inner)) is not None:
                yield "/".join(parts[start:]), file

    @cached_property
    def files(self) -> dict[str, RawFile]:
        """Files by path. In an archive a folder that holds everything else does not count, so it may be there or not."""
        found = dict(self.scan())
        while not self.place.is_dir() and len(tops := {path.partition("/")[0] for path in found}) == 1:
            (top,) = tops
            if top in found:
                break
            found = {path.removeprefix(f"{top}/"): file for path, file in found.items()}
        return found

    def find(self, text: str) -> RawFile:
        """The file that a label file names.

        Raises:
            Unusable: the path leads out of the part, or the file is not there.
        """
        path = inner_path(text)
        top, _, rest = path.partition("/")
        if self.place.is_dir():
            # some lists begin with the name of the folder itself
            repeated = top == self.place.name and rest and not (self.place / top).exists()
            return RawFile(str(self.place), rest if repeated else path)
        file = self.files.get(path) or self.files.get(rest)
        if file is None:
            raise Unusable("no such picture")
        return file


def find_part(raw: Path, spec: str) -> Part | None:
    """The part of a raw folder that ``spec`` describes, or None.

    ``spec`` is ``folder/inner folder``, or ``.`` for the raw folder itself; alternatives are separated by ``|``. Any
    name on the way may be that of an archive, with or without its ending; a folder that bears an archive's name will do.
    """
    for alternative in spec.split("|"):
        if alternative == ".":
            return Part(raw, raw.resolve().name)
        place, names = raw, alternative.split("/")
        for depth, name in enumerate(names):
            candidates = [place / f"{name}{ending}" for ending in ARCHIVES]
            folder = next((c for c in candidates if c.is_dir()), None)
            archive = next((c for c in candidates if c.is_file()), None)
            if folder is not None:
                place = folder
            elif archive is not None:
                part = Part(archive, names[-1], names[depth + 1 :])
                # an archive that lacks the inner folder is not this part
                if depth + 1 == len(names) or next(part.scan(), None) is not None:
                    return part
                break
            else:
                break
        else:
            return Part(place, names[-1])
    return None


def find_file(raw: Path, spec: str) -> RawFile | None:
    """A single file of a raw folder, directly there or inside an archive; ``spec`` as for :func:`find_part`."""
    for alternative in spec.split("|"):
        folder, _, name = alternative.rpartition("/")
        if (raw / alternative).is_file():
            return RawFile(str(raw), alternative)
        part = find_part(raw, folder) if folder else None
        if part is not None:
            found = next((file for path, file in part.files.items() if path == name), None)
            if found is not None:
                return found
    return None


def _position(folders: list[str], inner: tuple[str, ...]) -> int | None:
    """Where a path goes on after the run of folders ``inner``; None when it does not hold that run."""
    for start in range(len(folders) - len(inner) + 1):
        if tuple(folders[start : start + len(inner)]) == inner:
            return start + len(inner)
    return None
