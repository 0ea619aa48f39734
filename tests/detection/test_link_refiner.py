"""Centre lines of text lines, and a link refiner that learns to draw them over frozen CRAFT maps."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from ocr.config import compose_config
from ocr.detection.line_samples import LineEncoder, as_lines, line_map
from ocr.detection.link_refiner import LinkRefiner, RefinedCRAFT
from ocr.detection.loss import detection_loss
from ocr.detection.postprocess import Thresholds
from ocr.detection.score_maps import score_maps
from ocr.detection.words import find_words
from ocr.geometry import polygon_mask
from ocr.render.source import RenderedLines, RenderedScenes
from ocr.run import checkpoint
from ocr.run.train import train
from ocr.types import Scene, SceneWord


def distance_to_polyline(shape, points):
    """From every pixel centre to a polyline, segment by segment."""
    grid = np.stack(np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5), -1)
    best = np.full(shape, np.inf)
    for a, b in pairwise(points):
        along = np.clip(((grid - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
        best = np.minimum(best, np.linalg.norm(grid - a - along[..., None] * (b - a), axis=-1))
    return best


def arch(inner, outer, n=9, centre=(80.0, 90.0)):
    turn = np.linspace(-1.2, 1.2, n)
    ring = np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    return np.concatenate([centre + outer * ring, (centre + inner * ring)[::-1]]).astype(np.float32)


@pytest.mark.parametrize("height", [8.0, 24.0, 40.0])
def test_curved_line_is_a_stroke_an_eighth_as_thick_as_high(height):
    drawn = line_map((100, 160), [arch(60 - height / 2, 60 + height / 2)])
    middle = arch(60, 60)[:9].astype(np.float64)
    distance, half = distance_to_polyline((100, 160), middle), max(height / 8, 1.5) / 2
    ends = np.stack([distance_to_polyline((100, 160), [end, end + 1e-3]) for end in middle[[0, -1]]]).min(axis=0)
    assert drawn[(distance < half - 0.8) & (ends > 4)].min(initial=1) > 0.9
    assert drawn[distance > half + 1.2].max() == 0
    area = 60 * 2.4 * 2 * half
    assert drawn.sum() == pytest.approx(area, rel=0.15)


@pytest.mark.parametrize("quad", [[[10, 20], [70, 20], [70, 36], [10, 36]], [[20, 10], [36, 10], [36, 70], [20, 70]]])
def test_rectangles_run_along_their_longer_side(quad):
    drawn = line_map((80, 80), [np.array(quad, np.float32)])
    rows, columns = np.nonzero(drawn > 0.5)
    assert sorted((np.ptp(rows) + 1, np.ptp(columns) + 1)) == pytest.approx([2, 60], abs=1)


def test_polygons_without_pairs_are_taken_by_their_rectangle():
    five = np.array([[10, 20], [40, 20], [70, 20], [70, 36], [10, 36]], np.float32)
    four = five[[0, 2, 3, 4]]
    np.testing.assert_allclose(line_map((60, 80), [five]), line_map((60, 80), [four]), atol=0.3)
    assert line_map((20, 20), []).max() == 0


def scene(lines=None):
    words = [
        SceneWord(np.array([[20, 20], [80, 20], [80, 40], [20, 40]], np.float32), "ab"),
        SceneWord(np.array([[100, 20], [170, 20], [170, 40], [100, 40]], np.float32), "cd"),
        SceneWord(np.array([[20, 100], [80, 100], [80, 130], [20, 130]], np.float32), None, ignore=True),
    ]
    return Scene(np.zeros((192, 192, 3), np.uint8), words, "drawn/0", "word", lines)


def test_items_have_the_lines_and_distrust_what_is_ignored(rng):
    line = np.array([[20, 20], [170, 20], [170, 40], [20, 40]], np.float32)
    item = LineEncoder(192).train(scene([line]), rng)
    assert item.affinity_hw[14:16, 12:84].min() > 0.5
    assert item.affinity_hw[:12].max() == item.affinity_hw[18:].max() == 0
    assert item.trust_hw[52:63, 12:38].max() == 0
    assert item.trust_hw.sum() == pytest.approx(96 * 96 - 30 * 15, rel=0.01)
    alone = LineEncoder(192).train(scene(), rng)
    assert alone.affinity_hw[15, 44] < 0.1 < alone.affinity_hw[15, 30]
    low = LineEncoder(192, min_height=30).train(scene([line]), rng)
    assert low.affinity_hw.max() == 0
    assert low.trust_hw[11:19, 12:84].max() == 0
    batch = LineEncoder(192).collate([item, alone])
    assert batch.maps_B2hw.shape == (2, 2, 96, 96)
    assert batch.maps_B2hw[:, 0].max() == 0
    assert (batch.images_BCHW.shape, batch.keys) == ((2, 3, 192, 192), ["drawn/0", "drawn/0"])


def test_scene_by_lines_keeps_what_is_ignored():
    line = np.array([[20, 20], [170, 20], [170, 40], [20, 40]], np.float32)
    words = as_lines(scene([line])).words
    assert [word.ignore for word in words] == [False, True]
    np.testing.assert_array_equal(words[0].polygon, line)


def test_training_moves_the_refiner_alone():
    torch.manual_seed(0)
    network = RefinedCRAFT(0.0625, 0.125).train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    scores, _ = network(torch.randn(2, 3, 64, 64))
    assert scores.shape == (2, 2, 32, 32)
    assert scores[:, 0].abs().max() == 0
    (scores[:, 1] - 1).square().mean().backward()
    torch.optim.SGD(network.parameters(), 0.1).step()
    moved = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
    assert moved
    assert all(name.startswith("refiner.") for name in moved)
    with torch.no_grad():
        assert network.eval()(torch.randn(1, 3, 64, 64))[0][:, 0].abs().max() > 0


def page(rng, size=(64, 128)):
    """Perfect CRAFT maps of three text lines of two or three words, and the lines."""
    words, lines = [], []
    for row in range(3):
        x, y, height = rng.uniform(4, 12), 6 + 20 * row + rng.uniform(-2, 2), rng.uniform(8, 11)
        start = x
        while x < 90:
            lefts = x + 5 * np.arange(rng.integers(3, 6))
            words.append(
                np.array(
                    [[[a, y], [a + 5, y], [a + 5, y + height], [a, y + height]] for a in lefts.tolist()], np.float32
                )
            )
            end = lefts[-1] + 5
            x = end + rng.uniform(5, 8)
        lines.append(np.array([[start, y], [end, y], [end, y + height], [start, y + height]], np.float32))
    return score_maps(size, words), lines, len(words)


@pytest.mark.slow
def test_refiner_learns_to_join_the_words_of_a_line(rng):
    """On perfect maps, so that it takes less than a minute: the words of unseen pages become their lines."""
    torch.manual_seed(1)
    pages = [page(rng) for _ in range(40)]
    refiner = LinkRefiner(feature_channels=2, width=0.125)
    optimizer = torch.optim.Adam(refiner.parameters(), 0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, 150)
    scores = torch.from_numpy(np.stack([p[0] for p in pages]))
    targets = torch.from_numpy(np.stack([line_map((64, 128), p[1]) for p in pages]))[:, None]
    for _ in range(150):
        chosen = torch.from_numpy(rng.integers(0, 32, 4))
        drawn = refiner(scores[chosen], scores[chosen])
        pair = [torch.cat([torch.zeros_like(m), m], 1) for m in (drawn, targets[chosen])]
        loss = detection_loss(*pair, torch.ones(4, 64, 128)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    refiner.eval()
    found, boxed, lines = 0, 0, 0
    for maps, truth, count in pages[32:]:
        image = torch.from_numpy(maps)[None]
        with torch.no_grad():
            refined = torch.cat([image[:, :1], refiner(image, image)], 1)[0].numpy()
        assert len(find_words(maps, Thresholds())) == count
        boxes = find_words(refined, Thresholds())
        found += sum(any(np.abs(box.polygon - line).max() < 4 for box in boxes) for line in truth)
        boxed, lines = boxed + len(boxes), lines + len(truth)
    assert found >= 0.8 * lines, (found, boxed, lines)
    assert boxed <= 1.25 * lines


def test_rendered_scenes_come_labelled_by_lines():
    """The words of a scene that the same generator state gives lie inside the lines, and their texts make the lines' texts."""
    lines = RenderedLines("lines", {"en": 1.0}, seed=3)
    words = RenderedScenes("lines", {"en": 1.0}, seed=3)
    for i in range(2):
        by_line, by_word = lines[i], words[i]
        assert by_line.label_kind == "word"
        assert " ".join(w.text for w in by_line.words) == " ".join(w.text for w in by_word.words)
        assert len(by_line.words) < len(by_word.words)
        inside = polygon_mask(by_line.image.shape[:2], [np.round(w.polygon) for w in by_line.words])
        for word in by_word.words:
            x, y = word.polygon.mean(axis=0).astype(int)
            if 0 <= x < inside.shape[1] and 0 <= y < inside.shape[0]:
                assert inside[y, x]
    assert lines.open("val").split == "val"


def test_preset_composes_and_a_run_trains_and_deploys_the_refiner(tmp_path):
    settings = ["model=craft_refiner", "data=rendered_lines", "model.width=0.0625", "model.refiner_width=0.125"]
    small = [
        "line_encoder.size=96",
        "loader.batch_size=2",
        "loader.workers=0",
        "module.long_side=96",
        "trainer.threads=1",
    ]
    length = ["length.max_steps=2", "length.val_every=2", "length.save_every=2", "length.log_every=1"]
    own = [
        "data.sources.rendered_lines.set.validation=2",
        "progress=false",
        "pictures=0",
        f"runs={tmp_path}",
        "name=run",
    ]
    train(compose_config([*settings, *small, *length, *own]))
    detector = checkpoint.detector(tmp_path / "run" / "best.ckpt")
    assert isinstance(detector.network, RefinedCRAFT)
    assert len(detector.detect([np.zeros((64, 64, 3), np.uint8)])) == 1
