"""What stands beside the pictures of a prepared set: its manifest, and the JSON record of every sample."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ocr.charset import clusters
from ocr.types import Direction, LabelKind, Points, Quads, SceneWord

SCHEMA = 1
"""Version of the records; a reader refuses any other."""
MANIFEST = "manifest.json"
LONGEST_TEXT = 2_000
"""Most characters of a transcription; the longest lines of any set here have a few hundred."""
MOST_WORDS = 10_000
"""Most words of a scene."""
MOST_POINTS = 1_000
"""Most points of a polygon."""

Task = Literal["detection", "recognition"]
Split = Literal["train", "val", "test"]
Kind = Literal["real", "rendered"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a prepared set is.

    ``kind`` is ``rendered`` for stand-ins made by the project itself and ``real`` for everything else. ``fingerprint`` is the SHA-256 (hex)
    over all samples in order; that of a store without a manifest is derived from a sample of entries and starts with ``sampled:``.
    ``dropped`` counts by reason what could not be used.  Of a ``partial`` set only some words of its pictures are labelled (one number
    plate in a street): it neither trains nor gives a precision.
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
    partial: bool = False

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
            raise ValueError(
                f"{path} has schema {repr(found)[:40]}, this version reads {SCHEMA}: prepare the set again"
            )
        content.setdefault("partial", False)  # sets from before there were such
        missing = [f.name for f in fields(cls) if f.name not in content]
        if missing:
            raise ValueError(f"{path} lacks {', '.join(missing)}: prepare the set again")
        wrong = _wrong_field(content)
        if wrong:
            raise ValueError(
                f"{path}: {wrong} is {repr(content[wrong])[:80]}, which no set of ours has: prepare the set again"
            )
        return cls(**{f.name: content[f.name] for f in fields(cls)})


def _wrong_field(content: dict[str, Any]) -> str | None:
    """The first field of a manifest that is of no possible value; names and fingerprints become parts of paths."""
    possible = {
        "name": lambda v: re.fullmatch(r"[^/\\\x00-\x1f]{1,200}", v) and v not in (".", ".."),
        "task": lambda v: v in get_args(Task),
        "split": lambda v: v in get_args(Split),
        "kind": lambda v: v in get_args(Kind),
        "source": lambda v: isinstance(v, str),
        "count": lambda v: type(v) is int and v >= 0,
        "fingerprint": lambda v: re.fullmatch(r"[0-9a-f]{64}", v),
        "dropped": lambda v: isinstance(v, dict) and all(type(n) is int for n in v.values()),
        "created_with": lambda v: isinstance(v, str),
        "partial": lambda v: isinstance(v, bool),
    }
    for name, fits in possible.items():
        try:
            if not fits(content[name]):
                return name
        except TypeError:
            return name
    return None


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
    """Keyword arguments of :class:`ocr.types.Scene` (all but image and key) from a scene's record.

    Raises:
        ValueError: it is not of this form, or beyond :data:`MOST_WORDS`, :data:`MOST_POINTS` or :data:`LONGEST_TEXT`; worded as the
            end of a sentence about the record.
    """
    content = _unpacked(record)
    try:
        words, lines = content["words"], content["lines"]
        if len(words) > MOST_WORDS:
            raise ValueError(f"holds more than {MOST_WORDS:,} words")
        return {
            "label_kind": _one_of(content["label_kind"], get_args(LabelKind)),
            "words": [_word(word) for word in words],
            "lines": None if lines is None else [_points(line) for line in lines],
        }
    except (KeyError, TypeError, OverflowError):
        raise ValueError("is no record of a scene") from None


def _word(fields: dict[str, Any]) -> SceneWord:
    text = fields["text"]
    if text is not None:
        _checked_text(text)
    characters = _quads(fields["characters"])
    check_characters(text, characters)
    return SceneWord(
        polygon=_points(fields["polygon"]),
        text=text,
        ignore=bool(fields["ignore"]),
        characters=characters,
        script=_checked_text(fields["script"]),
        direction=_one_of(fields["direction"], get_args(Direction)),
    )


def _checked_text(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError("holds a text that is none")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"holds a text of more than {LONGEST_TEXT:,} characters")
    return text


def _one_of(value: Any, known: tuple[Any, ...]) -> Any:
    if value not in known:
        raise ValueError(f"holds {str(value)[:40]!r} where one of {', '.join(known)} is expected")
    return value


def _points(numbers: list[Any]) -> Points:
    if len(numbers) > MOST_POINTS:
        raise ValueError(f"holds a polygon of more than {MOST_POINTS:,} points")
    with np.errstate(over="ignore"):
        points = np.array(numbers, np.float32)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
        raise ValueError("holds a polygon that is no list of at least three finite points")
    return points


def _unpacked(record: bytes) -> dict[str, Any]:
    try:
        content = json.loads(record)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(content, dict):
        raise ValueError("is no JSON object")
    return content


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
    """The key, and the fields of :class:`ocr.types.Word` that differ from their defaults.

    Raises:
        ValueError: as :func:`scene_fields`.
    """
    content = _unpacked(record)
    found: dict[str, Any] = {"key": _checked_text(content.get("key"))}
    try:
        if "script" in content:
            found["script"] = _checked_text(content["script"])
        if "direction" in content:
            found["direction"] = _one_of(content["direction"], get_args(Direction))
        if "characters" in content:
            found["characters"] = _quads(content["characters"])
    except (TypeError, OverflowError):
        raise ValueError("is no record of a word") from None
    return found


def meta_key(record: bytes) -> str:
    """The key in a sample's record, which stands first in it.

    Raises:
        ValueError: as :func:`scene_fields`.
    """
    if record.startswith(b'{"key":"') and b"\\" not in record:
        end = record.find(b'"', 8)
        return _checked_text(record[8 : end if end > 0 else None].decode(errors="replace"))
    return _checked_text(_unpacked(record).get("key"))


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
    if numbers is None:
        return None
    if len(numbers) > LONGEST_TEXT:
        raise ValueError(f"holds more than {LONGEST_TEXT:,} character quads")
    with np.errstate(over="ignore"):
        quads = np.array(numbers, np.float32).reshape(-1, 4, 2)
    if not np.isfinite(quads).all():
        raise ValueError("holds a character quad that is not finite")
    return quads


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
