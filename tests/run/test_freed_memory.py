"""Freed memory is kept between passes, and handed back when that is asked for or when it is more than the process shall keep."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

HELD = """
import re
from ocr.freed_memory import hand_back_freed_memory, keep_freed_memory
def held():
    return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
"""
WITHOUT_LIMIT = """
keep_freed_memory()
before = held()
block = bytearray(200 << 20)
pin = [bytearray(1 << 20) for _ in range(8)]
del block
kept = held()
hand_back_freed_memory()
print(before, kept, held())
"""
WITH_LIMIT = """
keep_freed_memory(128)
before = held()
block = bytearray(100 << 20)
del block
kept = held()
block = bytearray(300 << 20)
del block
print(before, kept, held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library decides for itself")
@pytest.mark.parametrize(("code", "megabytes"), [(WITHOUT_LIMIT, 200), (WITH_LIMIT, 100)])
def test_freed_memory_is_kept_and_handed_back(code: str, megabytes: int) -> None:
    done = subprocess.run([sys.executable, "-c", HELD + code], capture_output=True, text=True, check=True)
    before, kept, after = map(float, done.stdout.split())
    assert kept - before > 0.95 * megabytes
    assert after - before < 30
