"""What README and guides tell people to type is what the programs accept; long commands run in tests/run with debug=fast."""

import itertools
import re
import shlex
from pathlib import Path

import pytest

from ocr.cli import parser
from ocr.config import CONF, compose_config, names_in

ROOT = CONF.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = {page.name: page.read_text(encoding="utf-8") for page in PAGES}


def commands(program: str) -> list[tuple[str, str]]:
    """Lines of a page that start a program, without what stands behind a comment sign or two spaces and a bracket."""
    found = []
    for name, text in TEXT.items():
        for line in re.sub(r"\\\n\s*", "", text).splitlines():
            plain = re.split(r"\s+#|\s{2,}\(", line.strip().strip("`"))[0]
            if plain.startswith(program + " ") and "|" not in plain:
                found.append((name, plain.removesuffix("…").strip()))
    assert found, f"no page shows {program}"
    return found


@pytest.mark.parametrize(("page", "line"), commands("python train.py"))
def test_training_commands_compose(page: str, line: str) -> None:
    arguments = [a for a in shlex.split(line)[2:] if a not in ("-m", "--help", "--cfg", "job", "-sc")]
    overrides = [a for a in arguments if "=" in a and "<name>" not in a and not a.startswith("charset.spec=my_")]
    choices = [[f"{key}={v}" for v in value.split(",")] for key, value in (a.split("=", 1) for a in overrides)]
    for cell in itertools.product(*choices):
        compose_config(list(cell))


@pytest.mark.parametrize(("page", "line"), commands("ocr"))
def test_ocr_commands_parse(page: str, line: str) -> None:
    arguments = parser().parse_args(shlex.split(line)[1:])
    for override in getattr(arguments, "overrides", []):
        key, _, value = override.partition("=")
        known = ("data", "protocol", "protocol.subsets", "root", "model", "render")
        if line.startswith("ocr runs"):
            known = ("state", "model")  # of a run record
        assert key in known or key.startswith("render.")
        assert key != "protocol" or set(value.split("+")) <= set(names_in("protocol"))


@pytest.mark.parametrize(("page", "line"), commands("python -m data_prep"))
def test_preparation_commands_are_known(page: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    from data_prep.__main__ import main

    name, *rest = shlex.split(line)[3:]
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for option in (r for r in rest if r.startswith("--")):
        assert option in shown, f"{name} has no {option}"


def test_targets_links_and_folders_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, text in TEXT.items():
        for target in re.findall(r"`?make ([a-z-]+)`?", text):
            assert re.search(rf"^{target}:", makefile, re.M) or target in ("and",), f"{name}: make {target}"
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (ROOT / name).parent.joinpath(link).exists() or (ROOT / "docs" / link).exists(), f"{name}: {link}"
    for path in re.findall(r"^    ((?:ocr|conf|data_prep|experiments)/[\w./]*)", TEXT["README.md"], re.M):
        assert Path(ROOT / path).exists(), path


def test_the_plain_python_example_of_the_guide_runs() -> None:
    for block in re.findall(r"```python\n(.*?)```", TEXT["add_a_stage.md"], re.S):
        exec(compile(block, "add_a_stage.md", "exec"), {})
