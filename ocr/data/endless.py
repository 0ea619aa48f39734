"""What the data module asks of a set that is made rather than read, such as rendered text: it never ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self, runtime_checkable

from ocr.data.records import Kind, Split, Task


@runtime_checkable
class Endless(Protocol):
    """Samples by any index from 0 on; ``len`` is the number that counts as one pass.

    ``endless`` is true and tells it from a set that lies on a disk.
    """

    endless: bool
    task: Task
    kind: Kind
    name: str
    split: Split

    @property
    def fingerprint(self) -> str:
        """Of everything that decides what the samples are."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...

    def key(self, index: int) -> str:
        """Key of a sample."""
        ...

    def open(self, split: Split) -> Self:
        """Another part; no sample is in two of them."""
        ...

    def accepting(self, reject: Callable[[str], str | None]) -> Self:
        """The set with texts for which ``reject`` gives no reason against them; others take their places."""
        ...
