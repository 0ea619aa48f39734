"""What flows through the project, from a data set to a score.

Coordinates are pixels, x to the right and y down; the centre of the top-left pixel is (0.5, 0.5), so the
polygon of a whole picture is (0, 0), (W, 0), (W, H), (0, H).  Polygons run clockwise as seen, starting at the corner where
reading starts (for a horizontal word: top left).

Tensor names carry their axes:
    B  pictures (or crops) of a batch      C  channels
    H  height and W width of the input     h  height and w width of the half-resolution maps (h = H/2, w = W/2)
    T  time steps of a recogniser          K  classes of its charset, special tokens included
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from numpy.typing import ArrayLike

Image = NDArray[np.uint8]
"""Height x width x 3, RGB."""
Points = NDArray[np.float32]
"""n x 2, columns x and y."""
Quads = NDArray[np.float32]
"""n x 4 x 2."""

LabelKind = Literal["char", "word"]
"""``char``: character quads are known (strong).  ``word``: only word polygons are (weak)."""
Direction = Literal["horizontal", "stacked", "rotated"]
"""How a word is read: left to right, upright characters from top to bottom, or a line turned by its angle."""


@dataclass(slots=True)
class SceneWord:
    """One word (or line, where a set is labelled by lines) of a scene.

    ``text`` is None when the transcription is missing; ``ignore`` marks "do not care" regions, which neither train nor count.
    ``characters`` holds one quad per grapheme cluster of ``text`` but spaces (:func:`ocr.charset.clusters`), in reading order.
    """

    polygon: Points
    text: str | None
    ignore: bool = False
    characters: Quads | None = None
    script: str = "Latin"
    direction: Direction = "horizontal"


@dataclass(slots=True)
class Scene:
    """A picture with its words.  ``key`` is ``<set>/<id>`` and unique over all sets."""

    image: Image
    words: list[SceneWord]
    key: str
    label_kind: LabelKind
    lines: list[Points] | None = None


@dataclass(slots=True)
class Word:
    """A cropped word with its transcription; ``key`` is ``<set>/<id>``."""

    image: Image
    text: str
    key: str
    script: str = "Latin"
    direction: Direction = "horizontal"
    characters: Quads | None = None


@dataclass(slots=True)
class WeakWord:
    """A word of which only the box and the text are known, waiting for its character boxes.

    ``place`` is its number in the picture.  ``crop`` is the word cut upright from the untouched picture with some of its surroundings,
    None when it is not to be read; in it the word fills ``window`` (left, top, right, bottom, even pixels), and ``to_picture`` takes
    points (..., 2) of it to the picture.  ``polygon`` is in picture coordinates, and so are ``characters``, the true ones, where they
    are known: they only measure.
    """

    place: int
    text: str
    polygon: Points
    window: tuple[int, int, int, int]
    to_picture: Callable[[ArrayLike], NDArray[np.float32]]
    crop: Image | None = None
    characters: Quads | None = None


@dataclass(slots=True)
class WeakPicture:
    """The weak words of sample ``sample`` of a batch.

    ``to_map`` takes homogeneous picture coordinates to those of the sample's half-resolution map (3 x 3, float64).  ``image`` is the
    whole untouched picture where it may be read as one.  The words of a ``probe`` are labelled only to be compared with the truth.
    """

    sample: int
    key: str
    to_map: NDArray[np.float64]
    words: list[WeakWord]
    image: Image | None = None
    probe: bool = False


@dataclass(slots=True)
class SceneBatch:
    """What the detector trains on.

    ``images_BCHW`` uint8 RGB.  ``maps_B2hw`` float32 in [0, 1]: region score, affinity score.  ``trust_Bhw`` float32 in [0, 1]:
    the confidence map S_c, 0 where the loss must not look.  ``weak`` holds the words whose maps and trust the training step
    fills in.  ``skipped`` names samples whose image could not be decoded and that another one stands in for.
    """

    images_BCHW: torch.Tensor
    maps_B2hw: torch.Tensor
    trust_Bhw: torch.Tensor
    keys: list[str]
    weak: list[WeakPicture] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


@dataclass(slots=True)
class WordBatch:
    """What the recogniser trains on: ``images_BCHW`` uint8 and the texts as strings; the codec belongs to the model.

    Pictures of different widths are padded on the right, and ``widths_B`` (int64, pixels) says how wide each one is.
    """

    images_BCHW: torch.Tensor
    texts: list[str]
    keys: list[str]
    widths_B: torch.Tensor | None = None
    skipped: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Detection:
    """A found word in pixels of the original picture.

    ``score`` is the mean region score of the pixels that hang together as the word, in [0, 1]; ``angle`` is the direction of the
    polygon's upper side in degrees, counter-clockwise from the positive x axis as seen, in (-180, 180]: the reading direction, and for
    stacked text the lean of its upright characters.  ``characters`` are quads (n, 4, 2) in reading order, each from its own upper left
    corner; None where they were not looked for.
    """

    polygon: Points
    score: float
    angle: float = 0.0
    direction: Direction = "horizontal"
    characters: Quads | None = None


@dataclass(slots=True)
class Reading:
    """A decoded text.

    ``characters`` is the confidence per emitted character; ``confidence``, in [0, 1], is their product, times that of the end of
    the text where the decoder emits one.  For an empty text see :mod:`ocr.recognition.decode`.  ``places`` tells where each character
    stands, in [0, 1] from the left to the right end of the picture that was read (as the network saw it: a tall one turned where the
    network turns them); empty where the decoder does not know.
    """

    text: str
    confidence: float
    characters: list[float] = field(default_factory=list)
    places: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """What the reader found in one picture, in reading order."""

    path: str
    width: int
    height: int
    words: list[tuple[Detection, Reading]]


@dataclass(slots=True)
class Score:
    """One number of a result table: ``low`` and ``high`` bound its 95 % interval (None where no interval is defined)."""

    set: str
    protocol: str
    metric: str
    value: float
    n: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What the names and shapes of somebody's weights say of the network they belong to.

    ``recognise(names_and_shapes)`` of ``ocr.recognition.published`` and ``ocr.detection.published`` finds it, or None when
    the weights are of no network of theirs; ``convert(state, published)`` then renames the weights to ours, and leaves
    names that the network does not know as they are.

    ``network`` is the node that builds our network, ``prefix`` what every name in the file begins with (``module.`` or
    nothing).  ``missing`` names what neither names nor shapes can tell and a person must give, with one line on each.
    """

    task: Literal["detection", "recognition"]
    network: dict[str, Any]
    prefix: str = ""
    missing: dict[str, str] = field(default_factory=dict)


class Detects(Protocol):
    """Anything that finds words in pictures, for example ``ocr.detection.detector.Detector``."""

    def detect(self, images: list[Image]) -> list[list[Detection]]:
        """Words of every picture, in pixels of that picture."""
        ...


class Reads(Protocol):
    """Anything that reads word crops, for example ``ocr.recognition.recognizer.Recognizer``."""

    def read(self, images: list[Image]) -> list[Reading]:
        """One reading for every crop, in the order given."""
        ...
