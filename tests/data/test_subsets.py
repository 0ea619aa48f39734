"""A published subset is found again in the whole set by its images, never by a rule."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocr import cli
from ocr.data.store import StoreWriter

Picture = Callable[..., bytes]


def write(folder: Path, name: str, samples: list[tuple[bytes, str]]) -> Path:
    with StoreWriter(folder, "recognition", name, "test", "real", "a test") as writer:
        for i, (data, text) in enumerate(samples):
            writer.add_word(data, text, f"{name}/{i}")
    return folder


def bmp(png: bytes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(Image.open(io.BytesIO(png)))).save(file, "BMP")
    return file.getvalue()


def listed(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("stored_as", [bytes, bmp])
def test_images_are_found_in_any_order_and_lossless_format(
    tmp_path: Path, picture: Picture, stored_as: Callable[[bytes], bytes]
) -> None:
    whole = write(tmp_path / "whole", "ic15", [(picture(i), f"Word{i}") for i in range(8)])
    subset = write(tmp_path / "subset", "small", [(stored_as(picture(i)), f"word{i}") for i in (5, 2, 7)])
    out = tmp_path / "lists" / "small.txt"
    assert cli.main(["list-ids", str(subset), str(whole), "--out", str(out)]) == 0
    assert listed(out) == ["ic15/2", "ic15/5", "ic15/7"]


def test_what_is_not_there_or_ambiguous_is_one_line(
    tmp_path: Path, picture: Picture, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write(
        tmp_path / "whole", "ic15", [(picture(1), "a"), (picture(1), "b"), (picture(2), "c"), (picture(2), "C")]
    )
    by_label = write(tmp_path / "one", "small", [(picture(1), "b")])
    assert cli.main(["list-ids", str(by_label), str(whole), "--out", str(tmp_path / "l.txt")]) == 0
    assert listed(tmp_path / "l.txt") == ["ic15/1"]
    for samples, message in (
        ([(picture(9), "a"), (picture(1), "a")], "1 of 2 images are not in"),
        ([(picture(2), "c")], "stands more than once in"),
    ):
        capsys.readouterr()
        subset = write(tmp_path / "subset", "small", samples)
        assert cli.main(["list-ids", str(subset), str(whole), "--out", str(tmp_path / "no.txt")]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert not (tmp_path / "no.txt").exists()
