import numpy as np
import pytest

from experiments.heights import Found, found, main
from experiments.rotation import FOUND
from ocr.types import Detection, SceneWord


def box(x, y, width, height):
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def test_words_and_boxes_that_found_nothing_count_in_their_own_range_of_heights():
    truth = [
        SceneWord(box(0, 0, 40, 10), "small"),
        SceneWord(box(0, 20, 60, 18), "middle"),
        SceneWord(box(100, 0, 20, 200), "column", direction="stacked"),
        SceneWord(box(0, 60, 90, 30), "lost"),
        SceneWord(box(0, 120, 90, 40), "###", ignore=True),
    ]
    boxes = [box(0, 0, 40, 10), box(100, 2, 20, 196), box(0, 200, 50, 11), box(0, 230, 21, 80), box(0, 122, 90, 36)]
    detections = [Detection(polygon, 1.0) for polygon in boxes]
    pictures = [(detections, FOUND.row(detections, truth))]
    assert found(pictures, 0, 12) == Found(words=1, right=1, wrong=1)
    assert found(pictures, 12, 24) == Found(words=2, right=1, wrong=1), "a column is as high as it is wide"
    assert found(pictures, 24, 1e9) == Found(words=1, right=0, wrong=0), "what lies in an ignored word is no mistake"


def test_hmean_is_that_of_recall_and_precision():
    assert Found(words=4, right=2, wrong=6).hmean == pytest.approx(2 * 0.5 * 0.25 / 0.75)
    assert Found(0, 0, 0).hmean == Found(3, 0, 0).hmean == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.ckpt"], "absent.ckpt"),
        (["absent.ckpt", "--scenes", "0"], "give one at least"),
        (["absent.ckpt", "--language", "xx"], "no language 'xx'"),
    ],
)
def test_mistakes_are_one_line(arguments, message, capsys):
    assert main(arguments) == 1
    assert message in capsys.readouterr().out


def test_a_table_has_a_line_for_every_language_and_direction(tiny_detector, capsys):
    chosen = ["--language", "en", "--direction", "horizontal", "--direction", "stacked"]
    assert main([str(tiny_detector), *chosen, "--scenes", "2", "--size", "256"]) == 0
    shown = capsys.readouterr().out
    assert "horizontal" in shown
    assert "stacked" in shown
