"""Read pictures: find words, straighten each once, recognise all of them together, put them in reading order."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps

from ocr.draw import draw_words
from ocr.export_text import page_to_dict, page_to_text
from ocr.geometry import bounding_quad, grown, rectify, side_lengths
from ocr.reading_order import reading_lines
from ocr.types import Detection, Detects, Image, Page, Reading, Reads

Floats = NDArray[np.float64]

MAX_PIXELS = 80_000_000
"""Larger pictures are refused before they are decoded (a decoded one takes three bytes a pixel)."""
TALL = 1.5
"""A box higher than this many times its width may hold a turned line."""
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
"""What is decoded.  Not all that Pillow knows: some of its formats start other programs."""
MAX_CROP_SIDE = 256
"""Words are cut out at their own size, but the shorter side of a crop is never longer than this."""
MAX_CROP_LENGTH = 4096
"""Neither is the longer side of a crop longer than this."""
UNREAD = Reading("", 0.0)
"""The reading of a box that cannot be cut out because it has no area."""


# --- pictures --------------------------------------------------------------------------------------------------------


def load_image(path: str | Path, max_pixels: int = MAX_PIXELS) -> Image:
    """Decode a picture file upright (EXIF orientation applied): height x width x 3, RGB, uint8.

    Grey, palette, CMYK and 16-bit pictures are converted, 32-bit ones stretched to their range, transparent ones laid
    on white; of an animation the first frame is taken.

    Raises:
        ValueError: one line: the file is missing, no picture, damaged, or has more than ``max_pixels`` pixels.
    """
    name = shown(path)
    try:
        if Path(path).is_dir():
            raise ValueError(f"{name}: is a folder; name picture files")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(Path(path), name, max_pixels)
    except FileNotFoundError:
        raise ValueError(f"{name}: no such file; check the name") from None
    except OSError as error:
        raise ValueError(f"{name}: cannot be read ({_one_line(error)}); is the file complete?") from None


def shown(path: str | Path) -> str:
    """A path as text that can be printed and written as UTF-8, whatever bytes the file's name is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _decode(path: Path, name: str, max_pixels: int) -> Image:
    limit = min(max_pixels, 2 * (Pillow.MAX_IMAGE_PIXELS or max_pixels))
    advice = f"the limit is {limit / 1e6:g} megapixels; scale it down first"
    try:
        with Pillow.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height <= limit:
                return _to_rgb(_upright(picture))
    except Pillow.UnidentifiedImageError:
        raise ValueError(f"{name}: not a picture in a known format ({', '.join(FORMATS)}); convert it") from None
    except Pillow.DecompressionBombError:
        raise ValueError(f"{name}: too many pixels; {advice}") from None
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them stumble over
        raise OSError(_one_line(error)) from None
    raise ValueError(f"{name}: {width} x {height} pixels are too many; {advice}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _upright(picture: Pillow.Image) -> Pillow.Image:
    picture.load()
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # damaged EXIF data must not cost the picture
        return picture


def _to_rgb(picture: Pillow.Image) -> Image:
    if picture.mode[0] in "IF":
        values = np.asarray(picture, np.float64)
        grey = values / 257 if picture.mode.startswith("I;16") else _stretched(values)
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        inked = picture.convert("RGBA")
        paper = Pillow.new("RGBA", inked.size, "white")
        return np.array(Pillow.alpha_composite(paper, inked).convert("RGB"))
    return np.array(picture.convert("RGB"))


def _stretched(values: Floats) -> Floats:
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    spread = finite.max() - finite.min()
    return (finite - finite.min()) * (255 / spread) if spread else np.zeros_like(finite)


# --- reading ---------------------------------------------------------------------------------------------------------


class Reader:
    """A detector and a recogniser in one.

    Each box is straightened once, by perspective from the quad around its polygon.  A box whose quad is more than 1.5
    times as high as wide is read twice: as it stands, and turned a quarter counter-clockwise, as a line that runs
    down the picture asks for.  The more confident reading stays; where it is the turned one, the detection's
    direction, angle and first corner say so.  Boxes that the detector itself calls stacked are read as they stand.

    Args:
        detector: finds the words.
        recognizer: reads the crops; all crops of a batch of pictures go to it in one call, sorted by their proportions.
        max_pixels: larger picture files are refused.
        margin: each crop is larger than its box by this share of the box's height on every side, because CRAFT's boxes cut into
            the outermost letters while recognisers are trained on crops with some room.
    """

    def __init__(self, detector: Detects, recognizer: Reads, max_pixels: int = MAX_PIXELS, margin: float = 0.1) -> None:
        self.detector = detector
        self.recognizer = recognizer
        self.max_pixels = max_pixels
        self.margin = margin

    def read(self, pictures: Sequence[str | Path | Image], batch: int = 8) -> list[Page]:
        """One page for every picture, in the order given; words in reading order.

        Args:
            pictures: files, or arrays height x width x 3, RGB, uint8 (their page has an empty ``path``).
            batch: how many pictures are in memory at a time.

        Raises:
            ValueError: a file is no picture (see :func:`load_image`) or an array has another shape or type.
        """
        if batch < 1:
            raise ValueError(f"batch={batch}: read at least one picture at a time")
        return [
            page for start in range(0, len(pictures), batch) for page in self._read(pictures[start : start + batch])
        ]

    def _read(self, pictures: Sequence[str | Path | Image]) -> list[Page]:
        images = [_checked(p) if isinstance(p, np.ndarray) else load_image(p, self.max_pixels) for p in pictures]
        names = ["" if isinstance(p, np.ndarray) else shown(p) for p in pictures]
        found = self.detector.detect(images)
        cuts = [cut for i, image in enumerate(images) for cut in _cuts(i, image, found[i], self.margin)]
        readings = self._recognise([cut.crop for cut in cuts])
        words = [[(detection, UNREAD) for detection in detections] for detections in found]
        for cut, reading in zip(cuts, readings, strict=True):
            if not cut.turned:
                words[cut.picture][cut.word] = (found[cut.picture][cut.word], reading)
            elif reading.confidence > words[cut.picture][cut.word][1].confidence:
                words[cut.picture][cut.word] = (_turned(found[cut.picture][cut.word]), reading)
        return [
            Page(name, image.shape[1], image.shape[0], [w for line in reading_lines(page) for w in line])
            for name, image, page in zip(names, images, words, strict=True)
        ]

    def _recognise(self, crops: list[Image]) -> list[Reading]:
        if not crops:
            return []
        order = sorted(range(len(crops)), key=lambda i: crops[i].shape[1] / crops[i].shape[0])
        readings = dict(zip(order, self.recognizer.read([crops[i] for i in order]), strict=True))
        return [readings[i] for i in range(len(crops))]


@dataclass(slots=True)
class _Cut:
    """A crop to be recognised: word ``word`` of picture ``picture``, as it stands or turned."""

    picture: int
    word: int
    crop: Image
    turned: bool


def _cuts(picture: int, image: Image, found: list[Detection], margin: float) -> Iterator[_Cut]:
    """The crops of one picture; the upright one comes before the turned one; boxes without area have none."""
    for i, detection in enumerate(found):
        quad = bounding_quad(detection.polygon)
        width, height = side_lengths(quad)
        try:
            room = grown(quad, margin * min(1.0, width / max(height, 1e-9)))
            crop, _ = rectify(image, room, _crop_height(*side_lengths(room)))
        except ValueError:
            continue
        yield _Cut(picture, i, crop, turned=False)
        if height > TALL * width and detection.direction != "stacked":
            yield _Cut(picture, i, np.ascontiguousarray(np.rot90(crop)), turned=True)


def _crop_height(width: float, height: float) -> int:
    scale = min(1.0, MAX_CROP_SIDE / max(min(width, height), 1.0))
    return min(max(1, round(scale * height)), MAX_CROP_LENGTH)


def _turned(detection: Detection) -> Detection:
    """The detection as a line that runs down the picture: reading starts at what was the top right corner."""
    polygon = np.roll(detection.polygon, -1, axis=0) if len(detection.polygon) == 4 else detection.polygon
    angle = detection.angle - 90
    return replace(detection, polygon=polygon, angle=angle if angle > -180 else angle + 360, direction="rotated")


def _checked(image: Image) -> Image:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        found = f"picture array of shape {image.shape} and type {image.dtype}"
        raise ValueError(f"{found}: give height x width x 3, RGB, uint8")
    return image


# --- files -----------------------------------------------------------------------------------------------------------


def read_files(
    paths: Sequence[str | Path],
    reader: Reader,
    out: str | Path | None = None,
    json_path: str | Path | None = None,
    batch: int = 8,
) -> list[str]:
    """Read picture files, print their texts, and return one line for each file that could not be read.

    Those lines also go to standard error, and the other files go on.

    Args:
        paths: picture files.
        reader: reads them.
        out: folder for ``NAME.words.json`` and ``NAME.words.png`` (the boxes drawn) of every picture; files of one name
            from different folders get a number behind it.
        json_path: one JSON object a line for every picture, into this file; ``-`` prints them in place of the texts.
        batch: how many pictures are in memory at a time.

    Raises:
        ValueError: ``out`` or ``json_path`` cannot be written to.
    """
    folder = _made(Path(out)) if out is not None else None
    names = _free_names(paths)
    failures: list[str] = []
    with _lines_to(json_path) as lines:
        for start in range(0, len(paths), batch):
            images, kept = _load_all(paths[start : start + batch], reader.max_pixels, failures)
            for i, image, page in zip(kept, images, reader.read(images, batch), strict=True):
                page.path = shown(paths[start + i])
                print(json.dumps(page_to_dict(page), ensure_ascii=False), file=lines, flush=True)
                if str(json_path) != "-":
                    print(f"{page.path}: {len(page.words)} words", page_to_text(page), sep="\n")
                if folder is not None:
                    _write(folder, names[start + i], image, page)
    return failures


def _load_all(paths: Sequence[str | Path], max_pixels: int, failures: list[str]) -> tuple[list[Image], list[int]]:
    """The pictures that can be read and their places in ``paths``."""
    images, kept = [], []
    for i, path in enumerate(paths):
        try:
            images.append(load_image(path, max_pixels))
            kept.append(i)
        except ValueError as error:
            failures.append(str(error))
            print(error, file=sys.stderr)
    return images, kept


@contextmanager
def _lines_to(path: str | Path | None) -> Iterator[TextIO]:
    """Where JSON lines go: standard output for ``-``, nowhere for None."""
    if str(path) == "-":
        yield sys.stdout
        return
    target = Path(os.devnull if path is None else path)
    try:
        stream = target.open("w", encoding="utf-8")
    except OSError as error:
        raise ValueError(f"--json {target}: cannot be written ({error.strerror}); name another file") from None
    with stream:
        yield stream


def _free_names(paths: Sequence[str | Path]) -> list[str]:
    """One file name without ending for each path: the picture's own, with a number where it is taken."""
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        stem = Path(path).stem or "picture"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--out {folder}: cannot make this folder ({error.strerror}); name another") from None
    return folder


def _write(folder: Path, name: str, image: Image, page: Page) -> None:
    try:
        text = json.dumps(page_to_dict(page), ensure_ascii=False, indent=1)
        (folder / f"{name}.words.json").write_text(text + "\n", encoding="utf-8")
        Pillow.fromarray(draw_words(image, page.words)).save(folder / f"{name}.words.png")
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{folder}: cannot write {name} ({reason}); free space or name another folder") from None
