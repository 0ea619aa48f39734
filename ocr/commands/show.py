"""``ocr show``: a contact sheet of the samples of any data set, prepared or rendered."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocr.types import Image, Scene, Word

HELP = "write a contact sheet of a data set, prepared or rendered"
EXAMPLE = "ocr show data=rendered_ja render=hard --out sheet.png"
OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("overrides", nargs="*", help="as for train.py: data=rendered_ja render=hard root=DIR …")
    parser.add_argument(
        "--task", choices=["detection", "recognition"], default="recognition", help="scenes or words (default)"
    )
    parser.add_argument("--out", default="sheet.png", help="picture file that is written (default: sheet.png)")
    parser.add_argument("--count", type=int, help="samples on the sheet (default: 60 words, 6 scenes)")
    parser.add_argument("--start", type=int, default=0, help="number of the first sample of each source (default: 0)")
    parser.add_argument("--boxes", action="store_true", help="draw character and word boxes")


def run(arguments: argparse.Namespace) -> int:
    """Write the sheet and say where it is.

    Raises:
        ValueError: no data is named, a set is missing, or the file cannot be written.
    """
    import cv2

    from ocr.config import compose_config, plain
    from ocr.draw import contact_sheet

    scenes = arguments.task == "detection"
    model = (
        [] if any(o.startswith("model=") for o in arguments.overrides) else [f"model={'craft' if scenes else 'crnn'}"]
    )
    settings = plain(compose_config([*model, *arguments.overrides]))
    sources = (settings.get("data") or {}).get("sources") or {}
    if not sources or not any(o.lstrip("+~").startswith("data=") for o in arguments.overrides):
        raise ValueError("no data is named; for example ocr show data=rendered_ja render=hard")
    count = arguments.count if arguments.count is not None else (6 if scenes else 60)
    if count < 1 or arguments.start < 0:
        raise ValueError(f"--count {count} --start {arguments.start}: show at least one sample, from number 0 on")
    out = Path(arguments.out)
    if not out.absolute().parent.is_dir() or out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise ValueError(f"cannot write {out}: give a .png or .jpg file in a folder that is there")
    sets = [_opened(settings, name, node) for name, node in sources.items()]
    images = []
    for i in range(count):
        chosen = sets[i % len(sets)]
        place = arguments.start + i // len(sets)
        if place < len(chosen):
            images.append(_drawn(chosen[place], arguments.boxes))
    if not images:
        raise ValueError(f"--start {arguments.start} lies behind the last sample: begin earlier")
    cell, columns = ((480, 480), 3) if scenes else ((200, 72), 6)
    sheet = contact_sheet(images, columns=min(columns, len(images)), cell=cell)
    if not cv2.imwrite(str(out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise ValueError(f"cannot write {out}: make room on the disk, or choose another place")
    print(f"{out}: {len(images)} samples of {', '.join(sources)}")
    return 0


def _opened(settings: dict[str, Any], name: str, node: dict[str, Any]) -> Any:
    """A rendered set from its node, any other from below the root."""
    from ocr.config import build
    from ocr.data.sets import open_set

    if isinstance(node["set"], dict):
        return build(node["set"], f"data.sources.{name}.set").open(node["split"])
    return open_set(settings["root"], settings["task"], str(node["set"]), str(node["split"]))


def _drawn(sample: Scene | Word, boxes: bool) -> Image:
    """The picture, with character quads in green and word polygons in blue when asked for; ignored words are grey."""
    from ocr.draw import FOUND, IGNORED, TRUTH, draw_polygons
    from ocr.types import Scene

    if not boxes:
        return sample.image
    if not isinstance(sample, Scene):
        return draw_polygons(sample.image, [([] if sample.characters is None else list(sample.characters), FOUND)])
    groups = [(list(w.characters), IGNORED if w.ignore else FOUND) for w in sample.words if w.characters is not None]
    groups += [([w.polygon], IGNORED if w.ignore else TRUTH) for w in sample.words]
    return draw_polygons(sample.image, groups)
