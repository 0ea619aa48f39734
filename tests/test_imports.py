"""Who may import whom: each layer only what lies below it, heavy libraries only where they are meant to be."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = [p for d in ("ocr", "data_prep", "experiments") for p in sorted((ROOT / d).rglob("*.py"))] + [ROOT / "train.py"]
OURS = ("ocr", "data_prep", "experiments", "train")

GROUND = r"ocr|ocr\.(types|geometry|charset|seeding|averaging|gathering|finite|pieces|freed_memory)"
PARTS = r"ocr\.(data|render|detection|recognition|metrics)\b.*"
READING = r"reader|reading_(order|direction|choice)|character_places|straighten|picture_files|inputs|read_files|export_(text|layout)"
DEPLOYING = r"export|attention_loop|int8|runtime|deployed|serve|web"
RUN = rf"ocr\.(run\b.*|config|terminal|sweep|launching|{READING}|draw|page|cost\b.*|{DEPLOYING})"

LAYERS: list[tuple[str, str]] = [
    (GROUND, r"ocr\.types"),
    (r"ocr\.(detection|recognition)\.module|ocr\.detection\.thresholds", rf"{GROUND}|{{own}}\b.*|ocr\.metrics\b.*"),
    (PARTS, rf"{GROUND}|{{own}}\b.*"),
    (r"ocr\.(config|terminal|reading_order)", GROUND),
    (RUN, rf"{GROUND}|{PARTS}|{RUN}"),
    (r"data_prep\.rendered\w*", rf"{GROUND}|ocr\.(data|render)\b.*|data_prep\b.*"),
    (r"data_prep\.__main__", rf"{GROUND}|ocr\.(data\b.*|terminal)|data_prep\b.*"),
    (r"data_prep\b.*", rf"{GROUND}|ocr\.data\b.*|data_prep\b.*"),
    (r"ocr\.cli|ocr\.commands\b.*|train|experiments\b.*", r".*"),
]
"""A module, by the first pattern that fits its name, may import ours that fit the second; ``{own}`` is its own package."""

HOMES = {
    r"pytorch_lightning|lightning_fabric|lightning": r"ocr\.(detection|recognition)\.module|ocr\.data\.datamodule|ocr\.run\..*",
    r"hydra|omegaconf": r"ocr\.(config|cli|launching)|train|experiments\..*",
    r"albumentations": r"ocr\.(detection|recognition)\.augment",
    r"wandb": r"ocr\.run\.tracking",
    r"onnx|onnxruntime": r"ocr\.(export|attention_loop|int8|runtime)",
    r"safetensors": r"ocr\.run\.packed_weights",
    r"gradio": r"ocr\.web",
    r"fastapi|starlette|uvicorn": r"ocr\.serve|ocr\.commands\.serve",
    r"torchvision|timm": r"(?!)",
}
"""A library, and the modules that may import it."""

WITHOUT_TORCH = rf"""
    ocr\.(types|geometry|charset|seeding|freed_memory|{READING}|deployed|draw|page|terminal|cli|sweep)|ocr\.commands\b.*
    | ocr\.detection\.(postprocess|polygons|characters|lines|words|tiling|score_maps|search)
    | ocr\.recognition\.(codec|decode|fitting|crops)
    | ocr\.(metrics|render)\b.* | ocr\.data\.(?!datamodule|patience).* | ocr\.run\.record | data_prep\b(?!\.__main__).*
"""
"""Modules that load where there is neither torch nor Lightning nor Hydra."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it; ``from package import module`` gives the module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            assert node.module is not None
            package = (ROOT / node.module.replace(".", "/")).is_dir()
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in below if package and is_module(name)]
            yield from modules
            if len(modules) < len(below):
                yield node.module


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    name = module_name(path)
    allowed = next(below for module, below in LAYERS if re.fullmatch(module, name))
    allowed = allowed.replace("{own}", re.escape(".".join(name.split(".")[:2])))
    ours = {i for i in imports(path) if i.split(".")[0] in OURS}
    assert [i for i in sorted(ours) if not re.fullmatch(allowed, i)] == []


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_stays_at_home(library: str) -> None:
    users = {module_name(p) for p in FILES if any(re.fullmatch(library, i.split(".")[0]) for i in imports(p))}
    assert [u for u in sorted(users) if not re.fullmatch(HOMES[library], u)] == []


def test_the_rules_are_not_empty() -> None:
    assert len(FILES) > 60
    found = {i for p in FILES for i in imports(p)}
    assert {"ocr.types", "ocr.run.checkpoint", "pytorch_lightning", "hydra", "albumentations", "wandb"} <= found


def test_reading_scoring_rendering_and_preparing_need_no_torch() -> None:
    names = [n for n in map(module_name, FILES) if re.fullmatch(WITHOUT_TORCH, n, re.VERBOSE)]
    assert len(names) > 40
    code = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "pytorch_lightning", "lightning_fabric", "hydra", "omegaconf", "wandb"):
            raise ImportError(f"{{name}} is not to be imported here")

sys.meta_path.insert(0, Blocked())
import importlib
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name, error)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")
