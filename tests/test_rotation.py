import numpy as np
import pytest

from experiments.rotation import Cell, figures, look_of, main, scenes, turned
from ocr.geometry import polygon_mask, quad_angle
from ocr.types import Scene, SceneWord


def painted():
    """A white picture with one red word."""
    image = np.full((60, 100, 3), 255, np.uint8)
    image[20:30, 40:80] = (200, 0, 0)
    polygon = np.array([[40, 20], [80, 20], [80, 30], [40, 30]], np.float32)
    return Scene(image, [SceneWord(polygon, "word")], "a/1", "char")


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_quarter_turns_are_those_of_the_array(degrees):
    scene = turned(painted(), degrees)
    assert np.array_equal(scene.image, np.rot90(painted().image, degrees // 90))


@pytest.mark.parametrize("degrees", [15, 100, 222, 345])
def test_words_turn_with_their_picture(degrees):
    scene = turned(painted(), degrees)
    (word,) = scene.words
    assert quad_angle(word.polygon) % 360 == pytest.approx(degrees, abs=0.01)
    inside = polygon_mask(scene.image.shape[:2], [word.polygon]).astype(bool)
    assert scene.image[inside].mean(axis=0)[1] < 60
    assert scene.image[~inside].mean(axis=0)[1] > 250
    assert word.polygon.min() >= 0
    assert (word.polygon.max(axis=0) <= scene.image.shape[1::-1]).all()


@pytest.mark.parametrize("direction", ["horizontal", "rotated", "stacked"])
def test_scenes_hold_words_of_one_direction(direction):
    (scene,) = scenes("ja", direction, "clean", 320, 1)
    angles = [abs(quad_angle(word.polygon)) for word in scene.words]
    if direction == "rotated":
        assert max(angles) > 5
    else:
        assert {word.direction for word in scene.words} == {direction}
        assert max(angles) < 0.5


def test_every_direction_is_compared_with_upright_horizontal_text():
    cells = [
        Cell("en", d, a, h, 1.0, 9)
        for d, a, h in (("horizontal", 0, 0.8), ("horizontal", 90, 0.6), ("stacked", 0, 0.7))
    ]
    found = {name: (value, target) for name, value, target in figures(cells)}
    assert found == {
        "en_horizontal_upright": (0.8, None),
        "en_horizontal_mean_over_angles": (pytest.approx(0.7), pytest.approx(0.76)),
        "en_stacked_upright": (0.7, pytest.approx(0.76)),
        "en_stacked_mean_over_angles": (0.7, pytest.approx(0.76)),
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--step", "0"], "--step 0"), (["--language", "xx"], "xx"), (["--look", "none"], "none")],
)
def test_wrong_arguments_are_one_line(arguments, message, capsys):
    assert main(["a.ckpt", "b.ckpt", *arguments]) == 1
    assert message in capsys.readouterr().out.replace("\n", " ")


def test_looks_keep_everything_else():
    look = look_of("ko", "horizontal", "hard", 400)
    assert look.picture == (400, 400)
    assert look.layout.turned == 0
    assert look.language is not None
    assert look.language.vertical == 0
