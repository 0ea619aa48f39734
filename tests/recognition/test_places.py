import numpy as np
import pytest

from ocr.recognition.crops import CropReader
from ocr.types import Reading


class StripeReader(CropReader):
    """Finds one dark column in each picture and tells where it is in the batch."""

    def _read_batch(self, pixels):
        widest = max(p.shape[1] for p in pixels)
        return [Reading("|", 1.0, [1.0], [middle_of_the_ink(p) / widest]) for p in pixels]


def middle_of_the_ink(pixels):
    ink = 255 - pixels[..., 0].mean(axis=0)
    return float(np.average(np.arange(len(ink)) + 0.5, weights=ink))


def striped(height, width, share, turned=False):
    image = np.full((height, width, 3), 255, np.uint8)
    at = int(share * width)
    image[:, at - 2 : at + 2] = 0
    return np.ascontiguousarray(np.rot90(image, -1)) if turned else image


@pytest.mark.parametrize("options", [{}, {"keep_ratio": True}, {"variable_width": True}])
def test_places_are_shares_of_each_picture_whatever_it_is_padded_with(options):
    shapes = [(32, 200, 0.25), (64, 100, 0.75), (20, 40, 0.5), (30, 900, 0.1)]
    found = StripeReader(32, 160, 1, **options).read([striped(*shape) for shape in shapes])
    assert [r.places[0] for r in found] == pytest.approx([share for *_, share in shapes], abs=0.02)


def test_places_of_a_turned_picture_run_down():
    (reading,) = StripeReader(32, 160, 1, variable_width=True, tall="rotate").read(
        [striped(32, 100, 0.25, turned=True)]
    )
    assert reading.places[0] == pytest.approx(0.25, abs=0.03)
