"""Freed memory is kept between steps, and handed back when that is asked for."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import re
from ocr.run.hardware import hand_back_freed_memory, keep_freed_memory
def held():
    return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
keep_freed_memory()
before = held()
block = bytearray(200 << 20)
pin = [bytearray(1 << 20) for _ in range(8)]
del block
kept = held()
hand_back_freed_memory()
print(before, kept, held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library decides for itself")
def test_freed_memory_is_kept_and_handed_back() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    before, kept, after = map(float, done.stdout.split())
    assert kept - before > 190
    assert after - before < 30
