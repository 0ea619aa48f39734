"""Chance for word pictures: what a camera, a lens and a codec do to a word."""

from __future__ import annotations

import os
import warnings
from typing import Any

import cv2
import numpy as np

from ocr.types import Image

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for a newer version at import
import albumentations


class WordAugmentation:
    """Mild geometry, colour, blur, noise and compression, each applied with its own probability.

    Nothing here mirrors a word, turns it upside down or cuts letters off (the picture grows instead), so the label stays true.

    Which transforms are applied, and the seed of each, come from the generator passed in.  The library's own ``Compose`` is not
    used: albumentations 2.0.8 gives all its transforms one seed, so that they are applied together or not at all.

    Args:
        perspective: probability of moving the corners by up to 8 % of the picture.
        affine: probability of turning by up to 6 degrees and slanting by up to 15.
        colour: probability of a change in brightness, contrast, saturation and hue.
        invert: probability of swapping dark and light.
        blur: probability of a Gaussian or motion blur of up to 5 pixels.
        noise: probability of Gaussian noise with a standard deviation of up to 8 % of the range.
        compression: probability of JPEG at a quality of 30 to 90.

    Raises:
        ValueError: a probability outside [0, 1], or the installed albumentations does not know an argument.
    """

    def __init__(
        self,
        perspective: float = 0.3,
        affine: float = 0.3,
        colour: float = 0.3,
        invert: float = 0.0,
        blur: float = 0.2,
        noise: float = 0.2,
        compression: float = 0.2,
    ) -> None:
        probabilities = (perspective, affine, colour, invert, blur, noise, compression)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # it only warns about arguments that it does not know
            try:
                choices = _transforms()
            except UserWarning as warning:
                raise ValueError(f"albumentations {albumentations.__version__}: {warning}; install 2.0.8") from None
        for name, probability in zip(choices, probabilities, strict=True):
            if not 0 <= probability <= 1:
                raise ValueError(f"augment.{name} is {probability}: give a probability from 0 to 1")
        self.steps = list(zip(probabilities, choices.values(), strict=True))

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        """An RGB picture -> another, larger by what geometry adds."""
        for probability, alternatives in self.steps:
            if rng.random() < probability:
                transform = alternatives[rng.integers(len(alternatives))]
                transform.set_random_seed(int(rng.integers(2**31)))
                image = transform(image=image)["image"]
        return image


def _transforms() -> dict[str, list[Any]]:
    """The transforms in the order of the optical path, by name; of several under one name, one is drawn."""
    a = albumentations
    edge = {"border_mode": cv2.BORDER_REPLICATE, "p": 1.0}
    return {
        "perspective": [a.Perspective(scale=(0.02, 0.08), keep_size=False, fit_output=True, **edge)],
        "affine": [a.Affine(rotate=(-6, 6), shear={"x": (-15, 15), "y": (0, 0)}, fit_output=True, **edge)],
        "colour": [a.ColorJitter((0.7, 1.3), (0.6, 1.4), (0.5, 1.5), (-0.1, 0.1), p=1.0)],
        "invert": [a.InvertImg(p=1.0)],
        "blur": [a.GaussianBlur(blur_limit=(3, 5), p=1.0), a.MotionBlur(blur_limit=(3, 5), p=1.0)],
        "noise": [a.GaussNoise(std_range=(0.01, 0.08), p=1.0)],
        "compression": [a.ImageCompression(quality_range=(30, 90), p=1.0)],
    }
