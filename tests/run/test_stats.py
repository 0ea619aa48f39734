"""``ocr stats``: histograms on the terminal, and the page with samples, for words and scenes."""

import re
from pathlib import Path

import pytest

from ocr import cli
from ocr.data.sets import open_set


def test_words_as_bars_and_as_a_page(tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pages" / "words.html"
    arguments = ["stats", "data=mjsynth+synthtext", "feat.channels=32", f"root={tiny_root}", "--histograms"]
    assert cli.main([*arguments, "--page", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "mjsynth (all 60 words)" in printed
    wide = re.search(r"orientation\s*\nwide +(\d+) +([\d.]+) % +█+", printed)
    assert wide is not None
    assert float(wide.group(2)) == round(100 * int(wide.group(1)) / 60, 1)
    page = out.read_text(encoding="utf-8")
    words = open_set(tiny_root, "recognition", "mjsynth", "train")
    assert page.count("<img ") == 2
    assert words.fingerprint[:12] in page
    assert "rendered stand-in" in page
    for title in ("length, characters", "kinds of characters", "height, pixels", "width over height", "orientation"):
        assert page.count(title) == 2


def test_scenes_as_a_page(tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scenes.html"
    assert (
        cli.main(["stats", "model=craft", "data=synthtext", f"root={tiny_root}", "--histograms", "--page", str(out)])
        == 0
    )
    printed = capsys.readouterr().out
    assert "synthtext (all 8 scenes)" in printed
    assert "labels and pictures" not in printed
    page = out.read_text(encoding="utf-8")
    for title in ("words in a picture", "letter height, pixels", "direction", "samples from all over the set"):
        assert title in page
