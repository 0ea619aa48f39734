"""The 24 cells of the grid for tests, wide as published or narrow enough for seconds."""

from functools import partial
from itertools import product

import cv2
import numpy as np

from ocr.charset import Charset
from ocr.recognition.feat import RCNN, VGG, ResNet
from ocr.recognition.four_stage import FourStage
from ocr.recognition.pred import CTC, Attention
from ocr.recognition.seq import BiLSTM, NoSequence
from ocr.recognition.trans import TPS, NoTransformation

TRANS = {"None": NoTransformation, "TPS": TPS}
FEAT = {"VGG": VGG, "RCNN": RCNN, "ResNet": ResNet}
SEQ = {"None": NoSequence, "BiLSTM": BiLSTM}
PRED = {"CTC": CTC, "Attn": Attention}
CELLS = ["-".join(cell) for cell in product(TRANS, FEAT, SEQ, PRED)]


def build_cell(cell, charset="digits_lower", narrow=True, hidden=12, **arguments):
    """A network of the grid; narrow ones have 16 to 32 channels and ``hidden`` units."""
    trans, feat, seq, pred = cell.split("-")
    units = {"hidden": hidden}
    widths = {"TPS": {"channels": 16}, feat: {"channels": 32}, "BiLSTM": units, "Attn": units} if narrow else {}
    stages = [
        partial(stage, **widths.get(name, {}))
        for stage, name in ((TRANS[trans], trans), (FEAT[feat], feat), (SEQ[seq], seq), (PRED[pred], pred))
    ]
    return FourStage(Charset.from_spec(charset), *stages, **arguments)


def word_picture(text, height=32, width=100):
    """A word in OpenCV's stroke font, dark on light, RGB."""
    image = np.full((height, width, 3), 220, np.uint8)
    (across, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 2)
    scale = (width - 8) / across
    cv2.putText(image, text, (4, height * 3 // 4), cv2.FONT_HERSHEY_SIMPLEX, scale, (20, 30, 40), 2, cv2.LINE_AA)
    return image
