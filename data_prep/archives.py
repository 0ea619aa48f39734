"""Files of a raw data set, in a folder or in an archive that is never unpacked.

A :class:`RawFile` says where the bytes of one file lie. It is small and picklable, so the main process looks an archive's
directory up once and worker processes read from the archive by offset.
"""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Literal

from data_prep.gzip_access import GzipReader
from data_prep.samples import Unusable

Packing = Literal["folder", "stored", "deflated", "tar", "gzip"]
LARGEST = 1 << 30
"""Bytes of the largest single file that is read at once; pictures and label files are far below."""
DENSEST, SMALL = 200, 1 << 24
"""A file over SMALL bytes that was packed more densely than DENSEST to 1 is a zip bomb: pictures and labels stay below 30."""
LOCAL_HEADER = struct.Struct("<4s22xHH")
METHODS: dict[int, Packing] = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
ENCRYPTED = 1


@dataclass(frozen=True, slots=True)
class RawFile:
    """Where one file lies: ``path`` (cleaned) inside ``container``, a folder or an archive.

    ``offset`` counts bytes of the archive (for a tar behind gzip, of what it unpacks to); ``packed`` and ``size`` are bytes
    before and after unpacking; ``version`` tells the archive from another that takes its place.
    """

    container: str
    path: str
    packing: Packing = "folder"
    offset: int = 0
    packed: int = 0
    size: int = 0
    crc: int = 0
    version: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """File name without folders."""
        return self.path.rpartition("/")[2]

    def read(self) -> bytes:
        """All bytes.

        Raises:
            Unusable: the file is not there, damaged, or too large to be a picture or a label file.
        """
        if self.packing == "folder":
            return _from_folder(Path(self.container, self.path))
        if self.size > LARGEST or (self.size > SMALL and self.size > DENSEST * max(self.packed, 1)):
            raise Unusable("file in the archive is too large when unpacked")
        try:
            return self._from_archive()
        except (OSError, EOFError, zlib.error, struct.error):
            raise Unusable("damaged in the archive") from None

    def open(self) -> IO[bytes]:
        """A stream of the bytes, for files that are not read at once; it can seek, though slowly inside a packed archive.

        Raises:
            OSError: the file is not there.
        """
        if self.packing == "folder":
            return Path(self.container, self.path).open("rb")
        if self.packing in ("stored", "deflated"):
            with zipfile.ZipFile(self.container) as archive:
                member = next(m for m in archive.infolist() if m.header_offset == self.offset)
                return archive.open(member)
        try:
            # what is read from a tar this way is a label file
            return io.BytesIO(self._from_archive())
        except (EOFError, zlib.error) as error:
            raise OSError(f"{self.path} is damaged in the archive ({error})") from None

    def _from_archive(self) -> bytes:
        if self.packing == "gzip":
            return _unpacked(self.container, self.version, os.getpid()).read_at(self.offset, self.size)
        archive = _opened(self.container, self.version, os.getpid())
        archive.seek(self.offset)
        if self.packing == "tar":
            return _exactly(archive, self.size)
        signature, name, extra = LOCAL_HEADER.unpack(archive.read(LOCAL_HEADER.size))
        if signature != b"PK\x03\x04":
            raise EOFError
        archive.seek(name + extra, os.SEEK_CUR)
        data = _exactly(archive, self.packed)
        if self.packing == "deflated":
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, self.size + 1)
        if len(data) != self.size or zlib.crc32(data) != self.crc:
            raise EOFError
        return data


def scan(place: Path) -> Iterator[tuple[str, RawFile]]:
    """Every file of a folder or an archive with its path as it is written there, in a fixed order.

    Folders are walked by name; an archive is listed in its own order. Directories, links and hidden files are left out.

    Raises:
        ValueError: the place is neither a folder nor a zip or tar archive, or the archive is damaged or encrypted.
    """
    if place.is_dir():
        return _walk(place)
    try:
        with place.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ValueError(f"{place} cannot be read: {error.strerror}") from None
    if head[:2] == b"PK":
        return _zip_members(place)
    if head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar":
        return _tar_members(place, "gzip" if head[:2] == b"\x1f\x8b" else "tar")
    raise ValueError(f"{place} is neither a folder nor a zip or tar archive: download it again, or give the folder")


def _walk(folder: Path) -> Iterator[tuple[str, RawFile]]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                path = (Path(place) / name).relative_to(folder).as_posix()
                yield path, RawFile(str(folder), path)


def _zip_members(place: Path) -> Iterator[tuple[str, RawFile]]:
    try:
        with zipfile.ZipFile(place) as archive:
            members = archive.infolist()
            if not all(m.filename for m in members):
                raise zipfile.BadZipFile("a file without a name")
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, struct.error) as error:
        raise ValueError(f"{place} is not a complete zip archive ({error}): download it again") from None
    version = _version(place)
    for m in members:
        if m.is_dir():
            continue
        if m.flag_bits & ENCRYPTED or m.compress_type not in METHODS:
            why = "encrypted" if m.flag_bits & ENCRYPTED else "compressed by a method other than deflate"
            raise ValueError(f"{place} holds {m.filename}, which is {why}: unpack it and give the folder")
        packing = METHODS[m.compress_type]
        yield (
            m.filename,
            RawFile(str(place), m.filename, packing, m.header_offset, m.compress_size, m.file_size, m.CRC, version),
        )


def _tar_members(place: Path, packing: Packing) -> Iterator[tuple[str, RawFile]]:
    version = _version(place)
    allowed = LARGEST + DENSEST * place.stat().st_size
    try:
        with tarfile.open(place, "r:gz" if packing == "gzip" else "r:") as archive:
            for member in archive:
                # the module keeps every member it has seen, which for millions of pictures fills the memory
                archive.members = []  # type: ignore[attr-defined]
                if member.offset_data + member.size > allowed:
                    raise ValueError(
                        f"{place} unpacks to more than {allowed / 1e9:,.1f} GB: this is no data set archive"
                    )
                if member.isreg():
                    data = (packing, member.offset_data, member.size, member.size, 0, version)
                    yield member.name, RawFile(str(place), member.name, *data)
            # the module takes a header that is cut off for the end
            content = archive.fileobj
            assert content is not None
            content.seek(archive.offset)
            if content.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise EOFError("it lacks its end")
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{place} is not a complete tar archive ({error}): download it again") from None


def _version(place: Path) -> tuple[int, int]:
    status = place.stat()
    return status.st_mtime_ns, status.st_ino


# by process, because a forked one would share the position in the file with its parent
@lru_cache(maxsize=16)
def _opened(container: str, _version: tuple[int, int], _process: int) -> IO[bytes]:
    return Path(container).open("rb")


@lru_cache(maxsize=4)
def _unpacked(container: str, _version: tuple[int, int], _process: int) -> GzipReader:
    return GzipReader(Path(container))


def _exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise EOFError
    return data


def _from_folder(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise Unusable("file is too large")
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise Unusable("no such picture") from None
    except OSError as error:
        raise Unusable(f"file cannot be read ({error.strerror})") from None
