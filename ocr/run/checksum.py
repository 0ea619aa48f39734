"""Whether the bytes of a checkpoint are those that were written.

Torch's file format is a zip archive that stores a CRC-32 of every record (the ZIP specification, APPNOTE.TXT, section 4.4.7).  Torch writes
them and does not look at them when it reads, so a flipped bit would load as another weight.
"""

from __future__ import annotations

import zipfile
from pathlib import Path


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint's bytes, in a few words; None when every record has its checksum.

    Reads the file once (about a second per gigabyte) and loads nothing.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            record = archive.testzip()
    except Exception as error:
        return f"it cannot be read to its end, {type(error).__name__}"
    return None if record is None else f"the checksum of its record {record} is wrong"
