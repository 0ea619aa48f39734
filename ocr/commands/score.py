"""``ocr score``: score a result archive of any method, or what our reader read, against a ground-truth archive."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocr.metrics.detection import DetectionResult, PictureProtocol

HELP = "score a result archive (zip) against a ground-truth archive"
EXAMPLE = "ocr score --gt ic15_gt.zip --pred mine.zip --protocol ic15_iou"
OVERRIDES = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--gt", required=True, metavar="ZIP", help="ground truth, one text file per picture")
    parser.add_argument(
        "--pred", required=True, metavar="FILE", help="results: an archive like that, or the .jsonl of ocr read --json"
    )
    parser.add_argument(
        "--protocol",
        required=True,
        metavar="NAME[+NAME…]",
        help="protocols of conf/protocol, for example ic15_iou, ctw1500_iou, ic13_deteval, cleval, cleval_e2e, tedeval, "
        "ic15_e2e; IoU and DetEval always come along",
    )
    form = "how lines begin: box (xmin,ymin,xmax,ymax), quad (four points) or polygon (default: what most look like)"
    parser.add_argument("--gt-form", choices=("box", "quad", "polygon"), help=f"ground truth, {form}")
    parser.add_argument("--pred-form", choices=("box", "quad", "polygon"), help=f"results, {form}")
    parser.add_argument("--out", metavar="FOLDER", help="keep one row per picture and the scores as JSON lines")
    parser.add_argument("--archive", metavar="ZIP", help="write the results as an archive that the competitions take")


def run(arguments: argparse.Namespace) -> int:
    """Print the scores and keep rows.

    Raises:
        ValueError: an archive cannot be read, or the two are not of one data set; one line.
    """
    from ocr.metrics.companions import with_companions
    from ocr.metrics.result_files import paired, read_pages, read_results, read_truth, shared_form, write_results
    from ocr.run.score_table import print_scores
    from ocr.terminal import console as make_console

    protocols = with_companions([_protocol(name) for name in arguments.protocol.split("+")])
    gt, pred = Path(arguments.gt), Path(arguments.pred)
    truth = read_truth(gt, arguments.gt_form)
    results = read_pages(pred) if pred.suffix == ".jsonl" else read_results(pred, arguments.pred_form)
    pictures = list(paired(truth, results, (gt.name, pred.name)))
    console = make_console()
    silent = [name for name in truth if name not in results]
    if silent:
        console.print(
            f"{pred.name} says nothing about {len(silent)} of {len(truth)} pictures, among them {silent[0]}: nothing found there"
        )
    rows = []
    for protocol in protocols:
        result = protocol.result(
            [protocol.row(found.detections, words, name, found.texts) for name, found, words in pictures]
        )
        rows += _score_rows(gt, protocol, result)
        if arguments.out:
            _keep(Path(arguments.out) / f"{pred.stem}-{protocol.name}.jsonl", [asdict(row) for row in result.rows])
    print_scores(rows, console)
    crossing = sum(row.crossing for row in result.rows)
    if crossing:
        console.print(f"{crossing} detections have outlines that cross themselves or have no area")
    if arguments.out:
        _keep(Path(arguments.out) / f"{pred.stem}-scores.jsonl", rows)
    if arguments.archive:
        write_results(Path(arguments.archive), results, shared_form(results))
    return 0


def _protocol(name: str) -> PictureProtocol:
    from ocr.config import build, compose_config, plain
    from ocr.metrics.detection import PictureProtocol

    protocol = build(plain(compose_config(["model=craft", f"protocol={name}"]).protocol), f"protocol={name}")
    if not isinstance(protocol, PictureProtocol):
        raise ValueError(
            f"protocol={name} compares word crops; choose one that scores detections, for example ic15_iou"
        )
    return protocol


def _score_rows(gt: Path, protocol: PictureProtocol, result: DetectionResult) -> list[dict[str, Any]]:
    from ocr.run.score_table import plain_bins

    shared = {
        "kind": "real",
        "fingerprint": hashlib.sha256(gt.read_bytes()).hexdigest(),
        "protocol_version": protocol.version,
        "breakdown": plain_bins(result.breakdown()),
    }
    return [{**asdict(score), **shared} for score in result.scores(gt.stem)]


def _keep(path: Path, rows: list[dict[str, Any]]) -> None:
    from ocr.run.record import write_atomically

    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
