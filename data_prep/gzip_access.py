"""Reading a gzip file at any place."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from pathlib import Path

STEP = 1 << 16
"""Packed bytes that are unpacked at a time."""
APART = 1 << 20
"""Unpacked bytes between two places that can be returned to, at first: the price of a jump is to unpack half of them."""
MOST = 1024
"""Places kept, 46 MB; when there are more, every other one is given up and the next ones are twice as far apart."""
HEADER_TOO = 31
"""Window of 32 KB, with the header and the checksum of gzip around the stream."""


class GzipReader:
    """Unpacks a gzip file (of one or several members) from any place on.

    Deflate can only be read forwards. So the state of the decoder, some 45 KB, is kept at a place every megabyte (or more, in
    large files), and a jump goes on from the last one before its target. Places are noted on the way: the first jump far
    ahead unpacks all before it.

    Raises:
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._decoder = zlib.decompressobj(HEADER_TOO)
        self._buffer = b""
        self._start = 0
        self._apart = APART
        self._places = [0]
        self._states = [(0, self._decoder.copy())]

    def read_at(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset`` on, both counted unpacked.

        Raises:
            EOFError: the file ends before that.
            zlib.error: it is damaged.
        """
        self._go_to(offset)
        parts, left = [], size
        while left:
            begin = offset + size - left - self._start
            part = self._buffer[begin : begin + left]
            parts.append(part)
            left -= len(part)
            if left:
                self._unpack()
        return b"".join(parts)

    def _go_to(self, offset: int) -> None:
        nearest = bisect_right(self._places, offset) - 1
        if offset < self._start or self._places[nearest] > self._start + len(self._buffer):
            position, decoder = self._states[nearest]
            self._file.seek(position)
            self._decoder = decoder.copy()
            self._start, self._buffer = self._places[nearest], b""
        while offset > self._start + len(self._buffer):
            self._unpack()

    def _unpack(self) -> None:
        """Replace the buffer by what follows it."""
        packed = self._file.read(STEP)
        if not packed:
            raise EOFError
        self._start += len(self._buffer)
        self._buffer = self._decoder.decompress(packed)
        while self._decoder.eof and self._decoder.unused_data:
            rest = self._decoder.unused_data
            self._decoder = zlib.decompressobj(HEADER_TOO)
            self._buffer += self._decoder.decompress(rest)
        end = self._start + len(self._buffer)
        if end >= self._places[-1] + self._apart:
            self._places.append(end)
            self._states.append((self._file.tell(), self._decoder.copy()))
        if len(self._places) > MOST:
            self._places, self._states = self._places[::2], self._states[::2]
            self._apart *= 2
