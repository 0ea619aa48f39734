"""Files that become pictures, and files that do not."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from reading_cases import saved

from ocr.picture_files import load_image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_respected(tmp_path, orientation):
    upright = np.zeros((6, 9, 3), np.uint8)
    upright[0, 0], upright[0, -1] = (255, 0, 0), (0, 255, 0)
    undo = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: np.rot90,
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Pillow.fromarray(np.ascontiguousarray(undo[orientation](upright))), exif=exif)
    assert np.array_equal(load_image(path), upright)


def test_every_kind_of_picture_becomes_rgb(tmp_path):
    half = Pillow.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert load_image(saved(tmp_path, half))[0, 0].tolist() == [127, 127, 127]
    deep = Pillow.fromarray(np.full((4, 4), 32896, np.uint16))
    assert load_image(saved(tmp_path, deep))[0, 0].tolist() == [128, 128, 128]
    assert load_image(saved(tmp_path, Pillow.new("L", (4, 4), 77)))[0, 0].tolist() == [77, 77, 77]
    assert load_image(saved(tmp_path, Pillow.new("1", (4, 4), 1)))[0, 0].tolist() == [255, 255, 255]
    cmyk = load_image(saved(tmp_path, Pillow.new("CMYK", (8, 8), (0, 255, 255, 0)), "c.jpg", quality=95))
    assert cmyk.shape == (8, 8, 3)
    assert cmyk[4, 4, 0] > 200 > 60 > cmyk[4, 4, 1]
    values = np.linspace(-3, 5, 16, dtype=np.float32).reshape(4, 4)
    stretched = load_image(saved(tmp_path, Pillow.fromarray(values), "f.tif"))
    assert (stretched.min(), stretched.max()) == (0, 255)
    frames = [Pillow.new("RGB", (4, 4), c) for c in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert load_image(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]
    transparent = Pillow.new("P", (4, 4), 0)
    transparent.putpalette([9, 9, 9] * 256)
    assert load_image(saved(tmp_path, transparent, transparency=0))[0, 0].tolist() == [255, 255, 255]
    assert load_image(saved(tmp_path, Pillow.new("RGB", (1, 1), "red"))).shape == (1, 1, 3)


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_files_that_are_no_pictures_get_one_line_each(tmp_path):
    whole = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)).save(whole, "JPEG")
    contents = {
        "text.jpg": (b"not a picture", "not a picture in a known format"),
        "empty.png": (b"", "not a picture in a known format"),
        "cut.jpg": (whole.getvalue()[:-900], "cannot be read"),
        "large.png": (png_header(10_000, 9_000), "10000 x 9000 pixels are too many; the limit is 80 megapixels"),
        "huge.png": (png_header(30_000, 30_000), "too many pixels; the limit is 80 megapixels"),
        "drawing.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF", "not a picture in a known format"),
    }
    for name, (content, message) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            load_image(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    for path, message in (
        (tmp_path, "is a folder"),
        (tmp_path / "none.png", "no such file"),
        ("a\0b.png", "cannot be read"),
    ):
        with pytest.raises(ValueError, match=message):
            load_image(path)
    with pytest.raises(ValueError, match=r"60 x 60 pixels are too many; the limit is 0.001 megapixels"):
        load_image(saved(tmp_path, Pillow.new("RGB", (60, 60))), max_pixels=1000)


def test_damaged_files_give_a_picture_or_one_line(tmp_path):
    rng = np.random.default_rng(5)
    image = Pillow.fromarray(rng.integers(0, 255, (40, 50, 3), np.uint8))
    outcomes = set()
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        stored = io.BytesIO()
        image.save(stored, kind)
        for _ in range(25):
            damaged = bytearray(stored.getvalue())
            for place in rng.integers(0, min(len(damaged), 400), 4):
                damaged[place] = rng.integers(256)
            path = tmp_path / "damaged"
            path.write_bytes(damaged[: rng.integers(len(damaged) // 2, len(damaged) + 1)])
            try:
                outcome = load_image(path).shape[2]
            except ValueError as error:
                outcome = str(error)
            outcomes.add(str(outcome))
    assert all(o == "3" or (o.startswith(str(tmp_path)) and "\n" not in o) for o in outcomes)
    assert len(outcomes) > 5
