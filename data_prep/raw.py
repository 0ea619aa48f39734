"""Reading files of a raw folder, none outside of it."""

from __future__ import annotations

import json
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath
from typing import Any

from data_prep.samples import Unusable

RENDERED = "RENDERED.json"
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def existing_folder(raw: Path) -> Path:
    """The folder itself.

    Raises:
        ValueError: there is no such folder.
    """
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


def read_inside(folder: Path, text: str) -> bytes:
    """Bytes of a file that a label file names.

    Raises:
        Unusable: the path leads out of the folder, or the file is not there.
    """
    try:
        return (folder / inner_path(text)).read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise Unusable("no such picture") from None


class Part(ABC):
    """A named part of a raw data set, a folder or a zip archive of that name, as a flat list of files."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def names(self) -> list[str]:
        """File names (without folders), sorted."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Bytes of one file."""


class FolderPart(Part):
    """Files directly in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(name)
        self._folder = folder

    def names(self) -> list[str]:
        """File names, sorted."""
        return sorted(p.name for p in self._folder.iterdir() if p.is_file() and not p.name.startswith("."))

    def read(self, name: str) -> bytes:
        """Bytes of one file."""
        return (self._folder / name).read_bytes()


class ZipPart(Part):
    """Files of an archive, in whatever folder of it they lie; nothing is unpacked.

    Raises:
        ValueError: it is no zip archive, it holds a path that leads out of it, or one file name twice.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path.stem)
        try:
            self._archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path} is not a complete zip archive ({error}): download it again") from None
        self._members: dict[str, str] = {}
        for member in self._archive.namelist():
            try:
                inner = PurePosixPath(inner_path(member))
            except Unusable:
                raise ValueError(
                    f"{path} holds the path {member!r}, which leads out of it: this is no data set archive"
                ) from None
            if member.endswith("/") or inner.parts[0] == "__MACOSX" or inner.name.startswith("."):
                continue
            if inner.name in self._members:
                raise ValueError(f"{path} holds {inner.name} twice: unpack it and give the folder that is meant")
            self._members[inner.name] = member

    def names(self) -> list[str]:
        """File names, sorted."""
        return sorted(self._members)

    def read(self, name: str) -> bytes:
        """Bytes of one file.

        Raises:
            Unusable: the archive is damaged there.
        """
        try:
            return self._archive.read(self._members[name])
        except (zipfile.BadZipFile, EOFError, OSError):
            raise Unusable("damaged in the archive") from None


def find_part(raw: Path, name: str) -> Part | None:
    """The folder ``name`` or the archive ``name.zip`` in a raw folder; None when neither is there."""
    if (raw / name).is_dir():
        return FolderPart(raw / name, name)
    if (raw / f"{name}.zip").is_file():
        return ZipPart(raw / f"{name}.zip")
    return None
