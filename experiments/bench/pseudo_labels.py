"""Pseudo labels that reach the loss, a second: ours against the usual way, and the share of a training step that they take.

The usual way reads every word of a picture, one by one, 128 pixels high, and cuts it with scikit-image's watershed, whatever the training
crop keeps of the picture.  Pictures are 720 x 1280 and training crops 768 x 768, as for ICDAR 2015; the network is a quarter as wide.
What it computes is timed and then replaced by a map of the ink, so that there is something to cut.  All ways compute in the precision of
a training run: bf16 where the hardware has it.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import torch
from scipy import ndimage
from skimage.segmentation import watershed
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.bench.turns import figure, in_turns
from ocr.detection.augment import SceneAugment
from ocr.detection.craft import CRAFT, normalise
from ocr.detection.detector import Detector
from ocr.detection.length_guided import LengthGuided
from ocr.detection.loss import detection_loss
from ocr.detection.pseudo_labels import Labeller, splice
from ocr.detection.samples import SceneEncoder
from ocr.detection.word_crops import word_frame
from ocr.freed_memory import keep_freed_memory
from ocr.geometry import bounding_quad, rectify
from ocr.render.look import Range, load_look
from ocr.render.scene import render_scene
from ocr.run.hardware import bf16_in_hardware
from ocr.seeding import generator
from ocr.types import Image, Scene, SceneBatch, SceneWord

PICTURES, VISITS = 2, 4
"""Pictures of a batch, and how often each is seen while its labels are kept (ICDAR 2015: 1,000 pictures, 6.7 a step, 500 steps)."""
PICTURE = (720, 1280)
USUAL_HEIGHT = 128
FOREGROUND, BACKGROUND = 0.6, 0.2


class Ink(nn.Module):
    """Runs a network and gives, in place of its scores, how far a pixel's neighbourhood lies from the picture's mean."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """As :class:`~ocr.detection.craft.CRAFT`."""
        _, feature = self.network(images_BCHW)
        grey = F.avg_pool2d(images_BCHW.mean(dim=1, keepdim=True), 2)
        ink = (grey - grey.mean(dim=(2, 3), keepdim=True)).abs()
        ink = F.avg_pool2d(ink, 5, stride=1, padding=2)
        return (ink / ink.amax(dim=(2, 3), keepdim=True)).expand(-1, 2, -1, -1), feature


def weak_scenes() -> list[Scene]:
    """Pictures with word boxes only."""
    look = load_look("icdar2015_standin")
    look = look.replace(layout=dataclasses.replace(look.layout, words=Range(24, 32)))
    scenes = [render_scene(look, generator(3, "bench", "labels", i), *PICTURE, f"bench/{i}") for i in range(PICTURES)]
    weak = [[SceneWord(w.polygon, w.text, w.ignore) for w in scene.words] for scene in scenes]
    return [Scene(s.image, words, s.key, "word") for s, words in zip(scenes, weak, strict=True)]


def usual_labels(scene: Scene, network: nn.Module) -> int:
    """Every legible word by itself; returns how many were labelled."""
    labelled = 0
    for word in scene.words:
        if word.ignore or not word.text:
            continue
        crop, _ = rectify(scene.image, bounding_quad(word.polygon), USUAL_HEIGHT)
        region = usual_region(crop, network)
        markers, _ = ndimage.label(region > FOREGROUND)
        basins = watershed(-region, markers, mask=region > BACKGROUND)
        boxes = []
        for character in range(1, basins.max() + 1):
            y, x = np.nonzero(basins == character)
            boxes.append((x.min(), y.min(), x.max() + 1, y.max() + 1))
        labelled += 1
    return labelled


@torch.no_grad()
def usual_region(crop: Image, network: nn.Module) -> np.ndarray:
    """The region score of one crop, padded to what the network takes."""
    device = next(network.parameters()).device
    width = -(-crop.shape[1] // 32) * 32
    padded = cv2.copyMakeBorder(crop, 0, 0, 0, width - crop.shape[1], cv2.BORDER_CONSTANT)
    scores, _ = network(normalise(torch.from_numpy(padded[None]).to(device).permute(0, 3, 1, 2)))
    region: np.ndarray = scores[0, 0, :, : -(-crop.shape[1] // 2)].cpu().numpy()
    return region


def alone(batch: SceneBatch, labeller: Labeller, network: nn.Module) -> None:
    """Our labels with a forward for every word."""
    for picture in batch.weak:
        for word in picture.words:
            one = dataclasses.replace(batch, weak=[dataclasses.replace(picture, words=[word], image=None)])
            labeller.label(one, network, 0)


def main() -> None:
    """Time both ways on the same pictures, then the parts of a training step."""
    cv2.setNumThreads(1)
    keep_freed_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    fast = bf16_in_hardware(device)
    print(f"{device}, {'bf16' if fast else 'fp32'}")
    with torch.autocast(device, torch.bfloat16, enabled=fast):
        compare(device)


def compare(device: str) -> None:
    """All ways on one device, in the precision of the caller."""
    torch.manual_seed(0)
    teacher = Ink(CRAFT(0.25)).eval().to(device, memory_format=torch.channels_last)
    scenes = weak_scenes()
    encoder = SceneEncoder(768, SceneAugment(), whole_pictures=False)
    whole_encoder = SceneEncoder(768, SceneAugment(), whole_pictures=True)
    visits = [encoder.collate([encoder.train(s, generator(visit, s.key)) for s in scenes]) for visit in range(VISITS)]
    with_pictures = [
        whole_encoder.collate([whole_encoder.train(s, generator(visit, s.key)) for s in scenes])
        for visit in range(VISITS)
    ]
    useful = sum(len(p.words) for p in visits[0].weak)
    every = sum(not w.ignore and bool(w.text) for s in scenes for w in s.words)
    print(f"{every} legible words in {PICTURES} pictures, {useful} of them in the training crops")

    def usual() -> None:
        for scene in scenes:
            usual_labels(scene, teacher)

    def ours() -> None:
        cut_again(scenes, visits[0], encoder)
        splice(visits[0], Labeller(LengthGuided(), 0).label(visits[0], teacher, 0))

    def one_by_one() -> None:
        cut_again(scenes, visits[0], encoder)
        alone(visits[0], Labeller(LengthGuided(), 0), teacher)

    def over_visits() -> None:
        labeller = Labeller(LengthGuided(), 500)
        for step, batch in enumerate(visits):
            splice(batch, labeller.label(batch, teacher, step))

    ways = {"every word, one by one": usual, "ours": ours, "ours, one by one": one_by_one, "ours, kept": over_visits}
    seconds = in_turns(ways, 3 if device == "cuda" else 2)
    kept = sum(len(p.words) for batch in visits for p in batch.weak)
    rates = {name: (kept if name == "ours, kept" else useful) / s for name, s in seconds.items()}
    for name, rate in rates.items():
        print(f"{name}: {rate:.1f} labels that reach the loss a second")
    figure("pseudo_labels_against_usual", rates["ours"] / rates["every word, one by one"], "times", 5)
    figure("pseudo_labels_kept_against_usual", rates["ours, kept"] / rates["every word, one by one"], "times", 5)
    figure("pseudo_labels_against_one_by_one", rates["ours"] / rates["ours, one by one"], "times", 1.2)
    figure("pseudo_labels_share_of_step", share_of_step(with_pictures, teacher, device), "share", 0.3, at_most=True)


def cut_again(scenes: list[Scene], batch: SceneBatch, encoder: SceneEncoder) -> None:
    """What a worker of the loader does for the crops."""
    for scene, picture in zip(scenes, batch.weak, strict=True):
        for word in picture.words:
            frame = word_frame(word.polygon, encoder.crop_height, encoder.margin, encoder.max_crop_width)
            assert frame is not None
            word.crop = frame.cut(scene.image)


def share_of_step(visits: list[SceneBatch], teacher: nn.Module, device: str) -> float:
    """Labelling, whole pictures included, over labelling and training together, over the life of the labels."""
    network = CRAFT(0.25).to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    detector = Detector(teacher)

    def label() -> None:
        labeller = Labeller(LengthGuided(), 500)
        for step, batch in enumerate(visits):
            splice(batch, labeller.label(batch, teacher, step, detector.score_maps))
        synchronise(device)

    def train() -> None:
        for batch in visits:
            scores, _ = network(normalise(batch.images_BCHW.to(device)))
            loss = detection_loss(scores, batch.maps_B2hw.to(device), batch.trust_Bhw.to(device)).total
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        synchronise(device)

    seconds = in_turns({"label": label, "train": train}, 1)
    print(f"{VISITS} steps: labelling {seconds['label']:.2f} s, training {seconds['train']:.2f} s")
    return seconds["label"] / (seconds["label"] + seconds["train"])


def synchronise(device: str) -> None:
    """Wait for the device."""
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
