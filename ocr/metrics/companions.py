"""What every detection evaluation shows beside the protocol that was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from ocr.metrics.detection import PictureProtocol
from ocr.metrics.deteval import DetEval, TotalTextDetEval
from ocr.metrics.iou import BoxProtocol

IOU = BoxProtocol("ic15_iou")
DETEVAL = DetEval("deteval", boxes="polygon")


def with_companions(protocols: Sequence[PictureProtocol]) -> list[PictureProtocol]:
    """The protocols, and one by IoU and one by DetEval where none of that kind is among them.

    IoU forgives boxes that are a little tight, DetEval none at all: side by side, and with the mean area recall, they show boxes
    that shrink before they cost matches.
    """
    iou = any(isinstance(protocol, BoxProtocol) for protocol in protocols)
    deteval = any(isinstance(protocol, DetEval | TotalTextDetEval) for protocol in protocols)
    return [*protocols, *([] if iou else [IOU]), *([] if deteval else [DETEVAL])]
