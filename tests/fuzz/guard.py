"""What no reader may do, whatever it reads: run something, talk to somebody, write or remove outside its folder, take long."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "pty.spawn",
    "socket.connect",
    "ctypes.dlopen",
)
CHANGING = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.link", "os.symlink", "shutil.rmtree")
SLOW = 20.0
"""Seconds of processor time in which any of these small files is read or refused."""


class Guard:
    """An audit hook, which cannot be taken away again, but listens only inside of :meth:`watching`."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder.resolve())
        self.seen: list[str] = []
        self._listening = False
        sys.addaudithook(self._hook)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Collect what must not happen, and fail at the end when something did."""
        self.seen.clear()
        self._listening = True
        began = time.process_time()
        try:
            yield
        finally:
            self._listening = False
        assert not self.seen, f"a reader did {self.seen[0]}"
        took = time.process_time() - began
        assert took < SLOW, f"a reader took {took:.1f} s"

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._listening:
            return
        if event.startswith(FORBIDDEN) or (event.startswith(CHANGING) and not self._inside(arguments[0])):
            self.seen.append(f"{event} {arguments!r:.200}")
        elif event == "open":
            path, mode, flags = arguments
            writing = bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            told = (
                isinstance(path, str | bytes)
                and not self._inside(path)
                and not str(path).endswith((".pyc", "/dev/null"))
            )
            if told and (writing or self._reaches_out(path)):
                self.seen.append(f"open {path!r} {mode}")

    def _inside(self, path: Any) -> bool:
        return isinstance(path, int) or os.path.realpath(os.fsdecode(path)).startswith(self.folder)

    def _reaches_out(self, path: Any) -> bool:
        """Reading outside is what imports do; a path with a way up in it, or of the system, is what a file asked for."""
        text = os.fsdecode(path)
        return ".." in Path(text).parts or text.startswith(("/etc/passwd", "/root/.ssh"))
