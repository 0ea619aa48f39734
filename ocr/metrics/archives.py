"""Zip archives with one text file per picture, as the competitions hand out ground truth and take results."""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

MOST_FILES = 100_000
"""Most files in an archive."""
MOST_BYTES = 512 * 2**20
"""Most bytes in all files of an archive together, unpacked."""
PREFIXES = ("poly_gt_", "gt_", "res_", "pred_", "det_")
"""What stands before a picture's name in the names of its files."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The date of every file that is written, so that equal results give equal archives."""


def read_texts(path: Path) -> dict[str, str]:
    """The text files of an archive by picture, in the archive's order; see :func:`picture_name`.

    Files may lie in folders; hidden files and those that macOS adds are passed over.  Texts are UTF-8, with or without a byte
    order mark.

    Raises:
        ValueError: one line: it is no zip archive or damaged, would unpack to too much, or holds something else than one text
            file for each picture.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder, and a zip archive of text files is needed: zip the files in it")
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive)
    except FileNotFoundError:
        raise ValueError(f"there is no archive {path}") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise ValueError(f"{path} is not a complete zip archive that can be read ({error}): make it again") from None


def write_texts(path: Path, texts: Mapping[str, str]) -> None:
    """Write text files (by name) into an archive, which appears whole or not at all; lines end as the competitions ask, in CR LF."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            member = zipfile.ZipInfo(name, LONG_AGO)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, text.replace("\n", "\r\n").encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content.getvalue())
    unfinished.replace(path)


def picture_name(file: str) -> str:
    """The picture that a file is about: ``gt_img_1.txt``, ``res_img_1.txt`` and ``poly_gt_img1.txt`` are all about ``img1``."""
    stem = PurePosixPath(file).stem
    for prefix in PREFIXES:
        stem = stem.removeprefix(prefix)
    return re.sub(r"_(?=\d+$)", "", stem)


def _read(path: Path, archive: zipfile.ZipFile) -> dict[str, str]:
    if not all(PurePosixPath(m.filename).parts for m in archive.infolist()):
        raise zipfile.BadZipFile("a file without a name")
    members = [m for m in archive.infolist() if not m.is_dir()]
    if len(members) > MOST_FILES:
        raise ValueError(f"{path} holds {len(members)} files, more than {MOST_FILES}: this is no result archive")
    texts: dict[str, str] = {}
    left = MOST_BYTES
    for member in members:
        inner = PurePosixPath(member.filename.replace("\\", "/"))
        if inner.is_absolute() or ".." in inner.parts:
            raise ValueError(f"{path} holds {member.filename!r}, which leads out of it: this is no result archive")
        if inner.name.startswith(".") or inner.parts[0] == "__MACOSX":
            continue
        if inner.suffix.lower() != ".txt":
            raise ValueError(f"{path} holds {member.filename!r}: only one .txt file for each picture is expected")
        name = picture_name(inner.name)
        if name in texts:
            raise ValueError(
                f"{path} holds more than one file about the picture {name!r}, one of them {member.filename!r}"
            )
        with archive.open(member) as file:
            # what the directory says of its size may be a lie
            raw = file.read(left + 1)
        left -= len(raw)
        if left < 0:
            raise ValueError(f"{path} unpacks to more than {MOST_BYTES >> 20} MiB: this is no result archive")
        try:
            texts[name] = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: {member.filename} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    if not texts:
        raise ValueError(f"{path} holds no .txt file: one for each picture is expected")
    return texts
