"""The local page: what it shows, without a browser and in one."""

import os

import cv2
import numpy as np
import pytest
from browser import CHROMIUM, Browser

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
pytest.importorskip("gradio")

from ocr.detection.postprocess import Thresholds
from ocr.detection.search import WordSearch
from ocr.types import Reading
from ocr.web import Seen, page, serve, view


class Bright(WordSearch):
    """Takes what is bright for text: the red channel for its region score, the green one for its affinity."""

    def __init__(self):
        super().__init__(Thresholds(0.7, 0.4, 0.4), long_side=128, max_enlargement=1.0)
        self.runs = 0

    def _scores(self, images_BHWC):
        self.runs += 1
        return (images_BHWC[:, ::2, ::2, :2].transpose(0, 3, 1, 2) / 255).astype(np.float32)


class Counts:
    def read(self, images):
        return [Reading(f"word{i}", 0.75, [0.9]) for i in range(len(images))]


def two_spots():
    """A bright and a dim spot on a picture of 128 x 64."""
    image = np.zeros((64, 128, 3), np.uint8)
    image[20:40, 10:50, 0] = 255
    image[20:40, 80:120, 0] = 140
    return image


def test_thresholds_decide_what_is_shown_without_another_run():
    detector, image = Bright(), two_spots()
    seen = Seen(image, detector.score_maps([image])[0])
    strict, mild = (view(seen, Counts(), Thresholds(text, 0.4, 0.4)) for text in (0.7, 0.5))
    assert [row[0] for row in strict.words] == ["word0"]
    assert len(mild.words) == 2
    assert strict.words[0][1] == 0.75
    assert strict.text == "word0"
    assert detector.runs == 1
    assert (strict.boxes.shape[1] / strict.boxes.shape[0]) == 2.0
    # bright under the spots, grey beside them
    spot, beside = strict.region[30, 30].astype(int), strict.region[5, 5].astype(int)
    assert np.ptp(spot) > 40
    assert np.ptp(beside) < 20


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_picture_dropped_in_a_browser_shows_its_words(tmp_path):
    cv2.imwrite(str(tmp_path / "spots.png"), two_spots()[..., ::-1])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    address = serve(page(Bright(), Counts()), port=_free_port(), wait=False)
    browser = Browser()
    try:
        browser.say("Page.enable")
        browser.say("Page.navigate", url=address)
        browser.wait("document.querySelector('#picture input[type=file]') !== null")
        browser.choose_file("#picture input[type=file]", tmp_path / "spots.png")
        browser.wait("document.querySelector('#found textarea, #found input').value === 'words: 1'")
        assert browser.value("document.querySelector('#text textarea').value") == "word0"
        assert browser.value("document.querySelector('#words').innerText.includes('word0')")
        for name in ("boxes", "region", "affinity"):
            assert browser.wait(f"document.querySelector('#{name} img')?.naturalWidth") > 0
        # a lower threshold brings the dim spot
        browser.value(
            "(() => { const input = document.querySelector('#threshold-text input[type=range]');"
            "input.value = 0.5; input.dispatchEvent(new Event('input', {bubbles: true}));"
            "input.dispatchEvent(new Event('pointerup', {bubbles: true})); })()"
        )
        browser.wait("document.querySelector('#found textarea, #found input').value === 'words: 2'")
        # nothing was fetched from anywhere else
        fetched = browser.value("performance.getEntriesByType('resource').map(e => e.name)")
        assert [url for url in fetched if not url.startswith((address, "data:", "blob:"))] == []
    finally:
        browser.close()


def _free_port():
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
