"""``ocr show``: a sheet of any data set."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from ocr.cli import main


@pytest.mark.parametrize(
    "extra", [["--boxes"], ["--task", "detection", "render.picture=[200,200]", "render.layout.height=[9,90]"]]
)
def test_rendered_sets_are_shown(tmp_path: Path, extra: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheet.png"
    assert main(["show", "data=rendered_ja", "render=clean", "--count", "4", "--out", str(out), *extra]) == 0
    assert "4 samples of rendered_ja" in capsys.readouterr().out
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.std() > 5


def test_prepared_sets_are_shown_from_where_one_likes(tmp_path: Path, tiny_root: Path) -> None:
    out = tmp_path / "sheet.png"
    words = ["show", "data=words", "data.sources.words.set=mjsynth", f"root={tiny_root}", "--out", str(out)]
    assert main([*words, "--count", "3", "--start", "2"]) == 0
    assert out.is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no data is named"),
        (["data=rendered_en", "--count", "0"], "show at least one sample"),
        (["data=rendered_xx"], "there is no data named 'rendered_xx'"),
        (["data=rendered_en", "render=hrad"], "render=hrad: there is no render named 'hrad'"),
        (
            ["data=rendered_en", "render=clean", "--count", "1", "--out", "nowhere/sheet.png"],
            "cannot write nowhere/sheet.png",
        ),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", *arguments]) != 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert message in lines[0]
