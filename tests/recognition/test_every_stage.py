"""Whatever stands in ``conf/{trans,feat,seq,pred}`` is a member of the grid: a new file there is covered without a new test.

Each option is built from its own file, narrow, in the company of the simplest other stages.
"""

import io
from copy import deepcopy
from functools import cache

import pytest
import torch
from recognition_cells import word_picture

from ocr.config import build, compose_config, names_in, plain
from ocr.recognition.extent import Extent
from ocr.recognition.recognizer import Recognizer
from ocr.recognition.samples import collate_pixels, fit, normalise

KINDS = ("trans", "feat", "seq", "pred")
OPTIONS = [(kind, name) for kind in KINDS for name in names_in(kind)]
SMALL = {"channels": 32, "hidden": 12, "features": 16, "blocks": [1, 1, 1], "iterations": 2, "layers": 1}
"""Narrow values for the options that make a stage wide or deep, under the names they have in the files."""
TEXTS = ["word", "a", "Hello2", "zz9"]


@cache
def composed(kind, name):
    chosen = {"trans": "none", "feat": "vgg", "seq": "none", "pred": "ctc", kind: name}
    overrides = [f"{k}={v}" for k, v in chosen.items()]
    return plain(compose_config(["model=crnn", "data=mjsynth", "model.max_length=6", *overrides]))["model"]


def narrow(kind, name, **arguments):
    """The network's node with one option of one stage, everything as in the files but narrow."""
    node = deepcopy(composed(kind, name))
    for stage in KINDS:
        node[stage] |= {k: v for k, v in SMALL.items() if k in node[stage]}
    return node | arguments


def network(kind, name, seed=0, **arguments):
    torch.manual_seed(seed)
    return build(narrow(kind, name, **arguments))


def disturbed(kind, name):
    """Statistics and biases away from their start, so that nothing is hidden by zeros and ones."""
    made = network(kind, name)
    for key, value in made.state_dict().items():
        if value.is_floating_point() and ("norm" in key or "bias" in key):
            value += torch.rand_like(value) * 0.2
    if hasattr(made.trans, "localisation"):
        torch.nn.init.normal_(made.trans.localisation.points.weight, std=0.02)
    return made.eval()


def pictures(widths=(100,)):
    return [fit(word_picture("word", 32, w), 32, 100, 1, variable_width=True) for w in widths]


def images(widths=(100,)):
    return normalise(collate_pixels(pictures(widths)))


@pytest.mark.parametrize(("kind", "name"), OPTIONS)
def test_shapes_and_names(kind, name):
    made = network(kind, name).eval()
    features, columns = made.features(torch.rand(3, 1, 32, 100) * 2 - 1)
    assert columns is None
    assert features.shape[0] == 3
    assert features.shape[2] == made.seq.out_features
    logits = made(torch.rand(3, 1, 32, 100) * 2 - 1)
    assert logits.shape[0] == 3
    assert logits.shape[2] == made.codec.classes
    assert logits.isfinite().any(2).all()
    assert len(made.cell.split("-")) == 4
    assert set(made.published_names()) == set(made.state_dict())
    classes = {key: made.state_dict()[key].shape[axis.dim] - axis.start for key, axis in made.class_axes().items()}
    assert set(classes.values()) == {made.codec.classes}


@pytest.mark.parametrize("autocast", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("kind", "name"), OPTIONS)
def test_every_weight_has_a_gradient(kind, name, autocast):
    made = disturbed(kind, name).train()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = made.loss(torch.rand(4, 1, 32, 100) * 2 - 1, TEXTS)
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    loss.backward()
    without = [key for key, p in made.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize(("kind", "name"), OPTIONS)
@torch.no_grad()
def test_any_width_alone_and_in_company(kind, name):
    made, widths = disturbed(kind, name), (40, 100, 17, 63)
    together = made(images(widths), widths_B=torch.tensor(widths)).softmax(2)
    tolerance = 2e-3 if hasattr(made.trans, "localisation") else 2e-5
    for row, width in zip(together, widths, strict=True):
        alone = made(images([width])).softmax(2)[0]
        torch.testing.assert_close(row[: len(alone)], alone, atol=tolerance, rtol=0)
    texts = ["ab", "c", "", "x9"]
    assert made.loss(images(widths), texts, torch.tensor(widths)).isfinite()


@pytest.mark.parametrize("name", names_in("feat"))
@torch.no_grad()
def test_a_feature_extractor_counts_its_columns(name):
    extractor = disturbed("feat", name).feat
    widths = list(range(16, 101, 7))
    extent = Extent(torch.tensor(widths))
    extractor(torch.zeros(len(widths), 1, 32, 100), extent)
    assert extent.widths_B.tolist() == [extractor(torch.zeros(1, 1, 32, w), Extent()).shape[3] for w in widths]


@pytest.mark.parametrize(("kind", "name"), OPTIONS)
def test_weights_go_out_and_come_back_at_another_size(kind, name):
    made, stream = disturbed(kind, name), io.BytesIO()
    torch.save(made.state_dict(), stream)
    stream.seek(0)
    other = network(kind, name, seed=1, height=32, width=160)
    other.load_state_dict(torch.load(stream, weights_only=True))
    reads, again = (Recognizer(n, keep_ratio=True) for n in (made, other))
    again.fit = reads.fit
    words = [word_picture("word", 32, 70), word_picture("a", 40, 30)]
    assert reads.read(words) == again.read(words)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), OPTIONS)
def test_the_exported_network_gives_the_same_logits(kind, name):
    made = disturbed(kind, name)
    given = images()
    with torch.no_grad():
        exported = torch.export.export(made, (given,)).module()
        expected, found = made(given), exported(given)
        torch.testing.assert_close(found[:, : expected.shape[1]], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "name", "options", "message"),
    [
        ("feat", "svtr", {"channels": 100}, "give a multiple of 16 up to 128"),
        ("feat", "svtr", {"blocks": [3, 0, 3]}, "give three numbers from 1 on"),
        ("pred", "parallel", {"features": 100}, "give an even number up to 32"),
    ],
)
def test_impossible_options_are_refused(kind, name, options, message):
    node = narrow(kind, name)
    node[kind] |= options
    with pytest.raises(ValueError, match=message):
        build(node)


@pytest.mark.slow
@pytest.mark.parametrize(("feat", "pred"), [("svtr", "ctc"), ("vgg", "parallel"), ("svtr", "parallel")])
def test_the_modern_options_learn_eight_words_by_heart(feat, pred):
    node = narrow("feat", feat) | {"pred": narrow("pred", pred)["pred"], "max_length": 25}
    torch.manual_seed(0)
    made = build(node)
    words = ["apple", "bread", "42nd", "zoo", "hello", "moon7", "x", "queue"]
    seen = [word_picture(word) for word in words]
    given = normalise(collate_pixels([fit(p, 32, 100, 1) for p in seen]))
    optimizer = torch.optim.AdamW(made.parameters(), lr=4e-3)
    for _ in range(300):
        loss = made.loss(given, words)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(made.parameters(), 5.0)
        optimizer.step()
    assert [reading.text for reading in Recognizer(made).read(seen)] == words
