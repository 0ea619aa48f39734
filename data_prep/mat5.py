"""MATLAB 5 files, whole or one cell after the other.

Written from the public description of the format (MathWorks, "MAT-File Format", chapter 1). ``scipy.io.loadmat`` builds every cell of
a file at once, which for the 858,750 pictures of SynthText takes more memory than many machines have; :meth:`MatFile.cells`
hands the cells of an array over as undecoded bytes, so that memory stays flat and worker processes do the decoding.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from data_prep.samples import Unusable

HEADER = 128
MATRIX, COMPRESSED = 14, 15
CELL, STRUCT, CHAR = 1, 2, 4
NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""Array classes of numbers, by their code."""
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""How numbers may be stored whatever the class of their array: small ones take less room."""
ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
LARGEST_CELL = 1 << 28
DEEPEST = 16
BLOCK = 1 << 20

Value = NDArray[Any]
"""Numbers; strings (one a row); for a cell array objects that are values again; for a structure objects that are dicts."""


class Malformed(ValueError):
    """The bytes do not follow the format."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a file: the class of its array, its shape, and where its element lies in the file."""

    kind: int
    shape: tuple[int, ...]
    start: int
    size: int
    compressed: bool


class MatFile:
    """The variables of a MATLAB 5 file.

    Args:
        opened: opens the file anew; every variable is read through a stream of its own.

    Raises:
        Malformed: this is no MATLAB 5 file, or not all of it is there.
    """

    def __init__(self, opened: Callable[[], IO[bytes]]) -> None:
        self._opened = opened
        with opened() as file:
            self.order = _byte_order(file.read(HEADER))
            self.variables = dict(self._scan(file))

    def cells(self, name: str) -> Iterator[bytes]:
        """The cells of a cell array in the order of the file (down the columns), each to be given to :func:`decoded`.

        Raises:
            Malformed: the file ends too early, or what it holds is no cell.
        """
        variable = self.variables[name]
        with self._opened() as file:
            stream = self._element(file, variable.start, variable.size, variable.compressed)
            _header(stream, self.order)
            for _ in range(math.prod(variable.shape)):
                kind, size = struct.unpack(f"{self.order}II", _exactly(stream, 8))
                if kind != MATRIX or size > LARGEST_CELL:
                    raise Malformed("a cell is not a matrix")
                yield _exactly(stream, size)

    def _scan(self, file: IO[bytes]) -> Iterator[tuple[str, Variable]]:
        end = file.seek(0, io.SEEK_END)
        start = HEADER
        while start + 8 <= end:
            file.seek(start)
            kind, size = struct.unpack(f"{self.order}II", _exactly(file, 8))
            if kind not in (MATRIX, COMPRESSED):
                raise Malformed(f"the element at byte {start} is of the unknown type {kind}")
            if start + 8 + size > end:
                raise Malformed(f"the element at byte {start} goes on beyond the end of the file")
            stream = self._element(file, start, size, kind == COMPRESSED)
            array, shape, name = _header(stream, self.order)
            yield name, Variable(array, shape, start, size, kind == COMPRESSED)
            start += 8 + size

    def _element(self, file: IO[bytes], start: int, size: int, compressed: bool) -> IO[bytes]:
        """A stream at the content of a matrix."""
        file.seek(start + 8)
        if not compressed:
            return file
        stream = io.BufferedReader(_Inflated(file, size), BLOCK)
        kind, _ = struct.unpack(f"{self.order}II", _exactly(stream, 8))
        if kind != MATRIX:
            raise Malformed(f"the compressed element at byte {start} is no matrix")
        return stream


def read(content: bytes) -> dict[str, Value]:
    """All variables of a small file.

    Raises:
        Unusable: it is not a MATLAB 5 file, or damaged.
    """
    try:
        order = _byte_order(content[:HEADER])
        variables = {}
        buffer = _Buffer(content[HEADER:], order)
        while buffer.left() >= 8:
            kind, data = buffer.element(padded=False)
            if kind == COMPRESSED:
                inflated = zlib.decompressobj().decompress(bytes(data), LARGEST_CELL)
                kind, data = _Buffer(inflated, order).element()
            if kind != MATRIX:
                raise Malformed("an element is no matrix")
            name, value = _matrix(data, order, 0)
            variables[name] = value
    except (Malformed, zlib.error, struct.error) as error:
        raise Unusable(f"label file is not a sound MATLAB 5 file ({error})") from None
    return variables


def decoded(cell: bytes, order: str = "<") -> Value:
    """The value of a cell.

    Raises:
        Malformed: its bytes do not follow the format.
    """
    try:
        return _matrix(memoryview(cell), order, 0)[1]
    except struct.error:
        raise Malformed("a cell ends too early") from None


class _Buffer:
    """Elements one after the other in memory; no size that the bytes state is believed before it was compared."""

    def __init__(self, data: bytes | memoryview, order: str) -> None:
        self.data = memoryview(data)
        self.order = order
        self.at = 0

    def left(self) -> int:
        return len(self.data) - self.at

    def element(self, padded: bool = True) -> tuple[int, memoryview]:
        """Type and data of the next element; one of at most four bytes may be packed into its own tag."""
        (tag,) = struct.unpack_from(f"{self.order}I", self.data, self.at)
        if tag >> 16:
            kind, size, start, step = tag & 0xFFFF, tag >> 16, self.at + 4, 8
            if size > 4:
                raise Malformed("a small element holds more than four bytes")
        else:
            kind, (size,) = tag, struct.unpack_from(f"{self.order}I", self.data, self.at + 4)
            start = self.at + 8
            step = 8 + (size + 7) // 8 * 8 if padded else 8 + size
        if start + size > len(self.data):
            raise Malformed("an element goes on beyond the end")
        self.at += step
        return kind, self.data[start : start + size]


class _Inflated(io.RawIOBase):
    """What the next ``size`` bytes of a file unpack to."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self._inflate = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail
            if not packed:
                packed = self._file.read(min(BLOCK, self._left))
                self._left -= len(packed)
                if not packed:
                    break
            try:
                data = self._inflate.decompress(packed, len(target))
            except zlib.error as error:
                raise Malformed(f"compressed data is damaged: {error}") from None
            if data:
                target[: len(data)] = data
                return len(data)
        return 0


def _byte_order(header: bytes) -> str:
    if header.startswith(b"MATLAB 7.3"):
        raise Malformed("it is of version 7.3; save it as version 5 (-v7)")
    mark = header[126:128]
    if len(header) < HEADER or mark not in (b"IM", b"MI"):
        raise Malformed("it does not begin as a MATLAB 5 file does")
    return "<" if mark == b"IM" else ">"


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise Malformed("the file ends too early")
    return data


def _header(stream: IO[bytes], order: str) -> tuple[int, tuple[int, ...], str]:
    """Class, shape and name of the matrix whose content a stream is at."""
    parts = []
    for _ in range(3):
        tag = _exactly(stream, 8)
        kind, size = struct.unpack(f"{order}II", tag)
        if not kind >> 16:
            if size > 4096:
                raise Malformed("the header of a matrix is too long")
            tag += _exactly(stream, (size + 7) // 8 * 8)
        parts.append(_Buffer(tag, order).element()[1])
    flags, shape, name = parts
    return _described(flags, shape, name, order)


def _described(flags: memoryview, shape: memoryview, name: memoryview, order: str) -> tuple[int, tuple[int, ...], str]:
    if len(flags) != 8 or len(shape) % 4 or len(shape) < 8:
        raise Malformed("the header of a matrix is of another form")
    (code,) = struct.unpack_from(f"{order}I", flags)
    sizes = struct.unpack(f"{order}{len(shape) // 4}i", shape)
    if min(sizes) < 0:
        raise Malformed("a matrix has a negative size")
    return code & 0xFF, sizes, bytes(name).decode("latin-1")


def _matrix(data: memoryview, order: str, depth: int) -> tuple[str, Value]:
    if not len(data):
        return "", np.zeros((0, 0))
    if depth > DEEPEST:
        raise Malformed("cells are nested too deeply")
    buffer = _Buffer(data, order)
    flags, sizes, letters = (buffer.element()[1] for _ in range(3))
    kind, shape, name = _described(flags, sizes, letters, order)
    if kind == CELL:
        return name, _shaped(_matrices(buffer, math.prod(shape), depth), shape)
    if kind == STRUCT:
        return name, _structures(buffer, shape, depth)
    stored, content = buffer.element()
    if kind == CHAR:
        return name, _rows(content, stored, shape, order)
    if kind not in NUMBERS or stored not in STORED:
        raise Malformed(f"arrays of class {kind} stored as {stored} are not read")
    numbers = np.frombuffer(content, f"{order}{STORED[stored]}").astype(NUMBERS[kind])
    return name, _shaped(numbers, shape)


def _matrices(buffer: _Buffer, count: int, depth: int) -> NDArray[Any]:
    if count > buffer.left() // 8:
        raise Malformed("there are more cells than bytes for them")
    values = np.empty(count, object)
    for i in range(count):
        kind, data = buffer.element()
        if kind != MATRIX:
            raise Malformed("a cell is not a matrix")
        values[i] = _matrix(data, buffer.order, depth + 1)[1]
    return values


def _structures(buffer: _Buffer, shape: tuple[int, ...], depth: int) -> Value:
    (length,) = struct.unpack_from(f"{buffer.order}i", buffer.element()[1])
    names = bytes(buffer.element()[1])
    if length < 1 or len(names) % length:
        raise Malformed("the names of a structure's fields are of another form")
    fields = [names[i : i + length].partition(b"\0")[0].decode("latin-1") for i in range(0, len(names), length)]
    values = _matrices(buffer, math.prod(shape) * len(fields), depth)
    found = np.empty(math.prod(shape), object)
    for i in range(len(found)):
        found[i] = dict(zip(fields, values[i * len(fields) : (i + 1) * len(fields)], strict=True))
    return _shaped(found, shape)


def _rows(content: memoryview, stored: int, shape: tuple[int, ...], order: str) -> Value:
    if stored not in ENCODINGS:
        raise Malformed(f"text stored as {stored} is not read")
    encoding = ENCODINGS[stored]
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if order == "<" else "-be"
    try:
        text = bytes(content).decode(encoding)
    except UnicodeDecodeError:
        raise Malformed("a text is not in its encoding") from None
    if not text:
        return np.zeros(0, "U1")
    if len(shape) != 2 or len(text) != shape[0] * shape[1]:
        raise Malformed("a text does not have its size")
    return np.array(["".join(text[row :: shape[0]]) for row in range(shape[0])])


def _shaped(values: NDArray[Any], shape: tuple[int, ...]) -> Value:
    if values.size != math.prod(shape):
        raise Malformed("an array does not have its size")
    return values.reshape(shape, order="F")
