"""What stands beside the pictures of a prepared set: its manifest, and the JSON record of every sample."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ocr.charset import clusters
from ocr.types import LabelKind, Points, Quads, SceneWord

SCHEMA = 1
"""Version of the records; a reader refuses any other."""
MANIFEST = "manifest.json"

Task = Literal["detection", "recognition"]
Split = Literal["train", "val", "test"]
Kind = Literal["real", "rendered"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a prepared set is.

    ``kind`` is ``rendered`` for stand-ins made by the project itself and ``real`` for everything else. ``fingerprint`` is the SHA-256 (hex)
    over all samples in order; that of a store without a manifest is derived from a sample of entries and starts with ``sampled:``.
    ``dropped`` counts by reason what could not be used.
    """

    name: str
    task: Task
    split: Split
    kind: Kind
    source: str
    count: int
    fingerprint: str
    dropped: dict[str, int] = field(default_factory=dict)
    created_with: str = ""
    schema: int = SCHEMA

    @property
    def foreign(self) -> bool:
        """Whether this describes a public LMDB that came without a manifest."""
        return self.schema == 0

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``."""
        text = json.dumps({"schema": self.schema, **asdict(self)}, indent=2, ensure_ascii=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a folder.

        Raises:
            ValueError: it cannot be read, lacks a field, or has another schema.
        """
        path = folder / MANIFEST
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read ({error}): prepare the set again") from None
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            found = content.get("schema") if isinstance(content, dict) else None
            raise ValueError(f"{path} has schema {found}, this version reads {SCHEMA}: prepare the set again")
        missing = [f.name for f in fields(cls) if f.name not in content]
        if missing:
            raise ValueError(f"{path} lacks {', '.join(missing)}: prepare the set again")
        return cls(**{f.name: content[f.name] for f in fields(cls)})


def check_place(task: str, split: str, kind: str) -> None:
    """Refuse a task, split or kind that does not exist (ValueError)."""
    for what, value, known in (("task", task, Task), ("split", split, Split), ("kind", kind, Kind)):
        if value not in get_args(known):
            raise ValueError(f"{what} {value!r} does not exist: use one of {', '.join(get_args(known))}")


def scene_record(label_kind: LabelKind, words: list[SceneWord], lines: list[Points] | None) -> bytes:
    """The record of a scene; coordinates keep two decimals.

    Raises:
        ValueError: a polygon or the character quads of a word are not of the form their type asks for.
    """
    for word in words:
        p = word.polygon
        if p.ndim != 2 or p.shape[1] != 2 or len(p) < 3 or not np.isfinite(p).all():
            raise ValueError(f"polygon {p.tolist()} of {word.text!r} is not a list of at least three finite points")
        check_characters(word.text, word.characters)
    record = {
        "label_kind": label_kind,
        "words": [
            {
                "polygon": _numbers(w.polygon),
                "text": w.text,
                "ignore": w.ignore,
                "script": w.script,
                "direction": w.direction,
                "characters": None if w.characters is None else _numbers(w.characters),
            }
            for w in words
        ],
        "lines": None if lines is None else [_numbers(line) for line in lines],
    }
    return _pack(record)


def scene_fields(record: bytes) -> dict[str, Any]:
    """Keyword arguments of :class:`ocr.types.Scene` (all but image and key) from a scene's record."""
    content = json.loads(record)
    lines = content["lines"]
    return {
        "label_kind": content["label_kind"],
        "words": [
            SceneWord(
                polygon=np.array(w["polygon"], np.float32),
                text=w["text"],
                ignore=w["ignore"],
                characters=_quads(w["characters"]),
                script=w["script"],
                direction=w["direction"],
            )
            for w in content["words"]
        ],
        "lines": None if lines is None else [np.array(line, np.float32) for line in lines],
    }


def meta_record(
    key: str, script: str = "Latin", direction: str = "horizontal", characters: Quads | None = None
) -> bytes:
    """The record that every sample has: its key, and what is known of a word beside its text; defaults are left out."""
    record: dict[str, Any] = {"key": key}
    if script != "Latin":
        record["script"] = script
    if direction != "horizontal":
        record["direction"] = direction
    if characters is not None:
        record["characters"] = _numbers(characters)
    return _pack(record)


def meta_fields(record: bytes) -> dict[str, Any]:
    """The key, and the fields of :class:`ocr.types.Word` that differ from their defaults."""
    content: dict[str, Any] = json.loads(record)
    if "characters" in content:
        content["characters"] = _quads(content["characters"])
    return content


def meta_key(record: bytes) -> str:
    """The key in a sample's record, which stands first in it."""
    if record.startswith(b'{"key":"') and b"\\" not in record:
        return record[8 : record.index(b'"', 8)].decode()
    return str(json.loads(record)["key"])


def check_characters(text: str | None, characters: Quads | None) -> None:
    """Refuse character quads that are not one finite quad per grapheme cluster of ``text`` but spaces (ValueError)."""
    if characters is None:
        return
    expected = sum(not c.isspace() for c in clusters(text or ""))
    if characters.shape != (expected, 4, 2) or not np.isfinite(characters).all():
        raise ValueError(f"{text!r} needs {expected} finite character quads, found shape {characters.shape}")


def _pack(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _numbers(points: Points | Quads) -> list[Any]:
    rounded: list[Any] = np.round(np.asarray(points, np.float64), 2).tolist()
    return rounded


def _quads(numbers: list[Any] | None) -> Quads | None:
    return None if numbers is None else np.array(numbers, np.float32).reshape(-1, 4, 2)


def split_by_folder(folder: Path) -> Split | None:
    """The split that a folder's own name, or that of one of the two above it, stands for; None when they name none."""
    for part in [folder.name, *(p.name for p in list(folder.parents)[:2])]:
        match part.lower():
            case "test" | "evaluation" | "eval":
                return "test"
            case "val" | "valid" | "validation":
                return "val"
            case "train" | "training":
                return "train"
    return None
