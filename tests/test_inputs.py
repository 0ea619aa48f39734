import io
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image as Pillow

from ocr.inputs import inputs


def names(paths, **options):
    return [source.name for source in inputs(paths, **options)]


@pytest.fixture
def pictures(tmp_path):
    for name in ("p10.png", "p2.png", "sub/p1.JPG", ".hidden.png", ".cache/p.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Pillow.new("RGB", (5, 4), "red").save(path, "PNG")
    return tmp_path


def test_a_folder_stands_for_the_pictures_below_it_in_the_order_of_their_numbers(pictures):
    assert names([pictures]) == [str(pictures / name) for name in ("p2.png", "p10.png", "sub/p1.JPG")]


def test_a_pattern_stands_for_the_files_that_fit_it(pictures):
    assert names([f"{pictures}/p*.png"]) == [str(pictures / name) for name in ("p2.png", "p10.png")]
    assert names([f"{pictures}/**/*.JPG"]) == [str(pictures / "sub/p1.JPG")]
    (pictures / "odd[1].png").write_bytes((pictures / "p2.png").read_bytes())
    assert names([pictures / "odd[1].png"]) == [str(pictures / "odd[1].png")]


def test_a_file_that_is_named_is_read_whatever_its_ending(pictures):
    (source,) = inputs([pictures / "notes.txt"])
    assert source.load().shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "no picture and no PDF file in this folder"),
        ("x*.png", "no file fits this pattern"),
        ("none.png", "no such file"),
        ("none.pdf", "no such file"),
    ],
)
def test_a_name_that_stands_for_nothing_says_so_when_its_turn_comes(pictures, name, message):
    (pictures / "empty").mkdir()
    bad, good = inputs([pictures / name, pictures / "p2.png"])
    with pytest.raises(ValueError, match=message) as caught:
        bad.load()
    assert str(caught.value).startswith(str(pictures / name))
    assert good.load().shape == (4, 5, 3)


def test_every_page_of_a_tiff_file_is_a_picture_and_of_an_animation_the_first(tmp_path):
    frames = [Pillow.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for name in ("pages.tif", "moves.gif", "moves.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    pages = list(inputs([tmp_path / "pages.tif"]))
    assert [p.name.partition("#")[2] for p in pages] == ["page=1", "page=2", "page=3"]
    assert [p.stem for p in pages] == ["pages-1", "pages-2", "pages-3"]
    assert [p.load()[0, 0].tolist() for p in pages] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    for name in ("moves.gif", "moves.webp"):
        (first,) = inputs([tmp_path / name])
        assert first.load()[0, 0, 0] > 200


def standard_input(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def test_standard_input_holds_a_picture(monkeypatch):
    stored = io.BytesIO()
    Pillow.new("RGB", (5, 4), "red").save(stored, "PNG")
    standard_input(monkeypatch, stored.getvalue())
    (source,) = inputs(["-"])
    assert (source.name, source.stem, source.load().shape) == ("-", "stdin", (4, 5, 3))
    for content in (b"", b"nothing"):
        standard_input(monkeypatch, content)
        (source,) = inputs(["-"])
        with pytest.raises(ValueError, match=r"^-: not a picture in a known format"):
            source.load()
    standard_input(monkeypatch, stored.getvalue())
    (source,) = inputs(["-"], max_pixels=10)
    with pytest.raises(ValueError, match=r"^-: 5 x 4 pixels are too many; the limit is 1e-05 megapixels"):
        source.load()


# --- PDF --------------------------------------------------------------------------------------------------------------


def pdf(*sizes):
    """A PDF file with one empty page of each size (points)."""
    kids = " ".join(f"{3 + i} 0 R" for i in range(len(sizes)))
    bodies = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {len(sizes)} >>"]
    bodies += [f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {w} {h}] >>" for w, h in sizes]
    content, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    tail = f"trailer\n<< /Size {len(bodies) + 1} /Root 1 0 R >>\nstartxref\n{len(content)}\n%%EOF\n"
    return content + f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}{tail}".encode()


needs_poppler = pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="poppler-utils is not installed")


@needs_poppler
def test_pages_of_a_pdf_file_are_drawn_at_200_dots_per_inch(tmp_path, monkeypatch):
    path = tmp_path / "two.pdf"
    path.write_bytes(pdf((72, 36), (36, 72)))
    pages = list(inputs([path]))
    assert [(p.name, p.stem) for p in pages] == [(f"{path}#page=1", "two-1"), (f"{path}#page=2", "two-2")]
    assert [p.load().shape for p in pages] == [(100, 200, 3), (200, 100, 3)]
    standard_input(monkeypatch, pdf((72, 72)))
    (page,) = inputs(["-"])
    assert (page.name, page.stem, page.load().shape) == ("-", "stdin", (200, 200, 3))


@needs_poppler
def test_pdf_files_that_cannot_be_drawn_are_one_line_each(tmp_path):
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4\nnothing")
    (tmp_path / "huge.pdf").write_bytes(pdf((14400, 14400)))
    for name, message in (
        ("broken.pdf", "pdfinfo cannot read it"),
        ("huge.pdf", "40000 x 40000 pixels at 200 dots per inch are too many; the limit is 80 megapixels"),
    ):
        (page,) = inputs([tmp_path / name])
        with pytest.raises(ValueError, match=message) as caught:
            page.load()
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_without_poppler_a_pdf_file_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.pdf").write_bytes(pdf((72, 72)))
    (page,) = inputs([tmp_path / "a.pdf"])
    with pytest.raises(ValueError, match="need pdfinfo of poppler; install poppler-utils"):
        page.load()


POPPLER = """#!/bin/sh
for last; do :; done
case "$last" in -*) exit 1;; esac
echo 'Pages: 1'
echo 'Page    1 size: 1 x 1 pts'
"""


def test_a_name_cannot_pass_for_an_option_of_poppler(tmp_path, monkeypatch):
    """Programs are given absolute paths."""
    monkeypatch.chdir(tmp_path)
    for program in ("pdfinfo", "pdftoppm"):
        script = tmp_path / "bin" / program
        script.parent.mkdir(exist_ok=True)
        script.write_text(
            "#!/bin/sh\nfor last; do :; done\nprintf 'Pages: 1\\nPage    1 size: 1 x 1 pts (%s)\\n' \"$last\"\n"
        )
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    Path("-opw.pdf").write_bytes(b"")
    (page,) = inputs(["-opw.pdf"])
    with pytest.raises(ValueError, match="not a picture"):
        page.load()
    assert page.name == "-opw.pdf"
