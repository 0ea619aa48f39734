"""Training end to end: learning, the teacher, validation, checkpoints."""

from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from drawn import draw_scene
from torch.utils.data import DataLoader

from ocr.detection.augment import SceneAugment
from ocr.detection.craft import CRAFT, normalise
from ocr.detection.detector import Detector
from ocr.detection.loss import detection_loss
from ocr.detection.module import DetectionModule
from ocr.detection.postprocess import Thresholds
from ocr.detection.pseudo_labels import splice
from ocr.detection.samples import SceneEncoder
from ocr.detection.splitting import Equal, Watershed
from ocr.metrics.iou import BoxProtocol
from ocr.seeding import generator

SCORER = BoxProtocol("iou")


def module(width=0.05, **arguments):
    torch.manual_seed(0)
    return DetectionModule(
        CRAFT(width),
        {"_target_": "ocr.detection.craft.CRAFT", "width": width},
        partial(torch.optim.Adam, lr=1e-3),
        lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step)),
        SCORER,
        long_side=256,
        max_enlargement=1.0,
        **arguments,
    )


class Batches(torch.utils.data.Dataset):
    """Batch i of mixed strong and weak drawn scenes, a function of i."""

    def __init__(self, size=96, start=0):
        self.encoder = SceneEncoder(size, SceneAugment(), crop_height=32)
        self.start = start

    def __len__(self):
        return 100

    def __getitem__(self, i):
        i += self.start
        rng = generator(5, i)
        scenes = [draw_scene(rng, kind=kind, key=f"drawn/{i}{kind}") for kind in ("char", "word")]
        return self.encoder.collate([self.encoder.train(s, rng) for s in scenes])


def fit(detection, steps, folder, resume=None, start=0, validate=None, precision="32-true"):
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        max_epochs=-1,
        precision=precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        val_check_interval=steps if validate else None,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    loader = DataLoader(Batches(start=start), batch_size=None, collate_fn=lambda batch: batch)
    validation = DataLoader([validate], batch_size=None, collate_fn=lambda batch: batch) if validate else None
    trainer.fit(detection, loader, validation, ckpt_path=resume, weights_only=True)
    return trainer


def test_learns_two_scenes_by_heart_and_finds_their_words():
    """A plain loop: network, loss and detector need no Lightning."""
    torch.manual_seed(0)
    rng = np.random.default_rng(3)
    scenes = [draw_scene(rng, size=(128, 128), words=("MAPS", "LINK"), key=f"drawn/{i}") for i in range(2)]
    encoder = SceneEncoder(128)
    batch = encoder.collate([encoder.train(s, rng) for s in scenes])
    network = CRAFT(0.1).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=4e-3)
    for _ in range(70):
        scores, _ = network(normalise(batch.images_BCHW))
        loss = detection_loss(scores, batch.maps_B2hw, batch.trust_Bhw).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02
    found = Detector(network, Thresholds(0.5, 0.3, 0.4), long_side=128).detect([s.image for s in scenes])
    agreement = SCORER([(f, s.words) for f, s in zip(found, scenes, strict=True)])
    assert agreement.hmean == 1


def test_teacher_stays_in_evaluation_mode_when_the_module_trains():
    detection = module().train()
    assert detection.network.training
    assert not any(m.training for m in detection.teacher.modules())


def test_a_step_labels_weak_words_and_says_how(tmp_path):
    detection = module(splitter=Equal())
    trainer = fit(detection, 3, tmp_path)
    logged = trainer.callback_metrics
    assert float(logged["weak/words"]) > 0
    assert float(logged["weak/fallbacks"]) == 1
    assert float(logged["weak/confidence"]) == 0.5
    assert float(logged["train/loss"]) == pytest.approx(float(logged["train/region"]) + float(logged["train/affinity"]))
    assert detection.teacher.updates == 3


def test_the_teacher_fills_in_the_words_of_weak_scenes_only():
    batch = Batches()[0]
    assert [p.sample for p in batch.weak] == [1]
    assert batch.maps_B2hw[1].max() == 0
    detection = module(splitter=Equal())
    splice(batch, detection.labeller.label(batch, detection.teacher.network, 0))
    assert batch.maps_B2hw[1].max() > 0.5
    assert ((batch.trust_Bhw[1] == 0.5) & (batch.maps_B2hw[1, 0] > 0.5)).any()


@pytest.mark.parametrize("splitter", [Watershed(relative=False), Equal()], ids=["watershed", "equal"])
def test_resumed_training_equals_undisturbed_training_bit_for_bit(tmp_path, splitter):
    undisturbed = module(splitter=splitter)
    fit(undisturbed, 5, tmp_path)
    stopped = module(splitter=splitter)
    fit(stopped, 2, tmp_path).save_checkpoint(tmp_path / "last.ckpt")
    resumed = module(splitter=splitter)
    fit(resumed, 5, tmp_path, resume=tmp_path / "last.ckpt", start=2)
    expected, found = undisturbed.state_dict(), resumed.state_dict()
    assert expected.keys() == found.keys()
    assert found["teacher._extra_state"] == 5
    for key in expected:
        same = expected[key] == found[key]
        assert same if isinstance(same, bool) else bool(same.all()), key


def test_validation_chooses_thresholds_and_the_checkpoint_rebuilds_the_detector(tmp_path):
    rng = np.random.default_rng(3)
    scenes = [draw_scene(rng, key=f"drawn/{i}") for i in range(3)]
    detection = module(width=0.1)
    trainer = fit(detection, 12, tmp_path, validate=scenes)
    assert {"val/hmean", "val/recall", "val/precision", "val/threshold_low"} <= trainer.callback_metrics.keys()
    detection.detector.thresholds = Thresholds(0.11, 0.12, 0.1)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    ours = content["ocr"]
    assert (ours["format"], ours["task"]) == (1, "detection")
    network = CRAFT(ours["network"]["width"])
    prefix = ours["weights"]
    network.load_state_dict(
        {k.removeprefix(prefix): v for k, v in content["state_dict"].items() if k.startswith(prefix)}
    )
    rebuilt = Detector(network, **ours["inference"])
    assert rebuilt.thresholds == Thresholds(0.11, 0.12, 0.1)
    there, here = (
        detection.deployable().score_maps([s.image for s in scenes]),
        rebuilt.score_maps([s.image for s in scenes]),
    )
    for a, b in zip(there, here, strict=True):
        np.testing.assert_allclose(a.maps_2hw, b.maps_2hw, atol=1e-5)
    resumed = module(width=0.1)
    fit(resumed, 12, tmp_path, resume=tmp_path / "last.ckpt")
    assert resumed.deployable().thresholds == Thresholds(0.11, 0.12, 0.1)


def test_trains_in_bf16(tmp_path):
    detection = module()
    before = detection.network.head1.weight.detach().clone()
    fit(detection, 2, tmp_path, precision="bf16-mixed")
    assert detection.network.head1.weight.dtype == torch.float32
    assert not torch.equal(before, detection.network.head1.weight)


def test_infinite_loss_names_the_pictures():
    detection = module().train()
    with torch.no_grad():
        detection.network.head5.bias.fill_(float("inf"))
    with pytest.raises(FloatingPointError, match=r"step 0, batch of drawn/0char, drawn/0word"):
        detection.training_step(Batches()[0], 0)
