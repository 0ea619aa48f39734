"""Chance for word pictures: what a camera, a lens and a codec do to a word."""

from __future__ import annotations

import os
import warnings

import numpy as np

from ocr.types import Image

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for a newer version at import
import albumentations


class WordAugmentation:
    """Mild geometry, blur, noise, compression and colour, each applied with its own probability.

    Nothing here turns a word upside down, mirrors it or cuts letters off, so the label stays true.  The library draws from one
    stream per process, the same in every worker; it is therefore reseeded for every picture from the generator passed in.

    Args:
        perspective: probability of moving the corners by up to 8 % of the picture.
        affine: probability of turning by up to 6 degrees, shearing by up to 10 and scaling by 0.85 to 1.05.
        blur: probability of a Gaussian or motion blur of up to 5 pixels.
        noise: probability of Gaussian noise with a standard deviation of up to 8 % of the range.
        compression: probability of JPEG at a quality of 30 to 90.
        colour: probability of a change in brightness, contrast, saturation and hue.
        invert: probability of swapping dark and light.

    Raises:
        ValueError: a probability outside [0, 1], or the installed albumentations does not know an argument.
    """

    def __init__(
        self,
        perspective: float = 0.3,
        affine: float = 0.3,
        blur: float = 0.2,
        noise: float = 0.2,
        compression: float = 0.2,
        colour: float = 0.3,
        invert: float = 0.0,
    ) -> None:
        probabilities = {
            "perspective": perspective,
            "affine": affine,
            "blur": blur,
            "noise": noise,
            "compression": compression,
            "colour": colour,
            "invert": invert,
        }
        for name, probability in probabilities.items():
            if not 0 <= probability <= 1:
                raise ValueError(f"augment.{name} is {probability}: give a probability from 0 to 1")
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # it only warns about arguments that it does not know
            try:
                self.pipeline = _pipeline(probabilities)
            except UserWarning as warning:
                raise ValueError(
                    f"albumentations {albumentations.__version__} does not fit: {warning}; install 2.0.8"
                ) from None

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        """An RGB picture -> one of the same size."""
        self.pipeline.set_random_seed(int(rng.integers(2**31)))
        return self.pipeline(image=image)["image"]


def _pipeline(p: dict[str, float]) -> albumentations.Compose:
    a = albumentations
    edge = {"border_mode": 1}  # cv2.BORDER_REPLICATE: the background goes on
    return a.Compose(
        [
            a.Perspective(scale=(0.02, 0.08), keep_size=True, fit_output=False, p=p["perspective"], **edge),
            a.Affine(rotate=(-6, 6), shear={"x": (-10, 10), "y": (0, 0)}, scale=(0.85, 1.05), p=p["affine"], **edge),
            a.ColorJitter(
                brightness=(0.7, 1.3), contrast=(0.6, 1.4), saturation=(0.5, 1.5), hue=(-0.1, 0.1), p=p["colour"]
            ),
            a.InvertImg(p=p["invert"]),
            a.OneOf([a.GaussianBlur(blur_limit=(3, 5)), a.MotionBlur(blur_limit=(3, 5))], p=p["blur"]),
            a.GaussNoise(std_range=(0.01, 0.08), p=p["noise"]),
            a.ImageCompression(quality_range=(30, 90), p=p["compression"]),
        ]
    )
