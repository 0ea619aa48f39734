"""What published weights are is found from their names and shapes alone, for every cell and any width."""

import pytest
import torch
from recognition_cells import CELLS, build_cell

from ocr.charset import FULL94
from ocr.config import build
from ocr.recognition.published import convert, recognise


def published_state(network, prefix="module.", pixels=3200):
    """The network's weights as the reference code would have saved them, the grid's constants included."""
    names = network.published_names()
    state = {prefix + names[k]: v for k, v in network.state_dict().items()}
    if network.cell.startswith("TPS"):
        state[f"{prefix}Transformation.GridGenerator.inv_delta_C"] = torch.zeros(23, 23)
        state[f"{prefix}Transformation.GridGenerator.P_hat"] = torch.zeros(pixels, 23)
    return state


def shapes_of(state):
    return {k: tuple(v.shape) for k, v in state.items()}


@pytest.mark.parametrize(
    ("number", "cell"), [pytest.param(i, c, marks=pytest.mark.slow) if i % 3 else (i, c) for i, c in enumerate(CELLS)]
)
def test_every_cell_is_recognised_and_gives_the_same_logits(number, cell):
    charset, prefix, channels = [("full94", "module.", 3), ("digits_lower", "", 1)][number % 2]
    network = build_cell(cell, charset, channels=channels).eval()
    state = published_state(network, prefix)
    published = recognise(shapes_of(state))
    assert (published.task, published.prefix, published.missing) == ("recognition", prefix, {})
    again = build(published.network).eval()
    assert again.cell == cell
    assert again.codec.charset.characters == network.codec.charset.characters
    assert again.codec.charset.lower == (charset == "digits_lower")
    again.load_state_dict(convert(state, published))
    images = torch.rand(1, channels, 32, 100) * 2 - 1
    with torch.no_grad():
        assert torch.equal(again(images), network(images))


def test_the_published_sizes_are_found():
    with torch.device("meta"):
        network = build_cell("TPS-RCNN-BiLSTM-Attn", narrow=False)
        published = recognise(shapes_of(published_state(network, pixels=32 * 160)))
    node = published.network
    assert (node["trans"]["fiducials"], node["trans"]["channels"]) == (20, 512)
    assert (node["feat"]["channels"], node["feat"]["iterations"]) == (512, 5)
    assert (node["seq"]["hidden"], node["seq"]["layers"], node["pred"]["hidden"]) == (256, 2, 256)
    assert (node["height"], node["width"]) == (32, 160), "the grid's constants tell the width"


def test_only_an_unknown_charset_is_asked_for():
    network = build_cell("None-VGG-None-CTC", FULL94 + "€ ")
    state = published_state(network)
    published = recognise(shapes_of(state))
    assert published.network["charset"] is None
    assert published.missing == {"charset": "96 characters, in the order of the classes"}
    published.network["charset"] = {"_target_": "ocr.charset.Charset", "characters": FULL94}
    with pytest.raises(ValueError, match="the charset has 94 characters and the weights read 96"):
        convert(state, published)


def test_half_precision_weights_become_float32():
    network = build_cell("None-VGG-None-CTC")
    state = {k: v.half() if v.is_floating_point() else v for k, v in published_state(network).items()}
    converted = convert(state, recognise(shapes_of(state)))
    assert {v.dtype for k, v in converted.items() if "num_batches" not in k} == {torch.float32}


@pytest.mark.parametrize("left_out", ["FeatureExtraction.", "Prediction."])
def test_weights_without_a_stage_are_not_ours(left_out):
    state = published_state(build_cell("None-VGG-None-CTC"), "")
    assert recognise({k: tuple(v.shape) for k, v in state.items() if not k.startswith(left_out)}) is None
    assert recognise({"fc.weight": (10, 512)}) is None
    assert recognise({}) is None
